//! The downstream part of `tenon.function`.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use tenon_core::invoke::Guard;

use crate::host::{StreamState, WasmHost};

/// Takes Tenon's own header off what a client sends. Nothing more: Envoy 1.40 takes the request's headers out of a
/// plugin's reach once they went on, so the client's request cannot be put back from here. A try does it itself when it
/// is lost (`FunctionContext::on_done`), which is in time for the access log of a timeout or a hedge, but not of a
/// client that goes away during a call: that entry shows the signed request.
#[derive(Default)]
pub(crate) struct GuardContext {
    stream: StreamState,
}

impl Context for GuardContext {}

impl HttpContext for GuardContext {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.stream.request.headers_arrive();
        Guard.arrive(&mut WasmHost::new(&mut self.stream, None));
        self.stream.request.headers_leave(Action::Continue);
        Action::Continue
    }
}
