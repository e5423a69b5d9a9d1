//! The event of an Application Load Balancer.
//!
//! AWS: "Use Lambda functions as targets of an Application Load Balancer". Neither path nor query are decoded. A target
//! group has multi-value headers or has not, and its events have the one form or the other, never both.

use std::borrow::Cow;

use serde::Serialize;
use tenon_contract::Sorted;

use super::query::pairs;
use super::request::Request;
use super::{Last, Multi, body, last};

/// The types that the load balancer takes for text.
const TEXTUAL: [&str; 4] = [
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
];

/// Of a target group without multi-value headers: the last value counts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Single<'a> {
    request_context: RequestContext,
    http_method: Cow<'a, str>,
    path: &'a str,
    query_string_parameters: Last<'a>,
    headers: Last<'a>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
}

/// Of a target group with multi-value headers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Multiple<'a> {
    request_context: RequestContext,
    http_method: Cow<'a, str>,
    path: &'a str,
    multi_value_query_string_parameters: Multi<'a>,
    multi_value_headers: Multi<'a>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
struct RequestContext {
    elb: Elb,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Elb {
    target_group_arn: String,
}

impl<'a> Single<'a> {
    pub(super) fn new(request: &'a Request<'a>, body: &'a [u8]) -> Self {
        let (body, is_base64_encoded) = encode(request, body);
        Self {
            request_context: RequestContext::new(request),
            http_method: request.method(),
            path: &request.path,
            query_string_parameters: last(&parameters(&request.query)),
            headers: last(&request.headers()),
            body,
            is_base64_encoded,
        }
    }
}

impl<'a> Multiple<'a> {
    pub(super) fn new(request: &'a Request<'a>, body: &'a [u8]) -> Self {
        let (body, is_base64_encoded) = encode(request, body);
        Self {
            request_context: RequestContext::new(request),
            http_method: request.method(),
            path: &request.path,
            multi_value_query_string_parameters: parameters(&request.query),
            multi_value_headers: request.headers(),
            body,
            is_base64_encoded,
        }
    }
}

impl RequestContext {
    fn new(request: &Request<'_>) -> Self {
        let target_group_arn = request.target_group();
        Self {
            elb: Elb { target_group_arn },
        }
    }
}

fn encode<'a>(request: &Request<'_>, body: &'a [u8]) -> (Cow<'a, str>, bool) {
    let (body, is_base64_encoded) = body::encode(request.call, request.client, &TEXTUAL, body);
    (body.unwrap_or_default(), is_base64_encoded)
}

fn parameters(query: &str) -> Multi<'_> {
    let own = |(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value));
    Sorted::group(pairs(query).map(own))
}
