//! How HTTP is spoken on a listener.

use envoy_types::pb::envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
use envoy_types::pb::envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig as EnvoyUuid;
use tenon_model::hcm::{
    CodecType, ForwardClientCertDetails, HeaderFormat, HeadersWithUnderscoresAction,
    Http2ProtocolOptions, HttpConnectionManagerSettings, PathWithEscapedSlashesAction,
    ProtocolUpgrade, ServerHeaderTransformation,
};

use crate::proto::core::http1_protocol_options::{
    HeaderKeyFormat, header_key_format::HeaderFormat as Format, header_key_format::ProperCaseWords,
};
use crate::proto::hcm::http_connection_manager as envoy;
use crate::proto::{boolean, core, duration, hcm, uint};
use crate::wire::any;

/// Takes over what is said of it.
pub(crate) fn apply(settings: &HttpConnectionManagerSettings, to: &mut hcm::HttpConnectionManager) {
    connections(settings, to);
    requests(settings, to);
    clients(settings, to);
}

fn connections(settings: &HttpConnectionManagerSettings, to: &mut hcm::HttpConnectionManager) {
    to.codec_type = match settings.codec_type {
        CodecType::Auto => envoy::CodecType::Auto,
        CodecType::Http1 => envoy::CodecType::Http1,
        CodecType::Http2 => envoy::CodecType::Http2,
    }
    .into();
    let common = core::HttpProtocolOptions {
        idle_timeout: settings.idle_timeout.map(duration),
        max_connection_duration: settings.max_connection_duration.map(duration),
        max_headers_count: settings.max_headers_count.map(uint),
        max_stream_duration: settings.max_stream_duration.map(duration),
        headers_with_underscores_action: match settings.headers_with_underscores_action {
            HeadersWithUnderscoresAction::Allow => {
                core::http_protocol_options::HeadersWithUnderscoresAction::Allow
            }
            HeadersWithUnderscoresAction::RejectClientRequest => {
                core::http_protocol_options::HeadersWithUnderscoresAction::RejectRequest
            }
            HeadersWithUnderscoresAction::DropHeader => {
                core::http_protocol_options::HeadersWithUnderscoresAction::DropHeader
            }
        }
        .into(),
        max_requests_per_connection: settings.max_requests_per_connection.map(uint),
        ..core::HttpProtocolOptions::default()
    };
    to.common_http_protocol_options =
        (common != core::HttpProtocolOptions::default()).then_some(common);
    let http1 = core::Http1ProtocolOptions {
        accept_http_10: settings.accept_http_10.unwrap_or_default(),
        default_host_for_http_10: settings
            .default_host_for_http_10
            .clone()
            .unwrap_or_default(),
        allow_chunked_length: settings.allow_chunked_length.unwrap_or_default(),
        enable_trailers: settings.enable_trailers.unwrap_or_default(),
        header_key_format: settings.header_format.and_then(header_format),
        ..core::Http1ProtocolOptions::default()
    };
    to.http_protocol_options = (http1 != core::Http1ProtocolOptions::default()).then_some(http1);
    to.http2_protocol_options = settings.http2_protocol_options.as_ref().map(http2);
    to.drain_timeout = settings.drain_timeout.map(duration);
    to.delayed_close_timeout = settings.delayed_close_timeout.map(duration);
    if !settings.upgrades.is_empty() {
        to.upgrade_configs = settings.upgrades.iter().map(upgrade).collect();
    }
}

fn requests(settings: &HttpConnectionManagerSettings, to: &mut hcm::HttpConnectionManager) {
    to.stream_idle_timeout = settings.stream_idle_timeout.map(duration);
    to.max_request_headers_kb = settings.max_request_headers_kb.map(uint);
    to.request_timeout = settings.request_timeout.map(duration);
    to.request_headers_timeout = settings.request_headers_timeout.map(duration);
    to.server_name = settings.server_name.clone().unwrap_or_default();
    to.server_header_transformation = match settings.server_header_transformation {
        ServerHeaderTransformation::Overwrite => envoy::ServerHeaderTransformation::Overwrite,
        ServerHeaderTransformation::AppendIfAbsent => {
            envoy::ServerHeaderTransformation::AppendIfAbsent
        }
        ServerHeaderTransformation::PassThrough => envoy::ServerHeaderTransformation::PassThrough,
    }
    .into();
    to.via = settings.via.clone().unwrap_or_default();
    to.proxy_100_continue = settings.proxy_100_continue.unwrap_or_default();
    to.generate_request_id = settings.generate_request_id.and_then(boolean);
    to.preserve_external_request_id = settings.preserve_external_request_id.unwrap_or_default();
    to.request_id_extension = settings.uuid_request_id_config.map(|ids| {
        let config = EnvoyUuid {
            pack_trace_reason: ids.pack_trace_reason.and_then(boolean),
            use_request_id_for_trace_sampling: ids
                .use_request_id_for_trace_sampling
                .and_then(boolean),
        };
        hcm::RequestIdExtension {
            typed_config: Some(any(&config)),
        }
    });
    to.merge_slashes = settings.merge_slashes.unwrap_or_default();
    to.normalize_path = boolean(settings.normalize_path.unwrap_or(true));
    to.path_with_escaped_slashes_action = match settings.path_with_escaped_slashes_action {
        PathWithEscapedSlashesAction::ImplementationSpecificDefault => {
            envoy::PathWithEscapedSlashesAction::ImplementationSpecificDefault
        }
        PathWithEscapedSlashesAction::KeepUnchanged => {
            envoy::PathWithEscapedSlashesAction::KeepUnchanged
        }
        PathWithEscapedSlashesAction::RejectRequest => {
            envoy::PathWithEscapedSlashesAction::RejectRequest
        }
        PathWithEscapedSlashesAction::UnescapeAndRedirect => {
            envoy::PathWithEscapedSlashesAction::UnescapeAndRedirect
        }
        PathWithEscapedSlashesAction::UnescapeAndForward => {
            envoy::PathWithEscapedSlashesAction::UnescapeAndForward
        }
    }
    .into();
    to.strip_port_mode = settings
        .strip_any_host_port
        .unwrap_or_default()
        .then_some(envoy::StripPortMode::StripAnyHostPort(true));
}

