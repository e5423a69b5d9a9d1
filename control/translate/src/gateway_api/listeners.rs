//! A gateway's listeners: which can be served, and which routes may attach to them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use tenon_model::gateway_api::{
    AllowedRoutes, FromNamespaces, GROUP, GatewayAddress, KubernetesGateway, Listener,
    RouteGroupKind,
};
use tenon_model::{Kind, Object, ObjectKey, ObjectRef, Problem, Spec};

use super::listener_tls::{self, TlsForm};
use super::{Known, Reason, Seen, hostname, listener_sets};

/// What a gateway's listeners come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GatewayForm {
    /// The proxy that it is for: what Gloo's proxies say they are in `node.metadata.role`, behind the owner.
    pub(crate) proxy: String,
    /// Its own, then those of its ListenerSets, in their order.
    pub(crate) listeners: Vec<ListenerForm>,
    /// What became of the ListenerSets that name it.
    pub(crate) sets: BTreeMap<ObjectKey, Result<(), Reason>>,
    /// Where Envoy listens.
    pub(crate) address: IpAddr,
    /// What is said and has no effect.
    pub(crate) ignored: Vec<Problem>,
    /// What its `infrastructure.parametersRef` names and is not there.
    pub(crate) no_parameters: Option<Reason>,
    /// The secret of the certificate that it shows to backends, if it says one, or why there is none.
    pub(crate) client_certificate: Option<Result<ObjectRef, Reason>>,
    /// Clients need no good certificate somewhere, though they are asked for one.
    pub(crate) is_insecure: bool,
}

/// What a listener comes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListenerForm {
    /// The Gateway or ListenerSet that says it.
    pub(crate) owner: ObjectKey,
    pub(crate) name: String,
    /// The field that says it.
    pub(crate) path: String,
    /// The port that clients know.
    pub(crate) port: u16,
    /// The port that Envoy binds.
    pub(crate) bound: u16,
    pub(crate) protocol: String,
    pub(crate) hostname: Option<String>,
    /// The kinds of routes that may attach.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) allowed: AllowedRoutes,
    /// Why it cannot be served at all.
    pub(crate) refused: Option<Reason>,
    /// What it refers to and is not there.
    pub(crate) unresolved: Option<Reason>,
    /// The field that says that.
    unresolved_at: String,
    /// What others make impossible.
    pub(crate) conflict: Option<Reason>,
    /// Another one with TLS at its port, of whose hosts some are its own, too.
    pub(crate) overlap: Option<String>,
    /// TLS towards its clients.
    pub(crate) tls: TlsForm,
}

impl GatewayForm {
    /// `sets` are the ListenerSets that name it.
    pub(crate) fn new(
        key: &ObjectKey,
        gateway: &KubernetesGateway,
        sets: &[&Arc<Object>],
        known: &Seen<'_, impl Known>,
    ) -> Self {
        let of_gateway = (key, gateway);
        let mut listeners = listeners_of(key, of_gateway, &gateway.listeners, known);
        tell_conflicts(&mut listeners);
        // "At least one distinct Listener MUST be present, or else the Gateway … must be rejected from processing as a
        // whole."
        let is_accepted = listeners.iter().any(ListenerForm::is_served);
        let mut outcomes = BTreeMap::new();
        for object in listener_sets::in_order(sets) {
            let outcome = match is_accepted {
                true => listener_sets::allowed(of_gateway, &object.key, known),
                false => Err(listener_sets::without_gateway(key)),
            };
            if let (Ok(()), Spec::ListenerSet(set)) = (&outcome, &object.spec) {
                listeners.extend(listeners_of(&object.key, of_gateway, &set.listeners, known));
            }
            outcomes.insert(object.key.clone(), outcome);
        }
        listener_sets::tell_conflicts(key, &mut listeners);
        bind(&mut listeners);
        turn_away(&mut listeners);
        tell_overlaps(&mut listeners);
        Self {
            proxy: format!("{}~{}-{}", key.namespace, key.namespace, key.name),
            listeners,
            sets: outcomes,
            address: address(gateway),
            ignored: ignored(gateway),
            no_parameters: parameters(key, gateway, known).err(),
            client_certificate: listener_tls::client_certificate(key, gateway, known),
            is_insecure: listener_tls::is_insecure(gateway),
        }
    }

