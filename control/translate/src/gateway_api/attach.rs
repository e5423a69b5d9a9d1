//! Which listeners a route is attached to, and for which hosts.

use std::collections::BTreeSet;

use tenon_model::gateway_api::{GROUP, ParentRef};
use tenon_model::{Kind, ObjectKey};

use super::listeners::{GatewayForm, host_key};
use super::{Known, Reason, Seen, hostname, listener_sets};

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
    pub(crate) outcome: Result<Attached, Reason>,
}

/// Where a route is attached.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Attached {
    /// The places of the listeners.
    pub(crate) listeners: BTreeSet<usize>,
    /// The hosts that it is served for.
    pub(crate) hosts: BTreeSet<ObjectKey>,
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

/// Attaches a route to the listeners of a gateway: to its own, or to those of the ListenerSet that `owner` is.
pub(crate) fn attach(
    route: &Attaching<'_>,
    (parent, owner): (&ParentRef, &ObjectKey),
    (key, gateway): (&ObjectKey, &GatewayForm),
    known: &Seen<'_, impl Known>,
) -> Result<Attached, Reason> {
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
    let mut attached = Attached::default();
    for (index, listener) in allowing {
        let own = listener.hostname.as_deref();
        let hosts: BTreeSet<_> = match route.hostnames {
            [] => hostname::intersection(own, None).into_iter().collect(),
            some => some
                .iter()
                .filter_map(|host| hostname::intersection(own, Some(host)))
                .collect(),
        };
        if hosts.is_empty() {
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
    match attached.listeners.is_empty() {
        true => Err(Reason::new(
            "NoMatchingListenerHostname",
            "no listener is for one of its hostnames",
        )),
        false => Ok(attached),
    }
}
