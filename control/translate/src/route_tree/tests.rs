//! A model of what Envoy does with a virtual host (`source/common/router/config_impl.cc`), of a list and of a tree.

use envoy_types::pb::xds::r#type::matcher::v3 as xds;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::prelude::*;
use xds::matcher::matcher_tree::{MatchMap, TreeType};
use xds::matcher::{MatcherType, OnMatch};

use super::*;
use crate::proto::{boolean, exactly, matches, regex};

/// A request: its path, if it has one, and the values of its one header.
#[derive(Debug, Clone)]
struct Request {
    path: Option<String>,
    header: Option<String>,
}

fn text_fits(pattern: &MatchPattern, value: &str) -> bool {
    match pattern {
        MatchPattern::Exact(text) => value == text,
        MatchPattern::SafeRegex(pattern) => whole(&pattern.regex, value),
        other => panic!("{other:?}"),
    }
}

fn whole(pattern: &str, value: &str) -> bool {
    let pattern = regex_lite::Regex::new(&format!("^(?:{pattern})$")).unwrap();
    pattern.is_match(value)
}

fn header_fits(condition: &route::HeaderMatcher, request: &Request) -> bool {
    let value = match &*condition.name {
        PATH => &request.path,
        _ => &request.header,
    };
    // Without a value nothing fits, inverted or not.
    let Some(value) = value else { return false };
    let fits = match condition.header_match_specifier.as_ref().unwrap() {
        HeaderMatchSpecifier::StringMatch(text) => {
            text_fits(text.match_pattern.as_ref().unwrap(), value)
        }
        other => panic!("{other:?}"),
    };
    fits != condition.invert_match
}

fn fits(route: &route::Route, request: &Request) -> bool {
    let of = route.r#match.as_ref().unwrap();
    let case_matters = of.case_sensitive.is_none_or(|it| it.value);
    let text = |text: &str| match case_matters {
        true => text.to_owned(),
        false => text.to_ascii_lowercase(),
    };
    let path = request.path.as_deref();
    let bare = path.map(|path| path.split(['?', '#']).next().unwrap());
    let by_path = match (of.path_specifier.as_ref().unwrap(), bare) {
        (PathSpecifier::ConnectMatcher(_), path) => path.is_none(),
        (_, None) => false,
        (PathSpecifier::Prefix(prefix), Some(path)) => text(path).starts_with(&text(prefix)),
        (PathSpecifier::PathSeparatedPrefix(prefix), Some(path)) => {
            let (path, prefix) = (text(path), text(prefix));
            path == prefix || path.starts_with(&format!("{prefix}/"))
        }
        (PathSpecifier::Path(exact), Some(path)) => text(path) == text(exact),
        (PathSpecifier::SafeRegex(pattern), Some(path)) => whole(&pattern.regex, path),
        (other, _) => panic!("{other:?}"),
    };
    by_path && of.headers.iter().all(|it| header_fits(it, request))
}

/// The name of the first that fits.
fn first<'a>(routes: &'a [route::Route], request: &Request) -> Option<&'a str> {
    let mut fitting = routes.iter().filter(|route| fits(route, request));
    fitting.next().map(|route| &*route.name)
}

fn listed(found: &OnMatch) -> Vec<route::Route> {
    let Some(xds::matcher::on_match::OnMatch::Action(action)) = &found.on_match else {
        panic!("{found:?}")
    };
    let action = action.typed_config.as_ref().unwrap();
    assert_eq!(action.type_url, route::RouteList::type_url());
    route::RouteList::decode(&*action.value).unwrap().routes
}

fn by_prefix(matcher: &xds::Matcher) -> &MatchMap {
    let Some(MatcherType::MatcherTree(tree)) = &matcher.matcher_type else {
        panic!("{matcher:?}")
    };
    let input = tree.input.as_ref().unwrap().typed_config.as_ref().unwrap();
    assert_eq!(input.type_url, HttpRequestHeaderMatchInput::type_url());
    let Some(TreeType::PrefixMatchMap(map)) = &tree.tree_type else {
        panic!("{tree:?}")
    };
    map
}

