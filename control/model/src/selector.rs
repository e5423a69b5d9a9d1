//! Which objects are meant: by namespace and labels, as Kubernetes has it.

use std::collections::{BTreeMap, BTreeSet};

use crate::read::{Fields, Node};

/// Which objects are meant: all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// Their namespaces; `None`: any.
    pub namespaces: Option<BTreeSet<String>>,
    /// What their labels must be.
    pub requirements: Vec<Requirement>,
}

/// What a label must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// Its values.
    pub values: LabelValues,
}

/// Which values of a label fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelValues {
    /// One of these.
    In(BTreeSet<String>),
    /// None of these, or none at all.
    NotIn(BTreeSet<String>),
    /// Any.
    Exists,
    /// None at all.
    DoesNotExist,
    /// A greater number than this.
    GreaterThan(i64),
    /// A smaller number than this.
    LessThan(i64),
}

impl Selector {
    /// Whether an object is meant.
    pub fn matches(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.namespaces
            .as_ref()
            .is_none_or(|namespaces| namespaces.contains(namespace))
            && self
                .requirements
                .iter()
                .all(|requirement| requirement.fits(labels))
    }

    /// A label that every object that is meant has, with one of these values: for an index.
    pub fn anchor(&self) -> Option<(&str, &BTreeSet<String>)> {
        self.requirements
            .iter()
            .find_map(|requirement| match &requirement.values {
                LabelValues::In(values) => Some((requirement.key.as_str(), values)),
                _ => None,
            })
    }
}

impl Requirement {
    fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.values {
            LabelValues::In(values) => value.is_some_and(|value| values.contains(value)),
            LabelValues::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            LabelValues::Exists => value.is_some(),
            LabelValues::DoesNotExist => value.is_none(),
            LabelValues::GreaterThan(least) => number().is_some_and(|number| number > *least),
            LabelValues::LessThan(most) => number().is_some_and(|number| number < *most),
        }
    }
}

/// `namespaces`, `labels` and `expressions` of an object: without namespaces its own one is meant, and `*` is any. `None`
/// with a warning, as with Gloo, if the labels cannot be what is meant.
pub(crate) fn read(fields: &mut Fields<'_>, own_namespace: &str) -> Option<Selector> {
    let mut namespaces: BTreeSet<_> = fields
        .list("namespaces", |node| node.non_empty())
        .into_iter()
        .collect();
    if namespaces.is_empty() {
        namespaces.insert(own_namespace.to_owned());
    }
    let labels = fields.field("labels", |node| node.map(|node| node.string()));
    let expressions = fields.field("expressions", |node| {
        let mut usable = true;
        let requirements = node.list(|node| {
            let requirement = read_expression(&node);
            usable &= requirement.is_some();
            requirement
        })?;
        usable.then_some(requirements)
    });
    let has_expressions = fields.has("expressions");
    if has_expressions && expressions.is_none() {
        return None;
    }
    let mut requirements = expressions.unwrap_or_default();
    let labels = labels.unwrap_or_default();
    if !labels.is_empty() && !requirements.is_empty() {
        fields.warn("labels and expressions exclude each other: nothing is selected");
        return None;
    }
    requirements.extend(labels.into_iter().map(|(key, value)| Requirement {
        key,
        values: LabelValues::In(BTreeSet::from([value])),
    }));
    requirements.sort();
    Some(Selector {
        namespaces: (!namespaces.contains("*")).then_some(namespaces),
        requirements,
    })
}

