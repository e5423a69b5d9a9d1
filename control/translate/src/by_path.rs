//! Functions that are clusters of their own, found by method and path: a route for each, since it is Envoy that chooses a
//! cluster. In the order in which a table of the filter's would find them (`tenon_core::matching`): Envoy takes the first
//! that fits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tenon_contract::{PathTemplate, Segment};
use tenon_model::FunctionMatcher;

use crate::proto::route::HeaderMatcher;
use crate::proto::route::header_matcher::HeaderMatchSpecifier;
use crate::proto::{matches, route};

/// Requests that have something of their own to be answered with.
pub(crate) struct Found<'a> {
    /// Which requests, besides what the route itself asks for.
    pub(crate) only: Vec<HeaderMatcher>,
    /// What with.
    pub(crate) answer: Answer<'a>,
}

/// What requests are answered with.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer<'a> {
    /// The function of this name.
    Function(&'a str),
    /// An error: there are functions at the path, but for these methods only.
    Methods(String),
    /// An error: there is none at the path.
    Nothing,
}

/// All that requests may be, the first that fits first.
pub(crate) fn order<'a>(functions: &[(&'a str, &'a FunctionMatcher)]) -> Vec<Found<'a>> {
    let mut sorted = functions.to_vec();
    sorted.sort_by_key(|(_, matcher)| (rank(&matcher.path), matcher.methods.is_empty()));
    let mut methods: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (_, matcher) in &sorted {
        let at_path = methods.entry(matcher.path.shape()).or_default();
        at_path.extend(matcher.methods.iter().map(String::as_str));
    }
    let any = sorted.iter().filter(|(_, it)| it.methods.is_empty());
    let any: BTreeSet<_> = any.map(|(_, it)| it.path.shape()).collect();
    let mut all = Vec::new();
    let mut limited = Vec::new();
    for (name, matcher) in sorted {
        let at_path = methods.get(&matcher.path.shape());
        let named = at_path.is_some_and(|methods| methods.contains(&"HEAD"));
        let mut own: Vec<_> = matcher.methods.iter().map(String::as_str).collect();
        if own.contains(&"GET") && !named {
            own.push("HEAD");
        }
        let mut only = vec![on(":path", &path(&matcher.path))];
        if !own.is_empty() {
            only.push(on(":method", &own.join("|")));
        }
        all.push(Found {
            only,
            answer: Answer::Function(name),
        });
        // After one for any method there is nothing left to refuse.
        let there = methods.remove(&matcher.path.shape());
        if let Some(mut there) = there.filter(|_| !any.contains(&matcher.path.shape())) {
            if there.contains(&"GET") {
                there.push("HEAD");
            }
            there.sort_unstable();
            there.dedup();
            limited.push((&matcher.path, there.join(", ")));
        }
    }
    // What serves any method has answered by then.
    all.extend(limited.into_iter().map(|(template, methods)| Found {
        only: vec![on(":path", &path(template))],
        answer: Answer::Methods(methods),
    }));
    all.push(Found {
        only: Vec::new(),
        answer: Answer::Nothing,
    });
    all
}

/// What goes first: no catch-all before one, more segments before a catch-all, and a literal before a parameter.
fn rank(template: &PathTemplate) -> (bool, Reverse<usize>, Vec<u8>) {
    let segments = template.segments();
    let greedy = template.is_greedy();
    let kinds = segments.iter().map(|segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Rest(_) => 2,
    });
    let before = if greedy { segments.len() } else { 0 };
    (greedy, Reverse(before), kinds.collect())
}

/// The paths of a template, with any query.
fn path(template: &PathTemplate) -> String {
    let mut pattern = String::new();
    for segment in template.segments() {
        pattern.push('/');
        match segment {
            Segment::Literal(text) => push_literal(text, &mut pattern),
            Segment::Parameter(_) => pattern.push_str("[^/?]+"),
            Segment::Rest(_) => pattern.push_str("[^?]+"),
        }
    }
    pattern.push_str(r"(\?.*)?");
    pattern
}

