//! Where requests and connections are written down.

use serde_json::{Map, Value};
use tenon_model_derive::Read;

use crate::access_filter::AccessLogFilter;
use crate::format;
use crate::header::matched_name;
use crate::open_telemetry::OpenTelemetrySink;
use crate::read::{Node, Read as _};
use crate::schema::Schema;

/// Where requests or connections are written down.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct AccessLoggingService {
    /// Each place.
    pub access_log: Vec<AccessLog>,
}

/// A place where requests or connections are written down.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct AccessLog {
    /// Where.
    #[read(flatten)]
    pub sink: AccessLogSink,
    /// What; nothing: all.
    pub filter: Option<AccessLogFilter>,
}

/// A place where requests or connections are written down.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum AccessLogSink {
    /// A file.
    FileSink(FileSink),
    /// A service that speaks Envoy's protocol for it.
    GrpcService(GrpcSink),
    /// A collector of OpenTelemetry's.
    OpenTelemetryService(Box<OpenTelemetrySink>),
}

/// A service that speaks Envoy's protocol for access logs.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct GrpcSink {
    /// What the log is called there.
    #[read(with = Node::non_empty)]
    pub log_name: String,
    /// The cluster of the service, as one of Envoy's bootstrap or `<upstream>_<namespace>`.
    #[read(with = Node::non_empty)]
    pub static_cluster_name: String,
    /// Headers of requests that are written down besides.
    #[read(with = matched_name)]
    pub additional_request_headers_to_log: Vec<String>,
    /// Headers of responses.
    #[read(with = matched_name)]
    pub additional_response_headers_to_log: Vec<String>,
    /// Trailers of responses.
    #[read(with = matched_name)]
    pub additional_response_trailers_to_log: Vec<String>,
    /// What filters left in a request's filter state.
    #[read(with = Node::non_empty)]
    pub filter_state_objects_to_log: Vec<String>,
}

/// A file in which requests or connections are written down.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct FileSink {
    /// Its path on Envoy's machine.
    #[read(with = Node::non_empty)]
    pub path: String,
    /// What is written; nothing: Envoy's own format.
    #[read(flatten)]
    pub format: Option<AccessLogFormat>,
}

/// What is written of a request or connection.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum AccessLogFormat {
    /// A text, in which Envoy's `%…%` is filled in.
    #[read(name = "stringFormat", with = text, schema = a_text)]
    Text(String),
    /// JSON, in whose texts Envoy's `%…%` is filled in.
    #[read(name = "jsonFormat", with = json, schema = Schema::open_object)]
    Json(Map<String, Value>),
}

pub(crate) fn a_text() -> Schema {
    Schema::Text
}

pub(crate) fn text(node: &Node<'_>) -> Option<String> {
    check(node.text()?.into(), node)?
        .as_str()
        .map(str::to_owned)
}

pub(crate) fn json(node: &Node<'_>) -> Option<Map<String, Value>> {
    check(Map::read(node)?.into(), node)?.as_object().cloned()
}

/// The value, if Envoy can fill in each text in it.
fn check(value: Value, node: &Node<'_>) -> Option<Value> {
    fn fits(value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) => format::check(text),
            Value::Array(values) => values.iter().try_for_each(fits),
            Value::Object(map) => map.values().try_for_each(fits),
            _ => Ok(()),
        }
    }
    match fits(&value) {
        Ok(()) => Some(value),
        Err(reason) => node.error(reason),
    }
}
