//! A gateway, bound to its proxies.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::{Gateway, Kind, ObjectKey, Problem, ProblemLevel, Servers};

use super::super::Work;
use super::super::host_table::Part;
use super::chains::{self, Link, To};
use super::parts::{Origin, Parts, Problems, TcpSite};
use super::site::Site;
use crate::http_filters::asks_for_limits;
use crate::keys::Keys;
use crate::listener::{Chain, Http, Spoken};
use crate::names;
use crate::output::{ProxyName, ResourceId, ResourceType};
use crate::route_table;
use crate::route_table::Cut;
use crate::tls::listener::ListenerTls;
use crate::virtual_host::Needs;

/// What the gateways come to. The default one has no key.
#[derive(Default)]
pub(in crate::engine) struct Listeners {
    pub(super) gateways: BTreeMap<Option<ObjectKey>, Bound>,
    /// The SDS resources of files that were told.
    pub(super) files: BTreeMap<String, (Vec<u8>, BTreeSet<ObjectKey>)>,
}

/// A gateway, and what it comes to.
pub(super) struct Bound {
    pub(super) gateway: Box<Gateway>,
    /// The listener's name.
    pub(super) name: String,
    /// The proxies where no other gateway has its address.
    pub(super) proxies: BTreeSet<ProxyName>,
    /// What is wrong with it and with those that it delegates to.
    pub(super) problems: Problems,
    pub(super) sites: Vec<Site>,
    pub(super) tcp: Vec<TcpSite>,
    /// The gateways that it delegates to.
    delegates: BTreeSet<ObjectKey>,
    /// Its filter chains.
    links: Vec<Link>,
    /// Who asks for what others have.
    conflicts: Problems,
    /// It is the last good form of a gateway.
    is_old: bool,
}

/// Who has which address of a proxy.
pub(super) type Addresses = BTreeMap<(ProxyName, String), Option<ObjectKey>>;

/// Its route tables: what their names begin with, and how they are served.
type Shape = Vec<(String, Cut)>;

impl Listeners {
    /// The proxies that have a gateway.
    pub(in crate::engine) fn bound(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        let bound = self.gateways.get(&Some(key.clone()));
        bound.map(|bound| bound.proxies.clone()).unwrap_or_default()
    }

    /// The gateways that a proxy has.
    pub(in crate::engine) fn of_proxy(
        &self,
        proxy: &ProxyName,
    ) -> impl Iterator<Item = &ObjectKey> {
        let bound = self.gateways.iter();
        let bound = bound.filter(|(_, it)| it.proxies.contains(proxy));
        bound.filter_map(|(key, _)| key.as_ref())
    }

    /// What an Envoy asks for of a gateway that its proxy has: the listeners, and the route tables that these name.
    pub(in crate::engine) fn asked_for(
        &self,
        key: &ObjectKey,
        proxy: &ProxyName,
    ) -> Vec<ResourceId> {
        let bound = self.gateways.get(&Some(key.clone()));
        let bound = bound.filter(|bound| bound.proxies.contains(proxy));
        bound.map(|it| it.asked_for(proxy)).unwrap_or_default()
    }

    /// The proxies that have a gateway that others delegate to.
    pub(in crate::engine) fn delegated(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        let all = self.gateways.values();
        let delegating = all.filter(|it| it.delegates.contains(key));
        delegating
            .flat_map(|it| it.proxies.iter().cloned())
            .collect()
    }

    /// The proxies that have a virtual service.
    pub(in crate::engine) fn served(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        let serving = self.gateways.values().filter(|it| it.serves(key));
        serving.flat_map(|it| it.proxies.iter().cloned()).collect()
    }

    /// What is wrong with a gateway or a virtual service beside others.
    pub(in crate::engine) fn problems(&self, key: &ObjectKey) -> BTreeSet<Problem> {
        if key.kind == Kind::Gateway {
            let bound = self.gateways.get(&Some(key.clone()));
            return bound.map(|it| it.own_problems(&None)).unwrap_or_default();
        }
        let bound = self.gateways.values().filter(|it| !it.proxies.is_empty());
        bound.flat_map(|it| it.problems_of(key)).collect()
    }

