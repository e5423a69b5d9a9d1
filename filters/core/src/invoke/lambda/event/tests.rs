//! What holds for events of all shapes, and what a function in Rust reads of AWS's: the types are those of AWS's own
//! runtime, which knows nothing of this crate.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lambda_events::alb::AlbTargetGroupRequest;
use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tenon_contract::{AwsCall, RequestShape, ResponseShape};

use super::super::unwrap::unwrap;
use super::*;
use crate::host::Connection;

const SHAPES: [RequestShape; 6] = [
    RequestShape::Metadata,
    RequestShape::ApiGateway,
    RequestShape::ApiGatewayV1,
    RequestShape::ApiGatewayV2,
    RequestShape::LoadBalancer,
    RequestShape::LoadBalancerMultiValue,
];

struct Client;

impl Connection for Client {
    fn protocol(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(b"HTTP/2"))
    }
    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(b"192.0.2.7:4711"))
    }
}

fn call(shape: RequestShape, name: &str) -> Call {
    let mut aws = AwsCall::new(name);
    aws.request = shape;
    Call::compile(aws, false).unwrap()
}

fn origin(call: &Call) -> Origin<'static> {
    Origin::ask(&Client, call, "lambda_default", "f", "eu-central-1")
}

fn bytes(shape: RequestShape, client: &[(&str, Vec<u8>)], body: &[u8]) -> Vec<u8> {
    let call = call(shape, "f");
    let origin = origin(&call);
    build(&call, &Snapshot::of(client), &origin, body).unwrap()
}

fn event(shape: RequestShape, client: &[(&str, Vec<u8>)], body: &[u8]) -> Value {
    serde_json::from_slice(&bytes(shape, client, body)).unwrap()
}

fn body_of(event: &Value) -> Vec<u8> {
    let body = event["body"].as_str().unwrap_or_default();
    match event["isBase64Encoded"].as_bool() {
        Some(true) => BASE64.decode(body).unwrap(),
        _ => body.as_bytes().to_vec(),
    }
}

fn client() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let name = prop::sample::select(vec![
        "content-type",
        "content-encoding",
        "cookie",
        "x-own",
        "authorization",
        "x-envoy-original-path",
        "x-forwarded-for",
        "te",
        "user-agent",
    ]);
    let value = prop_oneof![
        vec(any::<u8>(), 0..12),
        Just(b"text/plain".to_vec()),
        Just(b"application/json; charset=utf-8".to_vec()),
        Just(b"gzip".to_vec()),
    ];
    let path = prop_oneof![
        "/[a-z%?&=+#]{0,20}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..20),
    ];
    (path, vec((name, value), 0..8)).prop_map(|(path, headers)| {
        let mut all = vec![
            (":method", b"POST".to_vec()),
            (":path", path),
            (":authority", b"host".to_vec()),
        ];
        all.extend(headers);
        all
    })
}

