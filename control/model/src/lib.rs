//! The resources as users write them, parsed strictly, and the one internal model.
//!
//! Pure: no files, clock or network.

use std::fmt;

/// The kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `gateway.solo.io/v1`
    Gateway,
    /// Kubernetes' `v1` or Gloo's own.
    Secret,
    /// `gloo.solo.io/v1`
    Upstream,
    /// `gateway.solo.io/v1`
    VirtualService,
}

/// What identifies a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A fault in a resource, or something worth a warning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// How bad it is.
    pub level: ProblemLevel,
    /// The path of the field, as `spec.virtualHost.routes[2].matchers[0].regex`.
    pub field: String,
    /// What is wrong and what was expected: lower case, no full stop.
    pub text: String,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemLevel {
    /// The resource, or a part of it, is not used.
    Error,
    /// It is used, perhaps not as meant.
    Warning,
}

/// A resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What identifies it.
    pub key: ObjectKey,
}

/// What became of one document of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// A resource.
    Object(Box<Object>),
    /// A document that says which resource it is, but not a valid one.
    Rejected {
        /// Which one.
        key: ObjectKey,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// A text that does not even say which resource it is (no YAML, no kind, no name).
    Unreadable(Problem),
    /// A resource of a kind that Tenon does not read, as `Deployment`: skipped.
    Ignored {
        /// `apiVersion` and `kind`, for the log.
        kind: String,
    },
}

/// Parses the text of a file.
///
/// `path` is relative to the folder of resources, with `/`: in Gloo's directory form (`upstreams/<ns>/<name>.yaml`, bare)
/// it says kind, namespace and name; documents with `apiVersion` and `kind` say so themselves.
pub fn parse(_path: &str, _text: &str) -> Vec<Parsed> {
    Vec::new()
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