    /// The gateways that serve a virtual service, and how long bodies may be that routes answer with there.
    pub(in crate::engine) fn most_body(&self, host: &ObjectKey) -> Vec<(String, usize)> {
        let serving = self.gateways.iter().filter(|(_, it)| it.serves(host));
        let limits = serving.map(|(key, bound)| {
            let most = route_table::most_body(bound.gateway.route_options);
            (label(key), usize::try_from(most).unwrap_or(usize::MAX))
        });
        limits.collect()
    }

    /// The gateways where a virtual service has routes that ask a rate limit service and there is none.
    pub(in crate::engine) fn unlimited(&self, host: &ObjectKey, others: &Servers) -> Vec<String> {
        let serving = self.gateways.iter().filter(|(_, it)| it.serves(host));
        let unlimited = serving.filter(|(_, bound)| {
            bound.sites.iter().any(|site| {
                let servers = site.form.options.servers(others);
                let mut tables = site.tables.values();
                servers.ratelimit_server.is_none()
                    && tables.any(|it| it.needs.get(host).is_some_and(asks_for_limits))
            })
        });
        unlimited.map(|(key, _)| label(key)).collect()
    }

    /// Whether a gateway is served in its last good form.
    pub(in crate::engine) fn is_old(&self, key: &ObjectKey) -> bool {
        let bound = self.gateways.get(&Some(key.clone()));
        bound.is_some_and(|bound| bound.is_old)
    }

    /// Whether a gateway names a virtual service, which it warns of if it is not there.
    pub(in crate::engine) fn names(&self, key: &ObjectKey) -> bool {
        self.sites().any(|it| it.chosen.names(key))
    }

    /// Whether something depends on a secret or an upstream.
    pub(in crate::engine) fn reads(&self, key: &ObjectKey) -> bool {
        let mut tcp = self.gateways.values().flat_map(|bound| &bound.tcp);
        self.sites()
            .any(|site| site.plan.reads(key) || site.reads.contains(key))
            || tcp.any(|site| site.form.reads.contains(key))
    }

    /// What connections of TCP depend on.
    pub(in crate::engine) fn read_by_tcp(&self) -> Keys {
        let tcp = self.gateways.values().flat_map(|bound| &bound.tcp);
        let read = tcp.flat_map(|site| site.form.reads.iter().cloned());
        read.collect::<BTreeSet<_>>().into()
    }

    /// Whether something is served with a secret.
    pub(in crate::engine) fn uses(&self, secret: &ObjectKey) -> bool {
        let mut used = self.gateways.values().flat_map(Bound::secrets);
        used.any(|it| it == *secret)
    }

    /// The names of the SDS resources of files.
    pub(in crate::engine) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    fn sites(&self) -> impl Iterator<Item = &Site> {
        self.gateways.values().flat_map(|bound| &bound.sites)
    }

    /// The Envoy resources of all of them.
    pub(super) fn ids(&self) -> BTreeSet<ResourceId> {
        let all = self.gateways.values();
        all.flat_map(|bound| bound.ids(&bound.shape())).collect()
    }
}

impl Bound {
    pub(super) fn new(gateway: Box<Gateway>, name: String, parts: Parts) -> Self {
        Self {
            name,
            gateway,
            proxies: BTreeSet::new(),
            problems: parts.problems,
            sites: parts.sites,
            tcp: parts.tcp,
            delegates: parts.delegates,
            links: Vec::new(),
            conflicts: Problems::new(),
            is_old: false,
        }
    }

    /// Gives the gateway to its proxies, but to those where another one has its address.
    pub(super) fn bind(&mut self, key: &Option<ObjectKey>, addresses: &mut Addresses) {
        let taken = self.taken(key, addresses);
        if !taken.is_empty() {
            self.problems.entry(None).or_default().extend(taken);
        }
        for proxy in &self.gateway.proxy_names {
            let proxy = ProxyName::from(proxy.as_str());
            let address = (proxy.clone(), self.name.clone());
            if addresses.entry(address).or_insert_with(|| key.clone()) == key {
                self.proxies.insert(proxy);
            }
        }
    }

