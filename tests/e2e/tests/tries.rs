//! Several tries of one call: each signed anew, each with the same event, and counted.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenon_contract::{CallConfig, CallTarget, RequestShape, ResponseShape};
use tenon_e2e::gateway::{function_route, secret};
use tenon_e2e::{
    Answer, Client, Gate, Gateway, GatewayBuilder, LambdaCall, LambdaDouble, on_both_hosts, post,
};

const SHAPES: [(&str, RequestShape); 3] = [
    ("raw", RequestShape::Body),
    ("metadata", RequestShape::Metadata),
    ("gateway", RequestShape::ApiGateway),
];
const BODY: &[u8] = b"{\"order\": \"\x00 and \xff\"}";

/// A gateway with a function of each shape, under a path of its name, and what a route may add.
async fn gateway(
    filter: tenon_e2e::Filter,
    lambda: &LambdaDouble,
    change: impl Fn(&mut Value),
) -> anyhow::Result<Gateway> {
    let key = LambdaDouble::key();
    let mut builder =
        GatewayBuilder::new(filter)?.functions("lambda", lambda.address(), &secret(&key))?;
    for (name, shape) in SHAPES {
        let mut call = CallConfig::aws(name, name);
        let CallTarget::Aws(aws) = &mut call.target else {
            panic!("not a call of Lambda")
        };
        aws.request = shape;
        let mut route = function_route(&format!("/{name}"), "lambda", &call);
        change(&mut route["route"]);
        builder = builder.route(route);
    }
    builder.start().await
}

/// What every request of a client here has: repeated names, and what must not reach the provider.
fn order(path: &str) -> http::Request<tenon_e2e::RequestBody> {
    let mut request = post(path, BODY);
    let headers = request.headers_mut();
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-list", "one"),
        ("x-list", "two"),
        ("authorization", "Bearer of-the-client"),
        ("cookie", "a=b"),
    ] {
        headers.append(name, http::HeaderValue::from_static(value));
    }
    request
}

/// All tries were signed, for what they were, and had the same event.
fn check_tries(calls: &[LambdaCall], tries: usize) {
    assert_eq!(calls.len(), tries);
    for call in calls {
        assert_eq!(call.refusal, None);
        assert_eq!(call.request.body, calls[0].request.body);
        assert_eq!(call.request.path, calls[0].request.path);
        let type_of = |call: &LambdaCall| call.request.header("content-type").to_owned();
        assert_eq!(type_of(call), type_of(&calls[0]));
    }
}

async fn ask(client: &mut Client, name: &str) -> anyhow::Result<tenon_e2e::Response> {
    client.send(order(&format!("/{name}?a=1&a=2"))).await
}

fn check_event(name: &str, body: &[u8]) {
    if name == "raw" {
        assert_eq!(body, BODY);
        return;
    }
    let event: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(event["path"], format!("/{name}"));
    assert_eq!(event["httpMethod"], "POST");
    assert_eq!(event["multiValueHeaders"]["x-list"], json!(["one", "two"]));
    assert_eq!(event["headers"]["authorization"], "Bearer of-the-client");
    assert_eq!(event["isBase64Encoded"], true);
    assert!(!event.to_string().contains("x-amz-"), "{event}");
}

