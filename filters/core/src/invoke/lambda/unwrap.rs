//! A function's answer, made into HTTP.
//!
//! Gloo's two forms: `unwrapAsApiGateway` (envoy-gloo, `api_gateway_transformer.cc`) and `unwrapAsAlb`
//! (`aws_lambda_filter.cc`). What differs on purpose: values of `set-cookie` stay apart instead of being joined by
//! commas; names and values that would split the response are dropped in both forms; bodies may hold NUL bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::RawValue;

use super::super::header;

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

pub(super) type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Gloo's `unwrapAsApiGateway`. Replaces all headers of the provider's response.
pub(crate) fn api_gateway(answer: &[u8]) -> Unwrapped {
    match read_api_gateway(answer) {
        Ok(unwrapped) => unwrapped,
        Err(message) => Unwrapped {
            status: 500,
            headers: vec![
                ("content-type".into(), "text/plain".into()),
                ("x-amzn-errortype".into(), "500".into()),
            ],
            body: format!("500: {message}").into_bytes(),
            malformed: true,
        },
    }
}

fn read_api_gateway(answer: &[u8]) -> Result<Unwrapped, &'static str> {
    let fields: Fields<'_> =
        serde_json::from_slice(answer).map_err(|_| "failed to parse response body as JSON")?;
    let mut unwrapped = Unwrapped {
        status: 200,
        ..Unwrapped::default()
    };
    if let Some(status) = fields.get("statusCode") {
        unwrapped.status = status
            .get()
            .parse()
            .ok()
            .filter(is_final_status)
            .ok_or("cannot parse non unsigned integer status code")?;
    }
    let object = |name: &str, error| match fields.get(name).filter(|value| !is_null(value)) {
        Some(headers) => read::<Fields<'_>>(headers).ok_or(error),
        None => Ok(Fields::new()),
    };
    let single = object("headers", "invalid headers object")?;
    let several = object("multiValueHeaders", "invalid multiValueHeaders object")?;
    // On the same name the several values win (AWS: "Lambda proxy integrations", output format).
    let winners: BTreeSet<String> = several
        .keys()
        .map(|name| name.to_ascii_lowercase())
        .collect();
    for (name, value) in single {
        if !winners.contains(&name.to_ascii_lowercase()) {
            push(&mut unwrapped.headers, &name, &shown(value));
        }
    }
    for (name, values) in several {
        let values: Vec<&RawValue> = match read(values) {
            Some(values) => values,
            None if values.get().starts_with('{') => {
                return Err("invalid multi header value object");
            }
            None => vec![values],
        };
        for value in values {
            push(&mut unwrapped.headers, &name, &shown(value));
        }
    }
    if is_too_much(&unwrapped.headers) {
        return Err("too many headers");
    }
    unwrapped.body = match fields.get("body") {
        None => b"{}".to_vec(),
        Some(body)
            if fields
                .get("isBase64Encoded")
                .is_some_and(|flag| flag.get() == "true") =>
        {
            BASE64
                .decode(shown(body).as_bytes())
                .map_err(|_| "cannot decode the base64 body")?
        }
        Some(body) => shown(body).into_owned().into_bytes(),
    };
    Ok(unwrapped)
}

/// Gloo's `unwrapAsAlb`. Adds to the headers of the provider's response; `default_status` is that response's.
pub(crate) fn alb(answer: &[u8], default_status: u16) -> Unwrapped {
    read_alb(answer, default_status).unwrap_or(Unwrapped {
        status: 500,
        malformed: true,
        ..Unwrapped::default()
    })
}

fn read_alb(answer: &[u8], default_status: u16) -> Option<Unwrapped> {
    let fields: Fields<'_> = serde_json::from_slice(answer).ok()?;
    let mut unwrapped = Unwrapped {
        status: default_status,
        ..Unwrapped::default()
    };
    if let Some(status) = fields.get("statusCode") {
        let status: f64 = read(status)?;
        // A whole number of three digits, however it is written.
        unwrapped.status = format!("{}", status.trunc())
            .parse()
            .ok()
            .filter(is_final_status)?;
    }
    let encoded = match fields.get("isBase64Encoded") {
        None => false,
        Some(flag) => read::<bool>(flag)?,
    };
    if let Some(body) = fields.get("body").and_then(|body| string(body)) {
        unwrapped.body = if encoded {
            BASE64.decode(body.as_bytes()).ok()?
        } else {
            body.into_owned().into_bytes()
        };
    }
    for (name, value) in fields
        .get("headers")
        .and_then(|headers| read::<Fields<'_>>(headers))
        .unwrap_or_default()
    {
        push(&mut unwrapped.headers, &name, &shown(value));
    }
    let several = fields
        .get("multiValueHeaders")
        .and_then(|headers| read::<Fields<'_>>(headers));
    for (name, values) in several.unwrap_or_default() {
        for value in read::<Vec<&RawValue>>(values).unwrap_or_default() {
            push(&mut unwrapped.headers, &name, &shown(value));
        }
    }
    (!is_too_much(&unwrapped.headers)).then_some(unwrapped)
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
    serde_json::from_str(value.get()).ok()
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
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

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
            is_sound(&api_gateway(&answer));
            is_sound(&alb(&answer, 200));
        }

        #[test]
        fn any_bytes_become_a_sound_response(answer in vec(any::<u8>(), 0..100)) {
            is_sound(&api_gateway(&answer));
            is_sound(&alb(&answer, 200));
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
            let answer = json!({"body": text, "isBase64Encoded": true}).to_string();
            prop_assert_eq!(&api_gateway(answer.as_bytes()).body, &body);
            prop_assert_eq!(&alb(answer.as_bytes(), 200).body, &body);
        }

        #[test]
        fn any_text_comes_back(body in ".{0,100}") {
            let answer = json!({"body": body}).to_string();
            prop_assert_eq!(&api_gateway(answer.as_bytes()).body, body.as_bytes());
            prop_assert_eq!(&alb(answer.as_bytes(), 200).body, body.as_bytes());
        }
    }

    #[test]
    fn white_space_around_a_value_is_no_part_of_it() {
        let answer = br#"{"headers":{"x-a":" \t a b "},"multiValueHeaders":{"x-b":["\tc ", " "]}}"#;
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [of("x-a", "a b"), of("x-b", "c"), of("x-b", "")];
        assert_eq!(api_gateway(answer).headers, expected);
        assert_eq!(alb(answer, 200).headers, expected);
    }

    #[test]
    fn headers_beyond_what_envoy_takes_make_an_answer_malformed() {
        let with = |length: usize| {
            let value = "x".repeat(length);
            format!(r#"{{"headers":{{"x-a":"{value}"}}}}"#).into_bytes()
        };
        for (length, malformed) in [
            (MOST_HEADER_BYTES - 3, false),
            (MOST_HEADER_BYTES - 2, true),
        ] {
            assert_eq!(api_gateway(&with(length)).malformed, malformed, "{length}");
            assert_eq!(alb(&with(length), 200).malformed, malformed, "{length}");
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
        let answer = format!(r#"{{"headers":{{{single}}},"multiValueHeaders":{{{several}}}}}"#);
        assert!(api_gateway(answer.as_bytes()).malformed);
    }

    #[test]
    fn depth_does_no_harm() {
        let deep = "[".repeat(1 << 20);
        assert!(api_gateway(format!(r#"{{"body":{deep}"#).as_bytes()).malformed);
        let closed = "]".repeat(1 << 20);
        let unwrapped = api_gateway(format!(r#"{{"body":{deep}{closed}}}"#).as_bytes());
        assert_eq!(unwrapped.body.len(), 2 << 20);
    }
}
