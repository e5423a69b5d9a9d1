//! Values by key, and sorting, in little code: `BTreeMap` and the sorts of the standard library are some kilobytes for
//! each type they are used with.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::json::{Reader, Result, Shape, Table};

/// Values by key, in the order of the keys. Looking up is a binary search; [`Sorted::insert`] and [`Sorted::or_default`]
/// move what comes after, so many entries are better collected.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sorted<K, V>(Vec<(K, V)>);

/// Entries in order.
type Iter<'a, K, V> =
    std::iter::Map<std::slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, V> Sorted<K, V> {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Keeps the entries that are to be kept.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> std::result::Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(own, _)| own.borrow().cmp(key))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Whether a key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Takes the value of a key out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// Gives a key a value; the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => {
                let old = self.0.get_mut(at)?;
                Some(std::mem::replace(&mut old.1, value))
            }
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of a key, which is made if it is not there.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = match self.find(&key) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (key, V::default()));
                at
            }
        };
        // It is there now.
        let (_, value) = &mut self.0[at];
        value
    }

    /// The values of each key, in their order.
    pub fn group(all: impl IntoIterator<Item = (K, V)>) -> Sorted<K, Vec<V>> {
        let mut all: Vec<(K, V)> = all.into_iter().collect();
        sort_by(&mut all, |one, other| one.0.cmp(&other.0));
        let mut groups: Vec<(K, Vec<V>)> = Vec::new();
        for (key, value) in all {
            match groups.last_mut() {
                Some((last, values)) if *last == key => values.push(value),
                _ => groups.push((key, vec![value])),
            }
        }
        Sorted(groups)
    }
}

/// Sorts; what is equal keeps its order.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    if items.is_sorted_by(|one, other| compare(one, other).is_le()) {
        return;
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    sort_places(
        &mut order,
        &|one, other| match (items.get(one), items.get(other)) {
            (Some(one), Some(other)) => compare(one, other),
            _ => Ordering::Equal,
        },
    );
    let mut places: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    let taken = order
        .into_iter()
        .filter_map(|at| places.get_mut(at)?.take());
    items.extend(taken);
}

/// The one sort that there is.
fn sort_places(places: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_by(|one, other| compare(*one, *other));
}

/// Of several values of a key, the last counts.
impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        let mut all: Vec<(K, V)> = all.into_iter().collect();
        sort_by(&mut all, |one, other| one.0.cmp(&other.0));
        all.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        Self(all)
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Sorted<K, V> {
    fn from(all: [(K, V); N]) -> Self {
        all.into_iter().collect()
    }
}

impl<K: Ord, V> From<BTreeMap<K, V>> for Sorted<K, V> {
    fn from(all: BTreeMap<K, V>) -> Self {
        Self(all.into_iter().collect())
    }
}

impl<K, V> IntoIterator for Sorted<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Sorted<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Sorted<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Sorted<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Sorted<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = Sorted<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(all.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: Shape> Shape for Sorted<String, T> {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.0.clear();
        reader.table(self)?;
        *self = std::mem::take(self).into_iter().collect();
        Ok(())
    }
}

impl<T: Shape> Table for Sorted<String, T> {
    /// Where it comes: they are sorted in the end.
    fn add(&mut self, name: String) -> Option<&mut dyn Shape> {
        self.0.push((name, T::blank()));
        self.0.last_mut().map(|(_, value)| value as &mut dyn Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_values_counts() {
        let all: Sorted<_, _> = [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("b", 5)].into();
        let entries: Vec<_> = all.iter().collect();
        assert_eq!(entries, [(&"a", &2), (&"b", &5), (&"c", &4)]);
        assert_eq!((all.get("b"), all.get("d")), (Some(&5), None));
    }

    #[test]
    fn groups_keep_the_order_of_their_values() {
        let many = (0..1_000).map(|at: u32| (at % 7, at));
        let groups = Sorted::group(many.clone());
        assert_eq!(groups.len(), 7);
        for (key, values) in &groups {
            let expected: Vec<_> = many
                .clone()
                .filter(|it| it.0 == *key)
                .map(|it| it.1)
                .collect();
            assert_eq!(*values, expected);
        }
    }

    #[test]
    fn it_is_what_a_tree_is() {
        let (mut own, mut tree) = (Sorted::new(), BTreeMap::new());
        for at in 0_u32..500 {
            let key = at.wrapping_mul(2_654_435_761) % 97;
            match at % 4 {
                0 => assert_eq!(own.remove(&key), tree.remove(&key)),
                1 => *own.or_default(key) = *tree.entry(key).or_insert(0) + 1,
                _ => assert_eq!(own.insert(key, at), tree.insert(key, at)),
            }
            if at % 4 == 1 {
                *tree.entry(key).or_insert(0) += 1;
            }
            assert_eq!(own, tree.clone().into());
        }
        assert_eq!(
            serde_json::to_string(&own).unwrap(),
            serde_json::to_string(&tree).unwrap()
        );
    }

    #[test]
    fn entries_are_read_as_a_tree_reads_them() {
        let text = r#"{"b":1,"a":2,"b":3}"#;
        let own: Sorted<String, u32> = serde_json::from_str(text).unwrap();
        let tree: BTreeMap<String, u32> = serde_json::from_str(text).unwrap();
        assert_eq!(own, tree.into());
    }
}
