//! HTTPRoute: where requests go, by what they ask for.

use std::time::Duration;

use tenon_model_derive::Read;

use super::http_filter::{self, HttpFilter};
use super::references::{self, BackendRef, ParentRef};
use super::values;
use crate::read::{Fields, Node, Read};
use crate::regex;

/// Where requests go, by what they ask for.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = checked)]
pub struct HttpRoute {
    /// The gateways and listeners that are to have it.
    pub parent_refs: Vec<ParentRef>,
    /// The hosts of the requests that it is for, which may begin with `*.`; none: those of the listener.
    #[read(with = values::hostname)]
    pub hostnames: Vec<String>,
    /// What is done with requests; one rule for all of them where it is left out.
    pub rules: Vec<HttpRule>,
    /// Whether it is for default gateways, too.
    pub use_default_gateways: Option<DefaultGateways>,
}

/// Which default gateways have a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum DefaultGateways {
    /// All.
    #[read(name = "All")]
    All,
    /// None.
    #[read(name = "None")]
    None,
}

/// What is done with requests.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = checked_rule)]
pub struct HttpRule {
    /// Its name, by which others may refer to it.
    #[read(with = values::section)]
    pub name: Option<String>,
    /// Which requests: one must fit; all where there is none.
    pub matches: Vec<HttpMatch>,
    /// What is done with them on their way.
    pub filters: Vec<HttpFilter>,
    /// Where they go.
    pub backend_refs: Vec<HttpBackendRef>,
    /// How long it may take.
    pub timeouts: Option<Timeouts>,
    /// Whether failures are tried again.
    pub retry: Option<Retry>,
    /// Whether requests of a session go to the same place.
    pub session_persistence: Option<SessionPersistence>,
}

/// Which requests: all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_match)]
pub struct HttpMatch {
    /// Their path; any where it is left out.
    #[read(default)]
    pub path: PathMatch,
    /// Their headers.
    pub headers: Vec<HeaderMatch>,
    /// Their query.
    pub query_params: Vec<QueryParamMatch>,
    /// Their method; any where it is left out.
    #[read(with = method)]
    pub method: Option<String>,
}

/// Which paths.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_path)]
pub struct PathMatch {
    /// How they are compared.
    #[read(name = "type", default = PathMatchType::PathPrefix)]
    pub kind: PathMatchType,
    /// What they are compared with.
    #[read(default = "/")]
    pub value: String,
}

/// How paths are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Read)]
#[read(by_name)]
pub enum PathMatchType {
    /// They are this one.
    #[read(name = "Exact")]
    Exact,
    /// They begin with the parts of this one.
    #[read(name = "PathPrefix")]
    PathPrefix,
    /// They match this expression as a whole.
    #[read(name = "RegularExpression")]
    RegularExpression,
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum MatchType {
    /// They are this one.
    #[read(name = "Exact")]
    Exact,
    /// They match this expression as a whole.
    #[read(name = "RegularExpression")]
    RegularExpression,
}

/// Which values of a header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_header)]
pub struct HeaderMatch {
    /// How they are compared.
    #[read(name = "type", default = MatchType::Exact)]
    pub kind: MatchType,
    /// Its name; case does not matter. Of several of the same name the first counts.
    #[read(with = values::header_name)]
    pub name: String,
    /// What they are compared with.
    #[read(with = values::header_value)]
    pub value: String,
}

/// Which values of a query parameter.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_param)]
pub struct QueryParamMatch {
    /// How they are compared.
    #[read(name = "type", default = MatchType::Exact)]
    pub kind: MatchType,
    /// Its name. Of several of the same name the first counts.
    #[read(with = values::header_name)]
    pub name: String,
    /// What they are compared with.
    #[read(with = param_value)]
    pub value: String,
}

/// Where a share of the requests goes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_backend)]
pub struct HttpBackendRef {
    /// Where.
    #[read(flatten)]
    pub backend: BackendRef,
    /// The share: as much of the requests as this is of the sum of all.
    #[read(default = 1_u32, range(0, 1_000_000))]
    pub weight: u32,
    /// What is done with this share on its way.
    pub filters: Vec<HttpFilter>,
}

/// How long requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
#[read(finish = checked_timeouts)]
pub struct Timeouts {
    /// With all its tries; zero: for ever.
    #[read(with = values::time)]
    pub request: Option<Duration>,
    /// One try; zero: for ever.
    #[read(with = values::time)]
    pub backend_request: Option<Duration>,
}

/// Whether failures are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Retry {
    /// The statuses that are failures.
    #[read(range(400, 599))]
    pub codes: Vec<u16>,
    /// How many times more.
    pub attempts: Option<u32>,
    /// How long to wait in between, at least.
    #[read(with = values::time)]
    pub backoff: Option<Duration>,
}

