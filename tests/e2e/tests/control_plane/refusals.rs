//! What Envoy itself refuses: traced to its object, while all beside it arrives.

use std::net::TcpListener;

use anyhow::Result;
use serde_json::{Value, json};
use tenon_e2e::{Client, Filter, PlainDouble, deadline, free_port, post};

use super::setting::{Resources, object, to_answer, virtual_service};

const IN_USE: &str = "Address already in use";
const STAYS: &str = "its last good form stays in use";

fn gateway(name: &str, port: u16) -> Value {
    let spec = json!({"bindAddress": "127.0.0.1", "bindPort": port, "httpGateway": {}});
    object("Gateway", name, spec)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_envoy_refuses_is_said_of_its_gateway_and_holds_up_no_other() -> Result<()>
{
    refused_beside_others(Resources::new()?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_over_the_state_of_the_world() -> Result<()> {
    refused_beside_others(Resources::new()?.state_of_the_world()).await
}

async fn refused_beside_others(resources: Resources) -> Result<()> {
    let routes = |body: &str| virtual_service("routes", "*", &[to_answer("/", body)]);
    let setting = resources
        .put("routes", &routes("one"))?
        .start(Filter::So)
        .await?;
    setting.sees("/", |answer| answer.text() == "one").await?;
    // Not shared with Envoy, which binds with SO_REUSEPORT.
    let holder = TcpListener::bind(("127.0.0.1", 0))?;
    let (taken, free) = (holder.local_addr()?.port(), free_port()?);
    let both = format!(
        "{}\n---\n{}\n",
        gateway("taken", taken),
        gateway("free", free)
    );
    setting.put_text("more-gateways", &both)?;

    let words = ["Envoy refuses it: ", IN_USE];
    setting
        .has_status("Gateway", "taken", "Rejected", &words)
        .await?;
    let beside = || async {
        let Ok(mut client) = Client::http1(([127, 0, 0, 1], free).into()).await else {
            return Ok(None);
        };
        let answer = client.send(post("/", "{}")).await?;
        Ok((answer.status == 200).then(|| answer.text()))
    };
    assert_eq!(
        deadline::until("the listener beside it", beside).await?,
        "one"
    );
    for name in ["gateway", "free"] {
        setting.has_status("Gateway", name, "Accepted", &[]).await?;
    }
    // Edits arrive on both, and what was refused is not sent again.
    let refused = "listener_manager.lds.update_rejected";
    let before = setting.envoy.admin().stat(refused).await?;
    setting.put("routes", &routes("two"))?;
    setting.sees("/", |answer| answer.text() == "two").await?;
    assert_eq!(deadline::until("the edit beside it", beside).await?, "two");
    assert_eq!(setting.envoy.admin().stat(refused).await?, before);

    // The next form is sent.
    let other = free_port()?;
    let both = format!(
        "{}\n---\n{}\n",
        gateway("taken", other),
        gateway("free", free)
    );
    setting.put_text("more-gateways", &both)?;
    setting
        .has_status("Gateway", "taken", "Accepted", &[])
        .await?;
    Ok(())
}

/// A cluster that only Envoy itself can find fault with goes back to the form that it took, at once and over a restart of
/// the control plane with that file; the next good form is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_envoy_refuses_goes_back_to_the_form_that_it_took() -> Result<()> {
    let (one, two) = (PlainDouble::start().await?, PlainDouble::start().await?);
    let upstream = |to: &PlainDouble, ssl: Value| {
        let address = to.address();
        let host = json!({"addr": address.ip().to_string(), "port": address.port()});
        let mut spec = json!({"static": {"hosts": [host]}});
        if !ssl.is_null() {
            spec["sslConfig"] = ssl;
        }
        object("Upstream", "web", spec)
    };
    let missing =
        json!({"sslFiles": {"tlsCert": "/nowhere/tls.crt", "tlsKey": "/nowhere/tls.key"}});
    let route = json!({
        "matchers": [{"prefix": "/"}],
        "routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}},
    });
    let mut setting = Resources::new()?
        .put("web", &upstream(&one, Value::Null))?
        .put("routes", &virtual_service("routes", "*", &[route]))?
        .start(Filter::So)
        .await?;
    assert_eq!(setting.ask("/").await?.status, 200);

    setting.put("web", &upstream(&two, missing))?;
    for restarted in [false, true] {
        if restarted {
            setting.tenon.process().kill()?;
            setting.tenon.serve_again().await?;
        }
        let words = ["Envoy refuses it: ", "/nowhere/tls.", STAYS];
        setting
            .has_status("Upstream", "web", "Rejected", &words)
            .await?;
        let before = one.requests().len();
        assert_eq!(setting.ask("/").await?.status, 200);
        assert_eq!(one.requests().len(), before + 1);
        setting
            .has_status("VirtualService", "routes", "Accepted", &[])
            .await?;
    }

    setting.put("web", &upstream(&two, Value::Null))?;
    deadline::until("the good form", || async {
        let answer = setting.ask("/").await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        Ok((!two.requests().is_empty()).then_some(()))
    })
    .await?;
    setting
        .has_status("Upstream", "web", "Accepted", &[])
        .await?;
    Ok(())
}

/// What an Envoy accepts is proven, though it refuses a listener of old for as long as it runs: an edit that it refuses goes
/// back to the form before, not to that of long ago, at once and over a restart of the control plane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_refused_keeps_nothing_else_in_doubt() -> Result<()> {
    let (one, two) = (PlainDouble::start().await?, PlainDouble::start().await?);
    let upstream = |to: &PlainDouble, ssl: Option<Value>| {
        let address = to.address();
        let host = json!({"addr": address.ip().to_string(), "port": address.port()});
        let mut spec = json!({"static": {"hosts": [host]}});
        if let Some(ssl) = ssl {
            spec["sslConfig"] = ssl;
        }
        object("Upstream", "web", spec)
    };
    let route = json!({
        "matchers": [{"prefix": "/"}],
        "routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}},
    });
    let port = free_port()?;
    let mut setting = Resources::new()?
        .put("web", &upstream(&one, None))?
        .put("fixed", &gateway("fixed", port))?
        .put("routes", &virtual_service("routes", "*", &[route]))?
        .start(Filter::So)
        .await?;
    assert_eq!(setting.ask("/").await?.status, 200);
    setting
        .has_status("Gateway", "fixed", "Accepted", &[])
        .await?;
    let mut holder = None;
    setting
        .replace_envoy(|| {
            holder = Some(TcpListener::bind(("127.0.0.1", port))?);
            Ok(())
        })
        .await?;
    setting
        .has_status("Gateway", "fixed", "Rejected", &[IN_USE])
        .await?;

    // A request may see it before Envoy's answer has come, which is what proves it.
    setting.put_and_wait("web", &upstream(&two, None)).await?;
    deadline::until("the new form", || async {
        setting.ask("/").await?;
        Ok((!two.requests().is_empty()).then_some(()))
    })
    .await?;
    let missing = json!({"sslFiles": {"tlsCert": "/nowhere/a", "tlsKey": "/nowhere/b"}});
    setting.put("web", &upstream(&one, Some(missing)))?;
    for restarted in [false, true] {
        if restarted {
            setting.tenon.process().kill()?;
            setting.tenon.serve_again().await?;
        }
        setting
            .has_status("Upstream", "web", "Rejected", &[STAYS])
            .await?;
        let before = two.requests().len();
        assert_eq!(setting.ask("/").await?.status, 200);
        assert_eq!(two.requests().len(), before + 1, "{restarted}");
    }
    drop(holder);
    Ok(())
}
