//! What functions answer.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenon_contract::sort_by;

use super::evaluate::{Evaluator, Result, number, unexpected};
use super::function::Function;
use super::parser::unescape;
use super::scope::{Lookup, Metadata};
use super::text::{dump, dump_metadata, escaped, float};
use super::tree::{Expression, Place};
use super::value::{self, Datum};
use super::{number as numbers, value::order};

/// Where Gloo's own metadata is.
const NAMESPACE: &str = "io.solo.transformation";

impl<'a> Evaluator<'a> {
    pub(super) fn call(
        &self,
        function: Function,
        arguments: &'a [Expression],
        place: Place,
    ) -> Result<Datum<'_, 'a>> {
        let call = Call {
            with: self,
            arguments,
            place,
        };
        Ok(match function {
            Function::At => self
                .at(arguments, place)?
                .ok_or_else(|| place.error("at() finds nothing there"))?,
            Function::Default => match self.evaluate_if_found(call.expression(0)?)? {
                Some(found) => found,
                None => call.argument(1)?,
            },
            Function::DivisibleBy => call.divisible_by()?.into(),
            Function::Even => (call.integer(0)? % 2 == 0).into(),
            Function::Odd => (call.integer(0)? % 2 != 0).into(),
            Function::Exists => call.exists()?.into(),
            Function::ExistsIn => {
                let of = call.argument(0)?;
                let name = call.string(1)?;
                let members = of.value().and_then(Value::as_object);
                members.is_some_and(|of| of.contains_key(&*name)).into()
            }
            Function::First => call.end("first", |value| match value {
                Value::Array(items) => items.first(),
                Value::Object(members) => members.values().next(),
                other => Some(other),
            })?,
            Function::Last => call.end("last", |value| match value {
                Value::Array(items) => items.last(),
                Value::Object(members) => members.values().next_back(),
                other => Some(other),
            })?,
            Function::Max => call.end("max", |value| extreme(value, Ordering::Greater))?,
            Function::Min => call.end("min", |value| extreme(value, Ordering::Less))?,
            Function::Float => call.parsed(numbers::parse_float)?,
            Function::Int => call.parsed(numbers::parse_integer)?,
            Function::Is(kind) => call.argument(0)?.is(kind).into(),
            Function::Join => call.join()?.into(),
            Function::Length => call.length()?.into(),
            Function::Lower => call.text(0)?.to_ascii_lowercase().into(),
            Function::Upper => call.text(0)?.to_ascii_uppercase().into(),
            Function::Capitalize => {
                let mut text = call.text(0)?.to_ascii_lowercase();
                if let Some(first) = text.first_mut() {
                    first.make_ascii_uppercase();
                }
                text.into()
            }
            Function::Range => call.range()?,
            Function::Round => {
                let (value, digits) = (call.argument(0)?, call.argument(1)?);
                let rounded = numbers::round(number(&value, place)?, number(&digits, place)?);
                Datum::New(Value::Number(rounded.map_err(|text| place.error(text))?))
            }
            Function::Sort => call.sort()?,
            Function::Replace => {
                let (what, with) = (call.text(1)?, call.text(2)?);
                call.replace(&what, || with)?
            }
            Function::Lookup(of) => call.lookup(of)?,
            Function::Body => Datum::Text(self.scope.body()),
            Function::Context => Datum::Message(self.scope.context()),
            Function::Trim => call.trim()?,
            Function::Base64Encode => STANDARD.encode(call.text(0)?).into_bytes().into(),
            Function::Base64Decode => call.decode(&STANDARD)?,
            Function::Base64UrlEncode => URL_SAFE_NO_PAD.encode(call.text(0)?).into_bytes().into(),
            Function::Base64UrlDecode => call.decode(&URL_SAFE_NO_PAD)?,
            Function::Substring => call.substring()?,
            Function::ReplaceWithRandom => {
                let what = call.text(1)?;
                let random = self.random(&what);
                call.replace(&what, || random.into_bytes().into())?
            }
            Function::RawString => {
                let text = call.text(0)?;
                let Ok(text) = std::str::from_utf8(&text) else {
                    return Err(place.error("the string is not UTF-8"));
                };
                escaped(text).into()
            }
            Function::WordCount => call.word_count()?.into(),
            Function::ClusterMetadata => call.metadata(Metadata::Cluster)?,
            Function::DynamicMetadata => call.metadata(Metadata::Dynamic)?,
            Function::HostMetadata => call.metadata(Metadata::Host)?,
            Function::ClusterMetadataOld => call.cluster_metadata_old()?,
        })
    }

