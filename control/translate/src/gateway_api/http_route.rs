//! An HTTPRoute's rules as routes of the Edge API.

use std::sync::Arc;

use tenon_model::gateway_api::{
    HeaderMatch, HttpMatch, HttpRoute, HttpRule, MatchType, PathMatch, PathMatchType,
    QueryParamMatch,
};
use tenon_model::{
    Action, Destination, DestinationType, HeaderMatcher, Matcher, MultiDestination, Object,
    ObjectKey, OptionsRefs, PathMatcher, Problem, QueryMatcher, Route, RouteAction, RouteOptions,
    ValueMatcher, WeightedDestination, WeightedDestinationOptions,
};

use super::delegation::Children;
use super::precedence::{Precedence, RouteOrder};
use super::{Known, Reason, Seen, backends};

/// What a route's rules come to, wherever it is attached.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rules {
    /// One for each match.
    pub(crate) routes: Vec<Compiled>,
    /// What is wrong with them.
    pub(crate) problems: Vec<Problem>,
    /// What they refer to and is not there.
    pub(crate) unresolved: Option<Reason>,
    /// Rules that cannot be served, and why: their requests are answered with 500.
    pub(crate) dropped: Vec<(usize, String)>,
    /// How many rules there are.
    pub(crate) count: usize,
    /// What became of the routes that it leaves requests to.
    pub(crate) children: Children,
}

/// What a match of a rule comes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compiled {
    pub(crate) precedence: Precedence,
    pub(crate) route: Route,
    pub(crate) source: Source,
}

/// What a route of the Edge API stems from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    /// The route that requests are left to, if it is another one.
    pub(crate) owner: Option<Arc<ObjectKey>>,
    pub(crate) rule: usize,
    pub(crate) index: usize,
    /// The places of its destinations among the rule's `backendRefs`.
    backends: Arc<[usize]>,
}

/// What is done with the requests of a rule.
struct Done {
    action: Action,
    options: Arc<RouteOptions>,
    backends: Arc<[usize]>,
}

pub(crate) fn compile(
    key: &ObjectKey,
    object: &Object,
    route: &HttpRoute,
    known: &Seen<'_, impl Known>,
) -> Rules {
    let order = Arc::new(RouteOrder::of(key, object));
    let mut rules = Rules {
        count: route.rules.len(),
        ..Rules::default()
    };
    for (number, rule) in route.rules.iter().enumerate() {
        let places = rule.matches.iter().enumerate();
        let places = places.map(|(index, it)| Precedence::of_http(it, &order, (number, index)));
        rules.compile("httproute", key, (number, rule), places, known);
    }
    rules
}

impl Rules {
    /// Takes in a rule with the places of its matches; `kind` is what the names of its routes begin with.
    pub(super) fn compile(
        &mut self,
        kind: &str,
        key: &ObjectKey,
        (number, rule): (usize, &HttpRule),
        places: impl Iterator<Item = Precedence>,
        known: &Seen<'_, impl Known>,
    ) {
        let done = self.rule(key, number, rule, known);
        for (index, (matches, precedence)) in rule.matches.iter().zip(places).enumerate() {
            self.routes.push(Compiled {
                precedence,
                route: Route {
                    name: Some(format!(
                        "{kind}-{}-{}-{number}-{index}",
                        key.name, key.namespace
                    )),
                    matchers: vec![matcher(matches)],
                    action: done.action.clone(),
                    options: done.options.clone(),
                    options_config_refs: OptionsRefs::default(),
                    inheritable_matchers: None,
                    inheritable_path_matchers: None,
                    is_broken: false,
                },
                source: Source {
                    owner: None,
                    rule: number,
                    index,
                    backends: done.backends.clone(),
                },
            });
        }
    }

    fn rule(
        &mut self,
        key: &ObjectKey,
        number: usize,
        rule: &HttpRule,
        known: &Seen<'_, impl Known>,
    ) -> Done {
        let path = format!("spec.rules[{number}]");
        if let Some((field, text)) = not_yet(rule) {
            self.drop_rule(number, format!("{path}.{field}"), text);
            return nowhere();
        }
        let mut shares = Vec::new();
        let mut lost: u32 = 0;
        for (index, backend) in rule.backend_refs.iter().enumerate() {
            match backends::resolve(&backend.backend, key, known) {
                Ok(to) if backend.weight > 0 => shares.push((index, backend.weight, to)),
                Ok(_) => {}
                Err(reason) => {
                    lost += backend.weight;
                    self.tell_unresolved(format!("{path}.backendRefs[{index}]"), reason);
                }
            }
        }
        Done {
            backends: shares.iter().map(|(index, ..)| *index).collect(),
            action: action(shares, lost),
            options: RouteOptions::none(),
        }
    }

    pub(super) fn tell_unresolved(&mut self, field: String, reason: Reason) {
        let text = reason.message.clone();
        self.problems.push(match reason.reason {
            // It may come yet.
            "BackendNotFound" => Problem::warning(field, text),
            _ => Problem::error(field, text),
        });
        self.unresolved.get_or_insert(reason);
    }

    fn drop_rule(&mut self, number: usize, field: String, text: String) {
        self.problems.push(Problem::error(field, text.clone()));
        self.dropped.push((number, text));
    }
}

