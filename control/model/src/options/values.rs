//! Values that several options have, in Envoy's own shapes.

use tenon_model_derive::Read;

use crate::read::{Node, Read};
use crate::{header, regex};

/// A share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct FractionalPercent {
    /// So many of `denominator`.
    #[read(default)]
    pub numerator: u32,
    /// What the whole is.
    #[read(default)]
    pub denominator: Denominator,
}

/// What the whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum Denominator {
    /// 100
    #[default]
    Hundred,
    /// 10,000
    TenThousand,
    /// 1,000,000
    Million,
}

/// A share that Envoy's runtime can change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct RuntimeFractionalPercent {
    /// The share where the runtime says nothing.
    #[read(default)]
    pub default_value: FractionalPercent,
    /// Its name in the runtime.
    #[read(default)]
    pub runtime_key: String,
}

/// Which texts.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct StringMatcher {
    /// What they are.
    #[read(flatten)]
    pub pattern: StringPattern,
    /// Whether upper and lower case are the same; not of regular expressions.
    pub ignore_case: bool,
}

/// Which texts.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum StringPattern {
    /// This one.
    Exact(String),
    /// That start with this.
    #[read(with = Node::non_empty)]
    Prefix(String),
    /// That end with this.
    #[read(with = Node::non_empty)]
    Suffix(String),
    /// That match this as a whole.
    SafeRegex(SafeRegex),
}

/// A regular expression.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(ignored("googleRe2"))]
pub struct SafeRegex {
    /// The expression, in RE2's syntax.
    #[read(with = regex::pattern)]
    pub regex: String,
}

/// A header, as it is added to a request.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct NamedValue {
    /// Its name.
    #[read(with = header::matched_name)]
    pub key: String,
    /// Its value.
    #[read(default, with = header::value)]
    pub value: String,
}

/// `true`; `false` says nothing.
pub(crate) fn only_true(node: &Node<'_>) -> Option<()> {
    bool::read(node)?.then_some(())
}
