//! From descriptors to rules.

use std::collections::{BTreeSet, HashMap};

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind as Type,
    MessageDescriptor, ReflectMessage, Value,
};

use super::{Bounds, Field, Fits, Kind, Known, Many, Message, Pattern, Rule, Rules, Text};

/// By `HTTP_HEADER_NAME` and `HTTP_HEADER_VALUE`, and whether it is strict.
const HEADERS: [(i32, bool, Known); 4] = [
    (1, true, is_header_name),
    (1, false, is_one_line),
    (2, true, is_header_value),
    (2, false, is_one_line),
];

/// `^:?[0-9a-zA-Z!#$%&'*+-.^_|~\x60]+$`
fn is_header_name(text: &str) -> bool {
    let name = text.strip_prefix(':').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+,-.^_|~`".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// `^[^\x00-\x08\x0A-\x1F\x7F]*$`
fn is_header_value(text: &str) -> bool {
    let fits = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
    text.bytes().all(fits)
}

/// `^[^\x00\x0A\x0D]*$`
fn is_one_line(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, 0 | b'\n' | b'\r'))
}

pub(super) fn compile(pool: &DescriptorPool) -> Rules {
    let by_name: HashMap<String, usize> = pool
        .all_messages()
        .enumerate()
        .map(|(index, message)| (message.full_name().to_owned(), index))
        .collect();
    let (Some(rules), Some(required)) = (
        pool.get_extension_by_name("validate.rules"),
        pool.get_extension_by_name("validate.required"),
    ) else {
        return Rules::default();
    };
    let compiler = Compiler {
        rules,
        required,
        by_name: &by_name,
    };
    let messages = pool.all_messages().map(|it| compiler.message(&it));
    let mut rules = Rules {
        messages: messages.collect(),
        by_name,
    };
    rules.leave_out_what_is_free();
    rules
}

impl Rules {
    /// Messages in which nothing has a rule, however deep, need no look; and what else is known beforehand.
    fn leave_out_what_is_free(&mut self) {
        let mut has_rules = vec![false; self.messages.len()];
        loop {
            let has = |message: &Message| {
                let within = |field: &Field| match field.kind {
                    Kind::Message(index) => !field.is_free() || has_rules[index],
                    _ => true,
                };
                message.is_any || !message.one_of.is_empty() || message.fields.iter().any(within)
            };
            let found: Vec<bool> = self.messages.iter().map(has).collect();
            if found == has_rules {
                break;
            }
            has_rules = found;
        }
        for message in &mut self.messages {
            message.fields.retain(|field| match field.kind {
                Kind::Message(index) => !field.is_free() || has_rules[index],
                _ => true,
            });
            let fields = message.fields.iter().enumerate();
            let counted = fields.filter(|(_, field)| field.is_counted());
            message.counted = counted.map(|(at, _)| at).collect();
        }
    }
}

impl Field {
    /// Whether there is nothing to check of it, but perhaps of what is in it.
    fn is_free(&self) -> bool {
        matches!(self.rule, Rule::Free) && !self.is_counted() && !self.is_unique()
    }

    fn is_unique(&self) -> bool {
        matches!(self.many, Many::List { unique: true, .. })
    }

    /// Whether it matters how often it is there.
    fn is_counted(&self) -> bool {
        let any = match self.many {
            Many::One => !self.required,
            Many::List { least, most, .. } | Many::Map { least, most } => {
                least == 0 && most == u64::MAX
            }
        };
        !any || self.needs_value
    }
}

struct Compiler<'a> {
    rules: ExtensionDescriptor,
    required: ExtensionDescriptor,
    by_name: &'a HashMap<String, usize>,
}

impl Compiler<'_> {
    fn message(&self, of: &MessageDescriptor) -> Message {
        if of.full_name() == "google.protobuf.Any" {
            return Message {
                is_any: true,
                ..Message::default()
            };
        }
        let mut fields: Vec<_> = of.fields().map(|it| self.field(&it)).collect();
        // What has neither a rule nor anything in it that has one needs no look.
        fields.retain(|field| !field.is_free() || matches!(field.kind, Kind::Message(_)));
        fields.sort_by_key(|field| field.number);
        let one_of = of.oneofs().filter(|it| {
            let options = it.options();
            options.has_extension(&self.required)
                && options.get_extension(&self.required).as_bool() == Some(true)
        });
        Message {
            fields,
            one_of: one_of
                .map(|it| {
                    let numbers = it.fields().map(|field| field.number()).collect();
                    (it.name().to_owned(), numbers)
                })
                .collect(),
            counted: Vec::new(),
            is_any: false,
        }
    }

    fn field(&self, of: &FieldDescriptor) -> Field {
        let options = of.options();
        let rules = options.has_extension(&self.rules).then(|| {
            let rules = options.get_extension(&self.rules).into_owned();
            rules.as_message().cloned()
        });
        let rules = rules.flatten();
        let repeated = part(rules.as_ref(), "repeated");
        let map = part(rules.as_ref(), "map");
        let many = if of.is_map() {
            Many::Map {
                least: number(map.as_ref(), "min_pairs").unwrap_or(0),
                most: number(map.as_ref(), "max_pairs").unwrap_or(u64::MAX),
            }
        } else if of.is_list() {
            Many::List {
                least: number(repeated.as_ref(), "min_items").unwrap_or(0),
                most: number(repeated.as_ref(), "max_items").unwrap_or(u64::MAX),
                unique: flag(repeated.as_ref(), "unique"),
            }
        } else {
            Many::One
        };
        let of_item = match of.is_list() {
            true => part(repeated.as_ref(), "items"),
            false => rules.clone(),
        };
        let required = ["message", "duration", "any", "timestamp"]
            .iter()
            .any(|name| flag(part(rules.as_ref(), name).as_ref(), "required"))
            // One of a oneof is required only where it is the one, and then it is there.
            && of.containing_oneof().is_none();
        let skipped = flag(part(of_item.as_ref(), "message").as_ref(), "skip");
        let (rule, ignore_empty) = match (&of_item, of.is_map() || skipped) {
            (Some(rules), false) => rule(rules, of),
            _ => (Rule::Free, flag(repeated.as_ref(), "ignore_empty")),
        };
        let wrapped = matches!(of.kind(), Type::Message(_))
            && matches!(rule, Rule::Number(_) | Rule::Text(_));
        let has_default = matches!(many, Many::One) && !of.supports_presence();
        let mut field = Field {
            number: of.number(),
            name: of.name().to_owned(),
            kind: match (wrapped, skipped) {
                (true, _) => wrapper(of),
                (false, true) => Kind::Bytes,
                (false, false) => self.kind(of),
            },
            needs_value: false,
            many,
            rule,
            required,
            ignore_empty,
        };
        field.needs_value = has_default && !ignore_empty && field.check_default().is_err();
        field
    }

    fn kind(&self, of: &FieldDescriptor) -> Kind {
        match of.kind() {
            Type::Message(message) => match self.by_name.get(message.full_name()) {
                Some(index) => Kind::Message(*index),
                None => Kind::Bytes,
            },
            kind => scalar(&kind),
        }
    }
}

fn scalar(kind: &Type) -> Kind {
    match kind {
        Type::Int32 | Type::Int64 | Type::Enum(_) => Kind::Signed,
        Type::Sint32 | Type::Sint64 => Kind::ZigZag,
        Type::Float => Kind::Float,
        Type::Double => Kind::Double,
        Type::Fixed32 | Type::Sfixed32 => Kind::Fixed32,
        Type::Fixed64 | Type::Sfixed64 => Kind::Fixed64,
        Type::Uint32 | Type::Uint64 | Type::Bool => Kind::Unsigned,
        Type::String | Type::Bytes | Type::Message(_) => Kind::Bytes,
    }
}

fn wrapper(of: &FieldDescriptor) -> Kind {
    let inner = match of.kind() {
        Type::Message(message) => message.get_field(1).map(|value| scalar(&value.kind())),
        _ => None,
    };
    Kind::Wrapper(match inner {
        Some(Kind::Signed) => &Kind::Signed,
        Some(Kind::Float) => &Kind::Float,
        Some(Kind::Double) => &Kind::Double,
        Some(Kind::Unsigned) => &Kind::Unsigned,
        _ => &Kind::Bytes,
    })
}

/// The rule of a value, and whether it is for the default value too.
fn rule(rules: &DynamicMessage, of: &FieldDescriptor) -> (Rule, bool) {
    let numbers = [
        "float", "double", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
        "fixed64", "sfixed32", "sfixed64",
    ];
    for name in numbers {
        if let Some(rules) = part(Some(rules), name) {
            let ignore_empty = flag(Some(&rules), "ignore_empty");
            return (Rule::Number(bounds(&rules, as_float)), ignore_empty);
        }
    }
    if let Some(rules) = part(Some(rules), "string").or_else(|| part(Some(rules), "bytes")) {
        let ignore_empty = flag(Some(&rules), "ignore_empty");
        return (Rule::Text(Box::new(text(&rules))), ignore_empty);
    }
    if let Some(rules) = part(Some(rules), "enum") {
        let Type::Enum(all) = of.kind() else {
            return (Rule::Free, false);
        };
        let defined = flag(Some(&rules), "defined_only");
        let whole = |value: &Value| value.as_i32().map(i64::from);
        let mut only: Vec<_> = list(&rules, "in").iter().filter_map(whole).collect();
        only.extend(value(&rules, "const").as_ref().and_then(whole));
        let choice = Rule::Choice {
            defined: defined.then(|| {
                let all = all.values().map(|it| i64::from(it.number()));
                let all: BTreeSet<_> = all.collect();
                all.into_iter().collect()
            }),
            only,
            never: list(&rules, "not_in").iter().filter_map(whole).collect(),
        };
        return (choice, false);
    }
    if let Some(rules) = part(Some(rules), "duration") {
        return (Rule::Duration(bounds(&rules, as_nanos)), false);
    }
    if let Some(rules) = part(Some(rules), "any") {
        let texts = |name| {
            let texts = list(&rules, name).into_iter();
            texts
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect()
        };
        let any = Rule::Any {
            only: texts("in"),
            never: texts("not_in"),
        };
        return (any, false);
    }
    (Rule::Free, false)
}

fn bounds<T: PartialOrd + Copy>(
    rules: &DynamicMessage,
    read: fn(&Value) -> Option<(T, String)>,
) -> Bounds<T> {
    let compare: [(&str, &str, Fits<T>); 5] = [
        ("const", "", |value, limit| value == limit),
        ("lt", "less than ", |value, limit| value < limit),
        ("lte", "at most ", |value, limit| value <= limit),
        ("gt", "greater than ", |value, limit| value > limit),
        ("gte", "at least ", |value, limit| value >= limit),
    ];
    let limits = compare.into_iter().filter_map(|(name, words, fits)| {
        let (limit, shown) = read(&value(rules, name)?)?;
        Some((limit, format!("{words}{shown}"), fits))
    });
    let values = |name| {
        let values = list(rules, name);
        values.iter().filter_map(|it| Some(read(it)?.0)).collect()
    };
    Bounds {
        limits: limits.collect(),
        only: values("in"),
        never: values("not_in"),
    }
}

fn as_float(value: &Value) -> Option<(f64, String)> {
    let number = match value {
        Value::I32(it) => f64::from(*it),
        Value::I64(it) => *it as f64,
        Value::U32(it) => f64::from(*it),
        Value::U64(it) => *it as f64,
        Value::F32(it) => f64::from(*it),
        Value::F64(it) => *it,
        _ => return None,
    };
    Some((number, number.to_string()))
}

fn as_nanos(value: &Value) -> Option<(i128, String)> {
    let duration = value.as_message()?;
    let seconds = i128::from(duration.get_field_by_name("seconds")?.as_i64()?);
    let nanos = i128::from(duration.get_field_by_name("nanos")?.as_i32()?);
    let shown = match (seconds, nanos) {
        (_, 0) => format!("{seconds}s"),
        (0, nanos) if nanos % 1_000_000 == 0 => format!("{}ms", nanos / 1_000_000),
        (seconds, nanos) => format!("{seconds}s and {nanos}ns"),
    };
    Some((seconds * 1_000_000_000 + nanos, shown))
}

fn text(rules: &DynamicMessage) -> Text {
    let bytes = |value: Value| match value {
        Value::String(text) => Some(text.into_bytes()),
        Value::Bytes(bytes) => Some(bytes.to_vec()),
        _ => None,
    };
    let one = |name| value(rules, name).and_then(bytes);
    let all = |name| list(rules, name).into_iter().filter_map(bytes).collect();
    let of_bytes = rules.descriptor().name() == "BytesRules";
    let size = |name| number(Some(rules), name);
    let (least, most) = (size("min_len"), size("max_len"));
    let exact = size("len").filter(|_| !of_bytes);
    let strict = value(rules, "strict").is_none_or(|it| it.as_bool() != Some(false));
    let known = value(rules, "well_known_regex").and_then(|it| it.as_enum_number());
    let known = HEADERS
        .iter()
        .find(|(name, is_strict, _)| Some(*name) == known && *is_strict == strict);
    let pattern = value(rules, "pattern").and_then(|it| it.as_str().map(str::to_owned));
    Text {
        least: exact.or(least.filter(|_| !of_bytes)).unwrap_or(0),
        most: exact.or(most.filter(|_| !of_bytes)),
        least_bytes: size("min_bytes")
            .or(least.filter(|_| of_bytes))
            .unwrap_or(0),
        most_bytes: size("max_bytes").or(most.filter(|_| of_bytes)),
        exactly: one("const"),
        prefix: one("prefix").unwrap_or_default(),
        suffix: one("suffix").unwrap_or_default(),
        contains: one("contains").unwrap_or_default(),
        not_contains: one("not_contains").unwrap_or_default(),
        only: all("in"),
        never: all("not_in"),
        pattern: match pattern {
            Some(pattern) => regex_lite::Regex::new(&pattern).ok().map(Pattern::Regex),
            None => known.map(|(_, _, fits)| Pattern::Known(*fits)),
        },
        is_address: ["ip", "ipv4", "ipv6"]
            .iter()
            .any(|name| flag(Some(rules), name))
            && !of_bytes,
    }
}

/// A field that is there.
fn value(of: &DynamicMessage, name: &str) -> Option<Value> {
    of.has_field_by_name(name)
        .then(|| of.get_field_by_name(name).map(|it| it.into_owned()))
        .flatten()
}

fn part(of: Option<&DynamicMessage>, name: &str) -> Option<DynamicMessage> {
    value(of?, name)?.as_message().cloned()
}

fn number(of: Option<&DynamicMessage>, name: &str) -> Option<u64> {
    value(of?, name)?.as_u64()
}

fn flag(of: Option<&DynamicMessage>, name: &str) -> bool {
    of.and_then(|of| value(of, name))
        .and_then(|it| it.as_bool())
        .unwrap_or_default()
}

fn list(of: &DynamicMessage, name: &str) -> Vec<Value> {
    value(of, name)
        .and_then(|it| it.as_list().map(<[Value]>::to_vec))
        .unwrap_or_default()
}
