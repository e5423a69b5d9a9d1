//! Which messages a rule is for. As Envoy's own matchers, which Gloo's filter uses.

use tenon_contract::transform::{RequestMatcher as RequestConfig, ValueMatcher as ValueConfig};

use super::pattern::FullMatch;
use super::{Place, headers, query};
use crate::host::{Headers, Side};

/// Which requests.
#[derive(Debug)]
pub(crate) struct RequestMatcher {
    path: Option<PathMatcher>,
    headers: HeaderMatchers,
    query: Vec<(String, Value)>,
    methods: Vec<String>,
}

#[derive(Debug)]
enum PathMatcher {
    Prefix(String, Case),
    Exact(String, Case),
    Regex(FullMatch),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Matters,
    Ignored,
}

/// Headers: all have to fit.
#[derive(Debug)]
pub(super) struct HeaderMatchers(Vec<HeaderMatcher>);

#[derive(Debug)]
struct HeaderMatcher {
    name: String,
    value: Value,
    invert: bool,
}

#[derive(Debug)]
enum Value {
    Present,
    Exact(String),
    Regex(FullMatch),
}

impl RequestMatcher {
    pub(crate) fn compile(config: &RequestConfig, place: &mut Place<'_>) -> Option<Self> {
        let case = match config.case_sensitive {
            true => Case::Matters,
            false => Case::Ignored,
        };
        let path = match (&config.prefix, &config.exact, &config.regex) {
            (None, None, None) => None,
            (Some(prefix), None, None) => Some(PathMatcher::Prefix(prefix.clone(), case)),
            (None, Some(path), None) => Some(PathMatcher::Exact(path.clone(), case)),
            (None, None, Some(pattern)) => {
                let pattern = place.at("regex").accept(FullMatch::compile(pattern));
                Some(PathMatcher::Regex(pattern?))
            }
            _ => return place.refuse("prefix, exact and regex exclude each other"),
        };
        let headers = HeaderMatchers::compile(&config.headers, "headers", place);
        let query = config.query_parameters.iter().enumerate();
        let query = query.map(|(index, config)| {
            let value = Value::compile(config, &mut place.item("queryParameters", index))?;
            Some((config.name.clone(), value))
        });
        let query: Option<_> = query.collect();
        Some(Self {
            path,
            headers: headers?,
            query: query?,
            methods: config.methods.clone(),
        })
    }

    pub(crate) fn matches(&self, host: &impl Headers) -> bool {
        (self.methods.is_empty() || self.is_method(host))
            && ((self.path.is_none() && self.query.is_empty()) || self.is_path(host))
            && self.headers.match_all(host, Side::Request)
    }

    fn is_method(&self, host: &impl Headers) -> bool {
        let method = host.header(Side::Request, ":method").unwrap_or_default();
        self.methods.iter().any(|it| it.as_bytes() == &*method)
    }

    fn is_path(&self, host: &impl Headers) -> bool {
        let whole = host.header(Side::Request, ":path").unwrap_or_default();
        let whole = String::from_utf8_lossy(&whole);
        let (path, query) = query::split(&whole);
        let fits = match &self.path {
            None => true,
            // Of the query too, as far as it goes: Gloo's filter, unlike Envoy's routes, does not take it off.
            Some(PathMatcher::Prefix(prefix, case)) => whole
                .get(..prefix.len())
                .is_some_and(|start| same(start, prefix, *case)),
            Some(PathMatcher::Exact(exact, case)) => same(path, exact, *case),
            Some(PathMatcher::Regex(pattern)) => pattern.is_match(path),
        };
        fits && self.query.iter().all(|(name, value)| {
            parameter(query, name).is_some_and(|found| value.fits(found.as_bytes()))
        })
    }
}

fn same(one: &str, other: &str, case: Case) -> bool {
    match case {
        Case::Matters => one == other,
        Case::Ignored => one.eq_ignore_ascii_case(other),
    }
}

/// The first value of a parameter, as it stands in the query.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query::pairs(query)
        .find(|(own, _)| *own == name)
        .map(|(_, value)| value)
}

impl HeaderMatchers {
    pub(super) fn compile(
        configs: &[ValueConfig],
        field: &str,
        place: &mut Place<'_>,
    ) -> Option<Self> {
        let all = configs.iter().enumerate().map(|(index, config)| {
            let mut place = place.item(field, index);
            let name = headers::read_name(&config.name, &mut place.at("name"));
            let value = Value::compile(config, &mut place);
            Some(HeaderMatcher {
                name: name?,
                value: value?,
                invert: config.invert_match,
            })
        });
        // Through all of them, so that all that is wrong is told.
        let all: Vec<_> = all.collect();
        all.into_iter().collect::<Option<_>>().map(Self)
    }

    pub(super) fn match_all(&self, host: &impl Headers, side: Side) -> bool {
        self.0.iter().all(|it| it.matches(host, side))
    }
}

impl HeaderMatcher {
    fn matches(&self, host: &impl Headers, side: Side) -> bool {
        match headers::joined(host, side, &self.name) {
            Some(value) => self.value.fits(&value) != self.invert,
            // What is not there has no value that could be another one.
            None => self.invert && matches!(self.value, Value::Present),
        }
    }
}

impl Value {
    fn compile(config: &ValueConfig, place: &mut Place<'_>) -> Option<Self> {
        Some(match (config.value.as_str(), config.regex) {
            ("", _) => Self::Present,
            (value, false) => Self::Exact(value.to_owned()),
            (pattern, true) => Self::Regex(place.at("value").accept(FullMatch::compile(pattern))?),
        })
    }

    fn fits(&self, found: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(value) => value.as_bytes() == found,
            Self::Regex(pattern) => pattern.is_match(&String::from_utf8_lossy(found)),
        }
    }
}
