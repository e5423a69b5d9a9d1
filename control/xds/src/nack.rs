//! Which resources a NACK is about.

/// The names that the text of a NACK mentions, whole.
///
/// Envoy's text names the culprits for clusters and listeners ("Error adding/updating cluster(s) a: …, b: …"), for
/// other types only now and then.
pub(crate) fn named<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.filter(|name| mentions(text, name)).collect()
}

fn mentions(text: &str, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    text.match_indices(name).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = &text[start + name.len()..];
        !before.is_some_and(is_name_char) && !continues(after)
    })
}

/// Whether a name goes on; a colon, full stop or the like ends it unless more of a name follows.
fn continues(rest: &str) -> bool {
    let mut chars = rest.chars();
    match chars.next() {
        Some('.' | ':' | '/') => chars.next().is_some_and(is_name_char),
        Some(next) => is_name_char(next),
        None => false,
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '|' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whole_only() {
        let text = "Error adding/updating cluster(s) us_default: bad, kube-svc:a-b-80_a: worse.";
        let names = ["us", "default", "us_default", "kube-svc:a-b-80_a", "a", ""];
        assert_eq!(
            named(text, names.into_iter()),
            ["us_default", "kube-svc:a-b-80_a"]
        );
    }
}
