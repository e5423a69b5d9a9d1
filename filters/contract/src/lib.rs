//! The wire contract between the control plane and the filters.
//!
//! The control plane writes it, the filters read it; both use these types, so a field cannot be emitted and ignored.
//!
//! * The **call** ([`CallConfig`]): which function a route calls, and how. A JSON string in the route's filter
//!   metadata, namespace [`NAMESPACE`], key [`CALL_KEY`]. Where the clusters of a weighted route call different
//!   functions, the route holds one call per weight under the keys `call.0`, `call.1`, …, and each weighted cluster
//!   overwrites the request header [`CALL_HEADER`] with its key. A route that has [`CALL_KEY`] never looks at the header.
//! * The **filter configuration** ([`FunctionConfig`]) of `tenon.function`: as an upstream filter of a cluster it says
//!   which provider, region and secret ([`UpstreamConfig`]); as a downstream filter it is the [`FunctionConfig::Guard`],
//!   or calls functions from there ([`DownstreamConfig`]).
//! * **Transformations** ([`transform`]): what `tenon.transform` does.
//! * **Scopes** ([`scope`]): which part of a large route table a request looks at.
//! * The **secret** ([`SecretBlob`]): one JSON text in a generic secret (SDS).
//!
//! A reader refuses another major version, and ignores and reports fields that it does not know, because proxies are
//! upgraded after the control plane.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tenon_contract_derive::Shape;

mod azure;
mod downstream;
mod functions;
pub mod json;
mod path_template;
mod rest;
pub mod scope;
mod secret;
mod sorted;
pub mod transform;

pub use azure::{AuthLevel, AzureCall, AzureKeys, AzureProvider, KeyIn};
pub use downstream::{CallRule, DownstreamConfig};
pub use functions::{AwsFunction, FunctionEntry, FunctionTarget};
pub use path_template::{PathTemplate, Segment, TemplateError, normalize_path};
pub use rest::{RestCall, RestFunction, RestProvider};
pub use secret::{AwsCredentials, GcpToken, SecretBlob};
pub use sorted::{Sorted, sort_by};

use json::Reader;

/// The major version of the contract. A change that an older reader would misunderstand raises it.
pub const VERSION: u32 = 1;
/// The namespace of route metadata and of the dynamic metadata that the filters write.
pub const NAMESPACE: &str = "tenon";
/// The metadata key of a route's call.
pub const CALL_KEY: &str = "call";
/// The request header in which a weighted cluster names the metadata key of its call.
pub const CALL_HEADER: &str = "x-tenon-call";
/// The request header in which `credential_injector` hands the secret to the `.wasm`; raw [`SecretBlob`] JSON.
pub const SECRET_HEADER: &str = "x-tenon-secret";
/// The request header that tells, among a listener's filters, a request that has become a call. Envoy sends it to the
/// provider too, and to where it follows a function's redirect by itself: there, it is the sign not to go on.
pub const CALLED_HEADER: &str = "x-tenon-called";
/// The response header that carries an error's code.
pub const ERROR_HEADER: &str = "x-tenon-error";
/// The request header in which Envoy's router leaves the path that a route rewrote.
pub const ORIGINAL_PATH: &str = "x-envoy-original-path";
/// The request header in which a call may tell the client's method.
pub const ORIGINAL_METHOD: &str = "x-envoy-original-method";
/// Every header under this prefix is Tenon's own; the edge removes whatever a client or an upstream sends under it.
pub const HEADER_PREFIX: &str = "x-tenon-";
/// The name of the function filter: `filter_name` of a dynamic module, `root_id` of a proxy-wasm plugin.
pub const FUNCTION_FILTER: &str = "tenon.function";
/// The largest request and response of a synchronous Lambda call, in bytes
/// (AWS Lambda quotas, "Invocation payload (request and response)": 6 MB each).
pub const LAMBDA_PAYLOAD_LIMIT: u64 = 6 * 1024 * 1024;

/// Why a text is not a part of the contract.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not of the shape that is asked for.
    #[error("not a valid {what}: {reason}")]
    Shape {
        /// What was to be read: `call`, `filter configuration` or `secret`.
        what: &'static str,
        /// Where and why, without the text itself, which may be secret.
        reason: String,
    },
    /// Written by a control plane of another major version.
    #[error("{what} has version {found}, this filter reads version {VERSION}")]
    Version {
        /// What was to be read.
        what: &'static str,
        /// The version that it says it has.
        found: u32,
    },
}

/// A value that was read, and the paths of the fields that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read<T> {
    /// The value.
    pub value: T,
    /// Paths of unknown fields, for the log.
    pub unknown: Vec<String>,
}

