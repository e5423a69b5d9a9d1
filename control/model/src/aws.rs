//! AWS Lambda: the upstream, and what a route says of a call.

use std::net::IpAddr;

use tenon_contract::UrlAuthType;
use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::function_matcher::{self, FunctionMatcher};
use crate::read::{Fields, Node, Read, ReadFields};
use crate::schema::{Object, Schema};
use crate::upstream::is_host_name;

/// AWS Lambda in one region.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = upstream)]
pub struct AwsUpstream {
    /// The region.
    #[read(with = region)]
    pub region: String,
    /// The Secret with the keys; AWS's default chain where it is left out.
    #[read(name = "secretRef")]
    pub secret: Option<ObjectRef>,
    /// The functions that routes may name.
    #[read(name = "lambdaFunctions")]
    pub functions: Vec<LambdaFunction>,
    /// A role to assume.
    #[read(with = role)]
    pub role_arn: Option<String>,
    /// The account that the functions belong to, where it is another one.
    #[read(name = "awsAccountId", with = account)]
    pub account_id: Option<String>,
    /// Whether the role is assumed straight from the web identity.
    pub disable_role_chaining: bool,
    /// How functions are called where neither the destination nor `destinationOverrides` say it.
    #[read(flatten)]
    pub call: AwsCall,
    /// What holds for every destination that does not say otherwise.
    #[read(name = "destinationOverrides", default)]
    pub overrides: AwsDestination,
    /// Where the Lambda API is, if not at AWS's public address.
    #[read(name = "endpointUrl")]
    pub endpoint: Option<Endpoint>,
}

/// A function, by the name that routes call it.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = function)]
pub struct LambdaFunction {
    /// The name that routes call it.
    #[read(with = Node::non_empty)]
    pub logical_name: String,
    /// Its name at AWS; of no use where it is called by its URL.
    #[read(name = "lambdaFunctionName", default, with = function_name)]
    pub name: String,
    /// Version or alias.
    #[read(with = qualifier)]
    pub qualifier: Option<String>,
    /// Its own URL, by which it is called, if it has one.
    #[read(flatten)]
    pub url: Option<FunctionUrl>,
    /// Which requests it is for, where the route names no function.
    pub matchers: Vec<FunctionMatcher>,
}

/// In what shape a function is asked and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum Payload {
    /// The bodies as they are.
    Raw,
    /// API Gateway's payload format 1.0.
    #[read(name = "API_GATEWAY_V1")]
    ApiGatewayV1,
    /// API Gateway's payload format 2.0.
    #[read(name = "API_GATEWAY_V2")]
    ApiGatewayV2,
    /// An Application Load Balancer's.
    Alb,
    /// The same, with multi-value headers.
    AlbMultiValue,
}

/// A function's own URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUrl {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Who may call it.
    pub auth_type: UrlAuthType,
}

/// Who may call a function by its URL.
#[derive(Clone, Copy, Read)]
#[read(into = UrlAuthType)]
enum FunctionUrlAuthType {
    /// Who signs as AWS wants it.
    #[read(name = "AWS_IAM")]
    AwsIam,
    /// Anybody.
    None,
}

/// How Lambda runs a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum InvocationStyle {
    /// Its answer is waited for.
    Sync,
    /// It is queued.
    Async,
    /// It is not run, only checked for whether it could be.
    DryRun,
    /// Its answer is sent on as it comes.
    Streaming,
}

/// How a function is called: what Gloo has not. What is left out, others say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct AwsCall {
    /// The shape of event and answer; excludes `requestTransformation`, `wrapAsApiGateway`, `unwrapAsApiGateway` and
    /// `unwrapAsAlb`.
    pub payload: Option<Payload>,
    /// How Lambda runs it.
    pub invocation_style: Option<InvocationStyle>,
    /// Whether the tail of the function's log is asked for, and logged.
    pub log_tail: Option<bool>,
    /// The status that a client gets for a failed function; 504 where nothing says it.
    #[read(range(200, 599))]
    pub function_error_status: Option<u16>,
    /// Whether the client sees the failed function's own body; it does where nothing says it.
    pub expose_function_error: Option<bool>,
    /// Content types whose bodies are passed as text, as `text/*`.
    #[read(with = content_type)]
    pub text_content_types: Vec<String>,
}

