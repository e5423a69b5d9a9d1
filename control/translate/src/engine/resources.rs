//! Tells of resources, if they are other ones than before.

use std::sync::Arc;

use bytes::Bytes;
use tenon_model::ObjectKey;

use super::endpoints::stands_for;
use super::{Translator, Work};
use crate::kube;
use crate::output::{ProxyName, Resource, ResourceId, ResourceType, content_hash};

impl Translator {
    /// Tells of a resource that stems from one object: those proxies that get it have it, the others have not.
    pub(super) fn tell(
        &mut self,
        kind: ResourceType,
        name: &str,
        bytes: Option<Bytes>,
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
        for proxy in self.proxies.clone() {
            let bytes = bytes.clone().filter(|_| gets(self, &proxy));
            let id = ResourceId {
                proxy,
                kind,
                name: name.to_owned(),
            };
            let content = bytes.map(|bytes| (bytes, provenance.clone()));
            self.put(id, content, work);
        }
    }

    pub(super) fn put(
        &mut self,
        id: ResourceId,
        content: Option<(Bytes, Arc<[ObjectKey]>)>,
        work: &mut Work,
    ) {
        let new = content.map(|(value, provenance)| {
            Arc::new(Resource {
                version: content_hash(&value),
                value,
                provenance,
            })
        });
        let new = match new {
            Some(new) => self.screen(&id, new, work),
            None => {
                self.release(&id, work);
                None
            }
        };
        let Some(resource) = new else {
            if let Some(old) = self.resources.remove(&id) {
                if self.verdicts.remove(&id).is_some() {
                    work.statuses.extend(old.provenance.iter().cloned());
                }
                self.remember(&id, Some(old));
                self.note_reach(&id);
                work.update.resources.insert(id, None);
            }
            return;
        };
        let old = self.resources.insert(id.clone(), resource.clone());
        if old.as_ref().is_none_or(|old| {
            old.version != resource.version || old.provenance != resource.provenance
        }) {
            self.remember(&id, old);
            self.note_reach(&id);
            work.update.resources.insert(id, Some(resource));
        }
    }
}
