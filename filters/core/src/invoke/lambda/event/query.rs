//! The parameters of a query.

use std::borrow::Cow;

use crate::percent;

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
        return Cow::Owned(percent::decode(&spaced).into_owned());
    }
    percent::decode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

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