/// The method, wherever the shape has it.
fn method(event: &Value) -> &Value {
    let of_v2 = &event["requestContext"]["http"]["method"];
    match of_v2.is_null() {
        true => &event["httpMethod"],
        false => of_v2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_becomes_an_event_that_holds_its_body(client in client(), body in vec(any::<u8>(), 0..60)) {
        for shape in SHAPES {
            let event = event(shape, &client, &body);
            prop_assert_eq!(body_of(&event), &*body);
            prop_assert_eq!(method(&event), "POST");
            for hidden in ["te", "x-envoy-original-path"] {
                prop_assert!(event["headers"].get(hidden).is_none());
                prop_assert!(event["multiValueHeaders"].get(hidden).is_none());
            }
        }
    }

    #[test]
    fn any_text_is_carried_as_it_is(body in ".{1,60}") {
        for shape in SHAPES {
            let client = [(":method", b"POST".to_vec()), ("content-type", b"text/plain".to_vec())];
            let event = event(shape, &client, body.as_bytes());
            prop_assert_eq!(event["body"].as_str(), Some(&*body));
        }
    }

    #[test]
    fn functions_in_rust_read_any_event(mut client in client(), body in vec(any::<u8>(), 0..60)) {
        // Envoy refuses control characters in headers, and so does the runtime.
        for byte in client.iter_mut().flat_map(|(_, value)| value) {
            if *byte < 0x20 || *byte == 0x7f {
                *byte = b'x';
            }
        }
        let v1 = bytes(RequestShape::ApiGatewayV1, &client, &body);
        let v1: ApiGatewayProxyRequest = serde_json::from_slice(&v1).unwrap();
        prop_assert_eq!(v1.http_method.as_str(), "POST");
        let v2 = bytes(RequestShape::ApiGatewayV2, &client, &body);
        let v2: ApiGatewayV2httpRequest = serde_json::from_slice(&v2).unwrap();
        prop_assert_eq!(v2.request_context.http.method.as_str(), "POST");
        for shape in [RequestShape::LoadBalancer, RequestShape::LoadBalancerMultiValue] {
            let alb: AlbTargetGroupRequest = serde_json::from_slice(&bytes(shape, &client, &body)).unwrap();
            prop_assert_eq!(alb.http_method.as_str(), "POST");
        }
    }
}

/// A request with all that the shapes treat in different ways.
fn full() -> Vec<(&'static str, Vec<u8>)> {
    let headers = [
        (":method", "PUT"),
        (":scheme", "https"),
        (":authority", "api.example.com:8443"),
        (":path", "/a%2Fb?q=1%2C2&q=x+y&r"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "7e39b0a6"),
        ("user-agent", "probe/1"),
        ("x-many", "1"),
        ("x-many", "2"),
        ("cookie", "a=1; b=2"),
        ("content-type", "application/json"),
    ];
    let owned = |(name, value): (&'static str, &str)| (name, value.as_bytes().to_vec());
    headers.map(owned).to_vec()
}

/// What a function answers that sends back what it was sent, in the shape that it was asked in.
fn echo(shape: RequestShape, status: u16, headers: &[(String, String)], event: &Value) -> String {
    let mut several = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in headers {
        several.entry(name).or_default().push(value);
    }
    let single: BTreeMap<_, _> = headers.iter().cloned().collect();
    let mut answer = json!({
        "statusCode": status,
        // Gloo's events have `null` or nothing where there is no body, which is no text.
        "body": event["body"].as_str().unwrap_or_default(),
        "isBase64Encoded": event["isBase64Encoded"] == true,
    });
    match shape {
        RequestShape::ApiGatewayV1 | RequestShape::LoadBalancerMultiValue => {
            answer["multiValueHeaders"] = json!(several);
        }
        _ => answer["headers"] = json!(single),
    }
    answer.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_function_echoes_comes_back_as_it_was_sent(
        client in client(),
        body in vec(any::<u8>(), 0..200),
        status in 200..600_u16,
        headers in vec(("x-[a-z]{1,3}", "([!-~]([ -~]{0,10}[!-~])?)?"), 0..5),
    ) {
        let headers: Vec<(String, String)> = headers
            .into_iter()
            .filter(|(name, _)| !name.starts_with("x-tenon-"))
            .collect();
        for (shape, answer) in [
            (RequestShape::ApiGatewayV1, ResponseShape::ApiGatewayV1),
            (RequestShape::ApiGatewayV2, ResponseShape::ApiGatewayV2),
            (RequestShape::LoadBalancer, ResponseShape::LoadBalancer),
            (RequestShape::LoadBalancerMultiValue, ResponseShape::LoadBalancerMultiValue),
            (RequestShape::ApiGateway, ResponseShape::ApiGateway),
            (RequestShape::ApiGateway, ResponseShape::Alb),
            (RequestShape::Metadata, ResponseShape::ApiGateway),
            (RequestShape::Metadata, ResponseShape::Alb),
        ] {
            let event = event(shape, &client, &body);
            let echoed = echo(shape, status, &headers, &event);
            let unwrapped = unwrap(answer, echoed.as_bytes(), 200);
            prop_assert!(!unwrapped.malformed, "{shape:?}");
            prop_assert_eq!(unwrapped.status, status);
            prop_assert_eq!(&unwrapped.body, &body, "{:?}", shape);
            let keeps_all =
                matches!(shape, RequestShape::ApiGatewayV1 | RequestShape::LoadBalancerMultiValue);
            let mut expected = headers.clone();
            if !keeps_all {
                // One value a name: the last.
                let last: BTreeMap<_, _> = expected.into_iter().collect();
                expected = last.into_iter().collect();
            }
            expected.sort_by(|one, other| one.0.cmp(&other.0));
            let mut found = unwrapped.headers;
            found.retain(|(name, _)| name != "content-type");
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_function_in_rust_reads_payload_2_0() {
    let event = bytes(RequestShape::ApiGatewayV2, &full(), b"{}");
    let event: ApiGatewayV2httpRequest = serde_json::from_slice(&event).unwrap();
    assert_eq!(event.version.as_deref(), Some("2.0"));
    assert_eq!(event.route_key.as_deref(), Some("$default"));
    assert_eq!(event.raw_path.as_deref(), Some("/a%2Fb"));
    assert_eq!(event.raw_query_string.as_deref(), Some("q=1%2C2&q=x+y&r"));
    assert_eq!(event.cookies.unwrap(), ["a=1", "b=2"]);
    assert!(event.headers.get("cookie").is_none());
    assert_eq!(event.headers["x-many"], "1,2");
    assert_eq!(event.headers["host"], "api.example.com:8443");
    assert_eq!(event.headers["x-forwarded-port"], "8443");
    // The runtime takes the value apart again.
    let all = event.query_string_parameters.all("q").unwrap();
    assert_eq!(all, ["1", "2", "x y"]);
    assert_eq!(event.query_string_parameters.first("r"), Some(""));
    assert!(event.path_parameters.is_empty() && event.stage_variables.is_empty());
    assert_eq!(event.body.as_deref(), Some("{}"));
    assert!(!event.is_base64_encoded);
    let context = event.request_context;
    assert_eq!(context.account_id.as_deref(), Some("anonymous"));
    assert_eq!(context.apiid.as_deref(), Some("lambda_default"));
    assert_eq!(context.domain_name.as_deref(), Some("api.example.com"));
    assert_eq!(context.domain_prefix.as_deref(), Some("api"));
    assert_eq!(context.request_id.as_deref(), Some("7e39b0a6"));
    assert_eq!(context.stage.as_deref(), Some("$default"));
    assert_eq!(context.time.as_deref(), Some("30/Aug/2015:12:36:00 +0000"));
    assert_eq!(context.time_epoch, 1_440_938_160_123);
    let http = context.http;
    assert_eq!(http.method.as_str(), "PUT");
    assert_eq!(http.path.as_deref(), Some("/a%2Fb"));
    assert_eq!(http.protocol.as_deref(), Some("HTTP/2"));
    assert_eq!(http.source_ip.as_deref(), Some("192.0.2.7"));
    assert_eq!(http.user_agent.as_deref(), Some("probe/1"));
}

#[test]
fn a_function_in_rust_reads_payload_1_0() {
    let event = bytes(RequestShape::ApiGatewayV1, &full(), b"{}");
    let event: ApiGatewayProxyRequest = serde_json::from_slice(&event).unwrap();
    assert_eq!(event.resource.as_deref(), Some("/a%2Fb"));
    assert_eq!(event.path.as_deref(), Some("/a%2Fb"));
    assert_eq!(event.headers["x-many"], "2");
    assert_eq!(event.headers["cookie"], "a=1; b=2");
    let many: Vec<_> = event.multi_value_headers.get_all("x-many").iter().collect();
    assert_eq!(many, ["1", "2"]);
    assert_eq!(event.multi_value_headers["host"], "api.example.com:8443");
    assert_eq!(event.query_string_parameters.first("q"), Some("x y"));
    let all = event.multi_value_query_string_parameters.all("q").unwrap();
    assert_eq!(all, ["1,2", "x y"]);
    let context = event.request_context;
    assert_eq!(context.protocol.as_deref(), Some("HTTP/2"));
    assert_eq!(context.identity.source_ip.as_deref(), Some("192.0.2.7"));
    assert_eq!(context.identity.user_agent.as_deref(), Some("probe/1"));
    assert_eq!(context.request_time_epoch, 1_440_938_160_123);
    assert_eq!(context.http_method.as_str(), "PUT");
    assert_eq!(event.body.as_deref(), Some("{}"));
}

#[test]
fn a_function_in_rust_reads_a_load_balancer_s_event() {
    let event = bytes(RequestShape::LoadBalancer, &full(), b"{}");
    let single: AlbTargetGroupRequest = serde_json::from_slice(&event).unwrap();
    assert_eq!(single.path.as_deref(), Some("/a%2Fb"));
    assert_eq!(single.headers["x-many"], "2");
    assert!(single.multi_value_headers.is_empty());
    assert_eq!(single.query_string_parameters.first("q"), Some("x+y"));
    assert_eq!(
        single.request_context.elb.target_group_arn.as_deref(),
        Some("arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/lambda_default/f")
    );
    let event = bytes(RequestShape::LoadBalancerMultiValue, &full(), b"{}");
    let multi: AlbTargetGroupRequest = serde_json::from_slice(&event).unwrap();
    assert!(multi.headers.is_empty());
    let many: Vec<_> = multi.multi_value_headers.get_all("x-many").iter().collect();
    assert_eq!(many, ["1", "2"]);
    let all = multi.multi_value_query_string_parameters.all("q").unwrap();
    assert_eq!(all, ["1%2C2", "x+y"]);
}

#[test]
fn a_matched_template_is_resource_route_and_parameters() {
    let parameters = [("id", "7"), ("name", "x")];
    let build = |shape| {
        let call = call(shape, "f");
        let origin = origin(&call).matched("/{id}/{name}", &parameters);
        let event = build(&call, &Snapshot::of(&full()), &origin, b"").unwrap();
        serde_json::from_slice::<Value>(&event).unwrap()
    };
    let v1 = build(RequestShape::ApiGatewayV1);
    assert_eq!(v1["resource"], "/{id}/{name}");
    assert_eq!(v1["requestContext"]["resourcePath"], "/{id}/{name}");
    assert_eq!(v1["pathParameters"], json!({"id": "7", "name": "x"}));
    let v2 = build(RequestShape::ApiGatewayV2);
    assert_eq!(v2["routeKey"], "PUT /{id}/{name}");
    assert_eq!(v2["requestContext"]["routeKey"], "PUT /{id}/{name}");
    assert_eq!(v2["pathParameters"], json!({"id": "7", "name": "x"}));
}

#[test]
fn an_arn_tells_the_account_of_the_event() {
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:f";
    for (shape, pointer, expected) in [
        (
            RequestShape::ApiGatewayV1,
            "/requestContext/accountId",
            "123456789012",
        ),
        (
            RequestShape::ApiGatewayV2,
            "/requestContext/accountId",
            "123456789012",
        ),
        (
            RequestShape::LoadBalancer,
            "/requestContext/elb/targetGroupArn",
            "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/lambda_default/f",
        ),
    ] {
        let call = call(shape, arn);
        let origin = origin(&call);
        let event = build(&call, &Snapshot::of(&full()), &origin, b"").unwrap();
        let event: Value = serde_json::from_slice(&event).unwrap();
        assert_eq!(event.pointer(pointer).unwrap(), expected);
    }
}

#[test]
fn ids_are_made_of_the_request_where_envoy_gives_none() {
    let of = |path: &str| {
        let client = [(":method", "GET"), (":path", path)];
        let client = client.map(|(name, value)| (name, value.as_bytes().to_vec()));
        event(RequestShape::ApiGatewayV2, &client, b"")
    };
    let id = |event: &Value| event["requestContext"]["requestId"].clone();
    let trace = |event: &Value| event["headers"]["x-amzn-trace-id"].clone();
    let (one, again, other) = (of("/a"), of("/a"), of("/b"));
    assert_eq!((id(&one), trace(&one)), (id(&again), trace(&again)));
    assert_ne!(id(&one), id(&other));
    assert_ne!(trace(&one), trace(&other));
    let shape = |text: &str| text.split('-').map(str::len).collect::<Vec<_>>();
    assert_eq!(shape(id(&one).as_str().unwrap()), [8, 4, 4, 4, 12]);
    let trace = trace(&one);
    let trace = trace.as_str().unwrap();
    let seconds = Duration::from_secs(1_440_938_160).as_secs();
    let prefix = format!("Root=1-{seconds:08x}-");
    assert!(trace.starts_with(&prefix) && trace.len() == prefix.len() + 24);
}