/// What a virtual host answers a request with, whether it has a list or a tree.
fn answer(host: &route::VirtualHost, request: &Request) -> Option<String> {
    let Some(matcher) = &host.matcher else {
        return first(&host.routes, request).map(str::to_owned);
    };
    assert!(host.routes.is_empty());
    let path = request.path.as_deref().unwrap_or_default();
    let keys = by_prefix(matcher).map.iter();
    let longest = keys
        .filter(|(key, _)| path.starts_with(key.as_str()))
        .max_by_key(|(key, _)| key.len());
    let otherwise = matcher.on_no_match.as_deref();
    let found = longest.map(|(_, found)| found).or(otherwise)?;
    first(&listed(found), request).map(str::to_owned)
}

fn host(routes: &[route::Route]) -> route::VirtualHost {
    let list = route::VirtualHost {
        routes: routes.to_vec(),
        ..route::VirtualHost::default()
    };
    let mut bytes = list.encode_to_vec();
    plant(&mut bytes, 0, None);
    route::VirtualHost::decode(&*bytes).unwrap()
}

fn route_of(number: usize, of: route::RouteMatch) -> route::Route {
    route::Route {
        name: format!("r{number}"),
        r#match: Some(of),
        ..route::Route::default()
    }
}

/// Of few letters, so that many begin alike.
fn path() -> impl Strategy<Value = String> {
    let parts = vec(prop_oneof!["[ab]{0,2}", "[ABé1.]", "(ab|\\?|;)a"], 0..4);
    parts.prop_map(|parts| format!("/{}", parts.join("/")))
}

fn condition() -> impl Strategy<Value = route::HeaderMatcher> {
    let value = prop_oneof![
        Just(("x-a", exactly("1"))),
        Just(("x-a", matches("1|2"))),
        path().prop_map(|path| (PATH, exactly(&path))),
        Just((PATH, matches("/a[^/?]*(\\?.*)?"))),
        Just((PATH, matches("/ab|/b.*"))),
        Just((PATH, matches("/(?i)ab.*"))),
    ];
    (value, any::<bool>()).prop_map(|((name, text), invert_match)| route::HeaderMatcher {
        name: name.to_owned(),
        invert_match,
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(text)),
        ..route::HeaderMatcher::default()
    })
}

fn matching() -> impl Strategy<Value = route::RouteMatch> {
    let by_path = prop_oneof![
        6 => path().prop_map(PathSpecifier::Prefix),
        6 => path().prop_map(PathSpecifier::Path),
        3 => path().prop_map(PathSpecifier::PathSeparatedPrefix),
        1 => Just(PathSpecifier::Prefix("/".to_owned())),
        1 => Just(PathSpecifier::Prefix(String::new())),
        1 => Just(PathSpecifier::ConnectMatcher(route::route_match::ConnectMatcher::default())),
        2 => prop_oneof![
            Just("/a/.*"), Just("/ab?"), Just("/a|/b"), Just("(/a/b)+"), Just("/b\\.a.*"),
            Just("/a/[ab]/.*"), Just(".*b"), Just("/a{2}"), Just("(?i)/A.*"), Just("/é.*"),
        ].prop_map(|pattern| PathSpecifier::SafeRegex(regex(pattern))),
    ];
    let headers = prop_oneof![3 => Just(Vec::new()), 1 => vec(condition(), 1..3)];
    (by_path, prop::bool::weighted(0.2), headers).prop_map(|(by_path, caseless, headers)| {
        route::RouteMatch {
            path_specifier: Some(by_path),
            case_sensitive: caseless.then(|| boolean(false)).flatten(),
            headers,
            ..route::RouteMatch::default()
        }
    })
}

