//! What a listener says of HTTP, as filters.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::XRateLimitHeadersRfcVersion;
use envoy_types::pb::envoy::extensions::compression::gzip::compressor::v3::Gzip as EnvoyGzip;
use envoy_types::pb::envoy::extensions::compression::gzip::compressor::v3::gzip::{
    CompressionLevel as EnvoyLevel, CompressionStrategy as EnvoyStrategy,
};
use envoy_types::pb::envoy::extensions::filters::http::buffer::v3::Buffer;
use envoy_types::pb::envoy::extensions::filters::http::compressor::v3::Compressor;
use envoy_types::pb::envoy::extensions::filters::http::compressor::v3::compressor::{
    CommonDirectionConfig, ResponseDirectionConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::grpc_web::v3::GrpcWeb;
use envoy_types::pb::envoy::extensions::filters::http::health_check::v3::HealthCheck;
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::stateful_session::v3::StatefulSession as EnvoySession;
use envoy_types::pb::envoy::extensions::http::original_ip_detection::xff::v3::{
    XffConfig, XffTrustedCidrs,
};
use envoy_types::pb::envoy::extensions::http::stateful_session::cookie::v3::CookieBasedSessionState;
use envoy_types::pb::envoy::extensions::http::stateful_session::header::v3::HeaderBasedSessionState;
use envoy_types::pb::envoy::r#type::http::v3::Cookie;
use tenon_model::http_listener::{
    CompressionLevel, CompressionStrategy, Gzip, HttpListenerOptions, ListenerHealthCheck,
    LocalRatelimit, MethodValidation,
};
use tenon_model::stateful_session::{SessionState, StatefulSession};

use crate::filters::filter;
use crate::http_filters::{BUFFER, CSRF, Chain, GRPC_JSON, STATEFUL_SESSION, Stage};
use crate::options::csrf;
use crate::proto::{
    Any, boolean, core, duration, exactly, hcm, listener, percent, route, token_bucket, uint,
};
use crate::tcp;
use crate::wire::any;

mod debugging;
mod found;

pub(crate) use found::{Found, look_up};

/// A listener's options, and what others say for them.
pub(crate) struct HttpForm {
    /// Without what names something that is not there.
    pub(crate) options: HttpListenerOptions,
    /// Methods of gRPC for requests in JSON.
    pub(crate) transcoder: Option<Any>,
}

/// Puts those filters into the chain that a listener has for all its routes.
pub(crate) fn put(chain: &mut Chain, form: &HttpForm) {
    let options = &form.options;
    if let Some(tap) = &options.tap {
        let config = debugging::tap(tap);
        chain.put(
            Stage::Fault.before(),
            filter("envoy.filters.http.tap", config),
        );
    }
    if let Some(gzip) = &options.gzip {
        let name = "envoy.filters.http.compressor";
        chain.put(Stage::Fault.during(), filter(name, compressor(gzip)));
    }
    if let Some(limit) = &options.http_local_ratelimit
        && let Some(config) = rate_limit(limit)
    {
        let name = "envoy.filters.http.local_ratelimit";
        chain.put(Stage::Cors.after(), filter(name, config));
    }
    if let Some(check) = &options.health_check {
        let name = "envoy.filters.http.health_check";
        chain.put(Stage::AuthZ.after(), filter(name, health_check(check)));
    }
    if options.grpc_web.is_some_and(|web| !web.disable) {
        let config = any(&GrpcWeb {});
        let name = "envoy.filters.http.grpc_web";
        chain.put(Stage::AuthZ.after(), filter(name, config));
    }
    if let Some(buffer) = options.buffer {
        let config = any(&Buffer {
            max_request_bytes: Some(uint(buffer.max_request_bytes)),
        });
        chain.put(Stage::Route.during(), filter(BUFFER, config));
    }
    if let Some(csrf) = &options.csrf {
        let config = any(&csrf::policy(csrf));
        chain.put(Stage::Route.during(), filter(CSRF, config));
    }
    if let Some(config) = &form.transcoder {
        let place = Stage::OutAuth.during();
        chain.put(place, filter(GRPC_JSON, config.clone()));
    }
    if let Some(session) = &options.stateful_session {
        let config = any(&stateful_session(session));
        chain.put(Stage::OutAuth.before(), filter(STATEFUL_SESSION, config));
    }
}

/// Takes over what is no filter.
pub(crate) fn apply(options: &HttpListenerOptions, to: &mut hcm::HttpConnectionManager) {
    if let Some(MethodValidation::DisableHttp1MethodValidation(_)) =
        options.header_validation_settings.header_method_validation
    {
        let http1 = to.http_protocol_options.get_or_insert_default();
        http1.allow_custom_methods = true;
    }
    if options.leftmost_xff_address {
        // Whoever is there is trusted, so the search from the right ends at the left. Envoy wants nobody else to know.
        to.use_remote_address = boolean(false);
        to.xff_num_trusted_hops = 0;
        to.original_ip_detection_extensions = vec![core::TypedExtensionConfig {
            name: "envoy.http.original_ip_detection.xff".to_owned(),
            typed_config: Some(any(&XffConfig {
                xff_trusted_cidrs: Some(XffTrustedCidrs {
                    cidrs: ["0.0.0.0", "::"].map(whole).to_vec(),
                }),
                skip_xff_append: boolean(to.skip_xff_append),
                ..XffConfig::default()
            })),
        }];
    }
}

/// All addresses of a family.
fn whole(prefix: &str) -> core::CidrRange {
    core::CidrRange {
        address_prefix: prefix.to_owned(),
        prefix_len: Some(uint(0)),
    }
}

pub(crate) fn stateful_session(session: &StatefulSession) -> EnvoySession {
    let (name, config) = match &session.state {
        SessionState::CookieBased(based) => {
            let cookie = &based.cookie;
            let cookie = Cookie {
                name: cookie.name.clone(),
                path: cookie.path.clone().unwrap_or_default(),
                ttl: cookie.ttl.map(duration),
                ..Cookie::default()
            };
            let config = any(&CookieBasedSessionState {
                cookie: Some(cookie),
            });
            ("envoy.http.stateful_session.cookie", config)
        }
        SessionState::HeaderBased(based) => {
            let config = any(&HeaderBasedSessionState {
                name: based.header_name.clone(),
            });
            ("envoy.http.stateful_session.header", config)
        }
    };
    EnvoySession {
        session_state: Some(core::TypedExtensionConfig {
            name: name.to_owned(),
            typed_config: Some(config),
        }),
        strict: session.strict,
        ..EnvoySession::default()
    }
}

/// Envoy's router, which is the last filter.
pub(crate) fn router(options: &HttpListenerOptions) -> hcm::HttpFilter {
    let config = Router {
        suppress_envoy_headers: options.router.suppress_envoy_headers,
        dynamic_stats: options.router.dynamic_stats.and_then(boolean),
        ..Router::default()
    };
    filter("envoy.filters.http.router", any(&config))
}

/// What stands before HTTP.
pub(crate) fn of_connections(options: &HttpListenerOptions) -> Vec<listener::Filter> {
    let limit = options.connection_limit.as_ref();
    let rate = options.network_local_ratelimit.as_ref();
    let limit = limit.and_then(tcp::connection_limit);
    limit.into_iter().chain(rate.map(tcp::rate_limit)).collect()
}

fn health_check(check: &ListenerHealthCheck) -> Any {
    let path = route::HeaderMatcher {
        name: ":path".to_owned(),
        header_match_specifier: Some(route::header_matcher::HeaderMatchSpecifier::StringMatch(
            exactly(&check.path),
        )),
        ..route::HeaderMatcher::default()
    };
    any(&HealthCheck {
        pass_through_mode: boolean(false),
        headers: vec![path],
        ..HealthCheck::default()
    })
}

fn rate_limit(limit: &LocalRatelimit) -> Option<Any> {
    let bucket = limit.default_limit?;
    let all = || {
        Some(core::RuntimeFractionalPercent {
            default_value: Some(percent(100.0)),
            ..core::RuntimeFractionalPercent::default()
        })
    };
    let headers = match limit.enable_x_ratelimit_headers {
        true => XRateLimitHeadersRfcVersion::DraftVersion03,
        false => XRateLimitHeadersRfcVersion::Off,
    };
    Some(any(&LocalRateLimit {
        stat_prefix: "http_local_rate_limit".to_owned(),
        token_bucket: Some(token_bucket(
            bucket.max_tokens,
            bucket.tokens_per_fill,
            bucket.fill_interval.unwrap_or(Duration::from_secs(1)),
        )),
        filter_enabled: all(),
        filter_enforced: all(),
        local_rate_limit_per_downstream_connection: limit
            .local_rate_limit_per_downstream_connection,
        enable_x_ratelimit_headers: headers.into(),
        ..LocalRateLimit::default()
    }))
}

fn compressor(gzip: &Gzip) -> Any {
    let level = match gzip.compression_level {
        CompressionLevel::Default => EnvoyLevel::DefaultCompression,
        CompressionLevel::Best => EnvoyLevel::CompressionLevel9,
        CompressionLevel::Speed => EnvoyLevel::BestSpeed,
    };
    let strategy = match gzip.compression_strategy {
        CompressionStrategy::Default => EnvoyStrategy::DefaultStrategy,
        CompressionStrategy::Filtered => EnvoyStrategy::Filtered,
        CompressionStrategy::Huffman => EnvoyStrategy::HuffmanOnly,
        CompressionStrategy::Rle => EnvoyStrategy::Rle,
    };
    let library = EnvoyGzip {
        memory_level: gzip.memory_level.map(uint),
        compression_level: level.into(),
        compression_strategy: strategy.into(),
        window_bits: gzip.window_bits.map(uint),
        ..EnvoyGzip::default()
    };
    any(&Compressor {
        compressor_library: Some(core::TypedExtensionConfig {
            name: "envoy.compression.gzip.compressor".to_owned(),
            typed_config: Some(any(&library)),
        }),
        response_direction_config: Some(ResponseDirectionConfig {
            common_config: Some(CommonDirectionConfig {
                min_content_length: gzip.content_length.map(uint),
                content_type_matcher: gzip.content_type.iter().map(|it| exactly(it)).collect(),
                ..CommonDirectionConfig::default()
            }),
            disable_on_etag_header: gzip.disable_on_etag_header,
            remove_accept_encoding_header: gzip.remove_accept_encoding_header,
            ..ResponseDirectionConfig::default()
        }),
        ..Compressor::default()
    })
}
