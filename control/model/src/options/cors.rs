//! Requests of other origins.

use tenon_model_derive::Read;

use crate::read::{Fields, Node};
use crate::{header, regex};

/// Which other origins may ask.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = checked)]
pub struct Cors {
    /// Origins, as `https://example.com`.
    #[read(with = Node::non_empty)]
    pub allow_origin: Vec<String>,
    /// Regular expressions that the whole origin matches.
    #[read(with = regex::pattern)]
    pub allow_origin_regex: Vec<String>,
    /// Methods, for `access-control-allow-methods`.
    #[read(with = header::value)]
    pub allow_methods: Vec<String>,
    /// Headers of requests, for `access-control-allow-headers`.
    #[read(with = header::value)]
    pub allow_headers: Vec<String>,
    /// Headers of responses, for `access-control-expose-headers`.
    #[read(with = header::value)]
    pub expose_headers: Vec<String>,
    /// How many seconds a browser may remember it, for `access-control-max-age`.
    #[read(with = seconds)]
    pub max_age: Option<String>,
    /// Whether requests may have credentials.
    pub allow_credentials: bool,
    /// Of a route: nothing is done, whatever the virtual host says.
    pub disable_for_route: bool,
    /// Of the Gateway API: preflights of other origins are answered as well, without what would let them pass.
    #[read(skip)]
    pub answers_others: bool,
    /// Of the Gateway API: any method may be used with credentials, so a preflight is told the one that it asks for.
    #[read(skip)]
    pub echoes_method: bool,
    /// The same, of headers.
    #[read(skip)]
    pub echoes_headers: bool,
}

/// What becomes of a route's policy where its virtual host has one, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct CorsMerge {
    /// Of `exposeHeaders`.
    #[read(default)]
    pub expose_headers: CorsMergeStrategy,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum CorsMergeStrategy {
    /// The route's counts.
    #[default]
    Default,
    /// Both count, where both are there.
    Union,
}

/// Gloo takes any text, and its documents have `1d`; browsers take seconds alone.
fn seconds(node: &Node<'_>) -> Option<String> {
    let text = header::value(node)?;
    if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
        node.warn(format!(
            "{text:?} is not a number of seconds, and browsers ignore it"
        ));
    }
    Some(text)
}

fn checked(cors: Cors, fields: &Fields<'_>) -> Option<Cors> {
    if cors.allow_origin.is_empty() && cors.allow_origin_regex.is_empty() && !cors.disable_for_route
    {
        fields.error("expected at least one of allowOrigin and allowOriginRegex");
    }
    Some(cors)
}

impl Cors {
    /// A route's policy below its virtual host's.
    pub fn below(&self, of_host: Option<&Self>, merge: CorsMerge) -> Self {
        let mut merged = self.clone();
        if let (Some(of_host), CorsMergeStrategy::Union) = (of_host, merge.expose_headers)
            && !of_host.expose_headers.is_empty()
            && !self.expose_headers.is_empty()
        {
            merged.expose_headers.clone_from(&of_host.expose_headers);
            for name in &self.expose_headers {
                if !merged.expose_headers.contains(name) {
                    merged.expose_headers.push(name.clone());
                }
            }
        }
        merged
    }
}
