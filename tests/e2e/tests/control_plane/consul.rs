//! Services of Consul: their instances come and go, and so do answers of Consul itself.

use std::net::SocketAddr;
use std::sync::Arc;

use tenon_e2e::{ConsulDouble, ConsulInstance};

use super::kube::{not_asked, other_changes};
use super::*;

const TOKEN: &str = "7f3d1bb2-token";

fn settings(consul: &ConsulDouble, more: Value) -> Value {
    let mut of_consul = json!({"httpAddress": consul.address().to_string()});
    for (name, value) in more.as_object().into_iter().flatten() {
        of_consul[name] = value.clone();
    }
    json!({
        "apiVersion": "gloo.solo.io/v1",
        "kind": "Settings",
        "metadata": {"name": "default", "namespace": "gloo-system"},
        "spec": {"consul": of_consul},
    })
}

fn of_web(spec: Value, connect_timeout: &str) -> Value {
    let mut consul = json!({"serviceName": "web"});
    for (name, value) in spec.as_object().into_iter().flatten() {
        consul[name] = value.clone();
    }
    let connection = json!({"connectTimeout": connect_timeout});
    object(
        "Upstream",
        "web",
        json!({"consul": consul, "connectionConfig": connection}),
    )
}

fn to_upstream() -> Value {
    json!({"routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}}})
}

fn to_service(prefix: &str, of: Value) -> Value {
    let mut consul = json!({"serviceName": "web"});
    for (name, value) in of.as_object().into_iter().flatten() {
        consul[name] = value.clone();
    }
    json!({"matchers": [{"prefix": prefix}], "routeAction": {"single": {"consul": consul}}})
}

fn at(address: SocketAddr, tags: &[&str]) -> ConsulInstance {
    ConsulInstance::at(address, tags)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_come_and_go_without_a_lost_request_or_a_push_of_clusters() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let consul = ConsulDouble::start(&["dc1"]).await?;
    consul.set("dc1", "web", &[at(one.address(), &[])]);
    let setting = Resources::new()?
        .put("settings", &settings(&consul, json!({})))?
        .put(
            "upstream",
            &of_web(json!({"instanceBlacklistTags": ["old"]}), "5s"),
        )?
        .put("routes", &virtual_service("web", "*", &[to_upstream()]))?
        .start(Filter::So)
        .await?;
    setting.sees("/", |answer| answer.text() == "one").await?;
    let load = Load::start(setting.address, "/", CLIENTS);
    load.more(100).await?;
    let before = other_changes(&setting).await?;
    for round in 0..5 {
        // The other one comes, and takes over.
        consul.set(
            "dc1",
            "web",
            &[at(one.address(), &[]), at(two.address(), &[])],
        );
        setting.sees("/", |answer| answer.text() == "two").await?;
        let mut gone = at(one.address(), &[]);
        match round % 3 {
            0 => gone.health = "critical",
            1 => gone.health = "warning",
            _ => gone.tags.push("old".to_owned()),
        }
        // By the address of its node.
        let mut own = at(two.address(), &["v2"]);
        own.node = std::mem::take(&mut own.address);
        consul.set("dc1", "web", &[gone, own]);
        not_asked(&one, &load).await?;
        // And back.
        consul.set(
            "dc1",
            "web",
            &[at(one.address(), &[]), at(two.address(), &[])],
        );
        setting.sees("/", |answer| answer.text() == "one").await?;
        consul.set("dc1", "web", &[at(one.address(), &[])]);
        not_asked(&two, &load).await?;
    }
    assert_eq!(
        other_changes(&setting).await?,
        before,
        "no cluster, listener or route was told again"
    );
    assert_eq!(load.stop().await?, Vec::<String>::new());
    // All questions but the first wait for a change.
    let asked = consul.asked();
    let of_service: Vec<_> = asked
        .iter()
        .filter(|it| it.starts_with("/v1/health/"))
        .collect();
    assert!(
        of_service[0].ends_with("/web?passing&dc=dc1&cached"),
        "{asked:?}"
    );
    assert!(
        of_service[1..].iter().all(|it| it.contains("&index=")),
        "{asked:?}"
    );
    assert!(of_service.len() < 30, "{} questions", of_service.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_an_upstream_of_consul_takes_no_endpoints_away() -> Result<()> {
    let one = PlainDouble::saying("one").await?;
    let consul = ConsulDouble::start(&["dc1", "dc2"]).await?;
    consul.set("dc1", "web", &[at(one.address(), &["v1"])]);
    let setting = Resources::new()?
        .put("settings", &settings(&consul, json!({})))?
        .put("upstream", &of_web(json!({}), "5s"))?
        .put("routes", &virtual_service("web", "*", &[to_upstream()]))?
        .start(Filter::So)
        .await?;
    setting.sees("/", |answer| answer.text() == "one").await?;
    let load = Load::start(setting.address, "/", CLIENTS);
    load.more(50).await?;
    let edits = [
        json!({}),
        json!({"instanceTags": ["v1"]}),
        // Other questions, whose answers are still to come when the cluster is another one already.
        json!({"dataCenters": ["dc1"]}),
        json!({"consistencyMode": "ConsistentMode"}),
        json!({"connectEnabled": true}),
    ];
    for (round, edit) in (1..).zip(edits) {
        let before = changes(&setting.envoy).await?;
        setting.put("upstream", &of_web(edit, &format!("{round}.5s")))?;
        deadline::until("the edited cluster", || async {
            let now = changes(&setting.envoy).await?;
            let modified = "cluster_manager.cluster_modified";
            Ok((now[modified] > before[modified]).then_some(()))
        })
        .await?;
        load.more(50).await?;
    }
    assert_eq!(load.stop().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_consul_is_down_all_stays_even_over_a_restart() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let consul = ConsulDouble::start(&["dc1"]).await?;
    consul.set("dc1", "web", &[at(one.address(), &[])]);
    let mut setting = Resources::new()?
        .put("settings", &settings(&consul, json!({})))?
        .put("upstream", &of_web(json!({}), "5s"))?
        .put(
            "routes",
            &virtual_service(
                "web",
                "*",
                &[to_upstream(), to_service("/service", json!({}))],
            ),
        )?
        .start(Filter::So)
        .await?;
    setting.sees("/", |answer| answer.text() == "one").await?;
    setting
        .has_status("Upstream", "web", "Accepted", &[])
        .await?;
    let load = Load::start(setting.address, "/", CLIENTS);
    load.more(50).await?;
    consul.set_down(true);
    setting
        .has_status(
            "Upstream",
            "web",
            "Warning",
            &["those found last stay: data centre"],
        )
        .await?;
    setting
        .has_status("VirtualService", "web", "Warning", &["No cluster leader"])
        .await?;
    load.more(50).await?;
    // It does not even know any more what there was.
    setting.tenon.process().kill()?;
    setting.tenon.serve_again().await?;
    setting
        .has_status(
            "Upstream",
            "web",
            "Warning",
            &["cannot be looked up: Consul answered 500"],
        )
        .await?;
    load.more(50).await?;
    // Its indexes are lower than they were, too.
    consul.set("dc1", "web", &[at(two.address(), &[])]);
    consul.go_backwards();
    consul.set_down(false);
    deadline::until("the other instance", || async {
        Ok((setting.ask("/").await?.text() == "two").then_some(()))
    })
    .await?;
    setting
        .has_status("Upstream", "web", "Accepted", &[])
        .await?;
    // The same while a question is under way.
    consul.forget();
    consul.set("dc1", "web", &[at(two.address(), &["v2"])]);
    consul
        .is_asked("a question that waits", |it| it.contains("&index=2&"))
        .await?;
    consul.forget();
    consul.go_backwards();
    consul
        .is_asked("one of the lower index", |it| it.contains("&index=1&"))
        .await?;
    load.more(50).await?;
    consul.set("dc1", "web", &[at(one.address(), &[])]);
    setting.sees("/", |answer| answer.text() == "one").await?;
    assert_eq!(load.stop().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_names_services_of_consul_and_parts_of_them() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let consul = ConsulDouble::start(&["dc1", "dc2"]).await?;
    consul.set("dc1", "web", &[at(one.address(), &["v1", "stable"])]);
    consul.set("dc2", "web", &[at(two.address(), &["v2", "stable"])]);
    let mut routes = vec![
        to_service("/one", json!({"tags": ["v1", "stable"]})),
        to_service("/two", json!({"dataCenters": ["dc2"]})),
        to_service("/none", json!({"tags": ["v1"], "dataCenters": ["dc2"]})),
    ];
    let setting = Resources::new()?
        .put(
            "settings",
            &settings(&consul, json!({"serviceDiscovery": {}})),
        )?
        .put("routes", &virtual_service("web", "*", &routes))?
        .start(Filter::So)
        .await?;
    setting
        .sees("/one", |answer| answer.text() == "one")
        .await?;
    setting
        .sees("/two", |answer| answer.text() == "two")
        .await?;
    for _ in 0..20 {
        assert_eq!(setting.ask("/one").await?.text(), "one");
        assert_eq!(setting.ask("/two").await?.text(), "two");
        assert_eq!(setting.ask("/none").await?.status, 503);
    }
    setting
        .has_status(
            "VirtualService",
            "web",
            "Warning",
            &["Consul has no instance of it"],
        )
        .await?;
    let clusters = |setting: &setting::Setting| {
        let admin = setting.envoy.admin();
        async move {
            let found = admin.json("/clusters?format=json").await?;
            let names = found["cluster_statuses"].as_array().into_iter().flatten();
            let names = names.filter_map(|it| it["name"].as_str().map(str::to_owned));
            Ok::<_, anyhow::Error>(
                names
                    .filter(|it| it.starts_with("consul-svc:"))
                    .collect::<Vec<_>>(),
            )
        }
    };
    assert_eq!(clusters(&setting).await?.len(), 3);
    // The tag moves, and no cluster is told again.
    let before = other_changes(&setting).await?;
    consul.set("dc1", "web", &[at(one.address(), &["stable"])]);
    consul.set("dc2", "web", &[at(two.address(), &["v1", "stable"])]);
    setting
        .sees("/one", |answer| answer.text() == "two")
        .await?;
    setting
        .sees("/none", |answer| answer.text() == "two")
        .await?;
    assert_eq!(other_changes(&setting).await?, before);
    // All of it, beside a part; what no route names any more is no cluster.
    routes.truncate(1);
    routes.push(to_service("/", json!({})));
    setting.put("routes", &virtual_service("web", "*", &routes))?;
    for name in ["one", "two"] {
        setting.sees("/any", |answer| answer.text() == name).await?;
    }
    deadline::until("the clusters of what is named", || async {
        Ok((clusters(&setting).await?.len() == 2).then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consul_is_asked_over_tls_with_a_token() -> Result<()> {
    let one = PlainDouble::saying("one").await?;
    let roots = tempfile::TempDir::with_prefix("tenon-consul-")?;
    let root_file = roots.path().join("ca.pem");
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    std::fs::write(&root_file, certified.cert.pem())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certified.cert.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der())
                .map_err(anyhow::Error::msg)?,
        )?;
    let consul = ConsulDouble::start_tls(&["dc1"], tls).await?;
    consul.require(TOKEN);
    consul.set("dc1", "web", &[at(one.address(), &[])]);
    let told = |more: Value| {
        let mut told = json!({"httpAddress": format!("https://{}", consul.address())});
        for (name, value) in more.as_object().into_iter().flatten() {
            told[name] = value.clone();
        }
        settings(&consul, told)
    };
    let setting = Resources::new()?
        .put("settings", &told(json!({})))?
        .put("upstream", &of_web(json!({}), "5s"))?
        .put("routes", &virtual_service("web", "*", &[to_upstream()]))?
        .start(Filter::So)
        .await?;
    setting
        .has_status("Upstream", "web", "Warning", &["certificate"])
        .await?;
    let trusted = json!({"caFile": root_file});
    setting.put("settings", &told(trusted.clone()))?;
    setting
        .has_status("Upstream", "web", "Warning", &["Consul's ACLs hide it"])
        .await?;
    let with_token = |token: &str, mut of: Value| {
        of["token"] = json!(token);
        told(of)
    };
    setting.put("settings", &with_token("of-somebody-else", trusted.clone()))?;
    setting
        .has_status(
            "Upstream",
            "web",
            "Warning",
            &["Consul answered 403: ACL not found"],
        )
        .await?;
    assert_eq!(setting.ask("/").await?.status, 503);
    setting.put("settings", &with_token(TOKEN, trusted))?;
    setting
        .has_status("Upstream", "web", "Accepted", &[])
        .await?;
    setting.sees("/", |answer| answer.text() == "one").await?;
    // Who asks anew asks for what there is, and not for what changes.
    consul.forget();
    setting.put(
        "settings",
        &with_token(TOKEN, json!({"insecureSkipVerify": true})),
    )?;
    consul
        .is_asked("without looking at the certificate", |it| {
            it.contains("/health/") && !it.contains("&index=")
        })
        .await?;
    assert_eq!(setting.ask("/").await?.text(), "one");
    // A token that may not see the service any more takes nothing away.
    setting.put("settings", &told(json!({"insecureSkipVerify": true})))?;
    setting
        .has_status("Upstream", "web", "Warning", &["those found last stay"])
        .await?;
    assert_eq!(setting.ask("/").await?.text(), "one");
    assert!(!setting.tenon.log().contains(TOKEN), "a token in the log");
    Ok(())
}