fn clients(settings: &HttpConnectionManagerSettings, to: &mut hcm::HttpConnectionManager) {
    to.use_remote_address = boolean(settings.use_remote_address.unwrap_or(true));
    to.xff_num_trusted_hops = settings.xff_num_trusted_hops.unwrap_or_default();
    to.skip_xff_append = settings.skip_xff_append.unwrap_or_default();
    to.append_x_forwarded_port = settings.append_x_forwarded_port.unwrap_or_default();
    to.internal_address_config = settings.internal_address_config.as_ref().map(|own| {
        let ranges = own.cidr_ranges.iter().map(|range| core::CidrRange {
            address_prefix: range.address_prefix.to_string(),
            prefix_len: Some(uint(range.prefix_len)),
        });
        envoy::InternalAddressConfig {
            unix_sockets: own.unix_sockets,
            cidr_ranges: ranges.collect(),
        }
    });
    to.forward_client_cert_details = match settings.forward_client_cert_details {
        ForwardClientCertDetails::Sanitize => envoy::ForwardClientCertDetails::Sanitize,
        ForwardClientCertDetails::ForwardOnly => envoy::ForwardClientCertDetails::ForwardOnly,
        ForwardClientCertDetails::AppendForward => envoy::ForwardClientCertDetails::AppendForward,
        ForwardClientCertDetails::SanitizeSet => envoy::ForwardClientCertDetails::SanitizeSet,
        ForwardClientCertDetails::AlwaysForwardOnly => {
            envoy::ForwardClientCertDetails::AlwaysForwardOnly
        }
    }
    .into();
    let told = settings.set_current_client_cert_details;
    let told = envoy::SetCurrentClientCertDetails {
        subject: told.subject.then(|| boolean(true)).flatten(),
        cert: told.cert,
        chain: told.chain,
        dns: told.dns,
        uri: told.uri,
        ..envoy::SetCurrentClientCertDetails::default()
    };
    to.set_current_client_cert_details =
        (told != envoy::SetCurrentClientCertDetails::default()).then_some(told);
}

fn header_format(format: HeaderFormat) -> Option<HeaderKeyFormat> {
    let format = match format {
        HeaderFormat::ProperCaseHeaderKeyFormat(true) => {
            Format::ProperCaseWords(ProperCaseWords {})
        }
        HeaderFormat::PreserveCaseHeaderKeyFormat(true) => {
            Format::StatefulFormatter(core::TypedExtensionConfig {
                name: "envoy.http.stateful_header_formatters.preserve_case".to_owned(),
                typed_config: Some(any(&PreserveCaseFormatterConfig::default())),
            })
        }
        HeaderFormat::ProperCaseHeaderKeyFormat(false)
        | HeaderFormat::PreserveCaseHeaderKeyFormat(false) => return None,
    };
    Some(HeaderKeyFormat {
        header_format: Some(format),
    })
}

fn http2(options: &Http2ProtocolOptions) -> core::Http2ProtocolOptions {
    core::Http2ProtocolOptions {
        max_concurrent_streams: options.max_concurrent_streams.map(uint),
        initial_stream_window_size: options.initial_stream_window_size.map(uint),
        initial_connection_window_size: options.initial_connection_window_size.map(uint),
        override_stream_error_on_invalid_http_message: options
            .override_stream_error_on_invalid_http_message
            .and_then(boolean),
        ..core::Http2ProtocolOptions::default()
    }
}

fn upgrade(upgrade: &ProtocolUpgrade) -> envoy::UpgradeConfig {
    let (name, on) = match upgrade {
        ProtocolUpgrade::Websocket(on) => ("websocket", on),
        ProtocolUpgrade::Connect(on) => ("CONNECT", on),
    };
    envoy::UpgradeConfig {
        upgrade_type: name.to_owned(),
        enabled: boolean(on.enabled),
        ..envoy::UpgradeConfig::default()
    }
}
