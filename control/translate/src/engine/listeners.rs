//! Gateways as listeners and route tables, and the proxies that they are for.
//!
//! A gateway that changes is looked at with its neighbours; a virtual service that changes is put into the tables that it
//! is in, and only what it changes there is encoded.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use tenon_model::{Gateway, Kind, ListenerOptions, ObjectKey, RouteConfigurationOptions, Spec};

use super::host_table::Part;
use super::hosts::tells_of_readers;
use super::{DEFAULT_PROXY, Translator, Work};
use crate::cluster::Secrets;
use crate::http_filters::Surroundings;
use crate::in_parallel;
use crate::keys::Marks;
use crate::output::{Module, ProxyName, Resource, ResourceId, ResourceType};
use crate::route_table::Cut;
use crate::virtual_host::VirtualHostForm;
use crate::{listener, names, options, route_table};

mod bound;
mod chains;
mod collectors;
mod files;
mod forwarding;
mod parts;
mod servers;
mod site;

pub(super) use bound::Listeners;
use bound::{Addresses, Bound};
pub(super) use forwarding::Forwarding;
use site::{Site, Ssl, Table};

/// So many parts of route tables are worth a thread.
const PARTS_AT_A_TIME: usize = 16;

impl Translator {
    /// Looks at all gateways. The tables of those that have the virtual services that they had before stay.
    pub(super) fn derive_listeners(&mut self, work: &mut Work) {
        let gateways = self.gateways();
        self.good_gateways
            .retain(|key, _| gateways.iter().any(|(it, _)| it.as_ref() == Some(key)));
        let mut addresses = BTreeMap::new();
        let bound = gateways.into_iter().map(|(key, gateway)| {
            let bound = self.bind(&key, gateway, &mut addresses);
            (key, bound)
        });
        let bound: Vec<_> = bound.collect();
        // Of the forms that are used, which may be older than the newest.
        let proxies = bound.iter().flat_map(|(_, it)| &it.gateway.proxy_names);
        let proxies = proxies.map(|name| ProxyName::from(name.as_str())).collect();
        self.change_proxies(proxies, work);
        let mut old = mem::take(&mut self.listeners);
        let old_ids = old.ids();
        self.listeners.files = mem::take(&mut old.files);
        let mut emitted = Vec::new();
        for (key, mut bound) in bound {
            let mut before = old.gateways.remove(&key);
            let is_same = |before: &Bound| {
                before.proxies == bound.proxies && before.problems == bound.problems
            };
            work.statuses.extend(key.clone());
            let delegates = before.iter().flat_map(Bound::delegates);
            work.statuses
                .extend(delegates.chain(bound.delegates()).cloned());
            if !before.as_ref().is_some_and(is_same) {
                work.restated.extend(before.iter().flat_map(Bound::hosts));
            }
            let rewrite = before.as_ref().is_none_or(|before| {
                before.proxies != bound.proxies
                    || before.name != bound.name
                    || before.gateway.route_options != bound.gateway.route_options
            });
            for site in &mut bound.sites {
                let old = before.as_mut().and_then(|before| before.take(site));
                site.is_new = old.is_none();
                if let Some(old) = old {
                    let limits = |site: &Site| site.form.options.ratelimit_server.is_some();
                    if limits(&old) != limits(site) {
                        work.restated.extend(old.hosts());
                    }
                    site.take_over(old);
                }
                let hosts = site.is_new.then(|| {
                    let hosts = self.hosts.sorted();
                    hosts.map(|(key, _)| key.clone()).collect::<Vec<_>>()
                });
                self.change_site(site, &hosts.unwrap_or_default(), true, work);
            }
            if rewrite || bound.sites.iter().any(|site| site.is_new) {
                work.restated.extend(bound.hosts());
            }
            let tls = before
                .iter()
                .flat_map(Bound::secrets)
                .chain(bound.secrets());
            work.secrets.extend(tls);
            // What is left was in sites that are no more.
            for gone in before.iter().flat_map(|before| &before.sites) {
                work.restated.extend(gone.hosts());
                work.secrets.extend(gone.plan.secrets());
            }
            bound.connect(before.as_ref(), work);
            self.listeners.gateways.insert(key.clone(), bound);
            emitted.push((key, rewrite));
        }
        for (key, gone) in old.gateways {
            work.statuses.extend(key);
            work.statuses.extend(gone.delegates().cloned());
            work.restated.extend(gone.hosts());
            work.secrets.extend(gone.secrets());
        }
        let mut listeners = mem::take(&mut self.listeners);
        let mut told = Vec::new();
        for (key, rewrite) in emitted {
            if let Some(bound) = listeners.gateways.get_mut(&key) {
                told.push((key, self.settle_tables(bound, rewrite)));
            }
        }
        for id in old_ids.difference(&listeners.ids()) {
            self.put(id.clone(), None, work);
        }
        for (key, parts) in told {
            if let Some(bound) = listeners.gateways.get(&key) {
                self.put_listener(&key, bound, work);
                self.put_tables(&key, bound, parts, work);
            }
        }
        self.listeners = listeners;
        work.forward_proxy = true;
        work.files = true;
    }

