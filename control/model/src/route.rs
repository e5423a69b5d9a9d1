//! Routes, and the tables that they may stand in.

use std::sync::Arc;

use tenon_model_derive::Read;

use crate::action::Action;
use crate::external_options::OptionsRefs;
use crate::matcher::{self, Matcher};
use crate::read::{Node, Read};
use crate::route_options::RouteOptions;

/// Routes that virtual services and other tables delegate to.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct RouteTable {
    /// The routes: the first that fits is taken.
    pub routes: Vec<Route>,
    /// Its place among the tables of a selector: the smallest is first.
    #[read(default)]
    pub weight: i32,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(later("graphqlApiRef"))]
pub struct Route {
    /// Its name.
    #[read(with = name)]
    pub name: Option<String>,
    /// Which requests it is for: one must fit; none: all, or all of its parent's.
    pub matchers: Vec<Matcher>,
    /// What it does with them.
    #[read(flatten)]
    pub action: Action,
    /// What it does besides.
    #[read(default = RouteOptions::none())]
    pub options: Arc<RouteOptions>,
    /// RouteOptions that say more of that.
    #[read(default)]
    pub options_config_refs: OptionsRefs,
    /// Whether headers, methods and query of its parent's matcher are its own, too; where it is left out, as its parent.
    pub inheritable_matchers: Option<bool>,
    /// Whether the path of its parent's matcher is its own; where it is left out, as its parent.
    pub inheritable_path_matchers: Option<bool>,
    /// It could not be read but for its matchers: what it does stands for nothing.
    #[read(skip)]
    pub is_broken: bool,
}

/// A route of a virtual service, which has no parent to take a path from.
pub(crate) fn read_top(node: &Node<'_>) -> Option<Route> {
    let route = Route::read(node)?;
    if !matches!(route.action, Action::Delegate(_)) {
        for (index, matcher) in route.matchers.iter().enumerate() {
            if matcher.path.is_none() {
                node.error_at(&format!("matchers[{index}]"), matcher::NO_PATH);
            }
        }
    }
    Some(route)
}

fn name(node: &Node<'_>) -> Option<String> {
    node.string().filter(|name| !name.is_empty())
}
