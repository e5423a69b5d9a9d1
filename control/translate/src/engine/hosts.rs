//! Virtual services as virtual hosts, with their last good forms.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, LazyLock};

use tenon_model::{Kind, Object, ObjectKey, Problem, ProblemLevel, Spec};

use super::{Entry, HostUnit, Translator, WORTH_A_THREAD, Work};
use crate::cluster::{Secrets, reference};
use crate::in_parallel;
use crate::names;
use crate::options::Asked;
use crate::route::Upstreams;
use crate::secret_headers;
use crate::tls::listener;
use crate::virtual_host::{self, Kept, VirtualHostForm};

impl Translator {
    pub(super) fn derive_hosts(&mut self, work: &mut Work) {
        // Routes that are to be tried again, too.
        self.derive_front(work);
        loop {
            self.derive_marked_hosts(work);
            // Those whose requests may come to routes of others are looked at again if those ask somebody else.
            if work.hosts.is_empty() {
                break;
            }
        }
    }

    fn derive_marked_hosts(&mut self, work: &mut Work) {
        let asked = Upstreams::asked(self);
        let mut derived = BTreeMap::new();
        loop {
            let keys = work.hosts.take();
            // What one comes to does not depend on others.
            let units = in_parallel(&keys, WORTH_A_THREAD, |key| {
                let entry = self.objects.entries.get(key)?;
                Some(self.host_unit(key, entry, self.hosts.get(key)))
            });
            let mut new: BTreeMap<_, _> = keys.into_iter().zip(units).collect();
            // Both are in order, and so this is done in one go.
            derived.append(&mut new);
            if !self.judge_routes(&derived, work) {
                break;
            }
            self.derive_front(work);
        }
        self.remember_routes(&derived, work);
        if work.is_first {
            self.hosts.reserve(derived.len());
        }
        for (key, unit) in derived {
            self.take_host(key, unit, work);
        }
        // A filter that is off for a request where it begins would not be there for it where it ends.
        if asked != Upstreams::asked(self) {
            work.hosts.extend(self.moving.iter().cloned());
        }
    }

    fn take_host(&mut self, key: ObjectKey, mut new: Option<HostUnit>, work: &mut Work) {
        static EMPTY: LazyLock<Arc<VirtualHostForm>> = LazyLock::new(Arc::default);
        let old = self.hosts.remove(&key);
        let was_held = self.is_held(&key);
        match &mut new {
            Some(new) => self.screen_host(&key, new, old.as_ref()),
            None => self.forget_host(&key),
        }
        let before = old.as_ref().map_or(&*EMPTY, |unit| &unit.form);
        let after = new.as_ref().map_or(&*EMPTY, |unit| &unit.form);
        self.readers.reindex(&key, &before.reads, &after.reads);
        self.mark_services(&before.reads, &after.reads, work);
        self.selectors
            .reindex(&key, &before.selectors, &after.selectors);
        if !before.same_output(after) {
            work.in_tables.insert(key.clone());
        }
        work.tables.extend(before.tables.keys().cloned());
        work.tables.extend(after.tables.keys().cloned());
        work.statuses.extend(tables_to_tell(before, after));
        if was_held || self.is_held(&key) {
            // What Envoy says of a virtual host may be about a route of any of its tables.
            let tables = before.tables.keys().chain(after.tables.keys());
            work.statuses.extend(tables.cloned());
        }
        let shared = before.reads.symmetric_difference(&after.reads);
        let shared = shared.filter(|key| tells_of_readers(key.kind));
        work.statuses.extend(shared.cloned());
        let nothing = BTreeSet::new();
        let [was, is] = [&old, &new].map(|unit| match unit {
            Some(unit) => &unit.problems_of_options,
            None => &nothing,
        });
        let of_options = was.symmetric_difference(is);
        work.statuses.extend(of_options.map(|(key, _)| key.clone()));
        let secrets = [&before.needs.secrets, &after.needs.secrets];
        if secrets[0] != secrets[1] {
            let names = secrets.into_iter().flat_map(BTreeMap::keys);
            work.secrets
                .extend(names.filter_map(|name| secret_headers::secret(name)));
        }
        self.count_asked(&before.needs.asked, &after.needs.asked);
        match after.moves {
            true => self.moving.insert(key.clone()),
            false => self.moving.remove(&key),
        };
        if let Some(new) = new {
            self.hosts.insert(key.clone(), new);
        }
        work.statuses.insert(key);
    }

    /// Counts who asks servers that routes say themselves.
    fn count_asked(&mut self, before: &Asked, after: &Asked) {
        for filter in after.keys().filter(|it| !before.contains_key(*it)) {
            *self.asked.entry(filter.clone()).or_default() += 1;
        }
        for filter in before.keys().filter(|it| !after.contains_key(*it)) {
            if let Some(count) = self.asked.get_mut(filter) {
                *count -= 1;
                if *count == 0 {
                    self.asked.remove(filter);
                }
            }
        }
    }

