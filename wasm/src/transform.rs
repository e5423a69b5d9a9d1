//! `tenon.transform`.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use tenon_contract::Read;
use tenon_contract::transform::{TRANSFORM_FILTER, TransformConfig};
use tenon_core::host::{Headers, Level, Side, Step};
use tenon_core::transform::{Pass, Transformer};

use crate::host::{StreamState, WasmHost, log};
use crate::reply;

/// The filter's configuration.
pub(crate) struct Transform(Transformer);

impl Transform {
    pub(crate) fn new(config: &[u8]) -> Option<Self> {
        let say = |level, text: String| log(level, &format!("{TRANSFORM_FILTER}: {text}"));
        let Read { value, unknown } = match TransformConfig::from_json(config) {
            Ok(read) => read,
            Err(error) => {
                say(Level::Error, error.to_string());
                return None;
            }
        };
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            say(
                Level::Warn,
                format!("fields of a newer control plane are ignored: {unknown}"),
            );
        }
        match Transformer::new(&value) {
            Ok(transformer) => Some(Self(transformer)),
            Err(invalid) => {
                for it in invalid {
                    say(Level::Error, it.to_string());
                }
                None
            }
        }
    }
}

/// A stream.
pub(crate) struct TransformContext {
    transform: Rc<Transform>,
    pass: Pass,
    stream: StreamState,
}

impl TransformContext {
    pub(crate) fn new(transform: Rc<Transform>) -> Self {
        Self {
            transform,
            pass: Pass::default(),
            stream: StreamState::default(),
        }
    }

    fn run(
        &mut self,
        hook: impl FnOnce(&mut Pass, &Transformer, &mut WasmHost<'_>) -> Step,
    ) -> Action {
        let mut host = WasmHost::new(&mut self.stream, None);
        match hook(&mut self.pass, &self.transform.0, &mut host) {
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
    fn drop_pending(&mut self, side: Side) {
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

impl Context for TransformContext {}

impl HttpContext for TransformContext {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        self.stream.request.headers_arrive();
        let action = self.run(|pass, filter, host| pass.request_headers(filter, None, host, end));
        if action == Action::Continue {
            if end {
                self.drop_pending(Side::Request);
            }
            self.stream.keep_request();
        }
        self.stream.request.headers_leave(action);
        action
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        self.stream.request.body_arrives(length);
        let action = self.run(|pass, filter, host| pass.request_body(filter, host, end));
        if action == Action::Continue {
            self.stream.keep_request();
        }
        self.stream.request.body_leaves(action);
        action
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.stream.request.trailers_arrive();
        let action = self.run(|pass, _, host| pass.request_trailers(host));
        if action == Action::Continue {
            self.drop_pending(Side::Request);
            self.stream.keep_request();
        }
        self.stream.request.body_leaves(Action::Continue);
        action
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        self.stream.response.headers_arrive();
        let action = self.run(|pass, filter, host| pass.response_headers(filter, host, end));
        if action == Action::Continue && end {
            self.drop_pending(Side::Response);
        }
        self.stream.response.headers_leave(action);
        action
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        self.stream.response.body_arrives(length);
        let action = self.run(|pass, filter, host| pass.response_body(filter, host, end));
        self.stream.response.body_leaves(action);
        action
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.stream.response.trailers_arrive();
        let action = self.run(|pass, _, host| pass.response_trailers(host));
        if action == Action::Continue {
            self.drop_pending(Side::Response);
        }
        self.stream.response.body_leaves(Action::Continue);
        action
    }
}
