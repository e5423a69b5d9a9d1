//! Functions that requests pass to as they are: Azure's with a key, Lambda's by their own URLs with a signature; and
//! functions that are found by method and path.

use serde_json::{Value, json};
use tenon_e2e::sigv4::verify;
use tenon_e2e::{Answer, LambdaDouble, PlainDouble, get, on_both_hosts, post};

use super::changes;
use super::setting::{Resources, object, secret, virtual_service};

const KEY: &str = "KeyOfTheFunction1234567890==";
const NEXT: &str = "NextKeyOfTheFunction12345==";

fn keys(key: &str) -> Value {
    let text = json!({"apiKeys": {"hello": key}}).to_string();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop", "namespace": "default", "annotations": {"resource_kind": "*v1.Secret"}},
        "stringData": {"azure": text},
    })
}

fn app(name: &str, azure: &PlainDouble, key_in: &str) -> Value {
    object(
        "Upstream",
        name,
        json!({"azure": {
            "functionAppName": "shop",
            "secretRef": {"name": "shop", "namespace": "default"},
            "endpointUrl": format!("http://{}", azure.address()),
            "keyIn": key_in,
            "functions": [
                {"functionName": "hello", "authLevel": "Function"},
                {"functionName": "clean", "authLevel": "Admin"},
                {
                    "functionName": "product",
                    "route": "products/{id}",
                    "matchers": [{"methods": ["GET"], "path": "/p/{id}"}],
                },
            ],
        }}),
    )
}

fn route(prefix: &str, upstream: &str, spec: Value) -> Value {
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": {
            "upstream": {"name": upstream, "namespace": "default"},
            "destinationSpec": spec,
        }},
    })
}

on_both_hosts! {
    async fn azure_gets_its_key_and_nobody_else_does(filter: Filter) -> Result<()> {
        let azure = PlainDouble::start().await?;
        let setting = Resources::new()?
            .put("secret", &keys(KEY))?
            .put("shop", &app("shop", &azure, "HEADER"))?
            .put("query", &app("query", &azure, "QUERY"))?
            .put("routes", &virtual_service("routes", "*", &[
                route("/query", "query", json!({"azure": {"functionName": "hello"}})),
                route("/clean", "shop", json!({"azure": {"functionName": "clean"}})),
                route("/p/", "shop", Value::Null),
                route("/", "shop", json!({"azure": {"functionName": "hello"}})),
            ]))?
            .start(filter)
            .await?;
        for mut client in setting.clients().await? {
            let mut forged = post("/x?a=1&code=forged", "body");
            forged.headers_mut().insert("x-functions-key", "forged".parse()?);
            assert_eq!(client.send(forged).await?.text(), "body");
            assert_eq!(client.send(get("/query?a=1")).await?.status, 200);
            let found = client.send(get("/p/7?a=1")).await?;
            assert_eq!((found.status, found.header("x-tenon-error")), (200, ""));
            let wrong = client.send(post("/p/7", "")).await?;
            assert_eq!((wrong.status, wrong.header("allow")), (405, "GET, HEAD"));
            let none = client.send(get("/p/7/8")).await?;
            assert_eq!((none.status, none.header("x-tenon-error")), (404, "no_match"));
            let locked = client.send(get("/clean")).await?;
            assert_eq!((locked.status, locked.header("x-tenon-error")), (503, "no_credentials"));
        }
        let asked: Vec<_> = azure
            .requests()
            .iter()
            .map(|it| (it.path.clone(), it.header("x-functions-key").to_owned()))
            .collect();
        let code = format!("/api/hello?code={}&a=1", KEY.replace('=', "%3D"));
        let once = [
            ("/api/hello?a=1".to_owned(), KEY.to_owned()),
            (code, String::new()),
            ("/api/products/7?a=1".to_owned(), String::new()),
        ];
        assert_eq!(asked, [once.clone(), once].concat());
        let (state, messages) = setting.status("Upstream", "shop").await?;
        assert_eq!(state, "Warning");
        assert!(messages.contains("has no key for function \\\"clean\\\""), "{messages}");

        // A rotation changes neither cluster nor listener nor route.
        let before = changes(&setting.envoy).await?;
        setting.put("secret", &keys(NEXT))?;
        setting.sees("/", |_| {
            azure.requests().last().is_some_and(|it| it.header("x-functions-key") == NEXT)
        })
        .await?;
        assert_eq!(changes(&setting.envoy).await?, before);

        let dump = setting.envoy.admin().json("/config_dump?include_eds").await?.to_string();
        let shown = [dump, setting.tenon.status().await?.to_string(), std::fs::read_to_string(setting.access_log())?];
        for key in [KEY, NEXT, &KEY.replace('=', "%3D")] {
            assert!(shown.iter().all(|it| !it.contains(key)), "a key is shown");
        }
        // And without the secret.
        setting.remove("secret")?;
        setting.sees("/", |answer| answer.status == 503).await?;
        Ok(())
    }

    async fn a_function_url_gets_requests_as_they_are_and_signed(filter: Filter) -> Result<()> {
        let (one, other) = (PlainDouble::start().await?, PlainDouble::start().await?);
        other.answer(Answer::body("of the other"));
        let url = |double: &PlainDouble| format!("http://{}", double.address());
        let upstream = object("Upstream", "urls", json!({"aws": {
            "region": "us-east-1",
            "secretRef": {"name": "lambda", "namespace": "default"},
            "lambdaFunctions": [
                {"logicalName": "one", "functionUrl": url(&one)},
                {"logicalName": "other", "functionUrl": url(&other), "functionUrlAuthType": "NONE"},
            ],
        }}));
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream)?
            .put("routes", &virtual_service("routes", "*", &[
                route("/other", "urls", json!({"aws": {"logicalName": "other"}})),
                route("/", "urls", json!({"aws": {"logicalName": "one"}})),
            ]))?
            .start(filter)
            .await?;
        for mut client in setting.clients().await? {
            assert_eq!(client.send(post("/a%2Fb/%C3%BC?z=1&a=b+c&a=%20", "body")).await?.text(), "body");
            assert_eq!(client.send(get("/")).await?.status, 200);
            assert_eq!(client.send(get("/other?x")).await?.text(), "of the other");
        }
        let requests = one.requests();
        assert_eq!(requests.len(), 4);
        for asked in requests {
            let mut request = http::Request::builder().method(&asked.method).uri(&asked.path);
            for (name, value) in &asked.headers {
                request = request.header(name, value);
            }
            let (parts, ()) = request.body(())?.into_parts();
            verify(&parts, &asked.body, &[LambdaDouble::key()], "us-east-1", "lambda", asked.at)
                .map_err(|refusal| anyhow::anyhow!("{}: {refusal:?}", asked.path))?;
            assert_eq!(asked.header("host"), one.address().to_string());
        }
        assert!(other.requests().iter().all(|it| it.header("authorization").is_empty() && it.path == "/other?x"));
        // A function less is a cluster less.
        setting.put("upstream", &object("Upstream", "urls", json!({"aws": {
            "region": "us-east-1",
            "secretRef": {"name": "lambda", "namespace": "default"},
            "lambdaFunctions": [{"logicalName": "other", "functionUrl": url(&other), "functionUrlAuthType": "NONE"}],
        }})))?;
        tenon_e2e::deadline::until("a cluster less", || async {
            let clusters = setting.envoy.admin().get("/clusters").await?;
            Ok((!clusters.contains("urls_default/one::") && clusters.contains("urls_default/other::")).then_some(()))
        })
        .await?;
        Ok(())
    }
}
