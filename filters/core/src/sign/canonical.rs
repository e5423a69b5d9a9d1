//! The canonical form of a request: what both sides hash.

use std::cmp::Ordering;
use std::ops::Range;

use tenon_contract::sort_by;

use super::HexDigest;

pub(super) const SECURITY_TOKEN: &str = "x-amz-security-token";

/// A header's name and value.
pub type Header<'a> = (&'a str, &'a [u8]);

/// What is signed of a request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, without the query.
    pub path: Path<'a>,
    /// The query as on the wire, without `?`. Empty where there is none.
    pub query: &'a [u8],
    /// The headers to be signed, `host` among them, and no header that a later hop may edit. Any order and case; in
    /// the order of lower-case names, nothing has to be sorted. `authorization` is left out, and the headers that the
    /// signer writes replace those that are here.
    pub headers: &'a [Header<'a>],
    /// The hash of the body.
    pub payload_hash: &'a HexDigest,
}

/// A path.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// As on the wire.
    Wire(&'a [u8]),
    /// As [`canonical_path`] gives it, where the same path is signed over and over.
    Canonical(&'a [u8]),
}

/// Choices that services differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether the service drops empty and dot segments of a path before it checks. All but S3.
    pub normalize_path: bool,
    /// Whether the payload hash is sent, and signed, as `x-amz-content-sha256`. Lambda does not ask for it.
    pub content_sha256: bool,
    /// Whether the session token is signed. A few services want it added after.
    pub sign_session_token: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            normalize_path: true,
            content_sha256: false,
            sign_session_token: true,
        }
    }
}

/// The canonical form of a path as on the wire, for every service but S3: encoded once more, and, if `normalize`,
/// without empty and dot segments.
pub fn canonical_path(wire: &[u8], normalize: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(wire.len() + wire.len() / 4);
    write_path(&mut out, wire, normalize);
    out
}

/// The canonical form of a request that has all its headers.
pub fn canonical_request(request: &Request<'_>, settings: &Settings) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, request, &[], settings);
    out
}

/// Writes the canonical form of `request` with the signer's `own` headers, which are sorted; gives where in `out` the
/// list of signed headers is.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    own: &[Header<'_>],
    settings: &Settings,
) -> Range<usize> {
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    match request.path {
        Path::Wire(path) => write_path(out, path, settings.normalize_path),
        Path::Canonical(path) => out.extend_from_slice(path),
    }
    out.push(b'\n');
    if !request.query.is_empty() {
        write_query(out, request.query);
    }
    out.push(b'\n');
    let mut given = request.headers;
    let mut sorted;
    if !given.is_sorted_by(|(a, _), (b, _)| compare(a, b).is_le()) {
        sorted = given.to_vec();
        // Stable: the values of one name stay in order.
        sort_by(&mut sorted, |(a, _), (b, _)| compare(a, b));
        given = &sorted;
    }
    let headers = Merged { given, own }.filter(|(name, _)| is_signed(name, settings));
    write_headers(out, headers.clone());
    out.push(b'\n');
    let start = out.len();
    write_names(out, headers);
    let signed_headers = start..out.len();
    out.push(b'\n');
    out.extend_from_slice(request.payload_hash);
    signed_headers
}

fn is_signed(name: &str, settings: &Settings) -> bool {
    let unsigned = name.eq_ignore_ascii_case("authorization")
        || (!settings.sign_session_token && name.eq_ignore_ascii_case(SECURITY_TOKEN));
    !unsigned
}

fn compare(a: &str, b: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    a.bytes().map(lower).cmp(b.bytes().map(lower))
}

/// The headers of the request and the signer's own in one order; both are sorted.
#[derive(Clone)]
struct Merged<'a> {
    given: &'a [Header<'a>],
    own: &'a [Header<'a>],
}

impl<'a> Iterator for Merged<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        while let (Some((given, rest)), Some((own, _))) =
            (self.given.split_first(), self.own.split_first())
        {
            match compare(given.0, own.0) {
                Ordering::Less => {
                    self.given = rest;
                    return Some(*given);
                }
                Ordering::Equal => self.given = rest,
                Ordering::Greater => break,
            }
        }
        let next = if self.own.is_empty() {
            &mut self.given
        } else {
            &mut self.own
        };
        let (header, rest) = next.split_first()?;
        *next = rest;
        Some(*header)
    }
}

fn write_headers<'a>(out: &mut Vec<u8>, headers: impl Iterator<Item = Header<'a>>) {
    let mut last: Option<&str> = None;
    for (name, value) in headers {
        if last.is_some_and(|last| last.eq_ignore_ascii_case(name)) {
            out.push(b',');
        } else {
            if last.is_some() {
                out.push(b'\n');
            }
            write_name(out, name);
            out.push(b':');
            last = Some(name);
        }
        write_value(out, value);
    }
    if last.is_some() {
        out.push(b'\n');
    }
}

fn write_names<'a>(out: &mut Vec<u8>, headers: impl Iterator<Item = Header<'a>>) {
    let mut last: Option<&str> = None;
    for (name, _) in headers {
        match last {
            Some(last) if last.eq_ignore_ascii_case(name) => continue,
            Some(_) => out.push(b';'),
            None => {}
        }
        write_name(out, name);
        last = Some(name);
    }
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    if let Some(written) = out.get_mut(start..) {
        written.make_ascii_lowercase();
    }
}

