//! Route tables: who looks for them, which labels they have, and their last good forms.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::{Kind, MultiDestination, ObjectKey, ObjectRef, RouteTable, Selector, Spec};

use super::Translator;
use crate::tree::{Found, Tables};

/// Selectors, and who asked.
#[derive(Default)]
pub(super) struct SelectorIndex {
    /// By a label that they ask for.
    by_label: BTreeMap<Label, BTreeMap<Selector, BTreeSet<ObjectKey>>>,
    /// Those that ask for none.
    others: BTreeMap<Selector, BTreeSet<ObjectKey>>,
}

/// Tables by their labels.
#[derive(Default)]
pub(super) struct TableIndex {
    by_label: BTreeMap<Label, BTreeSet<ObjectKey>>,
    labels: BTreeMap<ObjectKey, BTreeMap<String, String>>,
}

type Label = (String, String);

impl SelectorIndex {
    /// Moves a reader from the selectors that it had to those that it has.
    pub(super) fn reindex(
        &mut self,
        reader: &ObjectKey,
        old: &BTreeSet<Selector>,
        new: &BTreeSet<Selector>,
    ) {
        for selector in old.difference(new) {
            for label in labels_of(selector) {
                let selectors = self.by_label.entry(label.clone()).or_default();
                remove(selectors, selector, reader);
                if selectors.is_empty() {
                    self.by_label.remove(&label);
                }
            }
            remove(&mut self.others, selector, reader);
        }
        for selector in new.difference(old) {
            let labels = labels_of(selector);
            if labels.is_empty() {
                insert(&mut self.others, selector, reader);
            }
            for label in labels {
                insert(self.by_label.entry(label).or_default(), selector, reader);
            }
        }
    }

    /// Who asked for an object with such labels.
    pub(super) fn readers<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = ObjectKey> + 'a {
        let by_label = labels.iter().filter_map(|(key, value)| {
            // The index has its keys in pairs.
            self.by_label.get(&(key.clone(), value.clone()))
        });
        by_label
            .chain([&self.others])
            .flatten()
            .filter(move |(selector, _)| selector.matches(namespace, labels))
            .flat_map(|(_, readers)| readers.iter().cloned())
    }
}

impl TableIndex {
    /// Takes in the labels of a table, or that there is none.
    pub(super) fn replace(&mut self, key: &ObjectKey, labels: Option<&BTreeMap<String, String>>) {
        if key.kind != Kind::RouteTable {
            return;
        }
        for (name, value) in self.labels.remove(key).into_iter().flatten() {
            let label = (name, value);
            if let Some(tables) = self.by_label.get_mut(&label) {
                tables.remove(key);
                if tables.is_empty() {
                    self.by_label.remove(&label);
                }
            }
        }
        if let Some(labels) = labels {
            for (name, value) in labels {
                let label = (name.clone(), value.clone());
                self.by_label.entry(label).or_default().insert(key.clone());
            }
            self.labels.insert(key.clone(), labels.clone());
        }
    }

    fn select(&self, selector: &Selector) -> Vec<ObjectKey> {
        let fits = |(key, labels): (&ObjectKey, &BTreeMap<String, String>)| {
            selector
                .matches(&key.namespace, labels)
                .then(|| key.clone())
        };
        if selector.anchor().is_none() {
            return self.labels.iter().filter_map(fits).collect();
        }
        let candidates: BTreeSet<_> = labels_of(selector)
            .iter()
            .filter_map(|label| self.by_label.get(label))
            .flatten()
            .collect();
        candidates
            .into_iter()
            .filter_map(|key| fits((key, self.labels.get(key)?)))
            .collect()
    }
}

impl Translator {
    /// Notes whether the newest form of a table is good wherever it is delegated to.
    pub(super) fn remember_table(&mut self, key: ObjectKey) {
        let Some(object) = self.objects.object(&key) else {
            self.good_tables.remove(&key);
            return;
        };
        let readers = self.readers.of(&key);
        let said: Vec<bool> = readers
            .filter_map(|reader| self.hosts.get(reader)?.form.tables.get(&key).copied())
            .collect();
        if !said.is_empty() && said.iter().all(|good| *good) {
            self.good_tables.insert(key, object.clone());
        }
    }
}

impl Translator {
    fn rest_of_table(&self, key: &ObjectKey) -> Option<&RouteTable> {
        match &self.objects.entries.get(key)?.rest.as_ref()?.spec {
            Spec::RouteTable(table) => Some(table),
            _ => None,
        }
    }
}

impl Tables for Translator {
    fn table(&self, key: &ObjectKey) -> Found<'_> {
        match self.objects.spec(key) {
            Some(Spec::RouteTable(table)) => Found::Table(table),
            _ if let Some(table) = self.rest_of_table(key) => Found::Rest(table),
            _ if self.objects.has(key) => Found::Rejected,
            _ => Found::Missing,
        }
    }

    fn good_table(&self, key: &ObjectKey) -> Option<&RouteTable> {
        match &self.good_tables.get(key)?.spec {
            Spec::RouteTable(table) => Some(table),
            _ => None,
        }
    }

    fn group(&self, reference: &ObjectRef) -> Result<&MultiDestination, String> {
        self.upstream_group(reference)
    }

    fn select(&self, selector: &Selector) -> Vec<ObjectKey> {
        self.tables.select(selector)
    }
}

/// The labels of which an object must have one.
fn labels_of(selector: &Selector) -> Vec<Label> {
    let Some((key, values)) = selector.anchor() else {
        return Vec::new();
    };
    let values = values.iter();
    values
        .map(|value| (key.to_owned(), value.clone()))
        .collect()
}

fn insert(
    selectors: &mut BTreeMap<Selector, BTreeSet<ObjectKey>>,
    selector: &Selector,
    reader: &ObjectKey,
) {
    let readers = selectors.entry(selector.clone()).or_default();
    readers.insert(reader.clone());
}

fn remove(
    selectors: &mut BTreeMap<Selector, BTreeSet<ObjectKey>>,
    selector: &Selector,
    reader: &ObjectKey,
) {
    if let Some(readers) = selectors.get_mut(selector) {
        readers.remove(reader);
        if readers.is_empty() {
            selectors.remove(selector);
        }
    }
}
