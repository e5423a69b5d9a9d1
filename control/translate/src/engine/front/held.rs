//! Routes that Envoy refused, which are held back as a whole until something of them changes, while others for the same
//! hosts go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{Kind, Object, ObjectKey, Problem, Spec};

use super::super::quarantine::Quarantine;
use super::super::{Translator, Work};
use crate::gateway_api::options::KINDS;
use crate::keys::Keys;
use crate::{names, shortened};

/// A route that is held back.
pub(in crate::engine) struct HeldRoute {
    /// In which form.
    object: Arc<Object>,
    /// Envoy's words; none while it is only a suspect.
    words: Option<String>,
    instead: Instead,
    /// What it looked at: with a change of that it is tried again.
    reads: Keys,
}

/// What is served instead of a route.
enum Instead {
    /// Its form of before.
    Before(Arc<Object>),
    /// Its matches, with an error for each request.
    Answers,
    /// Nothing.
    Nothing,
}

/// What Envoy says of the newest form of a route.
pub(super) struct Refusal<'a> {
    pub(super) words: &'a str,
    /// The form before is served.
    pub(super) is_kept: bool,
}

impl HeldRoute {
    fn form(&self) -> Arc<Object> {
        match &self.instead {
            Instead::Before(object) => object.clone(),
            Instead::Answers => Arc::new(answering(&self.object)),
            Instead::Nothing => Arc::new(nothing(&self.object)),
        }
    }
}

impl Quarantine {
    /// Whether a route is served as an error for each request.
    pub(in crate::engine) fn route_answers(&self, key: &ObjectKey) -> bool {
        let held = self.held_routes.get(key);
        held.is_some_and(|held| matches!(held.instead, Instead::Answers))
    }

    /// A route has another form served than the one before; `None`: it was not there.
    pub(in crate::engine) fn note_route(&mut self, key: &ObjectKey, before: Option<Arc<Object>>) {
        let all = &mut self.routes_before;
        match self.held_routes.get(key).map(|held| &held.instead) {
            None => {
                all.entry(key.clone()).or_insert(before);
            }
            // Even that may be refused.
            Some(Instead::Answers) => {
                all.insert(key.clone(), None);
            }
            Some(Instead::Before(_) | Instead::Nothing) => {
                all.remove(key);
            }
        }
    }
}

impl Translator {
    /// Who may be to blame where a virtual host is refused: of a host of a gateway, the routes that are not proven.
    pub(in crate::engine) fn suspects_of(&self, host: &ObjectKey) -> Vec<ObjectKey> {
        let routes: BTreeSet<_> = match names::is_internal(host) {
            true => self.front.sources(host).into_iter().collect(),
            false => BTreeSet::new(),
        };
        let unproven = |key: &ObjectKey| self.quarantine.routes_before.contains_key(key);
        let routes: Vec<_> = routes.into_iter().filter(unproven).collect();
        match routes.is_empty() {
            true => vec![host.clone()],
            false => routes,
        }
    }

    /// Holds a route back; without words it is only a suspect.
    pub(in crate::engine) fn hold_route(
        &mut self,
        key: ObjectKey,
        words: Option<&str>,
        work: &mut Work,
    ) {
        let Some(newest) = self
            .objects
            .entries
            .get(&key)
            .and_then(|it| it.object.clone())
        else {
            return;
        };
        let reads = self.front.routes.get(&key).map(|unit| unit.reads.clone());
        let quarantine = &mut self.quarantine;
        let before = quarantine.routes_before.remove(&key).flatten();
        let held = match quarantine.held_routes.remove(&key) {
            // Not even what was served instead.
            Some(held) => HeldRoute {
                instead: Instead::Nothing,
                ..held
            },
            None => HeldRoute {
                object: newest,
                words: words.map(str::to_owned),
                instead: match before {
                    Some(form) => Instead::Before(form),
                    None if words.is_some() => Instead::Answers,
                    None => Instead::Nothing,
                },
                reads: reads.unwrap_or_default(),
            },
        };
        quarantine.held_routes.insert(key.clone(), held);
        work.front.routes.insert(key);
    }

    /// What is served instead of the newest form of a route that is held back, and what that looked at. Another form is
    /// held back no more.
    pub(super) fn served_instead(
        &mut self,
        key: &ObjectKey,
        newest: &Arc<Object>,
    ) -> Option<(Arc<Object>, Keys)> {
        let held = self.quarantine.held_routes.get(key)?;
        if held.object == *newest {
            return Some((held.form(), held.reads.clone()));
        }
        self.forget_host(key);
        self.quarantine.held_routes.remove(key);
        None
    }

    /// Whether something else is served instead of a route.
    pub(super) fn is_held_route(&self, key: &ObjectKey) -> bool {
        self.quarantine.held_routes.contains_key(key)
    }

    /// A route is gone.
    pub(super) fn forget_route(&mut self, key: &ObjectKey) {
        self.forget_host(key);
        self.quarantine.held_routes.remove(key);
        self.quarantine.routes_before.remove(key);
    }

    /// Notes what was served of a route before, if that was something else.
    pub(in crate::engine) fn note_change_of_route(
        &mut self,
        key: &ObjectKey,
        before: Option<Arc<Object>>,
    ) {
        let served = self.front.routes.get(key).and_then(|it| it.served.as_ref());
        let Some(served) = served else {
            return;
        };
        // Nothing that was served instead is no form to go back to.
        let before = before.filter(|before| !is_nothing(before));
        let is_changed = before.as_ref().is_none_or(|it| it.spec != served.spec);
        let is_held = self.is_held_route(key) && !self.quarantine.route_answers(key);
        if is_changed || is_held {
            self.quarantine.note_route(key, before);
        }
    }

