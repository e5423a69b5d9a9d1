//! How often requests may come.

use envoy_types::pb::envoy::config::ratelimit::v3::RateLimitServiceConfig;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::{
    LocalRateLimitDescriptor, rate_limit_descriptor::Entry,
};
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3 as service;
use envoy_types::pb::envoy::r#type::metadata::v3 as metadata;
use envoy_types::pb::envoy::r#type::v3 as types;
use tenon_model::options::rate_limit::{
    BasicRateLimit, HostRateLimit, MetadataEntry, MetadataSource, Rate, RateLimitAction,
    RateLimitActions, RateLimitHeader, RateLimitHeaderValue, RateLimitServer, RouteRateLimit,
    TokenBucket,
};

use super::{Configured, Context, grpc_service};
use crate::filters::on;
use crate::http_filters::{
    LOCAL_RATE_LIMIT, LOCAL_RATE_LIMIT_BASIC, RateLimitStage, not_the_client_s,
};
use crate::names;
use crate::proto::route::header_matcher::HeaderMatchSpecifier;
use crate::proto::route::rate_limit::{Action, action};
use crate::proto::{
    Any, boolean, core, duration, ends_with, exactly, matches, percent, prefix, route, share, uint,
};
use crate::wire::any;

/// What Gloo's own server calls the limits of users.
const DOMAIN: &str = "custom";
/// As Gloo.
const DEFAULT_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(100);
/// How many clients Envoy remembers with a limit of each.
const MOST_CLIENTS: u32 = 10_000;

pub(super) fn of_route(
    (field, stage): (&str, RateLimitStage),
    own: &RouteRateLimit,
    of_host: Option<&HostRateLimit>,
    context: &Context<'_>,
    to: &mut Configured,
) {
    let of_host = of_host.filter(|_| own.include_vh_rate_limits);
    let actions = own.rate_limits.iter();
    let actions: Vec<_> = actions
        .chain(of_host.iter().flat_map(|it| &it.rate_limits))
        .collect();
    configure((field, stage), &actions, own.local_ratelimit, context, to);
}

pub(super) fn of_host(
    (field, stage): (&str, RateLimitStage),
    own: &HostRateLimit,
    context: &Context<'_>,
    to: &mut Configured,
) {
    let actions: Vec<_> = own.rate_limits.iter().collect();
    configure((field, stage), &actions, own.local_ratelimit, context, to);
}

fn configure(
    (field, stage): (&str, RateLimitStage),
    actions: &[&RateLimitActions],
    bucket: Option<TokenBucket>,
    context: &Context<'_>,
    to: &mut Configured,
) {
    if let Some(bucket) = &bucket {
        to.put(LOCAL_RATE_LIMIT, any(&local(bucket)));
    }
    if actions.is_empty() {
        return;
    }
    let Some(server) = &context.servers.ratelimit_server else {
        to.error(
            &format!("{field}.rateLimits"),
            "needs a rate limit service in the Settings' ratelimitServer",
        );
        return;
    };
    to.needs_server(field, &server.ratelimit_server_ref, context);
    let limits = actions.iter().map(|it| route::RateLimit {
        actions: it.actions.iter().map(translate).collect(),
        ..route::RateLimit::default()
    });
    let config = service::RateLimitPerRoute {
        rate_limits: limits.collect(),
        ..service::RateLimitPerRoute::default()
    };
    to.put(stage.filter(), any(&config));
}

/// The filter of the service; `is_there`: its cluster is.
pub(crate) fn filter(server: &RateLimitServer, stage: RateLimitStage) -> Any {
    let cluster = names::cluster_of(&server.ratelimit_server_ref);
    let timeout = server.request_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let headers = match server.enable_x_ratelimit_headers {
        true => service::rate_limit::XRateLimitHeadersRfcVersion::DraftVersion03,
        false => service::rate_limit::XRateLimitHeadersRfcVersion::Off,
    };
    any(&service::RateLimit {
        domain: DOMAIN.to_owned(),
        timeout: Some(duration(timeout)),
        failure_mode_deny: server.deny_on_fail,
        rate_limit_service: Some(RateLimitServiceConfig {
            grpc_service: Some(grpc_service(&cluster, &server.grpc_service.authority, None)),
            transport_api_version: core::ApiVersion::V3.into(),
        }),
        enable_x_ratelimit_headers: headers.into(),
        stat_prefix: stage.statistics().to_owned(),
        ..service::RateLimit::default()
    })
}

