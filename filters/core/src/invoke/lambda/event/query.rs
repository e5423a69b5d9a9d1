//! The parameters of a query.

use std::borrow::Cow;

/// Names and values as they are written. What has no `=` has an empty value.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Decodes as API Gateway does: `+` is a space (aws-cdk issue 19827 shows such an event).
pub(super) fn form_decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode(&spaced).into_owned());
    }
    percent_decode(text)
}

/// Decodes `%XX`; `+` stays. What is no encoding stays as it is; what is no UTF-8 then becomes U+FFFD.
pub(super) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (
            byte,
            ahead.next().and_then(hex_digit),
            ahead.next().and_then(hex_digit),
        ) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_decoding_leaves_what_is_no_encoding() {
        for (text, decoded) in [
            ("a%20b", "a b"),
            ("100%", "100%"),
            ("%zz%2", "%zz%2"),
            ("a+b", "a+b"),
            ("%C3%BC", "\u{fc}"),
        ] {
            assert_eq!(percent_decode(text), decoded);
        }
    }

    #[test]
    fn a_plus_is_a_space_in_forms_and_an_encoded_one_is_not() {
        for (text, decoded) in [("a+b", "a b"), ("a%2Bb", "a+b"), ("+%2b+", " + "), ("", "")] {
            assert_eq!(form_decode(text), decoded);
        }
    }

    #[test]
    fn pairs_are_split_at_the_first_equals_sign() {
        let all: Vec<_> = pairs("&a=1&b&=c&&d=e=f&").collect();
        assert_eq!(all, [("a", "1"), ("b", ""), ("", "c"), ("d", "e=f")]);
    }
}
