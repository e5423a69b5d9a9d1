//! The query of a path.

use tenon_contract::Sorted;

/// Path and query of a `:path`, without fragment.
pub(super) fn split(path: &str) -> (&str, &str) {
    let whole = path.split('#').next().unwrap_or_default();
    whole.split_once('?').unwrap_or((whole, ""))
}

/// Names and values in order, as they stand there.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// All values by name, decoded.
pub(super) fn decoded(query: &str) -> Sorted<String, Vec<String>> {
    Sorted::group(pairs(query).map(|(name, value)| (decode(name), decode(value))))
}

/// Decodes `%XX`; what is no encoding stays as it is, and what is no UTF-8 then becomes U+FFFD.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let encoded = (*first == b'%')
            .then(|| after.split_at_checked(2))
            .flatten()
            .and_then(|(digits, after)| Some((byte(digits)?, after)));
        let (byte, after) = encoded.unwrap_or((*first, after));
        out.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The byte that two hexadecimal digits are.
fn byte(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let all = decoded("a=1&b=%C3%BC&a=%zz%&&c&%61=+");
        let shown: Vec<_> = all
            .iter()
            .map(|(name, values)| (&**name, values.join("|")))
            .collect();
        assert_eq!(
            shown,
            [
                ("a", "1|%zz%|+".to_owned()),
                ("b", "ü".to_owned()),
                ("c", String::new())
            ]
        );
        assert_eq!(split("/a?b=c?d#e"), ("/a", "b=c?d"));
    }
}