impl Compiled {
    /// Has it be a child's, some of whose matches are left: `places` has which, by rule.
    pub(super) fn belong(&mut self, key: &ObjectKey, places: &[Vec<usize>]) {
        let source = &mut self.source;
        if source.owner.is_some() {
            return;
        }
        let place = places.get(source.rule).and_then(|it| it.get(source.index));
        source.index = place.copied().unwrap_or(source.index);
        source.owner = Some(Arc::new(key.clone()));
        let (rule, index) = (source.rule, source.index);
        self.route.name = Some(name(key, rule, index));
    }
}

fn name(key: &ObjectKey, rule: usize, index: usize) -> String {
    format!("httproute-{}-{}-{rule}-{index}", key.name, key.namespace)
}

impl Source {
    /// What is wrong with a route of the Edge API, where it stands in its source: `rest` is the field within the route.
    pub(crate) fn locate(&self, rest: &str, problem: &Problem) -> Problem {
        let field = self.field(rest);
        // What is within a destination has no place here.
        let within = rest.split_once(".destinationSpec.");
        let text = match within {
            Some((_, within)) => format!("{within} {}", problem.text),
            None => problem.text.clone(),
        };
        Problem {
            level: problem.level,
            field,
            text,
        }
    }

    fn field(&self, rest: &str) -> String {
        let rule = format!("spec.rules[{}]", self.rule);
        let single = rest.starts_with(".routeAction.single").then_some(0);
        let multi = rest.strip_prefix(".routeAction.multi.destinations[");
        let place = single.or_else(|| multi?.split(']').next()?.parse().ok());
        match place.and_then(|place: usize| self.backends.get(place)) {
            Some(backend) => format!("{rule}.backendRefs[{backend}]"),
            None if rest.starts_with(".matchers") => format!("{rule}.matches[{}]", self.index),
            None => rule,
        }
    }
}

/// What is asked for and not carried out yet.
fn not_yet(rule: &HttpRule) -> Option<(String, String)> {
    let text = |field: String| Some((field, "is not supported yet".to_owned()));
    if let Some(filter) = rule.filters.first() {
        return text(format!("filters[0].{}", filter.field()));
    }
    let backends = rule.backend_refs.iter().enumerate();
    for (index, backend) in backends {
        if let Some(filter) = backend.filters.first() {
            return text(format!(
                "backendRefs[{index}].filters[0].{}",
                filter.field()
            ));
        }
    }
    if rule.timeouts.is_some() {
        return text("timeouts".to_owned());
    }
    if rule.retry.is_some() {
        return text("retry".to_owned());
    }
    if rule.session_persistence.is_some() {
        return text("sessionPersistence".to_owned());
    }
    None
}

/// Requests that cannot go anywhere: 500.
fn nowhere() -> Done {
    Done {
        action: action(Vec::new(), 1),
        options: RouteOptions::none(),
        backends: Arc::default(),
    }
}

/// Shares for those that can be reached, and one that is answered with 500 for those that cannot. If there is none at
/// all, or none has a weight, all are.
fn action(mut shares: Vec<(usize, u32, Destination)>, lost: u32) -> Action {
    if let ([_], 0) = (&shares[..], lost)
        && let Some((.., only)) = shares.pop()
    {
        return Action::Route(RouteAction::Single(Box::new(only)));
    }
    let weighted = |weight: u32, destination: Destination| WeightedDestination {
        destination,
        weight,
        options: WeightedDestinationOptions::default(),
    };
    let none = shares.is_empty();
    let mut destinations: Vec<_> = shares
        .into_iter()
        .map(|(_, weight, to)| weighted(weight, to))
        .collect();
    if lost > 0 || none {
        let nowhere = Destination {
            to: DestinationType::Nowhere,
            spec: None,
            subset: None,
        };
        destinations.push(weighted(lost.max(1), nowhere));
    }
    Action::Route(RouteAction::Multi(MultiDestination { destinations }))
}

/// Which requests: of several headers or parameters of the same name the first counts.
fn matcher(from: &HttpMatch) -> Matcher {
    Matcher {
        path: Some(path(&from.path)),
        case_sensitive: true,
        headers: headers(&from.headers),
        query: from.query_params.iter().map(param).collect(),
        methods: from.method.iter().cloned().collect(),
    }
}

fn path(from: &PathMatch) -> PathMatcher {
    let value = &from.value;
    match from.kind {
        PathMatchType::Exact => PathMatcher::Exact(value.clone()),
        PathMatchType::RegularExpression => PathMatcher::Regex(value.clone()),
        PathMatchType::PathPrefix => match value.trim_end_matches('/') {
            "" => PathMatcher::Prefix("/".to_owned()),
            // "/abc" and "/abc/" are the same prefix.
            parts => PathMatcher::Parts(parts.to_owned()),
        },
    }
}

fn headers(from: &[HeaderMatch]) -> Vec<HeaderMatcher> {
    let mut headers: Vec<HeaderMatcher> = Vec::new();
    for header in from {
        let is_there = |it: &HeaderMatcher| it.name.eq_ignore_ascii_case(&header.name);
        if !headers.iter().any(is_there) {
            headers.push(HeaderMatcher {
                name: header.name.clone(),
                value: value(header.kind, &header.value),
                invert: false,
            });
        }
    }
    headers
}

fn param(from: &QueryParamMatch) -> QueryMatcher {
    QueryMatcher {
        name: from.name.clone(),
        value: value(from.kind, &from.value),
    }
}

fn value(kind: MatchType, value: &str) -> ValueMatcher {
    match kind {
        MatchType::Exact => ValueMatcher::Exact(value.to_owned()),
        MatchType::RegularExpression => ValueMatcher::Regex(value.to_owned()),
    }
}