    /// A gateway with its address: its newest form, or the last good one, with what is wrong with the newest.
    fn bind(
        &mut self,
        key: &Option<ObjectKey>,
        gateway: Box<Gateway>,
        addresses: &mut Addresses,
    ) -> Bound {
        let bound = |gateway: Box<Gateway>| {
            let name = names::listener(&gateway);
            let parts = self.parts(&gateway, &name);
            Bound::new(gateway, name, parts)
        };
        let mut newest = bound(gateway);
        let faults = newest.faults(key, addresses);
        let Some(key_of_user) = key else {
            newest.bind(key, addresses);
            return newest;
        };
        let is_good = faults.is_empty();
        let good = self.good_gateways.get(key_of_user);
        let mut used = match good.filter(|good| !is_good && **good != newest.gateway) {
            Some(good) => bound(good.clone()).instead_of(faults),
            None => newest,
        };
        used.bind(key, addresses);
        if is_good {
            self.good_gateways
                .insert(key_of_user.clone(), used.gateway.clone());
        }
        used
    }

    /// Puts virtual hosts that changed into the tables that they are in.
    pub(super) fn derive_host_tables(&mut self, work: &mut Work) {
        let hosts = work.in_tables.take();
        let mut listeners = mem::take(&mut self.listeners);
        for (key, bound) in &mut listeners.gateways {
            self.change_hosts(key, bound, &hosts, work);
        }
        self.listeners = listeners;
    }

    fn change_hosts(
        &mut self,
        key: &Option<ObjectKey>,
        bound: &mut Bound,
        hosts: &[ObjectKey],
        work: &mut Work,
    ) {
        let mut other_listener = false;
        let mut other_chains = false;
        let before = bound.shape();
        for site in &mut bound.sites {
            if !mem::take(&mut site.is_new) {
                let change = self.change_site(site, hosts, false, work);
                other_listener |= change.filters;
                other_chains |= change.chains;
            }
        }
        let told = self.settle_tables(bound, false);
        if other_chains {
            bound.connect(None, work);
            work.files = true;
        }
        let after = bound.shape();
        if before != after {
            let now: BTreeSet<_> = bound.ids(&after).into_iter().collect();
            for id in bound.ids(&before) {
                if !now.contains(&id) {
                    self.put(id, None, work);
                }
            }
        }
        if other_listener || other_chains || before != after {
            work.forward_proxy = true;
            self.put_listener(key, bound, work);
        }
        self.put_tables(key, bound, told, work);
    }

    /// What of the tables is to be told, which may be cut into parts otherwise than before.
    fn settle_tables(&self, bound: &mut Bound, all: bool) -> BTreeMap<String, BTreeSet<Part>> {
        let tables = bound.sites.iter_mut().flat_map(|site| &mut site.tables);
        let told = tables.map(|(base, table)| {
            let cut = self.cut(table);
            let parts = match table.settle(cut) {
                Some(parts) if !all => parts,
                _ => Part::all(cut).collect(),
            };
            (base.clone(), parts)
        });
        told.collect()
    }

