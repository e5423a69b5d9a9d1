//! Which HTTPRoutes have a label for delegation: a parent that asks for one does not look at the others.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::{Kind, ObjectKey};

use crate::gateway_api::delegation::LABEL;

/// HTTPRoutes by the value of their label.
#[derive(Default)]
pub(in crate::engine) struct Labelled(BTreeMap<String, BTreeSet<ObjectKey>>);

type Labels = BTreeMap<String, String>;

impl Labelled {
    /// Takes in the labels of an object, and which it had before.
    pub(in crate::engine) fn replace(
        &mut self,
        key: &ObjectKey,
        old: Option<&Labels>,
        new: Option<&Labels>,
    ) {
        if key.kind != Kind::HttpRoute {
            return;
        }
        let [old, new] = [old, new].map(|labels| labels.and_then(|labels| labels.get(LABEL)));
        if old == new {
            return;
        }
        if let Some(label) = old
            && let Some(routes) = self.0.get_mut(label)
        {
            routes.remove(key);
            if routes.is_empty() {
                self.0.remove(label);
            }
        }
        if let Some(label) = new {
            let routes = self.0.entry(label.clone()).or_default();
            routes.insert(key.clone());
        }
    }

    /// Those with a label, of a namespace or of all.
    pub(super) fn of<'a>(
        &'a self,
        label: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a ObjectKey> {
        let first = ObjectKey {
            kind: Kind::HttpRoute,
            namespace: namespace.unwrap_or_default().into(),
            name: "".into(),
        };
        let routes = self.0.get(label).into_iter();
        let from = routes.flat_map(move |routes| routes.range(first.clone()..));
        from.take_while(move |key| namespace.is_none_or(|it| *key.namespace == *it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(namespace: &str, name: &str) -> ObjectKey {
        ObjectKey {
            kind: Kind::HttpRoute,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    fn labelled(value: &str) -> Labels {
        Labels::from([
            (LABEL.to_owned(), value.to_owned()),
            ("other".to_owned(), "x".to_owned()),
        ])
    }

    #[test]
    fn only_routes_with_the_label_are_looked_at() {
        let mut index = Labelled::default();
        for (key, label) in [
            (route("b", "one"), "x"),
            (route("a", "two"), "x"),
            (route("b", "three"), "y"),
        ] {
            index.replace(&key, None, Some(&labelled(label)));
        }
        // As many as there may be, they are none of it.
        index.replace(&route("b", "without"), None, Some(&Labels::new()));
        let of = |index: &Labelled, label: &str, namespace| {
            let names = index.of(label, namespace).map(|key| key.name.to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(of(&index, "x", None), ["two", "one"]);
        assert_eq!(of(&index, "x", Some("b")), ["one"]);
        assert_eq!(of(&index, "z", None), Vec::<String>::new());
        index.replace(
            &route("b", "one"),
            Some(&labelled("x")),
            Some(&labelled("y")),
        );
        assert_eq!(of(&index, "y", Some("b")), ["one", "three"]);
        index.replace(&route("a", "two"), Some(&labelled("x")), None);
        assert!(index.0.keys().eq(["y"]));
    }
}