/// Whether requests of a session go to the same place.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_session)]
pub struct SessionPersistence {
    /// The name of the cookie or header.
    #[read(with = session_name)]
    pub session_name: Option<String>,
    /// How long a session lasts.
    #[read(with = values::time)]
    pub absolute_timeout: Option<Duration>,
    /// How long a session may be silent.
    #[read(with = values::time)]
    pub idle_timeout: Option<Duration>,
    /// What a session is known by.
    #[read(name = "type", default = SessionType::Cookie)]
    pub kind: SessionType,
    /// How long its cookie is kept.
    pub cookie_config: Option<CookieConfig>,
}

/// What a session is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum SessionType {
    /// A cookie.
    #[read(name = "Cookie")]
    Cookie,
    /// A header.
    #[read(name = "Header")]
    Header,
}

/// How long a cookie is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct CookieConfig {
    /// As long as what.
    #[read(default = CookieLifetime::Session)]
    pub lifetime_type: CookieLifetime,
}

/// As long as what a cookie is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum CookieLifetime {
    /// `absoluteTimeout`.
    #[read(name = "Permanent")]
    Permanent,
    /// The browser's session.
    #[read(name = "Session")]
    Session,
}

impl Default for PathMatch {
    /// Any.
    fn default() -> Self {
        Self {
            kind: PathMatchType::PathPrefix,
            value: "/".to_owned(),
        }
    }
}

impl Default for HttpMatch {
    /// Any request.
    fn default() -> Self {
        Self {
            path: PathMatch::default(),
            headers: Vec::new(),
            query_params: Vec::new(),
            method: None,
        }
    }
}

/// The most rules, matches of one, and matches of all.
const MOST_RULES: usize = 16;
const MOST_MATCHES: usize = 64;
const MOST_MATCHES_OF_ALL: usize = 128;

fn checked(mut read: HttpRoute, fields: &Fields<'_>) -> Option<HttpRoute> {
    references::check_parents(&read.parent_refs, fields);
    values::at_most(fields, &[("hostnames", 16), ("rules", MOST_RULES)]);
    match (fields.has("rules"), fields.items("rules")) {
        (true, 0) => fields.error_at("rules", "must not be empty"),
        (false, _) => read.rules.push(HttpRule {
            matches: vec![HttpMatch::default()],
            ..HttpRule::empty()
        }),
        _ => {}
    }
    let matches = read.rules.iter().map(|rule| rule.matches.len());
    check_matches(matches, fields);
    references::check_rule_names(read.rules.iter().map(|rule| rule.name.as_ref()), fields);
    Some(read)
}

pub(crate) fn check_matches(of_rules: impl Iterator<Item = usize>, fields: &Fields<'_>) {
    let all: usize = of_rules.sum();
    if all > MOST_MATCHES_OF_ALL {
        let text = format!("have {all} matches in all; at most {MOST_MATCHES_OF_ALL} are possible");
        fields.error_at("rules", text);
    }
}

impl HttpRule {
    fn empty() -> Self {
        Self {
            name: None,
            matches: Vec::new(),
            filters: Vec::new(),
            backend_refs: Vec::new(),
            timeouts: None,
            retry: None,
            session_persistence: None,
        }
    }
}

fn checked_rule(mut read: HttpRule, fields: &Fields<'_>) -> Option<HttpRule> {
    values::at_most(fields, &[("matches", MOST_MATCHES), ("backendRefs", 16)]);
    http_filter::check_filters(&read.filters, fields);
    if !fields.has("matches") {
        read.matches = vec![HttpMatch::default()];
    }
    let redirects = |it: &HttpFilter| matches!(it, HttpFilter::RequestRedirect(_));
    if fields.items("backendRefs") > 0 && read.filters.iter().any(redirects) {
        fields.error_at(
            "filters",
            "RequestRedirect has no place beside backendRefs: no request goes there",
        );
    }
    let one_prefix = match &read.matches[..] {
        [one] => one.path.kind == PathMatchType::PathPrefix,
        _ => false,
    };
    let text = "replacePrefixMatch needs exactly one match, with a path of type PathPrefix";
    if !one_prefix && let Some((index, field)) = http_filter::replaces_prefix(&read.filters) {
        fields.error_at(&format!("filters[{index}].{field}.path"), text);
    }
    for (number, backend) in read.backend_refs.iter().enumerate() {
        if !one_prefix && let Some((index, field)) = http_filter::replaces_prefix(&backend.filters)
        {
            let field = format!("backendRefs[{number}].filters[{index}].{field}.path");
            fields.error_at(&field, text);
        }
    }
    Some(read)
}

