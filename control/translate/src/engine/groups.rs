//! Upstream groups, with their last good forms; and the cluster of requests that go wherever they say.

use std::sync::Arc;

use tenon_model::{
    Kind, MultiDestination, Object, ObjectKey, ObjectRef, Problem, ProblemLevel, Spec,
    VirtualHostOptions,
};

use super::{Translator, Work, reindex};
use crate::keys::Keys;
use crate::route::{Routes, Upstreams};
use crate::tcp::Groups;
use crate::tree::Seen;

/// An upstream group, and what is kept in case that it breaks.
#[derive(Default)]
pub(super) struct GroupUnit {
    /// What is served.
    object: Option<Arc<Object>>,
    /// What is wrong with the newest form.
    problems: Vec<Problem>,
    /// The upstreams that were looked at.
    reads: Keys,
    good: Option<Arc<Object>>,
    is_old: bool,
}

/// What was found of a form of a group.
struct Checked {
    problems: Vec<Problem>,
    reads: Keys,
    is_complete: bool,
}

impl GroupUnit {
    /// What is wrong with the newest form.
    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The upstreams that it names.
    pub(super) fn reads(&self) -> impl Iterator<Item = &ObjectKey> {
        self.reads.iter()
    }

    /// Whether it is not the newest form that is served.
    pub(super) fn is_old(&self) -> bool {
        self.is_old
    }

    pub(super) fn only_last_good(self) -> Self {
        Self {
            good: self.good,
            ..Self::default()
        }
    }
}

impl Checked {
    fn is_good(&self) -> bool {
        let mut problems = self.problems.iter();
        problems.all(|problem| problem.level == ProblemLevel::Warning)
    }
}

impl Translator {
    pub(super) fn derive_group(&mut self, key: ObjectKey, work: &mut Work) {
        let old = self.groups.remove(&key);
        let was_there = old.is_some();
        let old = old.unwrap_or_default();
        let newest = self.objects.object(&key).cloned();
        let is_there = self.objects.0.contains_key(&key);
        let unit = match newest {
            Some(newest) => self.group_unit(&key, newest, old.good.clone()),
            None => GroupUnit::default(),
        };
        reindex(&mut self.readers, &key, &old.reads, &unit.reads);
        self.mark_services(&old.reads, &unit.reads, work);
        let same = match (&old.object, &unit.object) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        // Gateways say whether it is not there or is broken.
        if !same || was_there != is_there {
            self.mark_readers(&key, work);
            work.listeners |= self.listeners.reads(&key);
        }
        if is_there {
            self.groups.insert(key.clone(), unit);
        }
        work.statuses.insert(key);
    }

    /// Tries the newest form, then the last good one; in the end what is good of the newest.
    fn group_unit(
        &self,
        key: &ObjectKey,
        newest: Arc<Object>,
        good: Option<Arc<Object>>,
    ) -> GroupUnit {
        let found = self.check_group(key, &newest);
        let old = good
            .as_ref()
            .filter(|good| !found.is_good() && !Arc::ptr_eq(good, &newest))
            .filter(|good| self.check_group(key, good).is_good());
        let old = old.cloned();
        let is_good = found.is_good() && found.is_complete;
        GroupUnit {
            is_old: old.is_some(),
            good: if is_good { Some(newest.clone()) } else { good },
            object: Some(old.unwrap_or(newest)),
            problems: found.problems,
            reads: found.reads,
        }
    }

    fn check_group(&self, key: &ObjectKey, object: &Object) -> Checked {
        let seen = Seen::new(self);
        let servers = Upstreams::settings(self).servers.clone();
        let of_host = VirtualHostOptions::default();
        let mut routes = Routes {
            key,
            upstreams: &seen,
            of_host: &of_host,
            servers: &servers,
            of_group: false,
            problems: Vec::new(),
        };
        if let Spec::UpstreamGroup(group) = &object.spec {
            routes.check_group(group);
        }
        Checked {
            problems: routes.problems,
            is_complete: !seen.missing.get(),
            reads: seen.reads.into_inner().into(),
        }
    }

    /// The upstream group, in its last good form, or why there is none.
    pub(super) fn upstream_group(
        &self,
        reference: &ObjectRef,
    ) -> Result<&MultiDestination, String> {
        let unit = self.groups.get(&reference.key(Kind::UpstreamGroup));
        match unit.map(|unit| unit.object.as_deref()) {
            Some(Some(Object {
                spec: Spec::UpstreamGroup(group),
                ..
            })) => Ok(group),
            Some(_) => Err(format!(
                "upstream group {reference} is rejected; its status says why"
            )),
            None => Err(format!("upstream group {reference} does not exist")),
        }
    }
}

impl Groups for Translator {
    fn group(&self, reference: &ObjectRef) -> Result<&MultiDestination, String> {
        self.upstream_group(reference)
    }
}