#[derive(Clone, Copy)]
enum Operator {
    Equals,
    NotEquals,
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// In the order of Gloo's enumeration.
const OPERATORS: [(&str, Operator); 9] = [
    ("Equals", Operator::Equals),
    ("DoubleEquals", Operator::Equals),
    ("NotEquals", Operator::NotEquals),
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
    ("GreaterThan", Operator::GreaterThan),
    ("LessThan", Operator::LessThan),
];

fn read_expression(node: &Node<'_>) -> Option<Requirement> {
    let (key, operator, values) = node.object(|fields| {
        let key = fields.required("key", |node| node.non_empty());
        let operator = fields.field("operator", |node| node.choice(&OPERATORS));
        let values = fields.list("values", |node| node.string());
        Some((key?, operator.unwrap_or(Operator::Equals), values))
    })?;
    match label_values(operator, values) {
        Ok(values) => Some(Requirement { key, values }),
        Err(reason) => {
            // As with Gloo, only a warning: the other routes are not to suffer.
            node.warn(format!("{reason}: nothing is selected"));
            None
        }
    }
}

fn label_values(operator: Operator, values: Vec<String>) -> Result<LabelValues, &'static str> {
    let one = |values: &[String]| match values {
        [value] => Ok(value.clone()),
        _ => Err("this operator takes exactly one value"),
    };
    let number = |values: &[String]| {
        one(values)?
            .parse()
            .map_err(|_| "this operator takes a whole number")
    };
    let some = |values: Vec<String>| match values.is_empty() {
        true => Err("this operator takes at least one value"),
        false => Ok(values.into_iter().collect()),
    };
    let none = |values: &[String], then| match values.is_empty() {
        true => Ok(then),
        false => Err("this operator takes no values"),
    };
    Ok(match operator {
        Operator::Equals => LabelValues::In(BTreeSet::from([one(&values)?])),
        Operator::NotEquals => LabelValues::NotIn(BTreeSet::from([one(&values)?])),
        Operator::In => LabelValues::In(some(values)?),
        Operator::NotIn => LabelValues::NotIn(some(values)?),
        Operator::Exists => none(&values, LabelValues::Exists)?,
        Operator::DoesNotExist => none(&values, LabelValues::DoesNotExist)?,
        Operator::GreaterThan => LabelValues::GreaterThan(number(&values)?),
        Operator::LessThan => LabelValues::LessThan(number(&values)?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::read::{Path, Report};

    fn select(value: &Value) -> (Option<Selector>, usize) {
        let report = Report::default();
        let node = Node::new(value, Path::Root("selector"), &report);
        let selector = node.object(|fields| read(fields, "own"));
        (selector, report.into_problems().len())
    }

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        let labels = labels.iter();
        labels
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn namespaces_are_the_own_one_or_those_that_are_named_or_all() {
        for (namespaces, own, other, third) in [
            (json!([]), true, false, false),
            (json!(["other"]), false, true, false),
            (json!(["other", "*"]), true, true, true),
        ] {
            let (selector, problems) = select(&json!({"namespaces": namespaces}));
            let selector = selector.unwrap();
            assert_eq!(problems, 0);
            for (namespace, fits) in [("own", own), ("other", other), ("third", third)] {
                assert_eq!(
                    selector.matches(namespace, &labels(&[])),
                    fits,
                    "{namespace}"
                );
            }
        }
    }

    #[test]
    fn operators_mean_what_they_mean_in_kubernetes() {
        for (operator, values, with_a, with_b, without) in [
            ("Equals", json!(["5"]), true, false, false),
            ("DoubleEquals", json!(["5"]), true, false, false),
            ("NotEquals", json!(["5"]), false, true, true),
            ("In", json!(["5", "6"]), true, false, false),
            ("NotIn", json!(["5", "6"]), false, true, true),
            ("Exists", json!([]), true, true, false),
            ("DoesNotExist", json!([]), false, false, true),
            ("GreaterThan", json!(["4"]), true, false, false),
            ("GreaterThan", json!(["5"]), false, false, false),
            ("LessThan", json!(["6"]), true, false, false),
        ] {
            let expression = json!({"key": "a", "operator": operator, "values": values});
            let (selector, problems) = select(&json!({"expressions": [expression]}));
            assert_eq!(problems, 0, "{operator}");
            let selector = selector.unwrap();
            for (labels, fits) in [
                (labels(&[("a", "5")]), with_a),
                (labels(&[("a", "b")]), with_b),
                (labels(&[("b", "5")]), without),
            ] {
                assert_eq!(
                    selector.matches("own", &labels),
                    fits,
                    "{operator} {labels:?}"
                );
            }
        }
    }

    #[test]
    fn what_no_label_can_be_selects_nothing_and_is_a_warning() {
        for (operator, values) in [
            ("Equals", json!(["a", "b"])),
            ("Equals", json!([])),
            ("In", json!([])),
            ("Exists", json!(["a"])),
            ("GreaterThan", json!(["a"])),
        ] {
            let expression = json!({"key": "a", "operator": operator, "values": values});
            let (selector, problems) = select(&json!({"expressions": [expression]}));
            assert!(selector.is_none(), "{operator}");
            assert_eq!(problems, 1, "{operator}");
        }
        let both =
            json!({"labels": {"a": "b"}, "expressions": [{"key": "a", "operator": "Exists"}]});
        let (selector, problems) = select(&both);
        assert!(selector.is_none());
        assert_eq!(problems, 1);
    }
}