    /// An array's item or an object's member.
    pub(super) fn at(
        &self,
        arguments: &'a [Expression],
        place: Place,
    ) -> Result<Option<Datum<'_, 'a>>> {
        let call = Call {
            with: self,
            arguments,
            place,
        };
        let of = call.argument(0)?;
        match of.value() {
            Some(Value::Object(_)) => {
                let name = call.string(1)?;
                Ok(of.part(|of| of.get(&*name)))
            }
            Some(Value::Array(_)) => {
                let index = call.argument(1)?;
                let index = match index.value() {
                    Some(Value::Bool(index)) => Some(usize::from(*index)),
                    _ => usize::try_from(call.truncated(1, &index)?).ok(),
                };
                Ok(of.part(|of| of.get(index?)))
            }
            _ => Err(unexpected("an array or an object", &of, place)),
        }
    }

    /// 128 bits in Base64, the same for the same pattern in all templates of a transformation.
    fn random(&self, pattern: &[u8]) -> String {
        let hash = Sha256::new()
            .chain_update(self.scope.random().to_le_bytes())
            .chain_update(pattern)
            .finalize();
        STANDARD_NO_PAD.encode(hash.get(..16).unwrap_or_default())
    }
}

/// One call of a function.
struct Call<'e, 'a> {
    with: &'e Evaluator<'a>,
    arguments: &'a [Expression],
    place: Place,
}

