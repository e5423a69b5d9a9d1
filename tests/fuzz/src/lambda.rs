//! Lambda's side of the filter, run whole on the fake host: any answer becomes a response that hurts no connection, any
//! request a call that AWS would take.

use tenon_conformance::fake::{HeaderList, Request, Response};
use tenon_conformance::scenario::{Key, Scenario, lambda};
use tenon_conformance::{Observed, Protocol, fake_clock, run_on_fake, signature};
use tenon_contract::{Invocation, RequestShape, ResponseShape};
use tenon_e2e::eventstream;

use crate::eventstream::make_right;
use crate::input::Input;
use crate::sound;

const REQUESTS: [RequestShape; 7] = [
    RequestShape::Body,
    RequestShape::Metadata,
    RequestShape::ApiGateway,
    RequestShape::ApiGatewayV1,
    RequestShape::ApiGatewayV2,
    RequestShape::LoadBalancer,
    RequestShape::LoadBalancerMultiValue,
];
const RESPONSES: [ResponseShape; 7] = [
    ResponseShape::Body,
    ResponseShape::ApiGateway,
    ResponseShape::Alb,
    ResponseShape::ApiGatewayV1,
    ResponseShape::ApiGatewayV2,
    ResponseShape::LoadBalancer,
    ResponseShape::LoadBalancerMultiValue,
];

/// The most that an error says in a body of its own.
const LONGEST_ERROR: usize = 1024;

/// Choices of shape, method, Lambda's status, how it answers and how that is cut; then the function's answer.
pub(crate) fn answers(bytes: &[u8]) {
    let mut input = Input(bytes);
    let shape = input.one_of(&RESPONSES);
    let method = input.one_of(&["GET", "HEAD", "POST"]);
    let status = input.one_of(&[200, 202, 204, 400, 403, 413, 429, 500, 503]);
    let how = input.choice(4);
    let seed = input.choice(256);
    let answer = match how {
        // Streamed: chunks that Lambda made of it, …
        2 => {
            let mut stream: Vec<u8> = input
                .pieces(seed)
                .into_iter()
                .flat_map(eventstream::chunk)
                .collect();
            stream.extend(eventstream::complete());
            stream
        }
        // … or messages of its own.
        3 => {
            let mut stream = input.0.to_vec();
            make_right(&mut stream);
            stream
        }
        _ => input.0.to_vec(),
    };
    let mut response = lambda(Response::status(status));
    if how == 1 {
        response = response.header("x-amz-function-error", "Unhandled");
    }
    if how >= 2 {
        response = response.header("content-type", eventstream::CONTENT_TYPE);
    }
    response = response.body_frames(Input(&answer).pieces(seed));
    let scenario = Scenario::new("fuzz")
        .call_with(|aws| {
            aws.response = shape;
            if how >= 2 {
                aws.invocation = Invocation::ResponseStream;
            }
        })
        .request(Request::new(method, "/"))
        .answer(response);
    let observed = run_on_fake(&scenario, Protocol::Http2);
    sound(&observed);
    // What is unwrapped is not longer than what it was wrapped in, nor an error longer than the words for it.
    let most = answer.len().max(LONGEST_ERROR);
    assert!(observed.body.len() <= most, "{} bytes", observed.body.len());
}

/// Choices of shape and method; the path on a line, headers on others until `---`, then the body.
pub(crate) fn requests(bytes: &[u8]) {
    let mut input = Input(bytes);
    let shape = input.one_of(&REQUESTS);
    let method = input.one_of(&["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]);
    let seed = input.choice(256);
    let path = input.line();
    // What Envoy lets through.
    if !path.starts_with(b"/") || !path.iter().all(|byte| *byte > b' ' && *byte != 0x7f) {
        return;
    }
    let mut headers = HeaderList::default();
    for line in input.lines() {
        let Some((name, value)) = header(line) else {
            return;
        };
        match headers.get(name).map(<[u8]>::to_vec) {
            // Envoy makes one value of several of those that it has a place for.
            Some(first) if name == "content-type" => {
                headers.set(name, &[&first, value].join(&b','));
            }
            _ => headers.add(name, value),
        }
    }
    let mut request = Request::new(method, "/").header(":path", path);
    for (name, value) in headers.iter() {
        request = request.header(name, value);
    }
    let request = request.body_frames(input.pieces(seed));
    let scenario = Scenario::new("fuzz")
        .call_with(|aws| aws.request = shape)
        .request(request)
        .answer(lambda(Response::status(200)).body("{}"));
    let observed = run_on_fake(&scenario, Protocol::Http2);
    sound(&observed);
    for sent in &observed.sent {
        signature(sent, Key::User, fake_clock()).expect("a signature that AWS takes");
        if shape == RequestShape::Body {
            assert_eq!(sent.body, input.0);
        } else {
            serde_json::from_slice::<serde_json::Value>(&sent.body).expect("an event is JSON");
        }
    }
}

/// A header that a client can send, and neither the codec, the edge nor the route has a say in.
pub(crate) fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (
        std::str::from_utf8(&line[..colon]).ok()?,
        &line[colon + 1..],
    );
    let token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let taken = ["content-length", "transfer-encoding", "host", "connection"];
    let is_name = !name.is_empty() && name.bytes().all(token) && !taken.contains(&name);
    let is_ours = name.starts_with("x-envoy-") || name.starts_with("x-tenon-");
    let visible = |byte: &u8| !matches!(byte, 0..32 | 0x7f);
    (is_name && !is_ours && value.iter().all(visible)).then(|| (name, value.trim_ascii()))
}

fn sound(observed: &Observed) {
    assert_eq!(observed.problems, [""; 0]);
    sound::status(observed.status);
    sound::headers(&observed.headers);
    for secret in [Key::User.id(), Key::User.secret_key()] {
        assert!(!observed.log.contains(secret), "the log shows a secret");
    }
}