#[derive(Shape)]
struct Versioned {
    version: u32,
}

fn read<T: json::Shape>(what: &'static str, text: &[u8]) -> Result<Read<T>, Error> {
    let shape = |wrong: json::Wrong| Error::Shape {
        what,
        reason: wrong.to_string(),
    };
    let mut reader = Reader::new(text).map_err(shape)?;
    let Versioned { version } = reader.clone().whole().map_err(shape)?;
    if version != VERSION {
        return Err(Error::Version {
            what,
            found: version,
        });
    }
    let value = reader.whole().map_err(shape)?;
    Ok(Read {
        value,
        unknown: reader.unknown(),
    })
}

fn write<T: Serialize>(value: &T) -> String {
    // Only maps with keys that are no strings and failing `Serialize` implementations can fail; there are none here.
    serde_json::to_string(value).unwrap_or_default()
}

/// Which function a route calls, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct CallConfig {
    /// The major version of the contract: [`VERSION`]. May be left out within a filter's configuration, which has its own.
    #[serde(default = "default_version")]
    pub version: u32,
    /// The function's logical name, as in metrics and dynamic metadata; empty where `by_table`.
    pub function: String,
    /// The function is the one of the upstream's table ([`UpstreamConfig::functions`]) that the request's method and path
    /// match; what else would say which one is not looked at.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_table: bool,
    /// The route rewrites the path, so that `x-envoy-original-path` is Envoy's own and holds the client's path.
    #[serde(default)]
    pub rewrites_path: bool,
    /// The provider's part.
    #[serde(flatten)]
    pub target: CallTarget,
}

/// The provider's part of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum CallTarget {
    /// AWS Lambda.
    Aws(AwsCall),
    /// A Lambda function by its own URL; the upstream's host is that of the URL.
    AwsUrl(AwsUrlCall),
    /// Cloud Functions or Cloud Run.
    Gcp(GcpCall),
    /// Azure Functions.
    Azure(AzureCall),
    /// A REST function.
    Rest(RestCall),
}

/// A request to a function of Cloud Functions or a service of Cloud Run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct GcpCall {
    /// What stands before the request's own path, as `/hello`: functions of the host `<region>-<project>.cloudfunctions.net`
    /// are told apart by it. Not percent-encoded, without a slash at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// The client's own `authorization` goes to the function; the token goes into `x-serverless-authorization`, which
    /// Cloud Run and Cloud Functions look at first, and do not hand on.
    #[serde(default)]
    pub keep_authorization: bool,
}

/// A request to a function URL: as it is, with a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AwsUrlCall {
    /// Who may call it.
    #[serde(default)]
    pub auth_type: UrlAuthType,
}

/// Who may call a function URL (`AuthType` of Lambda's `CreateFunctionUrlConfig`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum UrlAuthType {
    /// Who signs with credentials that IAM lets in.
    #[default]
    AwsIam,
    /// Everybody.
    None,
}

/// A call of a Lambda function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AwsCall {
    /// The function's name, or its ARN where it belongs to another account; not percent-encoded.
    pub name: String,
    /// Version or alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// How Lambda is to run it.
    #[serde(default)]
    pub invocation: Invocation,
    /// What the function is given.
    #[serde(default)]
    pub request: RequestShape,
    /// What the function's answer is.
    #[serde(default)]
    pub response: ResponseShape,
    /// The status that a client gets for a failed function.
    #[serde(default = "default_function_error_status")]
    pub function_error_status: u16,
    /// Whether the client sees the failed function's own body.
    #[serde(default = "default_true")]
    pub expose_function_error: bool,
    /// Ask for the last lines of the function's log, and log them (`x-amz-log-type: Tail`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log_tail: bool,
    /// Content types (without parameters; `type/*` and `*/*+suffix` allowed) whose bodies are passed as text in an
    /// event that can carry base64. Empty: the built-in list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text_content_types: Vec<String>,
    /// The JSON that the function is given in place of an empty body, where it is given the client's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_body_override: Option<String>,
}

impl AwsCall {
    /// A call of a function with the defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            qualifier: None,
            invocation: Invocation::default(),
            request: RequestShape::default(),
            response: ResponseShape::default(),
            function_error_status: default_function_error_status(),
            expose_function_error: true,
            log_tail: false,
            text_content_types: Vec::new(),
            empty_body_override: None,
        }
    }
}

fn default_version() -> u32 {
    VERSION
}

fn default_function_error_status() -> u16 {
    504
}

