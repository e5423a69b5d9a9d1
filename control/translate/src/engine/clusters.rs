//! Upstreams as clusters, and the secrets that clusters use.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tenon_model::{Object, ObjectKey, Problem, Secret, Spec};

use super::departed::AsHad;
use super::endpoints::stands_for;
use super::lookups::consul_service;
use super::{Translator, WORTH_A_THREAD, Work};
use crate::cluster::{self, ClusterForm, Secrets, reference};
use crate::in_parallel;
use crate::keys::Keys;
use crate::output::{ProxyName, ResourceType};
use crate::{kube, names, secret, secret_headers};

impl Translator {
    pub(super) fn derive_clusters(&mut self, work: &mut Work) {
        let keys = work.clusters.take();
        // What one comes to depends on objects alone.
        let forms = in_parallel(&keys, WORTH_A_THREAD, |key| {
            let old = self.clusters.get(key);
            let good = old.and_then(|form| form.good.clone());
            let nothing = BTreeSet::new();
            let had = old.map_or(&nothing, |form| &form.had);
            let newest = self.upstream_object(key)?;
            let secrets = self.objects.as_had(had);
            let mut form = self.cluster_form(key, newest, good, &secrets)?;
            form.had = secrets.found(form.tls_secrets.iter().cloned());
            Some(Box::new(form))
        });
        if work.is_first {
            self.clusters.reserve(keys.len());
        }
        for (key, form) in keys.into_iter().zip(forms) {
            self.take_cluster(key, form, work);
        }
    }

    fn take_cluster(&mut self, key: ObjectKey, form: Option<Box<ClusterForm>>, work: &mut Work) {
        let old = self.clusters.remove(&key);
        let reads = |form: &Option<Box<ClusterForm>>| -> Keys {
            let reads = form.as_ref().map(|form| &form.reads);
            reads.into_iter().flatten().cloned().collect()
        };
        self.readers_of_secrets
            .reindex(&key, &reads(&old), &reads(&form));
        for form in [&old, &form].into_iter().flatten() {
            work.secrets.extend(form.tls_secrets.iter().cloned());
            if form.endpoints.is_some() {
                work.endpoints.insert(key.clone());
            }
        }
        let transcoder = |form: &Option<Box<ClusterForm>>| form.as_ref()?.transcoder.clone();
        if transcoder(&old) != transcoder(&form) {
            // Routes have it.
            work.hosts.extend(self.readers.of(&key).cloned());
        }
        self.retry_routes(&key, work);
        if let Some(old) = &old {
            let before = resources(old).map(|(kind, name, _)| (kind, name.clone()));
            let all = work.told_before.entry(key.clone()).or_default();
            all.extend(before);
        }
        work.told.insert(key.clone());
        self.note_upstream(&key, old.as_deref(), form.as_deref());
        self.tell_lookup(&key, old.as_deref(), form.as_deref(), work);
        self.take_in_credentials(&key, old, form.as_deref(), work);
        if let Some(form) = form {
            self.clusters.insert(key.clone(), form);
        }
        if consul_service(&key).is_some() {
            work.statuses.extend(self.readers.of(&key).cloned());
        }
        let service = stands_for(&key).map(|to| kube::service_key(&to.service));
        work.statuses.insert(service.unwrap_or(key));
    }

    /// Tells of the clusters and listeners of an upstream, and of those that it had before.
    pub(super) fn tell_forms(&mut self, key: &ObjectKey, work: &mut Work) {
        let form = self.clusters.get(key);
        let now = form.into_iter().flat_map(|form| resources(form));
        let now: Vec<_> = now
            .map(|(kind, name, bytes)| (kind, name.clone(), bytes.clone()))
            .collect();
        let before = work.told_before.remove(key).unwrap_or_default();
        for (kind, name) in before {
            let stays = now.iter().any(|now| (now.0, &now.1) == (kind, &name));
            if !stays {
                self.tell(kind, &name, None, key, work);
            }
        }
        let apart = self.apart(key);
        for (kind, name, bytes) in now {
            let other = |proxy: &ProxyName| {
                let mut clusters = apart.get(proxy)?.iter();
                let of_proxy =
                    clusters.find(|(it, _)| *it == name && kind == ResourceType::Cluster);
                of_proxy.map(|(_, bytes)| bytes.clone())
            };
            self.tell_each(kind, &name, (Some(bytes), other), key, work);
        }
    }

