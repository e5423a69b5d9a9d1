//! When gateways are `Programmed`: once an Envoy that is connected has accepted what their listeners come to.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::{
    Authority, Client, Envoy, EnvoyOptions, Filter, Tenon, TenonOptions, deadline, free_port, get,
};
use tenon_translate::ResourceType::{Cluster, Listener, Route};

use scripted::{Scripted, Versions};

mod scripted;

const ROLE: &str = "gloo-kube-gateway-api~default~default-gw";
const WAITS: &str = "no Envoy of default~default-gw has accepted it yet";

struct Setting {
    tenon: Tenon,
    folder: TempDir,
}

impl Setting {
    async fn start(resources: &[(&str, Value)]) -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-programmed-")?;
        fs::create_dir(folder.path().join("resources"))?;
        for (name, resource) in resources {
            put(&folder, name, resource)?;
        }
        let config = folder.path().join("resources");
        let tenon = Tenon::serve(TenonOptions::new(&config, Filter::So)).await?;
        Ok(Self { tenon, folder })
    }

    fn put(&self, name: &str, resource: &Value) -> Result<()> {
        put(&self.folder, name, resource)
    }

    async fn scripted(&self, has: Versions) -> Result<Scripted> {
        Scripted::connect(self.tenon.ready().xds, ROLE, has).await
    }

    /// A real one.
    async fn envoy(&self) -> Result<Envoy> {
        let config = bootstrap(&BootstrapOptions {
            node_id: "gateway".into(),
            node_cluster: "gateway".into(),
            role: ROLE.into(),
            xds_addr: self.tenon.ready().xds,
            admin_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            delta: true,
        });
        Envoy::start_with(&config, &EnvoyOptions::default()).await
    }

    /// Of which generation something is programmed or is not, why, in a word and in words: of the gateway, then of its
    /// listeners.
    async fn programmed(&self) -> Result<Vec<(String, String, i64)>> {
        let statuses = self.tenon.status().await?;
        let mut all = statuses.as_array().into_iter().flatten();
        let status = all.find(|it| it["kind"] == "Gateway" && it["name"] == "gw");
        let status = status.context("no status")?;
        let listeners = status["listeners"].as_array().into_iter().flatten();
        let owners = [status].into_iter().chain(listeners);
        let conditions = owners.flat_map(|it| it["conditions"].as_array().into_iter().flatten());
        let programmed = conditions.filter(|it| it["type"] == "Programmed");
        let told = programmed.map(|it| {
            let text = |field: &str| it[field].as_str().unwrap_or_default().to_owned();
            assert_eq!(text("status") == "True", text("reason") == "Programmed");
            let generation = it["observedGeneration"].as_i64().unwrap_or_default();
            (text("reason"), text("message"), generation)
        });
        Ok(told.collect())
    }

    /// Waits until the gateway is what is expected for a reason whose words hold a text, and each of its listeners too.
    async fn comes_to(&self, generation: i64, expected: &[(&str, &str)]) -> Result<()> {
        deadline::until(&format!("{expected:?} of {generation}"), || async {
            let found = self.programmed().await?;
            let fits = |((reason, message, of), (expected, words)): (&(_, _, _), &(&str, &str))| {
                let (reason, message): (&String, &String) = (reason, message);
                reason == expected && message.contains(words) && *of == generation
            };
            let all = found.len() == expected.len() && found.iter().zip(expected).all(fits);
            Ok(all.then_some(()))
        })
        .await
        .with_context(|| self.tenon.log())
    }
}

/// Puts a file in place of another, as editors do.
fn put(folder: &TempDir, file: &str, resource: &Value) -> Result<()> {
    let folder = folder.path().join("resources");
    let new = folder.join(format!(".{file}.new"));
    fs::write(&new, resource.to_string())?;
    Ok(fs::rename(new, folder.join(format!("{file}.yaml")))?)
}

fn gateway(generation: u32, listeners: &[Value]) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gw", "namespace": "default", "generation": generation},
        "spec": {
            "gatewayClassName": "gloo-gateway",
            "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
            "listeners": listeners,
        },
    })
}

fn http(name: &str, port: u16) -> Value {
    json!({"name": name, "port": port, "protocol": "HTTP"})
}

