//! Gateways as listeners and route tables, and the proxies that they are for.
//!
//! A gateway that changes is looked at with its neighbours; a virtual service that changes is put into the tables that it
//! is in, and only what it changes there is encoded.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tenon_model::{
    Gateway, HttpGateway, Kind, ListenerOptions, ObjectKey, Problem, RouteConfigurationOptions,
    Spec, VirtualServices,
};

use super::host_table::{HostTable, Part};
use super::{DEFAULT_PROXY, Translator, Work};
use crate::http_filters::Surroundings;
use crate::output::{Module, ProxyName, ResourceId, ResourceType};
use crate::route::Upstreams;
use crate::virtual_host::{Needs, VirtualHostForm};
use crate::{listener, names, options, route_table};

/// What the gateways come to. The default one has no key.
#[derive(Default)]
pub(super) struct Listeners {
    gateways: BTreeMap<Option<ObjectKey>, Bound>,
}

/// A gateway, and what it comes to.
struct Bound {
    gateway: Box<Gateway>,
    /// The virtual services that it has.
    chosen: VirtualServices,
    /// The listener's name.
    name: String,
    /// The proxies where no other gateway has its address.
    proxies: BTreeSet<ProxyName>,
    /// What is wrong with it.
    problems: BTreeSet<Problem>,
    table: HostTable,
    /// The virtual services that need filters of the listener, and which.
    needs: BTreeMap<ObjectKey, Needs>,
    in_parts: bool,
    /// The table is of now, with all that changed.
    is_new: bool,
}

impl Listeners {
    /// The proxies that have a gateway.
    pub(super) fn bound(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        let bound = self.gateways.get(&Some(key.clone()));
        bound.map(|bound| bound.proxies.clone()).unwrap_or_default()
    }

    /// The proxies that have a virtual service.
    pub(super) fn served(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        let serving = self.gateways.values().filter(|it| it.table.serves(key));
        serving.flat_map(|it| it.proxies.iter().cloned()).collect()
    }

    /// What is wrong with a gateway or a virtual service beside others.
    pub(super) fn problems(&self, key: &ObjectKey) -> BTreeSet<Problem> {
        if key.kind == Kind::Gateway {
            let bound = self.gateways.get(&Some(key.clone()));
            return bound.map(|it| it.problems.clone()).unwrap_or_default();
        }
        let bound = self.gateways.values().filter(|it| !it.proxies.is_empty());
        bound.flat_map(|it| it.table.problems(key)).collect()
    }

    /// Whether a gateway names a virtual service, which it warns of if it is not there.
    pub(super) fn names(&self, key: &ObjectKey) -> bool {
        self.gateways.values().any(|it| it.chosen.names(key))
    }

    /// The Envoy resources of all of them.
    fn ids(&self) -> BTreeSet<ResourceId> {
        self.gateways.values().flat_map(Bound::ids).collect()
    }
}

impl Bound {
    fn new(gateway: Box<Gateway>) -> Self {
        Self {
            chosen: gateway.http_gateway.virtual_services(),
            name: names::listener(&gateway),
            gateway,
            proxies: BTreeSet::new(),
            problems: BTreeSet::new(),
            table: HostTable::default(),
            needs: BTreeMap::new(),
            in_parts: false,
            is_new: false,
        }
    }

    /// Takes in what a virtual service needs, and tells whether that is anything else than before.
    fn set_needs(&mut self, key: &ObjectKey, needs: Option<&Needs>) -> bool {
        match needs.filter(|needs| !needs.is_empty()) {
            Some(needs) if self.needs.get(key) == Some(needs) => false,
            Some(needs) => {
                self.needs.insert(key.clone(), needs.clone());
                true
            }
            None => self.needs.remove(key).is_some(),
        }
    }

    /// The Envoy resources of which it consists.
    fn ids(&self) -> Vec<ResourceId> {
        let mut names = vec![(ResourceType::Listener, self.name.clone())];
        for part in Part::all(self.in_parts) {
            let name = self.part_name(part);
            if let Part::Bucket(_) = part {
                names.push((ResourceType::ScopedRoute, name.clone()));
            }
            names.push((ResourceType::Route, name));
        }
        let ids = self.proxies.iter().flat_map(|proxy| {
            names.iter().map(|(kind, name)| ResourceId {
                proxy: proxy.clone(),
                kind: *kind,
                name: name.clone(),
            })
        });
        ids.collect()
    }

    fn part_name(&self, part: Part) -> String {
        match part {
            Part::Whole => names::route_table(&self.name),
            Part::Bucket(bucket) => names::route_table_part(&self.name, bucket),
        }
    }
}

