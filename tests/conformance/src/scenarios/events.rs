//! What the function is given where it is not the client's body.

use serde_json::{Value, json};
use tenon_contract::RequestShape;

use crate::fake::Request;
use crate::scenario::{Route, Scenario, call_with};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = metadata();
    all.extend(api_gateway());
    all.extend(both());
    all
}

/// Gloo's `requestTransformation`.
fn metadata() -> Vec<Scenario> {
    vec![
        of(RequestShape::Metadata, "metadata-of-a-bodyless-request")
            .sends_body(METADATA_OF_GET)
            .sends("content-type", "application/json"),
        of(RequestShape::Metadata, "metadata-of-a-request-with-all")
            .request(full())
            .shows("/body", "a=1&b=2")
            .shows("/httpMethod", "POST")
            .shows("/path", "/a%20b/c")
            .shows("/queryString", "q=1&q=%C3%BC&r")
            .shows("/queryStringParameters", json!({"q": "\u{fc}", "r": ""}))
            .shows(
                "/multiValueQueryStringParameters",
                json!({"q": ["1", "\u{fc}"]}),
            )
            .shows("/headers/x-many", "2")
            .shows("/multiValueHeaders", json!({"x-many": ["1", "2"]}))
            .shows("/headers/:path", "/a%20b/c?q=1&q=%C3%BC&r")
            .shows("/headers/:method", "POST")
            .shows("/headers/:authority", "gateway.example")
            .shows("/headers/content-type", "application/x-www-form-urlencoded")
            .hides("/isBase64Encoded"),
        of(
            RequestShape::Metadata,
            "metadata-carries-bytes-that-are-no-text-as-base64",
        )
        .request(Request::post("/", b"\xff\x00\xfe"))
        .shows("/body", "/wD+")
        .shows("/isBase64Encoded", true),
        of(RequestShape::Metadata, "metadata-carries-nul-bytes-in-text")
            .request(Request::post("/", b"a\0b"))
            .shows("/body", "a\0b")
            .hides("/isBase64Encoded"),
    ]
}

const METADATA_OF_GET: &str = concat!(
    r#"{"headers":{":authority":"gateway.example",":method":"GET",":path":"/",":scheme":"http","#,
    r#""x-forwarded-proto":"http","x-request-id":"metadata-of-a-bodyless-request"},"httpMethod":"GET","#,
    r#""multiValueHeaders":{},"multiValueQueryStringParameters":{},"path":"/","queryString":"","queryStringParameters":{}}"#
);

/// Gloo's `wrapAsApiGateway`.
fn api_gateway() -> Vec<Scenario> {
    vec![
        of(RequestShape::ApiGateway, "an-event-of-a-bodyless-request")
            .shows("/version", "1.0")
            .shows("/body", Value::Null)
            .shows("/isBase64Encoded", false)
            .shows("/httpMethod", "GET")
            .shows("/path", "/")
            .shows("/routeKey", "GET /")
            .shows("/queryStringParameters", Value::Null)
            .shows("/multiValueQueryStringParameters", Value::Null)
            .shows("/pathParameters", Value::Null)
            .shows("/stageVariables", Value::Null)
            .shows("/requestContext/protocol", "HTTP/1.1")
            .shows("/requestContext/identity/sourceIp", Value::Null)
            .shows("/requestContext/identity/userAgent", Value::Null)
            .shows(
                "/requestContext/requestId",
                "an-event-of-a-bodyless-request",
            )
            .shows("/requestContext/domainName", "gateway.example"),
        of(RequestShape::ApiGateway, "an-event-of-a-request-with-all")
            .request(
                full()
                    .header("x-forwarded-for", "192.0.2.1, 198.51.100.7")
                    .header("user-agent", "probe/1"),
            )
            .shows("/body", "a=1&b=2")
            .shows("/isBase64Encoded", false)
            .shows("/path", "/a%20b/c")
            .shows("/resource", "/a%20b/c")
            .shows("/queryStringParameters", json!({"q": "\u{fc}", "r": ""}))
            .shows(
                "/multiValueQueryStringParameters",
                json!({"q": ["1", "\u{fc}"], "r": [""]}),
            )
            .shows("/headers/x-many", "2")
            .shows("/headers/host", "gateway.example")
            .shows("/multiValueHeaders/x-many", json!(["1", "2"]))
            .shows("/multiValueHeaders/host", json!(["gateway.example"]))
            .hides("/headers/:path")
            .shows("/requestContext/identity/sourceIp", "198.51.100.7")
            .shows("/requestContext/identity/userAgent", "probe/1"),
        of(
            RequestShape::ApiGateway,
            "an-event-carries-a-binary-type-as-base64",
        )
        .request(Request::post("/", "text").header("content-type", "image/png"))
        .shows("/body", "dGV4dA==")
        .shows("/isBase64Encoded", true),
        of(
            RequestShape::ApiGateway,
            "an-event-carries-bytes-that-are-no-text-as-base64",
        )
        .request(Request::post("/", b"\xff\x00").header("content-type", "text/plain"))
        .shows("/body", "/wA=")
        .shows("/isBase64Encoded", true),
        of(
            RequestShape::ApiGateway,
            "an-event-carries-an-encoded-body-as-base64",
        )
        .request(
            Request::post("/", "text")
                .header("content-type", "text/plain")
                .header("content-encoding", "gzip"),
        )
        .withholds("content-encoding")
        .shows("/headers/content-encoding", "gzip")
        .shows("/body", "dGV4dA==")
        .shows("/isBase64Encoded", true),
        of(
            RequestShape::ApiGateway,
            "an-event-carries-json-with-a-charset-as-text",
        )
        .request(
            Request::post("/", "{\"a\":\"\u{fc}\"}")
                .header("content-type", "Application/JSON; charset=UTF-8"),
        )
        .shows("/body", "{\"a\":\"\u{fc}\"}")
        .shows("/isBase64Encoded", false),
        Scenario::new("an-event-carries-types-as-text-that-the-call-names")
            .call_with(|aws| {
                aws.request = RequestShape::ApiGateway;
                aws.text_content_types = vec!["application/x-ndjson".into()];
            })
            .request(Request::post("/", "{}\n").header("content-type", "application/x-ndjson"))
            .shows("/body", "{}\n")
            .shows("/isBase64Encoded", false),
        Scenario::new("an-event-shows-the-client-s-path-where-the-route-rewrites")
            .route(rewriting(RequestShape::ApiGateway, true))
            .request(Request::get("/public/a?x=1"))
            .shows("/path", "/public/a")
            .shows("/queryStringParameters", json!({"x": "1"})),
        Scenario::new("a-forged-original-path-changes-no-event")
            .route(rewriting(RequestShape::ApiGateway, false))
            .request(Request::get("/public/a").header("x-envoy-original-path", "/forged"))
            .shows("/path", "/public/a")
            .hides("/headers/x-envoy-original-path"),
        Scenario::new("a-forged-original-path-is-overwritten-where-the-route-rewrites")
            .route(rewriting(RequestShape::Metadata, true))
            .request(Request::get("/public/a").header("x-envoy-original-path", "/forged"))
            .shows("/path", "/public/a")
            .shows("/headers/:path", "/public/a"),
    ]
}

