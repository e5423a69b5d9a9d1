//! Whole transformations on the fake host: what is written compiles or is refused in its place, and what comes of a
//! message hurts no connection.

use tenon_conformance::Protocol;
use tenon_conformance::fake::{Request, Response};
use tenon_conformance::transform::{Row, regular, run_on_fake};
use tenon_contract::transform::{
    RequestRule, ResponseRule, RouteTransformations, Transformation, Transforms,
};
use tenon_core::inja::MAX_OUTPUT;
use tenon_core::transform::{RouteRules, check};

use crate::input::Input;
use crate::sound;

/// Choices of side, protocol and how the body is cut; a `Transformation` of Gloo's on lines until `---`; then the body.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let of_request = input.choice(2) == 0;
    let protocol = input.one_of(&[Protocol::Http1, Protocol::Http2]);
    let seed = input.choice(256);
    let text = input.lines().join(&b'\n');
    let Ok(transformation) = serde_json::from_slice::<Transformation>(&text) else {
        return;
    };
    let nothing = transformation == Transformation::default();
    let rules = rules(of_request, transformation);
    let stages = regular(rules.clone());
    let faults = check(&stages);
    let compiled = RouteRules::new(&RouteTransformations::new(stages));
    assert_eq!(compiled.err().unwrap_or_default(), faults, "in two places");
    for fault in &faults {
        assert!(fault.field.starts_with("regular."), "{fault}");
        assert!(!fault.text.is_empty(), "{fault}");
    }
    let body = input.0;
    let pieces = || input.pieces(seed);
    let mut request = Request::new("POST", "/a/b?q=1")
        .header("x-a", "1")
        .header("content-type", "application/json");
    let mut response = Response::status(200)
        .header("content-type", "application/json")
        .header("x-a", "2");
    match of_request {
        true => request = request.body_frames(pieces()),
        false => response = response.body_frames(pieces()),
    }
    let row = Row::new("fuzz")
        .request(request)
        .answer(response)
        .rules(rules);
    let observed = run_on_fake(&row, protocol, false).expect("a filter without rules");
    assert_eq!(observed.problems, [""; 0]);
    sound::status(observed.status);
    sound::headers(&observed.headers);
    for sent in &observed.sent {
        sound::headers(&sent.headers);
        // A merged body has all that the client's had, and the values that were rendered.
        assert!(sent.body.len() <= 2 * MAX_OUTPUT);
    }
    if !faults.is_empty() {
        // The route cannot be read, so nothing passes as if it said nothing.
        assert_eq!((observed.status, observed.sent.len()), (500, 0));
    } else if nothing {
        let came = match of_request {
            true => &observed.sent[0].body,
            false => &observed.body,
        };
        assert_eq!(came, body);
    }
}

fn rules(of_request: bool, transformation: Transformation) -> Transforms {
    let mut rules = Transforms::default();
    match of_request {
        true => rules.request_transforms.push(RequestRule {
            request_transformation: Some(transformation),
            ..RequestRule::default()
        }),
        false => rules.response_transforms.push(ResponseRule {
            response_transformation: transformation,
            ..ResponseRule::default()
        }),
    }
    rules
}
