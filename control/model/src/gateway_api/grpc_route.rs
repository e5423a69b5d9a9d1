//! GRPCRoute: where calls of gRPC go, by what they call.

use tenon_model_derive::Read;

use super::http_filter::{self, HttpFilter};
use super::http_route::{self, DefaultGateways, MatchType, SessionPersistence};
use super::references::{self, BackendRef, ParentRef};
use super::values;
use crate::read::{Fields, Node};

/// Where calls of gRPC go, by what they call.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = checked)]
pub struct GrpcRoute {
    /// The gateways and listeners that are to have it.
    pub parent_refs: Vec<ParentRef>,
    /// The hosts of the calls that it is for, which may begin with `*.`; none: those of the listener.
    #[read(with = values::hostname)]
    pub hostnames: Vec<String>,
    /// What is done with calls.
    pub rules: Vec<GrpcRule>,
    /// Whether it is for default gateways, too.
    pub use_default_gateways: Option<DefaultGateways>,
}

/// What is done with calls.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = checked_rule)]
pub struct GrpcRule {
    /// Its name, by which others may refer to it.
    #[read(with = values::section)]
    pub name: Option<String>,
    /// Which calls: one must fit; all where there is none.
    pub matches: Vec<GrpcMatch>,
    /// What is done with them on their way.
    #[read(with = HttpFilter::read_grpc, schema = HttpFilter::grpc_schema)]
    pub filters: Vec<HttpFilter>,
    /// Where they go.
    pub backend_refs: Vec<GrpcBackendRef>,
    /// Whether calls of a session go to the same place.
    pub session_persistence: Option<SessionPersistence>,
}

/// Which calls: all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = checked_match)]
pub struct GrpcMatch {
    /// What they call; anything where it is left out.
    pub method: Option<GrpcMethodMatch>,
    /// Their headers.
    pub headers: Vec<GrpcHeaderMatch>,
}

/// Which services and methods: both must fit.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_method)]
pub struct GrpcMethodMatch {
    /// How they are compared.
    #[read(name = "type", default = MatchType::Exact)]
    pub kind: MatchType,
    /// The service; any where it is left out.
    #[read(with = name)]
    pub service: Option<String>,
    /// The method; any where it is left out.
    #[read(with = name)]
    pub method: Option<String>,
}

/// Which values of a header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_header)]
pub struct GrpcHeaderMatch {
    /// How they are compared.
    #[read(name = "type", default = MatchType::Exact)]
    pub kind: MatchType,
    /// Its name; case does not matter.
    #[read(with = values::header_name)]
    pub name: String,
    /// What they are compared with.
    #[read(with = header_value)]
    pub value: String,
}

/// Where a share of the calls goes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_backend)]
pub struct GrpcBackendRef {
    /// Where.
    #[read(flatten)]
    pub backend: BackendRef,
    /// The share: as much of the calls as this is of the sum of all.
    #[read(default = 1_u32, range(0, 1_000_000))]
    pub weight: u32,
    /// What is done with this share on its way.
    #[read(with = HttpFilter::read_grpc, schema = HttpFilter::grpc_schema)]
    pub filters: Vec<HttpFilter>,
}

fn checked(read: GrpcRoute, fields: &Fields<'_>) -> Option<GrpcRoute> {
    references::check_parents(&read.parent_refs, fields);
    values::at_most(fields, &[("hostnames", 16), ("rules", 16)]);
    http_route::check_matches(read.rules.iter().map(|it| it.matches.len()), fields);
    references::check_rule_names(read.rules.iter().map(|rule| rule.name.as_ref()), fields);
    Some(read)
}

fn checked_rule(read: GrpcRule, fields: &Fields<'_>) -> Option<GrpcRule> {
    values::at_most(fields, &[("matches", 64), ("backendRefs", 16)]);
    http_filter::check_filters(&read.filters, fields);
    Some(read)
}

fn checked_match(read: GrpcMatch, fields: &Fields<'_>) -> Option<GrpcMatch> {
    values::at_most(fields, &[("headers", 16)]);
    let names = read.headers.iter().map(|it| it.name.as_str());
    values::distinct(fields, "headers", names);
    Some(read)
}

fn checked_backend(read: GrpcBackendRef, fields: &Fields<'_>) -> Option<GrpcBackendRef> {
    http_filter::check_filters(&read.filters, fields);
    Some(read)
}

fn checked_header(read: GrpcHeaderMatch, fields: &Fields<'_>) -> Option<GrpcHeaderMatch> {
    http_route::check_value(read.kind, &read.value, fields);
    Some(read)
}

fn checked_method(read: GrpcMethodMatch, fields: &Fields<'_>) -> Option<GrpcMethodMatch> {
    if read.service.is_none() && read.method.is_none() {
        fields.error("needs a service, a method, or both");
    }
    let names = [
        ("service", &read.service, true),
        ("method", &read.method, false),
    ];
    for (field, name, dots) in names {
        let Some(name) = name else { continue };
        match read.kind {
            MatchType::Exact if !is_name(name, dots) => {
                fields.error_at(field, format!("{name:?} is not the name of a {field}"));
            }
            MatchType::Exact => {}
            MatchType::RegularExpression => {
                if let Err(reason) = crate::regex::check(name) {
                    let text = format!("invalid regular expression {name:?}: {reason}");
                    fields.error_at(field, text);
                }
            }
        }
    }
    Some(read)
}

/// `^(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$`, for methods without dots.
fn is_name(name: &str, dots: bool) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match dots {
        true => name.strip_prefix('.').unwrap_or(name).split('.').all(part),
        false => part(name),
    }
}

fn name(node: &Node<'_>) -> Option<String> {
    values::within(node, 0, 1_024)
}

fn header_value(node: &Node<'_>) -> Option<String> {
    values::within(node, 1, 4_096)
}
