//! `API_GATEWAY_V1`: payload format 1.0, as a REST API has it.

use serde_json::{Value, json};
use tenon_contract::{RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::Request;
use crate::scenario::{Scenario, answer};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = events();
    all.extend(answers());
    all.extend(MALFORMED.map(|(name, body)| malformed(name).answer(answer(body))));
    all
}

fn events() -> Vec<Scenario> {
    vec![
        of("v1-event-of-a-bodyless-request")
            .answer(nothing())
            .shows("/version", "1.0")
            .shows("/resource", "/")
            .shows("/path", "/")
            .shows("/httpMethod", "GET")
            .shows("/headers/host", "gateway.example")
            .shows("/multiValueHeaders/host", json!(["gateway.example"]))
            .shows("/queryStringParameters", Value::Null)
            .shows("/multiValueQueryStringParameters", Value::Null)
            .shows("/pathParameters", Value::Null)
            .shows("/stageVariables", Value::Null)
            .shows("/body", Value::Null)
            .shows("/isBase64Encoded", false)
            .hides("/routeKey")
            .hides("/headers/:path")
            .body(""),
        of("v1-event-has-the-context-of-a-rest-api")
            .answer(nothing())
            .shows("/requestContext/accountId", "anonymous")
            .shows("/requestContext/apiId", "lambda_default")
            .shows("/requestContext/domainName", "gateway.example")
            .shows("/requestContext/domainPrefix", "gateway")
            .shows(
                "/requestContext/extendedRequestId",
                "v1-event-has-the-context-of-a-rest-api",
            )
            .shows("/requestContext/httpMethod", "GET")
            .shows("/requestContext/path", "/")
            .shows_protocol("/requestContext/protocol")
            .shows(
                "/requestContext/requestId",
                "v1-event-has-the-context-of-a-rest-api",
            )
            .shows("/requestContext/resourceId", Value::Null)
            .shows("/requestContext/resourcePath", "/")
            .shows("/requestContext/stage", "$default")
            .hides("/requestContext/authorizer")
            .body(""),
        of("v1-event-has-the-identity-of-who-is-not-authorised")
            .request(Request::get("/").header("user-agent", "probe/1"))
            .answer(nothing())
            .shows(
                "/requestContext/identity",
                json!({
                    "accessKey": null,
                    "accountId": null,
                    "apiKey": null,
                    "caller": null,
                    "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null,
                    "cognitoIdentityId": null,
                    "cognitoIdentityPoolId": null,
                    "principalOrgId": null,
                    "sourceIp": "127.0.0.1",
                    "user": null,
                    "userAgent": "probe/1",
                    "userArn": null,
                }),
            )
            .body(""),
        of("v1-event-of-who-names-no-agent")
            .answer(nothing())
            .shows("/requestContext/identity/userAgent", Value::Null)
            .body(""),
        of("v1-event-shows-the-client-that-a-trusted-hop-names")
            .request(Request::get("/").header("x-forwarded-for", "192.0.2.1, 198.51.100.7"))
            .answer(nothing())
            .shows("/requestContext/identity/sourceIp", "198.51.100.7")
            .body(""),
        of("v1-event-keeps-the-path-encoded")
            .request(Request::get("/a%2Fb/%C3%BC?x=1"))
            .answer(nothing())
            .shows("/path", "/a%2Fb/%C3%BC")
            .shows("/resource", "/a%2Fb/%C3%BC")
            .body(""),
        of("v1-event-decodes-the-query")
            .request(Request::get("/?q=1%2C2&q=x+y&r&%C3%BC=%20"))
            .answer(nothing())
            .shows(
                "/queryStringParameters",
                json!({"q": "x y", "r": "", "\u{fc}": " "}),
            )
            .shows(
                "/multiValueQueryStringParameters",
                json!({"q": ["1,2", "x y"], "r": [""], "\u{fc}": [" "]}),
            )
            .body(""),
        of("v1-event-has-the-last-and-all-headers")
            .request(
                Request::get("/")
                    .header("x-many", "1")
                    .header("x-many", "2, 3")
                    .header("cookie", "a=1; b=2"),
            )
            .answer(nothing())
            .shows("/headers/x-many", "2, 3")
            .shows("/multiValueHeaders/x-many", json!(["1", "2, 3"]))
            .shows("/headers/cookie", "a=1; b=2")
            .shows("/multiValueHeaders/cookie", json!(["a=1; b=2"]))
            .body(""),
    ]
}