    /// The listeners that are served at a port that Envoy binds, with their places.
    pub(crate) fn at(&self, bound: u16) -> impl Iterator<Item = (usize, &ListenerForm)> {
        let all = self.listeners.iter().enumerate();
        all.filter(move |(_, it)| it.bound == bound && it.is_served())
    }

    /// The ports that Envoy binds.
    pub(crate) fn ports(&self) -> BTreeSet<u16> {
        let served = self.listeners.iter().filter(|it| it.is_served());
        served.map(|it| it.bound).collect()
    }

    /// The listener that a host at a port belongs to.
    pub(crate) fn owner(&self, bound: u16, host: &str) -> Option<&ListenerForm> {
        let all = self
            .at(bound)
            .map(|(index, it)| (index, it.hostname.as_deref()));
        let owner = hostname::owner(host, all)?;
        self.listeners.get(owner)
    }

    /// Whether it ends TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.listeners.iter().any(|it| it.tls.ssl.is_some())
    }

    /// The listeners of the Gateway itself or of one of its ListenerSets, with their places.
    pub(crate) fn of<'a>(
        &'a self,
        owner: &'a ObjectKey,
    ) -> impl Iterator<Item = (usize, &'a ListenerForm)> {
        let all = self.listeners.iter().enumerate();
        all.filter(move |(_, it)| it.owner == *owner)
    }

    /// What is wrong with the listeners of the Gateway itself or of one of its ListenerSets.
    pub(crate) fn problems<'a>(
        &'a self,
        owner: &'a ObjectKey,
    ) -> impl Iterator<Item = Problem> + 'a {
        self.of(owner).flat_map(|(_, it)| {
            let all = [
                (&it.path, &it.refused),
                (&it.unresolved_at, &it.unresolved),
                (&it.path, &it.conflict),
            ];
            let reasons = all.into_iter();
            let reasons = reasons.filter_map(|(at, why)| Some((at, why.as_ref()?)));
            let errors = reasons.map(|(at, why)| Problem::error(at.clone(), why.message.clone()));
            errors.chain(it.tls.problems.iter().cloned())
        })
    }

    /// What is wrong with it but for its listeners.
    pub(crate) fn own_problems(&self) -> impl Iterator<Item = Problem> + '_ {
        let parameters = self.no_parameters.iter().map(|why| {
            let field = "spec.infrastructure.parametersRef";
            Problem::error(field, why.message.clone())
        });
        let certificate = self.no_client_certificate().map(|why| {
            let field = "spec.tls.backend.clientCertificateRef";
            Problem::error(field, why.message.clone())
        });
        parameters
            .chain(certificate)
            .chain(self.ignored.iter().cloned())
    }

    /// The secret of the certificate that it shows to backends.
    pub(crate) fn client_certificate(&self) -> Option<&ObjectRef> {
        self.client_certificate.as_ref()?.as_ref().ok()
    }

    /// Why it has none to show, though it says one.
    fn no_client_certificate(&self) -> Option<&Reason> {
        self.client_certificate.as_ref()?.as_ref().err()
    }

    /// What it refers to and is not there: itself, or at some listener.
    pub(crate) fn unresolved(&self, key: &ObjectKey) -> Option<Reason> {
        let own = self.no_client_certificate().cloned();
        own.or_else(|| {
            let lacking = self.of(key).filter(|(_, it)| it.unresolved.is_some());
            let names: Vec<_> = lacking.map(|(_, it)| it.name.as_str()).collect();
            let text = format!("not resolved: {}", names.join(", "));
            (!names.is_empty()).then(|| Reason::new("ListenersNotResolved", text))
        })
    }

    /// So many of its ListenerSets have a listener that is served.
    pub(crate) fn attached_sets(&self) -> usize {
        let served = |set: &ObjectKey| self.of(set).any(|(_, it)| it.is_served());
        self.sets.keys().filter(|set| served(set)).count()
    }
}

/// Those of a Gateway or of one of its ListenerSets, each by itself.
fn listeners_of(
    owner: &ObjectKey,
    gateway: (&ObjectKey, &KubernetesGateway),
    listeners: &[Listener],
    known: &Seen<'_, impl Known>,
) -> Vec<ListenerForm> {
    let listeners = listeners.iter().enumerate();
    listeners
        .map(|(index, it)| {
            let path = format!("spec.listeners[{index}]");
            let tls = listener_tls::resolve(&path, (owner, gateway), it, known);
            ListenerForm::new(owner.clone(), path, it, tls)
        })
        .collect()
}

