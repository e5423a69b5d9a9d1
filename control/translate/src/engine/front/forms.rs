//! Which form of a route is served: the newest that could be read or, where that cannot be carried out, the last good one.
//!
//! The specification has two ways for a route of which some rules are not valid. This is "Fall Back": "implementations
//! will fall back to the last known good state of the entire Route"; where there is none, it is "Drop Rule". What a rule
//! refers to and is not there makes no route invalid: its share is answered with 500, whatever was there before.
//!
//! Whether a form can be carried out shows where its rules are compiled, and at the hosts that it is served for. What it
//! looked at there is remembered, so that it is tried again once that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use tenon_model::{Object, ObjectKey, Problem, ProblemLevel};

use super::super::endpoints::is_in_memory;
use super::super::{HostUnit, Translator, Work, settings_key};
use super::statuses::place_in_routes;
use super::{RouteUnit, is_of_requests};
use crate::gateway_api::Reason;
use crate::keyed::Readers;
use crate::keys::Keys;
use crate::names;

/// The forms of routes that are not their newest.
#[derive(Default)]
pub(super) struct Forms {
    /// The last ones that were good wherever they were served.
    good: BTreeMap<ObjectKey, Arc<Object>>,
    /// The routes in whose place such a form is served.
    fallen: BTreeMap<ObjectKey, Fallen>,
    /// Which of those are to be tried again when something changes that hosts look at.
    retries: Readers,
    /// The same, by the routes.
    at_hosts: BTreeMap<ObjectKey, Keys>,
}

/// Why the newest form of a route is not served.
#[derive(Debug, Clone, Default)]
pub(super) struct Fallen {
    /// What is wrong with it.
    pub(super) problems: Vec<Problem>,
    /// Its rules that cannot be served, and why.
    pub(super) rules: BTreeMap<usize, Reason>,
    /// How many rules it has.
    pub(super) count: usize,
    looked: Looked,
}

/// What was looked at before a form was found not to be good.
#[derive(Debug, Clone, Default)]
struct Looked {
    /// By the form.
    reads: Keys,
    parents: Keys,
    /// By the hosts that it was tried for.
    at_hosts: Keys,
}

impl Looked {
    fn of(unit: &RouteUnit) -> Self {
        Self {
            reads: unit.reads.clone(),
            parents: unit.parents.clone(),
            at_hosts: Keys::default(),
        }
    }

    fn add(&mut self, other: Self) {
        self.reads = mem::take(&mut self.reads).with(other.reads);
        self.parents.extend(other.parents);
        self.at_hosts = mem::take(&mut self.at_hosts).with(other.at_hosts);
    }
}

/// What is found of routes while hosts are derived.
#[derive(Default)]
pub(in crate::engine) struct Judging {
    /// Those that may be good now, or be good no more.
    judged: BTreeSet<ObjectKey>,
    /// Those whose newest forms cannot be carried out.
    fallen: BTreeMap<ObjectKey, Fallen>,
    /// Those whose last good forms cannot be either.
    given_up: BTreeMap<ObjectKey, Looked>,
    /// What was served of them before.
    before: BTreeMap<ObjectKey, Option<Arc<Object>>>,
}

impl Forms {
    /// What is kept when everything is derived anew.
    pub(super) fn only_last_good(self) -> Self {
        Self {
            good: self.good,
            ..Self::default()
        }
    }

    fn set_fallen(&mut self, key: &ObjectKey, new: Option<Fallen>) {
        match new {
            Some(new) => self.fallen.insert(key.clone(), new),
            None => self.fallen.remove(key),
        };
    }

    /// Remembers what has a route tried again.
    fn set_at_hosts(&mut self, key: &ObjectKey, new: Keys) {
        let old = self.at_hosts.remove(key).unwrap_or_default();
        self.retries.reindex(key, &old, &new);
        if new.iter().next().is_some() {
            self.at_hosts.insert(key.clone(), new);
        }
    }
}

impl Fallen {
    /// What is wrong with a form whose rules cannot all be compiled.
    fn of_rules(unit: &RouteUnit) -> Self {
        let mut rules = BTreeMap::new();
        for (rule, reason) in &unit.rules.dropped {
            rules.entry(*rule).or_insert_with(|| reason.clone());
        }
        Self {
            problems: unit.rules.problems.clone(),
            rules,
            count: unit.rules.count,
            looked: Looked::of(unit),
        }
    }

