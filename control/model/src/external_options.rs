//! Options in resources of their own: what they say, and what they attach to. In the Edge API, routes and virtual hosts
//! refer to them; in the Gateway API, they say themselves what they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::http_listener::HttpListenerOptions;
use crate::listener_options::ListenerOptions;
use crate::read::{Fields, Node};
use crate::route_options::RouteOptions;
use crate::virtual_host_options::VirtualHostOptions;

/// Options of routes.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct RouteOption {
    /// The options. What a route says itself takes their place, one by one.
    #[read(default = RouteOptions::none())]
    pub options: Arc<RouteOptions>,
    /// The routes of the Gateway API that they attach to.
    pub target_refs: Vec<RouteTarget>,
}

/// Options of virtual hosts.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct VirtualHostOption {
    /// The options. What a virtual host says itself takes their place, one by one.
    #[read(default = VirtualHostOptions::none())]
    pub options: Arc<VirtualHostOptions>,
    /// The listeners of the Gateway API to whose virtual hosts they attach.
    pub target_refs: Vec<ListenerTarget>,
}

/// Options of listeners.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct ListenerOption {
    /// The options.
    #[read(default)]
    pub options: ListenerOptions,
    /// The listeners of the Gateway API that they attach to.
    pub target_refs: Vec<ListenerTarget>,
}

/// Options of HTTP on listeners.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct HttpListenerOption {
    /// The options.
    #[read(default)]
    pub options: HttpListenerOptions,
    /// The listeners of the Gateway API that they attach to.
    pub target_refs: Vec<ListenerTarget>,
}

/// Options that stand in resources of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct OptionsRefs {
    /// Which ones: of each option, the first that says something counts.
    pub delegate_options: Vec<ObjectRef>,
    /// Of which of them only some options count, and which, as delegation of the Gateway API has it: by their places.
    #[read(skip)]
    pub only: BTreeMap<usize, Arc<BTreeSet<String>>>,
}

/// Routes of the Gateway API.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RouteTarget {
    /// The group of their kind.
    pub group: StableGroup,
    /// Their kind.
    pub kind: RouteKind,
    /// Their name.
    #[read(with = Node::non_empty)]
    pub name: String,
    /// Their namespace, which is the one of the options.
    #[read(with = own_namespace)]
    pub namespace: Option<String>,
}

/// Listeners of the Gateway API.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = of_its_group)]
pub struct ListenerTarget {
    /// The group of the kind.
    pub group: ListenerGroup,
    /// The kind of what has the listeners.
    pub kind: ListenerKind,
    /// Its name.
    #[read(with = Node::non_empty)]
    pub name: String,
    /// Its namespace, which is the one of the options.
    #[read(with = own_namespace)]
    pub namespace: Option<String>,
    /// The name of the only listener that is meant; all of them where it is left out.
    #[read(with = section)]
    pub section_name: Option<String>,
}

/// The group of the Gateway API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum StableGroup {
    /// What is settled.
    #[read(name = "gateway.networking.k8s.io")]
    Stable,
}

/// The groups of the Gateway API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum ListenerGroup {
    /// What is settled.
    #[read(name = "gateway.networking.k8s.io")]
    Stable,
    /// What is not.
    #[read(name = "gateway.networking.x-k8s.io")]
    Experimental,
}

/// Kinds of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum RouteKind {
    /// Over HTTP.
    #[read(name = "HTTPRoute")]
    HttpRoute,
}

/// Kinds of what has listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum ListenerKind {
    /// A gateway.
    #[read(name = "Gateway")]
    Gateway,
    /// More listeners of a gateway.
    #[read(name = "ListenerSet")]
    ListenerSet,
    /// The same, before it was settled.
    #[read(name = "XListenerSet")]
    ExperimentalListenerSet,
}

impl RouteKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HttpRoute => "HTTPRoute",
        }
    }
}

impl ListenerKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::ListenerSet => "ListenerSet",
            Self::ExperimentalListenerSet => "XListenerSet",
        }
    }

    fn group(self) -> ListenerGroup {
        match self {
            Self::Gateway | Self::ListenerSet => ListenerGroup::Stable,
            Self::ExperimentalListenerSet => ListenerGroup::Experimental,
        }
    }
}

fn of_its_group(target: ListenerTarget, fields: &Fields<'_>) -> Option<ListenerTarget> {
    if target.group != target.kind.group() {
        let text = format!("{} is not of this group", target.kind.name());
        fields.error_at("group", text);
    }
    Some(target)
}

/// As in Gloo, where options of another namespace attach to nothing, without a word.
fn own_namespace(node: &Node<'_>) -> Option<String> {
    let namespace = node.text()?;
    if namespace.is_empty() || namespace == node.namespace() {
        return Some(namespace.to_owned()).filter(|it| !it.is_empty());
    }
    node.error(format!(
        "options attach within their own namespace only, which is {:?}",
        node.namespace()
    ))
}

fn section(node: &Node<'_>) -> Option<String> {
    node.string().filter(|name| !name.is_empty())
}
