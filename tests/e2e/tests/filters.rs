//! The complete configurations of docs/filters.md work as they stand: those for Envoy as they are, but for addresses and
//! the places of files; those for Istio and Envoy Gateway as these make Envoy's configuration of them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_contract::{AwsCredentials, SecretBlob};
use tenon_e2e::gateway::{BUFFER, cluster, extension, listener, plain_route, router};
use tenon_e2e::{Client, Envoy, Filter, Ministack, PlainDouble, get, post};

/// What all examples call: it answers who was called.
const HELLO: &str = "def handler(event, context):\n    return {'hello': context.function_name}\n";
/// And one that is given, and answers, what an HTTP API sends.
const ORDERS: &str = r#"
import json
def handler(event, context):
    http = event["requestContext"]["http"]
    seen = {"method": http["method"], "path": event["rawPath"], "body": event.get("body"), "shop": event["headers"].get("x-shop")}
    return {"statusCode": 201, "headers": {"x-order": "7"}, "body": json.dumps(seen)}
"#;

/// What is around a gateway.
struct Surroundings {
    lambda: Arc<Ministack>,
    service: PlainDouble,
    folder: TempDir,
}

impl Surroundings {
    async fn new() -> Result<Self> {
        let lambda = Ministack::shared().await?;
        for (name, source) in [("hello", HELLO), ("orders", ORDERS)] {
            lambda.ensure_function(name, source).await?;
        }
        let key = lambda.key();
        let blob = SecretBlob::Aws(AwsCredentials {
            access_key_id: key.id.clone(),
            secret_access_key: key.secret.clone(),
            session_token: None,
            expiration: None,
        });
        let folder = TempDir::with_prefix("tenon-filters-")?;
        fs::write(folder.path().join("aws.json"), blob.to_json())?;
        let this = Self {
            lambda,
            service: PlainDouble::start().await?,
            folder,
        };
        this.write_sds(&example("secret.yaml")?)?;
        Ok(this)
    }

    /// Puts the file of Envoy's own SDS to where the examples look.
    fn write_sds(&self, text: &str) -> Result<()> {
        let text = self.moved(text)?;
        Ok(fs::write(self.folder.path().join("secret.yaml"), text)?)
    }

    /// An example with the files of this machine.
    fn moved(&self, text: &str) -> Result<String> {
        let folder = self.folder.path().to_string_lossy();
        let mut text = text.replace("/etc/tenon", &folder);
        for (place, filter) in [("libtenon.so", Filter::So), ("tenon.wasm", Filter::Wasm)] {
            let place = format!("/usr/lib/tenon/{place}");
            if text.contains(&place) {
                text = text.replace(&place, &filter.artefact()?.to_string_lossy());
            }
        }
        Ok(text)
    }

    /// An `envoy.yaml` whose clusters are those of the test, without TLS, and whose listener has any free port.
    fn envoy(&self, text: &str) -> Result<Value> {
        let mut config = document(&self.moved(text)?)?;
        let resources = &mut config["static_resources"];
        resources["listeners"][0]["address"] = address(SocketAddr::from(([127, 0, 0, 1], 0)));
        for cluster in array(&mut resources["clusters"])? {
            let to = match cluster["name"].as_str() {
                Some("lambda") => self.lambda.address(),
                Some("service") => self.service.address(),
                other => anyhow::bail!("an unknown cluster {other:?}"),
            };
            cluster["type"] = "STATIC".into();
            cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] =
                address(to);
            cluster
                .as_object_mut()
                .map(|it| it.remove("transport_socket"));
        }
        Ok(config)
    }
}

fn address(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}

fn array(value: &mut Value) -> Result<&mut Vec<Value>> {
    value.as_array_mut().context("not a list")
}

fn example(name: &str) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/filters");
    fs::read_to_string(folder.join(name)).with_context(|| name.to_owned())
}

fn document(text: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(text)?)
}

/// The resource of a kind in a file of several.
fn resource(file: &str, kind: &str, name: &str) -> Result<Value> {
    let documents = file.split("\n---\n").map(document);
    let documents = documents.collect::<Result<Vec<_>>>()?;
    let found = documents
        .into_iter()
        .find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.with_context(|| format!("no {kind} {name}"))
}

