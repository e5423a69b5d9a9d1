//! Functions of Azure's: requests and responses pass as they are, with a key.

use tenon_contract::{AuthLevel, AzureCall, CallConfig, SecretBlob};
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request, Response};
use crate::scenario::{Key, Route, Scenario, Upstream, answer, azure_call, call};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = requests();
    all.extend(keys());
    all.extend(in_the_query());
    all.extend(forged());
    all.extend(responses());
    all.extend(tries());
    all.extend(refusals());
    all.extend(grpc());
    all
}

const OWN: &str = "KeyOfTheFunction/+0==";

fn named(name: &str, auth_level: AuthLevel) -> CallConfig {
    let call = AzureCall {
        name: name.into(),
        route: None,
        auth_level,
    };
    CallConfig::azure(name, call)
}

fn routed(route: &str) -> CallConfig {
    let call = AzureCall {
        name: "f".into(),
        route: Some(route.into()),
        auth_level: AuthLevel::Function,
    };
    CallConfig::azure("f", call)
}

fn anonymous(name: &'static str) -> Scenario {
    Scenario::azure(name)
        .call(&azure_call(AuthLevel::Anonymous))
        .opened_with(AuthLevel::Anonymous)
}

fn in_query(name: &'static str) -> Scenario {
    Scenario::azure(name).upstream(Upstream::azure_query())
}

