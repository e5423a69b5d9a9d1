//! `API_GATEWAY_V2`: payload format 2.0.

use serde_json::json;
use tenon_contract::{RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::Request;
use crate::scenario::{Scenario, answer};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = events();
    all.extend(answers());
    all.extend(doubtful());
    all.extend(BARE.map(|(name, body)| {
        of(name)
            .answer(answer(body))
            .header("content-type", ["application/json"])
            .lacks("x-amzn-requestid")
            .body(body)
    }));
    all.extend(MALFORMED.map(|(name, body)| malformed(name).answer(answer(body))));
    all
}

fn events() -> Vec<Scenario> {
    vec![
        of("v2-event-of-a-bodyless-request")
            .shows("/version", "2.0")
            .shows("/routeKey", "$default")
            .shows("/rawPath", "/")
            .shows("/rawQueryString", "")
            .hides("/cookies")
            .hides("/queryStringParameters")
            .hides("/pathParameters")
            .hides("/stageVariables")
            .hides("/body")
            .shows("/isBase64Encoded", false)
            .shows("/headers/host", "gateway.example")
            .hides("/headers/:path")
            .hides("/headers/:authority")
            .hides("/multiValueHeaders")
            .shows("/requestContext/accountId", "anonymous")
            .shows("/requestContext/apiId", "lambda_default")
            .shows("/requestContext/domainName", "gateway.example")
            .shows("/requestContext/domainPrefix", "gateway")
            .shows("/requestContext/http/method", "GET")
            .shows("/requestContext/http/path", "/")
            .shows("/requestContext/http/sourceIp", "127.0.0.1")
            .shows("/requestContext/http/userAgent", "")
            .shows_protocol("/requestContext/http/protocol")
            .shows(
                "/requestContext/requestId",
                "v2-event-of-a-bodyless-request",
            )
            .shows("/requestContext/routeKey", "$default")
            .shows("/requestContext/stage", "$default")
            .hides("/requestContext/authorizer")
            .hides("/requestContext/authentication"),
        of("v2-event-keeps-the-path-encoded")
            .request(Request::get("/a%2Fb/%C3%BC?x=1"))
            .shows("/rawPath", "/a%2Fb/%C3%BC")
            .shows("/requestContext/http/path", "/a%2Fb/%C3%BC"),
        of("v2-event-decodes-and-joins-the-query")
            .request(Request::get("/?q=1%2C2&q=x+y&r&%C3%BC=%20&q="))
            .shows("/rawQueryString", "q=1%2C2&q=x+y&r&%C3%BC=%20&q=")
            .shows(
                "/queryStringParameters",
                json!({"q": "1,2,x y,", "r": "", "\u{fc}": " "}),
            ),
        of("v2-event-of-an-empty-query")
            .request(Request::get("/?"))
            .shows("/rawPath", "/")
            .shows("/rawQueryString", "")
            .hides("/queryStringParameters"),
        of("v2-event-joins-headers-of-one-name")
            .request(
                Request::get("/")
                    .header("x-many", "1")
                    .header("x-many", "2, 3")
                    .header("user-agent", "probe/1"),
            )
            .shows("/headers/x-many", "1,2, 3")
            .shows("/requestContext/http/userAgent", "probe/1"),
        of("v2-event-takes-cookies-apart")
            .request(
                Request::get("/").header("cookie", "a=1; b=\"2; 3\" ;c; ;d=e=f"),
            )
            .shows("/cookies", json!(["a=1", "b=\"2", "3\"", "c", "d=e=f"]))
            .hides("/headers/cookie"),
        of("v2-event-shows-the-client-that-a-trusted-hop-names")
            .request(Request::get("/").header("x-forwarded-for", "192.0.2.1, 198.51.100.7"))
            .shows("/requestContext/http/sourceIp", "198.51.100.7")
            .shows("/headers/x-forwarded-for", "192.0.2.1, 198.51.100.7"),
        of("v2-event-shows-a-client-of-ipv6")
            .request(Request::get("/").header("x-forwarded-for", "2001:db8::7"))
            .shows("/requestContext/http/sourceIp", "2001:db8::7"),
        of("v2-event-of-a-host-with-a-port")
            .request(Request::get("/").header(":authority", "api.example.com:8443"))
            .shows("/headers/host", "api.example.com:8443")
            .shows("/headers/x-forwarded-port", "8443")
            .shows("/requestContext/domainName", "api.example.com")
            .shows("/requestContext/domainPrefix", "api"),
        of("v2-event-of-an-arn-names-its-account")
            .call_with(|aws| {
                aws.name = "arn:aws:lambda:us-east-1:123456789012:function:f".into();
                aws.request = RequestShape::ApiGatewayV2;
            })
            .path("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations")
            .shows("/requestContext/accountId", "123456789012"),
    ]
}

