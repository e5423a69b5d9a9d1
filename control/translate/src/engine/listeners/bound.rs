//! A gateway, bound to its proxies.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::{Gateway, Kind, ObjectKey, Problem};

use super::super::Work;
use super::super::host_table::Part;
use super::chains::{self, Link};
use super::site::Site;
use crate::listener::{Chain, Spoken};
use crate::names;
use crate::output::{ProxyName, ResourceId, ResourceType};
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
    /// What is wrong with it.
    pub(super) problems: BTreeSet<Problem>,
    pub(super) sites: Vec<Site>,
    /// Its filter chains.
    links: Vec<Link>,
    /// Virtual services that ask for what others have.
    conflicts: BTreeMap<ObjectKey, BTreeSet<Problem>>,
}

/// Its route tables: what their names begin with, and whether they are cut into parts.
type Shape = Vec<(String, bool)>;

impl Listeners {
    /// The proxies that have a gateway.
    pub(in crate::engine) fn bound(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        let bound = self.gateways.get(&Some(key.clone()));
        bound.map(|bound| bound.proxies.clone()).unwrap_or_default()
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
            return bound.map(|it| it.problems.clone()).unwrap_or_default();
        }
        let bound = self.gateways.values().filter(|it| !it.proxies.is_empty());
        bound.flat_map(|it| it.problems_of(key)).collect()
    }

    /// Whether a gateway names a virtual service, which it warns of if it is not there.
    pub(in crate::engine) fn names(&self, key: &ObjectKey) -> bool {
        self.sites().any(|it| it.chosen.names(key))
    }

    /// Whether something depends on a secret.
    pub(in crate::engine) fn reads(&self, secret: &ObjectKey) -> bool {
        self.sites().any(|site| site.plan.reads(secret))
    }

    /// Whether something is served with a secret.
    pub(in crate::engine) fn uses(&self, secret: &ObjectKey) -> bool {
        let mut groups = self.sites().flat_map(|site| &site.plan.groups);
        groups.any(|group| group.tls.secrets.contains(secret))
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
    pub(super) fn new(gateway: Box<Gateway>) -> Self {
        let name = names::listener(&gateway);
        let site = Site::new(&name, &gateway.http_gateway, gateway.ssl);
        Self {
            sites: vec![site],
            name,
            gateway,
            proxies: BTreeSet::new(),
            problems: BTreeSet::new(),
            links: Vec::new(),
            conflicts: BTreeMap::new(),
        }
    }

    /// Gives the gateway to its proxies, but to those where another one has its address.
    pub(super) fn bind(
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

    /// Takes out the site that has what another one has.
    pub(super) fn take(&mut self, site: &Site) -> Option<Site> {
        let place = self.sites.iter().position(|old| old.has_what(site))?;
        Some(self.sites.remove(place))
    }

    /// Finds out which chains it has; of two that are for the same connections the first stays.
    pub(super) fn connect(&mut self, before: Option<&Self>, work: &mut Work) {
        let (links, conflicts) = chains::connect(&self.sites);
        let old = before.map_or(&self.conflicts, |before| &before.conflicts);
        let hosts = old.keys().chain(conflicts.keys());
        let changed = hosts.filter(|host| old.get(*host) != conflicts.get(*host));
        work.restated.extend(changed.cloned());
        self.links = links;
        self.conflicts = conflicts;
    }

    /// Its filter chains.
    pub(super) fn chains(&self) -> Vec<Chain<'_>> {
        let chains = self.links.iter().filter_map(|link| {
            let site = self.sites.get(link.site)?;
            let group = link.group.and_then(|group| site.plan.groups.get(group));
            let base = match group {
                Some(group) => &group.base,
                None => site.tables.keys().next()?,
            };
            let table = site.tables.get(base)?;
            // A filter is there only for who uses it.
            let mut needs = Needs::default();
            table.needs.values().for_each(|it| needs.add(it));
            Some(Chain {
                names: link.names.clone(),
                tls: group.map(|group| &group.tls),
                spoken: Spoken::Http {
                    table: base,
                    in_parts: table.is_in_parts(),
                    needs,
                },
            })
        });
        chains.collect()
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

    /// The secrets that it is served by.
    pub(super) fn secrets(&self) -> impl Iterator<Item = ObjectKey> {
        self.sites.iter().flat_map(|site| site.plan.secrets())
    }

    fn serves(&self, key: &ObjectKey) -> bool {
        let mut tables = self.sites.iter().flat_map(|site| site.tables.values());
        tables.any(|table| table.hosts.serves(key))
    }

    fn problems_of(&self, key: &ObjectKey) -> Vec<Problem> {
        let own = self.sites.iter().flat_map(|site| site.problems(key));
        let conflicts = self.conflicts.get(key).into_iter().flatten().cloned();
        own.chain(conflicts).collect()
    }

    pub(super) fn shape(&self) -> Shape {
        let tables = self.sites.iter().flat_map(|site| &site.tables);
        tables
            .map(|(base, table)| (base.clone(), table.is_in_parts()))
            .collect()
    }

    /// The Envoy resources of which it consists, with such tables.
    pub(super) fn ids(&self, shape: &Shape) -> Vec<ResourceId> {
        let mut names = vec![(ResourceType::Listener, self.name.clone())];
        for (base, in_parts) in shape {
            for part in Part::all(*in_parts) {
                let name = part.name(base);
                if let Part::Bucket(_) = part {
                    names.push((ResourceType::ScopedRoute, name.clone()));
                }
                names.push((ResourceType::Route, name));
            }
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
}
