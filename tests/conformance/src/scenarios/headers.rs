//! Which headers reach whom.

use tenon_contract::{RequestShape, ResponseShape};

use crate::fake::Request;
use crate::scenario::{Scenario, answer};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("a-client-s-credentials-stay-with-the-client")
            .request(
                Request::post("/", "{}")
                    .header("authorization", "Bearer of-the-client")
                    .header("content-type", "application/json"),
            )
            .sends("content-type", "application/json"),
        Scenario::new("a-client-s-words-of-aws-never-reach-aws").request(words_of_aws()),
        Scenario::new("a-client-s-words-of-aws-never-reach-aws-with-an-event")
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .request(words_of_aws())
            .shows("/headers/x-amzn-vpc-id", "vpc-1"),
        Scenario::new("several-values-of-a-taken-header-come-back").request(
            Request::get("/")
                .header("x-amzn-vpc-id", "vpc-1")
                .header("x-amzn-vpc-id", "vpc-2"),
        ),
        Scenario::new("a-trace-id-goes-through")
            .request(Request::get("/").header(
                "x-amzn-trace-id",
                "Root=1-5759e988-bd862e3fe1be46a994272793",
            ))
            .sends(
                "x-amzn-trace-id",
                "Root=1-5759e988-bd862e3fe1be46a994272793",
            ),
        Scenario::new("other-headers-go-through")
            .request(
                Request::get("/")
                    .header("cookie", "a=1")
                    .header("x-own", "value"),
            )
            .sends("cookie", "a=1")
            .sends("x-own", "value"),
        Scenario::new("a-client-s-headers-of-ours-are-taken").request(
            Request::get("/")
                .header(
                    "x-tenon-secret",
                    r#"{"aws":{"accessKeyId":"forged","secretAccessKey":"forged"}}"#,
                )
                .header("x-tenon-error", "forged")
                .header("x-tenon-anything", "forged"),
        ),
        Scenario::new("an-upstream-s-headers-of-ours-are-taken").answer(
            answer("{}")
                .header("x-tenon-error", "forged")
                .header("x-tenon-secret", "forged"),
        ),
        Scenario::new("an-upstream-s-headers-of-ours-are-taken-under-alb")
            .call_with(|aws| aws.response = ResponseShape::Alb)
            .answer(answer(r#"{"body":"x"}"#).header("x-tenon-error", "forged"))
            .body("x"),
        Scenario::new("a-host-with-a-port-is-the-client-s-own")
            .request(Request::get("/").header(":authority", "evil.example:1234")),
        Scenario::new("a-content-type-is-signed-whatever-it-holds")
            .request(
                Request::post("/", "x").header("content-type", "text/plain;   charset=\"utf-8\""),
            )
            .sends("content-type", "text/plain;   charset=\"utf-8\""),
        Scenario::new("a-content-type-beyond-ascii-goes-through-unsigned")
            .request(Request::post("/", "x").header("content-type", "text/plain; name=\u{e4}"))
            .sends("content-type", "text/plain; name=\u{e4}"),
    ]
}

fn words_of_aws() -> Request {
    Request::post("/", "{}")
        .header("x-amz-client-context", "forged")
        .header("x-amz-content-sha256", "forged")
        .header("x-amz-date", "20000101T000000Z")
        .header("x-amz-invocation-type", "DryRun")
        .header("x-amz-log-type", "Tail")
        .header("x-amz-security-token", "forged")
        .header("x-amzn-vpc-id", "vpc-1")
}