impl ListenerForm {
    fn new(owner: ObjectKey, path: String, listener: &Listener, mut tls: TlsForm) -> Self {
        let possible = kinds_of(&listener.protocol);
        let refused = possible.is_empty().then(|| {
            let text = format!("protocol {} is not supported", listener.protocol);
            Reason::new("UnsupportedProtocol", text)
        });
        let (kinds, unresolved) = allowed_kinds(&listener.allowed_routes, possible);
        let unresolved_at = match &unresolved {
            Some(_) => format!("{path}.allowedRoutes.kinds"),
            None => std::mem::take(&mut tls.unresolved_at),
        };
        let unresolved = unresolved.or_else(|| tls.unresolved.take());
        let refused = refused.or_else(|| tls.refused.take());
        Self {
            owner,
            name: listener.name.clone(),
            path,
            port: listener.port,
            bound: listener.port,
            protocol: listener.protocol.clone(),
            hostname: listener.hostname.clone(),
            kinds,
            allowed: listener.allowed_routes.clone(),
            refused,
            unresolved,
            unresolved_at,
            conflict: None,
            overlap: None,
            tls,
        }
    }

    /// What a port is for: HTTPS and TLS go together, as names tell them apart.
    pub(crate) fn alike(&self) -> &str {
        match self.protocol.as_str() {
            "HTTPS" => "TLS",
            other => other,
        }
    }

    fn refuse_port(&mut self, text: String) {
        let reason = Reason::new("PortUnavailable", text);
        self.refused.get_or_insert(reason);
    }

    /// Whether Envoy listens for it.
    pub(crate) fn is_served(&self) -> bool {
        self.is_accepted() && self.tls.unusable.is_none()
    }

    /// Whether it is as it may be, if something that it refers to is there.
    pub(crate) fn is_accepted(&self) -> bool {
        self.refused.is_none() && self.conflict.is_none()
    }

    /// Whether it takes routes of a namespace.
    pub(crate) fn allows(&self, namespace: &str, known: &Seen<'_, impl Known>) -> bool {
        let namespaces = &self.allowed.namespaces;
        match namespaces.from {
            FromNamespaces::All => true,
            FromNamespaces::Same => *namespace == *self.owner.namespace,
            FromNamespaces::Selector => namespaces.selector.as_ref().is_some_and(|selector| {
                let labels = known.labels_of_namespace(namespace);
                selector.matches(&labels)
            }),
        }
    }

    /// The kinds of routes that it takes, as the specification has them told.
    pub(crate) fn supported_kinds(&self) -> Vec<RouteGroupKind> {
        let kinds = self.kinds.iter();
        kinds
            .map(|kind| RouteGroupKind {
                group: GROUP.to_owned(),
                kind: kind.to_string(),
            })
            .collect()
    }
}

/// An address that only the machine of the Envoy itself has is bound. Others are those of what stands before it.
fn address(gateway: &KubernetesGateway) -> IpAddr {
    let own = gateway.addresses.iter().filter_map(of_the_machine);
    own.min().unwrap_or(Ipv6Addr::UNSPECIFIED.into())
}

fn of_the_machine(address: &GatewayAddress) -> Option<IpAddr> {
    let ip: IpAddr = address.value.as_deref()?.parse().ok()?;
    (address.kind == "IPAddress" && ip.is_loopback()).then_some(ip)
}

/// Whether there is what a gateway says how its proxy is deployed by.
fn parameters(
    key: &ObjectKey,
    gateway: &KubernetesGateway,
    known: &Seen<'_, impl Known>,
) -> Result<(), Reason> {
    let infrastructure = gateway.infrastructure.as_ref();
    let Some(named) = infrastructure.and_then(|it| it.parameters_ref.as_ref()) else {
        return Ok(());
    };
    let invalid = |text: String| Err(Reason::new("InvalidParameters", text));
    if (named.group.as_str(), named.kind.as_str()) != (PARAMETERS, "GatewayParameters") {
        return invalid(format!(
            "{} of {} has no parameters: expected a GatewayParameters of {PARAMETERS}",
            named.kind, named.group
        ));
    }
    let parameters = ObjectKey {
        kind: Kind::GatewayParameters,
        namespace: key.namespace.clone(),
        name: named.name.as_str().into(),
    };
    match known.is_there(&parameters) {
        true => Ok(()),
        false => invalid(format!("{parameters} does not exist")),
    }
}

