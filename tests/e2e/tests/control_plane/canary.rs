//! With a canary, what Envoy would refuse is never told it.

use std::fs;

use anyhow::{Context, Result};
use http::HeaderValue;
use serde_json::{Value, json};
use tenon_bootstrap::{ENVOY_VERSION, find_envoy};
use tenon_e2e::{Client, Filter, PlainDouble, deadline, post};

use super::setting::{Resources, object, to_answer, virtual_service};

fn upstream(to: &PlainDouble, ssl: Option<Value>) -> Value {
    let address = to.address();
    let host = json!({"addr": address.ip().to_string(), "port": address.port()});
    let mut spec = json!({"static": {"hosts": [host]}});
    if let Some(ssl) = ssl {
        spec["sslConfig"] = ssl;
    }
    object("Upstream", "web", spec)
}

/// A certificate that is none is one of the things that only Envoy's own code finds out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_canary_refuses_is_not_served_and_its_status_has_envoys_words() -> Result<()> {
    let envoy = find_envoy().context("no Envoy: run `make setup`")?;
    let (one, two) = (PlainDouble::start().await?, PlainDouble::start().await?);
    let route = json!({
        "matchers": [{"prefix": "/web"}],
        "routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}},
    });
    let routes = [route, to_answer("/", "beside")];
    let setting = Resources::new()?
        .with_environment("TENON_CANARY", envoy.to_string_lossy())
        .put("web", &upstream(&one, None))?
        .put("routes", &virtual_service("routes", "*", &routes))?
        .start(Filter::So)
        .await?;
    assert_eq!(setting.ask("/web").await?.status, 200);

    let state = setting.folder().join("state");
    let memory = state.join(format!("canary-{ENVOY_VERSION}.json"));
    let taken: Vec<u64> = serde_json::from_slice(&fs::read(&memory)?)?;
    assert!(taken.len() >= 3, "{taken:?}");

    let none = setting.folder().join("none.pem");
    fs::write(&none, "no certificate\n")?;
    let none = none.to_string_lossy();
    let ssl = json!({"sslFiles": {"tlsCert": none, "tlsKey": none}});
    setting.put("web", &upstream(&two, Some(ssl)))?;
    let words = [
        "Envoy refuses it: ",
        "certificate",
        "its last good form stays in use",
    ];
    setting
        .has_status("Upstream", "web", "Rejected", &words)
        .await?;
    let admin = setting.envoy.admin();
    assert_eq!(admin.stat("cluster_manager.cds.update_rejected").await?, 0);
    let before = one.requests().len();
    assert_eq!(setting.ask("/web").await?.status, 200);
    assert_eq!(one.requests().len(), before + 1);
    assert!(two.requests().is_empty());

    // An edit of a shape that is known goes on as without it, and the next good form is taken.
    let routes = virtual_service("beside", "beside.example.com", &[to_answer("/", "new")]);
    setting.put("beside", &routes)?;
    setting.put("web", &upstream(&two, None))?;
    setting
        .has_status("Upstream", "web", "Accepted", &[])
        .await?;
    deadline::until("the next form", || async {
        setting.ask("/web").await?;
        Ok((!two.requests().is_empty()).then_some(()))
    })
    .await?;
    assert_eq!(admin.stat("cluster_manager.cds.update_rejected").await?, 0);
    Ok(())
}

/// Each goes back to what it was, and no Envoy hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_and_a_route_that_the_canary_refuses_stay_as_they_were() -> Result<()> {
    let envoy = find_envoy().context("no Envoy: run `make setup`")?;
    let routes = |body: &str, path: Value| {
        let mut route = to_answer("/", body);
        route["matchers"] = json!([path]);
        let routes = [route, to_answer("/", "otherwise")];
        virtual_service("routes", "routes.example.com", &routes)
    };
    let beside = |body: &str| virtual_service("beside", "*", &[to_answer("/", body)]);
    let setting = Resources::new()?
        .with_environment("TENON_CANARY", envoy.to_string_lossy())
        .put("routes", &routes("one", json!({"prefix": "/one"})))?
        .put("beside", &beside("one"))?
        .start(Filter::So)
        .await?;
    setting.sees("/", |answer| answer.text() == "one").await?;

    // A unit of time that Envoy alone knows not to be one.
    let command = "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:years)%";
    let path = setting.folder().join("other.log");
    let log = json!({"fileSink": {"path": path, "stringFormat": command}});
    let gateway = json!({
        "bindAddress": "127.0.0.1",
        "bindPort": 0,
        "httpGateway": {},
        "options": {"accessLoggingService": {"accessLog": [log]}},
    });
    setting.put("gateway", &object("Gateway", "gateway", gateway))?;
    setting.put("beside", &beside("two"))?;
    setting.sees("/", |answer| answer.text() == "two").await?;
    let stays = "its last good form stays in use";
    let words = ["Envoy refuses it: ", "years", stays];
    setting
        .has_status("Gateway", "gateway", "Rejected", &words)
        .await?;

    let mut refused = routes("two", json!({"prefix": "/one"}));
    let header = json!({"header": {"key": "x-time", "value": command}});
    refused["spec"]["virtualHost"]["routes"][0]["options"] =
        json!({"headerManipulation": {"responseHeadersToAdd": [header]}});
    setting.put("routes", &refused)?;
    setting.put("beside", &beside("three"))?;
    setting.sees("/", |answer| answer.text() == "three").await?;
    setting
        .has_status("VirtualService", "routes", "Rejected", &words)
        .await?;
    let ask = async || {
        let mut request = post("/one", "{}");
        let name = HeaderValue::from_static("routes.example.com");
        request.headers_mut().insert("host", name);
        Client::http1(setting.address).await?.send(request).await
    };
    assert_eq!(ask().await?.text(), "one");
    setting
        .has_status("VirtualService", "beside", "Accepted", &[])
        .await?;
    let metrics = setting.tenon.admin().get("/metrics").await?;
    let refused = metrics
        .lines()
        .filter(|it| it.starts_with("tenon_xds_nacks"));
    let refused: Vec<_> = refused.filter(|it| !it.ends_with(" 0")).collect();
    assert!(refused.is_empty(), "{refused:?}");

    setting.put("routes", &routes("two", json!({"prefix": "/one"})))?;
    deadline::until("the next form", || async {
        Ok((ask().await?.text() == "two").then_some(()))
    })
    .await
}