    fn add(&mut self, rule: usize, problem: Problem) {
        let reason = Reason::new("UnsupportedValue", problem.text.clone());
        self.rules.entry(rule).or_insert(reason);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

impl Translator {
    /// Chooses the form of a route that is served, and derives it.
    pub(super) fn choose_form(&mut self, key: &ObjectKey, work: &mut Work) -> RouteUnit {
        let judging = &mut work.front.judging;
        judging.judged.insert(key.clone());
        let old = self.front.routes.get(key).and_then(|it| it.served.clone());
        judging.before.entry(key.clone()).or_insert(old);
        self.front.forms.set_fallen(key, None);
        let Some(newest) = self.set_instead(key, None) else {
            self.front.forms.good.remove(key);
            self.front.forms.set_at_hosts(key, Keys::default());
            self.forget_route(key);
            return RouteUnit::default();
        };
        if let Some((instead, reads)) = self.served_instead(key, &newest) {
            self.front.forms.set_at_hosts(key, Keys::default());
            self.set_instead(key, Some(instead));
            return self.unit_with(
                key,
                Looked {
                    reads,
                    ..Looked::default()
                },
            );
        }
        let mut looked = judging.given_up.get(key).cloned().unwrap_or_default();
        let good = self.front.forms.good.get(key);
        let good = good.filter(|good| good.spec != newest.spec && is_of_requests(key.kind));
        let good = good
            .filter(|_| !judging.given_up.contains_key(key))
            .cloned();
        let fallen = match (judging.fallen.get(key), &good) {
            (_, None) => None,
            (Some(fallen), _) => Some(fallen.clone()),
            (None, _) => {
                let unit = self.unit_with(key, Looked::default());
                (!unit.rules.dropped.is_empty()).then(|| Fallen::of_rules(&unit))
            }
        };
        if let (Some(fallen), Some(good)) = (fallen, good) {
            looked.add(fallen.looked.clone());
            self.set_instead(key, Some(good));
            let unit = self.unit_with(key, looked.clone());
            if unit.rules.dropped.is_empty() {
                self.front.forms.set_fallen(key, Some(fallen));
                self.front.forms.set_at_hosts(key, looked.at_hosts);
                return unit;
            }
            // What it refers to is another one by now.
            looked.add(Looked::of(&unit));
            self.set_instead(key, None);
        }
        self.front
            .forms
            .set_at_hosts(key, mem::take(&mut looked.at_hosts));
        self.unit_with(key, looked)
    }

    /// What the form comes to that is chosen, which is looked at again with what others looked at, too.
    fn unit_with(&self, key: &ObjectKey, others: Looked) -> RouteUnit {
        let mut unit = self.route_unit(key).unwrap_or_default();
        unit.served = self.objects.object(key).cloned();
        unit.reads = mem::take(&mut unit.reads).with(others.reads);
        unit.parents.extend(others.parents);
        unit
    }

    /// Has another form served than the newest; returns that, if the object is there.
    fn set_instead(&mut self, key: &ObjectKey, form: Option<Arc<Object>>) -> Option<Arc<Object>> {
        let entry = self.objects.entries.get_mut(key)?;
        entry.instead = form;
        entry.object.clone()
    }

    /// Finds out at hosts, as they have been derived, which routes cannot be carried out; whether some have another form
    /// served now.
    pub(in crate::engine) fn judge_routes(
        &mut self,
        units: &BTreeMap<ObjectKey, Option<HostUnit>>,
        work: &mut Work,
    ) -> bool {
        let mut wrong: BTreeMap<ObjectKey, Fallen> = BTreeMap::new();
        // A form that comes to the same routes as another one leaves its hosts as they are.
        let judged = work.front.judging.judged.iter();
        let judged = judged.flat_map(|key| self.hosts_of_route(key));
        let same = judged.filter(|host| !units.contains_key(*host));
        let same: BTreeSet<_> = same.cloned().collect();
        let same = same.iter().map(|host| (host, self.hosts.get(host)));
        let derived = units.iter().map(|(host, unit)| (host, unit.as_ref()));
        for (host, unit) in derived.chain(same) {
            let (true, Some(unit)) = (names::is_internal(host), unit) else {
                continue;
            };
            let judged = self.front.sources(host);
            work.front.judging.judged.extend(judged);
            for (owner, rule, problem) in self.errors_at(host, unit) {
                let fallen = wrong.entry(owner).or_default();
                fallen.add(rule, problem);
                let reads = unit.form.reads.iter().filter(|key| !is_in_memory(key));
                let reads = reads.chain([settings_key()]).cloned();
                let at_hosts = &mut fallen.looked.at_hosts;
                *at_hosts = mem::take(at_hosts).with(reads);
            }
        }
        let mut any = false;
        for (key, mut fallen) in wrong {
            let Some(entry) = self.objects.entries.get(&key) else {
                continue;
            };
            let (Some(newest), false) = (&entry.object, self.is_held_route(&key)) else {
                continue;
            };
            let judging = &mut work.front.judging;
            let good = self.front.forms.good.get(&key);
            let unit = self.front.routes.get(&key);
            if let Some(unit) = unit {
                let at_hosts = mem::take(&mut fallen.looked.at_hosts);
                fallen.looked = Looked {
                    at_hosts,
                    ..Looked::of(unit)
                };
            }
            if entry.instead.is_some() {
                let mut looked = fallen.looked;
                if let Some(newest) = judging.fallen.remove(&key) {
                    looked.add(newest.looked);
                }
                judging.given_up.insert(key.clone(), looked);
            } else if good.is_some_and(|good| good.spec != newest.spec)
                && !judging.given_up.contains_key(&key)
                && is_of_requests(key.kind)
            {
                if let Some(unit) = unit {
                    fallen.count = unit.rules.count;
                    fallen.problems.extend(unit.rules.problems.iter().cloned());
                }
                judging.fallen.insert(key.clone(), fallen);
            } else {
                continue;
            }
            work.front.routes.insert(key);
            any = true;
        }
        any
    }

    /// Remembers which routes are good, now that it is known of all hosts, and which are served in another form than before.
    pub(in crate::engine) fn remember_routes(
        &mut self,
        units: &BTreeMap<ObjectKey, Option<HostUnit>>,
        work: &mut Work,
    ) {
        for key in mem::take(&mut work.front.judging.judged) {
            if self.is_good_route(&key, units)
                && let Some(newest) = self.objects.object(&key)
            {
                let newest = newest.clone();
                self.front.forms.good.insert(key, newest);
            }
        }
        for (key, before) in mem::take(&mut work.front.judging.before) {
            self.note_change_of_route(&key, before);
        }
    }

    fn is_good_route(
        &self,
        key: &ObjectKey,
        units: &BTreeMap<ObjectKey, Option<HostUnit>>,
    ) -> bool {
        let is_newest = self
            .objects
            .entries
            .get(key)
            .is_some_and(|it| it.instead.is_none());
        let Some(unit) = self.front.routes.get(key) else {
            return false;
        };
        let errs = |host: &ObjectKey| {
            let unit = match units.get(host) {
                Some(unit) => unit.as_ref(),
                None => self.hosts.get(host),
            };
            let errors = unit.map(|unit| self.errors_at(host, unit));
            let mut errors = errors.into_iter().flatten();
            errors.any(|(owner, ..)| owner == *key)
        };
        is_newest
            && is_of_requests(key.kind)
            && unit.rules.dropped.is_empty()
            && !self.hosts_of_route(key).any(errs)
    }

    /// The hosts that have requests for a route, by itself or by those that leave it some.
    pub(in crate::engine) fn hosts_of_route<'a>(
        &'a self,
        key: &'a ObjectKey,
    ) -> impl Iterator<Item = &'a ObjectKey> {
        let roots = self.front.by_child.sorted_of(key);
        let all = roots.chain([key]);
        let all = all.filter_map(|it| self.front.routes.get(it));
        all.flat_map(|unit| &unit.hosts)
    }

