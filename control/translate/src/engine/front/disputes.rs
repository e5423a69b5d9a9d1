//! Which of a gateway's routes get the hostnames that routes of HTTP and of gRPC both want.

use std::collections::BTreeMap;

use tenon_model::{Kind, Object, ObjectKey};

use super::super::{Translator, Work};
use super::RouteUnit;
use crate::gateway_api::attach::{self, Lost};
use crate::gateway_api::dispute::{self, Claim};
use crate::gateway_api::precedence::RouteOrder;

/// What of a route decides what it gets.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Claimant {
    order: Option<RouteOrder>,
    hostnames: Box<[String]>,
}

impl Claimant {
    pub(super) fn new(key: &ObjectKey, object: &Object, hostnames: &[String]) -> Self {
        Self {
            order: Some(RouteOrder::of(key, object)),
            hostnames: hostnames.into(),
        }
    }
}

/// The listeners that routes do not get, by gateway and route.
#[derive(Default)]
pub(super) struct Disputes(BTreeMap<ObjectKey, BTreeMap<ObjectKey, Lost>>);

impl Disputes {
    /// Those of a gateway that a route does not get.
    pub(super) fn lost(&self, gateway: &ObjectKey, route: &ObjectKey) -> &Lost {
        static NONE: Lost = Lost::new();
        let of_gateway = self.0.get(gateway);
        of_gateway.and_then(|it| it.get(route)).unwrap_or(&NONE)
    }
}

impl RouteUnit {
    /// The listeners that would have it.
    pub(super) fn claims(&self) -> impl Iterator<Item = (&ObjectKey, &[usize])> {
        let attachments = self.attachments.iter();
        attachments.map(|it| (&it.gateway, &*it.claimed))
    }
}

impl Translator {
    /// Finds out which routes get what at a gateway; those that get something else than before are looked at again.
    pub(super) fn derive_disputes(&mut self, gateway: ObjectKey, work: &mut Work) {
        let new = self.disputes(&gateway);
        let disputes = &mut self.front.disputes.0;
        let old = disputes.remove(&gateway).unwrap_or_default();
        let routes = old.keys().chain(new.keys());
        let moved = routes.filter(|route| old.get(*route) != new.get(*route));
        work.front.routes.extend(moved.cloned());
        if !new.is_empty() {
            disputes.insert(gateway, new);
        }
    }

    fn disputes(&self, gateway: &ObjectKey) -> BTreeMap<ObjectKey, Lost> {
        let mut lost: BTreeMap<ObjectKey, Lost> = BTreeMap::new();
        let routes = self.front.by_parent.get(gateway);
        let has = |kind| routes.is_some_and(|all| all.iter().any(|it| it.kind == kind));
        let (Some(form), true) = (self.front.gateways.get(gateway), has(Kind::GrpcRoute)) else {
            return lost;
        };
        let mut claims: BTreeMap<usize, Vec<Claim<'_>>> = BTreeMap::new();
        for route in routes.into_iter().flatten() {
            let Some(unit) = self.front.routes.get(route) else {
                continue;
            };
            let Some(order) = &unit.claimant.order else {
                continue;
            };
            let here = unit.claims().filter(|(it, _)| *it == gateway);
            let here = here.flat_map(|(_, listeners)| listeners);
            for (index, listener) in here.filter_map(|it| Some((*it, form.listeners.get(*it)?))) {
                let hosts = attach::hosts_of(listener, &unit.claimant.hostnames);
                claims.entry(index).or_default().push(Claim {
                    order,
                    route,
                    hosts: hosts.into_iter().collect(),
                });
            }
        }
        for (index, claims) in claims {
            for (route, owner) in dispute::losers(claims) {
                let of_route = lost.entry(route.clone()).or_default();
                of_route.insert(index, owner.clone());
            }
        }
        lost
    }
}