fn default_true() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// `x-amz-invocation-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum Invocation {
    /// Wait for the answer (Gloo's `SYNC`).
    #[default]
    RequestResponse,
    /// Queue the event; Lambda answers 202 (Gloo's `ASYNC`).
    Event,
    /// Check the request and the permissions, and run nothing; Lambda answers 204 (`DRY_RUN`).
    DryRun,
    /// Send the answer on while the function writes it (`STREAMING`). Not an invocation type but an operation of its own,
    /// InvokeWithResponseStream.
    ResponseStream,
}

/// What the function is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum RequestShape {
    /// The client's body as it is.
    #[default]
    Body,
    /// Gloo's `requestTransformation`: body, headers, method, path and query as one JSON object.
    Metadata,
    /// Gloo's `wrapAsApiGateway`: an API Gateway event of version 1.0.
    ApiGateway,
    /// `API_GATEWAY_V1`: what a REST API of API Gateway sends (payload format 1.0).
    ApiGatewayV1,
    /// `API_GATEWAY_V2`: what an HTTP API of API Gateway and a function URL send (payload format 2.0).
    ApiGatewayV2,
    /// `ALB`: what an Application Load Balancer sends.
    LoadBalancer,
    /// `ALB_MULTI_VALUE`: the same, of a target group with multi-value headers.
    LoadBalancerMultiValue,
}

/// What the function's answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum ResponseShape {
    /// The body of the answer as it is.
    #[default]
    Body,
    /// Gloo's `unwrapAsApiGateway`.
    ApiGateway,
    /// Gloo's `unwrapAsAlb`.
    Alb,
    /// `API_GATEWAY_V1`: what a REST API of API Gateway takes (payload format 1.0).
    ApiGatewayV1,
    /// `API_GATEWAY_V2`: what an HTTP API of API Gateway and a function URL take (payload format 2.0).
    ApiGatewayV2,
    /// `ALB`: what an Application Load Balancer takes.
    LoadBalancer,
    /// `ALB_MULTI_VALUE`: the same, of a target group with multi-value headers.
    LoadBalancerMultiValue,
}

impl CallConfig {
    /// A call of a Lambda function with the defaults.
    pub fn aws(function: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            function: function.into(),
            by_table: false,
            rewrites_path: false,
            target: CallTarget::Aws(AwsCall::new(name)),
        }
    }

    /// A request to a function URL.
    pub fn aws_url(function: impl Into<String>, auth_type: UrlAuthType) -> Self {
        Self {
            version: VERSION,
            function: function.into(),
            by_table: false,
            rewrites_path: false,
            target: CallTarget::AwsUrl(AwsUrlCall { auth_type }),
        }
    }

    /// A request to a function of Google's, as it is.
    pub fn gcp(function: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            function: function.into(),
            by_table: false,
            rewrites_path: false,
            target: CallTarget::Gcp(GcpCall::default()),
        }
    }

    /// A call of a function of Azure's.
    pub fn azure(function: impl Into<String>, call: AzureCall) -> Self {
        Self {
            version: VERSION,
            function: function.into(),
            by_table: false,
            rewrites_path: false,
            target: CallTarget::Azure(call),
        }
    }

    /// A call of a REST function.
    pub fn rest(function: impl Into<String>, call: RestCall) -> Self {
        Self {
            version: VERSION,
            function: function.into(),
            by_table: false,
            rewrites_path: false,
            target: CallTarget::Rest(call),
        }
    }

    /// Reads the JSON text of route metadata.
    ///
    /// # Errors
    /// Not JSON, not a call, or of another major version.
    pub fn from_json(text: &[u8]) -> Result<Read<Self>, Error> {
        read("call", text)
    }

    /// Writes the JSON text of route metadata; equal calls give equal bytes.
    pub fn to_json(&self) -> String {
        write(self)
    }

    /// The metadata key of the call of the weighted cluster at `index`.
    pub fn weighted_key(index: usize) -> String {
        format!("{CALL_KEY}.{index}")
    }
}

/// The configuration of `tenon.function`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum FunctionConfig {
    /// On a cluster: calls its functions.
    Upstream(UpstreamConfig),
    /// On a listener: calls functions from there, which is for an Envoy whose clusters are out of reach.
    Downstream(DownstreamConfig),
    /// On a listener: puts the client's request back for access logs where a call ended without a response of its own
    /// (timeouts, disconnects). The `.wasm` also takes [`SECRET_HEADER`] off what a client sends.
    Guard {},
}

#[derive(Serialize)]
struct FunctionConfigOut<'a> {
    version: u32,
    #[serde(flatten)]
    config: &'a FunctionConfig,
}

#[derive(Shape)]
struct FunctionConfigIn {
    #[serde(rename = "version")]
    _version: u32,
    #[serde(flatten)]
    config: FunctionConfig,
}

