//! What is done with requests and responses on their way.

use tenon_model_derive::Read;

use super::references::{BackendRef, LocalRef};
use super::values;
use crate::read::{Fields, Node, Read};
use crate::schema::Schema;

/// What is done with requests and responses of a rule, or of one of its backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpFilter {
    /// Headers of requests.
    RequestHeaderModifier(HeaderModifier),
    /// Headers of responses.
    ResponseHeaderModifier(HeaderModifier),
    /// Copies of requests.
    RequestMirror(RequestMirror),
    /// The client is sent elsewhere.
    RequestRedirect(RequestRedirect),
    /// Another path or host.
    UrlRewrite(UrlRewrite),
    /// What another object says.
    ExtensionRef(LocalRef),
    /// Requests of other origins.
    Cors(CorsFilter),
    /// A server is asked.
    ExternalAuth(ExternalAuth),
}

/// What is done with requests and responses.
#[derive(Read)]
struct Written {
    /// Which of the other fields says it.
    #[read(name = "type")]
    kind: FilterType,
    /// Headers of requests that are set, added and removed.
    request_header_modifier: Option<HeaderModifier>,
    /// Headers of responses that are set, added and removed.
    response_header_modifier: Option<HeaderModifier>,
    /// Where copies of requests go; their answers are not waited for.
    request_mirror: Option<RequestMirror>,
    /// Where clients are sent.
    request_redirect: Option<RequestRedirect>,
    /// Another path or host.
    url_rewrite: Option<UrlRewrite>,
    /// Requests of other origins.
    cors: Option<CorsFilter>,
    /// A server that is asked whether a request may pass.
    external_auth: Option<ExternalAuth>,
    /// An object that says it: a RouteOption, a DirectResponse, a FunctionCall, or Gloo's Parameter, whose name is that of
    /// a function.
    extension_ref: Option<LocalRef>,
}

/// What is done with requests and responses of gRPC.
#[derive(Read)]
struct WrittenGrpc {
    /// Which of the other fields says it.
    #[read(name = "type")]
    kind: GrpcFilterType,
    /// Headers of requests that are set, added and removed.
    request_header_modifier: Option<HeaderModifier>,
    /// Headers of responses that are set, added and removed.
    response_header_modifier: Option<HeaderModifier>,
    /// Where copies of requests go; their answers are not waited for.
    request_mirror: Option<RequestMirror>,
    /// An object that says it.
    extension_ref: Option<LocalRef>,
}

/// What a filter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
enum FilterType {
    /// Changes headers of requests.
    #[read(name = "RequestHeaderModifier")]
    RequestHeaderModifier,
    /// Changes headers of responses.
    #[read(name = "ResponseHeaderModifier")]
    ResponseHeaderModifier,
    /// Sends copies.
    #[read(name = "RequestMirror")]
    RequestMirror,
    /// Sends the client elsewhere.
    #[read(name = "RequestRedirect")]
    RequestRedirect,
    /// Changes path and host.
    #[read(name = "URLRewrite")]
    UrlRewrite,
    /// What another object says.
    #[read(name = "ExtensionRef")]
    ExtensionRef,
    /// Answers browsers that ask for other origins.
    #[read(name = "CORS")]
    Cors,
    /// Asks a server.
    #[read(name = "ExternalAuth")]
    ExternalAuth,
}

/// What a filter of gRPC does.
#[derive(Clone, Copy, Read)]
#[read(by_name)]
enum GrpcFilterType {
    /// Changes headers of responses.
    #[read(name = "ResponseHeaderModifier")]
    ResponseHeaderModifier,
    /// Changes headers of requests.
    #[read(name = "RequestHeaderModifier")]
    RequestHeaderModifier,
    /// Sends copies.
    #[read(name = "RequestMirror")]
    RequestMirror,
    /// What another object says.
    #[read(name = "ExtensionRef")]
    ExtensionRef,
}