impl Translator {
    /// Looks at all gateways. The tables of those that have the virtual services that they had before stay.
    pub(super) fn derive_listeners(&mut self, work: &mut Work) {
        let gateways = self.gateways();
        let proxies: BTreeSet<ProxyName> = gateways
            .iter()
            .flat_map(|(_, gateway)| &gateway.proxy_names)
            .map(|name| ProxyName::from(name.as_str()))
            .collect();
        self.change_proxies(proxies, work);
        let mut old = mem::take(&mut self.listeners);
        let old_ids = old.ids();
        let mut addresses = BTreeMap::new();
        let mut emitted = Vec::new();
        for (key, gateway) in gateways {
            let mut bound = Bound::new(gateway);
            bound.problems = self.missing(&bound.gateway);
            bound.bind(&key, &mut addresses);
            let before = old.gateways.remove(&key);
            let mut whole = true;
            match before {
                Some(before) if before.chosen == bound.chosen => {
                    whole = before.proxies != bound.proxies
                        || before.name != bound.name
                        || before.gateway.route_options != bound.gateway.route_options;
                    if whole || before.problems != bound.problems {
                        work.statuses.extend(key.clone());
                    }
                    if before.proxies != bound.proxies {
                        self.restate(before.table.keys().cloned(), work);
                    }
                    bound.table = before.table;
                    bound.needs = before.needs;
                    bound.in_parts = before.in_parts;
                }
                before => {
                    work.statuses.extend(key.clone());
                    let before = before.iter().flat_map(|it| it.table.keys());
                    self.restate(before.cloned(), work);
                    self.fill(&mut bound);
                    self.restate(bound.table.keys().cloned(), work);
                }
            }
            self.listeners.gateways.insert(key.clone(), bound);
            emitted.push((key, whole));
        }
        for (key, gone) in old.gateways {
            work.statuses.extend(key);
            self.restate(gone.table.keys().cloned(), work);
        }
        let new_ids = self.listeners.ids();
        for id in old_ids.difference(&new_ids) {
            self.put(id.clone(), None, work);
        }
        for (key, whole) in emitted {
            let Some(bound) = self.listeners.gateways.remove(&key) else {
                continue;
            };
            self.put_listener(&key, &bound, work);
            if whole {
                self.put_parts(&key, &bound, Part::all(bound.in_parts), work);
            }
            self.listeners.gateways.insert(key, bound);
        }
    }

    /// Puts virtual hosts that changed into the tables that they are in.
    pub(super) fn derive_host_tables(&mut self, work: &mut Work) {
        let hosts = mem::take(&mut work.in_tables);
        let mut listeners = mem::take(&mut self.listeners);
        for (key, bound) in &mut listeners.gateways {
            if !mem::take(&mut bound.is_new) {
                self.change_hosts(key, bound, &hosts, work);
            }
        }
        self.listeners = listeners;
    }

    fn change_hosts(
        &mut self,
        key: &Option<ObjectKey>,
        bound: &mut Bound,
        hosts: &BTreeSet<ObjectKey>,
        work: &mut Work,
    ) {
        let mut other_filters = false;
        for host in hosts {
            let form = self.selected(bound, host);
            other_filters |= bound.set_needs(host, form.map(|form| &form.needs));
            let domains = form.map(|form| form.domains.as_slice());
            let others = bound.table.set(host, domains.unwrap_or_default());
            self.restate(others, work);
        }
        let in_parts = self.in_parts(&bound.table);
        let mut parts = bound.table.take_changed(in_parts);
        let other_form = in_parts != bound.in_parts;
        if other_form {
            let old = bound.ids();
            bound.in_parts = in_parts;
            let new: BTreeSet<_> = bound.ids().into_iter().collect();
            for id in old.into_iter().filter(|id| !new.contains(id)) {
                self.put(id, None, work);
            }
            parts = Part::all(in_parts).collect();
        }
        if other_filters || other_form {
            self.put_listener(key, bound, work);
        }
        self.put_parts(key, bound, parts.into_iter(), work);
    }

    /// Has the statuses of virtual services derived that are served elsewhere than before, and those of their tables.
    fn restate(&self, hosts: impl IntoIterator<Item = ObjectKey>, work: &mut Work) {
        for host in hosts {
            let unit = self.hosts.get(&host);
            let tables = unit.into_iter().flat_map(|unit| unit.form.tables.keys());
            work.statuses.extend(tables.cloned());
            work.statuses.insert(host);
        }
    }