    /// Tries the newest form, then the last good one; in the end what is good of the newest.
    fn host_unit(&self, key: &ObjectKey, entry: &Entry, old: Option<&HostUnit>) -> HostUnit {
        let good = old.and_then(|unit| unit.good.clone());
        let nothing = Kept::new();
        let kept = old.map_or(&nothing, |unit| &unit.form.kept);
        let none = BTreeSet::new();
        let had = old.map_or(&none, |unit| &unit.form.had);
        let trees_above = self.options.trees_above;
        let translate = |object: &Object| match &object.spec {
            Spec::VirtualService(spec) => {
                let mut form = virtual_host::translate(key, spec, self, kept, trees_above);
                let missing = self.check_certificate(&mut form, had);
                (form, missing)
            }
            _ => (VirtualHostForm::default(), None),
        };
        let Some(object) = &entry.object else {
            // What is wrong with the rest is told already.
            let Some(rest) = &entry.rest else {
                return HostUnit::default();
            };
            let (mut form, _) = translate(rest);
            form.is_rest = true;
            return HostUnit {
                problems: form.problems.clone(),
                problems_of_options: mem::take(&mut form.problems_of_options),
                form: Arc::new(form),
                good: None,
            };
        };
        let (mut newest, missing) = translate(object);
        let mut problems = newest.problems.clone();
        let problems_of_options = mem::take(&mut newest.problems_of_options);
        let newest = Arc::new(newest);
        if names::is_internal(key) {
            // Its routes are of several owners: one that is broken answers for itself alone, and keeps none of the others.
            return HostUnit {
                form: newest,
                problems,
                problems_of_options,
                good: None,
            };
        }
        // A certificate that is not there yet may still come; until then the last good form is served with its own.
        let kept_for_its_certificate = missing.as_ref().is_some_and(|_| {
            let good = good.as_ref();
            let good = good.and_then(|(_, form)| Some((form.ssl.as_ref()?, &form.had)));
            good.is_some_and(|(ssl, had)| {
                listener::translate("", ssl, &self.objects.as_served(had)).is_ok()
            })
        });
        if newest.is_good() && !kept_for_its_certificate {
            let good = match newest.incomplete {
                false => Some((object.clone(), newest.clone())),
                true => good,
            };
            return HostUnit {
                form: newest,
                problems,
                problems_of_options,
                good,
            };
        }
        let Some((good_object, good_form)) = good else {
            return HostUnit {
                form: newest,
                problems,
                problems_of_options,
                good: None,
            };
        };
        problems.extend(missing.filter(|_| kept_for_its_certificate));
        let (mut again, _) = translate(&good_object);
        again.problems_of_options.clear();
        let mut form = match again.is_good() && !again.incomplete {
            true => again,
            // What it refers to is gone too; what was made of it before may still do.
            false => VirtualHostForm::clone(&good_form),
        };
        form.reads = mem::take(&mut form.reads).with(newest.reads.clone());
        form.selectors.extend(newest.selectors.iter().cloned());
        problems.extend(self.farewells(&form));
        let form = Arc::new(form);
        HostUnit {
            form: form.clone(),
            problems,
            problems_of_options,
            good: Some((good_object, form)),
        }
    }
}

impl Translator {
    /// A secret that cannot be what `sslConfig` asks of it is a fault of the virtual service, wherever it is served. One
    /// that is not there is told.
    fn check_certificate(
        &self,
        form: &mut VirtualHostForm,
        had: &BTreeSet<ObjectKey>,
    ) -> Option<Problem> {
        let ssl = form.ssl.as_ref()?;
        let secrets: Vec<_> = listener::secrets(ssl).collect();
        if secrets.is_empty() {
            return None;
        }
        let objects = self.objects.as_served(had);
        let checked = listener::translate("spec.sslConfig", ssl, &objects);
        form.had = objects.found(secrets.iter().cloned());
        form.problems.extend(self.farewells(form));
        form.reads = mem::take(&mut form.reads).with(secrets);
        match checked {
            Err(problem) if problem.level == ProblemLevel::Error => {
                form.problems.push(problem);
                None
            }
            Err(missing) => {
                form.incomplete = true;
                Some(missing)
            }
            Ok(_) => None,
        }
    }
}

impl Translator {
    /// The certificates that a virtual host is served with though they are there no more.
    fn farewells(&self, form: &VirtualHostForm) -> Vec<Problem> {
        let objects = self.objects.as_served(&form.had);
        let texts = form
            .had
            .iter()
            .filter_map(|key| objects.farewell(&reference(key)));
        let told = texts.map(|text| Problem::warning("spec.sslConfig.secretRef", text));
        told.collect()
    }
}

/// Whether the status of what virtual hosts refer to tells which proxies have it.
pub(super) fn tells_of_readers(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::RouteOption | Kind::RouteTable | Kind::UpstreamGroup | Kind::VirtualHostOption
    )
}

/// The tables of which a virtual host says something else than before.
fn tables_to_tell(before: &VirtualHostForm, after: &VirtualHostForm) -> BTreeSet<ObjectKey> {
    let elsewhere = before.domains != after.domains;
    let keys = before.tables.keys().chain(after.tables.keys());
    keys.filter(|key| {
        elsewhere
            || before.problems_of_tables.get(*key) != after.problems_of_tables.get(*key)
            || before.tables.contains_key(*key) != after.tables.contains_key(*key)
    })
    .cloned()
    .collect()
}
