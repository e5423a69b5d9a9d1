//! What cannot be transformed.

use tenon_core::invoke::Code;

use super::super::Row;
use crate::fake::{Request, Response};

pub(super) fn all() -> Vec<Row> {
    let mut all = requests();
    all.extend(responses());
    all
}

fn requests() -> Vec<Row> {
    let body = |name: &'static str| Row::new(name).requests(|it| it.body = Some("{{ a }}".into()));
    let header = |name: &'static str, header: &'static str, text: &'static str| {
        Row::new(name).requests(|it| {
            it.headers.insert(header.into(), text.into());
        })
    };
    let large = |name: &'static str| {
        Row::new(name)
            .requests(|it| it.body = Some("{{ body() }}".into()))
            .filter(|it| it.max_body_bytes = 10)
    };
    let post = |text: &str| Request::post("/", text);
    let grpc = |text: &str| post(text).header("content-type", "application/grpc");
    vec![
        body("a-body-that-is-no-json-is-refused")
            .request(post("not JSON"))
            .refused(Code::BadRequest, ["bad request: the body is not JSON"]),
        body("a-body-that-is-cut-off-is-refused")
            .request(post(r#"{"a":"#))
            .refused(Code::BadRequest, ["bad request: the body is not JSON"]),
        body("a-body-in-frames-that-is-no-json-is-refused")
            .request(Request::new("POST", "/").body_frames(["{", "x"]))
            .refused(Code::BadRequest, ["bad request"]),
        body("an-encoded-body-is-refused-as-such")
            .request(post("\u{1f}\u{8b}").header("content-encoding", "gzip"))
            .refused(Code::BadRequest, ["encoded (gzip)"]),
        body("a-value-that-is-not-there-is-refused")
            .request(post("{}"))
            .refused(Code::BadRequest, ["bad request: ", "'a'", "line 1", "column"]),
        body("a-value-of-a-request-without-a-body-is-refused").refused(Code::BadRequest, ["bad request: ", "'a'"]),
        body("a-grpc-client-is-refused-in-its-own-way")
            .request(grpc("\0\0\0\0\0"))
            .refused(Code::BadRequest, ["bad request"])
            .gives(200)
            .header("grpc-status", ["3"])
            .header("content-type", ["application/grpc"]),
        header("a-value-with-a-line-break-inside-is-refused", "x-new", "a\nb").refused(Code::BadRequest, ["x-new"]),
        header("a-path-with-a-space-is-refused", ":path", "/a b").refused(Code::BadRequest, [":path"]),
        header("a-path-of-nothing-is-refused", ":path", "").refused(Code::BadRequest, [":path"]),
        header("a-method-that-is-none-is-refused", ":method", "a/b").refused(Code::BadRequest, [":method"]),
        Row::new("a-header-that-cannot-be-made-of-a-body-that-is-no-json-is-refused")
            .requests(|it| {
                it.headers.insert("x-a".into(), "{{ a }}".into());
            })
            .request(post("not JSON"))
            .refused(Code::BadRequest, ["the body is not JSON"]),
        large("a-body-that-is-too-large-is-refused")
            .request(post("12345678901"))
            .refused(Code::RequestTooLarge, ["payload too large", "10 bytes"]),
        large("a-body-in-frames-that-is-too-large-is-refused")
            .request(Request::new("POST", "/").body_frames(["123456", "78901"]))
            .refused(Code::RequestTooLarge, ["payload too large"]),
        large("a-body-that-is-just-not-too-large-is-taken").request(post("1234567890")),
        Row::new("metadata-that-is-no-transformation-fails-closed")
            .metadata("{")
            .refused(Code::Internal, ["not valid"]),
        Row::new("transformations-of-another-version-fail-closed")
            .metadata(r#"{"version":2,"regular":{}}"#)
            .refused(Code::Internal, ["not valid"]),
        Row::new("a-template-that-cannot-be-read-fails-closed")
            .requests(|it| it.body = Some("{{ ".into()))
            .refused(Code::Internal, ["not valid"]),
        Row::new("transformations-that-cannot-be-read-fail-closed-for-grpc-too")
            .metadata("{")
            .request(grpc("\0\0\0\0\0"))
            .refused(Code::Internal, ["not valid"])
            .gives(200)
            .header("grpc-status", ["13"]),
        Row::new("fields-of-a-newer-control-plane-are-ignored")
            .metadata(r#"{"version":1,"later":true,"regular":{"requestTransforms":[{"newer":1,
                "requestTransformation":{"transformationTemplate":{"headers":{"x-new":{"text":"new"}}}}}]}}"#)
            .sends("x-new", ["new"]),
    ]
}

