//! gRPC clients look at `grpc-status` only, so no error may come without one, and none with 0.

use tenon_contract::{CallConfig, RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::{Request, Response};
use crate::scenario::{
    Key, Route, Scenario, Upstream, answer, function_error, lambda, service_error,
};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        of("grpc-without-a-call")
            .route(Route::calling_nothing())
            .grpc(
                Code::NoFunction,
                "13",
                "no function is configured for this route",
            )
            .unasked(),
        of("grpc-without-a-secret")
            .upstream(Upstream::secret(None))
            .grpc(
                Code::NoCredentials,
                "14",
                "no credentials for this upstream",
            )
            .unasked(),
        of("grpc-request-that-is-too-large")
            .upstream(Upstream::limits(3, 100))
            .grpc(
                Code::RequestTooLarge,
                "8",
                "the request is larger than 3 bytes",
            )
            .unasked(),
        of("grpc-response-that-is-too-large")
            .upstream(Upstream::limits(100, 3))
            .answer(answer("four"))
            .grpc(
                Code::ResponseTooLarge,
                "8",
                "the response is larger than this upstream may send",
            ),
        of("grpc-answer-that-is-too-large-to-be-unwrapped")
            .upstream(Upstream::limits(100, 3))
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(lambda(Response::status(200)).body_frames(["{}", "  "]))
            .grpc(
                Code::ResponseTooLarge,
                "8",
                "the response is larger than this upstream may send",
            ),
        of("grpc-answer-that-cannot-be-unwrapped-as-api-gateway")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(answer("nothing"))
            .grpc(
                Code::BadFunctionResponse,
                "13",
                "the function's answer cannot be read",
            ),
        of("grpc-answer-that-cannot-be-unwrapped-as-alb")
            .call_with(|aws| aws.response = ResponseShape::Alb)
            .answer(answer("nothing"))
            .grpc(
                Code::BadFunctionResponse,
                "13",
                "the function's answer cannot be read",
            ),
        of("grpc-function-s-error")
            .answer(function_error())
            .grpc(Code::FunctionError, "13", "the function failed")
            .never_shows("boom"),
        of("grpc-function-s-error-without-a-body")
            .answer(lambda(Response::status(200)).header("x-amz-function-error", "Handled"))
            .grpc(Code::FunctionError, "13", "the function failed"),
        of("grpc-throttled-call")
            .answer(lambda(Response::status(429)).body("{}"))
            .grpc(Code::Throttled, "8", "the provider throttled the call"),
        of("grpc-throttled-call-under-api-gateway")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(lambda(Response::status(429)).body("{}"))
            .grpc(Code::Throttled, "8", "the provider throttled the call"),
        of("grpc-denied-call")
            .answer(service_error(
                403,
                "AccessDeniedException",
                "arn:aws:iam::1:role/x",
            ))
            .grpc(
                Code::ProviderError,
                "7",
                "the provider answered 403 AccessDeniedException",
            )
            .never_shows("arn:aws:iam"),
        of("grpc-unknown-function")
            .answer(service_error(404, "ResourceNotFoundException", "x"))
            .grpc(
                Code::ProviderError,
                "12",
                "the provider answered 404 ResourceNotFoundException",
            ),
        of("grpc-failing-service")
            .answer(service_error(500, "ServiceException", "x"))
            .grpc(
                Code::ProviderError,
                "2",
                "the provider answered 500 ServiceException",
            ),
        of("grpc-with-a-suffix-is-grpc")
            .request(
                Request::post("/s/m", "\0\0\0\0\0")
                    .header("content-type", "application/grpc+proto"),
            )
            .answer(Response::status(503))
            .grpc(Code::ProviderError, "14", "the provider answered 503"),
        Scenario::new("grpc-web-is-not-grpc")
            .body_added()
            .request(
                Request::post("/s/m", "\0\0\0\0\0").header("content-type", "application/grpc-web"),
            )
            .answer(Response::status(503))
            .error(Code::ProviderError, 503, "the provider answered 503"),
        of("grpc-error-behind-an-event")
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .answer(function_error())
            .sends_event()
            .grpc(Code::FunctionError, "13", "the function failed"),
        of("grpc-with-a-function-that-is-fine")
            .call(&CallConfig::aws("f", "f"))
            .upstream(Upstream::secret(Some(Key::Session.secret())))
            .signed_with([Key::Session])
            .sends("content-type", "application/grpc"),
    ]
}

fn of(name: &'static str) -> Scenario {
    Scenario::new(name).request(
        Request::post("/s/m", "\0\0\0\0\0")
            .header("content-type", "application/grpc")
            .header("te", "trailers"),
    )
}
