//! Runs the core's hooks for a stream, and carries out what they say.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Action;
use tenon_core::host::{Headers, Level, Side, Step};

use crate::function::Shared;
use crate::host::{StreamState, WasmHost, log};
use crate::reply;

/// A stream's state in the core, and what of the stream is in reach.
#[derive(Default)]
pub(crate) struct Runner<S> {
    pub(crate) state: S,
    pub(crate) stream: StreamState,
}

impl<S> Runner<S> {
    /// Runs a hook of the core, and answers the client if it says so.
    pub(crate) fn run(
        &mut self,
        shared: Option<&Shared>,
        hook: impl FnOnce(&mut S, &mut WasmHost<'_>) -> Step,
    ) -> Action {
        let mut host = WasmHost::new(&mut self.stream, shared);
        match hook(&mut self.state, &mut host) {
            Step::Continue => Action::Continue,
            Step::Hold => Action::Pause,
            Step::Abort => {
                if hostcalls::reset_http_response().is_err() {
                    log(Level::Error, "Envoy does not reset a response");
                }
                Action::Pause
            }
            Step::Reply(answer) => {
                self.stream.request.pending.clear();
                self.stream.response.pending.clear();
                reply::send(&answer);
                Action::Pause
            }
        }
    }

    /// Leaves a message without the body that Envoy gives no way to add to one that has none.
    pub(crate) fn drop_pending(&mut self, side: Side) {
        let message = match side {
            Side::Request => &mut self.stream.request,
            Side::Response => &mut self.stream.response,
        };
        if std::mem::take(&mut message.pending).is_empty() {
            return;
        }
        WasmHost::new(&mut self.stream, None).set_header(side, "content-length", b"0");
    }
}
