//! HTTPRoutes that leave requests to other HTTPRoutes, as with Gloo: what those do with what their parents leave them.
//!
//! A child is seen by its parents only: it names no hostnames, its matches have to be within the parent's (or are put
//! behind it, if it says so), and what the parent says of options counts before what the child says, unless the parent
//! lets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::gateway_api::{BackendRef, GROUP, HttpMatch, HttpRoute, HttpRule, ParentRef};
use tenon_model::{Kind, Object, ObjectKey, ObjectRef, OptionsRefs, Problem, RouteOptions, Spec};

use super::http_route::{self, Compiled, Rules};
use super::overrides::{Overrides, Policy};
use super::precedence::RouteOrder;
use super::{Known, Reason, Seen, within};

/// The kind of references by label; what routes are labelled with.
pub(crate) const LABEL: &str = "delegation.gateway.solo.io/label";
/// In the place of a namespace: all.
const ALL: &str = "all";
/// On a child: its matches are put behind the parent's.
const INHERIT: &str = "delegation.gateway.solo.io/inherit-parent-matcher";

/// What became of children, and who left them requests: by child and parent.
pub(crate) type Children = BTreeMap<(ObjectKey, ObjectKey), Child>;

/// What became of a child of a parent.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Child {
    /// Why it has none of the requests.
    pub(crate) refused: Option<Reason>,
    /// What it leaves requests to, and cannot.
    pub(crate) unresolved: Option<Reason>,
    /// What is wrong with it there.
    pub(crate) problems: Vec<Problem>,
    /// Its matches that are within what is left to it, by rule and place.
    pub(crate) used: BTreeSet<(usize, usize)>,
}

impl Child {
    /// The same child of the same parent, come by otherwise.
    pub(crate) fn add(&mut self, other: Self) {
        self.refused = self.refused.take().or(other.refused);
        self.unresolved = self.unresolved.take().or(other.unresolved);
        for problem in other.problems {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
        self.used.extend(other.used);
    }
}

/// Where routes are found, and the RouteOptions that name them.
pub(crate) struct World<'a, 'b, K, F> {
    pub(crate) known: &'a Seen<'b, K>,
    pub(crate) options: F,
}

/// A route on the way down.
struct Level<'a> {
    key: &'a ObjectKey,
    object: &'a Object,
    /// The routes above it, and itself.
    chain: Vec<ObjectKey>,
}

impl<K: Known, F: Fn(&ObjectKey) -> Vec<ObjectRef>> World<'_, '_, K, F> {
    /// What a route and those that it leaves requests to come to.
    pub(crate) fn compile(&self, key: &ObjectKey, object: &Object, route: &HttpRoute) -> Rules {
        let level = Level {
            key,
            object,
            chain: vec![key.clone()],
        };
        self.flatten(&level, route)
    }

    fn flatten(&self, level: &Level<'_>, route: &HttpRoute) -> Rules {
        let mut own = route.clone();
        for rule in &mut own.rules {
            rule.backend_refs.retain(|it| !is_delegated(&it.backend));
        }
        let mut rules = http_route::compile(level.key, level.object, &own, self.known);
        rules.attach(&(self.options)(level.key));
        let delegating = route.rules.iter().enumerate();
        let delegating = delegating
            .filter(|(_, rule)| rule.backend_refs.iter().any(|it| is_delegated(&it.backend)));
        for (number, rule) in delegating {
            if rules.failed.contains(&number) {
                // What it says of all requests cannot be skipped for those that it leaves to others.
                continue;
            }
            let policy = self.policy(level.key, number, rule);
            let overrides = Overrides::of(level.object);
            if own.rules[number].backend_refs.is_empty() {
                // Nothing but what it leaves to others. (Those of others have their own numbers.)
                let is_own = |it: &Compiled| it.source.owner.is_none();
                let routes = &mut rules.routes;
                routes.retain(|it| !is_own(it) || it.source.rule != number);
            }
            let mut found = Vec::new();
            for (index, backend) in rule.backend_refs.iter().enumerate() {
                if !is_delegated(&backend.backend) {
                    continue;
                }
                let field = format!("spec.rules[{number}].backendRefs[{index}]");
                let children = match self.children(level, &backend.backend) {
                    Ok(children) => children,
                    Err(reason) => {
                        rules.tell_unresolved(field, reason);
                        continue;
                    }
                };
                for matches in &rule.matches {
                    for child in &children {
                        let below = self.child((level, &mut rules), &field, child, matches);
                        found.extend(below);
                    }
                }
            }
            let first = rule.matches.len();
            let order = Arc::new(RouteOrder::of(level.key, level.object));
            for (index, mut compiled) in found.into_iter().enumerate() {
                let place = (number, first + index);
                compiled.precedence = compiled.precedence.under(&order, place);
                policy.put_over(&mut compiled, &overrides);
                rules.routes.push(compiled);
            }
        }
        rules
    }

