//! Names and values of headers that transformations read and write.

use tenon_contract::HEADER_PREFIX;

use super::Place;
use crate::host::{Headers, Side};
use crate::invoke::header::{is_token, is_value};

/// A header's name in lower case, or what is wrong with it.
pub(super) fn read_name(name: &str, place: &mut Place<'_>) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let plain = lower.strip_prefix(':').unwrap_or(&lower);
    if plain.is_empty() || !plain.bytes().all(is_token) {
        return place.refuse(format!("{name:?} is not the name of a header"));
    }
    Some(lower)
}

/// The name of a header that a transformation may set.
pub(super) fn written_name(name: &str, place: &mut Place<'_>) -> Option<String> {
    let name = read_name(name, place)?;
    if matches!(&*name, "content-length" | "transfer-encoding") {
        return place.refuse(format!("{name} is what the body makes it"));
    }
    removed(name, place)
}

/// The name of a header that a transformation may remove.
pub(super) fn removed_name(name: &str, place: &mut Place<'_>) -> Option<String> {
    let name = read_name(name, place)?;
    if name.starts_with(':') {
        return place.refuse(format!("{name} cannot be removed"));
    }
    removed(name, place)
}

fn removed(name: String, place: &mut Place<'_>) -> Option<String> {
    if name.starts_with(HEADER_PREFIX) {
        return place.refuse(format!("headers under {HEADER_PREFIX} are Tenon's own"));
    }
    Some(name)
}

/// Whether a message of this side can have a header of this name: pseudo-headers are of requests or of responses (RFC
/// 9113, 8.3), and an HTTP/2 client resets a response that has a request's.
pub(super) fn is_of(side: Side, name: &str) -> bool {
    !name.starts_with(':') || (name == ":status") == (side == Side::Response)
}

/// A rendered value as it may be sent: without white space around it, which is no part of a value (RFC 9110, 5.5), and
/// which a template's last line break would be.
pub(super) fn value<'a>(name: &str, rendered: &'a [u8]) -> Result<&'a [u8], String> {
    let value = rendered.trim_ascii();
    let fits = match name {
        ":status" => std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok())
            .is_some_and(|status: u16| (200..=599).contains(&status)),
        ":method" => !value.is_empty() && value.iter().copied().all(is_token),
        name if name.starts_with(':') => {
            !value.is_empty() && value.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
        }
        _ => is_value(value),
    };
    if fits {
        return Ok(value);
    }
    // The value itself may be what nobody else is to see.
    Err(format!("the value for the header {name} is not valid"))
}

/// All values of a header, with commas between them, as Envoy matches them.
pub(super) fn joined(host: &impl Headers, side: Side, name: &str) -> Option<Vec<u8>> {
    let first = host.header(side, name)?;
    if name.starts_with(':') {
        return Some(first.into_owned());
    }
    let mut all: Option<Vec<u8>> = None;
    host.each_header(side, &mut |other, value| {
        if other == name.as_bytes() {
            match &mut all {
                None => all = Some(value.to_vec()),
                Some(all) => {
                    all.push(b',');
                    all.extend_from_slice(value);
                }
            }
        }
    });
    Some(all.unwrap_or_else(|| first.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_split_a_message() {
        for (name, rendered, expected) in [
            ("x", &b" a \n"[..], Ok(&b"a"[..])),
            ("x", b"a\r\nb: c", Err(())),
            ("x", b"a\0", Err(())),
            ("x", b"\xff\xe4", Ok(b"\xff\xe4")),
            (":path", b"/a b", Err(())),
            (":path", b"", Err(())),
            (":path", b"/a?b\n", Ok(b"/a?b")),
            (":status", b"204", Ok(b"204")),
            (":status", b"99", Err(())),
            (":status", b"abc", Err(())),
            (":method", b"PUT", Ok(b"PUT")),
            (":method", b"P T", Err(())),
        ] {
            assert_eq!(value(name, rendered).map_err(drop), expected, "{name}");
        }
    }
}
