//! Routes: what they are attached to, and what they come to.

use std::collections::BTreeSet;

use tenon_model::gateway_api::{ParentRef, StreamRule};
use tenon_model::{Object, ObjectKey, Problem, Spec};

use super::super::{Objects, Translator, Work};
use super::disputes::Claimant;
use super::{Front, REFERRED, RouteUnit};
use crate::gateway_api::attach::{self, Attaching, Attachment};
use crate::gateway_api::delegation::{self, World};
use crate::gateway_api::http_route::Rules;
use crate::gateway_api::overrides::problems_of_overrides;
use crate::gateway_api::{Seen, grpc_route, stream_route};
use crate::keys::Keys;

impl Front {
    /// Counts a route at the listeners that it is attached to, or counts it no more.
    fn count_attached(&mut self, unit: &RouteUnit, comes: bool) {
        let attached = unit.attachments.iter().flat_map(|it| {
            let listeners = it.outcome.iter().flat_map(|it| &it.listeners);
            listeners.map(move |listener| (&it.gateway, *listener))
        });
        // Once each, by however many references.
        let attached: BTreeSet<_> = attached.collect();
        for (gateway, listener) in attached {
            if comes {
                let counts = self.attached.entry(gateway.clone()).or_default();
                *counts.entry(listener).or_default() += 1;
                continue;
            }
            let Some(counts) = self.attached.get_mut(gateway) else {
                continue;
            };
            if let Some(count) = counts.get_mut(&listener) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&listener);
                }
            }
            if counts.is_empty() {
                self.attached.remove(gateway);
            }
        }
    }
}

impl Translator {
    pub(super) fn derive_route(&mut self, key: ObjectKey, work: &mut Work) {
        work.statuses.insert(key.clone());
        work.statuses.extend(self.front.attaching.of(&key).cloned());
        let instead = |translator: &Self| {
            let entry = translator.objects.entries.get(&key);
            entry.and_then(|entry| entry.instead.clone())
        };
        let before = instead(self);
        let new = self.choose_form(&key, work);
        if instead(self) != before {
            self.mark_front(&key, work);
            work.front.routes.remove(&key);
        }
        let old = self.front.routes.remove(&key).unwrap_or_default();
        // Policies tell at which gateways they count.
        for read in old.reads.iter().chain(new.reads.iter()) {
            work.statuses.extend(self.front.policies.of(read).cloned());
        }
        // Those tell whether routes refer to them.
        let referred = old.reads.symmetric_difference(&new.reads);
        let referred = referred.filter(|it| REFERRED.contains(&it.kind));
        work.statuses.extend(referred.cloned());
        let front = &mut self.front;
        front.readers.reindex(&key, &old.reads, &new.reads);
        front.by_parent.reindex(&key, &old.parents, &new.parents);
        let children = |unit: &RouteUnit| {
            let children = unit.rules.children.keys();
            let children: BTreeSet<_> = children.map(|(child, _)| child.clone()).collect();
            Keys::from(children)
        };
        let (before, after) = (children(&old), children(&new));
        front.by_child.reindex(&key, &before, &after);
        work.statuses.extend(before.with(after));
        if old.claims().ne(new.claims()) || old.claimant != new.claimant {
            let parents = old.parents.iter().chain(&new.parents);
            work.front.disputes.extend(parents.cloned());
        }
        if old.attachments != new.attachments {
            front.count_attached(&old, false);
            front.count_attached(&new, true);
            // Gateways tell how many routes they have.
            let parents = old.parents.iter().chain(&new.parents);
            work.statuses.extend(parents.cloned());
        }
        if old.stream != new.stream || new.stream.is_some() && old.attachments != new.attachments {
            let parents = old.parents.iter().chain(&new.parents);
            work.front.ports.extend(parents.cloned());
        }
        for host in old.hosts.difference(&new.hosts) {
            if let Some(entry) = front.hosts.get_mut(host) {
                entry.routes.remove(&key);
            }
            work.front.hosts.insert(host.clone());
        }
        for host in &new.hosts {
            let entry = front.hosts.entry(host.clone()).or_default();
            let is_new = entry.routes.insert(key.clone());
            if is_new || new.rules.by_listener || old.rules.routes != new.rules.routes {
                work.front.hosts.insert(host.clone());
            }
        }
        if self.objects.object(&key).is_some() {
            self.front.routes.insert(key, Box::new(new));
        }
    }

