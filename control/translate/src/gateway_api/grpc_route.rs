//! A GRPCRoute's rules: those of an HTTPRoute whose paths say what is called.

use std::borrow::Cow;
use std::sync::Arc;

use tenon_model::gateway_api::{
    GrpcMatch, GrpcMethodMatch, GrpcRoute, GrpcRule, HeaderMatch, HttpBackendRef, HttpMatch,
    HttpRule, MatchType, PathMatch, PathMatchType,
};
use tenon_model::{Object, ObjectKey};

use super::http_route::Rules;
use super::precedence::{Precedence, RouteOrder};
use super::{Known, Seen};

/// Any service or method.
const ANY: &str = "[^/]+";

pub(crate) fn compile(
    key: &ObjectKey,
    object: &Object,
    route: &GrpcRoute,
    known: &Seen<'_, impl Known>,
) -> Rules {
    let rules = route.rules.iter();
    let rules = rules.map(|rule| Cow::Owned(of_http(rule, matches(rule))));
    let precedence = |order: &Arc<RouteOrder>, (rule, index): (usize, usize)| {
        Precedence::of_grpc(&matches(&route.rules[rule])[index], order, (rule, index))
    };
    Rules::compile("grpcroute", (key, object), rules, precedence, known)
}

/// A rule without matches is for all calls.
fn matches(rule: &GrpcRule) -> &[GrpcMatch] {
    static ALL: [GrpcMatch; 1] = [GrpcMatch {
        method: None,
        headers: Vec::new(),
    }];
    match &rule.matches[..] {
        [] => &ALL,
        some => some,
    }
}

fn of_http(rule: &GrpcRule, matches: &[GrpcMatch]) -> HttpRule {
    let backends = rule.backend_refs.iter().map(|it| HttpBackendRef {
        backend: it.backend.clone(),
        weight: it.weight,
        filters: it.filters.clone(),
    });
    HttpRule {
        name: rule.name.clone(),
        matches: matches.iter().map(matched).collect(),
        filters: rule.filters.clone(),
        backend_refs: backends.collect(),
        timeouts: None,
        retry: None,
        session_persistence: rule.session_persistence.clone(),
    }
}

fn matched(from: &GrpcMatch) -> HttpMatch {
    let headers = from.headers.iter().map(|it| HeaderMatch {
        kind: it.kind,
        name: it.name.clone(),
        value: it.value.clone(),
    });
    let path = from.method.as_ref().map(path);
    HttpMatch {
        path: path.unwrap_or(PathMatch {
            kind: PathMatchType::PathPrefix,
            value: "/".to_owned(),
        }),
        headers: headers.collect(),
        query_params: Vec::new(),
        method: None,
    }
}

/// `/service/method`, as gRPC has it in `:path`.
fn path(from: &GrpcMethodMatch) -> PathMatch {
    let given = |name: &Option<String>| name.clone().filter(|it| !it.is_empty());
    let (service, method) = (given(&from.service), given(&from.method));
    let (kind, value) = match (from.kind, service, method) {
        (_, None, None) => (PathMatchType::PathPrefix, "/".to_owned()),
        (MatchType::Exact, Some(service), Some(method)) => {
            (PathMatchType::Exact, format!("/{service}/{method}"))
        }
        (MatchType::Exact, Some(service), None) => {
            (PathMatchType::PathPrefix, format!("/{service}"))
        }
        // The model has names without characters that expressions make something of.
        (_, service, method) => {
            let part = |part: Option<String>| match part {
                Some(part) => format!("(?:{part})"),
                None => ANY.to_owned(),
            };
            let value = format!("/{}/{}", part(service), part(method));
            (PathMatchType::RegularExpression, value)
        }
    };
    PathMatch { kind, value }
}
