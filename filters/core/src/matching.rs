//! Which function of an upstream a request is for: by its method and the template that its path matches.
//!
//! * Paths are compared as they are on the wire, without the query, in the form of [`normalize_path`]: `%2F` is no slash, and
//!   a trailing slash matters.
//! * A template without a catch-all wins over one with (as in HTTP APIs of API Gateway: "full match" before "greedy path
//!   variable"), of two catch-alls the one with more segments before it, and a literal over a parameter, from left to
//!   right.
//! * Of one path's functions, that of the request's own method wins over one of any method. `HEAD` is served by `GET`
//!   where nothing else serves it (RFC 9110, 9.3.2).
//! * Parameters never match a segment `.` or `..`, encoded or not: what is made of them stays below the template.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use tenon_contract::{PathTemplate, Segment, Sorted, TemplateError, normalize_path};

use crate::percent;
use crate::text_hash::TextHasher;

/// Why functions cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path is no template.
    #[error("functions[{index}].path: {source}")]
    Template {
        /// Which function, from 0.
        index: usize,
        /// Why not.
        source: TemplateError,
    },
    /// A method is none.
    #[error("functions[{index}].methods: {method:?} is no method")]
    Method {
        /// Which function, from 0.
        index: usize,
        /// Its method.
        method: String,
    },
    /// Two functions want the same requests.
    #[error("functions[{index}].path: {method} {path} is that of functions[{other}] too")]
    Conflict {
        /// Which function, from 0.
        index: usize,
        /// Which other, from 0.
        other: usize,
        /// The method that they share.
        method: String,
        /// The template.
        path: String,
    },
    /// The router takes a template for none, or for one that is there. Never seen: the cases above come first.
    #[error("functions[{index}].path: {reason}")]
    Router {
        /// Which function, from 0.
        index: usize,
        /// The router's words.
        reason: String,
    },
}

/// The functions of an upstream by method and path. A lookup costs what the path's length costs, however many they are.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    /// By each method that a function names; each has the functions of any method too.
    by_method: Sorted<String, Routes>,
    /// The functions of any method.
    any: Routes,
}

#[derive(Debug, Clone, Default)]
struct Routes {
    full: matchit::Router<usize>,
    /// Those with a catch-all, by how many segments stand before it, most first: the router takes no catch-all beside a
    /// parameter.
    greedy: Sorted<Reverse<usize>, matchit::Router<usize>>,
}

/// The function that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// Which one, from 0, in the order that they were given.
    pub index: usize,
    /// What its template's parameters took, in the template's order.
    pub parameters: Vec<Parameter>,
}

/// A parameter of a template, and the part of a path that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it took, as on the wire: percent-encoded; of a catch-all without the slash in front.
    pub encoded: String,
}

impl Parameter {
    /// What it took, percent-decoded once. What then is no UTF-8 becomes U+FFFD.
    pub fn decoded(&self) -> Cow<'_, str> {
        percent::decode(&self.encoded)
    }
}

/// No function is for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMatch {
    /// The methods for which there is one at this path; empty where there is none at all.
    pub allowed: Vec<String>,
}

