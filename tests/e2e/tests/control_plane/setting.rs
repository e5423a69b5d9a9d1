//! A folder of resources, the control plane over it, and an Envoy that outlives it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
pub(crate) use tenon_e2e::object;
use tenon_e2e::sigv4::AccessKey;
use tenon_e2e::{
    Client, Envoy, EnvoyOptions, Filter, LambdaDouble, Response, Tenon, TenonOptions, deadline,
    post,
};

pub(crate) struct Setting {
    pub(crate) tenon: Tenon,
    pub(crate) envoy: Envoy,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

/// A folder of resources to be.
pub(crate) struct Resources {
    folder: TempDir,
    delta: bool,
    drain_seconds: u32,
    environment: Vec<(String, String)>,
}

impl Resources {
    pub(crate) fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-resources-")?;
        fs::create_dir(folder.path().join("resources"))?;
        let resources = Self {
            folder,
            delta: true,
            drain_seconds: 1,
            environment: vec![("RUST_LOG".into(), "debug".into())],
        };
        let log = json!({"fileSink": {
            "path": resources.folder.path().join("access.log"),
            "jsonFormat": log_format(),
        }});
        resources.put(
            "gateway",
            &object(
                "Gateway",
                "gateway",
                json!({
                    "bindAddress": "127.0.0.1",
                    "bindPort": 0,
                    "httpGateway": {},
                    "options": {"accessLoggingService": {"accessLog": [log]}},
                }),
            ),
        )
    }

    pub(crate) fn state_of_the_world(mut self) -> Self {
        self.delta = false;
        self
    }

    /// Connections of a listener that is changed go on for so long.
    pub(crate) fn with_drain(mut self, seconds: u32) -> Self {
        self.drain_seconds = seconds;
        self
    }

    /// The control plane finds this in its environment.
    pub(crate) fn with_environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn put(self, file: &str, resource: &Value) -> Result<Self> {
        write(
            &self.folder.path().join("resources"),
            file,
            &resource.to_string(),
        )?;
        Ok(self)
    }

    pub(crate) fn put_text(self, file: &str, text: &str) -> Result<Self> {
        write(&self.folder.path().join("resources"), file, text)?;
        Ok(self)
    }

    /// Starts the control plane, and an Envoy that it configures.
    pub(crate) async fn start(self, filter: Filter) -> Result<Setting> {
        let mut options = TenonOptions::new(&self.folder.path().join("resources"), filter);
        options.state = Some(self.folder.path().join("state"));
        options.environment = self.environment;
        let tenon = Tenon::serve(options).await?;
        let envoy = envoy(tenon.ready().xds, self.delta, self.drain_seconds).await?;
        let address = envoy.listener("listener-127.0.0.1-0").await?;
        Ok(Setting {
            tenon,
            envoy,
            address,
            folder: self.folder,
        })
    }
}

impl Setting {
    /// Puts a file in place of another, as editors do.
    pub(crate) fn put(&self, file: &str, resource: &Value) -> Result<()> {
        self.put_text(file, &resource.to_string())
    }

    pub(crate) fn put_text(&self, file: &str, text: &str) -> Result<()> {
        write(&self.folder.path().join("resources"), file, text)
    }

    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        Ok(fs::remove_file(
            self.folder
                .path()
                .join("resources")
                .join(format!("{file}.yaml")),
        )?)
    }

    /// Another Envoy of the proxy takes the place of the one that there is, which is gone before `meanwhile`.
    pub(crate) async fn replace_envoy(
        &mut self,
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.envoy.process().kill()?;
        meanwhile()?;
        self.envoy = envoy(self.tenon.ready().xds, true, 1).await?;
        self.address = self.envoy.listener("listener-127.0.0.1-0").await?;
        Ok(())
    }

    /// Where everything of it is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    /// One over HTTP/1.1, one over HTTP/2.
    pub(crate) async fn clients(&self) -> Result<[Client; 2]> {
        Ok([
            Client::http1(self.address).await?,
            Client::http2(self.address).await?,
        ])
    }

    pub(crate) async fn ask(&self, path: &str) -> Result<Response> {
        Client::http1(self.address)
            .await?
            .send(post(path, "{}"))
            .await
    }

    /// Waits until the answer to a request is as wanted.
    pub(crate) async fn sees(&self, path: &str, wanted: impl Fn(&Response) -> bool) -> Result<()> {
        let wanted = &wanted;
        deadline::until(&format!("the new behaviour of {path}"), || async move {
            Ok(wanted(&self.ask(path).await?).then_some(()))
        })
        .await
    }

    /// Waits until a resource has a state, and messages with all of these texts; gives the messages. What is found out of
    /// credentials and hosts, and by Envoy, is told of later than it is served.
    pub(crate) async fn has_status(
        &self,
        kind: &str,
        name: &str,
        state: &str,
        texts: &[&str],
    ) -> Result<String> {
        let what = format!("the status {state} of {kind} {name} with {texts:?}");
        let status = deadline::until(&what, || async move {
            let (found, messages) = self.status(kind, name).await?;
            let all = texts.iter().all(|text| messages.contains(text));
            Ok((found == state && all).then_some(messages))
        });
        match status.await {
            Ok(messages) => Ok(messages),
            Err(error) => {
                let (state, messages) = self.status(kind, name).await?;
                Err(error.context(format!("it is {state} {messages}")))
            }
        }
    }

    /// How often an Envoy has answered to all of an edit.
    async fn answered(&self) -> Result<u64> {
        let metrics = self.tenon.admin().get("/metrics").await?;
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix("tenon_edit_to_ack_seconds_count "));
        Ok(count.context("no such metric")?.parse()?)
    }

    /// Puts a file in place of another, and waits until an Envoy has answered to it.
    pub(crate) async fn put_and_wait(&self, file: &str, resource: &Value) -> Result<()> {
        let before = self.answered().await?;
        self.put(file, resource)?;
        deadline::until("an answer of Envoy's", || async move {
            Ok((self.answered().await? > before).then_some(()))
        })
        .await
    }

    /// The state of a resource, and the texts of its messages.
    pub(crate) async fn status(&self, kind: &str, name: &str) -> Result<(String, String)> {
        let statuses = self.tenon.status().await?;
        let status = statuses
            .as_array()
            .into_iter()
            .flatten()
            .find(|status| status["kind"] == kind && status["name"] == name);
        Ok(status.map_or_else(Default::default, |status| {
            let state = status["state"].as_str().unwrap_or_default();
            (state.to_owned(), status["messages"].to_string())
        }))
    }
}

