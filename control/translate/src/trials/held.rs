//! What cannot be served yet, and what stays meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use tenon_model::{Kind, ObjectKey};

use super::splice::{self, hosts_of};
use crate::output::{ProxyName, Resource, ResourceId, ResourceType};
use crate::rules::shape::Part;

/// What is told.
pub(super) type Told = BTreeMap<ResourceId, Arc<Resource>>;
/// What is to be told instead.
type Wanted = BTreeMap<ResourceId, Option<Arc<Resource>>>;

/// What cannot be served yet.
#[derive(Default)]
pub(super) struct Held {
    /// Clusters and listeners.
    resources: BTreeSet<ResourceId>,
    /// Virtual hosts of route tables.
    hosts: BTreeSet<(ProxyName, ObjectKey)>,
    /// What would be gone.
    staying: BTreeSet<ResourceId>,
    /// What is served in their place.
    kept: BTreeMap<ProxyName, Vec<Bytes>>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.hosts.is_empty()
    }

    /// Whether a resource is not to be told as a whole.
    pub(super) fn has(&self, id: &ResourceId) -> bool {
        self.resources.contains(id) || self.staying.contains(id)
    }

    /// Whether what a proxy is served of before has a name in it.
    pub(super) fn names(&self, proxy: &ProxyName, name: &str) -> bool {
        let kept = self.kept.get(proxy);
        kept.is_some_and(|kept| kept.iter().any(|it| mentions(it, name)))
    }

    /// A part of a resource is on trial.
    pub(super) fn add(&mut self, id: &ResourceId, resource: &Resource, part: &Part<'_>) {
        match part.host() {
            Some(name) => {
                let hosts = hosts_of(resource);
                let key = hosts.get(name).map(|key| ObjectKey::clone(key));
                self.hosts.extend(key.map(|key| (id.proxy.clone(), key)));
            }
            None => {
                self.resources.insert(id.clone());
            }
        }
    }

    /// The objects of which something is not served.
    pub(super) fn objects(&self, wanted: &Wanted) -> BTreeSet<ObjectKey> {
        let of_hosts = self.hosts.iter().map(|(_, key)| key.clone());
        let resources = self
            .resources
            .iter()
            .filter_map(|id| wanted.get(id)?.as_ref());
        let stems = resources.flat_map(|resource| resource.provenance.iter());
        // Those that a listener has the certificates of are hosts of their own.
        let stems = stems.filter(|key| key.kind != Kind::VirtualService);
        of_hosts.chain(stems.cloned()).collect()
    }

    /// Adds what depends on what is on trial.
    pub(super) fn complete(&mut self, told: &Told, wanted: &Wanted) {
        loop {
            let before = (self.resources.len(), self.hosts.len());
            self.wait_for_clusters(told, wanted);
            self.follow_listeners(told, wanted);
            if before == (self.resources.len(), self.hosts.len()) {
                break;
            }
        }
        self.keep(told);
        while let Some((id, old)) = self.next_to_stay(told, wanted) {
            self.staying.insert(id.clone());
            let kept = self.kept.entry(id.proxy.clone()).or_default();
            kept.push(old.value.clone());
        }
    }

    /// What names a cluster that is not there yet waits.
    fn wait_for_clusters(&mut self, told: &Told, wanted: &Wanted) {
        let clusters = self.resources.iter();
        let absent: Vec<_> = clusters
            .filter(|id| id.kind == ResourceType::Cluster && !told.contains_key(*id))
            .cloned()
            .collect();
        if absent.is_empty() {
            return;
        }
        for (id, resource) in wanted {
            let Some(resource) = resource else { continue };
            let waits = |bytes: &[u8]| {
                let mut of_proxy = absent.iter().filter(|it| it.proxy == id.proxy);
                of_proxy.any(|it| it != id && mentions(bytes, &it.name))
            };
            match id.kind {
                ResourceType::Cluster | ResourceType::Listener if waits(&resource.value) => {
                    self.resources.insert(id.clone());
                }
                ResourceType::Route => {
                    let old = told.get(id).map(|it| &**it);
                    for part in Part::of(id.kind, resource) {
                        if waits(part.bytes()) && !splice::has(old, &part) {
                            self.add(id, resource, &part);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Virtual hosts that come to a listener's certificates or leave them go there with it.
    fn follow_listeners(&mut self, told: &Told, wanted: &Wanted) {
        let hosts = |resource: Option<&Arc<Resource>>| -> BTreeSet<ObjectKey> {
            let stems = resource.into_iter().flat_map(|it| it.provenance.iter());
            let hosts = stems.filter(|key| key.kind == Kind::VirtualService);
            hosts.cloned().collect()
        };
        let listeners = self.resources.iter();
        for id in listeners.filter(|id| id.kind == ResourceType::Listener) {
            let new = hosts(wanted.get(id).and_then(Option::as_ref));
            let moved = hosts(told.get(id));
            let moved = moved.symmetric_difference(&new);
            self.hosts
                .extend(moved.map(|key| (id.proxy.clone(), key.clone())));
        }
    }

    /// Collects what is served in the place of what is held.
    fn keep(&mut self, told: &Told) {
        for id in &self.resources {
            if let Some(old) = told.get(id) {
                let kept = self.kept.entry(id.proxy.clone()).or_default();
                kept.push(old.value.clone());
            }
        }
        for (id, old) in told {
            if self.has_host_of(id, old) {
                let held = splice::hosts(old)
                    .filter(|(key, _)| key.is_some_and(|key| self.has_host(&id.proxy, key)));
                let held = held.map(|(_, host)| Bytes::copy_from_slice(host));
                let held: Vec<_> = held.collect();
                self.kept.entry(id.proxy.clone()).or_default().extend(held);
            }
        }
    }

    /// Something that would be gone while something of before needs it, or before its successor is there.
    fn next_to_stay<'a>(
        &self,
        told: &'a Told,
        wanted: &'a Wanted,
    ) -> Option<(&'a ResourceId, &'a Arc<Resource>)> {
        let gone = wanted.iter().filter(|(_, resource)| resource.is_none());
        let gone = gone.filter(|(id, _)| !self.staying.contains(*id));
        let mut gone = gone.filter_map(|(id, _)| Some((id, told.get(id)?)));
        gone.find(|(id, old)| {
            self.names(&id.proxy, &id.name)
                || self.has_host_of(id, old)
                || self.is_succeeded(id, old, wanted)
        })
    }

    fn has_host(&self, proxy: &ProxyName, key: &ObjectKey) -> bool {
        !self.hosts.is_empty() && self.hosts.contains(&(proxy.clone(), key.clone()))
    }

    fn has_host_of(&self, id: &ResourceId, table: &Resource) -> bool {
        let mut stems = table.provenance.iter();
        id.kind == ResourceType::Route && stems.any(|key| self.has_host(&id.proxy, key))
    }

    /// Whether something of the same object that is on trial may come in its place.
    fn is_succeeded(&self, id: &ResourceId, old: &Resource, wanted: &Wanted) -> bool {
        use ResourceType::{Cluster, Endpoint, Listener, Route, ScopedRoute};
        let mut others = self.resources.iter().filter(|it| it.proxy == id.proxy);
        others.any(|other| {
            let kinds: &[ResourceType] = match other.kind {
                Cluster => &[Cluster, Endpoint],
                _ => &[Listener, Route, ScopedRoute],
            };
            let new = wanted.get(other).and_then(Option::as_ref);
            let stems = new.into_iter().flat_map(|it| it.provenance.iter());
            let mut stems = stems.filter(|key| key.kind != Kind::VirtualService);
            kinds.contains(&id.kind)
                && (stems.any(|key| old.provenance.contains(key))
                    // Of the default gateway, which no object is.
                    || id.name.starts_with(&*other.name))
        })
    }

    /// A route table with what is served of before in the place of what is held.
    pub(super) fn splice(
        &self,
        (told, id): (&Told, &ResourceId),
        table: &Arc<Resource>,
    ) -> Arc<Resource> {
        let old = told.get(id).filter(|old| self.has_host_of(id, old));
        match old.is_some() || self.has_host_of(id, table) {
            true => splice::splice((told, id), table, |key| self.has_host(&id.proxy, key)),
            false => table.clone(),
        }
    }
}

/// Whether a name stands somewhere in encoded bytes, be it as a part of a longer one.
fn mentions(bytes: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    !name.is_empty() && bytes.windows(name.len()).any(|window| window == name)
}
