//! Headers that a route adds and removes.

use crate::format;
use crate::read::{Fields, Node};

/// The longest name or value that Envoy takes; a longer one would cost all routes of a listener.
const MOST_BYTES: usize = 16_384;
/// How many headers Envoy adds in one place, less some that Tenon adds itself.
const MOST_HEADERS: usize = 990;

/// Headers to add and remove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderManipulation {
    /// On the way to the upstream.
    pub request_add: Vec<HeaderToAdd>,
    /// On the way to the upstream.
    pub request_remove: Vec<String>,
    /// On the way to the client.
    pub response_add: Vec<HeaderToAdd>,
    /// On the way to the client.
    pub response_remove: Vec<String>,
}

/// A header to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderToAdd {
    /// Its name.
    pub name: String,
    /// Its value, in which Envoy's `%…%` is filled in.
    pub value: String,
    /// Whether what is there already stays.
    pub append: bool,
}

/// Headers of requests that are added and taken off before anything looks at them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EarlyHeaderManipulation {
    /// They are added.
    pub add: Vec<HeaderToAdd>,
    /// They are taken off.
    pub remove: Vec<String>,
}

pub(crate) fn read_early(node: &Node<'_>) -> Option<EarlyHeaderManipulation> {
    node.object(|fields| {
        Some(EarlyHeaderManipulation {
            add: read_list(fields, "headersToAdd"),
            remove: fields.list("headersToRemove", |node| changed_name(&node)),
        })
    })
}

pub(crate) fn read_manipulation(node: &Node<'_>) -> Option<HeaderManipulation> {
    node.object(|fields| {
        Some(HeaderManipulation {
            request_add: read_list(fields, "requestHeadersToAdd"),
            request_remove: fields.list("requestHeadersToRemove", |node| changed_name(&node)),
            response_add: read_list(fields, "responseHeadersToAdd"),
            response_remove: fields.list("responseHeadersToRemove", |node| changed_name(&node)),
        })
    })
}

fn read_list(fields: &mut Fields<'_>, name: &'static str) -> Vec<HeaderToAdd> {
    let headers = fields.field(name, |node| {
        let headers = node.list(|node| read_to_add(&node))?;
        match headers.len() {
            0..=MOST_HEADERS => Some(headers),
            more => node.error(format!(
                "has {more} headers; at most {MOST_HEADERS} are possible"
            )),
        }
    });
    headers.unwrap_or_default()
}

/// A header to add, with its value or where that is.
pub(crate) fn read_to_add(node: &Node<'_>) -> Option<HeaderToAdd> {
    node.object(|fields| {
        fields.later(&["headerSecretRef"]);
        let header = match fields.has("headerSecretRef") {
            true => fields.field("header", |node| node.object(read_header)),
            false => fields.required("header", |node| node.object(read_header)),
        };
        let append = fields.field("append", |node| node.boolean());
        let (name, value) = header?;
        Some(HeaderToAdd {
            name,
            value,
            append: append.unwrap_or(true),
        })
    })
}

fn read_header(fields: &mut Fields<'_>) -> Option<(String, String)> {
    let name = fields.required("key", |node| changed_name(&node));
    let value = fields.field("value", |node| {
        let value = value(&node)?;
        match format::check(&value) {
            Ok(()) => Some(value),
            Err(reason) => node.error(reason),
        }
    });
    Some((name?, value.unwrap_or_default()))
}

/// The name of a header that may be changed.
pub(crate) fn changed_name(node: &Node<'_>) -> Option<String> {
    let name = matched_name(node)?;
    let lower = name.to_ascii_lowercase();
    if lower.starts_with(':') || lower == "host" {
        return node.error(format!(
            "{name:?} cannot be added or removed; see hostRewrite and prefixRewrite"
        ));
    }
    if lower.starts_with(tenon_contract::HEADER_PREFIX) {
        return node.error(format!("{name:?} is one of Tenon's own headers"));
    }
    Some(name)
}

/// The name of a header that is only looked at.
pub(crate) fn matched_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    if !is_name(name.strip_prefix(':').unwrap_or(&name)) {
        return node.error(format!("{name:?} is not the name of a header"));
    }
    short_enough(node, name)
}

/// Whether it can be the name of a header.
pub(crate) fn is_name(text: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(token)
}

/// A text that can stand in a header.
pub(crate) fn value(node: &Node<'_>) -> Option<String> {
    let value = node.string()?;
    if value.contains(['\0', '\r', '\n']) {
        return node.error("a header cannot hold a line break or NUL");
    }
    short_enough(node, value)
}

fn short_enough(node: &Node<'_>, text: String) -> Option<String> {
    match text.len() {
        0..=MOST_BYTES => Some(text),
        more => node.error(format!(
            "has {more} bytes; at most {MOST_BYTES} are possible"
        )),
    }
}
