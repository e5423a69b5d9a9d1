//! Asking a server whether a request may pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutationRules;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::{
    self as authz, AuthorizationRequest, AuthorizationResponse, BufferSettings, ExtAuthz,
    ExtAuthzPerRoute, HttpService, ext_authz::Services, ext_authz_per_route::Override,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{ListStringMatcher, StringMatcher};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use prost::{Message, Name};
use tenon_model::options::ext_auth::{
    ExtAuth, ExtAuthServer, ExtAuthService, ExtAuthSpec, HttpService as Http,
};

use xxhash_rust::xxh3::xxh3_128;

use super::{Configured, Context, grpc_service};
use crate::http_filters::EXT_AUTHZ;
use crate::names;
use crate::proto::{Any, boolean, core, duration, exactly, matches, regex};
use crate::wire::{self, any, any_bytes};

/// `ExtAuthzPerRoute.check_settings`
const CHECK_SETTINGS: u32 = 2;

/// The part of a `CheckSettings` that is a map.
#[derive(Clone, PartialEq, Message)]
struct CheckSettings {
    #[prost(btree_map = "string, string", tag = "1")]
    context_extensions: BTreeMap<String, String>,
}

/// The filter of a server, by its name in the settings.
pub(crate) fn filter_name(server: &str) -> String {
    match server {
        "" => EXT_AUTHZ.to_owned(),
        name => format!("{EXT_AUTHZ}.{name}"),
    }
}

/// Of a route, a destination or a virtual host: asks one server, and no other.
pub(super) fn configure(auth: &ExtAuth, context: &Context<'_>, to: &mut Configured) {
    let custom = match &auth.spec {
        None => return,
        Some(ExtAuthSpec::Disable(())) => {
            ask_no_other(None, context, to);
            return;
        }
        Some(ExtAuthSpec::CustomAuth(custom)) => custom,
    };
    let Some(server) = context.servers.ext_auth(&custom.name) else {
        let text = match custom.name.as_str() {
            "" => "needs a server in the Settings' extauth".to_owned(),
            name => format!("needs a server {name:?} in the Settings' namedExtauth"),
        };
        to.error("extauth.customAuth", text);
        return;
    };
    to.needs_server("extauth", &server.extauthz_server_ref, context);
    to.reroutes |= server.clear_route_cache;
    ask_no_other(Some(&custom.name), context, to);
    let settings = CheckSettings {
        context_extensions: custom.context_extensions.clone(),
    };
    let mut bytes = Vec::new();
    wire::append(&mut bytes, CHECK_SETTINGS, &settings.encode_to_vec());
    to.put(
        filter_name(&custom.name),
        any_bytes(ExtAuthzPerRoute::type_url(), bytes),
    );
}

/// Of a route: asks servers one after the other, whoever else is asked.
pub(super) fn ask_all(servers: &[Arc<ExtAuthServer>], context: &Context<'_>, to: &mut Configured) {
    for (place, server) in servers.iter().enumerate() {
        to.needs_server("externalAuth", &server.extauthz_server_ref, context);
        let name = name_of_own(place, server);
        let asking = Override::CheckSettings(authz::CheckSettings::default());
        let config = ExtAuthzPerRoute {
            r#override: Some(asking),
        };
        to.put(&name, any(&config));
        to.asked.insert(name, server.clone());
    }
}

/// The filter of a server that routes say themselves: the same for all that say the same, in the order in which they ask.
fn name_of_own(place: usize, server: &ExtAuthServer) -> String {
    let hash = xxh3_128(&filter(server, true).value);
    format!("{EXT_AUTHZ}{OWN}{place:02}/{hash:032x}")
}

/// What tells a server that routes say themselves from those of the settings, in the names of filters.
const OWN: &str = "/";

/// Has the other servers not asked, which the virtual host may ask.
fn ask_no_other(server: Option<&str>, context: &Context<'_>, to: &mut Configured) {
    for name in context.servers.ext_auth_names() {
        if Some(name) != server {
            to.put_quietly(filter_name(name), disabled());
        }
    }
}

/// What has a server not asked on a route.
pub(crate) fn disabled() -> Any {
    any(&ExtAuthzPerRoute {
        r#override: Some(Override::Disabled(true)),
    })
}

/// A filter that lets nothing pass, because there is nobody to ask.
pub(crate) fn refusing() -> Any {
    let nobody = Services::HttpService(HttpService {
        server_uri: Some(uri(names::BLACKHOLE, DEFAULT_TIMEOUT)),
        ..HttpService::default()
    });
    any(&ExtAuthz {
        services: Some(nobody),
        transport_api_version: core::ApiVersion::V3.into(),
        status_on_error: Some(HttpStatus { code: 500 }),
        ..ExtAuthz::default()
    })
}

