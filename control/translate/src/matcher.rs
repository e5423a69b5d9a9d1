//! Which requests a route is for, in Envoy's terms.

use tenon_model::{HeaderMatcher, Matcher, PathMatcher, QueryMatcher, ValueMatcher};

use crate::proto::route::header_matcher::HeaderMatchSpecifier;
use crate::proto::route::query_parameter_matcher::QueryParameterMatchSpecifier;
use crate::proto::route::route_match::{ConnectMatcher, PathSpecifier};
use crate::proto::{boolean, exactly, matches, millionths, regex, route, share};

pub(crate) fn translate(matcher: &Matcher) -> route::RouteMatch {
    let mut headers: Vec<_> = matcher.headers.iter().map(header).collect();
    if !matcher.methods.is_empty() {
        headers.push(route::HeaderMatcher {
            name: ":method".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matches(
                &matcher.methods.join("|"),
            ))),
            ..route::HeaderMatcher::default()
        });
    }
    route::RouteMatch {
        path_specifier: Some(match &matcher.path {
            Some(PathMatcher::Prefix(prefix)) => PathSpecifier::Prefix(prefix.clone()),
            Some(PathMatcher::Parts(path)) => PathSpecifier::PathSeparatedPrefix(path.clone()),
            Some(PathMatcher::Exact(path)) => PathSpecifier::Path(path.clone()),
            Some(PathMatcher::Regex(pattern)) => PathSpecifier::SafeRegex(regex(pattern)),
            Some(PathMatcher::Connect) => PathSpecifier::ConnectMatcher(ConnectMatcher::default()),
            // Of a route that delegates and cannot be used.
            None => PathSpecifier::Prefix("/".to_owned()),
        }),
        // Expressions say themselves whether case matters.
        case_sensitive: match (&matcher.path, matcher.case_sensitive) {
            (Some(PathMatcher::Prefix(_) | PathMatcher::Exact(_)), false) => boolean(false),
            _ => None,
        },
        headers,
        query_parameters: matcher.query.iter().map(query).collect(),
        runtime_fraction: matcher.up_to.map(|up_to| share(millionths(up_to))),
        ..route::RouteMatch::default()
    }
}

fn header(matcher: &HeaderMatcher) -> route::HeaderMatcher {
    route::HeaderMatcher {
        name: matcher.name.clone(),
        invert_match: matcher.invert,
        header_match_specifier: Some(match &matcher.value {
            ValueMatcher::Present => HeaderMatchSpecifier::PresentMatch(true),
            ValueMatcher::Exact(value) => HeaderMatchSpecifier::StringMatch(exactly(value)),
            ValueMatcher::Regex(pattern) => HeaderMatchSpecifier::StringMatch(matches(pattern)),
        }),
        ..route::HeaderMatcher::default()
    }
}

fn query(matcher: &QueryMatcher) -> route::QueryParameterMatcher {
    route::QueryParameterMatcher {
        name: matcher.name.clone(),
        query_parameter_match_specifier: Some(match &matcher.value {
            ValueMatcher::Present => QueryParameterMatchSpecifier::PresentMatch(true),
            ValueMatcher::Exact(value) => QueryParameterMatchSpecifier::StringMatch(exactly(value)),
            ValueMatcher::Regex(pattern) => {
                QueryParameterMatchSpecifier::StringMatch(matches(pattern))
            }
        }),
    }
}
