//! All subscriptions of one stream, and the order in which they are served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;
use tenon_translate::{Resource, ResourceType};

use crate::cache::{Dirty, Inner};
use crate::kind::all_kinds;
use crate::subscription::{Entries, Name, Protocol, Removals, Subscription};

/// The types that refer to clusters.
const REFERRERS: [ResourceType; 3] = [
    ResourceType::Listener,
    ResourceType::ScopedRoute,
    ResourceType::Route,
];

/// A response that is to be sent.
pub(crate) struct Push {
    pub(crate) kind: ResourceType,
    pub(crate) nonce: String,
    pub(crate) entries: Entries,
    /// State of the world: all that the client then has, and its version.
    pub(crate) state: Option<(Vec<Arc<Resource>>, String)>,
}

pub(crate) struct Session {
    proxy: String,
    protocol: Protocol,
    subscriptions: BTreeMap<ResourceType, Subscription>,
    /// Updated clusters that were sent before the client asked for endpoints, by the names of these.
    owed_endpoints: BTreeSet<String>,
    nonce: u64,
    settled: bool,
}

impl Session {
    pub(crate) fn new(proxy: &str, protocol: Protocol) -> Self {
        Self {
            proxy: proxy.to_owned(),
            protocol,
            subscriptions: BTreeMap::new(),
            owed_endpoints: BTreeSet::new(),
            nonce: 0,
            settled: false,
        }
    }

    /// The subscription of a type, and whether it is new.
    pub(crate) fn open(&mut self, kind: ResourceType) -> (&mut Subscription, bool) {
        let new = !self.subscriptions.contains_key(&kind);
        let protocol = self.protocol;
        let subscription = self
            .subscriptions
            .entry(kind)
            .or_insert_with(|| Subscription::new(kind, protocol));
        (subscription, new)
    }

    pub(crate) fn changed(&mut self, dirty: Dirty) {
        // It is told again, of what there is now.
        self.settled &= dirty.is_empty();
        for (kind, names) in dirty {
            if let Some(subscription) = self.subscriptions.get_mut(&kind) {
                subscription.changed(names);
            }
        }
    }

    /// The next response that may go out.
    pub(crate) fn next(&mut self, cache: &Inner) -> Option<Push> {
        // Looking at routes may show that there is nothing to send, which sets removals of clusters free.
        self.pass(cache).or_else(|| self.pass(cache))
    }

    fn pass(&mut self, cache: &Inner) -> Option<Push> {
        all_kinds().find_map(|kind| {
            if !self.may_send(kind) {
                return None;
            }
            let removals = self.removals(kind, cache);
            let view = cache.view(&self.proxy, kind);
            let entries = self.subscriptions.get_mut(&kind)?.pick(&view, removals)?;
            Some(self.push(kind, entries))
        })
    }

    /// What refers waits until what it refers to is there. Secrets are asked for by name and wait for nothing.
    fn may_send(&self, kind: ResourceType) -> bool {
        // Envoy answers to an update of clusters only once they are warm, for which it needs their endpoints (its cluster
        // manager pauses CDS until then): those follow at once, on the same stream.
        let waits_for = |earlier: ResourceType| {
            (kind, earlier) != (ResourceType::Endpoint, ResourceType::Cluster)
        };
        kind == ResourceType::Secret
            || all_kinds()
                .take_while(|earlier| *earlier != kind)
                .all(|earlier| !waits_for(earlier) || !self.is_busy(earlier))
    }

    fn removals(&self, kind: ResourceType, cache: &Inner) -> Removals {
        let unused = match kind {
            ResourceType::Cluster => self.referrers_are_quiet(cache),
            ResourceType::Endpoint | ResourceType::Secret => {
                self.referrers_are_quiet(cache) && self.clusters_are_quiet()
            }
            // Connections that are drained go on by the scopes that their listener had, and find no route without. Envoy
            // forgets them by itself, with the last of its listeners that has any.
            ResourceType::ScopedRoute => false,
            ResourceType::Listener | ResourceType::Route => true,
        };
        if unused {
            Removals::Send
        } else {
            Removals::Park
        }
    }

    /// Whether the client has, and accepts, all that could refer to a cluster. One that comes back has not asked for
    /// all types yet when it asks for clusters.
    fn referrers_are_quiet(&self, cache: &Inner) -> bool {
        REFERRERS.into_iter().all(|kind| {
            self.subscriptions.get(&kind).map_or_else(
                || cache.view(&self.proxy, kind).is_empty(),
                |subscription| !subscription.is_busy() && !subscription.keeps_a_refused_one(),
            )
        })
    }

