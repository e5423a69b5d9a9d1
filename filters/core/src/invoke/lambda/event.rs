//! The JSON that a function is given.
//!
//! * Gloo's `requestTransformation` (`body_header_transformer.cc` of envoy-gloo): sorted keys, the last of several
//!   values, the several only where there are several, pseudo-headers among the headers.
//! * Gloo's `wrapAsApiGateway`: API Gateway's event of version 1.0
//!   (AWS: "Create AWS Lambda proxy integrations for HTTP APIs", payload format 1.0), where every header and query
//!   parameter is also in the `multiValue…` form.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::super::header;
use super::super::snapshot::Snapshot;
use super::Call;
use tenon_contract::RequestShape;

/// Whether the body is replaced by an event, which shows all headers of the request.
pub(crate) fn is_built(call: &Call) -> bool {
    call.aws.request != RequestShape::Body
}

/// Builds the event of a call; `None` where the body is passed as it is.
pub(crate) fn build(call: &Call, client: &Snapshot, body: &[u8]) -> Option<Vec<u8>> {
    let event = match call.aws.request {
        RequestShape::Body => return None,
        RequestShape::Metadata => serde_json::to_vec(&Metadata::new(call, client, body)),
        RequestShape::ApiGateway => serde_json::to_vec(&ApiGateway::new(call, client, body)),
    };
    // Strings, maps of strings and numbers always serialise.
    event.ok()
}

/// The client's path and query: the router's, or the one before the route's own rewrite.
pub(crate) fn client_path<'a>(call: &Call, client: &'a Snapshot) -> (Cow<'a, str>, Cow<'a, str>) {
    let rewritten = || {
        client
            .headers()
            .find(|(name, _)| *name == b"x-envoy-original-path")
            .map(|(_, value)| value)
    };
    let whole = call
        .rewrites_path
        .then(rewritten)
        .flatten()
        .unwrap_or(client.path());
    let cut = whole.iter().position(|byte| *byte == b'?');
    let (path, query) = match cut {
        Some(cut) => (whole.get(..cut), whole.get(cut + 1..)),
        None => (Some(whole), None),
    };
    (
        String::from_utf8_lossy(path.unwrap_or_default()),
        String::from_utf8_lossy(query.unwrap_or_default()),
    )
}

type Last<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;
type Multi<'a> = BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>;

fn last<'a>(all: &Multi<'a>) -> Last<'a> {
    all.iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())))
        .collect()
}

fn repeated(mut all: Multi<'_>) -> Multi<'_> {
    all.retain(|_, values| values.len() > 1);
    all
}

fn query_parameters(query: &str) -> Multi<'_> {
    let mut all = Multi::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.entry(percent_decode(name))
            .or_default()
            .push(percent_decode(value));
    }
    all
}

/// Decodes `%XX`; `+` stays. What is no encoding stays as it is; what is no UTF-8 then becomes U+FFFD.
fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (
            byte,
            ahead.next().and_then(hex_digit),
            ahead.next().and_then(hex_digit),
        ) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Headers as an event shows them. Where the route rewrites, `:path` is still the client's.
fn headers<'a>(client: &'a Snapshot, pseudo: impl Fn(&str) -> Option<Cow<'a, str>>) -> Multi<'a> {
    let mut all = Multi::new();
    for (name, value) in client.headers() {
        if header::is_hidden_from_events(name) {
            continue;
        }
        let name = text(name);
        match name.strip_prefix(':') {
            None => all.entry(name).or_default().push(text(value)),
            Some(plain) => {
                if let Some(shown) = pseudo(plain) {
                    let value = if plain == "path" {
                        shown.clone()
                    } else {
                        text(value)
                    };
                    let name = if plain == "path" { name } else { shown };
                    all.entry(name).or_default().push(value);
                }
            }
        }
    }
    all
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    headers: Last<'a>,
    http_method: Cow<'a, str>,
    /// Not in Gloo's shape: only there where the body is no text, which Gloo could not pass on at all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_base64_encoded: bool,
    multi_value_headers: Multi<'a>,
    multi_value_query_string_parameters: Multi<'a>,
    path: Cow<'a, str>,
    query_string: Cow<'a, str>,
    query_string_parameters: Last<'a>,
}

