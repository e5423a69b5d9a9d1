//! The smallest module: every filter lets its stream pass. Also what `tests/imports.rs` looks at.

use envoy_proxy_dynamic_modules_rust_sdk::*;

declare_init_functions!(init, new_config, new_route_config);

fn init() -> bool {
    true
}

fn new_config<EC: EnvoyHttpFilterConfig, EHF: EnvoyHttpFilter>(
    _envoy: &mut EC,
    _name: &str,
    _config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EHF>>> {
    Some(Box::new(Config))
}

fn new_route_config(_name: &str, config: &[u8]) -> Option<Box<dyn std::any::Any + Send + Sync>> {
    Some(Box::new(config.to_vec()))
}

struct Config;

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for Config {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(Filter)
    }
}

struct Filter;

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for Filter {}
