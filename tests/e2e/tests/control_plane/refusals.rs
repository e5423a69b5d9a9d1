//! What Envoy itself refuses: traced to its object, while all beside it arrives.

use std::net::TcpListener;

use anyhow::Result;
use serde_json::{Value, json};
use tenon_e2e::{Client, Filter, PlainDouble, deadline, free_port, post};

use super::setting::{Resources, Setting, object, to_answer, virtual_service};

fn gateway(name: &str, port: u16) -> Value {
    let spec = json!({"bindAddress": "127.0.0.1", "bindPort": port, "httpGateway": {}});
    object("Gateway", name, spec)
}

async fn until_status(setting: &Setting, name: &str, wanted: &str) -> Result<String> {
    deadline::until(&format!("the status {wanted} of {name}"), || async {
        let (state, messages) = setting.status("Gateway", name).await?;
        Ok((state == wanted).then_some(messages))
    })
    .await
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

    let words = until_status(&setting, "taken", "Rejected").await?;
    assert!(
        words.contains("Envoy refuses it: ") && words.contains("Address already in use"),
        "{words}"
    );
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
        assert_eq!(
            setting.status("Gateway", name).await?.0,
            "Accepted",
            "{name}"
        );
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
    until_status(&setting, "taken", "Accepted").await?;
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
        let words = deadline::until("Envoy's words", || async {
            let (state, messages) = setting.status("Upstream", "web").await?;
            Ok((state == "Rejected").then_some(messages))
        })
        .await?;
        assert!(
            words.contains("Envoy refuses it: ")
                && words.contains("/nowhere/tls.")
                && words.contains("its last good form stays in use"),
            "{restarted}: {words}"
        );
        let before = one.requests().len();
        assert_eq!(setting.ask("/").await?.status, 200);
        assert_eq!(one.requests().len(), before + 1);
        assert_eq!(
            setting.status("VirtualService", "routes").await?.0,
            "Accepted"
        );
    }

    setting.put("web", &upstream(&two, Value::Null))?;
    deadline::until("the good form", || async {
        let answer = setting.ask("/").await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        Ok((!two.requests().is_empty()).then_some(()))
    })
    .await?;
    assert_eq!(setting.status("Upstream", "web").await?.0, "Accepted");
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
    until_status(&setting, "fixed", "Accepted").await?;
    let mut holder = None;
    setting
        .replace_envoy(|| {
            holder = Some(TcpListener::bind(("127.0.0.1", port))?);
            Ok(())
        })
        .await?;
    let words = until_status(&setting, "fixed", "Rejected").await;
    let status = setting.tenon.status().await?.to_string();
    assert!(status.contains("Address already in use"), "{words:?}");

    setting.put("web", &upstream(&two, None))?;
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
        let words = deadline::until("Envoy's words", || async {
            let (state, messages) = setting.status("Upstream", "web").await?;
            Ok((state == "Rejected").then_some(messages))
        })
        .await?;
        assert!(
            words.contains("its last good form stays in use"),
            "{restarted}: {words}"
        );
        let before = two.requests().len();
        assert_eq!(setting.ask("/").await?.status, 200);
        assert_eq!(two.requests().len(), before + 1, "{restarted}");
    }
    drop(holder);
    Ok(())
}
