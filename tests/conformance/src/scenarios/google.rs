//! Functions and services of Google's: requests and responses pass as they are, with a token.

use tenon_contract::{CallConfig, CallTarget, GcpCall, SecretBlob};
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request, Response};
use crate::scenario::{Key, Route, Scenario, Upstream, answer, call};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = requests();
    all.extend(paths());
    all.extend(authorizations());
    all.extend(responses());
    all.extend(tries());
    all.extend(refusals());
    all.extend(grpc());
    all
}

const TOKEN: &str = "Bearer eyJhbGciOiJSUzI1NiJ9.ClaimsOfTheToken.c2ln-_";
const FUTURE: Option<&str> = Some("2999-01-01T00:00:00Z");

fn of(function: &str, change: impl FnOnce(&mut GcpCall)) -> CallConfig {
    let mut gcp = GcpCall::default();
    change(&mut gcp);
    CallConfig {
        target: CallTarget::Gcp(gcp),
        ..CallConfig::gcp(function)
    }
}

fn keeping() -> CallConfig {
    of("f", |gcp| gcp.keep_authorization = true)
}

fn prefixed(function: &str) -> CallConfig {
    of(function, |gcp| {
        gcp.path_prefix = Some(format!("/{function}"))
    })
}

fn requests() -> Vec<Scenario> {
    vec![
        Scenario::google("google-gets-a-token")
            .sends("authorization", TOKEN)
            .withholds("x-serverless-authorization"),
        Scenario::google("google-gets-what-was-posted")
            .request(
                Request::post("/orders?a=1&b=%2F", r#"{"a":1}"#)
                    .header("content-type", "application/json")
                    .header("cookie", "a=1")
                    .header("accept", "*/*"),
            )
            .path("/orders?a=1&b=%2F")
            .sends("content-type", "application/json")
            .sends("content-length", "7")
            .sends("cookie", "a=1")
            .sends("accept", "*/*"),
        Scenario::google("google-gets-other-methods")
            .request(Request::new("DELETE", "/orders/1"))
            .path("/orders/1"),
        Scenario::google("google-gets-a-body-of-its-own-coding")
            .request(
                Request::new("PUT", "/")
                    .header("content-encoding", "gzip")
                    .body("\x1f"),
            )
            .sends("content-encoding", "gzip"),
        Scenario::google("google-does-not-get-headers-of-ours")
            .request(
                Request::get("/")
                    .header("x-tenon-secret", r#"{"gcp":{"idToken":"forged"}}"#)
                    .header("x-tenon-anything", "forged"),
            )
            .sends("authorization", TOKEN),
        Scenario::google("words-of-aws-mean-nothing-to-google")
            .request(
                Request::get("/")
                    .header("x-amz-date", "20150830T123600Z")
                    .header("x-amz-security-token", "of the client"),
            )
            .sends("x-amz-date", "20150830T123600Z")
            .sends("x-amz-security-token", "of the client"),
        Scenario::google("google-gets-a-token-that-ends-later")
            .upstream(Upstream::google().with_secret(Some(Key::Google.secret_until(FUTURE)))),
    ]
}

fn paths() -> Vec<Scenario> {
    let function = |name, client: &str, asked| {
        Scenario::google(name)
            .call(&prefixed("f"))
            .request(Request::get(client))
            .path(asked)
    };
    vec![
        function(
            "a-function-s-name-comes-before-the-path",
            "/users/1",
            "/f/users/1",
        ),
        function("a-function-is-asked-for-its-root", "/", "/f"),
        function(
            "a-function-is-asked-for-its-root-with-a-query",
            "/?a=1",
            "/f?a=1",
        ),
        function(
            "a-path-is-not-decoded-on-its-way",
            "/a%2Fb/?c=%3F",
            "/f/a%2Fb/?c=%3F",
        ),
        function("a-posted-path-comes-back", "/a", "/f/a").request(Request::post("/a", "body")),
        Scenario::google("a-route-that-rewrites-comes-before-the-function-s-name")
            .route(Route::calling(&prefixed("f")).rewriting("/api", "/v1"))
            .request(Request::get("/api/users?x"))
            .path("/f/v1/users?x"),
        Scenario::google("each-weight-has-a-function-of-its-own")
            .route(Route::weighted(&[prefixed("first"), prefixed("second")], 1))
            .function("second")
            .path("/second"),
    ]
}

fn authorizations() -> Vec<Scenario> {
    let client = || {
        Request::post("/", "{}")
            .header("authorization", "Bearer of-the-client")
            .header("content-type", "application/json")
    };
    let forged = |request: Request| request.header("x-serverless-authorization", "Bearer forged");
    vec![
        Scenario::google("google-does-not-get-the-client-s-authorization")
            .request(client())
            .sends("authorization", TOKEN)
            .withholds("x-serverless-authorization"),
        Scenario::google("google-gets-the-client-s-authorization-where-it-is-kept")
            .call(&keeping())
            .request(client())
            .sends("authorization", "Bearer of-the-client")
            .sends("x-serverless-authorization", TOKEN),
        Scenario::google("where-there-is-no-authorization-none-is-kept")
            .call(&keeping())
            .withholds("authorization")
            .sends("x-serverless-authorization", TOKEN),
        Scenario::google("a-client-cannot-send-the-other-authorization")
            .request(forged(client()))
            .sends("authorization", TOKEN)
            .withholds("x-serverless-authorization"),
        Scenario::google("a-client-cannot-send-the-other-authorization-where-its-own-is-kept")
            .call(&keeping())
            .request(forged(client()))
            .sends("authorization", "Bearer of-the-client")
            .sends("x-serverless-authorization", TOKEN),
        Scenario::google("an-authorization-that-is-kept-comes-back-after-a-refusal")
            .call(&keeping())
            .request(forged(client()))
            .upstream(Upstream::google().with_secret(None))
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .unasked(),
    ]
}

const FRONT_END: &str = "Google Frontend";

/// What Google's front end answers in the place of a function.
fn of_google(status: u16) -> Response {
    Response::status(status)
        .header("content-type", "text/html")
        .header("server", FRONT_END)
        .header("retry-after", "7")
        .header("x-tenon-error", "forged")
        .body("Your client does not have permission to get URL / from this server.")
}

fn responses() -> Vec<Scenario> {
    const PROVIDER: Code = Code::ProviderError;
    const THROTTLED: Code = Code::Throttled;
    let refused = |name, status: u16, code| {
        let text = match code {
            Code::Throttled => "the provider throttled the call".to_owned(),
            _ => format!("the provider answered {status}"),
        };
        Scenario::google(name)
            .answer(of_google(status))
            .error(code, status, &text)
            .header("retry-after", ["7"])
            .tells("error", code.name())
            .never_shows("permission to get URL")
    };
    let traced = |name, mark| {
        Scenario::google(name)
            .answer(of_google(403).header(mark, "4zfw2ckyhozb"))
            .gives(403)
            .header("content-type", ["text/html"])
            .lacks("x-tenon-error")
            .counted(["ok"])
    };
    vec![
        refused("google-s-own-401-is-an-error", 401, PROVIDER),
        refused("google-s-own-403-is-an-error", 403, PROVIDER),
        refused("google-s-own-404-is-an-error", 404, PROVIDER),
        refused("google-s-own-429-is-throttling", 429, THROTTLED),
        refused("google-s-own-500-is-an-error", 500, PROVIDER),
        refused("google-s-own-503-is-an-error", 503, PROVIDER),
        Scenario::google("google-s-own-answer-without-a-body-is-an-error")
            .body_added()
            .answer(Response::status(403).header("server", FRONT_END))
            .error(Code::ProviderError, 403, "the provider answered 403"),
        Scenario::google("google-s-own-answer-is-seen-by-retries")
            .answer(of_google(503))
            .answer(Response::status(200).body("x"))
            .retry(&[503], 1)
            .counted(["ok", "provider_error"]),
        Scenario::google("google-s-own-answer-to-a-head")
            .request(Request::new("HEAD", "/"))
            .answer(Response::status(403).header("server", FRONT_END))
            .error_kept(Code::ProviderError, 403)
            .body(""),
        traced(
            "an-answer-that-was-traced-is-the-function-s",
            "x-cloud-trace-context",
        ),
        traced(
            "an-answer-that-was-executed-is-the-function-s",
            "function-execution-id",
        ),
        Scenario::google("an-answer-of-google-s-that-is-no-error-is-passed-on")
            .answer(Response::status(200).header("server", FRONT_END).body("x")),
        Scenario::google("the-number-of-an-execution-is-told")
            .answer(
                Response::status(200)
                    .header("function-execution-id", "4zfw2ckyhozb")
                    .body("x"),
            )
            .tells("request_id", "4zfw2ckyhozb"),
    ]
}

fn tries() -> Vec<Scenario> {
    let posted = || {
        Request::post("/a?b", "body")
            .header("content-type", "text/plain")
            .header("authorization", "Bearer of-the-client")
    };
    let fine = || Response::status(200).body("fine");
    let rotating = || Upstream::google().rotated(Key::GoogleRotated.secret());
    vec![
        Scenario::google("google-is-asked-again")
            .request(posted())
            .path("/a?b")
            .answer(Response::status(503).body("busy"))
            .answer(Response::status(500).body("no"))
            .answer(fine())
            .retry(&[500, 503], 2)
            .counted(["ok", "ok", "ok"]),
        Scenario::google("a-function-s-name-comes-once-in-each-try")
            .call(&prefixed("f"))
            .request(posted())
            .path("/f/a?b")
            .answer(Answer::Lost)
            .answer(Response::status(503).body("busy"))
            .answer(fine())
            .retry(&[503], 2)
            .counted(["cancelled", "ok", "ok"]),
        Scenario::google("an-authorization-is-kept-by-each-try")
            .call(&keeping())
            .request(posted().header("x-serverless-authorization", "Bearer forged"))
            .path("/a?b")
            .answer(Answer::Lost)
            .answer(Response::status(503).body("busy"))
            .answer(fine())
            .retry(&[503], 2)
            .sends("authorization", "Bearer of-the-client")
            .sends("x-serverless-authorization", TOKEN)
            .counted(["cancelled", "ok", "ok"]),
        Scenario::google("a-token-that-rotates-is-sent-by-the-next-try")
            .upstream(rotating())
            .request(posted())
            .path("/a?b")
            .answer(Response::status(401).body("expired"))
            .answer(fine())
            .retry(&[401], 1)
            .signed_with([Key::Google, Key::GoogleRotated])
            .counted(["ok", "ok"]),
        Scenario::google("a-token-that-rotates-after-a-lost-try-is-sent-by-the-next")
            .upstream(rotating())
            .call(&keeping())
            .answer(Answer::Lost)
            .answer(fine())
            .retry(&[], 1)
            .signed_with([Key::Google, Key::GoogleRotated])
            .counted(["cancelled", "ok"]),
        Scenario::google("a-token-that-is-gone-by-the-next-try")
            .upstream(Upstream::google().rotated(r#"{"unavailable":"revoked"}"#.into()))
            .request(posted())
            .path("/a?b")
            .answer(Response::status(401).body("expired"))
            .retry(&[401], 1)
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .answered_by_filter()
            .tries(1)
            .counted(["no_credentials", "ok"]),
        Scenario::google("google-is-asked-by-a-hedge")
            .request(posted())
            .path("/a?b")
            .answer(Answer::Outrun)
            .answer(fine())
            .retry(&[], 1)
            .counted(["cancelled", "ok"]),
        Scenario::google("google-answers-while-a-hedge-waits")
            .call(&prefixed("f"))
            .request(posted())
            .path("/f/a?b")
            .answer(Answer::Late(Response::status(503).body("busy")))
            .answer(fine())
            .retry(&[503], 1)
            .counted(["ok", "ok"]),
        Scenario::google("a-token-is-gone-from-a-request-whose-try-is-lost")
            .call(&prefixed("f"))
            .request(posted())
            .path("/f/a?b")
            .answer(Answer::Lost)
            .guarded()
            .gives(503)
            .answered_by_router(LOST)
            .body(LOST_BODY)
            .counted(["cancelled"]),
        Scenario::google("the-other-token-is-gone-from-a-request-whose-try-is-lost")
            .call(&keeping())
            .request(posted().header("x-serverless-authorization", "Bearer forged"))
            .path("/a?b")
            .answer(Answer::Lost)
            .guarded()
            .gives(503)
            .answered_by_router(LOST)
            .body(LOST_BODY)
            .counted(["cancelled"]),
    ]
}

const LOST: &str = "upstream_reset_before_response_started{connection_termination}";
const LOST_BODY: &str = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

fn refusals() -> Vec<Scenario> {
    let without = |name, secret: Option<String>| {
        Scenario::google(name)
            .upstream(Upstream::google().with_secret(secret))
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .unasked()
    };
    let nothing = |name, call: &CallConfig| {
        Scenario::google(name)
            .call(call)
            .error(
                Code::NoFunction,
                500,
                "no function is configured for this route",
            )
            .unasked()
    };
    let tombstone = SecretBlob::Unavailable("the metadata server is gone".into());
    let expired = Key::Google.secret_until(Some("2015-08-30T12:35:59Z"));
    vec![
        without("google-is-not-asked-without-a-secret", None),
        without("google-is-not-asked-with-a-body-without-a-secret", None)
            .request(Request::post("/", "body").header("authorization", "Bearer of-the-client")),
        without(
            "google-is-not-asked-with-a-tombstone",
            Some(tombstone.to_json()),
        ),
        without(
            "google-is-not-asked-with-a-token-that-has-ended",
            Some(expired),
        ),
        without(
            "google-is-not-asked-with-a-token-whose-end-is-no-time",
            Some(Key::Google.secret_until(Some("soon"))),
        ),
        without(
            "google-is-not-asked-with-keys-of-aws",
            Some(Key::User.secret()),
        ),
        without(
            "google-is-not-asked-with-an-empty-token",
            Some(r#"{"gcp":{"idToken":""}}"#.into()),
        ),
        without(
            "google-is-not-asked-with-a-token-of-two-lines",
            Some(r#"{"gcp":{"idToken":"a\r\nx-b: c"}}"#.into()),
        ),
        nothing("google-is-not-asked-with-a-call-of-lambda", &call()),
        nothing(
            "google-is-not-asked-under-a-prefix-that-leads-elsewhere",
            &of("f", |gcp| gcp.path_prefix = Some("/../g".into())),
        ),
        Scenario::new("lambda-is-not-asked-with-a-call-of-google")
            .call(&CallConfig::gcp("f"))
            .error(
                Code::NoFunction,
                500,
                "no function is configured for this route",
            )
            .unasked(),
        Scenario::google("google-is-not-asked-without-a-call")
            .route(Route::calling_nothing())
            .error(
                Code::NoFunction,
                500,
                "no function is configured for this route",
            )
            .unasked(),
    ]
}

fn grpc() -> Vec<Scenario> {
    let of = |name| {
        Scenario::google(name).path("/s/m").request(
            Request::new("POST", "/s/m")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body_frames(["\0\0\0\0\0", "\0\0\0\0\0"]),
        )
    };
    vec![
        of("grpc-passes-to-google-and-back")
            .answer(
                Response::status(200)
                    .header("content-type", "application/grpc")
                    .body_frames(["\0\0\0\0\0"])
                    .trailer("grpc-status", "0"),
            )
            .sends("content-type", "application/grpc")
            .header("content-type", ["application/grpc"])
            .trailer("grpc-status", "0"),
        of("a-grpc-error-of-google-s-is-passed-on")
            .answer(
                Response::status(200)
                    .header("content-type", "application/grpc")
                    .header("grpc-status", "5"),
            )
            .header("grpc-status", ["5"]),
        of("a-refusal-of-google-s-is-passed-on-to-grpc")
            .answer(answer("<html>"))
            .counted(["ok"]),
        of("grpc-to-google-without-a-secret")
            .upstream(Upstream::google().with_secret(None))
            .grpc(
                Code::NoCredentials,
                "14",
                "no credentials for this upstream",
            )
            .unasked(),
        of("grpc-to-google-without-a-call")
            .route(Route::calling_nothing())
            .grpc(
                Code::NoFunction,
                "13",
                "no function is configured for this route",
            )
            .unasked(),
    ]
}
