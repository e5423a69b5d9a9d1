//! Rows that call functions.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tenon_contract::{
    AwsCredentials, AwsProvider, CALL_KEY, CallConfig, CallTarget, FunctionConfig, Invocation,
    LAMBDA_PAYLOAD_LIMIT, NAMESPACE, Provider, RequestShape, ResponseShape, RestProvider,
    SecretBlob, SecretRef, UpstreamConfig,
};
use tenon_e2e::Filter;
use tenon_e2e::gateway::{extension, function_filters, guard, switch_guard_on};

use super::Way;
use crate::rows::{BUILTIN, PLAIN, REST, Row};
use crate::templates;

const SECRET: &str = "bench";
const REGION: &str = "us-east-1";
const ACCESS_KEY: (&str, &str) = ("AKIDBENCH", "not-a-real-key");

pub(super) fn way(row: &Row, function: SocketAddr, folder: &Path) -> Result<Way> {
    let mut way = Way::plain(row);
    if row.group.name == "lambda" {
        // Off where no route switches it on, as on every listener of the control plane.
        way.listener.push(guard(Filter::So)?);
    }
    match row.variant {
        PLAIN => return Ok(way),
        BUILTIN => {
            way.cluster.push(builtin(row, function));
            return Ok(way);
        }
        _ => {}
    }
    let call = call(row).to_json();
    way.route["metadata"] = json!({"filter_metadata": {NAMESPACE: {CALL_KEY: call}}});
    if row.variant == "so+guard" {
        switch_guard_on(&mut way.route);
    }
    let host = if row.variant == "wasm" {
        Filter::Wasm
    } else {
        Filter::So
    };
    let config = match row.group.name {
        REST => rest_config(),
        _ => config(function, folder)?,
    };
    way.cluster = function_filters(host, &config)?;
    Ok(way)
}

/// A service with a function that makes a path and a header of two parameters.
fn rest_config() -> FunctionConfig {
    FunctionConfig::Upstream(UpstreamConfig {
        upstream: "bench".into(),
        secret: None,
        functions: Vec::new(),
        max_request_bytes: LAMBDA_PAYLOAD_LIMIT,
        max_response_bytes: LAMBDA_PAYLOAD_LIMIT,
        provider: Provider::Rest(RestProvider {
            functions: [("f".to_owned(), templates::rest_function())].into(),
        }),
    })
}

fn call(row: &Row) -> CallConfig {
    if row.group.name == REST {
        return CallConfig::rest("f", templates::rest_call("f"));
    }
    let mut call = CallConfig::aws(row.id(), row.id());
    if let CallTarget::Aws(aws) = &mut call.target {
        match row.group.name {
            "api_gateway_v2" => {
                aws.request = RequestShape::ApiGatewayV2;
                aws.response = ResponseShape::ApiGatewayV2;
            }
            "stream" => aws.invocation = Invocation::ResponseStream,
            _ => {}
        }
    }
    call
}

pub(super) fn builtin(row: &Row, function: SocketAddr) -> Value {
    let name = row.id();
    let config = json!({
        "arn": format!("arn:aws:lambda:{REGION}:123456789012:function:{name}"),
        "payload_passthrough": row.group.name != "api_gateway_v2",
        "host_rewrite": function.to_string(),
        "credentials": {"access_key_id": ACCESS_KEY.0, "secret_access_key": ACCESS_KEY.1},
    });
    extension(
        "envoy.filters.http.aws_lambda",
        "envoy.extensions.filters.http.aws_lambda.v3.Config",
        config,
    )
}

pub(super) fn config(function: SocketAddr, folder: &Path) -> Result<FunctionConfig> {
    let source = json!({"path_config_source": {"path": folder.join("sds.json")}, "resource_api_version": "V3"});
    Ok(FunctionConfig::Upstream(UpstreamConfig {
        upstream: "bench".into(),
        secret: Some(SecretRef {
            name: SECRET.into(),
            config_source: serde_json::from_value(source)?,
        }),
        functions: Vec::new(),
        max_request_bytes: LAMBDA_PAYLOAD_LIMIT,
        max_response_bytes: LAMBDA_PAYLOAD_LIMIT,
        provider: Provider::Aws(AwsProvider {
            region: REGION.into(),
            host: function.to_string(),
            propagate_original_routing: false,
        }),
    }))
}

pub(super) fn secret() -> Value {
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