/// The group of Gloo's parameters.
const PARAMETERS: &str = "gateway.gloo.solo.io";

/// What a gateway says and nothing comes of.
fn ignored(gateway: &KubernetesGateway) -> Vec<Problem> {
    let mut ignored = Vec::new();
    let bound = address(gateway);
    for (index, it) in gateway.addresses.iter().enumerate() {
        if of_the_machine(it) != Some(bound) {
            let text = "has no effect: an Envoy has the addresses of where it runs; only a loopback address is bound";
            let field = format!("spec.addresses[{index}]");
            ignored.push(Problem::warning(field, text));
        }
    }
    if gateway.infrastructure.is_some() {
        let text = "has no effect: what it says is for whoever deploys the Envoy";
        ignored.push(Problem::warning("spec.infrastructure", text));
    }
    if gateway.default_scope.is_some() {
        ignored.push(Problem::warning("spec.defaultScope", "has no effect yet"));
    }
    ignored
}

/// How much higher than it is a port that needs privileges is bound: as with Gloo's `TranslatePort`, if no listener has
/// that port itself.
const ABOVE: [u16; 3] = [8_000, 10_000, 20_000];

/// Gives the listeners the ports that Envoy binds, and tells of those that are not Gloo's. What the Gateway or an earlier
/// ListenerSet has stays where it is, whatever later ones ask for.
fn bind(listeners: &mut [ListenerForm]) {
    let mut taken: BTreeMap<u16, u16> = BTreeMap::new();
    for of_owner in listeners.chunk_by_mut(|a, b| a.owner == b.owner) {
        for listener in of_owner.iter_mut().filter(|it| it.port >= 1024) {
            let port = *taken.entry(listener.port).or_insert(listener.port);
            if port != listener.port {
                let text = format!("port {} is what port {port} is bound as", listener.port);
                listener.refuse_port(text);
            }
        }
        for listener in of_owner.iter_mut().filter(|it| it.port < 1024) {
            let mut possible = ABOVE.iter().map(|above| listener.port + above);
            let free = |bound: &u16| taken.get(bound).is_none_or(|port| *port == listener.port);
            let Some(bound) = possible.find(free) else {
                listener.refuse_port(format!(
                    "port {} finds no port to be bound as",
                    listener.port
                ));
                continue;
            };
            taken.insert(bound, listener.port);
            listener.bound = bound;
            let usual = listener.port + ABOVE[0];
            if bound != usual {
                let text = format!(
                    "port {} is bound as {bound}: port {usual} is one of a listener",
                    listener.port
                );
                let field = format!("{}.port", listener.path);
                listener.tls.problems.push(Problem::warning(field, text));
            }
        }
    }
}

/// Where several listeners for HTTPS share a port, each turns requests away that are for others' hosts: "to detect
/// misdirected requests, Gateways SHOULD match the authority of the requests with all the SNI hostname(s) configured across
/// all the Gateway Listeners on the same port and protocol".
fn turn_away(listeners: &mut [ListenerForm]) {
    let of_https = |it: &ListenerForm| it.is_served() && it.protocol == "HTTPS";
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for listener in listeners.iter().filter(|it| of_https(it)) {
        *counts.entry(listener.bound).or_default() += 1;
    }
    for listener in listeners.iter_mut().filter(|it| of_https(it)) {
        if let Some(ssl) = &mut listener.tls.ssl
            && counts.get(&listener.bound).is_some_and(|count| *count > 1)
        {
            Arc::make_mut(ssl).turns_away = true;
        }
    }
}

/// Tells of listeners for whose hosts there are certificates of others, too.
fn tell_overlaps(listeners: &mut [ListenerForm]) {
    let with_tls = listeners.iter().enumerate();
    let with_tls = with_tls.filter(|(_, it)| it.tls.ssl.is_some() && it.is_accepted());
    let places: BTreeMap<_, _> = with_tls
        .map(|(place, it)| ((it.bound, it.hostname.as_deref()), place))
        .collect();
    let mut found = BTreeMap::new();
    for ((port, host), place) in &places {
        for wider in host.iter().flat_map(|host| hostname::wider(host)) {
            if let Some(other) = places.get(&(*port, wider.as_deref())) {
                found.entry(*place).or_insert(*other);
                found.entry(*other).or_insert(*place);
            }
        }
    }
    for (place, other) in found {
        let other = listeners.get(other).map(|it| it.name.clone());
        if let Some(listener) = listeners.get_mut(place) {
            listener.overlap = other;
        }
    }
}

