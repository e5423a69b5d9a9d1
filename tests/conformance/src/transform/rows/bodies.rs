//! Bodies rendered, merged and wrapped.

use serde_json::json;
use tenon_contract::transform::{
    Empty, HeaderBodyTransform, MergeJsonKeys, OverridableTemplate, ParseBodyBehavior, RequestRule,
    Transformation, Transforms,
};
use tenon_core::inja::MAX_NESTING;

use tenon_core::invoke::Code;

use super::super::Row;
use crate::fake::{Request, Response};

/// As deep as templates can be, in blocks and in brackets.
fn deepest() -> String {
    let (blocks, brackets) = (MAX_NESTING / 2, MAX_NESTING - 1);
    let parts: [&str; 9] = [
        &"{% if true %}".repeat(blocks),
        &"{% for a in [1] %}".repeat(blocks),
        "{{ ",
        &"max(sort([2]) in [1] or ".repeat(brackets),
        "deep",
        &")".repeat(brackets),
        " }}{{ deep }}{% set b.c = deep %}{{ b == b }}",
        &"{% endfor %}".repeat(blocks),
        &"{% endif %}".repeat(blocks),
    ];
    parts.concat()
}

/// A number in so many arrays.
fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

pub(super) fn all() -> Vec<Row> {
    let mut all = requests();
    all.extend(responses());
    all.extend(merged());
    all.extend(wrapped());
    all
}

const ADDS_NO_BODY: &str = "proxy-wasm cannot add a body to a message without one";

fn body(name: &'static str, text: &'static str) -> Row {
    Row::new(name).requests(|it| it.body = Some(text.into()))
}

fn post(body: &str) -> Request {
    Request::post("/", body).header("content-type", "application/json")
}

