//! A gateway without a control plane: an Envoy with a written configuration, whose clusters call functions through
//! either host. It has what no resource can ask for (hedging, internal redirects), and it shows that the filters need no
//! control plane of ours.

mod config;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_contract::transform::TRANSFORM_BODY_LIMIT;
use tenon_contract::{
    AwsCredentials, AwsProvider, CALL_KEY, CallConfig, CallRule, DownstreamConfig, FunctionConfig,
    GcpProvider, LAMBDA_PAYLOAD_LIMIT, NAMESPACE, Provider, RestProvider, SecretBlob, SecretRef,
    UpstreamConfig,
};

pub use config::{
    cluster, extension, function_filters, guard, listener, router, switch_guard_on, switch_on,
    transform,
};

use crate::client::Client;
use crate::deadline::until;
use crate::envoy::{Envoy, EnvoyOptions};
use crate::sigv4::AccessKey;
use crate::tenon::Filter;

/// What Envoy may hold back: more than any body that a function takes or gives.
pub const BUFFER: u64 = 16 << 20;
const REGION: &str = "us-east-1";

/// A [`Gateway`] to be.
pub struct GatewayBuilder {
    filter: Filter,
    folder: TempDir,
    clusters: Vec<Value>,
    /// The listener's filters that call functions.
    callers: Vec<Value>,
    routes: Vec<Value>,
    options: EnvoyOptions,
    /// Merged into the HTTP connection manager.
    manager: Value,
}

impl GatewayBuilder {
    /// One without clusters and routes.
    ///
    /// # Errors
    /// No temporary folder.
    pub fn new(filter: Filter) -> Result<Self> {
        Ok(Self {
            filter,
            folder: TempDir::with_prefix("tenon-gateway-")?,
            clusters: Vec::new(),
            callers: Vec::new(),
            routes: Vec::new(),
            options: EnvoyOptions::default(),
            manager: json!({}),
        })
    }

    /// Adds a cluster that calls the functions of a Lambda service, in `us-east-1`; its secret has the cluster's name.
    ///
    /// # Errors
    /// The filter is not built.
    pub fn functions(self, name: &str, lambda: SocketAddr, secret: &SecretBlob) -> Result<Self> {
        self.functions_with(name, lambda, secret, |_| {})
    }

    /// The same, changed as the test wants it.
    ///
    /// # Errors
    /// As [`GatewayBuilder::functions`].
    pub fn functions_with(
        mut self,
        name: &str,
        lambda: SocketAddr,
        secret: &SecretBlob,
        change: impl FnOnce(&mut Value),
    ) -> Result<Self> {
        let provider = Provider::Aws(AwsProvider {
            region: REGION.into(),
            host: lambda.to_string(),
            propagate_original_routing: false,
        });
        let mut cluster = self.cluster_of(name, lambda, secret, LAMBDA_PAYLOAD_LIMIT, provider)?;
        change(&mut cluster);
        self.clusters.push(cluster);
        Ok(self)
    }

    /// Has the listener call functions of a Lambda service, in `us-east-1`, for the requests that `calls` say; adds a cluster
    /// for the service, whose name the secret has too. `change` is told each of the filters.
    ///
    /// # Errors
    /// The filter is not built.
    pub fn calls_in_listener(
        mut self,
        name: &str,
        lambda: SocketAddr,
        secret: &SecretBlob,
        calls: Vec<CallRule>,
        mut change: impl FnMut(&mut Value),
    ) -> Result<Self> {
        let provider = Provider::Aws(AwsProvider {
            region: REGION.into(),
            host: lambda.to_string(),
            propagate_original_routing: false,
        });
        let upstream = self.upstream(name, secret, LAMBDA_PAYLOAD_LIMIT, provider)?;
        let config = FunctionConfig::Downstream(DownstreamConfig { upstream, calls });
        for mut filter in function_filters(self.filter, &config)? {
            let own = filter["name"].as_str().unwrap_or_default().to_owned();
            filter["name"] = format!("{own}.{name}").into();
            if own == "envoy.filters.http.credential_injector" {
                // Other requests do not depend on it.
                filter["typed_config"]["allow_request_without_credential"] = true.into();
            }
            change(&mut filter);
            self.callers.push(filter);
        }
        self.clusters.push(cluster(name, lambda, Vec::new()));
        Ok(self)
    }

