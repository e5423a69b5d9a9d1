//! Gateways, their classes and their listeners.

use std::collections::BTreeMap;

use tenon_model_derive::Read;

use super::references::{FullRef, LabelSelector, LocalRef, ParentRef, SecretRef};
use super::values;
use crate::read::{Fields, Node};

/// Who serves gateways.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct GatewayClass {
    /// Its name: `solo.io/gloo-gateway` is this control plane.
    #[read(with = controller)]
    pub controller_name: String,
    /// What holds for all gateways of the class.
    pub parameters_ref: Option<FullRef>,
    /// What it is for.
    #[read(with = description)]
    pub description: Option<String>,
}

/// Where an Envoy listens, and for which routes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked)]
pub struct KubernetesGateway {
    /// The GatewayClass, which says who serves it; `gloo-gateway` is there without being written.
    #[read(with = values::object_name)]
    pub gateway_class_name: String,
    /// Where it listens.
    #[read(required)]
    pub listeners: Vec<Listener>,
    /// The addresses that it is to have. A loopback address is bound; others have no effect: where its Envoy runs is not the
    /// control plane's business.
    pub addresses: Vec<GatewayAddress>,
    /// What is said of what it is deployed as.
    pub infrastructure: Option<Infrastructure>,
    /// Which ListenerSets may add listeners.
    pub allowed_listeners: Option<AllowedListeners>,
    /// TLS of all its listeners.
    pub tls: Option<GatewayTls>,
    /// Whether routes that name no gateway are its.
    pub default_scope: Option<super::http_route::DefaultGateways>,
}

/// More listeners for a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_set)]
pub struct ListenerSet {
    /// The gateway.
    pub parent_ref: ListenerSetParent,
    /// The listeners.
    #[read(required)]
    pub listeners: Vec<Listener>,
}

/// The gateway of a set of listeners.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Read)]
pub struct ListenerSetParent {
    /// The group of its kind.
    #[read(with = values::group, default = super::references::GROUP)]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind, default = "Gateway")]
    pub kind: String,
    /// Its name.
    #[read(with = values::object_name)]
    pub name: String,
    /// Its namespace; where it is left out, the one of the set.
    #[read(with = values::namespace)]
    pub namespace: Option<String>,
}

/// Where a gateway listens.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_listener)]
pub struct Listener {
    /// Its name, by which routes may choose it.
    #[read(with = values::section)]
    pub name: String,
    /// The hosts that it is for, which may begin with `*.`; all where it is left out.
    #[read(with = values::hostname)]
    pub hostname: Option<String>,
    /// Its port. An Envoy without privileges listens at one 8000 higher if it is below 1024, as with Gloo.
    #[read(range(1, 65_535))]
    pub port: u16,
    /// What is spoken: `HTTP`, `HTTPS`, `TLS` or `TCP`.
    #[read(with = protocol)]
    pub protocol: String,
    /// TLS towards its clients.
    pub tls: Option<ListenerTls>,
    /// Which routes may attach to it.
    #[read(default)]
    pub allowed_routes: AllowedRoutes,
}

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = with_certificates)]
pub struct ListenerTls {
    /// Who ends it.
    #[read(default = TlsMode::Terminate)]
    pub mode: TlsMode,
    /// The certificates.
    pub certificate_refs: Vec<SecretRef>,
    /// What else is said of it, by names of implementations.
    pub options: BTreeMap<String, String>,
}

/// Who ends TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum TlsMode {
    /// The gateway.
    #[read(name = "Terminate")]
    Terminate,
    /// The backend.
    #[read(name = "Passthrough")]
    Passthrough,
}

/// Which routes may attach to a listener.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = few_kinds)]
pub struct AllowedRoutes {
    /// Of which namespaces.
    #[read(default)]
    pub namespaces: RouteNamespaces,
    /// Of which kinds; where it is left out, those that the protocol is for.
    pub kinds: Vec<RouteGroupKind>,
}

/// Namespaces of routes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct RouteNamespaces {
    /// Which.
    #[read(default)]
    pub from: FromNamespaces,
    /// The labels of the namespaces, with `Selector`.
    pub selector: Option<LabelSelector>,
}

/// Which namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
#[read(by_name)]
pub enum FromNamespaces {
    /// Any.
    #[read(name = "All")]
    All,
    /// Those with some labels.
    #[read(name = "Selector")]
    Selector,
    /// The gateway's own.
    #[default]
    #[read(name = "Same")]
    Same,
}

/// A kind of route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Read)]
pub struct RouteGroupKind {
    /// Its group.
    #[read(with = values::group, default = super::references::GROUP)]
    pub group: String,
    /// Its name.
    #[read(with = values::kind)]
    pub kind: String,
}

/// Which ListenerSets may add listeners to a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct AllowedListeners {
    /// Of which namespaces.
    #[read(default)]
    pub namespaces: ListenerNamespaces,
}

/// Namespaces of ListenerSets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct ListenerNamespaces {
    /// Which.
    #[read(default)]
    pub from: FromListenerNamespaces,
    /// The labels of the namespaces, with `Selector`.
    pub selector: Option<LabelSelector>,
}

