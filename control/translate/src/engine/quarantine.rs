//! What Envoy refused, and what is served instead until the user changes it.
//!
//! A refused resource goes back to the form that was accepted before, or away if there was none. A route table is not one
//! object's: only the virtual hosts that Envoy's words name, or that changed since the table was accepted, can be to
//! blame. Where these are several, all are held back and tried again in halves, until the culprits are found; so nobody
//! else's change waits for long, and nobody else's routes go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{Kind, Object, ObjectKey, Problem};
use xxhash_rust::xxh3::xxh3_128;

use super::front::HeldRoute;
use super::proofs::virtual_hosts;
use super::statuses::mentions;
use super::{HostUnit, Translator, Work};
use crate::keyed::Keyed;
use crate::output::{ProxyName, Resource, ResourceId, ResourceType};
use crate::route::Upstreams;
use crate::virtual_host::VirtualHostForm;
use crate::{names, shortened};

/// What is not settled with Envoy.
#[derive(Default)]
pub(super) struct Quarantine {
    /// What resources were before they changed, while Envoy has not answered; `None`: they were not there.
    pub(super) before: Keyed<ResourceId, Option<Arc<Resource>>>,
    refused: BTreeMap<ResourceId, Refused>,
    /// What an Envoy took last of resources that not every proxy gets: one that a proxy does not get for a while goes back
    /// to it, too.
    taken: BTreeMap<ResourceId, Arc<Resource>>,
    /// The same of virtual hosts.
    pub(super) hosts_before: Keyed<ObjectKey, Option<Arc<VirtualHostForm>>>,
    held: BTreeMap<ObjectKey, Held>,
    /// What was served of routes of gateways before they changed.
    pub(super) routes_before: BTreeMap<ObjectKey, Option<Arc<Object>>>,
    pub(super) held_routes: BTreeMap<ObjectKey, HeldRoute>,
    /// Suspects that are still to be tried, a group at a time, and the table of which each was refused.
    waiting: Vec<(ResourceId, Vec<ObjectKey>)>,
}

/// A resource that Envoy refused.
struct Refused {
    /// In which version.
    version: String,
    /// Why.
    words: String,
    /// What is served instead.
    instead: Option<Arc<Resource>>,
    /// Whose it is.
    provenance: Arc<[ObjectKey]>,
    /// Whether it has come up since everything is being derived anew.
    seen: bool,
}

/// A virtual host that is held back.
struct Held {
    /// A hash of the form that is.
    form: u128,
    /// Envoy's words; none while it is only a suspect.
    words: Option<String>,
    instead: Instead,
}

/// What is served instead of a virtual host.
#[derive(Clone)]
enum Instead {
    /// Its form of before.
    Before(Arc<VirtualHostForm>),
    /// Its domains, with an error for each request.
    Answers,
    /// Nothing.
    Nothing,
}

impl Translator {
    /// A resource as it is to be told: what Envoy refused gives way to what is served instead.
    pub(super) fn screen(
        &mut self,
        id: &ResourceId,
        resource: Arc<Resource>,
        work: &mut Work,
    ) -> Option<Arc<Resource>> {
        match self.quarantine.refused.get_mut(id) {
            Some(refused) if refused.version == resource.version => {
                refused.seen = true;
                refused.instead.clone()
            }
            Some(_) => {
                self.release(id, work);
                Some(resource)
            }
            None => Some(resource),
        }
    }

    /// A proxy does not get a resource that there is: what is known of it stays.
    pub(super) fn put_aside(&mut self, id: ResourceId, resource: &Resource, work: &mut Work) {
        match self.quarantine.refused.get_mut(&id) {
            Some(refused) if refused.version == resource.version => refused.seen = true,
            Some(_) => self.release(&id, work),
            None => {}
        }
        self.take_away(id, work);
    }

    /// A resource is another one now, or gone.
    pub(super) fn remember(&mut self, id: &ResourceId, old: Option<Arc<Resource>>) {
        let quarantine = &mut self.quarantine;
        let old = old.or_else(|| quarantine.taken.get(id).cloned());
        quarantine.before.entry(id.clone()).or_insert(old);
    }

