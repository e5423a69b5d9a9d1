//! The part of `tenon.function` that calls.

use std::sync::Arc;
use std::time::Duration;

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
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
use tenon_contract::SecretRef;
use tenon_core::host::{Level, Step, Telemetry};
use tenon_core::invoke::{Error, Guard, Try, Upstream};

use crate::host::{EnvoyHost, Hook, log, now};
use crate::metrics::CallMetrics;
use crate::runner::Runner;

/// What the tries of a cluster share.
pub(crate) struct Shared {
    pub(crate) upstream: Upstream,
    pub(crate) secret: Option<EnvoySecretId>,
    pub(crate) metrics: CallMetrics,
}

/// The filter configuration of a cluster, or of a listener that calls functions.
pub(crate) struct Function(Arc<Shared>);

impl Function {
    pub(crate) fn new(
        envoy: &mut impl EnvoyHttpFilterConfig,
        secret: Option<SecretRef>,
        upstream: Result<Upstream, Error>,
    ) -> Option<Self> {
        let upstream = match upstream {
            Ok(upstream) => upstream,
            Err(error) => {
                envoy_log_error!("{}: {error}", tenon_contract::FUNCTION_FILTER);
                return None;
            }
        };
        let secret = match &secret {
            None => None,
            Some(secret) => {
                let source = serde_json::to_string(&secret.config_source).unwrap_or_default();
                let id = envoy.subscribe_generic_secret(&secret.name, &source);
                if id.is_none() {
                    envoy_log_error!(
                        "upstream {}: cannot subscribe to secret {}",
                        upstream.name(),
                        secret.name
                    );
                    return None;
                }
                id
            }
        };
        let metrics = CallMetrics::define(envoy)?;
        Some(Self(Arc::new(Shared {
            upstream,
            secret,
            metrics,
        })))
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for Function {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(FunctionFilter {
            runner: Runner::new(self.0.upstream.most_held()),
            shared: self.0.clone(),
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
    runner: Runner<Try>,
}

impl FunctionFilter {
    fn run<EHF: EnvoyHttpFilter, T>(
        &self,
        envoy: &mut EHF,
        hook: Hook,
        run: impl FnOnce(&mut Try, &Upstream, &mut EnvoyHost<'_, EHF>) -> Step,
        statuses: (T, T, T),
    ) -> T {
        let host = EnvoyHost::new(envoy, Some(&self.shared), hook);
        let upstream = &self.shared.upstream;
        self.runner
            .run(host, |call, host| run(call, upstream, host), statuses)
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for FunctionFilter {
    fn on_request_headers(&self, envoy: &mut EHF, end: bool) -> RequestHeadersStatus {
        use RequestHeadersStatus::{Continue, StopIteration};
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
        self.run(
            envoy,
            Hook::Headers,
            |call, upstream, host| call.response_headers(upstream, host, end),
            (Continue, StopIteration, StopIteration),
        )
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

    /// Only called among a listener's filters.
    fn on_stream_complete(&self, envoy: &mut EHF) {
        Guard.leave(&mut EnvoyHost::new(envoy, None, Hook::Headers));
    }

    fn on_destroy(&self, metrics: &dyn EnvoyMetrics, _panicked: bool) {
        if let Some(mut call) = self.runner.state() {
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