impl FunctionConfig {
    /// Reads the JSON text of a filter's configuration.
    ///
    /// # Errors
    /// Not JSON, not a configuration, or of another major version.
    pub fn from_json(text: &[u8]) -> Result<Read<Self>, Error> {
        let Read { value, unknown } = read::<FunctionConfigIn>("filter configuration", text)?;
        Ok(Read {
            value: value.config,
            unknown,
        })
    }

    /// Writes the JSON text of a filter's configuration; equal configurations give equal bytes.
    pub fn to_json(&self) -> String {
        write(&FunctionConfigOut {
            version: VERSION,
            config: self,
        })
    }
}

/// Which provider a cluster is, where, and whose credentials it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamConfig {
    /// The upstream's name as in metrics and dynamic metadata: `<name>_<namespace>`.
    pub upstream: String,
    /// The secret with the provider's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// The functions that calls "by table" are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionEntry>,
    /// The largest request body, in bytes, as the provider gets it. Where requests pass through without being held, only
    /// the announced length counts.
    #[serde(default = "default_payload_limit")]
    pub max_request_bytes: u64,
    /// The largest response body, in bytes, as the provider sends it.
    #[serde(default = "default_payload_limit")]
    pub max_response_bytes: u64,
    /// The provider's part.
    #[serde(flatten)]
    pub provider: Provider,
}

fn default_payload_limit() -> u64 {
    LAMBDA_PAYLOAD_LIMIT
}

/// A generic secret that the `.so` subscribes to. The `.wasm` gets it in [`SECRET_HEADER`]; to it, this says that the
/// header is not a client's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The secret's name in SDS.
    pub name: String,
    /// Where it is served: the proto JSON of an Envoy `ConfigSource`, as an object.
    #[serde(default = "ads_config_source")]
    pub config_source: BTreeMap<String, Value>,
}

/// The proto JSON of the `ConfigSource` "over ADS".
pub fn ads_config_source() -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("ads".into(), serde_json::json!({})),
        ("resource_api_version".into(), "V3".into()),
    ])
}

/// The provider's part of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum Provider {
    /// AWS Lambda in one region.
    Aws(AwsProvider),
    /// One host of Cloud Functions or Cloud Run.
    Gcp(GcpProvider),
    /// A function app of Azure's.
    Azure(AzureProvider),
    /// A service with REST functions.
    Rest(RestProvider),
}

/// One host of Cloud Functions or Cloud Run. The secret's token is for its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct GcpProvider {
    /// The value of `host`, with a port where it is not the scheme's own.
    pub host: String,
}