on_both_hosts! {
    async fn a_function_that_fails_twice_and_then_succeeds_is_one_answer(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda, |route| {
            route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2});
        })
        .await?;
        let failures = [
            [Answer::status(503), Answer::function_error("no")],
            [Answer::function_error("no"), Answer::service_error(500, "ServiceException", "no")],
        ];
        for (round, failures) in failures.into_iter().enumerate() {
            for (name, _) in SHAPES {
                lambda.answer(name, failures.clone().into_iter().chain([Answer::echo()]));
                let mut client = gateway.clients().await?.into_iter().nth(round).unwrap();
                let answer = ask(&mut client, name).await?;
                assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                assert_eq!(answer.header("x-tenon-error"), "");
                check_event(name, &answer.body);
                let calls = lambda.calls(name);
                check_tries(&calls[3 * round..], 3);
            }
        }
        for (name, _) in SHAPES {
            for result in ["ok", "function_error", "provider_error"] {
                gateway.wait_for_count(name, result, 2).await?;
            }
        }
        for entry in gateway.access_log(6).await? {
            assert_eq!((&entry["code"], &entry["attempts"]), (&json!(200), &json!(3)));
        }
        Ok(())
    }

    async fn a_function_that_keeps_failing_gives_its_last_answer(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda, |route| {
            route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2});
        })
        .await?;
        for (name, _) in SHAPES {
            lambda.answer(name, ["one", "two", "three"].map(Answer::function_error));
            let answer = ask(&mut gateway.http2().await?, name).await?;
            assert_eq!((answer.status, answer.header("x-tenon-error")), (504, "function_error"));
            assert_eq!(answer.json()?["errorMessage"], "three");
            check_tries(&lambda.calls(name), 3);
        }
        Ok(())
    }

    async fn an_answer_that_cannot_be_unwrapped_is_retried(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("gateway", [
            Answer::json("not JSON"),
            Answer::json("[]").chunked(1),
            Answer::json(r#"{"statusCode": 201, "body": "done"}"#),
        ]);
        let mut call = CallConfig::aws("gateway", "gateway");
        let CallTarget::Aws(aws) = &mut call.target else { panic!("not a call of Lambda") };
        (aws.request, aws.response) = (RequestShape::ApiGateway, ResponseShape::ApiGateway);
        let mut route = function_route("/", "lambda", &call);
        route["route"]["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2});
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(route)
            .start()
            .await?;
        let answer = ask(&mut gateway.http1().await?, "gateway").await?;
        assert_eq!((answer.status, &*answer.text()), (201, "done"));
        check_tries(&lambda.calls("gateway"), 3);
        Ok(())
    }

    async fn tries_that_take_too_long_are_given_up_and_signed_anew(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda, |route| {
            // Longer than the second that a signature's date counts in, so that a copied one would show.
            route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2, "per_try_timeout": "3s"});
        })
        .await?;
        let gate = Gate::new();
        for (name, _) in SHAPES {
            let held = Answer::echo().held_by(&gate);
            lambda.answer(name, [held.clone(), held, Answer::echo()]);
        }
        let clients = SHAPES.map(|(name, _)| {
            let address = gateway.address;
            tokio::spawn(async move { ask(&mut Client::http1(address).await?, name).await })
        });
        for (client, (name, _)) in clients.into_iter().zip(SHAPES) {
            let answer = client.await??;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            check_event(name, &answer.body);
            let calls = lambda.calls(name);
            check_tries(&calls, 3);
            let signatures: BTreeSet<_> = calls
                .iter()
                .map(|call| call.request.header("authorization"))
                .collect();
            assert_eq!(signatures.len(), 3, "{name}");
            gateway.wait_for_count(name, "cancelled", 2).await?;
            gateway.wait_for_count(name, "ok", 1).await?;
        }
        gate.open();
        Ok(())
    }

    async fn hedged_tries_run_side_by_side_and_one_wins(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda, |route| {
            route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2, "per_try_timeout": "1.5s"});
            route["hedge_policy"] = json!({"hedge_on_per_try_timeout": true});
        })
        .await?;
        let never = Gate::new();
        for (name, _) in SHAPES {
            // The last one wins.
            let held = Answer::echo().held_by(&never);
            lambda.answer(name, [held.clone(), held, Answer::echo()]);
            let answer = ask(&mut gateway.http1().await?, name).await?;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            check_event(name, &answer.body);
            check_tries(&lambda.calls(name), 3);
            gateway.wait_for_count(name, "cancelled", 2).await?;
            gateway.wait_for_count(name, "ok", 1).await?;

            // The first one wins, after the others went out.
            let first = Gate::new();
            let held = Answer::status(500).held_by(&never);
            lambda.answer(name, [Answer::echo().held_by(&first), held.clone(), held]);
            let address = gateway.address;
            let client = tokio::spawn(async move { ask(&mut Client::http1(address).await?, name).await });
            lambda.wait_for_calls(name, 6).await?;
            first.open();
            let answer = client.await??;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            check_event(name, &answer.body);
            check_tries(&lambda.calls(name)[3..], 3);
            gateway.wait_for_count(name, "cancelled", 4).await?;
            gateway.wait_for_count(name, "ok", 2).await?;
        }
        never.open();
        Ok(())
    }
}
