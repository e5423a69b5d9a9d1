//! Access logs.

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLog as EnvoyAccessLog, AccessLogFilter, HeaderFilter, access_log::ConfigType,
    access_log_filter::FilterSpecifier,
};
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use prost::{Message, Name};
use serde_json::Value;
use tenon_model::{AccessLog, AccessLogFormat, FileSink};

use crate::output::Module;
use crate::proto::{Any, core, inline_string, matches, route};
use crate::wire::{self, Struct, any_bytes};

/// The logs of a listener.
///
/// After a call the request's headers are the client's again, but not where a `.wasm` trapped, or where the client hung up
/// during its call: nothing tells it in time. Such a request still has its signature when it is logged, and is logged without it.
pub(crate) fn translate(logs: &[AccessLog], module: &Module) -> Vec<EnvoyAccessLog> {
    logs.iter()
        .flat_map(|log| match module {
            Module::So(_) => vec![file(&log.file_sink, None)],
            Module::Wasm(_) => {
                let always = without(&log.file_sink, is_only_ours);
                let unsigned = without(&log.file_sink, is_secret);
                match unsigned == always {
                    true => vec![file(&always, None)],
                    false => vec![
                        file(&always, Some(signed(false))),
                        file(&unsigned, Some(signed(true))),
                    ],
                }
            }
        })
        .collect()
}

fn file(sink: &FileSink, filter: Option<AccessLogFilter>) -> EnvoyAccessLog {
    EnvoyAccessLog {
        name: "envoy.access_loggers.file".to_owned(),
        filter,
        config_type: Some(ConfigType::TypedConfig(file_log(sink))),
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
fn without(sink: &FileSink, hidden: fn(&str) -> bool) -> FileSink {
    let format = sink.format.as_ref().map(|format| match format {
        AccessLogFormat::Text(text) => AccessLogFormat::Text(hide(text, hidden)),
        AccessLogFormat::Json(map) => {
            let mut map = map.clone();
            map.values_mut().for_each(|value| hide_in(value, hidden));
            AccessLogFormat::Json(map)
        }
    });
    FileSink {
        path: sink.path.clone(),
        format,
    }
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
fn is_secret(name: &str) -> bool {
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
    /// `SubstitutionFormatString.json_format`
    const JSON_FORMAT: u32 = 2;
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
