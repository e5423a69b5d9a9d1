//! Puts a `google.api.http` into a descriptor set. Prost's own types forget extensions, so it is done on the bytes.

use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};

use crate::wire::append;

/// `FileDescriptorSet.file`
const FILE: u32 = 1;
/// `FileDescriptorProto.package`
const PACKAGE: u32 = 2;
/// `FileDescriptorProto.service`
const SERVICE: u32 = 6;
/// `ServiceDescriptorProto.name` and `MethodDescriptorProto.name`
const NAME: u32 = 1;
/// `ServiceDescriptorProto.method`
const METHOD: u32 = 2;
/// `MethodDescriptorProto.options`
const OPTIONS: u32 = 4;
/// The extension of `MethodOptions`.
const HTTP: u32 = 72_295_728;
/// Of `HttpRule`: the pattern of GET, PUT, POST, DELETE and PATCH, `body` and `additional_bindings`.
const GET: u32 = 2;
const PUT: u32 = 3;
const POST: u32 = 4;
const DELETE: u32 = 5;
const PATCH: u32 = 6;
const BODY: u32 = 7;
const BINDINGS: u32 = 11;

/// The descriptor set, with a rule for a method of a service: requests for a path, of any method of HTTP, call it.
pub(super) fn with_rule(set: &[u8], (service, method): (&str, &str), path: &str) -> Vec<u8> {
    let options = options(path);
    edit(set, FILE, |file| {
        let package = texts(file, PACKAGE).next().unwrap_or_default();
        let name = match package {
            "" => Some(service),
            package => service
                .strip_prefix(package)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        let is = |message: &[u8], name: &str| texts(message, NAME).next() == Some(name);
        let name = name?;
        Some(edit(file, SERVICE, |of| {
            is(of, name).then(|| {
                edit(of, METHOD, |of| {
                    is(of, method).then(|| {
                        let mut with = of.to_vec();
                        // Protobuf merges it with those that are there.
                        append(&mut with, OPTIONS, &options);
                        with
                    })
                })
            })
        }))
    })
}

fn options(path: &str) -> Vec<u8> {
    let rule = |number: u32, has_body: bool| {
        let mut rule = Vec::new();
        append(&mut rule, number, path.as_bytes());
        if has_body {
            append(&mut rule, BODY, b"*");
        }
        rule
    };
    let mut http = rule(POST, true);
    for (number, has_body) in [(GET, false), (PUT, true), (DELETE, false), (PATCH, true)] {
        append(&mut http, BINDINGS, &rule(number, has_body));
    }
    let mut options = Vec::new();
    append(&mut options, HTTP, &http);
    options
}

/// The message with some of its fields replaced.
fn edit(message: &[u8], number: u32, with: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut made = Vec::with_capacity(message.len());
    for field in Fields(message) {
        match field
            .value
            .filter(|_| field.number == number)
            .and_then(&with)
        {
            Some(value) => {
                encode_key(number, WireType::LengthDelimited, &mut made);
                encode_varint(value.len() as u64, &mut made);
                made.extend(value);
            }
            None => made.extend_from_slice(field.whole),
        }
    }
    made
}

fn texts(message: &[u8], number: u32) -> impl Iterator<Item = &str> {
    Fields(message)
        .filter(move |field| field.number == number)
        .filter_map(|field| std::str::from_utf8(field.value?).ok())
}

struct Field<'a> {
    number: u32,
    whole: &'a [u8],
    /// Of a field with a length.
    value: Option<&'a [u8]>,
}

/// The fields of a message, up to the first that is none.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let start = self.0;
        let (number, wire) = decode_key(&mut self.0).ok()?;
        let mut value = None;
        if wire == WireType::LengthDelimited {
            let mut rest = self.0;
            let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
            value = Some(rest.get(..length)?);
        }
        skip_field(wire, number, &mut self.0, DecodeContext::default()).ok()?;
        let whole = start.get(..start.len().checked_sub(self.0.len())?)?;
        Some(Field {
            number,
            whole,
            value,
        })
    }
}
