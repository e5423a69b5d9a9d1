//! What a call leaves in metrics and access logs.

use serde_json::{Value, json};
use tenon_contract::{CallConfig, CallTarget, SecretBlob};
use tenon_e2e::gateway::{function_route, secret};
use tenon_e2e::{Answer, Gate, GatewayBuilder, LambdaDouble, on_both_hosts, post};

on_both_hosts! {
    async fn every_try_is_counted_and_timed(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gate = Gate::new();
        lambda.answer("good", [Answer::json("{}")]);
        lambda.answer("failing", [Answer::function_error("no")]);
        lambda.answer("throttled", [Answer::service_error(429, "TooManyRequestsException", "no")]);
        lambda.answer("slow", [Answer::json("{}").held_by(&gate), Answer::json("{}")]);
        let gone = SecretBlob::Unavailable("gone".into());
        let mut builder = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .functions("gone", lambda.address(), &gone)?;
        for name in ["good", "failing", "throttled", "unknown", "slow"] {
            let mut route = function_route(&format!("/{name}"), "lambda", &CallConfig::aws(name, name));
            if name == "slow" {
                route["route"]["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "2s"});
            }
            builder = builder.route(route);
        }
        let gateway = builder
            .route(function_route("/gone", "gone", &CallConfig::aws("gone", "gone")))
            .start()
            .await?;
        for (name, status) in [("good", 200), ("good", 200), ("failing", 504), ("throttled", 429), ("unknown", 404), ("slow", 200), ("gone", 503)] {
            let answer = gateway.http1().await?.send(post(&format!("/{name}"), "{}")).await?;
            assert_eq!(answer.status, status, "{name}");
        }
        for (function, result, count) in [
            ("good", "ok", 2),
            ("failing", "function_error", 1),
            ("throttled", "throttled", 1),
            ("unknown", "provider_error", 1),
            ("slow", "cancelled", 1),
            ("slow", "ok", 1),
            ("gone", "no_credentials", 1),
        ] {
            gateway.wait_for_count(function, result, count).await?;
        }
        assert_eq!(gateway.calls().await?.len(), 7);
        let admin = gateway.envoy.admin();
        let upstreams = admin.samples("tenon_calls").await?;
        for (labels, _) in upstreams {
            let expected = if labels["function"] == "gone" { "gone" } else { "lambda" };
            assert_eq!(labels["upstream"], expected, "{labels:?}");
        }
        let timed = tenon_e2e::deadline::until("the histogram of each function", || async {
            let timed = admin.samples("tenon_call_ms_count").await?;
            // Histograms are merged from time to time.
            Ok((timed.iter().map(|(_, count)| count).sum::<u64>() == 8).then_some(timed))
        })
        .await?;
        for (labels, count) in timed {
            let expected = if matches!(&*labels["function"], "good" | "slow") { 2 } else { 1 };
            assert_eq!(count, expected, "{labels:?}");
        }
        gate.open();
        Ok(())
    }

    async fn a_refused_signature_shows_how_far_the_clocks_differ(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let refusal = Answer::service_error(403, "InvalidSignatureException", "Signature expired")
            .header("date", "Fri, 31 Dec 9999 23:59:59 GMT");
        lambda.answer("f", [refusal]);
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(function_route("/", "lambda", &CallConfig::aws("f", "f")))
            .start()
            .await?;
        let answer = gateway.http1().await?.send(post("/", "{}")).await?;
        assert_eq!(answer.status, 403);
        let admin = gateway.envoy.admin();
        let skew = tenon_e2e::deadline::until("the clocks' difference", || async {
            Ok(admin.samples("tenon_clock_skew_seconds").await?.pop())
        })
        .await?;
        let years = skew.1 / (365 * 86_400);
        assert!((7_900..8_000).contains(&years), "{skew:?}");
        Ok(())
    }

    async fn access_logs_tell_the_story_of_a_call(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("good", [Answer::json("{}")]);
        lambda.answer("failing", [Answer::function_error("no")]);
        lambda.answer("flaky", [Answer::status(503), Answer::json("{}")]);
        let mut good = CallConfig::aws("good", "good");
        let CallTarget::Aws(aws) = &mut good.target else { panic!("not a call of Lambda") };
        aws.qualifier = Some("live".into());
        let mut flaky = function_route("/flaky", "lambda", &CallConfig::aws("flaky", "flaky"));
        flaky["route"]["retry_policy"] = json!({"retry_on": "5xx"});
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(function_route("/good", "lambda", &good))
            .route(function_route("/failing", "lambda", &CallConfig::aws("failing", "failing")))
            .route(function_route("/unknown", "lambda", &CallConfig::aws("unknown", "unknown")))
            .route(flaky)
            .start()
            .await?;
        let mut client = gateway.http1().await?;
        for path in ["/good", "/failing", "/unknown", "/flaky"] {
            client.send(post(path, "{}")).await?;
        }
        let log = gateway.access_log(4).await?;
        let stories: Vec<&Value> = log.iter().map(|entry| &entry["tenon"]).collect();
        let of = |at: usize, key: &str| stories[at][key].as_str().unwrap_or_default().to_owned();
        for (at, function) in ["good", "failing", "unknown", "flaky"].into_iter().enumerate() {
            assert_eq!((of(at, "upstream"), of(at, "function")), ("lambda".into(), function.into()), "{log:#?}");
            assert!(of(at, "request_id").starts_with("00000000-0000-4000-8000-"), "{log:#?}");
        }
        assert_eq!((of(0, "qualifier"), of(0, "executed_version")), ("live".into(), "live".into()));
        assert_eq!(of(0, "error"), "");
        assert_eq!((of(1, "function_error"), of(1, "error")), ("Unhandled".into(), "function_error".into()));
        assert_eq!(of(2, "error"), "provider_error");
        // What the first try ended with is not what the call ended with.
        assert_eq!((&log[3]["attempts"], of(3, "error")), (&json!(2), String::new()));
        Ok(())
    }
}
