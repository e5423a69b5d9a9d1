//! Which proxy a client is.

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::google::protobuf::value::Kind;

/// The proxy of a client that does not say which one it is.
const DEFAULT_PROXY: &str = "gateway-proxy";
/// The namespace of a role that is not said, as in Gloo.
const DEFAULT_NAMESPACE: &str = "gloo-system";

/// What a client says it is: `<namespace>~<proxy>`. Proxies are told apart by their names alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) namespace: String,
    pub(crate) proxy: String,
}

impl std::fmt::Display for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}~{}", self.namespace, self.proxy)
    }
}

impl Role {
    /// The role of a node: `metadata.role`, else the node's cluster or id if there is a proxy of that name, else that of
    /// the default proxy.
    pub(crate) fn of(node: &Node, is_proxy: impl Fn(&str) -> bool) -> Self {
        let role = stated(node).and_then(|role| role.split_once('~'));
        if let Some((namespace, proxy)) = role.filter(|(_, proxy)| !proxy.is_empty()) {
            return Self::new(namespace, proxy);
        }
        let named = [&node.cluster, &node.id]
            .into_iter()
            .find(|name| is_proxy(name));
        Self::new(
            DEFAULT_NAMESPACE,
            named.map_or(DEFAULT_PROXY, String::as_str),
        )
    }

    fn new(namespace: &str, proxy: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            proxy: proxy.to_owned(),
        }
    }
}

fn stated(node: &Node) -> Option<&str> {
    match node.metadata.as_ref()?.fields.get("role")?.kind.as_ref()? {
        Kind::StringValue(role) => Some(role),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::google::protobuf::{Struct, Value};

    fn node(role: Option<&str>, cluster: &str, id: &str) -> Node {
        let fields = role
            .map(|role| {
                let kind = Some(Kind::StringValue(role.into()));
                ("role".to_owned(), Value { kind })
            })
            .into_iter()
            .collect();
        Node {
            id: id.into(),
            cluster: cluster.into(),
            metadata: Some(Struct { fields }),
            ..Node::default()
        }
    }

    #[test]
    fn the_role_says_which_proxy_a_client_is() {
        for (node, expected) in [
            (node(Some("edges~edge"), "other", "x"), "edges~edge"),
            (node(Some("edge"), "other", "x"), "gloo-system~other"),
            (node(Some("edges~"), "none", "other"), "gloo-system~other"),
            (node(None, "none", "x"), "gloo-system~gateway-proxy"),
        ] {
            let role = Role::of(&node, |name| name == "other");
            assert_eq!(role.to_string(), expected);
        }
    }
}
