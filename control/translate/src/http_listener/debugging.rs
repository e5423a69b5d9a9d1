//! Copies of requests and responses.

use envoy_types::pb::envoy::config::common::matcher::v3::{MatchPredicate, match_predicate::Rule};
use envoy_types::pb::envoy::config::tap::v3::{
    FilePerTapSink, OutputConfig, OutputSink, TapConfig, output_sink::Format,
    output_sink::OutputSinkType,
};
use envoy_types::pb::envoy::extensions::common::tap::v3::CommonExtensionConfig;
use envoy_types::pb::envoy::extensions::common::tap::v3::common_extension_config::ConfigType;
use envoy_types::pb::envoy::extensions::filters::http::tap::v3::Tap as EnvoyTap;
use tenon_model::tap::Tap;

use crate::proto::{Any, uint};
use crate::wire::any;

/// The filter. (Not the one that Envoy's admin configures: it takes an Envoy 1.40 without an admin down, and
/// `envoy --mode validate` with it.)
pub(super) fn tap(tap: &Tap) -> Any {
    let config = ConfigType::StaticConfig(TapConfig {
        r#match: Some(MatchPredicate {
            rule: Some(Rule::AnyMatch(true)),
        }),
        output_config: Some(output(tap)),
        ..TapConfig::default()
    });
    any(&EnvoyTap {
        common_config: Some(CommonExtensionConfig {
            config_type: Some(config),
        }),
        record_headers_received_time: tap.record_headers_received_time,
        record_downstream_connection: tap.record_downstream_connection,
        ..EnvoyTap::default()
    })
}

fn output(tap: &Tap) -> OutputConfig {
    let sinks = tap.sinks.iter().map(|sink| OutputSink {
        format: Format::JsonBodyAsBytes.into(),
        output_sink_type: Some(OutputSinkType::FilePerTap(FilePerTapSink {
            path_prefix: sink.file_per_tap.path_prefix.clone(),
        })),
    });
    OutputConfig {
        sinks: sinks.collect(),
        max_buffered_rx_bytes: tap.max_buffered_rx_bytes.map(uint),
        max_buffered_tx_bytes: tap.max_buffered_tx_bytes.map(uint),
        ..OutputConfig::default()
    }
}