fn responses() -> Vec<Row> {
    let body = |name: &'static str| Row::new(name).responses(|it| it.body = Some("{{ a }}".into()));
    let large = |name: &'static str| {
        Row::new(name)
            .responses(|it| it.body = Some("{{ body() }}".into()))
            .filter(|it| it.max_body_bytes = 10)
    };
    let header = |name: &'static str| {
        Row::new(name).responses(|it| {
            it.headers
                .insert("x-a".into(), r#"{{ header("x-b") }}a"#.into());
            it.headers.insert("x-c".into(), "a\nb".into());
        })
    };
    vec![
        body("a-response-that-is-no-json-becomes-an-error")
            .answer(
                Response::status(200)
                    .header("x-kept", "kept")
                    .header("content-encoding", "br")
                    .body("not JSON"),
            )
            .failed(Code::BadRequest, ["bad request: the body is not JSON"])
            .header("x-kept", ["kept"])
            .header("content-encoding", []),
        body("a-response-in-frames-that-is-no-json-becomes-an-error")
            .answer(Response::status(200).body_frames(["not ", "JSON"]))
            .failed(Code::BadRequest, ["bad request"]),
        body("a-response-that-trailers-end-and-is-no-json-becomes-an-error")
            .answer(
                Response::status(200)
                    .body_frames(["not JSON"])
                    .trailer("x-sum", "1"),
            )
            .failed(Code::BadRequest, ["bad request"]),
        body("a-response-to-head-that-cannot-be-transformed-becomes-an-error")
            .request(Request::new("HEAD", "/"))
            .answer(Response::status(200).header("content-length", "5"))
            .failed(Code::BadRequest, []),
        header("a-response-header-that-is-not-valid-becomes-an-error")
            .failed(Code::BadRequest, ["x-c"]),
        header("a-response-header-that-is-not-valid-becomes-an-error-in-frames")
            .answer(Response::status(200).body_frames(["some", "more", "of it"]))
            .failed(Code::BadRequest, ["x-c"]),
        header("a-response-header-that-is-not-valid-becomes-an-error-before-trailers")
            .answer(
                Response::status(200)
                    .body_frames(["some", "more"])
                    .trailer("x-sum", "1"),
            )
            .failed(Code::BadRequest, ["x-c"]),
        large("a-response-that-is-too-large-becomes-an-error")
            .answer(Response::status(200).body("12345678901"))
            .failed(Code::ResponseTooLarge, ["10 bytes"]),
        large("a-response-in-frames-that-is-too-large-becomes-an-error")
            .answer(Response::status(200).body_frames(["123456", "78901", "23456"]))
            .failed(Code::ResponseTooLarge, ["10 bytes"]),
        body("a-grpc-response-that-is-no-json-becomes-an-error")
            .request(Request::post("/", "\0\0\0\0\0").header("content-type", "application/grpc"))
            .answer(
                Response::status(200)
                    .header("content-type", "application/grpc")
                    .body_frames(["\0\0\0\0\0"])
                    .trailer("grpc-status", "0"),
            )
            .failed(Code::BadRequest, ["bad request"])
            .gives(200)
            .header("grpc-status", ["3"]),
    ]
}
