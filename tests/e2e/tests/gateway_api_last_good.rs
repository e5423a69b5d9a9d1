//! HTTPRoutes that break, on a real Envoy: their last good forms are served, over restarts too, and their conditions say
//! what is wrong.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use http::header::HOST;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::{
    Client, Envoy, EnvoyOptions, Filter, Response, Tenon, TenonOptions, deadline, free_port, post,
};

const KEPT: &str = "its last good form stays in use";

/// A unit of time that only Envoy finds fault with.
const REFUSED: &str = "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:years)%";

/// A gateway with a listener for HTTP, its Envoy, and its control plane.
struct Setting {
    address: SocketAddr,
    envoy: Envoy,
    tenon: Tenon,
    folder: TempDir,
}

impl Setting {
    async fn start(routes: &[(&str, Value)]) -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-last-good-")?;
        fs::create_dir(folder.path().join("resources"))?;
        let port = free_port()?;
        let gateway = json!({
            "gatewayClassName": "gloo-gateway",
            "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
            "listeners": [{"name": "http", "port": port, "protocol": "HTTP"}],
        });
        write(
            &folder,
            "gateway",
            &of_gateway_api("Gateway", "http", 1, gateway),
        )?;
        for body in ["one", "two", "three"] {
            let answer = json!({
                "apiVersion": "gateway.gloo.solo.io/v1alpha1",
                "kind": "DirectResponse",
                "metadata": {"name": body, "namespace": "default"},
                "spec": {"status": 200, "body": body},
            });
            write(&folder, body, &answer)?;
        }
        for (name, route) in routes {
            write(&folder, name, route)?;
        }
        let mut options = TenonOptions::new(&folder.path().join("resources"), Filter::So);
        options.state = Some(folder.path().join("state"));
        let tenon = Tenon::serve(options).await?;
        let envoy = envoy(&tenon, port).await?;
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            envoy,
            tenon,
            folder,
        })
    }

    fn put(&self, name: &str, route: &Value) -> Result<()> {
        write(&self.folder, name, route)
    }

    /// Another control plane with the same files, and another Envoy.
    async fn restart_both(&mut self) -> Result<()> {
        self.tenon.process().kill()?;
        self.envoy.process().kill()?;
        self.tenon.serve_again().await?;
        self.envoy = envoy(&self.tenon, self.address.port()).await?;
        Ok(())
    }

    async fn ask(&self, path: &str) -> Result<Response> {
        let mut asked = post(path, "");
        asked.headers_mut().insert(HOST, "www.example.com".parse()?);
        Client::http1(self.address).await?.send(asked).await
    }

    async fn until_answered(&self, path: &str, body: &str) -> Result<()> {
        deadline::until(&format!("{path} to be answered with {body}"), || async {
            let answer = self.ask(path).await?;
            Ok((answer.text() == body).then_some(()))
        })
        .await
    }

    /// Waits until a route is in a state; its messages, and its conditions at its only parent.
    async fn until_status(&self, name: &str, state: &str) -> Result<(String, Vec<Value>)> {
        deadline::until(&format!("{name} to be {state}"), || async {
            let statuses = self.tenon.status().await?;
            let mut all = statuses.as_array().into_iter().flatten();
            let status = all.find(|it| it["kind"] == "HTTPRoute" && it["name"] == name);
            let status = status.context("no status")?;
            let conditions = status["parents"][0]["conditions"].as_array().cloned();
            let told = (
                status["messages"].to_string(),
                conditions.unwrap_or_default(),
            );
            Ok((status["state"] == state).then_some(told))
        })
        .await
    }
}

async fn envoy(tenon: &Tenon, port: u16) -> Result<Envoy> {
    let config = bootstrap(&BootstrapOptions {
        node_id: "gateway".into(),
        node_cluster: "gateway".into(),
        role: "gloo-kube-gateway-api~default~default-http".into(),
        xds_addr: tenon.ready().xds,
        admin_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        delta: true,
    });
    let envoy = Envoy::start_with(&config, &EnvoyOptions::default()).await?;
    envoy.listener(&format!("listener~{port}")).await?;
    Ok(envoy)
}

/// Puts a file in place of another, as editors do.
fn write(folder: &TempDir, file: &str, resource: &Value) -> Result<()> {
    let folder = folder.path().join("resources");
    let new = folder.join(format!(".{file}.new"));
    fs::write(&new, resource.to_string())?;
    Ok(fs::rename(new, folder.join(format!("{file}.yaml")))?)
}

fn of_gateway_api(kind: &str, name: &str, generation: u32, spec: Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "generation": generation},
        "spec": spec,
    })
}

fn route(name: &str, generation: u32, rules: &[Value]) -> Value {
    let spec = json!({"parentRefs": [{"name": "http"}], "rules": rules});
    of_gateway_api("HTTPRoute", name, generation, spec)
}

/// A rule whose requests are answered.
fn answering(prefix: &str, body: &str) -> Value {
    let reference =
        json!({"group": "gateway.gloo.solo.io", "kind": "DirectResponse", "name": body});
    json!({
        "matches": [{"path": {"value": prefix}}],
        "filters": [{"type": "ExtensionRef", "extensionRef": reference}],
    })
}

