//! Which requests of a listener are traced, and who is told.

use envoy_types::pb::envoy::config::trace::v3::{
    DatadogConfig as EnvoyDatadog, DatadogRemoteConfig, OpenTelemetryConfig as EnvoyTelemetry,
    ZipkinConfig as EnvoyZipkin, tracing::Http, tracing::http::ConfigType,
    zipkin_config::CollectorEndpointVersion,
};
use envoy_types::pb::envoy::r#type::metadata::v3 as metadata;
use envoy_types::pb::envoy::r#type::tracing::v3::{CustomTag, custom_tag};
use envoy_types::pb::envoy::r#type::v3::Percent;
use tenon_model::listener_tracing::{
    Collector, DatadogConfig, ListenerTracing, MetadataOf, MetadataTag, OpenTelemetryConfig,
    TracingProvider, ZipkinConfig, ZipkinEndpoint,
};

use crate::access_log;
use crate::names;
use crate::options::grpc_service;
use crate::output::Module;
use crate::proto::hcm::http_connection_manager as envoy;
use crate::proto::{Any, boolean, duration, uint};
use crate::wire::any;

/// What a listener traces; `gateway` is what spans are said to be of where nothing is said.
pub(crate) fn translate(from: &ListenerTracing, gateway: &str, module: &Module) -> envoy::Tracing {
    let shares = from.trace_percentages.unwrap_or_default();
    let share = |value| Some(Percent { value });
    envoy::Tracing {
        client_sampling: share(shares.client_sample_percentage),
        random_sampling: share(shares.random_sample_percentage),
        overall_sampling: share(shares.overall_sample_percentage),
        verbose: from.verbose,
        custom_tags: tags(from, module),
        provider: from.provider.as_ref().map(|it| provider(it, gateway)),
        spawn_upstream_span: boolean(from.spawn_upstream_span),
        ..envoy::Tracing::default()
    }
}

fn provider(from: &TracingProvider, gateway: &str) -> Http {
    let (name, config) = match from {
        TracingProvider::ZipkinConfig(it) => ("envoy.tracers.zipkin", zipkin(it)),
        TracingProvider::DatadogConfig(it) => ("envoy.tracers.datadog", datadog(it, gateway)),
        TracingProvider::OpenTelemetryConfig(it) => {
            ("envoy.tracers.opentelemetry", telemetry(it, gateway))
        }
    };
    Http {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(config)),
    }
}

fn cluster(of: &Collector) -> String {
    match of {
        Collector::CollectorUpstreamRef(upstream) => names::cluster_of(upstream),
        Collector::ClusterName(name) => name.clone(),
    }
}

fn zipkin(from: &ZipkinConfig) -> Any {
    let version = match from.collector_endpoint_version {
        ZipkinEndpoint::HttpJson => CollectorEndpointVersion::HttpJson,
        ZipkinEndpoint::HttpProto => CollectorEndpointVersion::HttpProto,
    };
    any(&EnvoyZipkin {
        collector_cluster: cluster(&from.collector),
        collector_endpoint: from.collector_endpoint.clone(),
        collector_endpoint_version: version.into(),
        trace_id_128bit: from.trace_id_128bit,
        shared_span_context: from.shared_span_context.and_then(boolean),
        ..EnvoyZipkin::default()
    })
}

fn datadog(from: &DatadogConfig, gateway: &str) -> Any {
    let remote = from.remote_config;
    any(&EnvoyDatadog {
        collector_cluster: cluster(&from.collector),
        service_name: from.service_name.as_deref().unwrap_or(gateway).to_owned(),
        collector_hostname: from.collector_hostname.clone().unwrap_or_default(),
        // As Gloo: the agent may, unless it is disabled, which Envoy says by leaving this out.
        remote_config: remote
            .is_none_or(|remote| !remote.disabled)
            .then(|| DatadogRemoteConfig {
                polling_interval: remote.and_then(|it| it.polling_interval).map(duration),
            }),
    })
}

fn telemetry(from: &OpenTelemetryConfig, gateway: &str) -> Any {
    let cluster = cluster(&from.collector);
    let service_name = match from.service_name.as_str() {
        "" => gateway,
        name => name,
    };
    any(&EnvoyTelemetry {
        grpc_service: Some(grpc_service(&cluster, &from.grpc_service.authority, None)),
        service_name: service_name.to_owned(),
        max_cache_size: from.max_cache_size.map(uint),
        ..EnvoyTelemetry::default()
    })
}

/// What spans say besides. Where a `.wasm` calls functions, no header that can carry their secrets: see [`access_log`].
fn tags(from: &ListenerTracing, module: &Module) -> Vec<CustomTag> {
    use custom_tag::Type;
    let tag = |tag: &str, value| CustomTag {
        tag: tag.to_owned(),
        r#type: Some(value),
    };
    let hidden = |name: &&String| {
        matches!(module, Module::Wasm(_)) && access_log::is_secret(&name.to_ascii_lowercase())
    };
    let headers = from.request_headers_for_tags.iter();
    let headers = headers.filter(|name| !hidden(name)).map(|name| {
        let header = custom_tag::Header {
            name: name.clone(),
            default_value: String::new(),
        };
        tag(name, Type::RequestHeader(header))
    });
    let variables = from.environment_variables_for_tags.iter().map(|it| {
        let variable = custom_tag::Environment {
            name: it.name.clone(),
            default_value: it.default_value.clone(),
        };
        tag(&it.tag, Type::Environment(variable))
    });
    let literals = from.literals_for_tags.iter().map(|it| {
        let literal = custom_tag::Literal {
            value: it.value.clone(),
        };
        tag(&it.tag, Type::Literal(literal))
    });
    let of_metadata = from.metadata_for_tags.iter();
    let of_metadata = of_metadata.map(|it| tag(&it.tag, Type::Metadata(in_metadata(it))));
    headers
        .chain(variables)
        .chain(literals)
        .chain(of_metadata)
        .collect()
}

fn in_metadata(from: &MetadataTag) -> custom_tag::Metadata {
    use metadata::metadata_key::{PathSegment, path_segment::Segment};
    use metadata::metadata_kind::{Host, Kind, Request};
    let kind = match from.kind {
        MetadataOf::Request => Kind::Request(Request {}),
        MetadataOf::Endpoint => Kind::Host(Host {}),
    };
    let path = from.value.keys().map(|key| PathSegment {
        segment: Some(Segment::Key(key.to_owned())),
    });
    custom_tag::Metadata {
        kind: Some(metadata::MetadataKind { kind: Some(kind) }),
        metadata_key: Some(metadata::MetadataKey {
            key: from.value.namespace.clone(),
            path: path.collect(),
        }),
        default_value: from.default_value.clone(),
    }
}
