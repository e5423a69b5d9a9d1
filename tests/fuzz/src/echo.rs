//! A function that sends back what it was sent, in the shape that it was asked in: the client gets the status and the
//! headers that the function chose, and its own body, whatever bytes that has.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenon_conformance::fake::{Request, Response};
use tenon_conformance::scenario::{Scenario, lambda};
use tenon_conformance::{Observed, Protocol, run_on_fake};
use tenon_contract::{RequestShape, ResponseShape};

use crate::input::Input;
use crate::lambda::header;
use crate::sound;

/// Shapes that belong together: what AWS's own gateways send and take, and each of Gloo's that there is.
const SHAPES: [(RequestShape, ResponseShape); 8] = [
    (RequestShape::ApiGatewayV1, ResponseShape::ApiGatewayV1),
    (RequestShape::ApiGatewayV2, ResponseShape::ApiGatewayV2),
    (RequestShape::LoadBalancer, ResponseShape::LoadBalancer),
    (
        RequestShape::LoadBalancerMultiValue,
        ResponseShape::LoadBalancerMultiValue,
    ),
    (RequestShape::ApiGateway, ResponseShape::ApiGateway),
    (RequestShape::ApiGateway, ResponseShape::Alb),
    (RequestShape::Metadata, ResponseShape::ApiGateway),
    (RequestShape::Metadata, ResponseShape::Alb),
];

/// Choices of shapes, status, type, protocol and how the body is cut; headers of the answer on lines until `---`; then the
/// body.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let shapes = input.one_of(&SHAPES);
    let status = input.one_of(&[200, 201, 204, 302, 304, 404, 429, 500, 599]);
    let content_type = input.one_of(&[
        None,
        Some("text/plain; charset=utf-8"),
        Some("application/json"),
        Some("application/octet-stream"),
    ]);
    let protocol = input.one_of(&[Protocol::Http1, Protocol::Http2]);
    let seed = input.choice(256);
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for line in input.lines() {
        let Some((name, value)) = header(line) else {
            return;
        };
        let Ok(value) = std::str::from_utf8(value) else {
            return;
        };
        // One value a name where the shape has no more; and no names that are the gateway's or the body's.
        let taken = [
            "content-type",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "upgrade",
        ];
        let known = |(other, _): &(&str, &str)| *other == name;
        if taken.contains(&name) || name.starts_with("x-am") || headers.iter().any(known) {
            return;
        }
        headers.push((name, value));
    }
    let mut request = Request::new("POST", "/a?b=c").body_frames(input.pieces(seed));
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let exchange = |answer: &[u8]| -> Observed {
        let scenario = Scenario::new("echo")
            .call_with(|aws| (aws.request, aws.response) = shapes)
            .request(request.clone())
            .answer(lambda(Response::status(200)).body_frames(Input(answer).pieces(seed)));
        run_on_fake(&scenario, protocol)
    };
    // Events of one request are the same bytes each time, so that the answer can be made of an earlier one.
    let sent = exchange(br#"{"statusCode":200}"#).sent;
    let event: Value = serde_json::from_slice(&sent[0].body).expect("an event is JSON");
    let observed = exchange(answer(shapes.1, status, &headers, &event).as_bytes());
    assert_eq!(observed.problems, [""; 0]);
    assert_eq!(observed.sent[0].body, sent[0].body, "another event");
    assert_eq!(observed.status, status);
    sound::headers(&observed.headers);
    for (name, value) in headers {
        let found: Vec<_> = observed.headers.all(name).collect();
        assert_eq!(found, [value.as_bytes()], "{name}");
    }
    // These have none (RFC 9110, 15.3.5 and 15.4.5).
    if !matches!(status, 204 | 304) {
        assert_eq!(observed.body, input.0);
    }
}

/// What the function answers.
fn answer(shape: ResponseShape, status: u16, headers: &[(&str, &str)], event: &Value) -> String {
    let mut answer = Map::new();
    answer.insert("statusCode".into(), status.into());
    if let Some(encoded) = event.get("isBase64Encoded") {
        answer.insert("isBase64Encoded".into(), encoded.clone());
    }
    // Without a body, an event has `null` or nothing, and a function that reads texts none.
    let body = event["body"].as_str().unwrap_or_default();
    answer.insert("body".into(), body.into());
    let several = matches!(
        shape,
        ResponseShape::ApiGatewayV1 | ResponseShape::LoadBalancerMultiValue
    );
    let headers: BTreeMap<&str, Value> = headers
        .iter()
        .map(|(name, value)| match several {
            true => (*name, json!([value])),
            false => (*name, json!(value)),
        })
        .collect();
    let field = match several {
        true => "multiValueHeaders",
        false => "headers",
    };
    answer.insert(field.into(), json!(headers));
    Value::Object(answer).to_string()
}
