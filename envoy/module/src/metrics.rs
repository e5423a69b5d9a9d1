//! The metrics of interfaces: `tenon_calls`, `tenon_call_ms`, `tenon_clock_skew_seconds`, `tenon_panics`.

use std::time::Duration;

use envoy_proxy_dynamic_modules_rust_sdk::{
    CaughtPanic, EnvoyCounterId, EnvoyCounterVecId, EnvoyGaugeId, EnvoyHistogramVecId,
    EnvoyHttpFilterConfig, EnvoyMetrics, envoy_log_error,
};

/// The metrics of an upstream.
pub(crate) struct CallMetrics {
    calls: EnvoyCounterVecId,
    call_ms: EnvoyHistogramVecId,
    clock_skew: EnvoyGaugeId,
    panics: Panics,
}

impl CallMetrics {
    pub(crate) fn define(envoy: &mut impl EnvoyHttpFilterConfig) -> Option<Self> {
        let calls = envoy.define_counter_vec("tenon_calls", &["upstream", "function", "result"]);
        let call_ms = envoy.define_histogram_vec("tenon_call_ms", &["upstream", "function"]);
        let clock_skew = envoy.define_gauge("tenon_clock_skew_seconds");
        let (Ok(calls), Ok(call_ms), Ok(clock_skew)) = (calls, call_ms, clock_skew) else {
            envoy_log_error!("cannot define the metrics of calls");
            return None;
        };
        Some(Self {
            calls,
            call_ms,
            clock_skew,
            panics: Panics::define(envoy)?,
        })
    }

    pub(crate) fn count(
        &self,
        metrics: &(impl EnvoyMetrics + ?Sized),
        upstream: &str,
        function: &str,
        result: &str,
        took: Duration,
    ) {
        // A metric that Envoy refuses is not worth a request.
        let _ = metrics.increment_counter_vec(self.calls, &[upstream, function, result], 1);
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let _ = metrics.record_histogram_value_vec(self.call_ms, &[upstream, function], took);
    }

    pub(crate) fn clock_skew(&self, metrics: &(impl EnvoyMetrics + ?Sized), seconds: u64) {
        let _ = metrics.set_gauge(self.clock_skew, seconds);
    }

    pub(crate) fn panics(&self) -> &Panics {
        &self.panics
    }
}

/// How often a filter panicked.
pub(crate) struct Panics(EnvoyCounterId);

impl Panics {
    pub(crate) fn define(envoy: &mut impl EnvoyHttpFilterConfig) -> Option<Self> {
        match envoy.define_counter("tenon_panics") {
            Ok(id) => Some(Self(id)),
            Err(error) => {
                envoy_log_error!("cannot define the metric of panics: {error:?}");
                None
            }
        }
    }

    pub(crate) fn count(&self, metrics: &dyn EnvoyMetrics, _panic: &CaughtPanic) {
        let _ = metrics.increment_counter(self.0, 1);
    }
}
