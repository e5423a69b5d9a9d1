//! Tokens that say who the client is.
//!
//! Envoy has providers and requirements in the filter of a listener, and a route names a requirement. So both are named by
//! their content: what is the same is there once, and nothing that differs can have the same name.

use std::collections::BTreeMap;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::{
    self as envoy, JwtAuthentication, JwtClaimToHeader, JwtHeader, JwtProvider, JwtRequirement,
    JwtRequirementOrList, PerRouteConfig, jwt_provider::JwksSourceSpecifier,
    jwt_requirement::RequiresType, per_route_config::RequirementSpecifier,
};
use envoy_types::pb::google::protobuf::Empty;
use prost::{Message, Name};
use tenon_model::options::jwt::{
    self as model, Jwks, Jwt, RemoteJwks, RouteJwt, StagedJwt, ValidationPolicy,
};
use tenon_model::{HostJwt, RouteJwtConfig};

use super::{Configured, Context};
use crate::http_filters::JwtStage;
use crate::names;
use crate::output::content_hash;
use crate::proto::{Any, core, duration, inline_string};
use crate::wire::{any, any_bytes};

/// What virtual hosts need of the filter of a listener.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct JwtNeeds {
    providers: BTreeMap<String, JwtProvider>,
    requirements: BTreeMap<String, JwtRequirement>,
}

impl JwtNeeds {
    /// Takes over what another needs.
    pub(crate) fn add(&mut self, other: &Self) {
        let providers = other.providers.iter();
        self.providers
            .extend(providers.map(|(name, it)| (name.clone(), it.clone())));
        let requirements = other.requirements.iter();
        self.requirements
            .extend(requirements.map(|(name, it)| (name.clone(), it.clone())));
    }
}

/// A `JwtAuthentication`, whose maps are in order.
#[derive(Clone, PartialEq, Message)]
struct Authentication {
    #[prost(btree_map = "string, message", tag = "1")]
    providers: BTreeMap<String, JwtProvider>,
    #[prost(bool, tag = "4")]
    bypass_cors_preflight: bool,
    #[prost(btree_map = "string, message", tag = "5")]
    requirement_map: BTreeMap<String, JwtRequirement>,
}

/// The filter of a listener.
pub(crate) fn filter(needs: &JwtNeeds) -> Any {
    let config = Authentication {
        providers: needs.providers.clone(),
        bypass_cors_preflight: true,
        requirement_map: needs.requirements.clone(),
    };
    any_bytes(JwtAuthentication::type_url(), config.encode_to_vec())
}

/// What has no token needed on a route.
pub(crate) fn disabled() -> Any {
    any(&PerRouteConfig {
        requirement_specifier: Some(RequirementSpecifier::Disabled(true)),
    })
}

pub(super) fn of_host(jwt: &HostJwt, context: &Context<'_>, to: &mut Configured) {
    match jwt {
        HostJwt::Jwt(jwt) => require(JwtStage::After, "jwt", jwt, context, to),
        HostJwt::JwtStaged(staged) => stages("jwtStaged", staged, context, to),
    }
}

pub(super) fn of_route(jwt: &RouteJwtConfig, context: &Context<'_>, to: &mut Configured) {
    let mut disable = |stage: JwtStage, jwt: Option<&RouteJwt>| {
        if jwt.is_some_and(|jwt| jwt.disable) {
            to.put_quietly(stage.filter(), disabled());
        }
    };
    match jwt {
        RouteJwtConfig::Jwt(jwt) => disable(JwtStage::After, Some(jwt)),
        RouteJwtConfig::JwtStaged(staged) => {
            disable(JwtStage::Before, staged.before_ext_auth.as_ref());
            disable(JwtStage::After, staged.after_ext_auth.as_ref());
        }
        RouteJwtConfig::JwtProvidersStaged(staged) => {
            stages("jwtProvidersStaged", staged, context, to);
        }
    }
}

fn stages(field: &str, staged: &StagedJwt, context: &Context<'_>, to: &mut Configured) {
    let both = [
        (JwtStage::Before, "beforeExtAuth", &staged.before_ext_auth),
        (JwtStage::After, "afterExtAuth", &staged.after_ext_auth),
    ];
    for (stage, name, jwt) in both {
        if let Some(jwt) = jwt {
            require(stage, &format!("{field}.{name}"), jwt, context, to);
        }
    }
}

