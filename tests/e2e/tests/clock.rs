//! A clock that is not Lambda's.

use std::time::Duration;

use serde_json::json;
use tenon_contract::CallConfig;
use tenon_e2e::gateway::{function_route, secret};
use tenon_e2e::{Answer, GatewayBuilder, LambdaDouble, get, on_both_hosts, post};

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// The gauge, in whichever form the host has it.
async fn skew(gateway: &tenon_e2e::Gateway) -> anyhow::Result<u64> {
    let stats = gateway.envoy.admin().stats().await?;
    let found = stats
        .iter()
        .find(|(name, _)| name.ends_with("tenon_clock_skew_seconds"));
    Ok(found.map_or(0, |(_, seconds)| *seconds))
}

on_both_hosts! {
    async fn a_refusal_teaches_lambda_s_time_and_the_next_try_is_accepted(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("f", [Answer::json("{}")]);
        let call = CallConfig::aws("f", "f");
        let mut retrying = function_route("/retrying", "lambda", &call);
        retrying["route"]["retry_policy"] = json!({
            "retry_on": "retriable-status-codes", "retriable_status_codes": [403], "num_retries": 1,
        });
        // With one worker: in the .wasm, each learns for itself.
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
            .route(retrying)
            .route(function_route("/", "lambda", &call))
            .start()
            .await?;
        let mut client = gateway.http1().await?;
        assert_eq!(client.send(get("/")).await?.status, 200);
        assert_eq!(skew(&gateway).await?, 0);

        lambda.set_clock_ahead(TEN_MINUTES);
        let answer = client.send(post("/retrying", "{}")).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let refused = || lambda.calls("f").iter().filter(|call| call.refusal.is_some()).count();
        assert_eq!((refused(), lambda.calls("f").len()), (1, 3));
        let seconds = skew(&gateway).await?;
        assert!((590..=610).contains(&seconds), "{seconds}");

        // Learnt once; where nothing is tried again, too.
        for _ in 0..3 {
            assert_eq!(client.send(get("/")).await?.status, 200);
        }
        assert_eq!(refused(), 1);

        // It has been set right since.
        lambda.set_clock_ahead(Duration::ZERO);
        assert_eq!(client.send(get("/")).await?.status, 403);
        assert_eq!(client.send(get("/")).await?.status, 200);
        assert_eq!(refused(), 2);
        assert!(skew(&gateway).await? <= 10);
        Ok(())
    }
}
