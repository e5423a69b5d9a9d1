//! A module whose filter panics in the hook that the request header `x-panic` names. What `tests/panics.rs` loads into
//! Envoy; `libtenon.so` has nothing of it.

use std::cell::Cell;

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    envoy_dynamic_module_type_http_header_type as HeaderType,
    envoy_dynamic_module_type_on_http_filter_request_body_status as RequestBodyStatus,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_response_body_status as ResponseBodyStatus,
    envoy_dynamic_module_type_on_http_filter_response_headers_status as ResponseHeadersStatus,
};
use envoy_proxy_dynamic_modules_rust_sdk::*;

declare_init_functions!(init, new_config);

fn init() -> bool {
    true
}

fn new_config<EC: EnvoyHttpFilterConfig, EHF: EnvoyHttpFilter>(
    envoy: &mut EC,
    _name: &str,
    _config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EHF>>> {
    let panics = envoy.define_counter("panics").ok()?;
    Some(Box::new(Config { panics }))
}

struct Config {
    panics: EnvoyCounterId,
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for Config {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(Filter::default())
    }

    fn on_panic(&self, metrics: &dyn EnvoyMetrics, _panic: &CaughtPanic) {
        let _ = metrics.increment_counter(self.panics, 1);
    }
}

#[derive(Default)]
struct Filter {
    asked: Cell<Option<&'static str>>,
}

const HOOKS: [&str; 5] = [
    "request_headers",
    "request_body",
    "response_headers",
    "response_body",
    "destroy",
];

impl Filter {
    fn panic_if_asked(&self, hook: &str) {
        assert_ne!(self.asked.get(), Some(hook), "as the request asked");
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for Filter {
    fn on_request_headers(&self, envoy: &mut EHF, _end: bool) -> RequestHeadersStatus {
        let asked = envoy.get_header_value(HeaderType::RequestHeader, "x-panic");
        let asked = asked.and_then(|asked| {
            let mut hooks = HOOKS.into_iter();
            hooks.find(|hook| hook.as_bytes() == asked.as_slice())
        });
        self.asked.set(asked);
        self.panic_if_asked("request_headers");
        RequestHeadersStatus::Continue
    }

    fn on_request_body(&self, _envoy: &mut EHF, _end: bool) -> RequestBodyStatus {
        self.panic_if_asked("request_body");
        RequestBodyStatus::Continue
    }

    fn on_response_headers(&self, _envoy: &mut EHF, _end: bool) -> ResponseHeadersStatus {
        self.panic_if_asked("response_headers");
        ResponseHeadersStatus::Continue
    }

    fn on_response_body(&self, _envoy: &mut EHF, _end: bool) -> ResponseBodyStatus {
        self.panic_if_asked("response_body");
        ResponseBodyStatus::Continue
    }

    fn on_destroy(&self, _metrics: &dyn EnvoyMetrics, _panicked: bool) {
        self.panic_if_asked("destroy");
    }
}