    /// The same of all, when everything was derived anew.
    pub(in crate::engine) fn note_changes_of_routes(
        &mut self,
        before: &BTreeMap<ObjectKey, Arc<Object>>,
    ) {
        let routes = &self.front.routes;
        let quarantine = &mut self.quarantine;
        quarantine
            .routes_before
            .retain(|key, _| routes.contains_key(key));
        let routes: Vec<_> = routes.keys().cloned().collect();
        for key in routes {
            self.note_change_of_route(&key, before.get(&key).cloned());
        }
        let as_before: Vec<_> = self
            .quarantine
            .hosts_before
            .unsorted()
            .filter(|(host, before)| {
                let now = self.hosts.get(*host).map(|unit| &unit.form);
                let same = now.zip(before.as_ref());
                same.is_some_and(|(now, before)| before.same_output(now))
                    && self.is_held_in_part(host)
            })
            .map(|(host, _)| host.clone())
            .collect();
        for host in as_before {
            self.quarantine.hosts_before.remove(&host);
        }
    }

    /// Has routes tried again that are held back, where something changed that they looked at.
    pub(in crate::engine) fn release_routes(&mut self, key: &ObjectKey, work: &mut Work) {
        if self.quarantine.held_routes.is_empty() {
            return;
        }
        let grants = crate::gateway_api::grants_key(&key.namespace);
        let read = match key.kind {
            Kind::ReferenceGrant => &grants,
            _ => key,
        };
        let targets: BTreeSet<_> = match KINDS.contains(&key.kind) {
            true => self.front.attaching.targets_of(key).cloned().collect(),
            false => BTreeSet::new(),
        };
        let held = self.quarantine.held_routes.iter();
        let held = held.filter(|(route, held)| {
            key.kind == Kind::Settings || held.reads.contains(read) || targets.contains(*route)
        });
        let released: Vec<_> = held.map(|(route, _)| route.clone()).collect();
        for route in released {
            self.forget_host(&route);
            self.quarantine.held_routes.remove(&route);
            work.front.routes.insert(route);
        }
    }

    /// Virtual hosts are proven, and with them the routes that are for no others.
    pub(in crate::engine) fn prove_routes(&mut self, hosts: &[ObjectKey]) {
        if self.quarantine.routes_before.is_empty() {
            return;
        }
        let of_gateways = hosts.iter().filter(|host| names::is_internal(host));
        let routes: BTreeSet<_> = of_gateways.flat_map(|it| self.front.sources(it)).collect();
        for route in routes {
            let unproven = &self.quarantine.hosts_before;
            let is_proven = {
                let mut hosts = self.hosts_of_route(&route);
                !hosts.any(|host| unproven.contains_key(host))
            };
            if is_proven {
                self.quarantine.routes_before.remove(&route);
            }
        }
    }

    /// Whether a host of a gateway is as it was because some of its routes are held back.
    pub(in crate::engine) fn is_held_in_part(&self, host: &ObjectKey) -> bool {
        let held = &self.quarantine.held_routes;
        if held.is_empty() || !names::is_internal(host) {
            return false;
        }
        let mut routes = self.front.sources(host).into_iter();
        routes.any(|route| {
            let held = held.get(&route);
            held.is_some_and(|it| matches!(it.instead, Instead::Before(_)))
        })
    }

    /// What Envoy says of the newest form of a route.
    pub(super) fn refusal_of_route(&self, key: &ObjectKey) -> Option<Refusal<'_>> {
        let held = self.quarantine.held_routes.get(key)?;
        Some(Refusal {
            words: held.words.as_deref()?,
            is_kept: matches!(held.instead, Instead::Before(_)),
        })
    }
}

impl Refusal<'_> {
    pub(super) fn problem(&self) -> Problem {
        Problem::error("", self.text())
    }

    pub(super) fn text(&self) -> String {
        format!("Envoy refuses it: {}", shortened::middle(self.words))
    }
}

/// The same matches, with an error for each request: rules that have no backend.
fn answering(object: &Object) -> Object {
    let mut object = object.clone();
    match &mut object.spec {
        Spec::HttpRoute(route) => {
            for rule in &mut route.rules {
                rule.filters.clear();
                rule.backend_refs.clear();
                rule.timeouts = None;
                rule.retry = None;
                rule.session_persistence = None;
            }
        }
        Spec::GrpcRoute(route) => {
            for rule in &mut route.rules {
                rule.filters.clear();
                rule.backend_refs.clear();
                rule.session_persistence = None;
            }
        }
        _ => {}
    }
    object
}

/// Whether it is what is served in the place of a route with no form of before; those that are written have a rule.
fn is_nothing(object: &Object) -> bool {
    match &object.spec {
        Spec::HttpRoute(route) => route.rules.is_empty(),
        Spec::GrpcRoute(route) => route.rules.is_empty(),
        _ => false,
    }
}

fn nothing(object: &Object) -> Object {
    let mut object = object.clone();
    match &mut object.spec {
        Spec::HttpRoute(route) => route.rules.clear(),
        Spec::GrpcRoute(route) => route.rules.clear(),
        _ => {}
    }
    object
}
