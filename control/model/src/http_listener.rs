//! What holds for HTTP on a listener.

use tenon_model_derive::Read;

use crate::hcm::HttpConnectionManagerSettings;
use crate::read::Node;
use crate::tcp::{ConnectionLimit, TokenBucket};

/// What holds for HTTP on a listener.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(
    later(
        "csrf",
        "disableExtProc",
        "disableExtProcEarly",
        "disableExtProcLate",
        "dynamicForwardProxy",
        "extProc",
        "extProcEarly",
        "extProcLate",
        "extauth",
        "grpcJsonTranscoder",
        "headerValidationSettings",
        "leftmostXffAddress",
        "ratelimitServer",
        "sanitizeClusterHeader",
        "statefulSession",
        "tap"
    ),
    refused(
        extensions = "Gloo's plugins are not there; what a field of its own says has a field here, too",
        waf = "an unmodified Envoy has no web application firewall; put one in front",
        dlp = "an unmodified Envoy masks no responses; use stagedTransformations",
        wasm = "plugins of others are not loaded; use stagedTransformations",
        caching = "an unmodified Envoy has no cache of Gloo's kind; put one in front",
        proxyLatency = "that filter is not in an unmodified Envoy; use %REQUEST_DURATION%, %RESPONSE_DURATION% and %DURATION% in access logs"
    )
)]
pub struct HttpListenerOptions {
    /// How HTTP is spoken.
    #[read(default)]
    pub http_connection_manager_settings: HttpConnectionManagerSettings,
    /// gRPC of browsers; where it is left out, it is passed on as it is.
    pub grpc_web: Option<GrpcWeb>,
    /// A path that Envoy answers itself: 200, and 503 while it drains.
    pub health_check: Option<ListenerHealthCheck>,
    /// Responses are compressed.
    pub gzip: Option<Gzip>,
    /// Requests are held until they are whole.
    pub buffer: Option<ListenerBuffer>,
    /// How many connections there may be at a time.
    pub connection_limit: Option<ConnectionLimit>,
    /// How many connections there may be in a while.
    pub network_local_ratelimit: Option<TokenBucket>,
    /// How many requests there may be in a while.
    pub http_local_ratelimit: Option<LocalRatelimit>,
    /// Envoy's router.
    #[read(default)]
    pub router: Router,
}

/// gRPC of browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct GrpcWeb {
    /// It is passed on as it is.
    pub disable: bool,
}

/// A path that Envoy answers itself.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ListenerHealthCheck {
    /// The path, with its query.
    #[read(with = Node::non_empty)]
    pub path: String,
}

/// Responses are compressed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Gzip {
    /// How much memory zlib takes: 5 where it is left out.
    #[read(range(1, 9))]
    pub memory_level: Option<u32>,
    /// How large a response has to be, in bytes: 30 where it is left out.
    #[read(range(30, u32::MAX))]
    pub content_length: Option<u32>,
    /// How hard it tries.
    #[read(default)]
    pub compression_level: CompressionLevel,
    /// How it goes about it.
    #[read(default)]
    pub compression_strategy: CompressionStrategy,
    /// The types of responses that are compressed: texts where it is left out.
    #[read(with = Node::non_empty)]
    pub content_type: Vec<String>,
    /// Not those with an `etag`.
    pub disable_on_etag_header: bool,
    /// Upstreams are not told that the client takes compressed responses.
    pub remove_accept_encoding_header: bool,
    /// The size of zlib's window, as a power of two: 12 where it is left out.
    #[read(range(9, 15))]
    pub window_bits: Option<u32>,
}

/// How hard zlib tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum CompressionLevel {
    /// As it does by default.
    #[default]
    Default,
    /// As small as it can.
    Best,
    /// As fast as it can.
    Speed,
}

/// How zlib goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum CompressionStrategy {
    /// As it does by default.
    #[default]
    Default,
    /// For filtered data.
    Filtered,
    /// By frequencies only.
    Huffman,
    /// By runs only.
    Rle,
}

/// Requests are held until they are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct ListenerBuffer {
    /// How large they may be, in bytes.
    #[read(range(1, u32::MAX))]
    pub max_request_bytes: u32,
}

/// How many requests there may be in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct LocalRatelimit {
    /// So many.
    pub default_limit: Option<TokenBucket>,
    /// On each connection, not on all of an Envoy.
    pub local_rate_limit_per_downstream_connection: bool,
    /// Clients are told how many are left.
    pub enable_x_ratelimit_headers: bool,
}

/// Envoy's router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct Router {
    /// No headers `x-envoy-…` for upstreams and clients.
    pub suppress_envoy_headers: bool,
    /// Statistics of clusters: true where it is left out.
    pub dynamic_stats: Option<bool>,
}