/// Without spaces at the ends, and one for many within. Spaces only, as AWS does it.
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    if !value.contains(&b' ') {
        out.extend_from_slice(value);
        return;
    }
    let words = value
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

fn write_path(out: &mut Vec<u8>, path: &[u8], normalize: bool) {
    if !normalize {
        if path.first() != Some(&b'/') {
            out.push(b'/');
        }
        return encode(out, path, |byte| byte == b'/');
    }
    let mut segments = Vec::new();
    // RFC 3986 §5.2.4: a path that ends in a dot segment ends in a slash without it.
    let mut ends_with_slash = true;
    for segment in path.split(|byte| *byte == b'/') {
        ends_with_slash = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        out.push(b'/');
        encode(out, segment, |_| false);
    }
    if segments.is_empty() || ends_with_slash {
        out.push(b'/');
    }
}

fn write_query(out: &mut Vec<u8>, query: &[u8]) {
    // Encoded one after another into one buffer, then put in order by where they stand.
    let mut encoded = Vec::with_capacity(query.len() * 2);
    let mut parameters = Vec::new();
    for parameter in query.split(|byte| *byte == b'&') {
        if parameter.is_empty() {
            continue;
        }
        let mut parts = parameter.splitn(2, |byte| *byte == b'=');
        let mut part = || {
            let start = encoded.len();
            encode_decoded(&mut encoded, parts.next().unwrap_or_default());
            start..encoded.len()
        };
        parameters.push((part(), part()));
    }
    let text = |range: &Range<usize>| encoded.get(range.clone()).unwrap_or_default();
    sort_by(&mut parameters, |a, b| {
        (text(&a.0), text(&a.1)).cmp(&(text(&b.0), text(&b.1)))
    });
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(text(name));
        out.push(b'=');
        out.extend_from_slice(text(value));
    }
}

/// Encodes a part of a query anew: whatever the client left unencoded, or wrote as `+`, has one form.
fn encode_decoded(out: &mut Vec<u8>, part: &[u8]) {
    let mut rest = part;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let decoded = match (byte, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        };
        encode(out, &[decoded], |_| false);
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn encode(out: &mut Vec<u8>, bytes: &[u8], also_allowed: impl Fn(u8) -> bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    for byte in bytes {
        let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if unreserved || also_allowed(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::EMPTY_PAYLOAD;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    fn query(query: &str) -> String {
        let mut out = Vec::new();
        write_query(&mut out, query.as_bytes());
        text(out)
    }

    #[test]
    fn paths_are_encoded_once_more_than_on_the_wire() {
        for (wire, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/a:b", "/a%3Ab"),
            ("/a%3Ab", "/a%253Ab"),
            ("/-._~", "/-._~"),
            ("a", "/a"),
        ] {
            for normalize in [true, false] {
                assert_eq!(text(canonical_path(wire.as_bytes(), normalize)), canonical);
            }
        }
        assert_eq!(text(canonical_path(b"/\xff", true)), "/%FF");
    }

    #[test]
    fn dot_segments_go_only_where_paths_are_normalised() {
        for (wire, normalised) in [
            ("/a/./b", "/a/b"),
            ("/a//b/", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/../..", "/"),
            ("/a.", "/a."),
        ] {
            assert_eq!(text(canonical_path(wire.as_bytes(), true)), normalised);
            assert_eq!(text(canonical_path(wire.as_bytes(), false)), wire);
        }
    }

    #[test]
    fn parameters_are_sorted_by_encoded_name_then_value() {
        for (raw, canonical) in [
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a", "a=&a=1&a=2"),
            // `-` is before `=`, but names are compared before values.
            ("a-b=1&a=2", "a=2&a-b=1"),
            ("&&=x&", "=x"),
            ("a=b=c", "a=b%3Dc"),
            ("a=1+1%201", "a=1%201%201"),
            ("a=%e1%88%b4&%7E", "a=%E1%88%B4&~="),
            ("a=%zz&b=%4", "a=%25zz&b=%254"),
            ("a=%ff", "a=%FF"),
        ] {
            assert_eq!(query(raw), canonical);
        }
    }

    #[test]
    fn the_signer_s_headers_replace_those_of_the_request() {
        let request = Request {
            method: "GET",
            path: Path::Wire(b"/"),
            query: b"",
            headers: &[
                ("X-Amz-Date", b"forged"),
                ("a", b" 1  2 "),
                ("Host", b"h"),
                ("Authorization", b"forged"),
                ("A", b"3"),
                ("x-amz-date", b"forged"),
            ],
            payload_hash: &EMPTY_PAYLOAD,
        };
        let mut out = Vec::new();
        let own: [Header<'_>; 2] = [("x-amz-date", b"now"), ("x-amz-security-token", b"t")];
        let range = write(&mut out, &request, &own, &Settings::default());
        assert_eq!(
            out[range].to_vec(),
            b"a;host;x-amz-date;x-amz-security-token"
        );
        let hash = std::str::from_utf8(&EMPTY_PAYLOAD).unwrap();
        assert_eq!(
            text(out),
            format!(
                "GET\n/\n\na:1 2,3\nhost:h\nx-amz-date:now\nx-amz-security-token:t\n\n\
                 a;host;x-amz-date;x-amz-security-token\n{hash}"
            )
        );
    }
}
