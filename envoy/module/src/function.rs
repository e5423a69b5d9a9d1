//! The upstream part of `tenon.function`.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason,
    envoy_dynamic_module_type_on_http_filter_request_body_status as RequestBodyStatus,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_request_trailers_status as RequestTrailersStatus,
    envoy_dynamic_module_type_on_http_filter_response_body_status as ResponseBodyStatus,
    envoy_dynamic_module_type_on_http_filter_response_headers_status as ResponseHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_response_trailers_status as ResponseTrailersStatus,
};
use envoy_proxy_dynamic_modules_rust_sdk::{
    CaughtPanic, EnvoyHttpFilter, EnvoyHttpFilterConfig, EnvoyMetrics, EnvoySecretId, HttpFilter,
    HttpFilterConfig, PanicReply, envoy_log_error,
};
use tenon_contract::UpstreamConfig;
use tenon_core::host::{Level, Reply, Step, Telemetry};
use tenon_core::invoke::{Try, Upstream};

use crate::host::{EnvoyHost, Hook, log, now};
use crate::metrics::CallMetrics;

/// What the tries of a cluster share.
pub(crate) struct Shared {
    pub(crate) upstream: Upstream,
    pub(crate) secret: Option<EnvoySecretId>,
    pub(crate) metrics: CallMetrics,
    /// How much Envoy may hold back: the largest message, and a frame more, so that the filter's own answer comes first.
    /// `None`: what it holds by itself, so that a slow side slows the other.
    buffer_limit: Option<u64>,
}

/// The filter configuration of a cluster.
pub(crate) struct Function(Arc<Shared>);

impl Function {
    pub(crate) fn new(
        envoy: &mut impl EnvoyHttpFilterConfig,
        config: UpstreamConfig,
    ) -> Option<Self> {
        let secret = match &config.secret {
            None => None,
            Some(secret) => {
                let source = serde_json::to_string(&secret.config_source).unwrap_or_default();
                let id = envoy.subscribe_generic_secret(&secret.name, &source);
                if id.is_none() {
                    envoy_log_error!(
                        "upstream {}: cannot subscribe to secret {}",
                        config.upstream,
                        secret.name
                    );
                    return None;
                }
                id
            }
        };
        let metrics = CallMetrics::define(envoy)?;
        let upstream = Upstream::new(config);
        let held = upstream.most_held();
        Some(Self(Arc::new(Shared {
            upstream,
            secret,
            metrics,
            buffer_limit: held.map(|held| held.saturating_add(2 << 20)),
        })))
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for Function {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(FunctionFilter {
            shared: self.0.clone(),
            call: RefCell::default(),
        })
    }

    fn panic_reply(&self) -> PanicReply {
        crate::panic_reply()
    }

    fn on_panic(&self, metrics: &dyn EnvoyMetrics, panic: &CaughtPanic) {
        self.0.metrics.panics().count(metrics, panic);
    }
}

struct FunctionFilter {
    shared: Arc<Shared>,
    call: RefCell<Try>,
}

impl FunctionFilter {
    /// Lets Envoy hold back as much as the filter does: called where it begins to.
    fn raise_buffer_limit(&self, envoy: &mut impl EnvoyHttpFilter) {
        if let Some(limit) = self.shared.buffer_limit
            && envoy.get_buffer_limit() < limit
        {
            envoy.set_buffer_limit(limit);
        }
    }

    /// Runs a hook of the core, and answers the client if it says so. The core is not borrowed by then: Envoy sends a
    /// filter's own answer through that filter's response hooks before it returns.
    fn run<EHF: EnvoyHttpFilter, S>(
        &self,
        envoy: &mut EHF,
        hook: Hook,
        run: impl FnOnce(&mut Try, &Upstream, &mut EnvoyHost<'_, EHF>) -> Step,
        (go_on, hold, stop): (S, S, S),
    ) -> S {
        let step = match self.call.try_borrow_mut() {
            Ok(mut call) => run(
                &mut call,
                &self.shared.upstream,
                &mut EnvoyHost::new(envoy, Some(&self.shared), hook),
            ),
            Err(_) => Step::Continue,
        };
        match step {
            Step::Continue => go_on,
            Step::Hold => hold,
            Step::Abort => {
                envoy.reset_stream(StreamResetReason::LocalReset, ABORTED);
                stop
            }
            Step::Reply(reply) => {
                answer(envoy, &reply);
                stop
            }
        }
    }
}

/// The response code details of a response that is cut off.
pub(crate) const ABORTED: &str = "tenon_aborted";

pub(crate) fn answer(envoy: &mut impl EnvoyHttpFilter, reply: &Reply) {
    let headers: Vec<(&str, &[u8])> = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    if !reply.trailers_only {
        envoy.send_response(
            u32::from(reply.status),
            &headers,
            Some(&reply.body),
            Some(reply.details),
        );
        return;
    }
    // The SDK knows the one way of a gRPC answer that Envoy takes in every hook; it writes these three itself.
    let value = |name: &str| {
        reply
            .headers
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value.as_str())
    };
    let status = value("grpc-status")
        .and_then(|status| status.parse().ok())
        .unwrap_or(GRPC_UNKNOWN);
    let message = value("grpc-message").unwrap_or_default();
    let more: Vec<_> = headers
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "content-type" | "grpc-status" | "grpc-message"))
        .collect();
    envoy.send_grpc_response(status, message, &more, Some(reply.details));
}

