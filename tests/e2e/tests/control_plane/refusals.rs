//! What Envoy itself refuses: traced to its object, while all beside it arrives.

use std::net::TcpListener;

use anyhow::Result;
use serde_json::{Value, json};
use tenon_e2e::{Client, Filter, deadline, free_port, post};

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