/// Which namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
#[read(by_name)]
pub enum FromListenerNamespaces {
    /// Any.
    #[read(name = "All")]
    All,
    /// Those with some labels.
    #[read(name = "Selector")]
    Selector,
    /// The gateway's own.
    #[read(name = "Same")]
    Same,
    /// None.
    #[default]
    #[read(name = "None")]
    None,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Read)]
#[read(finish = checked_address)]
pub struct GatewayAddress {
    /// What it is: `IPAddress`, `Hostname`, `NamedAddress`, or a name with a domain.
    #[read(name = "type", with = address_type, default = "IPAddress")]
    pub kind: String,
    /// It.
    #[read(with = address)]
    pub value: Option<String>,
}

/// What is said of what a gateway is deployed as.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = checked_infrastructure)]
pub struct Infrastructure {
    /// Its labels.
    #[read(with = label_value)]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[read(with = annotation_value)]
    pub annotations: BTreeMap<String, String>,
    /// An object that says more: a GatewayParameters.
    pub parameters_ref: Option<LocalRef>,
}

/// TLS of all listeners of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct GatewayTls {
    /// Towards backends.
    pub backend: Option<BackendTls>,
    /// Towards clients.
    pub frontend: Option<FrontendTls>,
}

/// TLS towards backends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct BackendTls {
    /// The gateway's own certificate.
    pub client_certificate_ref: Option<SecretRef>,
}

/// TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = distinct_ports)]
pub struct FrontendTls {
    /// At all ports but those of `perPort`.
    pub default: PortTls,
    /// At some ports.
    pub per_port: Vec<TlsOfPort>,
}

/// TLS towards clients at a port.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct TlsOfPort {
    /// The port.
    #[read(range(1, 65_535))]
    pub port: u16,
    /// The TLS.
    pub tls: PortTls,
}

/// TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct PortTls {
    /// Which certificates clients have to show; none where it is left out.
    pub validation: Option<FrontendValidation>,
}

/// Which certificates clients have to show.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = few_roots)]
pub struct FrontendValidation {
    /// The roots: ConfigMaps or Secrets with `ca.crt`.
    #[read(required)]
    pub ca_certificate_refs: Vec<FullRef>,
    /// What becomes of others.
    #[read(default = ValidationMode::AllowValidOnly)]
    pub mode: ValidationMode,
}

/// What becomes of clients without a good certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum ValidationMode {
    /// They are not served.
    #[read(name = "AllowValidOnly")]
    AllowValidOnly,
    /// They are served, too.
    #[read(name = "AllowInsecureFallback")]
    AllowInsecureFallback,
}

impl From<&ListenerSetParent> for ParentRef {
    fn from(parent: &ListenerSetParent) -> Self {
        Self {
            group: parent.group.clone(),
            kind: parent.kind.clone(),
            namespace: parent.namespace.clone(),
            name: parent.name.clone(),
            section_name: None,
            port: None,
        }
    }
}

fn checked(read: KubernetesGateway, fields: &Fields<'_>) -> Option<KubernetesGateway> {
    values::at_most(fields, &[("listeners", 64), ("addresses", 16)]);
    check_listeners(&read.listeners, fields);
    for kind in ["IPAddress", "Hostname"] {
        let of_kind = read.addresses.iter().filter(|it| it.kind == kind);
        let values = of_kind.filter_map(|it| it.value.as_deref());
        values::distinct(fields, "addresses", values);
    }
    Some(read)
}

fn checked_set(read: ListenerSet, fields: &Fields<'_>) -> Option<ListenerSet> {
    values::at_most(fields, &[("listeners", 64)]);
    check_listeners(&read.listeners, fields);
    Some(read)
}

/// Names, and what connections are told apart by, must differ.
fn check_listeners(listeners: &[Listener], fields: &Fields<'_>) {
    for (index, listener) in listeners.iter().enumerate() {
        let mut earlier = listeners.iter().take(index);
        if earlier.clone().any(|it| it.name == listener.name) {
            let field = format!("listeners[{index}].name");
            let text = format!("{:?} is the name of another listener", listener.name);
            fields.error_at(&field, text);
        }
        let same = |it: &Listener| {
            (it.port, &it.protocol, &it.hostname)
                == (listener.port, &listener.protocol, &listener.hostname)
        };
        if earlier.any(same) {
            let field = format!("listeners[{index}]");
            fields.error_at(
                &field,
                "has the port, protocol and hostname of another listener",
            );
        }
    }
}

fn checked_listener(read: Listener, fields: &Fields<'_>) -> Option<Listener> {
    let protocol = read.protocol.as_str();
    let mode = read.tls.as_ref().map(|it| it.mode);
    if ["HTTP", "TCP", "UDP"].contains(&protocol) && fields.has("tls") {
        fields.error_at("tls", format!("has no place with the protocol {protocol}"));
    }
    if protocol == "HTTPS" && mode == Some(TlsMode::Passthrough) {
        fields.error_at("tls.mode", "must be Terminate with the protocol HTTPS");
    }
    // The mode has a default, so that it is there once `tls` is.
    if protocol == "TLS" && !fields.has("tls") {
        fields.error_at("tls", "is required with the protocol TLS");
    }
    if ["TCP", "UDP"].contains(&protocol) && fields.has("hostname") {
        fields.error_at(
            "hostname",
            format!("has no place with the protocol {protocol}"),
        );
    }
    Some(read)
}

