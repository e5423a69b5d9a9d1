//! The types of resources: their URLs, and how the protocols treat them.

use tenon_translate::ResourceType;

const KINDS: [(ResourceType, &str, &str); 6] = [
    (
        ResourceType::Cluster,
        "cluster",
        "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    ),
    (
        ResourceType::Endpoint,
        "endpoint",
        "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    ),
    (
        ResourceType::Listener,
        "listener",
        "type.googleapis.com/envoy.config.listener.v3.Listener",
    ),
    (
        ResourceType::ScopedRoute,
        "scopedRoute",
        "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
    ),
    (
        ResourceType::Route,
        "route",
        "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    ),
    (
        ResourceType::Secret,
        "secret",
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
    ),
];

/// All types, in the order in which they are sent: what is referred to before what refers.
pub fn all_kinds() -> impl Iterator<Item = ResourceType> {
    KINDS.iter().map(|(kind, ..)| *kind)
}

/// The `type_url` of a type.
pub fn type_url(kind: ResourceType) -> &'static str {
    row(kind).2
}

/// The name of a type in metrics and in `/config`.
pub fn short_name(kind: ResourceType) -> &'static str {
    row(kind).1
}

pub(crate) fn from_type_url(url: &str) -> Option<ResourceType> {
    KINDS
        .iter()
        .find(|(.., known)| *known == url)
        .map(|(kind, ..)| *kind)
}

/// Whether a state-of-the-world response of this type says all there is, so that absence deletes.
pub(crate) fn is_full_state(kind: ResourceType) -> bool {
    matches!(
        kind,
        ResourceType::Cluster | ResourceType::Listener | ResourceType::ScopedRoute
    )
}

fn row(kind: ResourceType) -> &'static (ResourceType, &'static str, &'static str) {
    match kind {
        ResourceType::Cluster => &KINDS[0],
        ResourceType::Endpoint => &KINDS[1],
        ResourceType::Listener => &KINDS[2],
        ResourceType::ScopedRoute => &KINDS[3],
        ResourceType::Route => &KINDS[4],
        ResourceType::Secret => &KINDS[5],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_row() {
        for (index, kind) in all_kinds().enumerate() {
            assert_eq!(row(kind), &KINDS[index]);
            assert_eq!(from_type_url(type_url(kind)), Some(kind));
        }
    }
}
