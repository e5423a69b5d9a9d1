//! The body of a message, as a transformation reads and leaves it.

use serde_json::Value;

use super::members::{self, Members};
use crate::host::{Body, Headers, Side};

/// Reads a body as JSON, as much of it as is asked for; nothing is made of no body.
pub(super) fn parse(
    body: &[u8],
    members: &Members,
    encoding: Option<&[u8]>,
) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    // RFC 8259, 8.1: a reader may ignore a byte order mark, and Gloo's does.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    members::parse(body, members).map_err(|error| match encoding {
        Some(encoding) if encoding != b"identity" => format!(
            "the body is not JSON: it is encoded ({})",
            String::from_utf8_lossy(encoding)
        ),
        _ => format!("the body is not JSON: {error}"),
    })
}

/// Puts a new body into a message, with the headers that describe it.
pub(super) fn replace(host: &mut (impl Headers + Body), side: Side, bodiless: bool, body: &[u8]) {
    if bodiless {
        // What it would be is not known: the template did not see the body that it would be made of.
        host.remove_header(side, "content-length");
        return;
    }
    host.replace_body(side, body);
    let length = body.len().to_string();
    host.set_header(side, "content-length", length.as_bytes());
    if body.is_empty() {
        host.remove_header(side, "content-type");
    }
}

/// Whether a message of this kind never has a body, whatever its headers say.
pub(super) fn is_bodiless(host: &impl Headers, side: Side, head: bool) -> bool {
    if side == Side::Request {
        return false;
    }
    let status = host.header(Side::Response, ":status").unwrap_or_default();
    head || matches!(&*status, b"204" | b"304") || status.starts_with(b"1")
}