/// Functions are called, signed with the secret; and a service is asked.
async fn check_calls(address: SocketAddr) -> Result<()> {
    for mut client in [Client::http1(address).await?, Client::http2(address).await?] {
        let hello = client.send(shop(get("/hello"))).await?;
        ensure!(hello.status == 200, "{}: {}", hello.status, hello.text());
        assert_eq!(hello.json()?, json!({"hello": "hello"}));

        let order = client.send(shop(post("/orders/7?a=b", "a body"))).await?;
        ensure!(order.status == 201, "{}: {}", order.status, order.text());
        assert_eq!(order.header("x-order"), "7");
        let seen = order.json()?;
        assert_eq!(seen["method"], "POST");
        assert_eq!(seen["path"], "/orders/7");
        assert_eq!(seen["body"], "a body");
    }
    Ok(())
}

/// As a client of the examples' shop.
fn shop<B>(mut request: http::Request<B>) -> http::Request<B> {
    let host = http::HeaderValue::from_static("shop.example.com");
    request.headers_mut().insert("host", host);
    request
}

async fn holds_for_envoy(file: &str) -> Result<()> {
    let around = Surroundings::new().await?;
    let text = example(file)?;
    let config = around.envoy(&text)?;
    let envoy = Envoy::start(&config.to_string()).await?;
    let address = envoy.listener("http").await?;
    check_calls(address).await?;

    let mut client = Client::http1(address).await?;
    let mut request = shop(post("/v1/items?a=b", r#"{"name":"pen"}"#));
    let forged = http::HeaderValue::from_static("forged");
    request.headers_mut().insert("x-tenon-secret", forged);
    assert_eq!(client.send(request).await?.status, 200);
    let received = around.service.wait_for_requests(1).await?;
    assert_eq!(received[0].path, "/items?a=b");
    assert_eq!(received[0].header("x-api-version"), "1");
    assert_eq!(received[0].header("x-tenon-secret"), "");
    let body: Value = serde_json::from_slice(&received[0].body)?;
    assert_eq!(body, json!({"name": "pen", "version": 1}));
    let listed = client.send(shop(get("/v1/items"))).await?;
    assert_eq!(listed.status, 200);
    let received = around.service.wait_for_requests(2).await?;
    assert_eq!((&*received[1].path, received[1].body.len()), ("/items", 0));
    assert_eq!(received[1].header("x-api-version"), "1");
    check_secrecy(&around, &envoy).await
}

/// The credentials are where Envoy's own SDS has them, and nowhere in its configuration.
async fn check_secrecy(around: &Surroundings, envoy: &Envoy) -> Result<()> {
    let dump = envoy.admin().get("/config_dump?include_eds").await?;
    assert!(!dump.contains(&around.lambda.key().secret));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_module_among_the_filters_of_a_cluster() -> Result<()> {
    holds_for_envoy("so-upstream.yaml").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_module_among_the_filters_of_a_listener() -> Result<()> {
    holds_for_envoy("so-downstream.yaml").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plugin_among_the_filters_of_a_cluster() -> Result<()> {
    holds_for_envoy("wasm-upstream.yaml").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plugin_among_the_filters_of_a_listener() -> Result<()> {
    holds_for_envoy("wasm-downstream.yaml").await
}

#[tokio::test]
async fn envoy_takes_each_of_them_for_valid() -> Result<()> {
    let around = Surroundings::new().await?;
    let envoy = tenon_bootstrap::find_envoy().context("no Envoy: run `make setup`")?;
    for position in ["upstream", "downstream"] {
        for host in ["so", "wasm"] {
            let name = format!("{host}-{position}.yaml");
            // With its own addresses: only its files are elsewhere.
            let text = around.moved(&example(&name)?)?;
            let file = around.folder.path().join(&name);
            fs::write(&file, text)?;
            let checked = Command::new(&envoy)
                .args(["--mode", "validate", "--disable-hot-restart", "-c"])
                .arg(&file)
                .output()?;
            let log = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{name}: {log}");
        }
    }
    Ok(())
}

/// A gateway as the two platforms make it: a listener with filters, and routes to Lambda and a service.
fn platform(around: &Surroundings, filters: Vec<Value>, mut routes: Vec<Value>) -> Value {
    routes.push(plain_route("/", "service"));
    let clusters = [
        cluster("lambda", around.lambda.address(), Vec::new()),
        cluster("service", around.service.address(), Vec::new()),
    ];
    json!({"node": {"id": "platform", "cluster": "platform"}, "static_resources": {
        "listeners": [listener([filters, vec![router()]].concat(), routes, json!({}))],
        "clusters": clusters,
    }})
}

/// The route for what has become a call. Both platforms make one virtual host of each host.
fn called() -> Value {
    let mut route = plain_route("/2015-03-31/functions/", "lambda");
    let host = "lambda.us-east-1.amazonaws.com";
    route["match"]["headers"] = json!([{"name": ":authority", "string_match": {"exact": host}}]);
    route
}

/// A `PluginConfig` as Istio makes it of a `WasmPlugin` (`buildWasmConfig` in pilot/pkg/model): the configuration as a JSON
/// text, nothing that lets the plugin hold headers.
fn istio_plugin(plugin: &Value) -> Result<Value> {
    let spec = &plugin["spec"];
    let policy = match spec["failStrategy"].as_str() {
        Some("FAIL_OPEN") => "FAIL_OPEN",
        Some("FAIL_RELOAD") => "FAIL_RELOAD",
        _ => "FAIL_CLOSED",
    };
    let name = format!(
        "{}.{}",
        text(&plugin["metadata"]["namespace"]),
        text(&plugin["metadata"]["name"])
    );
    Ok(extension(
        &format!("extensions.istio.io/wasmplugin/{name}"),
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        json!({"config": {
            "name": name,
            "root_id": spec["pluginName"],
            "configuration": text_value(&spec["pluginConfig"].to_string()),
            "failure_policy": policy,
            "vm_config": {"runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": Filter::Wasm.artefact()?}}},
        }}),
    ))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn text_value(text: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istio() -> Result<()> {
    let around = Surroundings::new().await?;
    let file = around.moved(&example("istio.yaml")?)?;
    let sds = resource(&file, "ConfigMap", "tenon-sds")?;
    around.write_sds(text(&sds["data"]["secret.yaml"]))?;
    let plugin = istio_plugin(&resource(&file, "WasmPlugin", "tenon-transform")?)?;
    let mut filters = vec![plugin];
    let mut patched = resource(&file, "EnvoyFilter", "tenon-function")?;
    for patch in array(&mut patched["spec"]["configPatches"])? {
        let value = patch["patch"]["value"].take();
        match text(&patch["applyTo"]) {
            // Each before the router, and so behind the one before.
            "HTTP_FILTER" => filters.push(value),
            // What this gateway has anyway.
            _ => assert!(value["per_connection_buffer_limit_bytes"].as_u64() <= Some(BUFFER)),
        }
    }
    let config = platform(&around, filters, vec![called()]);
    let envoy = Envoy::start(&config.to_string()).await?;
    let address = envoy.listener("http").await?;
    check_calls(address).await?;
    check_transformed(address).await?;
    check_secrecy(&around, &envoy).await
}

/// Requests and responses are transformed, bodies or not, on the way to functions too.
async fn check_transformed(address: SocketAddr) -> Result<()> {
    let mut client = Client::http1(address).await?;
    let order = client.send(shop(post("/orders", "{}"))).await?;
    assert_eq!(order.json()?["shop"], "orders");
    assert_eq!(order.header("x-answered-by"), "shop");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_gateway_with_the_plugin() -> Result<()> {
    let around = Surroundings::new().await?;
    let file = around.moved(&example("envoy-gateway.yaml")?)?;
    let policy = resource(&file, "EnvoyExtensionPolicy", "functions")?["spec"].take();
    let injected = resource(&file, "HTTPRouteFilter", "tenon-secret")?;
    let patches = resource(&file, "EnvoyPatchPolicy", "tenon")?["spec"]["jsonPatches"].take();
    let order = resource(&file, "EnvoyProxy", "shop")?["spec"]["filterOrder"].take();
    assert_eq!(
        order,
        json!([{"name": "envoy.filters.http.credential_injector", "before": "envoy.filters.http.wasm"}])
    );
    let lua = policy["lua"].as_array().into_iter().flatten();
    let mut filters: Vec<_> = lua
        .map(|it| {
            let code = json!({"default_source_code": {"inline_string": it["inline"]}});
            let message = "envoy.extensions.filters.http.lua.v3.Lua";
            extension("envoy.filters.http.lua/functions", message, code)
        })
        .collect();
    filters.push(gateway_injector(
        &around,
        &injected["spec"]["credentialInjection"],
    ));
    for (index, plugin) in policy["wasm"].as_array().into_iter().flatten().enumerate() {
        filters.push(gateway_plugin(index, plugin, &patches)?);
    }
    runs_in_envoy_gateway(&around, filters).await
}

/// As Envoy Gateway makes it of a `Wasm` (`wasmConfig` in internal/xds/translator), with the patches.
fn gateway_plugin(index: usize, plugin: &Value, patches: &Value) -> Result<Value> {
    let name = format!("envoy.filters.http.wasm/envoyextensionpolicy/shop/functions/wasm/{index}");
    let mut config = json!({
        "name": plugin["name"],
        "root_id": plugin["rootID"],
        "configuration": text_value(&plugin["config"].to_string()),
        "vm_config": {"vm_id": name, "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": Filter::Wasm.artefact()?}}},
    });
    assert_eq!(plugin["failOpen"], false);
    for patch in patches.as_array().context("no patches")? {
        let operation = &patch["operation"];
        assert_eq!(operation["op"], "add");
        let all = r#"$..http_filters[?match(@.name, "envoy[.]filters[.]http[.]wasm/.*")].typed_config.config"#;
        assert_eq!(operation["jsonPath"], all);
        let field = text(&operation["path"]).trim_start_matches('/');
        config[field] = operation["value"].clone();
    }
    let message = "envoy.extensions.filters.http.wasm.v3.Wasm";
    Ok(extension(&name, message, json!({"config": config})))
}

/// As Envoy Gateway makes it of a `credentialInjection`; but for the SDS, which is its own there.
fn gateway_injector(around: &Surroundings, injection: &Value) -> Value {
    let generic = extension(
        "envoy.http.injected_credentials.generic",
        "envoy.extensions.http.injected_credentials.generic.v3.Generic",
        json!({
            "header": injection["header"],
            "credential": {"name": "aws", "sds_config": {
                "path_config_source": {"path": around.folder.path().join("secret.yaml")},
                "resource_api_version": "V3",
            }},
        }),
    );
    extension(
        "envoy.filters.http.credential_injector/httproutefilter/shop/tenon-secret",
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        json!({"overwrite": injection["overwrite"], "credential": generic}),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_gateway_with_the_module() -> Result<()> {
    let around = Surroundings::new().await?;
    let file = around.moved(&example("envoy-gateway-so.yaml")?)?;
    let sds = resource(&file, "ConfigMap", "tenon-sds")?;
    around.write_sds(text(&sds["data"]["secret.yaml"]))?;
    let registered = resource(&file, "EnvoyProxy", "shop")?["spec"]["dynamicModules"][0].take();
    let policy = resource(&file, "EnvoyExtensionPolicy", "functions")?["spec"].take();
    let modules = policy["dynamicModule"].as_array().into_iter().flatten();
    // As Envoy Gateway makes it (`dynamicModuleConfig` in internal/xds/translator).
    let filters = modules.enumerate().map(|(index, it)| {
        assert_eq!(it["name"], registered["name"]);
        extension(
            &format!("envoy.filters.http.dynamic_modules/functions/dynamic-module/{index}"),
            "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            json!({
                "dynamic_module_config": {
                    "do_not_close": registered["doNotClose"],
                    "module": {"local": {"filename": registered["source"]["local"]["path"]}},
                },
                "filter_name": it["filterName"],
                "filter_config": text_value(&it["config"].to_string()),
            }),
        )
    });
    runs_in_envoy_gateway(&around, filters.collect()).await
}

/// Envoy Gateway has the filters off, and switches them on for the route that the policy is about.
async fn runs_in_envoy_gateway(around: &Surroundings, mut filters: Vec<Value>) -> Result<()> {
    let mut functions = ["/hello", "/orders"].map(|path| plain_route(path, "lambda"));
    for filter in &mut filters {
        filter["disabled"] = true.into();
        for route in &mut functions {
            route["typed_per_filter_config"][text(&filter["name"])] = json!({
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
        }
    }
    let routes = [vec![called()], functions.into()].concat();
    let config = platform(around, filters, routes);
    let envoy = Envoy::start(&config.to_string()).await?;
    let address = envoy.listener("http").await?;
    check_calls(address).await?;
    check_transformed(address).await?;
    let mut client = Client::http1(address).await?;
    let other = client.send(shop(get("/other"))).await?;
    assert_eq!((other.status, other.header("x-answered-by")), (200, ""));
    check_secrecy(around, &envoy).await
}
