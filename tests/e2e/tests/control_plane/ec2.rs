//! Instances of EC2, as a service tells them that Tenon's authors did not write.

use std::net::{IpAddr, SocketAddr};

use tenon_e2e::Ministack;

use super::kube::{not_asked, other_changes};
use super::*;

fn of_web(spec: Value, connect_timeout: &str) -> Value {
    let mut ec2 = json!({
        "region": "us-east-1",
        "secretRef": {"name": "aws", "namespace": "default"},
        "filters": [{"key": "SERVICE"}, {"kvPair": {"key": "tier", "value": "front"}}],
    });
    for (name, value) in spec.as_object().into_iter().flatten() {
        ec2[name] = value.clone();
    }
    let connection = json!({"connectTimeout": connect_timeout});
    object(
        "Upstream",
        "web",
        json!({"awsEc2": ec2, "connectionConfig": connection}),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_of_ec2_come_and_go_without_a_push_of_clusters() -> Result<()> {
    let ministack = Ministack::start().await?;
    let one = PlainDouble::saying("one").await?;
    let port = one.address().port();
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], port));
    let two = PlainDouble::start_at(elsewhere).await?;
    two.answer(Answer::body("two"));
    let run = |ip: IpAddr, service: &'static str, tier: &'static str| {
        let ministack = &ministack;
        async move {
            let tags = [("service", service), ("tier", tier)];
            ministack.run_instance(ip, &tags).await
        }
    };
    run(one.address().ip(), "web", "front").await?;
    // Of somebody else.
    run(IpAddr::from([127, 0, 0, 3]), "web", "back").await?;
    let to_upstream =
        json!({"routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}}});
    let setting = Resources::new()?
        .with_environment(
            "AWS_ENDPOINT_URL_EC2",
            format!("http://{}", ministack.address()),
        )
        .with_environment("TENON_EC2_INTERVAL", "1")
        .put("secret", &secret("aws", ministack.key()))?
        .put("upstream", &of_web(json!({"port": port}), "5s"))?
        .put("routes", &virtual_service("web", "*", &[to_upstream]))?
        .start(Filter::So)
        .await?;
    let sees = async |name: &str| {
        deadline::until(name, || async {
            Ok((setting.ask("/").await?.text() == name).then_some(()))
        })
        .await
    };
    sees("one").await?;
    let load = Load::start(setting.address, "/", CLIENTS);
    load.more(50).await?;
    let before = other_changes(&setting).await?;
    let id = run(elsewhere.ip(), "web", "front").await?;
    sees("two").await?;
    // One that is stopped still answers here, so that nothing is lost while it is not known yet.
    ministack.stop_instance(&id).await?;
    not_asked(&two, &load).await?;
    assert_eq!(
        other_changes(&setting).await?,
        before,
        "no cluster, listener or route was told again"
    );
    // An edit of the upstream is one of its cluster alone, even where the answer to another question is still to come.
    for (edit, timeout) in [
        (json!({"port": port}), "1.5s"),
        (
            json!({"port": port, "filters": [{"key": "tier"}, {"kvPair": {"key": "service", "value": "web"}}, {"kvPair": {"key": "tier", "value": "front"}}]}),
            "2.5s",
        ),
    ] {
        let modified = async || {
            let changes = changes(&setting.envoy).await?;
            anyhow::Ok(changes["cluster_manager.cluster_modified"])
        };
        let before = modified().await?;
        setting.put("upstream", &of_web(edit, timeout))?;
        deadline::until("the edited cluster", async || {
            Ok((modified().await? > before).then_some(()))
        })
        .await?;
        load.more(50).await?;
    }
    // Keys that are not good any more take nothing away.
    setting.put(
        "secret",
        &secret("aws", &AccessKey::new("AKIDUNKNOWN", "unknown")),
    )?;
    let words = ["those found last stay: AuthFailure"];
    setting
        .has_status("Upstream", "web", "Warning", &words)
        .await?;
    load.more(50).await?;
    assert_eq!(load.stop().await?, Vec::<String>::new());
    let key = ministack.key();
    assert!(
        !setting.tenon.log().contains(&key.secret),
        "a key in the log"
    );
    Ok(())
}
