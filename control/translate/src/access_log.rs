//! Access logs.

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLog as EnvoyAccessLog, AccessLogFilter, HeaderFilter, access_log::ConfigType,
    access_log_filter::FilterSpecifier,
};
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use envoy_types::pb::envoy::extensions::access_loggers::grpc::v3::{
    CommonGrpcAccessLogConfig, HttpGrpcAccessLogConfig, TcpGrpcAccessLogConfig,
};
use prost::{Message, Name};
use serde_json::Value;
use tenon_model::{AccessLog, AccessLogFormat, AccessLogSink, FileSink, GrpcSink};

use crate::access_filter;
use crate::output::Module;
use crate::proto::{Any, core, inline_string, matches, route};
use crate::wire::{self, Struct, any, any_bytes};

mod telemetry;

/// The logs of requests.
///
/// After a call the request's headers are the client's again, but not where a `.wasm` trapped, or where the client hung up
/// during its call: nothing tells it in time. Such a request still has its signature when it is logged, and is logged without it.
pub(crate) fn translate(logs: &[AccessLog], module: &Module) -> Vec<EnvoyAccessLog> {
    logs.iter()
        .flat_map(|log| {
            let one = |sink: &AccessLogSink, more| {
                let filter = log.filter.as_ref().map(access_filter::translate);
                let config = match sink {
                    AccessLogSink::FileSink(sink) => (FILE, file_log(sink)),
                    AccessLogSink::GrpcService(sink) => (HTTP_GRPC, http_grpc(sink)),
                    AccessLogSink::OpenTelemetryService(sink) => {
                        (TELEMETRY, telemetry::config(sink))
                    }
                };
                access_log(config, access_filter::both(filter, more))
            };
            match module {
                Module::So(_) => vec![one(&log.sink, None)],
                Module::Wasm(_) => {
                    let always = without(&log.sink, is_only_ours);
                    let unsigned = without(&log.sink, is_secret);
                    match unsigned == always {
                        true => vec![one(&always, None)],
                        false => vec![
                            one(&always, Some(signed(false))),
                            one(&unsigned, Some(signed(true))),
                        ],
                    }
                }
            }
        })
        .collect()
}

/// The logs of connections, which have no headers.
pub(crate) fn of_connections(logs: &[AccessLog]) -> Vec<EnvoyAccessLog> {
    let logs = logs.iter().map(|log| {
        let filter = log.filter.as_ref().map(access_filter::translate);
        let config = match &log.sink {
            AccessLogSink::FileSink(sink) => (FILE, file_log(sink)),
            AccessLogSink::GrpcService(sink) => (TCP_GRPC, tcp_grpc(sink)),
            AccessLogSink::OpenTelemetryService(sink) => (TELEMETRY, telemetry::config(sink)),
        };
        access_log(config, filter)
    });
    logs.collect()
}

/// `SubstitutionFormatString.json_format`
pub(crate) const JSON_FORMAT: u32 = 2;

const FILE: &str = "envoy.access_loggers.file";
const HTTP_GRPC: &str = "envoy.access_loggers.http_grpc";
const TELEMETRY: &str = "envoy.access_loggers.open_telemetry";
const TCP_GRPC: &str = "envoy.access_loggers.tcp_grpc";

fn access_log((name, config): (&str, Any), filter: Option<AccessLogFilter>) -> EnvoyAccessLog {
    EnvoyAccessLog {
        name: name.to_owned(),
        filter,
        config_type: Some(ConfigType::TypedConfig(config)),
    }
}

fn http_grpc(sink: &GrpcSink) -> Any {
    any(&HttpGrpcAccessLogConfig {
        common_config: Some(common(sink)),
        additional_request_headers_to_log: sink.additional_request_headers_to_log.clone(),
        additional_response_headers_to_log: sink.additional_response_headers_to_log.clone(),
        additional_response_trailers_to_log: sink.additional_response_trailers_to_log.clone(),
    })
}

fn tcp_grpc(sink: &GrpcSink) -> Any {
    any(&TcpGrpcAccessLogConfig {
        common_config: Some(common(sink)),
    })
}

fn common(sink: &GrpcSink) -> CommonGrpcAccessLogConfig {
    CommonGrpcAccessLogConfig {
        log_name: sink.log_name.clone(),
        grpc_service: Some(core::GrpcService {
            target_specifier: Some(core::grpc_service::TargetSpecifier::EnvoyGrpc(
                core::grpc_service::EnvoyGrpc {
                    cluster_name: sink.static_cluster_name.clone(),
                    ..core::grpc_service::EnvoyGrpc::default()
                },
            )),
            ..core::GrpcService::default()
        }),
        transport_api_version: core::ApiVersion::V3.into(),
        filter_state_objects_to_log: sink.filter_state_objects_to_log.clone(),
        ..CommonGrpcAccessLogConfig::default()
    }
}

