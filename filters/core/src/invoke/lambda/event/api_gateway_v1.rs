//! The event of a REST API.
//!
//! AWS: "Lambda proxy integrations in API Gateway", "Input format of a Lambda function for proxy integration", and payload
//! format 1.0 of "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", whose `version` and lower-case names
//! of headers it has. The path stays encoded; parameters of the query are decoded.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use tenon_contract::Sorted;

use super::query::{form_decode, pairs};
use super::request::Request;
use super::{Last, Multi, body, last};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    version: &'static str,
    resource: &'a str,
    path: &'a str,
    http_method: Cow<'a, str>,
    headers: Last<'a>,
    multi_value_headers: Multi<'a>,
    query_string_parameters: Option<Last<'a>>,
    multi_value_query_string_parameters: Option<Multi<'a>>,
    request_context: RequestContext<'a>,
    path_parameters: Option<Sorted<&'a str, &'a str>>,
    stage_variables: Option<()>,
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: Cow<'a, str>,
    domain_prefix: String,
    extended_request_id: Cow<'a, str>,
    http_method: Cow<'a, str>,
    identity: Identity<'a>,
    path: &'a str,
    protocol: &'a str,
    request_id: Cow<'a, str>,
    request_time: String,
    request_time_epoch: u64,
    resource_id: Option<()>,
    resource_path: &'a str,
    stage: &'static str,
}

/// Who asks. What API Gateway knows by authorisation is `null`, as it is there where none is set up.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    access_key: Option<()>,
    account_id: Option<()>,
    api_key: Option<()>,
    caller: Option<()>,
    cognito_authentication_provider: Option<()>,
    cognito_authentication_type: Option<()>,
    cognito_identity_id: Option<()>,
    cognito_identity_pool_id: Option<()>,
    principal_org_id: Option<()>,
    source_ip: Option<IpAddr>,
    user: Option<()>,
    user_agent: Option<Cow<'a, str>>,
    user_arn: Option<()>,
}

impl<'a> Event<'a> {
    pub(super) fn new(request: &'a Request<'a>, body: &'a [u8]) -> Self {
        let domain_name = request.domain_name();
        let resource = request.resource().unwrap_or(&request.path);
        let request_context = RequestContext {
            account_id: request.account().unwrap_or("anonymous"),
            api_id: request.api_id(),
            domain_prefix: Request::domain_prefix(&domain_name).to_owned(),
            domain_name,
            extended_request_id: request.id(),
            http_method: request.method(),
            identity: Identity {
                access_key: None,
                account_id: None,
                api_key: None,
                caller: None,
                cognito_authentication_provider: None,
                cognito_authentication_type: None,
                cognito_identity_id: None,
                cognito_identity_pool_id: None,
                principal_org_id: None,
                source_ip: request.source_ip(),
                user: None,
                user_agent: request.header(b"user-agent"),
                user_arn: None,
            },
            path: &request.path,
            protocol: request.protocol(),
            request_id: request.id(),
            request_time: request.time(),
            request_time_epoch: request.epoch(),
            resource_id: None,
            resource_path: resource,
            stage: "$default",
        };
        let headers = request.headers();
        let parameters = parameters(&request.query);
        let (body, is_base64_encoded) =
            body::encode(request.call, request.client, &body::TEXTUAL, body);
        Self {
            version: "1.0",
            resource,
            path: &request.path,
            http_method: request.method(),
            headers: last(&headers),
            multi_value_headers: headers,
            query_string_parameters: Some(last(&parameters)).filter(|all| !all.is_empty()),
            multi_value_query_string_parameters: Some(parameters).filter(|all| !all.is_empty()),
            request_context,
            path_parameters: request.path_parameters(),
            stage_variables: None,
            body,
            is_base64_encoded,
        }
    }
}

fn parameters(query: &str) -> Multi<'_> {
    Sorted::group(pairs(query).map(|(name, value)| (form_decode(name), form_decode(value))))
}
