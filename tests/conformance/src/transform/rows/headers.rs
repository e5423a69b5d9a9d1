//! Headers set, appended and removed.

use tenon_contract::transform::{HeaderToAppend, RequestRule, Transforms};

use super::super::{Row, by};
use crate::fake::{Request, Response};

/// One that is added.
fn append(key: &str, text: &str) -> HeaderToAppend {
    HeaderToAppend {
        key: key.into(),
        value: text.into(),
    }
}

pub(super) fn all() -> Vec<Row> {
    let mut all = requests();
    all.extend(responses());
    all
}

fn set(name: &'static str, header: &'static str, text: &'static str) -> Row {
    Row::new(name).requests(|it| {
        it.headers.insert(header.into(), text.into());
    })
}

fn requests() -> Vec<Row> {
    let request = || {
        Request::get("/a/b?q=1")
            .header("x-old", "old")
            .header("x-two", "1")
    };
    vec![
        set("a-header-is-set", "x-new", "new").sends("x-new", ["new"]),
        set(
            "a-header-s-name-is-lower-case-when-it-is-sent",
            "X-New",
            "new",
        )
        .sends("x-new", ["new"]),
        set("a-header-takes-the-place-of-all-its-values", "x-two", "3")
            .request(request().header("x-two", "2"))
            .sends("x-two", ["3"]),
        set(
            "a-header-that-comes-out-empty-is-removed",
            "x-old",
            "{{ header(\"x-none\") }}",
        )
        .request(request())
        .sends("x-old", []),
        set("a-header-of-white-space-is-removed", "x-old", " \n ")
            .request(request())
            .sends("x-old", []),
        set(
            "white-space-around-a-value-is-no-part-of-it",
            "x-new",
            "\n  a b \n",
        )
        .sends("x-new", ["a b"]),
        set(
            "a-header-is-made-of-another",
            "x-new",
            "<{{ header(\"X-Old\") }}>",
        )
        .request(request())
        .sends("x-new", ["<old>"]),
        set(
            "only-the-first-value-of-a-header-is-read",
            "x-new",
            "{{ header(\"x-two\") }}",
        )
        .request(request().header("x-two", "2"))
        .sends("x-new", ["1"]),
        set(
            "a-request-reads-its-own-headers-under-both-names",
            "x-new",
            "{{ request_header(\"x-old\") }}",
        )
        .request(request())
        .sends("x-new", ["old"]),
        set(
            "the-path-is-rewritten",
            ":path",
            "/new{{ header(\":path\") }}",
        )
        .request(request())
        .sends(":path", ["/new/a/b?q=1"]),
        set("the-method-is-changed", ":method", "PUT")
            .request(Request::post("/", "x"))
            .sends(":method", ["PUT"]),
        set("a-request-has-no-status", ":status", "418").sends(":status", []),
        set("the-host-is-changed", ":authority", "other.example")
            .sends(":authority", ["other.example"]),
        set(
            "a-value-that-is-no-utf-8-stays-as-it-is",
            "x-new",
            "{{ header(\"x-odd\") }}",
        )
        .request(request().header("x-odd", b"\xe4\xff"))
        .sends("x-new", [r"\xe4\xff"]),
        Row::new("headers-are-set-in-the-order-of-their-names")
            .requests(|it| {
                it.headers.insert("x-a".into(), "1".into());
                it.headers
                    .insert("x-b".into(), "{{ header(\"x-a\") }}2".into());
            })
            .sends("x-b", ["12"]),
        Row::new("a-header-is-appended")
            .requests(|it| it.headers_to_append.push(append("x-old", "new")))
            .request(request())
            .sends("x-old", ["old", "new"]),
        Row::new("headers-are-appended-in-order-and-seen-by-the-next")
            .requests(|it| {
                it.headers_to_append = vec![
                    append("x-new", "1"),
                    append("x-new", ""),
                    append("x-new", "{{ header(\"x-new\") }}2"),
                ];
            })
            .sends("x-new", ["1", "12"]),
        Row::new("a-header-is-removed-with-all-its-values")
            .requests(|it| it.headers_to_remove = vec!["X-Two".into(), "x-none".into()])
            .request(request().header("x-two", "2"))
            .sends("x-two", []),
        Row::new("headers-are-set-then-removed-then-appended")
            .requests(|it| {
                it.headers.insert("x-set".into(), "1".into());
                it.headers.insert("x-seen".into(), "1".into());
                it.headers_to_remove = vec!["x-set".into(), "x-old".into()];
                it.headers_to_append = vec![
                    append("x-set", "{{ header(\"x-set\") }}2"),
                    append("x-old", "{{ header(\"x-seen\") }}"),
                ];
            })
            .request(request())
            .sends("x-set", ["2"])
            .sends("x-old", ["1"]),
        Row::new("a-header-only-template-leaves-a-body-that-is-no-json-alone")
            .requests(|it| {
                it.headers.insert("x-new".into(), "new".into());
            })
            .request(Request::post("/", "not JSON\0\u{ff}").header("content-type", "text/plain"))
            .sends("x-new", ["new"])
            .sends("content-type", ["text/plain"]),
        Row::new("a-header-only-template-lets-a-body-of-any-size-by")
            .requests(|it| {
                it.headers
                    .insert("x-new".into(), "{{ header(\":method\") }}".into());
            })
            .filter(|it| it.max_body_bytes = 10)
            .request(Request::post("/", vec![b'x'; 100_000]))
            .sends("x-new", ["POST"]),
        Row::new("a-header-only-template-on-a-chunked-body-with-trailers")
            .requests(|it| {
                it.headers.insert("x-new".into(), "new".into());
            })
            .request(
                Request::new("POST", "/")
                    .body_frames(["ab", "cd"])
                    .trailer("x-sum", "1"),
            )
            .sends("x-new", ["new"]),
        Row::new("a-request-without-a-body-says-nothing-of-its-type")
            .requests(|it| {
                it.headers.insert("x-new".into(), "new".into());
            })
            .request(request().header("content-type", "application/json"))
            .sends("content-type", []),
        Row::new("a-request-without-a-body-keeps-its-type-with-passthrough")
            .requests(|it| {
                it.headers.insert("x-new".into(), "new".into());
                it.passthrough = Some(Default::default());
            })
            .request(request().header("content-type", "application/json"))
            .sends("content-type", ["application/json"]),
    ]
}

