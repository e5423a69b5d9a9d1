//! Which objects are meant: by namespace and labels, as Kubernetes has it.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model_derive::Read;

use crate::read::{Node, Read};
use crate::schema::Schema;

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
    pub(crate) fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
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

/// What a label must be, as it is written.
#[derive(Debug, Read)]
struct Expression {
    /// The label.
    #[read(with = Node::non_empty)]
    key: String,
    /// How its value is compared.
    #[read(default = Operator::Equals)]
    operator: Operator,
    /// What it is compared with.
    values: Vec<String>,
}

/// How a label's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Read)]
enum Operator {
    /// It is the one that is given.
    #[read(name = "Equals")]
    Equals,
    /// The same.
    #[read(name = "DoubleEquals")]
    DoubleEquals,
    /// It is not the one that is given.
    #[read(name = "NotEquals")]
    NotEquals,
    /// It is one of those that are given.
    #[read(name = "In")]
    In,
    /// It is none of those that are given.
    #[read(name = "NotIn")]
    NotIn,
    /// There is one.
    #[read(name = "Exists")]
    Exists,
    /// There is none.
    #[read(name = "DoesNotExist")]
    DoesNotExist,
    /// It is a greater number.
    #[read(name = "GreaterThan")]
    GreaterThan,
    /// It is a smaller number.
    #[read(name = "LessThan")]
    LessThan,
}

impl Requirement {
    /// What a label must be; `Some(None)` if no label can be so, which is told.
    pub(crate) fn read_or(
        node: &Node<'_>,
        tell: impl FnOnce(&'static str),
    ) -> Option<Option<Self>> {
        let Expression {
            key,
            operator,
            values,
        } = Expression::read(node)?;
        Some(match label_values(operator, values) {
            Ok(values) => Some(Self { key, values }),
            Err(reason) => {
                tell(reason);
                None
            }
        })
    }
}

impl Read for Requirement {
    fn read(node: &Node<'_>) -> Option<Self> {
        Self::read_or(node, |reason| {
            let _: Option<()> = node.error(reason);
        })?
    }

    fn schema() -> Schema {
        Expression::schema()
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
        Operator::Equals | Operator::DoubleEquals => {
            LabelValues::In(BTreeSet::from([one(&values)?]))
        }
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

    fn requirement(value: &Value) -> (Option<Requirement>, Vec<String>) {
        let report = Report::default();
        let read = Requirement::read(&Node::new(value, Path::Root("it"), &report));
        let problems = report.into_problems().into_iter();
        (read, problems.map(|problem| problem.text).collect())
    }

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        let labels = labels.iter();
        labels
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
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
            let (requirement, problems) = requirement(&expression);
            assert_eq!(problems, [""; 0], "{operator}");
            let requirement = requirement.unwrap();
            for (labels, fits) in [
                (labels(&[("a", "5")]), with_a),
                (labels(&[("a", "b")]), with_b),
                (labels(&[("b", "5")]), without),
            ] {
                assert_eq!(requirement.fits(&labels), fits, "{operator} {labels:?}");
            }
        }
    }

    #[test]
    fn what_no_label_can_be_is_told() {
        for (operator, values, expected) in [
            (
                "Equals",
                json!(["a", "b"]),
                "this operator takes exactly one value",
            ),
            ("Equals", json!([]), "this operator takes exactly one value"),
            ("In", json!([]), "this operator takes at least one value"),
            ("Exists", json!(["a"]), "this operator takes no values"),
            (
                "GreaterThan",
                json!(["a"]),
                "this operator takes a whole number",
            ),
        ] {
            let expression = json!({"key": "a", "operator": operator, "values": values});
            assert_eq!(requirement(&expression), (None, vec![expected.to_owned()]));
        }
    }

    #[test]
    fn objects_are_selected_by_namespace_and_labels() {
        let (requirement, _) = requirement(&json!({"key": "a", "values": ["5"]}));
        let selector = |namespace: Option<&str>| Selector {
            namespaces: namespace.map(|name| BTreeSet::from([name.to_owned()])),
            requirements: requirement.iter().cloned().collect(),
        };
        let fitting = labels(&[("a", "5")]);
        assert!(selector(None).matches("any", &fitting));
        assert!(selector(Some("own")).matches("own", &fitting));
        assert!(!selector(Some("own")).matches("other", &fitting));
        assert!(!selector(None).matches("any", &labels(&[])));
    }
}
