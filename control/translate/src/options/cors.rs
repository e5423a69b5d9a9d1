//! Requests of other origins.

use envoy_types::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy;
use tenon_model::options::cors::Cors;

use super::Configured;
use crate::http_filters::CORS;
use crate::proto::{boolean, exactly, matches, percent, share};
use crate::wire::any;

pub(super) fn configure(cors: &Cors, to: &mut Configured) {
    let exact = cors.allow_origin.iter().map(|it| exactly(it));
    let regex = cors.allow_origin_regex.iter().map(|it| matches(it));
    let policy = CorsPolicy {
        allow_origin_string_match: exact.chain(regex).collect(),
        allow_methods: cors.allow_methods.join(","),
        allow_headers: cors.allow_headers.join(","),
        expose_headers: cors.expose_headers.join(","),
        max_age: cors.max_age.clone().unwrap_or_default(),
        allow_credentials: cors.allow_credentials.then(|| boolean(true)).flatten(),
        filter_enabled: cors.disable_for_route.then(|| share(percent(0.0))),
        ..CorsPolicy::default()
    };
    to.put(CORS, any(&policy));
}