fn requests() -> Vec<Row> {
    vec![
        Row::new("the-deepest-template-has-stack-enough")
            .requests(|it| it.body = Some(deepest().into()))
            .request(Request::post("/", format!("{{\"deep\":{}}}", nested(100))))
            .sends_body(format!("true{}true", nested(100))),
        body("a-body-is-replaced", "new")
            .request(post("{}"))
            .sends_body("new")
            .sends("content-length", ["3"])
            .sends("content-type", ["application/json"]),
        body(
            "a-body-is-made-of-values-of-the-json-body",
            "{{ a.b }}-{{ c }}",
        )
        .request(post(r#"{"a":{"b":"x"},"c":1}"#))
        .sends_body("x-1"),
        body("a-body-is-made-of-the-text-of-the-body", "<{{ body() }}>")
            .request(post("not JSON"))
            .sends_body("<not JSON>"),
        body("a-body-of-any-bytes-is-passed-on-as-it-is", "{{ body() }}")
            .request(Request::post("/", b"\xff\0\xfe"))
            .sends_body(b"\xff\0\xfe"),
        body(
            "a-template-that-reads-no-value-takes-a-body-that-is-no-json",
            "literal",
        )
        .request(post("not JSON"))
        .sends_body("literal"),
        body(
            "a-body-that-comes-out-empty-has-no-type",
            "{% if false %}x{% endif %}",
        )
        .request(post("{}"))
        .sends_body("")
        .sends("content-type", []),
        body("a-body-in-frames-is-put-together", "{{ a }}")
            .request(Request::new("POST", "/").body_frames([r#"{"a""#, r#":"x"#, r#"yz"}"#]))
            .sends_body("xyz")
            .sends("content-length", ["3"]),
        body("a-body-that-an-empty-frame-ends-is-put-together", "{{ a }}")
            .request(
                Request::new("POST", "/")
                    .body_frames([r#"{"a":1}"#])
                    .empty_end_frame(),
            )
            .sends_body("1"),
        body("a-body-that-trailers-end-is-put-together", "{{ a }}")
            .request(
                Request::new("POST", "/")
                    .body_frames([r#"{"a":"#, "2}"])
                    .trailer("x-sum", "1"),
            )
            .sends_body("2"),
        body("a-request-without-a-body-is-given-one", "new")
            .not_on_wasm(ADDS_NO_BODY)
            .sends_body("new")
            .sends("content-length", ["3"]),
        body(
            "a-longer-body-than-the-client-s",
            "{{ body() }}{{ body() }}{{ body() }}",
        )
        .request(post(&"x".repeat(100_000)))
        .sends_body("x".repeat(300_000)),
        body(
            "an-array-is-read-by-context",
            "{% for x in context() %}[{{ x }}]{% endfor %}",
        )
        .request(post("[1,2]"))
        .sends_body("[1][2]"),
        body(
            "a-default-stands-in-for-what-is-not-there",
            "{{ default(a, \"none\") }}",
        )
        .request(post("{}"))
        .sends_body("none"),
        Row::new("headers-see-the-original-body")
            .requests(|it| {
                it.body = Some("new".into());
                it.headers.insert("x-old".into(), "{{ a }}".into());
            })
            .request(post(r#"{"a":"old"}"#))
            .sends("x-old", ["old"])
            .sends_body("new"),
        Row::new("a-header-is-made-of-the-body-that-stays")
            .requests(|it| {
                it.headers.insert("x-a".into(), "{{ a }}".into());
            })
            .request(post(r#"{"a":"b"}"#))
            .sends("x-a", ["b"]),
        body("a-byte-order-mark-is-no-part-of-a-json-body", "{{ a }}")
            .request(Request::post("/", b"\xef\xbb\xbf{\"a\":\"x\"}"))
            .sends_body("x"),
        body("a-json-body-is-nested-so-deep", "{{ length(context()) }}")
            .request(post(&nested(127)))
            .sends_body("1"),
        body("a-json-body-is-nested-no-deeper", "{{ length(context()) }}")
            .request(post(&nested(128)))
            .refused(Code::BadRequest, ["the body is not JSON: recursion limit"]),
        Row::new("dont-parse-takes-any-body")
            .requests(|it| {
                it.body = Some("{{ body() }}!".into());
                it.parse_body_behavior = ParseBodyBehavior::DontParse;
            })
            .request(post("{"))
            .sends_body("{!"),
        Row::new("errors-of-parsing-are-ignored-where-asked")
            .requests(|it| {
                it.body = Some("{{ default(a, \"none\") }}".into());
                it.ignore_error_on_parse = true;
            })
            .request(post("not JSON"))
            .sends_body("none"),
        Row::new("passthrough-shows-templates-no-body")
            .requests(|it| {
                it.headers.insert("x-new".into(), "[{{ body() }}]".into());
                it.passthrough = Some(Empty {});
            })
            .request(post("not JSON"))
            .sends("x-new", ["[]"]),
        Row::new("values-are-read-by-json-pointer-where-asked")
            .requests(|it| {
                it.advanced_templates = true;
                it.body = Some("{{ a/b }} {{ c.d }}".into());
            })
            .request(post(r#"{"a":{"b":"x"},"c.d":"y"}"#))
            .sends_body("x y"),
        Row::new("what-templates-print-is-escaped-where-asked")
            .requests(|it| {
                it.escape_characters = Some(true);
                it.body = Some(r#"{"a":"{{ a }}"}"#.into());
            })
            .request(post(r#"{"a":"x\"y\nz"}"#))
            .sends_body(r#"{"a":"x\"y\nz"}"#),
    ]
}

fn responses() -> Vec<Row> {
    let body = |name: &'static str, text: &'static str| {
        Row::new(name).responses(|it| it.body = Some(text.into()))
    };
    let json = |text: &str| {
        Response::status(200)
            .header("content-type", "application/json")
            .body(text)
    };
    vec![
        body("a-response-is-replaced", "new")
            .body("new")
            .header("content-length", ["3"])
            .header("content-type", ["text/plain"]),
        body("a-response-is-made-of-values", "{{ a }}")
            .answer(json(r#"{"a":"x"}"#))
            .body("x"),
        body("a-response-in-frames-is-put-together", "{{ a }}")
            .answer(Response::status(200).body_frames([r#"{"a":"#, "3}"]))
            .body("3"),
        body("a-response-that-trailers-end-is-put-together", "{{ a }}")
            .answer(
                Response::status(200)
                    .body_frames([r#"{"a":4}"#])
                    .trailer("x-sum", "1"),
            )
            .body("4"),
        body("a-response-without-a-body-is-given-one", "new")
            .answer(Response::status(200))
            .not_on_wasm(ADDS_NO_BODY)
            .body("new"),
        body(
            "a-response-that-comes-out-empty",
            "{{ header(\"x-none\") }}",
        )
        .body("")
        .header("content-length", ["0"])
        .header("content-type", []),
        body("a-response-to-head-has-no-body", "new")
            .request(Request::new("HEAD", "/"))
            .answer(
                Response::status(200)
                    .header("content-type", "text/plain")
                    .header("content-length", "5"),
            )
            .header("content-type", ["text/plain"]),
        body("a-response-without-content-is-given-none", "new")
            .answer(Response::status(204))
            .body(""),
        body("a-response-that-is-not-modified-is-given-no-body", "new")
            .answer(Response::status(304).header("etag", "x"))
            .header("etag", ["x"])
            .body(""),
        body(
            "an-error-of-the-upstream-is-rewritten",
            r#"{"error":"{{ header(":status") }}"}"#,
        )
        .answer(Response::status(503).body("<html>"))
        .gives(503)
        .body(r#"{"error":"503"}"#),
        body("what-a-route-answers-itself-is-rewritten", "[{{ body() }}]")
            .direct(404, "no such thing")
            .body("[no such thing]"),
        body(
            "a-response-of-any-bytes-is-passed-on-as-it-is",
            "{{ body() }}",
        )
        .answer(Response::status(200).body(b"\xff\0\xfe")),
    ]
}

fn merged() -> Vec<Row> {
    let keys = |name: &'static str, keys: &[(&str, &str, bool)]| {
        let keys = keys.iter().map(|(key, text, override_empty)| {
            let value = OverridableTemplate {
                tmpl: (*text).into(),
                override_empty: *override_empty,
            };
            ((*key).to_owned(), value)
        });
        let keys = keys.collect();
        Row::new(name).requests(|it| it.merge_json_keys = Some(MergeJsonKeys { json_keys: keys }))
    };
    vec![
        keys(
            "json-keys-are-merged",
            &[("b", "\"{{ a }}\"", false), ("c", "{\"d\":[1]}", false)],
        )
        .request(post(r#"{"a":"x","b":1}"#))
        .sends_body(r#"{"a":"x","b":"x","c":{"d":[1]}}"#),
        keys(
            "an-empty-key-is-not-merged",
            &[("a", "{{ header(\"x-none\") }}", false)],
        )
        .request(post(r#"{"a":"x"}"#))
        .sends_body(r#"{"a":"x"}"#),
        keys(
            "a-merged-key-is-seen-by-the-next",
            &[("a", "2", false), ("b", "{{ a }}", false)],
        )
        .request(post(r#"{"a":1}"#))
        .sends_body(r#"{"a":2,"b":2}"#),
        keys("no-json-keys-leave-the-body-as-it-is", &[])
            .request(post(r#"{"b": 1, "a": 1.50}"#))
            .sends("content-type", ["application/json"]),
        keys(
            "an-empty-key-that-overrides-is-no-json",
            &[("a", "{{ header(\"x-none\") }}", true)],
        )
        .request(post(r#"{"a":"x"}"#))
        .refused(Code::BadRequest, ["the value for a is not JSON"]),
        keys(
            "json-keys-cannot-be-merged-into-a-list",
            &[("a", "1", false)],
        )
        .request(post("[1]"))
        .refused(Code::BadRequest, ["bad request: "]),
        keys("json-keys-are-merged-into-nothing", &[("a", "1", false)])
            .request(post(""))
            .sends_body(r#"{"a":1}"#)
            .not_on_wasm("Envoy tells proxy-wasm of an empty body as of none"),
    ]
}

fn wrapped() -> Vec<Row> {
    let rules = |add_request_metadata, of_response| {
        let transformation = Transformation {
            header_body_transform: Some(HeaderBodyTransform {
                add_request_metadata,
            }),
            ..Transformation::default()
        };
        let (request_transformation, response_transformation) = match of_response {
            false => (Some(transformation), None),
            true => (None, Some(transformation)),
        };
        Transforms {
            request_transforms: vec![RequestRule {
                request_transformation,
                response_transformation,
                ..RequestRule::default()
            }],
            ..Transforms::default()
        }
    };
    let request = || {
        Request::post("/p/q?a=1&a=%32&b=", "text")
            .header("x-two", "1")
            .header("x-two", "2")
            .header("x-one", "1")
    };
    vec![
        Row::new("headers-and-body-become-one-json-object")
            .rules(rules(false, false))
            .request(request())
            .sends("content-type", ["application/json"])
            .sends_at("/body", "text")
            .sends_at("/headers/x-one", "1")
            .sends_at("/headers/x-two", "2")
            .sends_at("/headers/:method", "POST")
            .hides("/path")
            .hides("/multiValueHeaders"),
        Row::new("headers-body-path-and-query-become-one-json-object")
            .rules(rules(true, false))
            .request(request())
            .sends_at("/body", "text")
            .sends_at("/httpMethod", "POST")
            .sends_at("/path", "/p/q")
            .sends_at("/queryString", "a=1&a=%32&b=")
            .sends_at("/queryStringParameters", json!({"a": "2", "b": ""}))
            .sends_at("/multiValueQueryStringParameters", json!({"a": ["1", "2"]}))
            .sends_at("/headers/:path", "/p/q?a=1&a=%32&b=")
            .sends_at("/multiValueHeaders", json!({"x-two": ["1", "2"]})),
        Row::new("a-body-that-is-no-text-cannot-be-in-a-json-object")
            .rules(rules(true, false))
            .request(Request::post("/", b"\xff\0\xfe"))
            .refused(Code::BadRequest, ["bad request: the body is not UTF-8"]),
        Row::new("four-values-of-a-parameter-and-a-header-without-a-body")
            .rules(rules(true, false))
            .request(
                Request::get("/?foo=bar&m=1&m=2&m=3&m=4")
                    .header("x-m", "1")
                    .header("x-m", "2")
                    .header("x-m", "3"),
            )
            .not_on_wasm(ADDS_NO_BODY)
            .sends_at("/path", "/")
            .sends_at("/queryStringParameters", json!({"foo": "bar", "m": "4"}))
            .sends_at(
                "/multiValueQueryStringParameters",
                json!({"m": ["1", "2", "3", "4"]}),
            )
            .sends_at("/headers/x-m", "3")
            .sends_at("/multiValueHeaders", json!({"x-m": ["1", "2", "3"]}))
            .hides("/body"),
        Row::new("a-response-becomes-one-json-object")
            .rules(rules(true, true))
            .answer(
                Response::status(201)
                    .header("x-a", "b")
                    .body_frames(["text"]),
            )
            .header("content-type", ["application/json"])
            .gives(201)
            .body_at("/body", "text")
            .body_at("/headers/x-a", "b")
            .body_at("/headers/:status", "201"),
    ]
}