    /// Adds a cluster that calls functions of Google's; its secret has the cluster's name.
    ///
    /// # Errors
    /// The filter is not built.
    pub fn google(mut self, name: &str, address: SocketAddr, secret: &SecretBlob) -> Result<Self> {
        let provider = Provider::Gcp(GcpProvider {
            host: format!("{name}.a.run.app"),
        });
        let cluster = self.cluster_of(name, address, secret, u64::MAX, provider)?;
        self.clusters.push(cluster);
        Ok(self)
    }

    fn cluster_of(
        &self,
        name: &str,
        address: SocketAddr,
        secret: &SecretBlob,
        limit: u64,
        provider: Provider,
    ) -> Result<Value> {
        let upstream = self.upstream(name, secret, limit, provider)?;
        let filters = function_filters(self.filter, &FunctionConfig::Upstream(upstream))?;
        Ok(cluster(name, address, filters))
    }

    /// Writes the secret's file, and says where it is.
    fn upstream(
        &self,
        name: &str,
        secret: &SecretBlob,
        limit: u64,
        provider: Provider,
    ) -> Result<UpstreamConfig> {
        let file = secret_file(self.folder.path(), name);
        write_secret(&file, name, secret)?;
        let source = json!({"path_config_source": {"path": file}, "resource_api_version": "V3"});
        Ok(UpstreamConfig {
            upstream: name.into(),
            secret: Some(SecretRef {
                name: name.into(),
                config_source: serde_json::from_value(source)?,
            }),
            functions: Vec::new(),
            max_request_bytes: limit,
            max_response_bytes: limit,
            provider,
        })
    }

    /// Adds the cluster of a service with REST functions.
    ///
    /// # Errors
    /// The filter is not built.
    pub fn rest(mut self, name: &str, address: SocketAddr, rest: RestProvider) -> Result<Self> {
        let config = FunctionConfig::Upstream(UpstreamConfig {
            upstream: name.into(),
            secret: None,
            functions: Vec::new(),
            max_request_bytes: TRANSFORM_BODY_LIMIT,
            max_response_bytes: TRANSFORM_BODY_LIMIT,
            provider: Provider::Rest(rest),
        });
        let filters = function_filters(self.filter, &config)?;
        self.clusters.push(cluster(name, address, filters));
        Ok(self)
    }

    /// Adds a cluster that is an ordinary service.
    pub fn service(mut self, name: &str, address: SocketAddr) -> Self {
        self.clusters.push(cluster(name, address, Vec::new()));
        self
    }

