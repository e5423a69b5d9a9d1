//! ReferenceGrant: who of other namespaces may refer to what is in this one.

use tenon_model_derive::Read;

use super::values;
use crate::read::Fields;

/// Who of other namespaces may refer to what is in this one.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = few)]
pub struct ReferenceGrant {
    /// Who may: one must fit.
    #[read(required)]
    pub from: Vec<GrantFrom>,
    /// To what: one must fit.
    #[read(required)]
    pub to: Vec<GrantTo>,
}

/// Who may refer to something.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct GrantFrom {
    /// The group of its kind.
    #[read(with = values::group)]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind)]
    pub kind: String,
    /// Its namespace.
    #[read(with = values::namespace)]
    pub namespace: String,
}

/// What may be referred to.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct GrantTo {
    /// The group of its kind; empty: Kubernetes' own.
    #[read(with = values::group)]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind)]
    pub kind: String,
    /// Its name; any where it is left out.
    #[read(with = values::object_name)]
    pub name: Option<String>,
}

impl ReferenceGrant {
    /// Whether it permits an object of a kind in another namespace to refer to one of this namespace. Gloo takes `core` for
    /// the empty group, too.
    pub fn permits(&self, from: (&str, &str, &str), to: (&str, &str, &str)) -> bool {
        let group =
            |written: &str, meant: &str| written == meant || written == "core" && meant.is_empty();
        let is_from = self
            .from
            .iter()
            .any(|it| group(&it.group, from.0) && it.kind == from.1 && it.namespace == from.2);
        let is_to = self.to.iter().any(|it| {
            group(&it.group, to.0)
                && it.kind == to.1
                && it
                    .name
                    .as_deref()
                    .is_none_or(|name| name.is_empty() || name == to.2)
        });
        is_from && is_to
    }
}

fn few(read: ReferenceGrant, fields: &Fields<'_>) -> Option<ReferenceGrant> {
    values::at_most(fields, &[("from", 16), ("to", 16)]);
    Some(read)
}