/// A local limit of nothing.
pub(crate) fn no_local_limit() -> Any {
    any(&LocalRateLimit {
        stat_prefix: "local_rate_limit".to_owned(),
        ..LocalRateLimit::default()
    })
}

fn local(bucket: &TokenBucket) -> LocalRateLimit {
    enforced(types::TokenBucket {
        max_tokens: bucket.max_tokens,
        tokens_per_fill: Some(uint(bucket.tokens_per_fill)),
        fill_interval: Some(duration(bucket.fill_interval)),
    })
}

fn enforced(bucket: types::TokenBucket) -> LocalRateLimit {
    LocalRateLimit {
        stat_prefix: "local_rate_limit".to_owned(),
        token_bucket: Some(bucket),
        filter_enabled: Some(share(percent(100.0))),
        filter_enforced: Some(share(percent(100.0))),
        ..LocalRateLimit::default()
    }
}

/// A bucket of each client that is known, and of each address of the others.
pub(super) fn basic(limits: &BasicRateLimit, context: &Context<'_>, to: &mut Configured) {
    let header = context.servers.user_id_header();
    let mut descriptors = Vec::new();
    let mut rate_limits = Vec::new();
    let is_known = |known: bool| route::HeaderMatcher {
        name: header.to_owned(),
        invert_match: !known,
        header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
        ..route::HeaderMatcher::default()
    };
    let mut limit = |key: &str, known: bool, rate: &Rate, who: action::ActionSpecifier| {
        descriptors.push(LocalRateLimitDescriptor {
            entries: vec![
                Entry {
                    key: "header_match".to_owned(),
                    value: key.to_owned(),
                },
                // Without a value: a bucket of each.
                Entry {
                    key: key.to_owned(),
                    value: String::new(),
                },
            ],
            token_bucket: Some(bucket(rate)),
            ..LocalRateLimitDescriptor::default()
        });
        let only = action::HeaderValueMatch {
            descriptor_value: key.to_owned(),
            headers: vec![is_known(known)],
            ..action::HeaderValueMatch::default()
        };
        rate_limits.push(route::RateLimit {
            actions: vec![
                some(action::ActionSpecifier::HeaderValueMatch(only)),
                some(who),
            ],
            ..route::RateLimit::default()
        });
    };
    if let Some(rate) = &limits.authorized_limits {
        // A client could say who it is by itself, and have a new bucket for each name.
        to.put(not_the_client_s(header), on());
        let who = action::RequestHeaders {
            header_name: header.to_owned(),
            descriptor_key: KNOWN.to_owned(),
            ..action::RequestHeaders::default()
        };
        limit(
            KNOWN,
            true,
            rate,
            action::ActionSpecifier::RequestHeaders(who),
        );
    }
    if let Some(rate) = &limits.anonymous_limits {
        limit(
            UNKNOWN,
            false,
            rate,
            action::ActionSpecifier::RemoteAddress(action::RemoteAddress {}),
        );
    }
    if rate_limits.is_empty() {
        return;
    }
    let config = LocalRateLimit {
        descriptors,
        rate_limits,
        always_consume_default_token_bucket: boolean(false),
        max_dynamic_descriptors: Some(uint(MOST_CLIENTS)),
        ..enforced(types::TokenBucket {
            // Envoy wants one for what has none of these: without end.
            max_tokens: u32::MAX,
            tokens_per_fill: Some(uint(u32::MAX)),
            fill_interval: Some(duration(std::time::Duration::from_secs(1))),
        })
    };
    to.put(LOCAL_RATE_LIMIT_BASIC, any(&config));
}

