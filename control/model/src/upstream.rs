//! Upstreams: services and providers of functions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};
use tenon_model_derive::Read;

use crate::connection::{
    CircuitBreakers, ConnectionConfig, DnsLookupFamily, PreconnectPolicy, ProtocolSelection,
    ProxyProtocolVersion,
};
use crate::failover::Failover;
use crate::health_check::{HeaderValue, HealthCheck, Method};
use crate::load_balancing::LoadBalancerConfig;
use crate::outlier_detection::OutlierDetection;
use crate::read::Node;
use crate::ssl::UpstreamSsl;
use crate::{
    AwsUpstream, AzureUpstream, ConsulUpstream, Ec2Upstream, ForwardProxy, GcpUpstream,
    KubeUpstream, RestSpec, ServiceFunctions, ServiceSpec, SubsetSpec,
};

mod checks;

pub(crate) use checks::not_reserved;

/// A service, or a provider of functions.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(
    // Nothing here turns Istio's mTLS on by itself.
    ignored("discoveryMetadata", "disableIstioAutoMtls"),
    refused(ai = "language models are out of scope; route to the provider as a static upstream"),
    finish = checks::upstream
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
    /// How much it may be given at a time; as the Settings say, else as Envoy has it, where it is left out.
    pub circuit_breakers: Option<CircuitBreakers>,
    /// How its hosts share the requests.
    pub load_balancer_config: Option<LoadBalancerConfig>,
    /// How its hosts' health is found out by asking them. Envoy takes one.
    pub health_checks: Vec<HealthCheck>,
    /// When a host is left out for what it answered. For functions, see `clusterPerFunction`.
    pub outlier_detection: Option<OutlierDetection>,
    /// Of `aws` and `azure`: whether each function that a route names has a cluster of its own, so that circuit breakers,
    /// outlier detection and statistics are the function's alone. (Functions of `gcp` always have.)
    pub cluster_per_function: bool,
    /// Where requests go when its own hosts are unhealthy; needs `healthChecks` or `outlierDetection`.
    pub failover: Option<Failover>,
    /// Whether it is spoken to in HTTP/2; it always is where `serviceSpec` says that it speaks gRPC.
    pub use_http2: bool,
    /// Which HTTP is spoken to it.
    #[read(default)]
    pub protocol_selection: ProtocolSelection,
    /// Of HTTP/2: how much of a stream's data may be under way, in bytes; 16 MiB where it is left out.
    #[read(range(65_535, 2_147_483_647))]
    pub initial_stream_window_size: Option<u32>,
    /// Of HTTP/2: how much of a connection's data may be under way, in bytes; 24 MiB where it is left out.
    #[read(range(65_535, 2_147_483_647))]
    pub initial_connection_window_size: Option<u32>,
    /// Of HTTP/2: how many requests a connection carries at a time; 1024 where it is left out.
    #[read(range(1, 2_147_483_647))]
    pub max_concurrent_streams: Option<u32>,
    /// Of HTTP/2: whether an invalid answer ends its stream alone, not the connection.
    pub override_stream_error_on_invalid_http_message: Option<bool>,
    /// It is a proxy: where the tunnel ends that its CONNECT is asked for, as `host:port` or with Envoy's `%…%`, as
    /// `%REQUESTED_SERVER_NAME%:443`.
    #[read(with = checks::proxied)]
    pub http_proxy_hostname: Option<String>,
    /// TLS towards the proxy; `sslConfig` is that within the tunnel.
    pub http_connect_ssl_config: Option<UpstreamSsl>,
    /// Headers of the CONNECT.
    pub http_connect_headers: Vec<HeaderValue>,
    /// Whether a host that is no more is dropped at once, even if it is healthy.
    pub ignore_health_on_host_removal: bool,
    /// Whether names are resolved again when their records' time is over, not each `dnsRefreshRate`.
    pub respect_dns_ttl: bool,
    /// How often names are resolved again; 5s where it is left out, and above 1ms.
    #[read(with = checks::refresh_rate)]
    pub dns_refresh_rate: Option<Duration>,
    /// Which addresses of names are used.
    pub dns_lookup_family: Option<DnsLookupFamily>,
    /// The version of the PROXY protocol by which it is told the client's address; it is not where this is left out.
    pub proxy_protocol_version: Option<ProxyProtocolVersion>,
    /// Connections that are made before they are needed.
    pub preconnect_policy: Option<PreconnectPolicy>,
}

/// What an upstream is.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum UpstreamType {
    /// Fixed hosts.
    Static(StaticUpstream),
    /// A Unix socket on Envoy's machine.
    Pipe(PipeUpstream),
    /// A service of Kubernetes.
    Kube(Box<KubeUpstream>),
    /// Instances of EC2.
    AwsEc2(Box<Ec2Upstream>),
    /// A service of Consul.
    Consul(Box<ConsulUpstream>),
    /// AWS Lambda in one region.
    Aws(Box<AwsUpstream>),
    /// A function app of Azure's.
    Azure(Box<AzureUpstream>),
    /// Cloud Functions or Cloud Run.
    Gcp(Box<GcpUpstream>),
    /// All hosts that requests say.
    #[read(skip)]
    Forward(Box<ForwardProxy>),
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
    /// What routes may call of it.
    pub service_spec: Option<ServiceSpec>,
}