impl<'e, 'a: 'e> Call<'e, 'a> {
    fn expression(&self, index: usize) -> Result<&'a Expression> {
        // The parser has counted them.
        self.arguments
            .get(index)
            .ok_or_else(|| self.place.error("an argument is missing"))
    }

    fn argument(&self, index: usize) -> Result<Datum<'e, 'a>> {
        self.with.evaluate(self.expression(index)?)
    }

    /// A string, and the steps to go through it.
    fn text(&self, index: usize) -> Result<Cow<'e, [u8]>> {
        let datum = self.argument(index)?;
        if datum.text().is_none() {
            return Err(unexpected("a string", &datum, self.place));
        }
        self.with.spend_on(&datum, self.place)?;
        Ok(datum.into_text().unwrap_or_default())
    }

    /// A string that is a name. One that is not UTF-8 names nothing that there is.
    fn string(&self, index: usize) -> Result<Cow<'e, str>> {
        Ok(match self.text(index)? {
            Cow::Borrowed(text) => String::from_utf8_lossy(text),
            Cow::Owned(text) => String::from_utf8_lossy(&text).into_owned().into(),
        })
    }

    fn integer(&self, index: usize) -> Result<i128> {
        self.truncated(index, &self.argument(index)?)
    }

    fn truncated(&self, index: usize, datum: &Datum<'_, '_>) -> Result<i128> {
        let place = self.expression(index)?.place;
        numbers::truncated(number(datum, place)?).map_err(|message| place.error(message))
    }

    fn divisible_by(&self) -> Result<bool> {
        let of = self.argument(0)?;
        match self.integer(1)? {
            0 => Ok(false),
            divisor => Ok(self.truncated(0, &of)? % divisor == 0),
        }
    }

    fn exists(&self) -> Result<bool> {
        let name = self.string(0)?;
        let path = name.strip_suffix('.').unwrap_or(&name);
        let path: Option<Vec<_>> = path.split(['.', '/']).map(unescape).collect();
        let context = self.with.scope.context();
        Ok(context.is_object() && path.is_some_and(|path| value::find(context, &path).is_some()))
    }

    /// A part of an array or object; anything else is the only part of itself.
    fn end(
        &self,
        name: &str,
        part: impl for<'v> Fn(&'v Value) -> Option<&'v Value>,
    ) -> Result<Datum<'e, 'a>> {
        let of = self.argument(0)?;
        if of.text().is_some() {
            return Ok(of);
        }
        if matches!(name, "max" | "min") {
            self.with.spend_on(&of, self.place)?;
        }
        let kind = of.kind();
        of.part(|value| part(value).filter(|_| !value.is_null()))
            .ok_or_else(|| {
                self.place
                    .error(format!("{name}() of {kind} that is empty"))
            })
    }

    fn parsed(
        &self,
        parse: fn(&str) -> std::result::Result<serde_json::Number, String>,
    ) -> Result<Datum<'e, 'a>> {
        let number = parse(&self.string(0)?).map_err(|message| self.place.error(message))?;
        Ok(Datum::New(Value::Number(number)))
    }

    fn join(&self) -> Result<Vec<u8>> {
        let items = self.argument(0)?;
        let separator = self.text(1)?;
        self.with.spend_on(&items, self.place)?;
        let items = match (items.text(), items.value()) {
            (None, Some(items)) => items,
            (text, _) => return Ok(text.unwrap_or_default().to_vec()),
        };
        let count = value::items(items).count() as u64;
        let separators = value::steps(separator.len()).saturating_mul(count);
        self.with.spend(separators, self.place)?;
        let mut out = Vec::new();
        for (index, item) in value::items(items).enumerate() {
            if index > 0 {
                out.extend_from_slice(&separator);
            }
            match item {
                Value::String(text) => out.extend_from_slice(text.as_bytes()),
                other => dump(other, &mut out),
            }
        }
        Ok(out)
    }

    fn length(&self) -> Result<usize> {
        let of = self.argument(0)?;
        Ok(match (of.text(), of.value()) {
            (Some(text), _) => text.len(),
            (None, Some(Value::Array(items))) => items.len(),
            (None, Some(Value::Object(members))) => members.len(),
            (None, Some(Value::Null) | None) => 0,
            (None, Some(_)) => 1,
        })
    }

    fn range(&self) -> Result<Datum<'e, 'a>> {
        let Ok(count) = u64::try_from(self.integer(0)?) else {
            return Err(self.place.error("range() of a negative number"));
        };
        self.with.spend(count, self.place)?;
        Ok(Datum::New((0..count).map(Value::from).collect()))
    }

    fn sort(&self) -> Result<Datum<'e, 'a>> {
        let of = self.argument(0)?;
        let Some(Value::Array(items)) = of.value() else {
            return Err(unexpected("an array", &of, self.place));
        };
        // Each item is compared about so many times.
        for _ in 0..=items.len().checked_ilog2().unwrap_or_default() {
            self.with.spend_on(&of, self.place)?;
        }
        let mut items = items.clone();
        sort_by(&mut items, order);
        Ok(Datum::New(Value::Array(items)))
    }

    /// The first argument with something else for each `what`.
    fn replace(&self, what: &[u8], with: impl FnOnce() -> Cow<'e, [u8]>) -> Result<Datum<'e, 'a>> {
        let text = self.text(0)?;
        let mut places = Vec::new();
        find_all(&text, what, |at| {
            places.push(at);
            self.with.spend(1, self.place)
        })?;
        if places.is_empty() {
            return Ok(Datum::Text(text));
        }
        let with = with();
        let added = value::steps(with.len()).saturating_mul(places.len() as u64);
        self.with.spend(added, self.place)?;
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in places {
            out.extend_from_slice(text.get(from..at).unwrap_or_default());
            out.extend_from_slice(&with);
            from = at + what.len();
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        Ok(out.into())
    }

    fn lookup(&self, of: Lookup) -> Result<Datum<'e, 'a>> {
        let mut name = self.string(0)?;
        let header = matches!(of, Lookup::Header | Lookup::RequestHeader);
        if header && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.to_mut().make_ascii_lowercase();
        }
        Ok(Datum::Text(
            self.with.scope.lookup(of, &name).unwrap_or_default(),
        ))
    }

    fn trim(&self) -> Result<Datum<'e, 'a>> {
        let text = self.text(0)?;
        let start = text.iter().take_while(|byte| is_space(**byte)).count();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest
            .iter()
            .rev()
            .take_while(|byte| is_space(**byte))
            .count();
        let length = rest.len() - end;
        Ok(slice(text, start, length))
    }

    /// What it is the Base64 of; nothing, if it is not.
    fn decode(&self, engine: &impl Engine) -> Result<Datum<'e, 'a>> {
        Ok(engine.decode(self.text(0)?).unwrap_or_default().into())
    }

    /// From a start, a number of bytes: all the rest if that is none, negative, or more than there are.
    fn substring(&self) -> Result<Datum<'e, 'a>> {
        let text = self.text(0)?;
        let start = self.argument(1)?;
        let count = match self.arguments.len() {
            2 => Datum::New((-1).into()),
            _ => self.argument(2)?,
        };
        let integer = |datum: &Datum<'_, '_>| value::integer(datum.value()?.as_number()?);
        let (Some(start), Some(count)) = (integer(&start), integer(&count)) else {
            return Ok(Vec::new().into());
        };
        let length = text.len() as i128;
        if start < 0 || start >= length {
            return Ok(Vec::new().into());
        }
        let rest = length - start;
        let count = if count <= 0 || count > rest {
            rest
        } else {
            count
        };
        Ok(slice(text, start as usize, count as usize))
    }

    fn word_count(&self) -> Result<usize> {
        let of = self.argument(0)?;
        self.with.spend_on(&of, self.place)?;
        Ok(match (of.text(), of.value()) {
            (Some(text), _) => words(text),
            (None, Some(value)) => words_of(value),
            (None, None) => 0,
        })
    }

    fn metadata(&self, of: Metadata) -> Result<Datum<'e, 'a>> {
        let key = self.argument(0)?;
        let Some(key) = key.text().map(String::from_utf8_lossy) else {
            return Ok(Vec::new().into());
        };
        let namespace = match self.arguments.len() {
            1 => NAMESPACE.into(),
            _ => self.string(1)?,
        };
        let path: Vec<_> = key.split(':').collect();
        let found = self.with.scope.metadata(of, &namespace, &path);
        Ok(match found.unwrap_or(Value::Null) {
            value @ (Value::Object(_) | Value::Array(_)) => {
                let mut out = Vec::new();
                dump_metadata(&value, &mut out);
                out.into()
            }
            value => plain_metadata(value),
        })
    }

    /// The deprecated form: a list is its texts, numbers and booleans with commas between.
    fn cluster_metadata_old(&self) -> Result<Datum<'e, 'a>> {
        let key = self.string(0)?;
        let scope = self.with.scope;
        let found = scope.metadata(Metadata::Cluster, NAMESPACE, &[&key]);
        let Some(Value::Array(items)) = found else {
            return Ok(plain_metadata(found.unwrap_or(Value::Null)));
        };
        let mut out = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match item {
                Value::String(text) => out.extend_from_slice(text.as_bytes()),
                Value::Number(_) | Value::Bool(_) => dump_metadata(item, &mut out),
                _ => {}
            }
        }
        Ok(out.into())
    }
}

