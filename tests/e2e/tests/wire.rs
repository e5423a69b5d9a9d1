//! What happens on the wire: protocols, framing, trailers, sizes, and clients that go away.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use tenon_contract::{
    CallConfig, CallTarget, LAMBDA_PAYLOAD_LIMIT, RequestShape, ResponseShape, SecretBlob,
};
use tenon_e2e::gateway::{function_route, secret};
use tenon_e2e::sigv4::AccessKey;
use tenon_e2e::{
    Answer, Gate, GatewayBuilder, LambdaDouble, get, on_both_hosts, post, request, streaming_body,
};

fn call(function: &str) -> CallConfig {
    CallConfig::aws(function, function)
}

fn unwrapped(function: &str) -> CallConfig {
    let mut call = call(function);
    let CallTarget::Aws(aws) = &mut call.target else {
        panic!("not a call of Lambda")
    };
    aws.response = ResponseShape::ApiGateway;
    call
}

/// A gateway with the route `/<name>` to the function of each call; `/no-credentials` and `/refused` have wrong secrets.
async fn gateway(
    filter: tenon_e2e::Filter,
    lambda: &LambdaDouble,
    calls: &[CallConfig],
    http2: bool,
) -> anyhow::Result<tenon_e2e::Gateway> {
    let key = LambdaDouble::key();
    let wrong = AccessKey::new(key.id.clone(), "not-the-secret-of-this-key");
    let gone = SecretBlob::Unavailable("gone".into());
    let mut builder = GatewayBuilder::new(filter)?;
    for (name, secret) in [
        ("lambda", secret(&key)),
        ("wrong", secret(&wrong)),
        ("gone", gone),
    ] {
        builder = builder.functions_with(name, lambda.address(), &secret, |cluster| {
            if http2 {
                let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
                cluster["typed_extension_protocol_options"][options]["explicit_http_config"] =
                    json!({"http2_protocol_options": {}});
            }
        })?;
    }
    builder = builder
        .route(function_route("/no-credentials", "gone", &call("echo")))
        .route(function_route("/refused", "wrong", &call("echo")));
    for call in calls {
        let mut route = function_route(&format!("/{}", call.function), "lambda", call);
        route["route"]["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2});
        builder = builder.route(route);
    }
    builder.start().await
}

fn head(path: &str) -> http::Request<tenon_e2e::RequestBody> {
    request(Method::HEAD, path, get("/").into_body())
}

const UNWRAPPED: &str =
    r#"{"statusCode": 200, "headers": {"x-from": "function"}, "body": "the body of the function"}"#;

on_both_hosts! {
    async fn a_head_request_gets_no_body_and_leaves_the_connection_in_order(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("raw", [Answer::json(r#"{"a": "body"}"#)]);
        lambda.answer("chunked", [Answer::json(r#"{"a": "body"}"#).chunked(4)]);
        lambda.answer("unwrap", [Answer::json(UNWRAPPED)]);
        lambda.answer("failing", [Answer::function_error("oh dear")]);
        let calls = [call("raw"), call("chunked"), unwrapped("unwrap"), call("failing")];
        let gateway = gateway(filter, &lambda, &calls, false).await?;
        for mut client in gateway.clients().await? {
            for (path, status) in [("/raw", 200), ("/chunked", 200), ("/unwrap", 200), ("/failing", 504), ("/refused", 403)] {
                let answer = client.send(head(path)).await?;
                assert_eq!((answer.status, answer.body.len()), (status, 0), "HEAD {path}");
                // On the same connection: a stray byte would be taken for the start of this answer.
                let next = client.send(post("/raw", "{}")).await?;
                assert_eq!((next.status, &*next.text()), (200, r#"{"a": "body"}"#), "after HEAD {path}");
            }
        }
        let unwrapped = gateway.http1().await?.send(head("/unwrap")).await?;
        assert_eq!(unwrapped.header("x-from"), "function");
        assert!(lambda.calls("raw").iter().all(|call| call.request.method == Method::POST));
        Ok(())
    }

    async fn a_response_may_end_in_trailers(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let with_trailers = |body: &'static str| Answer::json(body).chunked(7).trailer("x-sum", "1");
        lambda.answer("raw", [with_trailers(r#"{"a": "body"}"#)]);
        lambda.answer("unwrap", [with_trailers(UNWRAPPED)]);
        lambda.answer("failing", [Answer::function_error("oh dear").chunked(7).trailer("x-sum", "1")]);
        let calls = [call("raw"), unwrapped("unwrap"), call("failing")];
        // Over HTTP/2, where a server may send trailers without being asked.
        let gateway = gateway(filter, &lambda, &calls, true).await?;
        for mut client in gateway.clients().await? {
            let raw = client.send(post("/raw", "{}")).await?;
            assert_eq!((raw.status, &*raw.text()), (200, r#"{"a": "body"}"#));
            let unwrapped = client.send(post("/unwrap", "{}")).await?;
            assert_eq!((unwrapped.status, &*unwrapped.text()), (200, "the body of the function"));
            assert_eq!(unwrapped.header("x-from"), "function");
            let failed = client.send(post("/failing", "{}")).await?;
            assert_eq!((failed.status, failed.header("x-tenon-error")), (504, "function_error"));
            assert_eq!(failed.json()?["errorMessage"], "oh dear");
            let head = client.send(head("/unwrap")).await?;
            assert_eq!((head.status, head.body.len()), (200, 0));
        }
        Ok(())
    }

    async fn a_request_may_end_in_trailers(filter: Filter) -> Result<()> {
        for upstream_http2 in [false, true] {
            let lambda = LambdaDouble::start().await?;
            let mut event = call("event");
            let CallTarget::Aws(aws) = &mut event.target else { panic!("not a call of Lambda") };
            aws.request = RequestShape::ApiGateway;
            lambda.answer("raw", [Answer::status(503), Answer::echo()]);
            lambda.answer("event", [Answer::status(503), Answer::echo()]);
            let gateway = gateway(filter, &lambda, &[call("raw"), event], upstream_http2).await?;
            for path in ["/raw", "/event"] {
                let (mut sender, body) = streaming_body();
                let mut client = gateway.http2().await?;
                let answer = tokio::spawn(async move { client.send(request(Method::POST, path, body)).await });
                for part in ["one,", "two,", "three"] {
                    sender.send_data(part.into()).await?;
                }
                let trailers = HeaderMap::from_iter([("x-sum".parse()?, HeaderValue::from_static("1"))]);
                sender.send_trailers(trailers).await?;
                drop(sender);
                let answer = answer.await??;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                if path == "/raw" {
                    assert_eq!(answer.text(), "one,two,three");
                } else {
                    assert_eq!(answer.json()?["body"], "one,two,three");
                }
                let calls = lambda.calls(&path[1..]);
                assert_eq!(calls.len(), 2);
                assert!(calls.iter().all(|call| call.refusal.is_none()));
                assert_eq!(calls[0].request.body, calls[1].request.body);
            }
        }
        Ok(())
    }

    async fn a_grpc_client_never_gets_a_success_for_an_error(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("failing", [Answer::function_error("oh dear")]);
        lambda.answer("throttled", [Answer::service_error(429, "TooManyRequestsException", "slow down")]);
        lambda.answer("chunked", [Answer::service_error(500, "ServiceException", "no").chunked(3)]);
        lambda.answer("unwrap", [Answer::json("no JSON for API Gateway")]);
        let calls = [call("failing"), call("throttled"), call("chunked"), unwrapped("unwrap")];
        let gateway = gateway(filter, &lambda, &calls, false).await?;
        for (path, status, code) in [
            ("/no-credentials", "14", "no_credentials"),
            ("/refused", "7", "provider_error"),
            ("/failing", "13", "function_error"),
            ("/throttled", "8", "throttled"),
            ("/chunked", "2", "provider_error"),
            ("/unwrap", "13", "bad_function_response"),
        ] {
            let mut grpc = post(path, Bytes::from_static(b"\0\0\0\0\x02{}"));
            grpc.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            grpc.headers_mut().insert("te", HeaderValue::from_static("trailers"));
            let answer = gateway.http2().await?.send(grpc).await?;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
            // Trailers-only (gRPC over HTTP/2): the headers are the end.
            assert_eq!(answer.header("grpc-status"), status, "{path}: {:?}", answer.headers);
            assert_eq!(answer.headers.get_all("grpc-status").iter().count(), 1, "{path}");
            assert!(!answer.header("grpc-message").is_empty(), "{path}");
            assert_eq!(answer.header("content-type"), "application/grpc", "{path}");
            assert_eq!(answer.header("x-tenon-error"), code, "{path}");
            assert_eq!(answer.trailers, None, "{path}");
        }
        Ok(())
    }

    async fn six_megabytes_go_both_ways_and_one_byte_more_does_not(filter: Filter) -> Result<()> {
        let limit = usize::try_from(LAMBDA_PAYLOAD_LIMIT)?;
        let lambda = LambdaDouble::start().await?;
        lambda.answer("echo", [Answer::echo()]);
        lambda.answer("flaky", [Answer::status(503), Answer::function_error("no"), Answer::echo()]);
        lambda.answer("large", [Answer::body(vec![b'x'; limit + 1])]);
        lambda.answer("endless", [Answer::json(vec![b'x'; limit + 1]).chunked(1 << 16)]);
        let calls = [call("echo"), call("flaky"), call("large"), unwrapped("endless")];
        let gateway = gateway(filter, &lambda, &calls, false).await?;
        // No period that a lost or repeated frame could hide behind.
        let body: Bytes = (0..limit).map(|at| (at / 251 + at) as u8).collect();
        for (round, mut client) in gateway.clients().await?.into_iter().enumerate() {
            let answer = client.send(post("/echo", body.clone())).await?;
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body[..200]));
            assert!(answer.body == body, "{} bytes came back", answer.body.len());

            if round == 1 {
                lambda.answer("flaky", [Answer::status(503), Answer::function_error("no"), Answer::echo()]);
            }
            let answer = client.send(post("/flaky", body.clone())).await?;
            assert_eq!(answer.status, 200, "after two failures");
            assert!(answer.body == body, "{} bytes came back", answer.body.len());
            let calls = lambda.calls("flaky");
            assert_eq!(calls.len(), 3 * (round + 1));
            assert!(calls.iter().all(|call| call.refusal.is_none() && call.request.body == body));
        }
        for mut client in gateway.clients().await? {
            for path in ["/large", "/endless"] {
                let answer = client.send(post(path, "{}")).await?;
                assert_eq!((answer.status, answer.header("x-tenon-error")), (502, "response_too_large"), "{path}");
            }
        }
        let before = lambda.calls("echo").len();
        for mut client in gateway.clients().await? {
            let answer = client.send(post("/echo", vec![b'x'; limit + 1])).await?;
            assert_eq!((answer.status, answer.header("x-tenon-error")), (413, "request_too_large"));
        }
        // Without a content-length nobody knows before it is too late.
        let (mut sender, stream) = streaming_body();
        let mut client = gateway.http2().await?;
        let answer = tokio::spawn(async move { client.send(request(Method::POST, "/echo", stream)).await });
        for _ in 0..=limit / (1 << 16) {
            // Refused while it is on its way.
            if sender.send_data(vec![b'x'; 1 << 16].into()).await.is_err() {
                break;
            }
        }
        drop(sender);
        let answer = answer.await??;
        assert_eq!((answer.status, answer.header("x-tenon-error")), (413, "request_too_large"));
        assert_eq!(lambda.calls("echo").len(), before, "none of them was called");
        Ok(())
    }

    async fn clients_that_go_away_take_nobody_with_them(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("echo", [Answer::echo()]);
        let (gate, body_gate) = (Gate::new(), Gate::new());
        lambda.answer("slow", [Answer::json("{}").held_by(&gate)]);
        lambda.answer("streaming", [Answer::body(vec![b'x'; 1 << 20]).header("content-length", "1048576").body_held_by(&body_gate)]);
        lambda.answer("unwrap", [Answer::json(UNWRAPPED).body_held_by(&body_gate)]);
        let calls = [call("echo"), call("slow"), call("streaming"), unwrapped("unwrap")];
        let gateway = gateway(filter, &lambda, &calls, false).await?;
        let active = "http.http.downstream_rq_active";
        for http2 in [false, true] {
            let client = || async { if http2 { gateway.http2().await } else { gateway.http1().await } };
            let round = 1 + u64::from(http2);

            // In the middle of the request.
            let (mut sender, body) = streaming_body();
            let lost = client().await?;
            let mut sending = lost.share();
            let mut half = request(Method::POST, "/echo", body);
            half.headers_mut().insert("content-length", HeaderValue::from_static("100"));
            let admin = gateway.envoy.admin();
            admin.stat_until(active, |requests| requests == 0).await?;
            let sent = tokio::spawn(async move { sending.send(half).await });
            sender.send_data("half of".into()).await?;
            admin.stat_until(active, |requests| requests > 0).await?;
            lost.hang_up();
            assert!(sent.await?.is_err());
            gateway.wait_for_count("echo", "cancelled", round).await?;

            // While the function works.
            let lost = client().await?;
            let mut sending = lost.share();
            let sent = tokio::spawn(async move { sending.send(post("/slow", "{}")).await });
            lambda.wait_for_calls("slow", usize::from(http2) + 1).await?;
            lost.hang_up();
            assert!(sent.await?.is_err());
            gateway.wait_for_count("slow", "cancelled", round).await?;

            // In the middle of the response, whose length is told: the function has answered.
            let lost = client().await?;
            let open = lost.share().open(post("/streaming", "{}")).await?;
            assert_eq!(open.status(), 200);
            lost.hang_up();
            drop(open);
            gateway.wait_for_count("streaming", "ok", round).await?;

            // While the answer is held back to be unwrapped.
            let lost = client().await?;
            let mut sending = lost.share();
            let sent = tokio::spawn(async move { sending.send(post("/unwrap", "{}")).await });
            lambda.wait_for_calls("unwrap", usize::from(http2) + 1).await?;
            lost.hang_up();
            assert!(sent.await?.is_err());

            let answer = client().await?.send(post("/echo", "whole")).await?;
            assert_eq!((answer.status, &*answer.text()), (200, "whole"));
        }
        // Of the halves nothing was called.
        assert_eq!(lambda.calls("echo").len(), 2);
        let total = || async {
            let calls = gateway.calls().await?;
            anyhow::Ok(calls.values().sum::<u64>())
        };
        tenon_e2e::deadline::until("each try counted once", || async {
            let total = total().await?;
            Ok((total == 10).then_some(()))
        })
        .await?;
        gate.open();
        body_gate.open();
        Ok(())
    }
}
