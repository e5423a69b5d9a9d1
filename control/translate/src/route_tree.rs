//! The routes of a virtual host: in a list, which Envoy goes through until one fits, or, where they are many, in a tree of
//! paths (`VirtualHost.matcher`), which leads it to the few that can fit.
//!
//! The first route that fits stays the first. Of each route is known what each path begins with that it fits, which is a
//! condition that has to hold and need not be enough. Beginnings of paths are the keys of the tree; Envoy takes the longest
//! that a request's path begins with, and finds there, in their order, all routes whose condition can hold for such paths.
//! They are matched as those of a list are. A route that fits paths of several keys is there several times.

use std::collections::BTreeMap;
use std::rc::Rc;

use envoy_types::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
use prost::{Message, Name};
use tenon_model::regex_start;

use crate::misdirected;
use crate::proto::route;
use crate::proto::route::header_matcher::HeaderMatchSpecifier;
use crate::proto::route::route_match::PathSpecifier;
use crate::wire::{any, any_bytes, append as put};

/// `VirtualHost.matcher`
const MATCHER: u32 = 21;
/// `Matcher.matcher_list`
const IN_ORDER: u32 = 1;
/// `MatcherList.matchers`
const MATCHERS: u32 = 1;
/// `FieldMatcher.predicate`
const PREDICATE: u32 = 1;
/// `FieldMatcher.on_match`
const FOUND: u32 = 2;
/// `OnMatch.matcher`
const NESTED: u32 = 1;
/// `Matcher.matcher_tree`
const TREE: u32 = 2;
/// `Matcher.on_no_match`
const OTHERWISE: u32 = 3;
/// `MatcherTree.input`
const INPUT: u32 = 1;
/// `MatcherTree.prefix_match_map`
const BY_PREFIX: u32 = 3;
/// `MatchMap.map`
const MAP: u32 = 1;
/// An entry of a map.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// `OnMatch.action`
const ACTION: u32 = 2;
/// `RouteList.routes`
const LISTED: u32 = 1;

/// The name of the request header that has path and query.
const PATH: &str = ":path";

/// Few enough routes for a place. Where too many would be there several times, four times as many are tried.
const FEW: usize = 16;

/// Makes a tree of the list of routes that an encoded virtual host has from some place on, if one can be made. The first
/// one stays before all others if it is what answers requests that are not for this listener.
pub(crate) fn plant(host: &mut Vec<u8>, list: usize, listener: Option<&str>) {
    let listed = host.get(list..).and_then(|list| List::decode(list).ok());
    let Some(List { routes }) = listed else {
        return;
    };
    let before = usize::from(listener.is_some()).min(routes.len());
    let (first, routes) = routes.split_at(before);
    if let Some(tree) = tree(routes) {
        host.truncate(list);
        let mut matcher = encode(&tree, routes);
        if let Some(listener) = listener {
            matcher = behind(listener, first, &matcher);
        }
        put(host, MATCHER, &matcher);
    }
}

/// A matcher for the requests for a listener, with a route for the others.
fn behind(listener: &str, first: &[Vec<u8>], matcher: &[u8]) -> Vec<u8> {
    let elsewhere = misdirected::comes_from_elsewhere(listener);
    let mut field = Vec::new();
    put(&mut field, PREDICATE, &elsewhere.encode_to_vec());
    put(&mut field, FOUND, &on_match(&[0], first));
    let mut list = Vec::new();
    put(&mut list, MATCHERS, &field);
    let mut otherwise = Vec::new();
    put(&mut otherwise, NESTED, matcher);
    let mut bytes = Vec::new();
    put(&mut bytes, IN_ORDER, &list);
    put(&mut bytes, OTHERWISE, &otherwise);
    bytes
}

/// The encoded routes of a virtual host.
#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(bytes = "vec", repeated, tag = "3")]
    routes: Vec<Vec<u8>>,
}