/// A literal segment; the digits of a percent-encoding have no case.
fn push_literal(text: &str, pattern: &mut String) {
    let mut digits = 0;
    for c in text.chars() {
        match c {
            'A'..='F' if digits > 0 => {
                pattern.extend(['[', c, c.to_ascii_lowercase(), ']']);
            }
            c if r"\.+*?()|[]{}^$".contains(c) => pattern.extend(['\\', c]),
            c => pattern.push(c),
        }
        digits = if c == '%' {
            2_usize
        } else {
            digits.saturating_sub(1)
        };
    }
}

fn on(name: &str, pattern: &str) -> HeaderMatcher {
    route::HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matches(pattern))),
        ..route::HeaderMatcher::default()
    }
}

#[cfg(test)]
mod tests {
    use tenon_core::matching::Functions;

    use super::*;

    fn matcher(methods: &[&str], path: &str) -> FunctionMatcher {
        FunctionMatcher {
            methods: methods.iter().map(|it| (*it).to_owned()).collect(),
            path: PathTemplate::parse(path).unwrap(),
        }
    }

    fn fits(found: &Found<'_>, method: &str, path: &str) -> bool {
        use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
        found.only.iter().all(|header| {
            let Some(HeaderMatchSpecifier::StringMatch(text)) = &header.header_match_specifier
            else {
                panic!("{header:?}")
            };
            let Some(MatchPattern::SafeRegex(regex)) = &text.match_pattern else {
                panic!("{text:?}")
            };
            let value = if header.name == ":path" { path } else { method };
            regex_lite::Regex::new(&format!("^(?:{})$", regex.regex))
                .unwrap()
                .is_match(value)
        })
    }

    /// Envoy takes the first route that fits; that is what the filter's table finds.
    #[test]
    fn the_first_that_fits_is_what_a_table_finds() {
        let matchers = [
            ("user", matcher(&["GET"], "/users/{id}")),
            ("me", matcher(&[], "/users/me")),
            ("new", matcher(&["POST", "PUT"], "/users")),
            ("drop", matcher(&["DELETE"], "/users/{id}")),
            ("head", matcher(&["HEAD"], "/heads/{x}")),
            ("get", matcher(&["GET"], "/heads/{x}")),
            ("files", matcher(&[], "/files/{*rest}")),
            ("deep", matcher(&["GET"], "/files/a/{*rest}")),
            ("any", matcher(&[], "/a.b/{x}")),
            ("own", matcher(&["GET"], "/a.b/{x}")),
            ("ue", matcher(&[], "/%C3%BC")),
            ("cross", matcher(&["PUT"], "/{x}/me")),
        ];
        let functions: Vec<_> = matchers.iter().map(|(name, it)| (*name, it)).collect();
        let ordered = order(&functions);
        let given = matchers
            .iter()
            .map(|(_, it)| (&it.methods[..], it.path.as_str()));
        let table = Functions::compile(given).unwrap();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"] {
            for path in [
                "/users",
                "/users/",
                "/users/7",
                "/users/me",
                "/users/7/8",
                "/heads/1",
                "/files/",
                "/files/a",
                "/files/a/b",
                "/files/a/b/c",
                "/a.b/c",
                "/aXb/c",
                "/%c3%bc",
                "/x/me",
                "/",
            ] {
                let asked = format!("{path}?q=/users/7");
                let first = ordered
                    .iter()
                    .find(|found| fits(found, method, &asked))
                    .unwrap();
                let expected = match table.find(method.as_bytes(), asked.as_bytes()) {
                    Ok(matched) => Answer::Function(matchers[matched.index].0),
                    Err(none) if none.allowed.is_empty() => Answer::Nothing,
                    Err(none) => Answer::Methods(none.allowed.join(", ")),
                };
                assert_eq!(first.answer, expected, "{method} {path}");
            }
        }
    }
}
