//! Statuses of objects: of themselves, of their neighbours, of Envoy and of their credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{Kind, ObjectKey, Problem, Spec};

use super::endpoints::is_in_memory;
use super::{Entry, HostUnit, Translator, WORTH_A_THREAD, Work, settings_key};
use crate::cluster::Secrets;
use crate::in_parallel;
use crate::output::{ProxyName, ResourceId, Status};
use crate::{names, shortened, status};

/// So many statuses are made before they are taken in.
const STATUSES_AT_A_TIME: usize = 2_048;

impl Translator {
    pub(super) fn derive_statuses(&mut self, work: &mut Work) {
        let keys = self.front.written(work.statuses.take());
        // Most come to the same one, and then there is only that: few are there beside each other before that is seen.
        for keys in keys.chunks(STATUSES_AT_A_TIME) {
            let statuses = in_parallel(keys, WORTH_A_THREAD, |key| {
                let status = self.status(key, self.objects.entries.get(key)?);
                // Kubernetes' own objects are nobody's configuration of ours: they have one only if something is wrong with
                // them.
                (!is_kubernetes(key.kind) || !status.messages.is_empty()).then_some(status)
            });
            for (key, status) in keys.iter().zip(statuses) {
                self.take_status(key.clone(), status, work);
            }
        }
    }

    /// The status of an object, as it was told last.
    pub(crate) fn status_of(&self, key: &ObjectKey) -> Option<Arc<Status>> {
        self.statuses.get(key).cloned()
    }

    /// The objects that users wrote from which these stem.
    pub(crate) fn written_of(&self, keys: BTreeSet<ObjectKey>) -> BTreeSet<ObjectKey> {
        let written = self.front.written(keys.into_iter().collect());
        written.into_iter().collect()
    }

    fn take_status(&mut self, key: ObjectKey, mut status: Option<Status>, work: &mut Work) {
        if let Some(status) = &mut status {
            self.share_proxies(status);
        }
        if self.statuses.get(&key).map(|it| &**it) == status.as_ref() {
            return;
        }
        let status = status.map(|status| {
            if *self.last_status != status {
                self.last_status = Arc::new(status);
            }
            self.last_status.clone()
        });
        match &status {
            Some(status) => self.statuses.insert(key.clone(), status.clone()),
            None => self.statuses.remove(&key),
        };
        work.told_statuses.push((key, status));
    }

    /// Most objects are at the same proxies, which have nothing to say of them.
    fn share_proxies(&self, status: &mut Status) {
        if status.proxies == self.last_status.proxies {
            status.proxies = self.last_status.proxies.clone();
        }
    }

    fn status(&self, key: &ObjectKey, entry: &Entry) -> Status {
        if key.kind.is_of_gateway_api() {
            return self.status_of_gateway_api(key, entry);
        }
        let mut problems = entry.rejected.clone();
        if let Some(object) = &entry.object {
            problems.extend(object.warnings.iter().cloned());
        }
        if let Some(Spec::Secret(secret)) = entry.object.as_ref().map(|object| &object.spec) {
            problems.extend(secret.kind_of_no_use().map(|kind| {
                let text = format!(
                    "nothing here uses a secret of kind {kind}: it is for Gloo's own servers, and a server that extauth asks has its own"
                );
                Problem::warning("", text)
            }));
            let warning = entry.warning_at(self.now);
            problems.extend(warning.map(|text| Problem::warning("", text)));
        }
        let beside = self.listeners.problems(key);
        let mut stays = !entry.rejected.is_empty() && entry.object.is_some();
        if let Some(unit) = self.hosts.get(key) {
            problems.extend(unit.problems.iter().cloned());
            problems.extend(self.problems_of_services_of_consul(unit.form.reads.iter()));
            problems.extend(self.large_bodies(key, unit, key));
            problems.extend(self.unlimited(key));
            stays |= unit.good.is_some() && unit.form.problems != unit.problems;
            if entry.rejected.is_empty()
                && beside.is_empty()
                && self.listeners.served(key).is_empty()
            {
                problems.push(Problem::warning("", "no Gateway serves it"));
            }
        }
        let is_delegate = matches!(
            key.kind,
            Kind::MatchableHttpGateway | Kind::MatchableTcpGateway
        );
        if is_delegate && entry.object.is_some() && self.listeners.delegated(key).is_empty() {
            problems.push(Problem::warning("", "no Gateway delegates to it"));
        }
        let mut proxies: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
        if let Some(unit) = self.groups.get(key) {
            problems.extend(unit.problems().iter().cloned());
            problems.extend(self.problems_of_services_of_consul(unit.reads()));
            stays |= unit.is_old();
            for reader in self.readers.of(key) {
                for proxy in self.listeners.served(reader) {
                    proxies.entry(proxy.to_string()).or_default();
                }
            }
        }
        if key.kind == Kind::RouteTable {
            self.add_problems_of_table(key, &mut problems, &mut proxies);
        }
        if let Some(object) = &entry.object {
            self.add_uses_of_options(object, &mut problems, &mut proxies);
        }
        if key.kind == Kind::Settings && key != settings_key() {
            let text = format!("only {} is taken", settings_key());
            problems.push(Problem::warning("", text));
        }
        if key.kind == Kind::Service {
            problems.extend(self.problems_of_service(key));
        }
        // A cluster that stands for a service is not that of what was written under its name.
        let own = self.clusters.get(key).filter(|_| !is_in_memory(key));
        if let Some(form) = own {
            problems.extend(form.problems.iter().cloned());
            problems.extend(self.problem_of_lookup(form));
            stays |= !form.is_good() && form.good.is_some();
            let reasons = form.credentials.keys();
            for reason in reasons.filter_map(|name| self.credential_problems.get(name)) {
                problems.push(Problem::warning(
                    form.credentials_field,
                    format!("no credentials: {reason}"),
                ));
            }
        }
        problems.extend(beside);
        stays |= self.listeners.is_old(key);
        let (refusals, kept) = self.refusals(key);
        stays |= kept;
        let mut by_proxy = Vec::new();
        for (proxy, problem) in refusals {
            match proxy {
                Some(proxy) => by_proxy.push((proxy, problem)),
                None => problems.push(problem),
            }
        }
        if stays {
            problems.push(Problem::warning("", "its last good form stays in use"));
        }
        for proxy in self.proxies_of(key) {
            proxies.entry(proxy.to_string()).or_default();
        }
        for (proxy, problem) in by_proxy {
            proxies.entry(proxy.to_string()).or_default().push(problem);
        }
        for (id, words) in &self.verdicts {
            if self.blames(id, words, key) {
                let text = format!("Envoy refuses it: {}", shortened::middle(words));
                proxies
                    .entry(id.proxy.to_string())
                    .or_default()
                    .push(Problem::error("", text));
            }
        }
        let mut status = status::status(problems, proxies);
        status.conditions = self.conditions_of_options(entry).map(Arc::new);
        status
    }

