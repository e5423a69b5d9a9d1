//! Copies of requests and responses, for people who look for a fault.

use tenon_model_derive::Read;

use crate::read::{Fields, Node};

/// Copies of requests and responses, whole.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = one_place)]
pub struct Tap {
    /// Where they are written: one place.
    #[read(required)]
    pub sinks: Vec<TapSink>,
    /// How much of a request's body is copied, in bytes: 1 KiB where it is left out.
    pub max_buffered_rx_bytes: Option<u32>,
    /// How much of a response's body is copied, in bytes: 1 KiB where it is left out.
    pub max_buffered_tx_bytes: Option<u32>,
    /// Whether they say when headers came.
    pub record_headers_received_time: bool,
    /// Whether they say who the client was.
    pub record_downstream_connection: bool,
}

/// A place where copies are written.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(refused(
    grpcService = "an unmodified Envoy sends no copies to a service; use filePerTap",
    httpService = "an unmodified Envoy sends no copies to a service; use filePerTap"
))]
pub struct TapSink {
    /// A file of each request on Envoy's machine (Gloo has no such field).
    pub file_per_tap: FilePerTap,
}

/// A file of each request.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct FilePerTap {
    /// What their names begin with; `_<number>.json` follows.
    #[read(with = Node::non_empty)]
    pub path_prefix: String,
}

fn one_place(tap: Tap, fields: &Fields<'_>) -> Option<Tap> {
    if tap.sinks.len() > 1 {
        fields.error_at("sinks", "has more than one; Envoy takes one");
    }
    Some(tap)
}
