//! Virtual services: domains and their routes.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use crate::external_options::OptionsRefs;
use crate::listener_ssl::SslConfig;
use crate::read::{Fields, Node, Read};
use crate::route::{self, Route};
use crate::virtual_host_options::VirtualHostOptions;

/// Domains and their routes.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualService {
    /// The domains, in lower case.
    pub domains: Vec<String>,
    /// The routes: the first that fits is taken.
    pub routes: Vec<Route>,
    /// What holds for all routes.
    pub options: Arc<VirtualHostOptions>,
    /// VirtualHostOptions that say more of that.
    pub options_config_refs: OptionsRefs,
    /// TLS towards its clients; nothing: they speak plain HTTP.
    pub ssl: Option<Arc<SslConfig>>,
}

pub(crate) fn read(node: &Node<'_>) -> Option<VirtualService> {
    node.object(|fields| {
        fields.ignored(&["displayName"]);
        let ssl = fields.field("sslConfig", |node| SslConfig::read(&node).map(Arc::new));
        let service = fields.required("virtualHost", |node| node.object(read_host))?;
        Some(VirtualService { ssl, ..service })
    })
}

fn read_host(fields: &mut Fields<'_>) -> Option<VirtualService> {
    let domains = fields.field("domains", |node| {
        if *node.value() == json!([""]) {
            // As Gloo.
            return None;
        }
        let domains = node.list(|node| read_domain(&node))?;
        match first_twice(domains.iter()) {
            Some(domain) => node.error(format!("{domain:?} is there more than once")),
            None => Some(domains),
        }
    });
    let mut domains = domains.unwrap_or_default();
    if domains.is_empty() {
        domains.push("*".into());
    }
    let options = fields.field("options", |node| <Arc<VirtualHostOptions>>::read(&node));
    let refs = fields.field("optionsConfigRefs", |node| OptionsRefs::read(&node));
    Some(VirtualService {
        domains,
        routes: fields.list("routes", |node| route::read_top(&node)),
        options: options.unwrap_or_else(VirtualHostOptions::none),
        options_config_refs: refs.unwrap_or_default(),
        ssl: None,
    })
}

/// The first of several that is there a second time.
pub(crate) fn first_twice<'a>(mut names: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(*name))
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
