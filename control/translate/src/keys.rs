//! Sets of keys: those of a few, since a node of a `BTreeSet` has room for eleven and most objects look at one or two
//! others, and those that are only collected.

use std::collections::BTreeSet;

use tenon_model::ObjectKey;

/// Keys, in their order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Keys(Vec<ObjectKey>);

impl Keys {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ObjectKey> {
        self.0.iter()
    }

    pub(crate) fn contains(&self, key: &ObjectKey) -> bool {
        self.0.binary_search(key).is_ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; whether it was not there.
    pub(crate) fn insert(&mut self, key: ObjectKey) -> bool {
        let Err(place) = self.0.binary_search(&key) else {
            return false;
        };
        if self.0.is_empty() {
            // Most have no second one.
            self.0.reserve_exact(1);
        }
        self.0.insert(place, key);
        true
    }

    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        if let Ok(place) = self.0.binary_search(key) {
            self.0.remove(place);
        }
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
        let mut all = self;
        all.extend(others);
        all
    }
}

impl Extend<ObjectKey> for Keys {
    fn extend<I: IntoIterator<Item = ObjectKey>>(&mut self, keys: I) {
        for key in keys {
            self.insert(key);
        }
    }
}

impl From<BTreeSet<ObjectKey>> for Keys {
    fn from(keys: BTreeSet<ObjectKey>) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl FromIterator<ObjectKey> for Keys {
    fn from_iter<I: IntoIterator<Item = ObjectKey>>(keys: I) -> Self {
        Self::default().with(keys)
    }
}

impl IntoIterator for Keys {
    type Item = ObjectKey;
    type IntoIter = std::vec::IntoIter<ObjectKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Keys {
    type Item = &'a ObjectKey;
    type IntoIter = std::slice::Iter<'a, ObjectKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
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
        let mut all = one.with(other);
        assert_eq!(all, keys(&["a", "b", "c", "d"]));
        let b = all.iter().nth(1).cloned().unwrap();
        assert!(!all.insert(b.clone()));
        all.remove(&b);
        assert_eq!(all, keys(&["a", "c", "d"]));
        assert!(all.insert(b));
        assert_eq!(all, keys(&["d", "c", "b", "a"]));
    }
}
