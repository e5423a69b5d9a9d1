//! Upstreams: services and providers of functions.

use std::net::IpAddr;
use std::time::Duration;

use crate::read::{Fields, Node};
use crate::ssl::{self, UpstreamSsl};
use crate::{AwsUpstream, AzureUpstream, GcpUpstream, RestSpec, aws, azure, gcp, rest};

/// A service, or a provider of functions.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// What it is.
    pub kind: UpstreamType,
    /// TLS towards it.
    pub ssl: Option<UpstreamSsl>,
    /// Its connections.
    pub connection: ConnectionConfig,
    /// How much it may be given at a time.
    pub circuit_breakers: Option<CircuitBreakers>,
    /// Whether it is spoken to in HTTP/2.
    pub use_http2: bool,
}

/// What an upstream is.
#[derive(Debug, Clone, PartialEq)]
pub enum UpstreamType {
    /// Fixed hosts.
    Static(StaticUpstream),
    /// AWS Lambda in one region.
    Aws(Box<AwsUpstream>),
    /// A function app of Azure's.
    Azure(Box<AzureUpstream>),
    /// Cloud Functions or Cloud Run.
    Gcp(Box<GcpUpstream>),
}

/// Fixed hosts.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticUpstream {
    /// The hosts; at least one.
    pub hosts: Vec<Host>,
    /// Whether TLS is spoken to them.
    pub use_tls: bool,
    /// Whether each host is asked for by its own name in the handshake.
    pub auto_sni_rewrite: bool,
    /// The requests that routes may name as its functions.
    pub rest: Option<RestSpec>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// An IP address or a name.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The name that is asked for in the handshake.
    pub sni: Option<String>,
    /// Its share of the requests.
    pub weight: Option<u32>,
}

impl Host {
    /// Its address as IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }
}

/// An upstream's connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionConfig {
    /// How many requests a connection carries before it is closed.
    pub max_requests: Option<u32>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// TCP's own probes.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// How much of a connection's data Envoy holds.
    pub buffer_limit: Option<u32>,
    /// How long a connection may idle.
    pub idle_timeout: Option<Duration>,
    /// How many headers an answer may have.
    pub max_headers: Option<u32>,
    /// How long a request may take.
    pub max_stream_duration: Option<Duration>,
}

/// TCP's own probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpKeepalive {
    /// How many unanswered ones end a connection.
    pub probes: Option<u32>,
    /// Seconds of silence before the first.
    pub time: Option<u32>,
    /// Seconds between them.
    pub interval: Option<u32>,
}

/// How much an upstream may be given at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// Gloo's other fields of an upstream.
const LATER: [&str; 20] = [
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
    "ai",
    "pipe",
];
const LATER_TYPES: [&str; 3] = ["kube", "awsEc2", "consul"];

pub(crate) fn read(node: &Node<'_>, namespace: &str) -> Option<Upstream> {
    node.object(|fields| {
        fields.ignored(&["discoveryMetadata"]);
        fields.later(&LATER);
        fields.later(&LATER_TYPES);
        let others = LATER_TYPES
            .iter()
            .chain(&["ai", "pipe"])
            .any(|name| fields.has(name));
        let kind = match fields.one_of(&["static", "aws", "azure", "gcp"]) {
            Some("static") => fields
                .field("static", |node| read_static(&node))
                .map(UpstreamType::Static),
            Some("azure") => fields
                .field("azure", |node| azure::read(&node, namespace))
                .map(|app| UpstreamType::Azure(Box::new(app))),
            Some("gcp") => fields
                .field("gcp", |node| gcp::read(&node, namespace))
                .map(|gcp| UpstreamType::Gcp(Box::new(gcp))),
            Some(_) => fields
                .field("aws", |node| aws::read(&node, namespace))
                .map(|lambda| UpstreamType::Aws(Box::new(lambda))),
            None => {
                if !others {
                    fields.error("expected a type: static, aws, azure or gcp");
                }
                None
            }
        };
        let ssl = fields.field("sslConfig", |node| ssl::read_upstream(&node, namespace));
        let connection = fields.field("connectionConfig", |node| node.object(read_connection));
        let circuit_breakers = fields.field("circuitBreakers", |node| {
            node.object(|fields| {
                let mut number = |name| fields.field(name, |node| node.uint());
                Some(CircuitBreakers {
                    max_connections: number("maxConnections"),
                    max_pending_requests: number("maxPendingRequests"),
                    max_requests: number("maxRequests"),
                    max_retries: number("maxRetries"),
                    track_remaining: fields.flag("trackRemaining"),
                })
            })
        });
        let use_http2 = fields.flag("useHttp2");
        Some(Upstream {
            kind: kind?,
            ssl,
            connection: connection.unwrap_or_default(),
            circuit_breakers,
            use_http2,
        })
    })
}