fn answers() -> Vec<Scenario> {
    vec![
        of("v1-answer-has-status-headers-and-body")
            .answer(answer(
                r#"{"statusCode":201,"headers":{"X-One":"1","Content-Type":"text/plain","x-n":7,"x-b":true,"x-z":null},"body":"made","isBase64Encoded":false}"#,
            ))
            .gives(201)
            .header("x-one", ["1"])
            .header("x-n", ["7"])
            .header("x-b", ["true"])
            .lacks("x-z")
            .header("content-type", ["text/plain"])
            .header("content-length", ["4"])
            .lacks("x-amzn-requestid")
            .lacks("x-amz-executed-version")
            .body("made"),
        of("v1-answer-merges-both-kinds-of-headers")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"X-A":"one","x-only":"1"},"multiValueHeaders":{"x-a":["two","three"],"Set-Cookie":["a=1","b=2"],"x-n":[1,false]},"body":""}"#,
            ))
            .header("x-a", ["two", "three", "one"])
            .header("x-only", ["1"])
            .header("x-n", ["1", "false"])
            .header("set-cookie", ["a=1", "b=2"])
            .body(""),
        of("v1-answer-merges-the-same-value-once")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"Content-Type":"text/plain","x-a":"1","X-A":"2"},"multiValueHeaders":{"content-type":["text/plain"],"x-A":["2"]},"body":""}"#,
            ))
            .header("content-type", ["text/plain"])
            .header("x-a", ["2", "1"])
            .body(""),
        of("v1-answer-without-a-status-is-200")
            .answer(answer(r#"{"headers":{"x-a":"1"},"body":"x"}"#))
            .gives(200)
            .header("x-a", ["1"])
            .body("x"),
        of("v1-answer-of-nothing-is-200")
            .answer(answer("{}"))
            .gives(200)
            .header("content-type", ["application/json"])
            .header("content-length", ["0"])
            .body(""),
        of("v1-answer-with-fields-of-other-formats")
            .answer(answer(
                r#"{"statusCode":200,"statusDescription":"200 OK","cookies":["a=1"],"body":"x"}"#,
            ))
            .lacks("set-cookie")
            .body("x"),
        of("v1-answer-is-json-where-nothing-else-is-said")
            .answer(answer(r#"{"statusCode":200,"body":"{}"}"#))
            .header("content-type", ["application/json"])
            .body("{}"),
        of("v1-answer-of-base64")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"content-type":"image/png"},"body":"AP8K","isBase64Encoded":true}"#,
            ))
            .body(b"\0\xff\n"),
        of("v1-answer-of-nulls")
            .answer(answer(
                r#"{"statusCode":null,"headers":null,"multiValueHeaders":null,"body":null,"isBase64Encoded":null}"#,
            ))
            .body(""),
        of("v1-answer-s-status-may-be-digits-in-a-string")
            .answer(answer(r#"{"statusCode":"404","body":"gone"}"#))
            .gives(404)
            .body("gone"),
        of("v1-answer-drops-names-and-values-that-would-split")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"bad name":"1","x-lf":"a\nset-cookie: s=1",":status":"204","x-good":"1"},"multiValueHeaders":{"x-crlf":["fine","a\r\nx-split: 1"]},"body":""}"#,
            ))
            .header("x-good", ["1"])
            .header("x-crlf", ["fine"])
            .lacks("x-lf")
            .lacks("x-split")
            .lacks("set-cookie")
            .body(""),
    ]
}

/// Name, and an answer that is none.
const MALFORMED: [(&str, &str); 13] = [
    ("v1-no-json", "nothing like it"),
    ("v1-null", "null"),
    ("v1-bare-json", r#"{"message":"hello"}"#),
    ("v1-a-string", r#""hello""#),
    ("v1-no-status-and-more", r#"{"body":"x","message":"hello"}"#),
    ("v1-status-is-a-word", r#"{"statusCode":"OK"}"#),
    ("v1-status-is-no-status", r#"{"statusCode":600}"#),
    ("v1-headers-are-text", r#"{"statusCode":200,"headers":"x"}"#),
    (
        "v1-header-is-a-list",
        r#"{"statusCode":200,"headers":{"x":["1"]}}"#,
    ),
    (
        "v1-several-values-are-an-object",
        r#"{"statusCode":200,"multiValueHeaders":{"x":{}}}"#,
    ),
    ("v1-body-is-an-object", r#"{"statusCode":200,"body":{}}"#),
    (
        "v1-base64-flag-is-no-flag",
        r#"{"statusCode":200,"body":"x","isBase64Encoded":"true"}"#,
    ),
    (
        "v1-base64-is-none",
        r#"{"statusCode":200,"body":"%%","isBase64Encoded":true}"#,
    ),
];

fn malformed(name: &'static str) -> Scenario {
    of(name)
        .error_kept(Code::BadFunctionResponse, 502)
        .header("content-type", ["application/json"])
        .lacks("x-amzn-requestid")
        .body(r#"{"message": "Internal server error"}"#)
}

fn nothing() -> crate::fake::Response {
    answer(r#"{"statusCode":200}"#)
}

fn of(name: &'static str) -> Scenario {
    Scenario::new(name)
        .call_with(|aws| {
            aws.request = RequestShape::ApiGatewayV1;
            aws.response = ResponseShape::ApiGatewayV1;
        })
        .sends_event()
}
