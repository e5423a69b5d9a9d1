//! Options that say themselves what they attach to, and which of several count: those of what is more specific first, then
//! the oldest, then the first by name, as with Gloo.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenon_model::{
    Kind, ListenerKind, ListenerTarget, Merge, Object, ObjectKey, ObjectRef, Spec,
    VirtualHostOptions,
};

use super::listeners::{GatewayForm, ListenerForm};
use super::precedence::RouteOrder;

/// The kinds of options.
pub(crate) const KINDS: [Kind; 4] = [
    Kind::RouteOption,
    Kind::VirtualHostOption,
    Kind::ListenerOption,
    Kind::HttpListenerOption,
];

/// Something that options attach to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) key: ObjectKey,
    /// The name of the only listener that is meant.
    pub(crate) section: Option<String>,
}

/// What options attach to, in their order: within their own namespace only.
pub(crate) fn targets(key: &ObjectKey, spec: &Spec) -> Vec<Target> {
    let of_listeners = |targets: &[ListenerTarget]| {
        let targets = targets.iter().map(|target| Target {
            key: beside(key, kind_of(target.kind), &target.name),
            section: target.section_name.clone(),
        });
        targets.collect()
    };
    match spec {
        Spec::RouteOption(option) => {
            let targets = option.target_refs.iter().map(|target| Target {
                key: beside(key, Kind::HttpRoute, &target.name),
                section: None,
            });
            targets.collect()
        }
        Spec::VirtualHostOption(option) => of_listeners(&option.target_refs),
        Spec::ListenerOption(option) => of_listeners(&option.target_refs),
        Spec::HttpListenerOption(option) => of_listeners(&option.target_refs),
        _ => Vec::new(),
    }
}

fn beside(key: &ObjectKey, kind: Kind, name: &str) -> ObjectKey {
    ObjectKey {
        kind,
        namespace: key.namespace.clone(),
        name: name.into(),
    }
}

fn kind_of(kind: ListenerKind) -> Kind {
    match kind {
        ListenerKind::Gateway => Kind::KubernetesGateway,
        ListenerKind::ListenerSet | ListenerKind::ExperimentalListenerSet => Kind::ListenerSet,
    }
}

/// Options of one kind, the oldest first.
pub(crate) fn by_age<'a>(options: impl Iterator<Item = &'a Arc<Object>>) -> Vec<&'a Arc<Object>> {
    let mut options: Vec<_> = options.collect();
    options.sort_by_cached_key(|object| RouteOrder::of(&object.key, object));
    options
}

/// What is attached to a gateway's listeners.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Attached {
    /// Of each listener, the VirtualHostOptions, in the order in which they count.
    pub(crate) of_hosts: Vec<Vec<ObjectRef>>,
    /// Of each port that Envoy binds, the ListenerOption and the HttpListenerOption that count.
    pub(crate) of_ports: BTreeMap<u16, OfPort>,
    /// Which listeners, by their places, have not what they are to have of options, and why.
    pub(crate) lost: BTreeMap<ObjectKey, BTreeMap<usize, String>>,
}

/// What is attached to a port: one of each kind, as with Gloo.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct OfPort {
    pub(crate) listener: Option<ObjectKey>,
    pub(crate) http: Option<ObjectKey>,
}

impl Attached {
    /// `options` are all that name the gateway or what belongs to it, the oldest first.
    pub(crate) fn new(key: &ObjectKey, form: &GatewayForm, options: &[&Arc<Object>]) -> Self {
        let mut attached = Self::default();
        for (index, listener) in form.listeners.iter().enumerate() {
            attached.add_of_hosts(key, (index, listener), options);
        }
        for port in form.ports() {
            let of_port = OfPort {
                listener: attached.first((key, form), port, Kind::ListenerOption, options),
                http: attached.first((key, form), port, Kind::HttpListenerOption, options),
            };
            attached.of_ports.insert(port, of_port);
        }
        attached
    }