fn with_certificates(read: ListenerTls, fields: &Fields<'_>) -> Option<ListenerTls> {
    values::at_most(fields, &[("certificateRefs", 64), ("options", 16)]);
    let none = fields.items("certificateRefs") == 0 && fields.items("options") == 0;
    if read.mode == TlsMode::Terminate && none {
        fields.error("needs certificateRefs (or options) with the mode Terminate");
    }
    Some(read)
}

fn few_kinds(read: AllowedRoutes, fields: &Fields<'_>) -> Option<AllowedRoutes> {
    values::at_most(fields, &[("kinds", 8)]);
    Some(read)
}

fn few_roots(read: FrontendValidation, fields: &Fields<'_>) -> Option<FrontendValidation> {
    values::at_most(fields, &[("caCertificateRefs", 8)]);
    Some(read)
}

fn distinct_ports(read: FrontendTls, fields: &Fields<'_>) -> Option<FrontendTls> {
    values::at_most(fields, &[("perPort", 64)]);
    for (index, it) in read.per_port.iter().enumerate() {
        if read
            .per_port
            .iter()
            .take(index)
            .any(|other| other.port == it.port)
        {
            let field = format!("perPort[{index}].port");
            fields.error_at(&field, format!("{} is there more than once", it.port));
        }
    }
    Some(read)
}

fn checked_infrastructure(read: Infrastructure, fields: &Fields<'_>) -> Option<Infrastructure> {
    values::at_most(fields, &[("labels", 8), ("annotations", 8)]);
    for (name, map) in [("labels", &read.labels), ("annotations", &read.annotations)] {
        if let Some(key) = map.keys().find(|key| !is_key(key)) {
            let text = format!("{key:?} is not the name of a label, as example.com/name");
            fields.error_at(name, text);
        }
    }
    Some(read)
}

/// The name of a label, with or without a domain before it.
fn is_key(key: &str) -> bool {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    domain.is_none_or(|it| it.len() < 253 && values::is_subdomain(it))
        && name.len() <= 63
        && edge(name.chars().next())
        && edge(name.chars().next_back())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn label_value(node: &Node<'_>) -> Option<String> {
    let value = values::within(node, 0, 63)?;
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let fits = edge(value.chars().next())
        && edge(value.chars().next_back())
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match fits {
        true => Some(value),
        false => node.error(format!("{value:?} is not the value of a label")),
    }
}

fn annotation_value(node: &Node<'_>) -> Option<String> {
    values::within(node, 0, 4_096)
}

fn description(node: &Node<'_>) -> Option<String> {
    values::within(node, 0, 64)
}

fn address(node: &Node<'_>) -> Option<String> {
    values::within(node, 0, 253)
}

fn checked_address(read: GatewayAddress, fields: &Fields<'_>) -> Option<GatewayAddress> {
    if let Some(value) = &read.value
        && read.kind == "Hostname"
        && !values::is_subdomain(value.strip_prefix("*.").unwrap_or(value))
    {
        fields.error_at("value", format!("{value:?} is not a hostname"));
    }
    Some(read)
}

fn address_type(node: &Node<'_>) -> Option<String> {
    let kind = node.text()?;
    match ["IPAddress", "Hostname", "NamedAddress"].contains(&kind) || is_path_of_domain(kind) {
        true => Some(kind.to_owned()),
        false => node.error(format!(
            "{kind:?} is not one of IPAddress, Hostname, NamedAddress and example.com/type"
        )),
    }
}

fn controller(node: &Node<'_>) -> Option<String> {
    let name = node.text()?;
    match is_path_of_domain(name) {
        true => Some(name.to_owned()),
        false => node.error(format!(
            "{name:?} is not the name of a controller, as solo.io/gloo-gateway"
        )),
    }
}

/// A domain, and a path below it.
fn is_path_of_domain(text: &str) -> bool {
    let path = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    text.len() <= 253
        && text.split_once('/').is_some_and(|(domain, rest)| {
            values::is_subdomain(domain) && !rest.is_empty() && rest.chars().all(path)
        })
}

fn protocol(node: &Node<'_>) -> Option<String> {
    let protocol = values::within(node, 1, 255)?;
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let of_domain = |text: &str| {
        text.split_once('/').is_some_and(|(domain, rest)| {
            values::is_subdomain(domain)
                && !rest.is_empty()
                && rest.chars().all(|c| c.is_ascii_alphanumeric())
        })
    };
    match plain(&protocol) || of_domain(&protocol) {
        true => Some(protocol),
        false => node.error(format!(
            "{protocol:?} is not a protocol, as HTTP or example.com/protocol"
        )),
    }
}
