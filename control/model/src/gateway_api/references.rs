//! What objects of the Gateway API refer to.

use std::collections::BTreeMap;

use tenon_model_derive::Read;

use super::values;
use crate::read::{Fields, Node};
use crate::selector::{LabelValues, Requirement};

/// The group of the Gateway API.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// What a route wants to be attached to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Read)]
pub struct ParentRef {
    /// The group of its kind.
    #[read(with = values::group, default = GROUP)]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind, default = "Gateway")]
    pub kind: String,
    /// Its namespace; where it is left out, the one of the route.
    #[read(with = values::namespace)]
    pub namespace: Option<String>,
    /// Its name.
    #[read(with = values::object_name)]
    pub name: String,
    /// Which of its listeners; where it is left out, all that allow it.
    #[read(with = values::section)]
    pub section_name: Option<String>,
    /// Only the listeners of this port.
    #[read(range(1, 65_535))]
    pub port: Option<u16>,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = with_port)]
pub struct BackendRef {
    /// The group of its kind; empty: Kubernetes' own.
    #[read(with = values::group, default = "")]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind, default = "Service")]
    pub kind: String,
    /// Its name.
    #[read(with = values::object_name)]
    pub name: String,
    /// Its namespace, which has to allow it by a ReferenceGrant if it is another one than the route's; that where it is
    /// left out.
    #[read(with = values::namespace)]
    pub namespace: Option<String>,
    /// Its port, which a Service needs; of no use with an Upstream.
    #[read(range(1, 65_535))]
    pub port: Option<u16>,
}

/// Where a share of the connections goes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct WeightedBackendRef {
    /// Where.
    #[read(flatten)]
    pub backend: BackendRef,
    /// The share: as much as this is of the sum of all.
    #[read(default = 1_u32, range(0, 1_000_000))]
    pub weight: u32,
}

/// An object of the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Read)]
pub struct LocalRef {
    /// The group of its kind; empty: Kubernetes' own.
    #[read(with = values::group)]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind)]
    pub kind: String,
    /// Its name.
    #[read(with = values::object_name)]
    pub name: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Read)]
pub struct FullRef {
    /// The group of its kind; empty: Kubernetes' own.
    #[read(with = values::group)]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind)]
    pub kind: String,
    /// Its name.
    #[read(with = values::object_name)]
    pub name: String,
    /// Its namespace; where it is left out, the one of what refers to it.
    #[read(with = values::namespace)]
    pub namespace: Option<String>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Read)]
pub struct SecretRef {
    /// The group of its kind; empty: Kubernetes' own.
    #[read(with = values::group, default = "")]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind, default = "Secret")]
    pub kind: String,
    /// Its name.
    #[read(with = values::object_name)]
    pub name: String,
    /// Its namespace, which has to allow it by a ReferenceGrant if it is another one than the gateway's; that where it is
    /// left out.
    #[read(with = values::namespace)]
    pub namespace: Option<String>,
}

/// Which objects, by their labels: all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector {
    /// What their labels must be.
    pub requirements: Vec<Requirement>,
}

/// Which objects, by their labels: all of it must fit.
#[derive(Read)]
struct WrittenSelector {
    /// Labels and their values.
    match_labels: BTreeMap<String, String>,
    /// What labels must be.
    match_expressions: Vec<Expression>,
}

/// What a label must be.
#[derive(Read)]
#[read(finish = with_values)]
struct Expression {
    /// The label.
    #[read(with = Node::non_empty)]
    key: String,
    /// How its value is compared.
    operator: Operator,
    /// What it is compared with.
    values: Vec<String>,
}

/// How the value of a label is compared.
#[derive(Clone, Copy, PartialEq, Read)]
#[read(by_name)]
enum Operator {
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
}

impl LabelSelector {
    /// Whether labels are as it wants them. One that says nothing fits all.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|it| it.fits(labels))
    }
}

impl crate::read::Read for LabelSelector {
    fn read(node: &Node<'_>) -> Option<Self> {
        let written = WrittenSelector::read(node)?;
        let labels = written.match_labels.into_iter().map(|(key, value)| {
            let values = LabelValues::In([value].into());
            Requirement { key, values }
        });
        let expressions = written.match_expressions.into_iter().map(|it| Requirement {
            key: it.key,
            values: match it.operator {
                Operator::In => LabelValues::In(it.values.into_iter().collect()),
                Operator::NotIn => LabelValues::NotIn(it.values.into_iter().collect()),
                Operator::Exists => LabelValues::Exists,
                Operator::DoesNotExist => LabelValues::DoesNotExist,
            },
        });
        Some(Self {
            requirements: labels.chain(expressions).collect(),
        })
    }

    fn schema() -> crate::schema::Schema {
        WrittenSelector::schema()
    }
}

fn with_values(read: Expression, fields: &Fields<'_>) -> Option<Expression> {
    let takes = matches!(read.operator, Operator::In | Operator::NotIn);
    match (takes, fields.items("values")) {
        (true, 0) => fields.error_at("values", "this operator takes at least one value"),
        (false, 1..) => fields.error_at("values", "this operator takes no values"),
        _ => {}
    }
    Some(read)
}

fn with_port(read: BackendRef, fields: &Fields<'_>) -> Option<BackendRef> {
    if read.group.is_empty() && read.kind == "Service" && !fields.has("port") {
        fields.error_at("port", "is required of a Service");
    }
    Some(read)
}

/// What the CRDs want of `parentRefs`: at most 32, and of several that name the same parent each has a section or port of
/// its own.
pub(crate) fn check_parents(parents: &[ParentRef], fields: &Fields<'_>) {
    values::at_most(fields, &[("parentRefs", 32)]);
    let same = |a: &ParentRef, b: &ParentRef| {
        (&a.group, &a.kind, &a.name, &a.namespace) == (&b.group, &b.kind, &b.name, &b.namespace)
    };
    for (index, parent) in parents.iter().enumerate() {
        for other in parents.iter().take(index).filter(|it| same(it, parent)) {
            let sections = (&other.section_name, &parent.section_name);
            let ports = (other.port, parent.port);
            let field = format!("parentRefs[{index}]");
            if sections.0.is_some() != sections.1.is_some()
                || ports.0.is_some() != ports.1.is_some()
            {
                fields.error_at(&field, "names the same parent as another one: then both need a sectionName, or both a port");
            } else if sections.0 == sections.1 && ports.0 == ports.1 {
                fields.error_at(
                    &field,
                    "is there already, with the same sectionName and port",
                );
            }
        }
    }
}

/// What the CRDs want of `hostnames`, and of the names of rules.
pub(crate) fn check_rule_names<'a>(
    names: impl Iterator<Item = Option<&'a String>>,
    fields: &Fields<'_>,
) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, name) in names.enumerate() {
        if let Some(name) = name
            && !seen.insert(name)
        {
            let field = format!("rules[{index}].name");
            fields.error_at(&field, format!("{name:?} is the name of another rule"));
        }
    }
}
