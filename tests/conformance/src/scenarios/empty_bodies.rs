//! `emptyBodyOverride`: what the function is given where the client's body is empty.

use tenon_contract::RequestShape;
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request};
use crate::scenario::{Key, Scenario, Upstream, function_error};

const INSTEAD: &str = r#"{"instead":"of nothing"}"#;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        given("no-body-is-overridden", Request::get("/")),
        given(
            "no-body-of-a-head-request-is-overridden",
            Request::new("HEAD", "/"),
        ),
        given("an-empty-body-is-overridden", Request::post("/", "")),
        given(
            "an-empty-body-of-another-type-is-overridden",
            Request::post("/", "").header("content-type", "text/plain"),
        ),
        given(
            "an-empty-body-that-an-empty-frame-ends-is-overridden",
            Request::new("POST", "/")
                .body_frames([""; 0])
                .empty_end_frame(),
        ),
        given(
            "no-body-is-overridden-on-each-try",
            Request::get("/").header("content-type", "text/plain"),
        )
        .answer(function_error())
        .answer(crate::scenario::answer("{}"))
        .retry(&[504], 1)
        .counted(["function_error", "ok"]),
        given("no-body-is-overridden-after-a-lost-try", Request::get("/"))
            .answer(Answer::Lost)
            .answer(crate::scenario::answer("{}"))
            .retry(&[], 1)
            .tries(2)
            .counted(["cancelled", "ok"])
            .guarded(),
        given("no-body-is-overridden-under-a-session", Request::get("/"))
            .upstream(Upstream::secret(Some(Key::Session.secret())))
            .signed_with([Key::Session]),
        of("a-body-is-not-overridden", Request::post("/", "x"))
            .sends("content-length", "1")
            .sends_body("x"),
        Scenario::new("an-event-is-not-overridden")
            .call_with(|aws| {
                aws.request = RequestShape::ApiGatewayV2;
                aws.empty_body_override = Some(INSTEAD.into());
            })
            .hides("/body")
            .shows("/version", "2.0"),
        of("what-overrides-counts", Request::get("/"))
            .upstream(Upstream::limits(10, 100))
            .error(
                Code::RequestTooLarge,
                413,
                "the request is larger than 10 bytes",
            )
            .unasked(),
    ]
}

fn given(name: &'static str, request: Request) -> Scenario {
    of(name, request)
        .sends("content-type", "application/json")
        .sends("content-length", "24")
        .sends_body(INSTEAD)
}

fn of(name: &'static str, request: Request) -> Scenario {
    Scenario::new(name)
        .call_with(|aws| aws.empty_body_override = Some(INSTEAD.into()))
        .request(request)
}
