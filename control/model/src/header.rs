//! Headers that a route adds and removes.

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::format;
use crate::read::{Fields, Node};

/// The longest name or value that Envoy takes; a longer one would cost all routes of a listener.
const MOST_BYTES: usize = 16_384;
/// How many headers Envoy adds in one place, less some that Tenon adds itself.
const MOST_HEADERS: usize = 990;

/// Headers to add and remove.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = not_too_many)]
pub struct HeaderManipulation {
    /// On the way to the upstream.
    #[read(name = "requestHeadersToAdd")]
    pub request_add: Vec<HeaderToAdd>,
    /// On the way to the upstream.
    #[read(name = "requestHeadersToRemove", with = changed_name)]
    pub request_remove: Vec<String>,
    /// On the way to the client.
    #[read(name = "responseHeadersToAdd")]
    pub response_add: Vec<HeaderToAdd>,
    /// On the way to the client.
    #[read(name = "responseHeadersToRemove", with = changed_name)]
    pub response_remove: Vec<String>,
}

/// A header to add.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HeaderToAdd {
    /// What it is.
    #[read(flatten)]
    pub header: AddedHeader,
    /// Whether what is there already stays.
    #[read(default = true)]
    pub append: bool,
}

/// Headers of requests that are added and taken off before anything looks at them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = not_too_many_early)]
pub struct EarlyHeaderManipulation {
    /// They are added.
    #[read(name = "headersToAdd")]
    pub add: Vec<HeaderToAdd>,
    /// They are taken off.
    #[read(name = "headersToRemove", with = changed_name)]
    pub remove: Vec<String>,
}

/// What a header to add is.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum AddedHeader {
    /// A name and a value.
    Header(HeaderTemplate),
    /// All headers of a Secret; only for requests. Their values go to Envoy over SDS.
    HeaderSecretRef(ObjectRef),
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HeaderTemplate {
    /// Its name.
    #[read(name = "key", with = changed_name)]
    pub name: String,
    /// Its value, in which Envoy's `%…%` is filled in.
    #[read(default, with = filled_in)]
    pub value: String,
}

fn not_too_many(read: HeaderManipulation, fields: &Fields<'_>) -> Option<HeaderManipulation> {
    check_number(&read.request_add, fields, "requestHeadersToAdd");
    check_number(&read.response_add, fields, "responseHeadersToAdd");
    without_secrets(
        &read.response_add,
        fields,
        "responseHeadersToAdd",
        "is for requests only, as with Gloo",
    );
    Some(read)
}

fn not_too_many_early(
    read: EarlyHeaderManipulation,
    fields: &Fields<'_>,
) -> Option<EarlyHeaderManipulation> {
    check_number(&read.add, fields, "headersToAdd");
    without_secrets(&read.add, fields, "headersToAdd", TOO_EARLY);
    Some(read)
}

fn check_number(headers: &[HeaderToAdd], fields: &Fields<'_>, name: &str) {
    let number = headers.len();
    if number > MOST_HEADERS {
        let text = format!("has {number} headers; at most {MOST_HEADERS} are possible");
        fields.error_at(name, text);
    }
}

const TOO_EARLY: &str = "is not supported: Envoy has no secrets yet when it adds these, so the values would stand in the listener; use headerManipulation of the virtual host";

/// Refuses secrets where only texts can be.
pub(crate) fn without_secrets(headers: &[HeaderToAdd], fields: &Fields<'_>, name: &str, why: &str) {
    for (index, it) in headers.iter().enumerate() {
        if let AddedHeader::HeaderSecretRef(_) = it.header {
            fields.error_at(&format!("{name}[{index}].headerSecretRef"), why);
        }
    }
}

fn filled_in(node: &Node<'_>) -> Option<String> {
    let value = value(node)?;
    match format::check(&value) {
        Ok(()) => Some(value),
        Err(reason) => node.error(reason),
    }
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
