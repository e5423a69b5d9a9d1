//! The types of resources, and how the protocols treat them.

use tenon_translate::ResourceType;

/// What is referred to before what refers.
const KINDS: [ResourceType; 6] = [
    ResourceType::Cluster,
    ResourceType::Endpoint,
    ResourceType::Listener,
    ResourceType::ScopedRoute,
    ResourceType::Route,
    ResourceType::Secret,
];

/// All types, in the order in which they are sent.
pub(crate) fn all_kinds() -> impl Iterator<Item = ResourceType> {
    KINDS.into_iter()
}

/// The name of a type in metrics and in `/config`.
pub fn short_name(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Cluster => "cluster",
        ResourceType::Endpoint => "endpoint",
        ResourceType::Listener => "listener",
        ResourceType::ScopedRoute => "scopedRoute",
        ResourceType::Route => "route",
        ResourceType::Secret => "secret",
    }
}

pub(crate) fn from_type_url(url: &str) -> Option<ResourceType> {
    let (_, message) = url.split_once('/')?;
    KINDS.into_iter().find(|kind| kind.message() == message)
}

/// Whether a state-of-the-world response of this type says all there is, so that absence deletes.
pub(crate) fn is_full_state(kind: ResourceType) -> bool {
    matches!(
        kind,
        ResourceType::Cluster | ResourceType::Listener | ResourceType::ScopedRoute
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_their_urls() {
        for kind in all_kinds() {
            assert_eq!(from_type_url(&kind.type_url()), Some(kind));
        }
        assert_eq!(from_type_url("type.googleapis.com/other"), None);
    }
}
