//! Upstreams that are services of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model_derive::Read;

use crate::read::Node;
use crate::{ObjectRef, ServiceSpec};

/// A port of a service of Kubernetes.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct KubeUpstream {
    /// The service's name.
    #[read(with = Node::non_empty)]
    pub service_name: String,
    /// The service's namespace; the upstream's own where it is left out.
    #[read(with = Node::non_empty)]
    pub service_namespace: Option<String>,
    /// The number of the service's port, not that of its pods.
    #[read(range(1, 65_535))]
    pub service_port: u16,
    /// Only pods with these labels.
    pub selector: BTreeMap<String, String>,
    /// What routes may call of it.
    pub service_spec: Option<ServiceSpec>,
    /// The parts of it that routes may name, by the labels of its pods.
    pub subset_spec: Option<SubsetSpec>,
}

/// The parts of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct SubsetSpec {
    /// A part for each combination of values of these labels.
    pub selectors: Vec<SubsetSelector>,
    /// Where a request goes for whose part there is no endpoint.
    #[read(default)]
    pub fallback_policy: SubsetFallback,
    /// The part that `DEFAULT_SUBSET` means.
    pub default_subset: Option<Subset>,
}

/// The labels that make parts.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct SubsetSelector {
    /// Their names.
    #[read(required, with = Node::non_empty)]
    pub keys: Vec<String>,
    /// Whether each part is one endpoint.
    pub single_host_per_subset: bool,
}

/// Where a request goes for whose part there is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum SubsetFallback {
    /// To any.
    #[default]
    AnyEndpoint,
    /// To those of the default part.
    DefaultSubset,
    /// Nowhere: it is answered 503.
    NoFallback,
}

/// A part of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Subset {
    /// The labels of its endpoints.
    pub values: BTreeMap<String, String>,
}

impl KubeUpstream {
    /// The service, for an upstream of a namespace.
    pub fn service(&self, own_namespace: &str) -> ObjectRef {
        let namespace = self.service_namespace.as_deref();
        ObjectRef {
            namespace: namespace.unwrap_or(own_namespace).into(),
            name: self.service_name.as_str().into(),
        }
    }
}

impl SubsetSpec {
    /// The names of the labels that make parts.
    pub fn keys(&self) -> BTreeSet<&str> {
        let keys = self.selectors.iter().flat_map(|it| &it.keys);
        keys.map(String::as_str).collect()
    }
}
