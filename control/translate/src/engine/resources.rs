//! Tells of resources, if they are other ones than before.

use std::sync::Arc;

use bytes::Bytes;
use tenon_model::ObjectKey;

use super::endpoints::stands_for;
use super::{Translator, Work};
use crate::kube;
use crate::output::{ProxyName, Resource, ResourceId, ResourceType};

impl Translator {
    /// Tells of a resource that stems from one object: those proxies that get it have it, the others have not.
    pub(super) fn tell(
        &mut self,
        kind: ResourceType,
        name: &Arc<str>,
        bytes: Option<Bytes>,
        key: &ObjectKey,
        work: &mut Work,
    ) {
        self.tell_each(kind, name, (bytes, |_: &ProxyName| None), key, work);
    }

    /// The same, where some proxies have another form of it.
    pub(super) fn tell_each(
        &mut self,
        kind: ResourceType,
        name: &Arc<str>,
        (bytes, other): (Option<Bytes>, impl Fn(&ProxyName) -> Option<Bytes>),
        key: &ObjectKey,
        work: &mut Work,
    ) {
        let gets = |it: &Self, proxy: &ProxyName| match kind {
            ResourceType::Secret => it.reaches_secret(proxy, key, name),
            _ => it.reaches(proxy, key) || it.lingers(proxy, key),
        };
        // What stands for a service is the service's.
        let service = stands_for(key).map(|to| kube::service_key(&to.service));
        let provenance: Arc<[ObjectKey]> = match self.owners(key) {
            // What a gateway says is its own.
            Some(gateways) => gateways.iter().cloned().collect(),
            None => Arc::from([service.unwrap_or_else(|| key.clone())]),
        };
        let resource = bytes.map(|bytes| Resource::new(bytes, provenance.clone()));
        let proxies: Vec<_> = self.proxies.iter().cloned().collect();
        for proxy in proxies {
            let other = other(&proxy).map(|bytes| Resource::new(bytes, provenance.clone()));
            let resource = other.or_else(|| resource.clone());
            let is_meant = gets(self, &proxy);
            let id = ResourceId {
                proxy,
                kind,
                name: name.clone(),
            };
            match resource {
                Some(resource) if !is_meant && kind == ResourceType::Cluster => {
                    self.put_aside(id, &resource, work);
                }
                resource => self.put(id, resource.filter(|_| is_meant), work),
            }
        }
    }

    pub(super) fn put(&mut self, id: ResourceId, new: Option<Arc<Resource>>, work: &mut Work) {
        let new = match new {
            Some(new) => self.screen(&id, new, work),
            None => {
                self.release(&id, work);
                self.forget_taken(&id);
                None
            }
        };
        let Some(resource) = new else {
            self.take_away(id, work);
            return;
        };
        let old = self.resources.insert(id.clone(), resource.clone());
        if old.as_ref().is_none_or(|old| {
            old.version != resource.version || old.provenance != resource.provenance
        }) {
            work.front.note(&id, old.as_ref(), Some(&resource));
            self.remember(&id, old);
            self.note_reach(&id);
            work.resources.push((id, Some(resource)));
        }
    }

    /// A resource is not served any more.
    pub(super) fn take_away(&mut self, id: ResourceId, work: &mut Work) {
        let Some(old) = self.resources.remove(&id) else {
            return;
        };
        if self.verdicts.remove(&id).is_some() {
            work.statuses.extend(old.provenance.iter().cloned());
        }
        work.front.note(&id, Some(&old), None);
        self.remember(&id, Some(old));
        self.note_reach(&id);
        work.resources.push((id, None));
    }
}
