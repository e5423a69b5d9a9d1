//! What a stream's filter asks of Envoy.

use crate::abi::{
    envoy_dynamic_module_type_attribute_id as AttributeId,
    envoy_dynamic_module_type_http_body_type as BodyType,
    envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult,
    envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason,
    envoy_dynamic_module_type_http_header_type as HeaderType,
    envoy_dynamic_module_type_metadata_source as MetadataSource,
};
use crate::buffer::{EnvoyBuffer, EnvoyMutBuffer};
use crate::config::EnvoySecretId;
use crate::metrics::EnvoyMetrics;
use crate::scheduler::EnvoyHttpFilterScheduler;
use crate::span::EnvoySpan;
use std::any::Any;
use std::sync::Arc;

/// The official SDK's six methods of one header map, in terms of the methods that take the map as a parameter.
macro_rules! header_map {
    ($map:ident, $value:ident, $values:ident, $all:ident, $set:ident, $add:ident, $remove:ident) => {
        #[doc = concat!("[`EnvoyHttpFilter::get_header_value`] of `", stringify!($map), "`.")]
        fn $value<'a>(&'a self, key: &str) -> Option<EnvoyBuffer<'a>> {
            self.get_header_value(HeaderType::$map, key)
        }

        #[doc = concat!("[`EnvoyHttpFilter::get_header_values`] of `", stringify!($map), "`.")]
        fn $values<'a>(&'a self, key: &str) -> Vec<EnvoyBuffer<'a>> {
            self.get_header_values(HeaderType::$map, key)
        }

        #[doc = concat!("[`EnvoyHttpFilter::get_headers`] of `", stringify!($map), "`.")]
        fn $all<'a>(&'a self) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)> {
            self.get_headers(HeaderType::$map)
        }

        #[doc = concat!("[`EnvoyHttpFilter::set_header`] of `", stringify!($map), "`.")]
        fn $set(&mut self, key: &str, value: &[u8]) -> bool {
            self.set_header(HeaderType::$map, key, value)
        }

        #[doc = concat!("[`EnvoyHttpFilter::add_header`] of `", stringify!($map), "`.")]
        fn $add(&mut self, key: &str, value: &[u8]) -> bool {
            self.add_header(HeaderType::$map, key, value)
        }

        #[doc = concat!("[`EnvoyHttpFilter::remove_header`] of `", stringify!($map), "`.")]
        fn $remove(&mut self, key: &str) -> bool {
            self.remove_header(HeaderType::$map, key)
        }
    };
}

/// The official SDK's four methods of one body.
macro_rules! body {
    ($body:ident, $get:ident, $size:ident, $drain:ident, $append:ident) => {
        #[doc = concat!("[`EnvoyHttpFilter::get_body`] of `", stringify!($body), "`.")]
        fn $get<'a>(&'a mut self) -> Option<Vec<EnvoyMutBuffer<'a>>> {
            self.get_body(BodyType::$body)
        }

        #[doc = concat!("[`EnvoyHttpFilter::get_body_size`] of `", stringify!($body), "`.")]
        fn $size(&mut self) -> usize {
            self.get_body_size(BodyType::$body)
        }

        #[doc = concat!("[`EnvoyHttpFilter::drain_body`] of `", stringify!($body), "`.")]
        fn $drain(&mut self, number_of_bytes: usize) -> bool {
            self.drain_body(BodyType::$body, number_of_bytes)
        }

        #[doc = concat!("[`EnvoyHttpFilter::append_body`] of `", stringify!($body), "`.")]
        fn $append(&mut self, data: &[u8]) -> bool {
            self.append_body(BodyType::$body, data)
        }
    };
}

/// A stream, seen from its filter. Only in hooks, on the stream's worker.
///
/// Names are the official SDK's, which has one method per header map and body; those that take the map or the body as a
/// parameter, the two that visit without allocating, [`EnvoyHttpFilter::route_config`] and the secret's are ours.
///
/// Envoy does **not** check names and values of headers that are set here: a line break in a value goes out raw.
pub trait EnvoyHttpFilter: EnvoyMetrics {
    // ---- headers and trailers

