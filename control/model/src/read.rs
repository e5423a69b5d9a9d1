//! Reads a JSON value field by field: every field is asked for by name, what was not asked for is refused, and every
//! fault says where it is. Reading goes on after a fault, so that one look shows them all.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Number, Value};

use crate::schema::{Object, Schema};
use crate::{ObjectRef, Problem, duration};

/// What users write. `#[derive(Read)]` (`tenon_model_derive`) makes both from a declaration.
pub(crate) trait Read: Sized {
    /// The value; nothing if it is wrong, which is then reported.
    fn read(node: &Node<'_>) -> Option<Self>;
    /// What is expected.
    fn schema() -> Schema;
}

/// Fields of an object.
pub(crate) trait ReadFields: Sized {
    /// The fields; nothing if they are wrong, which is then reported, or if none of a oneof is there.
    fn read_fields(fields: &mut Fields<'_>) -> Option<Self>;
    /// The fields, where they have to be there.
    fn read_needed(fields: &mut Fields<'_>) -> Option<Self> {
        Self::read_fields(fields)
    }
    /// What is expected.
    fn describe(object: &mut Object);
}

/// Fields that exclude each other.
pub(crate) trait OneOf: ReadFields {
    /// Their names.
    const NAMES: &'static [&'static str];
}

mod values;

pub(crate) use values::Bounded;

/// Where a value stands in its document.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root(&'static str),
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

/// What was found wrong so far in a resource.
#[derive(Default)]
pub(crate) struct Report {
    /// The namespace of the resource.
    namespace: String,
    problems: RefCell<Vec<Problem>>,
}

/// A value, and where it stands.
pub(crate) struct Node<'a> {
    value: &'a Value,
    path: Path<'a>,
    report: &'a Report,
}

/// The fields of an object.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a Path<'a>,
    report: &'a Report,
    known: Vec<&'static str>,
    /// Whether some of them are named as in the proto files, `bind_port` for `bindPort`: protobuf's JSON takes both.
    snake_case: bool,
    /// Whether others than the known ones may be there.
    open: bool,
}

impl Report {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(Path::Root(""), name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl<'a> Node<'a> {
    pub(crate) fn new(value: &'a Value, path: Path<'a>, report: &'a Report) -> Self {
        Self {
            value,
            path,
            report,
        }
    }

    pub(crate) fn error<T>(&self, text: impl Into<String>) -> Option<T> {
        self.report
            .push(Problem::error(self.path.to_string(), text));
        None
    }

    /// A fault within the value, at this path from it.
    pub(crate) fn error_at(&self, field: &str, text: &str) {
        self.report
            .push(Problem::error(format!("{}.{field}", self.path), text));
    }

    /// A fault at this path of the document whose root the value is.
    pub(crate) fn error_in(&self, field: &str, text: &str) {
        self.report.push(Problem::error(field, text));
    }

    /// Something worth a warning within the value, at this path from it.
    pub(crate) fn warn_at(&self, field: &str, text: &str) {
        self.report
            .push(Problem::warning(format!("{}.{field}", self.path), text));
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.report
            .push(Problem::warning(self.path.to_string(), text));
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        // The value itself may be secret: only its type is told.
        let found = match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.error(format!("expected {what}, found {found}"))
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value.as_str() {
            Some(text) => Some(text),
            None if self.value.is_boolean() || self.value.is_number() => {
                self.expected("a text in quotes")
            }
            None => self.expected("a text"),
        }
    }

    pub(crate) fn string(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn non_empty(&self) -> Option<String> {
        match self.text()? {
            "" => self.error("must not be empty"),
            text => Some(text.to_owned()),
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value.as_bool() {
            Some(value) => Some(value),
            None => self.expected("true or false"),
        }
    }

    /// A whole number within bounds, both included.
    pub(crate) fn number(&self, least: u32, most: u32) -> Option<u32> {
        self.within(least, most)
    }

    /// As protobuf's JSON has them: also as a text (which is how it writes numbers of 64 bits), and as `4.0` or `1e3`.
    fn whole(&self, least: i128, most: i128) -> Option<i128> {
        let found = match self.value {
            Value::Number(number) => Some(number.clone()),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match (found.as_ref().and_then(whole_of), found) {
            (Some(number), _) if (least..=most).contains(&number) => Some(number),
            (_, Some(found)) => self.error(format!(
                "{found} is not a whole number from {least} to {most}"
            )),
            (_, None) => self.expected(&format!("a whole number from {least} to {most}")),
        }
    }

    pub(crate) fn uint(&self) -> Option<u32> {
        self.number(0, u32::MAX)
    }

    pub(crate) fn float(&self) -> Option<f64> {
        let value = match self.value {
            Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            value => value.as_f64(),
        };
        match value {
            Some(value) => Some(value),
            None => self.expected("a number"),
        }
    }

    pub(crate) fn duration(&self) -> Option<Duration> {
        let Some(text) = self.value.as_str() else {
            return self.expected("a duration with its unit, as 10s, 1.5s or 250ms");
        };
        match duration::parse(text) {
            Some(duration) => Some(duration),
            None => self.error(format!(
                "{text:?} is not a duration; expected a number with a unit, as 10s, 1.5s or 250ms"
            )),
        }
    }

    pub(crate) fn positive_duration(&self) -> Option<Duration> {
        match self.duration()? {
            Duration::ZERO => self.error("must be longer than 0s"),
            duration => Some(duration),
        }
    }

    /// One of the names of an enumeration (or its number, as protobuf's JSON allows).
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        if let Some(index) = self.value.as_u64().and_then(|n| usize::try_from(n).ok())
            && let Some((_, choice)) = choices.get(index)
        {
            return Some(*choice);
        }
        self.named(choices)
    }

    /// One of the names of an enumeration.
    pub(crate) fn named<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, choice)) => Some(*choice),
            None => {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                self.error(format!("{text:?} is not one of {}", names.join(", ")))
            }
        }
    }

