//! The whole translation at once: what the incremental one has to come to, and what it is measured against.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::mem;
use std::sync::Arc;

use tenon_model::{Kind, Object, ObjectKey};

use super::endpoints::is_in_memory;
use super::{HostUnit, Translator, Work, in_order};
use crate::keyed::Keyed;
use crate::output::{Change, Update};
use crate::virtual_host::VirtualHostForm;

impl Translator {
    /// As [`Translator::apply`], but with everything derived anew, whatever changed.
    ///
    /// What is served is a function of four things, and this keeps no more than them: the objects in the last form that
    /// could be parsed, with what is wrong with a newer one; the last good form of each upstream, upstream group, gateway,
    /// virtual service and route table, as it was written and (of the latter two) as it was translated; what Envoy refused or has
    /// not answered to yet; and what was told from outside of resources,
    /// credentials and lookups that there still are, with the endpoints that stay while a lookup has no answer.
    pub fn apply_anew(&mut self, changes: Vec<Change>) -> Update {
        let old_resources = self.resources.clone();
        let mut told = Work::default();
        for change in in_order(changes) {
            self.take_in(change, &mut told);
        }
        let mut front = self.forget_front();
        front.written = told.front.written;
        // What an Envoy refused is no form to go back to.
        let kept_resources = self.resources.clone();
        let before = self.quarantine.take_before();
        let mut old_routes = self.served_routes();
        let last_good = mem::take(&mut self.hosts);
        let mut old_hosts: BTreeMap<_, _> = last_good
            .sorted()
            .map(|(key, unit)| (key.clone(), unit.form.clone()))
            .collect();
        let clusters = mem::take(&mut self.clusters);
        let old_lookups = self.lookups.wanted.clone();
        let lookups = mem::take(&mut self.lookups).only_found();
        let fresh = Self {
            objects: mem::take(&mut self.objects),
            slices: mem::take(&mut self.slices),
            in_memory: mem::take(&mut self.in_memory),
            forward_proxies: mem::take(&mut self.forward_proxies),
            hosts: last_good
                .into_unsorted()
                .map(|(key, unit)| (key, unit.only_last_good()))
                .collect(),
            clusters: clusters
                .into_unsorted()
                .map(|(key, form)| (key, Box::new(form.only_last_good())))
                .collect(),
            tables: mem::take(&mut self.tables),
            good_tables: mem::take(&mut self.good_tables),
            good_gateways: mem::take(&mut self.good_gateways),
            groups: mem::take(&mut self.groups)
                .into_iter()
                .map(|(key, unit)| (key, unit.only_last_good()))
                .collect(),
            front: mem::take(&mut self.front).only_last_good(),
            verdicts: mem::take(&mut self.verdicts),
            quarantine: mem::take(&mut self.quarantine),
            credential_problems: mem::take(&mut self.credential_problems),
            lookups,
            now: self.now,
            ..Self::new(self.options.clone())
        };
        let old = mem::replace(self, fresh);
        self.forget_gone_routes();
        let keys: BTreeSet<ObjectKey> = self.objects.order.iter().cloned().collect();
        let of = |kind| keys.iter().filter(move |key| key.kind == kind).cloned();
        let is_gone = |key: &&ObjectKey| !keys.contains(key);
        // What stands for services is looked at with the virtual hosts that name them.
        let gone_clusters = self.clusters.keys().filter(is_gone).cloned();
        let gone_clusters = gone_clusters.filter(|key| !is_in_memory(key));
        let gone = self.hosts.keys().filter(is_gone).cloned();
        let gone_groups = self.groups.keys().filter(is_gone).cloned();
        let mut work = Work {
            front,
            clusters: of(Kind::Upstream).chain(gone_clusters).collect(),
            groups: of(Kind::UpstreamGroup).chain(gone_groups).collect(),
            hosts: of(Kind::VirtualService).chain(gone).collect(),
            endpoints: self.lookups.upstreams().cloned().collect(),
            lookups: self.lookups.answered().cloned().collect(),
            credentials: self.credential_problems.keys().cloned().collect(),
            forward_proxy: true,
            secrets: of(Kind::Secret)
                .chain(old.told_headers.into_keys())
                .collect(),
            tables: self
                .good_tables
                .keys()
                .cloned()
                .chain(of(Kind::RouteTable))
                .collect(),
            listeners: true,
            files: true,
            statuses: keys.iter().cloned().collect(),
            settled: told.settled,
            accepted: told.accepted,
            ..Work::default()
        };
        self.settle(&mut work);
        let mut clusters = mem::take(&mut self.clusters);
        clusters.retain(|key, _| !is_in_memory(key) || self.is_named(key));
        self.clusters = clusters;
        let while_held = self.served_while_held();
        if self.has_suspects() {
            self.try_suspects(&mut work);
            self.settle(&mut work);
        }
        // Those that are tried again are others than they were while they were held back.
        let is_held: BTreeSet<_> = self.quarantine.held().cloned().collect();
        let tried = while_held.into_iter();
        for (key, served) in tried.filter(|(key, _)| !is_held.contains(key)) {
            put(&mut old_hosts, &key, served.host);
            put(&mut old_routes, &key, served.route);
        }
        self.release_gone(true, &mut work);
        self.forget_verdicts(&mut work);
        self.settle(&mut work);
        let changed = difference_of(&kept_resources, &self.resources);
        let changed = changed.into_keys().map(|id| {
            let old = kept_resources.get(&id).cloned();
            (id, old)
        });
        // One that is gone and comes again is a new one.
        let nothing = VirtualHostForm::default();
        let hosts = self.hosts.unsorted().filter_map(|(key, unit)| {
            let old = old_hosts.get(key).filter(|old| !old.domains.is_empty());
            let is_same = old.map_or(&nothing, |form| form).same_output(&unit.form);
            (!is_same).then(|| (key.clone(), old.cloned()))
        });
        self.quarantine.set_before(before, changed, hosts);
        self.note_changes_of_routes(&old_routes);
        let changed = difference_of(&old_resources, &self.resources).into_keys();
        let was = changed.map(|id| {
            let old = old_resources.get(&id).cloned();
            (id, old)
        });
        work.front.was = was.collect();
        self.await_answers(&mut work);
        Update {
            resources: difference_of(&old_resources, &self.resources),
            credentials: difference(old.credentials, &self.credentials),
            lookups: difference(old_lookups, &self.lookups.wanted),
            statuses: difference_of(&old.statuses, &self.statuses),
        }
    }

