//! Statuses of objects of the Gateway API: of themselves, and of what they come to. Those of what has listeners are in
//! [`super::listener_statuses`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::gateway_api::{GROUP, ParentRef};
use tenon_model::{Object, ObjectKey, Problem, ProblemLevel, Spec};

use super::super::{Entry, Translator};
use super::RouteUnit;
use super::held::Refusal;
use crate::gateway_api::Reason;
use crate::gateway_api::attach::Attachment;
use crate::gateway_api::conditions::{CONTROLLER, Condition, Conditions, ParentConditions};
use crate::gateway_api::delegation::{self, Child};
use crate::gateway_api::listeners::gateway_key;
use crate::gateway_api::ports::host_of;
use crate::output::Status;
use crate::status;

/// What the fields of routes begin with.
pub(super) const ROUTES: &str = "spec.virtualHost.routes[";

const UNSUPPORTED: &str = "UnsupportedValue";
const KEPT: &str = "its last good form stays in use";

type ByProxy = BTreeMap<String, Vec<Problem>>;

/// What is found of an object.
#[derive(Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    pub(super) proxies: ByProxy,
    pub(super) conditions: Option<Conditions>,
}

/// What is wrong with the rules of a route where they are served, by rule.
type Wrong = BTreeMap<usize, BTreeSet<String>>;

/// What is told of a route wherever it is attached.
struct Told {
    /// The generation of its newest form.
    newest: Option<i64>,
    /// That of the one that is served.
    served: Option<i64>,
    fault: Option<Fault>,
}

/// Why the newest form of a route is not the one that is served.
struct Fault {
    reason: &'static str,
    text: String,
    /// It is not valid in any rule, as far as is known.
    is_whole: bool,
    is_kept: bool,
}

impl Fault {
    /// Of a newest form that cannot be read, whose rules are taken to be as many as before.
    fn of_unread(rejected: &[Problem], count: usize) -> Option<Self> {
        // Another file may have it, too.
        let errors = rejected.iter().filter(|it| it.level == ProblemLevel::Error);
        let errors: Vec<_> = errors.filter(|it| it.field != "metadata.name").collect();
        if errors.is_empty() {
            return None;
        }
        let rules: Option<BTreeSet<&str>> = errors.iter().map(|it| rule_of(&it.field)).collect();
        let texts = errors.iter().map(|it| match it.field.is_empty() {
            true => it.text.clone(),
            false => format!("{}: {}", it.field, it.text),
        });
        Some(Self {
            reason: UNSUPPORTED,
            text: texts.collect::<Vec<_>>().join("; "),
            is_whole: rules.is_none_or(|rules| rules.len() >= count),
            is_kept: true,
        })
    }

    fn as_a_whole(&self) -> Option<Reason> {
        self.is_whole.then(|| {
            let kept = if self.is_kept {
                KEPT
            } else {
                "requests are answered with 500"
            };
            Reason::new(self.reason, format!("{}; {kept}", self.text))
        })
    }
}

/// The number of a rule in a field.
fn rule_of(field: &str) -> Option<&str> {
    field.strip_prefix("spec.rules[")?.split(']').next()
}