    /// What a rule says of all requests, wherever they go.
    fn policy(&self, key: &ObjectKey, number: usize, rule: &HttpRule) -> Policy {
        let alone = HttpRule {
            backend_refs: Vec::new(),
            ..rule.clone()
        };
        let mut parts = Rules::default().rule(key, number, &alone, self.known).parts;
        match parts.pop() {
            Some(part) => {
                let mut references = part.references;
                references.delegate_options.extend((self.options)(key));
                Policy {
                    options: part.options,
                    references,
                }
            }
            None => Policy {
                options: RouteOptions::none(),
                references: OptionsRefs::default(),
            },
        }
    }

    /// What a child does with what a match of its parent leaves it.
    fn child(
        &self,
        (level, rules): (&Level<'_>, &mut Rules),
        field: &str,
        child: &Arc<Object>,
        above: &HttpMatch,
    ) -> Vec<Compiled> {
        let Spec::HttpRoute(route) = &child.spec else {
            return Vec::new();
        };
        let key = &child.key;
        if level.chain.contains(key) {
            let text = format!("{key} leads back to itself: nothing is left to it here");
            rules.tell_unresolved(field.to_owned(), Reason::new("RefNotPermitted", text));
            return Vec::new();
        }
        let entry = (key.clone(), level.key.clone());
        let report = rules.children.entry(entry.clone()).or_default();
        if !route.hostnames.is_empty() {
            let text = "spec.hostnames must be unset on a delegatee route as they are inherited from the parent route";
            report.refused = Some(Reason::new("UnsupportedValue", text));
            return Vec::new();
        }
        let inherits = annotation(child, INHERIT).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            ["true", "yes", "enabled"].contains(&value.as_str())
        });
        let mut narrowed = HttpRoute::clone(route);
        // Which of its matches are left.
        let mut places: Vec<Vec<usize>> = Vec::new();
        for rule in &mut narrowed.rules {
            let all = rule.matches.iter().enumerate();
            let left: Vec<_> = all
                .filter_map(|(index, own)| match inherits {
                    true => Some((index, within::behind(above, own)?)),
                    false => within::fits(above, own).then(|| (index, own.clone())),
                })
                .collect();
            places.push(left.iter().map(|(index, _)| *index).collect());
            rule.matches = left.into_iter().map(|(_, own)| own).collect();
        }
        let mut chain = level.chain.clone();
        chain.push(key.clone());
        let below = Level {
            key,
            object: child,
            chain,
        };
        let mut flat = self.flatten(&below, &narrowed);
        let used = places.iter().enumerate();
        let used = used.flat_map(|(rule, all)| all.iter().map(move |index| (rule, *index)));
        let report = rules.children.entry(entry).or_default();
        report.add(Child {
            refused: None,
            unresolved: flat.unresolved.take(),
            problems: flat.problems,
            used: used.collect(),
        });
        rules.by_listener |= flat.by_listener;
        for (of, below) in flat.children {
            rules.children.entry(of).or_default().add(below);
        }
        for compiled in &mut flat.routes {
            compiled.belong(key, &places);
        }
        flat.routes
    }

    /// The routes that a reference is for, which may be in any namespace, as with Gloo.
    fn children(
        &self,
        level: &Level<'_>,
        backend: &BackendRef,
    ) -> Result<Vec<Arc<Object>>, Reason> {
        let namespace = backend.namespace.as_deref().unwrap_or(&level.key.namespace);
        let by_name = backend.kind == "HTTPRoute" && backend.group == GROUP;
        let named = match by_name {
            true if backend.name == "*" => self.known.routes(Some(namespace), None),
            true => {
                let key = ObjectKey {
                    kind: Kind::HttpRoute,
                    namespace: namespace.into(),
                    name: backend.name.as_str().into(),
                };
                self.known.object(&key).cloned().into_iter().collect()
            }
            false => {
                let all = namespace == ALL;
                if all && self.known.is_there(&namespace_key(ALL)) {
                    let text = "wildcard namespace disallowed as namespace 'all' exists";
                    return Err(Reason::new("RefNotPermitted", text));
                }
                let within = (!all).then_some(namespace);
                self.known.routes(within, Some(&backend.name))
            }
        };
        let allows = |child: &Arc<Object>| match &child.spec {
            Spec::HttpRoute(route) => {
                let parents = &route.parent_refs;
                parents.is_empty() || parents.iter().any(|it| names(it, &child.key, level.key))
            }
            _ => false,
        };
        let children: Vec<_> = named.into_iter().filter(allows).collect();
        match children.is_empty() {
            true => {
                let kind = if by_name {
                    "HTTPRoute"
                } else {
                    "route labelled"
                };
                let text = format!(
                    "no {kind} {} of namespace {namespace} takes requests of it",
                    backend.name
                );
                Err(Reason::new("BackendNotFound", text))
            }
            false => Ok(children),
        }
    }
}

