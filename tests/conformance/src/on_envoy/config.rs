//! The Envoy of the table: a route for each scenario, a cluster for each kind of upstream.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tenon_contract::{DownstreamConfig, FUNCTION_FILTER, FunctionConfig, NAMESPACE, SecretRef};
use tenon_translate::Module;

use super::rotation::write_secret;
use crate::fake::Answer;
use crate::observed::LOGGED;
use crate::scenario::{Scenario, Upstream};

/// Which build of the filters runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artefact {
    /// `libtenon.so`
    Module,
    /// `tenon.wasm`
    Wasm,
}

/// Where the function filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Among the filters of a cluster.
    Cluster,
    /// Among the filters of a listener.
    Listener,
}

/// Bodies of 6 MB, and what an event makes of them, pass.
const BUFFER: u64 = 16 << 20;

/// What decides which cluster a scenario's route has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    upstream: Upstream,
    /// A second try waits until the first has an answer.
    one_connection: bool,
    /// A secret that changes is nobody else's.
    owner: Option<&'static str>,
}

impl Kind {
    fn of(scenario: &Scenario) -> Self {
        let late = |answer: &Answer| matches!(answer, Answer::Late(_));
        Self {
            upstream: scenario.upstream.clone(),
            one_connection: scenario.answers.iter().any(late),
            owner: scenario.upstream.rotated.is_some().then_some(scenario.name),
        }
    }
}

/// The names of the clusters.
pub(super) struct Clusters(BTreeMap<Kind, String>);

impl Clusters {
    pub(super) fn of(scenarios: &[Scenario]) -> Self {
        let mut clusters = BTreeMap::new();
        for scenario in scenarios {
            let name = format!("upstream-{}", clusters.len());
            clusters.entry(Kind::of(scenario)).or_insert(name);
        }
        Self(clusters)
    }

    pub(super) fn name(&self, scenario: &Scenario) -> &str {
        self.0.get(&Kind::of(scenario)).map_or("", String::as_str)
    }
}

/// The name of a cluster's secret.
pub(super) fn secret_name(cluster: &str) -> String {
    format!("secret-of-{cluster}")
}

/// What a configuration is made of.
pub(super) struct Setup<'a> {
    pub(super) artefact: Artefact,
    pub(super) position: Position,
    pub(super) file: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) provider: std::net::SocketAddr,
    pub(super) clusters: &'a Clusters,
    pub(super) scenarios: &'a [Scenario],
}