    /// The gateways, or the default one in a folder without any. A broken one is one too: no other takes its place.
    fn gateways(&self) -> Vec<(Option<ObjectKey>, Box<Gateway>)> {
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

    /// Warns of virtual services that are not there.
    fn missing(&self, gateway: &Gateway) -> BTreeSet<Problem> {
        let VirtualServices::Named(named) = gateway.http_gateway.virtual_services() else {
            return BTreeSet::new();
        };
        let named = named.iter().enumerate();
        let missing = named.filter(|(_, reference)| {
            let host = reference.key(Kind::VirtualService);
            !self.objects.0.contains_key(&host)
        });
        let warnings = missing.map(|(index, reference)| {
            let field = format!("spec.httpGateway.virtualServices[{index}]");
            let text = format!("virtual service {reference} does not exist");
            Problem::warning(field, text)
        });
        warnings.collect()
    }

    /// What a virtual service comes to, if a gateway has it.
    fn selected(&self, bound: &Bound, key: &ObjectKey) -> Option<&VirtualHostForm> {
        let unit = self.hosts.get(key)?;
        let object = self.objects.0.get(key)?.object.as_ref()?;
        let meant = bound.chosen.contain(key, &object.labels);
        meant.then_some(&unit.form)
    }

    /// Fills the table of a gateway with all that it selects.
    fn fill(&self, bound: &mut Bound) {
        for key in self.hosts.keys() {
            if let Some(form) = self.selected(bound, key) {
                bound.set_needs(key, Some(&form.needs));
                bound.table.set(key, &form.domains);
            }
        }
        bound.in_parts = self.in_parts(&bound.table);
        // All is told anyway.
        bound.table.take_changed(bound.in_parts);
        bound.is_new = true;
    }

    /// The `.wasm` cannot say which part a request is for, so its tables are whole.
    fn in_parts(&self, table: &HostTable) -> bool {
        matches!(self.options.module, Module::So(_)) && table.is_large(self.options.parts_above)
    }

    fn put_listener(&mut self, key: &Option<ObjectKey>, bound: &Bound, work: &mut Work) {
        // A filter is there only for who uses it.
        let mut needs = Needs::default();
        bound.needs.values().for_each(|it| needs.add(it));
        let servers = Upstreams::settings(self).servers;
        let surroundings = Surroundings {
            servers: &servers,
            is_there: &|upstream| options::server(upstream, self).is_ok(),
            jwt: &needs.jwt,
        };
        let bytes = Bytes::from(listener::translate(
            &bound.name,
            &bound.gateway,
            &self.options.module,
            &needs,
            &surroundings,
            bound.in_parts,
        ));
        let provenance: Arc<[ObjectKey]> = key.iter().cloned().collect();
        self.put_everywhere(
            bound,
            ResourceType::Listener,
            &bound.name,
            &bytes,
            &provenance,
            work,
        );
    }

    fn put_parts(
        &mut self,
        key: &Option<ObjectKey>,
        bound: &Bound,
        parts: impl Iterator<Item = Part>,
        work: &mut Work,
    ) {
        for part in parts {
            let name = bound.part_name(part);
            if let Part::Bucket(bucket) = part {
                let scope = route_table::scope(&bound.name, bucket);
                let own: Arc<[ObjectKey]> = key.iter().cloned().collect();
                self.put_everywhere(bound, ResourceType::ScopedRoute, &name, &scope, &own, work);
            }
            let hosts = bound.table.part(part);
            let stems = hosts.iter().map(|(host, _)| *host);
            let stems: Arc<[ObjectKey]> = key.iter().chain(stems).cloned().collect();
            let forms = hosts
                .into_iter()
                .filter_map(|(host, domains)| Some((&self.hosts.get(host)?.form, domains)));
            let options = bound.gateway.route_options;
            let bytes = route_table::encode(&name, options, part != Part::Whole, forms);
            self.put_everywhere(bound, ResourceType::Route, &name, &bytes, &stems, work);
        }
    }

    fn put_everywhere(
        &mut self,
        bound: &Bound,
        kind: ResourceType,
        name: &str,
        bytes: &Bytes,
        provenance: &Arc<[ObjectKey]>,
        work: &mut Work,
    ) {
        for proxy in &bound.proxies {
            let id = ResourceId {
                proxy: proxy.clone(),
                kind,
                name: name.to_owned(),
            };
            self.put(id, Some((bytes.clone(), provenance.clone())), work);
        }
    }

    /// Gives clusters and secrets to proxies that are new, and takes them from those that are gone.
    fn change_proxies(&mut self, proxies: BTreeSet<ProxyName>, work: &mut Work) {
        let old = mem::replace(&mut self.proxies, proxies);
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
                let told = form.map(|form| form.clusters.clone()).unwrap_or_default();
                for (name, bytes) in told {
                    let bytes = Some(Bytes::from(bytes));
                    self.tell(ResourceType::Cluster, &name, bytes, &key, work);
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

impl Bound {
    /// Gives the gateway to its proxies, but to those where another one has its address.
    fn bind(
        &mut self,
        key: &Option<ObjectKey>,
        addresses: &mut BTreeMap<(ProxyName, String), Option<ObjectKey>>,
    ) {
        for proxy in &self.gateway.proxy_names {
            let proxy = ProxyName::from(proxy.as_str());
            let address = (proxy.clone(), self.name.clone());
            let Some(owner) = addresses.get(&address) else {
                addresses.insert(address, key.clone());
                self.proxies.insert(proxy);
                continue;
            };
            // A proxy that is named twice is no conflict.
            if owner != key {
                let owner = owner.iter().map(|owner| format!(" of {owner}"));
                let owner: String = owner.collect();
                let text = format!("its address and port are bound by the listener{owner} already");
                self.problems.insert(Problem::error("spec.bindPort", text));
            }
        }
    }
}

fn default_gateway(bind: SocketAddr) -> Box<Gateway> {
    Box::new(Gateway {
        bind_address: bind.ip(),
        bind_port: bind.port(),
        proxy_names: vec![DEFAULT_PROXY.to_owned()],
        http_gateway: HttpGateway::default(),
        options: ListenerOptions::default(),
        route_options: RouteConfigurationOptions::default(),
    })
}