/// Headers that are set, added and removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = distinct_headers)]
pub struct HeaderModifier {
    /// What is there already goes.
    pub set: Vec<FilterHeader>,
    /// What is there already stays.
    pub add: Vec<FilterHeader>,
    /// They go; case does not matter.
    pub remove: Vec<String>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct FilterHeader {
    /// Its name; case does not matter.
    #[read(with = values::header_name)]
    pub name: String,
    /// Its value.
    #[read(with = values::header_value)]
    pub value: String,
}

/// Copies of requests.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = one_share)]
pub struct RequestMirror {
    /// Where they go.
    pub backend_ref: BackendRef,
    /// Of how many of a hundred requests; of all where neither this nor `fraction` is there.
    #[read(range(0, 100))]
    pub percent: Option<u32>,
    /// Of which part of the requests.
    pub fraction: Option<Fraction>,
}

/// A part of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(finish = not_more_than_all)]
pub struct Fraction {
    /// So many.
    #[read(range(0, 2_147_483_647))]
    pub numerator: u32,
    /// Of so many.
    #[read(default = 100_u32, range(1, 2_147_483_647))]
    pub denominator: u32,
}

/// Where clients are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct RequestRedirect {
    /// With this scheme; the request's where it is left out.
    pub scheme: Option<Scheme>,
    /// To this host; the request's where it is left out.
    #[read(with = values::precise_hostname)]
    pub hostname: Option<String>,
    /// To this path; the request's where it is left out.
    pub path: Option<PathModifier>,
    /// To this port; where it is left out, the one of the scheme, or the listener's.
    #[read(range(1, 65_535))]
    pub port: Option<u16>,
    /// With this status.
    #[read(with = redirect_status, default = 302_u16)]
    pub status_code: u16,
}

/// A scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum Scheme {
    /// Plain.
    #[read(name = "http")]
    Http,
    /// With TLS.
    #[read(name = "https")]
    Https,
}

/// Another path or host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct UrlRewrite {
    /// What takes the place of the host.
    #[read(with = values::precise_hostname)]
    pub hostname: Option<String>,
    /// What takes the place of the path.
    pub path: Option<PathModifier>,
}

/// What takes the place of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathModifier {
    /// Of all of it.
    ReplaceFullPath(String),
    /// Of the prefix that was matched.
    ReplacePrefixMatch(String),
}

/// What takes the place of the path.
#[derive(Read)]
struct WrittenPath {
    /// Which of the other fields says it.
    #[read(name = "type")]
    kind: PathModifierType,
    /// The new path.
    #[read(with = path)]
    replace_full_path: Option<String>,
    /// What takes the place of the prefix that was matched.
    #[read(with = path)]
    replace_prefix_match: Option<String>,
}

/// What of the path is replaced.
#[derive(Clone, Copy, PartialEq, Read)]
#[read(by_name)]
enum PathModifierType {
    /// All.
    #[read(name = "ReplaceFullPath")]
    ReplaceFullPath,
    /// The prefix that was matched.
    #[read(name = "ReplacePrefixMatch")]
    ReplacePrefixMatch,
}

/// Requests of other origins.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_cors)]
pub struct CorsFilter {
    /// The origins that may: a scheme and a host, which may begin with `*`; `*`: any.
    #[read(with = origin)]
    pub allow_origins: Vec<String>,
    /// Whether they may with credentials.
    pub allow_credentials: bool,
    /// The methods that they may use; `*`: any.
    #[read(with = method_or_any)]
    pub allow_methods: Vec<String>,
    /// The headers that they may send; `*`: any.
    #[read(with = values::header_name)]
    pub allow_headers: Vec<String>,
    /// The headers that they may see; `*`: any.
    #[read(with = values::header_name)]
    pub expose_headers: Vec<String>,
    /// How many seconds a browser may keep the answer.
    #[read(default = 5_u32, range(1, 2_147_483_647))]
    pub max_age: u32,
}

/// A server that is asked whether a request may pass.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = of_its_protocol)]
pub struct ExternalAuth {
    /// How it is asked.
    pub protocol: AuthProtocol,
    /// The server.
    pub backend_ref: BackendRef,
    /// What it is told over gRPC.
    pub grpc: Option<GrpcAuth>,
    /// What it is told over HTTP.
    pub http: Option<HttpAuth>,
    /// Whether it is told the body, and how much of it.
    pub forward_body: Option<ForwardBody>,
}

