//! A stand-in for the Envoy side, for unit tests of modules (feature `mock`): plain state to set up and to look at.
//!
//! It keeps what it is given and decides nothing: hooks are called, and statuses obeyed, by the test.

mod callouts;
mod config;
mod filter;
mod metrics;
#[cfg(test)]
mod tests;

pub use config::MockHttpFilterConfig;
pub use filter::{MockAttribute, MockHttpFilter, MockMetadata};
pub use metrics::MockMetrics;

use crate::abi::envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason;

/// Headers in order.
pub type Headers = Vec<(String, Vec<u8>)>;

/// What a filter told Envoy to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "fields are the parameters of the methods of the same name"
)]
pub enum MockAction {
    /// `send_response`
    Response {
        status: u32,
        headers: Headers,
        body: Vec<u8>,
        details: String,
    },
    /// `send_response_headers`
    ResponseHeaders { headers: Headers, end_stream: bool },
    /// `send_response_data`
    ResponseData { body: Vec<u8>, end_stream: bool },
    /// `send_response_trailers`
    ResponseTrailers { trailers: Headers },
    /// `reset_stream`
    ResetStream {
        reason: StreamResetReason,
        details: String,
    },
    /// `add_custom_flag`
    CustomFlag(String),
    /// `continue_decoding`
    ContinueDecoding,
    /// `continue_encoding`
    ContinueEncoding,
    /// `clear_route_cache`
    ClearRouteCache,
    /// `clear_route_cluster_cache`
    ClearRouteClusterCache,
    /// `send_http_callout` and `start_http_stream`
    Callout {
        id: u64,
        cluster: String,
        headers: Headers,
        body: Option<Vec<u8>>,
        timeout_milliseconds: u64,
        streamed: bool,
        end_stream: bool,
    },
    /// `send_http_stream_data`
    StreamData {
        id: u64,
        data: Vec<u8>,
        end_stream: bool,
    },
    /// `send_http_stream_trailers`
    StreamTrailers { id: u64, trailers: Headers },
    /// `reset_http_stream`
    ResetHttpStream { id: u64 },
}

fn owned(headers: &[(&str, &[u8])]) -> Headers {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_vec()))
        .collect()
}
