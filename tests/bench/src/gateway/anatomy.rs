//! Rows that are parts of a call, to see where its time goes.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tenon_contract::{CALL_KEY, CallConfig, NAMESPACE};
use tenon_e2e::Filter;
use tenon_e2e::gateway::{extension, function_filters, transform};

use super::Way;
use super::{functions, transforms};
use crate::rows::{BUILTIN, Row};

pub(super) fn way(row: &Row, function: SocketAddr, folder: &Path) -> Result<Way> {
    let mut way = Way::plain(row);
    match row.variant {
        // What a call writes, as the router's own additions: what it costs to send and nothing else.
        "long-headers" => {
            way.route["request_headers_to_add"] =
                json!(SENT.map(|(key, value)| json!({"header": {"key": key, "value": value}})));
            way.route["route"]["prefix_rewrite"] = json!(PATH);
        }
        // A native filter that does nothing in either direction.
        "native" => way.cluster.push(transforms::header_mutation(&json!([]))),
        // One that writes what a call writes.
        "native-writes" => {
            let added = SENT.map(|(key, value)| {
                json!({"append": {
                    "header": {"key": key, "value": value},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }})
            });
            way.cluster.push(transforms::header_mutation(&json!(added)));
        }
        // A module whose filter does nothing: `envoy/sdk/examples/identity.rs`.
        "noop" => way.cluster.push(extension(
            "noop",
            "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            json!({
                "dynamic_module_config": {
                    "module": {"local": {"filename": identity()?}},
                    "do_not_close": true,
                },
                "filter_name": "identity",
            }),
        )),
        BUILTIN => way.cluster.push(functions::builtin(row, function)),
        "so" => {
            call(row, &mut way);
            way.cluster = function_filters(Filter::So, &functions::config(function, folder)?)?;
        }
        // The plugin on a route that has nothing for it.
        "wasm-idle" => {
            let mut filter = transform(Filter::Wasm)?;
            filter["disabled"] = json!(false);
            way.cluster.push(filter);
        }
        wasm => {
            let all = function_filters(Filter::Wasm, &functions::config(function, folder)?)?;
            let parts = match wasm {
                // What gives a request a body.
                "wasm-body" => 0..1,
                // What hands it the secret.
                "wasm-secret" => 1..2,
                "wasm" => 0..all.len(),
                _ => 0..0,
            };
            if wasm == "wasm" {
                call(row, &mut way);
            }
            way.cluster = all.get(parts).unwrap_or_default().to_vec();
        }
    }
    Ok(way)
}

fn call(row: &Row, way: &mut Way) {
    let call = CallConfig::aws(row.id(), row.id()).to_json();
    way.route["metadata"] = json!({"filter_metadata": {NAMESPACE: {CALL_KEY: call}}});
}

fn identity() -> Result<String> {
    std::env::var("TENON_IDENTITY").context("TENON_IDENTITY: see scripts/bench")
}

/// Headers as long as those of a signed call.
const SENT: [(&str, &str); 3] = [
    ("x-amz-invocation-type", "RequestResponse"),
    ("x-amz-date", "20260101T000000Z"),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIDBENCH/20260101/us-east-1/lambda/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-invocation-type, \
         Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
];
/// What such a call has before the function's name.
const PATH: &str = "/2015-03-31/functions/";

/// Gives a cluster the filter chain that it has anyway, by name.
pub(super) fn write_codec_only(cluster: &mut Value) {
    let options =
        "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    if let Some(options) = cluster.pointer_mut(options) {
        options["http_filters"] = json!([extension(
            "envoy.filters.http.upstream_codec",
            "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
            json!({}),
        )]);
    }
}
