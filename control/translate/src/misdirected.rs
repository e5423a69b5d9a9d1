//! Requests that a connection is not for: where several listeners for HTTPS share a port, a client may keep a connection
//! that it made with the name of one of them for hosts of others, if it likes the certificate. It is told to make another
//! one (RFC 9110, 421), so that no listener's certificates and demands are got round.
//!
//! All of them have one route table. Each listener writes its hostname into a header of each request, and the first route
//! of each of its virtual hosts answers those that come from another one: so nothing but a change of the listeners changes
//! any of it.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::matcher_list::Predicate;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::matcher_list::predicate::{
    MatchType, PredicateList, SinglePredicate, single_predicate,
};
use envoy_types::pb::xds::r#type::matcher::v3::regex_matcher::{EngineType, GoogleRe2};
use envoy_types::pb::xds::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::xds::r#type::matcher::v3::{RegexMatcher, StringMatcher};
use prost::Message;
use tenon_model::SslConfig;

use crate::http_filters;
use crate::proto::route::header_matcher::HeaderMatchSpecifier;
use crate::proto::route::route_match::PathSpecifier;
use crate::proto::{exactly, route};
use crate::wire::{PerFilter, any};

/// The header in which a listener tells routes which one it is.
pub(crate) const HEADER: &str = "x-tenon-listener";

/// What a listener without a hostname says.
const ANY: &str = "*";

/// The listener that those with this TLS belong to, if its port has others for HTTPS, too.
pub(crate) fn listener(ssl: &SslConfig) -> Option<&str> {
    let hostname = ssl.sni_domains.first();
    ssl.turns_away.then(|| hostname.map_or(ANY, String::as_str))
}

/// The first route of a virtual host of a listener, encoded; `on` are the filters that are on for all of them.
///
/// A listener that is about to have its first neighbour does not say what it is yet: its requests are its own.
pub(crate) fn answer(host: &str, listener: &str, on: &BTreeSet<String>) -> Vec<u8> {
    let on_header = |specifier, invert_match| route::HeaderMatcher {
        name: HEADER.to_owned(),
        header_match_specifier: Some(specifier),
        invert_match,
        ..route::HeaderMatcher::default()
    };
    let here = HeaderMatchSpecifier::StringMatch(exactly(listener));
    let mut bytes = route::Route {
        name: format!("{host}-misdirected"),
        r#match: Some(route::RouteMatch {
            path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
            headers: vec![
                on_header(HeaderMatchSpecifier::PresentMatch(true), false),
                on_header(here, true),
            ],
            ..route::RouteMatch::default()
        }),
        action: Some(route::route::Action::DirectResponse(
            route::DirectResponseAction {
                status: 421,
                ..route::DirectResponseAction::default()
            },
        )),
        ..route::Route::default()
    }
    .encode_to_vec();
    let configs = http_filters::idle(on).collect();
    bytes.extend(PerFilter { configs }.encode_to_vec());
    bytes
}

/// What is true of requests that come from another listener.
pub(crate) fn comes_from_elsewhere(listener: &str) -> Predicate {
    let said = on_header(MatchPattern::SafeRegex(RegexMatcher {
        engine_type: Some(EngineType::GoogleRe2(GoogleRe2 {})),
        regex: ".+".to_owned(),
    }));
    let here = on_header(MatchPattern::Exact(listener.to_owned()));
    let elsewhere = predicate(MatchType::NotMatcher(Box::new(here)));
    predicate(MatchType::AndMatcher(PredicateList {
        predicate: vec![said, elsewhere],
    }))
}

fn on_header(pattern: MatchPattern) -> Predicate {
    let input = TypedExtensionConfig {
        name: "listener".to_owned(),
        typed_config: Some(any(&HttpRequestHeaderMatchInput {
            header_name: HEADER.to_owned(),
        })),
    };
    let text = StringMatcher {
        match_pattern: Some(pattern),
        ..StringMatcher::default()
    };
    predicate(MatchType::SinglePredicate(SinglePredicate {
        input: Some(input),
        matcher: Some(single_predicate::Matcher::ValueMatch(text)),
    }))
}

fn predicate(kind: MatchType) -> Predicate {
    Predicate {
        match_type: Some(kind),
    }
}