    pub(crate) fn list<T>(&self, mut read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        let Some(values) = self.value.as_array() else {
            return self.expected("a list");
        };
        let items = values.iter().enumerate().filter_map(|(index, value)| {
            read(Node::new(
                value,
                Path::Index(&self.path, index),
                self.report,
            ))
        });
        // What is read is kept for long, and lists are short: nothing is set aside for more.
        let mut items: Vec<T> = items.collect();
        items.shrink_to_fit();
        Some(items)
    }

    pub(crate) fn object<T>(&self, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Option<T> {
        let Some(map) = self.value.as_object() else {
            return self.expected("an object");
        };
        let mut fields = Fields {
            map,
            path: &self.path,
            report: self.report,
            known: Vec::new(),
            snake_case: map.keys().any(|name| name.contains('_')),
            open: false,
        };
        let object = read(&mut fields);
        fields.refuse_unknown();
        object
    }

    /// A map from names to values that are all alike.
    pub(crate) fn map<T>(
        &self,
        mut read: impl FnMut(Node<'_>) -> Option<T>,
    ) -> Option<Vec<(String, T)>> {
        let Some(map) = self.value.as_object() else {
            return self.expected("an object");
        };
        let items = map.iter().filter_map(|(name, value)| {
            let node = Node::new(value, Path::Field(&self.path, name), self.report);
            read(node).map(|item| (name.clone(), item))
        });
        Some(items.collect())
    }

    /// The name and namespace of another resource; without a namespace, it is the one of the resource itself.
    pub(crate) fn reference(&self, own_namespace: &str) -> Option<ObjectRef> {
        self.object(|fields| fields.reference_from(own_namespace))
    }

    /// A list of at least one.
    pub(crate) fn some<T>(&self, read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        match self.value.as_array() {
            Some(values) if values.is_empty() => self.error("must not be empty"),
            _ => self.list(read),
        }
    }

    /// A number within bounds, both included.
    pub(crate) fn within<T: Bounded>(&self, least: T, most: T) -> Option<T> {
        T::within(self, least, most)
    }

    /// The namespace of the resource.
    pub(crate) fn namespace(&self) -> &str {
        &self.report.namespace
    }

    /// The value as it is.
    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }
}

impl<'a> Fields<'a> {
    /// Reads a field that may be left out; null means the same.
    pub(crate) fn field<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        match self.value_of(name) {
            None | Some(Value::Null) => None,
            Some(value) => read(Node::new(value, Path::Field(self.path, name), self.report)),
        }
    }

