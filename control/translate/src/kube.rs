//! Upstreams that are services of Kubernetes: clusters whose endpoints are told beside them (EDS), so that an edit of the
//! endpoints is none of the cluster, and the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use prost::Message;
use tenon_model::{
    Kind, KubeUpstream, ObjectKey, ObjectRef, Problem, Service, ServiceEndpoints, SubsetFallback,
    SubsetSpec,
};

use crate::cluster::ClusterForm;
use crate::proto::cluster::cluster::lb_subset_config::{LbSubsetFallbackPolicy, LbSubsetSelector};
use crate::proto::cluster::cluster::{
    ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbSubsetConfig,
};
use crate::proto::{ads, cluster, core, endpoint, socket_address, uint};
use crate::wire;

/// The namespace of metadata by which Envoy finds parts of a cluster.
pub(crate) const LB: &str = "envoy.lb";
/// `Cluster.lb_subset_config`
const SUBSETS: u32 = 22;
/// `LbSubsetConfig.default_subset`
const DEFAULT_SUBSET: u32 = 2;

/// Which endpoints of a service an upstream has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServicePart {
    /// The service.
    pub(crate) service: ObjectRef,
    /// The name of its port.
    port: String,
    /// Whether it is the only one.
    is_only: bool,
    /// The labels of its pods, where the service itself asks for fewer.
    selector: BTreeMap<String, String>,
    /// The labels that are told of each endpoint.
    told: BTreeSet<String>,
}

/// Finds services.
pub(crate) trait Services {
    /// The service, in its last good form.
    fn service(&self, reference: &ObjectRef) -> Option<&Service>;
}

/// The labels of pods.
pub(crate) trait Pods {
    /// Those of the pod, or of the one that has an address in a namespace.
    fn labels(
        &self,
        pod: Option<&ObjectRef>,
        namespace: &str,
        ip: IpAddr,
    ) -> Option<&BTreeMap<String, String>>;
}

/// The key of a service.
pub(crate) fn service_key(service: &ObjectRef) -> ObjectKey {
    service.key(Kind::Service)
}

/// Stands for all pods of a namespace.
pub(crate) fn pods_key(namespace: &str) -> ObjectKey {
    ObjectKey {
        kind: Kind::Pod,
        namespace: namespace.to_owned(),
        name: String::new(),
    }
}

/// Has a cluster's endpoints told beside it, under its name.
pub(crate) fn discovered(cluster: &mut cluster::Cluster) {
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into()));
    cluster.eds_cluster_config = Some(EdsClusterConfig {
        eds_config: ads(),
        service_name: String::new(),
    });
}

/// What of its service an upstream is, or what is wrong with it.
pub(crate) fn part(
    key: &ObjectKey,
    kube: &KubeUpstream,
    services: &impl Services,
    form: &mut ClusterForm,
) -> Option<ServicePart> {
    let reference = kube.service(&key.namespace);
    form.reads.insert(service_key(&reference));
    let Some(service) = services.service(&reference) else {
        let text = format!(
            "Upstream {}/{} references the service '{}' which does not exist in namespace '{}'",
            key.namespace, key.name, reference.name, reference.namespace
        );
        form.problems
            .push(Problem::error("spec.kube.serviceName", text));
        return None;
    };
    let Some(port) = service.port(kube.service_port) else {
        form.problems.push(Problem::error(
            "spec.kube.servicePort",
            no_port(&reference, service, kube.service_port),
        ));
        return None;
    };
    let own = |(name, value): &(&String, &String)| service.selector.get(*name) != Some(value);
    let selector = kube.selector.iter().filter(own);
    let selector: BTreeMap<_, _> = selector.map(|(k, v)| (k.clone(), v.clone())).collect();
    let told = kube.subset_spec.iter().flat_map(SubsetSpec::keys);
    let told: BTreeSet<_> = told.map(str::to_owned).collect();
    if !selector.is_empty() || !told.is_empty() {
        form.reads.insert(pods_key(&reference.namespace));
    }
    Some(ServicePart {
        port: port.name.clone(),
        is_only: service.ports.len() == 1,
        service: reference,
        selector,
        told,
    })
}

/// Says that a service has no port of a number.
pub(crate) fn no_port(reference: &ObjectRef, service: &Service, port: u16) -> String {
    let known: Vec<_> = service
        .ports
        .iter()
        .map(|port| port.port.to_string())
        .collect();
    format!(
        "service {reference} has no port {port}; known: {}",
        known.join(", ")
    )
}

