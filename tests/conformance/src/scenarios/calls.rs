//! Which function is called, and how it is named on the wire.

use tenon_contract::{CallConfig, Invocation, RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::{Request, Response};
use crate::scenario::{Route, Scenario, call, lambda, service_error};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("a-function-is-called-by-its-name")
            .sends("x-amz-invocation-type", "RequestResponse")
            .header("x-amz-executed-version", ["$LATEST"])
            .tells("upstream", "lambda_default")
            .tells("executed_version", "$LATEST")
            .tells("request_id", "00000000-0000-4000-8000-000000000001")
            .tells_nothing_of("qualifier")
            .tells_nothing_of("function_error"),
        Scenario::new("a-logical-name-is-not-the-function-s-name")
            .call(&CallConfig::aws("logical", "real"))
            .path("/2015-03-31/functions/real/invocations")
            .function("logical"),
        Scenario::new("a-qualifier-is-in-the-query")
            .call_with(|aws| aws.qualifier = Some("prod".into()))
            .path("/2015-03-31/functions/f/invocations?Qualifier=prod")
            .tells("qualifier", "prod"),
        Scenario::new("a-qualifier-of-reserved-characters-is-encoded")
            .call_with(|aws| aws.qualifier = Some("$LATEST".into()))
            .path("/2015-03-31/functions/f/invocations?Qualifier=%24LATEST")
            .tells("qualifier", "$LATEST"),
        Scenario::new("an-arn-is-one-segment-of-the-path")
            .call_with(|aws| aws.name = ARN.into())
            .path("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aother/invocations"),
        Scenario::new("an-arn-with-a-qualifier-is-signed-as-sent")
            .call_with(|aws| {
                aws.name = ARN.into();
                aws.qualifier = Some("7".into());
            })
            .path("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aother/invocations?Qualifier=7"),
        Scenario::new("the-client-s-path-and-query-are-not-the-provider-s")
            .request(Request::new("DELETE", "/2015-03-31/functions/other/invocations?Qualifier=1")),
        Scenario::new("an-event-is-queued")
            .call_with(|aws| aws.invocation = Invocation::Event)
            .request(Request::post("/", r#"{"a":1}"#))
            .answer(Response::status(202).header("x-amzn-requestid", "r").body(""))
            .sends("x-amz-invocation-type", "Event")
            .gives(202),
        Scenario::new("a-queued-event-has-nothing-to-unwrap")
            .call_with(|aws| {
                aws.invocation = Invocation::Event;
                aws.response = ResponseShape::ApiGateway;
            })
            .request(Request::post("/", "{}"))
            .answer(Response::status(202).body(""))
            .sends("x-amz-invocation-type", "Event")
            .gives(202),
        Scenario::new("a-dry-run-runs-nothing")
            .call_with(|aws| aws.invocation = Invocation::DryRun)
            .request(Request::post("/", r#"{"a":1}"#))
            .answer(Response::status(204).header("x-amzn-requestid", "r"))
            .sends("x-amz-invocation-type", "DryRun")
            .gives(204),
        Scenario::new("a-dry-run-of-an-event-has-nothing-to-unwrap")
            .call_with(|aws| {
                aws.invocation = Invocation::DryRun;
                aws.request = RequestShape::ApiGateway;
                aws.response = ResponseShape::ApiGateway;
            })
            .answer(Response::status(204))
            .sends("x-amz-invocation-type", "DryRun")
            .sends_event()
            .gives(204),
        Scenario::new("a-dry-run-that-is-denied")
            .call_with(|aws| aws.invocation = Invocation::DryRun)
            .answer(service_error(403, "AccessDeniedException", "x"))
            .sends("x-amz-invocation-type", "DryRun")
            .error(
                Code::ProviderError,
                403,
                "the provider answered 403 AccessDeniedException",
            ),
        Scenario::new("an-event-that-is-too-large-to-be-queued")
            .call_with(|aws| aws.invocation = Invocation::Event)
            .request(Request::post("/", "{}"))
            .answer(service_error(413, "RequestTooLargeException", "x"))
            .sends("x-amz-invocation-type", "Event")
            .error(
                Code::ProviderError,
                413,
                "the provider answered 413 RequestTooLargeException",
            ),
        Scenario::new("an-answer-without-a-body-is-one")
            .answer(lambda(Response::status(200))),
        Scenario::new("a-weight-chooses-its-call")
            .route(weights(1))
            .path("/2015-03-31/functions/second/invocations")
            .function("second"),
        Scenario::new("another-weight-chooses-another-call")
            .route(weights(0))
            .function("first")
            .path("/2015-03-31/functions/first/invocations"),
        Scenario::new("a-client-cannot-choose-the-weight")
            .route(weights(0))
            .request(Request::get("/").header("x-tenon-call", "call.1"))
            .function("first")
            .path("/2015-03-31/functions/first/invocations"),
        Scenario::new("a-client-cannot-choose-the-call-of-a-route-that-has-one")
            .route(Route::calling(&call()).and("call.0", CallConfig::aws("x", "other").to_json()))
            .request(Request::get("/").header("x-tenon-call", "call.0")),
        Scenario::new("a-call-of-a-newer-minor-version-is-made")
            .route(Route::with("call", with_unknown_fields())),
    ]
}

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:other";

fn weights(chosen: usize) -> Route {
    let calls = ["first", "second"].map(|name| CallConfig::aws(name, name));
    Route::weighted(&calls, chosen)
}

fn with_unknown_fields() -> String {
    let known = call().to_json();
    known.replacen('{', r#"{"fromTheFuture":{"deep":[1]},"#, 1)
}
