//! How the health of an upstream's hosts is found out by asking them.

use std::time::Duration;

use serde_json::{Map, Value};
use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::header::{matched_name, value};
use crate::read::{Fields, Node};

/// How the health of hosts is found out by asking them.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = named)]
pub struct HealthCheck {
    /// What is asked.
    #[read(flatten)]
    pub checker: HealthChecker,
    /// How long an answer may take.
    #[read(with = Node::positive_duration)]
    pub timeout: Duration,
    /// How long between two questions.
    #[read(with = Node::positive_duration)]
    pub interval: Duration,
    /// After how many failures a healthy host is unhealthy. Of HTTP, a 503 and the like count at once.
    pub unhealthy_threshold: u32,
    /// After how many successes an unhealthy host is healthy. The first success of all counts at once.
    pub healthy_threshold: u32,
    /// The first question comes up to this much later.
    pub initial_jitter: Option<Duration>,
    /// Each further one comes up to this much later.
    pub interval_jitter: Option<Duration>,
    /// The same, in percent of the interval.
    pub interval_jitter_percent: Option<u32>,
    /// Whether a connection is used for more than one question; it is where this is left out.
    pub reuse_connection: Option<bool>,
    /// The interval as long as no request came for the upstream at all; 60s where it is left out.
    #[read(with = Node::positive_duration)]
    pub no_traffic_interval: Option<Duration>,
    /// The interval of hosts that are unhealthy; `interval` where it is left out.
    #[read(with = Node::positive_duration)]
    pub unhealthy_interval: Option<Duration>,
    /// The interval right after a host became unhealthy; `unhealthyInterval` where it is left out.
    #[read(with = Node::positive_duration)]
    pub unhealthy_edge_interval: Option<Duration>,
    /// The interval right after a host became healthy; `interval` where it is left out.
    #[read(with = Node::positive_duration)]
    pub healthy_edge_interval: Option<Duration>,
    /// A file on Envoy's machine to which changes of health are written.
    #[read(with = Node::non_empty)]
    pub event_log_path: Option<String>,
    /// Whether each failure is written there, not only changes.
    pub always_log_health_check_failures: bool,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum HealthChecker {
    /// A request.
    HttpHealthCheck(HttpHealthCheck),
    /// A connection, or bytes over it.
    TcpHealthCheck(TcpHealthCheck),
    /// `grpc.health.v1.Health`.
    GrpcHealthCheck(GrpcHealthCheck),
    /// What an extension of Envoy asks.
    CustomHealthCheck(CustomHealthCheck),
}

/// A request.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct HttpHealthCheck {
    /// The host that is asked for; the host's own address where it is left out.
    #[read(with = value)]
    pub host: Option<String>,
    /// The path that is asked for.
    #[read(with = path)]
    pub path: String,
    /// What the answer's `x-envoy-upstream-healthchecked-cluster` has to begin with.
    #[read(with = Node::non_empty)]
    pub service_name: Option<String>,
    /// Headers of the request.
    pub request_headers_to_add: Vec<HealthCheckHeader>,
    /// Headers that the request does not have.
    #[read(with = matched_name)]
    pub request_headers_to_remove: Vec<String>,
    /// Whether HTTP/2 is spoken.
    pub use_http2: bool,
    /// Statuses that are a success; 200 where none are said.
    pub expected_statuses: Vec<StatusRange>,
    /// What the answer has to be like.
    pub response_assertions: Option<ResponseAssertions>,
    /// The method; GET where it is left out.
    #[read(default)]
    pub method: Method,
}

/// Statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(finish = not_empty)]
pub struct StatusRange {
    /// The first.
    #[read(range(100, 599))]
    pub start: u16,
    /// The one after the last.
    #[read(range(101, 600))]
    pub end: u16,
}

/// A method. Protobuf's JSON has the numbers of these names, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum Method {
    /// GET
    #[default]
    MethodUnspecified,
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// Not possible.
    Connect,
    /// OPTIONS
    Options,
    /// TRACE
    Trace,
    /// PATCH
    Patch,
}

/// A header of a question.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HealthCheckHeader {
    /// What it is.
    #[read(flatten)]
    pub header: HeaderSource,
    /// Whether one that is there already stays; it does where this is left out.
    #[read(default = true)]
    pub append: bool,
}

/// What a header is.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum HeaderSource {
    /// A name and a value.
    Header(HeaderValue),
    /// All headers of a Secret.
    HeaderSecretRef(ObjectRef),
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HeaderValue {
    /// Its name.
    #[read(with = matched_name)]
    pub key: String,
    /// Its value.
    #[read(with = value, default)]
    pub value: String,
}

/// A connection, or bytes over it.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct TcpHealthCheck {
    /// What is sent; where it is left out, a connection is enough.
    pub send: Option<Payload>,
    /// What comes back, in this order, whatever is between.
    pub receive: Vec<Payload>,
}

/// Bytes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct Payload {
    /// As hexadecimal digits, as `000000FF`.
    #[read(with = hexadecimal)]
    pub text: String,
}

/// `grpc.health.v1.Health`.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct GrpcHealthCheck {
    /// Of which service; of the server where it is left out.
    pub service_name: Option<String>,
    /// The authority that is asked for; the host's own address where it is left out.
    #[read(with = value)]
    pub authority: Option<String>,
    /// Metadata of the question.
    pub initial_metadata: Vec<HealthCheckHeader>,
}

/// What an extension of Envoy asks.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = configured)]
pub struct CustomHealthCheck {
    /// Its name: `envoy.health_checkers.redis` or `envoy.health_checkers.thrift`.
    #[read(with = Node::non_empty)]
    pub name: String,
    /// How it is configured.
    #[read(flatten)]
    pub config: Option<CustomConfig>,
}

