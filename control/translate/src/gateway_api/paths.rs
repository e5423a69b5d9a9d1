//! What takes the place of a path.

use tenon_model::gateway_api::PathModifier;
use tenon_model::{PathRedirect, PathRewrite, RegexPattern, RegexRewrite};

/// What takes the place of a path, in the terms of Envoy.
enum NewPath {
    /// Of all of it.
    Full(String),
    /// Of the text that was matched.
    Prefix(String),
    /// Of what an expression matches.
    Regex(RegexRewrite),
}

/// What a client is sent to; `matched` is the prefix that was matched.
pub(crate) fn redirect(from: &PathModifier, matched: &str) -> Option<PathRedirect> {
    Some(match new(from, matched)? {
        NewPath::Full(path) => PathRedirect::Path(path),
        NewPath::Prefix(prefix) => PathRedirect::Prefix(prefix),
        NewPath::Regex(rewrite) => PathRedirect::Regex(rewrite),
    })
}

/// What the backend gets to see.
pub(crate) fn rewrite(from: &PathModifier, matched: &str) -> Option<PathRewrite> {
    Some(match new(from, matched)? {
        // Of an expression Envoy leaves the query alone.
        NewPath::Full(path) => PathRewrite::Regex(replacing("^.+$".to_owned(), &path)),
        NewPath::Prefix(prefix) => PathRewrite::Prefix(prefix),
        NewPath::Regex(rewrite) => PathRewrite::Regex(rewrite),
    })
}

/// Slashes at the end of either prefix mean nothing, and a path never loses its first one: the specification's table at
/// `HTTPPathModifier.replacePrefixMatch`.
fn new(from: &PathModifier, matched: &str) -> Option<NewPath> {
    let (matched, by) = match from {
        PathModifier::ReplaceFullPath(path) => return Some(NewPath::Full(absolute(path))),
        PathModifier::ReplacePrefixMatch(by) => (matched.trim_end_matches('/'), absolute(by)),
    };
    match (matched, by.trim_end_matches('/')) {
        ("", "") => None,
        // All that Envoy matches is the slash that every path begins with.
        ("", by) => Some(NewPath::Prefix(format!("{by}/"))),
        (matched, "") => {
            let pattern = format!("^{}/*", literally(matched));
            Some(NewPath::Regex(replacing(pattern, "/")))
        }
        (_, by) => Some(NewPath::Prefix(by.to_owned())),
    }
}

fn absolute(path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    }
}

fn replacing(pattern: String, by: &str) -> RegexRewrite {
    RegexRewrite {
        pattern: RegexPattern { regex: pattern },
        substitution: by.replace('\\', r"\\"),
    }
}

/// What matches a text, whatever it has of an expression's characters.
pub(crate) fn literally(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && !"/-_~%:".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Envoy makes of a path: what is matched goes, and the prefix takes its place; or an expression is replaced.
    fn rewritten(path: &str, matched: &str, by: &str) -> String {
        let modifier = PathModifier::ReplacePrefixMatch(by.into());
        let in_envoy = match matched.trim_end_matches('/') {
            "" => "/",
            parts => parts,
        };
        match rewrite(&modifier, matched) {
            None => path.to_owned(),
            Some(PathRewrite::Prefix(prefix)) => prefix + &path[in_envoy.len()..],
            Some(PathRewrite::Regex(it)) => {
                let text = it.pattern.regex.replace('\\', "");
                let text = text.trim_start_matches('^').trim_end_matches("/*");
                assert_eq!(text, in_envoy);
                format!(
                    "{}{}",
                    it.substitution,
                    path[text.len()..].trim_start_matches('/')
                )
            }
        }
    }

    #[test]
    fn prefixes_are_replaced_as_in_the_table_of_the_specification() {
        for (path, matched, by, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            // Not in the table, and the same.
            ("/foo", "/", "/xyz", "/xyz/foo"),
            ("/foo", "/", "/", "/foo"),
            ("/a.b/c", "/a.b", "/", "/c"),
        ] {
            let found = rewritten(path, matched, by);
            assert_eq!(found, expected, "{path}, {matched} by {by:?}");
        }
    }

    #[test]
    fn a_full_path_begins_with_a_slash() {
        let full = PathModifier::ReplaceFullPath(String::new());
        assert_eq!(redirect(&full, "/a"), Some(PathRedirect::Path("/".into())));
    }
}