/// The name of the listener of a port in Envoy, as with Gloo.
pub(crate) fn listener_name(bound: u16) -> String {
    format!("listener~{bound}")
}

/// What a port of a gateway is known by within.
pub(crate) fn gateway_key(gateway: &ObjectKey, bound: u16) -> ObjectKey {
    ObjectKey {
        kind: Kind::Gateway,
        namespace: gateway.namespace.clone(),
        name: format!("{}~{}", gateway.name, listener_name(bound)).into(),
    }
}

/// What a host at a port of a gateway is known by within: behind the gateway's name, that of Gloo's virtual host. No host
/// has a `_`.
pub(crate) fn host_key(gateway: &ObjectKey, bound: u16, host: &str) -> ObjectKey {
    let name = listener_name(bound);
    ObjectKey {
        kind: Kind::VirtualService,
        namespace: gateway.namespace.clone(),
        name: format!("{}~{name}~{}", gateway.name, host.replace('.', "_")).into(),
    }
}

/// The kinds of routes that a protocol is for.
fn kinds_of(protocol: &str) -> &'static [Kind] {
    match protocol {
        "HTTP" | "HTTPS" => &[Kind::HttpRoute, Kind::GrpcRoute],
        "TLS" => &[Kind::TlsRoute],
        "TCP" => &[Kind::TcpRoute],
        _ => &[],
    }
}

/// The kinds that a listener takes, and whether it asks for others.
fn allowed_kinds(allowed: &AllowedRoutes, possible: &[Kind]) -> (Vec<Kind>, Option<Reason>) {
    if allowed.kinds.is_empty() {
        return (possible.to_vec(), None);
    }
    let asked = |it: &RouteGroupKind| {
        let mut possible = possible.iter().copied();
        possible.find(|kind| it.group == GROUP && it.kind == kind.to_string())
    };
    let kinds: Vec<_> = allowed.kinds.iter().filter_map(asked).collect();
    let others = allowed.kinds.iter().filter(|it| asked(it).is_none());
    let others: Vec<_> = others.map(|it| it.kind.as_str()).collect();
    let unresolved = (!others.is_empty()).then(|| {
        let text = format!("routes of kind {} cannot attach to it", others.join(", "));
        Reason::new("InvalidRouteKinds", text)
    });
    (kinds, unresolved)
}

/// Of a Gateway's own: "The implementation MUST NOT pick one conflicting Listener as the winner." HTTPS and TLS go
/// together: names tell them apart.
fn tell_conflicts(listeners: &mut [ListenerForm]) {
    let mut protocols: BTreeMap<u16, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    let mut hosts: BTreeMap<(u16, Option<&str>), usize> = BTreeMap::new();
    let is_ours = |it: &&ListenerForm| !kinds_of(&it.protocol).is_empty();
    let all: Vec<_> = listeners.iter().filter(is_ours).cloned().collect();
    for listener in &all {
        let protocol = listener.protocol.as_str();
        let of_port = protocols.entry(listener.port).or_default();
        let alike = of_port.entry(listener.alike()).or_default();
        alike.insert(protocol);
        let of_host = hosts.entry((listener.port, listener.hostname.as_deref()));
        *of_host.or_default() += 1;
    }
    // What is not served at all takes nothing from others: another protocol may be one of datagrams, too.
    for listener in listeners.iter_mut().filter(|it| is_ours(&&**it)) {
        let of_port = &protocols[&listener.port];
        let host = listener.hostname.as_deref();
        if of_port.len() > 1 {
            let names: BTreeSet<_> = of_port.values().flatten().copied().collect();
            let names: Vec<_> = names.into_iter().collect();
            let text = format!(
                "port {} is for {} at once",
                listener.port,
                names.join(" and ")
            );
            listener.conflict = Some(Reason::new("ProtocolConflict", text));
        } else if hosts[&(listener.port, host)] > 1 {
            let text = format!(
                "port {} is for {} more than once",
                listener.port,
                host.unwrap_or("any name")
            );
            listener.conflict = Some(Reason::new("HostnameConflict", text));
        }
    }
}
