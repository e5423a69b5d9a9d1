//! Gloo's `unwrapAsApiGateway`.

use serde_json::json;
use tenon_contract::ResponseShape;
use tenon_core::invoke::Code;

use crate::fake::{Request, Response};
use crate::scenario::{Scenario, answer, lambda};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = good();
    all.extend(doubtful());
    all.extend(framed());
    all.extend(BAD.map(|(name, body, message)| bad(name, message).answer(answer(body))));
    all
}

fn good() -> Vec<Scenario> {
    vec![
        of("api-gateway-status-headers-and-body")
            .answer(answer(r#"{"statusCode":201,"headers":{"X-One":"1","Content-Type":"text/plain"},"body":"made"}"#))
            .gives(201)
            .header("x-one", ["1"])
            .header("content-type", ["text/plain"])
            .header("content-length", ["4"])
            .lacks("x-amzn-requestid")
            .lacks("x-amz-executed-version")
            .body("made")
            .tells("request_id", "00000000-0000-4000-8000-000000000001"),
        of("api-gateway-without-anything")
            .answer(answer("{}"))
            .lacks("content-type")
            .body("{}"),
        of("api-gateway-decodes-base64")
            .answer(answer(r#"{"body":"AP8K","isBase64Encoded":true}"#))
            .body(b"\0\xff\n"),
        of("api-gateway-decodes-base64-without-padding")
            .answer(answer(r#"{"body":"AP8","isBase64Encoded":true}"#))
            .body(b"\0\xff"),
        of("api-gateway-keeps-base64-that-is-not-said-to-be")
            .answer(answer(r#"{"body":"AP8K","isBase64Encoded":"true"}"#))
            .body("AP8K"),
        of("api-gateway-body-that-is-no-string-is-shown-as-json")
            .answer(answer(r#"{"body":{"a": [1, 2.50]}}"#))
            .body(r#"{"a": [1, 2.50]}"#),
        of("api-gateway-null-body-is-shown-as-json")
            .answer(answer(r#"{"body":null}"#))
            .body("null"),
        of("api-gateway-body-may-hold-nul")
            .answer(answer(r#"{"body":"a\u0000b"}"#))
            .body("a\0b"),
        of("api-gateway-cookies-stay-apart")
            .answer(answer(
                r#"{"multiValueHeaders":{"Set-Cookie":["a=1; Path=/","b=2"],"x-many":["1","2"]},"body":""}"#,
            ))
            .header("set-cookie", ["a=1; Path=/", "b=2"])
            .header("x-many", ["1,2"])
            .body(""),
        of("api-gateway-several-values-are-joined-to-one")
            .answer(answer(
                r#"{"headers":{"X-A":"one","x-empty":"","Set-Cookie":"a=1"},"multiValueHeaders":{"x-a":["two","","three"],"X-EMPTY":["1"],"set-cookie":["b=2"]},"body":""}"#,
            ))
            .header("x-a", ["one,two,three"])
            .header("x-empty", ["1"])
            .header("set-cookie", ["a=1", "b=2"])
            .body(""),
        of("api-gateway-the-last-of-one-name-counts")
            .answer(answer(r#"{"statusCode":500,"headers":{"x-a":"1","x-a":"2"},"statusCode":202,"body":""}"#))
            .gives(202)
            .header("x-a", ["2"])
            .body(""),
        of("api-gateway-204-has-no-body")
            .answer(answer(r#"{"statusCode":204,"body":"dropped"}"#))
            .gives(204)
            .lacks("content-length")
            .body(""),
        of("api-gateway-error-status-is-the-function-s-own")
            .answer(answer(r#"{"statusCode":503,"body":"mine"}"#))
            .gives(503)
            .body("mine"),
        of("api-gateway-null-headers-are-none")
            .answer(answer(r#"{"headers":null,"multiValueHeaders":null,"body":"x"}"#))
            .body("x"),
    ]
}

fn doubtful() -> Vec<Scenario> {
    vec![
        of("api-gateway-scalar-among-several-values-is-one")
            .answer(answer(r#"{"multiValueHeaders":{"x-a":"one","x-b":7,"x-c":["1",2.5,true,null,{"k": [1, "v"]},[ ]],"x-d":null,"x-e":[]},"body":""}"#))
            .header("x-a", ["one"])
            .header("x-b", ["7"])
            .header("x-c", [r#"1,2.5,true,null,{"k":[1,"v"]},[]"#])
            .lacks("x-d")
            .lacks("x-e")
            .body(""),
        of("api-gateway-values-that-are-no-strings-are-shown-as-json")
            .answer(answer(r#"{"headers":{"x-n":1.50,"x-b":false,"x-z":null,"x-o":{"b": 1,
                "a": [ "v" ]}},"body":""}"#))
            .header("x-n", ["1.50"])
            .header("x-b", ["false"])
            .header("x-z", ["null"])
            .header("x-o", [r#"{"a":["v"],"b":1}"#])
            .body(""),
        of("api-gateway-names-that-are-none-are-dropped")
            .answer(answer(
                r#"{"headers":{"":"1","bad name":"1","a\r\nx-split":"1",":status":"204","x\u0000":"1","\u00fc":"1","x-good":"1"},"body":""}"#,
            ))
            .header("x-good", ["1"])
            .lacks("x-split")
            .body(""),
        of("api-gateway-values-that-would-split-are-dropped")
            .answer(answer(
                r#"{"headers":{"x-cr":"a\rb","x-lf":"a\nset-cookie: s=1","x-nul":"a\u0000","x-del":"\u007f","x-tab":"a\tb"},"multiValueHeaders":{"x-crlf":["fine","a\r\nset-cookie: s=1"]},"body":""}"#,
            ))
            .lacks("x-cr")
            .lacks("x-lf")
            .lacks("x-nul")
            .lacks("x-del")
            .lacks("set-cookie")
            .header("x-tab", ["a\tb"])
            .header("x-crlf", ["fine"])
            .body(""),
        of("api-gateway-framing-is-not-the-function-s")
            .answer(answer(
                r#"{"headers":{"Content-Length":"999","Transfer-Encoding":"chunked","Connection":"close","Upgrade":"x"},"body":"four"}"#,
            ))
            .header("content-length", ["4"])
            .lacks("upgrade")
            .body("four"),
        of("api-gateway-tenon-s-headers-are-not-the-function-s")
            .answer(answer(r#"{"headers":{"X-Tenon-Error":"forged","x-tenon-secret":"s"},"multiValueHeaders":{"x-tenon-call":["c"]},"body":""}"#))
            .body(""),
    ]
}

fn framed() -> Vec<Scenario> {
    let whole = json!({"statusCode": 200, "body": "hello"}).to_string();
    let (first, second) = whole.split_at(9);
    let frames = || lambda(Response::status(200)).body_frames([first, second]);
    vec![
        of("api-gateway-in-frames").answer(frames()).body("hello"),
        of("api-gateway-ended-by-an-empty-frame")
            .answer(frames().empty_end_frame())
            .body("hello"),
        of("api-gateway-ended-by-trailers")
            .answer(frames().trailer("x-sum", "1"))
            .body("hello"),
        bad(
            "api-gateway-without-a-body",
            "failed to parse response body as JSON",
        )
        .body_added()
        .answer(lambda(Response::status(200))),
        of("api-gateway-answers-a-posted-body")
            .request(Request::post("/", "x"))
            .answer(answer(r#"{"body":"y"}"#))
            .body("y"),
    ]
}

/// Name, the function's answer, what is wrong with it.
const BAD: [(&str, &str, &str); 12] = [
    (
        "api-gateway-no-json",
        "nothing like it",
        "failed to parse response body as JSON",
    ),
    (
        "api-gateway-cut-json",
        r#"{"statusCode":200"#,
        "failed to parse response body as JSON",
    ),
    (
        "api-gateway-no-object",
        "[1]",
        "failed to parse response body as JSON",
    ),
    (
        "api-gateway-null",
        "null",
        "failed to parse response body as JSON",
    ),
    (
        "api-gateway-status-is-text",
        r#"{"statusCode":"200"}"#,
        "cannot parse non unsigned integer status code",
    ),
    (
        "api-gateway-status-is-broken",
        r#"{"statusCode":200.5}"#,
        "cannot parse non unsigned integer status code",
    ),
    (
        "api-gateway-status-is-negative",
        r#"{"statusCode":-1}"#,
        "cannot parse non unsigned integer status code",
    ),
    (
        "api-gateway-status-is-no-status",
        r#"{"statusCode":99999}"#,
        "cannot parse non unsigned integer status code",
    ),
    (
        "api-gateway-status-is-not-final",
        r#"{"statusCode":101}"#,
        "cannot parse non unsigned integer status code",
    ),
    (
        "api-gateway-headers-are-no-object",
        r#"{"headers":["a"]}"#,
        "invalid headers object",
    ),
    (
        "api-gateway-several-values-are-no-object",
        r#"{"multiValueHeaders":"a"}"#,
        "invalid multiValueHeaders object",
    ),
    (
        "api-gateway-several-values-of-an-object",
        r#"{"multiValueHeaders":{"x":{"a":1}}}"#,
        "invalid multi header value object",
    ),
];

fn bad(name: &'static str, message: &str) -> Scenario {
    let body = format!("500: {message}");
    of(name)
        .error_kept(Code::BadFunctionResponse, 500)
        .header("content-type", ["text/plain"])
        .header("x-amzn-errortype", ["500"])
        .lacks("x-amzn-requestid")
        .body(body)
}

fn of(name: &'static str) -> Scenario {
    Scenario::new(name).call_with(|aws| aws.response = ResponseShape::ApiGateway)
}