    /// What is served of virtual hosts and of routes that are held back.
    fn served_while_held(&self) -> Vec<(ObjectKey, Served)> {
        let held = self.quarantine.held().map(|key| {
            let host = self.hosts.get(key).map(|unit| unit.form.clone());
            let served = Served {
                host: host.filter(|form| !form.domains.is_empty()),
                route: self.served_route(key),
            };
            (key.clone(), served)
        });
        held.collect()
    }

    /// Verdicts on resources that are no more.
    fn forget_verdicts(&mut self, work: &mut Work) {
        let resources = &self.resources;
        self.verdicts.retain(|id, _| resources.contains_key(id));
        work.statuses.extend(self.objects.order.iter().cloned());
    }
}

impl HostUnit {
    fn only_last_good(self) -> Self {
        Self {
            form: Arc::new(VirtualHostForm {
                kept: self.form.kept.clone(),
                had: self.form.had.clone(),
                ..VirtualHostForm::default()
            }),
            good: self.good,
            ..Self::default()
        }
    }
}

fn put<V>(all: &mut BTreeMap<ObjectKey, V>, key: &ObjectKey, value: Option<V>) {
    match value {
        Some(value) => all.insert(key.clone(), value),
        None => all.remove(key),
    };
}

/// What is served of something that is held back.
struct Served {
    host: Option<Arc<VirtualHostForm>>,
    route: Option<Arc<Object>>,
}

/// What is new, changed or gone of what is kept by keys.
fn difference_of<K: Hash + Ord + Clone, V: PartialEq + Clone>(
    old: &Keyed<K, V>,
    new: &Keyed<K, V>,
) -> BTreeMap<K, Option<V>> {
    let told = new
        .unsorted()
        .filter(|(key, value)| old.get(*key) != Some(*value));
    let told = told.map(|(key, value)| (key.clone(), Some(value.clone())));
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    told.chain(gone.map(|key| (key.clone(), None))).collect()
}

/// What is new, changed or gone.
fn difference<K: Ord + Clone, V: PartialEq + Clone>(
    old: BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> BTreeMap<K, Option<V>> {
    let changed = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(*value));
    let mut difference: BTreeMap<K, Option<V>> = changed
        .map(|(key, value)| (key.clone(), Some(value.clone())))
        .collect();
    let gone = old.into_keys().filter(|key| !new.contains_key(key));
    difference.extend(gone.map(|key| (key, None)));
    difference
}
