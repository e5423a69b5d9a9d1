//! What Envoy itself refuses: the rules (`validate.rules`) of its messages, checked over their bytes before they are sent.
//!
//! Envoy checks each message that it takes by these rules (protoc-gen-validate) and refuses it as a whole. The rules stand
//! in the descriptors; they are compiled once, and a message is then walked as it is encoded, without decoding it.
//! Source: `validate/validate.proto` of protoc-gen-validate. Not checked, as in Envoy: `email`, `hostname`, `uri`, `uuid`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::json::descriptors;

mod compile;
pub(crate) mod shape;

/// A rule that a message breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Where, from the message on, in Envoy's names: `outlier_detection.interval`.
    pub(crate) path: String,
    /// What is expected there.
    pub(crate) text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envoy would refuse it: {}: {}", self.path, self.text)
    }
}

/// Checks an encoded message of that full name, and what stands in it.
///
/// # Errors
/// The first rule that it breaks. A message that no descriptor is known of is not looked at.
pub(crate) fn check(message: &str, bytes: &[u8]) -> Result<(), Violation> {
    match RULES.by_name.get(message) {
        Some(index) => RULES.message(*index, bytes),
        None => Ok(()),
    }
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    // The descriptors themselves are not kept.
    let pool = descriptors();
    pool.as_ref().map(compile::compile).unwrap_or_default()
});

/// The rules of all messages.
#[derive(Default)]
struct Rules {
    messages: Vec<Message>,
    by_name: HashMap<String, usize>,
}

#[derive(Default)]
struct Message {
    /// By number.
    fields: Vec<Field>,
    /// Oneofs of which a field has to be there.
    one_of: Vec<(String, Vec<u32>)>,
    /// Those that have to be counted, or that must not be left out: their places among the fields.
    counted: Vec<usize>,
    /// Whether it is `google.protobuf.Any`.
    is_any: bool,
}

struct Field {
    number: u32,
    name: String,
    many: Many,
    kind: Kind,
    rule: Rule,
    /// It must be there.
    required: bool,
    /// Left out, it has its default value, which the rule is for as well, and does not fit.
    needs_value: bool,
    /// The rule is not for the default value.
    ignore_empty: bool,
}

/// How often a field may be there.
enum Many {
    One,
    List { least: u64, most: u64, unique: bool },
    Map { least: u64, most: u64 },
}

/// How a value is encoded.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Unsigned,
    Signed,
    ZigZag,
    Float,
    Double,
    Fixed32,
    Fixed64,
    Bytes,
    Message(usize),
    /// A wrapper as `google.protobuf.UInt32Value`, whose rule is for its value.
    Wrapper(&'static Kind),
}

/// What a value has to be.
enum Rule {
    Free,
    Number(Bounds<f64>),
    Text(Box<Text>),
    Choice {
        /// Sorted.
        defined: Option<Vec<i64>>,
        only: Vec<i64>,
        never: Vec<i64>,
    },
    /// In nanoseconds.
    Duration(Bounds<i128>),
    Any {
        only: Vec<String>,
        never: Vec<String>,
    },
}

/// Whether a value keeps to a limit.
type Fits<T> = fn(&T, &T) -> bool;

struct Bounds<T> {
    /// What it is compared with, how that is said, and how it is compared.
    limits: Vec<(T, String, Fits<T>)>,
    only: Vec<T>,
    never: Vec<T>,
}

#[derive(Default)]
struct Text {
    /// In characters.
    least: u64,
    most: Option<u64>,
    least_bytes: u64,
    most_bytes: Option<u64>,
    exactly: Option<Vec<u8>>,
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    contains: Vec<u8>,
    not_contains: Vec<u8>,
    only: Vec<Vec<u8>>,
    never: Vec<Vec<u8>>,
    pattern: Option<Pattern>,
    is_address: bool,
}

/// A pattern that is asked for often, as a loop over bytes.
type Known = fn(&str) -> bool;

enum Pattern {
    Regex(regex_lite::Regex),
    Known(Known),
}

impl Pattern {
    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Known(fits) => fits(text),
        }
    }
}

/// So many fields are counted without asking for memory.
const FEW: usize = 64;

impl Violation {
    fn new(text: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            text: text.into(),
        }
    }

    fn under(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }
}

