//! How a listener forwards requests to whatever host they are for.

use std::time::Duration;

use serde_json::json;
use tenon_model_derive::Read;

use crate::connection::CircuitBreakers;
use crate::read::{Fields, Node, Path, Read as _, Report};
use crate::ssl::UpstreamSsl;
use crate::upstream::{Upstream, UpstreamType};

/// How hosts are found that requests say, and how they are connected to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct ForwardProxy {
    /// How they are found.
    #[read(default)]
    pub dns_cache_config: DnsCache,
    /// Whether filters and access logs see the address that was found (Envoy's `envoy.stream.upstream_address`).
    pub save_upstream_address: bool,
    /// TLS towards them; each is asked for by its own name, and has to have a certificate for it, if there are roots to
    /// verify that with.
    pub ssl_config: Option<UpstreamSsl>,
    /// How much they may be given at a time, all together; as the Settings say, else as Envoy has it, where it is left out.
    pub circuit_breakers: Option<CircuitBreakers>,
}

/// How hosts are found by DNS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(refused(
    appleDns = "Envoy has that resolver on Apple's systems only; without it, the system's own is used"
))]
pub struct DnsCache {
    /// Which of their addresses are used.
    #[read(default)]
    pub dns_lookup_family: HostFamily,
    /// How soon a host is asked for again that was not found, 60s where it is left out; one that was found, when its record
    /// ends. At least 1ms.
    #[read(with = refresh_rate)]
    pub dns_refresh_rate: Option<Duration>,
    /// When a host is forgotten that nobody asked for: 5m where it is left out.
    #[read(with = Node::positive_duration)]
    pub host_ttl: Option<Duration>,
    /// How many hosts are remembered at a time: 1024 where it is left out.
    #[read(range(1, u32::MAX))]
    pub max_hosts: Option<u32>,
    /// How soon it is asked again while DNS fails; as `dnsRefreshRate` says, where it is left out.
    pub dns_failure_refresh_rate: Option<RefreshRate>,
    /// How much DNS may be asked at a time.
    pub dns_cache_circuit_breaker: Option<DnsCircuitBreaker>,
    /// Which servers are asked; those of Envoy's machine where it is left out.
    pub cares_dns: Option<CaresDns>,
    /// Hosts that are looked for before a request asks for them.
    pub preresolve_hostnames: Vec<HostAndPort>,
    /// How long a question may take: 5s where it is left out.
    #[read(with = Node::positive_duration)]
    pub dns_query_timeout: Option<Duration>,
}

/// Which addresses of hosts are used that requests say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum HostFamily {
    /// IPv4 if there is one, else IPv6.
    #[default]
    V4Preferred,
    /// Those of IPv4.
    V4Only,
    /// Those of IPv6.
    V6Only,
    /// IPv6 if there is one, else IPv4.
    Auto,
    /// All, of IPv4 and IPv6.
    All,
}

/// How soon something is tried again: at random, in twice the time after each failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(finish = ordered)]
pub struct RefreshRate {
    /// At first; more than 1ms.
    #[read(with = above_a_millisecond)]
    pub base_interval: Duration,
    /// At most: ten times the first where it is left out.
    #[read(with = above_a_millisecond)]
    pub max_interval: Option<Duration>,
}

/// How much DNS may be asked at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct DnsCircuitBreaker {
    /// Questions that wait for an answer: 1024 where it is left out.
    pub max_pending_requests: Option<u32>,
}

/// Which servers are asked.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct CaresDns {
    /// The servers; at least one.
    #[read(required)]
    pub resolvers: Vec<Resolver>,
    /// How they are asked.
    #[read(default)]
    pub dns_resolver_options: ResolverOptions,
}

/// A DNS server.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(refused(pipe = "DNS is asked over the network"))]
pub struct Resolver {
    /// Where it is, by its IP address.
    #[read(with = of_server)]
    pub socket_address: HostAndPort,
}

/// How DNS servers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct ResolverOptions {
    /// Over TCP, not UDP.
    pub use_tcp_for_dns_lookups: bool,
    /// Names are taken as they are, without the system's search domains.
    pub no_default_search_domain: bool,
}

/// A host and a port, as Envoy writes them.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(
    ignored("protocol", "ipv4Compat"),
    refused(
        namedPort = "ports are numbers; write portValue",
        resolverName = "there are no resolvers of that kind in an unmodified Envoy"
    )
)]
pub struct HostAndPort {
    /// The host.
    #[read(with = Node::non_empty)]
    pub address: String,
    /// The port.
    #[read(range(1, 65_535))]
    pub port_value: u32,
}

impl ForwardProxy {
    /// The upstream that all those hosts are together.
    pub fn upstream(&self) -> Option<Upstream> {
        let spec = json!({"pipe": {"path": "/"}});
        let report = Report::new("");
        let mut upstream = Upstream::read(&Node::new(&spec, Path::Root("spec"), &report))?;
        upstream.kind = UpstreamType::Forward(Box::new(self.clone()));
        upstream.ssl_config.clone_from(&self.ssl_config);
        upstream.circuit_breakers = self.circuit_breakers;
        Some(upstream)
    }
}

fn refresh_rate(node: &Node<'_>) -> Option<Duration> {
    let rate = node.duration()?;
    match rate < Duration::from_millis(1) {
        true => node.error("must be at least 1ms"),
        false => Some(rate),
    }
}

fn above_a_millisecond(node: &Node<'_>) -> Option<Duration> {
    let interval = node.duration()?;
    match interval <= Duration::from_millis(1) {
        true => node.error("must be above 1ms"),
        false => Some(interval),
    }
}

fn ordered(rate: RefreshRate, fields: &Fields<'_>) -> Option<RefreshRate> {
    if rate
        .max_interval
        .is_some_and(|most| most < rate.base_interval)
    {
        fields.error_at("maxInterval", "must not be below baseInterval");
    }
    Some(rate)
}

fn of_server(node: &Node<'_>) -> Option<HostAndPort> {
    let server = HostAndPort::read(node)?;
    match server.address.parse::<std::net::IpAddr>() {
        Ok(_) => Some(server),
        Err(_) => node.error(format!("{:?} is not an IP address", server.address)),
    }
}
