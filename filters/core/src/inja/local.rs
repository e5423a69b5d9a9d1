//! Variables that a template sets while it is rendered.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::value::{self, Datum};

/// The value of a variable.
#[derive(Debug)]
pub(super) enum Local<'a> {
    /// Of the message or the template.
    Message(&'a Value),
    Value(Value),
    Text(Cow<'a, [u8]>),
}

impl<'a> Local<'a> {
    pub(super) fn find(&self, path: &[String]) -> Option<Datum<'_, 'a>> {
        match self {
            Self::Message(value) => value::find(value, path).map(Datum::Message),
            Self::Value(value) => value::find(value, path).map(Datum::Local),
            Self::Text(text) if path.is_empty() => Some(Datum::Text(Cow::Borrowed(text))),
            Self::Text(_) => None,
        }
    }

    /// Makes it the empty value of its type.
    pub(super) fn clear(&mut self) {
        let empty = match self {
            Self::Message(value) => empty(value),
            Self::Value(value) => empty(value),
            Self::Text(_) => "".into(),
        };
        *self = Self::Value(empty);
    }
}

fn empty(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => false.into(),
        Value::Number(number) if number.is_f64() => 0.0.into(),
        Value::Number(_) => 0.into(),
        Value::String(_) => "".into(),
        Value::Array(_) => json!([]),
        Value::Object(_) => json!({}),
    }
}

/// What `loop` tells.
#[derive(Debug)]
pub(super) struct Loop {
    /// None before the first item.
    pub(super) index: Option<usize>,
    /// Whether it has ended.
    pub(super) over: bool,
    length: usize,
}

impl Loop {
    pub(super) fn over(length: usize) -> Self {
        Self {
            index: None,
            over: false,
            length,
        }
    }

    /// What `path` names, after `loop`. The innermost loop is the last.
    pub(super) fn find(loops: &[Self], path: &[String]) -> Option<Value> {
        let Some((inner, outer)) = loops.split_last() else {
            return path.is_empty().then_some(Value::Null);
        };
        match path.split_first() {
            None => Some(Self::describe(loops)),
            Some((name, rest)) if name == "parent" => match outer {
                [] if inner.over => rest.is_empty().then_some(Value::Null),
                [] => None,
                outer => Self::find(outer, rest),
            },
            Some((name, [])) => inner.field(name),
            Some(_) => None,
        }
    }

    fn field(&self, name: &str) -> Option<Value> {
        let index = self.index.unwrap_or_default();
        Some(match name {
            "index" => self.index?.into(),
            "index1" => (self.index? + 1).into(),
            "is_first" => (index == 0).into(),
            "is_last" => (index + 1 >= self.length).into(),
            _ => return None,
        })
    }

    fn describe(loops: &[Self]) -> Value {
        let Some((inner, outer)) = loops.split_last() else {
            return Value::Null;
        };
        let mut members: serde_json::Map<_, _> = ["index", "index1", "is_first", "is_last"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), inner.field(name)?)))
            .collect();
        if inner.over || !outer.is_empty() {
            members.insert("parent".into(), Self::describe(outer));
        }
        Value::Object(members)
    }
}
