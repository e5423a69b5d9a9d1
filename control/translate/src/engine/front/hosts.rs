//! The hosts at the ports of gateways, with the routes that each has.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenon_model::{INTERNAL, Kind, ObjectKey, Spec, SslConfig, VirtualHostOptions, VirtualService};

use super::super::{Translator, Work};
use crate::gateway_api::hostname;
use crate::gateway_api::http_route::{self, Compiled};
use crate::gateway_api::listeners::{GatewayForm, host_key};
use crate::keys::Keys;

/// A host at a port of a gateway.
#[derive(Default)]
pub(super) struct Host {
    pub(super) domain: String,
    /// Whose routes it has.
    pub(super) routes: Keys,
    /// It is there without routes, too: its requests belong to a listener, and not to one that is for more hosts.
    pub(super) stands: bool,
}

impl Host {
    pub(super) fn domain(&self, key: &ObjectKey) -> String {
        match self.domain.is_empty() {
            true => domain_of(key),
            false => self.domain.clone(),
        }
    }
}

impl Translator {
    /// Where several listeners share a port, what one is for is not another's, whether it has routes or not.
    pub(super) fn set_standing(
        &mut self,
        key: &ObjectKey,
        (old, new): (Option<&GatewayForm>, Option<&GatewayForm>),
        work: &mut Work,
    ) {
        let before = old.map(|old| standing(key, old)).unwrap_or_default();
        let after = new.map(|new| standing(key, new)).unwrap_or_default();
        for (host, domain) in before.iter().chain(&after) {
            let entry = self.front.hosts.entry(host.clone()).or_default();
            entry.stands = after.contains_key(host);
            entry.domain.clone_from(domain);
            work.front.hosts.insert(host.clone());
        }
    }

    /// All hosts of a gateway, with whose TLS something else may be.
    pub(super) fn mark_hosts_of(&self, gateway: &ObjectKey, work: &mut Work) {
        let prefix = format!("{}{INTERNAL}", gateway.name);
        let first = ObjectKey {
            kind: Kind::VirtualService,
            namespace: gateway.namespace.clone(),
            name: prefix.as_str().into(),
        };
        let hosts = self.front.hosts.range(first..);
        let own = hosts.take_while(|(host, _)| {
            host.namespace == gateway.namespace && host.name.starts_with(&prefix)
        });
        work.front.hosts.extend(own.map(|(host, _)| host.clone()));
    }

    /// Puts the routes for a host in their order.
    pub(super) fn derive_host_of_gateway(&mut self, key: ObjectKey, work: &mut Work) {
        let Some(host) = self.front.hosts.get(&key) else {
            return;
        };
        if host.routes.is_empty() && !host.stands {
            self.front.hosts.remove(&key);
            self.put_internal(&key, None, work);
            return;
        }
        let domain = host.domain(&key);
        // Options tell whose routes they are wrong at.
        self.restate([key.clone()], work);
        let home = self.home_of(&key, &domain);
        let listener = home.and_then(|(_, form, listener)| form.listeners.get(listener));
        let routes = self.compiled(&key).map(|(_, it)| match listener {
            Some(listener) => http_route::at_listener(&it.route, listener),
            None => it.route.clone(),
        });
        let ssl = self.ssl_of(&key, &domain);
        let spec = VirtualService {
            options_config_refs: self.options_of_host(&key, &domain),
            domains: vec![domain],
            routes: routes.collect(),
            options: VirtualHostOptions::none(),
            ssl,
        };
        self.put_internal(&key, Some(Spec::VirtualService(Box::new(spec))), work);
    }

    /// TLS of the listener that a host belongs to.
    fn ssl_of(&self, host: &ObjectKey, domain: &str) -> Option<Arc<SslConfig>> {
        let (_, form, listener) = self.home_of(host, domain)?;
        form.listeners.get(listener)?.tls.ssl.clone()
    }

    /// The routes for a host, in their order, and whose they are.
    pub(super) fn compiled(
        &self,
        host: &ObjectKey,
    ) -> impl Iterator<Item = (&ObjectKey, &Compiled)> {
        let keys = self.front.hosts.get(host);
        let keys = keys.into_iter().flat_map(|host| &host.routes);
        let routes = keys.filter_map(|key| Some((key, self.front.routes.get(key)?)));
        let mut all: Vec<_> = routes
            .flat_map(|(key, unit)| {
                let routes = unit.rules.routes.iter();
                routes.map(move |it| (it.source.owner.as_deref().unwrap_or(key), it))
            })
            .collect();
        all.sort_by(|(_, a), (_, b)| a.precedence.cmp(&b.precedence));
        all.into_iter()
    }
}

/// The hosts that listeners have to themselves, and their domains.
fn standing(key: &ObjectKey, gateway: &GatewayForm) -> BTreeMap<ObjectKey, String> {
    let mut standing = BTreeMap::new();
    for port in gateway.ports() {
        let listeners: Vec<_> = gateway.at(port).collect();
        // Connections are forwarded by name, whatever else is there.
        let http = |protocol: &str| ["HTTP", "HTTPS"].contains(&protocol);
        for (_, listener) in listeners.iter().filter(|(_, it)| http(&it.protocol)) {
            let host = match &listener.hostname {
                Some(host) if listeners.len() > 1 || listener.tls.ssl.is_some() => host,
                // Connections are taken where there are no routes, too.
                None if listener.tls.ssl.is_some() => hostname::ANY,
                _ => continue,
            };
            standing.insert(host_key(key, port, host), host.to_owned());
        }
    }
    standing
}

/// The domain of a host, which is what its name ends with.
fn domain_of(key: &ObjectKey) -> String {
    let name = key.name.rsplit('~').next().unwrap_or(hostname::ANY);
    name.replace('_', ".")
}
