//! Which tables a route leaves its requests to.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::read::{Node, Read};
use crate::schema::Schema;
use crate::selector::{LabelValues, Requirement, Selector};

/// Which tables a route leaves its requests to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delegation {
    /// This one.
    Table(ObjectRef),
    /// All that fit.
    Selector(Selector),
    /// None: it says nothing that could be used. As with Gloo, that is a warning: the other routes are not to suffer.
    Nothing,
}

/// Leaves the requests to the routes of tables.
#[derive(Debug, Read)]
struct DelegateAction {
    /// The name of the table, in the form that came before `ref`; hides `ref` and `selector`.
    name: Option<String>,
    /// The namespace of the table, in the same form.
    namespace: Option<String>,
    #[read(flatten)]
    to: Option<DelegationType>,
}

/// Which tables.
#[derive(Debug, Read)]
enum DelegationType {
    /// This one.
    Ref(ObjectRef),
    /// All that fit, the smallest `weight` first. The routes of those with the same weight are sorted.
    Selector(TableSelector),
}

/// Which tables are meant: all of it must fit.
#[derive(Debug, Read)]
struct TableSelector {
    /// Their namespaces; `*`: all; none: the one of this resource.
    #[read(with = Node::non_empty)]
    namespaces: Vec<String>,
    /// Their labels.
    labels: BTreeMap<String, String>,
    /// What their labels must be; not beside `labels`.
    #[read(with = requirement, schema = Requirement::schema)]
    expressions: Vec<Option<Requirement>>,
}

impl Read for Delegation {
    fn read(node: &Node<'_>) -> Option<Self> {
        let DelegateAction {
            name,
            namespace,
            to,
        } = DelegateAction::read(node)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(name) = given(name) {
            let namespace = given(namespace);
            return Some(Self::Table(ObjectRef {
                namespace: namespace.as_deref().unwrap_or(node.namespace()).into(),
                name: name.into(),
            }));
        }
        Some(match to {
            Some(DelegationType::Ref(table)) => Self::Table(table),
            Some(DelegationType::Selector(selector)) => match select(selector, node) {
                Ok(selector) => Self::Selector(selector),
                Err(Told) => Self::Nothing,
            },
            None => {
                node.warn("expected one of ref and selector: nothing is delegated to");
                Self::Nothing
            }
        })
    }

    fn schema() -> Schema {
        DelegateAction::schema()
    }
}

/// Why nothing is selected is a warning already.
struct Told;

fn requirement(node: &Node<'_>) -> Option<Option<Requirement>> {
    Requirement::read_or(node, |reason| {
        node.warn(format!("{reason}: nothing is selected"));
    })
}

fn select(written: TableSelector, node: &Node<'_>) -> Result<Selector, Told> {
    let mut requirements: Vec<_> = written
        .expressions
        .into_iter()
        .collect::<Option<_>>()
        .ok_or(Told)?;
    if !written.labels.is_empty() && !requirements.is_empty() {
        let text = "labels and expressions exclude each other: nothing is selected";
        node.warn_at("selector", text);
        return Err(Told);
    }
    let labels = written.labels.into_iter();
    requirements.extend(labels.map(|(key, value)| Requirement {
        key,
        values: LabelValues::In(BTreeSet::from([value])),
    }));
    requirements.sort();
    let mut namespaces: BTreeSet<_> = written.namespaces.into_iter().collect();
    if namespaces.is_empty() {
        namespaces.insert(node.namespace().to_owned());
    }
    Ok(Selector {
        namespaces: (!namespaces.contains("*")).then_some(namespaces),
        requirements,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::read::{Path, Report};

    fn read(value: &Value) -> (Option<Delegation>, Vec<String>) {
        let report = Report::new("own");
        let delegation = Delegation::read(&Node::new(value, Path::Root("it"), &report));
        let problems = report.into_problems().into_iter();
        let told = problems.map(|it| format!("{:?} {}: {}", it.level, it.field, it.text));
        (delegation, told.collect())
    }

    #[test]
    fn namespaces_are_the_own_one_or_those_that_are_named_or_all() {
        for (namespaces, own, other, third) in [
            (json!([]), true, false, false),
            (json!(["other"]), false, true, false),
            (json!(["other", "*"]), true, true, true),
        ] {
            let (read, problems) = read(&json!({"selector": {"namespaces": namespaces}}));
            assert_eq!(problems, [""; 0]);
            let Some(Delegation::Selector(selector)) = read else {
                panic!("{read:?}");
            };
            for (namespace, fits) in [("own", own), ("other", other), ("third", third)] {
                assert_eq!(selector.matches(namespace, &BTreeMap::new()), fits);
            }
        }
    }

    #[test]
    fn what_cannot_be_meant_selects_nothing_and_is_a_warning() {
        for (selector, expected) in [
            (
                json!({"expressions": [{"key": "a", "operator": "Exists", "values": ["b"]}, {"key": "b", "operator": "Exists"}]}),
                "Warning it.selector.expressions[0]: this operator takes no values: nothing is selected",
            ),
            (
                json!({"labels": {"a": "b"}, "expressions": [{"key": "a", "operator": "Exists"}]}),
                "Warning it.selector: labels and expressions exclude each other: nothing is selected",
            ),
        ] {
            let (read, problems) = read(&json!({ "selector": selector }));
            assert_eq!(read, Some(Delegation::Nothing));
            assert_eq!(problems, [expected]);
        }
    }

    #[test]
    fn the_old_form_hides_the_others() {
        let expected = |namespace: &str| {
            Some(Delegation::Table(ObjectRef {
                namespace: namespace.into(),
                name: "a".into(),
            }))
        };
        let old = json!({"name": "a", "namespace": "other", "ref": {"name": "b"}});
        assert_eq!(read(&old).0, expected("other"));
        assert_eq!(read(&json!({"name": "a"})).0, expected("own"));
        assert_eq!(read(&json!({"ref": {"name": "a"}})).0, expected("own"));
    }
}
