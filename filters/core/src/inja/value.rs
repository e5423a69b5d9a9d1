//! Values while a template is rendered.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::MAX_DEPTH;
use super::function::Kind;

/// A value: of the message or the template (`'a`), of a variable that the template has set (`'s`), or new.
#[derive(Debug, Clone)]
pub(super) enum Datum<'s, 'a> {
    Message(&'a Value),
    Local(&'s Value),
    New(Value),
    /// A string that may not be UTF-8.
    Text(Cow<'s, [u8]>),
}

impl From<Vec<u8>> for Datum<'_, '_> {
    fn from(text: Vec<u8>) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for Datum<'_, '_> {
    fn from(value: bool) -> Self {
        Self::New(value.into())
    }
}

impl From<usize> for Datum<'_, '_> {
    fn from(value: usize) -> Self {
        Self::New(value.into())
    }
}

impl<'s, 'a> Datum<'s, 'a> {
    /// What it is in JSON. None for [`Datum::Text`].
    pub(super) fn value(&self) -> Option<&Value> {
        match self {
            Self::Message(value) => Some(value),
            Self::Local(value) => Some(value),
            Self::New(value) => Some(value),
            Self::Text(_) => None,
        }
    }

    /// The string that it is.
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => self.value()?.as_str().map(str::as_bytes),
        }
    }

    pub(super) fn into_text(self) -> Option<Cow<'s, [u8]>>
    where
        'a: 's,
    {
        match self {
            Self::Message(Value::String(text)) | Self::Local(Value::String(text)) => {
                Some(Cow::Borrowed(text.as_bytes()))
            }
            Self::New(Value::String(text)) => Some(Cow::Owned(text.into_bytes())),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As a value of JSON, if it is UTF-8.
    pub(super) fn into_value(self) -> Option<Value> {
        match self {
            Self::Message(value) => Some(value.clone()),
            Self::Local(value) => Some(value.clone()),
            Self::New(value) => Some(value),
            Self::Text(text) => String::from_utf8(text.into_owned()).ok().map(Value::String),
        }
    }

    /// Whether `if` takes it for true. Any string is, even an empty one.
    pub(super) fn truthy(&self) -> bool {
        match self.value() {
            None | Some(Value::String(_)) => true,
            Some(Value::Null) => false,
            Some(Value::Bool(value)) => *value,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(members)) => !members.is_empty(),
        }
    }

    pub(super) fn is(&self, kind: Kind) -> bool {
        match (kind, self.value()) {
            (Kind::String, value) => value.is_none_or(Value::is_string),
            (Kind::Array, Some(Value::Array(_)))
            | (Kind::Boolean, Some(Value::Bool(_)))
            | (Kind::Object, Some(Value::Object(_)))
            | (Kind::Number, Some(Value::Number(_))) => true,
            (Kind::Integer, Some(Value::Number(number))) => !number.is_f64(),
            (Kind::Float, Some(Value::Number(number))) => number.is_f64(),
            _ => false,
        }
    }

    /// For messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value() {
            None | Some(Value::String(_)) => "a string",
            Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Number(_)) => "a number",
            Some(Value::Array(_)) => "an array",
            Some(Value::Object(_)) => "an object",
        }
    }

    pub(super) fn order(&self, other: &Datum<'_, '_>) -> Ordering {
        match (self.text(), other.text()) {
            (Some(left), Some(right)) => left.cmp(right),
            (None, Some(_)) => self.value().map_or(0, rank).cmp(&STRING),
            (Some(_), None) => STRING.cmp(&other.value().map_or(0, rank)),
            (None, None) => order(
                self.value().unwrap_or(&Value::Null),
                other.value().unwrap_or(&Value::Null),
            ),
        }
    }

    pub(super) fn equals_value(&self, value: &Value) -> bool {
        self.order(&Datum::Message(value)).is_eq()
    }

    /// A part of it.
    pub(super) fn part(
        self,
        find: impl for<'v> Fn(&'v Value) -> Option<&'v Value>,
    ) -> Option<Self> {
        match self {
            Self::Message(value) => find(value).map(Self::Message),
            Self::Local(value) => find(value).map(Self::Local),
            Self::New(value) => find(&value).cloned().map(Self::New),
            Self::Text(_) => None,
        }
    }
}

/// What `in`, `min`, `max` and `join` go through: an array's items, an object's members, anything else itself.
pub(super) fn items(value: &Value) -> Items<'_> {
    match value {
        Value::Array(items) => Items::Array(items.iter()),
        Value::Object(members) => Items::Object(members.values()),
        Value::Null => Items::Array([].iter()),
        value => Items::Array(std::slice::from_ref(value).iter()),
    }
}