/// A field as it is encoded.
pub(crate) enum Encoded<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// What is in a `google.protobuf.Any`.
struct Packed<'a> {
    url: &'a [u8],
    /// Which message it is, if it is one that Tenon emits.
    message: Option<usize>,
    value: &'a [u8],
}

impl Rules {
    fn message(&self, index: usize, bytes: &[u8]) -> Result<(), Violation> {
        let Some(message) = self.messages.get(index) else {
            return Ok(());
        };
        if message.is_any {
            let packed = self.unpack(bytes);
            return match packed.message {
                Some(index) => self.message(index, packed.value),
                None => Ok(()),
            };
        }
        if message.fields.is_empty() && message.one_of.is_empty() {
            return Ok(());
        }
        let (mut few, mut many) = ([0_u64; FEW], Vec::new());
        let counts = match few.get_mut(..message.fields.len()) {
            Some(counts) => counts,
            None => {
                many.resize(message.fields.len(), 0);
                many.as_mut_slice()
            }
        };
        let mut told: Vec<HashSet<&[u8]>> = Vec::new();
        let mut has_parts = false;
        for (number, encoded) in fields(bytes) {
            let Some((at, field)) = message.field(number) else {
                continue;
            };
            match (&field.many, &encoded) {
                (Many::List { .. }, Encoded::Bytes(packed)) if field.kind.is_packable() => {
                    for encoded in field.kind.unpack(packed) {
                        self.value(field, &encoded)
                            .map_err(|it| it.under(&format!("{}[{}]", field.name, counts[at])))?;
                        counts[at] += 1;
                    }
                }
                (Many::List { unique, .. }, _) => {
                    let name = || format!("{}[{}]", field.name, counts[at]);
                    if let (true, Encoded::Bytes(value)) = (*unique, &encoded) {
                        told.resize_with(message.fields.len(), HashSet::new);
                        if !told[at].insert(value) {
                            return Err(Violation::new("is there already").under(&name()));
                        }
                    }
                    self.value(field, &encoded)
                        .map_err(|it| it.under(&name()))?;
                    counts[at] += 1;
                }
                (Many::One, Encoded::Bytes(_)) if matches!(field.kind, Kind::Message(_)) => {
                    counts[at] += 1;
                    has_parts = true;
                }
                _ => {
                    self.value(field, &encoded)
                        .map_err(|it| it.under(&field.name))?;
                    counts[at] += 1;
                }
            }
        }
        if has_parts {
            self.parts(message, counts, bytes)?;
        }
        for at in &message.counted {
            let (field, count) = (&message.fields[*at], counts[*at]);
            field
                .check_count(count)
                .map_err(|it| it.under(&field.name))?;
            if count == 0 && field.needs_value {
                field.check_default().map_err(|it| it.under(&field.name))?;
            }
        }
        for (name, numbers) in &message.one_of {
            if !fields(bytes).any(|(number, _)| numbers.contains(&number)) {
                return Err(Violation::new("one of its fields is required").under(name));
            }
        }
        Ok(())
    }

    /// Checks the messages in a message. One may come in parts, which are merged: that is what its bytes after each other
    /// are.
    fn parts(&self, message: &Message, counts: &[u64], bytes: &[u8]) -> Result<(), Violation> {
        let mut merged: Vec<u32> = Vec::new();
        for (number, encoded) in fields(bytes) {
            let Some((at, field)) = message.field(number) else {
                continue;
            };
            if !matches!((&field.many, field.kind), (Many::One, Kind::Message(_)))
                || merged.contains(&number)
            {
                continue;
            }
            let Encoded::Bytes(part) = encoded else {
                continue;
            };
            let whole = match counts[at] {
                1 => Cow::Borrowed(part),
                _ => {
                    merged.push(number);
                    let parts = fields(bytes).filter(|(it, _)| *it == number);
                    let parts = parts.filter_map(|(_, encoded)| match encoded {
                        Encoded::Bytes(part) => Some(part),
                        Encoded::Number(_) => None,
                    });
                    Cow::Owned(parts.collect::<Vec<_>>().concat())
                }
            };
            self.value(field, &Encoded::Bytes(&whole))
                .map_err(|it| it.under(&field.name))?;
        }
        Ok(())
    }