    /// What is wrong with the routes for a host: whose, in which rule, and what.
    fn errors_at(&self, host: &ObjectKey, unit: &HostUnit) -> Vec<(ObjectKey, usize, Problem)> {
        let errors = unit.problems.iter();
        let errors = errors.filter(|it| it.level == ProblemLevel::Error);
        let errors: Vec<_> = errors
            .filter_map(|it| Some((place_in_routes(&it.field)?, it)))
            .collect();
        if errors.is_empty() {
            return Vec::new();
        }
        let all: Vec<_> = self.compiled(host).collect();
        let found = errors.into_iter().filter_map(|((index, rest), problem)| {
            let (owner, compiled) = all.get(index)?;
            let problem = compiled.source.locate(rest, problem);
            Some((ObjectKey::clone(owner), compiled.source.rule, problem))
        });
        found.collect()
    }

    /// Why the newest form of a route is not served.
    pub(super) fn fallen(&self, key: &ObjectKey) -> Option<&Fallen> {
        self.front.forms.fallen.get(key)
    }

    /// Tries routes again that could not be carried out, where something changed that they looked at.
    pub(in crate::engine) fn retry_routes(&self, key: &ObjectKey, work: &mut Work) {
        let routes = self.front.forms.retries.of(key);
        work.front.routes.extend(routes.cloned());
    }

    /// The same of all, where something changed that all hosts look at.
    pub(in crate::engine) fn retry_all_routes(&self, work: &mut Work) {
        let fallen = self.front.forms.fallen.keys();
        work.front.routes.extend(fallen.cloned());
    }

    /// Forgets the forms of routes that are there no more.
    pub(in crate::engine) fn forget_gone_routes(&mut self) {
        let good = self.front.forms.good.keys();
        let gone = good.filter(|key| !self.objects.has(key));
        for key in gone.cloned().collect::<Vec<_>>() {
            self.front.forms.good.remove(&key);
            self.forget_route(&key);
        }
    }

    /// What is served of a route.
    pub(in crate::engine) fn served_route(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.front.routes.get(key)?.served.clone()
    }

    /// What is served of each route.
    pub(in crate::engine) fn served_routes(&self) -> BTreeMap<ObjectKey, Arc<Object>> {
        let routes = self.front.routes.unsorted();
        let served = routes.filter_map(|(key, unit)| Some((key.clone(), unit.served.clone()?)));
        served.collect()
    }
}
