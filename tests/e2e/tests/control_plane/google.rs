//! Functions of Google's: tokens from a metadata server or a key, verified by a function in Google's own framework.

use std::fs;

use anyhow::{Context, Result};
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tenon_e2e::{
    Client, Google, GoogleFunction, PlainDouble, Response, deadline, gateway, get, on_both_hosts,
    post,
};

use crate::setting::{Resources, Setting, object, service, virtual_service};

const AUDIENCE: &str = "https://hello-4tz3dr-uc.a.run.app";

fn upstream(name: &str, function: &GoogleFunction, more: Value) -> Value {
    let mut gcp = json!({
        "host": "hello-4tz3dr-uc.a.run.app",
        "endpointUrl": format!("http://{}", function.address()),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        gcp[name] = value.clone();
    }
    object("Upstream", name, json!({"gcp": gcp}))
}

fn route(prefix: &str, upstream: &str, destination: Value) -> Value {
    let mut single = json!({"upstream": {"name": upstream, "namespace": "default"}});
    if !destination.is_null() {
        single["destinationSpec"] = json!({"gcp": destination});
    }
    json!({"matchers": [{"prefix": prefix}], "routeAction": {"single": single}})
}

fn resources(google: &Google) -> Result<Resources> {
    Ok(Resources::new()?
        .with_environment("GCE_METADATA_HOST", google.address().to_string())
        // Whose machine it is has nothing to say.
        .with_environment("CLOUDSDK_CONFIG", "/nonexistent"))
}

fn order(path: &str) -> http::Request<tenon_e2e::RequestBody> {
    let mut request = post(path, "an order");
    let headers = request.headers_mut();
    headers.insert(
        "authorization",
        HeaderValue::from_static("Bearer of-the-client"),
    );
    headers.insert(
        "x-serverless-authorization",
        HeaderValue::from_static("Bearer forged"),
    );
    request
}

fn asking(method: &str, path: &str) -> Result<http::Request<tenon_e2e::RequestBody>> {
    let mut request = get(path);
    *request.method_mut() = Method::from_bytes(method.as_bytes())?;
    Ok(request)
}

async fn ask(setting: &Setting, path: &str) -> Result<Response> {
    Client::http1(setting.address).await?.send(get(path)).await
}

/// Waits until a path is answered with this status.
async fn answers(setting: &Setting, path: &str, status: u16) -> Result<Response> {
    deadline::until(&format!("{status} of {path}"), || async move {
        let answer = ask(setting, path).await?;
        Ok((answer.status == status).then_some(answer))
    })
    .await
}

/// Nothing of a token or key where clients and operators look.
async fn check_secrecy(setting: &Setting, google: &Google, entries: usize) -> Result<()> {
    let key: Value = serde_json::from_str(google.key())?;
    let pem = key["private_key"].as_str().context("no key")?;
    // The second line of the PEM, and what every JWT begins with.
    let secrets = [
        pem.lines().nth(1).context("no line")?,
        "eyJhbGciOiJSUzI1NiI",
    ];
    let envoy = setting.envoy.admin();
    let mut places = vec![
        ("Envoy's log", setting.envoy.log()),
        ("the control plane's log", setting.tenon.log()),
    ];
    for page in [
        "/config_dump?include_eds",
        "/stats",
        "/clusters",
        "/init_dump",
    ] {
        places.push((page, envoy.get(page).await?));
    }
    for page in ["/status", "/metrics", "/config"] {
        places.push((page, setting.tenon.admin().get(page).await?));
    }
    envoy.post("/reopen_logs").await?;
    let path = setting.access_log();
    let path = &path;
    let log = deadline::until("the access log", || async move {
        let log = fs::read_to_string(path).unwrap_or_default();
        Ok((log.lines().count() >= entries).then_some(log))
    })
    .await?;
    places.push(("the access log", log));
    for (place, text) in places {
        for secret in secrets {
            let at = text.find(secret);
            assert!(
                at.is_none(),
                "{secret} in {place}: {:?}",
                at.map(|at| &text[at.saturating_sub(200)..at])
            );
        }
    }
    Ok(())
}

on_both_hosts! {
    async fn a_function_is_let_in_with_a_token_for_its_audience(filter: Filter) -> Result<()> {
        let google = Google::start()?;
        let function = GoogleFunction::start(&google, AUDIENCE).await?;
        let functions = json!({"functions": [
            {"logicalName": "orders", "url": format!("{AUDIENCE}/orders"), "audience": AUDIENCE},
            {"logicalName": "other", "url": "https://other-4tz3dr-uc.a.run.app"},
        ]});
        let setting = resources(&google)?
            .put("run", &upstream("run", &function, functions))?
            .put("acting", &upstream("acting", &function, json!({"audience": "https://nobody.example"})))?
            .put("routes", &virtual_service("routes", "*", &[
                route("/orders", "run", json!({"logicalName": "orders"})),
                route("/other", "run", json!({"logicalName": "other"})),
                route("/kept", "run", json!({"keepAuthorization": true})),
                route("/wrong", "acting", Value::Null),
                route("/", "run", Value::Null),
            ]))?
            .start(filter)
            .await?;
        answers(&setting, "/", 200).await?;
        answers(&setting, "/orders", 200).await?;
        let mut entries = 2;
        for mut client in setting.clients().await? {
            let answer = client.send(order("/a/b?c=%2F")).await?;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let seen = answer.json()?;
            assert_eq!(seen["path"], "/a/b?c=%2F");
            assert_eq!((&seen["method"], &seen["body"]), (&json!("POST"), &json!("an order")));
            assert_eq!(seen["host"], "hello-4tz3dr-uc.a.run.app");
            assert_eq!(seen["email"], "machine@project");
            assert_eq!(seen["own"], Value::Null);

            let seen = client.send(order("/kept")).await?.json()?;
            assert_eq!(seen["own"], "Bearer of-the-client");

            let seen = client.send(order("/orders/7")).await?.json()?;
            assert_eq!(seen["path"], "/orders/orders/7");

            // A token for somebody else: refused there, and the refusal is passed on as it is.
            for path in ["/wrong", "/other"] {
                let answer = client.send(order(path)).await?;
                assert_eq!((answer.status, &*answer.text()), (401, "no valid token"));
                assert!(answer.header("www-authenticate").contains("Audience doesn't match"));
                assert_eq!(answer.header("x-tenon-error"), "");
            }
            entries += 5;
        }
        setting.has_status("Upstream", "run", "Accepted", &[]).await?;
        check_secrecy(&setting, &google, entries).await
    }

    async fn functions_are_found_by_method_and_path(filter: Filter) -> Result<()> {
        let google = Google::start()?;
        let function = GoogleFunction::start(&google, AUDIENCE).await?;
        let named = |name: &str, matchers: Value| json!({
            "logicalName": name,
            "url": format!("https://{name}-4tz3dr-uc.a.run.app"),
            "audience": AUDIENCE,
            "matchers": matchers,
        });
        let users = object("Upstream", "users", json!({"gcp": {
            "endpointUrl": format!("http://{}", function.address()),
            "functions": [
                named("user", json!([{"methods": ["GET"], "path": "/users/{id}"}])),
                named("change", json!([{"methods": ["PUT", "PATCH"], "path": "/users/{id}"}])),
                named("me", json!([{"path": "/users/me"}])),
                named("files", json!([{"path": "/files/{path+}"}])),
            ],
        }}));
        let setting = resources(&google)?
            .put("users", &users)?
            .put("routes", &virtual_service("routes", "*", &[route("/", "users", Value::Null)]))?
            .start(filter)
            .await?;
        // Each has a token of its own to wait for.
        for path in ["/users/7", "/users/me", "/files/a"] {
            answers(&setting, path, 200).await?;
        }
        let all = &setting;
        deadline::until("a change", || async move {
            let answer = Client::http1(all.address).await?.send(asking("PUT", "/users/7")?).await?;
            Ok((answer.status == 200).then_some(()))
        })
        .await?;
        setting.has_status("Upstream", "users", "Accepted", &[]).await?;
        for mut client in setting.clients().await? {
            for (method, path, seen_as, function) in [
                ("GET", "/users/7?all=1", "/users/7?all=1", "user"),
                ("PUT", "/users/7", "/users/7", "change"),
                ("PATCH", "/users/%37", "/users/7", "change"),
                ("GET", "/users/me", "/users/me", "me"),
                ("DELETE", "/users/me", "/users/me", "me"),
                ("POST", "/files/a/b?c=d", "/files/a/b?c=d", "files"),
            ] {
                let answer = client.send(asking(method, path)?).await?;
                assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
                let seen = answer.json()?;
                let host = format!("{function}-4tz3dr-uc.a.run.app");
                assert_eq!((&seen["host"], &seen["method"], &seen["path"]), (&json!(host), &json!(method), &json!(seen_as)));
                assert_eq!(seen["email"], "machine@project");
            }
            assert_eq!(client.send(asking("HEAD", "/users/7")?).await?.status, 200);
            for (method, path, status, allow) in [
                ("DELETE", "/users/7", 405, "GET, HEAD, PATCH, PUT"),
                ("GET", "/users/7/", 404, ""),
                ("GET", "/users", 404, ""),
                ("POST", "/files/", 404, ""),
            ] {
                let answer = client.send(asking(method, path)?).await?;
                assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
                assert_eq!(answer.header("x-tenon-error"), "no_match");
                assert_eq!(answer.json()?["error"]["code"], "no_match");
            }
        }
        let log = gateway::access_log(&setting.access_log(), 26).await?;
        let found = |path: &str| {
            let entry = log.iter().find(|entry| entry[":path"] == path && entry["code"] == 200);
            entry.map(|entry| entry["tenon"]["function"].clone())
        };
        assert_eq!(found("/users/7?all=1"), Some(json!("user")));
        assert_eq!(found("/files/a/b?c=d"), Some(json!("files")));
        check_secrecy(&setting, &google, 26).await
    }

    async fn a_key_of_a_secret_is_exchanged_for_tokens(filter: Filter) -> Result<()> {
        let google = Google::start()?;
        let function = GoogleFunction::start(&google, AUDIENCE).await?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "default"},
            "stringData": {"key.json": google.key()},
        });
        let setting = resources(&google)?
            .put("run", &upstream("run", &function, json!({"secretRef": {"name": "key"}})))?
            .put("routes", &virtual_service("routes", "*", &[route("/", "run", Value::Null)]))?
            .start(filter)
            .await?;
        // Without the Secret: a tombstone, and no call without a token.
        let answer = answers(&setting, "/", 503).await?;
        assert_eq!(answer.header("x-tenon-error"), "no_credentials");
        setting.has_status("Upstream", "run", "Warning", &["secret default/key does not exist"]).await?;

        setting.put("secret", &secret)?;
        let seen = answers(&setting, "/", 200).await?.json()?;
        assert_eq!(seen["email"], "invoker@project.iam.gserviceaccount.com");
        setting.has_status("Upstream", "run", "Accepted", &[]).await?;
        check_secrecy(&setting, &google, 2).await
    }

    async fn tokens_are_renewed_and_told_missing(filter: Filter) -> Result<()> {
        let google = Google::start()?;
        google.control(3600, true).await?;
        let function = GoogleFunction::start(&google, AUDIENCE).await?;
        let setting = resources(&google)?
            .put("run", &upstream("run", &function, Value::Null))?
            .put("routes", &virtual_service("routes", "*", &[route("/", "run", Value::Null)]))?
            .start(filter)
            .await?;
        let answer = answers(&setting, "/", 503).await?;
        assert_eq!(answer.header("x-tenon-error"), "no_credentials");
        let setting = &setting;
        setting.has_status("Upstream", "run", "Warning", &["identity answered 503", "spec.gcp"]).await?;
        // Tokens that end soon are renewed a tenth before they do: the function never sees one that has ended. It is the
        // shortest life whose tenth is enough for a slow machine.
        google.control(20, false).await?;
        let first = answers(setting, "/", 200).await?.json()?["jti"].clone();
        let first = &first;
        deadline::until("another token", || async move {
            let answer = ask(setting, "/").await?;
            anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
            Ok((answer.json()?["jti"] != *first).then_some(()))
        })
        .await?;
        check_secrecy(setting, &google, 3).await
    }

    async fn a_token_goes_to_no_redirect_and_no_mirror(filter: Filter) -> Result<()> {
        let google = Google::start()?;
        let function = GoogleFunction::start(&google, AUDIENCE).await?;
        let mirror = PlainDouble::start().await?;
        let mut mirrored = route("/", "run", Value::Null);
        mirrored["options"] = json!({"shadowing": {"upstream": {"name": "mirror", "namespace": "default"}, "percentage": 100}});
        let setting = resources(&google)?
            .put("run", &upstream("run", &function, Value::Null))?
            .put("mirror", &service("mirror", mirror.address()))?
            .put("routes", &virtual_service("routes", "*", &[mirrored]))?
            .start(filter)
            .await?;
        answers(&setting, "/", 200).await?;
        let answer = setting.clients().await?[0].send(order("/a")).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let copies = mirror.wait_for_requests(2).await?;
        let copy = copies.iter().find(|copy| copy.path == "/a").context("no copy")?;
        assert_eq!(copy.header("authorization"), "Bearer of-the-client");
        for copy in &copies {
            for (name, value) in &copy.headers {
                let value = String::from_utf8_lossy(value.as_bytes());
                assert!(!value.contains("eyJ"), "{name}");
            }
        }
        Ok(())
    }
}
