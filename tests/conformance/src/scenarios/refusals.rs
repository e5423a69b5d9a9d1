//! Requests that the filter answers without asking the provider.

use tenon_contract::{RequestShape, SecretBlob};
use tenon_core::invoke::Code;

use crate::fake::Request;
use crate::scenario::{Key, Route, Scenario, Upstream, call};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = without_a_call();
    all.extend(without_credentials());
    all
}

fn without_a_call() -> Vec<Scenario> {
    let newer = call().to_json().replace(r#""version":1"#, r#""version":2"#);
    vec![
        no_function("a-route-without-a-call", Route::calling_nothing()),
        no_function("a-call-that-is-no-json", Route::with("call", "{")),
        no_function("a-call-that-is-empty", Route::with("call", "")),
        no_function(
            "a-call-of-nothing",
            Route::with("call", r#"{"version":1,"function":"f"}"#),
        ),
        no_function("a-call-of-a-newer-version", Route::with("call", newer)),
        no_function(
            "a-call-under-another-key",
            Route::with("calls", call().to_json()),
        ),
        no_function(
            "a-client-cannot-name-a-call",
            Route::with("other", call().to_json()),
        )
        .request(Request::get("/").header("x-tenon-call", "other")),
        no_function("a-client-cannot-make-up-a-weight", Route::calling_nothing())
            .request(Request::get("/").header("x-tenon-call", "call.0")),
        no_function(
            "a-broken-call-does-not-fall-back-to-a-weight",
            Route::with("call", "{").and("call.0", call().to_json()),
        )
        .request(Request::get("/").header("x-tenon-call", "call.0")),
        no_function("a-weight-without-a-call", {
            let mut route = Route::weighted(&[call()], 0);
            route.weight = Some("call.1".into());
            route
        }),
        no_function("a-posted-body-without-a-call", Route::calling_nothing())
            .request(Request::post("/", "body")),
        no_function("a-head-without-a-call", Route::calling_nothing())
            .request(Request::new("HEAD", "/")),
    ]
}

fn no_function(name: &'static str, route: Route) -> Scenario {
    Scenario::new(name)
        .route(route)
        .error(
            Code::NoFunction,
            500,
            "no function is configured for this route",
        )
        .unasked()
        .tells_nothing_of("function")
}

fn without_credentials() -> Vec<Scenario> {
    let expired = Key::Session.secret_until(Some("2015-08-30T12:35:59Z"));
    let unavailable = SecretBlob::Unavailable("role arn:aws:iam::123456789012:role/x".into());
    vec![
        no_credentials("no-secret", None),
        no_credentials("an-empty-secret", Some(String::new()))
            .not_on_wasm("credential_injector answers 401 itself"),
        no_credentials("a-secret-that-is-no-json", Some("very secret".into()))
            .never_shows("very secret"),
        no_credentials(
            "a-secret-of-something-else",
            Some(r#"{"gcp":{"idToken":"of gcp"}}"#.into()),
        )
        .never_shows("of gcp"),
        no_credentials("a-secret-that-is-a-tombstone", Some(unavailable.to_json())),
        no_credentials("a-secret-that-has-expired", Some(expired)),
        no_credentials(
            "a-secret-whose-end-is-no-time",
            Some(Key::Session.secret_until(Some("soon"))),
        ),
        no_credentials("a-posted-body-without-a-secret", None).request(Request::post("/", "body")),
        no_credentials("an-event-without-a-secret", None)
            .call_with(|aws| aws.request = RequestShape::Metadata)
            .request(Request::post("/", "body").header("authorization", "Bearer of-the-client")),
        no_credentials("a-client-cannot-bring-a-secret", None)
            .request(Request::get("/").header("x-tenon-secret", Key::User.secret())),
        Scenario::new("a-secret-that-expires-later")
            .upstream(Upstream::secret(Some(
                Key::Session.secret_until(Some("2999-01-01T00:00:00Z")),
            )))
            .signed_with([Key::Session]),
        Scenario::new("a-session-s-token-is-sent")
            .upstream(Upstream::secret(Some(Key::Session.secret())))
            .signed_with([Key::Session])
            .sends("x-amz-security-token", "TokenOfTheSession//////////=="),
    ]
}

fn no_credentials(name: &'static str, secret: Option<String>) -> Scenario {
    Scenario::new(name)
        .upstream(Upstream::secret(secret))
        .error(Code::NoCredentials, 503, "no credentials for this upstream")
        .unasked()
}
