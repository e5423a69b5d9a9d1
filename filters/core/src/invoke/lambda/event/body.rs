//! A body as an event's string.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::super::snapshot::Snapshot;
use super::super::Call;
use super::text;

/// A body as an event's string, and whether that is base64: text where it is UTF-8, of a textual type and not encoded
/// already, else base64. `textual` are the types where the call names none.
pub(super) fn encode<'a>(
    call: &Call,
    client: &Snapshot,
    textual: &[&str],
    body: &'a [u8],
) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let encoded = client
        .headers()
        .any(|(name, value)| name == b"content-encoding" && value != b"identity");
    let content_type = text(client.content_type().unwrap_or_default());
    let own = &call.aws.text_content_types;
    let is_text = !encoded
        && match own.is_empty() {
            true => is_textual(&content_type, textual),
            false => is_textual(&content_type, own),
        };
    match std::str::from_utf8(body) {
        Ok(body) if is_text => (Some(Cow::Borrowed(body)), false),
        _ => (Some(Cow::Owned(BASE64.encode(body))), true),
    }
}

/// The types of bodies that are text, where a shape has no list of its own.
pub(super) const TEXTUAL: [&str; 9] = [
    "text/*",
    "*/*+json",
    "*/*+xml",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/graphql",
    // A body without a type that is UTF-8 is text, as curl's and most scripts' are.
    "",
];

/// Whether one of the patterns, in lower case, is the content type's. Its parameters do not matter.
fn is_textual<P: AsRef<str>>(content_type: &str, patterns: &[P]) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = match essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(essence.to_ascii_lowercase()),
        false => Cow::Borrowed(essence),
    };
    patterns
        .iter()
        .any(|pattern| matches_type(pattern.as_ref(), &essence))
}

fn matches_type(pattern: &str, essence: &str) -> bool {
    if let Some(suffix) = pattern.strip_prefix("*/*") {
        return suffix.is_empty() || essence.ends_with(suffix);
    }
    match pattern.strip_suffix('*') {
        Some(prefix) => essence.starts_with(prefix),
        None => pattern == essence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn textual_types_ignore_parameters_and_case() {
        let own = &["application/x-ndjson"][..];
        for (content_type, patterns, expected) in [
            ("application/json; charset=utf-8", &TEXTUAL[..], true),
            ("Text/HTML", &TEXTUAL, true),
            ("application/vnd.api+json", &TEXTUAL, true),
            ("", &TEXTUAL, true),
            ("application/octet-stream", &TEXTUAL, false),
            ("image/png", &TEXTUAL, false),
            ("application/x-ndjson", own, true),
            ("application/json", own, false),
        ] {
            assert_eq!(
                is_textual(content_type, patterns),
                expected,
                "{content_type}"
            );
        }
    }
}