    /// Tries the newest form, then the last good one; without one, there are no clusters.
    fn cluster_form(
        &self,
        key: &ObjectKey,
        newest: Result<Arc<Object>, Vec<Problem>>,
        good: Option<Arc<Object>>,
        secrets: &AsHad<'_>,
    ) -> Option<ClusterForm> {
        let translate = |object: &Object| match &object.spec {
            Spec::Upstream(upstream) => {
                let module = &self.options.module;
                Some(cluster::translate(key, upstream, module, secrets))
            }
            _ => None,
        };
        let mut form = match &newest {
            Ok(newest) => translate(newest)?,
            Err(problems) => ClusterForm::of_problems(problems.clone()),
        };
        if let Some(to) = stands_for(key) {
            form.reads.insert(kube::service_key(&to.service));
        }
        if form.is_good() {
            form.good = newest.ok();
            return Some(form);
        }
        let last = good.and_then(|good| Some((translate(&good)?, good)));
        let Some((mut last, good)) = last.filter(|(last, _)| last.is_good()) else {
            form.clusters.clear();
            form.listeners.clear();
            form.transcoder = None;
            form.endpoints = None;
            form.failover = None;
            form.lookup = None;
            form.credentials.clear();
            return Some(form);
        };
        last.problems = form.problems;
        last.reads.extend(form.reads);
        last.good = Some(good);
        Some(last)
    }

    /// Takes in the generic secrets of an upstream's clusters, and those that they used before.
    fn take_in_credentials(
        &mut self,
        key: &ObjectKey,
        old: Option<Box<ClusterForm>>,
        form: Option<&ClusterForm>,
        work: &mut Work,
    ) {
        let old = old.map(|form| form.credentials).unwrap_or_default();
        let new = form
            .map(|form| form.credentials.clone())
            .unwrap_or_default();
        for name in old.into_keys().filter(|name| !new.contains_key(name)) {
            let users = self.users_of_credentials.entry(name.clone()).or_default();
            users.remove(key);
            work.shared.insert(name.clone());
            work.credentials.insert(name);
        }
        for (name, source) in new {
            self.users_of_credentials
                .entry(name.clone())
                .or_default()
                .insert(key.clone());
            work.sources.insert(name, source);
        }
    }

    /// Forgets credentials that nobody uses; once all clusters are derived, because another one may use what one does no
    /// more.
    pub(super) fn forget_unused_credentials(&mut self, work: &mut Work) {
        for name in std::mem::take(&mut work.credentials) {
            let users = self.users_of_credentials.get(&name);
            if users.is_some_and(|users| !users.is_empty()) {
                continue;
            }
            self.users_of_credentials.remove(&name);
            self.credential_problems.remove(&name);
            if self.credentials.remove(&name).is_some() {
                work.update.credentials.insert(name, None);
            }
        }
    }

    /// The SDS resources of a TLS secret, while a cluster or a listener uses it.
    pub(super) fn derive_secret(&mut self, key: &ObjectKey, work: &mut Work) {
        let reference = reference(key);
        let used = self.uses_certificate(key) || self.is_shown(key);
        let mut resources = match self.objects.secret(key) {
            Some(Secret::Tls(tls)) if used => secret::translate(&reference, tls),
            _ => Vec::new(),
        };
        if let Some(departed) = self.objects.departed(key).filter(|_| used) {
            // What there is now goes first.
            resources.extend(secret::translate(&reference, departed));
        }
        for name in [
            names::tls_certificate(&reference),
            names::tls_roots(&reference),
        ] {
            let resource = resources.iter().find(|resource| resource.name == name);
            let bytes = resource.map(|resource| Bytes::from(resource.encode_to_vec()));
            self.note_secret(key, &name);
            self.tell(ResourceType::Secret, &name.into(), bytes, key, work);
        }
        self.tell_headers(key, work);
    }

    /// The SDS resources of a secret's headers, while routes send them: of one that is gone, without a value.
    fn tell_headers(&mut self, key: &ObjectKey, work: &mut Work) {
        let reference = reference(key);
        let filter = secret_headers::filter_name(&reference);
        let readers = self.readers.of(key);
        let hosts = readers.filter_map(|reader| self.hosts.get(reader));
        let needed = hosts.filter_map(|host| host.form.needs.secrets.get(&filter));
        let needed: BTreeSet<String> = needed.flatten().cloned().collect();
        let told = self.told_headers.remove(key).unwrap_or_default();
        for header in needed.union(&told) {
            let name = secret_headers::resource_name(&reference, header);
            self.note_secret(key, &name);
            let bytes = needed.contains(header).then(|| {
                let value = match self.objects.secret(key) {
                    Some(Secret::Header(secret)) => secret.headers.get(header),
                    _ => None,
                };
                let resource = secret_headers::resource(&name, value.map(String::as_str));
                Bytes::from(resource.encode_to_vec())
            });
            self.tell(ResourceType::Secret, &name.into(), bytes, key, work);
        }
        if !needed.is_empty() {
            self.told_headers.insert(key.clone(), needed);
        }
    }
}

/// The clusters and listeners of an upstream.
fn resources(form: &ClusterForm) -> impl Iterator<Item = (ResourceType, &Arc<str>, &Bytes)> {
    let clusters = form.clusters.iter();
    let clusters = clusters.map(|(name, bytes)| (ResourceType::Cluster, name, bytes));
    let listeners = form.listeners.iter();
    clusters.chain(listeners.map(|(name, bytes)| (ResourceType::Listener, name, bytes)))
}