    /// The first value of a header.
    fn get_header_value<'a>(&'a self, map: HeaderType, key: &str) -> Option<EnvoyBuffer<'a>>;
    /// All values of a header.
    fn get_header_values<'a>(&'a self, map: HeaderType, key: &str) -> Vec<EnvoyBuffer<'a>>;
    /// Visits every header in order, pseudo-headers included, without allocating.
    fn for_each_header(&self, map: HeaderType, visit: &mut dyn FnMut(&[u8], &[u8]));
    /// Every header in order.
    fn get_headers<'a>(&'a self, map: HeaderType) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)>;
    /// Replaces all values of a header by one. `false` if there is no such map in this hook.
    fn set_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool;
    /// Adds a value, keeping those that are there.
    fn add_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool;
    /// Removes all values of a header.
    fn remove_header(&mut self, map: HeaderType, key: &str) -> bool;

    header_map!(
        RequestHeader,
        get_request_header_value,
        get_request_header_values,
        get_request_headers,
        set_request_header,
        add_request_header,
        remove_request_header
    );
    header_map!(
        RequestTrailer,
        get_request_trailer_value,
        get_request_trailer_values,
        get_request_trailers,
        set_request_trailer,
        add_request_trailer,
        remove_request_trailer
    );
    header_map!(
        ResponseHeader,
        get_response_header_value,
        get_response_header_values,
        get_response_headers,
        set_response_header,
        add_response_header,
        remove_response_header
    );
    header_map!(
        ResponseTrailer,
        get_response_trailer_value,
        get_response_trailer_values,
        get_response_trailers,
        set_response_trailer,
        add_response_trailer,
        remove_response_trailer
    );

    // ---- bodies

    /// Visits the pieces of a body in order; without allocating, but for the growth of a list that the thread keeps.
    ///
    /// At the end of a body that was held back, the data may all be in the buffered body and the received one be empty,
    /// or some in each, or (if `received_buffered_…_body`) the same bytes in both.
    fn for_each_body_chunk(&self, body: BodyType, visit: &mut dyn FnMut(&[u8]));
    /// The pieces of a body. `None` if there is no such body in this hook.
    fn get_body<'a>(&'a mut self, body: BodyType) -> Option<Vec<EnvoyMutBuffer<'a>>>;
    /// The length of a body.
    fn get_body_size(&self, body: BodyType) -> usize;
    /// Takes bytes off the front. The caller sees to `content-length`. `false` if there is no such body in this hook.
    fn drain_body(&mut self, body: BodyType, number_of_bytes: usize) -> bool;
    /// Adds bytes at the end. The caller sees to `content-length`.
    fn append_body(&mut self, body: BodyType, data: &[u8]) -> bool;

    body!(
        ReceivedRequestBody,
        get_received_request_body,
        get_received_request_body_size,
        drain_received_request_body,
        append_received_request_body
    );
    body!(
        BufferedRequestBody,
        get_buffered_request_body,
        get_buffered_request_body_size,
        drain_buffered_request_body,
        append_buffered_request_body
    );
    body!(
        ReceivedResponseBody,
        get_received_response_body,
        get_received_response_body_size,
        drain_received_response_body,
        append_received_response_body
    );
    body!(
        BufferedResponseBody,
        get_buffered_response_body,
        get_buffered_response_body_size,
        drain_buffered_response_body,
        append_buffered_response_body
    );

    /// Whether what was received in this hook *is* the buffered request body, sent on by an earlier filter.
    fn received_buffered_request_body(&mut self) -> bool;
    /// The same for the response.
    fn received_buffered_response_body(&mut self) -> bool;
    /// How many bytes Envoy holds back at most.
    fn get_buffer_limit(&self) -> u64;
    /// Changes that limit. Only raise it: other filters have wishes too.
    fn set_buffer_limit(&mut self, limit: u64);

    // ---- replies and flow

    /// Answers the client. In the upstream position too, in the request's hooks, and in the response's as long as the
    /// headers are held back, trailers hook included. Not retried there. `details` become `%RESPONSE_CODE_DETAILS%`.
    fn send_response(
        &mut self,
        status_code: u32,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        details: Option<&str>,
    );
    /// Answers a gRPC client with an error: headers that end the stream. Ours, not the official SDK's.
    ///
    /// Envoy 1.40 turns a plain [`EnvoyHttpFilter::send_response`] to a gRPC client into `grpc-status: 0`, success; and
    /// the streamed [`EnvoyHttpFilter::send_response_headers`] kills the process when it is used in the upstream
    /// position before the response. What works in every hook that `send_response` works in, and keeps the details: a
    /// local reply with status 200 and the gRPC headers, to a request that does not look like gRPC any more. So the
    /// request's content type is changed (`application/grpc…` to `application/x-grpc…`), and stays so unless a
    /// downstream filter puts it back (the request's headers are gone from here after the reply). Not retried, as any
    /// local reply.
    fn send_grpc_response(
        &mut self,
        grpc_status: u32,
        grpc_message: &str,
        headers: &[(&str, &[u8])],
        details: Option<&str>,
    ) {
        let status = grpc_status.to_string();
        let mut all: Vec<(&str, &[u8])> = vec![
            ("content-type", b"application/grpc"),
            ("grpc-status", status.as_bytes()),
            ("grpc-message", grpc_message.as_bytes()),
        ];
        all.extend_from_slice(headers);
        let own = self.get_request_header_value("content-type");
        let kind = own
            .as_ref()
            .and_then(|own| own.as_slice().strip_prefix(b"application/grpc"));
        let kind = [b"application/x-grpc", kind.unwrap_or_default()].concat();
        self.set_request_header("content-type", &kind);
        self.send_response(200, &all, None, details);
    }
    /// Begins an answer, `:status` included. All of it, if `end_stream`.
    ///
    /// Never before the response in the upstream position: Envoy 1.40.0 dies of it (segmentation fault; seen from the
    /// request's hooks and from `on_scheduled`, with and without a retry policy). From the response's hooks it works,
    /// counts as the upstream's response, and so can be retried. It has no details.
    fn send_response_headers(&mut self, headers: &[(&str, &[u8])], end_stream: bool);
    /// Goes on with an answer.
    fn send_response_data(&mut self, body: &[u8], end_stream: bool);
    /// Ends an answer.
    fn send_response_trailers(&mut self, trailers: &[(&str, &[u8])]);
    /// Adds a flag for access logs' `%CUSTOM_FLAGS%`. No spaces. It does not change the details: those of a response
    /// whose `:status` was changed stay `via_upstream`, and nothing in the ABI sets them.
    fn add_custom_flag(&mut self, flag: &str);
    /// Resets the stream. In the upstream position it is not retried.
    fn reset_stream(&mut self, reason: StreamResetReason, details: &str);
    /// Goes on with a request that was stopped.
    fn continue_decoding(&mut self);
    /// Goes on with a response that was stopped.
    fn continue_encoding(&mut self);
    /// Has the route chosen again.
    fn clear_route_cache(&mut self);
    /// Has the route's cluster chosen again.
    fn clear_route_cluster_cache(&mut self);
    /// The number of this worker.
    fn get_worker_index(&self) -> u32;

    // ---- route, cluster, metadata, filter state

    /// The per-route config that `declare_init_functions!`'s third function made for this route, the most specific one;
    /// a weighted cluster's before its route's. `None` too if the stream has no route.
    ///
    /// Costs a reference count shared by all workers; [`EnvoyHttpFilter::route_config`] does not.
    fn get_most_specific_route_config(&self) -> Option<Arc<dyn Any + Send + Sync>>;
    /// The same, borrowed.
    fn route_config(&self) -> Option<&(dyn Any + Send + Sync)>;
    /// The name of the route's cluster.
    fn get_cluster_name<'a>(&'a self) -> Option<EnvoyBuffer<'a>>;
    /// A string of metadata.
    fn get_metadata_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<EnvoyBuffer<'a>>;
    /// A number of metadata.
    fn get_metadata_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<f64>;
    /// A truth value of metadata.
    fn get_metadata_bool(&self, source: MetadataSource, namespace: &str, key: &str)
    -> Option<bool>;
    /// The keys of a namespace.
    fn get_metadata_keys<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
    ) -> Option<Vec<EnvoyBuffer<'a>>>;
    /// The namespaces.
    fn get_metadata_namespaces<'a>(
        &'a self,
        source: MetadataSource,
    ) -> Option<Vec<EnvoyBuffer<'a>>>;
    /// The length of a list of metadata.
    fn get_metadata_list_size(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<usize>;
    /// A string in a list of metadata.
    fn get_metadata_list_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<EnvoyBuffer<'a>>;
    /// A number in a list of metadata.
    fn get_metadata_list_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<f64>;
    /// A truth value in a list of metadata.
    fn get_metadata_list_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<bool>;
    /// Sets a string of dynamic metadata. It outlives a try.
    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str);
    /// Sets strings of dynamic metadata by one call, which is cheaper than one for each.
    fn set_dynamic_metadata_string_batch(&mut self, namespace: &str, entries: &[(&str, &str)]);
    /// Sets a number of dynamic metadata.
    fn set_dynamic_metadata_number(&mut self, namespace: &str, key: &str, value: f64);
    /// Sets a truth value of dynamic metadata.
    fn set_dynamic_metadata_bool(&mut self, namespace: &str, key: &str, value: bool);
    /// Bytes of filter state.
    fn get_filter_state_bytes<'a>(&'a self, key: &[u8]) -> Option<EnvoyBuffer<'a>>;
    /// Sets bytes of filter state. They outlive a try (also one that timed out), are seen by downstream filters and by
    /// access logs (`%FILTER_STATE(key:PLAIN)%`), but do not outlive an internal redirect.
    fn set_filter_state_bytes(&mut self, key: &[u8], value: &[u8]) -> bool;
    /// A text attribute.
    fn get_attribute_string<'a>(&'a self, attribute_id: AttributeId) -> Option<EnvoyBuffer<'a>>;
    /// A number attribute. `UpstreamRequestAttemptCount` is the number of the try in the upstream position, from 1.
    fn get_attribute_int(&self, attribute_id: AttributeId) -> Option<i64>;
    /// A truth attribute.
    fn get_attribute_bool(&self, attribute_id: AttributeId) -> Option<bool>;
    /// The bytes of a secret that the config subscribed to, as they are now: empty if none has come.
    fn get_generic_secret<'a>(&'a self, id: EnvoySecretId) -> Option<EnvoyBuffer<'a>>;

    // ---- callouts and events

    /// Sends a request to a cluster. `headers` need `:method`, `:path` and `host`. The answer comes to
    /// [`HttpFilter::on_http_callout_done`](crate::HttpFilter::on_http_callout_done) under the returned id.
    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64);
    /// As [`EnvoyHttpFilter::send_http_callout`], but both bodies flow.
    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64);
    /// Sends a piece of body. `false` if there is no such stream (any more).
    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool;
    /// Sends trailers, which end the stream.
    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool;
    /// Gives the stream up.
    fn reset_http_stream(&mut self, stream: u64);
    /// A scheduler for events to this filter.
    fn new_scheduler(&self) -> impl EnvoyHttpFilterScheduler + 'static;

    // ---- tracing

    /// The stream's span; `None` if tracing is off.
    fn get_active_span<'a>(&'a self) -> Option<Box<dyn EnvoySpan + 'a>>;
}
