//! What a hashing load balancer looks at.

use std::time::Duration;

use tenon_model_derive::Read;

use super::values::only_true;
use crate::header;
use crate::read::Read;
use crate::schema::Schema;

/// What a hashing load balancer looks at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct LbHash {
    /// Each in turn.
    pub hash_policies: Vec<HashPolicy>,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HashPolicy {
    /// What it is.
    #[read(flatten)]
    pub key: HashKey,
    /// Whether those behind it are not looked at if it is there.
    pub terminal: bool,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum HashKey {
    /// A header.
    #[read(with = header::matched_name)]
    Header(String),
    /// A cookie.
    Cookie(HashCookie),
    /// The client's address.
    #[read(with = only_true, schema = flag)]
    SourceIp(()),
}

/// A cookie.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HashCookie {
    /// Its name.
    #[read(with = header::matched_name)]
    pub name: String,
    /// How long Envoy's own lives, which it makes where the client has none; zero: as long as the browser's session. Left
    /// out: none is made.
    pub ttl: Option<Duration>,
    /// The path of Envoy's own.
    #[read(default, with = header::value)]
    pub path: String,
}

fn flag() -> Schema {
    <bool as Read>::schema()
}