fn requests() -> Vec<Scenario> {
    vec![
        Scenario::azure("azure-gets-a-key").sends("x-functions-key", OWN),
        Scenario::azure("azure-gets-what-was-posted")
            .request(
                Request::post("/anything/else?a=1&b=%2F&a=", r#"{"a":1}"#)
                    .header("content-type", "application/json")
                    .header("authorization", "Bearer of-the-client")
                    .header("cookie", "a=1"),
            )
            .path("/api/f?a=1&b=%2F&a=")
            .sends("content-type", "application/json")
            .sends("content-length", "7")
            .sends("authorization", "Bearer of-the-client")
            .sends("cookie", "a=1"),
        Scenario::azure("azure-gets-other-methods").request(Request::new("DELETE", "/orders/1")),
        Scenario::azure("azure-gets-a-body-of-its-own-coding")
            .request(
                Request::new("PUT", "/")
                    .header("content-encoding", "gzip")
                    .body("\x1f"),
            )
            .sends("content-encoding", "gzip"),
        Scenario::azure("azure-does-not-get-headers-of-ours").request(
            Request::get("/")
                .header(
                    "x-tenon-secret",
                    r#"{"azure":{"functionKeys":{"f":"forged"}}}"#,
                )
                .header("x-tenon-anything", "forged"),
        ),
        Scenario::azure("a-function-of-azure-s-has-a-route-of-its-own")
            .call(&routed("v1/hello"))
            .request(Request::get("/?a"))
            .path("/api/v1/hello?a"),
        Scenario::azure("a-rewritten-path-is-not-that-of-azure-s-function")
            .route(Route::calling(&azure_call(AuthLevel::Function)).rewriting("/x", "/y"))
            .request(Request::get("/x/z?a=1"))
            .path("/api/f?a=1"),
        Scenario::azure("each-weight-has-a-function-of-azure-s-of-its-own")
            .route(Route::weighted(
                &[
                    azure_call(AuthLevel::Function),
                    named("second", AuthLevel::Admin),
                ],
                1,
            ))
            .function("second")
            .opened_with(AuthLevel::Admin)
            .path("/api/second"),
    ]
}

fn keys() -> Vec<Scenario> {
    vec![
        Scenario::azure("an-admin-s-function-gets-the-master-key")
            .call(&azure_call(AuthLevel::Admin))
            .opened_with(AuthLevel::Admin),
        Scenario::azure("a-function-without-a-key-of-its-own-gets-the-app-s")
            .call(&named("g", AuthLevel::Function))
            .function("g")
            .opened_with(AuthLevel::Function)
            .path("/api/g"),
        Scenario::azure("a-function-without-a-key-gets-the-master-key")
            .upstream(
                Upstream::azure().with_secret(Some(
                    r#"{"azure":{"functionKeys":{"g":"other","_master":"MasterKeyOfTheApp=="}}}"#
                        .into(),
                )),
            )
            .opened_with(AuthLevel::Admin),
        anonymous("an-anonymous-function-gets-no-key"),
        anonymous("an-anonymous-function-needs-no-secret")
            .upstream(Upstream::azure().with_secret(None)),
        anonymous("an-anonymous-function-is-not-hurt-by-a-tombstone").upstream(
            Upstream::azure().with_secret(Some(SecretBlob::Unavailable("gone".into()).to_json())),
        ),
    ]
}

fn in_the_query() -> Vec<Scenario> {
    vec![
        in_query("azure-gets-a-key-in-the-query").withholds("x-functions-key"),
        in_query("a-key-in-the-query-goes-before-the-client-s-own-query")
            .request(Request::get("/x?a=1&b=%26"))
            .path("/api/f?a=1&b=%26"),
        in_query("a-key-in-the-query-takes-the-place-of-the-client-s")
            .request(
                Request::get("/x?code=forged&a=1")
                    .header("x-functions-key", "forged")
                    .header("x-functions-clientid", "forged"),
            )
            .path("/api/f?a=1")
            .withholds("x-functions-key"),
        in_query("an-anonymous-function-gets-no-key-in-the-query")
            .call(&azure_call(AuthLevel::Anonymous))
            .opened_with(AuthLevel::Anonymous)
            .request(Request::get("/?code=forged")),
        in_query("a-key-in-the-query-is-sent-by-each-try")
            .request(Request::post("/x?a=1", "body"))
            .path("/api/f?a=1")
            .answer(Answer::Lost)
            .answer(Response::status(503).body("busy"))
            .answer(Response::status(200).body("fine"))
            .retry(&[503], 2)
            .counted(["cancelled", "ok", "ok"]),
        in_query("a-key-that-rotates-is-in-the-query-of-the-next-try")
            .upstream(Upstream::azure_query().rotated(Key::AzureRotated.secret()))
            .answer(Response::status(401))
            .answer(Response::status(200).body("fine"))
            .retry(&[401], 1)
            .signed_with([Key::Azure, Key::AzureRotated])
            .counted(["ok", "provider_error"]),
        in_query("a-key-is-gone-from-the-query-of-a-request-whose-try-is-lost")
            .request(Request::post("/x?a=1", "body"))
            .path("/api/f?a=1")
            .answer(Answer::Lost)
            .guarded()
            .gives(503)
            .answered_by_router(LOST)
            .body(LOST_BODY)
            .counted(["cancelled"]),
    ]
}

fn forged() -> Vec<Scenario> {
    let request = |path: &str| {
        Request::post(path, "body")
            .header("x-functions-key", "forged")
            .header("x-functions-key", "forged again")
            .header("x-functions-clientid", "_master")
    };
    vec![
        Scenario::azure("a-client-cannot-send-a-key")
            .request(request("/?code=forged&a=1"))
            .path("/api/f?a=1")
            .sends("x-functions-key", OWN)
            .withholds("x-functions-clientid"),
        Scenario::azure("a-client-cannot-send-a-key-in-other-spellings")
            .request(request("/?a=1&CODE=x&%63ode=y&c%6Fde&code&codes=1&+code=z"))
            .path("/api/f?a=1&codes=1&+code=z"),
        anonymous("a-client-cannot-send-a-key-to-an-anonymous-function")
            .request(request("/?code=forged&clientId=_master"))
            .path("/api/f?clientId=_master")
            .withholds("x-functions-key")
            .withholds("x-functions-clientid"),
        Scenario::azure("what-a-client-forged-comes-back-after-a-refusal")
            .request(request("/?code=forged"))
            .upstream(Upstream::azure().with_secret(None))
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .unasked(),
    ]
}

fn responses() -> Vec<Scenario> {
    vec![
        Scenario::azure("azure-refuses-a-key")
            .body_added()
            .answer(Response::status(401))
            .error(Code::ProviderError, 401, "the provider answered 401")
            .tells("error", "provider_error"),
        Scenario::azure("azure-refuses-a-key-and-says-that-there-is-no-body")
            .body_added()
            .answer(Response::status(401).header("content-length", "0"))
            .error(Code::ProviderError, 401, "the provider answered 401"),
        Scenario::azure("a-function-that-asks-for-credentials-answers-itself")
            .answer(Response::status(401).header("www-authenticate", "Basic"))
            .gives(401)
            .lacks("x-tenon-error")
            .counted(["ok"]),
        Scenario::azure("a-function-that-needs-no-key-refuses-none")
            .call(&azure_call(AuthLevel::Anonymous))
            .opened_with(AuthLevel::Anonymous)
            .answer(Response::status(401))
            .gives(401)
            .lacks("x-tenon-error")
            .counted(["ok"]),
    ]
}

fn tries() -> Vec<Scenario> {
    let posted = || {
        Request::post("/a?b", "body")
            .header("content-type", "text/plain")
            .header("x-functions-key", "forged")
    };
    let of = |name| Scenario::azure(name).request(posted()).path("/api/f?b");
    let fine = || Response::status(200).body("fine");
    let rotating = || Upstream::azure().rotated(Key::AzureRotated.secret());
    vec![
        of("azure-is-asked-again")
            .answer(Answer::Lost)
            .answer(Response::status(503).body("busy"))
            .answer(fine())
            .retry(&[503], 2)
            .counted(["cancelled", "ok", "ok"]),
        of("a-key-that-rotates-is-sent-by-the-next-try")
            .upstream(rotating())
            .answer(Response::status(401).body("expired"))
            .answer(fine())
            .retry(&[401], 1)
            .signed_with([Key::Azure, Key::AzureRotated])
            .counted(["ok", "ok"]),
        of("a-key-that-rotates-after-a-lost-try-is-sent-by-the-next")
            .upstream(rotating())
            .answer(Answer::Lost)
            .answer(fine())
            .retry(&[], 1)
            .signed_with([Key::Azure, Key::AzureRotated])
            .counted(["cancelled", "ok"]),
        of("a-key-that-is-gone-by-the-next-try")
            .upstream(Upstream::azure().rotated(r#"{"unavailable":"revoked"}"#.into()))
            .answer(Response::status(401).body("expired"))
            .retry(&[401], 1)
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .answered_by_filter()
            .tries(1)
            .counted(["no_credentials", "ok"]),
        of("azure-is-asked-by-a-hedge")
            .answer(Answer::Outrun)
            .answer(fine())
            .retry(&[], 1)
            .counted(["cancelled", "ok"]),
        of("azure-answers-while-a-hedge-waits")
            .answer(Answer::Late(Response::status(503).body("busy")))
            .answer(fine())
            .retry(&[503], 1)
            .counted(["ok", "ok"]),
        of("a-key-is-gone-from-a-request-whose-try-is-lost")
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
    let without = |name, secret: Option<&str>| {
        Scenario::azure(name)
            .upstream(Upstream::azure().with_secret(secret.map(str::to_owned)))
            .error(Code::NoCredentials, 503, "no credentials for this upstream")
            .unasked()
    };
    let nothing = |name, call: &CallConfig| {
        Scenario::azure(name)
            .call(call)
            .error(
                Code::NoFunction,
                500,
                "no function is configured for this route",
            )
            .unasked()
    };
    let tombstone = SecretBlob::Unavailable("secret default/app does not exist".into());
    vec![
        without("azure-is-not-asked-without-a-secret", None),
        without("azure-is-not-asked-with-a-body-without-a-secret", None)
            .request(Request::post("/", "body")),
        without(
            "azure-is-not-asked-with-a-tombstone",
            Some(&tombstone.to_json()),
        ),
        without(
            "azure-is-not-asked-with-another-function-s-key",
            Some(r#"{"azure":{"functionKeys":{"g":"other"}}}"#),
        ),
        without(
            "azure-s-admin-is-not-asked-with-a-function-s-key",
            Some(r#"{"azure":{"functionKeys":{"f":"own","default":"app"}}}"#),
        )
        .call(&azure_call(AuthLevel::Admin)),
        without(
            "azure-is-not-asked-with-an-empty-key",
            Some(r#"{"azure":{"functionKeys":{"f":""}}}"#),
        ),
        without(
            "azure-is-not-asked-with-a-key-of-two-lines",
            Some(r#"{"azure":{"functionKeys":{"f":"a\r\nx-b: c"}}}"#),
        ),
        without(
            "azure-is-not-asked-with-keys-of-aws",
            Some(&Key::User.secret()),
        ),
        nothing("azure-is-not-asked-with-a-call-of-lambda", &call()),
        nothing(
            "azure-is-not-asked-where-a-route-climbs",
            &routed("../admin"),
        ),
        Scenario::new("lambda-is-not-asked-with-a-call-of-azure")
            .call(&azure_call(AuthLevel::Function))
            .error(
                Code::NoFunction,
                500,
                "no function is configured for this route",
            )
            .unasked(),
        Scenario::azure("a-route-with-parameters-needs-a-template")
            .call(&routed("products/{id}"))
            .error(Code::Internal, 500, "internal error")
            .unasked(),
    ]
}

fn grpc() -> Vec<Scenario> {
    let of = |name| {
        Scenario::azure(name).request(
            Request::new("POST", "/s/m")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body_frames(["\0\0\0\0\0", "\0\0\0\0\0"]),
        )
    };
    vec![
        of("grpc-passes-to-azure-and-back")
            .answer(
                Response::status(200)
                    .header("content-type", "application/grpc")
                    .body_frames(["\0\0\0\0\0"])
                    .trailer("grpc-status", "0"),
            )
            .trailer("grpc-status", "0"),
        of("an-answer-of-azure-s-is-passed-on-to-grpc")
            .answer(answer("<html>"))
            .counted(["ok"]),
        of("grpc-to-azure-without-a-secret")
            .upstream(Upstream::azure().with_secret(None))
            .grpc(
                Code::NoCredentials,
                "14",
                "no credentials for this upstream",
            )
            .unasked(),
    ]
}