    /// What is wrong with a table is what is wrong with it where virtual services lead to it.
    fn add_problems_of_table(
        &self,
        key: &ObjectKey,
        problems: &mut Vec<Problem>,
        proxies: &mut BTreeMap<String, Vec<Problem>>,
    ) {
        let mut is_reached = false;
        for reader in self.readers.of(key) {
            let Some(unit) = self.hosts.get(reader) else {
                continue;
            };
            is_reached |= unit.form.tables.contains_key(key);
            problems.extend(self.large_bodies(reader, unit, key));
            let found = unit.form.problems_of_tables.get(key);
            let found = found.map(Vec::as_slice).unwrap_or_default();
            let served = self.listeners.served(reader);
            if served.is_empty() {
                problems.extend_from_slice(found);
            } else if unit.form.tables.contains_key(key) {
                for proxy in served {
                    let of_proxy = proxies.entry(proxy.to_string()).or_default();
                    of_proxy.extend_from_slice(found);
                }
            }
        }
        let is_there = self.objects.spec(key).is_some();
        if !is_reached && is_there {
            let text = "no VirtualService delegates to it";
            problems.push(Problem::warning("", text));
        }
    }

    /// What a virtual host answers with that is too long for some of its gateways, of the routes of one object.
    fn large_bodies(&self, host: &ObjectKey, unit: &HostUnit, owner: &ObjectKey) -> Vec<Problem> {
        let large = unit.form.large.iter().map(|route| &route.body);
        let of_owner = large.filter(|body| body.owner == *owner);
        let mut problems: Vec<_> = of_owner
            .flat_map(|body| {
                let limits = self.listeners.most_body(host).into_iter();
                let exceeded = limits.filter(|(_, most)| body.bytes > *most);
                exceeded.map(move |(gateway, most)| {
                    let text = format!(
                        "has {} bytes; {gateway} takes {most} (routeOptions.maxDirectResponseBodySizeBytes): there this route is not valid",
                        body.bytes
                    );
                    Problem::error(&body.field, text)
                })
            })
            .collect();
        // One route may have several matchers.
        problems.dedup();
        problems
    }

    /// Routes that ask a rate limit service on a listener that has none.
    fn unlimited(&self, host: &ObjectKey) -> Vec<Problem> {
        let servers = &Secrets::settings(&self.objects).servers;
        let gateways = self.listeners.unlimited(host, servers).into_iter();
        let problems = gateways.map(|gateway| {
            let text = format!(
                "asks a rate limit service, and {gateway} has none: there nothing is limited"
            );
            Problem::warning("spec.virtualHost", text)
        });
        problems.collect()
    }

    /// The proxies that have something of an object.
    fn proxies_of(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        match key.kind {
            Kind::Gateway => self.listeners.bound(key),
            Kind::MatchableHttpGateway | Kind::MatchableTcpGateway => self.listeners.delegated(key),
            Kind::VirtualService => self.listeners.served(key),
            Kind::Upstream if self.clusters.contains_key(key) && !is_in_memory(key) => {
                let proxies = self.proxies.iter();
                let reached = proxies.filter(|proxy| self.reaches(proxy, key));
                reached.cloned().collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Whether Envoy's words on a resource are about an object. If they name virtual hosts, only those are meant.
    pub(super) fn blames(&self, id: &ResourceId, words: &str, key: &ObjectKey) -> bool {
        let Some(resource) = self.resources.get(id) else {
            return false;
        };
        let named = |key: &ObjectKey| {
            key.kind == Kind::VirtualService && mentions(words, &names::virtual_host(key))
        };
        match resource.provenance.iter().any(named) {
            true => resource.provenance.contains(key) && named(key),
            false => resource.provenance.contains(key),
        }
    }
}

fn is_kubernetes(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ConfigMap
            | Kind::EndpointSlice
            | Kind::Endpoints
            | Kind::Namespace
            | Kind::Pod
            | Kind::Service
    )
}

/// Whether a name stands in a text by itself, not as a part of a longer one.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.match_indices(name).any(|(start, _)| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text
            .get(start + name.len()..)
            .and_then(|text| text.chars().next());
        let ends = |c: Option<char>| c.is_none_or(|c| !part(c));
        // Names of routes start with the name of their virtual host.
        ends(before) && (ends(after) || text[start + name.len()..].starts_with("-route-"))
    })
}