/// A Unix socket on Envoy's machine.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct PipeUpstream {
    /// Its path; one that begins with `@` is in Linux' abstract namespace.
    #[read(with = checks::socket_path)]
    pub path: String,
    /// What routes may call of it.
    pub service_spec: Option<ServiceSpec>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = checks::reserved)]
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
    /// How its health is asked for. Envoy asks all hosts of an upstream alike, so all have to say the same.
    pub health_check_config: Option<HostHealthCheck>,
    /// Metadata of Envoy's, by namespace.
    pub metadata: BTreeMap<String, Map<String, Value>>,
}

/// How the health of a host is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct HostHealthCheck {
    /// The path; that of the upstream's health check where it is left out.
    #[read(with = crate::health_check::path)]
    pub path: Option<String>,
    /// The method; that of the upstream's health check where it is left out.
    pub method: Option<Method>,
}

impl UpstreamType {
    /// The name of its field.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Static(_) => "static",
            Self::Pipe(_) => "pipe",
            Self::Kube(_) => "kube",
            Self::AwsEc2(_) => "awsEc2",
            Self::Consul(_) => "consul",
            Self::Aws(_) => "aws",
            Self::Azure(_) => "azure",
            Self::Gcp(_) => "gcp",
            Self::Forward(_) => "dynamicForwardProxy",
        }
    }
}

impl Upstream {
    /// Whether its hosts are told beside it.
    pub fn is_discovered(&self) -> bool {
        match &self.kind {
            UpstreamType::Kube(_) | UpstreamType::AwsEc2(_) | UpstreamType::Consul(_) => true,
            UpstreamType::Static(_)
            | UpstreamType::Pipe(_)
            | UpstreamType::Aws(_)
            | UpstreamType::Azure(_)
            | UpstreamType::Gcp(_)
            | UpstreamType::Forward(_) => false,
        }
    }

    /// Whether Envoy resolves names of it.
    pub fn is_resolved(&self) -> bool {
        let endpoint = |endpoint: &Option<crate::Endpoint>| {
            endpoint.as_ref().is_none_or(|it| it.ip().is_none())
        };
        let own = match &self.kind {
            UpstreamType::Static(fixed) => fixed.hosts.iter().any(|host| host.ip().is_none()),
            // Addresses are told.
            UpstreamType::Pipe(_)
            | UpstreamType::Kube(_)
            | UpstreamType::AwsEc2(_)
            | UpstreamType::Consul(_) => false,
            UpstreamType::Forward(_) => true,
            UpstreamType::Aws(it) => endpoint(&it.endpoint),
            UpstreamType::Azure(it) => endpoint(&it.endpoint),
            UpstreamType::Gcp(it) => endpoint(&it.endpoint),
        };
        let mut failover = self.failover.iter().flat_map(Failover::endpoints);
        own || failover.any(|it| it.ip().is_none())
    }

    /// Whether its functions are called with credentials, which are for one provider.
    pub fn calls_functions(&self) -> bool {
        match &self.kind {
            UpstreamType::Static(_)
            | UpstreamType::Pipe(_)
            | UpstreamType::Kube(_)
            | UpstreamType::AwsEc2(_)
            | UpstreamType::Consul(_)
            | UpstreamType::Forward(_) => false,
            UpstreamType::Aws(_) | UpstreamType::Azure(_) | UpstreamType::Gcp(_) => true,
        }
    }

    /// Its REST functions, if it is a service that has some.
    pub fn rest(&self) -> Option<&RestSpec> {
        match self.service_spec()?.functions.as_ref()? {
            ServiceFunctions::Rest(rest) => Some(rest),
            ServiceFunctions::Grpc(_) | ServiceFunctions::GrpcJsonTranscoder(_) => None,
        }
    }

    /// Whether it is spoken to in HTTP/2: gRPC needs it.
    pub fn is_http2(&self) -> bool {
        let functions = self.service_spec().and_then(|it| it.functions.as_ref());
        self.use_http2
            || matches!(
                functions,
                Some(ServiceFunctions::Grpc(_) | ServiceFunctions::GrpcJsonTranscoder(_))
            )
    }

    /// What routes may call of it, if it is a service.
    pub fn service_spec(&self) -> Option<&ServiceSpec> {
        match &self.kind {
            UpstreamType::Static(fixed) => fixed.service_spec.as_ref(),
            UpstreamType::Pipe(pipe) => pipe.service_spec.as_ref(),
            UpstreamType::Kube(service) => service.service_spec.as_ref(),
            UpstreamType::Consul(service) => service.service_spec.as_ref(),
            UpstreamType::AwsEc2(_)
            | UpstreamType::Aws(_)
            | UpstreamType::Azure(_)
            | UpstreamType::Gcp(_)
            | UpstreamType::Forward(_) => None,
        }
    }

    /// The parts of it that routes may name.
    pub fn subsets(&self) -> Option<SubsetSpec> {
        match &self.kind {
            UpstreamType::Kube(service) => service.subset_spec.clone(),
            UpstreamType::Consul(service) => service.subsets(),
            _ => None,
        }
    }
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

pub(crate) fn host(node: &Node<'_>) -> Option<String> {
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
