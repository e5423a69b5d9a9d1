//! Clients that ask for the head only: the provider is asked with POST, so it sends a body that must go nowhere.

use tenon_contract::{RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::{Request, Response};
use crate::scenario::{Scenario, answer, function_error, lambda, service_error};

pub(super) fn all() -> Vec<Scenario> {
    let throttled = || lambda(Response::status(429)).body(r#"{"Reason":"x"}"#);
    vec![
        of("head-of-an-answer").answer(answer("hello")),
        of("head-of-an-answer-in-frames")
            .answer(lambda(Response::status(200)).body_frames(["he", "llo"])),
        of("head-of-an-answer-that-an-empty-frame-ends").answer(
            lambda(Response::status(200))
                .body_frames(["hello"])
                .empty_end_frame(),
        ),
        of("head-of-an-answer-that-trailers-end").answer(
            lambda(Response::status(200))
                .body_frames(["hello"])
                .trailer("x-sum", "1"),
        ),
        of("head-of-an-answer-without-a-body").answer(lambda(Response::status(200))),
        of("head-of-an-api-gateway-answer")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(answer(
                r#"{"statusCode":201,"headers":{"x-a":"1"},"body":"hello"}"#,
            ))
            .gives(201)
            .header("x-a", ["1"])
            .header("content-length", ["5"]),
        of("head-of-an-alb-answer")
            .call_with(|aws| aws.response = ResponseShape::Alb)
            .answer(answer(
                r#"{"statusCode":201,"headers":{"x-a":"1"},"body":"hello"}"#,
            ))
            .gives(201)
            .header("x-a", ["1"])
            .header("content-length", ["5"]),
        of("head-of-an-answer-that-cannot-be-unwrapped")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(answer("nothing"))
            .error_kept(Code::BadFunctionResponse, 500),
        of("head-of-a-function-s-error")
            .answer(function_error())
            .error_kept(Code::FunctionError, 504),
        of("head-of-a-hidden-function-s-error")
            .call_with(|aws| aws.expose_function_error = false)
            .answer(function_error())
            .error_kept(Code::FunctionError, 504),
        of("head-of-a-provider-s-error")
            .answer(service_error(403, "AccessDeniedException", "x"))
            .error_kept(Code::ProviderError, 403)
            .header("content-type", ["application/json"]),
        of("head-of-a-provider-s-error-without-a-body")
            .answer(Response::status(500))
            .error_kept(Code::ProviderError, 500),
        of("head-of-a-throttled-call")
            .answer(throttled())
            .error_kept(Code::Throttled, 429),
        of("head-of-a-throttled-call-in-gloo-s-form")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(throttled())
            .error_kept(Code::Throttled, 500),
        of("head-with-an-event")
            .call_with(|aws| aws.request = RequestShape::Metadata)
            .shows("/httpMethod", "HEAD")
            .answer(answer("hello")),
        of("head-that-is-tried-again")
            .answer(function_error())
            .answer(answer("hello"))
            .retry(&[504], 1)
            .counted(["function_error", "ok"]),
    ]
}

fn of(name: &'static str) -> Scenario {
    Scenario::new(name).request(Request::new("HEAD", "/"))
}
