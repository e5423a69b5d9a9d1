//! Requests that are tried more than once.

use tenon_contract::{RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request, Response};
use crate::scenario::{
    FUNCTION_ERROR, Key, Route, Scenario, Upstream, answer, call_with, function_error, lambda,
    service_error,
};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = retries();
    all.extend(rotations());
    all.extend(lost());
    all.extend(hedges());
    all
}

fn retries() -> Vec<Scenario> {
    vec![
        Scenario::new("a-failing-function-is-tried-again")
            .request(posted())
            .answer(function_error())
            .answer(function_error())
            .answer(answer("fine"))
            .retry(&[504], 3)
            .counted(["function_error", "function_error", "ok"])
            .sends("content-type", "text/plain"),
        Scenario::new("the-event-of-each-try-is-the-same")
            .route(Route::calling(&call_with(|aws| {
                aws.request = RequestShape::ApiGateway
            })))
            .request(posted())
            .answer(service_error(500, "ServiceException", "x"))
            .answer(service_error(502, "x", "x"))
            .answer(answer("fine"))
            .retry(&[500, 502], 2)
            .counted(["provider_error", "provider_error", "ok"])
            .shows("/body", "body")
            .shows("/httpMethod", "POST")
            .shows(
                "/requestContext/requestId",
                "the-event-of-each-try-is-the-same",
            ),
        Scenario::new("the-metadata-of-each-try-is-the-same")
            .call_with(|aws| aws.request = RequestShape::Metadata)
            .request(Request::get("/a?b=c").header("authorization", "Bearer of-the-client"))
            .answer(function_error())
            .answer(answer("fine"))
            .retry(&[504], 1)
            .counted(["function_error", "ok"])
            .shows("/path", "/a")
            .shows("/httpMethod", "GET")
            .shows("/headers/authorization", "Bearer of-the-client"),
        Scenario::new("the-event-of-each-try-of-a-body-that-trailers-end-is-the-same")
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .request(
                Request::new("POST", "/")
                    .body_frames(["ab", "cd"])
                    .trailer("x-sum", "1"),
            )
            .answer(function_error())
            .answer(answer("fine"))
            .retry(&[504], 1)
            .counted(["function_error", "ok"])
            .shows("/body", "abcd"),
        Scenario::new("a-throttled-call-is-tried-again")
            .answer(lambda(Response::status(429)).body("{}"))
            .answer(answer("fine"))
            .retry(&[429], 1)
            .counted(["throttled", "ok"]),
        Scenario::new("an-answer-that-cannot-be-unwrapped-is-tried-again")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .request(posted())
            .answer(answer("nothing"))
            .answer(answer(r#"{"body":"fine"}"#))
            .retry(&[500], 1)
            .counted(["bad_function_response", "ok"])
            .body("fine"),
        Scenario::new("a-status-of-the-function-s-own-is-tried-again")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(answer(r#"{"statusCode":503,"body":"busy"}"#))
            .answer(answer(r#"{"body":"fine"}"#))
            .retry(&[503], 1)
            .counted(["ok", "ok"])
            .body("fine"),
        Scenario::new("the-last-failure-is-the-client-s")
            .answer(function_error())
            .answer(function_error())
            .retry(&[504], 1)
            .error_kept(Code::FunctionError, 504)
            .counted(["function_error", "function_error"])
            .body(FUNCTION_ERROR),
        Scenario::new("an-error-is-forgotten-when-another-try-is-fine")
            .answer(service_error(500, "ServiceException", "x"))
            .answer(answer("fine"))
            .retry(&[500], 1)
            .counted(["provider_error", "ok"])
            .tells_nothing_of("error")
            .tells_nothing_of("function_error"),
        Scenario::new("a-grpc-error-is-not-tried-again")
            .request(Request::post("/s/m", "x").header("content-type", "application/grpc"))
            .answer(function_error())
            .retry(&[200, 504], 1)
            .grpc(Code::FunctionError, "13", "the function failed"),
        Scenario::new("what-was-taken-is-taken-from-each-try")
            .request(
                Request::post("/", "{}")
                    .header("authorization", "Bearer of-the-client")
                    .header("x-amzn-vpc-id", "vpc-1")
                    .header("x-amz-security-token", "forged"),
            )
            .answer(function_error())
            .answer(answer("fine"))
            .retry(&[504], 1)
            .withholds("x-amz-security-token")
            .counted(["function_error", "ok"]),
        Scenario::new("each-try-of-a-weight-calls-its-function")
            .route(Route::weighted(
                &["first", "second"].map(|name| tenon_contract::CallConfig::aws(name, name)),
                1,
            ))
            .answer(function_error())
            .answer(answer("fine"))
            .retry(&[504], 1)
            .function("second")
            .path("/2015-03-31/functions/second/invocations")
            .counted(["function_error", "ok"]),
        Scenario::new("each-try-of-a-route-that-rewrites-shows-the-client-s-path")
            .route(rewriting())
            .request(Request::get("/public/a"))
            .answer(function_error())
            .answer(answer("fine"))
            .retry(&[504], 1)
            .shows("/path", "/public/a")
            .counted(["function_error", "ok"]),
    ]
}

fn rotations() -> Vec<Scenario> {
    vec![
        Scenario::new("a-secret-that-rotates-signs-the-next-try")
            .upstream(Upstream::secret(Some(Key::Session.secret())).rotated(Key::Rotated.secret()))
            .request(posted())
            .answer(service_error(403, "ExpiredTokenException", "x"))
            .answer(answer("fine"))
            .retry(&[403], 1)
            .signed_with([Key::Session, Key::Rotated])
            .counted(["provider_error", "ok"]),
        Scenario::new("a-session-that-becomes-a-user-s-key-leaves-no-token")
            .upstream(Upstream::secret(Some(Key::Session.secret())).rotated(Key::User.secret()))
            .answer(service_error(403, "ExpiredTokenException", "x"))
            .answer(answer("fine"))
            .retry(&[403], 1)
            .signed_with([Key::Session, Key::User])
            .counted(["provider_error", "ok"]),
        Scenario::new("a-session-of-a-lost-try-leaves-no-token")
            .upstream(Upstream::secret(Some(Key::Session.secret())).rotated(Key::User.secret()))
            .answer(Answer::Lost)
            .answer(answer("fine"))
            .retry(&[], 1)
            .signed_with([Key::Session, Key::User])
            .counted(["cancelled", "ok"]),
        Scenario::new("a-secret-that-is-gone-by-the-next-try")
            .upstream(
                Upstream::secret(Some(Key::Session.secret()))
                    .rotated(r#"{"unavailable":"revoked"}"#.into()),
            )
            .call_with(|aws| aws.request = RequestShape::Metadata)
            .request(posted())
            .answer(service_error(403, "ExpiredTokenException", "x"))
            .retry(&[403], 1)
            .sends_event()
            .signed_with([Key::Session])
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .answered_by_filter()
            .tries(1)
            .counted(["provider_error", "no_credentials"]),
    ]
}

fn lost() -> Vec<Scenario> {
    vec![
        Scenario::new("a-try-that-is-lost-is-made-again")
            .request(posted())
            .answer(Answer::Lost)
            .answer(answer("fine"))
            .retry(&[], 1)
            .counted(["cancelled", "ok"]),
        Scenario::new("a-try-with-an-event-that-is-lost-is-made-again")
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .request(posted().header("x-amzn-vpc-id", "vpc-1"))
            .answer(Answer::Lost)
            .answer(Answer::Lost)
            .answer(answer("fine"))
            .retry(&[], 2)
            .shows("/body", "body")
            .shows("/httpMethod", "POST")
            .counted(["cancelled", "cancelled", "ok"]),
        Scenario::new("a-head-that-is-lost-is-made-again")
            .request(Request::new("HEAD", "/"))
            .answer(Answer::Lost)
            .answer(answer("hello"))
            .retry(&[], 1)
            .counted(["cancelled", "ok"]),
        Scenario::new("a-request-whose-tries-are-all-lost-is-the-client-s-own-again")
            .request(posted().header("authorization", "Bearer of-the-client"))
            .answer(Answer::Lost)
            .answer(Answer::Lost)
            .retry(&[], 1)
            .guarded()
            .gives(503)
            .body(RESET_AGAIN)
            .answered_by_router("upstream_reset_before_response_started{connection_termination}")
            .counted(["cancelled", "cancelled"]),
        Scenario::new("an-error-is-forgotten-when-the-last-try-is-lost")
            .answer(function_error())
            .answer(Answer::Lost)
            .retry(&[504], 1)
            .guarded()
            .gives(503)
            .body(RESET_AGAIN)
            .answered_by_router("upstream_reset_before_response_started{connection_termination}")
            .counted(["function_error", "cancelled"])
            .tells_nothing_of("function_error"),
        Scenario::new("an-event-whose-tries-are-all-lost-is-the-client-s-own-again")
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .request(Request::get("/a?b"))
            .answer(Answer::Lost)
            .guarded()
            .sends_event()
            .gives(503)
            .body(RESET)
            .answered_by_router("upstream_reset_before_response_started{connection_termination}")
            .counted(["cancelled"]),
        Scenario::new("a-lost-try-then-no-secret")
            .upstream(Upstream::default().rotated(r#"{"unavailable":"revoked"}"#.into()))
            .request(posted())
            .answer(Answer::Lost)
            .retry(&[], 1)
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .answered_by_filter()
            .tries(1)
            .counted(["cancelled", "no_credentials"]),
    ]
}

fn hedges() -> Vec<Scenario> {
    vec![
        Scenario::new("a-try-that-is-outrun-is-counted")
            .request(posted())
            .answer(Answer::Outrun)
            .answer(answer("fine"))
            .retry(&[], 1)
            .counted(["cancelled", "ok"]),
        Scenario::new("a-try-with-an-event-that-is-outrun")
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .request(posted().header("authorization", "Bearer of-the-client"))
            .answer(Answer::Outrun)
            .answer(answer("fine"))
            .retry(&[], 1)
            .shows("/body", "body")
            .counted(["cancelled", "ok"]),
        Scenario::new("a-late-failure-leaves-the-next-try-s-request-alone")
            .request(posted().header("authorization", "Bearer of-the-client"))
            .answer(Answer::Late(function_error()))
            .answer(answer("fine"))
            .retry(&[504], 1)
            .tries(2)
            .counted(["function_error", "ok"]),
        Scenario::new("a-late-failure-leaves-the-next-try-s-event-alone")
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .request(posted())
            .answer(Answer::Late(function_error()))
            .answer(answer("fine"))
            .retry(&[504], 1)
            .shows("/body", "body")
            .shows("/httpMethod", "POST")
            .tries(2)
            .counted(["function_error", "ok"]),
        Scenario::new("a-late-answer-wins-over-a-try-that-still-waits")
            .request(posted().header("authorization", "Bearer of-the-client"))
            .answer(Answer::Late(answer("fine")))
            .guarded()
            .retry(&[504], 1)
            .tries(1)
            .body("fine")
            .counted(["ok", "cancelled"]),
        Scenario::new("a-head-that-is-outrun")
            .request(Request::new("HEAD", "/"))
            .answer(Answer::Outrun)
            .answer(answer("hello"))
            .retry(&[], 1)
            .counted(["cancelled", "ok"]),
    ]
}

const RESET: &str = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

const RESET_AGAIN: &str = "upstream connect error or disconnect/reset before headers. retried and the latest reset \
                           reason: connection termination";

fn posted() -> Request {
    Request::post("/", "body").header("content-type", "text/plain")
}

fn rewriting() -> Route {
    let mut call = call_with(|aws| aws.request = RequestShape::Metadata);
    call.rewrites_path = true;
    Route::calling(&call).rewriting("/public", "/private")
}
