//! What Settings and retries say, on the requests that flow.

use serde_json::{Value, json};
use tenon_e2e::{Answer, LambdaDouble, on_both_hosts};

use super::changes;
use super::setting::{Resources, object, secret, to_function, upstream, virtual_service};

fn settings(aws: Value) -> Value {
    let mut settings = object("Settings", "default", json!({"gloo": {"awsOptions": aws}}));
    settings["apiVersion"] = json!("gloo.solo.io/v1");
    settings["metadata"]["namespace"] = json!("gloo-system");
    settings
}

on_both_hosts! {
    async fn settings_hold_for_functions_and_an_edit_of_them_is_seen(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [Answer::body("blue")]);
        let mut unnamed = to_function("/", "lambda", "blue");
        unnamed["routeAction"]["single"]["destinationSpec"] = Value::Null;
        let setting = Resources::new()?
            .put("settings", &settings(json!({"propagateOriginalRouting": true, "fallbackToFirstFunction": true})))?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[unnamed]))?
            .start(filter)
            .await?;
        setting.sees("/a?b=1", |answer| answer.text() == "blue").await?;
        let told = || {
            let calls = lambda.calls("blue");
            let last = calls.last().map(|call| call.request.clone());
            last.map(|it| (it.header("x-envoy-original-path").to_owned(), it.header("x-envoy-original-method").to_owned()))
        };
        assert_eq!(told(), Some(("/a?b=1".to_owned(), "POST".to_owned())));
        assert_eq!(setting.status("Settings", "default").await?, ("Accepted".into(), "[]".into()));
        let before = changes(&setting.envoy).await?;
        setting.put("settings", &settings(json!({"fallbackToFirstFunction": true})))?;
        setting.sees("/a", |_| told() == Some((String::new(), String::new()))).await?;
        let after = changes(&setting.envoy).await?;
        assert_eq!(after["cluster_manager.cluster_modified"], before["cluster_manager.cluster_modified"] + 1);
        Ok(())
    }

    async fn statuses_are_tried_again_that_the_route_lists(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let mut listed = to_function("/", "lambda", "blue");
        listed["options"] = json!({"retries": {
            "retryOn": "reset",
            "numRetries": 0,
            "retriableStatusCodes": [404],
            "rateLimitedRetryBackOff": {"resetHeaders": [{"name": "retry-after"}], "maxInterval": "1s"},
            "previousPriorities": {"updateFrequency": 1},
        }});
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[listed]))?
            .start(filter)
            .await?;
        lambda.answer("blue", [Answer::status(404), Answer::body("found")]);
        let answer = setting.ask("/").await?;
        assert_eq!((answer.status, &*answer.text(), lambda.calls("blue").len()), (200, "found", 2));
        lambda.answer("blue", [Answer::status(409), Answer::body("found")]);
        assert_eq!((setting.ask("/").await?.status, lambda.calls("blue").len()), (409, 3));
        // Once, which is the default of Gloo and Envoy.
        lambda.answer("blue", [Answer::status(404), Answer::status(404), Answer::body("found")]);
        assert_eq!((setting.ask("/").await?.status, lambda.calls("blue").len()), (404, 5));
        Ok(())
    }
}
