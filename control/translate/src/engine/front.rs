//! The front door of the Gateway API: keeps what its objects come to up to date, and puts it among the objects of the Edge
//! API ([`crate::gateway_api`] has what that is). A change derives the routes that depend on it, and the hosts that they
//! are served for; the rest of the engine sees only what came out otherwise than before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{Kind, Object, ObjectKey, Problem, Spec};

use super::{Translator, Work};
use crate::gateway_api::attach::Attachment;
use crate::gateway_api::delegation;
use crate::gateway_api::http_route::Rules;
use crate::gateway_api::listeners::GatewayForm;
use crate::gateway_api::options::KINDS;
use crate::gateway_api::stream_route::Stream;
use crate::keyed::{Keyed, Readers};
use crate::keys::{Keys, Marks};
use crate::names;
use crate::output::{Resource, ResourceId};

mod awaited;
mod disputes;
mod forms;
mod gateways;
mod held;
mod hosts;
mod known;
mod labels;
mod listener_statuses;
mod options;
mod policies;
mod ports;
mod routes;
mod shown;
mod statuses;

pub(super) use held::HeldRoute;
pub(super) use labels::Labelled;

/// The class that there is without being written, as Gloo's Helm chart has it.
const CLASS: &str = "gloo-gateway";
/// The class of gateways that are only for other clusters.
const DISTRIBUTED: &str = "gloo-gateway-distribute";

/// The kinds of routes.
const ROUTES: [Kind; 4] = [
    Kind::GrpcRoute,
    Kind::HttpRoute,
    Kind::TcpRoute,
    Kind::TlsRoute,
];

/// The kinds that are there for routes which refer to them.
const REFERRED: [Kind; 2] = [Kind::DirectResponse, Kind::FunctionCall];

/// What the objects of the Gateway API come to.
#[derive(Default)]
pub(super) struct Front {
    /// The gateways that are ours.
    gateways: BTreeMap<ObjectKey, Arc<GatewayForm>>,
    /// The ListenerSets that name a gateway.
    sets: gateways::Sets,
    /// Whose gateway of the Edge API is whose.
    ports: BTreeMap<ObjectKey, ObjectKey>,
    /// Which routes forward the connections of a gateway's hosts.
    streams: BTreeMap<ObjectKey, BTreeMap<ObjectKey, ObjectKey>>,
    routes: Keyed<ObjectKey, Box<RouteUnit>>,
    /// How many of them are attached to each listener of a gateway, by its place: counted as they come and go, since a
    /// gateway tells of it more often than that changes.
    attached: BTreeMap<ObjectKey, BTreeMap<usize, usize>>,
    /// The routes that want to be attached to something.
    by_parent: Readers,
    /// Whose requests are left to a route.
    by_child: Readers,
    /// What gateways looked at.
    reads_of_gateways: BTreeMap<ObjectKey, Keys>,
    /// Which gateways and routes looked at something.
    readers: Readers,
    /// The hosts that are served, by what they are known by within.
    hosts: BTreeMap<ObjectKey, hosts::Host>,
    attaching: options::Attaching,
    disputes: disputes::Disputes,
    policies: policies::Policies,
    shown: shown::Shown,
    forms: forms::Forms,
    awaited: awaited::Awaited,
}

/// A route, and what it comes to.
#[derive(Default)]
struct RouteUnit {
    /// The form that is served.
    served: Option<Arc<Object>>,
    reads: Keys,
    parents: Keys,
    claimant: disputes::Claimant,
    attachments: Vec<Attachment>,
    hosts: Keys,
    rules: Rules,
    /// Where its connections go, if it is not for requests.
    stream: Option<Stream>,
    /// What is wrong with what it wants to be attached to.
    problems: Vec<Problem>,
}

/// What has to be looked at.
#[derive(Default)]
pub(super) struct FrontWork {
    /// Options that say themselves what they attach to.
    options: Marks,
    sets: Marks,
    pub(super) gateways: Marks,
    /// Those that have another form served than before are looked at at once.
    pub(super) routes: BTreeSet<ObjectKey>,
    /// What options of listeners and hosts attach to.
    attached: Marks,
    hosts: Marks,
    /// The gateways whose hostnames may be other routes' now.
    disputes: Marks,
    policies: Marks,
    /// The gateways whose ports are to be put.
    ports: Marks,
    judging: forms::Judging,
    /// The gateways and ListenerSets that were written.
    pub(super) written: BTreeSet<ObjectKey>,
    /// What resources of gateways were before they changed; `None`: they were not there.
    pub(super) was: Keyed<ResourceId, Option<Arc<Resource>>>,
}

impl FrontWork {
    fn is_empty(&self) -> bool {
        let all = [
            &self.options,
            &self.sets,
            &self.gateways,
            &self.attached,
            &self.disputes,
            &self.policies,
            &self.ports,
            &self.hosts,
        ];
        self.routes.is_empty() && all.into_iter().all(Marks::is_empty)
    }
}

impl Front {
    /// What is kept when everything is derived anew.
    pub(super) fn only_last_good(self) -> Self {
        Self {
            forms: self.forms.only_last_good(),
            awaited: self.awaited,
            ..Self::default()
        }
    }

    /// Whether some gateway is served, so that no default one is.
    pub(super) fn has_gateways(&self) -> bool {
        !self.gateways.is_empty()
    }