/// Lets requests through that have (or have not) a signature of AWS, or a token: a client's own cannot be told from one of
/// Google's.
fn signed(signed: bool) -> AccessLogFilter {
    use route::header_matcher::HeaderMatchSpecifier::StringMatch;
    let header = route::HeaderMatcher {
        name: "authorization".to_owned(),
        header_match_specifier: Some(StringMatch(matches("(AWS4-HMAC-SHA256|Bearer ).*"))),
        invert_match: !signed,
        // Else a request without the header would be in neither log.
        treat_missing_header_as_empty: true,
    };
    AccessLogFilter {
        filter_specifier: Some(FilterSpecifier::HeaderFilter(HeaderFilter {
            header: Some(header),
        })),
    }
}

/// The same without some headers.
fn without(sink: &AccessLogSink, hidden: fn(&str) -> bool) -> AccessLogSink {
    let sink = match sink {
        AccessLogSink::FileSink(sink) => sink,
        AccessLogSink::GrpcService(sink) => {
            let mut sink = sink.clone();
            let headers = &mut sink.additional_request_headers_to_log;
            headers.retain(|name| !hidden(&name.to_ascii_lowercase()));
            return AccessLogSink::GrpcService(sink);
        }
        AccessLogSink::OpenTelemetryService(sink) => {
            let sink = telemetry::without(sink, hidden);
            return AccessLogSink::OpenTelemetryService(Box::new(sink));
        }
    };
    let format = sink.format.as_ref().map(|format| match format {
        AccessLogFormat::Text(text) => AccessLogFormat::Text(hide(text, hidden)),
        AccessLogFormat::Json(map) => {
            let mut map = map.clone();
            map.values_mut().for_each(|value| hide_in(value, hidden));
            AccessLogFormat::Json(map)
        }
    });
    AccessLogSink::FileSink(FileSink {
        path: sink.path.clone(),
        format,
    })
}

fn hide_in(value: &mut Value, hidden: fn(&str) -> bool) {
    match value {
        Value::String(text) => *text = hide(text, hidden),
        Value::Array(values) => values.iter_mut().for_each(|value| hide_in(value, hidden)),
        Value::Object(map) => map.values_mut().for_each(|value| hide_in(value, hidden)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces each `%REQ(…)%` of such a header by what Envoy writes for a header that is not there.
fn hide(text: &str, hidden: fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        match after.split_once('%') {
            Some((command, after)) if names(command).split('?').any(hidden) => {
                out.push('-');
                rest = after;
            }
            Some((command, after)) => {
                out.extend(["%", command, "%"]);
                rest = after;
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The names of a request's header in lower case: `REQ(NAME)`, `REQ(NAME?OTHER):LENGTH`
fn names(command: &str) -> String {
    command
        .strip_prefix("REQ(")
        .and_then(|rest| rest.split_once(')'))
        .map_or("", |(names, _)| names)
        .to_ascii_lowercase()
}

/// Whether a header can carry a signature, a token or a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    name == "authorization"
        || name.starts_with("x-amz-")
        || name.starts_with("x-tenon-")
        || is_only_ours(name)
}

/// Whether a header has a token wherever it is there, or is a client's forgery.
fn is_only_ours(name: &str) -> bool {
    name == "x-serverless-authorization"
}

fn file_log(sink: &FileSink) -> Any {
    /// `FileAccessLog.log_format`
    const LOG_FORMAT: u32 = 5;
    let mut bytes = FileAccessLog {
        path: sink.path.clone(),
        ..FileAccessLog::default()
    }
    .encode_to_vec();
    let format = match &sink.format {
        None => None,
        Some(AccessLogFormat::Text(text)) if text.is_empty() => None,
        Some(AccessLogFormat::Text(text)) => Some(
            core::SubstitutionFormatString {
                format: inline_string(text)
                    .map(core::substitution_format_string::Format::TextFormatSource),
                ..core::SubstitutionFormatString::default()
            }
            .encode_to_vec(),
        ),
        Some(AccessLogFormat::Json(map)) => {
            let mut format = Vec::new();
            wire::append(&mut format, JSON_FORMAT, &Struct::from(map).encode_to_vec());
            Some(format)
        }
    };
    if let Some(format) = format {
        wire::append(&mut bytes, LOG_FORMAT, &format);
    }
    any_bytes(FileAccessLog::type_url(), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_that_can_carry_a_secret_are_hidden() {
        for (format, hidden) in [
            ("%REQ(:PATH)% %REQ(Authorization)%!", "%REQ(:PATH)% -!"),
            ("%REQ(X?x-amz-security-token):9%", "-"),
            ("%REQ(x-tenon-secret)%100%%", "-100%%"),
            ("%REQ(X-Serverless-Authorization)%", "-"),
            (
                "%REQ(COOKIE)% %RESPONSE_CODE% 5%",
                "%REQ(COOKIE)% %RESPONSE_CODE% 5%",
            ),
        ] {
            assert_eq!(hide(format, is_secret), hidden);
        }
    }
}
