//! Callouts that are noted down.

use super::{MockAction, owned};
use crate::abi::envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult;
use crate::callouts::EnvoyHttpCallouts;

/// Callouts of a mock: of its fields.
pub(super) struct MockCallouts<'a> {
    pub(super) result: CalloutInitResult,
    pub(super) next: &'a mut u64,
    pub(super) actions: &'a mut Vec<MockAction>,
}

impl MockCallouts<'_> {
    fn start(&mut self, callout: impl FnOnce(u64) -> MockAction) -> (CalloutInitResult, u64) {
        let id = *self.next;
        *self.next += 1;
        self.actions.push(callout(id));
        (self.result, id)
    }
}

impl EnvoyHttpCallouts for MockCallouts<'_> {
    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        self.start(|id| MockAction::Callout {
            id,
            cluster: cluster_name.to_owned(),
            headers: owned(headers),
            body: body.map(<[u8]>::to_vec),
            timeout_milliseconds,
            streamed: false,
            end_stream: true,
        })
    }

    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        self.start(|id| MockAction::Callout {
            id,
            cluster: cluster_name.to_owned(),
            headers: owned(headers),
            body: body.map(<[u8]>::to_vec),
            timeout_milliseconds,
            streamed: true,
            end_stream,
        })
    }

    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool {
        self.actions.push(MockAction::StreamData {
            id: stream,
            data: data.to_vec(),
            end_stream,
        });
        true
    }

    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool {
        self.actions.push(MockAction::StreamTrailers {
            id: stream,
            trailers: owned(trailers),
        });
        true
    }

    fn reset_http_stream(&mut self, stream: u64) {
        self.actions
            .push(MockAction::ResetHttpStream { id: stream });
    }
}
