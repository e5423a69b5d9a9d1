//! Access logs for a collector of OpenTelemetry's.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tenon_model_derive::Read;

use crate::read::{Fields, Node, Path, Read as _, Report};
use crate::schema::Schema;
use crate::upstream::Upstream;
use crate::{UpstreamSsl, format, header};

/// A collector of OpenTelemetry's that requests or connections are told.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct OpenTelemetrySink {
    /// What the log is called there.
    #[read(with = Node::non_empty)]
    pub log_name: String,
    /// The collector.
    pub collector: OpenTelemetryCollector,
    /// What filters left in a request's filter state.
    #[read(with = Node::non_empty)]
    pub filter_state_objects_to_log: Vec<String>,
    /// Whether records are without what Envoy says of itself: the log's name, its cluster, node and zone.
    pub disable_builtin_labels: bool,
    /// What a record says, in whose texts Envoy's `%…%` is filled in.
    pub body: Option<AnyValue>,
    /// What a record says besides.
    pub attributes: Option<KeyValueList>,
}

/// A collector of OpenTelemetry's, in gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked)]
pub struct OpenTelemetryCollector {
    /// Host and port, as `collector.example.com:4317`.
    #[read(with = address, schema = a_text)]
    pub endpoint: CollectorAddress,
    /// The value of `:authority`; the name of the cluster where it is left out.
    #[read(default, with = header::value)]
    pub authority: String,
    /// Headers that it is given.
    #[read(with = header::value)]
    pub headers: BTreeMap<String, String>,
    /// Whether it is spoken to without TLS.
    pub insecure: bool,
    /// TLS towards it.
    pub ssl_config: Option<UpstreamSsl>,
    /// How long connecting may take, and being told: 5s and for ever where it is left out.
    #[read(with = Node::positive_duration)]
    pub timeout: Option<Duration>,
}

/// Where a collector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorAddress {
    /// An IP address or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A value, as OpenTelemetry has them.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(refused(
    boolValue = "Envoy tells texts, lists and maps only; write it as a stringValue",
    intValue = "Envoy tells texts, lists and maps only; write it as a stringValue",
    doubleValue = "Envoy tells texts, lists and maps only; write it as a stringValue",
    bytesValue = "Envoy tells texts, lists and maps only; write it as a stringValue"
))]
pub struct AnyValue {
    /// It.
    #[read(flatten)]
    pub value: AnyValueType,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum AnyValueType {
    /// A text, in which Envoy's `%…%` is filled in.
    #[read(with = text, schema = a_text)]
    StringValue(String),
    /// Several values.
    ArrayValue(ArrayValue),
    /// Values by name.
    #[read(schema = by_name)]
    KvlistValue(KeyValueList),
}

/// Several values.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct ArrayValue {
    /// They.
    #[read(schema = a_value)]
    pub values: Vec<AnyValue>,
}

fn a_value() -> Schema {
    Schema::Within(concat!(module_path!(), "::AnyValue"))
}

fn by_name() -> Schema {
    Schema::Within(concat!(module_path!(), "::KeyValueList"))
}

/// Values by name.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct KeyValueList {
    /// They.
    pub values: Vec<KeyValue>,
}

/// A value with its name.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct KeyValue {
    /// The name.
    #[read(with = Node::non_empty)]
    pub key: String,
    /// The value.
    pub value: AnyValue,
}

impl OpenTelemetryCollector {
    /// The upstream that it is.
    pub fn upstream(&self) -> Option<Upstream> {
        let CollectorAddress { host, port } = &self.endpoint;
        let spec = json!({
            "useHttp2": true,
            "static": {"hosts": [{"addr": host, "port": port}], "useTls": !self.insecure},
        });
        let report = Report::new("");
        let mut upstream = Upstream::read(&Node::new(&spec, Path::Root("spec"), &report))?;
        upstream.ssl_config = self.ssl_config.clone();
        upstream.connection_config.connect_timeout = self.timeout;
        Some(upstream)
    }
}

fn checked(
    collector: OpenTelemetryCollector,
    fields: &Fields<'_>,
) -> Option<OpenTelemetryCollector> {
    if collector.insecure && collector.ssl_config.is_some() {
        fields.error("insecure and sslConfig exclude each other");
    }
    for name in collector.headers.keys() {
        if !header::is_name(name) {
            fields.error_at("headers", format!("{name:?} is not the name of a header"));
        }
    }
    Some(collector)
}

fn a_text() -> Schema {
    Schema::Text
}

fn text(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    match format::check(&text) {
        Ok(()) => Some(text),
        Err(reason) => node.error(reason),
    }
}

fn address(node: &Node<'_>) -> Option<CollectorAddress> {
    let text = node.non_empty()?;
    let wrong = || {
        node.error(format!(
            "{text:?} is not a host and a port, as collector.example.com:4317"
        ))
    };
    let Some((host, port)) = text.rsplit_once(':') else {
        return wrong();
    };
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_host = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok() || crate::upstream::is_host_name(host),
    };
    match port.parse::<u16>() {
        Ok(port) if is_host && port > 0 => Some(CollectorAddress {
            host: inner.unwrap_or(host).to_owned(),
            port,
        }),
        _ => wrong(),
    }
}
