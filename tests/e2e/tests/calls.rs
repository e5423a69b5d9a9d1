//! Calls of functions: who is called, what it is given, and what the client gets.

use std::collections::BTreeSet;

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tenon_contract::{CallConfig, CallTarget, RequestShape, SecretBlob};
use tenon_e2e::deadline::until;
use tenon_e2e::gateway::{function_route, plain_route, secret, weighted_route};
use tenon_e2e::sigv4::AccessKey;
use tenon_e2e::{
    Answer, Client, Gate, GatewayBuilder, LambdaDouble, Ministack, PlainDouble, get, on_both_hosts,
    post, request,
};

fn call(function: &str) -> CallConfig {
    CallConfig::aws(function, function)
}

fn with_event(function: &str, shape: RequestShape) -> CallConfig {
    let mut call = call(function);
    let CallTarget::Aws(aws) = &mut call.target else {
        panic!("not a call of Lambda")
    };
    aws.request = shape;
    call
}

fn wrong(key: &AccessKey) -> AccessKey {
    AccessKey::new(key.id.clone(), "not-the-secret-of-this-key")
}

on_both_hosts! {
    async fn a_wrong_secret_is_told_apart_from_a_failed_function(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("echo", [Answer::echo()]);
        lambda.answer("broken", [Answer::function_error("oh dear")]);
        let gateway = GatewayBuilder::new(filter)?
            .functions("right", lambda.address(), &secret(&LambdaDouble::key()))?
            .functions("wrong", lambda.address(), &secret(&wrong(&LambdaDouble::key())))?
            .route(function_route("/right", "right", &call("echo")))
            .route(function_route("/wrong", "wrong", &call("echo")))
            .route(function_route("/broken", "right", &call("broken")))
            .start()
            .await?;
        for mut client in gateway.clients().await? {
            let right = client.send(post("/right", r#"{"a":1}"#)).await?;
            assert_eq!((right.status, &*right.text()), (200, r#"{"a":1}"#));
            assert_eq!(right.header("x-tenon-error"), "");

            let wrong = client.send(post("/wrong", "{}")).await?;
            assert_eq!((wrong.status, wrong.header("x-tenon-error")), (403, "provider_error"));
            assert_eq!(wrong.json()?["error"]["code"], "provider_error");

            let broken = client.send(post("/broken", "{}")).await?;
            assert_eq!((broken.status, broken.header("x-tenon-error")), (504, "function_error"));
            assert_eq!(broken.json()?["errorMessage"], "oh dear");
        }
        let refused = lambda.calls("echo").into_iter().filter_map(|call| call.refusal);
        let reasons: BTreeSet<_> = refused.map(|refusal| refusal.error_type).collect();
        assert_eq!(reasons, BTreeSet::from(["InvalidSignatureException"]));
        Ok(())
    }

    async fn a_service_that_is_not_ours_verifies_the_signature(filter: Filter) -> Result<()> {
        let lambda = Ministack::shared().await?;
        let name = format!("greet-{}", filter.name());
        let source = "def handler(event, context):\n    \
            if event.get('fail'):\n        raise ValueError('no')\n    \
            return {'hello': event['name']}\n";
        lambda.create_function(&name, source).await?;
        let gateway = GatewayBuilder::new(filter)?
            .functions("right", lambda.address(), &secret(lambda.key()))?
            .functions("wrong", lambda.address(), &secret(&wrong(lambda.key())))?
            .route(function_route("/right", "right", &call(&name)))
            .route(function_route("/wrong", "wrong", &call(&name)))
            .start()
            .await?;
        let mut client = gateway.http1().await?;
        let right = client.send(post("/right", r#"{"name":"ada"}"#)).await?;
        assert_eq!((right.status, right.json()?), (200, json!({"hello": "ada"})));
        let wrong = client.send(post("/wrong", r#"{"name":"ada"}"#)).await?;
        assert_eq!((wrong.status, wrong.header("x-tenon-error")), (403, "provider_error"));
        let failed = client.send(post("/right", r#"{"fail":true}"#)).await?;
        assert_eq!((failed.status, failed.header("x-tenon-error")), (504, "function_error"));
        Ok(())
    }

    async fn two_weights_on_one_upstream_call_two_functions(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [Answer::json(r#""blue""#)]);
        lambda.answer("green", [Answer::json(r#""green""#)]);
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(weighted_route("/", &[("lambda", 50, call("blue")), ("lambda", 50, call("green"))]))
            .start()
            .await?;
        let mut client = gateway.http1().await?;
        for _ in 0..40 {
            let mut forged = post("/", "{}");
            forged.headers_mut().insert("x-tenon-call", HeaderValue::from_static("call.0"));
            let answer = client.send(forged).await?;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let (blue, green) = (lambda.calls("blue").len(), lambda.calls("green").len());
        assert_eq!(blue + green, 40);
        // Each of them alone would be one chance in 2^39.
        assert!(blue > 0 && green > 0, "{blue} and {green}");
        Ok(())
    }

    async fn forged_headers_change_nothing(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        for function in ["raw", "event", "gateway", "other"] {
            lambda.answer(function, [Answer::echo()]);
        }
        let service = PlainDouble::start().await?;
        let builder = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .service("service", service.address());
        let gateway = builder
            .route(function_route("/raw", "lambda", &call("raw")))
            .route(function_route("/event", "lambda", &with_event("event", RequestShape::Metadata)))
            .route(function_route("/gateway", "lambda", &with_event("gateway", RequestShape::ApiGateway)))
            .route(plain_route("/service", "service"))
            .start()
            .await?;
        let other = format!("other.{}", lambda.address());
        for mut client in gateway.clients().await? {
            for path in ["/raw", "/event", "/gateway", "/service"] {
                let mut forged = post(path, "body");
                for (name, value) in [
                    ("host", &*other),
                    ("x-tenon-call", "call.0"),
                    ("x-tenon-secret", r#"{"aws":{"accessKeyId":"FORGED","secretAccessKey":"forged"}}"#),
                    ("x-tenon-error", "forged"),
                    ("x-tenon-anything", "forged"),
                    ("x-envoy-original-path", "/forged"),
                    ("authorization", "AWS4-HMAC-SHA256 Credential=FORGED"),
                    ("x-amz-date", "20000101T000000Z"),
                    ("x-amz-security-token", "forged"),
                    ("x-amz-invocation-type", "DryRun"),
                    ("x-amz-log-type", "Tail"),
                    ("x-amz-client-context", "Zm9yZ2Vk"),
                    ("x-amzn-vpc-id", "vpc-forged"),
                ] {
                    forged.headers_mut().insert(name, HeaderValue::from_str(value)?);
                }
                let answer = client.send(forged).await?;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                assert_eq!(answer.header("x-tenon-error"), "", "{path}");
                assert_eq!(answer.header("x-amz-log-result"), "", "{path}");
                if matches!(path, "/event" | "/gateway") {
                    let event = answer.json()?;
                    assert_eq!(event["path"], path);
                    let text = event.to_string();
                    assert!(!text.contains("x-tenon") && !text.contains("/forged"), "{text}");
                }
            }
        }
        for function in ["raw", "event", "gateway"] {
            for call in lambda.calls(function) {
                assert_eq!(call.refusal, None);
                let headers = &call.request.headers;
                assert_eq!(call.request.header("host"), lambda.address().to_string());
                assert_eq!(call.request.header("x-amz-invocation-type"), "RequestResponse");
                for name in headers.keys() {
                    assert!(!name.as_str().starts_with("x-tenon-"), "{function}: {name}");
                }
                for name in ["x-amz-security-token", "x-amz-log-type", "x-amz-client-context", "x-amzn-vpc-id"] {
                    assert!(!headers.contains_key(name), "{function}: {name}");
                }
            }
        }
        assert!(lambda.calls("other").is_empty());
        for received in service.requests() {
            let ours = received.headers.keys().find(|name| name.as_str().starts_with("x-tenon-"));
            assert_eq!(ours, None, "a plain service is told nothing under our names");
            assert_eq!(received.header("x-envoy-original-path"), "");
        }
        Ok(())
    }

    async fn an_event_s_source_address_is_envoy_s_and_not_what_a_client_writes(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("f", [Answer::echo()]);
        let builder = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?;
        let gateway = builder
            .route(function_route("/v1", "lambda", &with_event("f", RequestShape::ApiGatewayV1)))
            .route(function_route("/v2", "lambda", &with_event("f", RequestShape::ApiGatewayV2)))
            .start()
            .await?;
        for (mut client, protocol) in gateway.clients().await?.into_iter().zip(["HTTP/1.1", "HTTP/2"]) {
            for (path, address, spoken) in [
                ("/v1", "/requestContext/identity/sourceIp", "/requestContext/protocol"),
                ("/v2", "/requestContext/http/sourceIp", "/requestContext/http/protocol"),
            ] {
                let mut forged = get(path);
                forged.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
                let answer = client.send(forged).await?;
                let event = answer.json()?;
                assert_eq!(event.pointer(address), Some(&json!("127.0.0.1")), "{path}");
                assert_eq!(event.pointer(spoken), Some(&json!(protocol)), "{path}");
                let forwarded = event["headers"]["x-forwarded-for"].as_str().unwrap_or_default();
                assert!(forwarded.starts_with("203.0.113.9,"), "{path}: {forwarded}");
            }
        }
        Ok(())
    }

    async fn bodyless_requests_call_the_function_too(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("raw", [Answer::echo()]);
        lambda.answer("gateway", [Answer::echo()]);
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(function_route("/raw", "lambda", &call("raw")))
            .route(function_route("/gateway", "lambda", &with_event("gateway", RequestShape::ApiGateway)))
            .start()
            .await?;
        for mut client in gateway.clients().await? {
            let raw = client.send(get("/raw")).await?;
            assert_eq!((raw.status, raw.body.len()), (200, 0));
            let event = client.send(get("/gateway?a=1")).await?.json()?;
            assert_eq!((&event["httpMethod"], &event["body"]), (&json!("GET"), &Value::Null));
            assert_eq!(event["queryStringParameters"]["a"], "1");
            let deleted = request(Method::DELETE, "/gateway", get("/").into_body());
            assert_eq!(client.send(deleted).await?.json()?["httpMethod"], "DELETE");
        }
        Ok(())
    }

    async fn a_tombstone_holds_no_listener_up_and_fails_closed(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("echo", [Answer::echo()]);
        let tombstone = SecretBlob::Unavailable("secret default/missing does not exist".into());
        let gateway = GatewayBuilder::new(filter)?
            .functions("tombstone", lambda.address(), &tombstone)?
            .functions("right", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(function_route("/tombstone", "tombstone", &call("echo")))
            .route(function_route("/right", "right", &call("echo")))
            .start()
            .await?;
        for _ in 0..2 {
            for without in [post("/tombstone", "{}"), get("/tombstone")] {
                // Over HTTP/1.1 Envoy may close the connection of a request that was refused before it was whole.
                let refused = gateway.http1().await?.send(without).await?;
                assert_eq!((refused.status, refused.header("x-tenon-error")), (503, "no_credentials"));
                assert!(!refused.text().contains("default/missing"), "the client is told no more than it needs");
            }
        }
        for mut client in gateway.clients().await? {
            assert_eq!(client.send(post("/right", "{}")).await?.status, 200);
        }
        assert_eq!(lambda.calls("echo").len(), 2);
        // And it is no tombstone for good.
        gateway.rotate("tombstone", &secret(&LambdaDouble::key()))?;
        until("credentials", || async {
            let answer = gateway.http1().await?.send(post("/tombstone", "{}")).await?;
            Ok((answer.status == 200).then_some(()))
        })
        .await?;
        Ok(())
    }

    async fn a_thousand_clients_at_once_each_get_their_own_answer(filter: Filter) -> Result<()> {
        const CLIENTS: usize = 1000;
        let lambda = LambdaDouble::start().await?;
        let gate = Gate::new();
        lambda.answer("echo", [Answer::echo().held_by(&gate)]);
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(function_route("/", "lambda", &call("echo")))
            .start()
            .await?;
        let address = gateway.address;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                tokio::spawn(async move {
                    let body = json!({"client": number}).to_string();
                    let mut client = Client::http1(address).await?;
                    let answer = client.send(post("/", body.clone())).await?;
                    anyhow::Ok((answer.status, answer.text() == body))
                })
            })
            .collect();
        // All of them wait for their answer at the same time.
        lambda.wait_for_calls("echo", CLIENTS).await?;
        gate.open();
        for client in clients {
            assert_eq!(client.await??, (200, true));
        }
        assert!(lambda.calls("echo").iter().all(|call| call.refusal.is_none()));
        gateway.wait_for_count("echo", "ok", CLIENTS as u64).await?;
        Ok(())
    }
}
