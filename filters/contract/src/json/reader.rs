//! The reader of shapes.

use std::fmt::Write as _;

use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::{Choice, Cursor, List, Record, Result, Shape, Table, Wrong};

/// Reads a JSON text.
#[derive(Debug, Clone)]
pub struct Reader<'t> {
    text: &'t str,
    cursor: Cursor<'t>,
    path: Vec<Step>,
    unknown: Vec<String>,
}

/// A step of a path.
#[derive(Debug, Clone)]
enum Step {
    Field(&'static str),
    Name(String),
    Item(usize),
}

/// The bit of what takes the rest of a record's fields.
const REST: u32 = 63;

impl<'t> Reader<'t> {
    /// Of a whole text.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn new(text: &'t [u8]) -> Result<Self> {
        let plain = std::str::from_utf8(text).map_err(|error| {
            let before = text.get(..error.valid_up_to()).unwrap_or_default();
            wrong_at(
                before,
                String::new(),
                "invalid unicode code point",
                "Syntax",
            )
        })?;
        if let Err(error) = serde_json::from_slice::<IgnoredAny>(text) {
            let message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            return Err(Wrong {
                path: String::new(),
                message: message.trim_end_matches(&*place).to_owned(),
                line: error.line(),
                column: error.column(),
                kind: match error.classify() {
                    Category::Eof => "Eof",
                    _ => "Syntax",
                },
            });
        }
        Ok(Self {
            text: plain,
            cursor: Cursor::new(plain),
            path: Vec::new(),
            unknown: Vec::new(),
        })
    }

    /// Reads a shape.
    ///
    /// # Errors
    /// The text is of another shape.
    pub fn whole<T: Shape>(&mut self) -> Result<T> {
        let mut value = T::blank();
        value.read(self)?;
        Ok(value)
    }

    /// The paths of the fields that no shape knows, in order.
    pub fn unknown(self) -> Vec<String> {
        self.unknown
    }

    /// Reads an object with known fields.
    ///
    /// # Errors
    /// It is none, a field is of another shape, missing, or given twice.
    pub fn record(&mut self, record: &mut dyn Record) -> Result<()> {
        self.open(b'{', "an object")?;
        let fields = record.fields();
        let mut given = 0_u64;
        let mut rest = None;
        while self.cursor.more() {
            let name = self.key()?;
            let known = fields.iter().enumerate().find(|(_, it)| it.name == name);
            if let Some((index, field)) = known {
                self.once(&mut given, index, field.name)?;
                self.path.push(Step::Field(field.name));
                if let Some(shape) = record.field(index) {
                    shape.read(self)?;
                }
                self.path.pop();
                continue;
            }
            let chosen = record.rest().and_then(|choice| {
                let index = position(choice.names(), &name)?;
                // The first one counts, as where serde flattens.
                (*rest.get_or_insert(index) == index).then_some((choice, index))
            });
            match chosen {
                Some((choice, index)) => {
                    self.once(&mut given, REST as usize, &name)?;
                    self.path.push(Step::Name(name));
                    choice.read_as(index, self)?;
                    self.path.pop();
                }
                None => self.pass(name),
            }
        }
        let mut missing = fields
            .iter()
            .enumerate()
            .filter(|(index, field)| field.required && given & (1 << index) == 0);
        if let Some((_, field)) = missing.next() {
            return Err(self.wrong(&format!("missing field `{}`", field.name)));
        }
        match record.rest() {
            Some(choice) if given & (1 << REST) == 0 => {
                Err(self.wrong(&format!("missing {}", one_of(choice.names()))))
            }
            _ => Ok(()),
        }
    }

    /// Reads an object with one field, whose name tells what is in it.
    ///
    /// # Errors
    /// It is none, or of another shape.
    pub fn choice(&mut self, choice: &mut dyn Choice) -> Result<()> {
        self.open(b'{', "an object")?;
        let names = choice.names();
        let name = match self.cursor.more() {
            true => self.key()?,
            false => return Err(self.wrong(&format!("missing {}", one_of(names)))),
        };
        let index = self.known(names, &name)?;
        self.path.push(Step::Name(name));
        choice.read_as(index, self)?;
        self.path.pop();
        match self.cursor.more() {
            true => Err(self.wrong("expected no other field")),
            false => Ok(()),
        }
    }

