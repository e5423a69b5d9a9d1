//! What holds for HTTP on a listener.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::forward_proxy::ForwardProxy;
use crate::hcm::HttpConnectionManagerSettings;
use crate::options::csrf::Csrf;
use crate::options::ext_auth::ExtAuthServer;
use crate::options::ext_proc::ExtProcServer;
use crate::options::rate_limit::RateLimitServer;
use crate::read::{Fields, Node};
use crate::servers::Servers;
use crate::service_spec::GrpcJsonTranscoder;
use crate::stateful_session::StatefulSession;
use crate::tap::Tap;
use crate::tcp::{ConnectionLimit, TokenBucket};

/// What holds for HTTP on a listener.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(
    finish = one_way_to_the_client,
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
    /// HTTP/3, beside the other versions: over UDP at the same address (Gloo has no such field). Needs TLS.
    pub http3: Option<Http3>,
    /// Of which requests that change something the origin is looked at, where routes do not say it.
    pub csrf: Option<Csrf>,
    /// Methods of gRPC that requests in JSON call, whichever route they take.
    pub grpc_json_transcoder: Option<GrpcJsonTranscoder>,
    /// Headers with which routes choose a cluster (`clusterHeader`) are taken off what clients send; filters may set them.
    pub sanitize_cluster_header: bool,
    /// The first address in `x-forwarded-for` is taken for the client's. A client can write it, so whatever is in front has
    /// to see to it.
    pub leftmost_xff_address: bool,
    /// What of a request's head is looked at.
    #[read(default)]
    pub header_validation_settings: HeaderValidation,
    /// Copies of requests and responses, for people who look for a fault.
    pub tap: Option<Tap>,
    /// Clients stay with the endpoint that they had before.
    pub stateful_session: Option<StatefulSession>,
    /// How routes with `dynamicForwardProxy` find hosts and connect to them; as Envoy does it by itself, IPv4 before IPv6,
    /// where it is left out.
    pub dynamic_forward_proxy: Option<Box<ForwardProxy>>,
    /// Who is asked whether requests may pass, in the place of the Settings' `extauth`.
    pub extauth: Option<Box<ExtAuthServer>>,
    /// The rate limit service, in the place of the Settings'.
    pub ratelimit_server: Option<Box<RateLimitServer>>,
    /// Who sees and changes requests first, in the place of the Settings'.
    #[read(flatten)]
    pub ext_proc_early: Option<ListenerExtProcEarly>,
    /// Who sees and changes requests, in the place of the Settings'.
    #[read(flatten)]
    pub ext_proc: Option<ListenerExtProc>,
    /// Who sees and changes requests last, in the place of the Settings'.
    #[read(flatten)]
    pub ext_proc_late: Option<ListenerExtProcLate>,
}

/// HTTP/3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct Http3 {
    /// The port that clients are told of in `alt-svc`: the gateway's where it is left out.
    #[read(range(1, 65_535))]
    pub advertised_port: Option<u32>,
    /// How long they may remember it: a day where it is left out.
    pub max_age: Option<Duration>,
    /// How many requests a connection may have at a time: 100 where it is left out.
    #[read(range(1, 2_147_483_647))]
    pub max_concurrent_streams: Option<u32>,
}

/// Who sees and changes requests first.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum ListenerExtProcEarly {
    /// Whether it is nobody, whatever the Settings say.
    DisableExtProcEarly(bool),
    /// This server.
    ExtProcEarly(Box<ExtProcServer>),
}

/// Who sees and changes requests.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum ListenerExtProc {
    /// Whether it is nobody, whatever the Settings say.
    DisableExtProc(bool),
    /// This server.
    ExtProc(Box<ExtProcServer>),
}

/// Who sees and changes requests last.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum ListenerExtProcLate {
    /// Whether it is nobody, whatever the Settings say.
    DisableExtProcLate(bool),
    /// This server.
    ExtProcLate(Box<ExtProcServer>),
}

/// What of a request's head is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct HeaderValidation {
    /// Something, or not.
    #[read(flatten)]
    pub header_method_validation: Option<MethodValidation>,
}

/// Whether methods are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum MethodValidation {
    /// Methods that nobody knows pass with HTTP/1.1, as they do with HTTP/2.
    DisableHttp1MethodValidation(Unchecked),
}

/// Nothing is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct Unchecked {}

impl HttpListenerOptions {
    /// The servers that are asked on the way of a request: its own, and the others.
    pub fn servers(&self, others: &Servers) -> Servers {
        let mut servers = others.clone();
        if let Some(server) = &self.extauth {
            servers.extauth = Some((**server).clone());
        }
        if let Some(server) = &self.ratelimit_server {
            servers.ratelimit_server = Some((**server).clone());
        }
        match &self.ext_proc_early {
            None | Some(ListenerExtProcEarly::DisableExtProcEarly(false)) => {}
            Some(ListenerExtProcEarly::DisableExtProcEarly(true)) => servers.ext_proc_early = None,
            Some(ListenerExtProcEarly::ExtProcEarly(own)) => {
                servers.ext_proc_early = Some((**own).clone());
            }
        }
        match &self.ext_proc {
            None | Some(ListenerExtProc::DisableExtProc(false)) => {}
            Some(ListenerExtProc::DisableExtProc(true)) => servers.ext_proc = None,
            Some(ListenerExtProc::ExtProc(own)) => servers.ext_proc = Some((**own).clone()),
        }
        match &self.ext_proc_late {
            None | Some(ListenerExtProcLate::DisableExtProcLate(false)) => {}
            Some(ListenerExtProcLate::DisableExtProcLate(true)) => servers.ext_proc_late = None,
            Some(ListenerExtProcLate::ExtProcLate(own)) => {
                servers.ext_proc_late = Some((**own).clone());
            }
        }
        servers
    }
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

fn one_way_to_the_client(
    options: HttpListenerOptions,
    fields: &Fields<'_>,
) -> Option<HttpListenerOptions> {
    let settings = &options.http_connection_manager_settings;
    if options.leftmost_xff_address
        && (settings.use_remote_address == Some(true)
            || settings.xff_num_trusted_hops.is_some_and(|hops| hops > 0))
    {
        let text =
            "excludes useRemoteAddress and xffNumTrustedHops of httpConnectionManagerSettings";
        fields.error_at("leftmostXffAddress", text);
    }
    Some(options)
}
