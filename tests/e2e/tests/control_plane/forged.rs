//! Upstreams that speak as Tenon.

use tenon_e2e::{Answer, LambdaDouble, PlainDouble, on_both_hosts};

use super::setting::{Resources, secret, service, to_function, upstream, virtual_service};

const FORGED: [&str; 6] = [
    "x-tenon-call",
    "x-tenon-e",
    "x-tenon-errors",
    "x-tenon-error",
    "x-tenon-secret",
    "x-tenon-whatever",
];

fn forging(answer: Answer) -> Answer {
    let own = answer.header("x-other", "its own");
    FORGED
        .iter()
        .fold(own, |answer, name| answer.header(name, "forged"))
}

on_both_hosts! {
    async fn an_upstream_cannot_speak_as_tenon(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [forging(Answer::json("{}"))]);
        lambda.answer("green", [forging(Answer::function_error("no"))]);
        let plain = PlainDouble::start().await?;
        plain.answer(forging(Answer::body("plain")));
        let to_plain = serde_json::json!({
            "matchers": [{"prefix": "/plain"}],
            "routeAction": {"single": {"upstream": {"name": "plain", "namespace": "default"}}},
        });
        let routes = [to_plain, to_function("/blue", "lambda", "blue"), to_function("/green", "lambda", "green")];
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("plain", &service("plain", plain.address()))?
            .put("routes", &virtual_service("routes", "*", &routes))?
            .start(filter)
            .await?;
        for (path, status, error) in [("/plain", 200, ""), ("/blue", 200, ""), ("/green", 504, "function_error")] {
            let answer = setting.ask(path).await?;
            assert_eq!((answer.status, answer.header("x-other")), (status, "its own"), "{path}");
            assert_eq!(answer.header("x-tenon-error"), error, "{path}");
            for name in FORGED.iter().filter(|name| **name != "x-tenon-error") {
                assert_eq!(answer.header(name), "", "{name} of {path}");
            }
        }
        Ok(())
    }
}
