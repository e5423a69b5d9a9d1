//! A stream's replies, noted down.

use super::super::{MockAction, owned};
use super::MockHttpFilter;
use crate::abi::envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason;
use crate::http::EnvoyHttpReplies;

impl EnvoyHttpReplies for MockHttpFilter {
    fn send_response(
        &mut self,
        status_code: u32,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        details: Option<&str>,
    ) {
        self.actions.push(MockAction::Response {
            status: status_code,
            headers: owned(headers),
            body: body.unwrap_or_default().to_vec(),
            details: details.unwrap_or_default().to_owned(),
        });
    }

    fn send_response_headers(&mut self, headers: &[(&str, &[u8])], end_stream: bool) {
        self.actions.push(MockAction::ResponseHeaders {
            headers: owned(headers),
            end_stream,
        });
    }

    fn send_response_data(&mut self, body: &[u8], end_stream: bool) {
        self.actions.push(MockAction::ResponseData {
            body: body.to_vec(),
            end_stream,
        });
    }

    fn send_response_trailers(&mut self, trailers: &[(&str, &[u8])]) {
        self.actions.push(MockAction::ResponseTrailers {
            trailers: owned(trailers),
        });
    }

    fn add_custom_flag(&mut self, flag: &str) {
        self.actions.push(MockAction::CustomFlag(flag.to_owned()));
    }

    fn reset_stream(&mut self, reason: StreamResetReason, details: &str) {
        self.actions.push(MockAction::ResetStream {
            reason,
            details: details.to_owned(),
        });
    }

    fn continue_decoding(&mut self) {
        self.actions.push(MockAction::ContinueDecoding);
    }

    fn continue_encoding(&mut self) {
        self.actions.push(MockAction::ContinueEncoding);
    }

    fn clear_route_cache(&mut self) {
        self.actions.push(MockAction::ClearRouteCache);
    }

    fn clear_route_cluster_cache(&mut self) {
        self.actions.push(MockAction::ClearRouteClusterCache);
    }
}
