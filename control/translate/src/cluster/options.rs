//! Connections and HTTP of a cluster.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
use tenon_model::{
    CircuitBreakers, ConnectionConfig, HeaderFormat, HeadersWithUnderscoresAction,
    Http1ProtocolOptions, ProtocolSelection, Upstream,
};

use crate::proto::core::http1_protocol_options::HeaderKeyFormat;
use crate::proto::core::http1_protocol_options::header_key_format::{
    HeaderFormat as EnvoyFormat, ProperCaseWords,
};
use crate::proto::upstream_http::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig,
    explicit_http_config::ProtocolConfig,
};
use crate::proto::{boolean, cluster, core, duration, hcm, uint, upstream_http};
use crate::wire::any;

pub(crate) fn circuit_breakers(breakers: &CircuitBreakers) -> cluster::CircuitBreakers {
    cluster::CircuitBreakers {
        thresholds: vec![cluster::circuit_breakers::Thresholds {
            max_connections: breakers.max_connections.map(uint),
            max_pending_requests: breakers.max_pending_requests.map(uint),
            max_requests: breakers.max_requests.map(uint),
            max_retries: breakers.max_retries.map(uint),
            track_remaining: breakers.track_remaining,
            ..cluster::circuit_breakers::Thresholds::default()
        }],
        ..cluster::CircuitBreakers::default()
    }
}

pub(super) fn keepalive(
    connection: &ConnectionConfig,
) -> Option<cluster::UpstreamConnectionOptions> {
    let keepalive = connection.tcp_keepalive.as_ref()?;
    let seconds = |time: Duration| {
        let part = u64::from(time.subsec_nanos() > 0);
        uint(u32::try_from(time.as_secs().saturating_add(part)).unwrap_or(u32::MAX))
    };
    let probes = keepalive.keepalive_probes.filter(|probes| *probes != 0);
    Some(cluster::UpstreamConnectionOptions {
        tcp_keepalive: Some(core::TcpKeepalive {
            keepalive_probes: probes.map(uint),
            keepalive_time: keepalive.keepalive_time.map(seconds),
            keepalive_interval: keepalive.keepalive_interval.map(seconds),
        }),
        ..cluster::UpstreamConnectionOptions::default()
    })
}

/// Left out where it would say nothing but Envoy's defaults.
pub(super) fn http_options(
    upstream: &Upstream,
    http_filters: Vec<hcm::HttpFilter>,
) -> Option<upstream_http::HttpProtocolOptions> {
    let common = common(upstream);
    let common = (common != core::HttpProtocolOptions::default()).then_some(common);
    let http1 = upstream.connection_config.http1_protocol_options.as_ref();
    let http1 = http1.map(http1_options).unwrap_or_default();
    let protocol = match upstream.protocol_selection {
        ProtocolSelection::UseDownstreamProtocol => {
            UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
                http_protocol_options: Some(http1),
                http2_protocol_options: Some(http2_options(upstream)),
                ..UseDownstreamHttpConfig::default()
            })
        }
        ProtocolSelection::UseConfiguredProtocol => {
            let plain = !upstream.is_http2() && http1 == core::Http1ProtocolOptions::default();
            if http_filters.is_empty() && common.is_none() && plain {
                return None;
            }
            UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
                protocol_config: Some(match upstream.is_http2() {
                    true => ProtocolConfig::Http2ProtocolOptions(http2_options(upstream)),
                    false => ProtocolConfig::HttpProtocolOptions(http1),
                }),
            })
        }
    };
    Some(upstream_http::HttpProtocolOptions {
        common_http_protocol_options: common,
        http_filters,
        upstream_protocol_options: Some(protocol),
        ..upstream_http::HttpProtocolOptions::default()
    })
}

fn common(upstream: &Upstream) -> core::HttpProtocolOptions {
    use core::http_protocol_options::HeadersWithUnderscoresAction as Envoy;
    let connection = &upstream.connection_config;
    let http = &connection.common_http_protocol_options;
    // Gloo's fields cannot tell 0 from nothing, and Envoy refuses it.
    let some = |number: Option<u32>| number.filter(|number| *number != 0).map(uint);
    core::HttpProtocolOptions {
        idle_timeout: http.idle_timeout.map(duration),
        max_headers_count: some(http.max_headers_count),
        max_stream_duration: http.max_stream_duration.map(duration),
        max_requests_per_connection: some(connection.max_requests_per_connection),
        headers_with_underscores_action: match http.headers_with_underscores_action {
            HeadersWithUnderscoresAction::Allow => Envoy::Allow,
            HeadersWithUnderscoresAction::RejectRequest => Envoy::RejectRequest,
            HeadersWithUnderscoresAction::DropHeader => Envoy::DropHeader,
        }
        .into(),
        ..core::HttpProtocolOptions::default()
    }
}

fn http1_options(options: &Http1ProtocolOptions) -> core::Http1ProtocolOptions {
    let format = match options.header_format {
        Some(HeaderFormat::ProperCaseHeaderKeyFormat(true)) => {
            Some(EnvoyFormat::ProperCaseWords(ProperCaseWords {}))
        }
        Some(HeaderFormat::PreserveCaseHeaderKeyFormat(true)) => {
            Some(EnvoyFormat::StatefulFormatter(core::TypedExtensionConfig {
                name: "envoy.http.stateful_header_formatters.preserve_case".to_owned(),
                typed_config: Some(any(&PreserveCaseFormatterConfig::default())),
            }))
        }
        _ => None,
    };
    core::Http1ProtocolOptions {
        enable_trailers: options.enable_trailers,
        header_key_format: format.map(|format| HeaderKeyFormat {
            header_format: Some(format),
        }),
        override_stream_error_on_invalid_http_message: options
            .override_stream_error_on_invalid_http_message
            .and_then(boolean),
        ..core::Http1ProtocolOptions::default()
    }
}

fn http2_options(upstream: &Upstream) -> core::Http2ProtocolOptions {
    core::Http2ProtocolOptions {
        max_concurrent_streams: upstream.max_concurrent_streams.map(uint),
        initial_stream_window_size: upstream.initial_stream_window_size.map(uint),
        initial_connection_window_size: upstream.initial_connection_window_size.map(uint),
        override_stream_error_on_invalid_http_message: upstream
            .override_stream_error_on_invalid_http_message
            .and_then(boolean),
        ..core::Http2ProtocolOptions::default()
    }
}