/// The numbers of the routes by what the paths begin with; those for all other paths are at the empty key.
type Tree = BTreeMap<String, Vec<usize>>;

fn tree(routes: &[Vec<u8>]) -> Option<Tree> {
    let reaches: Option<Vec<_>> = routes.iter().map(|route| Reach::of(route)).collect();
    let reaches = reaches?;
    let few = (routes.len() / 4).clamp(1, FEW);
    let numbers = std::iter::successors(Some(few), |most| Some(most * 4));
    let mut trees = numbers
        .take_while(|most| most * 2 <= routes.len())
        .filter_map(|most| plan(&reaches, most));
    // One that leads nowhere in particular is no better than a list.
    trees.find(|tree| tree.values().all(|place| place.len() * 2 <= routes.len()))
}

/// Which paths a route can be for.
#[derive(Debug, Clone, PartialEq, Default)]
struct Reach {
    /// What they begin with.
    start: String,
    /// It is for all requests with such a path: none comes to what is behind it.
    takes_all: bool,
}

/// As much of `envoy.config.route.v3.Route` as says which requests it is for.
#[derive(Clone, PartialEq, Message)]
struct Matched {
    #[prost(message, optional, tag = "1")]
    r#match: Option<route::RouteMatch>,
}

impl Reach {
    fn of(route: &[u8]) -> Option<Self> {
        let of = Matched::decode(route).ok()?.r#match?;
        let case_matters = of.case_sensitive.is_none_or(|it| it.value);
        let by_path = match &of.path_specifier {
            Some(
                PathSpecifier::Prefix(text)
                | PathSpecifier::PathSeparatedPrefix(text)
                | PathSpecifier::Path(text),
            ) if case_matters => text.clone(),
            Some(
                PathSpecifier::Prefix(text)
                | PathSpecifier::PathSeparatedPrefix(text)
                | PathSpecifier::Path(text),
            ) => {
                let caseless = text.chars().take_while(|c| !c.is_ascii_alphabetic());
                caseless.collect()
            }
            Some(PathSpecifier::SafeRegex(pattern)) => regex_start(&pattern.regex),
            _ => String::new(),
        };
        let takes_all = match &of.path_specifier {
            // Envoy compares paths without their queries.
            Some(PathSpecifier::Prefix(prefix)) => {
                let alone = route::RouteMatch {
                    path_specifier: of.path_specifier.clone(),
                    ..route::RouteMatch::default()
                };
                // And requests need not have any.
                alone == of && !prefix.is_empty() && !prefix.contains(['?', '#', ';'])
            }
            _ => false,
        };
        let starts = of.headers.iter().filter_map(start_of_header);
        let start = starts.chain([by_path]).max_by_key(String::len)?;
        Some(Self { start, takes_all })
    }
}