fn request() -> impl Strategy<Value = Request> {
    let tail = prop_oneof![Just(""), Just("/"), Just("a"), Just("?x=/a"), Just("/B;c?")];
    let path = (path(), tail).prop_map(|(path, tail)| format!("{path}{tail}"));
    let path = prop_oneof![
        12 => path.prop_map(Some),
        1 => Just(Some("*".to_owned())),
        1 => Just(Some(String::new())),
        1 => Just(None),
    ];
    let header = prop_oneof![
        Just(None),
        Just(Some("1".to_owned())),
        Just(Some("2".to_owned()))
    ];
    (path, header).prop_map(|(path, header)| Request { path, header })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_finds_what_a_list_finds(
        matching in vec(matching(), 0..60),
        requests in vec(request(), 1..60),
    ) {
        let routes = matching.into_iter().enumerate();
        let routes: Vec<_> = routes.map(|(number, of)| route_of(number, of)).collect();
        let tree = host(&routes);
        for request in &requests {
            let expected = first(&routes, request).map(str::to_owned);
            prop_assert_eq!(answer(&tree, request), expected, "{:?}", request);
        }
    }
}

fn prefix(text: &str) -> route::RouteMatch {
    route::RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix(text.to_owned())),
        ..route::RouteMatch::default()
    }
}

fn exact(text: &str) -> route::RouteMatch {
    route::RouteMatch {
        path_specifier: Some(PathSpecifier::Path(text.to_owned())),
        ..route::RouteMatch::default()
    }
}

fn places(host: &route::VirtualHost) -> Vec<usize> {
    let matcher = host.matcher.as_ref().unwrap();
    let found = by_prefix(matcher).map.values();
    let places = found.chain(matcher.on_no_match.as_deref());
    places.map(|found| listed(found).len()).collect()
}

#[test]
fn a_request_passes_few_of_many_routes_and_few_are_there_twice() {
    for form in ["/service-{}", "/{}/x", "/api/v1/tenants/{}/orders"] {
        for kind in [prefix, exact] {
            let matching = (0..10_000).map(|it| kind(&form.replace("{}", &format!("{it:05}"))));
            let matching = matching.chain([prefix("/")]);
            let routes: Vec<_> = matching
                .enumerate()
                .map(|(number, of)| route_of(number, of))
                .collect();
            let places = places(&host(&routes));
            assert!(places.iter().all(|place| *place <= FEW + 1), "{form}");
            let all: usize = places.iter().sum();
            assert!(all <= 12_500, "{form}: {all}");
        }
    }
}

#[test]
fn routes_for_all_paths_are_where_they_can_be_met() {
    let mut matching: Vec<_> = (0..200).map(|it| prefix(&format!("/p{it:03}"))).collect();
    // It hides what is behind it, there only.
    matching.insert(0, prefix("/p100"));
    matching.push(route::RouteMatch {
        headers: vec![route::HeaderMatcher {
            name: "x-a".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
            ..route::HeaderMatcher::default()
        }],
        ..prefix("/")
    });
    let routes: Vec<_> = matching
        .into_iter()
        .enumerate()
        .map(|(number, of)| route_of(number, of))
        .collect();
    let host = host(&routes);
    let matcher = host.matcher.as_ref().unwrap();
    let everywhere = by_prefix(matcher).map.iter().all(|(_, found)| {
        let listed = listed(found);
        listed.iter().any(|it| it.name == "r201")
    });
    assert!(everywhere);
}

#[test]
fn what_a_tree_would_not_help_is_a_list() {
    let routes = |matching: Vec<route::RouteMatch>| -> Vec<_> {
        let routes = matching.into_iter().enumerate();
        routes.map(|(number, of)| route_of(number, of)).collect()
    };
    let same = routes((0..300).map(|_| exact("/same")).collect());
    assert_eq!(host(&same).routes.len(), 300);
    let few = routes((0..100).map(|it| exact(&format!("/{it}"))).collect());
    assert!(host(&few).matcher.is_some());
    // Each path begins as all that stand before it: every route would be there many times.
    let nested = routes((1..300).map(|it| exact(&"/a".repeat(it))).collect());
    assert_eq!(host(&nested).routes.len(), 299);
}
