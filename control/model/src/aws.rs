//! AWS Lambda: the upstream, and what a route says of a call.

use std::net::IpAddr;

use crate::ObjectRef;
use crate::read::{Fields, Node};
use crate::upstream::is_host_name;
use crate::virtual_service::first_twice;

/// AWS Lambda in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsUpstream {
    /// The region.
    pub region: String,
    /// The Secret with the keys; `None`: the default chain.
    pub secret: Option<ObjectRef>,
    /// The functions that routes may name.
    pub functions: Vec<LambdaFunction>,
    /// A role to assume.
    pub role_arn: Option<String>,
    /// The account that the functions belong to, where it is another one.
    pub account_id: Option<String>,
    /// Whether the role is assumed straight from the web identity.
    pub disable_role_chaining: bool,
    /// What holds for every destination that does not say otherwise.
    pub overrides: AwsDestination,
    /// Where the Lambda API is, if not at AWS's public address.
    pub endpoint: Option<Endpoint>,
}

/// A function, by the name that routes call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LambdaFunction {
    /// The name that routes call it.
    pub logical_name: String,
    /// Its name at AWS.
    pub name: String,
    /// Version or alias.
    pub qualifier: Option<String>,
}

/// In what shape a function is asked and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The bodies as they are.
    Raw,
    /// API Gateway's payload format 1.0.
    ApiGatewayV1,
    /// API Gateway's payload format 2.0.
    ApiGatewayV2,
    /// An Application Load Balancer's.
    Alb,
    /// The same, with multi-value headers.
    AlbMultiValue,
}

/// How Lambda runs a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// What a destination says of a call; what it leaves out is the upstream's business.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AwsDestination {
    /// Which function.
    pub logical_name: Option<String>,
    /// How Lambda runs it.
    pub invocation_style: Option<InvocationStyle>,
    /// The shape of event and answer; where it is there, none of Gloo's four is.
    pub payload: Option<Payload>,
    /// Give the function headers, method, path and query too.
    pub request_transformation: bool,
    /// Give the function an event of API Gateway.
    pub wrap_as_api_gateway: bool,
    /// Read its answer as API Gateway does.
    pub unwrap_as_api_gateway: bool,
    /// Read its answer as an application load balancer does.
    pub unwrap_as_alb: bool,
    /// The status that a client gets for a failed function.
    pub function_error_status: Option<u16>,
    /// Whether the client sees the failed function's own body.
    pub expose_function_error: Option<bool>,
    /// Whether the tail of the function's log is asked for, and logged.
    pub log_tail: Option<bool>,
    /// Content types whose bodies are passed as text.
    pub text_content_types: Vec<String>,
    /// The JSON that takes the place of an empty body.
    pub empty_body_override: Option<String>,
}

