//! The control plane and the filters together, on a real Envoy: what an edit does to the requests that flow meanwhile, and
//! what becomes of them when the control plane is gone.

mod canary;
mod consul;
mod defaults;
mod delegation;
mod ec2;
mod fields;
mod forged;
mod forward_proxy;
mod google;
mod http3;
mod identity;
mod kills;
mod kube;
mod left;
mod limits;
mod listeners;
mod missing_files;
mod options;
mod payloads;
mod providers;
mod proxies;
mod refusals;
mod rest;
mod scopes;
mod servers;
mod services;
mod setting;
mod tcp;
mod tls;
mod transformations;
mod trees;
mod upstreams;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use serde_json::{Value, json};
use tenon_contract::LAMBDA_PAYLOAD_LIMIT;
use tenon_e2e::sigv4::AccessKey;
use tenon_e2e::{
    Answer, Client, Envoy, Filter, Gate, LambdaDouble, Load, PlainDouble, Tenon, deadline, gateway,
    get, on_both_hosts, post, request,
};

use setting::{
    Resources, object, secret, service, to_answer, to_function, upstream, virtual_service,
};

const CLIENTS: usize = 8;
/// How long an edit may take until requests see it.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn lambda(blue: &str, green: &str) -> Result<LambdaDouble> {
    let lambda = LambdaDouble::start().await?;
    lambda.answer("blue", [Answer::body(blue.to_owned())]);
    lambda.answer("green", [Answer::body(green.to_owned())]);
    Ok(lambda)
}

fn other_key() -> AccessKey {
    AccessKey::new("AKIDAFTERROTATION", "SecretKeyAfterTheRotation/+987654321")
}

/// What says that something was added, changed or taken away.
async fn changes(envoy: &Envoy) -> Result<BTreeMap<String, u64>> {
    let stats = envoy.admin().stats().await?;
    let is_change = |name: &str| {
        matches!(
            name,
            "cluster_manager.cluster_added"
                | "cluster_manager.cluster_modified"
                | "cluster_manager.cluster_removed"
                | "cluster_manager.cluster_updated_via_merge"
                | "cluster_manager.cds.update_rejected"
                | "listener_manager.listener_added"
                | "listener_manager.listener_modified"
                | "listener_manager.listener_removed"
                | "listener_manager.listener_in_place_updated"
                | "listener_manager.lds.update_rejected"
        ) || name.contains(".rds.")
            && (name.ends_with(".config_reload") || name.ends_with(".update_rejected"))
    };
    Ok(stats
        .into_iter()
        .filter(|(name, _)| is_change(name))
        .collect())
}

/// The versions that Envoy has of its clusters and listeners.
async fn versions(envoy: &Envoy) -> Result<BTreeMap<String, String>> {
    let dump = envoy.admin().json("/config_dump").await?;
    let mut versions = BTreeMap::new();
    for part in dump["configs"].as_array().into_iter().flatten() {
        for cluster in part["dynamic_active_clusters"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let name = format!("cluster {}", cluster["cluster"]["name"]);
            versions.insert(name, cluster["version_info"].to_string());
        }
        for listener in part["dynamic_listeners"].as_array().into_iter().flatten() {
            let name = format!("listener {}", listener["name"]);
            versions.insert(name, listener["active_state"]["version_info"].to_string());
        }
    }
    anyhow::ensure!(
        versions.len() == 2,
        "a cluster and a listener: {versions:?}"
    );
    Ok(versions)
}

fn route_reloads(changes: &BTreeMap<String, u64>) -> u64 {
    let reloads = changes
        .iter()
        .filter(|(name, _)| name.ends_with(".config_reload"));
    reloads.map(|(_, count)| count).sum()
}

fn without_routes(changes: &BTreeMap<String, u64>) -> BTreeMap<&str, u64> {
    let others = changes
        .iter()
        .filter(|(name, _)| !name.ends_with(".config_reload"));
    others.map(|(name, count)| (&**name, *count)).collect()
}

