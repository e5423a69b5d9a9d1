//! The front door of the Gateway API: keeps what its objects come to up to date, and puts it among the objects of the Edge
//! API ([`crate::gateway_api`] has what that is). A change derives the routes that depend on it, and the hosts that they
//! are served for; the rest of the engine sees only what came out otherwise than before.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use tenon_model::gateway_api::{ParentRef, ReferenceGrant, StreamRule};
use tenon_model::{
    INTERNAL, Kind, Object, ObjectKey, Problem, Spec, SslConfig, VirtualHostOptions, VirtualService,
};

use super::{Objects, Translator, Work};
use crate::gateway_api::attach::{self, Attaching, Attachment};
use crate::gateway_api::conditions::CONTROLLER;
use crate::gateway_api::delegation::{self, World};
use crate::gateway_api::grpc_route;
use crate::gateway_api::http_route::{self, Compiled, Rules};
use crate::gateway_api::listeners::{GatewayForm, host_key};
use crate::gateway_api::options::KINDS;
use crate::gateway_api::overrides::problems_of_overrides;
use crate::gateway_api::stream_route::{self, Stream};
use crate::gateway_api::{Known, Seen, hostname};
use crate::keys::Keys;
use crate::names;

mod disputes;
mod forms;
mod held;
mod labels;
mod options;
mod policies;
mod ports;
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
    /// Whose gateway of the Edge API is whose.
    ports: BTreeMap<ObjectKey, ObjectKey>,
    /// Which routes forward the connections of a gateway's hosts.
    streams: BTreeMap<ObjectKey, BTreeMap<ObjectKey, ObjectKey>>,
    routes: BTreeMap<ObjectKey, RouteUnit>,
    /// The routes that want to be attached to something.
    by_parent: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// Whose requests are left to a route.
    by_child: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// What gateways looked at.
    reads_of_gateways: BTreeMap<ObjectKey, Keys>,
    /// Which gateways and routes looked at something.
    readers: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// The hosts that are served, by what they are known by within.
    hosts: BTreeMap<ObjectKey, Host>,
    attaching: options::Attaching,
    disputes: disputes::Disputes,
    policies: policies::Policies,
    forms: forms::Forms,
}

/// A route, and what it comes to.
#[derive(Default)]
struct RouteUnit {
    /// The form that is served.
    served: Option<Arc<Object>>,
    reads: Keys,
    parents: BTreeSet<ObjectKey>,
    claimant: disputes::Claimant,
    attachments: Vec<Attachment>,
    hosts: BTreeSet<ObjectKey>,
    rules: Rules,
    /// Where its connections go, if it is not for requests.
    stream: Option<Stream>,
    /// What is wrong with what it wants to be attached to.
    problems: Vec<Problem>,
}

/// A host at a port of a gateway.
#[derive(Default)]
struct Host {
    domain: String,
    /// Whose routes it has.
    routes: BTreeSet<ObjectKey>,
    /// It is there without routes, too: its requests belong to a listener, and not to one that is for more hosts.
    stands: bool,
}

impl Host {
    fn domain(&self, key: &ObjectKey) -> String {
        match self.domain.is_empty() {
            true => domain_of(key),
            false => self.domain.clone(),
        }
    }
}

/// What has to be looked at.
#[derive(Default)]
pub(super) struct FrontWork {
    /// Options that say themselves what they attach to.
    options: BTreeSet<ObjectKey>,
    pub(super) gateways: BTreeSet<ObjectKey>,
    pub(super) routes: BTreeSet<ObjectKey>,
    /// What options of listeners and hosts attach to.
    attached: BTreeSet<ObjectKey>,
    hosts: BTreeSet<ObjectKey>,
    /// The gateways whose hostnames may be other routes' now.
    disputes: BTreeSet<ObjectKey>,
    policies: BTreeSet<ObjectKey>,
    /// The gateways whose ports are to be put.
    ports: BTreeSet<ObjectKey>,
    judging: forms::Judging,
}