    /// The objects that users wrote from which something within stems.
    fn sources(&self, key: &ObjectKey) -> Vec<ObjectKey> {
        match key.kind {
            Kind::Gateway => match self.ports.get(key) {
                // What is attached to a listener tells of it, too.
                Some(gateway) => {
                    let owners = self.sets.of(gateway).chain([gateway]);
                    let attached = owners.clone().flat_map(|it| self.attaching.of(it));
                    attached.chain(owners).cloned().collect()
                }
                None => Vec::new(),
            },
            _ => match self.hosts.get(key) {
                Some(host) => host.routes.iter().flat_map(|it| self.family(it)).collect(),
                None => Vec::new(),
            },
        }
    }

    /// A route, and those that it leaves requests to.
    fn family(&self, key: &ObjectKey) -> Vec<ObjectKey> {
        let unit = self.routes.get(key);
        let children = unit.into_iter().flat_map(|it| it.rules.children.keys());
        let children = children.map(|(child, _)| child.clone());
        children.chain([key.clone()]).collect()
    }

    /// The objects whose statuses change with those, with what users wrote in the place of what they did not.
    pub(super) fn written(&self, keys: Vec<ObjectKey>) -> Vec<ObjectKey> {
        let mut written = Marks::default();
        for key in keys {
            match names::is_internal(&key) {
                true => written.extend(self.sources(&key)),
                false => written.insert(key),
            }
        }
        written.take()
    }
}

impl Translator {
    /// What of the Gateway API has to be looked at again when an object changed.
    pub(super) fn mark_front(&self, key: &ObjectKey, work: &mut Work) {
        let front = &mut work.front;
        match key.kind {
            Kind::GatewayClass => {
                let gateways = self.objects.of_kind(Kind::KubernetesGateway);
                front.gateways.extend(gateways.map(|(key, _)| key.clone()));
            }
            Kind::KubernetesGateway => {
                front.written.insert(key.clone());
                front.gateways.insert(key.clone());
            }
            Kind::ListenerSet => {
                front.written.insert(key.clone());
                front.sets.insert(key.clone());
            }
            kind if is_route(kind) => {
                front.routes.insert(key.clone());
            }
            Kind::BackendTlsPolicy => {
                front.policies.insert(key.clone());
            }
            kind if KINDS.contains(&kind) => {
                front.options.insert(key.clone());
            }
            _ => {}
        }
        let grants = (key.kind == Kind::ReferenceGrant)
            .then(|| crate::gateway_api::grants_key(&key.namespace));
        let read = grants.as_ref().unwrap_or(key);
        let mut searched = Vec::new();
        if let Some(object) = self.objects.object(key)
            && key.kind == Kind::HttpRoute
        {
            searched = delegation::searches(key, &object.labels);
        }
        let read = searched.iter().chain([read]);
        for reader in read.flat_map(|key| self.front.readers.of(key)) {
            let reader = reader.clone();
            match reader.kind {
                Kind::KubernetesGateway => front.gateways.insert(reader),
                Kind::BackendTlsPolicy => front.policies.insert(reader),
                _ => drop(front.routes.insert(reader)),
            }
        }
    }

    /// Looks at what has to be looked at.
    pub(super) fn derive_front(&mut self, work: &mut Work) {
        if work.front.is_empty() {
            return;
        }
        for key in work.front.sets.take() {
            self.derive_set(key, work);
        }
        for key in work.front.options.take() {
            self.derive_targets(key, work);
        }
        for key in work.front.gateways.take() {
            self.derive_gateway(key, work);
        }
        for key in work.front.attached.take() {
            self.derive_attached(key, work);
        }
        while !work.front.routes.is_empty() || !work.front.disputes.is_empty() {
            // One that has another form served than before has those looked at again that leave it requests.
            while let Some(key) = work.front.routes.pop_first() {
                self.derive_route(key, work);
            }
            // Those that get others than before are looked at again, too.
            for key in work.front.disputes.take() {
                self.derive_disputes(key, work);
            }
        }
        for key in work.front.policies.take() {
            self.derive_policy(key, work);
        }
        for key in work.front.ports.take() {
            self.derive_ports(&key, work);
        }
        for key in work.front.hosts.take() {
            self.derive_host_of_gateway(key, work);
        }
    }

    /// Everything anew: what was derived of objects goes away, and all of those are to be looked at.
    pub(super) fn forget_front(&mut self) -> FrontWork {
        self.objects.retain(|key| !names::is_internal(key));
        self.objects.forget_instead();
        let keys = |kind| {
            let all = self.objects.of_kind(kind);
            all.map(|(key, _)| key.clone())
        };
        FrontWork {
            options: KINDS.into_iter().flat_map(keys).collect(),
            sets: keys(Kind::ListenerSet).collect(),
            gateways: keys(Kind::KubernetesGateway).collect(),
            routes: ROUTES.into_iter().flat_map(keys).collect(),
            policies: keys(Kind::BackendTlsPolicy).collect(),
            ..FrontWork::default()
        }
    }

    /// Puts an object among the others that nobody wrote, or takes it away.
    fn put_internal(&mut self, key: &ObjectKey, spec: Option<Spec>, work: &mut Work) {
        if self.objects.spec(key) == spec.as_ref() {
            return;
        }
        match spec {
            Some(spec) => {
                let object = Object {
                    key: key.clone(),
                    labels: BTreeMap::new(),
                    metadata: None,
                    spec,
                    warnings: Vec::new(),
                };
                let entry = self.objects.entry(key);
                entry.object = Some(Arc::new(object));
            }
            None => {
                self.objects.remove(key);
            }
        }
        self.mark(key.clone(), work);
    }
}

fn is_route(kind: Kind) -> bool {
    ROUTES.contains(&kind)
}

/// Whether a route is for requests, not for connections.
fn is_of_requests(kind: Kind) -> bool {
    matches!(kind, Kind::GrpcRoute | Kind::HttpRoute)
}