    /// Those that say something that none before them says count together.
    fn add_of_hosts(
        &mut self,
        key: &ObjectKey,
        (index, listener): (usize, &ListenerForm),
        options: &[&Arc<Object>],
    ) {
        let mut said = VirtualHostOptions::default();
        let mut used: Vec<ObjectRef> = Vec::new();
        for (_, object) in ranked(key, listener, Kind::VirtualHostOption, options) {
            let Spec::VirtualHostOption(option) = &object.spec else {
                continue;
            };
            let more = said.or(&option.options);
            if more == said && !used.is_empty() {
                self.lose(object, key, (index, listener), &used);
            } else {
                used.push(reference(&object.key));
            }
            said = more;
        }
        self.of_hosts.push(used);
    }

    /// The one that counts at a port, whose listeners are one in Envoy: of those of its own listeners the most specific,
    /// whatever the ListenerSets say that share the port; of several of those, the first that says something.
    fn first(
        &mut self,
        (key, form): (&ObjectKey, &GatewayForm),
        port: u16,
        kind: Kind,
        options: &[&Arc<Object>],
    ) -> Option<ObjectKey> {
        let of_listeners = form.at(port).map(|(index, listener)| {
            let ranked = ranked(key, listener, kind, options);
            (index, listener, ranked)
        });
        let of_listeners: Vec<_> = of_listeners.collect();
        let speaking = of_listeners.iter().find(|(_, _, it)| !it.is_empty());
        let owner = speaking.map(|(_, listener, _)| &listener.owner)?;
        let all = of_listeners
            .iter()
            .filter(|(_, listener, _)| listener.owner == *owner);
        let all = all.flat_map(|(_, _, ranked)| ranked);
        let (_, first) = all.min_by_key(|(rank, object)| {
            let order = RouteOrder::of(&object.key, object);
            (*rank, order)
        })?;
        let first = first.key.clone();
        for (index, listener, ranked) in &of_listeners {
            for (_, object) in ranked.iter().filter(|(_, object)| object.key != first) {
                self.lose(object, key, (*index, listener), &[reference(&first)]);
            }
        }
        Some(first)
    }

    /// In Gloo's words.
    fn lose(
        &mut self,
        object: &Object,
        gateway: &ObjectKey,
        (index, listener): (usize, &ListenerForm),
        used: &[ObjectRef],
    ) {
        let used: Vec<_> = used.iter().map(ToString::to_string).collect();
        let text = format!(
            "not attached to listener '{}' on Gateway '{}' due to conflict with more specific or older {}s '{}'",
            listener.name,
            reference(gateway),
            object.key.kind,
            used.join(", ")
        );
        let lost = self.lost.entry(object.key.clone()).or_default();
        lost.insert(index, text);
    }
}

/// How specific a target is: what is less comes first.
type Rank = u8;

/// Those of a kind that attach to a listener, in the order in which they count.
fn ranked<'a>(
    gateway: &ObjectKey,
    listener: &ListenerForm,
    kind: Kind,
    options: &[&'a Arc<Object>],
) -> Vec<(Rank, &'a Arc<Object>)> {
    let of_kind = options.iter().filter(|object| object.key.kind == kind);
    let mut ranked: Vec<_> = of_kind
        .filter_map(|object| {
            let targets = targets(&object.key, &object.spec);
            let ranks = targets.iter().filter_map(|it| rank(gateway, listener, it));
            Some((ranks.min()?, *object))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked
}

fn rank(gateway: &ObjectKey, listener: &ListenerForm, target: &Target) -> Option<Rank> {
    let named = match &target.section {
        Some(section) if *section == listener.name => true,
        Some(_) => return None,
        None => false,
    };
    let is_own = listener.owner == *gateway;
    match (target.key == listener.owner, named) {
        (true, true) if !is_own => Some(0),
        (true, false) if !is_own => Some(1),
        (true, true) => Some(2),
        // What is said of the whole Gateway is said of its ListenerSets, too.
        (_, false) if target.key == *gateway => Some(3),
        _ => None,
    }
}

fn reference(key: &ObjectKey) -> ObjectRef {
    ObjectRef {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}