/// See [`items`].
pub(super) enum Items<'v> {
    Array(std::slice::Iter<'v, Value>),
    Object(serde_json::map::Values<'v>),
}

impl<'v> Iterator for Items<'v> {
    type Item = &'v Value;

    fn next(&mut self) -> Option<&'v Value> {
        match self {
            Self::Array(items) => items.next(),
            Self::Object(members) => members.next(),
        }
    }
}

const STRING: u8 = 5;

/// The order of values of different types.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::Object(_) => 3,
        Value::Array(_) => 4,
        Value::String(_) => STRING,
    }
}

/// A total order. Values are equal when this says so.
pub(super) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Value::Array(left), Value::Array(right)) => {
            let mut pairs = left.iter().zip(right);
            pairs
                .find_map(|(left, right)| Some(order(left, right)).filter(|order| order.is_ne()))
                .unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => order_objects(left, right),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn order_objects(left: &Map<String, Value>, right: &Map<String, Value>) -> Ordering {
    let mut pairs = left.iter().zip(right);
    pairs
        .find_map(|(left, right)| {
            let order = left.0.cmp(right.0).then_with(|| order(left.1, right.1));
            Some(order).filter(|order| order.is_ne())
        })
        .unwrap_or_else(|| left.len().cmp(&right.len()))
}

/// Exact, also between integers and floats: sorting needs an order that does not contradict itself.
fn order_numbers(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => order_with_float(left, right.as_f64().unwrap_or_default()),
        (None, Some(right)) => order_with_float(right, left.as_f64().unwrap_or_default()).reverse(),
        (None, None) => {
            let (left, right) = (left.as_f64(), right.as_f64());
            left.partial_cmp(&right).unwrap_or(Ordering::Equal)
        }
    }
}

fn order_with_float(integer: i128, float: f64) -> Ordering {
    // Beyond what integers here can be, the conversion stops at the ends of i128, which orders them right all the same.
    let whole = float.trunc();
    integer.cmp(&(whole as i128)).then_with(|| {
        0.0_f64
            .partial_cmp(&(float - whole))
            .unwrap_or(Ordering::Equal)
    })
}

/// The integer that a number is: one without fraction and exponent.
pub(super) fn integer(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

/// How much work a value is: its parts and bytes, in steps. None if it is nested too deep.
pub(super) fn weight(value: &Value) -> Option<u64> {
    weight_within(value, MAX_DEPTH)
}

/// Whether a value is nested no deeper than that.
pub(super) fn fits(value: &Value, depth: usize) -> bool {
    weight_within(value, depth).is_some()
}

fn weight_within(value: &Value, depth: usize) -> Option<u64> {
    let depth = depth.checked_sub(1)?;
    Some(match value {
        Value::String(text) => 1 + steps(text.len()),
        Value::Array(items) => {
            let mut sum = 1;
            for item in items {
                sum += weight_within(item, depth)?;
            }
            sum
        }
        Value::Object(members) => {
            let mut sum = 1;
            for (name, member) in members {
                sum += steps(name.len()) + weight_within(member, depth)?;
            }
            sum
        }
        _ => 1,
    })
}

/// The steps that a text of some length is.
pub(super) fn steps(length: usize) -> u64 {
    length as u64 / 64
}

/// The place that `path` names in a value.
pub(super) fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    let mut parts = path.iter();
    parts.try_fold(value, |value, part| member(value, part))
}

/// An object's member, or an array's item by a number without needless zeros.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(index(name)?),
        _ => None,
    }
}

pub(super) fn index(name: &str) -> Option<usize> {
    let plain = name == "0" || !name.starts_with('0');
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then(|| name.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_different_types_have_an_order() {
        let sorted = [
            json!(null),
            json!(false),
            json!(true),
            json!(-1),
            json!(0.5),
            json!(1),
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            json!(18_446_744_073_709_551_615_u64),
            json!(1e300),
            json!({}),
            json!({"a": 1}),
            json!({"a": 2}),
            json!({"a": 2, "b": 0}),
            json!({"b": 0}),
            json!([]),
            json!([1]),
            json!([1, 0]),
            json!([2]),
            json!(""),
            json!("A"),
            json!("a"),
            json!("é"),
        ];
        for (at, left) in sorted.iter().enumerate() {
            for (to, right) in sorted.iter().enumerate() {
                assert_eq!(order(left, right), at.cmp(&to), "{left} and {right}");
            }
        }
    }

    #[test]
    fn an_integer_equals_the_float_of_the_same_value_only() {
        assert!(order(&json!(1), &json!(1.0)).is_eq());
        assert!(
            order(
                &json!(9_007_199_254_740_993_u64),
                &json!(9_007_199_254_740_992.0)
            )
            .is_gt()
        );
        assert!(order(&json!(-1), &json!(-1.5)).is_gt());
        assert!(order(&json!(-2), &json!(-1.5)).is_lt());
    }
}