/// The filter of a server; `is_there`: its cluster is.
pub(crate) fn filter(server: &ExtAuthServer, is_there: bool) -> Any {
    let timeout = server.request_timeout.unwrap_or(DEFAULT_TIMEOUT);
    if !is_there {
        // Envoy refuses a listener with the gRPC service of a cluster that is not there.
        return refusing();
    }
    let cluster = names::cluster_of(&server.extauthz_server_ref);
    let services = match &server.service {
        Some(ExtAuthService::HttpService(http)) => http_service(server, http, &cluster, timeout),
        Some(ExtAuthService::GrpcService(grpc)) => {
            Services::GrpcService(grpc_service(&cluster, &grpc.authority, Some(timeout)))
        }
        None => Services::GrpcService(grpc_service(&cluster, "", Some(timeout))),
    };
    any(&ExtAuthz {
        services: Some(services),
        transport_api_version: core::ApiVersion::V3.into(),
        failure_mode_allow: server.failure_mode_allow,
        with_request_body: server.request_body.as_ref().map(|body| BufferSettings {
            max_request_bytes: body.max_request_bytes,
            allow_partial_message: body.allow_partial_message,
            pack_as_bytes: body.pack_as_bytes,
        }),
        clear_route_cache: server.clear_route_cache,
        status_on_error: server.status_on_error.and_then(|code| {
            Some(HttpStatus {
                code: i32::try_from(code).ok()?,
            })
        }),
        stat_prefix: server.stat_prefix.clone(),
        allowed_headers: match &server.service {
            Some(ExtAuthService::GrpcService(grpc)) => {
                list(grpc.allowed_headers.iter().map(|it| ignoring_case(it)))
            }
            _ => None,
        },
        decoder_header_mutation_rules: tells_all(server).then(|| HeaderMutationRules {
            // What is not allowed is left out.
            disallow_system: boolean(true),
            disallow_expression: Some(regex(NOT_COPIED)),
            ..HeaderMutationRules::default()
        }),
        metadata_context_namespaces: vec![super::JWT_METADATA.to_owned()],
        ..ExtAuthz::default()
    })
}

/// Headers that are about a server's answer itself, or say where requests go: what they said of the request would be wrong.
const NOT_COPIED: &str = "(?i)(host|connection|content-.*|date|keep-alive|proxy-.*|server|te|trailer|transfer-encoding|upgrade|via|x-envoy-.*|x-tenon-.*)";

/// Whether all headers of a server's answer go to the upstream.
fn tells_all(server: &ExtAuthServer) -> bool {
    match &server.service {
        Some(ExtAuthService::HttpService(http)) => http.response.all_upstream_headers,
        _ => false,
    }
}

/// As Gloo.
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(200);

fn http_service(server: &ExtAuthServer, http: &Http, cluster: &str, timeout: Duration) -> Services {
    let request = &http.request;
    let allowed = request
        .allowed_headers
        .iter()
        .map(|name| ignoring_case(name));
    let allowed_regex = request.allowed_headers_regex.iter().map(|it| matches(it));
    let to_add = request.headers_to_add.iter();
    let response = &http.response;
    let mut upstream: Vec<_> = response.allowed_upstream_headers.clone();
    if !server.user_id_header.is_empty() {
        upstream.push(server.user_id_header.clone());
    }
    Services::HttpService(HttpService {
        server_uri: Some(uri(cluster, timeout)),
        path_prefix: http.path_prefix.clone(),
        authorization_request: Some(AuthorizationRequest {
            headers_to_add: to_add
                .map(|(name, value)| core::HeaderValue {
                    key: name.clone(),
                    value: value.clone(),
                    ..core::HeaderValue::default()
                })
                .collect(),
            #[expect(deprecated, reason = "the other place is the same for all servers")]
            allowed_headers: list(allowed.chain(allowed_regex)),
        }),
        authorization_response: Some(AuthorizationResponse {
            allowed_upstream_headers: match response.all_upstream_headers {
                true => list([matches("[^:].*")].into_iter()),
                false => list(upstream.iter().map(|it| ignoring_case(it))),
            },
            allowed_client_headers: list(
                response
                    .allowed_client_headers
                    .iter()
                    .map(|it| ignoring_case(it)),
            ),
            allowed_upstream_headers_to_append: list(
                response
                    .allowed_upstream_headers_to_append
                    .iter()
                    .map(|it| ignoring_case(it)),
            ),
            ..AuthorizationResponse::default()
        }),
        ..HttpService::default()
    })
}

fn uri(cluster: &str, timeout: Duration) -> core::HttpUri {
    core::HttpUri {
        // Envoy wants one, and looks at the cluster only.
        uri: format!("http://{cluster}"),
        timeout: Some(duration(timeout)),
        http_upstream_type: Some(core::http_uri::HttpUpstreamType::Cluster(
            cluster.to_owned(),
        )),
    }
}

fn list(patterns: impl Iterator<Item = StringMatcher>) -> Option<ListStringMatcher> {
    let patterns: Vec<_> = patterns.collect();
    (!patterns.is_empty()).then_some(ListStringMatcher { patterns })
}

fn ignoring_case(name: &str) -> StringMatcher {
    StringMatcher {
        ignore_case: true,
        ..exactly(name)
    }
}
