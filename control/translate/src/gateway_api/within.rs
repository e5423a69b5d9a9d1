//! Whether a child's match is within its parent's, and a child's match behind its parent's.

use tenon_model::gateway_api::{HeaderMatch, HttpMatch, PathMatch, PathMatchType, QueryParamMatch};

/// Whether all requests of a child's match are requests of the parent's, which has to be for a prefix.
pub(crate) fn fits(above: &HttpMatch, own: &HttpMatch) -> bool {
    let method = above.method.is_none() || above.method == own.method;
    path_fits(&above.path, &own.path)
        && above.headers.iter().all(|it| own.headers.contains(it))
        && above
            .query_params
            .iter()
            .all(|it| own.query_params.contains(it))
        && method
}

fn path_fits(above: &PathMatch, own: &PathMatch) -> bool {
    if above.kind != PathMatchType::PathPrefix {
        return false;
    }
    let prefix = above.value.trim_end_matches('/');
    match own.kind {
        PathMatchType::Exact | PathMatchType::PathPrefix => {
            let rest = own.value.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        PathMatchType::RegularExpression => expression_fits(prefix, &own.value),
    }
}

/// An expression begins with the prefix, literally, and has no other way around it.
fn expression_fits(prefix: &str, expression: &str) -> bool {
    let Some(rest) = expression.strip_prefix(&*escaped(prefix)) else {
        return false;
    };
    // What follows the `/` may make it one that need not be there.
    let slash = rest.strip_prefix('/');
    let whole = slash.is_some_and(|rest| !rest.starts_with(['?', '*', '{']));
    (rest.is_empty() || whole) && !has_alternatives(rest)
}

/// Whether one of several alternatives is the expression as a whole.
fn has_alternatives(expression: &str) -> bool {
    let mut depth = 0_i32;
    let mut class = false;
    let mut chars = expression.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' if !class => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => depth -= 1,
            '|' if !class && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A child's match put behind the parent's; nothing where that is for no prefix and the child is for more than it.
pub(crate) fn behind(above: &HttpMatch, own: &HttpMatch) -> Option<HttpMatch> {
    if *own == HttpMatch::default() {
        return Some(above.clone());
    }
    if above.path.kind != PathMatchType::PathPrefix {
        return None;
    }
    let prefix = above.path.value.trim_end_matches('/');
    let value = match own.path.kind {
        PathMatchType::RegularExpression => format!("{}(?:{})", escaped(prefix), own.path.value),
        _ => match (prefix, own.path.value.trim_start_matches('/')) {
            ("", "") => "/".to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, rest) => format!("{prefix}/{rest}"),
        },
    };
    Some(HttpMatch {
        path: PathMatch {
            kind: own.path.kind,
            value,
        },
        headers: headers(&above.headers, &own.headers),
        query_params: params(&above.query_params, &own.query_params),
        method: above.method.clone().or_else(|| own.method.clone()),
    })
}

/// Those of the parent, and what the child says of others.
fn headers(above: &[HeaderMatch], own: &[HeaderMatch]) -> Vec<HeaderMatch> {
    let others = own.iter().filter(|own| {
        let same = |it: &HeaderMatch| it.name.eq_ignore_ascii_case(&own.name);
        !above.iter().any(same)
    });
    above.iter().chain(others).cloned().collect()
}

fn params(above: &[QueryParamMatch], own: &[QueryParamMatch]) -> Vec<QueryParamMatch> {
    let others = own
        .iter()
        .filter(|own| !above.iter().any(|it| it.name == own.name));
    above.iter().chain(others).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(kind: PathMatchType, value: &str) -> HttpMatch {
        HttpMatch {
            path: PathMatch {
                kind,
                value: value.to_owned(),
            },
            ..HttpMatch::default()
        }
    }

    #[test]
    fn a_childs_path_is_within_its_parents() {
        use PathMatchType::{Exact, PathPrefix, RegularExpression};
        for (above, kind, own, expected) in [
            ("/a", PathPrefix, "/a", true),
            ("/a/", PathPrefix, "/a/b", true),
            ("/a", Exact, "/a/b", true),
            ("/a", PathPrefix, "/ab", false),
            ("/a", PathPrefix, "/", false),
            ("/", PathPrefix, "/x", true),
            ("/a", RegularExpression, "/a/.*", true),
            ("/a", RegularExpression, "/a.*", false),
            ("/a", RegularExpression, "/a/?.*", false),
            ("/a", RegularExpression, "/a/b|/c", false),
            ("/a", RegularExpression, "/a/(b|c)", true),
            ("/a.b", RegularExpression, "/a.b/c", false),
            ("/a.b", RegularExpression, "/a\\.b/c", true),
        ] {
            let found = fits(&on(PathPrefix, above), &on(kind, own));
            assert_eq!(found, expected, "{above} {own}");
        }
        assert!(!fits(&on(Exact, "/a"), &on(Exact, "/a")));
    }

    #[test]
    fn a_childs_path_is_put_behind_its_parents() {
        use PathMatchType::{Exact, PathPrefix, RegularExpression};
        for (above, kind, own, expected) in [
            ("/a", PathPrefix, "/b", "/a/b"),
            ("/", Exact, "/b", "/b"),
            ("/a/", Exact, "/", "/a"),
            ("/a.b", RegularExpression, "/c|/d", "/a\\.b(?:/c|/d)"),
        ] {
            let found = behind(&on(PathPrefix, above), &on(kind, own)).map(|it| it.path.value);
            assert_eq!(found.as_deref(), Some(expected), "{above} {own}");
        }
        let whole = behind(&on(Exact, "/a"), &HttpMatch::default());
        assert_eq!(whole, Some(on(Exact, "/a")));
        assert_eq!(behind(&on(Exact, "/a"), &on(PathPrefix, "/b")), None);
    }
}
