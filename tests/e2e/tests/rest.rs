//! What templates of REST functions make of a request is for the service alone: neither redirects nor mirrors nor access
//! logs see it, however a call ends.

use serde_json::{Value, json};
use tenon_contract::transform::TransformationTemplate;
use tenon_contract::{CallConfig, RestCall, RestProvider};
use tenon_e2e::gateway::{function_route, plain_route};
use tenon_e2e::{Answer, Gate, GatewayBuilder, PlainDouble, on_both_hosts, post};

fn functions() -> RestProvider {
    let template = TransformationTemplate {
        headers: [
            (":method", "PUT"),
            (":path", "/made{{ header(\":path\") }}"),
            ("content-type", "text/made"),
        ]
        .map(|(name, text)| (name.into(), text.into()))
        .into(),
        body: Some("made of {{ body() }}".into()),
        ..TransformationTemplate::default()
    };
    RestProvider {
        functions: [("f".into(), template)].into(),
    }
}

fn route(prefix: &str, change: impl Fn(&mut Value)) -> Value {
    let call = RestCall {
        name: "f".into(),
        ..RestCall::default()
    };
    let mut route = function_route(prefix, "service", &CallConfig::rest("f", call));
    change(&mut route["route"]);
    route
}

on_both_hosts! {
    async fn what_a_template_makes_is_for_the_service_alone(filter: Filter) -> Result<()> {
        let (service, target) = (PlainDouble::start().await?, PlainDouble::start().await?);
        let mirror = PlainDouble::start().await?;
        let gate = Gate::new();
        service.answer(Answer::status(302).header("location", "http://elsewhere.example/target"));
        target.answer(Answer::body("the target"));
        let gateway = GatewayBuilder::new(filter)?
            .rest("service", service.address(), functions())?
            .service("target", target.address())
            .service("mirror", mirror.address())
            .route(route("/moved", |route| {
                route["internal_redirect_policy"] = json!({"redirect_response_codes": [302]});
                route["request_mirror_policies"] = json!([{"cluster": "mirror"}]);
            }))
            .route(route("/slow", |route| {
                route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "1.5s"});
            }))
            .route(plain_route("/target", "target"))
            .start()
            .await?;
        for mut client in gateway.clients().await? {
            let answer = client.send(post("/moved", "an order")).await?;
            assert_eq!((answer.status, &*answer.text()), (200, "the target"));
        }
        for (double, path) in [(&target, "/target"), (&mirror, "/moved")] {
            for seen in double.wait_for_requests(2).await? {
                assert_eq!((seen.method.as_str(), &*seen.path), ("POST", path));
                assert_eq!((&*seen.body, seen.header("content-type")), (&b"an order"[..], ""));
            }
        }
        service.answer(Answer::body("late").held_by(&gate));
        for mut client in gateway.clients().await? {
            assert_eq!(client.send(post("/slow", "an order")).await?.status, 504);
        }
        gate.open();
        let asked = service.wait_for_requests(6).await?;
        assert_eq!(asked.len(), 6, "each of the slow is tried twice");
        for seen in asked {
            assert_eq!(seen.method.as_str(), "PUT");
            assert!(matches!(&*seen.path, "/made/moved" | "/made/slow"), "{}", seen.path);
            assert_eq!((&*seen.body, seen.header("content-type")), (&b"made of an order"[..], "text/made"));
            assert_eq!(seen.header("content-length"), "16");
        }
        // Each that is redirected is logged twice.
        for entry in gateway.access_log(6).await? {
            assert_eq!(entry[":method"], "POST", "{entry}");
            assert_eq!(entry["content-length"], "8", "{entry}");
            let path = entry[":path"].as_str().unwrap_or_default();
            assert!(matches!(path, "/moved" | "/slow" | "/target"), "{entry}");
            assert!(entry["content-type"].is_null(), "{entry}");
        }
        Ok(())
    }
}
