//! Things by their keys: to look one up takes a hash of its key and one comparison, where an ordered map compares the key
//! with some twenty others, whose names are all over the memory. There is no order to go through them in unless it is
//! asked for ([`Keyed::sorted`]), so that none gets into what is told.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use tenon_model::ObjectKey;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::keys::Keys;

/// Things by their keys.
#[derive(Clone)]
pub(crate) struct Keyed<K, V>(HashMap<K, V, Seeded>);

#[cfg(test)]
impl<K: Hash + Eq, V: PartialEq> PartialEq for Keyed<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

#[cfg(test)]
impl<K: Hash + Eq, V> std::ops::Index<&K> for Keyed<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        &self.0[key]
    }
}

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Hash + Ord, V> Keyed<K, V> {
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    pub(crate) fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    pub(crate) fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        self.0.entry(key)
    }

    /// Makes room for so many more, at once instead of by and by.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.0.reserve(more);
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// The same with the key as it is here.
    pub(crate) fn remove_entry<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        self.0.remove_entry(key)
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain(keep);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of their keys.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.into_iter()
    }

    /// The keys, in no order that means anything: for what puts them in order itself, or asks for none.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// The same with what they are the keys of.
    pub(crate) fn unsorted(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter()
    }

    /// The same of what is not needed any more.
    pub(crate) fn into_unsorted(self) -> impl Iterator<Item = (K, V)> {
        self.0.into_iter()
    }
}

impl<K: Hash + Eq, V> FromIterator<(K, V)> for Keyed<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// Who looked at what.
#[derive(Default)]
pub(crate) struct Readers(Keyed<ObjectKey, Keyed<ObjectKey, ()>>);

impl Readers {
    /// Those who looked at an object, in no order that means anything.
    pub(crate) fn of(&self, key: &ObjectKey) -> impl Iterator<Item = &ObjectKey> + Clone {
        let readers = self.0.get(key).into_iter();
        readers.flat_map(|readers| readers.0.keys())
    }

    /// The same in their order.
    pub(crate) fn sorted_of(&self, key: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        let mut readers: Vec<_> = self.of(key).collect();
        readers.sort_unstable();
        readers.into_iter()
    }

    /// Whether anybody looked at an object.
    pub(crate) fn has(&self, key: &ObjectKey) -> bool {
        self.0.contains_key(key)
    }

    /// Moves a reader from what it looked at to what it looks at.
    pub(crate) fn reindex(&mut self, reader: &ObjectKey, old: &Keys, new: &Keys) {
        for key in old.difference(new) {
            if let Some(readers) = self.0.get_mut(key) {
                readers.remove(reader);
                if readers.is_empty() {
                    self.0.remove(key);
                }
            }
        }
        for key in new.difference(old) {
            let readers = match self.0.get_mut(key) {
                Some(readers) => readers,
                None => self.0.entry(key.clone()).or_default(),
            };
            readers.insert(reader.clone(), ());
        }
    }
}

/// Hashes by a seed of this process, so that nobody can write names that all have the same hash.
#[derive(Clone, Copy)]
pub(crate) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
        Self(*SEED)
    }
}

impl BuildHasher for Seeded {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(self.0)
    }
}

/// Hashes each part of a key with what came of those before.
pub(crate) struct KeyHasher(u64);

impl KeyHasher {
    fn number(&mut self, number: u64) {
        // As splitmix64 does with one step.
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u8(&mut self, number: u8) {
        self.number(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.number(number.into());
    }

    fn write_isize(&mut self, number: isize) {
        self.number(number as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.number(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tenon_model::Kind;

    use super::*;

    fn key(kind: Kind, namespace: &str, name: &str) -> ObjectKey {
        ObjectKey {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    #[test]
    fn what_is_gone_through_is_in_the_order_of_its_keys() {
        let all: Keyed<u16, u16> = (0..1_000).rev().map(|n| (n, n)).collect();
        let sorted: Vec<_> = all.sorted().map(|(key, _)| *key).collect();
        assert_eq!(sorted, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn keys_that_differ_in_any_part_have_other_hashes() {
        let mut hashes = BTreeSet::new();
        for kind in [Kind::Upstream, Kind::Secret] {
            for (namespace, name) in [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ("a", "c")] {
                let hash = Seeded::default().hash_one(key(kind, namespace, name));
                assert!(hashes.insert(hash), "{kind} {namespace} {name}");
            }
        }
    }

    #[test]
    fn readers_move_from_what_they_looked_at_to_what_they_look_at() {
        let keys = |names: &[&str]| -> Keys {
            let names = names.iter().map(|name| key(Kind::Upstream, "d", name));
            names.collect::<BTreeSet<_>>().into()
        };
        let (one, other) = (
            key(Kind::VirtualService, "d", "one"),
            key(Kind::VirtualService, "d", "other"),
        );
        let mut readers = Readers::default();
        readers.reindex(&other, &keys(&[]), &keys(&["a"]));
        readers.reindex(&one, &keys(&[]), &keys(&["a", "b"]));
        let of = |readers: &Readers, name: &str| -> Vec<String> {
            let of = key(Kind::Upstream, "d", name);
            let names = readers.sorted_of(&of).map(|it| it.name.to_string());
            names.collect()
        };
        assert_eq!(of(&readers, "a"), ["one", "other"]);
        readers.reindex(&one, &keys(&["a", "b"]), &keys(&["b", "c"]));
        assert_eq!(of(&readers, "a"), ["other"]);
        assert_eq!(of(&readers, "c"), ["one"]);
        readers.reindex(&other, &keys(&["a"]), &keys(&[]));
        assert!(!readers.has(&key(Kind::Upstream, "d", "a")));
    }
}