    /// Adds a route; the first that matches is taken.
    pub fn route(mut self, route: Value) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds several.
    pub fn routes(mut self, routes: impl IntoIterator<Item = Value>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Gives the HTTP connection manager further fields.
    pub fn manager(mut self, fields: Value) -> Self {
        self.manager = fields;
        self
    }

    /// Starts Envoy with these options.
    pub fn options(mut self, change: impl FnOnce(&mut EnvoyOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Starts Envoy, and waits until it serves.
    ///
    /// # Errors
    /// As [`Envoy::start`].
    pub async fn start(self) -> Result<Gateway> {
        let access_log = self.folder.path().join("access.log");
        let config = json!({
            "node": {"id": "gateway", "cluster": "gateway"},
            "stats_config": config::stats()?,
            "static_resources": {
                "listeners": [listener(
                    [vec![guard(self.filter)?], self.callers, vec![router()]].concat(),
                    self.routes,
                    config::manager(&access_log, self.manager),
                )],
                "clusters": self.clusters,
            },
        });
        let envoy = Envoy::start_with(&config.to_string(), &self.options).await?;
        let address = envoy.listener("http").await?;
        Ok(Gateway {
            envoy,
            address,
            folder: self.folder,
        })
    }
}

/// A route to a function of a cluster. Further fields go into `route["route"]`.
pub fn function_route(prefix: &str, cluster: &str, call: &CallConfig) -> Value {
    let mut route = plain_route(prefix, cluster);
    route["metadata"] = json!({"filter_metadata": {NAMESPACE: {CALL_KEY: call.to_json()}}});
    switch_guard_on(&mut route);
    route
}

/// A route to an ordinary service.
pub fn plain_route(prefix: &str, cluster: &str) -> Value {
    json!({
        "match": {"prefix": prefix},
        "route": {"cluster": cluster, "timeout": "60s"},
        "request_body_buffer_limit": BUFFER,
    })
}

/// A route over several clusters by weight, each with a call of its own.
pub fn weighted_route(prefix: &str, weights: &[(&str, u32, CallConfig)]) -> Value {
    let keys = (0..weights.len()).map(CallConfig::weighted_key);
    let calls: BTreeMap<String, String> = keys
        .clone()
        .zip(weights)
        .map(|(key, (.., call))| (key, call.to_json()))
        .collect();
    let clusters: Vec<_> = keys
        .zip(weights)
        .map(|(key, (cluster, weight, _))| {
            json!({
                "name": cluster,
                "weight": weight,
                "request_headers_to_add": [{
                    "header": {"key": tenon_contract::CALL_HEADER, "value": key},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }],
            })
        })
        .collect();
    let mut route = json!({
        "match": {"prefix": prefix},
        "route": {"weighted_clusters": {"clusters": clusters}, "timeout": "60s"},
        "request_body_buffer_limit": BUFFER,
        "metadata": {"filter_metadata": {NAMESPACE: calls}},
    });
    switch_guard_on(&mut route);
    route
}

/// A running one.
pub struct Gateway {
    /// Its Envoy.
    pub envoy: Envoy,
    /// Where it listens.
    pub address: SocketAddr,
    folder: TempDir,
}

impl Gateway {
    /// A client over HTTP/1.1.
    ///
    /// # Errors
    /// Envoy does not listen.
    pub async fn http1(&self) -> Result<Client> {
        Client::http1(self.address).await
    }

    /// A client over HTTP/2.
    ///
    /// # Errors
    /// Envoy does not listen.
    pub async fn http2(&self) -> Result<Client> {
        Client::http2(self.address).await
    }

    /// One client over each.
    ///
    /// # Errors
    /// Envoy does not listen.
    pub async fn clients(&self) -> Result<[Client; 2]> {
        Ok([self.http1().await?, self.http2().await?])
    }

    /// Puts another secret in place of a cluster's, as an agent that rotates it does.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn rotate(&self, cluster: &str, secret: &SecretBlob) -> Result<()> {
        write_secret(&secret_file(self.folder.path(), cluster), cluster, secret)
    }

    /// Waits for so many entries of the access log: of each, all of the request's headers that tell what was sent.
    ///
    /// # Errors
    /// They do not come within the deadline.
    pub async fn access_log(&self, entries: usize) -> Result<Vec<Value>> {
        access_log(&self.folder.path().join("access.log"), entries).await
    }

    /// How many tries were counted, by function and result.
    ///
    /// # Errors
    /// No answer.
    pub async fn calls(&self) -> Result<BTreeMap<(String, String), u64>> {
        Ok(self
            .envoy
            .admin()
            .samples("tenon_calls")
            .await?
            .into_iter()
            .map(|(labels, value)| {
                let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
                ((label("function"), label("result")), value)
            })
            .collect())
    }

    /// Waits until so many tries of a function with a result are counted.
    ///
    /// # Errors
    /// Not so many within the deadline.
    pub async fn wait_for_count(&self, function: &str, result: &str, count: u64) -> Result<()> {
        let key = (function.to_owned(), result.to_owned());
        let key = &key;
        let counted = until(&format!("{count} × {function}: {result}"), || async move {
            let calls = self.calls().await?;
            let found = calls.get(key).copied().unwrap_or_default();
            ensure!(found <= count, "more than {count}: {calls:?}");
            Ok((found == count).then_some(()))
        })
        .await;
        match counted {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(format!("{:?}", self.calls().await?))),
        }
    }
}

/// Waits for so many lines of JSON in a file.
///
/// # Errors
/// They do not come within the deadline.
pub async fn access_log(file: &Path, entries: usize) -> Result<Vec<Value>> {
    until(
        &format!("{entries} entries of the access log"),
        || async move {
            let text = fs::read_to_string(file).unwrap_or_default();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            if whole.lines().count() < entries {
                return Ok(None);
            }
            let lines = whole.lines().map(serde_json::from_str);
            Ok(Some(lines.collect::<Result<Vec<Value>, _>>()?))
        },
    )
    .await
}

/// The access key as a secret.
pub fn secret(key: &AccessKey) -> SecretBlob {
    SecretBlob::Aws(AwsCredentials {
        access_key_id: key.id.clone(),
        secret_access_key: key.secret.clone(),
        session_token: key.session_token.clone(),
        expiration: None,
    })
}

fn secret_file(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join(format!("secret-{name}.json"))
}

/// Moved into place, which is what Envoy looks for.
fn write_secret(file: &Path, name: &str, secret: &SecretBlob) -> Result<()> {
    let secret = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
        "generic_secret": {"secret": {"inline_string": secret.to_json()}},
    });
    let new = file.with_extension("new");
    fs::write(&new, json!({"resources": [secret]}).to_string())?;
    Ok(fs::rename(new, file)?)
}