fn responses() -> Vec<Row> {
    let set = |name: &'static str, header: &'static str, text: &'static str| {
        Row::new(name).responses(|it| {
            it.headers.insert(header.into(), text.into());
        })
    };
    let of_both = Transforms {
        request_transforms: vec![RequestRule {
            request_transformation: Some(by(|it| {
                it.headers.insert("x-new".into(), "of the request".into());
            })),
            response_transformation: Some(by(|it| {
                it.headers.insert("x-new".into(), "of the response".into());
            })),
            ..RequestRule::default()
        }],
        ..Transforms::default()
    };
    vec![
        set("a-response-header-is-set", "x-new", "new").header("x-new", ["new"]),
        set("a-response-header-is-removed-by-nothing", "x-old", "")
            .answer(Response::status(200).header("x-old", "old").body("x"))
            .header("x-old", []),
        set("the-status-is-changed", ":status", "418").gives(418),
        set("a-response-has-no-path", ":path", "/new").header(":path", []),
        Row::new("a-response-has-no-path-to-append-to")
            .responses(|it| it.headers_to_append = vec![append(":path", "/new")])
            .header(":path", []),
        set("the-status-is-read", "x-new", "{{ header(\":status\") }}")
            .answer(Response::status(404).body("gone"))
            .header("x-new", ["404"]),
        set(
            "a-response-reads-the-request-s-headers",
            "x-new",
            "{{ request_header(\"x-sent\") }} {{ request_header(\":method\") }}",
        )
        .request(Request::post("/", "x").header("x-sent", "sent"))
        .header("x-new", ["sent POST"]),
        set(
            "a-response-reads-no-header-of-the-request-as-its-own",
            "x-new",
            "[{{ header(\"x-sent\") }}]",
        )
        .request(Request::get("/").header("x-sent", "sent"))
        .header("x-new", ["[]"]),
        Row::new("request-and-response-are-transformed")
            .rules(of_both)
            .sends("x-new", ["of the request"])
            .header("x-new", ["of the response"]),
        Row::new("cookies-are-appended")
            .responses(|it| it.headers_to_append = vec![append("set-cookie", "b=2")])
            .answer(Response::status(200).header("set-cookie", "a=1").body("x"))
            .header("set-cookie", ["a=1", "b=2"]),
        Row::new("a-response-header-only-template-leaves-the-body-alone")
            .responses(|it| it.headers_to_remove = vec!["server-timing".into()])
            .answer(
                Response::status(200)
                    .header("server-timing", "x")
                    .header("content-type", "application/octet-stream")
                    .body(vec![0xff_u8; 50_000]),
            )
            .header("server-timing", [])
            .header("content-type", ["application/octet-stream"]),
        set("a-response-of-trailers-keeps-them", "x-new", "new")
            .answer(
                Response::status(200)
                    .body_frames(["ab"])
                    .trailer("x-sum", "1"),
            )
            .header("x-new", ["new"])
            .trailer("x-sum", "1"),
        set("what-a-route-answers-itself-is-transformed", "x-new", "new")
            .direct(404, "no such thing")
            .header("x-new", ["new"]),
    ]
}
