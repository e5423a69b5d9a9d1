//! Certificates in files on Envoy's machine, as SDS resources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::ObjectKey;

use super::super::{Translator, Work};
use crate::output::{Resource, ResourceId, ResourceType};

impl Translator {
    /// Tells the proxies whose listeners use files of them.
    pub(in crate::engine) fn derive_files(&mut self, work: &mut Work) {
        let mut files: BTreeMap<String, (Vec<u8>, BTreeSet<ObjectKey>)> = BTreeMap::new();
        let sites = self.listeners.gateways.values().flat_map(|it| &it.sites);
        for group in sites.flat_map(|site| &site.plan.groups) {
            for (name, bytes) in &group.tls.files {
                let (_, users) = files
                    .entry(name.clone())
                    .or_insert_with(|| (bytes.clone(), BTreeSet::new()));
                users.extend(group.members.iter().map(|(host, _)| host.clone()));
            }
        }
        for (key, bound) in &self.listeners.gateways {
            for (origin, tls) in bound.tcp_tls() {
                for (name, bytes) in &tls.files {
                    let (_, users) = files
                        .entry(name.clone())
                        .or_insert_with(|| (bytes.clone(), BTreeSet::new()));
                    users.extend(origin.owner.clone().or_else(|| key.clone()));
                }
            }
        }
        let old = std::mem::replace(&mut self.listeners.files, files.clone());
        let gone = old.keys().filter(|name| !files.contains_key(*name));
        let gone: Vec<_> = gone.map(|name| (Arc::from(name.as_str()), None)).collect();
        let told = files.into_iter().map(|(name, (bytes, users))| {
            let stems: Arc<[ObjectKey]> = users.into_iter().collect();
            (Arc::from(name), Some(Resource::new(bytes.into(), stems)))
        });
        let told: Vec<_> = told.chain(gone).collect();
        for proxy in self.proxies.clone() {
            for (name, content) in &told {
                let content = content.clone().filter(|_| self.names(&proxy, name));
                let id = ResourceId {
                    proxy: proxy.clone(),
                    kind: ResourceType::Secret,
                    name: name.clone(),
                };
                self.put(id, content, work);
            }
        }
    }
}
