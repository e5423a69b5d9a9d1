//! `ALB` and `ALB_MULTI_VALUE`: what an Application Load Balancer sends and takes.

use serde_json::json;
use tenon_contract::{RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::Request;
use crate::scenario::{Scenario, answer};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = events();
    all.extend(texts());
    all.extend(answers());
    all.extend(MALFORMED.map(|(name, body)| malformed(single(name)).answer(answer(body))));
    all.extend(MALFORMED_MULTI.map(|(name, body)| malformed(multi(name)).answer(answer(body))));
    all
}

fn events() -> Vec<Scenario> {
    let all = "/a%2Fb?q=1%2C2&q=x+y&r&%C3%BC=%20";
    vec![
        single("elb-event-of-a-bodyless-request")
            .answer(nothing())
            .shows("/requestContext", json!({"elb": {"targetGroupArn": GROUP}}))
            .shows("/httpMethod", "GET")
            .shows("/path", "/")
            .shows("/queryStringParameters", json!({}))
            .shows("/headers/host", "gateway.example")
            .shows("/body", "")
            .shows("/isBase64Encoded", false)
            .hides("/multiValueHeaders")
            .hides("/multiValueQueryStringParameters")
            .hides("/version")
            .body(""),
        multi("elb-multi-event-of-a-bodyless-request")
            .answer(nothing())
            .shows("/requestContext", json!({"elb": {"targetGroupArn": GROUP}}))
            .shows("/httpMethod", "GET")
            .shows("/path", "/")
            .shows("/multiValueQueryStringParameters", json!({}))
            .shows("/multiValueHeaders/host", json!(["gateway.example"]))
            .shows("/body", "")
            .shows("/isBase64Encoded", false)
            .hides("/headers")
            .hides("/queryStringParameters")
            .body(""),
        single("elb-event-decodes-nothing-and-has-the-last-value")
            .request(Request::get(all))
            .answer(nothing())
            .shows("/path", "/a%2Fb")
            .shows(
                "/queryStringParameters",
                json!({"q": "x+y", "r": "", "%C3%BC": "%20"}),
            )
            .body(""),
        multi("elb-multi-event-decodes-nothing-and-has-all-values")
            .request(Request::get(all))
            .answer(nothing())
            .shows("/path", "/a%2Fb")
            .shows(
                "/multiValueQueryStringParameters",
                json!({"q": ["1%2C2", "x+y"], "r": [""], "%C3%BC": ["%20"]}),
            )
            .body(""),
        single("elb-event-has-the-last-header")
            .request(many())
            .answer(nothing())
            .shows("/headers/x-many", "2")
            .shows("/headers/cookie", "a=1; b=2")
            .body(""),
        multi("elb-multi-event-has-all-headers")
            .request(many())
            .answer(nothing())
            .shows("/multiValueHeaders/x-many", json!(["1", "2"]))
            .shows("/multiValueHeaders/cookie", json!(["a=1; b=2"]))
            .shows("/multiValueHeaders/x-forwarded-port", json!(["80"]))
            .body(""),
        single("elb-event-of-an-arn-names-its-account")
            .call_with(|aws| {
                aws.name = "arn:aws:lambda:us-east-1:123456789012:function:f".into();
                aws.request = RequestShape::LoadBalancer;
            })
            .path("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations")
            .shows(
                "/requestContext/elb/targetGroupArn",
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/lambda_default/f",
            ),
    ]
}

const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/lambda_default/f";

/// The load balancer has a shorter list of types that are text than the others.
fn texts() -> Vec<Scenario> {
    let posted = |kind| Request::post("/", "text").header("content-type", kind);
    let of = |name, request| single(name).request(request).answer(nothing()).body("");
    let text = |scenario: Scenario| {
        scenario
            .shows("/body", "text")
            .shows("/isBase64Encoded", false)
    };
    let base64 = |scenario: Scenario| {
        scenario
            .shows("/body", "dGV4dA==")
            .shows("/isBase64Encoded", true)
    };
    vec![
        text(of("elb-text-is-text", posted("text/csv; charset=utf-8"))),
        text(of("elb-json-is-text", posted("application/json"))),
        text(of(
            "elb-javascript-is-text",
            posted("application/javascript"),
        )),
        text(of("elb-xml-is-text", posted("Application/XML"))),
        base64(of(
            "elb-form-is-no-text",
            posted("application/x-www-form-urlencoded"),
        )),
        base64(of(
            "elb-problem-is-no-text",
            posted("application/problem+json"),
        )),
        base64(of(
            "elb-body-without-a-type-is-no-text",
            Request::post("/", "text"),
        )),
        base64(of(
            "elb-encoded-body-is-no-text",
            posted("text/plain").header("content-encoding", "gzip"),
        )),
        text(
            single("elb-types-are-text-that-the-call-names")
                .call_with(|aws| {
                    aws.request = RequestShape::LoadBalancer;
                    aws.text_content_types = vec!["Application/X-NDJSON".into()];
                })
                .request(posted("application/x-ndjson")),
        ),
    ]
}

