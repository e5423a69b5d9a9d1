//! Access logs for a collector of OpenTelemetry's.

use envoy_types::pb::envoy::extensions::access_loggers::open_telemetry::v3::OpenTelemetryAccessLogConfig;
use envoy_types::pb::opentelemetry::proto::common::v1 as otlp;
use envoy_types::pb::opentelemetry::proto::common::v1::any_value::Value as To;
use tenon_model::open_telemetry::{
    AnyValue, AnyValueType, ArrayValue, KeyValue, KeyValueList, OpenTelemetrySink,
};

use super::hide;
use crate::names;
use crate::options::grpc_service;
use crate::proto::{Any, core};
use crate::wire::any;

/// The logger's configuration.
pub(super) fn config(sink: &OpenTelemetrySink) -> Any {
    let collector = &sink.collector;
    let cluster = names::collector(&sink.log_name);
    let headers = collector.headers.iter();
    let service = core::GrpcService {
        initial_metadata: headers
            .map(|(name, value)| core::HeaderValue {
                key: name.clone(),
                value: value.clone(),
                ..core::HeaderValue::default()
            })
            .collect(),
        ..grpc_service(&cluster, &collector.authority, collector.timeout)
    };
    any(&OpenTelemetryAccessLogConfig {
        log_name: sink.log_name.clone(),
        grpc_service: Some(service),
        filter_state_objects_to_log: sink.filter_state_objects_to_log.clone(),
        disable_builtin_labels: sink.disable_builtin_labels,
        body: sink.body.as_ref().map(value),
        attributes: sink.attributes.as_ref().map(list),
        ..OpenTelemetryAccessLogConfig::default()
    })
}

fn value(from: &AnyValue) -> otlp::AnyValue {
    let value = match &from.value {
        AnyValueType::StringValue(text) => To::StringValue(text.clone()),
        AnyValueType::ArrayValue(several) => To::ArrayValue(otlp::ArrayValue {
            values: several.values.iter().map(value).collect(),
        }),
        AnyValueType::KvlistValue(several) => To::KvlistValue(list(several)),
    };
    otlp::AnyValue { value: Some(value) }
}

fn list(from: &KeyValueList) -> otlp::KeyValueList {
    let values = from.values.iter().map(|it| otlp::KeyValue {
        key: it.key.clone(),
        value: Some(value(&it.value)),
        ..otlp::KeyValue::default()
    });
    otlp::KeyValueList {
        values: values.collect(),
    }
}

/// The same without some headers.
pub(super) fn without(sink: &OpenTelemetrySink, hidden: fn(&str) -> bool) -> OpenTelemetrySink {
    OpenTelemetrySink {
        body: sink.body.as_ref().map(|body| less(body, hidden)),
        attributes: sink.attributes.as_ref().map(|it| fewer(it, hidden)),
        ..sink.clone()
    }
}

fn less(from: &AnyValue, hidden: fn(&str) -> bool) -> AnyValue {
    let value = match &from.value {
        AnyValueType::StringValue(text) => AnyValueType::StringValue(hide(text, hidden)),
        AnyValueType::ArrayValue(several) => AnyValueType::ArrayValue(ArrayValue {
            values: several.values.iter().map(|it| less(it, hidden)).collect(),
        }),
        AnyValueType::KvlistValue(several) => AnyValueType::KvlistValue(fewer(several, hidden)),
    };
    AnyValue { value }
}

fn fewer(list: &KeyValueList, hidden: fn(&str) -> bool) -> KeyValueList {
    let values = list.values.iter().map(|it| KeyValue {
        key: it.key.clone(),
        value: less(&it.value, hidden),
    });
    KeyValueList {
        values: values.collect(),
    }
}
