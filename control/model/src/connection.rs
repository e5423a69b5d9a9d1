//! An upstream's connections.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::read::Node;

/// An upstream's connections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct ConnectionConfig {
    /// How many requests a connection carries before it is closed; any number where it is left out or 0.
    pub max_requests_per_connection: Option<u32>,
    /// How long connecting may take: 5s where it is left out.
    #[read(with = Node::positive_duration)]
    pub connect_timeout: Option<Duration>,
    /// TCP's own probes.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// How much of a connection's data Envoy holds, in bytes; 1 MiB where it is left out, and what the largest body of a
    /// function takes for upstreams of functions.
    pub per_connection_buffer_limit_bytes: Option<u32>,
    /// What holds for HTTP of any version.
    #[read(default)]
    pub common_http_protocol_options: CommonHttpProtocolOptions,
    /// What holds for HTTP/1.
    pub http1_protocol_options: Option<Http1ProtocolOptions>,
}

/// What holds for HTTP of any version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct CommonHttpProtocolOptions {
    /// How long a connection may idle; 1 hour where it is left out, and 0s for ever.
    pub idle_timeout: Option<Duration>,
    /// How many headers an answer may have; 100 where it is left out or 0.
    pub max_headers_count: Option<u32>,
    /// How long a request may take.
    pub max_stream_duration: Option<Duration>,
    /// What becomes of requests that have headers with underscores in their names.
    #[read(default)]
    pub headers_with_underscores_action: HeadersWithUnderscoresAction,
}

/// What becomes of requests that have headers with underscores in their names. Such names are allowed, but some servers
/// take `_` for `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum HeadersWithUnderscoresAction {
    /// They are sent as they are.
    #[default]
    Allow,
    /// They are refused.
    RejectRequest,
    /// They lose these headers.
    DropHeader,
}

/// What holds for HTTP/1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Http1ProtocolOptions {
    /// Whether trailers are sent on. Gateways need to allow them, too.
    pub enable_trailers: bool,
    /// How the names of headers are written; in lower case where it is left out.
    #[read(flatten)]
    pub header_format: Option<HeaderFormat>,
    /// Whether a connection is kept, where possible, after an answer that is not valid HTTP.
    pub override_stream_error_on_invalid_http_message: Option<bool>,
}

/// How the names of headers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum HeaderFormat {
    /// `content-type` as `Content-Type`.
    ProperCaseHeaderKeyFormat(bool),
    /// As they came.
    PreserveCaseHeaderKeyFormat(bool),
}

/// TCP's own probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct TcpKeepalive {
    /// How many unanswered ones end a connection; what the system has where it is left out or 0.
    pub keepalive_probes: Option<u32>,
    /// How long it is silent before the first; part of a second counts as a whole one.
    #[read(with = Node::positive_duration)]
    pub keepalive_time: Option<Duration>,
    /// How long between them; part of a second counts as a whole one.
    #[read(with = Node::positive_duration)]
    pub keepalive_interval: Option<Duration>,
}

/// How much an upstream may be given at a time, from each Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct CircuitBreakers {
    /// Connections; 1024 where it is left out.
    pub max_connections: Option<u32>,
    /// Requests that wait for a connection; 1024 where it is left out.
    pub max_pending_requests: Option<u32>,
    /// Requests; 1024 where it is left out.
    pub max_requests: Option<u32>,
    /// Retries; 3 where it is left out.
    pub max_retries: Option<u32>,
    /// Whether Envoy's statistics tell how much is left.
    pub track_remaining: bool,
}

/// Connections that are made before they are needed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Read)]
pub struct PreconnectPolicy {
    /// For how many requests to a host there are connections, for each that there is: 1.5 keeps half as many to spare; 1
    /// where it is left out.
    #[read(range(1.0, 3.0))]
    pub per_upstream_preconnect_ratio: Option<f64>,
    /// The same over all hosts, for those that come next; 1 where it is left out.
    #[read(range(1.0, 3.0))]
    pub predictive_preconnect_ratio: Option<f64>,
}

/// Which HTTP is spoken to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ProtocolSelection {
    /// HTTP/2 if `useHttp2` says so, else HTTP/1.1.
    #[default]
    UseConfiguredProtocol,
    /// What the client speaks.
    UseDownstreamProtocol,
}

/// The version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum ProxyProtocolVersion {
    /// As text.
    V1,
    /// In binary.
    V2,
}

/// Which addresses of a host name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum DnsLookupFamily {
    /// All, of IPv4 and IPv6; of a host that has both, the one that answers first (RFC 8305).
    #[default]
    All,
    /// IPv4 if there is one, else IPv6.
    V4Preferred,
    /// IPv6 if there is one, else IPv4.
    Auto,
    /// Those of IPv4.
    V4Only,
    /// Those of IPv6.
    V6Only,
}