async fn envoy(xds: SocketAddr, delta: bool, drain_seconds: u32) -> Result<Envoy> {
    let bootstrap = bootstrap(&BootstrapOptions {
        node_id: "gateway".into(),
        node_cluster: "gateway".into(),
        role: "gloo-system~gateway-proxy".into(),
        xds_addr: xds,
        admin_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        delta,
    });
    let options = EnvoyOptions {
        log_level: "debug".into(),
        drain_seconds,
        ..EnvoyOptions::default()
    };
    Envoy::start_with(&bootstrap, &options).await
}

fn write(folder: &std::path::Path, file: &str, text: &str) -> Result<()> {
    let new = folder.join(format!(".{file}.new"));
    fs::write(&new, text)?;
    Ok(fs::rename(new, folder.join(format!("{file}.yaml")))?)
}

fn log_format() -> Value {
    let mut format = json!({
        "code": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "tenon": "%DYNAMIC_METADATA(tenon)%",
        "transformation": "%DYNAMIC_METADATA(io.solo.transformation)%",
        "transformation of the .wasm": "%FILTER_STATE(wasm.io.solo.transformation.order:PLAIN)%",
    });
    for name in [
        ":path",
        ":method",
        ":authority",
        "authorization",
        "content-length",
        "content-type",
        "x-amz-date",
        "x-amz-invocation-type",
        "x-amz-security-token",
        "x-functions-key",
        "x-serverless-authorization",
        "x-tenon-call",
        "x-tenon-secret",
    ] {
        format[name] = json!(format!("%REQ({name})%"));
    }
    format
}

pub(crate) fn secret(name: &str, key: &AccessKey) -> Value {
    let mut data = json!({"aws_access_key_id": key.id, "aws_secret_access_key": key.secret});
    if let Some(token) = &key.session_token {
        data["aws_session_token"] = json!(token);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "stringData": data,
    })
}

/// The functions `blue` and `green` of a Lambda service, called with a secret of the upstream's name.
pub(crate) fn upstream(name: &str, lambda: &LambdaDouble) -> Value {
    let functions =
        ["blue", "green"].map(|name| json!({"logicalName": name, "lambdaFunctionName": name}));
    object(
        "Upstream",
        name,
        json!({"aws": {
            "region": "us-east-1",
            "endpointUrl": format!("http://{}", lambda.address()),
            "secretRef": {"name": name, "namespace": "default"},
            "lambdaFunctions": functions,
        }}),
    )
}

pub(crate) fn service(name: &str, address: SocketAddr) -> Value {
    let host = json!({"addr": address.ip().to_string(), "port": address.port()});
    object("Upstream", name, json!({"static": {"hosts": [host]}}))
}

pub(crate) fn to_function(prefix: &str, upstream: &str, function: &str) -> Value {
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": {
            "upstream": {"name": upstream, "namespace": "default"},
            "destinationSpec": {"aws": {"logicalName": function}},
        }},
    })
}

pub(crate) fn to_answer(prefix: &str, body: &str) -> Value {
    json!({"matchers": [{"prefix": prefix}], "directResponseAction": {"status": 200, "body": body}})
}

pub(crate) fn virtual_service(name: &str, domain: &str, routes: &[Value]) -> Value {
    object(
        "VirtualService",
        name,
        json!({"virtualHost": {"domains": [domain], "routes": routes}}),
    )
}
