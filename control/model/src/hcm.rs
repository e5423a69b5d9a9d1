//! How HTTP is spoken on a listener.

use std::mem;
use std::time::Duration;

use tenon_model_derive::{Merge, Read};

use crate::header::EarlyHeaderManipulation;
use crate::hybrid::CidrRange;
use crate::listener_tracing::ListenerTracing;
use crate::local_reply::LocalReplyConfig;
use crate::read::{Fields, Node};

/// How HTTP is spoken.
#[derive(Debug, Clone, PartialEq, Default, Read, Merge)]
#[read(finish = checked)]
pub struct HttpConnectionManagerSettings {
    /// Leave `x-forwarded-for` as it is.
    pub skip_xff_append: Option<bool>,
    /// What the header `via` says.
    #[read(with = crate::header::value)]
    pub via: Option<String>,
    /// So many proxies in front are trusted.
    pub xff_num_trusted_hops: Option<u32>,
    /// Take the address of the connection for the client's: true where it is left out.
    pub use_remote_address: Option<bool>,
    /// Give each request an id: true where it is left out.
    pub generate_request_id: Option<bool>,
    /// Leave it to the upstream to answer `Expect: 100-continue`.
    #[read(name = "proxy100Continue")]
    pub proxy_100_continue: Option<bool>,
    /// How long nothing may happen on a request: 5m where it is left out, for ever with 0s.
    pub stream_idle_timeout: Option<Duration>,
    /// How long a connection may be without a request: 1h where it is left out.
    pub idle_timeout: Option<Duration>,
    /// How large a request's headers may be, in KiB: 60 where it is left out.
    #[read(range(1, 8_192))]
    pub max_request_headers_kb: Option<u32>,
    /// How long a request may take to be received.
    pub request_timeout: Option<Duration>,
    /// How long its headers may take.
    pub request_headers_timeout: Option<Duration>,
    /// How long a connection of HTTP/2 is given after it was told to end.
    pub drain_timeout: Option<Duration>,
    /// How long a connection is given to take what was sent before it is closed.
    pub delayed_close_timeout: Option<Duration>,
    /// What the header `server` says.
    #[read(with = crate::header::value)]
    pub server_name: Option<String>,
    /// Routes do not see the port in a request's host.
    pub strip_any_host_port: Option<bool>,
    /// Take HTTP/1.0.
    #[read(name = "acceptHttp10")]
    pub accept_http_10: Option<bool>,
    /// The host of requests of HTTP/1.0 without one.
    #[read(name = "defaultHostForHttp10", with = Node::non_empty)]
    pub default_host_for_http_10: Option<String>,
    /// Take requests that are chunked and say their length, too.
    pub allow_chunked_length: Option<bool>,
    /// Take trailers of HTTP/1.1.
    pub enable_trailers: Option<bool>,
    /// How headers are written in HTTP/1.1.
    #[read(flatten)]
    pub header_format: Option<HeaderFormat>,
    /// What becomes of `x-forwarded-client-cert`.
    #[read(default)]
    pub forward_client_cert_details: ForwardClientCertDetails,
    /// What it says of the client's certificate.
    #[read(default)]
    pub set_current_client_cert_details: SetCurrentClientCertDetails,
    /// Leave a client's `x-request-id` as it is.
    pub preserve_external_request_id: Option<bool>,
    /// Which protocols connections may be upgraded to: websocket where it is left out.
    pub upgrades: Vec<ProtocolUpgrade>,
    /// How old a connection may be.
    pub max_connection_duration: Option<Duration>,
    /// How long a request may take in all.
    pub max_stream_duration: Option<Duration>,
    /// How many headers a request may have: 100 where it is left out.
    #[read(range(1, u32::MAX))]
    pub max_headers_count: Option<u32>,
    /// What becomes of headers with an underscore in their names.
    #[read(default)]
    pub headers_with_underscores_action: HeadersWithUnderscoresAction,
    /// How many requests a connection may have.
    #[read(range(1, u32::MAX))]
    pub max_requests_per_connection: Option<u32>,
    /// What becomes of the upstream's header `server`.
    #[read(default)]
    pub server_header_transformation: ServerHeaderTransformation,
    /// What becomes of paths with slashes that are escaped.
    #[read(default)]
    pub path_with_escaped_slashes_action: PathWithEscapedSlashesAction,
    /// Which versions of HTTP are taken.
    #[read(default)]
    pub codec_type: CodecType,
    /// Take several slashes for one.
    pub merge_slashes: Option<bool>,
    /// Resolve `.` and `..` in paths: true where it is left out.
    pub normalize_path: Option<bool>,
    /// The ids of requests.
    pub uuid_request_id_config: Option<UuidRequestIdConfig>,
    /// HTTP/2.
    pub http2_protocol_options: Option<Http2ProtocolOptions>,
    /// Which clients are one's own.
    pub internal_address_config: Option<InternalAddressConfig>,
    /// Tell upstreams the port in `x-forwarded-port`.
    pub append_x_forwarded_port: Option<bool>,
    /// Which requests are traced, and who is told.
    pub tracing: Option<Box<ListenerTracing>>,
    /// Headers that are added to requests, and taken off, before anything looks at them.
    pub early_header_manipulation: Option<EarlyHeaderManipulation>,
    /// What Envoy answers itself, such as errors, in another form (Envoy's own shape; Gloo has no such field).
    pub local_reply_config: Option<Box<LocalReplyConfig>>,
}