impl AwsDestination {
    /// This one, completed by another: what this one says wins.
    pub fn or(&self, other: &Self) -> Self {
        let types = match self.text_content_types.is_empty() {
            true => &other.text_content_types,
            false => &self.text_content_types,
        };
        let none = Self::default();
        let gloo = if self.payload.is_some() { &none } else { other };
        Self {
            logical_name: self
                .logical_name
                .clone()
                .or_else(|| other.logical_name.clone()),
            invocation_style: self.invocation_style.or(other.invocation_style),
            // A shape of one's own takes the place of the other's, in whichever words that says it.
            payload: match self.has_gloo_shape() {
                true => None,
                false => self.payload.or(other.payload),
            },
            // Not set and false cannot be told apart in Gloo's own form either.
            request_transformation: self.request_transformation || gloo.request_transformation,
            wrap_as_api_gateway: self.wrap_as_api_gateway || gloo.wrap_as_api_gateway,
            unwrap_as_api_gateway: self.unwrap_as_api_gateway || gloo.unwrap_as_api_gateway,
            unwrap_as_alb: self.unwrap_as_alb || gloo.unwrap_as_alb,
            function_error_status: self.function_error_status.or(other.function_error_status),
            expose_function_error: self.expose_function_error.or(other.expose_function_error),
            log_tail: self.log_tail.or(other.log_tail),
            text_content_types: types.clone(),
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

    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let text = node.text()?;
        Self::parse(text).or_else(|| {
            node.error(format!(
                "{text:?} is not scheme, host and port, as https://lambda.example.com:8443"
            ))
        })
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

pub(crate) fn read(node: &Node<'_>, namespace: &str) -> Option<AwsUpstream> {
    node.object(|fields| {
        let region = fields.required("region", |node| {
            let region = node.non_empty()?;
            if !region
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            {
                return node.error(format!("{region:?} is not a region, as eu-central-1"));
            }
            Some(region)
        });
        let functions = fields.field("lambdaFunctions", |node| {
            let functions = node.list(|node| read_function(&node))?;
            match first_twice(functions.iter().map(|function| &function.logical_name)) {
                Some(name) => node.error(format!("{name:?} is there more than once")),
                None => Some(functions),
            }
        });
        let functions = functions.unwrap_or_default();
        let own = read_tenon(fields);
        let overrides = fields
            .field("destinationOverrides", |node| read_destination(&node))
            .unwrap_or_default();
        Some(AwsUpstream {
            secret: fields.field("secretRef", |node| node.reference(namespace)),
            role_arn: fields.field("roleArn", |node| {
                let arn = node.string()?;
                let is_role = arn.starts_with("arn:") && arn.contains(":role/");
                if !arn.is_empty() && !is_role {
                    return node.error(format!("{arn:?} is not the ARN of a role"));
                }
                Some(arn).filter(|arn| !arn.is_empty())
            }),
            account_id: fields.field("awsAccountId", |node| {
                let id = node.string()?;
                if !id.is_empty() && (id.len() != 12 || !id.bytes().all(|c| c.is_ascii_digit())) {
                    return node.error(format!("{id:?} is not an account, which has 12 digits"));
                }
                Some(id).filter(|id| !id.is_empty())
            }),
            disable_role_chaining: fields.flag("disableRoleChaining"),
            endpoint: fields.field("endpointUrl", |node| Endpoint::read(&node)),
            region: region?,
            functions,
            overrides: overrides.or(&own),
        })
    })
}

fn read_function(node: &Node<'_>) -> Option<LambdaFunction> {
    node.object(|fields| {
        let logical_name = fields.required("logicalName", |node| node.non_empty());
        let name = fields.required("lambdaFunctionName", |node| function_name(&node));
        let qualifier = fields.field("qualifier", |node| {
            let qualifier = node.string()?;
            let fits = |c: char| c.is_ascii_alphanumeric() || "$-_".contains(c);
            if qualifier.len() > 128 || !qualifier.chars().all(fits) {
                return node.error(format!("{qualifier:?} is neither a version nor an alias"));
            }
            Some(qualifier).filter(|qualifier| !qualifier.is_empty())
        });
        Some(LambdaFunction {
            logical_name: logical_name?,
            name: name?,
            qualifier,
        })
    })
}

fn function_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    // A name, or a full or partial ARN.
    if name.len() > 170
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_:$.".contains(c))
    {
        return node.error(format!("{name:?} is not the name of a function"));
    }
    Some(name)
}

/// What Gloo has not, on the upstream and on destinations.
fn read_tenon(fields: &mut Fields<'_>) -> AwsDestination {
    AwsDestination {
        payload: fields.field("payload", |node| {
            node.choice(&[
                ("RAW", Payload::Raw),
                ("API_GATEWAY_V1", Payload::ApiGatewayV1),
                ("API_GATEWAY_V2", Payload::ApiGatewayV2),
                ("ALB", Payload::Alb),
                ("ALB_MULTI_VALUE", Payload::AlbMultiValue),
            ])
        }),
        invocation_style: fields.field("invocationStyle", |node| {
            node.choice(&[
                ("SYNC", InvocationStyle::Sync),
                ("ASYNC", InvocationStyle::Async),
                ("DRY_RUN", InvocationStyle::DryRun),
                ("STREAMING", InvocationStyle::Streaming),
            ])
        }),
        log_tail: fields.field("logTail", |node| node.boolean()),
        function_error_status: fields.field("functionErrorStatus", |node| {
            u16::try_from(node.number(200, 599)?).ok()
        }),
        expose_function_error: fields.field("exposeFunctionError", |node| node.boolean()),
        text_content_types: fields.list("textContentTypes", |node| {
            let text = node.non_empty()?;
            let fits = |c: char| c.is_ascii_graphic() && !";,\"()".contains(c);
            if !text.chars().all(fits) || text.matches('/').count() != 1 {
                return node.error(format!("{text:?} is not a content type, as text/* or a/b"));
            }
            Some(text)
        }),
        ..AwsDestination::default()
    }
}

pub(crate) fn read_destination(node: &Node<'_>) -> Option<AwsDestination> {
    node.object(|fields| {
        let tenon = read_tenon(fields);
        // Deprecated in Gloo, where it means the same.
        let response_transformation = fields.flag("responseTransformation");
        let read = AwsDestination {
            logical_name: fields.field("logicalName", |node| node.non_empty()),
            request_transformation: fields.flag("requestTransformation"),
            wrap_as_api_gateway: fields.flag("wrapAsApiGateway"),
            unwrap_as_api_gateway: fields.flag("unwrapAsApiGateway") || response_transformation,
            unwrap_as_alb: fields.flag("unwrapAsAlb"),
            empty_body_override: fields.field("emptyBodyOverride", |node| {
                let text = node.string()?;
                match serde_json::from_str::<serde_json::Value>(&text) {
                    _ if text.is_empty() => None,
                    Ok(_) => Some(text),
                    Err(error) => {
                        node.error(format!("is not JSON, which Lambda takes alone: {error}"))
                    }
                }
            }),
            ..tenon
        };
        if read.payload.is_some() && read.has_gloo_shape() {
            fields.error(
                "payload excludes requestTransformation, wrapAsApiGateway, unwrapAsApiGateway and unwrapAsAlb",
            );
        }
        Some(read)
    })
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
            invocation_style: Some(InvocationStyle::Streaming),
            log_tail: Some(false),
            function_error_status: Some(502),
            ..AwsDestination::default()
        };
        let overrides = AwsDestination {
            invocation_style: Some(InvocationStyle::Async),
            log_tail: Some(true),
            unwrap_as_alb: true,
            function_error_status: Some(500),
            ..AwsDestination::default()
        };
        let merged = own.or(&overrides);
        assert_eq!(merged.invocation_style, Some(InvocationStyle::Streaming));
        assert_eq!(merged.log_tail, Some(false));
        assert_eq!(merged.function_error_status, Some(502));
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
            payload: Some(Payload::ApiGatewayV2),
            ..AwsDestination::default()
        };
        let nothing = AwsDestination::default();
        assert_eq!(gloo.or(&payload), gloo);
        assert_eq!(payload.or(&gloo), payload);
        assert_eq!(nothing.or(&payload), payload);
        assert_eq!(nothing.or(&gloo), gloo);
    }
}