/// How a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum AuthProtocol {
    /// By a request of its own.
    Http,
    /// By Envoy's `ext_authz`.
    Grpc,
}

/// What a server is told over gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = few_headers)]
pub struct GrpcAuth {
    /// The headers that it is told.
    pub allowed_headers: Vec<String>,
}

/// What a server is told over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = few_http_headers)]
pub struct HttpAuth {
    /// What comes before the path.
    #[read(with = auth_path)]
    pub path: Option<String>,
    /// The headers that it is told.
    pub allowed_headers: Vec<String>,
    /// The headers of its answer that are told the backend.
    pub allowed_response_headers: Vec<String>,
}

/// How much of the body a server is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct ForwardBody {
    /// So many bytes.
    #[read(range(0, 65_535))]
    pub max_size: Option<u16>,
}

impl FilterType {
    fn name(self) -> &'static str {
        match self {
            Self::RequestHeaderModifier => "RequestHeaderModifier",
            Self::ResponseHeaderModifier => "ResponseHeaderModifier",
            Self::RequestMirror => "RequestMirror",
            Self::RequestRedirect => "RequestRedirect",
            Self::UrlRewrite => "URLRewrite",
            Self::ExtensionRef => "ExtensionRef",
            Self::Cors => "CORS",
            Self::ExternalAuth => "ExternalAuth",
        }
    }

    /// The field that says what it does.
    fn field(self) -> &'static str {
        match self {
            Self::RequestHeaderModifier => "requestHeaderModifier",
            Self::ResponseHeaderModifier => "responseHeaderModifier",
            Self::RequestMirror => "requestMirror",
            Self::RequestRedirect => "requestRedirect",
            Self::UrlRewrite => "urlRewrite",
            Self::ExtensionRef => "extensionRef",
            Self::Cors => "cors",
            Self::ExternalAuth => "externalAuth",
        }
    }

    const ALL: [Self; 8] = [
        Self::RequestHeaderModifier,
        Self::ResponseHeaderModifier,
        Self::RequestMirror,
        Self::RequestRedirect,
        Self::UrlRewrite,
        Self::ExtensionRef,
        Self::Cors,
        Self::ExternalAuth,
    ];
}

impl HttpFilter {
    fn kind(&self) -> FilterType {
        match self {
            Self::RequestHeaderModifier(_) => FilterType::RequestHeaderModifier,
            Self::ResponseHeaderModifier(_) => FilterType::ResponseHeaderModifier,
            Self::RequestMirror(_) => FilterType::RequestMirror,
            Self::RequestRedirect(_) => FilterType::RequestRedirect,
            Self::UrlRewrite(_) => FilterType::UrlRewrite,
            Self::ExtensionRef(_) => FilterType::ExtensionRef,
            Self::Cors(_) => FilterType::Cors,
            Self::ExternalAuth(_) => FilterType::ExternalAuth,
        }
    }

    /// The name of the field that says what it does, as `urlRewrite`.
    pub fn field(&self) -> &'static str {
        self.kind().field()
    }

    /// A filter of gRPC.
    pub(crate) fn read_grpc(node: &Node<'_>) -> Option<Self> {
        let it = WrittenGrpc::read(node)?;
        let kind = match it.kind {
            GrpcFilterType::ResponseHeaderModifier => FilterType::ResponseHeaderModifier,
            GrpcFilterType::RequestHeaderModifier => FilterType::RequestHeaderModifier,
            GrpcFilterType::RequestMirror => FilterType::RequestMirror,
            GrpcFilterType::ExtensionRef => FilterType::ExtensionRef,
        };
        Written {
            kind,
            request_header_modifier: it.request_header_modifier,
            response_header_modifier: it.response_header_modifier,
            request_mirror: it.request_mirror,
            extension_ref: it.extension_ref,
            request_redirect: None,
            url_rewrite: None,
            cors: None,
            external_auth: None,
        }
        .into_filter(node)
    }

    pub(crate) fn grpc_schema() -> Schema {
        WrittenGrpc::schema()
    }
}