/// What a destination says of a call; what it leaves out is the upstream's business.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = destination)]
pub struct AwsDestination {
    /// Which function.
    #[read(with = Node::non_empty)]
    pub logical_name: Option<String>,
    /// How it is called.
    #[read(flatten)]
    pub call: AwsCall,
    /// Give the function headers, method, path and query too.
    pub request_transformation: bool,
    /// Give the function an event of API Gateway.
    pub wrap_as_api_gateway: bool,
    /// Read its answer as API Gateway does.
    pub unwrap_as_api_gateway: bool,
    /// The same, as it was said before.
    pub response_transformation: bool,
    /// Read its answer as an application load balancer does.
    pub unwrap_as_alb: bool,
    /// The JSON that takes the place of an empty body.
    #[read(with = json)]
    pub empty_body_override: Option<String>,
}

impl AwsCall {
    /// This one, completed by another: what this one says wins.
    fn or(&self, other: &Self) -> Self {
        let types = match self.text_content_types.is_empty() {
            true => &other.text_content_types,
            false => &self.text_content_types,
        };
        Self {
            payload: self.payload.or(other.payload),
            invocation_style: self.invocation_style.or(other.invocation_style),
            log_tail: self.log_tail.or(other.log_tail),
            function_error_status: self.function_error_status.or(other.function_error_status),
            expose_function_error: self.expose_function_error.or(other.expose_function_error),
            text_content_types: types.clone(),
        }
    }
}

impl AwsDestination {
    /// This one, completed by another: what this one says wins.
    pub fn or(&self, other: &Self) -> Self {
        let none = Self::default();
        let gloo = if self.call.payload.is_some() {
            &none
        } else {
            other
        };
        let call = self.call.or(&other.call);
        Self {
            logical_name: self
                .logical_name
                .clone()
                .or_else(|| other.logical_name.clone()),
            // A shape of one's own takes the place of the other's, in whichever words that says it.
            call: AwsCall {
                payload: call.payload.filter(|_| !self.has_gloo_shape()),
                ..call
            },
            // Not set and false cannot be told apart in Gloo's own form either.
            request_transformation: self.request_transformation || gloo.request_transformation,
            wrap_as_api_gateway: self.wrap_as_api_gateway || gloo.wrap_as_api_gateway,
            unwrap_as_api_gateway: self.unwrap_as_api_gateway || gloo.unwrap_as_api_gateway,
            response_transformation: self.response_transformation || gloo.response_transformation,
            unwrap_as_alb: self.unwrap_as_alb || gloo.unwrap_as_alb,
            empty_body_override: self
                .empty_body_override
                .clone()
                .or_else(|| other.empty_body_override.clone()),
        }
    }

    /// Whether one of Gloo's own fields says a shape.
    fn has_gloo_shape(&self) -> bool {
        self.request_transformation
            || self.wrap_as_api_gateway
            || self.unwrap_as_api_gateway
            || self.unwrap_as_alb
    }
}

/// Where an API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// An IP address (without brackets) or a name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Endpoint {
    /// Its address as IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The value of `host`: with a port where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = match self.ip() {
            Some(IpAddr::V6(ip)) => format!("[{ip}]"),
            _ => self.host.clone(),
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (tls, rest) = match text.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (
                    host,
                    after.strip_prefix(':').or(after.is_empty().then_some("")),
                )
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, Some("")),
            },
        };
        let port = match port? {
            "" if rest.ends_with(':') => return None,
            "" if tls => 443,
            "" => 80,
            port => port.parse().ok().filter(|port| *port != 0)?,
        };
        (host.parse::<IpAddr>().is_ok() || is_host_name(host)).then(|| Self {
            tls,
            host: host.to_owned(),
            port,
        })
    }
}