/// The key of the address, as Envoy's action has it.
const UNKNOWN: &str = "remote_address";
const KNOWN: &str = "user_id";

fn bucket(rate: &Rate) -> types::TokenBucket {
    types::TokenBucket {
        max_tokens: rate.requests_per_unit,
        tokens_per_fill: Some(uint(rate.requests_per_unit)),
        fill_interval: Some(duration(rate.unit.duration())),
    }
}

fn some(specifier: action::ActionSpecifier) -> Action {
    Action {
        action_specifier: Some(specifier),
    }
}

fn translate(from: &RateLimitAction) -> Action {
    use action::ActionSpecifier as To;
    some(match from {
        RateLimitAction::SourceCluster(()) => To::SourceCluster(action::SourceCluster {}),
        RateLimitAction::DestinationCluster(()) => {
            To::DestinationCluster(action::DestinationCluster {})
        }
        RateLimitAction::RequestHeaders(it) => To::RequestHeaders(action::RequestHeaders {
            header_name: it.header_name.clone(),
            descriptor_key: it.descriptor_key.clone(),
            ..action::RequestHeaders::default()
        }),
        RateLimitAction::RemoteAddress(()) => To::RemoteAddress(action::RemoteAddress {}),
        RateLimitAction::GenericKey(it) => To::GenericKey(action::GenericKey {
            descriptor_value: it.descriptor_value.clone(),
            ..action::GenericKey::default()
        }),
        RateLimitAction::HeaderValueMatch(it) => To::HeaderValueMatch(action::HeaderValueMatch {
            descriptor_value: it.descriptor_value.clone(),
            expect_match: boolean(it.expect_match),
            headers: it.headers.iter().map(header).collect(),
            ..action::HeaderValueMatch::default()
        }),
        RateLimitAction::Metadata(it) => To::Metadata(of_metadata(it)),
    })
}

fn of_metadata(from: &MetadataEntry) -> action::MetaData {
    let path = from.metadata_key.path.iter();
    let source = match from.source {
        MetadataSource::Dynamic => action::meta_data::Source::Dynamic,
        MetadataSource::RouteEntry => action::meta_data::Source::RouteEntry,
    };
    action::MetaData {
        descriptor_key: from.descriptor_key.clone(),
        metadata_key: Some(metadata::MetadataKey {
            key: from.metadata_key.key.clone(),
            path: path
                .map(|segment| metadata::metadata_key::PathSegment {
                    segment: Some(metadata::metadata_key::path_segment::Segment::Key(
                        segment.key.clone(),
                    )),
                })
                .collect(),
        }),
        default_value: from.default_value.clone(),
        source: source.into(),
        ..action::MetaData::default()
    }
}

fn header(from: &RateLimitHeader) -> route::HeaderMatcher {
    use HeaderMatchSpecifier as To;
    let specifier = match &from.value {
        None => To::PresentMatch(true),
        Some(RateLimitHeaderValue::PresentMatch(there)) => To::PresentMatch(*there),
        Some(RateLimitHeaderValue::ExactMatch(text)) => To::StringMatch(exactly(text)),
        Some(RateLimitHeaderValue::RegexMatch(text)) => To::StringMatch(matches(text)),
        Some(RateLimitHeaderValue::PrefixMatch(text)) => To::StringMatch(prefix(text)),
        Some(RateLimitHeaderValue::SuffixMatch(text)) => To::StringMatch(ends_with(text)),
        Some(RateLimitHeaderValue::RangeMatch(range)) => To::RangeMatch(types::Int64Range {
            start: range.start,
            end: range.end,
        }),
    };
    route::HeaderMatcher {
        name: from.name.clone(),
        invert_match: from.invert_match,
        header_match_specifier: Some(specifier),
        ..route::HeaderMatcher::default()
    }
}
