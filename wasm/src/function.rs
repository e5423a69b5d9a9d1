//! The part of `tenon.function` that calls.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use tenon_core::host::{Headers, Level, Side, Step, Stream};
use tenon_core::invoke::{Code, Guard, Try, Upstream};

use crate::host::{WasmHost, log};
use crate::metrics::CallMetrics;
use crate::reply;
use crate::runner::Runner;

/// What the tries of a cluster share, on one worker.
pub(crate) struct Shared {
    pub(crate) upstream: Upstream,
    pub(crate) metrics: CallMetrics,
    /// Whether a filter before this one hands the secret over. Where none does, the header is the client's.
    pub(crate) has_secret: bool,
}

/// One try.
pub(crate) struct FunctionContext {
    shared: Rc<Shared>,
    runner: Runner<Try>,
    /// The request went to the provider, and no answer has come.
    waiting: bool,
}

impl FunctionContext {
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Self {
            shared,
            runner: Runner::default(),
            waiting: false,
        }
    }

    fn run(&mut self, hook: impl FnOnce(&mut Try, &Upstream, &mut WasmHost<'_>) -> Step) -> Action {
        let shared = &*self.shared;
        self.runner.run(Some(shared), |call, host| {
            hook(call, &shared.upstream, host)
        })
    }

    fn host(&mut self) -> WasmHost<'_> {
        WasmHost::new(&mut self.runner.stream, Some(&self.shared))
    }
}

impl Context for FunctionContext {
    fn on_done(&mut self) -> bool {
        let waiting = std::mem::take(&mut self.waiting);
        let mut host = WasmHost::new(&mut self.runner.stream, Some(&self.shared));
        // No response hook put the client's request back, and no downstream plugin can.
        if waiting {
            Guard.leave(&mut host);
        }
        let now = host.now();
        self.runner.state.destroyed(&mut host, now);
        true
    }
}

impl HttpContext for FunctionContext {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        #[cfg(feature = "test-trap")]
        crate::trap::if_asked("request");
        self.runner.stream.take_secret(self.shared.has_secret);
        self.runner.stream.request.headers_arrive();
        let mut action = self.run(|call, upstream, host| call.request_headers(upstream, host, end));
        if action == Action::Continue && self.runner.state.is_call() {
            if end {
                self.refuse_bodyless();
            }
            // Once they went on, Envoy would take the headers out of reach: they wait for the body's first part.
            action = Action::Pause;
        }
        self.runner.stream.request.headers_leave(action);
        action
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        self.runner.stream.request.body_arrives(length);
        let action = self.run(|call, upstream, host| call.request_body(upstream, host, end));
        self.runner.stream.request.body_leaves(action);
        self.waiting |= action == Action::Continue;
        action
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.runner.stream.request.trailers_arrive();
        let action = self.run(|call, upstream, host| call.request_trailers(upstream, host));
        self.runner.stream.request.body_leaves(Action::Continue);
        self.waiting |= action == Action::Continue;
        action
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        #[cfg(feature = "test-trap")]
        crate::trap::if_asked("response");
        self.waiting = false;
        self.runner.stream.response.headers_arrive();
        let mut action =
            self.run(|call, upstream, host| call.response_headers(upstream, host, end));
        if action == Action::Continue {
            if end {
                self.runner.drop_pending(Side::Response);
            } else if self.runner.state.awaits_response_body() {
                // What it is replaced by has a length, which may only go on once there is a body to replace.
                action = Action::Pause;
            }
        }
        self.runner.stream.response.headers_leave(action);
        action
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        self.runner.stream.response.body_arrives(length);
        let action = self.run(|call, upstream, host| call.response_body(upstream, host, end));
        self.runner.stream.response.body_leaves(action);
        action
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.runner.stream.response.trailers_arrive();
        let action = self.run(|call, upstream, host| call.response_trailers(upstream, host));
        if action == Action::Continue {
            self.runner.drop_pending(Side::Response);
        }
        self.runner.stream.response.body_leaves(Action::Continue);
        action
    }
}

impl FunctionContext {
    /// Answers a request that ends with its headers. It cannot be called with a body, and what is written into its
    /// headers could not be taken back, so Envoy's configuration has to give it an (empty) body before this filter.
    fn refuse_bodyless(&mut self) {
        log(
            Level::Error,
            "a request without a body arrived: the filter that gives each request a body is missing before this one",
        );
        self.runner.stream.request.pending.clear();
        let mut host = self.host();
        Guard.restore(&mut host);
        let content_type = host.header(Side::Request, "content-type");
        let grpc = content_type.is_some_and(|value| value.starts_with(b"application/grpc"));
        reply::send(&Code::Internal.reply("internal error", grpc));
    }
}
