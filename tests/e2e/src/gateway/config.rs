//! Envoy's configuration, piece by piece.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_contract::{FUNCTION_FILTER, FunctionConfig, HEADER_PREFIX};
use tenon_translate::Module;

use super::BUFFER;
use crate::tenon::Filter;

/// An extension: its name, the name of its message, and its fields.
pub fn extension(name: &str, message: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/{message}"));
    json!({"name": name, "typed_config": config})
}

/// Envoy's router.
pub fn router() -> Value {
    extension(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        json!({}),
    )
}

/// A listener `http` on any free port. `manager`: further fields of the connection manager.
pub fn listener(filters: Vec<Value>, routes: Vec<Value>, mut manager: Value) -> Value {
    manager["stat_prefix"] = json!("http");
    manager["http_filters"] = json!(filters);
    manager["route_config"] = json!({
        "name": "http",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
    });
    json!({
        "name": "http",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [{"filters": [extension(
            "envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        )]}],
    })
}

/// What the edge of a gateway does besides routing: it takes off what clients forge, and logs.
pub(super) fn manager(access_log: &Path, mut more: Value) -> Value {
    let forged = [
        json!({"remove_on_match": {"key_matcher": {"prefix": HEADER_PREFIX}}}),
        json!({"remove": "x-envoy-original-path"}),
    ];
    more["early_header_mutation_extensions"] = json!([extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        json!({"mutations": forged}),
    )]);
    more["access_log"] = json!([extension(
        "envoy.access_loggers.file",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        json!({"path": access_log, "log_format": {"json_format": log_format()}}),
    )]);
    more["http_protocol_options"] = json!({"enable_trailers": true});
    more["use_remote_address"] = json!(true);
    more["normalize_path"] = json!(true);
    more
}

/// All that could carry a secret, and all that tells of a call.
fn log_format() -> Value {
    let mut format = json!({
        "code": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "tenon": "%DYNAMIC_METADATA(tenon)%",
    });
    for name in [
        ":path",
        ":method",
        ":authority",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-invocation-type",
        "x-amz-log-type",
        "x-amz-security-token",
        "x-envoy-original-path",
        "x-serverless-authorization",
        "x-tenon-call",
        "x-tenon-secret",
    ] {
        format[name] = json!(format!("%REQ({name})%"));
    }
    format
}

/// The part of the bootstrap that names metrics.
pub(super) fn stats() -> Result<Value> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let bootstrap = bootstrap(&BootstrapOptions {
        node_id: String::new(),
        node_cluster: String::new(),
        role: String::new(),
        xds_addr: nowhere,
        admin_addr: nowhere,
        delta: true,
    });
    let bootstrap: Value = serde_json::from_str(&bootstrap)?;
    Ok(bootstrap["stats_config"].clone())
}

/// A cluster with one host and, where there are any, upstream filters.
pub fn cluster(name: &str, address: SocketAddr, mut filters: Vec<Value>) -> Value {
    let address = json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let mut options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
    });
    if !filters.is_empty() {
        filters.push(extension(
            "envoy.filters.http.upstream_codec",
            "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
            json!({}),
        ));
        options["http_filters"] = json!(filters);
    }
    json!({
        "name": name,
        "type": "STATIC",
        "per_connection_buffer_limit_bytes": BUFFER,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    })
}

/// The filters of a cluster that calls functions, in the given host, as the control plane writes them.
///
/// # Errors
/// The filter is not built.
pub fn function_filters(filter: Filter, config: &FunctionConfig) -> Result<Vec<Value>> {
    tenon_translate::function_filters(&module(filter)?, config).context(NO_FORM)
}

/// The listener's part of the function filter, off: routes to functions switch it on. The `.wasm` cannot be a guard, nor
/// write dynamic metadata; what it leaves in filter state is copied there.
///
/// # Errors
/// The filter is not built.
pub fn guard(filter: Filter) -> Result<Value> {
    tenon_translate::listener_filter(&module(filter)?).context(NO_FORM)
}

/// `tenon.transform` in its regular stage, off: routes that transform switch it on.
///
/// # Errors
/// The filter is not built.
pub fn transform(filter: Filter) -> Result<Value> {
    tenon_translate::transform_filter(&module(filter)?).context(NO_FORM)
}

const NO_FORM: &str = "a filter that cannot be written as JSON";

fn module(filter: Filter) -> Result<Module> {
    let file = filter.artefact()?.to_string_lossy().into_owned();
    Ok(match filter {
        Filter::So => Module::So(file),
        Filter::Wasm => Module::Wasm(file),
    })
}

/// Switches the guard on for a route to functions.
pub fn switch_guard_on(route: &mut Value) {
    switch_on(route, &json!({"name": FUNCTION_FILTER}));
}

/// Switches a filter of the listener on for a route.
pub fn switch_on(route: &mut Value, filter: &Value) {
    let name = filter["name"].as_str().unwrap_or_default();
    route["typed_per_filter_config"][name] =
        json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
}