    /// What is in a `google.protobuf.Any`.
    fn unpack<'a>(&self, bytes: &'a [u8]) -> Packed<'a> {
        let (mut url, mut value): (&[u8], &[u8]) = (&[], &[]);
        for (number, encoded) in fields(bytes) {
            match (number, encoded) {
                (1, Encoded::Bytes(bytes)) => url = bytes,
                (2, Encoded::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        let name = std::str::from_utf8(url).unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        Packed {
            url,
            message: self.by_name.get(name).copied(),
            value,
        }
    }

    fn value(&self, field: &Field, encoded: &Encoded<'_>) -> Result<(), Violation> {
        match (field.kind, encoded) {
            (Kind::Message(index), Encoded::Bytes(bytes)) => {
                field.rule.check_message(bytes)?;
                self.message(index, bytes)
            }
            (Kind::Wrapper(kind), Encoded::Bytes(bytes)) => {
                let inner = fields(bytes).find(|(number, _)| *number == 1);
                let encoded = inner.map_or(Encoded::Number(0), |(_, encoded)| encoded);
                field.check_value(*kind, &encoded)
            }
            (kind, encoded) => field.check_value(kind, encoded),
        }
    }
}

impl Message {
    fn field(&self, number: u32) -> Option<(usize, &Field)> {
        let fields = &self.fields;
        let at = fields.binary_search_by_key(&number, |field| field.number);
        let at = at.ok()?;
        Some((at, fields.get(at)?))
    }
}

impl Field {
    /// What is left out has its default value.
    fn check_default(&self) -> Result<(), Violation> {
        match self.kind {
            Kind::Bytes => self.check_value(self.kind, &Encoded::Bytes(&[])),
            kind => self.check_value(kind, &Encoded::Number(0)),
        }
    }

    fn check_count(&self, count: u64) -> Result<(), Violation> {
        match self.many {
            Many::One if self.required && count == 0 => Err(Violation::new("is required")),
            Many::List { least, .. } | Many::Map { least, .. } if count < least => {
                Err(Violation::new(match (count, self.ignore_empty) {
                    (0, true) => return Ok(()),
                    _ => format!("must have at least {least}"),
                }))
            }
            Many::List { most, .. } | Many::Map { most, .. } if count > most => {
                Err(Violation::new(format!("must have at most {most}")))
            }
            _ => Ok(()),
        }
    }

    fn check_value(&self, kind: Kind, encoded: &Encoded<'_>) -> Result<(), Violation> {
        match (&self.rule, encoded) {
            (Rule::Number(bounds), Encoded::Number(bits)) => {
                let value = kind.number(*bits);
                match self.ignore_empty && value == 0.0 {
                    true => Ok(()),
                    false => bounds.check(&value),
                }
            }
            (
                Rule::Choice {
                    defined,
                    only,
                    never,
                },
                Encoded::Number(bits),
            ) => {
                let value = *bits as i64;
                let fits = defined
                    .as_ref()
                    .is_none_or(|all| all.binary_search(&value).is_ok())
                    && (only.is_empty() || only.contains(&value))
                    && !never.contains(&value);
                match fits {
                    true => Ok(()),
                    false => Err(Violation::new(format!("{value} is not one of its values"))),
                }
            }
            (Rule::Text(text), Encoded::Bytes(value)) => {
                match self.ignore_empty && value.is_empty() {
                    true => Ok(()),
                    false => text.check(value),
                }
            }
            // A wrapper of an empty text.
            (Rule::Text(text), Encoded::Number(_)) => text.check(&[]),
            _ => Ok(()),
        }
    }
}

impl Rule {
    fn check_message(&self, bytes: &[u8]) -> Result<(), Violation> {
        match self {
            Self::Duration(bounds) => {
                let mut nanos = 0;
                for (number, encoded) in fields(bytes) {
                    match (number, encoded) {
                        (1, Encoded::Number(bits)) => {
                            nanos += i128::from(bits as i64) * 1_000_000_000;
                        }
                        (2, Encoded::Number(bits)) => nanos += i128::from(bits as i64),
                        _ => {}
                    }
                }
                bounds.check(&nanos)
            }
            Self::Any { only, never } => {
                let url = fields(bytes).find_map(|(number, encoded)| match (number, encoded) {
                    (1, Encoded::Bytes(url)) => std::str::from_utf8(url).ok().map(str::to_owned),
                    _ => None,
                });
                let url = url.unwrap_or_default();
                match (only.is_empty() || only.contains(&url)) && !never.contains(&url) {
                    true => Ok(()),
                    false => Err(Violation::new(format!("cannot be a {url}"))),
                }
            }
            _ => Ok(()),
        }
    }
}

impl<T: PartialEq> Bounds<T> {
    fn check(&self, value: &T) -> Result<(), Violation> {
        for (limit, text, fits) in &self.limits {
            if !fits(value, limit) {
                return Err(Violation::new(format!("must be {text}")));
            }
        }
        match (self.only.is_empty() || self.only.contains(value)) && !self.never.contains(value) {
            true => Ok(()),
            false => Err(Violation::new("is not one of its values")),
        }
    }
}

impl Text {
    /// The value may be secret: it is not told.
    fn check(&self, value: &[u8]) -> Result<(), Violation> {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let bytes = value.len() as u64;
        // Counted only where it can matter.
        let chars = match (self.least, self.most) {
            (0 | 1, None) => text.len().min(1) as u64,
            _ => text.chars().count() as u64,
        };
        let holds = |part: &[u8]| part.is_empty() || value.windows(part.len()).any(|it| it == part);
        let problem = if chars < self.least {
            format!("must have at least {} characters", self.least)
        } else if self.most.is_some_and(|most| chars > most) {
            format!(
                "must have at most {} characters",
                self.most.unwrap_or_default()
            )
        } else if bytes < self.least_bytes {
            format!("must have at least {} bytes", self.least_bytes)
        } else if self.most_bytes.is_some_and(|most| bytes > most) {
            format!(
                "must have at most {} bytes",
                self.most_bytes.unwrap_or_default()
            )
        } else if self.exactly.as_ref().is_some_and(|it| it != value)
            || (!self.only.is_empty() && !self.only.iter().any(|it| it == value))
            || self.never.iter().any(|it| it == value)
        {
            "is not one of its values".to_owned()
        } else if !value.starts_with(&self.prefix) || !value.ends_with(&self.suffix) {
            "does not start or end as it must".to_owned()
        } else if !holds(&self.contains)
            || (!self.not_contains.is_empty() && holds(&self.not_contains))
        {
            "holds what it must not, or not what it must".to_owned()
        } else if self.pattern.as_ref().is_some_and(|it| !it.is_match(text)) {
            "has characters that are not possible here".to_owned()
        } else if self.is_address && text.parse::<std::net::IpAddr>().is_err() {
            "is not an IP address".to_owned()
        } else {
            return Ok(());
        };
        Err(Violation::new(problem))
    }
}

impl Kind {
    fn is_packable(self) -> bool {
        !matches!(self, Self::Bytes | Self::Message(_) | Self::Wrapper(_))
    }

    fn number(self, bits: u64) -> f64 {
        match self {
            Self::Float => f64::from(f32::from_bits(bits as u32)),
            Self::Double => f64::from_bits(bits),
            Self::Signed => (bits as i64) as f64,
            Self::ZigZag => ((bits >> 1) as i64 ^ -((bits & 1) as i64)) as f64,
            _ => bits as f64,
        }
    }

    fn unpack(self, packed: &[u8]) -> Vec<Encoded<'_>> {
        let mut rest = packed;
        let mut values = Vec::new();
        let width = match self {
            Self::Float | Self::Fixed32 => 4,
            Self::Double | Self::Fixed64 => 8,
            _ => {
                while let Ok(bits) = decode_varint(&mut rest) {
                    values.push(Encoded::Number(bits));
                }
                return values;
            }
        };
        for chunk in packed.chunks_exact(width) {
            values.push(Encoded::Number(little_endian(chunk)));
        }
        values
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

/// The fields of an encoded message; what cannot be read ends it, as it was encoded by prost.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = (u32, Encoded<'_>)> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (number, wire) = decode_key(&mut rest).ok()?;
        let start = rest;
        let encoded = match wire {
            WireType::Varint => Encoded::Number(decode_varint(&mut rest).ok()?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let (value, after) = rest.split_at_checked(length)?;
                rest = after;
                Encoded::Bytes(value)
            }
            _ => {
                skip_field(wire, number, &mut rest, DecodeContext::default()).ok()?;
                Encoded::Number(little_endian(start.get(..start.len() - rest.len())?))
            }
        };
        Some((number, encoded))
    })
}

#[cfg(test)]
mod tests;
