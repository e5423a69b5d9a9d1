//! Which proxy a client is.

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::google::protobuf::value::Kind;

/// The proxy of a client that does not say which one it is.
const DEFAULT_PROXY: &str = "gateway-proxy";

/// The proxy of a node: the name in `metadata.role` (`<namespace>~<proxy>`), else the node's cluster or id if there is
/// a proxy of that name, else the default one.
pub(crate) fn proxy_of(node: &Node, is_proxy: impl Fn(&str) -> bool) -> String {
    if let Some((_, proxy)) = role(node).and_then(|role| role.split_once('~'))
        && !proxy.is_empty()
    {
        return proxy.to_owned();
    }
    [&node.cluster, &node.id]
        .into_iter()
        .find(|name| is_proxy(name))
        .map_or_else(|| DEFAULT_PROXY.to_owned(), Clone::clone)
}

fn role(node: &Node) -> Option<&str> {
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
            (node(Some("gloo-system~edge"), "other", "x"), "edge"),
            (node(Some("edge"), "other", "x"), "other"),
            (node(Some("gloo-system~"), "none", "other"), "other"),
            (node(None, "none", "x"), "gateway-proxy"),
        ] {
            assert_eq!(proxy_of(&node, |name| name == "other"), expected);
        }
    }
}
