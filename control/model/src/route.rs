//! Routes, and the tables that they may stand in.

use crate::action::{self, Action};
use crate::matcher::{self, Matcher};
use crate::read::{Fields, Node, Read};
use crate::route_options::RouteOptions;

/// Routes that virtual services and other tables delegate to.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteTable {
    /// The routes: the first that fits is taken.
    pub routes: Vec<Route>,
    /// Its place among the tables of a selector: the smallest is first.
    pub weight: i32,
}

/// A route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name.
    pub name: Option<String>,
    /// Which requests it is for: one must fit; empty: all, or all of its parent's.
    pub matchers: Vec<Matcher>,
    /// What it does with them.
    pub action: Action,
    /// What it does besides.
    pub options: RouteOptions,
    /// Whether headers, methods and query of its parent's matcher are its own, too; `None`: as its parent.
    pub inheritable_matchers: Option<bool>,
    /// Whether the path of its parent's matcher is its own; `None`: as its parent.
    pub inheritable_path_matchers: Option<bool>,
}

pub(crate) fn read_table(node: &Node<'_>) -> Option<RouteTable> {
    node.object(|fields| {
        let routes = fields.list("routes", |node| read(&node));
        let weight = fields.field("weight", |node| i32::read(&node));
        Some(RouteTable {
            routes,
            weight: weight.unwrap_or_default(),
        })
    })
}

/// A route of a virtual service, which has no parent to take a path from.
pub(crate) fn read_top(node: &Node<'_>) -> Option<Route> {
    let route = read(node)?;
    if !matches!(route.action, Action::Delegate(_)) {
        for (index, matcher) in route.matchers.iter().enumerate() {
            if matcher.path.is_none() {
                node.error_at(&format!("matchers[{index}]"), matcher::NO_PATH);
            }
        }
    }
    Some(route)
}

fn read(node: &Node<'_>) -> Option<Route> {
    node.object(|fields| {
        fields.later(&["optionsConfigRefs"]);
        let name = fields.field("name", |node| node.string());
        let matchers = fields.list("matchers", |node| matcher::read(&node));
        let options = fields.field("options", |node| RouteOptions::read(&node));
        let inheritable = |fields: &mut Fields<'_>, name| fields.field(name, |node| node.boolean());
        let inheritable_matchers = inheritable(fields, "inheritableMatchers");
        let inheritable_path_matchers = inheritable(fields, "inheritablePathMatchers");
        let action = action::read(fields);
        Some(Route {
            name: name.filter(|name| !name.is_empty()),
            matchers,
            action: action?,
            options: options.unwrap_or_default(),
            inheritable_matchers,
            inheritable_path_matchers,
        })
    })
}