impl Read for Endpoint {
    fn read(node: &Node<'_>) -> Option<Self> {
        let text = node.text()?;
        Self::parse(text).or_else(|| {
            node.error(format!(
                "{text:?} is not scheme, host and port, as https://lambda.example.com:8443"
            ))
        })
    }

    fn schema() -> Schema {
        Schema::Text
    }
}

impl ReadFields for FunctionUrl {
    fn read_fields(fields: &mut Fields<'_>) -> Option<Self> {
        let endpoint = fields.field("functionUrl", |node| {
            let text = node.text()?;
            Endpoint::parse(text).or_else(|| {
                node.error(format!(
                    "{text:?} is not the URL of a function, as https://a1b2c3.lambda-url.eu-central-1.on.aws"
                ))
            })
        });
        let auth_type = fields.field("functionUrlAuthType", |node| UrlAuthType::read(&node));
        if auth_type.is_some() && !fields.has("functionUrl") {
            fields.error("functionUrlAuthType is that of a functionUrl, and there is none");
        }
        Some(Self {
            endpoint: endpoint?,
            auth_type: auth_type.unwrap_or_default(),
        })
    }

    fn describe(object: &mut Object) {
        let doc = "Its own URL, by which it is called, as `https://a1b2c3.lambda-url.eu-central-1.on.aws`; excludes `qualifier` and `matchers`.";
        object.field("functionUrl", doc, Schema::Text, false);
        let doc = "Who may call it by its URL.";
        object.field("functionUrlAuthType", doc, UrlAuthType::schema(), false);
    }
}

fn region(node: &Node<'_>) -> Option<String> {
    let region = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    match region.bytes().all(fits) {
        true => Some(region),
        false => node.error(format!("{region:?} is not a region, as eu-central-1")),
    }
}

fn role(node: &Node<'_>) -> Option<String> {
    let arn = node.string().filter(|arn| !arn.is_empty())?;
    match arn.starts_with("arn:") && arn.contains(":role/") {
        true => Some(arn),
        false => node.error(format!("{arn:?} is not the ARN of a role")),
    }
}

fn account(node: &Node<'_>) -> Option<String> {
    let id = node.string().filter(|id| !id.is_empty())?;
    match id.len() == 12 && id.bytes().all(|c| c.is_ascii_digit()) {
        true => Some(id),
        false => node.error(format!("{id:?} is not an account, which has 12 digits")),
    }
}

fn upstream(mut read: AwsUpstream, fields: &Fields<'_>) -> Option<AwsUpstream> {
    let functions = read.functions.iter();
    let functions = functions.map(|it| (&it.logical_name, &it.matchers[..]));
    function_matcher::tell_apart(fields, "lambdaFunctions", functions);
    let own = AwsDestination {
        call: read.call.clone(),
        ..AwsDestination::default()
    };
    read.overrides = read.overrides.or(&own);
    Some(read)
}

fn qualifier(node: &Node<'_>) -> Option<String> {
    let qualifier = node.string().filter(|qualifier| !qualifier.is_empty())?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "$-_".contains(c);
    match qualifier.len() <= 128 && qualifier.chars().all(fits) {
        true => Some(qualifier),
        false => node.error(format!("{qualifier:?} is neither a version nor an alias")),
    }
}

fn function(read: LambdaFunction, fields: &Fields<'_>) -> Option<LambdaFunction> {
    if !fields.has("functionUrl") {
        if !fields.has("lambdaFunctionName") {
            fields.error_at("lambdaFunctionName", "is required");
        }
        return Some(read);
    }
    // The URL says which version it is; and each has a host, hence a cluster, of its own, which the route chooses.
    for (name, there) in [
        ("qualifier", read.qualifier.is_some()),
        ("matchers", !read.matchers.is_empty()),
    ] {
        if there {
            fields.error(format!("functionUrl and {name} exclude each other"));
        }
    }
    Some(read)
}