fn require(stage: JwtStage, field: &str, jwt: &Jwt, context: &Context<'_>, to: &mut Configured) {
    if jwt.providers.is_empty() {
        return;
    }
    let mut any_of = Vec::new();
    let mut needs = JwtNeeds::default();
    for (name, provider) in &jwt.providers {
        if let Jwks::Remote(remote) = &provider.jwks {
            to.wants_server(
                &format!("{field}.providers.{name}.jwks.remote.upstreamRef"),
                &remote.upstream_ref,
                context,
            );
        }
        let provider = translate(name, provider);
        let name = format!("{name}.{}", content_hash(&provider.encode_to_vec()));
        any_of.push(requirement(RequiresType::ProviderName(name.clone())));
        needs.providers.insert(name, provider);
    }
    let policy = match jwt.validation_policy {
        ValidationPolicy::RequireValid if jwt.allow_missing_or_failed_jwt => {
            ValidationPolicy::AllowMissingOrFailed
        }
        policy => policy,
    };
    any_of.extend(match policy {
        ValidationPolicy::RequireValid => None,
        ValidationPolicy::AllowMissing => {
            Some(requirement(RequiresType::AllowMissing(Empty::default())))
        }
        ValidationPolicy::AllowMissingOrFailed => Some(requirement(
            RequiresType::AllowMissingOrFailed(Empty::default()),
        )),
    });
    let all = match <[JwtRequirement; 1]>::try_from(any_of) {
        Ok([only]) => only,
        // Envoy wants at least two.
        Err(requirements) => requirement(RequiresType::RequiresAny(JwtRequirementOrList {
            requirements,
        })),
    };
    let name = content_hash(&all.encode_to_vec());
    needs.requirements.insert(name.clone(), all);
    to.jwt.entry(stage).or_default().add(&needs);
    let config = PerRouteConfig {
        requirement_specifier: Some(RequirementSpecifier::RequirementName(name)),
    };
    to.put(stage.filter(), any(&config));
}

fn requirement(of: RequiresType) -> JwtRequirement {
    JwtRequirement {
        requires_type: Some(of),
    }
}

fn translate(name: &str, from: &model::JwtProvider) -> JwtProvider {
    let source = from.token_source.clone().unwrap_or_default();
    let headers = source.headers.iter().map(|header| JwtHeader {
        name: header.header.clone(),
        value_prefix: header.prefix.clone(),
    });
    let claims = from.claims_to_headers.iter();
    JwtProvider {
        issuer: from.issuer.clone(),
        audiences: from.audiences.clone(),
        forward: from.keep_token,
        from_headers: headers.collect(),
        from_params: source.query_params.clone(),
        payload_in_metadata: name.to_owned(),
        failed_status_in_metadata: from.attach_failed_status_to_metadata.clone(),
        clock_skew_seconds: from.clock_skew_seconds.unwrap_or_default(),
        claim_to_headers: claims
            .map(|claim| JwtClaimToHeader {
                header_name: claim.header.clone(),
                claim_name: claim.claim.clone(),
                ..JwtClaimToHeader::default()
            })
            .collect(),
        jwks_source_specifier: Some(match &from.jwks {
            Jwks::Local(local) => {
                JwksSourceSpecifier::LocalJwks(inline_string(&local.key).unwrap_or_default())
            }
            Jwks::Remote(remote) => JwksSourceSpecifier::RemoteJwks(self::remote(remote)),
        }),
        ..JwtProvider::default()
    }
}

fn remote(from: &RemoteJwks) -> envoy::RemoteJwks {
    envoy::RemoteJwks {
        http_uri: Some(core::HttpUri {
            uri: from.url.clone(),
            timeout: Some(duration(FETCH_TIMEOUT)),
            http_upstream_type: Some(core::http_uri::HttpUpstreamType::Cluster(
                names::cluster_of(&from.upstream_ref),
            )),
        }),
        cache_duration: from.cache_duration.map(duration),
        async_fetch: from.async_fetch.map(|fetch| envoy::JwksAsyncFetch {
            fast_listener: fetch.fast_listener,
            ..envoy::JwksAsyncFetch::default()
        }),
        ..envoy::RemoteJwks::default()
    }
}

/// As Gloo.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
