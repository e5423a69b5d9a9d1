//! Objects of Kubernetes' own: services and where they are found.
//!
//! They are not written for Tenon, so fields that say nothing here are let pass, whatever they are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use tenon_model_derive::Read;

use crate::read::{Node, Path, Read, Report};
use crate::{ObjectRef, Problem, Upstream};

/// `v1 Service`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// What Kubernetes and Gloo are told about it.
    pub annotations: BTreeMap<String, String>,
    /// The labels of its pods.
    pub selector: BTreeMap<String, String>,
    /// Its ports for TCP.
    pub ports: Vec<ServicePort>,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(open)]
pub struct ServicePort {
    /// Its name; empty if it is the only one and has none.
    #[read(default)]
    pub name: String,
    /// Its number.
    #[read(range(1, 65_535))]
    pub port: u16,
    /// What is spoken.
    pub app_protocol: Option<String>,
    protocol: Option<String>,
}

/// `v1 Endpoints` or `discovery.k8s.io/v1 EndpointSlice`: where a service is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceEndpoints {
    /// The name of the service, in the namespace of the object.
    pub service: Option<String>,
    /// The addresses, by their ports.
    pub subsets: Vec<EndpointSubset>,
}

/// Addresses that have the same ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointSubset {
    /// The ports for TCP, by the names that they have in the service.
    pub ports: Vec<(String, u16)>,
    /// The addresses that are ready.
    pub addresses: Vec<EndpointAddress>,
}

/// An address that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointAddress {
    /// The address.
    pub ip: IpAddr,
    /// The zone that it is in.
    pub zone: Option<String>,
    /// The pod that has it.
    pub pod: Option<ObjectRef>,
}

/// `v1 Pod`; its labels are those of the object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// Its own addresses, while it runs.
    pub ips: Vec<IpAddr>,
}

/// The label of a slice that names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Why a slice of names has no effect.
const NAMES: &str =
    "FQDN has no effect: names are not resolved; give them as hosts of a static upstream";

/// Gloo's annotation that says whether HTTP/2 is spoken.
const H2_SERVICE: &str = "gloo.solo.io/h2_service";
/// Gloo's annotations that say which certificates are spoken TLS with.
const SSL_SERVICE: &str = "gloo.solo.io/sslService.";
/// Values of `appProtocol` that mean HTTP/2, as Gloo (Istio's, and GEP-1911's).
const HTTP2: [&str; 4] = ["http2", "grpc", "grpc-web", "kubernetes.io/h2c"];
/// What the names of ports begin with that mean HTTP/2, as Gloo.
const HTTP2_NAMES: [&str; 3] = ["grpc", "h2", "http2"];

impl Service {
    pub(crate) fn read(root: &Node<'_>) -> Option<Self> {
        let WithService { metadata, spec } = WithService::read(root)?;
        let ports = spec.ports.into_iter();
        Some(Self {
            annotations: metadata.annotations,
            selector: spec.selector,
            ports: ports.filter(|port| is_tcp(&port.protocol)).collect(),
        })
    }

