//! Gateways as listeners and route tables, and the proxies that they are for.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use tenon_model::{Gateway, Kind, ObjectKey, Problem, Spec};

use super::{DEFAULT_PROXY, HostUnit, Listeners, Translator, Work};
use crate::listener::{self, RouteTables};
use crate::names;
use crate::output::{ProxyName, ResourceId, ResourceType};
use crate::virtual_host::{Needs, VirtualHostForm};

impl Translator {
    pub(super) fn derive_listeners(&mut self, work: &mut Work) {
        let gateways = self.gateways();
        let proxies: BTreeSet<ProxyName> = gateways
            .iter()
            .flat_map(|(_, gateway)| &gateway.proxy_names)
            .map(|name| ProxyName::from(name.as_str()))
            .collect();
        self.change_proxies(proxies, work);
        let mut all = Assembly::default();
        for (key, gateway) in &gateways {
            let name = names::listener(gateway);
            let selected = self.selected(key, gateway, &mut all.listeners);
            let selected: Vec<_> = selected.collect();
            // A filter is there only for who uses it.
            let mut needs = Needs::default();
            for (_, form) in &selected {
                needs.stages.extend(&form.needs.stages);
                needs.destinations |= form.needs.destinations;
            }
            let bound = Bound {
                key: key.as_ref(),
                tables: listener::route_tables(&name, selected.into_iter()),
                listener: listener::translate(&name, gateway, &self.options.module, &needs).into(),
                name,
            };
            for proxy in &gateway.proxy_names {
                all.bind(&ProxyName::from(proxy.as_str()), &bound);
            }
        }
        self.replace_listeners(all.listeners, all.resources, work);
    }

    /// The gateways, or the default one in a folder without any. A broken one is one too: no other takes its place.
    fn gateways(&self) -> Vec<(Option<ObjectKey>, Gateway)> {
        let entries = self.objects.of_kind(Kind::Gateway);
        let mut any = false;
        let gateways = entries
            .inspect(|_| any = true)
            .filter_map(|(key, entry)| match &entry.object.as_ref()?.spec {
                Spec::Gateway(gateway) => Some((Some(key.clone()), gateway.clone())),
                _ => None,
            })
            .collect();
        match any {
            true => gateways,
            false => vec![(None, default_gateway(self.options.default_bind))],
        }
    }

    /// The virtual hosts that a gateway serves.
    fn selected<'a>(
        &'a self,
        key: &Option<ObjectKey>,
        gateway: &Gateway,
        listeners: &mut Listeners,
    ) -> Box<dyn Iterator<Item = (&'a ObjectKey, &'a VirtualHostForm)> + 'a> {
        let with_domains = |(key, unit): (&'a ObjectKey, &'a HostUnit)| {
            (!unit.form.domains.is_empty()).then_some((key, &unit.form))
        };
        if gateway.virtual_services.is_empty() {
            return Box::new(self.hosts.iter().filter_map(with_domains));
        }
        let mut chosen = BTreeSet::new();
        for (index, reference) in gateway.virtual_services.iter().enumerate() {
            let host = reference.key(Kind::VirtualService);
            if !self.objects.0.contains_key(&host)
                && let Some(key) = key
            {
                let field = format!("spec.httpGateway.virtualServices[{index}]");
                let text = format!("virtual service {reference} does not exist");
                listeners.problem(key, Problem::warning(field, text));
            }
            chosen.insert(host);
        }
        let units = self
            .hosts
            .iter()
            .filter(move |(key, _)| chosen.contains(*key));
        Box::new(units.filter_map(with_domains))
    }

    /// Tells of the listeners and route tables, and drops those that are no more.
    fn replace_listeners(
        &mut self,
        listeners: Listeners,
        resources: BTreeMap<ResourceId, (Bytes, Arc<[ObjectKey]>)>,
        work: &mut Work,
    ) {
        let old = std::mem::replace(&mut self.listeners, listeners);
        work.statuses
            .extend(changed(&old.served, &self.listeners.served));
        work.statuses
            .extend(changed(&old.bound, &self.listeners.bound));
        work.statuses
            .extend(changed(&old.problems, &self.listeners.problems));
        let gone: Vec<_> = self
            .resources
            .keys()
            .filter(|id| matches!(id.kind, ResourceType::Listener | ResourceType::Route))
            .filter(|id| !resources.contains_key(*id) && !id.name.starts_with(names::TUNNEL))
            .cloned()
            .collect();
        for id in gone {
            self.put(id, None, work);
        }
        for (id, (bytes, provenance)) in resources {
            self.put(id, Some((bytes, provenance)), work);
        }
    }

    /// Gives clusters and secrets to proxies that are new, and takes them from those that are gone.
    fn change_proxies(&mut self, proxies: BTreeSet<ProxyName>, work: &mut Work) {
        let old = std::mem::replace(&mut self.proxies, proxies);
        if old == self.proxies {
            return;
        }
        let gone: Vec<_> = self
            .resources
            .keys()
            .filter(|id| !self.proxies.contains(&id.proxy))
            .cloned()
            .collect();
        for id in gone {
            self.put(id, None, work);
        }
        if self.proxies.iter().any(|proxy| !old.contains(proxy)) {
            let clusters: Vec<_> = self.clusters.keys().cloned().collect();
            for key in clusters {
                let form = self.clusters.get(&key);
                let told = form.map(|form| (form.clusters.clone(), form.listeners.clone()));
                let (clusters, listeners) = told.unwrap_or_default();
                for (kind, told) in [
                    (ResourceType::Cluster, clusters),
                    (ResourceType::Listener, listeners),
                ] {
                    for (name, bytes) in told {
                        self.tell(kind, &name, Some(Bytes::from(bytes)), &key, work);
                    }
                }
            }
            let secrets: Vec<_> = self
                .objects
                .of_kind(Kind::Secret)
                .map(|(key, _)| key.clone())
                .collect();
            for key in secrets {
                self.derive_secret(&key, work);
            }
        }
        let upstreams = self.objects.of_kind(Kind::Upstream);
        work.statuses.extend(upstreams.map(|(key, _)| key.clone()));
    }
}

