//! Gateways: where an Envoy listens, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use tenon_model_derive::Read;

use crate::http_listener::HttpListenerOptions;
use crate::hybrid::HybridGateway;
use crate::listener_options::ListenerOptions;
use crate::read::{Fields, Node};
use crate::selector::{LabelValues, Requirement, Selector};
use crate::tcp::TcpGateway;
use crate::{ObjectKey, ObjectRef};

/// Where an Envoy listens, and for whom.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = named)]
pub struct Gateway {
    /// It serves the virtual services with `sslConfig`, over TLS; else those without, in plain.
    pub ssl: bool,
    /// The address: `::`, for IPv4 too, where it is left out.
    #[read(default = Ipv6Addr::UNSPECIFIED)]
    pub bind_address: IpAddr,
    /// The port; 0 for any.
    #[read(range(0, 65_535))]
    pub bind_port: u16,
    /// The proxies that have this gateway: `gateway-proxy` where it is left out.
    #[read(with = Node::non_empty)]
    pub proxy_names: Vec<String>,
    /// What is done with connections; nothing: HTTP, with all virtual services.
    #[read(flatten)]
    pub kind: Option<GatewayType>,
    /// Its connections, and where they are written down.
    #[read(default)]
    pub options: ListenerOptions,
    /// Connections begin with the PROXY protocol; `options.proxyProtocol` says more.
    pub use_proxy_proto: bool,
    /// What holds for all routes that it serves.
    #[read(default)]
    pub route_options: RouteConfigurationOptions,
    /// The name of its listener in Envoy, where it is not that of its address.
    #[read(skip)]
    pub listener_name: Option<String>,
}

/// What is done with connections.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum GatewayType {
    /// HTTP.
    HttpGateway(Box<HttpGateway>),
    /// They are forwarded.
    TcpGateway(Box<TcpGateway>),
    /// One thing with some, another with others.
    HybridGateway(Box<HybridGateway>),
}

/// The virtual services that a gateway serves, and how.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct HttpGateway {
    /// The virtual services, by name; none: all.
    pub virtual_services: Vec<ObjectRef>,
    /// The labels of the virtual services; takes the place of `virtualServices`.
    pub virtual_service_selector: BTreeMap<String, String>,
    /// What the labels of the virtual services must be; takes the place of `virtualServices` and `virtualServiceSelector`.
    pub virtual_service_expressions: Option<VirtualServiceExpressions>,
    /// The namespaces of the virtual services, unless they are named; `*` or none: all.
    #[read(with = Node::non_empty)]
    pub virtual_service_namespaces: Vec<String>,
    /// How HTTP is spoken.
    #[read(default)]
    pub options: HttpListenerOptions,
    /// It serves those that the Gateway API's routes come to at a port, and no others.
    #[read(skip)]
    pub of_port: Option<PortOfGateway>,
}

/// A port of a gateway of the Gateway API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortOfGateway {
    /// The namespace of the virtual services that its routes come to.
    pub namespace: Arc<str>,
    /// What their names begin with, which nobody can write.
    pub prefix: Arc<str>,
}

/// What the labels of virtual services must be.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct VirtualServiceExpressions {
    /// All of it must fit.
    pub expressions: Vec<Requirement>,
}

/// What holds for all routes that a gateway serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct RouteConfigurationOptions {
    /// The largest body that a route may answer with by itself, in bytes: 4096 where it is left out.
    pub max_direct_response_body_size_bytes: Option<u32>,
    /// Headers of a route are changed after those of its virtual host, so that the route has the last word.
    pub most_specific_header_mutations_wins: bool,
    /// Hosts are compared without their ports.
    #[read(skip)]
    pub ignore_port: bool,
}

/// Which virtual services are meant.
#[derive(Debug, Clone, PartialEq)]
pub enum VirtualServices {
    /// These.
    Named(Vec<ObjectRef>),
    /// Those that fit.
    Selected(Selector),
    /// Those of a port of a gateway of the Gateway API.
    OfPort(PortOfGateway),
}

/// What only names have that the Gateway API's routes come to.
pub const INTERNAL: char = '~';

impl HttpGateway {
    /// Which virtual services are meant. As with Gloo, expressions come before labels, and labels before names.
    pub fn virtual_services(&self) -> VirtualServices {
        if let Some(port) = &self.of_port {
            return VirtualServices::OfPort(port.clone());
        }
        let labels = self.virtual_service_selector.iter();
        let requirements = match &self.virtual_service_expressions {
            Some(expressions) => expressions.expressions.clone(),
            None if labels.len() == 0 && !self.virtual_services.is_empty() => {
                return VirtualServices::Named(self.virtual_services.clone());
            }
            None => labels
                .map(|(key, value)| Requirement {
                    key: key.clone(),
                    values: LabelValues::In(BTreeSet::from([value.clone()])),
                })
                .collect(),
        };
        let namespaces: BTreeSet<_> = self.virtual_service_namespaces.iter().cloned().collect();
        let all = namespaces.is_empty() || namespaces.contains("*");
        VirtualServices::Selected(Selector {
            namespaces: (!all).then_some(namespaces),
            requirements,
        })
    }
}

impl VirtualServices {
    /// Whether a virtual service is meant.
    pub fn contain(&self, key: &ObjectKey, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Named(_) => self.names(key),
            Self::Selected(selector) => {
                !key.name.contains(INTERNAL) && selector.matches(&key.namespace, labels)
            }
            Self::OfPort(port) => {
                key.namespace == port.namespace && key.name.starts_with(&*port.prefix)
            }
        }
    }

    /// Whether a virtual service is meant by its name.
    pub fn names(&self, key: &ObjectKey) -> bool {
        match self {
            Self::Named(names) => names
                .iter()
                .any(|name| name.namespace == key.namespace && name.name == key.name),
            Self::Selected(_) | Self::OfPort(_) => false,
        }
    }
}

/// Gloo takes names of proxies as its Helm chart has them, too: `gatewayProxy` for `gateway-proxy`.
fn named(mut gateway: Gateway, _: &Fields<'_>) -> Option<Gateway> {
    for name in &mut gateway.proxy_names {
        *name = kebab_case(name);
    }
    if gateway.proxy_names.is_empty() {
        gateway.proxy_names.push("gateway-proxy".into());
    }
    gateway.proxy_names.sort();
    gateway.proxy_names.dedup();
    Some(gateway)
}

fn kebab_case(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() && !words.ends_with('-') {
            words.push('-');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
