//! A client that hangs up during a call.

use serde_json::Value;
use tenon_e2e::sigv4::AccessKey;
use tenon_e2e::{Answer, Client, Gate, LambdaDouble, gateway, on_both_hosts, post};

use super::setting::{Resources, secret, to_function, upstream, virtual_service};

const TOKEN: &str = "TheSessionTokenOfAClientThatLeft////wEaDJ";

on_both_hosts! {
    async fn a_client_that_leaves_leaves_no_signature_in_the_access_log(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let key = AccessKey { session_token: Some(TOKEN.into()), ..LambdaDouble::key() };
        lambda.set_keys([key.clone()]);
        let gate = Gate::new();
        lambda.answer("blue", [Answer::json("{}").held_by(&gate)]);
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &key))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[to_function("/", "lambda", "blue")]))?
            .start(filter)
            .await?;
        let client = Client::http1(setting.address).await?;
        let mut sending = client.share();
        let sent = tokio::spawn(async move { sending.send(post("/left", "{}")).await });
        lambda.wait_for_calls("blue", 1).await?;
        client.hang_up();
        assert!(sent.await?.is_err());
        let log = gateway::access_log(&setting.access_log(), 1).await?;
        assert_eq!(log.len(), 1, "one entry a request: {log:?}");
        let text = Value::from(log).to_string();
        assert!(text.contains("downstream_remote_disconnect"), "{text}");
        for secret in [&*key.secret, TOKEN, "AWS4-HMAC-SHA256", "Signature="] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        gate.open();
        Ok(())
    }
}
