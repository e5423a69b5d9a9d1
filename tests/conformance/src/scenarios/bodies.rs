//! Bodies of every size, content and framing.

use tenon_contract::{LAMBDA_PAYLOAD_LIMIT, RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request, Response};
use crate::scenario::{Scenario, Upstream, answer, function_error, lambda};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = kinds();
    all.extend(limits());
    all.extend(small_limits());
    all
}

const ODD: &[u8] = b"\xff\xfe\0\x80 a\0b\r\n\xc3";

fn kinds() -> Vec<Scenario> {
    let frames = || Request::new("PUT", "/").body_frames(["ab", "cd", "ef"]);
    let answered = || lambda(Response::status(200)).body_frames(["gh", "ij"]);
    vec![
        Scenario::new("a-body-of-any-bytes-passes-both-ways")
            .request(Request::post("/", ODD))
            .answer(answer(ODD)),
        Scenario::new("a-body-in-frames-without-a-length")
            .request(frames())
            .sends("content-length", "6")
            .answer(answered()),
        Scenario::new("a-body-that-an-empty-frame-ends")
            .request(frames().empty_end_frame())
            .sends("content-length", "6")
            .answer(answered().empty_end_frame()),
        Scenario::new("a-body-that-trailers-end")
            .request(frames().trailer("x-sum", "1"))
            .answer(answered().trailer("x-sum", "2"))
            .trailer("x-sum", "2"),
        Scenario::new("a-request-of-trailers-alone")
            .request(Request::new("POST", "/").trailer("x-sum", "1"))
            .sends_body(""),
        Scenario::new("a-request-of-an-empty-frame")
            .request(
                Request::new("POST", "/")
                    .body_frames([""; 0])
                    .empty_end_frame(),
            )
            .sends("content-length", "0"),
        Scenario::new("a-body-without-a-length-is-sent-with-its-length-by-each-try")
            .request(frames())
            .answer(Answer::Lost)
            .answer(function_error())
            .answer(answered())
            .retry(&[504], 2)
            .counted(["cancelled", "function_error", "ok"])
            .sends("content-length", "6"),
        Scenario::new("a-posted-body-of-length-0")
            .request(Request::post("/", "").empty_end_frame()),
        Scenario::new("a-response-of-trailers-alone")
            .answer(lambda(Response::status(200)).trailer("x-sum", "2"))
            .trailer("x-sum", "2"),
        Scenario::new("a-response-of-an-empty-frame")
            .answer(lambda(Response::status(200)).empty_end_frame()),
    ]
}

/// The 6 MB of a synchronous call, to the byte.
fn limits() -> Vec<Scenario> {
    let most = usize::try_from(LAMBDA_PAYLOAD_LIMIT).unwrap_or_default();
    let of = |length: usize| vec![b'x'; length];
    let in_frames = |length: usize| {
        let body = of(length);
        Request::new("POST", "/").body_frames(body.chunks(1 << 20))
    };
    vec![
        Scenario::new("a-request-of-6-mb").request(Request::post("/", of(most))),
        Scenario::new("a-request-of-6-mb-without-a-length").request(in_frames(most)),
        too_large(
            Scenario::new("a-request-of-6-mb-and-1").request(Request::post("/", of(most + 1))),
        ),
        too_large(
            Scenario::new("a-request-of-6-mb-and-1-without-a-length").request(in_frames(most + 1)),
        ),
        Scenario::new("a-response-of-6-mb").answer(answer(of(most))),
        too_large_a_response("a-response-of-6-mb-and-1").answer(answer(of(most + 1))),
        too_large_a_response("an-answer-of-6-mb-and-1-to-be-unwrapped")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(answer(of(most + 1))),
        Scenario::new("an-answer-of-6-mb-is-unwrapped")
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
            .answer(answer(format!(r#"{{"body":"{}"}}"#, "x".repeat(most - 11))))
            .body(of(most - 11)),
    ]
}

fn small_limits() -> Vec<Scenario> {
    let unwrapped = |name| {
        too_large_a_response(name)
            .upstream(Upstream::limits(100, 20))
            .call_with(|aws| aws.response = ResponseShape::ApiGateway)
    };
    vec![
        Scenario::new("an-event-that-is-larger-than-the-body")
            .upstream(Upstream::limits(100, 100))
            .call_with(|aws| aws.request = RequestShape::ApiGateway)
            .request(Request::post("/", "small"))
            .error(
                Code::RequestTooLarge,
                413,
                "the request is larger than 100 bytes",
            )
            .unasked(),
        Scenario::new("trailers-after-a-body-that-is-too-large")
            .upstream(Upstream::limits(5, 100))
            .request(
                Request::new("POST", "/")
                    .body_frames(["1234", "56"])
                    .trailer("x-sum", "1"),
            )
            .error(
                Code::RequestTooLarge,
                413,
                "the request is larger than 5 bytes",
            )
            .unasked(),
        unwrapped("an-answer-in-frames-that-is-too-large").answer(
            lambda(Response::status(200)).body_frames([r#"{"body":"#, r#""1234567890123"}"#]),
        ),
        unwrapped("an-answer-that-trailers-end-and-is-too-large").answer(
            lambda(Response::status(200))
                .body_frames([r#"{"body":"#, r#""1234567890123"}"#])
                .trailer("x-sum", "1"),
        ),
        too_large_a_response("a-response-in-frames-that-passes-through-and-is-too-large")
            .upstream(Upstream::limits(100, 5))
            .answer(lambda(Response::status(200)).body_frames(["1234", "5678"])),
        too_large_a_response("a-response-that-trailers-end-and-is-too-large")
            .upstream(Upstream::limits(100, 5))
            .answer(
                lambda(Response::status(200))
                    .body_frames(["1234", "5678"])
                    .trailer("x-sum", "1"),
            ),
        Scenario::new("a-response-in-frames-that-passes-through-up-to-the-limit")
            .upstream(Upstream::limits(100, 8))
            .answer(lambda(Response::status(200)).body_frames(["1234", "5678"])),
        Scenario::new("a-response-in-frames-to-a-head-request-has-no-limit")
            .upstream(Upstream::limits(100, 5))
            .request(Request::new("HEAD", "/"))
            .answer(lambda(Response::status(200)).body_frames(["1234", "5678"]))
            .body(""),
    ]
}

fn too_large(scenario: Scenario) -> Scenario {
    scenario
        .error(
            Code::RequestTooLarge,
            413,
            "the request is larger than 6291456 bytes",
        )
        .unasked()
}

fn too_large_a_response(name: &'static str) -> Scenario {
    Scenario::new(name).error(
        Code::ResponseTooLarge,
        502,
        "the response is larger than this upstream may send",
    )
}
