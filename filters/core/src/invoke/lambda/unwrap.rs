//! A function's answer, made into HTTP: [`gloo`]'s forms and [`aws`]'s own.
//!
//! In all of them, names and values that would split the response are dropped, and headers that are the gateway's to set.

use std::borrow::Cow;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::RawValue;
use tenon_contract::{ResponseShape, Sorted};

use super::super::header;

mod aws;
mod gloo;

/// An answer as HTTP.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unwrapped {
    pub(crate) status: u16,
    /// In the order of the function's JSON, names in lower case, all valid.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The function's answer was not of the shape.
    pub(crate) malformed: bool,
}

pub(super) type Fields<'a> = Sorted<Cow<'a, str>, &'a RawValue>;

pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Makes a response of an answer. `status` is the provider's own, which Gloo's form of the load balancer keeps where the
/// function sets none; the other shapes do not look at it.
pub(crate) fn unwrap(shape: ResponseShape, answer: &[u8], status: u16) -> Unwrapped {
    match shape {
        ResponseShape::Alb => gloo::alb(answer, status),
        ResponseShape::ApiGateway => gloo::api_gateway(answer),
        ResponseShape::ApiGatewayV1 => aws::api_gateway_v1(answer),
        ResponseShape::ApiGatewayV2 => aws::api_gateway_v2(answer),
        ResponseShape::LoadBalancer => aws::load_balancer(answer, "headers"),
        ResponseShape::LoadBalancerMultiValue => aws::load_balancer(answer, "multiValueHeaders"),
        // Nobody asks: such an answer is passed on as it is.
        ResponseShape::Body => Unwrapped {
            status,
            body: answer.to_owned(),
            ..Unwrapped::default()
        },
    }
}

/// Whether the provider's own headers stay beside the function's.
pub(crate) fn keeps_headers(shape: ResponseShape) -> bool {
    matches!(shape, ResponseShape::Alb | ResponseShape::Body)
}

/// The `Reason` of a throttled call's body, if it may be a header's value.
pub(crate) fn throttle_reason(answer: &[u8]) -> Option<String> {
    let fields: Fields<'_> = serde_json::from_slice(answer).ok()?;
    let reason = string(fields.get("Reason")?)?;
    header::is_value(reason.as_bytes()).then(|| reason.into_owned())
}

pub(super) fn is_final_status(status: &u16) -> bool {
    (200..=599).contains(status)
}

pub(super) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

pub(super) fn read<'a, T: serde::Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_slice(value.get().as_bytes()).ok()
}

fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    // `Cow` itself always copies in serde.
    #[derive(serde::Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    read(value).map(|Text(text)| text)
}

/// A string as its text, anything else as its JSON.
pub(super) fn shown(value: &RawValue) -> Cow<'_, str> {
    string(value).unwrap_or(Cow::Borrowed(value.get()))
}

/// What Envoy takes of an upstream's response headers unless it is told otherwise (`max_response_headers_kb`).
const MOST_HEADER_BYTES: usize = 60 * 1024;

pub(super) fn is_too_much(headers: &[(String, String)]) -> bool {
    let bytes = |(name, value): &(String, String)| name.len() + value.len();
    headers.iter().map(bytes).sum::<usize>() > MOST_HEADER_BYTES
}