    fn clusters_are_quiet(&self) -> bool {
        self.subscriptions
            .get(&ResourceType::Cluster)
            .is_none_or(|clusters| !clusters.is_busy() && !clusters.has_parked())
    }

    fn is_busy(&self, kind: ResourceType) -> bool {
        self.subscriptions
            .get(&kind)
            .is_some_and(Subscription::is_busy)
    }

    fn push(&mut self, kind: ResourceType, entries: Entries) -> Push {
        self.nonce += 1;
        let nonce = format!("{:x}", self.nonce);
        if kind == ResourceType::Cluster {
            self.resend_endpoints(&entries);
        }
        if kind == ResourceType::Listener && entries.values().any(Option::is_some) {
            self.resend_scopes();
        }
        let mut state = None;
        if let Some(subscription) = self.subscriptions.get_mut(&kind) {
            if self.protocol == Protocol::StateOfTheWorld {
                state = Some(subscription.state_with(&entries));
            }
            subscription.sent(nonce.clone(), entries.clone());
        }
        Push {
            kind,
            nonce,
            entries,
            state,
        }
    }

    /// A listener warms until it has scopes. Envoy asks for them once for all its listeners, and one that comes back may be
    /// given only what comes from then on: to be on the safe side, it gets all of them.
    fn resend_scopes(&mut self) {
        if let Some(scopes) = self.subscriptions.get_mut(&ResourceType::ScopedRoute) {
            scopes.resend_all();
        }
    }

    /// An updated cluster warms until its endpoints come again.
    fn resend_endpoints(&mut self, clusters: &Entries) {
        let updated = clusters
            .iter()
            .filter_map(|(name, cluster)| endpoint_name(name, cluster.as_ref()?));
        self.owed_endpoints.extend(updated);
        self.give_owed_endpoints();
    }

    /// Sends again what updated clusters wait for, once the client has asked for endpoints. One that comes back asks for
    /// clusters first, and says of their endpoints that it has them.
    pub(crate) fn give_owed_endpoints(&mut self) {
        if let Some(endpoints) = self.subscriptions.get_mut(&ResourceType::Endpoint) {
            for name in std::mem::take(&mut self.owed_endpoints) {
                endpoints.resend(&name);
            }
        }
    }

    /// What the client turned out to have accepted since this was last asked.
    pub(crate) fn take_accepted(&mut self) -> Vec<(ResourceType, Name, Arc<Resource>)> {
        let subscriptions = self.subscriptions.iter_mut();
        let all = subscriptions.flat_map(|(kind, subscription)| {
            let accepted = subscription.take_accepted().into_iter();
            accepted.map(|(name, resource)| (*kind, name, resource))
        });
        all.collect()
    }

    /// Whether the client has answered to all that there is for it, told once each time that this becomes so.
    pub(crate) fn settles(&mut self, cache: &Inner) -> Option<usize> {
        let rejected = self
            .subscriptions
            .values()
            .map(Subscription::rejected)
            .sum();
        let complete = self.is_complete(cache);
        let idle = !self.subscriptions.values().any(Subscription::is_busy);
        let settled = complete && idle;
        let became = settled && !self.settled;
        self.settled = settled;
        became.then_some(rejected)
    }

    /// Whether the client has asked for all that it will ask for: routes only come up once listeners are there.
    fn is_complete(&self, cache: &Inner) -> bool {
        let asked = |kind: &ResourceType| self.subscriptions.contains_key(kind);
        let refuses_listeners = self
            .subscriptions
            .get(&ResourceType::Listener)
            .is_some_and(|listeners| listeners.rejected() > 0);
        let has_routes = |kind: &ResourceType| {
            refuses_listeners || asked(kind) || cache.view(&self.proxy, *kind).is_empty()
        };
        [ResourceType::Cluster, ResourceType::Listener]
            .iter()
            .all(asked)
            && [ResourceType::ScopedRoute, ResourceType::Route]
                .iter()
                .all(has_routes)
    }
}

/// The part of a cluster that says under which name its endpoints are served.
#[derive(Clone, PartialEq, Message)]
struct ClusterPart {
    #[prost(message, optional, tag = "3")]
    eds: Option<EdsPart>,
}

#[derive(Clone, PartialEq, Message)]
struct EdsPart {
    #[prost(string, tag = "2")]
    service_name: String,
}

/// Under which name the endpoints of a cluster are served, if they are.
fn endpoint_name(name: &str, cluster: &Resource) -> Option<String> {
    let Ok(part) = ClusterPart::decode(cluster.value.clone()) else {
        return Some(name.to_owned());
    };
    let service = part.eds?.service_name;
    Some(if service.is_empty() {
        name.to_owned()
    } else {
        service
    })
}
