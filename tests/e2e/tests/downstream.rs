//! `tenon.function` among a listener's own filters: what is different there.

use serde_json::{Value, json};
use tenon_contract::transform::RequestMatcher;
use tenon_contract::{CallConfig, CallRule, SecretBlob};
use tenon_e2e::gateway::{plain_route, secret};
use tenon_e2e::{
    Answer, Filter, Gate, Gateway, GatewayBuilder, LambdaDouble, PlainDouble, get, on_both_hosts,
    post,
};

/// Requests under a path call the function of its name.
fn rule(function: &str) -> CallRule {
    CallRule {
        matcher: Some(RequestMatcher {
            prefix: Some(format!("/{function}")),
            ..RequestMatcher::default()
        }),
        call: CallConfig::aws(function, function),
    }
}

/// A listener that calls `f`, over a route that the test changes, and sends all else to a service.
fn builder(
    filter: Filter,
    lambda: &LambdaDouble,
    service: &PlainDouble,
    change: impl Fn(&mut Value),
) -> anyhow::Result<GatewayBuilder> {
    with_routes(filter, change)?
        .service("service", service.address())
        .route(plain_route("/", "service"))
        .calls_in_listener(
            "lambda",
            lambda.address(),
            &secret(&LambdaDouble::key()),
            vec![rule("f")],
            |_| {},
        )
}

/// The routes to `f`: the client's; and the one for what has become a call, because Envoy chooses the route again when a
/// `.wasm` has changed the request.
fn with_routes(filter: Filter, change: impl Fn(&mut Value)) -> anyhow::Result<GatewayBuilder> {
    let routes = ["/f", "/2015-03-31/functions/"].map(|prefix| {
        let mut route = plain_route(prefix, "lambda");
        change(&mut route["route"]);
        route
    });
    Ok(GatewayBuilder::new(filter)?.routes(routes))
}

fn retried(route: &mut Value) {
    route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2,
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"}});
}

/// No entry shows anything of a call that was signed.
async fn check_log(gateway: &Gateway, entries: usize) -> anyhow::Result<()> {
    for entry in gateway.access_log(entries).await? {
        assert_eq!(entry["authorization"], Value::Null, "{entry}");
        assert_eq!(entry["x-amz-date"], Value::Null, "{entry}");
        assert_ne!(entry[":path"], "/2015-03-31/functions/f/invocations");
    }
    Ok(())
}

