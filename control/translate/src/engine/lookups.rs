//! Lookups of hosts: which are wanted, and what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tenon_model::{ConsulDiscovery, ConsulService, Kind, ObjectKey, Problem, Upstream};

use super::{Translator, Work};
use crate::cluster::{ClusterForm, Discovered, reference};
use crate::lookup::{Instance, Lookup};

/// The lookups that are wanted, by name, and who wants them.
#[derive(Default)]
pub(super) struct Lookups {
    pub(super) wanted: BTreeMap<String, Lookup>,
    users: BTreeMap<String, BTreeSet<ObjectKey>>,
    found: BTreeMap<String, Found>,
    /// The endpoints that were told last, by upstream. They stay while there is no answer.
    told: BTreeMap<ObjectKey, Bytes>,
}

/// What came of a lookup.
#[derive(Default)]
struct Found {
    /// What was found last; nothing before the first answer.
    instances: Option<Arc<[Instance]>>,
    /// Why nothing newer was.
    problem: Option<String>,
}

/// What an upstream stands for that nobody wrote.
pub(super) fn consul_service(key: &ObjectKey) -> Option<ConsulService> {
    let of_kind = key.kind == Kind::Upstream;
    of_kind.then(|| ConsulService::of_upstream(&reference(key)))?
}

/// What routes see of an upstream that stands for a service of Consul: nothing of that depends on which one it is.
pub(super) fn service_of_consul(key: &ObjectKey) -> Option<&'static Upstream> {
    static ANY: LazyLock<Option<Upstream>> = LazyLock::new(|| {
        let any = ConsulService {
            service_name: "any".to_owned(),
            tags: Vec::new(),
            data_centers: Vec::new(),
        };
        any.as_upstream(&ConsulDiscovery::default()).ok()
    });
    consul_service(key)?;
    ANY.as_ref()
}

impl Lookups {
    /// What was found last; nothing before the first answer.
    pub(super) fn instances(&self, name: &str) -> Option<&[Instance]> {
        self.found.get(name)?.instances.as_deref()
    }

    /// What is told of an upstream's endpoints while there is no answer.
    pub(super) fn told(&self, key: &ObjectKey) -> Option<&Bytes> {
        self.told.get(key)
    }

    pub(super) fn remember(&mut self, key: &ObjectKey, told: Option<Bytes>) {
        match told {
            Some(told) => self.told.insert(key.clone(), told),
            None => self.told.remove(key),
        };
    }

    /// No more than what was told from outside, and what has to stay.
    pub(super) fn only_found(self) -> Self {
        Self {
            found: self.found,
            told: self.told,
            ..Self::default()
        }
    }

    /// The upstreams whose endpoints were told.
    pub(super) fn upstreams(&self) -> impl Iterator<Item = &ObjectKey> {
        self.told.keys()
    }

    /// The names of the lookups that have an answer.
    pub(super) fn answered(&self) -> impl Iterator<Item = &String> {
        self.found.keys()
    }
}

impl Translator {
    /// Takes in what came of a lookup. What was found before stays where nothing was found.
    pub(super) fn take_in_found(
        &mut self,
        name: String,
        instances: Option<Arc<[Instance]>>,
        problem: Option<String>,
        work: &mut Work,
    ) {
        // One that nobody wants any more.
        let Some(users) = self.lookups.users.get(&name) else {
            return;
        };
        work.endpoints.extend(users.iter().cloned());
        for user in users {
            work.statuses.insert(user.clone());
            // Nobody wrote it, so it is told by those who name it.
            if consul_service(user).is_some() {
                work.statuses.extend(self.readers.of(user).cloned());
            }
        }
        let found = self.lookups.found.entry(name).or_default();
        found.instances = instances.or(found.instances.take());
        found.problem = problem;
    }

    /// Tells of the lookup of an upstream, and of the one that it needed before.
    pub(super) fn tell_lookup(
        &mut self,
        key: &ObjectKey,
        old: Option<&ClusterForm>,
        new: Option<&ClusterForm>,
        work: &mut Work,
    ) {
        let lookup = |form: Option<&ClusterForm>| form.and_then(|form| form.lookup.clone());
        let (old, new) = (lookup(old), lookup(new));
        let name = new.as_ref().map(|(name, _)| name);
        if let Some((old, _)) = old.filter(|(old, _)| Some(old) != name) {
            if let Some(users) = self.lookups.users.get_mut(&old) {
                users.remove(key);
            }
            work.lookups.insert(old);
        }
        if let Some((name, lookup)) = new {
            let users = self.lookups.users.entry(name.clone()).or_default();
            users.insert(key.clone());
            if self.lookups.wanted.get(&name) != Some(&lookup) {
                self.lookups.wanted.insert(name.clone(), lookup.clone());
                work.update.lookups.insert(name, Some(lookup));
            }
        }
    }

    /// Forgets lookups that nobody needs; once all clusters are derived, because another one may need what one does no
    /// more.
    pub(super) fn forget_unused_lookups(&mut self, work: &mut Work) {
        for name in std::mem::take(&mut work.lookups) {
            let users = self.lookups.users.get(&name);
            if users.is_some_and(|users| !users.is_empty()) {
                continue;
            }
            self.lookups.users.remove(&name);
            self.lookups.found.remove(&name);
            if self.lookups.wanted.remove(&name).is_some() {
                work.update.lookups.insert(name, None);
            }
        }
    }

    /// What is to be told of the lookup of an upstream.
    pub(super) fn problem_of_lookup(&self, form: &ClusterForm) -> Option<Problem> {
        let Some(Discovered::Instances(part)) = &form.endpoints else {
            return None;
        };
        let found = self.lookups.found.get(&part.lookup)?;
        let text = match (&found.problem, &found.instances) {
            (Some(problem), Some(_)) => {
                format!("instances cannot be looked up, those found last stay: {problem}")
            }
            (Some(problem), None) => format!("instances cannot be looked up: {problem}"),
            (None, Some(instances)) if !part.has_any(instances) => part.none().to_owned(),
            (None, _) => return None,
        };
        Some(Problem::warning(part.field(), text))
    }

    /// The same of those services of Consul that an object names.
    pub(super) fn problems_of_services_of_consul<'a>(
        &self,
        reads: impl Iterator<Item = &'a ObjectKey>,
    ) -> Vec<Problem> {
        let of_consul = reads.filter(|key| consul_service(key).is_some());
        let problems = of_consul.filter_map(|key| {
            let problem = self.problem_of_lookup(self.clusters.get(key)?)?;
            let text = format!("upstream {}: {}", reference(key), problem.text);
            Some(Problem::warning("", text))
        });
        problems.collect()
    }
}
