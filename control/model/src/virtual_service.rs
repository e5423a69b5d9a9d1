//! Virtual services: domains and their routes.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use tenon_model_derive::Read;

use crate::external_options::OptionsRefs;
use crate::listener_ssl::SslConfig;
use crate::read::{Node, Read};
use crate::route::{self, Route};
use crate::schema::Schema;
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

/// Domains and their routes, and TLS towards their clients.
#[derive(Read)]
#[read(ignored("displayName"))]
struct VirtualServiceSpec {
    /// TLS towards its clients; they speak plain HTTP where it is left out.
    ssl_config: Option<Arc<SslConfig>>,
    /// Domains and their routes.
    virtual_host: VirtualHost,
}

/// Domains and their routes.
#[derive(Read)]
struct VirtualHost {
    /// The domains: hosts with at most one `*` at their start or end; all where there are none.
    #[read(default)]
    domains: Domains,
    /// The routes: the first that fits is taken.
    #[read(with = route::read_top)]
    routes: Vec<Route>,
    /// What holds for all routes.
    #[read(default = VirtualHostOptions::none())]
    options: Arc<VirtualHostOptions>,
    /// VirtualHostOptions that say more of that.
    #[read(default)]
    options_config_refs: OptionsRefs,
}

impl Read for VirtualService {
    fn read(node: &Node<'_>) -> Option<Self> {
        let VirtualServiceSpec {
            ssl_config,
            virtual_host: host,
        } = VirtualServiceSpec::read(node)?;
        let Domains(mut domains) = host.domains;
        if domains.is_empty() {
            domains.push("*".into());
        }
        Some(Self {
            domains,
            routes: host.routes,
            options: host.options,
            options_config_refs: host.options_config_refs,
            ssl: ssl_config,
        })
    }

    fn schema() -> Schema {
        VirtualServiceSpec::schema()
    }
}

#[derive(Default)]
struct Domains(Vec<String>);

impl Read for Domains {
    fn read(node: &Node<'_>) -> Option<Self> {
        if *node.value() == json!([""]) {
            // As Gloo.
            return None;
        }
        let domains = node.list(|node| read_domain(&node))?;
        match first_twice(domains.iter()) {
            Some(domain) => node.error(format!("{domain:?} is there more than once")),
            None => Some(Self(domains)),
        }
    }

    fn schema() -> Schema {
        Schema::list(Schema::Text, false)
    }
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