    /// A resource is no more, for any proxy.
    pub(super) fn forget_taken(&mut self, id: &ResourceId) {
        self.quarantine.taken.remove(id);
    }

    /// An Envoy has accepted a resource as it is now.
    pub(super) fn note_taken(&mut self, id: &ResourceId) {
        if let Some(resource) = self.resources.get(id)
            && id.kind == ResourceType::Cluster
            && self.reach.is_partial()
        {
            self.quarantine.taken.insert(id.clone(), resource.clone());
        }
    }

    /// What was refused is no more.
    pub(super) fn release(&mut self, id: &ResourceId, work: &mut Work) {
        if let Some(refused) = self.quarantine.refused.remove(id) {
            work.statuses.extend(refused.provenance.iter().cloned());
        }
    }

    /// Whether something else is served instead of a resource, or nothing.
    pub(super) fn is_refused(&self, id: &ResourceId) -> bool {
        self.quarantine.refused.contains_key(id)
    }

    /// The same of proxies that are gone, and, when everything was derived anew, for what did not come up.
    pub(super) fn release_gone(&mut self, is_anew: bool, work: &mut Work) {
        let refused = self.quarantine.refused.iter();
        let gone: Vec<_> = refused
            .filter(|(id, refused)| !self.proxies.contains(&id.proxy) || (is_anew && !refused.seen))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.release(&id, work);
        }
        let proxies = &self.proxies;
        let taken = &mut self.quarantine.taken;
        taken.retain(|id, _| proxies.contains(&id.proxy));
        if is_anew && !taken.is_empty() {
            let forms = self.clusters.unsorted();
            let names = forms.flat_map(|(_, form)| form.clusters.iter().map(|(name, _)| name));
            let there: BTreeSet<_> = names.collect();
            taken.retain(|id, _| there.contains(&id.name));
        }
    }

    /// Envoy refuses a resource.
    pub(super) fn refuse(&mut self, id: &ResourceId, words: &str, work: &mut Work) {
        let Some(current) = self.resources.get(id).cloned() else {
            return;
        };
        if id.kind == ResourceType::Route {
            let hosts = current.provenance.iter();
            let hosts = hosts.filter(|key| key.kind == Kind::VirtualService);
            let unproven = hosts.filter(|key| self.quarantine.hosts_before.contains_key(*key));
            let unproven: Vec<_> = unproven.cloned().collect();
            if self.refuse_hosts(id, &unproven, words, work) {
                self.verdicts.remove(id);
            }
            return;
        }
        // What was accepted once, or by another Envoy, stays.
        let Some(instead) = self.quarantine.before.remove(id) else {
            return;
        };
        if instead.is_none() && id.kind == ResourceType::Secret {
            // Without it a listener would wait for ever.
            return;
        }
        let refused = Refused {
            version: current.version.clone(),
            words: words.to_owned(),
            instead: instead.clone(),
            provenance: current.provenance.clone(),
            seen: true,
        };
        self.quarantine.refused.insert(id.clone(), refused);
        self.verdicts.remove(id);
        work.statuses.extend(current.provenance.iter().cloned());
        work.front.note(id, Some(&current), instead.as_ref());
        match &instead {
            Some(instead) => self.resources.insert(id.clone(), instead.clone()),
            None => self.resources.remove(id),
        };
        self.note_reach(id);
        work.resources.push((id.clone(), instead));
    }

    /// Envoy refuses an older form of a route table. Only what was not proven in that can be to blame, and of that only what
    /// is as it was. The newest form is still to be answered to: while something may be to blame that has changed since,
    /// the others are suspects at most.
    pub(super) fn refuse_older(
        &mut self,
        table: &ResourceId,
        form: &Resource,
        words: &str,
        work: &mut Work,
    ) {
        let within = virtual_hosts(&form.value);
        let hosts = form.provenance.iter();
        let hosts = hosts.filter(|key| key.kind == Kind::VirtualService);
        let tried = hosts.filter_map(|host| Some((host, self.is_as_tried(host, &within)?)));
        let mut tried: Vec<_> = tried.collect();
        let is_named = |host: &ObjectKey| mentions(words, &names::virtual_host(host));
        if tried.iter().any(|(host, _)| is_named(host)) {
            tried.retain(|(host, _)| is_named(host));
        }
        let has_changed = tried.iter().any(|(_, is_same)| !is_same);
        let same = tried.into_iter().filter(|(_, is_same)| *is_same);
        let same: Vec<_> = same.map(|(host, _)| host.clone()).collect();
        work.statuses.extend(same.iter().cloned());
        if !has_changed {
            self.refuse_hosts(table, &same, words, work);
            return;
        }
        let suspects = same.iter().flat_map(|host| self.suspects_of(host));
        let suspects = suspects.filter(|key| !self.quarantine.answers(key));
        let suspects: BTreeSet<_> = suspects.collect();
        self.suspect(table, suspects.into_iter().collect(), work);
    }

    /// Whether a virtual host is as it was tried in a table that has these; `None`: it was not tried there.
    fn is_as_tried(&self, host: &ObjectKey, within: &BTreeMap<&[u8], &[u8]>) -> Option<bool> {
        let before = self.quarantine.hosts_before.get(host)?;
        let there = within.get(names::virtual_host(host).as_bytes())?;
        let is = |form: &Arc<VirtualHostForm>| there.starts_with(&form.body);
        let was_proven = before.as_ref().is_some_and(is);
        (!was_proven).then(|| self.hosts.get(host).is_some_and(|unit| is(&unit.form)))
    }

    /// Whether somebody is to blame, of virtual hosts that are not proven.
    fn refuse_hosts(
        &mut self,
        table: &ResourceId,
        hosts: &[ObjectKey],
        words: &str,
        work: &mut Work,
    ) -> bool {
        let named = |key: &&ObjectKey| mentions(words, &names::virtual_host(key));
        let (mut culprits, mut suspects) = (Vec::new(), Vec::new());
        for host in hosts.iter().filter(named) {
            match self.suspects_of(host).as_slice() {
                [one] => culprits.push(one.clone()),
                several => suspects.extend_from_slice(several),
            }
        }
        if culprits.is_empty() && suspects.is_empty() {
            let all = hosts.iter();
            suspects = all.flat_map(|host| self.suspects_of(host)).collect();
        }
        // One may be for several hosts.
        let mut seen = BTreeSet::new();
        culprits.retain(|key| seen.insert(key.clone()));
        suspects.retain(|key| seen.insert(key.clone()));
        // Who is no more than an answer is tried without it before others are suspected.
        let is_answer = |key: &ObjectKey| self.quarantine.answers(key);
        if culprits.is_empty() && suspects.iter().any(is_answer) {
            culprits = suspects.into_iter().filter(is_answer).collect();
            suspects = Vec::new();
        }
        let found = !suspects.is_empty() || !culprits.is_empty();
        for key in culprits {
            self.hold(key, Some(words), work);
        }
        match suspects.as_slice() {
            [one] => self.hold(one.clone(), Some(words), work),
            _ => self.suspect(table, suspects, work),
        }
        found
    }

    /// Holds these back, to be tried again in halves once the table is accepted without them.
    fn suspect(&mut self, table: &ResourceId, suspects: Vec<ObjectKey>, work: &mut Work) {
        let (first, second) = suspects.split_at(suspects.len() / 2);
        let waiting = &mut self.quarantine.waiting;
        for group in [second, first].into_iter().filter(|it| !it.is_empty()) {
            waiting.push((table.clone(), group.to_vec()));
        }
        for key in suspects {
            self.hold(key, None, work);
        }
    }

    fn hold(&mut self, key: ObjectKey, words: Option<&str>, work: &mut Work) {
        if key.kind != Kind::VirtualService {
            self.hold_route(key, words, work);
            return;
        }
        let Some(unit) = self.hosts.get(&key) else {
            return;
        };
        let before = self.quarantine.hosts_before.remove(&key).flatten();
        let held = match self.quarantine.held.remove(&key) {
            // Not even what was served instead.
            Some(held) => Held {
                instead: Instead::Nothing,
                ..held
            },
            None => Held {
                form: hash(&unit.form),
                words: words.map(str::to_owned),
                instead: match before {
                    Some(form) => Instead::Before(form),
                    None if words.is_some() => Instead::Answers,
                    None => Instead::Nothing,
                },
            },
        };
        self.quarantine.held.insert(key.clone(), held);
        work.hosts.insert(key);
    }

    /// Puts what is served instead of a virtual host in its place, and remembers what it was before.
    pub(super) fn screen_host(
        &mut self,
        key: &ObjectKey,
        unit: &mut HostUnit,
        old: Option<&HostUnit>,
    ) {
        match self.quarantine.held.get(key) {
            Some(held) if held.form == hash(&unit.form) => {
                let invalid = Upstreams::settings(self).invalid_config.clone();
                let hosts = &mut self.quarantine.hosts_before;
                let instead = match &held.instead {
                    Instead::Before(form) => VirtualHostForm::clone(form),
                    Instead::Answers => unit.form.answering(key, &invalid),
                    Instead::Nothing => VirtualHostForm::default(),
                };
                Arc::make_mut(&mut unit.form).serve(instead);
                let changed = old.is_none_or(|old| !old.form.same_output(&unit.form));
                match held.instead {
                    Instead::Answers if changed => {
                        hosts.insert(key.clone(), None);
                    }
                    Instead::Answers => {}
                    Instead::Before(_) | Instead::Nothing => {
                        hosts.remove(key);
                    }
                }
                return;
            }
            Some(_) => self.forget_host(key),
            None => {}
        }
        if self.is_held_in_part(key)
            && let Some(Some(before)) = self.quarantine.hosts_before.get(key)
            && before.same_output(&unit.form)
        {
            // It is as it was before the routes that are held back.
            self.quarantine.hosts_before.remove(key);
            return;
        }
        let before = old.map(|unit| &unit.form);
        if before.is_none_or(|before| !before.same_output(&unit.form)) {
            let before = before.filter(|before| !before.domains.is_empty());
            let hosts = &mut self.quarantine.hosts_before;
            hosts.entry(key.clone()).or_insert_with(|| before.cloned());
        }
    }

    /// Whether something else is served instead of a virtual host.
    pub(super) fn is_held(&self, key: &ObjectKey) -> bool {
        self.quarantine.held.contains_key(key)
    }

    /// A virtual host is another one now, or gone.
    pub(super) fn forget_host(&mut self, key: &ObjectKey) {
        self.quarantine.held.remove(key);
        for (_, group) in &mut self.quarantine.waiting {
            group.retain(|it| it != key);
        }
    }

    /// An Envoy has accepted all that there is.
    pub(super) fn prove(&mut self, proxy: &ProxyName) {
        let before = self.quarantine.before.unsorted();
        let settled = before.filter(|(id, _)| id.proxy == *proxy);
        let settled: Vec<_> = settled.map(|(id, _)| id.clone()).collect();
        for id in settled {
            self.quarantine.before.remove(&id);
            self.note_taken(&id);
        }
        let quarantine = &mut self.quarantine;
        quarantine.hosts_before.clear();
        quarantine.routes_before.clear();
    }

    /// Whether some virtual hosts are still to be tried.
    pub(super) fn has_suspects(&self) -> bool {
        !self.quarantine.waiting.is_empty()
    }

    /// Tries the next suspects of each table that an Envoy has accepted without them, or that there is not without them.
    pub(super) fn try_suspects(&mut self, work: &mut Work) {
        let waiting = std::mem::take(&mut self.quarantine.waiting);
        let mut tried = BTreeSet::new();
        let mut left = Vec::new();
        for (table, group) in waiting.into_iter().rev() {
            let may = work.settled
                || work.accepted.contains(&table)
                || !self.resources.contains_key(&table);
            if group.is_empty() {
                continue;
            }
            if !may || !tried.insert(table.clone()) {
                left.push((table, group));
                continue;
            }
            for key in group {
                self.quarantine.held.remove(&key);
                match self.quarantine.held_routes.remove(&key) {
                    Some(_) => drop(work.front.routes.insert(key)),
                    None => work.hosts.insert(key),
                }
            }
        }
        left.reverse();
        self.quarantine.waiting = left;
    }

    /// What Envoy says against an object, by proxy, and whether something of it is served nevertheless.
    pub(super) fn refusals(&self, key: &ObjectKey) -> (Vec<(Option<ProxyName>, Problem)>, bool) {
        let problem = |words: &str| {
            let text = format!("Envoy refuses it: {}", shortened::middle(words));
            Problem::error("", text)
        };
        let mut found = Vec::new();
        let mut stays = false;
        for (id, refused) in &self.quarantine.refused {
            if refused.provenance.contains(key) {
                found.push((Some(id.proxy.clone()), problem(&refused.words)));
                stays |= refused.instead.is_some();
            }
        }
        if key.kind == Kind::RouteTable {
            found.extend(self.refusals_of_parents(key));
        }
        if let Some(held) = self.quarantine.held.get(key)
            && let Some(words) = &held.words
        {
            found.push((None, problem(words)));
            stays |= matches!(held.instead, Instead::Before(_));
        }
        (found, stays)
    }
}