impl FrontWork {
    fn is_empty(&self) -> bool {
        let all = [
            &self.options,
            &self.gateways,
            &self.attached,
            &self.routes,
            &self.disputes,
            &self.policies,
            &self.ports,
            &self.hosts,
        ];
        all.into_iter().all(BTreeSet::is_empty)
    }
}

impl Front {
    /// What is kept when everything is derived anew.
    pub(super) fn only_last_good(self) -> Self {
        Self {
            forms: self.forms.only_last_good(),
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
                    let attached = self.attaching.of(gateway);
                    attached.chain([gateway]).cloned().collect()
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
    pub(super) fn written(&self, keys: BTreeSet<ObjectKey>) -> BTreeSet<ObjectKey> {
        let mut written = BTreeSet::new();
        for key in keys {
            match names::is_internal(&key) {
                true => written.extend(self.sources(&key)),
                false => {
                    written.insert(key);
                }
            }
        }
        written
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
                front.gateways.insert(key.clone());
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
        let grants = crate::gateway_api::grants_key(&key.namespace);
        let read = match key.kind {
            Kind::ReferenceGrant => &grants,
            _ => key,
        };
        let mut searched = Vec::new();
        if let Some(object) = self.objects.object(key)
            && key.kind == Kind::HttpRoute
        {
            searched = delegation::searches(key, &object.labels);
        }
        let read = searched.iter().chain([read]);
        let readers = read.filter_map(|key| self.front.readers.get(key));
        for reader in readers.flatten() {
            let readers = match reader.kind {
                Kind::KubernetesGateway => &mut front.gateways,
                Kind::BackendTlsPolicy => &mut front.policies,
                _ => &mut front.routes,
            };
            readers.insert(reader.clone());
        }
    }

    /// Looks at what has to be looked at.
    pub(super) fn derive_front(&mut self, work: &mut Work) {
        if work.front.is_empty() {
            return;
        }
        for key in mem::take(&mut work.front.options) {
            self.derive_targets(key, work);
        }
        for key in mem::take(&mut work.front.gateways) {
            self.derive_gateway(key, work);
        }
        for key in mem::take(&mut work.front.attached) {
            self.derive_attached(key, work);
        }
        while !work.front.routes.is_empty() || !work.front.disputes.is_empty() {
            // One that has another form served than before has those looked at again that leave it requests.
            while let Some(key) = work.front.routes.pop_first() {
                self.derive_route(key, work);
            }
            // Those that get others than before are looked at again, too.
            for key in mem::take(&mut work.front.disputes) {
                self.derive_disputes(key, work);
            }
        }
        for key in mem::take(&mut work.front.policies) {
            self.derive_policy(key, work);
        }
        for key in mem::take(&mut work.front.ports) {
            self.derive_ports(&key, work);
        }
        for key in mem::take(&mut work.front.hosts) {
            self.derive_host_of_gateway(key, work);
        }
    }

    /// Everything anew: what was derived of objects goes away, and all of those are to be looked at.
    pub(super) fn forget_front(&mut self) -> FrontWork {
        self.objects.0.retain(|key, _| !names::is_internal(key));
        for entry in self.objects.0.values_mut() {
            entry.instead = None;
        }
        let keys = |kind| {
            let all = self.objects.of_kind(kind);
            all.map(|(key, _)| key.clone())
        };
        FrontWork {
            options: KINDS.into_iter().flat_map(keys).collect(),
            gateways: keys(Kind::KubernetesGateway).collect(),
            routes: ROUTES.into_iter().flat_map(keys).collect(),
            policies: keys(Kind::BackendTlsPolicy).collect(),
            ..FrontWork::default()
        }
    }

    fn derive_gateway(&mut self, key: ObjectKey, work: &mut Work) {
        work.statuses.insert(key.clone());
        work.statuses.extend(self.front.attaching.of(&key).cloned());
        let mut reads = Keys::default();
        let new = match self.objects.spec(&key) {
            Some(Spec::KubernetesGateway(gateway)) if self.is_ours(&gateway.gateway_class_name) => {
                let known = Seen::new(&self.objects);
                let form = GatewayForm::new(&key, gateway, &known);
                reads = known.into_reads().into();
                Some(Arc::new(form))
            }
            _ => None,
        };
        let before = self
            .front
            .reads_of_gateways
            .remove(&key)
            .unwrap_or_default();
        super::reindex(&mut self.front.readers, &key, &before, &reads);
        if new.is_some() {
            self.front.reads_of_gateways.insert(key.clone(), reads);
        }
        let old = self.front.gateways.get(&key).cloned();
        if old == new && new.is_some() {
            return;
        }
        // Routes tell why a gateway is none of theirs, too.
        let routes = self.front.by_parent.get(&key).into_iter().flatten();
        work.front.routes.extend(routes.cloned());
        if old == new {
            return;
        }
        work.front.disputes.insert(key.clone());
        // Its listeners are there with what is attached to them.
        work.front.attached.insert(key.clone());
        self.set_standing(&key, (old.as_deref(), new.as_deref()), work);
        if [&old, &new].into_iter().flatten().any(|it| it.has_tls()) {
            self.mark_hosts_of(&key, work);
        }
        // Without any there may be the default one.
        work.listeners = true;
        match new {
            Some(new) => self.front.gateways.insert(key.clone(), new),
            None => self.front.gateways.remove(&key),
        };
    }

    fn is_ours(&self, class: &str) -> bool {
        let key = ObjectKey {
            kind: Kind::GatewayClass,
            namespace: "".into(),
            name: class.into(),
        };
        match self.objects.spec(&key) {
            Some(Spec::GatewayClass(it)) => {
                it.controller_name == CONTROLLER && class != DISTRIBUTED
            }
            _ => class == CLASS,
        }
    }

    /// Where several listeners share a port, what one is for is not another's, whether it has routes or not.
    fn set_standing(
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
    fn mark_hosts_of(&self, gateway: &ObjectKey, work: &mut Work) {
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

    fn derive_route(&mut self, key: ObjectKey, work: &mut Work) {
        work.statuses.insert(key.clone());
        work.statuses.extend(self.front.attaching.of(&key).cloned());
        let instead = |translator: &Self| {
            let entry = translator.objects.0.get(&key);
            entry.and_then(|entry| entry.instead.clone())
        };
        let before = instead(self);
        let new = self.choose_form(&key, work);
        if instead(self) != before {
            self.mark_front(&key, work);
            work.front.routes.remove(&key);
        }
        let old = self.front.routes.remove(&key).unwrap_or_default();
        // Policies tell at which gateways they count.
        for read in old.reads.iter().chain(new.reads.iter()) {
            work.statuses.extend(self.front.policies.of(read).cloned());
        }
        // Those tell whether routes refer to them.
        let referred = old.reads.symmetric_difference(&new.reads);
        let referred = referred.filter(|it| REFERRED.contains(&it.kind));
        work.statuses.extend(referred.cloned());
        let front = &mut self.front;
        super::reindex(&mut front.readers, &key, &old.reads, &new.reads);
        let parents = |unit: &RouteUnit| Keys::from(unit.parents.clone());
        super::reindex(&mut front.by_parent, &key, &parents(&old), &parents(&new));
        let children = |unit: &RouteUnit| {
            let children = unit.rules.children.keys();
            let children: BTreeSet<_> = children.map(|(child, _)| child.clone()).collect();
            Keys::from(children)
        };
        let (before, after) = (children(&old), children(&new));
        super::reindex(&mut front.by_child, &key, &before, &after);
        work.statuses.extend(before.with(after));
        if old.claims().ne(new.claims()) || old.claimant != new.claimant {
            let parents = old.parents.iter().chain(&new.parents);
            work.front.disputes.extend(parents.cloned());
        }
        if old.attachments != new.attachments {
            // Gateways tell how many routes they have.
            let parents = old.parents.iter().chain(&new.parents);
            work.statuses.extend(parents.cloned());
        }
        if old.stream != new.stream || new.stream.is_some() && old.attachments != new.attachments {
            let parents = old.parents.iter().chain(&new.parents);
            work.front.ports.extend(parents.cloned());
        }
        for host in old.hosts.difference(&new.hosts) {
            if let Some(entry) = front.hosts.get_mut(host) {
                entry.routes.remove(&key);
            }
            work.front.hosts.insert(host.clone());
        }
        for host in &new.hosts {
            let entry = front.hosts.entry(host.clone()).or_default();
            let is_new = entry.routes.insert(key.clone());
            if is_new || new.rules.by_listener || old.rules.routes != new.rules.routes {
                work.front.hosts.insert(host.clone());
            }
        }
        if self.objects.object(&key).is_some() {
            self.front.routes.insert(key, new);
        }
    }

    /// What a route comes to that is for connections.
    fn stream_unit(
        &self,
        key: &ObjectKey,
        object: &Object,
        (parents, hostnames, rules): (&[ParentRef], &[String], &[StreamRule]),
    ) -> RouteUnit {
        let known = Seen::new(&self.objects);
        let attaching = Attaching {
            key,
            parents,
            hostnames,
        };
        let mut unit = self.attach(&attaching, &known);
        // Requests of none of them have routes.
        unit.hosts.clear();
        (unit.stream, unit.rules) = stream_route::compile(key, object, rules, &known);
        unit.reads = known.into_reads().into();
        unit
    }

    fn route_unit(&self, key: &ObjectKey) -> Option<RouteUnit> {
        let object = self.objects.object(key)?;
        let (parents, hostnames) = match &object.spec {
            Spec::HttpRoute(route) => (&route.parent_refs, &route.hostnames),
            Spec::GrpcRoute(route) => (&route.parent_refs, &route.hostnames),
            Spec::TlsRoute(route) => {
                let of = (&*route.parent_refs, &*route.hostnames, &*route.rules);
                return Some(self.stream_unit(key, object, of));
            }
            Spec::TcpRoute(route) => {
                let of = (&*route.parent_refs, &[][..], &*route.rules);
                return Some(self.stream_unit(key, object, of));
            }
            _ => return None,
        };
        let known = Seen::new(&self.objects);
        let attaching = Attaching {
            key,
            parents,
            hostnames,
        };
        let mut unit = self.attach(&attaching, &known);
        unit.claimant = disputes::Claimant::new(key, object, hostnames);
        // What is served nowhere need not be looked at further, but for what is to be told of it.
        let options = |route: &ObjectKey| self.options_of_route(route);
        unit.rules = match &object.spec {
            Spec::HttpRoute(route) => {
                unit.problems.extend(problems_of_overrides(object));
                let world = World {
                    known: &known,
                    options,
                };
                world.compile(key, object, route)
            }
            Spec::GrpcRoute(route) => {
                let mut rules = grpc_route::compile(key, object, route, &known);
                rules.attach(&options(key));
                rules
            }
            _ => Rules::default(),
        };
        unit.reads = known.into_reads().into();
        Some(unit)
    }

    fn attach(&self, route: &Attaching<'_>, known: &Seen<'_, Objects>) -> RouteUnit {
        let mut unit = RouteUnit::default();
        for (index, parent) in route.parents.iter().enumerate() {
            if delegation::is_route(parent) {
                // Whether that leaves it requests is for its status.
                continue;
            }
            let field = format!("spec.parentRefs[{index}]");
            let Some(gateway) = attach::gateway_of(parent, &route.key.namespace) else {
                let text = format!("routes are not attached to a {}", parent.kind);
                unit.problems.push(Problem::warning(field, text));
                continue;
            };
            unit.parents.insert(gateway.clone());
            let Some(form) = self.front.gateways.get(&gateway) else {
                let text = self.why_no_gateway(&gateway);
                unit.problems.push(Problem::warning(field, text));
                continue;
            };
            let lost = self.front.disputes.lost(&gateway, route.key);
            let attachment = attach::attach(route, parent, (&gateway, form), lost, known);
            match &attachment.outcome {
                Ok(attached) => {
                    unit.hosts.extend(attached.hosts.iter().cloned());
                    let lost = lost
                        .iter()
                        .filter(|(it, _)| attachment.claimed.contains(it));
                    unit.problems.extend(lost.map(|(listener, owner)| {
                        let text = attach::tell_lost(form, *listener, owner);
                        Problem::warning(field.clone(), text)
                    }));
                }
                Err(reason) => unit
                    .problems
                    .push(Problem::error(field, reason.message.clone())),
            }
            unit.attachments.push(Attachment {
                index,
                ..attachment
            });
        }
        unit
    }

    fn why_no_gateway(&self, gateway: &ObjectKey) -> String {
        match (
            self.objects.spec(gateway),
            self.objects.0.contains_key(gateway),
        ) {
            (Some(_), _) => format!("{gateway} is not served by this control plane"),
            (None, true) => format!("{gateway} is rejected; its status says why"),
            (None, false) => format!("{gateway} does not exist"),
        }
    }

    /// Puts the routes for a host in their order.
    fn derive_host_of_gateway(&mut self, key: ObjectKey, work: &mut Work) {
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
    fn compiled(&self, host: &ObjectKey) -> impl Iterator<Item = (&ObjectKey, &Compiled)> {
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
                let entry = self.objects.0.entry(key.clone()).or_default();
                entry.object = Some(Arc::new(object));
            }
            None => {
                self.objects.0.remove(key);
            }
        }
        self.mark(key.clone(), work);
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

fn is_route(kind: Kind) -> bool {
    ROUTES.contains(&kind)
}

/// Whether a route is for requests, not for connections.
fn is_of_requests(kind: Kind) -> bool {
    matches!(kind, Kind::GrpcRoute | Kind::HttpRoute)
}

/// The domain of a host, which is what its name ends with.
fn domain_of(key: &ObjectKey) -> String {
    let name = key.name.rsplit('~').next().unwrap_or(hostname::ANY);
    name.replace('_', ".")
}

impl Known for Objects {
    fn object(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        Objects::object(self, key)
    }

    fn routes(&self, namespace: Option<&str>, label: Option<&str>) -> Vec<&Arc<Object>> {
        if let Some(label) = label {
            let keys = self.1.of(label, namespace);
            return keys.filter_map(|key| self.object(key)).collect();
        }
        let first = ObjectKey {
            kind: Kind::HttpRoute,
            namespace: namespace.unwrap_or_default().into(),
            name: "".into(),
        };
        let routes = self.0.range(first..).take_while(|(key, _)| {
            key.kind == Kind::HttpRoute && namespace.is_none_or(|it| *key.namespace == *it)
        });
        routes.filter_map(|(_, entry)| entry.served()).collect()
    }

    fn spec(&self, key: &ObjectKey) -> Option<&Spec> {
        self.object(key).map(|object| &object.spec)
    }

    fn is_there(&self, key: &ObjectKey) -> bool {
        self.0.contains_key(key)
    }

    fn labels(&self, key: &ObjectKey) -> Option<&BTreeMap<String, String>> {
        self.object(key).map(|object| &object.labels)
    }

    fn grants(&self, namespace: &str) -> Vec<&ReferenceGrant> {
        let first = crate::gateway_api::grants_key(namespace);
        let own = self.0.range(first..).take_while(|(key, _)| {
            key.kind == Kind::ReferenceGrant && *key.namespace == *namespace
        });
        let specs = own.filter_map(|(_, entry)| Some(&entry.object.as_ref()?.spec));
        let grants = specs.filter_map(|spec| match spec {
            Spec::ReferenceGrant(grant) => Some(&**grant),
            _ => None,
        });
        grants.collect()
    }
}