impl Written {
    fn into_filter(self, node: &Node<'_>) -> Option<HttpFilter> {
        let kind = self.kind;
        let is_there = |field: &str| node.value().get(field).is_some_and(|it| !it.is_null());
        for other in FilterType::ALL {
            if other != kind && is_there(other.field()) {
                node.error_at(
                    other.field(),
                    &format!("has no place in a filter of type {}", kind.name()),
                );
            }
        }
        if !is_there(kind.field()) {
            node.error_at(
                kind.field(),
                &format!("is required of a filter of type {}", kind.name()),
            );
        }
        Some(match kind {
            FilterType::RequestHeaderModifier => {
                HttpFilter::RequestHeaderModifier(self.request_header_modifier?)
            }
            FilterType::ResponseHeaderModifier => {
                HttpFilter::ResponseHeaderModifier(self.response_header_modifier?)
            }
            FilterType::RequestMirror => HttpFilter::RequestMirror(self.request_mirror?),
            FilterType::RequestRedirect => HttpFilter::RequestRedirect(self.request_redirect?),
            FilterType::UrlRewrite => HttpFilter::UrlRewrite(self.url_rewrite?),
            FilterType::ExtensionRef => HttpFilter::ExtensionRef(self.extension_ref?),
            FilterType::Cors => HttpFilter::Cors(self.cors?),
            FilterType::ExternalAuth => HttpFilter::ExternalAuth(self.external_auth?),
        })
    }
}

impl Read for HttpFilter {
    fn read(node: &Node<'_>) -> Option<Self> {
        Written::read(node)?.into_filter(node)
    }

    fn schema() -> Schema {
        Written::schema()
    }
}

impl Read for PathModifier {
    fn read(node: &Node<'_>) -> Option<Self> {
        let written = WrittenPath::read(node)?;
        let (field, other, value) = match written.kind {
            PathModifierType::ReplaceFullPath => (
                "replaceFullPath",
                "replacePrefixMatch",
                written.replace_full_path,
            ),
            PathModifierType::ReplacePrefixMatch => (
                "replacePrefixMatch",
                "replaceFullPath",
                written.replace_prefix_match,
            ),
        };
        let is_there = |field: &str| node.value().get(field).is_some_and(|it| !it.is_null());
        if is_there(other) {
            node.error_at(other, &format!("has no place beside {field}"));
        }
        if !is_there(field) {
            node.error_at(field, "is required");
        }
        let value = value?;
        Some(match written.kind {
            PathModifierType::ReplaceFullPath => Self::ReplaceFullPath(value),
            PathModifierType::ReplacePrefixMatch => Self::ReplacePrefixMatch(value),
        })
    }

    fn schema() -> Schema {
        WrittenPath::schema()
    }
}

/// What the CRDs want of a list of filters.
pub(crate) fn check_filters(filters: &[HttpFilter], fields: &Fields<'_>) {
    values::at_most(fields, &[("filters", 16)]);
    let count = |kind: FilterType| filters.iter().filter(|it| it.kind() == kind).count();
    for kind in FilterType::ALL {
        let may_repeat = matches!(
            kind,
            FilterType::RequestMirror | FilterType::ExtensionRef | FilterType::ExternalAuth
        );
        if !may_repeat && count(kind) > 1 {
            let text = format!("{} is there more than once", kind.name());
            fields.error_at("filters", text);
        }
    }
    if count(FilterType::RequestRedirect) > 0 && count(FilterType::UrlRewrite) > 0 {
        fields.error_at(
            "filters",
            "RequestRedirect and URLRewrite exclude each other",
        );
    }
}

/// Whether one of the filters replaces the prefix that was matched, and its field.
pub(crate) fn replaces_prefix(filters: &[HttpFilter]) -> Option<(usize, &'static str)> {
    filters.iter().enumerate().find_map(|(index, filter)| {
        let path = match filter {
            HttpFilter::RequestRedirect(it) => it.path.as_ref(),
            HttpFilter::UrlRewrite(it) => it.path.as_ref(),
            _ => None,
        };
        matches!(path, Some(PathModifier::ReplacePrefixMatch(_)))
            .then(|| (index, filter.kind().field()))
    })
}

