//! Requests of other origins.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::Action;
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutationPerRoute, Mutations,
};
use tenon_model::options::cors::Cors;

use super::Configured;
use crate::http_filters::{CORS, CORS_ECHO};
use crate::proto::{boolean, exactly, header, matches, percent, share};
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
        forward_not_matching_preflights: cors.answers_others.then(|| boolean(false)).flatten(),
        filter_enabled: cors.disable_for_route.then(|| share(percent(0.0))),
        ..CorsPolicy::default()
    };
    to.put(CORS, any(&policy));
    let echoes = [
        (cors.echoes_method, "method", "methods"),
        (cors.echoes_headers, "headers", "headers"),
    ];
    let mutations = echoes.into_iter().filter(|(echoed, ..)| *echoed);
    let mutations: Vec<_> = mutations
        .map(|(_, asked, told)| echo(asked, told))
        .collect();
    if !mutations.is_empty() {
        let mutations = Mutations {
            response_mutations: mutations,
            ..Mutations::default()
        };
        let mutations = HeaderMutationPerRoute {
            mutations: Some(mutations),
        };
        to.put(CORS_ECHO, any(&mutations));
    }
}

/// Tells a preflight what it asks for; nothing is told where nothing is asked.
fn echo(asked: &str, told: &str) -> HeaderMutation {
    let name = format!("access-control-allow-{told}");
    let value = format!("%REQ(access-control-request-{asked})%");
    HeaderMutation {
        action: Some(Action::Append(header(&name, &value, false))),
    }
}