const GRPC_UNKNOWN: u32 = 2;

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for FunctionFilter {
    fn on_request_headers(&self, envoy: &mut EHF, end: bool) -> RequestHeadersStatus {
        use RequestHeadersStatus::{Continue, StopIteration};
        if !end {
            self.raise_buffer_limit(envoy);
        }
        self.run(
            envoy,
            Hook::Headers,
            |call, upstream, host| call.request_headers(upstream, host, end),
            (Continue, StopIteration, StopIteration),
        )
    }

    fn on_request_body(&self, envoy: &mut EHF, end: bool) -> RequestBodyStatus {
        use RequestBodyStatus::{Continue, StopIterationAndBuffer, StopIterationNoBuffer};
        let hook = Hook::Body {
            // Nobody reads it before.
            whole: end && envoy.received_buffered_request_body(),
        };
        self.run(
            envoy,
            hook,
            |call, upstream, host| call.request_body(upstream, host, end),
            (Continue, StopIterationAndBuffer, StopIterationNoBuffer),
        )
    }

    fn on_request_trailers(&self, envoy: &mut EHF) -> RequestTrailersStatus {
        use RequestTrailersStatus::{Continue, StopIteration};
        self.run(
            envoy,
            Hook::Trailers,
            |call, upstream, host| call.request_trailers(upstream, host),
            (Continue, StopIteration, StopIteration),
        )
    }

    fn on_response_headers(&self, envoy: &mut EHF, end: bool) -> ResponseHeadersStatus {
        use ResponseHeadersStatus::{Continue, StopIteration};
        let status = self.run(
            envoy,
            Hook::Headers,
            |call, upstream, host| call.response_headers(upstream, host, end),
            (Continue, StopIteration, StopIteration),
        );
        if !end && status == StopIteration {
            self.raise_buffer_limit(envoy);
        }
        status
    }

    fn on_response_body(&self, envoy: &mut EHF, end: bool) -> ResponseBodyStatus {
        use ResponseBodyStatus::{Continue, StopIterationAndBuffer, StopIterationNoBuffer};
        let hook = Hook::Body {
            // Nobody reads it before.
            whole: end && envoy.received_buffered_response_body(),
        };
        self.run(
            envoy,
            hook,
            |call, upstream, host| call.response_body(upstream, host, end),
            (Continue, StopIterationAndBuffer, StopIterationNoBuffer),
        )
    }

    fn on_response_trailers(&self, envoy: &mut EHF) -> ResponseTrailersStatus {
        use ResponseTrailersStatus::{Continue, StopIteration};
        self.run(
            envoy,
            Hook::Trailers,
            |call, upstream, host| call.response_trailers(upstream, host),
            (Continue, StopIteration, StopIteration),
        )
    }

    fn on_destroy(&self, metrics: &dyn EnvoyMetrics, _panicked: bool) {
        if let Ok(mut call) = self.call.try_borrow_mut() {
            call.destroyed(
                &mut Afterwards {
                    shared: &self.shared,
                    metrics,
                },
                now(),
            );
        }
    }
}

/// What is left of Envoy when a stream is gone: its metrics and its log.
struct Afterwards<'a> {
    shared: &'a Shared,
    metrics: &'a dyn EnvoyMetrics,
}

impl Telemetry for Afterwards<'_> {
    fn annotate(&mut self, _pairs: &[(&str, &[u8])]) {}

    fn count(&mut self, function: &str, result: &'static str, took: Duration) {
        let upstream = self.shared.upstream.name();
        self.shared
            .metrics
            .count(self.metrics, upstream, function, result, took);
    }

    fn log(&mut self, level: Level, message: &str) {
        log(level, message);
    }
}