impl<'a> Metadata<'a> {
    fn new(call: &Call, client: &'a Snapshot, body: &'a [u8]) -> Self {
        let (path, query) = client_path(call, client);
        let whole = if query.is_empty() {
            path.clone()
        } else {
            Cow::Owned(format!("{path}?{query}"))
        };
        let headers = headers(client, |plain| match plain {
            "path" => Some(whole.clone()),
            other => Some(Cow::Owned(format!(":{other}"))),
        });
        let parameters = owned(query_parameters(&query));
        let (body, is_base64_encoded) = match std::str::from_utf8(body) {
            Ok("") => (None, false),
            Ok(body) => (Some(Cow::Borrowed(body)), false),
            Err(_) => (Some(Cow::Owned(BASE64.encode(body))), true),
        };
        Self {
            body,
            headers: last(&headers),
            http_method: text(client.method()),
            is_base64_encoded,
            multi_value_headers: repeated(headers),
            query_string_parameters: last(&parameters),
            multi_value_query_string_parameters: repeated(parameters),
            path,
            query_string: query,
        }
    }
}

fn owned<'b>(all: Multi<'_>) -> Multi<'b> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    all.into_iter()
        .map(|(name, values)| (own(name), values.into_iter().map(own).collect()))
        .collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiGateway<'a> {
    version: &'static str,
    resource: Cow<'a, str>,
    path: Cow<'a, str>,
    http_method: Cow<'a, str>,
    headers: Option<Last<'a>>,
    multi_value_headers: Option<Multi<'a>>,
    query_string_parameters: Option<Last<'a>>,
    multi_value_query_string_parameters: Option<Multi<'a>>,
    path_parameters: Option<()>,
    stage_variables: Option<()>,
    request_context: RequestContext<'a>,
    route_key: String,
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    http_method: Cow<'a, str>,
    path: Cow<'a, str>,
    protocol: &'static str,
    resource_path: Cow<'a, str>,
    request_id: Option<Cow<'a, str>>,
    request_time: String,
    request_time_epoch: u64,
    domain_name: Cow<'a, str>,
    identity: Identity<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    source_ip: Option<Cow<'a, str>>,
    user_agent: Option<Cow<'a, str>>,
}

impl<'a> ApiGateway<'a> {
    fn new(call: &Call, client: &'a Snapshot, body: &'a [u8]) -> Self {
        let (path, query) = client_path(call, client);
        // API Gateway shows the host as a header and no other pseudo-header.
        let headers = headers(client, |plain| {
            (plain == "authority").then_some(Cow::Borrowed("host"))
        });
        let parameters = owned(query_parameters(&query));
        let method = text(client.method());
        let first = |name: &str| headers.get(name).and_then(|values| values.first()).cloned();
        let request_context = RequestContext {
            http_method: method.clone(),
            path: path.clone(),
            protocol: "HTTP/1.1",
            resource_path: path.clone(),
            request_id: first("x-request-id"),
            request_time: crate::sign::common_log(client.time()),
            request_time_epoch: u64::try_from(client.time().as_millis()).unwrap_or(u64::MAX),
            domain_name: text(client.host()),
            identity: Identity {
                // The address that Envoy itself saw is the last one.
                source_ip: first("x-forwarded-for").and_then(|all| {
                    all.rsplit(',')
                        .next()
                        .map(|last| Cow::Owned(last.trim().to_owned()))
                }),
                user_agent: first("user-agent"),
            },
        };
        let (body, is_base64_encoded) = encode_body(call, client, body);
        Self {
            version: "1.0",
            resource: path.clone(),
            path,
            route_key: format!("{method} {}", request_context.path),
            http_method: method,
            headers: some(last(&headers)),
            multi_value_headers: Some(headers).filter(|all| !all.is_empty()),
            query_string_parameters: some(last(&parameters)),
            multi_value_query_string_parameters: Some(parameters).filter(|all| !all.is_empty()),
            path_parameters: None,
            stage_variables: None,
            request_context,
            body,
            is_base64_encoded,
        }
    }
}

