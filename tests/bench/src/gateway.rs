//! The Envoy that is measured.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_contract::{
    AwsCredentials, AwsProvider, CALL_KEY, CallConfig, FunctionConfig, LAMBDA_PAYLOAD_LIMIT,
    NAMESPACE, Provider, SecretBlob, SecretRef, UpstreamConfig,
};
use tenon_e2e::gateway::{
    cluster, extension, function_filters, guard, listener, router, switch_guard_on,
};
use tenon_e2e::{Envoy, Filter};

use crate::{cpu, function};

/// The ways that a request takes. The guard is there where a listener's access logs may show the client's request.
pub(crate) const VARIANTS: [&str; 5] = ["plain", "builtin", "so", "so+guard", "wasm"];

const SECRET: &str = "bench";
const REGION: &str = "us-east-1";
const FUNCTION: &str = "echo";
const ACCESS_KEY: (&str, &str) = ("AKIDBENCH", "not-a-real-key");

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    process: u32,
    _envoy: Envoy,
    _folder: TempDir,
}

impl Gateway {
    /// Starts it on core 0, and the function behind it with all else on core 1.
    pub(crate) async fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-bench-")?;
        let function = function::start()?;
        fs::write(folder.path().join("sds.json"), secret().to_string())?;
        let config = gateway_config(function, folder.path())?;
        let mut gateway = Envoy::start(&config.to_string()).await?;
        let address = gateway.listener("http").await?;
        let process = gateway.process().id();
        cpu::pin(process, 0)?;
        cpu::pin(0, 1)?;
        Ok(Self {
            address,
            process,
            _envoy: gateway,
            _folder: folder,
        })
    }

    /// The measured Envoy's time on the processor so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu::of(self.process)
    }
}

fn gateway_config(function: SocketAddr, folder: &Path) -> Result<Value> {
    let filters = vec![guard(Filter::So)?, router()];
    let routes = VARIANTS.iter().map(|variant| route(variant)).collect();
    let config = function_filter(function, folder)?;
    let clusters = [
        cluster("plain", function, vec![]),
        cluster("builtin", function, vec![builtin_filter(function)]),
        cluster("so", function, function_filters(Filter::So, &config)?),
        cluster("so+guard", function, function_filters(Filter::So, &config)?),
        cluster("wasm", function, function_filters(Filter::Wasm, &config)?),
    ];
    Ok(json!({
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {"listeners": [listener(filters, routes, json!({}))], "clusters": clusters},
    }))
}

fn route(variant: &str) -> Value {
    let mut route = json!({
        "match": {"path": format!("/{variant}")},
        "route": {"cluster": variant, "timeout": "30s"},
    });
    if !matches!(variant, "plain" | "builtin") {
        let call = CallConfig::aws(FUNCTION, FUNCTION).to_json();
        route["metadata"] = json!({"filter_metadata": {NAMESPACE: {CALL_KEY: call}}});
    }
    if variant == "so+guard" {
        switch_guard_on(&mut route);
    }
    route
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
            propagate_original_routing: false,
        }),
    }))
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