/// The place of a field among the routes of a host, and what stands behind it.
pub(super) fn place_in_routes(field: &str) -> Option<(usize, &str)> {
    let (index, rest) = field.strip_prefix(ROUTES)?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

fn texts(rules: &BTreeMap<usize, Reason>) -> String {
    let texts = rules.iter();
    let texts = texts.map(|(rule, reason)| format!("rule {rule}: {}", reason.message));
    texts.collect::<Vec<_>>().join("; ")
}

fn generation_of(object: Option<&Object>) -> Option<i64> {
    object?.metadata.as_ref()?.generation
}

impl Translator {
    pub(in crate::engine) fn status_of_gateway_api(
        &self,
        key: &ObjectKey,
        entry: &Entry,
    ) -> Status {
        let mut problems = entry.rejected.clone();
        if let Some(object) = &entry.object {
            problems.extend(object.warnings.iter().cloned());
        }
        let refusal = self.refusal_of_route(key);
        problems.extend(refusal.iter().map(Refusal::problem));
        let is_kept = !entry.rejected.is_empty() && entry.object.is_some()
            || self.fallen(key).is_some()
            || refusal.is_some_and(|it| it.is_kept);
        if is_kept {
            problems.push(Problem::warning("", KEPT));
        }
        let generation = generation_of(entry.object.as_deref());
        let found = match entry.object.as_ref().map(|object| &object.spec) {
            Some(Spec::GatewayClass(class)) => of_class(&class.controller_name, generation),
            Some(Spec::KubernetesGateway(gateway)) => self.of_gateway(key, gateway, generation),
            Some(Spec::ListenerSet(_)) => self.of_set(key, generation),
            Some(
                Spec::HttpRoute(_) | Spec::GrpcRoute(_) | Spec::TcpRoute(_) | Spec::TlsRoute(_),
            ) => self.of_route(key, entry, generation),
            Some(Spec::BackendTlsPolicy(_)) => Found {
                problems: self.problems_of_policy(key),
                conditions: self.conditions_of_policy(key, entry),
                ..Found::default()
            },
            Some(Spec::DirectResponse(_) | Spec::FunctionCall(_)) => self.of_referred(key),
            Some(Spec::ReferenceGrant(_) | Spec::GatewayParameters(_)) | None => Found::default(),
            Some(_) => Found {
                problems: vec![Problem::warning("", "has no effect yet")],
                ..Found::default()
            },
        };
        problems.extend(found.problems);
        let mut status = status::status(problems, found.proxies);
        status.conditions = found.conditions.map(Arc::new);
        status
    }

    /// What is there for routes which refer to it.
    fn of_referred(&self, key: &ObjectKey) -> Found {
        if self.front.readers.has(key) {
            return Found::default();
        }
        let text = "no route refers to it: it has no effect";
        Found {
            problems: vec![Problem::warning("", text)],
            ..Found::default()
        }
    }

    fn of_route(&self, key: &ObjectKey, entry: &Entry, generation: Option<i64>) -> Found {
        let Some(unit) = self.front.routes.get(key) else {
            return Found::default();
        };
        let mut found = Found {
            problems: unit.problems.clone(),
            ..Found::default()
        };
        found.problems.extend(match self.fallen(key) {
            Some(fallen) => fallen.problems.clone(),
            None => unit.rules.problems.clone(),
        });
        let told = Told {
            newest: generation,
            served: generation_of(unit.served.as_deref()),
            fault: self.fault(key, entry, unit),
        };
        for gateway in &unit.parents {
            for (port, _) in unit.connections(gateway).filter_map(host_of) {
                for proxy in self.listeners.bound(&gateway_key(gateway, port)) {
                    found.proxies.entry(proxy.to_string()).or_default();
                }
            }
        }
        for (host, owner) in self.lost_connections(key, unit) {
            let text = format!("connections for {host} are those of {owner}, which is older");
            found.problems.push(Problem::warning("", text));
        }
        let mut wrong: BTreeMap<ObjectKey, Wrong> = BTreeMap::new();
        let roots = self.front.by_child.sorted_of(key);
        let roots = roots.filter_map(|it| self.front.routes.get(it));
        let roots: Vec<_> = roots.map(|unit| &**unit).collect();
        let hosts: BTreeSet<_> = roots.iter().flat_map(|it| &it.hosts).collect();
        for host in hosts.into_iter().chain(&unit.hosts) {
            self.add_problems_of_host(key, host, &mut found, &mut wrong);
        }
        let attachments = unit.attachments.iter();
        let mut parents: Vec<_> = attachments
            .map(|it| of_parent(unit, it, &wrong, &told))
            .collect();
        let above = above(key, &roots);
        parents.extend(
            above
                .iter()
                .map(|(parent, child)| of_child(unit, parent, child, &told)),
        );
        if let Some(Spec::HttpRoute(route)) = self.objects.spec(key) {
            if route.parent_refs.is_empty() && above.is_empty() {
                let text = "names no gateway: it is served nowhere";
                found
                    .problems
                    .push(Problem::warning("spec.parentRefs", text));
            }
            for (index, parent) in route.parent_refs.iter().enumerate() {
                let is_left = above.keys().any(|it| delegation::names(parent, key, it));
                if delegation::is_route(parent) && !is_left {
                    let field = format!("spec.parentRefs[{index}]");
                    let text = format!("HTTPRoute {} leaves it no requests", parent.name);
                    found.problems.push(Problem::warning(field, text));
                }
            }
        }
        self.add_problems_of_child(key, unit, &above, &mut found.problems);
        let refused = above.values().filter_map(|it| it.refused.as_ref());
        let refused = refused.map(|why| Problem::error("spec.hostnames", why.message.clone()));
        found.problems.extend(refused);
        found.conditions = Some(Conditions {
            parents,
            ..Conditions::default()
        });
        found
    }

    /// What is wrong with a route where others leave it requests.
    fn add_problems_of_child(
        &self,
        key: &ObjectKey,
        unit: &RouteUnit,
        above: &BTreeMap<ObjectKey, Child>,
        problems: &mut Vec<Problem>,
    ) {
        for problem in above.values().flat_map(|it| &it.problems) {
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
        let Some(Spec::HttpRoute(route)) = self.objects.spec(key) else {
            return;
        };
        let reached = above.values().any(|it| it.refused.is_none());
        if !reached || !unit.attachments.is_empty() {
            return;
        }
        let is_used = |place: &(usize, usize)| above.values().any(|it| it.used.contains(place));
        for (rule, it) in route.rules.iter().enumerate() {
            let places = (0..it.matches.len()).map(|index| (rule, index));
            for (rule, index) in places.filter(|place| !is_used(place)) {
                let field = format!("spec.rules[{rule}].matches[{index}]");
                let text = "is not within what the routes above leave it: it gets no requests";
                problems.push(Problem::warning(field, text));
            }
        }
    }

    /// What is wrong with the routes that a route comes to at a host, where it stands in the route.
    fn add_problems_of_host(
        &self,
        key: &ObjectKey,
        host: &ObjectKey,
        found: &mut Found,
        wrong: &mut BTreeMap<ObjectKey, Wrong>,
    ) {
        for proxy in self.listeners.served(host) {
            found.proxies.entry(proxy.to_string()).or_default();
        }
        let problems = self.problems_within(host);
        if problems.is_empty() {
            return;
        }
        let all: Vec<_> = self.compiled(host).collect();
        for problem in problems {
            let Some((index, rest)) = place_in_routes(&problem.field) else {
                // Of the host as a whole: of all routes that it has.
                found.problems.push(Problem {
                    field: String::new(),
                    ..problem
                });
                continue;
            };
            let Some((_, compiled)) = all.get(index).filter(|(owner, _)| *owner == key) else {
                continue;
            };
            let problem = compiled.source.locate(rest, &problem);
            if problem.level == ProblemLevel::Error {
                let of_host = wrong.entry(host.clone()).or_default();
                let of_rule = of_host.entry(compiled.source.rule).or_default();
                of_rule.insert(problem.text.clone());
            }
            found.problems.push(problem);
        }
    }

    /// Why the newest form of a route is not the one that is served.
    fn fault(&self, key: &ObjectKey, entry: &Entry, unit: &RouteUnit) -> Option<Fault> {
        if let Some(fallen) = self.fallen(key) {
            let first = fallen.rules.values().next()?;
            return Some(Fault {
                reason: first.reason,
                text: texts(&fallen.rules),
                is_whole: fallen.rules.len() == fallen.count,
                is_kept: true,
            });
        }
        if let Some(refusal) = self.refusal_of_route(key) {
            return Some(Fault {
                reason: UNSUPPORTED,
                text: refusal.text(),
                // Envoy does not say which rule it is.
                is_whole: !refusal.is_kept || unit.rules.count == 1,
                is_kept: refusal.is_kept,
            });
        }
        Fault::of_unread(&entry.rejected, unit.rules.count)
    }

    /// What is wrong with something that nobody wrote, beside others and with Envoy, too.
    pub(super) fn problems_within(&self, key: &ObjectKey) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(unit) = self.hosts.get(key) {
            problems.extend(unit.problems.iter().cloned());
            problems.extend(self.problems_of_services_of_consul(unit.form.reads.iter()));
        }
        problems.extend(self.listeners.problems(key));
        let (refusals, _) = self.refusals(key);
        problems.extend(refusals.into_iter().map(|(_, problem)| problem));
        for (id, words) in &self.verdicts {
            if self.blames(id, words, key) {
                let text = format!("Envoy refuses it: {}", crate::shortened::middle(words));
                problems.push(Problem::error("", text));
            }
        }
        problems
    }
}

fn of_class(controller: &str, generation: Option<i64>) -> Found {
    if controller != CONTROLLER {
        return Found::default();
    }
    Found {
        conditions: Some(Conditions {
            own: vec![Condition::of("Accepted", Ok("Accepted"), generation)],
            ..Conditions::default()
        }),
        ..Found::default()
    }
}

fn of_parent(
    unit: &RouteUnit,
    attachment: &Attachment,
    wrong: &BTreeMap<ObjectKey, Wrong>,
    told: &Told,
) -> ParentConditions {
    let rules = &unit.rules;
    let mut dropped: BTreeMap<usize, Reason> = BTreeMap::new();
    for (rule, reason) in &rules.dropped {
        dropped.entry(*rule).or_insert_with(|| reason.clone());
    }
    for host in attachment.outcome.iter().flat_map(|it| &it.hosts) {
        for (rule, texts) in wrong.get(host).into_iter().flatten() {
            let text = texts.first().cloned().unwrap_or_default();
            let reason = Reason::new(UNSUPPORTED, text);
            dropped.entry(*rule).or_insert(reason);
        }
    }
    let texts = texts(&dropped);
    let all = !dropped.is_empty() && dropped.len() == rules.count;
    let first = dropped.values().next().filter(|_| all);
    let invalid = first.map(|it| Reason::new(it.reason, texts.clone()));
    let fault = told.fault.as_ref();
    let broken = fault.and_then(Fault::as_a_whole);
    let (accepted, generation) = match (&attachment.outcome, broken.as_ref().or(invalid.as_ref())) {
        (Err(reason), _) => (Err(reason), told.newest),
        (Ok(_), Some(reason)) => (Err(reason), told.newest),
        // "With the generation of the last known good state of the resource".
        (Ok(_), None) => (Ok("Accepted"), told.served),
    };
    let resolved = match &rules.unresolved {
        Some(reason) => Err(reason),
        None => Ok("ResolvedRefs"),
    };
    let mut conditions = vec![Condition::of("Accepted", accepted, generation)];
    let message = match fault {
        Some(fault) => Some(format!("Fall Back: {}", fault.text)),
        None => (!dropped.is_empty()).then(|| format!("Dropped Rule: {texts}")),
    };
    if let (true, Some(message)) = (accepted.is_ok(), message) {
        let mut partially = Condition::of("PartiallyInvalid", Ok(UNSUPPORTED), told.newest);
        partially.message = message;
        conditions.push(partially);
    }
    conditions.push(Condition::of("ResolvedRefs", resolved, told.served));
    ParentConditions {
        parent: attachment.parent.clone(),
        conditions,
    }
}

/// Who leaves requests to a route, and what became of it there.
fn above(key: &ObjectKey, roots: &[&RouteUnit]) -> BTreeMap<ObjectKey, Child> {
    let mut above: BTreeMap<ObjectKey, Child> = BTreeMap::new();
    let all = roots.iter().flat_map(|it| &it.rules.children);
    for ((_, parent), child) in all.filter(|((it, _), _)| it == key) {
        let told = above.entry(parent.clone()).or_default();
        told.add(child.clone());
    }
    above
}

/// What became of a route that another one leaves requests to.
fn of_child(unit: &RouteUnit, parent: &ObjectKey, child: &Child, told: &Told) -> ParentConditions {
    let fault = told.fault.as_ref();
    let broken = fault.and_then(Fault::as_a_whole);
    let refused = child.refused.as_ref().or(broken.as_ref());
    let (accepted, generation) = match refused {
        Some(reason) => (Err(reason), told.newest),
        None => (Ok("Accepted"), told.served),
    };
    let mut conditions = vec![Condition::of("Accepted", accepted, generation)];
    if let (None, Some(fault)) = (refused, fault) {
        let mut partially = Condition::of("PartiallyInvalid", Ok(UNSUPPORTED), told.newest);
        partially.message = format!("Fall Back: {}", fault.text);
        conditions.push(partially);
    }
    let unresolved = child.unresolved.as_ref().or(unit.rules.unresolved.as_ref());
    let resolved = unresolved.map_or(Ok("ResolvedRefs"), Err);
    conditions.push(Condition::of("ResolvedRefs", resolved, told.served));
    ParentConditions {
        parent: ParentRef {
            group: GROUP.to_owned(),
            kind: "HTTPRoute".to_owned(),
            namespace: Some(parent.namespace.to_string()),
            name: parent.name.to_string(),
            section_name: None,
            port: None,
        },
        conditions,
    }
}