fn checked_match(read: HttpMatch, fields: &Fields<'_>) -> Option<HttpMatch> {
    values::at_most(fields, &[("headers", 16), ("queryParams", 16)]);
    let headers = read.headers.iter().map(|it| it.name.as_str());
    values::distinct(fields, "headers", headers);
    let params = read.query_params.iter().map(|it| it.name.as_str());
    values::distinct(fields, "queryParams", params);
    Some(read)
}

fn checked_path(read: PathMatch, fields: &Fields<'_>) -> Option<PathMatch> {
    if let Some(reason) = wrong_path(&read) {
        fields.error_at("value", reason);
    }
    Some(read)
}

fn wrong_path(read: &PathMatch) -> Option<String> {
    let value = &read.value;
    if value.chars().count() > 1_024 {
        return Some("has more than 1024 characters".to_owned());
    }
    if read.kind == PathMatchType::RegularExpression {
        return wrong_regex(value);
    }
    if !value.starts_with('/') {
        return Some(format!("{value:?} must start with /"));
    }
    for never in ["//", "/./", "/../", "%2f", "%2F", "#"] {
        if value.contains(never) {
            return Some(format!("{value:?} must not hold {never}"));
        }
    }
    if value.ends_with("/..") || value.ends_with("/.") {
        return Some(format!("{value:?} must not end with /. or /.."));
    }
    (!is_path(value)).then(|| format!("{value:?} has characters that no path has"))
}

/// An expression that Envoy takes; the CRDs leave this to implementations.
fn wrong_regex(value: &str) -> Option<String> {
    let wrong = regex::check(value).err()?;
    Some(format!("invalid regular expression {value:?}: {wrong}"))
}

/// `^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$`
pub(crate) fn is_path(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut any = false;
    while let Some(byte) = bytes.next() {
        any = true;
        let hex = |byte: Option<u8>| byte.is_some_and(|it| it.is_ascii_hexdigit());
        let fits = match byte {
            b'%' => hex(bytes.next()) && hex(bytes.next()),
            _ => byte.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(&byte),
        };
        if !fits {
            return false;
        }
    }
    any
}

/// A method that the CRDs know.
pub(crate) fn method(node: &Node<'_>) -> Option<String> {
    const METHODS: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    let method = String::read(node)?;
    match METHODS.contains(&method.as_str()) {
        true => Some(method),
        false => node.error(format!("{method:?} is not one of {}", METHODS.join(", "))),
    }
}

fn param_value(node: &Node<'_>) -> Option<String> {
    values::within(node, 1, 1_024)
}

fn session_name(node: &Node<'_>) -> Option<String> {
    values::within(node, 0, 128)
}

fn checked_header(read: HeaderMatch, fields: &Fields<'_>) -> Option<HeaderMatch> {
    check_value(read.kind, &read.value, fields);
    Some(read)
}

fn checked_param(read: QueryParamMatch, fields: &Fields<'_>) -> Option<QueryParamMatch> {
    check_value(read.kind, &read.value, fields);
    Some(read)
}

pub(crate) fn check_value(kind: MatchType, value: &str, fields: &Fields<'_>) {
    if kind == MatchType::RegularExpression
        && let Some(reason) = wrong_regex(value)
    {
        fields.error_at("value", reason);
    }
}

fn checked_backend(read: HttpBackendRef, fields: &Fields<'_>) -> Option<HttpBackendRef> {
    http_filter::check_filters(&read.filters, fields);
    Some(read)
}

fn checked_timeouts(read: Timeouts, fields: &Fields<'_>) -> Option<Timeouts> {
    if let (Some(request), Some(backend)) = (read.request, read.backend_request)
        && !request.is_zero()
        && backend > request
    {
        fields.error_at(
            "backendRequest",
            "is longer than request, which has all tries in it",
        );
    }
    Some(read)
}

fn checked_session(read: SessionPersistence, fields: &Fields<'_>) -> Option<SessionPersistence> {
    let permanent = read
        .cookie_config
        .is_some_and(|it| it.lifetime_type == CookieLifetime::Permanent);
    if permanent && !fields.has("absoluteTimeout") {
        fields.error_at(
            "absoluteTimeout",
            "is required where the cookie is permanent",
        );
    }
    if fields.has("cookieConfig") && read.kind != SessionType::Cookie {
        fields.error_at("cookieConfig", "has no place with the type Header");
    }
    Some(read)
}
