//! Which requests a route is for.

use tenon_model_derive::Read;

use crate::read::{Fields, Node, OneOf, Read};
use crate::schema::Schema;
use crate::{header, regex};

/// Which requests a route is for: all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = with_path)]
pub struct Matcher {
    /// The path; none in a route table: the parent's.
    #[read(flatten)]
    pub path: Option<PathMatcher>,
    /// Whether upper and lower case matter in the path: they do where it is left out.
    #[read(default = true)]
    pub case_sensitive: bool,
    /// The headers.
    pub headers: Vec<HeaderMatcher>,
    /// The query.
    #[read(name = "queryParameters")]
    pub query: Vec<QueryMatcher>,
    /// The methods; none: any.
    #[read(with = method)]
    pub methods: Vec<String>,
}

/// Which paths.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum PathMatcher {
    /// That start with this.
    #[read(with = path)]
    Prefix(String),
    /// This one.
    #[read(with = path)]
    Exact(String),
    /// That match this as a whole.
    #[read(with = regex_text)]
    Regex(String),
    /// None, as requests with the method `CONNECT` have.
    #[read(name = "connectMatcher")]
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

/// What is wrong with a matcher that says nothing of the path, and whose parent's is not its own.
pub const NO_PATH: &str = "expected one of prefix, exact, regex and connectMatcher";

/// A path that is there and wrong is not one that is left out.
fn with_path(read: Matcher, fields: &Fields<'_>) -> Option<Matcher> {
    let is_said = PathMatcher::NAMES.iter().any(|name| fields.has(name));
    (read.path.is_some() || !is_said).then_some(read)
}

fn regex_text(node: &Node<'_>) -> Option<String> {
    regex::read(node).map(|regex| regex.pattern)
}

fn method(node: &Node<'_>) -> Option<String> {
    let method = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    match method.bytes().all(fits) {
        true => Some(method),
        false => node.error(format!("{method:?} is not a method")),
    }
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

/// As it is written.
#[derive(Read)]
#[expect(dead_code, reason = "only its schema is taken")]
struct WrittenHeader {
    /// Its name.
    name: String,
    /// Its value; empty: any.
    value: Option<String>,
    /// Whether the value is an expression, which must match the header's as a whole.
    regex: bool,
    /// The other way round.
    invert_match: bool,
}

/// As it is written.
#[derive(Read)]
#[expect(dead_code, reason = "only its schema is taken")]
struct WrittenParameter {
    /// Its name.
    name: String,
    /// Its value; empty: any.
    value: Option<String>,
    /// Whether the value is an expression, which must match the parameter's as a whole.
    regex: bool,
}

impl Read for HeaderMatcher {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.object(read_header)
    }

    fn schema() -> Schema {
        WrittenHeader::schema()
    }
}

impl Read for QueryMatcher {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.object(read_query)
    }

    fn schema() -> Schema {
        WrittenParameter::schema()
    }
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
