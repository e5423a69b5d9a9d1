//! The resources as users write them, parsed strictly, and the one internal model.
//!
//! Pure: no files, clock or network.
//!
//! ```
//! use tenon_model::{Parsed, parse};
//!
//! let text = "{region: eu-central-1, lambdaFunctions: [{logicalName: hello, lambdaFunctionName: hello}]}";
//! let parsed = parse("upstreams/default/lambda.yaml", &format!("aws: {text}"));
//! assert!(matches!(&parsed[..], [Parsed::Object(object)] if &*object.key.name == "lambda"));
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub mod access_filter;
mod access_log;
mod action;
mod aws;
mod azure;
mod certificate;
mod connection;
mod consul;
mod delegation;
mod destination;
mod document;
mod duration;
mod ec2;
mod external_options;
mod failover;
mod format;
mod forward_proxy;
mod function_matcher;
mod gateway;
pub mod gateway_api;
mod gcp;
pub mod hcm;
mod header;
mod health_check;
pub mod http_listener;
mod hybrid;
mod kube;
mod kubernetes;
mod listener_options;
mod listener_ssl;
pub mod listener_tracing;
mod load_balancing;
pub mod local_reply;
mod matcher;
mod merge;
mod metadata;
mod name;
pub mod open_telemetry;
pub mod options;
mod outlier_detection;
mod read;
mod regex;
mod rest;
mod retries;
mod route;
mod route_options;
pub mod schema;
mod secret;
mod selector;
mod servers;
mod service_spec;
mod settings;
mod ssl;
pub mod stateful_session;
pub mod tap;
mod tcp;
mod transformation;
mod upstream;
mod virtual_host_options;
mod virtual_service;
mod yaml;

