//! Functions by their own URL: requests pass as they are, signed, and responses as the function gives them.

use tenon_contract::{CallConfig, UrlAuthType};
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request, Response};
use crate::scenario::{Key, Route, Scenario, Upstream, service_error};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = requests();
    all.extend(responses());
    all.extend(tries());
    all.extend(refusals());
    all.extend(open());
    all
}

fn of(name: &'static str) -> Scenario {
    Scenario::new(name)
        .call(&CallConfig::aws_url("f", UrlAuthType::AwsIam))
        .upstream(Upstream::function_url())
        .path("/")
}

fn requests() -> Vec<Scenario> {
    let path = |name, path: &'static str| of(name).request(Request::get(path)).path(path);
    vec![
        of("a-url-is-asked-as-the-client-asks"),
        path("a-url-is-asked-for-a-path-and-a-query", "/a/b?x=1&y=2&x=0"),
        path(
            "a-url-is-asked-for-what-has-no-one-form",
            "/a%2Fb/%C3%BC//c/?q=a+b&q=%20&e&z=%2f&a=~",
        ),
        of("a-url-gets-what-was-posted")
            .request(
                Request::post("/orders?a=1", r#"{"a":1}"#)
                    .header("content-type", "application/json")
                    .header("cookie", "a=1"),
            )
            .path("/orders?a=1")
            .sends("content-type", "application/json")
            .sends("content-length", "7")
            .sends("cookie", "a=1"),
        of("a-url-gets-other-methods")
            .request(Request::new("PATCH", "/orders/1").body_frames(["ab", "cd"]))
            .path("/orders/1")
            .sends("content-length", "4"),
        of("a-url-gets-a-body-that-trailers-end").request(
            Request::new("PUT", "/")
                .body_frames(["ab", "cd"])
                .trailer("x-sum", "1"),
        ),
        of("a-url-is-asked-for-the-head")
            .request(Request::new("HEAD", "/"))
            .answer(Response::status(200).header("x-a", "1"))
            .header("x-a", ["1"]),
        of("a-url-is-signed-for-a-session")
            .upstream(Upstream::function_url().with_secret(Some(Key::Session.secret())))
            .signed_with([Key::Session]),
        of("a-client-cannot-sign-for-a-url").request(
            Request::get("/")
                .header("authorization", "AWS4-HMAC-SHA256 forged")
                .header("x-amz-date", "20150830T123600Z")
                .header("x-amz-security-token", "forged")
                .header("x-amz-content-sha256", "forged")
                .header("x-amzn-vpc-id", "forged"),
        ),
        of("a-url-is-asked-for-what-the-route-makes-of-a-path")
            .route(
                Route::calling(&CallConfig::aws_url("f", UrlAuthType::AwsIam))
                    .rewriting("/api", "/v1"),
            )
            .request(Request::get("/api/a?b"))
            .path("/v1/a?b"),
    ]
}

fn responses() -> Vec<Scenario> {
    let passing = |name, status| {
        of(name)
            .answer(Response::status(status).header("x-a", "1").body("<html>"))
            .gives(status)
            .header("x-a", ["1"])
            .counted(["ok"])
    };
    vec![
        passing("a-url-s-404-is-the-function-s", 404),
        passing("a-url-s-403-is-the-function-s", 403),
        passing("a-url-s-502-is-the-function-s", 502),
        of("a-url-answers-in-frames")
            .answer(
                Response::status(200)
                    .header("x-amzn-requestid", "number")
                    .body_frames(["ab", "cd", "ef"])
                    .trailer("x-sum", "2"),
            )
            .trailer("x-sum", "2")
            .tells("request_id", "number"),
        of("a-url-answers-more-than-lambda-would")
            .answer(Response::status(200).body_frames(vec![vec![b'x'; 1 << 20]; 7])),
        of("a-url-s-event-stream-is-the-function-s")
            .answer(
                Response::status(200)
                    .header("content-type", "text/event-stream")
                    .body_frames(["data: 1\n\n", "data: 2\n\n"]),
            )
            .header("content-type", ["text/event-stream"]),
        of("aws-refuses-a-request-to-a-url")
            .answer(service_error(
                403,
                "AccessDeniedException",
                "arn:aws:iam::1:user/secret",
            ))
            .error(
                Code::ProviderError,
                403,
                "the provider answered 403 AccessDeniedException",
            )
            .never_shows("user/secret"),
        of("aws-throttles-a-request-to-a-url")
            .answer(service_error(
                429,
                "TooManyRequestsException",
                "Rate exceeded",
            ))
            .error(Code::Throttled, 429, "the provider throttled the call"),
    ]
}

fn tries() -> Vec<Scenario> {
    let posted =
        || Request::post("/a?b=%20", "body").header("authorization", "Bearer of-the-client");
    let fine = || Response::status(200).body("fine");
    vec![
        of("each-try-of-a-url-is-signed")
            .request(posted())
            .path("/a?b=%20")
            .answer(Answer::Lost)
            .answer(Response::status(503).body("busy"))
            .answer(fine())
            .retry(&[503], 2)
            .counted(["cancelled", "ok", "ok"]),
        of("a-url-is-signed-with-keys-that-rotate")
            .upstream(
                Upstream::function_url()
                    .with_secret(Some(Key::Session.secret()))
                    .rotated(Key::Rotated.secret()),
            )
            .request(posted())
            .path("/a?b=%20")
            .answer(Response::status(403).body("expired"))
            .answer(fine())
            .retry(&[403], 1)
            .signed_with([Key::Session, Key::Rotated])
            .counted(["ok", "ok"]),
        of("a-signature-is-gone-from-a-request-to-a-url-that-is-lost")
            .request(posted())
            .path("/a?b=%20")
            .answer(Answer::Lost)
            .guarded()
            .gives(503)
            .answered_by_router("upstream_reset_before_response_started{connection_termination}")
            .body("upstream connect error or disconnect/reset before headers. reset reason: connection termination")
            .counted(["cancelled"]),
    ]
}

fn refusals() -> Vec<Scenario> {
    vec![
        of("a-url-is-not-asked-without-a-secret")
            .upstream(Upstream::function_url().with_secret(None))
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .unasked(),
        of("a-url-is-not-asked-for-more-than-lambda-takes")
            .upstream(Upstream {
                max_request_bytes: 3,
                ..Upstream::function_url()
            })
            .request(Request::post("/", "four"))
            .error(
                Code::RequestTooLarge,
                413,
                "the request is larger than 3 bytes",
            )
            .unasked(),
    ]
}

fn open() -> Vec<Scenario> {
    let of = |name| {
        Scenario::new(name)
            .call(&CallConfig::aws_url("f", UrlAuthType::None))
            .upstream(Upstream::open_function_url())
    };
    vec![
        of("an-open-url-gets-no-signature")
            .request(Request::post("/a?b", "body").header("authorization", "Bearer of-the-client"))
            .path("/a?b")
            .sends("authorization", "Bearer of-the-client")
            .withholds("x-amz-date"),
        of("an-open-url-is-asked-again")
            .request(Request::new("PUT", "/").body_frames(["ab", "cd"]))
            .path("/")
            .answer(Response::status(503).body("busy"))
            .answer(Response::status(200).body("fine"))
            .retry(&[503], 1)
            .counted(["ok", "ok"]),
    ]
}
