//! Names that many keys share: there once, and compared at a glance.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::ObjectKey;

/// The name of a namespace. Resources next to each other are in the same one mostly, whose name is then there once.
pub(crate) fn namespace(name: &str) -> Arc<str> {
    thread_local! {
        static LAST: RefCell<Arc<str>> = RefCell::new(Arc::from(""));
    }
    LAST.with_borrow_mut(|last| {
        if **last != *name {
            *last = Arc::from(name);
        }
        last.clone()
    })
}

/// The order of names; that of one with itself takes no look at its characters.
pub fn cmp(one: &Arc<str>, other: &Arc<str>) -> Ordering {
    match Arc::ptr_eq(one, other) {
        true => Ordering::Equal,
        false => one.cmp(other),
    }
}

impl Ord for ObjectKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind
            .cmp(&other.kind)
            .then_with(|| cmp(&self.namespace, &other.namespace))
            .then_with(|| cmp(&self.name, &other.name))
    }
}

impl PartialOrd for ObjectKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn the_name_of_a_namespace_is_there_once() {
        let one = namespace("default");
        assert!(Arc::ptr_eq(&one, &namespace("default")));
        assert_eq!(&*namespace("other"), "other");
        assert_eq!(namespace("default"), one);
    }

    #[test]
    fn keys_are_ordered_by_kind_namespace_and_name_whoever_has_the_names() {
        let key = |kind, namespace: &str, name: &str| ObjectKey {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        };
        let keys = [
            key(Kind::Gateway, "b", "b"),
            key(Kind::Upstream, "a", "b"),
            key(Kind::Upstream, "b", "a"),
            key(Kind::Upstream, "b", "aa"),
        ];
        for (at, one) in keys.iter().enumerate() {
            for (beside, other) in keys.iter().enumerate() {
                assert_eq!(one.cmp(other), at.cmp(&beside));
                assert_eq!(one == other, at == beside);
            }
            let copy = key(one.kind, &one.namespace, &one.name);
            assert_eq!(one.cmp(&copy), Ordering::Equal);
        }
    }
}
