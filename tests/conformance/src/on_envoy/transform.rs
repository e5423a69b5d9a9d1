//! The table of `tenon.transform` in a real Envoy: one listener, one connection, a route for each row, a filter for each
//! configuration that a row has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tenon_contract::NAMESPACE;
use tenon_contract::transform::{DESTINATION_STATE, TRANSFORM_FILTER, TRANSFORM_KEY};
use tenon_e2e::deadline::until;
use tenon_e2e::{Envoy, Gate, artefact};

use super::Artefact;
use super::client::Client;
use super::config::typed;
use super::provider::Provider;
use super::wire::Message;
use crate::fake::Answer;
use crate::observed::Protocol;
use crate::transform::{Answered, Observed, Route, Row};

/// The configuration of Envoy's filter that tells the destination.
const TELLS: &str = "envoy.extensions.filters.http.set_filter_state.v3.Config";

/// Runs rows in one Envoy, one after the other.
///
/// # Errors
/// There is no Envoy or no artefact, or Envoy ended.
pub async fn run(kind: Artefact, protocol: Protocol, rows: &[Row]) -> Result<Vec<Observed>> {
    let file = artefact(match kind {
        Artefact::Module => "libtenon.so",
        Artefact::Wasm => "tenon.wasm",
    })?;
    let folder = TempDir::with_prefix("tenon-conformance-")?;
    let provider = Provider::start().await?;
    let setup = Setup {
        kind,
        file: &file,
        log: &folder.path().join("access.log"),
        provider: provider.address,
        rows,
    };
    let envoy = Envoy::start(&setup.config().to_string()).await?;
    let mut client = Client::new(protocol, envoy.listener("http").await?);
    let mut all = Vec::new();
    let mut log_read = 0;
    for row in rows {
        let observed = exchange(row, &provider, &mut client).await;
        let mut observed = observed.with_context(|| format!("{}\n{}", row.name, envoy.log()))?;
        let log = envoy.log();
        observed.log = log.get(log_read..).unwrap_or_default().to_owned();
        log_read = log.len();
        all.push(observed);
    }
    envoy.admin().post("/reopen_logs").await?;
    let lines = until("the access log", || async {
        let text = fs::read_to_string(setup.log).unwrap_or_default();
        let lines: BTreeMap<String, Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|line| (line["id"].as_str().unwrap_or_default().to_owned(), line))
            .collect();
        Ok((lines.len() >= rows.len()).then_some(lines))
    })
    .await?;
    for (row, observed) in rows.iter().zip(&mut all) {
        let line = lines.get(row.name).context(row.name)?;
        observed.details = line["details"].as_str().unwrap_or_default().to_owned();
        observed.metadata = setup.read_metadata(line);
    }
    Ok(all)
}

async fn exchange(row: &Row, provider: &Provider, client: &mut Client) -> Result<Observed> {
    {
        let mut script = provider.script();
        script.answers = match &row.answer {
            Answered::ByUpstream(response) => [Answer::Response(response.clone())].into(),
            Answered::ByRoute(..) => [].into(),
        };
        script.late = Gate::new();
    }
    let mut headers = row.request.headers().clone();
    headers.add("x-request-id", row.name.as_bytes());
    let request = row.request.clone().with_headers(headers);
    let mut problems = Vec::new();
    let message = client
        .exchange(&request, &Gate::new())
        .await
        .unwrap_or_else(|error| {
            problems.push(format!("at the client: {error:#}"));
            Message::default()
        });
    let mut script = provider.script();
    problems.append(&mut script.problems);
    let status = message.start.split(' ').nth(1).unwrap_or_default();
    Ok(Observed {
        status: status.parse().unwrap_or_default(),
        headers: message.headers,
        body: message.body,
        trailers: message.trailers,
        sent: std::mem::take(&mut script.sent),
        problems,
        ..Observed::default()
    })
}

struct Setup<'a> {
    kind: Artefact,
    file: &'a Path,
    log: &'a Path,
    provider: std::net::SocketAddr,
    rows: &'a [Row],
}

