//! Which of several matches counts.

use std::cmp::Reverse;
use std::sync::Arc;

use tenon_model::gateway_api::{GrpcMatch, HttpMatch, MatchType, PathMatchType};
use tenon_model::{Object, ObjectKey};

/// The place of a match among those of all routes for a host: what is less comes first.
///
/// "Proxy or Load Balancer routing configuration generated from HTTPRoutes MUST prioritize matches based on the following
/// criteria, continuing on ties": an exact path; the longest prefix; a method; the most headers; the most query
/// parameters; the oldest route; the first by namespace and name; the first rule. Where expressions stand is left to
/// implementations: behind exact paths, whatever their length, as with Gloo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Precedence {
    path: PathOrder,
    without_method: bool,
    headers: Reverse<usize>,
    params: Reverse<usize>,
    route: Arc<RouteOrder>,
    rule: usize,
    index: usize,
}

/// The place of a match by its path; of gRPC, by the service and then by the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PathOrder(u8, Reverse<usize>, Reverse<usize>);

/// The place of a route among others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteOrder {
    /// One that does not say when it was made is younger than all that do.
    age: (bool, i64),
    namespace: Arc<str>,
    name: Arc<str>,
}

impl RouteOrder {
    pub(crate) fn of(key: &ObjectKey, object: &Object) -> Self {
        let created = object.metadata.as_ref().and_then(|it| it.created);
        Self {
            age: (created.is_none(), created.unwrap_or_default()),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }

    #[cfg(test)]
    pub(crate) fn without_age(key: &ObjectKey) -> Self {
        Self {
            age: (true, 0),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

impl Precedence {
    /// The place of a match of a child that is left requests by another route.
    pub(crate) fn under(self, route: &Arc<RouteOrder>, (rule, index): (usize, usize)) -> Self {
        Self {
            route: route.clone(),
            rule,
            index,
            ..self
        }
    }

    pub(crate) fn of_http(
        matches: &HttpMatch,
        route: &Arc<RouteOrder>,
        (rule, index): (usize, usize),
    ) -> Self {
        let length = matches.path.value.trim_end_matches('/').chars().count();
        let path = match matches.path.kind {
            PathMatchType::Exact => PathOrder(0, Reverse(0), Reverse(0)),
            PathMatchType::RegularExpression => PathOrder(1, Reverse(0), Reverse(0)),
            PathMatchType::PathPrefix => PathOrder(2, Reverse(length), Reverse(0)),
        };
        Self {
            path,
            without_method: matches.method.is_none(),
            headers: Reverse(matches.headers.len()),
            params: Reverse(matches.query_params.len()),
            route: route.clone(),
            rule,
            index,
        }
    }

    /// "The rule ... with the largest number of: characters in a matching service; characters in a matching method; header
    /// matches", then as with HTTP. Where expressions stand is left to implementations: behind names.
    pub(crate) fn of_grpc(
        matches: &GrpcMatch,
        route: &Arc<RouteOrder>,
        (rule, index): (usize, usize),
    ) -> Self {
        let length = |it: &Option<String>| Reverse(it.as_ref().map_or(0, |it| it.chars().count()));
        let path = match &matches.method {
            Some(it) => {
                let kind = match it.kind {
                    MatchType::Exact => 0,
                    MatchType::RegularExpression => 1,
                };
                PathOrder(kind, length(&it.service), length(&it.method))
            }
            None => PathOrder(2, Reverse(0), Reverse(0)),
        };
        Self {
            path,
            without_method: false,
            headers: Reverse(matches.headers.len()),
            params: Reverse(0),
            route: route.clone(),
            rule,
            index,
        }
    }
}