    /// Reads a field that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(name) {
            self.known.push(name);
            let path = Path::Field(self.path, name);
            self.report
                .push(Problem::error(path.to_string(), "is required"));
            return None;
        }
        self.field(name, read)
    }

    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        read: impl FnMut(Node<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.field(name, |node| node.list(read)).unwrap_or_default()
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        self.field(name, |node| node.boolean()).unwrap_or_default()
    }

    /// How many items a list or a map has, the wrong ones included.
    pub(crate) fn items(&self, name: &str) -> usize {
        match self.value_of(name) {
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(items)) => items.len(),
            _ => 0,
        }
    }

    /// Whether a field is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        !matches!(self.value_of(name), None | Some(Value::Null))
    }

    /// Which of several fields that exclude each other are there; more than one is a fault.
    pub(crate) fn one_of(&self, names: &[&'static str]) -> Option<&'static str> {
        let mut there = names.iter().copied().filter(|name| self.has(name));
        let first = there.next();
        if let Some(second) = there.next() {
            self.error(format!(
                "{} and {second} exclude each other",
                first.unwrap_or_default()
            ));
        }
        first
    }

    /// The name and namespace of another resource; without a namespace, it is the one of the resource itself.
    pub(crate) fn reference(&mut self) -> Option<ObjectRef> {
        let own = self.report.namespace.clone();
        self.reference_from(&own)
    }

    fn reference_from(&mut self, own_namespace: &str) -> Option<ObjectRef> {
        let name = self.required("name", |node| node.non_empty());
        let namespace = self.field("namespace", |node| node.string());
        let namespace = namespace.as_deref().filter(|it| !it.is_empty());
        Some(ObjectRef {
            namespace: crate::name::namespace(namespace.unwrap_or(own_namespace)),
            name: name?.into(),
        })
    }

    /// The one that has to be there of fields that exclude each other.
    pub(crate) fn one<T: OneOf>(&mut self) -> Option<T> {
        if !T::NAMES.iter().any(|name| self.has(name)) {
            self.error(format!("expected one of {}", T::NAMES.join(", ")));
        }
        T::read_fields(self)
    }

    /// A field that Gloo has and that is never supported, and why.
    pub(crate) fn refused(&mut self, name: &'static str, why: &str) {
        self.field(name, |node| match is_default(node.value()) {
            true => None,
            false => node.error::<()>(format!("is not supported: {why}")),
        });
    }

    /// A fault at a field of the object.
    pub(crate) fn error_at(&self, field: &str, text: impl Into<String>) {
        let path = Path::Field(self.path, field);
        self.report.push(Problem::error(path.to_string(), text));
    }

    /// Something worth a warning at a field of the object.
    pub(crate) fn warn_at(&self, field: &str, text: impl Into<String>) {
        let path = Path::Field(self.path, field);
        self.report.push(Problem::warning(path.to_string(), text));
    }

    /// Something worth a warning of the object itself.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.report
            .push(Problem::warning(self.path.to_string(), text));
    }

    /// A fault of the object itself.
    pub(crate) fn error(&self, text: impl Into<String>) {
        self.report
            .push(Problem::error(self.path.to_string(), text));
    }

    /// Reads a value that was packed into a field of the object, under the field's name.
    pub(crate) fn within<T>(
        &self,
        name: &str,
        value: &Value,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        read(Node::new(value, Path::Field(self.path, name), self.report))
    }

    /// Fields that Gloo has and that mean nothing here.
    pub(crate) fn ignored(&mut self, names: &[&'static str]) {
        self.known.extend_from_slice(names);
    }

    /// Any other field may be there, and means nothing here.
    pub(crate) fn open(&mut self) {
        self.open = true;
    }

    /// Fields that Gloo has and that would change something, so that leaving them out must not go unseen. Written out
    /// with protobuf's default, as Gloo itself does (`useProxyProto: false`), they change nothing.
    pub(crate) fn later(&mut self, names: &[&'static str]) {
        for name in names {
            self.field(name, |node| match is_default(node.value()) {
                true => None,
                false => node.error::<()>("is not supported yet"),
            });
        }
    }

    /// Fields that Gloo has and that change nothing here, as those say that ask for it.
    pub(crate) fn without_effect(&mut self, names: &[&'static str]) {
        for name in names {
            self.field(name, |node| {
                if !is_default(node.value()) {
                    node.warn("has no effect here");
                }
                None::<()>
            });
        }
    }

    fn value_of(&self, name: &str) -> Option<&'a Value> {
        match (self.map.get(name), self.snake_case) {
            (None, true) => self.map.get(&snake_case(name)),
            (value, _) => value,
        }
    }

    fn refuse_unknown(&self) {
        if self.open {
            return;
        }
        for name in self.map.keys() {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let text = match self.known.iter().find(|known| snake_case(known) == *name) {
                Some(known) if self.map.contains_key(*known) => format!("is the same as {known}"),
                Some(_) => continue,
                None => "unknown field".to_owned(),
            };
            let path = Path::Field(self.path, name);
            self.report.push(Problem::error(path.to_string(), text));
        }
    }
}

/// The number, if it is whole.
fn whole_of(number: &Number) -> Option<i128> {
    let whole = number.as_i64().map(i128::from);
    whole
        .or_else(|| number.as_u64().map(i128::from))
        .or_else(|| {
            let float = number.as_f64()?;
            // Every whole number in this range is one that f64 can hold.
            let is_whole = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
            is_whole.then_some(float as i128)
        })
}

/// `bindPort` as `bind_port`.
fn snake_case(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// Whether protobuf cannot tell a value from a field that is not there. A message can be, even an empty one.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(_) => false,
    }
}
