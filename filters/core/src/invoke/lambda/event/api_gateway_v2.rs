//! The event of an HTTP API and of a function URL.
//!
//! AWS: "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", payload format 2.0, and "Invoking Lambda
//! function URLs", which say the same of it, but for `rawPath`: an HTTP API decodes it, a function URL leaves it as the
//! client sent it. It is left here, so that an encoded slash or question mark stays one.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use tenon_contract::Sorted;

use super::query::{form_decode, pairs};
use super::request::Request;
use super::{Last, body};

/// The route where none has a template, and the stage.
const DEFAULT: &str = "$default";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    version: &'static str,
    route_key: Cow<'a, str>,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<Cow<'a, str>>,
    headers: Last<'a>,
    #[serde(skip_serializing_if = "Sorted::is_empty")]
    query_string_parameters: Last<'a>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<Sorted<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
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
    http: Http<'a>,
    request_id: Cow<'a, str>,
    route_key: Cow<'a, str>,
    stage: &'static str,
    time: String,
    time_epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: Cow<'a, str>,
    path: &'a str,
    protocol: &'a str,
    source_ip: Option<IpAddr>,
    user_agent: Cow<'a, str>,
}

impl<'a> Event<'a> {
    pub(super) fn new(request: &'a Request<'a>, body: &'a [u8]) -> Self {
        let domain_name = request.domain_name();
        let route_key = match request.resource() {
            Some(resource) => Cow::Owned(format!("{} {resource}", request.method())),
            None => Cow::Borrowed(DEFAULT),
        };
        let request_context = RequestContext {
            // As a function URL without authorisation has it.
            account_id: request.account().unwrap_or("anonymous"),
            api_id: request.api_id(),
            domain_prefix: Request::domain_prefix(&domain_name).to_owned(),
            domain_name,
            http: Http {
                method: request.method(),
                path: &request.path,
                protocol: request.protocol(),
                source_ip: request.source_ip(),
                user_agent: request.header(b"user-agent").unwrap_or_default(),
            },
            request_id: request.id(),
            route_key: route_key.clone(),
            stage: DEFAULT,
            time: request.time(),
            time_epoch: request.epoch(),
        };
        let mut headers = request.headers();
        let cookies = headers.remove("cookie").unwrap_or_default();
        let (body, is_base64_encoded) =
            body::encode(request.call, request.client, &body::TEXTUAL, body);
        Self {
            version: "2.0",
            route_key,
            raw_path: &request.path,
            raw_query_string: &request.query,
            cookies: cookies.iter().flat_map(split_cookies).collect(),
            headers: headers.into_iter().map(join).collect(),
            query_string_parameters: parameters(&request.query),
            request_context,
            path_parameters: request.path_parameters(),
            body,
            is_base64_encoded,
        }
    }
}

fn join<'a>((name, mut values): (Cow<'a, str>, Vec<Cow<'a, str>>)) -> (Cow<'a, str>, Cow<'a, str>) {
    match &mut values[..] {
        [value] => (name, std::mem::take(value)),
        values => (name, Cow::Owned(values.join(","))),
    }
}

/// RFC 6265, 5.4: `a=1; b=2`.
fn split_cookies<'a>(header: &Cow<'a, str>) -> Vec<Cow<'a, str>> {
    let own = |cookie: &str| Cow::Owned(cookie.to_owned());
    let split = |text: &'a str| {
        let all = text.split(';').map(str::trim);
        all.filter(|cookie| !cookie.is_empty())
            .map(Cow::Borrowed)
            .collect()
    };
    match header {
        Cow::Borrowed(text) => split(text),
        Cow::Owned(text) => {
            let all = text.split(';').map(str::trim);
            all.filter(|cookie| !cookie.is_empty()).map(own).collect()
        }
    }
}

/// Decoded; several values of one name are joined by commas.
fn parameters(query: &str) -> Last<'_> {
    let all = pairs(query).map(|(name, value)| (form_decode(name), form_decode(value)));
    Sorted::group(all).into_iter().map(join).collect()
}
