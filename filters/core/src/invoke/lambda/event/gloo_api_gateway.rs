//! Gloo's `wrapAsApiGateway`: API Gateway's event of version 1.0 as Gloo sends it, where every header and query parameter
//! is also in the `multiValue…` form.

use std::borrow::Cow;

use serde::Serialize;

use super::super::super::snapshot::Snapshot;
use super::super::Call;
use super::{Last, Multi, body, client_path, decoded, headers, last, text};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiGateway<'a> {
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
    pub(super) fn new(call: &Call, client: &'a Snapshot, body: &'a [u8]) -> Self {
        let (path, query) = client_path(call, client);
        // API Gateway shows the host as a header and no other pseudo-header.
        let headers = headers(client, |plain| {
            (plain == "authority").then_some(Cow::Borrowed("host"))
        });
        let parameters = decoded(&query);
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
        let (body, is_base64_encoded) = body::encode(call, client, &body::TEXTUAL, body);
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