on_both_hosts! {
    async fn a_request_that_fits_a_rule_is_a_call_and_others_pass(filter: Filter) -> Result<()> {
        let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
        lambda.answer("f", [Answer::json("{\"by\":\"f\"}")]);
        let gateway = builder(filter, &lambda, &service, |_| {})?.start().await?;
        for (number, mut client) in gateway.clients().await?.into_iter().enumerate() {
            let called = client.send(get("/f?a=1")).await?;
            assert_eq!((called.status, &*called.text()), (200, "{\"by\":\"f\"}"));
            let mut request = post("/other", "a body");
            for (name, value) in [
                ("authorization", "Basic of-the-client"),
                ("x-tenon-secret", "forged"),
                ("x-tenon-call", "forged"),
            ] {
                request.headers_mut().insert(name, http::HeaderValue::from_static(value));
            }
            assert_eq!(client.send(request).await?.status, 200);
            let received = service.wait_for_requests(number + 1).await?;
            let received = &received[number];
            assert_eq!(received.path, "/other");
            assert_eq!(received.body, "a body");
            assert_eq!(received.header("authorization"), "Basic of-the-client");
            for name in ["x-tenon-secret", "x-tenon-call", "x-tenon-called", "x-amz-date"] {
                assert_eq!(received.header(name), "", "{name}");
            }
        }
        let calls = lambda.wait_for_calls("f", 2).await?;
        assert!(calls.iter().all(|call| call.refusal.is_none()), "{calls:?}");
        gateway.wait_for_count("f", "ok", 2).await
    }

    async fn a_retry_repeats_the_signed_request(filter: Filter) -> Result<()> {
        let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
        let failure = Answer::service_error(503, "ServiceException", "try again");
        lambda.answer("f", [failure, Answer::json("{}")]);
        let gateway = builder(filter, &lambda, &service, retried)?.start().await?;
        let response = gateway.http1().await?.send(post("/f", "{}")).await?;
        assert_eq!(response.status, 200, "{}", response.text());
        let calls = lambda.wait_for_calls("f", 2).await?;
        for name in ["authorization", "x-amz-date"] {
            assert_eq!(calls[0].request.header(name), calls[1].request.header(name));
        }
        assert!(calls.iter().all(|call| call.refusal.is_none()), "{calls:?}");
        gateway.wait_for_count("f", "ok", 1).await?;
        check_log(&gateway, 1).await
    }

    async fn a_function_s_failure_is_not_what_the_retry_policy_sees(filter: Filter) -> Result<()> {
        let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
        lambda.answer("f", [Answer::function_error("boom"), Answer::json("{}")]);
        let gateway = builder(filter, &lambda, &service, retried)?.start().await?;
        let response = gateway.http1().await?.send(get("/f")).await?;
        assert_eq!(response.status, 504);
        assert_eq!(response.header("x-tenon-error"), "function_error");
        assert_eq!(lambda.calls("f").len(), 1);
        gateway.wait_for_count("f", "function_error", 1).await
    }

    async fn a_redirect_that_envoy_follows_takes_no_signature_along(filter: Filter) -> Result<()> {
        let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
        lambda.answer("f", [Answer::status(302).header("location", "http://elsewhere.example/target")]);
        let gateway = builder(filter, &lambda, &service, |route| {
            route["internal_redirect_policy"] = json!({"redirect_response_codes": [302]});
        })?
        .start()
        .await?;
        for mut client in gateway.clients().await? {
            let response = client.send(get("/f")).await?;
            assert_eq!(response.status, 502, "{}", response.text());
            assert_eq!(response.header("x-tenon-error"), "bad_function_response");
        }
        assert_eq!(service.requests().len(), 0);
        assert_eq!(lambda.calls("f").len(), 2);
        // The log of the first stream is written before a `.wasm` is told that it ends.
        if filter == Filter::Wasm {
            return Ok(());
        }
        check_log(&gateway, 4).await
    }

    async fn a_host_that_the_route_rewrites_is_not_the_signed_one(filter: Filter) -> Result<()> {
        let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
        lambda.answer("f", [Answer::json("{}")]);
        let gateway = builder(filter, &lambda, &service, |route| {
            route["host_rewrite_literal"] = json!("elsewhere.example");
        })?
        .start()
        .await?;
        let response = gateway.http1().await?.send(get("/f")).await?;
        assert_eq!(response.status, 403);
        assert_eq!(response.header("x-tenon-error"), "provider_error");
        assert!(lambda.calls("f")[0].refusal.is_some());
        Ok(())
    }

    async fn each_of_several_filters_calls_what_is_its_own(filter: Filter) -> Result<()> {
        let (one, other) = (LambdaDouble::start().await?, LambdaDouble::start().await?);
        let other_key = tenon_e2e::sigv4::AccessKey::new("AKIDOFTHEOTHER", "SecretKeyOfTheOther/0123456789");
        other.set_keys([other_key.clone()]);
        one.answer("f", [Answer::json("1")]);
        other.answer("g", [Answer::json("2")]);
        // Of what has become a call, the host says where it goes.
        let to_other = json!({"name": ":authority", "string_match": {"exact": other.address().to_string()}});
        let mut invoked = plain_route("/2015-03-31/functions/", "other");
        invoked["match"]["headers"] = json!([to_other]);
        let gateway = GatewayBuilder::new(filter)?
            .route(plain_route("/g", "other"))
            .route(invoked)
            .route(plain_route("/", "one"))
            .calls_in_listener("one", one.address(), &secret(&LambdaDouble::key()), vec![rule("f")], |_| {})?
            .calls_in_listener("other", other.address(), &secret(&other_key), vec![rule("g"), rule("f")], |_| {})?
            .start()
            .await?;
        let mut client = gateway.http1().await?;
        for (path, expected) in [("/f", "1"), ("/g", "2"), ("/f", "1")] {
            let response = client.send(get(path)).await?;
            assert_eq!((response.status, &*response.text()), (200, expected));
        }
        let calls = [one.calls("f"), other.calls("g")].concat();
        assert_eq!(calls.len(), 3);
        assert!(calls.iter().all(|call| call.refusal.is_none()), "{calls:?}");
        assert_eq!(other.calls("f").len(), 0);
        Ok(())
    }

    async fn without_credentials_only_calls_fail(filter: Filter) -> Result<()> {
        let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
        let none = SecretBlob::Unavailable("nobody gave it".into());
        let gateway = with_routes(filter, |_| {})?
            .service("service", service.address())
            .route(plain_route("/", "service"))
            .calls_in_listener("lambda", lambda.address(), &none, vec![rule("f")], |_| {})?
            .start()
            .await?;
        let mut client = gateway.http1().await?;
        let refused = client.send(get("/f")).await?;
        assert_eq!(refused.status, 503);
        assert_eq!(refused.header("x-tenon-error"), "no_credentials");
        assert_eq!(client.send(get("/other")).await?.status, 200);
        assert_eq!(lambda.calls("f").len(), 0);
        Ok(())
    }
}

#[tokio::test]
async fn the_module_leaves_no_signature_in_the_log_of_a_client_that_goes_away() -> anyhow::Result<()>
{
    let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
    let never = Gate::new();
    lambda.answer("f", [Answer::json("{}").held_by(&never)]);
    let gateway = builder(Filter::So, &lambda, &service, |_| {})?
        .start()
        .await?;
    let mut client = gateway.http1().await?;
    let waiting = tokio::spawn(async move { client.send(get("/f")).await.map(drop) });
    lambda.wait_for_calls("f", 1).await?;
    waiting.abort();
    gateway.wait_for_count("f", "cancelled", 1).await?;
    check_log(&gateway, 1).await
}

/// Neither Istio's `WasmPlugin` nor Envoy Gateway's policy can set the flag: docs/filters.md says what to do instead.
#[tokio::test]
async fn a_wasm_that_may_not_hold_headers_waits_for_ever() -> anyhow::Result<()> {
    let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
    let gateway = with_routes(Filter::Wasm, |_| {})?
        .service("service", service.address())
        .route(plain_route("/", "service"))
        .manager(json!({"stream_idle_timeout": "2s"}))
        .calls_in_listener(
            "lambda",
            lambda.address(),
            &secret(&LambdaDouble::key()),
            vec![rule("f")],
            |filter| {
                let plugin = filter.pointer_mut("/typed_config/config");
                let plugin = plugin.and_then(Value::as_object_mut);
                plugin.map(|it| it.remove("allow_on_headers_stop_iteration"));
            },
        )?
        .start()
        .await?;
    let response = gateway.http1().await?.send(get("/f")).await?;
    assert_eq!(response.status, 504, "{}", response.text());
    assert_eq!(lambda.calls("f").len(), 0);
    assert_eq!(
        gateway.http1().await?.send(get("/other")).await?.status,
        200
    );
    Ok(())
}
