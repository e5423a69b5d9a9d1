//! Gloo's `unwrapAsAlb`.

use tenon_contract::ResponseShape;
use tenon_core::invoke::Code;

use crate::fake::Response;
use crate::scenario::{Scenario, answer, lambda};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = vec![
        of("alb-adds-to-the-provider-s-headers")
            .answer(answer(
                r#"{"statusCode":404,"headers":{"X-One":"1","content-type":"text/html"},"multiValueHeaders":{"x-one":["2"],"set-cookie":["a=1","b=2"]},"body":"gone"}"#,
            ))
            .gives(404)
            .header("x-one", ["1", "2"])
            .header("set-cookie", ["a=1", "b=2"])
            .header("content-type", ["text/html"])
            .header("x-amzn-requestid", ["00000000-0000-4000-8000-000000000001"])
            .header("content-length", ["4"])
            .body("gone"),
        of("alb-without-anything")
            .answer(answer("{}"))
            .header("content-type", ["application/json"])
            .body(""),
        of("alb-status-may-be-written-as-a-fraction")
            .answer(answer(r#"{"statusCode":418.0,"body":"x"}"#))
            .gives(418)
            .body("x"),
        of("alb-decodes-base64")
            .answer(answer(r#"{"body":"AP8K","isBase64Encoded":true}"#))
            .body(b"\0\xff\n"),
        of("alb-body-that-is-no-string-is-none")
            .answer(answer(r#"{"body":{"a":1}}"#))
            .body(""),
        of("alb-null-body-is-none")
            .answer(answer(r#"{"body":null}"#))
            .body(""),
        of("alb-body-may-hold-nul")
            .answer(answer(r#"{"body":"a\u0000b"}"#))
            .body("a\0b"),
        of("alb-values-that-are-null-are-none")
            .answer(answer(
                r#"{"headers":{"x-z":null,"x-n":7},"multiValueHeaders":{"x-m":["1",null],"x-l":null},"body":"x"}"#,
            ))
            .lacks("x-z")
            .header("x-n", ["7"])
            .header("x-m", ["1"])
            .lacks("x-l")
            .body("x"),
        of("alb-keeps-the-provider-s-status-where-the-function-sets-none")
            .answer(answer(r#"{"headers":{"x-a":"1"},"body":"x"}"#))
            .gives(200)
            .header("x-a", ["1"])
            .body("x"),
        of("alb-headers-that-are-no-object-are-none")
            .answer(answer(r#"{"headers":"a","multiValueHeaders":[],"body":"x"}"#))
            .body("x"),
        of("alb-names-and-values-that-would-split-are-dropped")
            .answer(answer(
                r#"{"headers":{"bad name":"1","x-lf":"a\nset-cookie: s=1",":path":"/","x-good":"1","x-tenon-error":"forged","content-length":"1"},"multiValueHeaders":{"x-crlf":["a\r\nset-cookie: s=1"]},"body":"four"}"#,
            ))
            .header("x-good", ["1"])
            .lacks("x-lf")
            .lacks("x-crlf")
            .lacks("set-cookie")
            .header("content-length", ["4"])
            .body("four"),
        of("alb-304-has-no-body")
            .answer(answer(r#"{"statusCode":304,"body":"dropped"}"#))
            .gives(304)
            .body(""),
        of("alb-ended-by-trailers")
            .answer(lambda(Response::status(200)).body_frames([r#"{"bo"#, r#"dy":"x"}"#]).trailer("x-sum", "1"))
            .body("x"),
        of("alb-without-a-body")
            .answer(lambda(Response::status(200)))
            .error_kept(Code::BadFunctionResponse, 500)
            .body(""),
    ];
    all.extend(BAD.map(|(name, body)| {
        of(name)
            .answer(answer(body))
            .error_kept(Code::BadFunctionResponse, 500)
            .header("content-length", ["0"])
            .body("")
    }));
    all
}

/// Name, the function's answer.
const BAD: [(&str, &str); 7] = [
    ("alb-no-json", "nothing like it"),
    ("alb-no-object", "7"),
    ("alb-status-is-text", r#"{"statusCode":"200","body":"x"}"#),
    ("alb-status-is-no-status", r#"{"statusCode":1e9}"#),
    ("alb-status-is-not-final", r#"{"statusCode":100}"#),
    (
        "alb-base64-flag-is-no-flag",
        r#"{"body":"x","isBase64Encoded":"true"}"#,
    ),
    (
        "alb-base64-is-none",
        r#"{"body":"%%","isBase64Encoded":true}"#,
    ),
];

fn of(name: &'static str) -> Scenario {
    Scenario::new(name).call_with(|aws| aws.response = ResponseShape::Alb)
}
