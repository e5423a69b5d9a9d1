//! Statistics of parts of a virtual host.

use tenon_model_derive::Read;

use crate::read::{Fields, Node};
use crate::regex;

/// Statistics of a virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Stats {
    /// Its parts.
    pub virtual_clusters: Vec<VirtualCluster>,
}

/// A part of a virtual host, of which Envoy keeps statistics.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = named)]
pub struct VirtualCluster {
    /// Its name in them.
    #[read(with = Node::non_empty)]
    pub name: String,
    /// Which paths are its own: a regular expression that the whole path matches.
    #[read(with = regex::pattern)]
    pub pattern: String,
    /// Which method is its own; any where it is left out.
    #[read(with = Node::non_empty)]
    pub method: Option<String>,
}

fn named(cluster: VirtualCluster, fields: &Fields<'_>) -> Option<VirtualCluster> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !cluster.name.chars().all(fits) {
        fields.error_at("name", "expected letters, digits, _ and -");
    }
    Some(cluster)
}