/// A value of metadata that is no list and no struct. Its numbers are floats.
fn plain_metadata<'s, 'a>(value: Value) -> Datum<'s, 'a> {
    match value {
        Value::String(text) => text.into_bytes().into(),
        Value::Bool(value) => value.to_string().into_bytes().into(),
        Value::Number(number) => match number.as_f64().and_then(serde_json::Number::from_f64) {
            Some(number) => Datum::New(Value::Number(number)),
            None => float(&number).into_bytes().into(),
        },
        _ => Vec::new().into(),
    }
}

fn extreme(value: &Value, than: Ordering) -> Option<&Value> {
    value::items(value).reduce(|best, item| {
        if order(item, best) == than {
            item
        } else {
            best
        }
    })
}

/// Tells where `what` is in `text`, without overlaps, in linear time (Knuth, Morris, Pratt). Nothing is nowhere.
fn find_all(text: &[u8], what: &[u8], mut found: impl FnMut(usize) -> Result<()>) -> Result<()> {
    if what.is_empty() || what.len() > text.len() {
        return Ok(());
    }
    // For each length of a beginning of `what`, the length of the longest shorter one that it ends with.
    let mut shorter = vec![0_usize];
    let step = |shorter: &[usize], mut matched: usize, byte: u8| {
        while what.get(matched) != Some(&byte) {
            match matched.checked_sub(1) {
                Some(last) => matched = shorter.get(last).copied().unwrap_or_default(),
                None => return 0,
            }
        }
        matched + 1
    };
    let mut matched = 0;
    for byte in what.iter().skip(1) {
        matched = step(&shorter, matched, *byte);
        shorter.push(matched);
    }
    matched = 0;
    for (at, byte) in text.iter().enumerate() {
        matched = step(&shorter, matched, *byte);
        if matched == what.len() {
            found(at + 1 - what.len())?;
            matched = 0;
        }
    }
    Ok(())
}

fn slice<'s, 'a>(text: Cow<'s, [u8]>, start: usize, length: usize) -> Datum<'s, 'a> {
    let range = start..start + length;
    Datum::Text(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_vec()),
    })
}

fn words_of(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => words(text.as_bytes()),
        Value::Array(items) => items.iter().map(words_of).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| words(name.as_bytes()) + words_of(member))
            .sum(),
    }
}

/// As Gloo counts: a text without words has one.
fn words(text: &[u8]) -> usize {
    let words = text
        .split(|byte| is_space(*byte))
        .filter(|word| !word.is_empty());
    words.count().max(1)
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}
