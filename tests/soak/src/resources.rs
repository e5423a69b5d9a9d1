//! The resources, and what they become.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tenon_e2e::object;
use tenon_e2e::sigv4::AccessKey;

/// The functions of the Lambda service.
const FUNCTIONS: [&str; 7] = ["echo", "v1", "alb", "stream", "fails", "busy", "flaky"];

fn secret(name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default", "annotations": {"resource_kind": "*v1.Secret"}},
        "stringData": data,
    })
}

pub(crate) fn key(key: &AccessKey) -> Value {
    secret(
        "lambda",
        &json!({"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}),
    )
}

pub(crate) fn azure_key() -> Value {
    let keys = json!({"apiKeys": {"echo": "KeyOfTheFunction1234567890=="}});
    secret("azure", &json!({"azure": keys.to_string()}))
}

pub(crate) fn gateway() -> Value {
    let spec = json!({"bindAddress": "127.0.0.1", "bindPort": 0, "httpGateway": {}});
    object("Gateway", "gateway", spec)
}

pub(crate) fn lambda(name: &str, secret: &str, address: SocketAddr) -> Value {
    let functions = FUNCTIONS.map(|name| json!({"logicalName": name, "lambdaFunctionName": name}));
    let spec = json!({
        // Envoy's default is three at a time.
        "circuitBreakers": {"maxRetries": 1024},
        "aws": {
            "region": "us-east-1",
            "endpointUrl": format!("http://{address}"),
            "secretRef": {"name": secret, "namespace": "default"},
            "lambdaFunctions": functions,
        },
    });
    object("Upstream", name, spec)
}

pub(crate) fn azure(address: SocketAddr) -> Value {
    let spec = json!({"azure": {
        "functionAppName": "shop",
        "secretRef": {"name": "azure", "namespace": "default"},
        "endpointUrl": format!("http://{address}"),
        "functions": [{"functionName": "echo", "authLevel": "Function"}],
    }});
    object("Upstream", "azure", spec)
}

pub(crate) fn google(address: SocketAddr) -> Value {
    let spec = json!({"gcp": {
        "host": "echo-4tz3dr-uc.a.run.app",
        "endpointUrl": format!("http://{address}"),
    }});
    object("Upstream", "google", spec)
}

pub(crate) fn service(address: SocketAddr) -> Value {
    let host = json!({"addr": address.ip().to_string(), "port": address.port()});
    object("Upstream", "web", json!({"static": {"hosts": [host]}}))
}

fn route(prefix: &str, upstream: &str, destination: &Value, options: &Value) -> Value {
    let mut single = json!({"upstream": {"name": upstream, "namespace": "default"}});
    if !destination.is_null() {
        single["destinationSpec"] = destination.clone();
    }
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": single},
        "options": options,
    })
}

fn call(function: &str, more: &[(&str, &str)]) -> Value {
    let mut aws = json!({"logicalName": function});
    for (name, value) in more {
        aws[name] = json!(value);
    }
    json!({"aws": aws})
}

/// The routes that are asked; `generation` is in a template of one of them.
pub(crate) fn routes(generation: u64) -> Value {
    let none = json!({});
    let retries = json!({"retries": {"retryOn": "5xx,reset", "numRetries": 2}});
    let template = |fields: Value| json!({"transformationTemplate": fields});
    let transformed = json!({"stagedTransformations": {"regular": {
        "requestTransforms": [{"requestTransformation": template(json!({
            "extractors": {"last": {"header": ":path", "regex": ".*/([^/]*)", "subgroup": 1}},
            "headers": {"x-last": {"text": "{{ last }}"}},
            "mergeExtractorsToBody": {},
        }))}],
        "responseTransforms": [{"responseTransformation": template(json!({
            "headers": {
                "x-number": {"text": "{{ number }}"},
                "x-generation": {"text": format!("{generation}{{# {generation} #}}")},
            },
            "body": {"text": r#"{"seen":{{ number }},"last":"{{ last }}"}"#},
        }))}],
    }}});
    let routes = [
        route("/lambda", "lambda", &call("echo", &[]), &none),
        route(
            "/v1",
            "lambda",
            &call("v1", &[("payload", "API_GATEWAY_V1")]),
            &none,
        ),
        route(
            "/alb",
            "lambda",
            &call("alb", &[("payload", "ALB_MULTI_VALUE")]),
            &none,
        ),
        route(
            "/stream",
            "lambda",
            &call("stream", &[("invocationStyle", "STREAMING")]),
            &none,
        ),
        route("/fails", "lambda", &call("fails", &[]), &none),
        route("/busy", "lambda", &call("busy", &[]), &none),
        route("/flaky", "lambda", &call("flaky", &[]), &retries),
        route("/locked", "locked", &call("echo", &[]), &none),
        route(
            "/azure",
            "azure",
            &json!({"azure": {"functionName": "echo"}}),
            &none,
        ),
        route("/google", "google", &Value::Null, &none),
        route("/transformed", "web", &Value::Null, &transformed),
        route("/web", "web", &Value::Null, &none),
    ];
    virtual_service("site", "*", &routes)
}

/// What is edited: an answer that tells the generation, and perhaps a route to an upstream that comes and goes.
pub(crate) fn churned(generation: u64, extra: bool) -> Value {
    let answer = json!({
        "matchers": [{"prefix": "/churned"}],
        "directResponseAction": {"status": 200, "body": format!("generation {generation}")},
    });
    let mut routes = vec![answer];
    if extra {
        routes.push(route("/extra", "extra", &call("echo", &[]), &json!({})));
    }
    virtual_service("churned", CHURNED, &routes)
}

/// The host of what [`churned`] makes.
pub(crate) const CHURNED: &str = "churned.example";

pub(crate) fn virtual_service(name: &str, domain: &str, routes: &[Value]) -> Value {
    let spec = json!({"virtualHost": {"domains": [domain], "routes": routes}});
    object("VirtualService", name, spec)
}