fn distinct_headers(read: HeaderModifier, fields: &Fields<'_>) -> Option<HeaderModifier> {
    values::at_most(fields, &[("set", 16), ("add", 16), ("remove", 16)]);
    values::distinct(fields, "set", read.set.iter().map(|it| it.name.as_str()));
    values::distinct(fields, "add", read.add.iter().map(|it| it.name.as_str()));
    values::distinct(fields, "remove", read.remove.iter().map(String::as_str));
    Some(read)
}

fn one_share(read: RequestMirror, fields: &Fields<'_>) -> Option<RequestMirror> {
    if fields.has("percent") && fields.has("fraction") {
        fields.error("percent and fraction exclude each other");
    }
    Some(read)
}

fn not_more_than_all(read: Fraction, fields: &Fields<'_>) -> Option<Fraction> {
    if read.numerator > read.denominator {
        let text = format!("is more than the denominator, {}", read.denominator);
        fields.error_at("numerator", text);
    }
    Some(read)
}

fn redirect_status(node: &Node<'_>) -> Option<u16> {
    match node.within::<u16>(0, 999)? {
        status @ (301 | 302 | 303 | 307 | 308) => Some(status),
        other => node.error(format!("{other} is not one of 301, 302, 303, 307, 308")),
    }
}

fn path(node: &Node<'_>) -> Option<String> {
    values::within(node, 0, 1_024)
}

fn auth_path(node: &Node<'_>) -> Option<String> {
    let path = values::within(node, 1, 1_024)?;
    match super::http_route::is_path(&path) {
        true => Some(path),
        false => node.error(format!("{path:?} is not a path")),
    }
}

/// `^http(s)?://` with a host that may begin with `*`, and a port; or `*`.
fn origin(node: &Node<'_>) -> Option<String> {
    let origin = values::within(node, 1, 253)?;
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let fits = |host: &str| {
        let (name, port) = host.split_once(':').unwrap_or((host, "0"));
        let name = match name.strip_prefix("*.") {
            Some(rest) => rest,
            None if name == "*" => "any",
            None => name,
        };
        let label =
            |it: &str| !it.is_empty() && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        name.split('.').all(label)
            && (1..=5).contains(&port.len())
            && port.chars().all(|c| c.is_ascii_digit())
    };
    match origin == "*" || host.is_some_and(fits) {
        true => Some(origin),
        false => node.error(format!(
            "{origin:?} is not an origin, as https://example.com, https://*.example.com or *"
        )),
    }
}

fn method_or_any(node: &Node<'_>) -> Option<String> {
    match node.text()? {
        "*" => Some("*".to_owned()),
        _ => super::http_route::method(node),
    }
}

fn checked_cors(read: CorsFilter, fields: &Fields<'_>) -> Option<CorsFilter> {
    let lists = [
        ("allowOrigins", &read.allow_origins, 64, true),
        ("allowMethods", &read.allow_methods, 9, true),
        ("allowHeaders", &read.allow_headers, 64, true),
        ("exposeHeaders", &read.expose_headers, 64, false),
    ];
    for (name, list, most, alone) in lists {
        values::at_most(fields, &[(name, most)]);
        values::distinct(fields, name, list.iter().map(String::as_str));
        if alone && list.len() > 1 && list.iter().any(|it| it == "*") {
            fields.error_at(name, "has * beside others, which it stands for");
        }
    }
    Some(read)
}

fn few_headers(read: GrpcAuth, fields: &Fields<'_>) -> Option<GrpcAuth> {
    values::at_most(fields, &[("allowedHeaders", 64)]);
    Some(read)
}

fn few_http_headers(read: HttpAuth, fields: &Fields<'_>) -> Option<HttpAuth> {
    values::at_most(
        fields,
        &[("allowedHeaders", 64), ("allowedResponseHeaders", 64)],
    );
    Some(read)
}

fn of_its_protocol(read: ExternalAuth, fields: &Fields<'_>) -> Option<ExternalAuth> {
    let (own, other, name) = match read.protocol {
        AuthProtocol::Http => ("http", "grpc", "HTTP"),
        AuthProtocol::Grpc => ("grpc", "http", "GRPC"),
    };
    if !fields.has(own) {
        fields.error_at(own, format!("is required with the protocol {name}"));
    }
    if fields.has(other) {
        fields.error_at(other, format!("has no place with the protocol {name}"));
    }
    Some(read)
}