fn options(bytes: u32) -> Value {
    json!({
        "apiVersion": "gateway.solo.io/v1",
        "kind": "ListenerOption",
        "metadata": {"name": "options", "namespace": "default"},
        "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}],
            "options": {"perConnectionBufferLimitBytes": bytes},
        },
    })
}

/// A route that answers, and what it answers with.
fn answers(body: &str) -> Vec<(&'static str, Value)> {
    let answer = json!({
        "apiVersion": "gateway.gloo.solo.io/v1alpha1",
        "kind": "DirectResponse",
        "metadata": {"name": "answer", "namespace": "default"},
        "spec": {"status": 200, "body": body},
    });
    let reference =
        json!({"group": "gateway.gloo.solo.io", "kind": "DirectResponse", "name": "answer"});
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "route", "namespace": "default"},
        "spec": {
            "parentRefs": [{"name": "gw"}],
            "rules": [{"filters": [{"type": "ExtensionRef", "extensionRef": reference}]}],
        },
    });
    vec![("answer", answer), ("route", route)]
}

const PROGRAMMED: (&str, &str) = ("Programmed", "");
const PENDING: (&str, &str) = ("Pending", WAITS);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_waits_for_each_answer_of_the_envoy_that_is_connected() -> Result<()> {
    let mut resources = answers("one");
    resources.push(("gateway", gateway(1, &[http("http", 8080)])));
    let mut setting = Setting::start(&resources).await?;
    setting.comes_to(1, &[PROGRAMMED; 2]).await?;

    let table = "listener~8080-routes";
    let mut envoy = setting.scripted(Versions::new()).await?;
    setting.comes_to(1, &[PENDING; 2]).await?;
    envoy.ask(Cluster, &[]).await?;
    let clusters = envoy.next(Cluster).await?;
    envoy.accept(&clusters).await?;
    envoy.ask(Listener, &[]).await?;
    let listeners = envoy.next(Listener).await?;
    envoy.accept(&listeners).await?;
    envoy.ask(Route, &[table]).await?;
    let routes = envoy.next(Route).await?;
    // What it names is not there yet.
    setting.comes_to(1, &[PENDING; 2]).await?;
    envoy.accept(&routes).await?;
    setting.comes_to(1, &[PROGRAMMED; 2]).await?;

    // A listener that changes, whatever changes it: what Envoy says of it is what is told.
    setting.put("options", &options(4096))?;
    let changed = envoy.next(Listener).await?;
    setting.comes_to(1, &[PENDING; 2]).await?;
    envoy.refuse(&changed, "no such listener").await?;
    // It gets again what it had.
    let before = envoy.next(Listener).await?;
    envoy.accept(&before).await?;
    let refused = ("Invalid", "Envoy refuses it: no such listener");
    setting.comes_to(1, &[refused; 2]).await?;
    setting.put("options", &options(8192))?;
    let mended = envoy.next(Listener).await?;
    setting.comes_to(1, &[PENDING; 2]).await?;
    envoy.accept(&mended).await?;
    setting.comes_to(1, &[PROGRAMMED; 2]).await?;

    // An edit of a route is none of the gateway, and so none of what it waits for.
    for (name, resource) in answers("two") {
        setting.put(name, &resource)?;
    }
    let routes = envoy.next(Route).await?;
    setting.comes_to(1, &[PROGRAMMED; 2]).await?;
    envoy.accept(&routes).await?;
    // One of the gateway is, of which the route tables tell only.
    let mut named = http("http", 8080);
    named["hostname"] = "*.example.com".into();
    setting.put("gateway", &gateway(2, &[named]))?;
    let routes = envoy.next(Route).await?;
    setting.comes_to(2, &[PENDING; 2]).await?;
    envoy.accept(&routes).await?;
    setting.comes_to(2, &[PROGRAMMED; 2]).await?;

    // Another control plane, which finds out what its Envoy has: nothing is sent for that.
    setting.tenon.process().kill()?;
    setting.tenon.serve_again().await?;
    let mut envoy = setting.scripted(envoy.has).await?;
    envoy.ask(Cluster, &[]).await?;
    // There are none, which it has to be told.
    let clusters = envoy.next(Cluster).await?;
    envoy.accept(&clusters).await?;
    envoy.ask(Listener, &[]).await?;
    setting.comes_to(2, &[PENDING; 2]).await?;
    envoy.ask(Route, &[table]).await?;
    setting.comes_to(2, &[PROGRAMMED; 2]).await?;
    envoy.is_sent_nothing().await?;

    // Where it has gone, what is translated is all that can be told.
    setting.put("options", &options(4096))?;
    envoy.next(Listener).await?;
    setting.comes_to(2, &[PENDING; 2]).await?;
    drop(envoy);
    setting.comes_to(2, &[PROGRAMMED; 2]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_are_programmed_that_a_real_envoy_has() -> Result<()> {
    let (port, other) = (free_port()?, free_port()?);
    let mut resources = answers("one");
    resources.push(("gateway", gateway(1, &[http("http", port)])));
    let mut setting = Setting::start(&resources).await?;
    setting.comes_to(1, &[PROGRAMMED; 2]).await?;
    let envoy = setting.envoy().await?;
    envoy.listener(&format!("listener~{port}")).await?;
    setting.comes_to(1, &[PROGRAMMED; 2]).await?;
    is_answered(port).await?;

    // A port that Envoy cannot bind is said of its listener, and the other one is there.
    let holder = TcpListener::bind(("127.0.0.1", 0))?;
    let taken = holder.local_addr()?.port();
    let listeners = [
        http("http", port),
        http("taken", taken),
        http("other", other),
    ];
    setting.put("gateway", &gateway(2, &listeners))?;
    let in_use = ("Invalid", "Address already in use");
    let expected = [in_use, PROGRAMMED, in_use, PROGRAMMED];
    setting.comes_to(2, &expected).await?;
    // It is not only said.
    is_answered(other).await?;

    // With another control plane nothing is another one, and nothing is sent.
    let updates = "listener_manager.lds.update_success";
    setting.put(
        "gateway",
        &gateway(3, &[listeners[0].clone(), listeners[2].clone()]),
    )?;
    setting.comes_to(3, &[PROGRAMMED; 3]).await?;
    let before = envoy.admin().stat(updates).await?;
    setting.tenon.process().kill()?;
    setting.tenon.serve_again().await?;
    envoy
        .admin()
        .stat_until("control_plane.connected_state", |it| it == 1)
        .await?;
    let another = setting.tenon.admin();
    deadline::until("its Envoy to be known again", || async {
        let metrics = another.get("/metrics").await?;
        Ok(metrics.contains("tenon_xds_clients 1").then_some(()))
    })
    .await?;
    setting.comes_to(3, &[PROGRAMMED; 3]).await?;
    assert_eq!(envoy.admin().stat(updates).await?, before);
    is_answered(other).await
}

fn certificate(chain: &str, key: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "certificate", "namespace": "default"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": chain, "tls.key": key},
    })
}