/// What holds for both shapes.
fn both() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (shape, names) in [
        (
            RequestShape::Metadata,
            [
                "metadata-of-a-body-that-trailers-end",
                "metadata-of-a-body-that-an-empty-frame-ends",
                "metadata-hides-what-is-not-the-function-s",
                "metadata-of-a-head-request",
                "metadata-of-a-request-of-no-frames-but-an-end",
            ],
        ),
        (
            RequestShape::ApiGateway,
            [
                "an-event-of-a-body-that-trailers-end",
                "an-event-of-a-body-that-an-empty-frame-ends",
                "an-event-hides-what-is-not-the-function-s",
                "an-event-of-a-head-request",
                "an-event-of-a-request-of-no-frames-but-an-end",
            ],
        ),
    ] {
        let [trailers, empty, hidden, head, nothing] = names;
        let nobody = |scenario: Scenario| match shape {
            RequestShape::Metadata => scenario.hides("/body"),
            _ => scenario.shows("/body", Value::Null),
        };
        all.extend([
            of(shape, trailers)
                .request(
                    Request::new("POST", "/")
                        .body_frames(["ab", "cd"])
                        .trailer("x-sum", "1"),
                )
                .shows("/body", "abcd"),
            of(shape, empty)
                .request(
                    Request::new("POST", "/")
                        .body_frames(["ab", "cd"])
                        .empty_end_frame(),
                )
                .shows("/body", "abcd"),
            of(shape, hidden)
                .request(
                    Request::get("/")
                        .header("x-tenon-call", "call.9")
                        .header("x-tenon-anything", "1")
                        .header("te", "trailers")
                        .header("authorization", "Bearer of-the-client"),
                )
                .hides("/headers/x-tenon-call")
                .hides("/headers/x-tenon-anything")
                .hides("/headers/te")
                .shows("/headers/authorization", "Bearer of-the-client"),
            of(shape, head)
                .request(Request::new("HEAD", "/"))
                .shows("/httpMethod", "HEAD"),
            nobody(
                of(shape, nothing).request(
                    Request::new("POST", "/")
                        .body_frames([""; 0])
                        .empty_end_frame(),
                ),
            ),
        ]);
    }
    all
}

fn of(shape: RequestShape, name: &'static str) -> Scenario {
    Scenario::new(name).call_with(|aws| aws.request = shape)
}

fn full() -> Request {
    Request::post("/a%20b/c?q=1&q=%C3%BC&r", "a=1&b=2")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-many", "1")
        .header("x-many", "2")
}

fn rewriting(shape: RequestShape, rewrites: bool) -> Route {
    let mut call = call_with(|aws| aws.request = shape);
    call.rewrites_path = rewrites;
    let route = Route::calling(&call);
    if rewrites {
        route.rewriting("/public", "/private")
    } else {
        route
    }
}
