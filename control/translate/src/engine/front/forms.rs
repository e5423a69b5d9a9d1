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
    /// What it looked at.
    reads: Keys,
    /// What the hosts looked at that it was tried for.
    at_hosts: Keys,
}

/// What is found of routes while hosts are derived.
#[derive(Default)]
pub(in crate::engine) struct Judging {
    /// Those that may be good now, or be good no more.
    judged: BTreeSet<ObjectKey>,
    /// Those whose newest forms cannot be carried out.
    fallen: BTreeMap<ObjectKey, Fallen>,
    /// Those whose last good forms cannot be either.
    given_up: BTreeSet<ObjectKey>,
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
        let old = self.fallen.remove(key).map(|it| it.at_hosts);
        let at_hosts = new.as_ref().map(|it| it.at_hosts.clone());
        let (old, at_hosts) = (old.unwrap_or_default(), at_hosts.unwrap_or_default());
        self.retries.reindex(key, &old, &at_hosts);
        if let Some(new) = new {
            self.fallen.insert(key.clone(), new);
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
            reads: unit.reads.clone(),
            at_hosts: Keys::default(),
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
        let Some(newest) = self.set_instead(key, None) else {
            self.front.forms.good.remove(key);
            self.front.forms.set_fallen(key, None);
            self.forget_route(key);
            return RouteUnit::default();
        };
        if let Some((instead, reads)) = self.served_instead(key, &newest) {
            self.front.forms.set_fallen(key, None);
            self.set_instead(key, Some(instead));
            return self.unit_with(key, reads);
        }
        let good = self.front.forms.good.get(key);
        let good = good.filter(|good| good.spec != newest.spec && is_of_requests(key.kind));
        let good = good.filter(|_| !judging.given_up.contains(key)).cloned();
        let fallen = match (judging.fallen.get(key), &good) {
            (_, None) => None,
            (Some(fallen), _) => Some(fallen.clone()),
            (None, _) => {
                let unit = self.unit_with(key, Keys::default());
                if unit.rules.dropped.is_empty() {
                    self.front.forms.set_fallen(key, None);
                    return unit;
                }
                Some(Fallen::of_rules(&unit))
            }
        };
        if let (Some(fallen), Some(good)) = (fallen, good) {
            self.set_instead(key, Some(good));
            let unit = self.unit_with(key, fallen.reads.clone());
            if unit.rules.dropped.is_empty() {
                self.front.forms.set_fallen(key, Some(fallen));
                return unit;
            }
            // What it refers to is another one by now.
            self.set_instead(key, None);
        }
        self.front.forms.set_fallen(key, None);
        self.unit_with(key, Keys::default())
    }

    fn unit_with(&self, key: &ObjectKey, reads: Keys) -> RouteUnit {
        let mut unit = self.route_unit(key).unwrap_or_default();
        unit.served = self.objects.object(key).cloned();
        unit.reads = mem::take(&mut unit.reads).with(reads);
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
        for (host, unit) in units {
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
                fallen.at_hosts = mem::take(&mut fallen.at_hosts).with(reads);
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
            if entry.instead.is_some() {
                judging.fallen.remove(&key);
                judging.given_up.insert(key.clone());
            } else if good.is_some_and(|good| good.spec != newest.spec)
                && !judging.given_up.contains(&key)
                && is_of_requests(key.kind)
            {
                if let Some(unit) = self.front.routes.get(&key) {
                    fallen.count = unit.rules.count;
                    fallen.reads = unit.reads.clone();
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

    /// What is served of each route.
    pub(in crate::engine) fn served_routes(&self) -> BTreeMap<ObjectKey, Arc<Object>> {
        let routes = self.front.routes.unsorted();
        let served = routes.filter_map(|(key, unit)| Some((key.clone(), unit.served.clone()?)));
        served.collect()
    }
}