    /// Puts virtual services that changed where they belong in a site; `anew`: whatever its plan depends on may have
    /// changed, too.
    fn change_site(
        &self,
        site: &mut Site,
        hosts: &[ObjectKey],
        anew: bool,
        work: &mut Work,
    ) -> SiteChange {
        let mut change = SiteChange::default();
        let mut other_tls = anew;
        for host in hosts {
            let form = self.selected(site, host);
            let ssl = form.and_then(|form| {
                Some(Ssl {
                    given: form.ssl.clone()?,
                    had: form.had.clone(),
                    is_last: form.is_rest,
                })
            });
            other_tls |= site.set_ssl(host, ssl);
        }
        let mut moved = Cow::Borrowed(hosts);
        if site.is_tls && other_tls {
            let plan = site.plan(&self.objects);
            if plan != site.plan {
                let old = mem::replace(&mut site.plan, plan);
                let more = hosts.iter().cloned().chain(site.plan.moved(&old));
                moved = Cow::Owned(more.collect::<Marks>().take());
                work.restated.extend(site.plan.restated(&old));
                work.secrets
                    .extend(old.secrets().chain(site.plan.secrets()));
                change.chains = true;
            }
            for base in site.plan.bases() {
                site.tables.entry(base.clone()).or_default();
            }
        }
        for host in &*moved {
            let form = self.selected(site, host);
            let home = form.and_then(|_| site.table_of(host)).cloned();
            for (base, table) in &mut site.tables {
                let form = form.filter(|_| home.as_ref() == Some(base));
                change.filters |= table.set_needs(host, form.map(|form| &form.needs));
                let domains = form.map(|form| form.domains.as_slice());
                let is_last = form.is_some_and(|form| form.is_rest);
                let changed = table.hosts.set(host, domains.unwrap_or_default(), is_last);
                work.restated.extend(changed);
            }
        }
        site.drop_tables();
        change
    }

