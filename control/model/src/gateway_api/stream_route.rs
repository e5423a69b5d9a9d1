//! TLSRoute and TCPRoute: where connections go.

use tenon_model_derive::Read;

use super::http_route::DefaultGateways;
use super::references::{self, ParentRef, WeightedBackendRef};
use super::values;
use crate::read::{Fields, Node};

/// Where connections with TLS go, by the name that they ask for.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_tls)]
pub struct TlsRoute {
    /// The gateways and listeners that are to have it.
    pub parent_refs: Vec<ParentRef>,
    /// The names that clients ask for, which may begin with `*.`; there has to be one, but in `v1alpha2`.
    #[read(with = values::hostname)]
    pub hostnames: Vec<String>,
    /// Where connections go: exactly one, but in `v1alpha2`.
    #[read(required)]
    pub rules: Vec<StreamRule>,
    /// Whether it is for default gateways, too.
    pub use_default_gateways: Option<DefaultGateways>,
}

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_tcp)]
pub struct TcpRoute {
    /// The gateways and listeners that are to have it.
    pub parent_refs: Vec<ParentRef>,
    /// Where connections go.
    #[read(required)]
    pub rules: Vec<StreamRule>,
    /// Whether it is for default gateways, too.
    pub use_default_gateways: Option<DefaultGateways>,
}

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = few_backends)]
pub struct StreamRule {
    /// Its name, by which others may refer to it.
    #[read(with = values::section)]
    pub name: Option<String>,
    /// Where they go.
    #[read(required)]
    pub backend_refs: Vec<WeightedBackendRef>,
}

impl TlsRoute {
    /// What `v1` and `v1alpha3` want, and `v1alpha2` does not.
    pub(crate) fn check_version(&self, root: &Node<'_>) {
        let version = root.value().get("apiVersion");
        if version
            == Some(&serde_json::Value::from(
                "gateway.networking.k8s.io/v1alpha2",
            ))
        {
            return;
        }
        if self.hostnames.is_empty() {
            root.error_in("spec.hostnames", "is required");
        }
        if self.rules.len() > 1 {
            let text = format!("has {} items; exactly one is possible", self.rules.len());
            root.error_in("spec.rules", &text);
        }
    }
}

fn checked_tls(read: TlsRoute, fields: &Fields<'_>) -> Option<TlsRoute> {
    references::check_parents(&read.parent_refs, fields);
    values::at_most(fields, &[("hostnames", 16), ("rules", 16)]);
    references::check_rule_names(read.rules.iter().map(|rule| rule.name.as_ref()), fields);
    Some(read)
}

fn checked_tcp(read: TcpRoute, fields: &Fields<'_>) -> Option<TcpRoute> {
    references::check_parents(&read.parent_refs, fields);
    values::at_most(fields, &[("rules", 16)]);
    references::check_rule_names(read.rules.iter().map(|rule| rule.name.as_ref()), fields);
    Some(read)
}

fn few_backends(read: StreamRule, fields: &Fields<'_>) -> Option<StreamRule> {
    values::at_most(fields, &[("backendRefs", 16)]);
    Some(read)
}
