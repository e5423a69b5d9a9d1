//! The manifests of the specification's conformance suite, written anew, with its requests: `suite.yaml`, all on one Envoy.
//! (`tests/golden/rules.yaml` tells what else covers the suite.)

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use http::header::HOST;
use serde::Deserialize;
use serde_json::{Value, json};
use tenon_e2e::{Client, Filter, PlainDouble, free_port, post};

use super::{Served, of_gateway_api, serve, with};

/// A test of the suite, at a port of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    test: String,
    /// The hostnames of its listeners, by their names; one without a hostname if there are none.
    #[serde(default)]
    listeners: BTreeMap<String, Option<String>>,
    routes: Vec<RouteOfCase>,
    /// Of each listener that is named, how many routes are attached.
    #[serde(default)]
    attached: BTreeMap<String, usize>,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteOfCase {
    /// The listeners that it names; all of the test's, if none.
    #[serde(default)]
    sections: Vec<String>,
    #[serde(default)]
    hostnames: Vec<String>,
    /// As in an HTTPRoute, with the names of backends in the place of references.
    rules: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    method: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The backend that answers, or the status.
    to: Value,
}

const BACKENDS: [&str; 3] = ["v1", "v2", "v3"];
const LEAST_REQUESTS: usize = 100;

#[tokio::test]
async fn manifests_of_the_conformance_suite_are_answered_as_it_wants() -> Result<()> {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("suite.yaml"))?;
    let mut objects = Vec::new();
    let mut doubles = Vec::new();
    for name in BACKENDS {
        let double = PlainDouble::saying(name).await?;
        objects.extend(service(name, &double));
        doubles.push(double);
    }
    let mut ports = Vec::new();
    let mut listeners = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let port = free_port()?;
        ports.push(port);
        let names = case.listeners();
        for (name, hostname) in &names {
            let mut listener =
                json!({"name": section(number, name), "port": port, "protocol": "HTTP"});
            if let Some(hostname) = hostname {
                listener["hostname"] = json!(hostname);
            }
            listeners.push(listener);
        }
        for (index, route) in case.routes.iter().enumerate() {
            let sections = match &route.sections[..] {
                [] => names.keys().collect::<Vec<_>>(),
                some => some.iter().collect(),
            };
            let parents = sections
                .iter()
                .map(|name| json!({"name": "suite", "sectionName": section(number, name)}));
            let rules = route.rules.iter().map(expanded);
            let spec = json!({
                "parentRefs": parents.collect::<Vec<_>>(),
                "hostnames": route.hostnames,
                "rules": rules.collect::<Vec<_>>(),
            });
            let name = format!("route-{number}-{index}");
            objects.push(of_gateway_api("HTTPRoute", &name, spec));
        }
    }
    let gateway = json!({
        "gatewayClassName": "gloo-gateway",
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
        "listeners": listeners,
    });
    objects.push(of_gateway_api("Gateway", "suite", gateway));
    let texts: Vec<_> = objects.iter().map(Value::to_string).collect();
    let role = "gloo-kube-gateway-api~default~default-suite";
    let served = serve(&texts, Filter::So, role).await?;
    let mut wrong = Vec::new();
    let mut sent = 0;
    for (number, (case, port)) in cases.iter().zip(&ports).enumerate() {
        served.envoy.listener(&format!("listener~{port}")).await?;
        for asked in &case.requests {
            let found = asked.send(*port).await?;
            sent += 1;
            if found != asked.to {
                wrong.push(format!("{}: {asked:?}: {found}", case.test));
            }
        }
        for (name, count) in &case.attached {
            let told = attached(&served, &section(number, name)).await?;
            if told != json!(count) {
                wrong.push(format!("{}: {name} has {told} routes", case.test));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(sent >= LEAST_REQUESTS, "only {sent} requests");
    Ok(())
}

/// How many routes the status of the gateway has attached to a listener.
async fn attached(served: &Served, listener: &str) -> Result<Value> {
    let statuses = served.tenon.status().await?;
    let mut all = statuses.as_array().into_iter().flatten();
    let gateway = all
        .find(|it| it["kind"] == "Gateway")
        .context("no gateway")?;
    let listeners = gateway["listeners"].as_array();
    let mut listeners = listeners.into_iter().flatten();
    let found = listeners.find(|it| it["name"] == listener);
    Ok(found.with_context(|| gateway.to_string())?["attachedRoutes"].clone())
}

impl Case {
    fn listeners(&self) -> BTreeMap<String, Option<String>> {
        match self.listeners.is_empty() {
            true => BTreeMap::from([("http".to_owned(), None)]),
            false => self.listeners.clone(),
        }
    }
}

impl Asked {
    async fn send(&self, port: u16) -> Result<Value> {
        let mut request = post(&self.path, "");
        *request.method_mut() = self.method.as_deref().unwrap_or("GET").parse()?;
        let host = self.host.as_deref().unwrap_or("www.example.com");
        request.headers_mut().insert(HOST, host.parse()?);
        for (name, value) in &self.headers {
            let name: http::HeaderName = name.parse()?;
            request.headers_mut().insert(name, value.parse()?);
        }
        let address = ([127, 0, 0, 1], port).into();
        let answer = Client::http1(address).await?.send(request).await?;
        Ok(match answer.status {
            200 => json!(answer.text()),
            status => json!(status),
        })
    }
}

fn section(number: usize, name: &str) -> String {
    format!("test-{number}-{name}")
}

/// A rule whose backends are Services.
fn expanded(rule: &Value) -> Value {
    let names = rule["backendRefs"].as_array().into_iter().flatten();
    let backends = names.map(|name| json!({"name": name, "port": 8080}));
    with(
        rule.clone(),
        json!({"backendRefs": backends.collect::<Vec<_>>()}),
    )
}

fn service(name: &str, to: &PlainDouble) -> [Value; 2] {
    let address = to.address();
    [
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"name": "http", "port": 8080}]},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": "IPv4",
            "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "http", "port": address.port()}],
            "endpoints": [{"addresses": [address.ip().to_string()]}],
        }),
    ]
}
