//! Envoy's configuration, piece by piece.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_contract::{FUNCTION_FILTER, FunctionConfig, HEADER_PREFIX, SECRET_HEADER};

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

/// The filters of a cluster that calls functions, in the given host.
///
/// # Errors
/// The filter is not built.
pub fn function_filters(filter: Filter, config: &FunctionConfig) -> Result<Vec<Value>> {
    let FunctionConfig::Upstream(upstream) = config else {
        anyhow::bail!("the configuration of a listener's guard");
    };
    let function = function_filter(filter, config)?;
    Ok(match (filter, &upstream.secret) {
        (Filter::So, _) | (Filter::Wasm, None) => vec![function],
        (Filter::Wasm, Some(secret)) => vec![
            lua("tenon.body", GIVE_REQUEST_A_BODY),
            injector(&secret.name, &json!(secret.config_source)),
            function,
        ],
    })
}

/// The listener's part of the function filter, off: routes to functions switch it on. The `.wasm` cannot be a guard, nor
/// write dynamic metadata; what it leaves in filter state is copied there.
///
/// # Errors
/// The filter is not built.
pub fn guard(filter: Filter) -> Result<Value> {
    let mut guard = match filter {
        Filter::So => function_filter(filter, &FunctionConfig::Guard {})?,
        Filter::Wasm => lua(FUNCTION_FILTER, SHOW_THE_STORY),
    };
    guard["disabled"] = json!(true);
    Ok(guard)
}

pub(super) fn switch_guard_on(route: &mut Value) {
    route["typed_per_filter_config"][FUNCTION_FILTER] =
        json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
}

fn string_value(text: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}

fn function_filter(filter: Filter, config: &FunctionConfig) -> Result<Value> {
    let file = filter.artefact()?;
    Ok(match filter {
        Filter::So => extension(
            FUNCTION_FILTER,
            "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            json!({
                "dynamic_module_config": {
                    "module": {"local": {"filename": file}},
                    "do_not_close": true,
                },
                "filter_name": FUNCTION_FILTER,
                "filter_config": string_value(&config.to_json()),
            }),
        ),
        Filter::Wasm => extension(
            FUNCTION_FILTER,
            "envoy.extensions.filters.http.wasm.v3.Wasm",
            json!({"config": {
                "name": FUNCTION_FILTER,
                "root_id": FUNCTION_FILTER,
                "failure_policy": "FAIL_RELOAD",
                "reload_config": {"backoff": {"base_interval": "0.01s", "max_interval": "0.1s"}},
                "allow_on_headers_stop_iteration": true,
                "configuration": string_value(&config.to_json()),
                "vm_config": {
                    "vm_id": "tenon",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": file}},
                },
            }}),
        ),
    })
}

fn injector(secret: &str, source: &Value) -> Value {
    let credential = extension(
        "envoy.http.injected_credentials.generic",
        "envoy.extensions.http.injected_credentials.generic.v3.Generic",
        json!({
            "credential": {"name": secret, "sds_config": source},
            "header": SECRET_HEADER,
        }),
    );
    extension(
        "envoy.filters.http.credential_injector",
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        json!({"overwrite": true, "credential": credential}),
    )
}

/// proxy-wasm cannot give a request a body that has none: Envoy's Lua filter does, before it.
fn lua(name: &str, code: &str) -> Value {
    extension(
        name,
        "envoy.extensions.filters.http.lua.v3.Lua",
        json!({"default_source_code": {"inline_string": code}}),
    )
}

const GIVE_REQUEST_A_BODY: &str = r#"function envoy_on_request(handle)
  local headers = handle:headers()
  local length = headers:get("content-length")
  local streams = headers:get("transfer-encoding") ~= nil
    or string.sub(headers:get("content-type") or "", 1, 16) == "application/grpc"
  if length == "0" or (length == nil and not streams) then
    handle:body(true)
  end
end
"#;

const SHOW_THE_STORY: &str = r#"local keys = {
  "upstream", "function", "qualifier", "executed_version", "request_id", "function_error", "error",
}
function envoy_on_response(handle)
  local info = handle:streamInfo()
  for _, key in ipairs(keys) do
    local value = info:filterState():get("wasm.tenon." .. key)
    if value ~= nil and value ~= "" then
      info:dynamicMetadata():set("tenon", key, value)
    end
  end
end"#;
