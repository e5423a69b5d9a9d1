//! Which listeners a route is attached to, and for which hosts.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::gateway_api::{GROUP, ParentRef};
use tenon_model::{Kind, ObjectKey};

use super::listeners::{GatewayForm, ListenerForm, host_key};
use super::{Known, Reason, Seen, hostname, listener_sets};
use crate::keys::Keys;

/// A route, as far as it matters where it is attached.
pub(crate) struct Attaching<'a> {
    pub(crate) key: &'a ObjectKey,
    pub(crate) parents: &'a [ParentRef],
    pub(crate) hostnames: &'a [String],
}

/// What became of a route at one of those that it wants to be attached to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attachment {
    /// Its place among the route's.
    pub(crate) index: usize,
    pub(crate) parent: ParentRef,
    pub(crate) gateway: ObjectKey,
    /// The places of the listeners that would have it, whoever else they have.
    pub(crate) claimed: Box<[usize]>,
    pub(crate) outcome: Result<Attached, Reason>,
}

/// The places of listeners where hostnames of a route are those of another one.
pub(crate) type Lost = BTreeMap<usize, ObjectKey>;

/// Where a route is attached.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Attached {
    /// The places of the listeners.
    pub(crate) listeners: BTreeSet<usize>,
    /// The hosts that it is served for.
    pub(crate) hosts: Keys,
}

/// The key of the Gateway or ListenerSet that a reference names, if it is one.
pub(crate) fn parent_of(parent: &ParentRef, own_namespace: &str) -> Option<ObjectKey> {
    let kind = match (parent.group.as_str(), parent.kind.as_str()) {
        (GROUP, "Gateway") => Kind::KubernetesGateway,
        (group, kind) if listener_sets::is_set(group, kind) => Kind::ListenerSet,
        _ => return None,
    };
    Some(ObjectKey {
        kind,
        namespace: parent.namespace.as_deref().unwrap_or(own_namespace).into(),
        name: parent.name.as_str().into(),
    })
}

/// Attaches a route to the listeners that would have it of a gateway itself, or of the ListenerSet that `owner` is, but for
/// those that are `lost`.
pub(crate) fn attach(
    route: &Attaching<'_>,
    (parent, owner): (&ParentRef, &ObjectKey),
    (key, gateway): (&ObjectKey, &GatewayForm),
    lost: &Lost,
    known: &Seen<'_, impl Known>,
) -> Attachment {
    let (claimed, outcome) = match claims(route, (parent, owner), gateway, known) {
        Ok(claims) => {
            let claimed = claims.iter().map(|(index, _)| *index).collect();
            (claimed, attached(claims, (key, gateway), lost))
        }
        Err(reason) => (Box::default(), Err(reason)),
    };
    Attachment {
        index: 0,
        parent: parent.clone(),
        gateway: key.clone(),
        claimed,
        outcome,
    }
}

/// The hosts that a listener and a route are both for.
pub(crate) fn hosts_of(listener: &ListenerForm, hostnames: &[String]) -> BTreeSet<String> {
    let own = listener.hostname.as_deref();
    match hostnames {
        [] => hostname::intersection(own, None).into_iter().collect(),
        some => some
            .iter()
            .filter_map(|host| hostname::intersection(own, Some(host)))
            .collect(),
    }
}

/// The listeners that would have a route, and the hosts that both are for.
fn claims(
    route: &Attaching<'_>,
    (parent, owner): (&ParentRef, &ObjectKey),
    gateway: &GatewayForm,
    known: &Seen<'_, impl Known>,
) -> Result<Vec<(usize, BTreeSet<String>)>, Reason> {
    if let Some(Err(why)) = gateway.sets.get(owner) {
        let text = format!("no listener of {owner} is there: {}", why.message);
        return Err(Reason::new("NoMatchingParent", text));
    }
    let named: Vec<_> = gateway
        .of(owner)
        .filter(|(_, it)| {
            let of_name = parent
                .section_name
                .as_ref()
                .is_none_or(|name| *name == it.name);
            of_name && parent.port.is_none_or(|port| port == it.port)
        })
        .collect();
    if named.is_empty() {
        let of = match owner.kind {
            Kind::ListenerSet => "ListenerSet",
            _ => "gateway",
        };
        let text = format!("no listener of the {of} has that sectionName and port");
        return Err(Reason::new("NoMatchingParent", text));
    }
    let allowing: Vec<_> = named
        .into_iter()
        .filter(|(_, it)| {
            it.kinds.contains(&route.key.kind) && it.allows(&route.key.namespace, known)
        })
        .collect();
    if allowing.is_empty() {
        let text = format!(
            "no listener allows routes of kind {} from namespace {}",
            route.key.kind, route.key.namespace
        );
        return Err(Reason::new("NotAllowedByListeners", text));
    }
    let claims = allowing
        .into_iter()
        .map(|(index, listener)| (index, hosts_of(listener, route.hostnames)));
    let claims: Vec<_> = claims.filter(|(_, hosts)| !hosts.is_empty()).collect();
    match claims.is_empty() {
        true => Err(Reason::new(
            "NoMatchingListenerHostname",
            "no listener is for one of its hostnames",
        )),
        false => Ok(claims),
    }
}

fn attached(
    claims: Vec<(usize, BTreeSet<String>)>,
    (key, gateway): (&ObjectKey, &GatewayForm),
    lost: &Lost,
) -> Result<Attached, Reason> {
    let mut attached = Attached::default();
    let mut given = None;
    for (index, hosts) in claims {
        let Some(listener) = gateway.listeners.get(index) else {
            continue;
        };
        if let Some(owner) = lost.get(&index) {
            given = given.or(Some((index, owner)));
            continue;
        }
        attached.listeners.insert(index);
        if !listener.is_served() {
            continue;
        }
        // Requests belong to one listener only, whatever others are for their hosts, too.
        let others = || {
            let at = gateway.at(listener.bound);
            at.map(|(index, it)| (index, it.hostname.as_deref()))
        };
        let own = hosts
            .iter()
            .filter(|host| hostname::owner(host, others()) == Some(index));
        let keys = own.map(|host| host_key(key, listener.bound, host));
        attached.hosts.extend(keys);
    }
    match (attached.listeners.is_empty(), given) {
        (true, Some((index, owner))) => Err(Reason::new(
            "HostnameConflict",
            tell_lost(gateway, index, owner),
        )),
        _ => Ok(attached),
    }
}

/// That a listener has another route for hostnames of this one.
pub(crate) fn tell_lost(gateway: &GatewayForm, index: usize, owner: &ObjectKey) -> String {
    let listener = gateway.listeners.get(index);
    let name = listener.map_or("", |it| it.name.as_str());
    format!(
        "hostnames of it at listener {name} are those of {owner}, which is older: HTTPRoutes and GRPCRoutes do not share any"
    )
}
