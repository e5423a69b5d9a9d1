//! Changing requests and responses by templates, as Gloo's transformation filter does (`io.solo.transformation`;
//! `transformation_filter.cc` and `inja_transformer.cc` of envoy-gloo, from which the order of effects is taken).
//!
//! [`Transformer`] is the compiled filter configuration, [`RouteRules`] what a route says; [`Pass`] is one stream through
//! the filter. [`Transformation`] is what is done with one message; it knows nothing of the filter's position, so other
//! filters can use it too.
//!
//! Templates and expressions are compiled when they are loaded; what is wrong with one is an [`Invalid`], with the path
//! of its field. Only what a transformation looks at is held back and parsed: where it needs no body, the body flows by.

mod body;
mod extractor;
mod header_body;
mod headers;
mod matcher;
mod members;
mod pass;
mod pattern;
mod query;
mod route;
mod rules;
mod template;
mod transformation;

pub(crate) use matcher::RequestMatcher;
pub use pass::Pass;
pub use route::{RouteRules, Transformer};
pub use rules::check;
pub use transformation::{Message, Transformation};

/// What is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {text}")]
pub struct Invalid {
    /// The path of the field, from where the caller began.
    pub field: String,
    /// What is wrong; for a template with line and column.
    pub text: String,
}

/// Where in a configuration the compiler is, and what it found wrong there.
pub(crate) struct Place<'a> {
    path: String,
    found: &'a mut Vec<Invalid>,
}

impl<'a> Place<'a> {
    pub(crate) fn root(found: &'a mut Vec<Invalid>) -> Self {
        Self {
            path: String::new(),
            found,
        }
    }

    /// The place of a field.
    pub(crate) fn at(&mut self, field: &str) -> Place<'_> {
        let dot = if self.path.is_empty() { "" } else { "." };
        Place {
            path: format!("{}{dot}{field}", self.path),
            found: self.found,
        }
    }

    /// The place of an item of a list.
    pub(crate) fn item(&mut self, field: &str, index: usize) -> Place<'_> {
        self.at(&format!("{field}[{index}]"))
    }

    /// How much was found wrong so far.
    pub(crate) fn faults(&self) -> usize {
        self.found.len()
    }

    /// Tells what is wrong.
    pub(crate) fn refuse<T>(&mut self, text: impl Into<String>) -> Option<T> {
        self.found.push(Invalid {
            field: self.path.clone(),
            text: text.into(),
        });
        None
    }

    /// The value, or what is wrong.
    pub(crate) fn accept<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => self.refuse(error.to_string()),
        }
    }
}