    /// Where another gateway has its address.
    fn taken(&self, key: &Option<ObjectKey>, addresses: &Addresses) -> BTreeSet<Problem> {
        let proxies = self.gateway.proxy_names.iter();
        let owners = proxies.filter_map(|proxy| {
            let address = (ProxyName::from(proxy.as_str()), self.name.clone());
            addresses.get(&address)
        });
        let others = owners.filter(|owner| *owner != key);
        let taken = others.map(|owner| {
            let owner: String = owner.iter().map(|owner| format!(" of {owner}")).collect();
            let text = format!("its address and port are bound by the listener{owner} already");
            Problem::error("spec.bindPort", text)
        });
        taken.collect()
    }

    /// The errors in it, whichever virtual services it has.
    pub(super) fn faults(
        &self,
        key: &Option<ObjectKey>,
        addresses: &Addresses,
    ) -> BTreeSet<Problem> {
        let (_, conflicts) = chains::connect(&self.sites, &self.tcp);
        let mut found = self.taken(key, addresses);
        let own = [self.problems.get(&None), conflicts.get(&None)];
        found.extend(own.into_iter().flatten().flatten().cloned());
        found.retain(|it| it.level == ProblemLevel::Error);
        found
    }

    /// The same, in the place of a newer form with these faults.
    pub(super) fn instead_of(mut self, faults: BTreeSet<Problem>) -> Self {
        self.problems.entry(None).or_default().extend(faults);
        self.is_old = true;
        self
    }

    /// Takes out the site that has what another one has.
    pub(super) fn take(&mut self, site: &Site) -> Option<Site> {
        let place = self.sites.iter().position(|old| old.has_what(site))?;
        Some(self.sites.remove(place))
    }

    /// Finds out which chains it has; of two that are for the same connections the first stays.
    pub(super) fn connect(&mut self, before: Option<&Self>, work: &mut Work) {
        let (links, conflicts) = chains::connect(&self.sites, &self.tcp);
        let old = before.map_or(&self.conflicts, |before| &before.conflicts);
        let keys = old.keys().chain(conflicts.keys());
        let changed = keys.filter(|key| old.get(*key) != conflicts.get(*key));
        work.restated.extend(changed.flatten().cloned());
        self.links = links;
        self.conflicts = conflicts;
    }