pub use access_log::{
    AccessLog, AccessLogFormat, AccessLogSink, AccessLoggingService, FileSink, GrpcSink,
};
pub use action::{
    Action, DirectResponse, ForwardProxyHost, ForwardProxyRoute, PathRedirect, Redirect,
    RedirectStatus, RouteAction,
};
pub use aws::{
    AwsCall, AwsDestination, AwsUpstream, Endpoint, FunctionUrl, InvocationStyle, LambdaFunction,
    Payload,
};
pub use azure::{AzureDestination, AzureFunction, AzureUpstream};
pub use certificate::check_roots;
pub use connection::{
    CircuitBreakers, CommonHttpProtocolOptions, ConnectionConfig, DnsLookupFamily, HeaderFormat,
    HeadersWithUnderscoresAction, Http1ProtocolOptions, PreconnectPolicy, ProtocolSelection,
    ProxyProtocolVersion, TcpKeepalive,
};
pub use consul::{
    ConsistencyMode, ConsulDiscovery, ConsulSettings, ConsulUpstream, QueryOptions, dc_label,
    tag_label,
};
pub use delegation::Delegation;
pub use destination::{
    ConsulService, Destination, DestinationSpec, DestinationType, KubernetesService,
    MultiDestination, WeightedDestination, WeightedDestinationOptions,
};
pub use document::parse;
pub use ec2::{Ec2Upstream, Tag, TagFilter, TagPair};
pub use external_options::{
    HttpListenerOption, ListenerGroup, ListenerKind, ListenerOption, ListenerTarget, OptionsRefs,
    RouteKind, RouteOption, RouteTarget, StableGroup, VirtualHostOption,
};
pub use failover::{
    EndpointHealthCheck, Failover, FailoverEndpoint, FailoverPolicy, Locality, LocalityEndpoints,
    PrioritizedLocality,
};
pub use forward_proxy::{
    CaresDns, DnsCache, DnsCircuitBreaker, ForwardProxy, HostAndPort, HostFamily, RefreshRate,
    Resolver, ResolverOptions,
};
pub use function_matcher::FunctionMatcher;
pub use gateway::{
    Gateway, GatewayType, HttpGateway, INTERNAL, PortOfGateway, RouteConfigurationOptions,
    VirtualServiceExpressions, VirtualServices,
};
pub use gcp::{GcpDestination, GcpUpstream, GoogleFunction};
pub use header::{
    AddedHeader, EarlyHeaderManipulation, HeaderManipulation, HeaderTemplate, HeaderToAdd,
};
pub use health_check::{
    CustomConfig, CustomHealthCheck, GrpcHealthCheck, HeaderSource, HeaderValue, HealthCheck,
    HealthCheckHeader, HealthChecker, HealthResult, HttpHealthCheck, Method,
    Payload as HealthCheckPayload, ResponseAssertions, ResponseMatch, ResponseMatcher,
    ResponseSource, StatusRange, TcpHealthCheck,
};
pub use hybrid::{
    CidrRange, ConnectionMatcher, DelegatedHttpGateway, DelegatedTcpGateway, GatewaySelection,
    GatewaySelector, HybridGateway, MatchableHttpGateway, MatchableTcpGateway, MatchedGateway,
    MatchedGatewayType,
};
pub use kube::{KubeUpstream, Subset, SubsetFallback, SubsetSelector, SubsetSpec};
pub use kubernetes::{
    EndpointAddress, EndpointSubset, Pod, Service, ServiceEndpoints, ServicePort,
};
pub use listener_options::{
    ConnectionBalanceConfig, ExactBalance, ListenerOptions, MetadataKey, ProxyProtocol,
    ProxyProtocolRule, SocketOption, SocketOptionValue, SocketState,
};
pub use listener_ssl::{ClientRoots, OcspStaplePolicy, SslConfig};
pub use load_balancing::{
    LeastRequest, LoadBalancer, LoadBalancerConfig, LocalityConfig, RingHash, RingHashConfig,
    RoundRobin, SlowStart,
};
pub use matcher::{HeaderMatcher, Matcher, NO_PATH, PathMatcher, QueryMatcher, ValueMatcher};
pub use merge::Merge;
pub use metadata::Metadata;
pub use name::cmp as cmp_names;
pub use options::shadowing::Shadowing;
pub use outlier_detection::OutlierDetection;
pub use regex::{check as check_regex, regex_size, regex_start};
pub use rest::{RestDestination, RestSpec};
pub use retries::{
    PreviousPriorities, RateLimitedBackOff, ResetFormat, ResetHeader, RetryBackOff, RetryPolicy,
};
pub use route::{Route, RouteTable};
pub use route_options::{
    HostRewrite, MaxStreamDuration, PathRewrite, RegexPattern, RegexRewrite, RouteJwtConfig,
    RouteOptions,
};
pub use secret::{AccountCredentials, GcpKey, HeaderSecret, Hidden, Secret, TlsSecret};
pub use selector::{LabelValues, Requirement, Selector};
pub use servers::Servers;
pub use service_spec::{
    ConfigMap, DescriptorConfigMap, DescriptorSet, GrpcDestination, GrpcJsonTranscoder,
    GrpcParameters, GrpcService, GrpcSpec, PrintOptions, ServiceFunctions, ServiceSpec,
};
pub use settings::{
    AwsSettings, GatewaySettings, InvalidConfigPolicy, Settings, TransformationSettings,
};
pub use ssl::{
    BackendRoots, CallCredentials, FileCredentialSource, Sds, SdsBuilder, SslCertificates,
    SslFiles, SslParameters, TlsVersion, UpstreamSsl, VerifiedName,
};
pub use tcp::{
    ConnectionLimit, TcpAction, TcpDestination, TcpGateway, TcpHost, TcpListenerOptions,
    TcpMultiDestination, TcpProxySettings, TokenBucket, TunnelHeader, TunnelHeaderValue,
    TunnelingConfig, WeightedTcpDestination,
};
pub use transformation::Transformations;
pub use upstream::{Host, HostHealthCheck, PipeUpstream, StaticUpstream, Upstream, UpstreamType};
pub use virtual_host_options::{HostJwt, VirtualHostOptions};
pub use virtual_service::VirtualService;

