//! The Envoy that is measured, and the one behind it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_contract::{
    AwsCredentials, AwsProvider, CALL_KEY, CallConfig, FUNCTION_FILTER, FunctionConfig,
    LAMBDA_PAYLOAD_LIMIT, NAMESPACE, Provider, SECRET_HEADER, SecretBlob, SecretRef,
    UpstreamConfig,
};
use tenon_e2e::{Envoy, artefact};

use crate::cpu;

/// The ways that a request takes.
pub(crate) const VARIANTS: [&str; 3] = ["plain", "builtin", "so"];

const SECRET: &str = "bench";
const REGION: &str = "us-east-1";
const FUNCTION: &str = "echo";
const ACCESS_KEY: (&str, &str) = ("AKIDBENCH", "not-a-real-key");
/// What Envoy may hold back: more than any body here.
const BUFFER: u64 = 16 << 20;

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    process: u32,
    _envoys: [Envoy; 2],
    _folder: TempDir,
}

impl Gateway {
    /// Starts both, the measured one on core 0, all else on core 1.
    pub(crate) async fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-bench-")?;
        let mut function = Envoy::start(&function_config().to_string()).await?;
        let function_address = function.listener("bench").await?;
        fs::write(folder.path().join("sds.json"), secret().to_string())?;
        let config = gateway_config(function_address, folder.path())?;
        let mut gateway = Envoy::start(&config.to_string()).await?;
        let address = gateway.listener("bench").await?;
        let process = gateway.process().id();
        cpu::pin(process, 0)?;
        cpu::pin(function.process().id(), 1)?;
        cpu::pin(0, 1)?;
        Ok(Self {
            address,
            process,
            _envoys: [gateway, function],
            _folder: folder,
        })
    }

    /// The measured Envoy's time on the processor so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu::of(self.process)
    }
}

fn extension(name: &str, message: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/{message}"));
    json!({"name": name, "typed_config": config})
}

fn listener(filters: Value, routes: Value) -> Value {
    let manager = json!({
        "stat_prefix": "bench",
        "http_filters": filters,
        "route_config": {"name": "bench", "virtual_hosts": [{"name": "bench", "domains": ["*"], "routes": routes}]},
    });
    json!({
        "name": "bench",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [{"filters": [extension(
            "envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        )]}],
    })
}

fn router() -> Value {
    extension(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        json!({}),
    )
}

/// Answers everything, as a function that does nothing would, once it has the whole request.
fn function_config() -> Value {
    let answer = json!({
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "{\"ok\":true}"}},
    });
    let buffer = extension(
        "envoy.filters.http.buffer",
        "envoy.extensions.filters.http.buffer.v3.Buffer",
        json!({"max_request_bytes": BUFFER}),
    );
    json!({"static_resources": {"listeners": [listener(json!([buffer, router()]), json!([answer]))]}})
}

fn gateway_config(function: SocketAddr, folder: &Path) -> Result<Value> {
    let guard = FunctionConfig::Guard {};
    let mut filters = vec![module_filter("so", &guard)?, wasm_filter("wasm", &guard)?];
    for filter in &mut filters {
        filter["disabled"] = json!(true);
    }
    filters.push(router());
    let routes: Vec<_> = VARIANTS.iter().map(|variant| route(variant)).collect();
    let clusters = [
        cluster("plain", function, vec![]),
        cluster("builtin", function, vec![builtin_filter(function)]),
        cluster(
            "so",
            function,
            vec![module_filter("so", &function_filter(function, folder)?)?],
        ),
        cluster(
            "wasm",
            function,
            vec![
                injector(folder),
                wasm_filter("wasm", &function_filter(function, folder)?)?,
            ],
        ),
    ];
    Ok(json!({
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {"listeners": [listener(json!(filters), json!(routes))], "clusters": clusters},
    }))
}

fn route(variant: &str) -> Value {
    let mut route = json!({
        "match": {"path": format!("/{variant}")},
        "route": {"cluster": variant, "timeout": "30s"},
    });
    if matches!(variant, "so" | "wasm") {
        let call = CallConfig::aws(FUNCTION, FUNCTION).to_json();
        route["metadata"] = json!({"filter_metadata": {NAMESPACE: {CALL_KEY: call}}});
        route["typed_per_filter_config"] = json!({
            variant: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}},
        });
    }
    route
}

