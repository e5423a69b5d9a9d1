//! How the contract's JSON is read: by one small reader that knows each type by a table of its fields ([`Shape`], which
//! `tenon-contract-derive` writes). Serde's own code, made anew for each type, would be a quarter of the `.wasm`.
//!
//! As with serde, a field that is given twice, or not given though it has to be, is an error, and one that is not known is
//! not; its path is kept ([`Reader::unknown`]). Errors say where they are, by path, line and column, and never quote a
//! value: it may be secret.

use std::fmt;

mod cursor;
mod plain;
mod reader;

pub use cursor::Cursor;
pub use reader::Reader;

/// Why a text is not of the shape that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The path of the field, as `requestTransforms[0].matcher`; empty for the whole.
    path: String,
    message: String,
    /// From 1, as is `column`, which counts bytes.
    line: usize,
    column: usize,
    /// `Syntax`, `Eof` or `Data`, as serde_json has them.
    kind: &'static str,
}

impl Wrong {
    /// The same without a word of what is in the text, which may be secret.
    pub fn redacted(&self) -> String {
        format!(
            "{} error at line {} column {}",
            self.kind, self.line, self.column
        )
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str(&self.path)?;
            f.write_str(": ")?;
        }
        write!(
            f,
            "{} at line {} column {}",
            self.message, self.line, self.column
        )
    }
}

/// What reading comes to.
pub type Result<T> = std::result::Result<T, Wrong>;

/// What can be read.
pub trait Shape {
    /// What there is before anything is read: the defaults of what may be left out, nothing for the rest.
    fn blank() -> Self
    where
        Self: Sized;

    /// Reads the value that the reader is at.
    ///
    /// # Errors
    /// It is of another shape.
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()>;
}

/// A field of a [`Record`].
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Whether it has to be given.
    pub required: bool,
}

/// An object with known fields.
pub trait Record {
    /// All of them, 63 at most.
    fn fields(&self) -> &'static [Field];
    /// One of them, by its place in the table.
    fn field(&mut self, index: usize) -> Option<&mut dyn Shape>;
    /// What takes a field of the object beside those: it has to be there.
    fn rest(&mut self) -> Option<&mut dyn Choice>;
}

/// One of several values, told apart by the name of the field that it is in.
pub trait Choice {
    /// The names.
    fn names(&self) -> &'static [&'static str];
    /// Reads the value of the field with the name at `index`.
    ///
    /// # Errors
    /// It is of another shape.
    fn read_as(&mut self, index: usize, reader: &mut Reader<'_>) -> Result<()>;
}

/// Values in order.
pub(crate) trait List {
    /// Adds a blank one.
    fn add(&mut self) -> Option<&mut dyn Shape>;
}

/// Values by name.
pub(crate) trait Table {
    /// Adds a blank one; of several with one name the last counts.
    fn add(&mut self, name: String) -> Option<&mut dyn Shape>;
}

/// The record without fields.
pub(crate) struct Nothing;

impl Record for Nothing {
    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn field(&mut self, _index: usize) -> Option<&mut dyn Shape> {
        None
    }

    fn rest(&mut self) -> Option<&mut dyn Choice> {
        None
    }
}

#[cfg(test)]
mod tests;