    /// The port of a number.
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.port == number)
    }

    /// The upstream that a route means that names one of its ports.
    ///
    /// # Errors
    /// What is wrong with the annotations, with the service's fields.
    pub fn upstream(&self, of: &ObjectRef, port: &ServicePort) -> Result<Upstream, Vec<Problem>> {
        let kube = json!({
            "serviceName": &*of.name,
            "serviceNamespace": &*of.namespace,
            "servicePort": port.port,
        });
        let mut spec = Map::from_iter([("kube".to_owned(), kube)]);
        spec.insert("useHttp2".to_owned(), self.speaks_http2(port).into());
        if let Some(ssl) = self.ssl_config(of, port) {
            spec.insert("sslConfig".to_owned(), ssl);
        }
        let report = Report::new(&of.namespace);
        let upstream = Upstream::read(&Node::new(
            &Value::Object(spec),
            Path::Root("metadata.annotations"),
            &report,
        ));
        upstream.ok_or_else(|| report.into_problems())
    }

    /// Whether it says that a port is spoken to in HTTP/2.
    pub fn is_http2(&self, port: u16) -> bool {
        self.port(port).is_some_and(|port| self.speaks_http2(port))
    }

    fn speaks_http2(&self, port: &ServicePort) -> bool {
        match self.annotations.get(H2_SERVICE).map(String::as_str) {
            Some("true") => return true,
            Some("false") => return false,
            _ => {}
        }
        let protocol = port.app_protocol.as_deref();
        protocol.is_some_and(|it| HTTP2.contains(&it))
            || HTTP2_NAMES.iter().any(|it| port.name.starts_with(it))
    }

    fn ssl_config(&self, of: &ObjectRef, port: &ServicePort) -> Option<Value> {
        let text = |name: &str| {
            let value = self.annotations.get(&format!("{SSL_SERVICE}{name}"))?;
            // `443:name` is for that port only.
            let value = match value.split_once(':') {
                Some((number, _)) if number != port.port.to_string() => return None,
                Some((_, value)) => value,
                None => value,
            };
            (!value.is_empty()).then(|| value.to_owned())
        };
        let mut ssl = match text("secret") {
            Some(secret) => json!({"secretRef": {"name": secret, "namespace": &*of.namespace}}),
            None => {
                let files = ["tlsCert", "tlsKey", "rootCa"].map(|name| (name, text(name)));
                let there = files.iter().any(|(_, file)| file.is_some());
                let files = files.into_iter();
                let files: Map<_, _> = files
                    .filter_map(|(name, file)| Some((name.to_owned(), file?.into())))
                    .collect();
                there.then(|| json!({"sslFiles": files}))?
            }
        };
        if let Some(one_way) = text("oneWayTls") {
            let truthy = ["1", "t", "true", "y", "yes"];
            let one_way = truthy.contains(&one_way.to_lowercase().as_str());
            ssl["oneWayTls"] = one_way.into();
        }
        Some(ssl)
    }
}

impl ServiceEndpoints {
    /// `Endpoints`, which are called as their service.
    pub(crate) fn read_endpoints(root: &Node<'_>, name: &str) -> Option<Self> {
        let WithSubsets { subsets } = WithSubsets::read(root)?;
        let subsets = subsets.into_iter().map(|subset| EndpointSubset {
            ports: tcp(subset.ports),
            addresses: subset.addresses.into_iter().map(Address::into).collect(),
        });
        Some(Self {
            service: Some(name.to_owned()),
            subsets: subsets.collect(),
        })
    }

    /// `EndpointSlice`, which names its service in a label.
    pub(crate) fn read_slice(root: &Node<'_>) -> Option<Self> {
        let names = root.object(|fields| {
            fields.open();
            fields.field("addressType", |node| {
                (node.text()? == "FQDN").then(|| node.warn(NAMES))
            })
        });
        if names.is_some() {
            return Some(Self::default());
        }
        let slice = EndpointSlice::read(root)?;
        let service = slice.metadata.labels.get(SERVICE_NAME).cloned();
        let ready = slice.endpoints.into_iter();
        // "In most cases consumers should interpret this unknown state as ready."
        let ready = ready.filter(|it| it.conditions.ready.unwrap_or(true));
        // "consumers may choose to only use the first": they are all of one pod.
        let addresses = ready.filter_map(|it| {
            Some(EndpointAddress {
                ip: *it.addresses.first()?,
                zone: it.zone,
                pod: it.target_ref.and_then(TargetRef::pod),
            })
        });
        Some(Self {
            service,
            subsets: vec![EndpointSubset {
                addresses: addresses.collect(),
                ports: tcp(slice.ports),
            }],
        })
    }
}

impl EndpointSubset {
    /// The number of a port of the service: the one of its name, or the only one's.
    pub fn port(&self, name: &str, is_only: bool) -> Option<u16> {
        let by_name = self.ports.iter().find(|(it, _)| it == name);
        let first = || self.ports.first().filter(|_| is_only);
        by_name.or_else(first).map(|(_, number)| *number)
    }
}