impl Translator {
    /// What Envoy says against virtual hosts that have the routes of a table, one of which it may be about.
    fn refusals_of_parents(&self, table: &ObjectKey) -> Vec<(Option<ProxyName>, Problem)> {
        let held = self.quarantine.held.iter();
        let refused = held.filter_map(|(host, held)| {
            let words = held.words.as_ref()?;
            let unit = self.hosts.get(host)?;
            unit.form.tables.get(table)?;
            let text = format!(
                "Envoy refuses {host}, which has its routes: {}",
                shortened::middle(words)
            );
            Some((None, Problem::warning("", text)))
        });
        refused.collect()
    }
}

impl Quarantine {
    /// The virtual hosts that are held back.
    pub(super) fn held(&self) -> impl Iterator<Item = &ObjectKey> {
        self.held.keys().chain(self.held_routes.keys())
    }

    fn answers(&self, key: &ObjectKey) -> bool {
        let held = self.held.get(key);
        held.is_some_and(|held| matches!(held.instead, Instead::Answers)) || self.route_answers(key)
    }

    /// What was before the changes that are not settled, of resources and of virtual hosts.
    pub(super) fn take_before(&mut self) -> Before {
        for refused in self.refused.values_mut() {
            refused.seen = false;
        }
        Before {
            resources: std::mem::take(&mut self.before),
            hosts: std::mem::take(&mut self.hosts_before),
            routes: std::mem::take(&mut self.routes_before),
        }
    }