fn answers() -> Vec<Scenario> {
    let both = r#"{"statusCode":404,"statusDescription":"404 Not Found","isBase64Encoded":false,"headers":{"X-One":"1","Content-Type":"text/html"},"multiValueHeaders":{"X-Two":["a","b"],"Set-Cookie":["a=1","b=2"],"Content-Type":["text/css"]},"body":"gone"}"#;
    vec![
        single("elb-answer-has-one-value-a-header")
            .answer(answer(both))
            .gives(404)
            .header("x-one", ["1"])
            .header("content-type", ["text/html"])
            .header("content-length", ["4"])
            .lacks("x-two")
            .lacks("set-cookie")
            .lacks("x-amzn-requestid")
            .body("gone"),
        multi("elb-multi-answer-has-many-values-a-header")
            .answer(answer(both))
            .gives(404)
            .header("x-two", ["a", "b"])
            .header("set-cookie", ["a=1", "b=2"])
            .header("content-type", ["text/css"])
            .lacks("x-one")
            .lacks("x-amzn-requestid")
            .body("gone"),
        single("elb-answer-of-a-status-alone")
            .answer(nothing())
            .header("content-type", ["application/octet-stream"])
            .header("content-length", ["0"])
            .body(""),
        single("elb-answer-of-base64")
            .answer(answer(
                r#"{"statusCode":200,"body":"AP8K","isBase64Encoded":true}"#,
            ))
            .body(b"\0\xff\n"),
        single("elb-answer-of-nulls")
            .answer(answer(
                r#"{"statusCode":301,"statusDescription":null,"headers":{"location":"/x"},"multiValueHeaders":null,"body":null}"#,
            ))
            .gives(301)
            .header("location", ["/x"])
            .body(""),
        single("elb-answer-drops-what-is-the-hop-s-or-would-split")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"connection":"close","Transfer-Encoding":"chunked","bad name":"1","x-lf":"a\nset-cookie: s=1","x-good":"1"},"body":"four"}"#,
            ))
            .header("x-good", ["1"])
            .lacks("x-lf")
            .lacks("set-cookie")
            .header("content-length", ["4"])
            .body("four"),
    ]
}

/// Name, and an answer that is none.
const MALFORMED: [(&str, &str); 12] = [
    ("elb-no-json", "nothing like it"),
    ("elb-null", "null"),
    ("elb-a-string", r#""hello""#),
    ("elb-no-status", r#"{"body":"x"}"#),
    ("elb-status-is-text", r#"{"statusCode":"200","body":"x"}"#),
    ("elb-status-is-no-status", r#"{"statusCode":99}"#),
    (
        "elb-description-is-a-number",
        r#"{"statusCode":200,"statusDescription":200}"#,
    ),
    (
        "elb-header-is-a-number",
        r#"{"statusCode":200,"headers":{"content-length":4},"body":"four"}"#,
    ),
    (
        "elb-header-is-a-flag",
        r#"{"statusCode":200,"headers":{"access-control-allow-credentials":true}}"#,
    ),
    ("elb-body-is-an-object", r#"{"statusCode":200,"body":{}}"#),
    (
        "elb-base64-flag-is-no-flag",
        r#"{"statusCode":200,"isBase64Encoded":"true"}"#,
    ),
    (
        "elb-base64-is-none",
        r#"{"statusCode":200,"body":"%%","isBase64Encoded":true}"#,
    ),
];

const MALFORMED_MULTI: [(&str, &str); 2] = [
    (
        "elb-multi-header-is-a-string",
        r#"{"statusCode":200,"multiValueHeaders":{"x":"1"}}"#,
    ),
    (
        "elb-multi-header-has-a-number",
        r#"{"statusCode":200,"multiValueHeaders":{"x":[1]}}"#,
    ),
];

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

fn malformed(scenario: Scenario) -> Scenario {
    scenario
        .error_kept(Code::BadFunctionResponse, 502)
        .header("content-type", ["text/html"])
        .body(BAD_GATEWAY)
}

fn many() -> Request {
    Request::get("/")
        .header("x-many", "1")
        .header("x-many", "2")
        .header("cookie", "a=1; b=2")
}

fn nothing() -> crate::fake::Response {
    answer(r#"{"statusCode":200}"#)
}

fn single(name: &'static str) -> Scenario {
    Scenario::new(name)
        .call_with(|aws| {
            aws.request = RequestShape::LoadBalancer;
            aws.response = ResponseShape::LoadBalancer;
        })
        .sends_event()
}

fn multi(name: &'static str) -> Scenario {
    Scenario::new(name)
        .call_with(|aws| {
            aws.request = RequestShape::LoadBalancerMultiValue;
            aws.response = ResponseShape::LoadBalancerMultiValue;
        })
        .sends_event()
}
