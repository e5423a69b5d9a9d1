//! Sets of keys: those of a few, since a node of a `BTreeSet` has room for eleven and most objects look at one or two
//! others, and those that are only collected.

use std::collections::BTreeSet;

use tenon_model::ObjectKey;

/// Keys, in their order, each once.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Keys(Box<[ObjectKey]>);

impl Keys {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ObjectKey> {
        self.0.iter()
    }

    pub(crate) fn contains(&self, key: &ObjectKey) -> bool {
        self.0.binary_search(key).is_ok()
    }

    /// Those that another set has not.
    pub(crate) fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a ObjectKey> {
        self.iter().filter(|key| !other.contains(key))
    }

    /// Those that only one of both has.
    pub(crate) fn symmetric_difference<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = &'a ObjectKey> {
        self.difference(other).chain(other.difference(self))
    }

    /// These, and others.
    pub(crate) fn with(self, others: impl IntoIterator<Item = ObjectKey>) -> Self {
        let all: BTreeSet<_> = self.0.into_iter().chain(others).collect();
        all.into()
    }
}

impl From<BTreeSet<ObjectKey>> for Keys {
    fn from(keys: BTreeSet<ObjectKey>) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl IntoIterator for Keys {
    type Item = ObjectKey;
    type IntoIter = std::vec::IntoIter<ObjectKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

/// Keys that are collected, to be gone through once: in their order, and each once. Most are collected in their order.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<ObjectKey>);

impl Marks {
    pub(crate) fn insert(&mut self, key: ObjectKey) {
        if self.0.last() != Some(&key) {
            self.0.push(key);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that were collected since the last call.
    pub(crate) fn take(&mut self) -> Vec<ObjectKey> {
        let mut keys = std::mem::take(&mut self.0);
        keys.sort();
        keys.dedup();
        keys
    }
}

impl Extend<ObjectKey> for Marks {
    fn extend<I: IntoIterator<Item = ObjectKey>>(&mut self, keys: I) {
        keys.into_iter().for_each(|key| self.insert(key));
    }
}

impl FromIterator<ObjectKey> for Marks {
    fn from_iter<I: IntoIterator<Item = ObjectKey>>(keys: I) -> Self {
        let mut marks = Self::default();
        marks.extend(keys);
        marks
    }
}

#[cfg(test)]
mod tests {
    use tenon_model::Kind;

    use super::*;

    #[test]
    fn what_is_collected_is_taken_once_and_in_order() {
        let key = |name: &str| ObjectKey {
            kind: Kind::Upstream,
            namespace: "default".into(),
            name: name.into(),
        };
        let mut marks: Marks = ["b", "b", "a", "b", "c"].map(key).into_iter().collect();
        assert_eq!(marks.take(), ["a", "b", "c"].map(key));
        assert!(marks.is_empty());
        assert_eq!(marks.take(), []);
    }

    #[test]
    fn keys_are_a_set() {
        let keys = |names: &[&str]| -> Keys {
            let keys = names.iter().map(|name| ObjectKey {
                kind: Kind::Upstream,
                namespace: "default".into(),
                name: (*name).into(),
            });
            keys.collect::<BTreeSet<_>>().into()
        };
        let names = |keys: &mut dyn Iterator<Item = &ObjectKey>| -> Vec<String> {
            keys.map(|key| key.name.to_string()).collect()
        };
        let (one, other) = (keys(&["b", "a", "c"]), keys(&["c", "d"]));
        assert_eq!(names(&mut one.difference(&other)), ["a", "b"]);
        assert_eq!(
            names(&mut one.symmetric_difference(&other)),
            ["a", "b", "d"]
        );
        assert_eq!(one.with(other), keys(&["a", "b", "c", "d"]));
    }
}