    /// The same after everything was derived anew: what changed by that is not settled either.
    pub(super) fn set_before(
        &mut self,
        before: Before,
        resources: impl Iterator<Item = (ResourceId, Option<Arc<Resource>>)>,
        hosts: impl Iterator<Item = (ObjectKey, Option<Arc<VirtualHostForm>>)>,
    ) {
        self.before = before.resources;
        self.hosts_before = before.hosts;
        self.routes_before = before.routes;
        for (id, old) in resources {
            let old = old.or_else(|| self.taken.get(&id).cloned());
            self.before.entry(id).or_insert(old);
        }
        for (key, old) in hosts {
            match self.held.get(&key).map(|held| &held.instead) {
                None => {
                    self.hosts_before.entry(key).or_insert(old);
                }
                Some(Instead::Answers) => {
                    self.hosts_before.insert(key, None);
                }
                Some(Instead::Before(_) | Instead::Nothing) => {
                    self.hosts_before.remove(&key);
                }
            }
        }
    }
}

/// What was before the changes that are not settled.
pub(super) struct Before {
    resources: Keyed<ResourceId, Option<Arc<Resource>>>,
    hosts: Keyed<ObjectKey, Option<Arc<VirtualHostForm>>>,
    routes: BTreeMap<ObjectKey, Option<Arc<Object>>>,
}

fn hash(form: &VirtualHostForm) -> u128 {
    let mut bytes = Vec::new();
    form.encode(
        form.domains.iter().map(String::as_str),
        usize::MAX,
        &mut bytes,
    );
    xxh3_128(&bytes)
}
