//! What clients may do, by what their tokens say.

use std::collections::BTreeMap;

use tenon_model_derive::Read;

use crate::matcher;
use crate::read::Node;

/// What clients may do, by what their tokens say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Rbac {
    /// Everything, whatever is said elsewhere.
    pub disable: bool,
    /// What is allowed, by a name: a request passes by one of them. Without any, none passes.
    pub policies: BTreeMap<String, RbacPolicy>,
}

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RbacPolicy {
    /// To whom: one of them.
    #[read(required)]
    pub principals: Vec<Principal>,
    /// What; everything where it is left out.
    #[read(default)]
    pub permissions: Permissions,
    /// What stands between the names of claims within others; where it is left out, no name is split.
    #[read(default)]
    pub nested_claim_delimiter: String,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct Principal {
    /// By what their token says.
    pub jwt_principal: JwtPrincipal,
}

/// Somebody, by what their token says.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct JwtPrincipal {
    /// Claims: all have to be so.
    #[read(required)]
    pub claims: BTreeMap<String, String>,
    /// The provider of the token; any where it is left out.
    #[read(default)]
    pub provider: String,
    /// How claims are compared.
    #[read(default)]
    pub matcher: ClaimMatcher,
}

/// How claims are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ClaimMatcher {
    /// As texts.
    #[default]
    ExactString,
    /// `true` and `false`.
    Boolean,
    /// The text is one of a list.
    ListContains,
    /// A regular expression that the whole text matches.
    RegexMatch,
}

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Permissions {
    /// With paths that start with this.
    #[read(with = matcher::path)]
    pub path_prefix: Option<String>,
    /// With these methods; any where it is left out.
    #[read(with = Node::non_empty)]
    pub methods: Vec<String>,
}

/// What holds where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct RbacSettings {
    /// Whether nothing is allowed where nothing is said.
    pub require_rbac: bool,
}
