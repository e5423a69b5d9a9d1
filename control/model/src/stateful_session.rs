//! Clients that stay with the endpoint that they had before.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::header;
use crate::read::Node;

/// Clients stay with the endpoint that they had before.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct StatefulSession {
    /// How they say which one that was.
    #[read(flatten)]
    pub state: SessionState,
    /// If that one is gone, the answer is 503, and no other endpoint is asked.
    pub strict: bool,
}

/// How clients say which endpoint they had.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum SessionState {
    /// In a cookie, which they are given.
    CookieBased(CookieBased),
    /// In a header, which they are given.
    HeaderBased(HeaderBased),
}

/// In a cookie.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct CookieBased {
    /// The cookie.
    pub cookie: SessionCookie,
}

/// A cookie.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct SessionCookie {
    /// Its name.
    #[read(with = name)]
    pub name: String,
    /// Its path.
    #[read(with = header::value)]
    pub path: Option<String>,
    /// How long it is good; as long as the browser is open where it is left out or 0s.
    pub ttl: Option<Duration>,
}

/// In a header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HeaderBased {
    /// Its name.
    #[read(with = header::changed_name)]
    pub header_name: String,
}

fn name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    match header::is_name(&name) {
        true => Some(name),
        false => node.error(format!("{name:?} is not the name of a cookie")),
    }
}
