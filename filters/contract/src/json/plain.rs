//! The shapes of Rust's own types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{List, Reader, Result, Shape, Table};

impl Shape for String {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = reader.string()?;
        Ok(())
    }
}

impl Shape for bool {
    fn blank() -> Self {
        false
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = match reader.word() {
            "true" => true,
            "false" => false,
            _ => return Err(reader.wrong("expected a truth value")),
        };
        Ok(())
    }
}

impl Shape for u64 {
    fn blank() -> Self {
        0
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        match reader.word().parse() {
            Ok(number) => *self = number,
            Err(_) => return Err(reader.wrong("expected a whole number of 64 bits at most")),
        }
        Ok(())
    }
}

impl Shape for u32 {
    fn blank() -> Self {
        0
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = narrow(reader, "32")?;
        Ok(())
    }
}

impl Shape for u16 {
    fn blank() -> Self {
        0
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = narrow(reader, "16")?;
        Ok(())
    }
}

/// A number of so many bits.
fn narrow<T: TryFrom<u64>>(reader: &mut Reader<'_>, bits: &str) -> Result<T> {
    let mut wide = 0_u64;
    wide.read(reader)?;
    T::try_from(wide)
        .map_err(|_| reader.wrong(&format!("expected a whole number of {bits} bits at most")))
}

/// Any JSON.
impl Shape for Value {
    fn blank() -> Self {
        Self::Null
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        match serde_json::from_slice(reader.word().as_bytes()) {
            Ok(value) => *self = value,
            Err(_) => return Err(reader.wrong("cannot be read: too deep, or too large a number")),
        }
        Ok(())
    }
}

/// `null` is nothing.
impl<T: Shape> Shape for Option<T> {
    fn blank() -> Self {
        None
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = None;
        match reader.null() {
            true => Ok(()),
            false => self.insert(T::blank()).read(reader),
        }
    }
}

impl<T: Shape> Shape for Box<T> {
    fn blank() -> Self {
        Self::new(T::blank())
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        T::read(self, reader)
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.clear();
        reader.list(self)
    }
}

impl<T: Shape> List for Vec<T> {
    fn add(&mut self) -> Option<&mut dyn Shape> {
        self.push(T::blank());
        self.last_mut().map(|item| item as &mut dyn Shape)
    }
}

/// An object of any JSON.
impl Shape for BTreeMap<String, Value> {
    fn blank() -> Self {
        Self::new()
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.clear();
        reader.table(self)
    }
}

impl Table for BTreeMap<String, Value> {
    fn add(&mut self, name: String) -> Option<&mut dyn Shape> {
        Some(self.entry(name).or_insert(Value::Null))
    }
}
