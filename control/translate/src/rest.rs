//! REST functions of an upstream: the filter that makes their requests, and the calls of routes.
//!
//! The filter is in the upstream's own cluster, and off: requests that call no function pay nothing for it. A route to a
//! function switches it on, or a weighted cluster that is one.

use tenon_contract::transform::TRANSFORM_BODY_LIMIT;
use tenon_contract::{
    CallConfig, FunctionTarget, Provider, RestCall, RestFunction, RestProvider, UpstreamConfig,
};
use tenon_model::{ObjectKey, ObjectRef, RestDestination, RestSpec, Upstream};

use crate::output::Module;
use crate::proto::cluster as envoy;
use crate::proto::{hcm, uint};
use crate::{filters, names, provider};

/// Completes the cluster of an upstream; gives its filters, if it has functions.
pub(crate) fn cluster(
    key: &ObjectKey,
    rest: &RestSpec,
    upstream: &Upstream,
    module: &Module,
    cluster: &mut envoy::Cluster,
) -> Vec<hcm::HttpFilter> {
    if rest.functions.is_empty() {
        return Vec::new();
    }
    let asked = upstream.connection_config.per_connection_buffer_limit_bytes;
    let most = asked.map_or(TRANSFORM_BODY_LIMIT, u64::from);
    if let Module::Wasm(_) = module {
        // It cannot raise the limit itself, and its own answer is to come before Envoy's.
        let limit = u32::try_from(most.saturating_add(SPARE)).unwrap_or(u32::MAX);
        cluster.per_connection_buffer_limit_bytes = Some(uint(limit));
    }
    let functions = rest.matchers.iter().flat_map(|(name, matchers)| {
        let target = || FunctionTarget::Rest(RestFunction { name: name.clone() });
        provider::entries(matchers, name, target)
    });
    let config = UpstreamConfig {
        upstream: names::cluster(key),
        secret: None,
        functions: functions.collect(),
        max_request_bytes: most,
        max_response_bytes: most,
        provider: Provider::Rest(RestProvider {
            functions: rest.functions.clone().into(),
        }),
    };
    filters::of_rest_cluster(module, config)
}

/// A frame more than what is held.
const SPARE: u64 = 2 << 20;

/// The call of a destination, or why there is none: the field below the destination, and the reason.
pub(crate) fn resolve(
    reference: &ObjectRef,
    rest: Option<&RestSpec>,
    asked: &RestDestination,
) -> Result<CallConfig, (&'static str, String)> {
    const NAME: &str = ".destinationSpec.rest.functionName";
    let Some(rest) = rest else {
        return Err((
            ".destinationSpec.rest",
            format!("{reference} does not have a rest service spec"),
        ));
    };
    let names: Vec<_> = rest.functions.keys().map(String::as_str).collect();
    let known = names.join(", ");
    let call = RestCall {
        name: asked.function_name.clone().unwrap_or_default(),
        extractors: asked.extractors.clone().into(),
        response: asked.response.clone().map(Box::new),
    };
    let Some(name) = &asked.function_name else {
        if rest.matchers.values().all(Vec::is_empty) {
            return Err((
                NAME,
                format!(
                    "is required, because no function of upstream {reference} has matchers; known: {known}"
                ),
            ));
        }
        return Ok(CallConfig {
            by_table: true,
            ..CallConfig::rest("", call)
        });
    };
    if !rest.functions.contains_key(name) {
        return Err((
            NAME,
            format!("unknown function {name:?} on upstream {reference}; known: {known}"),
        ));
    }
    Ok(CallConfig::rest(name, call))
}