/// The kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `gateway.networking.k8s.io/v1`
    BackendTlsPolicy,
    /// Kubernetes' `v1`, or Gloo's artifact.
    ConfigMap,
    /// `gateway.gloo.solo.io/v1alpha1`
    DirectResponse,
    /// Kubernetes' `discovery.k8s.io/v1`
    EndpointSlice,
    /// Kubernetes' `v1`
    Endpoints,
    /// `tenon.dev/v1alpha1`
    FunctionCall,
    /// `gateway.solo.io/v1`
    Gateway,
    /// `gateway.networking.k8s.io/v1`
    GatewayClass,
    /// `gateway.gloo.solo.io/v1alpha1`
    GatewayParameters,
    /// `gateway.networking.k8s.io/v1`
    GrpcRoute,
    /// `gateway.solo.io/v1`
    HttpListenerOption,
    /// `gateway.networking.k8s.io/v1`
    HttpRoute,
    /// The `Gateway` of `gateway.networking.k8s.io/v1`.
    KubernetesGateway,
    /// `gateway.solo.io/v1`
    ListenerOption,
    /// `gateway.networking.k8s.io/v1`, and the `XListenerSet` of before.
    ListenerSet,
    /// `gateway.solo.io/v1`
    MatchableHttpGateway,
    /// `gateway.solo.io/v1`
    MatchableTcpGateway,
    /// Kubernetes' `v1`
    Namespace,
    /// Kubernetes' `v1`
    Pod,
    /// `gateway.networking.k8s.io/v1`
    ReferenceGrant,
    /// `gateway.solo.io/v1`
    RouteOption,
    /// `gateway.solo.io/v1`
    RouteTable,
    /// Kubernetes' `v1` or Gloo's own.
    Secret,
    /// Kubernetes' `v1`
    Service,
    /// `gloo.solo.io/v1`
    Settings,
    /// `gateway.networking.k8s.io/v1alpha2`
    TcpRoute,
    /// `gateway.networking.k8s.io/v1`
    TlsRoute,
    /// `gloo.solo.io/v1`
    Upstream,
    /// `gloo.solo.io/v1`
    UpstreamGroup,
    /// `gateway.solo.io/v1`
    VirtualHostOption,
    /// `gateway.solo.io/v1`
    VirtualService,
}

/// What identifies a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// A fault in a resource, or something worth a warning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// How bad it is.
    pub level: ProblemLevel,
    /// The path of the field, as `spec.virtualHost.routes[2].matchers[0].regex`.
    pub field: String,
    /// What is wrong and what was expected: lower case, no full stop.
    pub text: String,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemLevel {
    /// The resource, or a part of it, is not used.
    Error,
    /// It is used, perhaps not as meant.
    Warning,
}

/// A resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What identifies it.
    pub key: ObjectKey,
    /// What it is labelled with, for selectors.
    pub labels: BTreeMap<String, String>,
    /// What else is kept of its metadata, of kinds where it matters.
    pub metadata: Option<Box<Metadata>>,
    /// What it says.
    pub spec: Spec,
    /// What is worth a warning in it.
    pub warnings: Vec<Problem>,
}

/// What a resource says.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// TLS towards backends.
    BackendTlsPolicy(Box<gateway_api::BackendTlsPolicy>),
    /// Texts and bytes by name.
    ConfigMap(Box<ConfigMap>),
    /// An answer.
    DirectResponse(Box<gateway_api::DirectResponseSpec>),
    /// Where a service of Kubernetes is found, said by `Endpoints` or an `EndpointSlice`.
    Endpoints(Box<ServiceEndpoints>),
    /// Which function is called, and how.
    FunctionCall(Box<gateway_api::FunctionCall>),
    /// Where an Envoy listens, and for whom.
    Gateway(Box<Gateway>),
    /// Who serves gateways.
    GatewayClass(Box<gateway_api::GatewayClass>),
    /// How gateways are deployed.
    GatewayParameters(gateway_api::GatewayParameters),
    /// Where calls of gRPC go.
    GrpcRoute(Box<gateway_api::GrpcRoute>),
    /// Options of HTTP on listeners.
    HttpListenerOption(Box<HttpListenerOption>),
    /// Where requests go.
    HttpRoute(Box<gateway_api::HttpRoute>),
    /// Where an Envoy listens, and for which routes.
    KubernetesGateway(Box<gateway_api::KubernetesGateway>),
    /// Options of listeners.
    ListenerOption(Box<ListenerOption>),
    /// More listeners for a gateway.
    ListenerSet(Box<gateway_api::ListenerSet>),
    /// What is done over HTTP with some connections of gateways that delegate to it.
    MatchableHttpGateway(Box<MatchableHttpGateway>),
    /// Where some connections of gateways that delegate to it are forwarded.
    MatchableTcpGateway(Box<MatchableTcpGateway>),
    /// A namespace, of which the labels matter.
    Namespace,
    /// What runs in Kubernetes.
    Pod(Pod),
    /// Who may refer to what is in a namespace.
    ReferenceGrant(Box<gateway_api::ReferenceGrant>),
    /// Options of routes.
    RouteOption(Box<RouteOption>),
    /// Routes that others delegate to.
    RouteTable(Box<RouteTable>),
    /// What must not be shown.
    Secret(Secret),
    /// A service of Kubernetes.
    Service(Box<Service>),
    /// What holds where nothing else is said.
    Settings(Settings),
    /// Where connections go.
    TcpRoute(Box<gateway_api::TcpRoute>),
    /// Where connections with TLS go.
    TlsRoute(Box<gateway_api::TlsRoute>),
    /// A service, or a provider of functions.
    Upstream(Box<Upstream>),
    /// Several destinations, for any number of routes.
    UpstreamGroup(Box<MultiDestination>),
    /// Options of virtual hosts.
    VirtualHostOption(Box<VirtualHostOption>),
    /// Domains and their routes.
    VirtualService(Box<VirtualService>),
}