impl Functions {
    /// Compiles a table: of each function its methods (none: any) and its path template.
    ///
    /// # Errors
    /// A path that is no template, a method that is none, or two functions for the same requests.
    pub fn compile<'a>(
        functions: impl IntoIterator<Item = (&'a [String], &'a str)>,
    ) -> Result<Self, Error> {
        let mut templates = Vec::new();
        // By shape, then method ("" for any).
        let mut taken: HashMap<String, Sorted<String, usize>, BuildHasherDefault<TextHasher>> =
            HashMap::default();
        let mut named = Sorted::new();
        for (index, (methods, path)) in functions.into_iter().enumerate() {
            let template =
                PathTemplate::parse(path).map_err(|source| Error::Template { index, source })?;
            let at_path = taken.entry(template.shape()).or_default();
            for (method, ()) in tokens(index, methods)? {
                if let Some(other) = at_path.insert(method.clone(), index) {
                    return Err(Error::Conflict {
                        index,
                        other,
                        method: if method.is_empty() {
                            ANY.into()
                        } else {
                            method
                        },
                        path: path.to_owned(),
                    });
                }
                named.insert(method, ());
            }
            templates.push(template);
        }
        if named.contains_key("GET") {
            named.insert("HEAD".into(), ());
        }
        let mut table = Self::default();
        for method in named.keys() {
            let routes = match method.as_str() {
                "" => &mut table.any,
                _ => table.by_method.or_default(method.clone()),
            };
            let stand_in = if method == "HEAD" { "GET" } else { "" };
            for at_path in taken.values() {
                let found = [method, stand_in, ""]
                    .into_iter()
                    .find_map(|it| at_path.get(it));
                if let Some((index, template)) =
                    found.and_then(|index| Some((*index, templates.get(*index)?)))
                {
                    routes.insert(index, template)?;
                }
            }
        }
        Ok(table)
    }

    /// The function for a request; `path` as on the wire, with or without its query.
    ///
    /// # Errors
    /// There is none; which methods there are at this path.
    pub fn find(&self, method: &[u8], path: &[u8]) -> Result<Matched, NoMatch> {
        let none = || NoMatch {
            allowed: Vec::new(),
        };
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let path = normalize_path(std::str::from_utf8(path).map_err(|_| none())?);
        let routes = std::str::from_utf8(method)
            .ok()
            .and_then(|method| self.by_method.get(method))
            .unwrap_or(&self.any);
        routes.find(&path).ok_or_else(|| {
            let there = self
                .by_method
                .iter()
                .filter(|(_, routes)| routes.find(&path).is_some());
            NoMatch {
                allowed: there.map(|(method, _)| method.clone()).collect(),
            }
        })
    }
}

impl Routes {
    fn insert(&mut self, index: usize, template: &PathTemplate) -> Result<(), Error> {
        let mut route = String::with_capacity(template.as_str().len());
        for segment in template.segments() {
            route.push('/');
            match segment {
                Segment::Literal(text) => route.push_str(text),
                Segment::Parameter(name) => route.extend(["{", name, "}"]),
                Segment::Rest(name) => route.extend(["{*", name, "}"]),
            }
        }
        let routes = match template.is_greedy() {
            true => self.greedy.or_default(Reverse(template.segments().len())),
            false => &mut self.full,
        };
        routes.insert(route, index).map_err(|error| Error::Router {
            index,
            reason: error.to_string(),
        })
    }

    fn find(&self, path: &str) -> Option<Matched> {
        let all = [&self.full].into_iter().chain(self.greedy.values());
        let mut found = all.filter_map(|routes| routes.at(path).ok());
        found.find_map(|found| {
            let parameters = found.params.iter();
            let parameters: Option<Vec<_>> = parameters
                .map(|(name, taken)| {
                    may_be_taken(taken).then(|| Parameter {
                        name: name.to_owned(),
                        encoded: taken.to_owned(),
                    })
                })
                .collect();
            Some(Matched {
                index: *found.value,
                parameters: parameters?,
            })
        })
    }
}

/// The router lets a parameter take an empty segment where another one follows.
fn may_be_taken(part: &str) -> bool {
    let mut segments = part.split('/');
    !part.is_empty() && segments.all(|segment| !matches!(segment, "." | ".."))
}

/// What stands for all methods, beside `*` and an empty list.
const ANY: &str = "ANY";

/// The methods as they are looked up; "" for any.
fn tokens(index: usize, methods: &[String]) -> Result<Sorted<String, ()>, Error> {
    if methods.is_empty() {
        return Ok([(String::new(), ())].into());
    }
    let token = |method: &String| match method.as_str() {
        "*" | ANY => Ok(String::new()),
        text if !text.is_empty() && text.bytes().all(|c| c.is_ascii_uppercase() || c == b'-') => {
            Ok(text.to_owned())
        }
        _ => Err(Error::Method {
            index,
            method: method.clone(),
        }),
    };
    let named = methods.iter().map(|method| Ok((token(method)?, ())));
    named.collect()
}

#[cfg(test)]
mod tests;