fn some(all: Last<'_>) -> Option<Last<'_>> {
    Some(all).filter(|all| !all.is_empty())
}

/// A body as an event's string: text where it is UTF-8, of a textual type and not encoded, else base64.
fn encode_body<'a>(call: &Call, client: &Snapshot, body: &'a [u8]) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let encoded = client
        .headers()
        .any(|(name, value)| name == b"content-encoding" && value != b"identity");
    let content_type = text(client.content_type().unwrap_or_default());
    let textual = !encoded && is_textual(&content_type, &call.aws.text_content_types);
    match std::str::from_utf8(body) {
        Ok(body) if textual => (Some(Cow::Borrowed(body)), false),
        _ => (Some(Cow::Owned(BASE64.encode(body))), true),
    }
}

const TEXTUAL: [&str; 9] = [
    "text/*",
    "*/*+json",
    "*/*+xml",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/graphql",
    // A body without a type that is UTF-8 is text, as curl's and most scripts' are.
    "",
];

fn is_textual(content_type: &str, patterns: &[String]) -> bool {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if patterns.is_empty() {
        return TEXTUAL
            .iter()
            .any(|pattern| matches_type(pattern, &essence));
    }
    patterns
        .iter()
        .any(|pattern| matches_type(&pattern.to_ascii_lowercase(), &essence))
}

fn matches_type(pattern: &str, essence: &str) -> bool {
    if let Some(suffix) = pattern.strip_prefix("*/*") {
        return suffix.is_empty() || essence.ends_with(suffix);
    }
    match pattern.strip_suffix('*') {
        Some(prefix) => essence.starts_with(prefix),
        None => pattern == essence,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::Value;
    use tenon_contract::AwsCall;

    use super::*;

    fn event(shape: RequestShape, client: &[(&str, Vec<u8>)], body: &[u8]) -> Value {
        let mut aws = AwsCall::new("f");
        aws.request = shape;
        let call = Call::compile(aws, false).unwrap();
        let event = build(&call, &Snapshot::of(client), body).unwrap();
        serde_json::from_slice(&event).unwrap()
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

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_request_becomes_an_event_that_holds_its_body(client in client(), body in vec(any::<u8>(), 0..60)) {
            for shape in [RequestShape::Metadata, RequestShape::ApiGateway] {
                let event = event(shape, &client, &body);
                prop_assert_eq!(body_of(&event), &*body);
                prop_assert_eq!(&event["httpMethod"], "POST");
                for hidden in ["te", "x-envoy-original-path"] {
                    prop_assert!(event["headers"].get(hidden).is_none());
                }
            }
        }

        #[test]
        fn any_text_is_carried_as_it_is(body in ".{1,60}") {
            for shape in [RequestShape::Metadata, RequestShape::ApiGateway] {
                let event = event(shape, &[(":method", b"POST".to_vec())], body.as_bytes());
                prop_assert_eq!(event["body"].as_str(), Some(&*body));
            }
        }
    }

    #[test]
    fn percent_decoding_leaves_what_is_no_encoding() {
        for (text, decoded) in [
            ("a%20b", "a b"),
            ("100%", "100%"),
            ("%zz%2", "%zz%2"),
            ("a+b", "a+b"),
            ("%C3%BC", "\u{fc}"),
        ] {
            assert_eq!(percent_decode(text), decoded);
        }
    }

    #[test]
    fn textual_types_ignore_parameters_and_case() {
        let own = vec!["application/x-ndjson".to_owned()];
        for (content_type, patterns, expected) in [
            ("application/json; charset=utf-8", &[][..], true),
            ("Text/HTML", &[], true),
            ("application/vnd.api+json", &[], true),
            ("", &[], true),
            ("application/octet-stream", &[], false),
            ("image/png", &[], false),
            ("application/x-ndjson", &own, true),
            ("application/json", &own, false),
        ] {
            assert_eq!(
                is_textual(content_type, patterns),
                expected,
                "{content_type}"
            );
        }
    }
}
