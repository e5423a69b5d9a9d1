//! Which requests of a listener are traced, and who is told.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::options::tracing::TracePercentages;
use crate::read::Node;
use crate::{ObjectRef, header};

/// Which requests are traced, and who is told.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(refused(
    openCensusConfig = "Envoy has no OpenCensus any more; use openTelemetryConfig, which its collectors take, too"
))]
pub struct ListenerTracing {
    /// Headers of requests that spans have as tags of the same names.
    #[read(with = header::matched_name)]
    pub request_headers_for_tags: Vec<String>,
    /// Whether spans have more: when what came and went.
    pub verbose: bool,
    /// How many requests are traced: all where it is left out.
    pub trace_percentages: Option<TracePercentages>,
    /// Who is told; the one in Envoy's bootstrap where it is left out.
    #[read(flatten)]
    pub provider: Option<TracingProvider>,
    /// Tags whose values are in Envoy's environment.
    pub environment_variables_for_tags: Vec<EnvironmentTag>,
    /// Tags whose values are said here.
    pub literals_for_tags: Vec<LiteralTag>,
    /// Tags whose values are in metadata.
    pub metadata_for_tags: Vec<MetadataTag>,
    /// Whether the request to the upstream, and each retry, has a span of its own.
    pub spawn_upstream_span: bool,
}

/// Who is told of spans.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum TracingProvider {
    /// Zipkin, or what takes its spans.
    ZipkinConfig(ZipkinConfig),
    /// An agent of Datadog's.
    DatadogConfig(DatadogConfig),
    /// A collector of OpenTelemetry's, in gRPC.
    OpenTelemetryConfig(OpenTelemetryConfig),
}

/// A collector.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum Collector {
    /// Its upstream.
    CollectorUpstreamRef(ObjectRef),
    /// Its cluster, as one of Envoy's bootstrap.
    #[read(with = Node::non_empty)]
    ClusterName(String),
}

/// Zipkin.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ZipkinConfig {
    /// The collector.
    #[read(flatten)]
    pub collector: Collector,
    /// The path that takes spans.
    #[read(default = "/api/v2/spans".to_owned(), with = endpoint)]
    pub collector_endpoint: String,
    /// Whether ids of traces have 128 bits.
    #[read(name = "traceId128bit")]
    pub trace_id_128bit: bool,
    /// Whether the client's span and ours have the same id: true where it is left out.
    pub shared_span_context: Option<bool>,
    /// In which form spans are told.
    #[read(default)]
    pub collector_endpoint_version: ZipkinEndpoint,
}

/// In which form spans are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ZipkinEndpoint {
    /// JSON.
    #[default]
    HttpJson,
    /// Protobuf.
    HttpProto,
}

/// An agent of Datadog's.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct DatadogConfig {
    /// The agent.
    #[read(flatten)]
    pub collector: Collector,
    /// What spans are said to be of; the gateway's name where it is left out.
    #[read(with = Node::non_empty)]
    pub service_name: Option<String>,
    /// The host that requests to the agent are for; the cluster's name where it is left out.
    #[read(with = header::value)]
    pub collector_hostname: Option<String>,
    /// Whether the agent may change how much is traced.
    pub remote_config: Option<DatadogRemoteConfig>,
}

/// Whether an agent of Datadog's may change how much is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct DatadogRemoteConfig {
    /// How often it is asked: 5s where it is left out.
    #[read(with = Node::positive_duration)]
    pub polling_interval: Option<Duration>,
    /// It may not.
    pub disabled: bool,
}

/// A collector of OpenTelemetry's.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct OpenTelemetryConfig {
    /// The collector.
    #[read(flatten)]
    pub collector: Collector,
    /// What spans are said to be of; the gateway's name where it is left out.
    #[read(default)]
    pub service_name: String,
    /// How it is spoken to.
    #[read(default)]
    pub grpc_service: TracingGrpc,
    /// How many spans are held back at most: 1024 where it is left out.
    pub max_cache_size: Option<u32>,
}

/// How a collector is spoken to in gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct TracingGrpc {
    /// The value of `:authority`; the name of the cluster where it is left out.
    #[read(default, with = header::value)]
    pub authority: String,
}

/// A tag whose value is in Envoy's environment.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct EnvironmentTag {
    /// The tag.
    #[read(with = Node::non_empty)]
    pub tag: String,
    /// The variable.
    #[read(with = Node::non_empty)]
    pub name: String,
    /// The value where there is no such variable.
    #[read(default)]
    pub default_value: String,
}

/// A tag whose value is said here.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct LiteralTag {
    /// The tag.
    #[read(with = Node::non_empty)]
    pub tag: String,
    /// Its value.
    #[read(with = Node::non_empty)]
    pub value: String,
}

/// A tag whose value is in metadata.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct MetadataTag {
    /// The tag.
    #[read(with = Node::non_empty)]
    pub tag: String,
    /// Whose metadata it is.
    #[read(default)]
    pub kind: MetadataOf,
    /// Where it is there.
    pub value: MetadataPath,
    /// The value where there is none.
    #[read(default)]
    pub default_value: String,
}

/// Whose metadata is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum MetadataOf {
    /// The request's, in which filters leave it.
    #[default]
    Request,
    /// The endpoint's.
    Endpoint,
}

/// A place in metadata.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct MetadataPath {
    /// The namespace.
    #[read(with = Node::non_empty)]
    pub namespace: String,
    /// The key, or several, each within the one before.
    #[read(with = Node::non_empty)]
    pub key: String,
    /// What stands between several keys: a point where it is left out.
    #[read(default)]
    pub nested_field_delimiter: String,
}

impl TracingProvider {
    /// Where its collector is.
    pub fn collector(&self) -> &Collector {
        match self {
            Self::ZipkinConfig(it) => &it.collector,
            Self::DatadogConfig(it) => &it.collector,
            Self::OpenTelemetryConfig(it) => &it.collector,
        }
    }

    /// The field that it stands in.
    pub fn field(&self) -> &'static str {
        match self {
            Self::ZipkinConfig(_) => "zipkinConfig",
            Self::DatadogConfig(_) => "datadogConfig",
            Self::OpenTelemetryConfig(_) => "openTelemetryConfig",
        }
    }
}

impl MetadataPath {
    /// The keys, each within the one before.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let between = match self.nested_field_delimiter.as_str() {
            "" => ".",
            between => between,
        };
        self.key.split(between)
    }
}

fn endpoint(node: &Node<'_>) -> Option<String> {
    let path = header::value(node)?;
    match path.starts_with('/') {
        true => Some(path),
        false => node.error(format!("{path:?} is not a path, as /api/v2/spans")),
    }
}
