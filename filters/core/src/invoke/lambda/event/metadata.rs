//! Gloo's `requestTransformation` (`body_header_transformer.cc` of envoy-gloo): sorted keys, the last of several values,
//! the several only where there are several, pseudo-headers among the headers.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::super::super::snapshot::Snapshot;
use super::super::Call;
use super::{Last, Multi, client_path, decoded, headers, last, text};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
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
    pub(super) fn new(call: &Call, client: &'a Snapshot, body: &'a [u8]) -> Self {
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
        let parameters = decoded(&query);
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

fn repeated(mut all: Multi<'_>) -> Multi<'_> {
    all.retain(|_, values| values.len() > 1);
    all
}
