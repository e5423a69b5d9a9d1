//! What is proven to be good: an Envoy accepted it. Each resource is told of by itself, so that what stays refused keeps
//! nothing else in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{Kind, ObjectKey};

use super::reach::Field;
use super::{Translator, Work};
use crate::names;
use crate::output::{Resource, ResourceId, ResourceType};

/// `RouteConfiguration.virtual_hosts`
const VIRTUAL_HOSTS: u64 = 2;
/// `VirtualHost.name`
const NAME: u64 = 1;

impl Translator {
    /// An Envoy has accepted a resource in this form.
    pub(super) fn accept(&mut self, id: &ResourceId, accepted: &Arc<Resource>, work: &mut Work) {
        let current = self.resources.get(id).cloned();
        let is_current = current
            .as_ref()
            .is_some_and(|it| it.version == accepted.version);
        if is_current {
            self.quarantine.before.remove(id);
            self.note_taken(id);
        }
        if id.kind != ResourceType::Route {
            return;
        }
        let hosts = accepted.provenance.iter();
        let unproven = hosts.filter(|key| self.quarantine.hosts_before.contains_key(*key));
        let unproven: Vec<_> = unproven.cloned().collect();
        let within = match is_current || unproven.is_empty() {
            true => None,
            false => Some(virtual_hosts(&accepted.value)),
        };
        let mut proven = Vec::new();
        for key in unproven {
            let is_proven = within.as_ref().is_none_or(|within| {
                let body = self.hosts.get(&key).map(|unit| &unit.form.body);
                let there = within.get(names::virtual_host(&key).as_bytes());
                there.is_some_and(|it| body.is_some_and(|body| it.starts_with(body)))
            });
            if is_proven {
                self.quarantine.hosts_before.remove(&key);
                proven.push(key);
            }
        }
        self.prove_routes(&proven);
        let mut hosts = current.iter().flat_map(|it| it.provenance.iter());
        if !hosts.any(|key| self.quarantine.hosts_before.contains_key(key)) {
            work.accepted.insert(id.clone());
        }
    }

    /// Which of these objects are proven in the form that they have now: nothing of them is left that no Envoy has
    /// accepted.
    pub fn proven<'a>(&self, keys: impl Iterator<Item = &'a ObjectKey>) -> Vec<ObjectKey> {
        let mut unproven: BTreeSet<&ObjectKey> = self.quarantine.hosts_before.keys().collect();
        unproven.extend(self.quarantine.held());
        let resources = self.quarantine.before.keys();
        let resources = resources.filter(|id| id.kind != ResourceType::Route);
        let resources = resources.filter_map(|id| self.resources.get(id));
        unproven.extend(resources.flat_map(|resource| resource.provenance.iter()));
        self.not_of(&unproven, keys)
    }

    /// Of which of these objects nothing is held back.
    pub fn not_held_back<'a>(&self, keys: impl Iterator<Item = &'a ObjectKey>) -> Vec<ObjectKey> {
        let held: BTreeSet<&ObjectKey> = self.quarantine.held().collect();
        self.not_of(&held, keys)
    }

    /// Which of these objects are what an Envoy has, once it has accepted all that there was: nothing of them is held back,
    /// and nothing that was is tried since.
    pub fn settled<'a>(&self, keys: impl Iterator<Item = &'a ObjectKey>) -> Vec<ObjectKey> {
        let tried = self.quarantine.hosts_before.keys();
        let tried = tried.chain(self.quarantine.routes_before.keys());
        let unsettled: BTreeSet<&ObjectKey> = tried.chain(self.quarantine.held()).collect();
        self.not_of(&unsettled, keys)
    }

    fn not_of<'a>(
        &self,
        unproven: &BTreeSet<&ObjectKey>,
        keys: impl Iterator<Item = &'a ObjectKey>,
    ) -> Vec<ObjectKey> {
        let proven = keys.filter(|key| unproven.is_empty() || !self.depends(key, unproven));
        proven.cloned().collect()
    }

    /// Whether an object, or something that is made of it, is among these.
    fn depends(&self, key: &ObjectKey, unproven: &BTreeSet<&ObjectKey>) -> bool {
        if unproven.contains(key) {
            return true;
        }
        match key.kind {
            Kind::Upstream | Kind::VirtualService | Kind::Gateway => false,
            Kind::RouteTable
            | Kind::RouteOption
            | Kind::VirtualHostOption
            | Kind::UpstreamGroup => {
                let mut readers = self.readers.of(key);
                readers.any(|reader| self.depends(reader, unproven))
            }
            Kind::Secret | Kind::ConfigMap | Kind::Service => {
                let clusters = self.readers_of_secrets.of(key);
                let mut all = clusters.chain(self.readers.of(key));
                all.any(|reader| unproven.contains(reader))
            }
            Kind::GrpcRoute | Kind::HttpRoute => {
                let mut hosts = self.hosts_of_route(key);
                hosts.any(|host| unproven.contains(host))
            }
            // They may be in anything.
            _ => !unproven.is_empty(),
        }
    }
}

/// The encoded virtual hosts of a route table, by name.
pub(super) fn virtual_hosts(table: &[u8]) -> BTreeMap<&[u8], &[u8]> {
    let hosts = Field::all(table).filter(|field| field.number == VIRTUAL_HOSTS);
    let hosts = hosts.filter_map(|host| {
        let content = host.content?;
        let name = Field::all(content).find(|field| field.number == NAME)?;
        Some((name.content?, content))
    });
    hosts.collect()
}
