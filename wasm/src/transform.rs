//! `tenon.transform`.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use tenon_contract::Read;
use tenon_contract::transform::{TRANSFORM_FILTER, TransformConfig};
use tenon_core::host::{Level, Side, Step};
use tenon_core::transform::{Pass, Transformer};

use crate::host::{WasmHost, log};
use crate::runner::Runner;

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
    runner: Runner<Pass>,
}

impl TransformContext {
    pub(crate) fn new(transform: Rc<Transform>) -> Self {
        Self {
            transform,
            runner: Runner::default(),
        }
    }

    fn run(
        &mut self,
        hook: impl FnOnce(&mut Pass, &Transformer, &mut WasmHost<'_>) -> Step,
    ) -> Action {
        let transformer = &self.transform.0;
        self.runner
            .run(None, |pass, host| hook(pass, transformer, host))
    }
}

impl Context for TransformContext {}

impl HttpContext for TransformContext {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        self.runner.stream.request.headers_arrive();
        let action = self.run(|pass, filter, host| pass.request_headers(filter, None, host, end));
        if action == Action::Continue {
            if end {
                self.runner.drop_pending(Side::Request);
            }
            self.runner.stream.keep_request();
        }
        self.runner.stream.request.headers_leave(action);
        action
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        self.runner.stream.request.body_arrives(length);
        let action = self.run(|pass, filter, host| pass.request_body(filter, host, end));
        if action == Action::Continue {
            self.runner.stream.keep_request();
        }
        self.runner.stream.request.body_leaves(action);
        action
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.runner.stream.request.trailers_arrive();
        let action = self.run(|pass, _, host| pass.request_trailers(host));
        if action == Action::Continue {
            self.runner.drop_pending(Side::Request);
            self.runner.stream.keep_request();
        }
        self.runner.stream.request.body_leaves(Action::Continue);
        action
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        self.runner.stream.response.headers_arrive();
        let action = self.run(|pass, filter, host| pass.response_headers(filter, host, end));
        if action == Action::Continue && end {
            self.runner.drop_pending(Side::Response);
        }
        self.runner.stream.response.headers_leave(action);
        action
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        self.runner.stream.response.body_arrives(length);
        let action = self.run(|pass, filter, host| pass.response_body(filter, host, end));
        self.runner.stream.response.body_leaves(action);
        action
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.runner.stream.response.trailers_arrive();
        let action = self.run(|pass, _, host| pass.response_trailers(host));
        if action == Action::Continue {
            self.runner.drop_pending(Side::Response);
        }
        self.runner.stream.response.body_leaves(Action::Continue);
        action
    }
}
