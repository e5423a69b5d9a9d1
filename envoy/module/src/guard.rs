//! The downstream part of `tenon.function`.

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_http_filter_response_headers_status as HeadersStatus;
use envoy_proxy_dynamic_modules_rust_sdk::{
    CaughtPanic, EnvoyHttpFilter, EnvoyHttpFilterConfig, EnvoyMetrics, HttpFilter,
    HttpFilterConfig, PanicReply,
};
use tenon_core::invoke::Guard;

use crate::host::{EnvoyHost, Hook};
use crate::metrics::Panics;

pub(crate) struct GuardConfig {
    panics: Panics,
}

impl GuardConfig {
    pub(crate) fn new(envoy: &mut impl EnvoyHttpFilterConfig) -> Option<Self> {
        Some(Self {
            panics: Panics::define(envoy)?,
        })
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for GuardConfig {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(GuardFilter)
    }

    fn panic_reply(&self) -> PanicReply {
        crate::panic_reply()
    }

    fn on_panic(&self, metrics: &dyn EnvoyMetrics, panic: &CaughtPanic) {
        self.panics.count(metrics, panic);
    }
}

struct GuardFilter;

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for GuardFilter {
    fn on_response_headers(&self, envoy: &mut EHF, _end: bool) -> HeadersStatus {
        Guard.restore(&mut EnvoyHost::new(envoy, None, Hook::Headers));
        HeadersStatus::Continue
    }

    fn on_stream_complete(&self, envoy: &mut EHF) {
        Guard.restore(&mut EnvoyHost::new(envoy, None, Hook::Headers));
    }
}
