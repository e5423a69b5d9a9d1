//! What a module implements: a filter config, and the filter of a stream.

mod bodies;
mod context;
mod envoy;
mod headers;
mod metadata;
mod native;
mod replies;

pub use bodies::EnvoyHttpBodies;
pub use context::EnvoyHttpContext;
pub use envoy::EnvoyHttpFilter;
pub use headers::EnvoyHttpHeaders;
pub use metadata::EnvoyHttpMetadata;
pub use native::EnvoyHttpFilterImpl;
pub use replies::EnvoyHttpReplies;

use crate::abi;
use crate::buffer::EnvoyBuffer;
use crate::config::EnvoyHttpFilterConfigImpl;
use crate::metrics::EnvoyMetrics;
use crate::panic::{CaughtPanic, PanicReply};

/// A filter config, made on the main thread and read by all workers.
///
/// [`HttpFilterConfig::panic_reply`] and [`HttpFilterConfig::on_panic`] are ours; all else is the official SDK's shape.
pub trait HttpFilterConfig<EHF: EnvoyHttpFilter>: Send + Sync {
    /// The filter of a new stream, on the stream's worker. In the upstream position: of a new try.
    fn new_http_filter(&self, envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>>;

    /// An event of a scheduler of this config. On the main thread, as all that follow.
    fn on_scheduled(&self, _event_id: u64) {}

    /// The answer to a callout. Headers and body are there on success only.
    fn on_http_callout_done(
        &self,
        _envoy_config: &mut EnvoyHttpFilterConfigImpl,
        _callout_id: u64,
        _result: abi::envoy_dynamic_module_type_http_callout_result,
        _response_headers: Option<&[(EnvoyBuffer<'_>, EnvoyBuffer<'_>)]>,
        _response_body: Option<&[EnvoyBuffer<'_>]>,
    ) {
    }

    /// Response headers of a stream that the config started.
    fn on_http_stream_headers(
        &self,
        _envoy_config: &mut EnvoyHttpFilterConfigImpl,
        _stream_handle: u64,
        _response_headers: &[(EnvoyBuffer<'_>, EnvoyBuffer<'_>)],
        _end_stream: bool,
    ) {
    }

    /// A piece of response body of such a stream.
    fn on_http_stream_data(
        &self,
        _envoy_config: &mut EnvoyHttpFilterConfigImpl,
        _stream_handle: u64,
        _response_data: &[EnvoyBuffer<'_>],
        _end_stream: bool,
    ) {
    }

    /// Response trailers of such a stream.
    fn on_http_stream_trailers(
        &self,
        _envoy_config: &mut EnvoyHttpFilterConfigImpl,
        _stream_handle: u64,
        _response_trailers: &[(EnvoyBuffer<'_>, EnvoyBuffer<'_>)],
    ) {
    }

    /// Such a stream ended well.
    fn on_http_stream_complete(
        &self,
        _envoy_config: &mut EnvoyHttpFilterConfigImpl,
        _stream_handle: u64,
    ) {
    }

    /// Such a stream broke.
    fn on_http_stream_reset(
        &self,
        _envoy_config: &mut EnvoyHttpFilterConfigImpl,
        _stream_handle: u64,
        _reset_reason: abi::envoy_dynamic_module_type_http_stream_reset_reason,
    ) {
    }

    /// What the client of a stream gets whose filter panicked.
    fn panic_reply(&self) -> PanicReply {
        PanicReply::default()
    }

    /// Is told of each caught panic of this config and its filters, to count it. On the thread that panicked.
    fn on_panic(&self, _metrics: &dyn EnvoyMetrics, _panic: &CaughtPanic) {}
}

/// The filter of one stream (one try, in the upstream position), on one thread.
///
/// Hooks take `&self` because Envoy may call one from within another: a local reply sent from `on_request_headers`
/// comes through `on_response_headers` before `send_response` returns.
///
/// After a panic in any hook no other hook of that filter is called but [`HttpFilter::on_destroy`].
pub trait HttpFilter<EHF: EnvoyHttpFilter> {
    /// Request headers came; the whole request, if `end_of_stream`.
    ///
    /// A request without a body gets one by `append_buffered_request_body`, `content-length` and `Continue`.
    fn on_request_headers(
        &self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_request_headers_status {
        abi::envoy_dynamic_module_type_on_http_filter_request_headers_status::Continue
    }

    /// A piece of request body came, maybe an empty last one. A body that ends in trailers has no last piece.
    fn on_request_body(
        &self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_request_body_status {
        abi::envoy_dynamic_module_type_on_http_filter_request_body_status::Continue
    }

    /// Request trailers came.
    fn on_request_trailers(
        &self,
        _envoy_filter: &mut EHF,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_request_trailers_status {
        abi::envoy_dynamic_module_type_on_http_filter_request_trailers_status::Continue
    }

    /// Response headers came; the whole response, if `end_of_stream`. In the downstream position also those of local
    /// replies, the router's own 504 included.
    ///
    /// A response without a body gets one by `append_buffered_response_body`, `content-length` and `Continue`.
    /// (Appending to the received body fails here, and after `ContinueAndDontEndStream` Envoy waits for more: the
    /// client hangs.)
    fn on_response_headers(
        &self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_response_headers_status {
        abi::envoy_dynamic_module_type_on_http_filter_response_headers_status::Continue
    }

    /// A piece of response body came, maybe an empty last one. A body that ends in trailers has no last piece.
    fn on_response_body(
        &self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_response_body_status {
        abi::envoy_dynamic_module_type_on_http_filter_response_body_status::Continue
    }

    /// Response trailers came. What was held of the body is in the buffered one, and only that one can be drained and
    /// appended to here; headers that were held can still be changed, and a changed `:status` is still retried.
    fn on_response_trailers(
        &self,
        _envoy_filter: &mut EHF,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_response_trailers_status {
        abi::envoy_dynamic_module_type_on_http_filter_response_trailers_status::Continue
    }

    /// The stream is over; access logs are written next. Never called in the upstream position.
    ///
    /// Request headers can be read and changed here, and access logs show the change: after a normal end, after the
    /// router's 504 (of the route's timeout or a try's), after a client's disconnect. The upstream filter's changes of
    /// request headers, and its filter state, are seen here.
    fn on_stream_complete(&self, _envoy_filter: &mut EHF) {}

    /// The answer to a callout. Headers and body are there on success only.
    fn on_http_callout_done(
        &self,
        _envoy_filter: &mut EHF,
        _callout_id: u64,
        _result: abi::envoy_dynamic_module_type_http_callout_result,
        _response_headers: Option<&[(EnvoyBuffer<'_>, EnvoyBuffer<'_>)]>,
        _response_body: Option<&[EnvoyBuffer<'_>]>,
    ) {
    }

    /// Response headers of a stream that the filter started.
    fn on_http_stream_headers(
        &self,
        _envoy_filter: &mut EHF,
        _stream_handle: u64,
        _response_headers: &[(EnvoyBuffer<'_>, EnvoyBuffer<'_>)],
        _end_stream: bool,
    ) {
    }

    /// A piece of response body of such a stream.
    fn on_http_stream_data(
        &self,
        _envoy_filter: &mut EHF,
        _stream_handle: u64,
        _response_data: &[EnvoyBuffer<'_>],
        _end_stream: bool,
    ) {
    }

    /// Response trailers of such a stream.
    fn on_http_stream_trailers(
        &self,
        _envoy_filter: &mut EHF,
        _stream_handle: u64,
        _response_trailers: &[(EnvoyBuffer<'_>, EnvoyBuffer<'_>)],
    ) {
    }

    /// Such a stream ended well.
    fn on_http_stream_complete(&self, _envoy_filter: &mut EHF, _stream_handle: u64) {}

    /// Such a stream broke.
    fn on_http_stream_reset(
        &self,
        _envoy_filter: &mut EHF,
        _stream_handle: u64,
        _reset_reason: abi::envoy_dynamic_module_type_http_stream_reset_reason,
    ) {
    }

    /// An event of a scheduler of this filter.
    fn on_scheduled(&self, _envoy_filter: &mut EHF, _event_id: u64) {}

    /// The client reads too slowly. For terminal filters.
    fn on_downstream_above_write_buffer_high_watermark(&self, _envoy_filter: &mut EHF) {}

    /// The client has caught up.
    fn on_downstream_below_write_buffer_low_watermark(&self, _envoy_filter: &mut EHF) {}

    /// Envoy or a filter is about to answer itself. Never called in the upstream position.
    fn on_local_reply(
        &self,
        _envoy_filter: &mut EHF,
        _response_code: u32,
        _details: EnvoyBuffer<'_>,
        _reset_imminent: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_local_reply_status {
        abi::envoy_dynamic_module_type_on_http_filter_local_reply_status::Continue
    }

    /// The last call, before the filter is dropped. There is no stream any more, but the config's metrics still count:
    /// the place for what has to be counted once per try, also for tries that lost a hedge, timed out or `panicked`.
    /// Ours, not the official SDK's.
    fn on_destroy(&self, _metrics: &dyn EnvoyMetrics, _panicked: bool) {}
}