/// A gateway, translated.
struct Bound<'a> {
    key: Option<&'a ObjectKey>,
    name: String,
    listener: Bytes,
    tables: RouteTables,
}

/// What all gateways come to.
#[derive(Default)]
struct Assembly {
    listeners: Listeners,
    resources: BTreeMap<ResourceId, (Bytes, Arc<[ObjectKey]>)>,
}

impl Assembly {
    /// Gives a gateway to a proxy, unless another one has its address.
    fn bind(&mut self, proxy: &ProxyName, gateway: &Bound<'_>) {
        let id = |kind, name: &str| ResourceId {
            proxy: proxy.clone(),
            kind,
            name: name.to_owned(),
        };
        let listener = id(ResourceType::Listener, &gateway.name);
        if let Some((_, owner)) = self.resources.get(&listener) {
            let owner = owner
                .iter()
                .map(|owner| format!(" of {owner}"))
                .collect::<String>();
            let text = format!("its address and port are bound by the listener{owner} already");
            if let Some(key) = gateway.key {
                self.listeners
                    .problem(key, Problem::error("spec.bindPort", text));
            }
            return;
        }
        let own: Arc<[ObjectKey]> = gateway.key.into_iter().cloned().collect();
        self.resources
            .insert(listener, (gateway.listener.clone(), own));
        let served = &gateway.tables.served;
        let stems: Arc<[ObjectKey]> = gateway.key.into_iter().chain(served).cloned().collect();
        for (table, bytes) in &gateway.tables.tables {
            let content = (bytes.clone(), stems.clone());
            self.resources
                .insert(id(ResourceType::Route, table), content);
        }
        if let Some(key) = gateway.key {
            let proxies = self.listeners.bound.entry(key.clone()).or_default();
            proxies.insert(proxy.clone());
        }
        for host in served {
            let proxies = self.listeners.served.entry(host.clone()).or_default();
            proxies.insert(proxy.clone());
        }
        for (host, problem) in &gateway.tables.problems {
            self.listeners.problem(host, problem.clone());
        }
    }
}

fn default_gateway(bind: SocketAddr) -> Gateway {
    Gateway {
        bind_address: bind.ip(),
        bind_port: bind.port(),
        proxy_names: vec![DEFAULT_PROXY.to_owned()],
        virtual_services: Vec::new(),
        access_logs: Vec::new(),
    }
}

/// The keys whose values differ.
fn changed<T: PartialEq>(
    old: &BTreeMap<ObjectKey, T>,
    new: &BTreeMap<ObjectKey, T>,
) -> BTreeSet<ObjectKey> {
    let keys = old.keys().chain(new.keys());
    keys.filter(|key| old.get(*key) != new.get(*key))
        .cloned()
        .collect()
}
