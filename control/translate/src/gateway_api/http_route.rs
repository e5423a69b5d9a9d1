//! An HTTPRoute's rules as routes of the Edge API.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use tenon_model::gateway_api::{
    HeaderMatch, HttpMatch, HttpRoute, HttpRule, MatchType, PathMatch, PathMatchType,
    QueryParamMatch,
};
use tenon_model::{
    Action, HeaderMatcher, Matcher, Object, ObjectKey, PathMatcher, Problem, QueryMatcher, Route,
    ValueMatcher,
};

use super::delegation::Children;
use super::listeners::ListenerForm;
use super::precedence::{Precedence, RouteOrder};
use super::rule::{Part, Places};
use super::{Known, Reason, Seen};

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
    pub(crate) dropped: Vec<(usize, Reason)>,
    /// All rules whose requests are answered with 500.
    pub(super) failed: BTreeSet<usize>,
    /// How many rules there are.
    pub(crate) count: usize,
    /// What became of the routes that it leaves requests to.
    pub(crate) children: Children,
    /// Some client is sent to the port of the listener that it came by.
    pub(crate) by_listener: bool,
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
    /// What its name begins with.
    kind: &'static str,
    pub(crate) rule: usize,
    pub(crate) index: usize,
    /// Which share of the requests it is for, if each has a route of its own.
    share: Option<usize>,
    /// Which of its own RouteOptions those are that it refers to, where there are others among them.
    pub(super) order: Option<Arc<[Option<usize>]>>,
    places: Arc<Places>,
}

pub(crate) fn compile(
    key: &ObjectKey,
    object: &Object,
    route: &HttpRoute,
    known: &Seen<'_, impl Known>,
) -> Rules {
    let rules = route.rules.iter().map(Cow::Borrowed);
    let precedence = |order: &Arc<RouteOrder>, (rule, index): (usize, usize)| {
        Precedence::of_http(&route.rules[rule].matches[index], order, (rule, index))
    };
    Rules::compile("httproute", (key, object), rules, precedence, known)
}

impl Rules {
    /// Rules, with the precedence of each match; `kind` is what the names of their routes begin with.
    pub(super) fn compile<'a>(
        kind: &'static str,
        (key, object): (&ObjectKey, &Object),
        from: impl Iterator<Item = Cow<'a, HttpRule>>,
        precedence: impl Fn(&Arc<RouteOrder>, (usize, usize)) -> Precedence,
        known: &Seen<'_, impl Known>,
    ) -> Self {
        let order = Arc::new(RouteOrder::of(key, object));
        let mut rules = Self::default();
        for (number, rule) in from.enumerate() {
            rules.count += 1;
            let done = rules.rule(key, number, &rule, known);
            if done.fails {
                rules.failed.insert(number);
            }
            for (index, matches) in rule.matches.iter().enumerate() {
                let precedence = precedence(&order, (number, index));
                let several = done.parts.len() > 1;
                for (share, part) in done.parts.iter().enumerate() {
                    let source = Source {
                        kind,
                        owner: None,
                        rule: number,
                        index,
                        share: several.then_some(share),
                        order: None,
                        places: part.places.clone(),
                    };
                    let precedence = precedence.clone();
                    rules.add(key, (matches, precedence), part, source);
                }
            }
        }
        // They are large, and kept for long.
        rules.routes.shrink_to_fit();
        rules
    }

    fn add(
        &mut self,
        key: &ObjectKey,
        (matches, precedence): (&HttpMatch, Precedence),
        part: &Part,
        source: Source,
    ) {
        self.by_listener |= matches!(&part.action, Action::Redirect(to) if to.port_of_listener);
        let matcher = Matcher {
            up_to: part.up_to,
            ..matcher(matches)
        };
        self.routes.push(Compiled {
            precedence,
            route: Route {
                name: Some(source.name(key)),
                matchers: vec![matcher],
                action: part.action.clone(),
                options: part.options.clone(),
                options_config_refs: part.references.clone(),
                inheritable_matchers: None,
                inheritable_path_matchers: None,
                is_broken: false,
            },
            source,
        });
    }
}

/// A route where clients come by a listener: a redirect that names neither scheme nor port leads back to its port, which
/// is not said where it is that of the protocol.
pub(crate) fn at_listener(route: &Route, listener: &ListenerForm) -> Route {
    let mut route = route.clone();
    if let Action::Redirect(to) = &mut route.action
        && to.port_of_listener
    {
        let known = match listener.protocol.as_str() {
            "HTTP" => 80,
            _ => 443,
        };
        let port = to.port.unwrap_or(listener.port);
        to.port = (port != known).then_some(port);
    }
    route
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
        self.route.name = Some(source.name(key));
    }
}

impl Source {
    /// The name of its route, which is the one of Gloo's, but for those of single shares.
    fn name(&self, key: &ObjectKey) -> String {
        let Self {
            kind, rule, index, ..
        } = self;
        let name = format!("{kind}-{}-{}-{rule}-{index}", key.name, key.namespace);
        match self.share {
            Some(share) => format!("{name}-share-{share}"),
            None => name,
        }
    }

    /// Which of its own RouteOptions it is that it refers to at a place.
    pub(super) fn own_option(&self, place: usize) -> Option<usize> {
        match &self.order {
            None => Some(place),
            Some(order) => order.get(place).copied().flatten(),
        }
    }

    /// What is wrong with a route of the Edge API, where it stands in its source: `rest` is the field within the route.
    pub(crate) fn locate(&self, rest: &str, problem: &Problem) -> Problem {
        let field = self.field(rest);
        // What is within a destination or the options has no place here.
        let within = rest.split_once(".destinationSpec.");
        let option = rest.strip_prefix(".options.");
        let text = match (within, option) {
            (Some((_, within)), _) => format!("{within} {}", problem.text),
            (None, Some(option)) => format!("{option}: {}", problem.text),
            (None, None) => problem.text.clone(),
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
        let option = rest.strip_prefix(".optionsConfigRefs.delegateOptions[");
        let option = option.and_then(|rest| rest.split(']').next()?.parse().ok());
        let own = option.and_then(|it| self.own_option(it));
        if let Some(filter) = own.and_then(|it| self.places.options.get(it)) {
            let of = filter.backend.map(|it| format!("backendRefs[{it}]."));
            let of = of.unwrap_or_default();
            return format!("{rule}.{of}filters[{}].extensionRef", filter.index);
        }
        match place.and_then(|place: usize| self.places.backends.get(place)) {
            Some(backend) => format!("{rule}.backendRefs[{backend}]"),
            None if rest.starts_with(".matchers") => format!("{rule}.matches[{}]", self.index),
            None => rule,
        }
    }
}

/// Which requests: of several headers or parameters of the same name the first counts.
fn matcher(from: &HttpMatch) -> Matcher {
    Matcher {
        path: Some(path(&from.path)),
        case_sensitive: true,
        headers: headers(&from.headers),
        query: from.query_params.iter().map(param).collect(),
        methods: from.method.iter().cloned().collect(),
        up_to: None,
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