/// AWS Lambda in one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AwsProvider {
    /// The region that requests are signed for.
    pub region: String,
    /// The value of `host`, with a port where it is not the scheme's own; also signed.
    pub host: String,
    /// Whether Lambda is told the client's path and method in [`ORIGINAL_PATH`] and [`ORIGINAL_METHOD`]
    /// (Gloo's `propagateOriginalRouting`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub propagate_original_routing: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_call() -> CallConfig {
        CallConfig {
            version: VERSION,
            function: "resize".into(),
            by_table: false,
            rewrites_path: true,
            target: CallTarget::Aws(AwsCall {
                name: "arn:aws:lambda:us-east-1:123456789012:function:resize".into(),
                qualifier: Some("prod".into()),
                invocation: Invocation::Event,
                request: RequestShape::ApiGateway,
                response: ResponseShape::Alb,
                function_error_status: 502,
                expose_function_error: false,
                log_tail: true,
                text_content_types: vec!["application/x-ndjson".into()],
                empty_body_override: Some("{}".into()),
            }),
        }
    }

    fn upstream() -> FunctionConfig {
        FunctionConfig::Upstream(UpstreamConfig {
            upstream: "lambda_default".into(),
            secret: Some(SecretRef {
                name: "aws_default_lambda".into(),
                config_source: ads_config_source(),
            }),
            functions: vec![],
            max_request_bytes: 1,
            max_response_bytes: 2,
            provider: Provider::Aws(AwsProvider {
                region: "eu-central-1".into(),
                host: "localhost:5077".into(),
                propagate_original_routing: true,
            }),
        })
    }

    #[test]
    fn calls_survive_a_round_trip() {
        let mut gcp = CallConfig::gcp("g");
        gcp.target = CallTarget::Gcp(GcpCall {
            path_prefix: Some("/g".into()),
            keep_authorization: true,
        });
        let azure = |route: Option<&str>, auth_level| AzureCall {
            name: "hello".into(),
            route: route.map(str::to_owned),
            auth_level,
        };
        let mut rest = CallConfig::rest("a", RestCall::default());
        rest.target = CallTarget::Rest(RestCall {
            name: "a".into(),
            extractors: [("id".into(), transform::Extraction::default())].into(),
            response: Some(Box::default()),
        });
        let mut by_table = CallConfig::aws("", "");
        by_table.by_table = true;
        for call in [
            full_call(),
            CallConfig::aws("a", "b"),
            CallConfig::aws_url("a", UrlAuthType::AwsIam),
            CallConfig::aws_url("a", UrlAuthType::None),
            CallConfig::gcp("a"),
            gcp,
            CallConfig::azure("a", azure(None, AuthLevel::Anonymous)),
            CallConfig::azure("a", azure(Some("a/{id}"), AuthLevel::Admin)),
            CallConfig::rest("a", RestCall::default()),
            rest,
            by_table,
        ] {
            let read = CallConfig::from_json(call.to_json().as_bytes()).unwrap();
            assert_eq!(
                read,
                Read {
                    value: call,
                    unknown: vec![]
                }
            );
        }
    }

    #[test]
    fn the_least_call_has_the_defaults_of_gloo() {
        let text = br#"{"version":1,"function":"f","aws":{"name":"f"}}"#;
        assert_eq!(
            CallConfig::from_json(text).unwrap().value,
            CallConfig::aws("f", "f")
        );
    }

    #[test]
    fn filter_configurations_survive_a_round_trip() {
        let FunctionConfig::Upstream(mut gcp) = upstream() else {
            panic!("not an upstream")
        };
        gcp.max_request_bytes = u64::MAX;
        gcp.provider = Provider::Gcp(GcpProvider {
            host: "f-uc.a.run.app".into(),
        });
        let FunctionConfig::Upstream(mut azure) = upstream() else {
            panic!("not an upstream")
        };
        azure.provider = Provider::Azure(AzureProvider {
            host: "app.azurewebsites.net".into(),
            route_prefix: String::new(),
            key_in: KeyIn::Query,
        });
        let entry = |target| FunctionEntry {
            methods: vec!["GET".into()],
            path: "/a/{id}".into(),
            function: "a".into(),
            target,
        };
        azure.functions = vec![
            entry(FunctionTarget::Aws(AwsFunction {
                name: "a".into(),
                qualifier: Some("1".into()),
            })),
            entry(FunctionTarget::Azure(AzureCall {
                name: "a".into(),
                route: None,
                auth_level: AuthLevel::Function,
            })),
        ];
        let downstream = FunctionConfig::Downstream(DownstreamConfig {
            upstream: gcp.clone(),
            calls: vec![
                CallRule {
                    matcher: Some(transform::RequestMatcher {
                        prefix: Some("/a".into()),
                        methods: vec!["GET".into()],
                        ..transform::RequestMatcher::default()
                    }),
                    call: CallConfig::gcp("a"),
                },
                CallRule {
                    matcher: None,
                    call: CallConfig::gcp("b"),
                },
            ],
        });
        let mut rest = azure.clone();
        let template = transform::TransformationTemplate {
            headers: [(":path".into(), "/a/{{ id }}".into())].into(),
            ..transform::TransformationTemplate::default()
        };
        rest.provider = Provider::Rest(RestProvider {
            functions: [("a".into(), template)].into(),
        });
        rest.functions = vec![entry(FunctionTarget::Rest(RestFunction {
            name: "a".into(),
        }))];
        for config in [
            downstream,
            upstream(),
            FunctionConfig::Upstream(gcp),
            FunctionConfig::Upstream(azure),
            FunctionConfig::Upstream(rest),
            FunctionConfig::Guard {},
        ] {
            let read = FunctionConfig::from_json(config.to_json().as_bytes()).unwrap();
            assert_eq!(
                read,
                Read {
                    value: config,
                    unknown: vec![]
                }
            );
        }
    }

    #[test]
    fn unknown_fields_are_reported_and_ignored() {
        let text = br#"{"version":1,"function":"f","newer":1,"aws":{"name":"f","later":true}}"#;
        let read = CallConfig::from_json(text).unwrap();
        assert_eq!(read.value, CallConfig::aws("f", "f"));
        assert_eq!(read.unknown, ["aws.later", "newer"]);
    }

    #[test]
    fn another_major_version_is_refused_whatever_its_shape() {
        let error = CallConfig::from_json(br#"{"version":2,"call":[]}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "call has version 2, this filter reads version 1"
        );
    }

    #[test]
    fn a_provider_that_is_not_known_is_refused() {
        assert!(CallConfig::from_json(br#"{"version":1,"function":"f","ibm":{}}"#).is_err());
    }
}