fn checked(
    settings: HttpConnectionManagerSettings,
    fields: &Fields<'_>,
) -> Option<HttpConnectionManagerSettings> {
    for (index, upgrade) in settings.upgrades.iter().enumerate() {
        let mut earlier = settings.upgrades.iter().take(index);
        if earlier.any(|it| mem::discriminant(it) == mem::discriminant(upgrade)) {
            // Envoy would refuse the whole listener.
            fields.error_at(&format!("upgrades[{index}]"), "is there already");
        }
    }
    Some(settings)
}

/// How headers are written in HTTP/1.1: in lower case, unless it is said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum HeaderFormat {
    /// With capitals at the beginning of words.
    ProperCaseHeaderKeyFormat(bool),
    /// As they came.
    PreserveCaseHeaderKeyFormat(bool),
}

/// What becomes of `x-forwarded-client-cert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ForwardClientCertDetails {
    /// It is taken off.
    #[default]
    Sanitize,
    /// It is passed on, over mTLS.
    ForwardOnly,
    /// The same, and this client's is added.
    AppendForward,
    /// This client's takes its place.
    SanitizeSet,
    /// It is passed on.
    AlwaysForwardOnly,
}

/// What `x-forwarded-client-cert` says of a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct SetCurrentClientCertDetails {
    /// Its subject.
    pub subject: bool,
    /// It, whole.
    pub cert: bool,
    /// Those that lead to its root, too.
    pub chain: bool,
    /// Its DNS names.
    pub dns: bool,
    /// Its URI.
    pub uri: bool,
}

/// A protocol that connections may be upgraded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum ProtocolUpgrade {
    /// Websockets.
    Websocket(UpgradeSwitch),
    /// HTTP's CONNECT.
    Connect(UpgradeSwitch),
}

/// Whether it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct UpgradeSwitch {
    /// On where it is left out.
    #[read(default = true)]
    pub enabled: bool,
}

/// What becomes of headers with an underscore in their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum HeadersWithUnderscoresAction {
    /// They pass.
    #[default]
    Allow,
    /// The request is refused.
    RejectClientRequest,
    /// They are taken off.
    DropHeader,
}

/// What becomes of the upstream's header `server`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ServerHeaderTransformation {
    /// Envoy's takes its place.
    #[default]
    Overwrite,
    /// Envoy's takes its place if there is none.
    AppendIfAbsent,
    /// It passes.
    PassThrough,
}

/// What becomes of paths with slashes that are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum PathWithEscapedSlashesAction {
    /// They pass.
    #[default]
    ImplementationSpecificDefault,
    /// They pass.
    KeepUnchanged,
    /// The request is refused.
    RejectRequest,
    /// The client is sent to the path without escapes.
    UnescapeAndRedirect,
    /// The escapes are resolved.
    UnescapeAndForward,
}

/// Which versions of HTTP are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum CodecType {
    /// Which one the client speaks.
    #[default]
    Auto,
    /// HTTP/1.1.
    #[read(name = "HTTP1")]
    Http1,
    /// HTTP/2.
    #[read(name = "HTTP2")]
    Http2,
}

/// The ids of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct UuidRequestIdConfig {
    /// Say in them why they are traced: true where it is left out.
    pub pack_trace_reason: Option<bool>,
    /// Choose by them which are traced: true where it is left out.
    pub use_request_id_for_trace_sampling: Option<bool>,
}

/// HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct Http2ProtocolOptions {
    /// How many requests a connection may have at a time.
    #[read(range(1, 2_147_483_647))]
    pub max_concurrent_streams: Option<u32>,
    /// How much of a request may be under way, in bytes.
    #[read(range(65_535, 2_147_483_647))]
    pub initial_stream_window_size: Option<u32>,
    /// How much of all requests of a connection.
    #[read(range(65_535, 2_147_483_647))]
    pub initial_connection_window_size: Option<u32>,
    /// An invalid request ends itself, not its connection.
    pub override_stream_error_on_invalid_http_message: Option<bool>,
}

/// Which clients are one's own.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct InternalAddressConfig {
    /// Those over Unix sockets.
    pub unix_sockets: bool,
    /// Those with such addresses.
    pub cidr_ranges: Vec<CidrRange>,
}
