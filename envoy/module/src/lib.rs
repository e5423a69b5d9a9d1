//! `libtenon.so`: hosts the core in Envoy as a dynamic module. It translates, and decides nothing.
//!
//! Two filters. `tenon.function`, whose configuration (the JSON of [`tenon_contract::FunctionConfig`]) says which of its
//! two parts it plays: the caller of a cluster's functions, or a listener's guard. And `tenon.transform`
//! ([`tenon_contract::transform::TransformConfig`]), which changes requests and responses by templates. And one early header
//! mutation, `tenon.scope` ([`tenon_contract::scope::ScopeConfig`]).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod attributes;
mod function;
mod guard;
mod host;
mod metrics;
mod runner;
mod scope;
mod transform;

use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyHttpFilter, EnvoyHttpFilterConfig, HttpFilterConfig,
    NEW_EARLY_HEADER_MUTATION_CONFIG_FUNCTION, PanicReply, declare_init_functions, envoy_log_error,
    envoy_log_warn,
};
use tenon_contract::transform::TRANSFORM_FILTER;
use tenon_contract::{ERROR_HEADER, FUNCTION_FILTER, FunctionConfig, Read};
use tenon_core::invoke::{Code, Upstream};

declare_init_functions!(init, new_filter_config, transform::new_route_config);

fn init() -> bool {
    NEW_EARLY_HEADER_MUTATION_CONFIG_FUNCTION.get_or_init(|| scope::new_scope);
    true
}

fn new_filter_config<EC: EnvoyHttpFilterConfig, EHF: EnvoyHttpFilter>(
    envoy: &mut EC,
    name: &str,
    config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EHF>>> {
    match name {
        FUNCTION_FILTER => {}
        TRANSFORM_FILTER => return Some(Box::new(transform::TransformFilter::new(envoy, config)?)),
        _ => {
            envoy_log_error!("unknown filter {name}; known: {FUNCTION_FILTER}, {TRANSFORM_FILTER}");
            return None;
        }
    }
    let Read { value, unknown } = match FunctionConfig::from_json(config) {
        Ok(read) => read,
        Err(error) => {
            envoy_log_error!("{FUNCTION_FILTER}: {error}");
            return None;
        }
    };
    if !unknown.is_empty() {
        envoy_log_warn!(
            "{FUNCTION_FILTER}: fields of a newer control plane are ignored: {}",
            unknown.join(", ")
        );
    }
    match value {
        FunctionConfig::Upstream(upstream) => {
            let secret = upstream.secret.clone();
            let upstream = Upstream::new(upstream);
            Some(Box::new(function::Function::new(envoy, secret, upstream)?))
        }
        FunctionConfig::Downstream(config) => {
            let secret = config.upstream.secret.clone();
            let upstream = Upstream::downstream(config);
            Some(Box::new(function::Function::new(envoy, secret, upstream)?))
        }
        FunctionConfig::Guard {} => Some(Box::new(guard::GuardConfig::new(envoy)?)),
    }
}

/// What a client gets whose filter panicked.
fn panic_reply() -> PanicReply {
    PanicReply {
        status: Code::Internal.status(),
        content_type: "application/json".into(),
        body: String::from_utf8_lossy(&Code::Internal.body(PANIC_MESSAGE))
            .into_owned()
            .into(),
        headers: vec![(ERROR_HEADER, Code::Internal.name())].into(),
        details: Code::Internal.details().into(),
        grpc_status: u32::from(Code::Internal.grpc_status(Code::Internal.status())),
        grpc_message: PANIC_MESSAGE.into(),
    }
}

const PANIC_MESSAGE: &str = "internal error";