fn function_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    // A name, or a full or partial ARN.
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_:$.".contains(c);
    match name.len() <= 170 && name.chars().all(fits) {
        true => Some(name),
        false => node.error(format!("{name:?} is not the name of a function")),
    }
}

fn content_type(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty()?;
    let fits = |c: char| c.is_ascii_graphic() && !";,\"()".contains(c);
    if !text.chars().all(fits) || text.matches('/').count() != 1 {
        return node.error(format!("{text:?} is not a content type, as text/* or a/b"));
    }
    Some(text)
}

fn json(node: &Node<'_>) -> Option<String> {
    let text = node.string().filter(|text| !text.is_empty())?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Some(text),
        Err(error) => node.error(format!("is not JSON, which Lambda takes alone: {error}")),
    }
}

fn destination(mut read: AwsDestination, fields: &Fields<'_>) -> Option<AwsDestination> {
    // Deprecated in Gloo, where it means the same.
    read.unwrap_as_api_gateway |= read.response_transformation;
    if read.call.payload.is_some() && read.has_gloo_shape() {
        fields.error(
            "payload excludes requestTransformation, wrapAsApiGateway, unwrapAsApiGateway and unwrapAsAlb",
        );
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_scheme_host_and_port() {
        for (text, tls, host, port, authority) in [
            (
                "http://127.0.0.1:5077",
                false,
                "127.0.0.1",
                5077,
                "127.0.0.1:5077",
            ),
            (
                "https://lambda.example.com",
                true,
                "lambda.example.com",
                443,
                "lambda.example.com",
            ),
            ("http://localhost/", false, "localhost", 80, "localhost"),
            ("https://[::1]:443", true, "::1", 443, "[::1]"),
            ("http://[::1]", false, "::1", 80, "[::1]"),
            ("http://h:443", false, "h", 443, "h:443"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap_or_else(|| panic!("{text}"));
            let expected = Endpoint {
                tls,
                host: host.into(),
                port,
            };
            assert_eq!(endpoint, expected, "{text}");
            assert_eq!(endpoint.authority(), authority);
        }
    }

    #[test]
    fn what_is_more_or_less_than_an_endpoint_is_refused() {
        for text in [
            "",
            "localhost:80",
            "ftp://h",
            "http://",
            "http://h:",
            "http://h:0",
            "http://h:99999",
            "http://h/path",
            "http://u@h",
            "http://[::1",
            "http://[h]:1",
            "http://h?q",
            "http://a b",
        ] {
            assert_eq!(Endpoint::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_destination_wins_over_the_overrides() {
        let own = AwsDestination {
            call: AwsCall {
                invocation_style: Some(InvocationStyle::Streaming),
                log_tail: Some(false),
                function_error_status: Some(502),
                ..AwsCall::default()
            },
            ..AwsDestination::default()
        };
        let overrides = AwsDestination {
            call: AwsCall {
                invocation_style: Some(InvocationStyle::Async),
                log_tail: Some(true),
                function_error_status: Some(500),
                ..AwsCall::default()
            },
            unwrap_as_alb: true,
            ..AwsDestination::default()
        };
        let merged = own.or(&overrides);
        assert_eq!(merged.call, own.call);
        assert!(merged.unwrap_as_alb);
    }

    #[test]
    fn a_shape_of_one_s_own_takes_the_place_of_the_other_s() {
        let gloo = AwsDestination {
            wrap_as_api_gateway: true,
            unwrap_as_api_gateway: true,
            ..AwsDestination::default()
        };
        let payload = AwsDestination {
            call: AwsCall {
                payload: Some(Payload::ApiGatewayV2),
                ..AwsCall::default()
            },
            ..AwsDestination::default()
        };
        let nothing = AwsDestination::default();
        assert_eq!(gloo.or(&payload), gloo);
        assert_eq!(payload.or(&gloo), payload);
        assert_eq!(nothing.or(&payload), payload);
        assert_eq!(nothing.or(&gloo), gloo);
    }
}
