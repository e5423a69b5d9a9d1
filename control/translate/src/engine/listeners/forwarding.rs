//! Clusters of all hosts that requests say: one for each way in which listeners find such hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use tenon_model::{ForwardProxy, Kind, Object, ObjectKey, Spec};

use super::super::{Translator, Work};
use super::site::Site;
use crate::forward_proxy;
use crate::http_filters::FORWARD_PROXY;
use crate::output::ProxyName;

/// A way in which listeners find hosts.
pub(in crate::engine) struct Forwarding {
    /// The gateways whose they are.
    pub(in crate::engine) gateways: BTreeSet<ObjectKey>,
    /// How often it became another hour since they went over to another way; `None`: it is theirs.
    hours: Option<u8>,
}

/// Connections that a listener had before are drained for less, and lead to the cluster that it had.
const LINGERS: u8 = 2;

impl Translator {
    /// Takes in how listeners find hosts that requests say, if some routes of theirs have such requests. Each way is an
    /// upstream that nobody wrote.
    pub(in crate::engine) fn take_in_forward_proxies(&mut self, work: &mut Work) {
        let mut ways: BTreeMap<ObjectKey, Forwarding> = BTreeMap::new();
        let default = ForwardProxy::default();
        for (gateway, bound) in &self.listeners.gateways {
            for site in bound.sites.iter().filter(|site| forwards(site)) {
                let own = site.form.options.dynamic_forward_proxy.as_deref();
                let own = own.unwrap_or(&default);
                let key = key_of(own);
                let Some(object) = object(&key, own) else {
                    continue;
                };
                self.in_memory.insert(key.clone(), Ok(object));
                let way = ways.entry(key).or_insert_with(|| Forwarding {
                    gateways: BTreeSet::new(),
                    hours: None,
                });
                way.gateways.extend(gateway.clone());
            }
        }
        let forwarding: BTreeSet<_> = ways.values().flat_map(|it| &it.gateways).cloned().collect();
        let old = mem::take(&mut self.forward_proxies);
        for (key, mut before) in old {
            if let Some(now) = ways.get(&key) {
                if now.gateways != before.gateways {
                    work.clusters.insert(key);
                }
                continue;
            }
            let all = before.gateways.len();
            before.gateways.retain(|it| forwarding.contains(it));
            if before.gateways.len() < all || before.hours.is_none() {
                work.clusters.insert(key.clone());
            }
            match before.gateways.is_empty() {
                true => drop(self.in_memory.remove(&key)),
                false => {
                    before.hours.get_or_insert(0);
                    ways.insert(key, before);
                }
            }
        }
        let new = ways.keys().filter(|key| !self.clusters.contains_key(*key));
        work.clusters.extend(new.cloned());
        self.forward_proxies = ways;
    }

    /// It is another hour: ways that nobody goes any more may have become needless.
    pub(in crate::engine) fn forget_forward_proxies(&mut self, work: &mut Work) {
        let mut gone = BTreeSet::new();
        self.forward_proxies.retain(|key, way| {
            let Some(hours) = &mut way.hours else {
                return true;
            };
            *hours += 1;
            let stays = *hours < LINGERS;
            if !stays {
                gone.insert(key.clone());
            }
            stays
        });
        for key in &gone {
            self.in_memory.remove(key);
        }
        work.clusters.extend(gone);
    }

    /// Whether connections of before may still lead from a proxy to the cluster of an upstream.
    pub(in crate::engine) fn lingers(&self, proxy: &ProxyName, key: &ObjectKey) -> bool {
        let way = self.forward_proxies.get(key);
        way.is_some_and(|way| {
            let mut gateways = way.gateways.iter();
            way.hours.is_some() && gateways.any(|it| self.listeners.bound(it).contains(proxy))
        })
    }
}

/// Whether a listener has routes to whatever host a request is for.
fn forwards(site: &Site) -> bool {
    let mut needs = site.tables.values().flat_map(|table| table.needs.values());
    needs.any(|needs| needs.filters.contains(FORWARD_PROXY))
}

fn key_of(proxy: &ForwardProxy) -> ObjectKey {
    ObjectKey {
        kind: Kind::Upstream,
        namespace: "".into(),
        name: forward_proxy::cluster_name(proxy).into(),
    }
}

fn object(key: &ObjectKey, proxy: &ForwardProxy) -> Option<Arc<Object>> {
    Some(Arc::new(Object {
        key: key.clone(),
        labels: BTreeMap::new(),
        metadata: None,
        spec: Spec::Upstream(Box::new(proxy.upstream()?)),
        warnings: Vec::new(),
    }))
}
