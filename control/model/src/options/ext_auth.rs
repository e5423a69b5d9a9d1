//! Asking a server whether a request may pass.

use std::collections::BTreeMap;
use std::time::Duration;

use tenon_model_derive::Read;

use super::values::only_true;
use crate::ObjectRef;
use crate::header;
use crate::read::{Node, Read};
use crate::regex;
use crate::schema::Schema;

/// Whether a server is asked.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(refused(
    configRef = "an AuthConfig is for Gloo's own server; use customAuth with a server of yours in the Settings' extauth"
))]
pub struct ExtAuth {
    /// Which server, or none.
    #[read(flatten)]
    pub spec: Option<ExtAuthSpec>,
}

/// Which server, or none.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum ExtAuthSpec {
    /// None, whatever is said elsewhere.
    #[read(with = only_true, schema = flag)]
    Disable(()),
    /// One of the Settings'.
    CustomAuth(CustomAuth),
}

/// A server of the Settings'.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct CustomAuth {
    /// What it is told besides, in `context_extensions` (gRPC only).
    pub context_extensions: BTreeMap<String, String>,
    /// Its name in `namedExtauth`; the one in `extauth` where this is left out.
    #[read(default)]
    pub name: String,
}

/// A server that is asked whether requests may pass: Envoy's `ext_authz`, with a server of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ExtAuthServer {
    /// Its upstream.
    pub extauthz_server_ref: ObjectRef,
    /// How it is spoken to: gRPC where this is left out.
    #[read(flatten)]
    pub service: Option<ExtAuthService>,
    /// The header in which it tells who the client is.
    #[read(default, with = header::matched_name)]
    pub user_id_header: String,
    /// How long it may take: 200ms where it is left out.
    #[read(with = Node::positive_duration)]
    pub request_timeout: Option<Duration>,
    /// Whether requests pass where it cannot be asked.
    pub failure_mode_allow: bool,
    /// Whether it is given bodies; it is not where this is left out.
    pub request_body: Option<ExtAuthBody>,
    /// Whether another route may be chosen by what it changed.
    pub clear_route_cache: bool,
    /// The status of the answer where it cannot be asked: 403 where it is left out.
    #[read(range(100, 599))]
    pub status_on_error: Option<u32>,
    /// The version of its interface.
    #[read(default)]
    pub transport_api_version: ApiVersion,
    /// What its statistics are named with.
    #[read(default)]
    pub stat_prefix: String,
}

/// The version of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ApiVersion {
    /// The only one.
    #[default]
    V3,
}

/// How a server is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum ExtAuthService {
    /// In HTTP, with the request's headers.
    HttpService(HttpService),
    /// In gRPC: `envoy.service.auth.v3.Authorization`.
    GrpcService(GrpcService),
}

/// A server that is spoken to in gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct GrpcService {
    /// The value of `:authority`; the name of the cluster where it is left out.
    #[read(default, with = header::value)]
    pub authority: String,
    /// The headers that it is told, as the Gateway API has it; none: all.
    #[read(skip)]
    pub allowed_headers: Vec<String>,
}

/// A server that is spoken to in HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct HttpService {
    /// What is put before the request's path.
    #[read(default, with = header::value)]
    pub path_prefix: String,
    /// What it is told.
    #[read(default)]
    pub request: HttpServiceRequest,
    /// What of its answer is used.
    #[read(default)]
    pub response: HttpServiceResponse,
}

/// What a server is told, besides method, path, host and `authorization`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct HttpServiceRequest {
    /// Headers of the request.
    #[read(with = header::matched_name)]
    pub allowed_headers: Vec<String>,
    /// Headers of the request whose whole name matches.
    #[read(with = regex::pattern)]
    pub allowed_headers_regex: Vec<String>,
    /// Further headers.
    #[read(with = header::value)]
    pub headers_to_add: BTreeMap<String, String>,
}

/// What of a server's answer is used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct HttpServiceResponse {
    /// Headers that go to the upstream, in the place of the request's.
    #[read(with = header::matched_name)]
    pub allowed_upstream_headers: Vec<String>,
    /// Headers that go to the client where the request does not pass; all where this is left out.
    #[read(with = header::matched_name)]
    pub allowed_client_headers: Vec<String>,
    /// Headers that go to the upstream beside the request's.
    #[read(with = header::matched_name)]
    pub allowed_upstream_headers_to_append: Vec<String>,
    /// Whether all headers of its answer go to the upstream, but for those that are about that answer itself and those that
    /// say where requests go, as the Gateway API has it.
    #[read(skip)]
    pub all_upstream_headers: bool,
}

/// Whether a server is given bodies.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ExtAuthBody {
    /// How much, in bytes: 4 KiB where it is left out.
    #[read(default = 4096_u32, range(1, u32::MAX))]
    pub max_request_bytes: u32,
    /// Whether it is given the start of longer ones; else they are answered with 413.
    pub allow_partial_message: bool,
    /// Whether it is given bytes, not a text (gRPC only).
    pub pack_as_bytes: bool,
}

fn flag() -> Schema {
    <bool as Read>::schema()
}