    /// Has the statuses of virtual services derived that are served elsewhere than before, and those of their tables.
    pub(super) fn restate(&self, hosts: impl IntoIterator<Item = ObjectKey>, work: &mut Work) {
        for host in hosts {
            let unit = self.hosts.get(&host);
            let read = unit.into_iter().flat_map(|unit| unit.form.reads.iter());
            let shared = read.filter(|it| tells_of_readers(it.kind));
            work.statuses.extend(shared.cloned());
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
        match any || self.front.has_gateways() {
            true => gateways,
            false => vec![(None, default_gateway(self.options.default_bind))],
        }
    }

    /// What a virtual service comes to, if a site has it. As with Gloo, those with `sslConfig` are only for TLS, and the
    /// others are not.
    fn selected(&self, site: &Site, key: &ObjectKey) -> Option<&VirtualHostForm> {
        let unit = self.hosts.get(key)?;
        let object = self.objects.entries.get(key)?.used()?;
        let meant = site.chosen.contain(key, &object.labels);
        (meant && unit.form.ssl.is_some() == site.is_tls).then_some(&unit.form)
    }

    /// The `.wasm` cannot say which part a request is for, so its tables are whole.
    fn cut(&self, table: &Table) -> Cut {
        let options = &self.options;
        match options.module {
            Module::So(_) => table
                .hosts
                .cut(options.parts_above, options.more_parts_above),
            Module::Wasm(_) => Cut::Whole,
        }
    }

    fn put_listener(&mut self, key: &Option<ObjectKey>, bound: &Bound, work: &mut Work) {
        let chains = bound.chains();
        let settings = Secrets::settings(&self.objects);
        let (servers, invalid) = (settings.servers.clone(), settings.invalid_config.clone());
        let surroundings = Surroundings {
            gateway: key.as_ref().map_or(DEFAULT_PROXY, |key| &*key.name),
            servers: &servers,
            forward_proxy: None,
            invalid: invalid.answer(),
            alt_svc: None,
            is_there: &|upstream| options::server(upstream, self).is_ok(),
        };
        let (gateway, module) = (&bound.gateway, &self.options.module);
        // Envoy takes no listener without a chain.
        let over_tcp = (!chains.is_empty())
            .then(|| listener::translate(&bound.name, gateway, module, &chains, &surroundings));
        let quic = names::over_quic(&bound.name);
        let over_quic = listener::over_quic(&quic, gateway, module, &chains, &surroundings);
        let stems = key.iter().chain(bound.tls_hosts());
        let provenance: Arc<[ObjectKey]> = stems.cloned().collect();
        let listeners = [(bound.name.clone(), over_tcp), (quic, over_quic)].map(|(name, bytes)| {
            let resource = bytes.map(|it| Resource::new(it.into(), provenance.clone()));
            (name, resource)
        });
        for proxy in &bound.proxies {
            for (name, resource) in &listeners {
                let id = ResourceId {
                    proxy: proxy.clone(),
                    kind: ResourceType::Listener,
                    name: name.as_str().into(),
                };
                self.put(id, resource.clone(), work);
            }
        }
    }

    fn put_tables(
        &mut self,
        key: &Option<ObjectKey>,
        bound: &Bound,
        told: BTreeMap<String, BTreeSet<Part>>,
        work: &mut Work,
    ) {
        let tables = bound.sites.iter().flat_map(|site| &site.tables);
        let parts: Vec<_> = tables
            .flat_map(|(base, table)| {
                let parts = told.get(base).into_iter().flatten();
                parts.map(move |part| (base.as_str(), table, *part))
            })
            .collect();
        let own: Arc<[ObjectKey]> = key.iter().cloned().collect();
        let made = in_parallel(&parts, PARTS_AT_A_TIME, |(base, table, part)| {
            let name: Arc<str> = part.name(base).into();
            let scope = match *part {
                Part::One { parts, number } => Some(route_table::scope(base, parts, number)),
                Part::Whole => None,
            };
            let scope = scope.map(|bytes| Resource::new(bytes, own.clone()));
            let routes = self.route_table(key, bound, (&name, table, *part));
            (name, scope, routes)
        });
        for (name, scope, routes) in made {
            if let Some(scope) = scope {
                self.put_everywhere(bound, (ResourceType::ScopedRoute, &name), &scope, work);
            }
            self.put_everywhere(bound, (ResourceType::Route, &name), &routes, work);
        }
    }

    /// A table, or a part of it.
    fn route_table(
        &self,
        key: &Option<ObjectKey>,
        bound: &Bound,
        (name, table, part): (&str, &Table, Part),
    ) -> Arc<Resource> {
        let hosts = table.hosts.part(part);
        let stems = hosts.iter().map(|(host, _)| *host);
        let stems: Arc<[ObjectKey]> = key.iter().chain(stems).cloned().collect();
        let forms = hosts
            .into_iter()
            .filter_map(|(host, domains)| Some((&*self.hosts.get(host)?.form, domains)));
        let options = bound.gateway.route_options;
        let bytes = route_table::encode(name, options, part != Part::Whole, forms);
        Resource::new(bytes, stems)
    }

    fn put_everywhere(
        &mut self,
        bound: &Bound,
        (kind, name): (ResourceType, &Arc<str>),
        resource: &Arc<Resource>,
        work: &mut Work,
    ) {
        for proxy in &bound.proxies {
            let id = ResourceId {
                proxy: proxy.clone(),
                kind,
                name: name.clone(),
            };
            self.put(id, Some(resource.clone()), work);
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
        self.release_gone(false, work);
        self.change_reach(work);
        let upstreams = self.objects.of_kind(Kind::Upstream);
        work.statuses.extend(upstreams.map(|(key, _)| key.clone()));
    }
}

/// What a change of virtual services changes in a site, but for its tables.
#[derive(Default)]
struct SiteChange {
    /// The filters of its chains.
    filters: bool,
    /// Which chains there are.
    chains: bool,
}

fn default_gateway(bind: SocketAddr) -> Box<Gateway> {
    Box::new(Gateway {
        ssl: false,
        bind_address: bind.ip(),
        bind_port: bind.port(),
        proxy_names: vec![DEFAULT_PROXY.to_owned()],
        kind: None,
        options: ListenerOptions::default(),
        use_proxy_proto: false,
        route_options: RouteConfigurationOptions::default(),
        listener_name: None,
    })
}