fn read_static(node: &Node<'_>) -> Option<StaticUpstream> {
    node.object(|fields| {
        let hosts = fields.required("hosts", |node| {
            if node.value().as_array().is_some_and(Vec::is_empty) {
                return node.error("expected at least one host");
            }
            node.list(|node| read_host(&node))
        });
        let use_tls = fields.field("useTls", |node| node.boolean());
        let auto_sni_rewrite = fields.field("autoSniRewrite", |node| node.boolean());
        let rest = fields.field("serviceSpec", |node| rest::read_service(&node));
        let hosts = hosts?;
        Some(StaticUpstream {
            use_tls: use_tls.unwrap_or_else(|| hosts.iter().any(|host| host.port == 443)),
            auto_sni_rewrite: auto_sni_rewrite.unwrap_or(true),
            rest,
            hosts,
        })
    })
}

fn read_host(node: &Node<'_>) -> Option<Host> {
    node.object(|fields| {
        fields.later(&["healthCheckConfig", "metadata"]);
        let address = fields.required("addr", |node| {
            let address = node.non_empty()?;
            if address.parse::<IpAddr>().is_err() && !is_host_name(&address) {
                return node.error(format!(
                    "{address:?} is neither an IP address nor a host name"
                ));
            }
            Some(address)
        });
        let port = fields.required("port", |node| node.number(1, 65_535));
        let host = Host {
            sni: fields.field("sniAddr", |node| node.non_empty()),
            weight: fields.field("loadBalancingWeight", |node| node.number(1, u32::MAX)),
            address: address?,
            port: u16::try_from(port?).ok()?,
        };
        Some(host)
    })
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

fn read_connection(fields: &mut Fields<'_>) -> Option<ConnectionConfig> {
    fields.later(&["http1ProtocolOptions"]);
    let mut connection = ConnectionConfig {
        max_requests: fields.field("maxRequestsPerConnection", |node| node.uint()),
        connect_timeout: fields.field("connectTimeout", |node| node.positive_duration()),
        buffer_limit: fields.field("perConnectionBufferLimitBytes", |node| node.uint()),
        tcp_keepalive: fields.field("tcpKeepalive", |node| {
            node.object(|fields| {
                let mut seconds = |name| {
                    fields.field(name, |node| {
                        u32::try_from(node.positive_duration()?.as_secs().max(1)).ok()
                    })
                };
                let (time, interval) = (seconds("keepaliveTime"), seconds("keepaliveInterval"));
                Some(TcpKeepalive {
                    probes: fields.field("keepaliveProbes", |node| node.uint()),
                    time,
                    interval,
                })
            })
        }),
        ..ConnectionConfig::default()
    };
    fields.field("commonHttpProtocolOptions", |node| {
        node.object(|fields| {
            fields.later(&["headersWithUnderscoresAction"]);
            connection.idle_timeout = fields.field("idleTimeout", |node| node.duration());
            connection.max_headers =
                fields.field("maxHeadersCount", |node| node.number(1, u32::MAX));
            connection.max_stream_duration =
                fields.field("maxStreamDuration", |node| node.duration());
            Some(())
        })
    });
    Some(connection)
}
