//! Which requests a route is for.

use crate::read::{Fields, Node};
use crate::{header, regex};

/// Which requests a route is for: all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    /// The path; `None` in a route table: the parent's.
    pub path: Option<PathMatcher>,
    /// Whether upper and lower case matter in the path.
    pub case_sensitive: bool,
    /// The headers.
    pub headers: Vec<HeaderMatcher>,
    /// The query.
    pub query: Vec<QueryMatcher>,
    /// The methods; empty: any.
    pub methods: Vec<String>,
}

/// Which paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatcher {
    /// That start with this.
    Prefix(String),
    /// This one.
    Exact(String),
    /// That match this as a whole.
    Regex(String),
    /// None, as requests with the method `CONNECT` have.
    Connect,
}

/// Which values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueMatcher {
    /// Any.
    Present,
    /// This one.
    Exact(String),
    /// That match this as a whole.
    Regex(String),
}

/// Which values a header has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatcher {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: ValueMatcher,
    /// The other way round.
    pub invert: bool,
}

/// Which values a query parameter has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryMatcher {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: ValueMatcher,
}

impl Default for Matcher {
    /// Any request.
    fn default() -> Self {
        Self {
            path: Some(PathMatcher::Prefix("/".into())),
            case_sensitive: true,
            headers: Vec::new(),
            query: Vec::new(),
            methods: Vec::new(),
        }
    }
}

const PATHS: [&str; 4] = ["prefix", "exact", "regex", "connectMatcher"];

/// What is wrong with a matcher that says nothing of the path, and whose parent's is not its own.
pub const NO_PATH: &str = "expected one of prefix, exact, regex and connectMatcher";

pub(crate) fn read(node: &Node<'_>) -> Option<Matcher> {
    node.object(|fields| {
        let path = match fields.one_of(&PATHS) {
            Some("prefix") => fields
                .field("prefix", |node| path(&node))
                .map(PathMatcher::Prefix),
            Some("exact") => fields
                .field("exact", |node| path(&node))
                .map(PathMatcher::Exact),
            Some("regex") => fields
                .field("regex", |node| regex::read(&node))
                .map(|regex| PathMatcher::Regex(regex.pattern)),
            Some(_) => fields
                .field("connectMatcher", |node| node.object(|_| Some(())))
                .map(|()| PathMatcher::Connect),
            None => None,
        };
        fields.ignored(&PATHS);
        let is_wrong = path.is_none() && PATHS.iter().any(|name| fields.has(name));
        let case_sensitive = fields.field("caseSensitive", |node| node.boolean());
        let headers = fields.list("headers", |node| node.object(read_header));
        let query = fields.list("queryParameters", |node| node.object(read_query));
        let methods = fields.list("methods", |node| {
            let method = node.non_empty()?;
            if !method
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            {
                return node.error(format!("{method:?} is not a method"));
            }
            Some(method)
        });
        (!is_wrong).then_some(Matcher {
            path,
            case_sensitive: case_sensitive.unwrap_or(true),
            headers,
            query,
            methods,
        })
    })
}

/// A path as the router sees it: normalised, without query.
pub(crate) fn path(node: &Node<'_>) -> Option<String> {
    let path = node.non_empty()?;
    match check_path(&path) {
        Ok(()) => Some(path),
        Err(reason) => node.error(reason),
    }
}

/// What is wrong with a path.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("{path:?} must start with /"));
    }
    let lower = path.to_ascii_lowercase();
    for never in ["//", "/./", "/../", "%2f", "#", "?"] {
        if lower.contains(never) {
            return Err(format!(
                "{path:?} must not hold {never}, which no path has when it is matched"
            ));
        }
    }
    if lower.ends_with("/..") || lower.ends_with("/.") {
        return Err(format!("{path:?} must not end with /. or /.."));
    }
    if path.contains(|c: char| c.is_ascii_control() || c == ' ') {
        return Err(format!(
            "{path:?} must not hold spaces or control characters"
        ));
    }
    Ok(())
}

fn read_header(fields: &mut Fields<'_>) -> Option<HeaderMatcher> {
    let name = fields.required("name", |node| header::matched_name(&node));
    let value = read_value(fields);
    Some(HeaderMatcher {
        invert: fields.flag("invertMatch"),
        name: name?,
        value: value?,
    })
}

fn read_query(fields: &mut Fields<'_>) -> Option<QueryMatcher> {
    let name = fields.required("name", |node| {
        let name = node.non_empty()?;
        if name.len() > 1024 {
            return node.error("is longer than 1024 characters");
        }
        Some(name)
    });
    let value = read_value(fields);
    Some(QueryMatcher {
        name: name?,
        value: value?,
    })
}

/// `value` and, as a flag, `regex`.
fn read_value(fields: &mut Fields<'_>) -> Option<ValueMatcher> {
    let is_regex = fields.flag("regex");
    let value = fields.field("value", |node| match node.text()? {
        "" => Some(ValueMatcher::Present),
        _ if is_regex => regex::read(&node).map(|regex| ValueMatcher::Regex(regex.pattern)),
        _ => header::value(&node).map(ValueMatcher::Exact),
    });
    match fields.has("value") {
        true => value,
        false => Some(ValueMatcher::Present),
    }
}
