//! What clients get where the function or the provider fails.

use tenon_contract::{Invocation, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::{Request, Response};
use crate::scenario::{FUNCTION_ERROR, Scenario, answer, function_error, lambda, service_error};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = of_functions();
    all.extend(throttled());
    all.extend(of_the_provider());
    all
}

fn of_functions() -> Vec<Scenario> {
    vec![
        Scenario::new("a-function-s-error-is-shown-under-504")
            .answer(function_error())
            .error_kept(Code::FunctionError, 504)
            .header("content-type", ["application/json"])
            .header("x-amz-function-error", ["Unhandled"])
            .tells("function_error", "Unhandled")
            .body(FUNCTION_ERROR),
        Scenario::new("a-function-s-error-has-the-status-that-the-call-says")
            .call_with(|aws| aws.function_error_status = 500)
            .answer(function_error())
            .error_kept(Code::FunctionError, 500)
            .body(FUNCTION_ERROR),
        Scenario::new("a-function-s-error-is-hidden-where-the-call-says")
            .call_with(|aws| aws.expose_function_error = false)
            .answer(function_error())
            .error(Code::FunctionError, 504, "the function failed")
            .never_shows("boom"),
        Scenario::new("a-function-s-error-is-not-unwrapped")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(function_error())
            .error_kept(Code::FunctionError, 504)
            .body(FUNCTION_ERROR),
        Scenario::new("a-function-s-error-without-a-body")
            .answer(lambda(Response::status(200)).header("x-amz-function-error", "Handled"))
            .error_kept(Code::FunctionError, 504)
            .tells("function_error", "Handled")
            .body(""),
        Scenario::new("a-hidden-function-s-error-without-a-body")
            .body_added()
            .call_with(|aws| aws.expose_function_error = false)
            .answer(lambda(Response::status(200)).header("x-amz-function-error", "Handled"))
            .error(Code::FunctionError, 504, "the function failed"),
        Scenario::new("a-hidden-function-s-error-that-trailers-end")
            .call_with(|aws| aws.expose_function_error = false)
            .answer(
                lambda(Response::status(200))
                    .header("x-amz-function-error", "Handled")
                    .body_frames(["bo", "om"])
                    .trailer("x-sum", "1"),
            )
            .error(Code::FunctionError, 504, "the function failed"),
        Scenario::new("a-hidden-function-s-error-that-only-trailers-follow")
            .body_added()
            .call_with(|aws| aws.expose_function_error = false)
            .answer(
                lambda(Response::status(200))
                    .header("x-amz-function-error", "Handled")
                    .trailer("x-sum", "1"),
            )
            .error(Code::FunctionError, 504, "the function failed"),
    ]
}

fn throttled() -> Vec<Scenario> {
    let throttle = || {
        lambda(Response::status(429))
            .header(
                "x-amzn-errortype",
                "TooManyRequestsException:http://internal.amazon.com/coral/",
            )
            .header("retry-after", "3")
            .body(THROTTLED)
    };
    vec![
        Scenario::new("a-throttled-call-says-when-to-come-back")
            .answer(throttle())
            .error(Code::Throttled, 429, "the provider throttled the call")
            .header("x-amzn-errortype", ["TooManyRequestsException"])
            .header("retry-after", ["3"])
            .never_shows("internal.amazon.com"),
        Scenario::new("a-throttled-event-is-throttled-too")
            .call_with(|aws| aws.invocation = Invocation::Event)
            .answer(throttle())
            .error(Code::Throttled, 429, "the provider throttled the call"),
        Scenario::new("a-throttled-call-under-alb")
            .call_with(|aws| aws.response = ResponseShape::Alb)
            .answer(throttle())
            .error(Code::Throttled, 429, "the provider throttled the call"),
        Scenario::new("a-throttled-call-in-gloo-s-form")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(throttle())
            .error_kept(Code::Throttled, 500)
            .header("x-envoygloo-lambda-statuscode", ["429"])
            .header(
                "x-envoygloo-lambda-statusreason",
                ["ConcurrentInvocationLimitExceeded"],
            )
            .lacks("x-amzn-requestid")
            .body(THROTTLED),
        Scenario::new("a-throttled-call-in-gloo-s-form-without-a-reason")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(lambda(Response::status(429)))
            .error_kept(Code::Throttled, 500)
            .header("x-envoygloo-lambda-statuscode", ["429"])
            .lacks("x-envoygloo-lambda-statusreason")
            .body(""),
        Scenario::new("a-throttle-s-reason-cannot-split-the-response")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(lambda(Response::status(429)).body(r#"{"Reason":"a\r\nset-cookie: s=1"}"#))
            .error_kept(Code::Throttled, 500)
            .lacks("x-envoygloo-lambda-statusreason")
            .lacks("set-cookie")
            .body(r#"{"Reason":"a\r\nset-cookie: s=1"}"#),
    ]
}

const THROTTLED: &str =
    r#"{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#;

fn of_the_provider() -> Vec<Scenario> {
    vec![
        Scenario::new("a-denied-call-names-nobody")
            .answer(service_error(403, "AccessDeniedException", DENIED))
            .error(
                Code::ProviderError,
                403,
                "the provider answered 403 AccessDeniedException",
            )
            .never_shows("123456789012")
            .never_shows("assumed-role"),
        Scenario::new("a-denied-call-names-nobody-under-api-gateway")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(service_error(
                403,
                "AccessDeniedException:http://internal.amazon.com/x",
                DENIED,
            ))
            .error(
                Code::ProviderError,
                403,
                "the provider answered 403 AccessDeniedException",
            )
            .never_shows("123456789012")
            .never_shows("internal.amazon.com"),
        Scenario::new("an-unknown-function")
            .answer(service_error(
                404,
                "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f",
            ))
            .error(
                Code::ProviderError,
                404,
                "the provider answered 404 ResourceNotFoundException",
            )
            .never_shows("123456789012"),
        Scenario::new("a-failing-service")
            .answer(service_error(500, "ServiceException", "An error occurred"))
            .error(
                Code::ProviderError,
                500,
                "the provider answered 500 ServiceException",
            ),
        Scenario::new("a-service-that-says-nothing")
            .body_added()
            .answer(Response::status(502))
            .error(Code::ProviderError, 502, "the provider answered 502"),
        Scenario::new("a-service-whose-error-type-is-none")
            .answer(service_error(400, "not a type", "x"))
            .error(Code::ProviderError, 400, "the provider answered 400"),
        Scenario::new("a-redirect-of-the-provider-is-not-the-function-s")
            .answer(
                Response::status(301)
                    .header("location", "https://elsewhere.example/")
                    .body("moved"),
            )
            .error(Code::ProviderError, 502, "the provider answered 301"),
        Scenario::new("an-encoded-error-of-the-provider-loses-its-encoding")
            .answer(
                answer("\x1f\u{8b}")
                    .header("content-encoding", "gzip")
                    .header(":status", "500"),
            )
            .error(Code::ProviderError, 500, "the provider answered 500")
            .lacks("content-encoding"),
        Scenario::new("an-error-of-the-provider-to-a-posted-body")
            .request(Request::post("/", "x"))
            .answer(service_error(415, "UnsupportedMediaTypeException", "x"))
            .error(
                Code::ProviderError,
                415,
                "the provider answered 415 UnsupportedMediaTypeException",
            ),
    ]
}

const DENIED: &str = "User: arn:aws:sts::123456789012:assumed-role/gateway/session is not authorized to perform: \
                      lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:f";
