//! Policies of the Gateway API: which Services have TLS, and by which of them.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::gateway_api::{GROUP, ParentRef};
use tenon_model::{ObjectKey, Spec, UpstreamSsl};

use super::super::endpoints::stands_for;
use super::super::{Entry, Translator, Work};
use crate::gateway_api::backend_tls::{self, Policy};
use crate::gateway_api::conditions::{Condition, Conditions, ParentConditions};
use crate::gateway_api::{Reason, Seen};
use crate::keys::Keys;
use crate::kube::{Services as _, service_key};

/// What policies come to.
#[derive(Default)]
pub(super) struct Policies {
    forms: BTreeMap<ObjectKey, Policy>,
    reads: BTreeMap<ObjectKey, Keys>,
    /// The policies that name a Service.
    by_service: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
}

impl Policies {
    /// Those that name a Service.
    pub(super) fn of<'a>(&'a self, service: &ObjectKey) -> impl Iterator<Item = &'a ObjectKey> {
        self.by_service.get(service).into_iter().flatten()
    }

    /// The one that counts for a port of a Service: one that names the port before one that does not, then the oldest.
    fn winner(&self, service: &ObjectKey, port: Option<&str>) -> Option<&ObjectKey> {
        let for_section = |section: Option<&str>| {
            let target = (service.clone(), section.map(str::to_owned));
            let all = self
                .of(service)
                .filter_map(|key| Some((key, self.forms.get(key)?)));
            let own = all.filter(|(_, form)| form.targets.contains_key(&target));
            own.min_by_key(|(_, form)| &form.order).map(|(key, _)| key)
        };
        let of_port = port.and_then(|port| for_section(Some(port)));
        of_port.or_else(|| for_section(None))
    }
}

impl Translator {
    pub(super) fn derive_policy(&mut self, key: ObjectKey, work: &mut Work) {
        work.statuses.insert(key.clone());
        let mut reads = Keys::default();
        let object = self.objects.object(&key).cloned();
        let new = match object.as_deref().map(|object| (object, &object.spec)) {
            Some((object, Spec::BackendTlsPolicy(policy))) => {
                let known = Seen::new(&self.objects);
                let form = backend_tls::compile(&key, object, policy, &known);
                reads = known.into_reads().into();
                Some(form)
            }
            _ => None,
        };
        let policies = &mut self.front.policies;
        let before = policies.reads.remove(&key).unwrap_or_default();
        self.front.readers.reindex(&key, &before, &reads);
        let old = policies.forms.remove(&key);
        let services = |form: &Option<Policy>| -> BTreeSet<ObjectKey> {
            let targets = form.iter().flat_map(|form| form.targets.keys());
            targets.map(|(service, _)| service.clone()).collect()
        };
        let (was, is) = (services(&old), services(&new));
        for service in was.difference(&is) {
            if let Some(all) = policies.by_service.get_mut(service) {
                all.remove(&key);
            }
        }
        for service in &is {
            let all = policies.by_service.entry(service.clone()).or_default();
            all.insert(key.clone());
        }
        let is_other = old != new;
        if let Some(new) = new {
            policies.reads.insert(key.clone(), reads);
            policies.forms.insert(key, new);
        }
        if is_other {
            for service in was.union(&is) {
                // Others may win, or lose.
                let all = self.front.policies.of(service);
                work.statuses.extend(all.cloned());
                let readers = self.readers_of_secrets.of(service);
                work.clusters.extend(readers.cloned());
            }
        }
    }

    /// TLS towards what stands for a port of a Service, if a policy says it.
    pub(in crate::engine) fn policy_of(&self, upstream: &ObjectKey) -> Option<&UpstreamSsl> {
        let to = stands_for(upstream)?;
        let policies = &self.front.policies;
        let service = self.objects.service(&to.service)?;
        let port = service.port(to.port).map(|port| port.name.as_str());
        let winner = policies.winner(&service_key(&to.service), port)?;
        policies.forms.get(winner).map(|form| &form.ssl)
    }

    /// What became of a policy at each gateway whose routes lead to what it names.
    pub(in crate::engine) fn conditions_of_policy(
        &self,
        key: &ObjectKey,
        entry: &Entry,
    ) -> Option<Conditions> {
        let form = self.front.policies.forms.get(key)?;
        let object = entry.object.as_ref()?;
        let generation = object.metadata.as_ref().and_then(|it| it.generation);
        let resolved = form.unresolved.as_ref().map_or(Ok("ResolvedRefs"), Err);
        let conflict = self.conflict_of(key, form);
        let refused = form.refused.as_ref().or(conflict.as_ref());
        let accepted = refused.map_or(Ok("Accepted"), Err);
        let parents = self
            .ancestors(form)
            .into_iter()
            .map(|gateway| ParentConditions {
                parent: ParentRef {
                    group: GROUP.to_owned(),
                    kind: "Gateway".to_owned(),
                    namespace: Some(gateway.namespace.to_string()),
                    name: gateway.name.to_string(),
                    section_name: None,
                    port: None,
                },
                conditions: vec![
                    Condition::of("Accepted", accepted, generation),
                    Condition::of("ResolvedRefs", resolved, generation),
                ],
            });
        Some(Conditions {
            parents: parents.collect(),
            ..Conditions::default()
        })
    }

    /// Whether other policies count for all that it names.
    pub(super) fn conflict_of(&self, key: &ObjectKey, form: &Policy) -> Option<Reason> {
        let policies = &self.front.policies;
        let targets = form.targets.keys();
        let winners = targets.map(|(service, port)| policies.winner(service, port.as_deref()));
        let winners: BTreeSet<_> = winners.flatten().collect();
        if winners.is_empty() || winners.contains(key) {
            return None;
        }
        let names: Vec<_> = winners.iter().map(ToString::to_string).collect();
        let text = format!(
            "what it names has TLS by {}, which is older",
            names.join(", ")
        );
        Some(Reason::new("Conflicted", text))
    }

    fn ancestors(&self, form: &Policy) -> BTreeSet<ObjectKey> {
        let services = form.targets.keys().map(|(service, _)| service);
        let readers = services.flat_map(|service| self.front.readers.of(service));
        let routes = readers.filter_map(|key| self.front.routes.get(key));
        let attachments = routes.flat_map(|unit| &unit.attachments);
        let good = attachments.filter(|it| it.outcome.is_ok());
        good.map(|it| it.gateway.clone()).collect()
    }

    /// What is wrong with a policy.
    pub(in crate::engine) fn problems_of_policy(
        &self,
        key: &ObjectKey,
    ) -> Vec<tenon_model::Problem> {
        let Some(form) = self.front.policies.forms.get(key) else {
            return Vec::new();
        };
        let mut problems = form.problems.clone();
        if let Some(conflict) = self.conflict_of(key, form) {
            problems.push(tenon_model::Problem::error(
                "spec.targetRefs",
                conflict.message,
            ));
        }
        problems
    }
}