    /// Its filter chains.
    pub(super) fn chains(&self) -> Vec<Chain<'_>> {
        let chains = self.links.iter().filter_map(|link| {
            let (origin, tls, spoken) = match link.to {
                To::Plain(site) => {
                    let site = self.sites.get(site)?;
                    (
                        &site.origin,
                        None,
                        http(site, site.tables.keys().next()?, None)?,
                    )
                }
                To::Tls(site, group) => {
                    let site = self.sites.get(site)?;
                    let group = site.plan.groups.get(group)?;
                    let spoken = http(site, &group.base, group.listener.as_deref())?;
                    (&site.origin, Some(&group.tls), spoken)
                }
                To::Tcp(site, chain) => {
                    let site = self.tcp.get(site)?;
                    let chain = site.form.chains.get(chain)?;
                    let spoken = Spoken::Tcp(&chain.filters);
                    (&site.origin, chain.tls.as_ref(), spoken)
                }
            };
            Some(Chain {
                names: link.names.clone(),
                sources: &origin.sources,
                tls,
                spoken,
            })
        });
        chains.collect()
    }

    fn asked_for(&self, proxy: &ProxyName) -> Vec<ResourceId> {
        let listeners = [self.name.clone(), names::over_quic(&self.name)];
        let listeners = listeners.map(|name| (ResourceType::Listener, name));
        let chains = self.chains().into_iter();
        let tables = chains.flat_map(|chain| match chain.spoken {
            Spoken::Http(http) => {
                let parts = Part::all(http.cut).map(|part| part.name(http.table));
                parts.collect::<Vec<_>>()
            }
            Spoken::Tcp(_) => Vec::new(),
        });
        let tables = tables.map(|name| (ResourceType::Route, name));
        let asked = listeners.into_iter().chain(tables);
        let ids = asked.map(|(kind, name)| ResourceId {
            proxy: proxy.clone(),
            kind,
            name: name.into(),
        });
        ids.collect()
    }

    /// The virtual services that it has.
    pub(super) fn hosts(&self) -> Vec<ObjectKey> {
        self.sites.iter().flat_map(Site::hosts).collect()
    }

    /// The virtual services with whose certificates its chains are.
    pub(super) fn tls_hosts(&self) -> impl Iterator<Item = &ObjectKey> {
        let groups = self.sites.iter().flat_map(|site| &site.plan.groups);
        groups.flat_map(|group| group.members.iter().map(|(host, _)| host))
    }

    /// The gateways that it delegates to.
    pub(super) fn delegates(&self) -> impl Iterator<Item = &ObjectKey> {
        self.delegates.iter()
    }

    /// The TLS of its TCP connections.
    pub(super) fn tcp_tls(&self) -> impl Iterator<Item = (&Origin, &ListenerTls)> {
        self.tcp.iter().flat_map(|site| {
            let chains = site.form.chains.iter();
            chains.filter_map(|chain| Some((&site.origin, chain.tls.as_ref()?)))
        })
    }

    /// The secrets that it is served by.
    pub(super) fn secrets(&self) -> impl Iterator<Item = ObjectKey> {
        let sites = self.sites.iter().flat_map(|site| site.plan.secrets());
        let tcp = self
            .tcp_tls()
            .flat_map(|(_, tls)| tls.secrets.iter().cloned());
        sites.chain(tcp)
    }

    fn serves(&self, key: &ObjectKey) -> bool {
        let mut tables = self.sites.iter().flat_map(|site| site.tables.values());
        tables.any(|table| table.hosts.serves(key))
    }

    fn problems_of(&self, key: &ObjectKey) -> Vec<Problem> {
        let sites = self.sites.iter().flat_map(|site| site.problems(key));
        sites.chain(self.own_problems(&Some(key.clone()))).collect()
    }

    fn own_problems(&self, key: &Option<ObjectKey>) -> BTreeSet<Problem> {
        let all = [self.problems.get(key), self.conflicts.get(key)];
        all.into_iter().flatten().flatten().cloned().collect()
    }

    pub(super) fn shape(&self) -> Shape {
        let tables = self.sites.iter().flat_map(|site| &site.tables);
        tables
            .map(|(base, table)| (base.clone(), table.cut()))
            .collect()
    }

    /// The Envoy resources of which it consists, with such tables.
    pub(super) fn ids(&self, shape: &Shape) -> Vec<ResourceId> {
        let mut names = vec![
            (ResourceType::Listener, self.name.clone()),
            (ResourceType::Listener, names::over_quic(&self.name)),
        ];
        for (base, cut) in shape {
            for part in Part::all(*cut) {
                let name = part.name(base);
                if let Part::One { .. } = part {
                    names.push((ResourceType::ScopedRoute, name.clone()));
                }
                names.push((ResourceType::Route, name));
            }
        }
        let ids = self.proxies.iter().flat_map(|proxy| {
            names.iter().map(|(kind, name)| ResourceId {
                proxy: proxy.clone(),
                kind: *kind,
                name: name.as_str().into(),
            })
        });
        ids.collect()
    }
}

fn label(gateway: &Option<ObjectKey>) -> String {
    match gateway {
        Some(key) => key.to_string(),
        None => "the default Gateway".to_owned(),
    }
}

fn http<'a>(site: &'a Site, base: &'a str, listener: Option<&'a str>) -> Option<Spoken<'a>> {
    let table = site.tables.get(base)?;
    // A filter is there only for who uses it.
    let mut needs = Needs::default();
    table.needs.values().for_each(|it| needs.add(it));
    Some(Spoken::Http(Http {
        table: base,
        cut: table.cut(),
        needs,
        form: &site.form,
        listener,
    }))
}