impl Setup<'_> {
    fn config(&self) -> Value {
        // Each configuration is a filter of its own, which its rows' routes switch on.
        let configs: BTreeSet<String> = self.rows.iter().map(|row| row.filter.to_json()).collect();
        let names: BTreeMap<_, _> = configs
            .iter()
            .enumerate()
            .map(|(index, config)| (config.as_str(), format!("transform-{index}")))
            .collect();
        let mut filters: Vec<_> = names
            .iter()
            .map(|(config, name)| {
                json!({"name": name, "disabled": true, "typed_config": self.filter(name, config)})
            })
            .collect();
        filters.insert(
            0,
            json!({"name": DESTINATION_STATE, "typed_config": typed(TELLS, json!({}))}),
        );
        filters.push(json!({"name": "router", "typed_config": typed(
            "envoy.extensions.filters.http.router.v3.Router", json!({}))}));
        let routes: Vec<_> = self
            .rows
            .iter()
            .flat_map(|row| {
                let filter = names
                    .get(&*row.filter.to_json())
                    .cloned()
                    .unwrap_or_default();
                [
                    self.route(row, &filter, true),
                    self.route(row, &filter, false),
                ]
            })
            .collect();
        let clusters = ["plain", "other", "empty"].map(|name| self.cluster(name));
        let http1 = json!({"enable_trailers": true});
        let manager = json!({
            "stat_prefix": "http",
            "codec_type": "AUTO",
            "http_protocol_options": http1,
            "preserve_external_request_id": true,
            "access_log": [{"name": "file", "typed_config": typed(
                "envoy.extensions.access_loggers.file.v3.FileAccessLog", json!({
                    "path": self.log, "log_format": {"json_format": self.log_format()}}))}],
            "route_config": {"name": "all", "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": routes}]},
            "http_filters": filters,
        });
        let name =
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
        json!({
            "node": {"id": "conformance", "cluster": "conformance"},
            "static_resources": {
                "listeners": [{
                    "name": "http",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                    "filter_chains": [{"filters": [{"name": "hcm", "typed_config": typed(name, manager)}]}],
                }],
                "clusters": clusters,
            },
        })
    }

    /// A row's route, or the one that is chosen `again` when a transformation asked for it.
    fn route(&self, row: &Row, filter: &str, again: bool) -> Value {
        let mut headers =
            vec![json!({"name": "x-request-id", "string_match": {"exact": row.name}})];
        if again {
            headers.push(json!({"name": "x-routed", "string_match": {"exact": "again"}}));
        }
        let mut route = json!({
            "match": {"prefix": "/", "headers": headers},
            "typed_per_filter_config": {
                filter: typed("envoy.config.route.v3.FilterConfig", json!({"config": {}}))},
        });
        if again {
            route["response_headers_to_add"] =
                json!([{"header": {"key": "x-route", "value": "second"}}]);
        }
        match &row.answer {
            Answered::ByUpstream(_) => {
                // As a weighted route chooses it.
                let mut chosen = json!({"name": row.cluster, "weight": 1});
                if let Some(number) = row.destination {
                    let value = json!({
                        "object_key": DESTINATION_STATE,
                        "factory_key": "envoy.string",
                        "format_string": {"text_format_source": {"inline_string": number}},
                    });
                    let tells = typed(TELLS, json!({"on_request_headers": [value]}));
                    chosen["typed_per_filter_config"] = json!({DESTINATION_STATE: tells});
                }
                route["route"] = json!({"weighted_clusters": {"clusters": [chosen]}});
            }
            Answered::ByRoute(status, body) => {
                route["direct_response"] =
                    json!({"status": status, "body": {"inline_string": body}});
            }
        }
        let (text, config) = match &row.route {
            Route::Nothing => (None, None),
            Route::Metadata(text) => (Some(text), None),
            Route::Config(text, config) => (Some(text), Some(config)),
        };
        if let Some(text) = text {
            route["metadata"] = json!({"filter_metadata": {NAMESPACE: {TRANSFORM_KEY: text}}});
        }
        if let Some(config) = config {
            let config = typed(
                "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute",
                json!({"dynamic_module_config": self.module(), "filter_config": string(config)}),
            );
            route["typed_per_filter_config"] = json!({filter: config});
        }
        route
    }

    fn cluster(&self, name: &str) -> Value {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let address =
            json!({"address": self.provider.ip().to_string(), "port_value": self.provider.port()});
        json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": {"socket_address": address}}}]}]},
            "typed_extension_protocol_options": {options: typed(options, json!({
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}}}))},
        })
    }

    fn module(&self) -> Value {
        json!({"module": {"local": {"filename": self.file}}})
    }

    fn filter(&self, name: &str, config: &str) -> Value {
        match self.kind {
            Artefact::Module => typed(
                "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
                json!({
                    "dynamic_module_config": self.module(),
                    "filter_name": TRANSFORM_FILTER,
                    "filter_config": string(config),
                }),
            ),
            Artefact::Wasm => typed(
                "envoy.extensions.filters.http.wasm.v3.Wasm",
                json!({"config": {
                    "name": name,
                    "root_id": TRANSFORM_FILTER,
                    "failure_policy": "FAIL_CLOSED",
                    "allow_on_headers_stop_iteration": true,
                    "configuration": string(config),
                    "vm_config": {
                        "vm_id": "tenon",
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": {"local": {"filename": self.file}},
                    },
                }}),
            ),
        }
    }

    /// Every namespace and key of metadata that a row looks for.
    fn told(&self) -> BTreeSet<(&'static str, &'static str)> {
        let told = self.rows.iter().flat_map(|row| &row.expected.metadata);
        told.map(|(namespace, key, _)| (*namespace, *key)).collect()
    }

    fn log_format(&self) -> Value {
        let mut format = Map::new();
        format.insert("id".into(), "%REQ(X-REQUEST-ID)%".into());
        format.insert("details".into(), "%RESPONSE_CODE_DETAILS%".into());
        for (namespace, key) in self.told() {
            let value = match self.kind {
                Artefact::Module => format!("%DYNAMIC_METADATA({namespace}:{key})%"),
                Artefact::Wasm => format!("%FILTER_STATE(wasm.{namespace}.{key}:PLAIN)%"),
            };
            format.insert(format!("{namespace} {key}"), value.into());
        }
        format.into()
    }

    fn read_metadata(&self, line: &Value) -> Value {
        let mut all = json!({});
        for (namespace, key) in self.told() {
            let value = &line[format!("{namespace} {key}")];
            if !value.is_null() && value != "-" {
                all[namespace][key] = value.clone();
            }
        }
        all
    }
}

fn string(text: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}