impl Rules {
    /// Has all routes have those RouteOptions, behind those that their rules name.
    pub(crate) fn attach(&mut self, options: &[ObjectRef]) {
        for compiled in &mut self.routes {
            let all = &mut compiled.route.options_config_refs.delegate_options;
            all.extend(options.iter().cloned());
        }
    }
}

/// Whether a reference leaves requests to other routes.
pub(crate) fn is_delegated(backend: &BackendRef) -> bool {
    let (group, kind) = LABEL.split_once('/').unwrap_or_default();
    backend.group == GROUP && backend.kind == "HTTPRoute"
        || backend.group == group && backend.kind == kind
}

/// Whether a child names a parent, so that this may leave requests to it.
pub(crate) fn names(parent: &ParentRef, child: &ObjectKey, key: &ObjectKey) -> bool {
    let namespace = parent.namespace.as_deref().unwrap_or(&child.namespace);
    is_route(parent) && *parent.name == *key.name && *namespace == *key.namespace
}

/// Whether a route wants to be left requests by another one.
pub(crate) fn is_route(parent: &ParentRef) -> bool {
    parent.group == GROUP && parent.kind == "HTTPRoute"
}

pub(super) fn annotation<'a>(object: &'a Object, name: &str) -> Option<&'a String> {
    object.metadata.as_ref()?.annotations.get(name)
}

fn namespace_key(name: &str) -> ObjectKey {
    ObjectKey {
        kind: Kind::Namespace,
        namespace: "".into(),
        name: name.into(),
    }
}

/// What stands for routes that are looked for, among what was looked at: of a namespace or of all, with a label or any.
pub(crate) fn search_key(namespace: Option<&str>, label: Option<&str>) -> ObjectKey {
    ObjectKey {
        kind: Kind::HttpRoute,
        namespace: namespace.unwrap_or_default().into(),
        name: format!("~{}", label.unwrap_or("~")).into(),
    }
}

/// The searches that find a route.
pub(crate) fn searches(key: &ObjectKey, labels: &BTreeMap<String, String>) -> Vec<ObjectKey> {
    let mut searches = vec![search_key(Some(&key.namespace), None)];
    if let Some(label) = labels.get(LABEL) {
        searches.push(search_key(Some(&key.namespace), Some(label)));
        searches.push(search_key(None, Some(label)));
    }
    searches
}
