//! Which requests a route is for.

use tenon_model_derive::Read;

use crate::read::{Fields, Node, OneOf, ReadFields};
use crate::schema::{Object, Schema};
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
    /// Of a million of such requests, only the first so many, as the Gateway API has it where the backends of a rule are
    /// routes of their own. Envoy draws one number for a request, and compares it on each route that it comes to.
    #[read(skip)]
    pub up_to: Option<u32>,
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
    #[read(with = regex::pattern)]
    Regex(String),
    /// That are this one, or begin with it and `/`: the Gateway API's `PathPrefix`. It does not end with `/`.
    #[read(skip)]
    Parts(String),
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
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HeaderMatcher {
    /// Its name.
    #[read(with = header::matched_name)]
    pub name: String,
    /// Its value.
    #[read(flatten)]
    pub value: ValueMatcher,
    /// The other way round.
    #[read(name = "invertMatch")]
    pub invert: bool,
}

/// Which values a query parameter has.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct QueryMatcher {
    /// Its name.
    #[read(with = query_name)]
    pub name: String,
    /// Its value.
    #[read(flatten)]
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
            up_to: None,
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

impl ReadFields for ValueMatcher {
    /// `value` and, as a flag, `regex`.
    fn read_fields(fields: &mut Fields<'_>) -> Option<Self> {
        let is_regex = fields.flag("regex");
        let value = fields.field("value", |node| match node.text()? {
            "" => Some(Self::Present),
            _ if is_regex => regex::pattern(&node).map(Self::Regex),
            _ => header::value(&node).map(Self::Exact),
        });
        match fields.has("value") {
            true => value,
            false => Some(Self::Present),
        }
    }

    fn describe(object: &mut Object) {
        object.field("value", "Its value; empty: any.", Schema::Text, false);
        let doc = "Whether the value is an expression, which must match as a whole.";
        object.field("regex", doc, Schema::Flag, false);
    }
}

fn query_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    match name.len() {
        0..=1024 => Some(name),
        _ => node.error("is longer than 1024 characters"),
    }
}
