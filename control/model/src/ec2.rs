//! Upstreams that are instances of EC2.

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::read::Node;

/// The port of instances, where nothing is said (Gloo's).
const PORT: u16 = 80;

/// Instances of EC2 that run.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct Ec2Upstream {
    /// Where they run, as `us-east-1`.
    #[read(with = region)]
    pub region: String,
    /// AWS keys to look them up with; those of the environment where it is left out.
    pub secret_ref: Option<ObjectRef>,
    /// A role to assume to look them up.
    #[read(with = Node::non_empty)]
    pub role_arn: Option<String>,
    /// What they are tagged with: all of it.
    pub filters: Vec<TagFilter>,
    /// Whether they are spoken to at their public address, not at their private one.
    pub public_ip: bool,
    /// The port that they listen on: 80 where it is left out (or 0).
    #[read(with = port, default = PORT)]
    pub port: u16,
}

/// What an instance is tagged with.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct TagFilter {
    /// The tag.
    #[read(flatten)]
    pub tag: Tag,
}

/// A tag. Upper and lower case are the same in keys, not in values.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum Tag {
    /// Its key, whatever the value.
    #[read(with = Node::non_empty)]
    Key(String),
    /// Key and value.
    KvPair(TagPair),
}

/// A tag's key and value.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct TagPair {
    /// The key.
    #[read(with = Node::non_empty)]
    pub key: String,
    /// The value.
    #[read(default)]
    pub value: String,
}

/// It becomes part of a host name.
fn region(node: &Node<'_>) -> Option<String> {
    let region = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    match region.bytes().all(fits) {
        true => Some(region),
        false => node.error(format!("{region:?} is not a region, as us-east-1")),
    }
}

fn port(node: &Node<'_>) -> Option<u16> {
    match node.within(0, u16::MAX)? {
        0 => Some(PORT),
        port => Some(port),
    }
}