/// What the path begins with if a condition on it holds.
fn start_of_header(condition: &route::HeaderMatcher) -> Option<String> {
    let plain = condition.name == PATH && !condition.invert_match;
    match condition
        .header_match_specifier
        .as_ref()
        .filter(|_| plain)?
    {
        HeaderMatchSpecifier::StringMatch(text) if !text.ignore_case => {
            match text.match_pattern.as_ref()? {
                MatchPattern::Exact(text) | MatchPattern::Prefix(text) => Some(text.clone()),
                MatchPattern::SafeRegex(pattern) => Some(regex_start(&pattern.regex)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Routes whose paths begin with a key, and those that fit some of these paths besides.
struct Group {
    key: String,
    above: Rc<[usize]>,
    own: Vec<usize>,
}

/// A tree with so many routes of its own at most in a place, if at most as many are there again as there are.
fn plan(reaches: &[Reach], most: usize) -> Option<Tree> {
    let start = |route: &usize| reaches.get(*route).map_or("", |it| &it.start);
    let takes_all = |route: &usize| reaches.get(*route).is_some_and(|it| it.takes_all);
    let mut tree = Tree::new();
    let mut room = reaches.len() * 2;
    let mut groups = vec![Group {
        key: String::new(),
        above: Rc::from([]),
        own: (0..reaches.len()).collect(),
    }];
    while let Some(Group { key, above, own }) = groups.pop() {
        let last = above.iter().find(|route| takes_all(route));
        let mut rest = Vec::new();
        let mut here = Vec::new();
        let mut below: BTreeMap<char, Vec<usize>> = BTreeMap::new();
        for route in own {
            if last.is_some_and(|last| *last < route) {
                continue;
            }
            match start(&route)
                .get(key.len()..)
                .and_then(|it| it.chars().next())
            {
                None => here.push(route),
                Some(next) => below.entry(next).or_default().push(route),
            }
        }
        let mut below: Vec<_> = below.into_values().collect();
        below.sort_by_key(Vec::len);
        let mut left: usize = below.iter().map(Vec::len).sum();
        let inherited: Rc<[usize]> = merged(&[&above, &here]).into();
        if left + here.len() > most {
            while left > most / 2
                && let Some(own) = below.pop()
            {
                left -= own.len();
                let key = common_start(own.iter().map(start)).to_owned();
                let above = inherited.clone();
                groups.push(Group { key, above, own });
            }
        }
        below.iter().for_each(|own| rest.extend(own));
        rest.sort_unstable();
        let mut place = merged(&[&inherited, &rest]);
        if let Some(last) = place
            .iter()
            .position(|it| takes_all(it) && key.starts_with(start(it)))
        {
            place.truncate(last + 1);
        }
        room = room.checked_sub(place.len())?;
        // Paths of a place with nothing go to where there is nothing for them either.
        if !place.is_empty() {
            tree.insert(key, place);
        }
    }
    Some(tree)
}

fn merged(lists: &[&[usize]]) -> Vec<usize> {
    let mut all = lists.concat();
    all.sort_unstable();
    all
}

/// What all of them begin with.
fn common_start<'a>(mut texts: impl Iterator<Item = &'a str>) -> &'a str {
    let Some(first) = texts.next() else {
        return "";
    };
    texts.fold(first, |common, text| {
        let same = common.chars().zip(text.chars()).take_while(|(a, b)| a == b);
        let length = same.map(|(c, _)| c.len_utf8()).sum();
        common.get(..length).unwrap_or_default()
    })
}

/// `xds.type.matcher.v3.Matcher`, whose map prost would encode in another order each time.
fn encode(tree: &Tree, routes: &[Vec<u8>]) -> Vec<u8> {
    let input = TypedExtensionConfig {
        name: "path".to_owned(),
        typed_config: Some(any(&HttpRequestHeaderMatchInput {
            header_name: PATH.to_owned(),
        })),
    };
    let mut map = Vec::new();
    let mut matcher = Vec::new();
    for (key, place) in tree {
        let found = on_match(place, routes);
        if key.is_empty() {
            put(&mut matcher, OTHERWISE, &found);
            continue;
        }
        let mut entry = Vec::with_capacity(found.len() + key.len() + 16);
        put(&mut entry, KEY, key.as_bytes());
        put(&mut entry, VALUE, &found);
        put(&mut map, MAP, &entry);
    }
    let mut by_path = Vec::with_capacity(map.len() + 256);
    put(&mut by_path, INPUT, &input.encode_to_vec());
    put(&mut by_path, BY_PREFIX, &map);
    put(&mut matcher, TREE, &by_path);
    matcher
}

/// `Matcher.OnMatch`
fn on_match(place: &[usize], routes: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    for route in place.iter().filter_map(|route| routes.get(*route)) {
        put(&mut list, LISTED, route);
    }
    let action = TypedExtensionConfig {
        name: "routes".to_owned(),
        typed_config: Some(any_bytes(route::RouteList::type_url(), list)),
    };
    let mut bytes = Vec::new();
    put(&mut bytes, ACTION, &action.encode_to_vec());
    bytes
}

#[cfg(test)]
mod tests;
