//! Virtual services: domains and their routes.

use crate::action::{self, Action};
use crate::header::{self, HeaderManipulation};
use crate::matcher::{self, Matcher};
use crate::read::{Fields, Node};
use crate::route_options::{self, RetryPolicy, RouteOptions};

/// Domains and their routes.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualService {
    /// The domains, in lower case.
    pub domains: Vec<String>,
    /// The routes: the first that fits is taken.
    pub routes: Vec<Route>,
    /// What holds for all routes.
    pub options: VirtualHostOptions,
}

/// What holds for all routes of a virtual service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VirtualHostOptions {
    /// Which failures are tried again.
    pub retries: Option<RetryPolicy>,
    /// Headers to add and remove.
    pub headers: HeaderManipulation,
}

/// A route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name.
    pub name: Option<String>,
    /// Which requests it is for: one must fit; at least one.
    pub matchers: Vec<Matcher>,
    /// What it does with them.
    pub action: Action,
    /// What it does besides.
    pub options: RouteOptions,
}

const LATER_OPTIONS: [&str; 22] = [
    "bufferPerRoute",
    "cors",
    "corsPolicyMergeSettings",
    "csrf",
    "dlp",
    "extProc",
    "extauth",
    "extensions",
    "includeAttemptCountInResponse",
    "includeRequestAttemptCount",
    "jwt",
    "jwtStaged",
    "rateLimitConfigs",
    "rateLimitEarlyConfigs",
    "rateLimitRegularConfigs",
    "ratelimit",
    "ratelimitBasic",
    "rbac",
    "stagedTransformations",
    "stats",
    "transformations",
    "waf",
];

pub(crate) fn read(node: &Node<'_>, namespace: &str) -> Option<VirtualService> {
    node.object(|fields| {
        fields.ignored(&["displayName"]);
        fields.later(&["sslConfig"]);
        fields.required("virtualHost", |node| {
            node.object(|fields| read_host(fields, namespace))
        })
    })
}

fn read_host(fields: &mut Fields<'_>, namespace: &str) -> Option<VirtualService> {
    fields.later(&["optionsConfigRefs"]);
    let mut domains = fields.list("domains", |node| read_domain(&node));
    for (index, domain) in domains.iter().enumerate() {
        if domains.iter().take(index).any(|other| other == domain) {
            fields.error(format!("domains: {domain:?} is there more than once"));
        }
    }
    if domains.is_empty() {
        domains.push("*".into());
    }
    let options = fields.field("options", |node| {
        node.object(|fields| {
            fields.later(&LATER_OPTIONS);
            Some(VirtualHostOptions {
                retries: fields.field("retries", |node| route_options::read_retries(&node)),
                headers: fields
                    .field("headerManipulation", |node| {
                        header::read_manipulation(&node)
                    })
                    .unwrap_or_default(),
            })
        })
    });
    Some(VirtualService {
        domains,
        routes: fields.list("routes", |node| read_route(&node, namespace)),
        options: options.unwrap_or_default(),
    })
}

fn read_domain(node: &Node<'_>) -> Option<String> {
    let domain = node.non_empty()?.to_ascii_lowercase();
    let inner = domain.strip_prefix('*').unwrap_or(&domain);
    let inner = match domain.starts_with('*') {
        true => inner,
        false => inner.strip_suffix('*').unwrap_or(inner),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    if !inner.chars().all(fits) {
        return node.error(format!(
            "{domain:?} is not a domain, which is a host with at most one * at its start or end"
        ));
    }
    Some(domain)
}

fn read_route(node: &Node<'_>, namespace: &str) -> Option<Route> {
    node.object(|fields| {
        fields.later(&[
            "optionsConfigRefs",
            "inheritableMatchers",
            "inheritablePathMatchers",
        ]);
        let name = fields.field("name", |node| node.string());
        let mut matchers = fields.list("matchers", |node| matcher::read(&node));
        if matchers.is_empty() {
            matchers.push(Matcher::default());
        }
        let options = fields.field("options", |node| route_options::read(&node, namespace));
        let action = action::read(fields, namespace);
        Some(Route {
            name: name.filter(|name| !name.is_empty()),
            matchers,
            action: action?,
            options: options.unwrap_or_default(),
        })
    })
}