/// One that parses, of a curve that Envoy has none of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_whose_certificate_a_real_envoy_refuses_is_not_programmed() -> Result<()> {
    let (port, secure) = (free_port()?, free_port()?);
    let https = json!({
        "name": "https", "port": secure, "protocol": "HTTPS",
        "tls": {"certificateRefs": [{"name": "certificate"}]},
    });
    let refused = certificate(include_str!("p224.pem"), include_str!("p224.key"));
    let mut resources = answers("one");
    resources.push(("gateway", gateway(1, &[http("http", port), https])));
    resources.push(("certificate", refused));
    let setting = Setting::start(&resources).await?;
    setting.comes_to(1, &[PROGRAMMED; 3]).await?;
    let envoy = setting.envoy().await?;
    envoy.listener(&format!("listener~{port}")).await?;
    let invalid = ("Invalid", "Envoy refuses Secret default/certificate: ");
    setting.comes_to(1, &[invalid, PROGRAMMED, invalid]).await?;
    is_answered(port).await?;
    let good = Authority::new()?.sign("www.example.com")?;
    setting.put("certificate", &good.secret("certificate", None))?;
    envoy.listener(&format!("listener~{secure}")).await?;
    setting.comes_to(1, &[PROGRAMMED; 3]).await
}

async fn is_answered(port: u16) -> Result<()> {
    let mut client = Client::http1(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let answer = client.send(get("/")).await?;
    assert_eq!((answer.status, &*answer.text()), (200, "one"));
    Ok(())
}
