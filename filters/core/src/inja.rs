//! Inja, the template language of Gloo's transformations, as Gloo ships it: solo-io/inja 3.4.0-patch3 with the functions
//! of envoy-gloo's transformation filter. `docs/transformations.md` lists where this engine differs.
//!
//! A [`Template`] is compiled when the configuration is loaded: syntax, names of functions and their number of arguments
//! are checked there. Rendering reads the message through a [`Scope`], ends after a bounded number of steps, and never
//! panics.

mod call;
mod evaluate;
mod expression;
mod function;
mod lexer;
mod local;
mod number;
mod parser;
mod render;
mod scope;
mod text;
mod tree;
mod uses;
mod value;

pub use scope::{Lookup, Metadata, Scope};

/// The steps that rendering a template may take. A step is a part of the template that is rendered or evaluated, an item
/// that is gone through, or 64 bytes of text that are handled.
pub const MAX_STEPS: u64 = 1_000_000;

/// The bytes that a template may render.
pub const MAX_OUTPUT: usize = 8 << 20;

/// How deep blocks and brackets may be nested in a template, each.
pub const MAX_NESTING: usize = 64;

/// How deep arrays and objects may be nested in a value.
const MAX_DEPTH: usize = 256;

/// How a transformation wants its templates read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Syntax {
    /// Gloo's `advancedTemplates`: `a/b` is a path of two names and `a.b` one name. Otherwise both are paths of two.
    pub advanced: bool,
    /// Gloo's `escapeCharacters`: what a `{{ }}` prints is escaped as in a JSON string, without the quotes.
    pub escape_characters: bool,
}

/// A compiled template. It is immutable: share it in an `Arc`.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<tree::Node>,
    escapes: bool,
    uses: Uses,
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct CompileError {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    /// Without the place.
    pub message: String,
}

/// Why a template could not be rendered with a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct RenderError {
    /// Of the template, from 1.
    pub line: usize,
    /// Of the template, in bytes, from 1.
    pub column: usize,
    /// Without the place, as Inja words it where it has such an error: `variable 'x' not found`.
    pub message: String,
}

/// What of a message a template reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// `body()`.
    pub body: bool,
    /// The whole JSON context: `context()`, or a name that is only known when rendering, as in `exists(x)`.
    pub context: bool,
    /// The first names of the variables, sorted, without those that the template itself always sets. An extractor's
    /// name among them needs no body.
    pub variables: Vec<String>,
    /// The first names of all variables, sorted: unless [`Uses::context`], nothing else of the JSON context is looked at.
    pub names: Vec<String>,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, and where.
    pub fn compile(text: &str, syntax: &Syntax) -> Result<Self, CompileError> {
        let (nodes, uses) = parser::parse(text, *syntax)?;
        Ok(Self {
            nodes,
            escapes: syntax.escape_characters,
            uses,
        })
    }

    /// Renders it.
    ///
    /// # Errors
    ///
    /// A variable that is not there, a function that cannot take what it was given, or a limit: steps, length, depth.
    pub fn render(&self, scope: &dyn Scope) -> Result<Vec<u8>, RenderError> {
        render::render(&self.nodes, self.escapes, scope)
    }

    /// What it always renders, if it reads and does nothing.
    pub fn literal(&self) -> Option<&str> {
        match self.nodes.as_slice() {
            [] => Some(""),
            [tree::Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What it reads of a message.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Whether it reads the body, or a variable that may come from it.
    pub fn uses_body(&self) -> bool {
        let uses = &self.uses;
        uses.body || uses.context || !uses.variables.is_empty()
    }
}
