//! ListenerSets: which may add listeners to a Gateway, in which order, and which of those give way to others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::gateway_api::{
    FromListenerNamespaces, GROUP, KubernetesGateway, ListenerSet, ParentRef,
};
use tenon_model::{Kind, Object, ObjectKey};

use super::listeners::ListenerForm;
use super::precedence::RouteOrder;
use super::{Known, Reason, Seen};

/// The group of ListenerSets before they were settled.
const EXPERIMENTAL: &str = "gateway.networking.x-k8s.io";

/// The Gateway that a ListenerSet names, if it is one.
pub(crate) fn gateway_of(key: &ObjectKey, set: &ListenerSet) -> Option<ObjectKey> {
    super::attach::parent_of(&ParentRef::from(&set.parent_ref), &key.namespace)
        .filter(|it| it.kind == Kind::KubernetesGateway)
}

/// Whether a group and a kind are those of a ListenerSet.
pub(crate) fn is_set(group: &str, kind: &str) -> bool {
    [(GROUP, "ListenerSet"), (EXPERIMENTAL, "XListenerSet")].contains(&(group, kind))
}

/// "ListenerSet ordered by creation time (oldest first)", then "alphabetically by `{namespace}/{name}`".
pub(crate) fn in_order<'a>(sets: &[&'a Arc<Object>]) -> Vec<&'a Arc<Object>> {
    let mut sets = sets.to_vec();
    sets.sort_by_cached_key(|set| RouteOrder::of(&set.key, set));
    sets
}

/// Whether a Gateway takes listeners of a ListenerSet.
pub(crate) fn allowed(
    (key, gateway): (&ObjectKey, &KubernetesGateway),
    set: &ObjectKey,
    known: &Seen<'_, impl Known>,
) -> Result<(), Reason> {
    let namespaces = gateway.allowed_listeners.as_ref().map(|it| &it.namespaces);
    let is_allowed = namespaces.is_some_and(|namespaces| match namespaces.from {
        FromListenerNamespaces::All => true,
        FromListenerNamespaces::Same => set.namespace == key.namespace,
        FromListenerNamespaces::None => false,
        FromListenerNamespaces::Selector => namespaces.selector.as_ref().is_some_and(|selector| {
            let labels = known.labels_of_namespace(&set.namespace);
            selector.matches(&labels)
        }),
    });
    match is_allowed {
        true => Ok(()),
        false => {
            let text = format!(
                "{key} allows no ListenerSets of namespace {} (spec.allowedListeners)",
                set.namespace
            );
            Err(Reason::new("NotAllowed", text))
        }
    }
}

/// What becomes of the ListenerSets of a Gateway that is not served.
pub(crate) fn without_gateway(gateway: &ObjectKey) -> Reason {
    let text = format!("{gateway} has no listener of its own that is served");
    Reason::new("ParentNotAccepted", text)
}

/// Of listeners of ListenerSets: "the first Listener in the precedence list MUST be accepted", and those behind it that
/// cannot be told from it are not. Nothing is said of whose that one is: it need not be known to those of the other.
pub(crate) fn tell_conflicts(gateway: &ObjectKey, listeners: &mut [ListenerForm]) {
    let mut protocols: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    let mut hosts: BTreeSet<(u16, Option<String>)> = BTreeSet::new();
    for listener in listeners {
        let of_port = protocols.entry(listener.port).or_default();
        let host = (listener.port, listener.hostname.clone());
        let is_own = listener.owner == *gateway;
        if !is_own && of_port.iter().any(|it| it != listener.alike()) {
            let text = format!(
                "port {} is for another protocol than {} already",
                listener.port, listener.protocol
            );
            listener.conflict = Some(Reason::new("ProtocolConflict", text));
        } else if !is_own && hosts.contains(&host) {
            let text = format!(
                "port {} is for {} already",
                listener.port,
                listener.hostname.as_deref().unwrap_or("any name")
            );
            listener.conflict = Some(Reason::new("HostnameConflict", text));
        } else if is_own || listener.refused.is_none() {
            // A Gateway's own have what they want, even those of which none gets it.
            of_port.insert(listener.alike().to_owned());
            hosts.insert(host);
        }
    }
}
