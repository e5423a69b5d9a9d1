//! Ports of gateways, with the connections that routes forward.

use std::collections::BTreeMap;

use tenon_model::{ObjectKey, Spec};

use super::super::{Translator, Work};
use super::RouteUnit;
use crate::gateway_api::ports::{Streams, host_of};

impl Translator {
    /// Puts the gateways of the Edge API that a gateway comes to.
    pub(super) fn derive_ports(&mut self, key: &ObjectKey, work: &mut Work) {
        let after = match self.front.gateways.get(key) {
            Some(form) => form.clone().gateways(key, &self.streams_of(key, work)),
            None => BTreeMap::new(),
        };
        let ports = self.front.ports.iter();
        let before = ports.filter(|(_, gateway)| *gateway == key);
        let gone = before.filter(|(port, _)| !after.contains_key(*port));
        let gone: Vec<_> = gone.map(|(port, _)| port.clone()).collect();
        for port in gone {
            self.front.ports.remove(&port);
            self.put_internal(&port, None, work);
        }
        for (port, mut gateway) in after {
            self.set_options(key, &mut gateway);
            self.front.ports.insert(port.clone(), key.clone());
            let spec = Spec::Gateway(Box::new(gateway));
            self.put_internal(&port, Some(spec), work);
        }
    }

    /// Where the connections of a gateway's routes go: of several routes for the same ones, those of the first.
    fn streams_of(&mut self, gateway: &ObjectKey, work: &mut Work) -> Streams {
        let mut winners: BTreeMap<ObjectKey, (&ObjectKey, &RouteUnit)> = BTreeMap::new();
        let routes = self.front.by_parent.sorted_of(gateway);
        for route in routes {
            let Some(unit) = self.front.routes.get(route) else {
                continue;
            };
            let Some(stream) = &unit.stream else {
                continue;
            };
            for host in unit.connections(gateway) {
                let entry = winners.entry(host.clone()).or_insert((route, unit));
                let before = entry.1.stream.as_ref().map(|it| &it.order);
                if before.is_some_and(|before| stream.order < *before) {
                    *entry = (route, unit);
                }
            }
        }
        let mut streams = Streams::new();
        let mut owners = BTreeMap::new();
        for (host, (route, unit)) in winners {
            if let (Some(place), Some(stream)) = (host_of(&host), &unit.stream) {
                streams.insert(place, stream.action.clone());
            }
            owners.insert(host, route.clone());
        }
        let old = self.front.streams.insert(gateway.clone(), owners.clone());
        if old.unwrap_or_default() != owners {
            // Those that get none tell so.
            let routes = self.front.by_parent.of(gateway);
            work.statuses.extend(routes.cloned());
        }
        if owners.is_empty() {
            self.front.streams.remove(gateway);
        }
        streams
    }

    /// Whose connections of a route are another one's: which host, and whose.
    pub(super) fn lost_connections(
        &self,
        route: &ObjectKey,
        unit: &RouteUnit,
    ) -> Vec<(String, ObjectKey)> {
        let mut lost = Vec::new();
        for gateway in &unit.parents {
            let Some(owners) = self.front.streams.get(gateway) else {
                continue;
            };
            for host in unit.connections(gateway) {
                if let (Some((_, name)), Some(owner)) = (host_of(host), owners.get(host))
                    && owner != route
                {
                    lost.push((name, owner.clone()));
                }
            }
        }
        lost
    }
}

impl RouteUnit {
    /// The hosts whose connections at a gateway it forwards.
    pub(super) fn connections(&self, gateway: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        let forwards = self.stream.is_some();
        let here = self.attachments.iter();
        let here = here.filter(move |it| forwards && it.gateway == *gateway);
        let attached = here.filter_map(|it| it.outcome.as_ref().ok());
        attached.flat_map(|it| &it.hosts)
    }
}