fn cluster(name: &str, function: SocketAddr, mut filters: Vec<Value>) -> Value {
    let address = json!({"socket_address": {"address": function.ip().to_string(), "port_value": function.port()}});
    let mut options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
    });
    if !filters.is_empty() {
        let codec = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";
        filters.push(extension(
            "envoy.filters.http.upstream_codec",
            codec,
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

fn builtin_filter(function: SocketAddr) -> Value {
    let config = json!({
        "arn": format!("arn:aws:lambda:{REGION}:123456789012:function:{FUNCTION}"),
        "payload_passthrough": true,
        "host_rewrite": function.to_string(),
        "credentials": {"access_key_id": ACCESS_KEY.0, "secret_access_key": ACCESS_KEY.1},
    });
    extension(
        "envoy.filters.http.aws_lambda",
        "envoy.extensions.filters.http.aws_lambda.v3.Config",
        config,
    )
}

fn function_filter(function: SocketAddr, folder: &Path) -> Result<FunctionConfig> {
    let source = json!({"path_config_source": {"path": folder.join("sds.json")}, "resource_api_version": "V3"});
    Ok(FunctionConfig::Upstream(UpstreamConfig {
        upstream: "bench".into(),
        secret: Some(SecretRef {
            name: SECRET.into(),
            config_source: serde_json::from_value(source)?,
        }),
        max_request_bytes: LAMBDA_PAYLOAD_LIMIT,
        max_response_bytes: LAMBDA_PAYLOAD_LIMIT,
        provider: Provider::Aws(AwsProvider {
            region: REGION.into(),
            host: function.to_string(),
        }),
    }))
}

fn string_value(text: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}

fn module_filter(name: &str, config: &FunctionConfig) -> Result<Value> {
    let config = json!({
        "dynamic_module_config": {"module": {"local": {"filename": artefact("libtenon.so")?}}},
        "filter_name": FUNCTION_FILTER,
        "filter_config": string_value(&config.to_json()),
    });
    let message = "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
    Ok(extension(name, message, config))
}

fn wasm_filter(name: &str, config: &FunctionConfig) -> Result<Value> {
    let plugin = json!({
        "name": FUNCTION_FILTER,
        "root_id": FUNCTION_FILTER,
        "allow_on_headers_stop_iteration": true,
        "configuration": string_value(&config.to_json()),
        "vm_config": {
            "vm_id": "tenon",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": artefact("tenon.wasm")?}},
        },
    });
    Ok(extension(
        name,
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        json!({"config": plugin}),
    ))
}

fn injector(folder: &Path) -> Value {
    let credential = json!({
        "credential": {
            "name": SECRET,
            "sds_config": {"path_config_source": {"path": folder.join("sds.json")}, "resource_api_version": "V3"},
        },
        "header": SECRET_HEADER,
    });
    let message = "envoy.extensions.http.injected_credentials.generic.v3.Generic";
    let config =
        json!({"overwrite": true, "credential": extension("generic", message, credential)});
    let message = "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector";
    extension("envoy.filters.http.credential_injector", message, config)
}

fn secret() -> Value {
    let blob = SecretBlob::Aws(AwsCredentials {
        access_key_id: ACCESS_KEY.0.into(),
        secret_access_key: ACCESS_KEY.1.into(),
        session_token: None,
        expiration: None,
    });
    let secret = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": SECRET,
        "generic_secret": {"secret": {"inline_string": blob.to_json()}},
    });
    json!({"resources": [secret]})
}