/// How an extension is configured.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum CustomConfig {
    /// Its fields.
    Config(Map<String, Value>),
    /// Its fields, and `@type`.
    TypedConfig(Map<String, Value>),
}

/// What an answer has to be like. Of Gloo's assertions Envoy itself can look for a text in the body:
/// `{responseMatchers: [{responseMatch: {body: {}, regex: '.*text.*'}}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = one_matcher)]
pub struct ResponseAssertions {
    /// What is looked for: one thing.
    #[read(required)]
    pub response_matchers: Vec<ResponseMatcher>,
    /// What the host is if it is not found: unhealthy.
    #[read(default)]
    pub no_match_health: HealthResult,
}

/// What is looked for, and what the host is if it is found.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = healthy)]
pub struct ResponseMatcher {
    /// What is looked for.
    pub response_match: ResponseMatch,
    /// What the host is if it is found: healthy.
    #[read(default)]
    pub match_health: HealthResult,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(
    ignored("ignoreErrorOnParse"),
    refused(
        jsonKey = "Envoy can only look for a text in the body",
        header = "Envoy can only look for a text in the body"
    )
)]
pub struct ResponseMatch {
    /// Where it is looked for.
    #[read(flatten)]
    pub source: Option<ResponseSource>,
    /// A text, written as `.*text.*`; here the text alone.
    #[read(with = literal_of)]
    pub regex: String,
}

/// Where something is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(one_of)]
pub enum ResponseSource {
    /// In the body.
    Body,
}

/// What a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum HealthResult {
    /// What is most natural.
    #[default]
    #[read(name = "default")]
    Default,
    /// Healthy.
    #[read(name = "healthy")]
    Healthy,
    /// Not possible.
    #[read(name = "degraded")]
    Degraded,
    /// Unhealthy.
    #[read(name = "unhealthy")]
    Unhealthy,
}

pub(crate) fn path(node: &Node<'_>) -> Option<String> {
    let path = value(node)?;
    match path.starts_with('/') {
        true => Some(path),
        false => node.error(format!("{path:?} is not a path: it has to start with /")),
    }
}

fn not_empty(range: StatusRange, fields: &Fields<'_>) -> Option<StatusRange> {
    if range.start >= range.end {
        fields.error(format!(
            "there is no status from {} to below {}",
            range.start, range.end
        ));
    }
    Some(range)
}

fn hexadecimal(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty()?;
    match text.len() % 2 == 0 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        true => Some(text),
        false => node.error(format!("{text:?} is not hexadecimal, as 000000FF")),
    }
}

const CHECKERS: [&str; 2] = [
    "envoy.health_checkers.redis",
    "envoy.health_checkers.thrift",
];

fn configured(check: CustomHealthCheck, fields: &Fields<'_>) -> Option<CustomHealthCheck> {
    if !CHECKERS.contains(&check.name.as_str()) {
        fields.error_at(
            "name",
            format!("{:?} is not one of {}", check.name, CHECKERS.join(", ")),
        );
    }
    Some(check)
}

fn named(check: HealthCheck, fields: &Fields<'_>) -> Option<HealthCheck> {
    if check.always_log_health_check_failures && check.event_log_path.is_none() {
        fields.error_at(
            "alwaysLogHealthCheckFailures",
            "needs eventLogPath: nothing else is written",
        );
    }
    if let HealthChecker::HttpHealthCheck(http) = &check.checker
        && http.method == Method::Connect
    {
        fields.error_at("httpHealthCheck.method", "CONNECT is not possible");
    }
    Some(check)
}

fn one_matcher(assertions: ResponseAssertions, fields: &Fields<'_>) -> Option<ResponseAssertions> {
    if assertions.response_matchers.len() > 1 {
        // The first that matches decides, so any of them is enough; to Envoy, all have to be there.
        fields.error_at(
            "responseMatchers[1]",
            "is one too many: Envoy can look for one text",
        );
    }
    if matches!(
        assertions.no_match_health,
        HealthResult::Healthy | HealthResult::Degraded
    ) {
        fields.error_at("noMatchHealth", "can only be unhealthy");
    }
    Some(assertions)
}

fn healthy(matcher: ResponseMatcher, fields: &Fields<'_>) -> Option<ResponseMatcher> {
    if matches!(
        matcher.match_health,
        HealthResult::Unhealthy | HealthResult::Degraded
    ) {
        fields.error_at("matchHealth", "can only be healthy");
    }
    Some(matcher)
}

fn literal_of(node: &Node<'_>) -> Option<String> {
    let regex = node.non_empty()?;
    literal(&regex).or_else(|| {
        node.error(format!(
            "{regex:?} is not possible: Envoy can only look for a text in the body, as '.*text.*'"
        ))
    })
}

/// The text that an expression of the form `.*text.*` looks for.
fn literal(regex: &str) -> Option<String> {
    let inner = regex.strip_prefix(".*")?.strip_suffix(".*")?;
    let mut text = String::new();
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        text.push(match c {
            '\\' => rest.next().filter(|c| c.is_ascii_punctuation())?,
            c if r".+*?()|[]{}^$".contains(c) => return None,
            c => c,
        });
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_expressions_that_are_nothing_else() {
        for (regex, text) in [
            (".*ok.*", Some("ok")),
            (r#".*"status":"up".*"#, Some(r#""status":"up""#)),
            (r".*a\.b.*", Some("a.b")),
            (".*.*", None),
            (".*", None),
            ("ok", None),
            (".*a|b.*", None),
            (r".*\d.*", None),
        ] {
            assert_eq!(literal(regex).as_deref(), text, "{regex}");
        }
    }
}