    /// Reads one of some names: its place among them.
    ///
    /// # Errors
    /// It is none of them.
    pub fn name(&mut self, names: &'static [&'static str]) -> Result<usize> {
        let name = self.string()?;
        self.known(names, &name)
    }

    /// Reads a string.
    ///
    /// # Errors
    /// It is none.
    pub fn string(&mut self) -> Result<String> {
        self.expect(b'"', "a string")?;
        match self.cursor.string() {
            Some(text) => Ok(text.into_owned()),
            None => Err(self.wrong("a surrogate without the other")),
        }
    }

    /// Reads what is written as one word: a number, `true`, `false` or `null`. Its text.
    pub fn word(&mut self) -> &'t str {
        self.cursor.skip()
    }

    /// Passes over `null`, if that is what comes next.
    pub fn null(&mut self) -> bool {
        let is_null = self.cursor.peek() == b'n';
        if is_null {
            self.cursor.skip();
        }
        is_null
    }

    pub(crate) fn list(&mut self, list: &mut dyn List) -> Result<()> {
        self.open(b'[', "a list")?;
        let mut index = 0;
        while self.cursor.more() {
            self.path.push(Step::Item(index));
            if let Some(item) = list.add() {
                item.read(self)?;
            }
            self.path.pop();
            index += 1;
        }
        Ok(())
    }

    pub(crate) fn table(&mut self, table: &mut dyn Table) -> Result<()> {
        self.open(b'{', "an object")?;
        while self.cursor.more() {
            let name = self.key()?;
            self.path.push(Step::Name(name.clone()));
            if let Some(value) = table.add(name) {
                value.read(self)?;
            }
            self.path.pop();
        }
        Ok(())
    }

    /// An error at the place that was reached.
    pub(crate) fn wrong(&self, message: &str) -> Wrong {
        let before = self.text.as_bytes().get(..self.cursor.offset());
        wrong_at(before.unwrap_or_default(), self.path(), message, "Data")
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            let name = match step {
                Step::Field(name) => name,
                Step::Name(name) => &**name,
                Step::Item(index) => {
                    let _ = write!(path, "[{index}]");
                    continue;
                }
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        path
    }

    fn key(&mut self) -> Result<String> {
        match self.cursor.string() {
            Some(name) => Ok(name.into_owned()),
            None => Err(self.wrong("a surrogate without the other")),
        }
    }

    fn open(&mut self, first: u8, what: &str) -> Result<()> {
        self.expect(first, what)?;
        self.cursor.enter();
        Ok(())
    }

    fn expect(&mut self, first: u8, what: &str) -> Result<()> {
        let found = match self.cursor.peek() {
            found if found == first => return Ok(()),
            b'{' => "an object",
            b'[' => "a list",
            b'"' => "a string",
            b'n' => "null",
            b't' | b'f' => "a truth value",
            _ => "a number",
        };
        Err(self.wrong(&format!("{found} where {what} is expected")))
    }

    fn once(&self, given: &mut u64, bit: usize, name: &str) -> Result<()> {
        if *given & (1 << bit) != 0 {
            return Err(self.wrong(&format!("duplicate field `{name}`")));
        }
        *given |= 1 << bit;
        Ok(())
    }

    fn known(&self, names: &[&str], name: &str) -> Result<usize> {
        position(names, name)
            .ok_or_else(|| self.wrong(&format!("unknown name, expected {}", one_of(names))))
    }

    /// Passes over a field that is not known.
    fn pass(&mut self, name: String) {
        let value = self.cursor.skip();
        // Absent and empty mean the same where a field may be left out.
        let is_nothing = match value.as_bytes() {
            [b'[' | b'{', inside @ .., _] => inside.iter().all(u8::is_ascii_whitespace),
            _ => matches!(value, "null" | "false" | "0" | "\"\""),
        };
        if !is_nothing {
            self.path.push(Step::Name(name));
            let path = self.path();
            self.path.pop();
            let place = self.unknown.partition_point(|other| *other < path);
            self.unknown.insert(place, path);
        }
    }
}

fn wrong_at(before: &[u8], path: String, message: &str, kind: &'static str) -> Wrong {
    let mut wrong = Wrong {
        path,
        message: message.to_owned(),
        line: 1,
        column: 0,
        kind,
    };
    for byte in before {
        wrong.column += 1;
        if *byte == b'\n' {
            wrong.line += 1;
            wrong.column = 0;
        }
    }
    wrong
}

fn position(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|other| *other == name)
}

fn one_of(names: &[&str]) -> String {
    let mut all = String::from("one of");
    for name in names {
        all.push_str(" `");
        all.push_str(name);
        all.push('`');
    }
    all
}
