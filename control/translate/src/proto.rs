//! Short names for Envoy's messages, and the wrappers that protobuf asks for.

use std::time::Duration;

use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher,
    regex_matcher::{EngineType, GoogleRe2},
    string_matcher::MatchPattern,
};
use envoy_types::pb::envoy::r#type::v3::TokenBucket;
use envoy_types::pb::envoy::r#type::v3::{FractionalPercent, fractional_percent::DenominatorType};
use envoy_types::pb::google::protobuf;

pub(crate) use envoy_types::pb::envoy::config::cluster::v3 as cluster;
pub(crate) use envoy_types::pb::envoy::config::core::v3 as core;
pub(crate) use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
pub(crate) use envoy_types::pb::envoy::config::listener::v3 as listener;
pub(crate) use envoy_types::pb::envoy::config::route::v3 as route;
pub(crate) use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
pub(crate) use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
pub(crate) use envoy_types::pb::envoy::extensions::upstreams::http::v3 as upstream_http;
pub(crate) use envoy_types::pb::google::protobuf::Any;

/// What Envoy holds of one body: Lambda's 6 MB, in base64 too.
pub(crate) const BUFFER_LIMIT: u32 = 9 * 1024 * 1024;

pub(crate) fn boolean(value: bool) -> Option<protobuf::BoolValue> {
    Some(protobuf::BoolValue { value })
}

pub(crate) fn uint(value: u32) -> protobuf::UInt32Value {
    protobuf::UInt32Value { value }
}

/// Of so many percent, to a ten-thousandth of one.
pub(crate) fn percent(percent: f64) -> FractionalPercent {
    // The model has it from 0 to 100.
    millionths((percent * 10_000.0).round().clamp(0.0, 1_000_000.0) as u32)
}

pub(crate) fn millionths(numerator: u32) -> FractionalPercent {
    FractionalPercent {
        numerator,
        denominator: DenominatorType::Million.into(),
    }
}

/// A share that Envoy's runtime has no name for.
pub(crate) fn share(of: FractionalPercent) -> core::RuntimeFractionalPercent {
    core::RuntimeFractionalPercent {
        default_value: Some(of),
        ..core::RuntimeFractionalPercent::default()
    }
}

pub(crate) fn duration(duration: Duration) -> protobuf::Duration {
    protobuf::Duration {
        // The model knows no duration that does not fit.
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

pub(crate) fn ads() -> Option<core::ConfigSource> {
    Some(core::ConfigSource {
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(
            core::AggregatedConfigSource::default(),
        )),
        ..core::ConfigSource::default()
    })
}

pub(crate) fn socket_address(address: &str, port: u16) -> Option<core::Address> {
    Some(core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: address.to_owned(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port.into())),
            ..core::SocketAddress::default()
        })),
    })
}

pub(crate) fn inline_string(text: impl Into<String>) -> Option<core::DataSource> {
    Some(core::DataSource {
        specifier: Some(core::data_source::Specifier::InlineString(text.into())),
        ..core::DataSource::default()
    })
}

pub(crate) fn file(path: &str) -> Option<core::DataSource> {
    Some(core::DataSource {
        specifier: Some(core::data_source::Specifier::Filename(path.to_owned())),
        ..core::DataSource::default()
    })
}

pub(crate) fn local_file(path: &str) -> Option<core::AsyncDataSource> {
    let specifier = file(path).map(core::async_data_source::Specifier::Local);
    Some(core::AsyncDataSource { specifier })
}

/// Above this Envoy refuses an expression unless it is told otherwise, and with it all routes of a listener.
const DEFAULT_REGEX_SIZE: usize = 100;

pub(crate) fn regex(pattern: &str) -> RegexMatcher {
    let mut matcher = RegexMatcher {
        regex: pattern.to_owned(),
        ..RegexMatcher::default()
    };
    if tenon_model::regex_size(pattern) > DEFAULT_REGEX_SIZE - 10 {
        raise_size_limit(&mut matcher);
    }
    matcher
}

#[expect(
    deprecated,
    reason = "the other way is the runtime of each Envoy's bootstrap, which is not ours everywhere"
)]
fn raise_size_limit(matcher: &mut RegexMatcher) {
    matcher.engine_type = Some(EngineType::GoogleRe2(GoogleRe2 {
        // The model refuses what is larger than a tenth of this.
        max_program_size: Some(uint(100_000)),
    }));
}

pub(crate) fn exactly(text: &str) -> StringMatcher {
    string_matcher(MatchPattern::Exact(text.to_owned()))
}

pub(crate) fn matches(pattern: &str) -> StringMatcher {
    string_matcher(MatchPattern::SafeRegex(regex(pattern)))
}

pub(crate) fn prefix(prefix: &str) -> StringMatcher {
    string_matcher(MatchPattern::Prefix(prefix.to_owned()))
}

pub(crate) fn starts_with(prefix: &str) -> StringMatcher {
    StringMatcher {
        ignore_case: true,
        ..string_matcher(MatchPattern::Prefix(prefix.to_owned()))
    }
}

pub(crate) fn begins_with(prefix: &str) -> StringMatcher {
    string_matcher(MatchPattern::Prefix(prefix.to_owned()))
}

pub(crate) fn ends_with(suffix: &str) -> StringMatcher {
    string_matcher(MatchPattern::Suffix(suffix.to_owned()))
}

fn string_matcher(pattern: MatchPattern) -> StringMatcher {
    StringMatcher {
        match_pattern: Some(pattern),
        ..StringMatcher::default()
    }
}

/// How much there may be in a while.
pub(crate) fn token_bucket(most: u32, more: Option<u32>, interval: Duration) -> TokenBucket {
    TokenBucket {
        max_tokens: most,
        tokens_per_fill: more.map(uint),
        fill_interval: Some(duration(interval)),
    }
}

/// A header to add.
pub(crate) fn header(name: &str, value: &str, append: bool) -> core::HeaderValueOption {
    use core::header_value_option::HeaderAppendAction;
    let action = match append {
        true => HeaderAppendAction::AppendIfExistsOrAdd,
        false => HeaderAppendAction::OverwriteIfExistsOrAdd,
    };
    core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..core::HeaderValue::default()
        }),
        append_action: action.into(),
        ..core::HeaderValueOption::default()
    }
}