/// What became of one document of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// A resource.
    Object(Box<Object>),
    /// A document that says which resource it is, but not a valid one.
    Rejected {
        /// Which one.
        key: ObjectKey,
        /// What is wrong.
        problems: Vec<Problem>,
        /// What can be used of it nevertheless, if only some of its routes are wrong.
        rest: Option<Box<Object>>,
    },
    /// A text that does not even say which resource it is (no YAML, no kind, no name).
    Unreadable(Problem),
    /// A resource of a kind that Tenon does not read, as `Deployment`: skipped.
    Ignored {
        /// `apiVersion` and `kind`, for the log.
        kind: String,
    },
}

/// The name and namespace of another resource, the namespace already filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// The key of the resource of that kind.
    pub fn key(&self, kind: Kind) -> ObjectKey {
        ObjectKey {
            kind,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Kind {
    /// Whether it is a kind of the Gateway API, or one that only its routes refer to.
    pub fn is_of_gateway_api(self) -> bool {
        matches!(
            self,
            Self::BackendTlsPolicy
                | Self::DirectResponse
                | Self::FunctionCall
                | Self::GatewayClass
                | Self::GatewayParameters
                | Self::GrpcRoute
                | Self::HttpRoute
                | Self::KubernetesGateway
                | Self::ListenerSet
                | Self::ReferenceGrant
                | Self::TcpRoute
                | Self::TlsRoute
        )
    }

    /// As users write it. Two kinds of different groups have the same name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BackendTlsPolicy => "BackendTLSPolicy",
            Self::ConfigMap => "ConfigMap",
            Self::DirectResponse => "DirectResponse",
            Self::EndpointSlice => "EndpointSlice",
            Self::Endpoints => "Endpoints",
            Self::FunctionCall => "FunctionCall",
            Self::Gateway | Self::KubernetesGateway => "Gateway",
            Self::GatewayClass => "GatewayClass",
            Self::GatewayParameters => "GatewayParameters",
            Self::GrpcRoute => "GRPCRoute",
            Self::HttpListenerOption => "HttpListenerOption",
            Self::HttpRoute => "HTTPRoute",
            Self::ListenerOption => "ListenerOption",
            Self::ListenerSet => "ListenerSet",
            Self::MatchableHttpGateway => "MatchableHttpGateway",
            Self::MatchableTcpGateway => "MatchableTcpGateway",
            Self::Namespace => "Namespace",
            Self::Pod => "Pod",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::RouteOption => "RouteOption",
            Self::RouteTable => "RouteTable",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::Settings => "Settings",
            Self::TcpRoute => "TCPRoute",
            Self::TlsRoute => "TLSRoute",
            Self::Upstream => "Upstream",
            Self::UpstreamGroup => "UpstreamGroup",
            Self::VirtualHostOption => "VirtualHostOption",
            Self::VirtualService => "VirtualService",
        }
    }

    /// Whether its objects are in no namespace.
    pub fn is_cluster_wide(self) -> bool {
        matches!(self, Self::GatewayClass | Self::Namespace)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.is_cluster_wide() {
            true => write!(f, "{} {}", self.kind, self.name),
            false => write!(f, "{} {}/{}", self.kind, self.namespace, self.name),
        }
    }
}

impl Problem {
    /// A fault at a field.
    pub fn error(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            level: ProblemLevel::Error,
            field: field.into(),
            text: text.into(),
        }
    }

    /// Something worth a warning at a field.
    pub fn warning(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            level: ProblemLevel::Warning,
            field: field.into(),
            text: text.into(),
        }
    }
}