    /// What a route comes to that is for connections.
    fn stream_unit(
        &self,
        key: &ObjectKey,
        object: &Object,
        (parents, hostnames, rules): (&[ParentRef], &[String], &[StreamRule]),
    ) -> RouteUnit {
        let known = Seen::new(&self.objects);
        let attaching = Attaching {
            key,
            parents,
            hostnames,
        };
        let mut unit = self.attach(&attaching, &known);
        // Requests of none of them have routes.
        unit.hosts = Keys::default();
        (unit.stream, unit.rules) = stream_route::compile(key, object, rules, &known);
        unit.reads = known.into_reads().into();
        unit
    }

    pub(super) fn route_unit(&self, key: &ObjectKey) -> Option<RouteUnit> {
        let object = self.objects.object(key)?;
        let (parents, hostnames) = match &object.spec {
            Spec::HttpRoute(route) => (&route.parent_refs, &route.hostnames),
            Spec::GrpcRoute(route) => (&route.parent_refs, &route.hostnames),
            Spec::TlsRoute(route) => {
                let of = (&*route.parent_refs, &*route.hostnames, &*route.rules);
                return Some(self.stream_unit(key, object, of));
            }
            Spec::TcpRoute(route) => {
                let of = (&*route.parent_refs, &[][..], &*route.rules);
                return Some(self.stream_unit(key, object, of));
            }
            _ => return None,
        };
        let known = Seen::new(&self.objects);
        let attaching = Attaching {
            key,
            parents,
            hostnames,
        };
        let mut unit = self.attach(&attaching, &known);
        unit.claimant = Claimant::new(key, object, hostnames);
        // What is served nowhere need not be looked at further, but for what is to be told of it.
        let options = |route: &ObjectKey| self.options_of_route(route);
        unit.rules = match &object.spec {
            Spec::HttpRoute(route) => {
                unit.problems.extend(problems_of_overrides(object));
                let world = World {
                    known: &known,
                    options,
                };
                world.compile(key, object, route)
            }
            Spec::GrpcRoute(route) => {
                let mut rules = grpc_route::compile(key, object, route, &known);
                rules.attach(&options(key));
                rules
            }
            _ => Rules::default(),
        };
        unit.reads = known.into_reads().into();
        Some(unit)
    }

    fn attach(&self, route: &Attaching<'_>, known: &Seen<'_, Objects>) -> RouteUnit {
        let mut unit = RouteUnit {
            // Most have one.
            attachments: Vec::with_capacity(route.parents.len()),
            ..RouteUnit::default()
        };
        for (index, parent) in route.parents.iter().enumerate() {
            if delegation::is_route(parent) {
                // Whether that leaves it requests is for its status.
                continue;
            }
            let field = format!("spec.parentRefs[{index}]");
            let Some(owner) = attach::parent_of(parent, &route.key.namespace) else {
                let text = format!("routes are not attached to a {}", parent.kind);
                unit.problems.push(Problem::warning(field, text));
                continue;
            };
            unit.parents.insert(owner.clone());
            let set = self.front.sets.gateway(&owner);
            unit.parents.extend(set.cloned());
            let Some((gateway, form)) = self.gateway_with(&owner) else {
                let text = self.why_no_gateway(&owner);
                unit.problems.push(Problem::warning(field, text));
                continue;
            };
            let lost = self.front.disputes.lost(&gateway, route.key);
            let of_gateway = (&gateway, form);
            let attachment = attach::attach(route, (parent, &owner), of_gateway, lost, known);
            match &attachment.outcome {
                Ok(attached) => {
                    unit.hosts.extend(attached.hosts.iter().cloned());
                    let lost = lost
                        .iter()
                        .filter(|(it, _)| attachment.claimed.contains(it));
                    unit.problems.extend(lost.map(|(listener, owner)| {
                        let text = attach::tell_lost(form, *listener, owner);
                        Problem::warning(field.clone(), text)
                    }));
                }
                Err(reason) => unit
                    .problems
                    .push(Problem::error(field, reason.message.clone())),
            }
            unit.attachments.push(Attachment {
                index,
                ..attachment
            });
        }
        unit
    }

    pub(super) fn why_no_gateway(&self, owner: &ObjectKey) -> String {
        let gateway = self.front.sets.gateway(owner).unwrap_or(owner);
        match (self.objects.spec(gateway), self.objects.has(gateway)) {
            (Some(_), _) => format!("{gateway} is not served by this control plane"),
            (None, true) => format!("{gateway} is rejected; its status says why"),
            (None, false) => format!("{gateway} does not exist"),
        }
    }
}