/// The parts of a cluster, to be put behind the rest of it.
pub(crate) fn subsets(spec: &SubsetSpec) -> Vec<u8> {
    let fallback = match spec.fallback_policy {
        SubsetFallback::AnyEndpoint => LbSubsetFallbackPolicy::AnyEndpoint,
        SubsetFallback::DefaultSubset => LbSubsetFallbackPolicy::DefaultSubset,
        SubsetFallback::NoFallback => LbSubsetFallbackPolicy::NoFallback,
    };
    let selectors = spec.selectors.iter().map(|selector| LbSubsetSelector {
        keys: selector.keys.clone(),
        single_host_per_subset: selector.single_host_per_subset,
        ..LbSubsetSelector::default()
    });
    let mut config = LbSubsetConfig {
        fallback_policy: fallback.into(),
        subset_selectors: selectors.collect(),
        ..LbSubsetConfig::default()
    }
    .encode_to_vec();
    if let Some(subset) = &spec.default_subset {
        let values = wire::Struct::texts(subset.values.clone());
        wire::append(&mut config, DEFAULT_SUBSET, &values.encode_to_vec());
    }
    let mut bytes = Vec::new();
    wire::append(&mut bytes, SUBSETS, &config);
    bytes
}

impl ServicePart {
    /// The endpoints, as Envoy takes them. The same address in several objects is one endpoint.
    pub(crate) fn assignment<'a>(
        &self,
        cluster: &str,
        from: impl Iterator<Item = &'a ServiceEndpoints>,
        pods: &impl Pods,
    ) -> wire::ClusterLoadAssignment {
        let mut endpoints = BTreeMap::new();
        for subset in from.flat_map(|it| &it.subsets) {
            let Some(port) = subset.port(&self.port, self.is_only) else {
                continue;
            };
            for address in &subset.addresses {
                let namespace = &self.service.namespace;
                let labels = || pods.labels(address.pod.as_ref(), namespace, address.ip);
                if !self.selects(labels) {
                    continue;
                }
                endpoints
                    .entry((address.ip, port))
                    .or_insert_with(|| (address.zone.as_deref(), self.metadata(labels)));
            }
        }
        let endpoints = endpoints
            .into_iter()
            .map(|((ip, port), (zone, metadata))| (zone, lb_endpoint(ip, port, metadata)));
        wire::ClusterLoadAssignment {
            cluster_name: cluster.to_owned(),
            endpoints: localities(endpoints),
            ..wire::ClusterLoadAssignment::default()
        }
    }

    fn selects<'a>(&self, labels: impl Fn() -> Option<&'a BTreeMap<String, String>>) -> bool {
        if self.selector.is_empty() {
            return true;
        }
        labels().is_some_and(|labels| {
            let mut selector = self.selector.iter();
            selector.all(|(name, value)| labels.get(name) == Some(value))
        })
    }

    /// A label that a pod has not is told as empty, as with Gloo.
    fn metadata<'a>(
        &self,
        labels: impl Fn() -> Option<&'a BTreeMap<String, String>>,
    ) -> Option<wire::Metadata> {
        if self.told.is_empty() {
            return None;
        }
        let labels = labels();
        let value = |name: &String| labels.and_then(|labels| labels.get(name)).cloned();
        let told = self.told.iter();
        let told = told.map(|name| (name.clone(), value(name).unwrap_or_default()));
        Some(wire::Metadata::texts(LB, told.collect()))
    }
}

/// Endpoints, by their zones.
pub(crate) fn localities<'a>(
    endpoints: impl Iterator<Item = (Option<&'a str>, wire::LbEndpoint)>,
) -> Vec<wire::LocalityLbEndpoints> {
    let mut zones: BTreeMap<Option<&str>, Vec<wire::LbEndpoint>> = BTreeMap::new();
    for (zone, endpoint) in endpoints {
        zones.entry(zone).or_default().push(endpoint);
    }
    let zones = zones.into_iter();
    zones.map(|(zone, hosts)| locality(zone, hosts)).collect()
}

/// The endpoints of a zone. They count as many as they are, where the balancing goes by localities.
fn locality(zone: Option<&str>, lb_endpoints: Vec<wire::LbEndpoint>) -> wire::LocalityLbEndpoints {
    let count = u32::try_from(lb_endpoints.len()).unwrap_or(u32::MAX);
    wire::LocalityLbEndpoints {
        locality: zone.map(|zone| core::Locality {
            zone: zone.to_owned(),
            ..core::Locality::default()
        }),
        load_balancing_weight: Some(uint(count)),
        lb_endpoints,
        ..wire::LocalityLbEndpoints::default()
    }
}

pub(crate) fn lb_endpoint(
    ip: IpAddr,
    port: u16,
    metadata: Option<wire::Metadata>,
) -> wire::LbEndpoint {
    wire::LbEndpoint {
        endpoint: Some(endpoint::Endpoint {
            address: socket_address(&ip.to_string(), port),
            ..endpoint::Endpoint::default()
        }),
        metadata,
        ..wire::LbEndpoint::default()
    }
}