pub(super) fn push(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    let name = name.to_ascii_lowercase();
    // RFC 9113, 8.2.1: an HTTP/2 client resets a response with a value that begins or ends with white space.
    let value = value.trim_matches([' ', '\t']);
    if header::may_be_set_by_function(&name) && header::is_value(value.as_bytes()) {
        headers.push((name, value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const SHAPES: [ResponseShape; 6] = [
        ResponseShape::ApiGateway,
        ResponseShape::Alb,
        ResponseShape::ApiGatewayV1,
        ResponseShape::ApiGatewayV2,
        ResponseShape::LoadBalancer,
        ResponseShape::LoadBalancerMultiValue,
    ];

    fn all(answer: &[u8]) -> impl Iterator<Item = (ResponseShape, Unwrapped)> {
        SHAPES
            .map(|shape| (shape, unwrap(shape, answer, 200)))
            .into_iter()
    }

    /// JSON that looks like an answer, more or less.
    fn answer() -> impl Strategy<Value = Vec<u8>> {
        let text = prop_oneof![
            ".{0,8}",
            "[a-z]{1,4}(\r\n|\n|\0| |:)[a-z]{1,4}",
            Just("content-length".to_owned()),
            Just("Transfer-Encoding".to_owned()),
            Just("X-Tenon-Error".to_owned()),
            Just(":status".to_owned()),
            Just("AP8K".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0..1000_u64).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                vec((text.clone(), inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        });
        let field = prop_oneof![
            Just("statusCode"),
            Just("headers"),
            Just("multiValueHeaders"),
            Just("body"),
            Just("isBase64Encoded"),
            Just("else"),
        ];
        vec((field, value), 0..6).prop_map(|fields| {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Value::Object(fields.collect()).to_string().into_bytes()
        })
    }

    fn is_sound(unwrapped: &Unwrapped) {
        assert!((200..=599).contains(&unwrapped.status), "{unwrapped:?}");
        for (name, value) in &unwrapped.headers {
            // Not in the words of the code under test.
            let token = |c: char| {
                c.is_ascii_graphic()
                    && !"\"(),/:;<=>?@[\\]{}".contains(c)
                    && !c.is_ascii_uppercase()
            };
            assert!(!name.is_empty() && name.chars().all(token), "{unwrapped:?}");
            assert!(!value.contains(['\r', '\n', '\0']), "{unwrapped:?}");
            assert!(
                !name.starts_with("x-tenon-")
                    && name != "content-length"
                    && name != "transfer-encoding",
                "{unwrapped:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_answer_becomes_a_sound_response(answer in answer()) {
            for (_, unwrapped) in all(&answer) {
                is_sound(&unwrapped);
            }
        }

        #[test]
        fn any_bytes_become_a_sound_response(answer in vec(any::<u8>(), 0..100)) {
            for (_, unwrapped) in all(&answer) {
                is_sound(&unwrapped);
            }
            if let Some(reason) = throttle_reason(&answer) {
                prop_assert!(header::is_value(reason.as_bytes()));
            }
        }

        #[test]
        fn any_body_comes_back(body in vec(any::<u8>(), 0..100), padded in any::<bool>()) {
            let mut text = BASE64.encode(&body);
            if !padded {
                text.truncate(text.trim_end_matches('=').len());
            }
            let answer = json!({"statusCode": 200, "body": text, "isBase64Encoded": true});
            for (shape, unwrapped) in all(answer.to_string().as_bytes()) {
                prop_assert_eq!(&unwrapped.body, &body, "{:?}", shape);
            }
        }

        #[test]
        fn any_text_comes_back(body in ".{0,100}") {
            let answer = json!({"statusCode": 200, "body": body});
            for (shape, unwrapped) in all(answer.to_string().as_bytes()) {
                prop_assert_eq!(&unwrapped.body, body.as_bytes(), "{:?}", shape);
            }
        }
    }

    #[test]
    fn white_space_around_a_value_is_no_part_of_it() {
        let answer = br#"{"headers":{"x-a":" \t a b "},"multiValueHeaders":{"x-b":["\tc ", " "]}}"#;
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [of("x-a", "a b"), of("x-b", "c"), of("x-b", "")];
        for shape in [ResponseShape::ApiGateway, ResponseShape::Alb] {
            assert_eq!(unwrap(shape, answer, 200).headers, expected);
        }
    }

    #[test]
    fn headers_beyond_what_envoy_takes_make_an_answer_malformed() {
        let with = |length: usize| {
            let value = "x".repeat(length);
            format!(
                r#"{{"statusCode":204,"headers":{{"x-a":"{value}"}},"multiValueHeaders":{{"x-a":["{value}"]}}}}"#
            )
            .into_bytes()
        };
        // Both fields count in Gloo's form of the load balancer.
        for (length, malformed) in [
            (MOST_HEADER_BYTES / 2 - 3, false),
            (MOST_HEADER_BYTES - 2, true),
        ] {
            for (shape, unwrapped) in all(&with(length)) {
                assert_eq!(unwrapped.malformed, malformed, "{shape:?} {length}");
            }
        }
    }

    /// A search for each name among all others would keep a worker busy for minutes.
    #[test]
    fn an_answer_of_many_headers_is_read_in_time_that_grows_with_it() {
        let fields = |prefix: &str| {
            let all: Vec<String> = (0..200_000)
                .map(|i| format!(r#""{prefix}{i}":"""#))
                .collect();
            all.join(",")
        };
        let (single, several) = (fields("a"), fields("b"));
        let answer = format!(
            r#"{{"statusCode":200,"headers":{{{single}}},"multiValueHeaders":{{{several}}}}}"#
        );
        for (shape, unwrapped) in all(answer.as_bytes()) {
            assert!(unwrapped.malformed, "{shape:?}");
        }
    }

    #[test]
    fn depth_does_no_harm() {
        let deep = "[".repeat(1 << 20);
        for (shape, unwrapped) in all(format!(r#"{{"body":{deep}"#).as_bytes()) {
            assert!(unwrapped.malformed, "{shape:?}");
        }
        let closed = "]".repeat(1 << 20);
        let whole = format!(r#"{{"body":{deep}{closed}}}"#);
        let unwrapped = unwrap(ResponseShape::ApiGateway, whole.as_bytes(), 200);
        assert_eq!(unwrapped.body.len(), 2 << 20);
        let bare = unwrap(ResponseShape::ApiGatewayV2, whole.as_bytes(), 200);
        assert_eq!(bare.body, whole.as_bytes());
    }
}
