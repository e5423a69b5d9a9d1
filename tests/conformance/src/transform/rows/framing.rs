//! Messages of other kinds: HEAD, gRPC, streams of another protocol.

use super::super::Row;
use crate::fake::{Request, Response};

pub(super) fn all() -> Vec<Row> {
    vec![
        Row::new("a-request-of-head-is-transformed")
            .requests(|it| {
                it.headers
                    .insert("x-new".into(), r#"{{ header(":method") }}"#.into());
            })
            .request(Request::new("HEAD", "/"))
            .answer(Response::status(200).header("content-length", "5"))
            .sends("x-new", ["HEAD"]),
        Row::new("a-response-to-head-is-transformed")
            .responses(|it| {
                it.headers
                    .insert("x-new".into(), r#"{{ header(":status") }}"#.into());
            })
            .request(Request::new("HEAD", "/"))
            .answer(
                Response::status(200)
                    .header("content-type", "text/plain")
                    .header("content-length", "5"),
            )
            .header("x-new", ["200"])
            .header("content-type", ["text/plain"])
            .header("content-length", ["5"]),
        Row::new("a-response-to-head-that-is-longer-than-what-is-held")
            .responses(|it| it.body = Some("{{ body() }}".into()))
            .filter(|it| it.max_body_bytes = 10)
            .request(Request::new("HEAD", "/"))
            .answer(Response::status(200).header("content-length", "5000"))
            .gives(200),
        Row::new("grpc-messages-are-let-by-where-nothing-needs-them")
            .requests(|it| {
                it.headers.insert("x-new".into(), "new".into());
            })
            .request(
                Request::new("POST", "/svc/method")
                    .header("content-type", "application/grpc")
                    .header("te", "trailers")
                    .body_frames(["\0\0\0\0\u{1}a", "\0\0\0\0\u{1}b"]),
            )
            .answer(
                Response::status(200)
                    .header("content-type", "application/grpc")
                    .body_frames(["\0\0\0\0\u{1}c"])
                    .trailer("grpc-status", "0"),
            )
            .sends("x-new", ["new"])
            .trailer("grpc-status", "0"),
        Row::new("trailers-of-a-transformed-request-go-on")
            .requests(|it| it.body = Some("{{ body() }}".into()))
            .request(
                Request::new("POST", "/")
                    .body_frames(["ab"])
                    .trailer("x-sum", "1"),
            ),
        Row::new("a-request-of-trailers-alone-is-transformed")
            .requests(|it| {
                it.body = Some("[{{ body() }}]".into());
            })
            .request(Request::new("POST", "/").trailer("x-sum", "1"))
            .not_on_wasm("proxy-wasm cannot add a body to a message without one")
            .sends_body("[]"),
    ]
}
