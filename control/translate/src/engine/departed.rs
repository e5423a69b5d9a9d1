//! Certificates that are there no more, for those who were served with them.
//!
//! Who deletes a Secret, or makes another kind of it, takes its certificate from all who come to ask for it. What was served
//! with it goes on with the certificate that it had: in memory only, so that a key that is deleted is gone with the next
//! start of the control plane.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{
    ConfigMap, Kind, Object, ObjectKey, ObjectRef, Secret, Service, Settings, Spec, TlsSecret,
};

use super::{Objects, Translator};
use crate::cluster::Secrets;
use crate::kube::Services;

/// TLS secrets in the last form that had certificates, where that is not what they are.
pub(super) type Departed = BTreeMap<ObjectKey, Arc<Object>>;

/// The objects, for one who had these certificates.
pub(super) struct AsHad<'a> {
    objects: &'a Objects,
    had: &'a BTreeSet<ObjectKey>,
    /// A certificate is needed with its key, not roots alone.
    serves: bool,
}

impl Objects {
    /// For an upstream that had the certificates of these.
    pub(super) fn as_had<'a>(&'a self, had: &'a BTreeSet<ObjectKey>) -> AsHad<'a> {
        AsHad {
            objects: self,
            had,
            serves: false,
        }
    }

    /// For a virtual host that had them.
    pub(super) fn as_served<'a>(&'a self, had: &'a BTreeSet<ObjectKey>) -> AsHad<'a> {
        AsHad {
            serves: true,
            ..self.as_had(had)
        }
    }

    /// A TLS secret as it was.
    pub(super) fn departed(&self, key: &ObjectKey) -> Option<&TlsSecret> {
        tls(self.departed.get(key)?)
    }
}

impl AsHad<'_> {
    fn is_usable(&self, secret: &Secret) -> bool {
        match secret {
            Secret::Tls(tls) => !self.serves || tls.cert_chain.is_some(),
            _ => false,
        }
    }

    /// Which of these there are.
    pub(super) fn found(&self, keys: impl IntoIterator<Item = ObjectKey>) -> BTreeSet<ObjectKey> {
        let found = keys.into_iter();
        let found = found.filter(|key| self.secret(key).is_some_and(|it| self.is_usable(it)));
        found.collect()
    }
}

impl Secrets for AsHad<'_> {
    fn secret(&self, key: &ObjectKey) -> Option<&Secret> {
        let now = self.objects.secret(key);
        if now.is_some_and(|it| self.is_usable(it)) || !self.had.contains(key) {
            return now;
        }
        match self.objects.departed.get(key).map(|object| &object.spec) {
            Some(Spec::Secret(secret)) => Some(secret),
            _ => now,
        }
    }

    fn config_map(&self, key: &ObjectKey) -> Option<&ConfigMap> {
        self.objects.config_map(key)
    }

    fn settings(&self) -> &Settings {
        Secrets::settings(self.objects)
    }

    fn farewell(&self, reference: &ObjectRef) -> Option<String> {
        let key = reference.key(Kind::Secret);
        let now = self.objects.secret(&key);
        let has_departed = self.had.contains(&key) && self.objects.departed.contains_key(&key);
        if now.is_some_and(|it| self.is_usable(it)) || !has_departed {
            return None;
        }
        let why = match self.objects.has(&key) {
            true => "has no certificate any more",
            false => "does not exist any more",
        };
        Some(format!(
            "secret {reference} {why}: what was served with its certificate keeps it until the control plane starts anew"
        ))
    }
}

impl Services for AsHad<'_> {
    fn service(&self, reference: &ObjectRef) -> Option<&Service> {
        self.objects.service(reference)
    }
}

impl Translator {
    /// A secret is about to become another one, or to go: its certificate is kept for those who have it.
    pub(super) fn depart(&mut self, key: &ObjectKey, new: Option<&Object>) {
        if key.kind != Kind::Secret {
            return;
        }
        let entry = self.objects.entries.get(key);
        let old = entry.and_then(|entry| entry.object.clone());
        let old = old.filter(|old| tls(old).is_some());
        let had_key = |it: &Arc<Object>| tls(it).is_some_and(|tls| tls.cert_chain.is_some());
        let needs_key = old
            .as_ref()
            .or(self.objects.departed.get(key))
            .is_some_and(had_key);
        if new
            .and_then(tls)
            .is_some_and(|new| new.cert_chain.is_some() || !needs_key)
        {
            self.objects.departed.remove(key);
        } else if let Some(old) = old.filter(|_| self.uses_certificate(key)) {
            self.objects.departed.insert(key.clone(), old);
        }
    }

    /// Whether something is served with a TLS secret.
    pub(super) fn uses_certificate(&self, key: &ObjectKey) -> bool {
        let mut readers = self.readers_of_secrets.of(key);
        let is_used = readers.any(|reader| {
            let form = self.clusters.get(reader);
            form.is_some_and(|form| form.tls_secrets.contains(key))
        });
        is_used || self.listeners.uses(key)
    }

    /// Forgets the certificates that nobody has any more.
    pub(super) fn forget_departed(&mut self) {
        if self.objects.departed.is_empty() {
            return;
        }
        let is_had = |key: &ObjectKey| {
            let mut clusters = self.readers_of_secrets.of(key);
            let mut hosts = self.readers.of(key);
            clusters.any(|it| {
                let form = self.clusters.get(it);
                form.is_some_and(|form| form.had.contains(key))
            }) || hosts.any(|it| {
                let unit = self.hosts.get(it);
                unit.is_some_and(|unit| unit.form.had.contains(key))
            })
        };
        let departed = self.objects.departed.keys();
        let gone: Vec<_> = departed.filter(|key| !is_had(key)).cloned().collect();
        for key in gone {
            self.objects.departed.remove(&key);
        }
    }
}

fn tls(object: &Object) -> Option<&TlsSecret> {
    match &object.spec {
        Spec::Secret(Secret::Tls(tls)) => Some(tls),
        _ => None,
    }
}
