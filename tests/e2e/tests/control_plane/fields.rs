//! What single fields of routes, virtual hosts and gateways do on a real Envoy.

use anyhow::Result;
use http::{HeaderValue, Request};
use serde_json::{Value, json};
use tenon_e2e::{Client, Filter, PlainDouble, RequestBody, deadline, get};

use super::options::to_service;
use super::setting::{Resources, object, service, to_answer, virtual_service};

const VALUE: &str = "the-value-that-nobody-sees";
const NEW_VALUE: &str = "another-value";

fn keys(value: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "namespace": "default"},
        "type": "gloo.solo.io/header",
        "stringData": {"x-key": value, "x-tenant": "100%REQ(x-key)%"},
    })
}

/// Adds the headers of the secret.
fn with_keys(append: bool) -> Value {
    let reference = json!({"name": "keys", "namespace": "default"});
    let added = json!({"headerSecretRef": reference, "append": append});
    json!({"headerManipulation": {"requestHeadersToAdd": [added]}})
}

/// A request for the virtual service that refers to what is not there.
fn incomplete_one(path: &str) -> Request<RequestBody> {
    let mut request = get(path);
    let host = HeaderValue::from_static("incomplete.example");
    request.headers_mut().insert("host", host);
    request
}

fn gateway() -> Value {
    object(
        "Gateway",
        "gateway",
        json!({
            "bindAddress": "127.0.0.1",
            "bindPort": 0,
            "httpGateway": {},
            "routeOptions": {"maxDirectResponseBodySizeBytes": 10_000},
        }),
    )
}

fn shares(prefix: &str, of: &[(&str, Value)]) -> Value {
    let shares = of.iter().map(|(upstream, options)| {
        let to = json!({"upstream": {"name": upstream, "namespace": "default"}});
        json!({"destination": to, "weight": 1, "options": options})
    });
    let shares: Vec<_> = shares.collect();
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"multi": {"destinations": shares}},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_headers_and_shares_answer_and_answers_are_long() -> Result<()> {
    let web = PlainDouble::start().await?;
    let long = "x".repeat(9_000);
    let mut settings = object(
        "Settings",
        "default",
        json!({"gloo": {"invalidConfigPolicy": {
            "replaceInvalidRoutes": true,
            "invalidRouteResponseCode": 410,
            "invalidRouteResponseBody": "closed \"for\" repairs\\",
        }}}),
    );
    settings["apiVersion"] = json!("gloo.solo.io/v1");
    settings["metadata"]["namespace"] = json!("gloo-system");
    let mut unsaid = to_service("/unsaid", json!({}));
    unsaid["optionsConfigRefs"] = json!({"delegateOptions": [{"name": "gone"}]});
    let routes = [
        to_service("/secret", with_keys(false)),
        to_service("/appended", with_keys(true)),
        shares("/weighted", &[("web", with_keys(false))]),
        to_answer("/long", &long),
        to_service("/", json!({})),
    ];
    // Not what the others go back to.
    let incomplete = [shares("/share", &[("gone", json!({}))]), unsaid];
    let setting = Resources::new()?
        .put("gateway", &gateway())?
        .put("settings", &settings)?
        .put("keys", &keys(VALUE))?
        .put("web", &service("web", web.address()))?
        .put("routes", &virtual_service("routes", "*", &routes))?
        .put(
            "incomplete",
            &virtual_service("incomplete", "incomplete.example", &incomplete),
        )?
        .start(Filter::So)
        .await?;
    let mut client = Client::http1(setting.address).await?;

    for (path, sent) in [
        ("/secret", [VALUE].as_slice()),
        ("/weighted", &[VALUE]),
        ("/appended", &["the client's", VALUE]),
        ("/plain", &["the client's"]),
    ] {
        web.forget();
        let mut request = get(path);
        request
            .headers_mut()
            .insert("x-key", HeaderValue::from_static("the client's"));
        assert_eq!(client.send(request).await?.status, 200, "{path}");
        let requests = web.requests();
        let values = requests[0].headers.get_all("x-key").iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        assert_eq!(values, sent, "{path}");
        let tenant = match path {
            "/plain" => "",
            // Nothing is filled in.
            _ => "100%REQ(x-key)%",
        };
        assert_eq!(requests[0].header("x-tenant"), tenant, "{path}");
    }
    let dump = setting
        .envoy
        .admin()
        .json("/config_dump")
        .await?
        .to_string();
    assert!(dump.contains("header/default/keys/x-key") && !dump.contains(VALUE));
    let statuses = setting.tenon.status().await?.to_string();
    assert!(!statuses.contains(VALUE), "{statuses}");

    let share = client.send(incomplete_one("/share")).await?;
    assert_eq!(
        (
            share.status,
            share.text(),
            share.header("x-tenon-error"),
            share.header("content-type")
        ),
        (
            410,
            "closed \"for\" repairs\\".to_owned(),
            "invalid_route",
            "text/plain"
        )
    );
    assert!(client.send(get("/long")).await?.text() == long);
    assert_eq!(client.send(incomplete_one("/unsaid")).await?.status, 200);

    // A new value touches neither the listener nor the routes.
    let before = super::changes(&setting.envoy).await?;
    setting.put("keys", &keys(NEW_VALUE))?;
    deadline::until("the new value", || async {
        web.forget();
        Client::http1(setting.address)
            .await?
            .send(get("/secret"))
            .await?;
        Ok((web.requests()[0].header("x-key") == NEW_VALUE).then_some(()))
    })
    .await?;
    assert_eq!(super::changes(&setting.envoy).await?, before);
    // One that is gone is no header: it never is the client's, and never the old one.
    setting.remove("keys")?;
    deadline::until("no value", || async {
        web.forget();
        Client::http1(setting.address)
            .await?
            .send(get("/secret"))
            .await?;
        Ok(web.requests()[0].header("x-key").is_empty().then_some(()))
    })
    .await?;
    let (state, why) = setting.status("VirtualService", "routes").await?;
    assert_eq!(state, "Rejected");
    assert!(why.contains("secret default/keys does not exist"), "{why}");
    Ok(())
}