on_both_hosts! {
    async fn an_edit_is_seen_within_a_second_and_costs_no_request(filter: Filter) -> Result<()> {
        let (one, two) = (lambda("blue", "green").await?, lambda("blue of two", "green of two").await?);
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &one))?
            .put("routes", &virtual_service("routes", "*", &[to_function("/", "lambda", "blue")]))?
            .start(filter)
            .await?;
        setting.sees("/", |answer| answer.text() == "blue").await?;
        let load = Load::start(setting.address, "/", CLIENTS);
        load.more(100).await?;

        // The route.
        let mut took = Vec::new();
        let edited = Instant::now();
        setting.put("routes", &virtual_service("routes", "*", &[to_function("/", "lambda", "green")]))?;
        setting.sees("/", |answer| answer.text() == "green").await?;
        took.push(edited.elapsed());
        load.more(100).await?;

        // The upstream.
        let edited = Instant::now();
        setting.put("upstream", &upstream("lambda", &two))?;
        setting.sees("/", |answer| answer.text() == "green of two").await?;
        took.push(edited.elapsed());
        load.more(100).await?;

        // The secret: both keys are good until nobody uses the old one.
        two.set_keys([LambdaDouble::key(), other_key()]);
        let before = changes(&setting.envoy).await?;
        let edited = Instant::now();
        setting.put("secret", &secret("lambda", &other_key()))?;
        setting.sees("/", |_| {
            two.calls("green").last().is_some_and(|call| call.request.header("authorization").contains(&other_key().id))
        })
        .await?;
        took.push(edited.elapsed());
        // Milliseconds are usual. A machine with more to do may be late once; what waits for something is late each time.
        assert!(took.iter().any(|took| *took < AT_ONCE), "{took:?}");
        assert_eq!(changes(&setting.envoy).await?, before, "a rotation changes no cluster, listener or route");
        load.more(100).await?;
        two.set_keys([other_key()]);
        load.more(100).await?;

        assert_eq!(load.stop().await?, Vec::<String>::new());
        for call in ["blue", "green"].iter().flat_map(|name| [one.calls(name), two.calls(name)]).flatten() {
            assert_eq!(call.refusal, None);
        }
        Ok(())
    }

    async fn a_killed_control_plane_is_missed_by_nobody(filter: Filter) -> Result<()> {
        kill_and_restart(Resources::new()?, filter).await
    }

    async fn a_broken_file_touches_nothing_beside_it(filter: Filter) -> Result<()> {
        let lambda = lambda("blue", "green").await?;
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[to_function("/", "lambda", "blue")]))?
            .put_text("broken", "apiVersion: gloo.solo.io/v1\nkind: [Upstream\n")?
            .put("wrong", &object("Upstream", "wrong", json!({"static": {"hosts": [{"addr": "127.0.0.1", "port": "many"}]}})))?
            .start(filter)
            .await?;
        setting.sees("/", |answer| answer.text() == "blue").await?;
        setting.has_status("Upstream", "wrong", "Rejected", &["spec.static.hosts[0].port"]).await?;
        setting.has_status("Upstream", "lambda", "Accepted", &[]).await?;
        assert!(setting.tenon.log().contains("broken.yaml"), "{}", setting.tenon.log());
        let load = Load::start(setting.address, "/", CLIENTS);
        load.more(50).await?;
        // A file that was good keeps its last good form, and what was edited beside it is seen.
        setting.put_text("upstream", "kind: {")?;
        setting.put("beside", &virtual_service("beside", "beside.example", &[to_answer("/", "beside")]))?;
        let beside = || async {
            let mut request = post("/", "{}");
            request.headers_mut().insert("host", http::HeaderValue::from_static("beside.example"));
            Client::http1(setting.address).await?.send(request).await
        };
        deadline::until("the virtual host beside it", || async {
            Ok((beside().await?.text() == "beside").then_some(()))
        })
        .await?;
        load.more(50).await?;
        assert_eq!(setting.ask("/").await?.text(), "blue");
        // And it is served again once it is whole.
        let again = self::lambda("blue again", "green again").await?;
        setting.put("upstream", &upstream("lambda", &again))?;
        setting.sees("/", |answer| answer.text() == "blue again").await?;
        load.more(50).await?;
        assert_eq!(load.stop().await?, Vec::<String>::new());
        Ok(())
    }

    async fn a_missing_secret_delays_no_listener(filter: Filter) -> Result<()> {
        let lambda = lambda("blue", "green").await?;
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("without", &upstream("without", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[
                to_function("/without", "without", "blue"),
                to_function("/", "lambda", "blue"),
            ]))?
            .start(filter)
            .await?;
        assert_eq!(setting.ask("/").await?.text(), "blue");
        let refused = setting.ask("/without").await?;
        assert_eq!((refused.status, refused.header("x-tenon-error")), (503, "no_credentials"));
        setting.has_status("Upstream", "without", "Warning", &["default/without"]).await?;
        let before = changes(&setting.envoy).await?;
        setting.put("its-secret", &secret("without", &LambdaDouble::key()))?;
        setting.sees("/without", |answer| answer.status == 200).await?;
        assert_eq!(changes(&setting.envoy).await?, before);
        setting.has_status("Upstream", "without", "Accepted", &[]).await?;
        // And gone again.
        setting.remove("its-secret")?;
        setting.sees("/without", |answer| answer.status == 503).await?;
        assert_eq!(setting.ask("/").await?.text(), "blue");
        Ok(())
    }

    async fn secrets_are_shown_by_neither_side(filter: Filter) -> Result<()> {
        let lambda = lambda("blue", "green").await?;
        let key = AccessKey {
            session_token: Some("TheSessionTokenOfThisTest//////////wEaDJ".into()),
            ..LambdaDouble::key()
        };
        lambda.set_keys([key.clone()]);
        let shadow = PlainDouble::start().await?;
        let mut mirrored = to_function("/", "lambda", "blue");
        mirrored["options"] = json!({"shadowing": {"upstream": {"name": "shadow", "namespace": "default"}, "percentage": 100}});
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &key))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("shadow", &service("shadow", shadow.address()))?
            .put("routes", &virtual_service("routes", "*", &[mirrored]))?
            .start(filter)
            .await?;
        for path in ["/one", "/two"] {
            assert_eq!(setting.ask(path).await?.text(), "blue");
        }
        for copy in shadow.wait_for_requests(2).await? {
            let ours = |name: &&http::HeaderName| {
                ["authorization", "x-amz-", "x-tenon-"].iter().any(|ours| name.as_str().starts_with(ours))
            };
            assert_eq!(copy.headers.keys().find(ours), None);
            assert_eq!(copy.body, "{}");
        }
        // A secret that cannot be read is quoted by nobody either.
        let mut half = secret("half", &key);
        half["stringData"]["aws_access_key_id"] = json!(["no", "text"]);
        setting.put("half", &half)?;
        setting.has_status("Secret", "half", "Rejected", &[]).await?;
        // Nothing tells the `.wasm` in time that a client has gone: its request is logged with the signature still in it.
        let gate = Gate::new();
        lambda.answer("blue", [Answer::body("late").held_by(&gate)]);
        let lost = Client::http1(setting.address).await?;
        let mut sending = lost.share();
        let sent = tokio::spawn(async move { sending.send(post("/lost", "{}")).await });
        lambda.wait_for_calls("blue", 3).await?;
        lost.hang_up();
        assert!(sent.await?.is_err());
        gate.open();
        let log = gateway::access_log(&setting.access_log(), 3).await?;
        assert_eq!(log.len(), 3, "each request is logged once: {log:?}");
        let mut places = vec![
            ("the access log", Value::from(log.clone()).to_string()),
            ("Envoy's log at debug level", setting.envoy.log()),
            ("Tenon's log at debug level", setting.tenon.log()),
        ];
        for page in ["/config_dump?include_eds", "/stats", "/clusters"] {
            places.push((page, setting.envoy.admin().get(page).await?));
        }
        for page in ["/config", "/status", "/metrics"] {
            places.push((page, setting.tenon.admin().get(page).await?));
        }
        let token = key.session_token.clone().unwrap_or_default();
        for (place, text) in places {
            assert!(!text.is_empty(), "{place}");
            for secret in [&*key.secret, &*token, "AWS4-HMAC-SHA256 Credential", "Signature="] {
                if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                    panic!("{secret} in {place}: {line}");
                }
            }
        }
        for entry in &log {
            for name in ["authorization", "x-amz-security-token"] {
                assert!(matches!(entry[name].as_str(), None | Some("-")), "{entry}");
            }
        }
        for entry in &log[..2] {
            assert_eq!((&entry["tenon"]["upstream"], &entry["tenon"]["function"]), (&json!("lambda_default"), &json!("blue")));
        }
        Ok(())
    }

    async fn what_is_translated_has_room_for_large_bodies_and_retries(filter: Filter) -> Result<()> {
        let limit = usize::try_from(LAMBDA_PAYLOAD_LIMIT)?;
        let lambda = lambda("blue", "green").await?;
        let mut retried = to_function("/", "lambda", "blue");
        retried["options"] = json!({"retries": {"retryOn": "5xx", "numRetries": 2}});
        let mut event = to_function("/event", "lambda", "green");
        event["routeAction"]["single"]["destinationSpec"]["aws"]["wrapAsApiGateway"] = json!(true);
        event["options"] = json!({"prefixRewrite": "/rewritten"});
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[event, retried]))?
            .start(filter)
            .await?;
        lambda.answer("green", [Answer::echo()]);
        let body: Bytes = (0..limit).map(|at| (at / 251 + at) as u8).collect();
        for (round, mut client) in setting.clients().await?.into_iter().enumerate() {
            lambda.answer("blue", [Answer::status(503), Answer::function_error("no"), Answer::echo()]);
            let answer = client.send(post("/", body.clone())).await?;
            assert_eq!(answer.status, 200);
            assert!(answer.body == body, "{} bytes came back", answer.body.len());
            let calls = lambda.calls("blue");
            assert_eq!(calls.len(), 3 * (round + 1));
            assert!(calls.iter().all(|call| call.refusal.is_none() && call.request.body == body));
        }
        for mut client in setting.clients().await? {
            let mut forged = get("/event/one?a=1");
            for (name, value) in [
                ("x-envoy-original-path", "/forged"),
                ("x-tenon-call", "call.7"),
                ("x-tenon-secret", "forged"),
                ("authorization", "Bearer of-the-client"),
            ] {
                forged.headers_mut().insert(name, http::HeaderValue::from_static(value));
            }
            let event = client.send(forged).await?.json()?;
            assert_eq!((&event["path"], &event["httpMethod"]), (&json!("/event/one"), &json!("GET")));
            assert_eq!(event["headers"]["authorization"], "Bearer of-the-client");
            assert!(!event.to_string().contains("forged"), "{event}");
            let head = client.send(request(http::Method::HEAD, "/event", get("/").into_body())).await?;
            assert_eq!((head.status, head.body.len()), (200, 0));
            assert_eq!(client.send(get("/event")).await?.status, 200, "after a HEAD");
        }
        for mut client in setting.clients().await? {
            let answer = client.send(post("/", vec![b'x'; limit + 1])).await?;
            assert_eq!((answer.status, answer.header("x-tenon-error")), (413, "request_too_large"));
        }
        Ok(())
    }

    async fn up_serves_and_ends_with_all_that_it_started(filter: Filter) -> Result<()> {
        let lambda = lambda("blue", "green").await?;
        let folder = tempfile::tempdir()?;
        for (file, resource) in [
            ("gateway", object("Gateway", "gateway", json!({"bindAddress": "127.0.0.1", "bindPort": 0, "httpGateway": {}}))),
            ("secret", secret("lambda", &LambdaDouble::key())),
            ("upstream", upstream("lambda", &lambda)),
            ("routes", virtual_service("routes", "*", &[to_function("/", "lambda", "blue")])),
        ] {
            std::fs::write(folder.path().join(format!("{file}.yaml")), resource.to_string())?;
        }
        let mut tenon = Tenon::up(folder.path(), filter).await?;
        for mut client in [Client::http1(tenon.listener()?).await?, Client::http2(tenon.listener()?).await?] {
            let answer = client.send(post("/", "{}")).await?;
            assert_eq!((answer.status, &*answer.text()), (200, "blue"));
        }
        let envoy = tenon.envoy_admin();
        assert!(tenon.stop().await?.success());
        assert!(envoy.ask("/ready").await.is_err(), "Envoy has ended too");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_control_plane_is_missed_by_nobody_who_asks_for_the_state_of_the_world()
-> Result<()> {
    kill_and_restart(Resources::new()?.state_of_the_world(), Filter::So).await
}

async fn kill_and_restart(resources: Resources, filter: Filter) -> Result<()> {
    let lambda = lambda("blue", "green").await?;
    let routes = |more: &[Value]| {
        let routes = [more, &[to_function("/", "lambda", "blue")]].concat();
        virtual_service("routes", "*", &routes)
    };
    let mut setting = resources
        .put("secret", &secret("lambda", &LambdaDouble::key()))?
        .put("upstream", &upstream("lambda", &lambda))?
        .put("routes", &routes(&[]))?
        .start(filter)
        .await?;
    setting.sees("/", |answer| answer.text() == "blue").await?;
    let load = Load::start(setting.address, "/", CLIENTS);
    load.more(100).await?;
    let connected = "control_plane.connected_state";
    setting
        .envoy
        .admin()
        .stat_until(connected, |state| state == 1)
        .await?;
    let before = changes(&setting.envoy).await?;
    let versions_before = versions(&setting.envoy).await?;
    setting.tenon.process().kill()?;
    setting
        .envoy
        .admin()
        .stat_until(connected, |state| state == 0)
        .await?;
    load.more(100).await?;
    // Without a control plane a new connection is served as well.
    assert_eq!(setting.ask("/").await?.text(), "blue");
    setting.tenon.serve_again().await?;
    setting
        .envoy
        .admin()
        .stat_until(connected, |state| state == 1)
        .await?;
    // An edit shows that all that came before it on the stream has been dealt with.
    setting.put(
        "routes",
        &routes(&[to_answer("/marker", "after the restart")]),
    )?;
    deadline::until("an edit after the restart", || async {
        Ok((setting.ask("/marker").await?.text() == "after the restart").then_some(()))
    })
    .await?;
    let after = changes(&setting.envoy).await?;
    assert_eq!(without_routes(&after), without_routes(&before));
    assert_eq!(versions(&setting.envoy).await?, versions_before);
    assert_eq!(
        route_reloads(&after),
        route_reloads(&before) + 1,
        "the edit, and nothing else"
    );
    load.more(100).await?;
    assert_eq!(load.stop().await?, Vec::<String>::new());
    Ok(())
}