impl Setup<'_> {
    /// Writes the secrets, and gives the configuration.
    pub(super) fn config(&self) -> Result<String> {
        let mut clusters = Vec::new();
        let mut filters = vec![self.guard()?];
        for (kind, name) in &self.clusters.0 {
            if let Some(secret) = &kind.upstream.secret {
                let secret_name = secret_name(name);
                write_secret(&self.secret_file(name), &secret_name, secret)?;
            }
            let callers = self.callers(name, kind)?;
            match self.position {
                Position::Cluster => clusters.push(self.cluster(name, kind, callers)),
                Position::Listener => {
                    filters.extend(callers.into_iter().map(|it| of_listener(name, it)));
                    clusters.push(self.cluster(name, kind, Vec::new()));
                }
            }
        }
        filters.push(json!({"name": "router", "typed_config": typed(
            "envoy.extensions.filters.http.router.v3.Router", json!({}))}));
        let names: Vec<_> = filters
            .iter()
            .filter_map(|filter| filter["name"].as_str().map(str::to_owned))
            .collect();
        let routes = self.scenarios.iter();
        let routes: Vec<_> = routes.map(|it| self.route(it, &names)).collect();
        let tag = |name: &str| {
            json!({"tag_name": name,
                   "regex": format!(r"^wasmcustom\.tenon_call[^;]*(?:;[^;]*)*?(;{name}=([^;]*))")})
        };
        let tags = ["upstream", "function", "result"].map(tag);
        let config = json!({
            "node": {"id": "conformance", "cluster": "conformance"},
            "stats_config": {"stats_tags": tags},
            "static_resources": {"listeners": [self.listener(&routes, &filters)], "clusters": clusters},
        });
        Ok(config.to_string())
    }

    pub(super) fn secret_file(&self, cluster: &str) -> std::path::PathBuf {
        self.folder.join(format!("{cluster}.json"))
    }

    fn listener(&self, routes: &[Value], filters: &[Value]) -> Value {
        let http1 = json!({"enable_trailers": true});
        json!({
            "name": "http",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "per_connection_buffer_limit_bytes": BUFFER,
            "filter_chains": [{"filters": [{"name": "hcm", "typed_config": typed(
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", json!({
                    "stat_prefix": "http",
                    "codec_type": "AUTO",
                    "http_protocol_options": http1,
                    "preserve_external_request_id": true,
                    "access_log": [{"name": "file", "typed_config": typed(
                        "envoy.extensions.access_loggers.file.v3.FileAccessLog", json!({
                            "path": self.access_log(), "log_format": {"json_format": log_format()}}))}],
                    "route_config": {"name": "all", "virtual_hosts": [
                        {"name": "all", "domains": ["*"], "routes": routes},
                        ]},
                    "http_filters": filters,
                }))}]}],
        })
    }

    pub(super) fn access_log(&self) -> std::path::PathBuf {
        self.folder.join("access.log")
    }

    /// `filters`: the names of those of the listener.
    fn route(&self, scenario: &Scenario, filters: &[String]) -> Value {
        let mut weights = json!({"name": self.clusters.name(scenario), "weight": 1});
        if let Some(key) = &scenario.route.weight {
            weights["request_headers_to_add"] = json!([{
                "header": {"key": tenon_contract::CALL_HEADER, "value": key},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]);
        }
        let late = |answer: &Answer| matches!(answer, Answer::Late(_) | Answer::Outrun);
        let mut retry = json!({
            "retry_on": "retriable-status-codes,reset",
            "retriable_status_codes": scenario.retry.on,
            "num_retries": scenario.retry.times,
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
        });
        let mut action = json!({"weighted_clusters": {"clusters": [weights]}, "timeout": "60s"});
        if scenario.answers.iter().any(late) {
            // Longer than a slow machine takes for the next one.
            retry["per_try_timeout"] = "1s".into();
            action["hedge_policy"] = json!({"hedge_on_per_try_timeout": true});
        }
        if scenario.retry.times > 0 {
            action["retry_policy"] = retry;
        }
        if let Some(rewrite) = scenario.route.rewrite {
            action["prefix_rewrite"] = rewrite.to.into();
        }
        let prefix = scenario.route.rewrite.map_or("/", |rewrite| rewrite.from);
        let metadata: Map<_, _> = scenario
            .route
            .metadata
            .iter()
            .map(|(key, text)| (key.clone(), text.clone().into()))
            .collect();
        let mut route = json!({
            "match": {"prefix": prefix, "headers": [
                {"name": "x-request-id", "string_match": {"exact": scenario.name}}]},
            "route": action,
            "metadata": {"filter_metadata": {NAMESPACE: metadata}},
            "request_body_buffer_limit": BUFFER,
        });
        let own = format!(".{}", self.clusters.name(scenario));
        for name in filters {
            if (name == FUNCTION_FILTER && scenario.guarded) || name.ends_with(&own) {
                route["typed_per_filter_config"][name] = switched_on();
            }
        }
        route
    }

    fn cluster(&self, name: &str, kind: &Kind, mut filters: Vec<Value>) -> Value {
        let connections = if kind.one_connection { 1 } else { 1024 };
        if !filters.is_empty() {
            filters.push(json!({"name": "codec", "typed_config": typed(
                "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec", json!({}))}));
        }
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "per_connection_buffer_limit_bytes": BUFFER,
            "circuit_breakers": {"thresholds": [{"max_connections": connections}]},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {
                "address": {"socket_address": {
                    "address": self.provider.ip().to_string(), "port_value": self.provider.port()}}}}]}]},
            "typed_extension_protocol_options": {options: typed(options, json!({
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
                "http_filters": filters,
            }))},
        })
    }

    /// The filters that call.
    fn callers(&self, cluster: &str, kind: &Kind) -> Result<Vec<Value>> {
        let source = json!({
            "path_config_source": {
                "path": self.secret_file(cluster),
                "watched_directory": {"path": self.folder},
            },
            "resource_api_version": "V3",
        });
        let has_secret = kind.upstream.secret.is_some();
        let secret = has_secret.then(|| SecretRef {
            name: secret_name(cluster),
            config_source: source
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        });
        let upstream = kind.upstream.config(secret);
        let config = match self.position {
            Position::Cluster => FunctionConfig::Upstream(upstream),
            // Each route says itself what it calls.
            Position::Listener => FunctionConfig::Downstream(DownstreamConfig {
                upstream,
                calls: Vec::new(),
            }),
        };
        tenon_translate::function_filters(&self.module(), &config).context(NO_FORM)
    }

    fn guard(&self) -> Result<Value> {
        tenon_translate::listener_filter(&self.module()).context(NO_FORM)
    }

    fn module(&self) -> Module {
        let file = self.file.to_string_lossy().into_owned();
        match self.artefact {
            Artefact::Module => Module::So(file),
            Artefact::Wasm => Module::Wasm(file),
        }
    }
}

const NO_FORM: &str = "a filter that cannot be written as JSON";

/// A filter of a listener as one of its own routes' needs it: under the name of who it is for, off.
fn of_listener(cluster: &str, mut filter: Value) -> Value {
    let name = filter["name"].as_str().unwrap_or_default();
    filter["name"] = format!("{name}.{cluster}").into();
    filter["disabled"] = true.into();
    filter
}

fn switched_on() -> Value {
    typed("envoy.config.route.v3.FilterConfig", json!({"config": {}}))
}

/// Keys of the access log besides those of [`LOGGED`].
pub(super) const TOLD: [&str; 7] = [
    "upstream",
    "function",
    "qualifier",
    "executed_version",
    "request_id",
    "function_error",
    "error",
];

fn log_format() -> Value {
    let mut format = Map::new();
    format.insert("id".into(), "%REQ(X-REQUEST-ID)%".into());
    format.insert("details".into(), "%RESPONSE_CODE_DETAILS%".into());
    format.insert(
        "metadata".into(),
        format!("%DYNAMIC_METADATA({NAMESPACE})%").into(),
    );
    for key in TOLD {
        let value = format!("%FILTER_STATE(wasm.{NAMESPACE}.{key}:PLAIN)%");
        format.insert(format!("state.{key}"), value.into());
    }
    for name in LOGGED {
        format.insert(format!("header.{name}"), format!("%REQ({name})%").into());
    }
    format.into()
}

pub(super) fn typed(name: &str, mut config: Value) -> Value {
    config["@type"] = format!("type.googleapis.com/{name}").into();
    config
}