fn condition<'a>(conditions: &'a [Value], kind: &str) -> &'a Value {
    let mut conditions = conditions.iter();
    conditions
        .find(|it| it["type"] == kind)
        .unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_envoy_refuses_goes_back_while_the_others_of_its_host_go_on() -> Result<()> {
    let one = |name: &str| {
        let rules = [
            answering(&format!("/{name}"), "one"),
            answering(&format!("/{name}-too"), "one"),
        ];
        (name.to_owned(), route(name, 1, &rules))
    };
    let first = [one("a"), one("b")];
    let first = first
        .each_ref()
        .map(|(name, route)| (name.as_str(), route.clone()));
    let mut setting = Setting::start(&first).await?;
    setting.until_answered("/a", "one").await?;

    let header = json!({"header": {"key": "x-time", "value": REFUSED}});
    let options = json!({"headerManipulation": {"responseHeadersToAdd": [header]}});
    setting.put(
        "refused",
        &json!({
            "apiVersion": "gateway.solo.io/v1",
            "kind": "RouteOption",
            "metadata": {"name": "refused", "namespace": "default"},
            "spec": {"options": options},
        }),
    )?;
    let mut refused = answering("/", "two");
    let reference = json!({"group": "gateway.solo.io", "kind": "RouteOption", "name": "refused"});
    let reference = json!({"type": "ExtensionRef", "extensionRef": reference});
    let filters = refused["filters"].as_array_mut();
    filters.context("no filters")?.push(reference);
    setting.put("a", &route("a", 2, &[answering("/a", "two"), refused]))?;
    setting.put("b", &route("b", 2, &[answering("/b", "two")]))?;
    setting.until_answered("/b", "two").await?;
    for restarted in [false, true] {
        if restarted {
            setting.restart_both().await?;
        }
        let (messages, conditions) = setting.until_status("a", "Rejected").await?;
        assert!(
            messages.contains("Envoy refuses it: ") && messages.contains(KEPT),
            "{restarted}: {messages}"
        );
        let accepted = condition(&conditions, "Accepted");
        assert_eq!(accepted["status"], "True", "{accepted}");
        assert_eq!(accepted["observedGeneration"], 1, "{accepted}");
        let partially = condition(&conditions, "PartiallyInvalid");
        let text = partially["message"].as_str().unwrap_or_default();
        assert!(
            text.starts_with("Fall Back: Envoy refuses it: ") && text.contains("years"),
            "{text}"
        );
        // Another Envoy has nothing before it has told what it refuses.
        setting.until_answered("/a", "one").await?;
        assert_eq!(setting.ask("/a-too").await?.text(), "one");
        setting.until_answered("/b", "two").await?;
        setting.until_status("b", "Accepted").await?;
    }
    // An edit beside it arrives, and so does the next good form.
    setting.put("b", &route("b", 3, &[answering("/b", "three")]))?;
    setting.until_answered("/b", "three").await?;
    setting.put("a", &route("a", 3, &[answering("/a", "three")]))?;
    setting.until_answered("/a", "three").await?;
    setting.until_status("a", "Accepted").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_cannot_be_carried_out_or_read_leaves_the_last_good_form() -> Result<()> {
    let good = [answering("/a", "one"), answering("/b", "one")];
    let mut setting = Setting::start(&[("a", route("a", 1, &good))]).await?;
    setting.until_answered("/b", "one").await?;
    // A rule that answers by itself and has backends.
    let mut both = answering("/b", "two");
    both["backendRefs"] = json!([{"name": "web", "kind": "Upstream", "group": "gloo.solo.io"}]);
    let not_readable = json!({"matches": [{"path": {"value": 1}}]});
    for (generation, broken) in [(2, both), (3, not_readable)] {
        setting.put(
            "a",
            &route("a", generation, &[answering("/a", "two"), broken]),
        )?;
        for restarted in [false, true] {
            if restarted {
                setting.restart_both().await?;
            }
            let (messages, conditions) = setting.until_status("a", "Rejected").await?;
            assert!(
                messages.contains("spec.rules[1]") && messages.contains(KEPT),
                "{messages}"
            );
            let partially = condition(&conditions, "PartiallyInvalid");
            let text = partially["message"].as_str().unwrap_or_default();
            assert!(
                text.starts_with("Fall Back: "),
                "{restarted}: {conditions:?}"
            );
            assert_eq!(condition(&conditions, "Accepted")["observedGeneration"], 1);
            setting.until_answered("/a", "one").await?;
            assert_eq!(setting.ask("/b").await?.text(), "one");
        }
    }
    // What a rule refers to and is not there is answered with 500, whatever was there before.
    let mut gone = answering("/b", "two");
    gone["filters"] = json!([]);
    gone["backendRefs"] = json!([{"name": "gone", "kind": "Upstream", "group": "gloo.solo.io"}]);
    setting.put("a", &route("a", 4, &[answering("/a", "three"), gone]))?;
    setting.until_answered("/a", "three").await?;
    assert_eq!(setting.ask("/b").await?.status, 500);
    // Deleted is deleted.
    fs::remove_file(setting.folder.path().join("resources/a.yaml"))?;
    deadline::until("the route to be gone", || async {
        Ok((setting.ask("/a").await?.status == 404).then_some(()))
    })
    .await
}
