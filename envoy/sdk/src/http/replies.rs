//! Answers to the client, and whether a stream goes on.

use super::headers::EnvoyHttpHeaders;
use super::native::{EnvoyHttpFilterImpl, call, text};
use crate::abi::{
    self, envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::lend::with_headers;

/// What a filter answers itself, and whether the stream goes on.
pub trait EnvoyHttpReplies: EnvoyHttpHeaders {
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
    /// Envoy 1.40 turns a plain [`EnvoyHttpReplies::send_response`] to a gRPC client into `grpc-status: 0`, success; and
    /// the streamed [`EnvoyHttpReplies::send_response_headers`] kills the process when it is used in the upstream
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
}

impl EnvoyHttpReplies for EnvoyHttpFilterImpl {
    fn send_response(
        &mut self,
        status_code: u32,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        details: Option<&str>,
    ) {
        self.answered = true;
        let body = body.map_or(ModuleBuffer::NULL, ModuleBuffer::of);
        let details = details.map_or(ModuleBuffer::NULL, text);
        with_headers(headers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_send_response,
                self.raw,
                status_code,
                first,
                count,
                body,
                details
            );
        });
    }

    fn send_response_headers(&mut self, headers: &[(&str, &[u8])], end_stream: bool) {
        self.answered = true;
        with_headers(headers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_send_response_headers,
                self.raw,
                first,
                count,
                end_stream
            );
        });
    }

    fn send_response_data(&mut self, body: &[u8], end_stream: bool) {
        let body = ModuleBuffer::of(body);
        call!(
            envoy_dynamic_module_callback_http_send_response_data,
            self.raw,
            body,
            end_stream
        );
    }

    fn send_response_trailers(&mut self, trailers: &[(&str, &[u8])]) {
        with_headers(trailers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_send_response_trailers,
                self.raw,
                first,
                count
            );
        });
    }

    fn add_custom_flag(&mut self, flag: &str) {
        call!(
            envoy_dynamic_module_callback_http_add_custom_flag,
            self.raw,
            text(flag)
        );
    }

    fn reset_stream(&mut self, reason: StreamResetReason, details: &str) {
        self.answered = true;
        call!(
            envoy_dynamic_module_callback_http_filter_reset_stream,
            self.raw,
            reason.to_raw(),
            text(details)
        );
    }

    fn continue_decoding(&mut self) {
        call!(
            envoy_dynamic_module_callback_http_filter_continue_decoding,
            self.raw
        );
    }

    fn continue_encoding(&mut self) {
        self.continued_encoding = true;
        call!(
            envoy_dynamic_module_callback_http_filter_continue_encoding,
            self.raw
        );
    }

    fn clear_route_cache(&mut self) {
        call!(
            envoy_dynamic_module_callback_http_clear_route_cache,
            self.raw
        );
    }

    fn clear_route_cluster_cache(&mut self) {
        call!(
            envoy_dynamic_module_callback_http_clear_route_cluster_cache,
            self.raw
        );
    }
}