fn answers() -> Vec<Scenario> {
    vec![
        of("v2-answer-has-status-headers-cookies-and-body")
            .answer(answer(
                r#"{"statusCode":201,"headers":{"X-One":"1","Content-Type":"text/plain","x-n":7,"x-b":true},"cookies":["a=1; Path=/","b=2"],"body":"made","isBase64Encoded":false}"#,
            ))
            .gives(201)
            .header("x-one", ["1"])
            .header("x-n", ["7"])
            .header("x-b", ["true"])
            .header("content-type", ["text/plain"])
            .header("content-length", ["4"])
            .header("set-cookie", ["a=1; Path=/", "b=2"])
            .lacks("x-amzn-requestid")
            .lacks("x-amz-executed-version")
            .body("made")
            .tells("request_id", "00000000-0000-4000-8000-000000000001"),
        of("v2-answer-is-json-where-nothing-else-is-said")
            .answer(answer(r#"{"statusCode":200,"body":"{}"}"#))
            .header("content-type", ["application/json"])
            .body("{}"),
        of("v2-answer-of-base64")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"content-type":"image/png"},"body":"AP8K","isBase64Encoded":true}"#,
            ))
            .header("content-type", ["image/png"])
            .body(b"\0\xff\n"),
        of("v2-answer-without-a-body")
            .answer(answer(r#"{"statusCode":202}"#))
            .gives(202)
            .header("content-length", ["0"])
            .body(""),
        of("v2-answer-of-nulls")
            .answer(answer(
                r#"{"statusCode":200,"headers":null,"cookies":null,"body":null,"isBase64Encoded":null}"#,
            ))
            .body(""),
        of("v2-answer-has-no-multi-value-headers")
            .answer(answer(
                r#"{"statusCode":200,"multiValueHeaders":{"x-a":["1"]},"body":"x"}"#,
            ))
            .lacks("x-a")
            .body("x"),
        of("v2-answer-sets-a-cookie-by-header-too")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"Set-Cookie":"h=1"},"cookies":["a=1"],"body":""}"#,
            ))
            .header("set-cookie", ["h=1", "a=1"])
            .body(""),
        of("v2-answer-s-status-may-be-digits-in-a-string")
            .answer(answer(r#"{"statusCode":"404","body":"gone"}"#))
            .gives(404)
            .body("gone"),
    ]
}

fn doubtful() -> Vec<Scenario> {
    vec![
        of("v2-answer-drops-names-and-values-that-would-split")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"bad name":"1","x-lf":"a\nset-cookie: s=1",":status":"204","x-z":null,"x-good":"1"},"cookies":["ok=1","a\r\nx-split: 1"],"body":""}"#,
            ))
            .header("x-good", ["1"])
            .header("set-cookie", ["ok=1"])
            .lacks("x-lf")
            .lacks("x-z")
            .lacks("x-split")
            .body(""),
    ]
}

/// Name, and an answer that is the body.
const BARE: [(&str, &str); 7] = [
    ("v2-answer-that-is-a-string", r#""Hello, world!""#),
    (
        "v2-answer-that-is-an-object",
        r#"{ "message": "Hello, world!" }"#,
    ),
    ("v2-answer-that-is-a-list", "[1, 2.50]"),
    ("v2-answer-that-is-a-number", "7"),
    ("v2-answer-that-is-null", "null"),
    (
        "v2-answer-whose-status-is-null",
        r#"{"statusCode":null,"body":"x"}"#,
    ),
    (
        "v2-answer-with-headers-but-no-status",
        r#"{"headers":{"x-a":"1"},"body":"x"}"#,
    ),
];

/// Name, and an answer that is none.
const MALFORMED: [(&str, &str); 12] = [
    ("v2-no-json", "nothing like it"),
    ("v2-cut-json", r#"{"statusCode":200"#),
    ("v2-two-answers", r#"{"statusCode":200}{}"#),
    ("v2-status-is-a-word", r#"{"statusCode":"OK"}"#),
    ("v2-status-is-broken", r#"{"statusCode":200.5}"#),
    ("v2-status-is-no-status", r#"{"statusCode":99999}"#),
    ("v2-status-is-not-final", r#"{"statusCode":101}"#),
    (
        "v2-headers-are-a-list",
        r#"{"statusCode":200,"headers":[]}"#,
    ),
    (
        "v2-header-is-an-object",
        r#"{"statusCode":200,"headers":{"x":{}}}"#,
    ),
    (
        "v2-cookies-are-an-object",
        r#"{"statusCode":200,"cookies":{"a":"1"}}"#,
    ),
    ("v2-body-is-an-object", r#"{"statusCode":200,"body":{}}"#),
    (
        "v2-base64-is-none",
        r#"{"statusCode":200,"body":"%%","isBase64Encoded":true}"#,
    ),
];

fn malformed(name: &'static str) -> Scenario {
    of(name)
        .error_kept(Code::BadFunctionResponse, 502)
        .header("content-type", ["application/json"])
        .lacks("x-amzn-requestid")
        .body(r#"{"message":"Internal Server Error"}"#)
}

fn of(name: &'static str) -> Scenario {
    Scenario::new(name)
        .call_with(|aws| {
            aws.request = RequestShape::ApiGatewayV2;
            aws.response = ResponseShape::ApiGatewayV2;
        })
        .sends_event()
}
