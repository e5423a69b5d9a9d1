//! Upstreams: services and providers of functions.

use std::net::IpAddr;
use std::time::Duration;

use tenon_model_derive::Read;

use crate::read::Node;
use crate::schema::Schema;
use crate::ssl::UpstreamSsl;
use crate::{
    AwsUpstream, AzureUpstream, GcpUpstream, KubeUpstream, RestSpec, aws, azure, gcp, rest,
};

/// A service, or a provider of functions.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(
    ignored("discoveryMetadata"),
    later(
        "loadBalancerConfig",
        "healthChecks",
        "outlierDetection",
        "failover",
        "protocolSelection",
        "initialStreamWindowSize",
        "initialConnectionWindowSize",
        "maxConcurrentStreams",
        "overrideStreamErrorOnInvalidHttpMessage",
        "httpProxyHostname",
        "httpConnectSslConfig",
        "httpConnectHeaders",
        "ignoreHealthOnHostRemoval",
        "respectDnsTtl",
        "dnsRefreshRate",
        "proxyProtocolVersion",
        "preconnectPolicy",
        "disableIstioAutoMtls",
        "pipe",
        "awsEc2",
        "consul"
    ),
    refused(ai = "language models are out of scope; route to the provider as a static upstream")
)]
pub struct Upstream {
    /// What it is.
    #[read(flatten)]
    pub kind: UpstreamType,
    /// TLS towards it.
    pub ssl_config: Option<UpstreamSsl>,
    /// Its connections.
    #[read(default)]
    pub connection_config: ConnectionConfig,
    /// How much it may be given at a time.
    pub circuit_breakers: Option<CircuitBreakers>,
    /// Whether it is spoken to in HTTP/2.
    pub use_http2: bool,
}

/// What an upstream is.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum UpstreamType {
    /// Fixed hosts.
    Static(StaticUpstream),
    /// A service of Kubernetes.
    Kube(Box<KubeUpstream>),
    /// AWS Lambda in one region.
    #[read(with = read_aws, schema = Schema::any)]
    Aws(Box<AwsUpstream>),
    /// A function app of Azure's.
    #[read(with = read_azure, schema = Schema::any)]
    Azure(Box<AzureUpstream>),
    /// Cloud Functions or Cloud Run.
    #[read(with = read_gcp, schema = Schema::any)]
    Gcp(Box<GcpUpstream>),
}

/// Fixed hosts.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct StaticUpstream {
    /// The hosts; at least one.
    #[read(required)]
    pub hosts: Vec<Host>,
    /// Whether TLS is spoken to them; where it is left out, it is if one of the ports is 443.
    pub use_tls: Option<bool>,
    /// Whether each host is asked for by its own name in the handshake.
    #[read(default = true)]
    pub auto_sni_rewrite: bool,
    /// The requests that routes may name as its functions.
    #[read(with = rest::read_service, schema = Schema::any)]
    pub service_spec: Option<RestSpec>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(later("healthCheckConfig", "metadata"))]
pub struct Host {
    /// An IP address or a name.
    #[read(with = host)]
    pub addr: String,
    /// Its port.
    #[read(range(1, 65_535))]
    pub port: u16,
    /// The name that is asked for in the handshake.
    #[read(with = Node::non_empty)]
    pub sni_addr: Option<String>,
    /// Its share of the requests.
    #[read(range(1, u32::MAX))]
    pub load_balancing_weight: Option<u32>,
}

impl StaticUpstream {
    /// Whether TLS is spoken to the hosts.
    pub fn uses_tls(&self) -> bool {
        self.use_tls
            .unwrap_or_else(|| self.hosts.iter().any(|host| host.port == 443))
    }
}

impl Host {
    /// Its address as IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.addr.parse().ok()
    }
}

/// An upstream's connections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(later("http1ProtocolOptions"))]
pub struct ConnectionConfig {
    /// How many requests a connection carries before it is closed.
    pub max_requests_per_connection: Option<u32>,
    /// How long connecting may take: 5s where it is left out.
    #[read(with = Node::positive_duration)]
    pub connect_timeout: Option<Duration>,
    /// TCP's own probes.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// How much of a connection's data Envoy holds, in bytes.
    pub per_connection_buffer_limit_bytes: Option<u32>,
    /// What holds for HTTP of any version.
    #[read(default)]
    pub common_http_protocol_options: CommonHttpProtocolOptions,
}

/// What holds for HTTP of any version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(later("headersWithUnderscoresAction"))]
pub struct CommonHttpProtocolOptions {
    /// How long a connection may idle.
    pub idle_timeout: Option<Duration>,
    /// How many headers an answer may have.
    #[read(range(1, u32::MAX))]
    pub max_headers_count: Option<u32>,
    /// How long a request may take.
    pub max_stream_duration: Option<Duration>,
}

/// TCP's own probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct TcpKeepalive {
    /// How many unanswered ones end a connection.
    pub keepalive_probes: Option<u32>,
    /// How long it is silent before the first, in whole seconds.
    #[read(with = Node::positive_duration)]
    pub keepalive_time: Option<Duration>,
    /// How long between them, in whole seconds.
    #[read(with = Node::positive_duration)]
    pub keepalive_interval: Option<Duration>,
}

/// How much an upstream may be given at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct CircuitBreakers {
    /// Connections.
    pub max_connections: Option<u32>,
    /// Requests that wait for a connection.
    pub max_pending_requests: Option<u32>,
    /// Requests.
    pub max_requests: Option<u32>,
    /// Retries.
    pub max_retries: Option<u32>,
    /// Whether Envoy's statistics tell how much is left.
    pub track_remaining: bool,
}

fn read_aws(node: &Node<'_>) -> Option<Box<AwsUpstream>> {
    aws::read(node, node.namespace()).map(Box::new)
}

fn read_azure(node: &Node<'_>) -> Option<Box<AzureUpstream>> {
    azure::read(node, node.namespace()).map(Box::new)
}

fn read_gcp(node: &Node<'_>) -> Option<Box<GcpUpstream>> {
    gcp::read(node, node.namespace()).map(Box::new)
}

fn host(node: &Node<'_>) -> Option<String> {
    let address = node.non_empty()?;
    if address.parse::<IpAddr>().is_err() && !is_host_name(&address) {
        return node.error(format!(
            "{address:?} is neither an IP address nor a host name"
        ));
    }
    Some(address)
}

pub(crate) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253 && text.split('.').all(label)
}