impl Pod {
    pub(crate) fn read(root: &Node<'_>) -> Option<Self> {
        let WithPod { spec, status } = WithPod::read(root)?;
        // On its node's network it has the node's address, as others have.
        let own = !spec.host_network && status.phase.is_none_or(|phase| phase == "Running");
        let all = status.pod_ips.into_iter().filter_map(|it| it.ip);
        let ips = status.pod_ip.into_iter().chain(all);
        Some(Self {
            ips: ips.filter(|_| own).collect(),
        })
    }
}

#[derive(Default, Read)]
#[read(open)]
struct WithService {
    #[read(default)]
    metadata: Metadata,
    #[read(default)]
    spec: ServiceSpec,
}

#[derive(Default, Read)]
#[read(open)]
struct Metadata {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Read)]
#[read(open)]
struct ServiceSpec {
    selector: BTreeMap<String, String>,
    ports: Vec<ServicePort>,
}

#[derive(Read)]
#[read(open)]
struct WithSubsets {
    subsets: Vec<Subset>,
}

#[derive(Read)]
#[read(open)]
struct Subset {
    addresses: Vec<Address>,
    ports: Vec<EndpointPort>,
}

#[derive(Read)]
#[read(open)]
struct Address {
    #[read(with = address)]
    ip: IpAddr,
    target_ref: Option<TargetRef>,
}

#[derive(Read)]
#[read(open)]
struct EndpointPort {
    name: Option<String>,
    /// Left out, it means all ports.
    #[read(range(1, 65_535))]
    port: Option<u16>,
    protocol: Option<String>,
}

#[derive(Read)]
#[read(open)]
struct EndpointSlice {
    #[read(default)]
    metadata: Metadata,
    endpoints: Vec<EndpointOfSlice>,
    ports: Vec<EndpointPort>,
}

#[derive(Default, Read)]
#[read(open)]
struct EndpointOfSlice {
    #[read(with = address)]
    addresses: Vec<IpAddr>,
    #[read(default)]
    conditions: Conditions,
    zone: Option<String>,
    target_ref: Option<TargetRef>,
}

#[derive(Default, Read)]
#[read(open)]
struct Conditions {
    ready: Option<bool>,
}

#[derive(Read)]
#[read(open)]
struct TargetRef {
    kind: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
}

#[derive(Read)]
#[read(open)]
struct WithPod {
    #[read(default)]
    spec: PodSpec,
    #[read(default)]
    status: PodStatus,
}

#[derive(Default, Read)]
#[read(open)]
struct PodSpec {
    host_network: bool,
}

#[derive(Default, Read)]
#[read(open)]
struct PodStatus {
    phase: Option<String>,
    #[read(name = "podIP", with = address)]
    pod_ip: Option<IpAddr>,
    #[read(name = "podIPs")]
    pod_ips: Vec<PodIp>,
}

#[derive(Read)]
#[read(open)]
struct PodIp {
    #[read(with = address)]
    ip: Option<IpAddr>,
}

impl TargetRef {
    fn pod(self) -> Option<ObjectRef> {
        let is_pod = self.kind.as_deref() == Some("Pod");
        let pod = ObjectRef {
            namespace: self.namespace?.into(),
            name: self.name?.into(),
        };
        is_pod.then_some(pod)
    }
}

impl From<Address> for EndpointAddress {
    fn from(address: Address) -> Self {
        Self {
            ip: address.ip,
            zone: None,
            pod: address.target_ref.and_then(TargetRef::pod),
        }
    }
}

fn address(node: &Node<'_>) -> Option<IpAddr> {
    let text = node.text()?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => node.error(format!("{text:?} is not an IP address")),
    }
}

fn is_tcp(protocol: &Option<String>) -> bool {
    protocol.as_deref().is_none_or(|it| it == "TCP")
}

fn tcp(ports: Vec<EndpointPort>) -> Vec<(String, u16)> {
    let ports = ports.into_iter().filter(|port| is_tcp(&port.protocol));
    ports
        .filter_map(|port| Some((port.name.unwrap_or_default(), port.port?)))
        .collect()
}
