//! What clients may do, by what their tokens say.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::rbac::v3::{
    MetadataSource, Permission, Policy, Principal, SourcedMetadata, permission, principal,
};
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::RbacPerRoute;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    ListMatcher, MetadataMatcher, PathMatcher, ValueMatcher, list_matcher, metadata_matcher,
    path_matcher, value_matcher,
};
use prost::{Message, Name};
use tenon_model::options::jwt::StagedJwt;
use tenon_model::options::rbac::{ClaimMatcher, JwtPrincipal, Permissions, Rbac, RbacPolicy};
use tenon_model::{HostJwt, RouteJwtConfig};

use super::{Configured, Context, JWT_METADATA};
use crate::http_filters::RBAC;
use crate::proto::route::header_matcher::HeaderMatchSpecifier;
use crate::proto::{Any, exactly, matches, prefix, route};
use crate::wire::{self, any, any_bytes};

/// The part of an `RBAC` that is a map; the action is to allow, which is 0.
#[derive(Clone, PartialEq, Message)]
struct Rules {
    #[prost(btree_map = "string, message", tag = "2")]
    policies: BTreeMap<String, Policy>,
}

/// `RBACPerRoute.rbac`
const RBAC_OF_ROUTE: u32 = 2;
/// `RBAC.rules`
const RULES: u32 = 1;

/// What has everything allowed on a route.
pub(crate) fn disabled() -> Any {
    any(&RbacPerRoute::default())
}

/// What has nothing allowed.
pub(super) fn nothing() -> Any {
    rules(BTreeMap::new())
}

fn rules(policies: BTreeMap<String, Policy>) -> Any {
    let (mut rbac, mut of_route) = (Vec::new(), Vec::new());
    wire::append(&mut rbac, RULES, &Rules { policies }.encode_to_vec());
    wire::append(&mut of_route, RBAC_OF_ROUTE, &rbac);
    any_bytes(RbacPerRoute::type_url(), of_route)
}

pub(super) fn configure(
    rbac: &Rbac,
    of_route: Option<&RouteJwtConfig>,
    context: &Context<'_>,
    to: &mut Configured,
) {
    if rbac.disable {
        to.put_quietly(RBAC, disabled());
        return;
    }
    let providers = providers(of_route, context.of_host.jwt.as_ref());
    let mut policies = BTreeMap::new();
    for (name, policy) in &rbac.policies {
        for (index, principal) in policy.principals.iter().enumerate() {
            let of = &principal.jwt_principal;
            let field = format!("rbac.policies.{name}.principals[{index}].jwtPrincipal");
            if providers.is_empty() {
                to.error(
                    &field,
                    "needs tokens: jwt, of the route or its virtual host",
                );
            } else if !of.provider.is_empty() && !providers.contains(&of.provider.as_str()) {
                let text = format!(
                    "unknown provider {:?}; known: {}",
                    of.provider,
                    providers.join(", ")
                );
                to.error(&format!("{field}.provider"), text);
            }
            if of.matcher == ClaimMatcher::Boolean
                && let Some((claim, value)) = of
                    .claims
                    .iter()
                    .find(|(_, value)| !matches!(value.as_str(), "true" | "false"))
            {
                let text = format!("{value:?} is neither true nor false");
                to.error(&format!("{field}.claims.{claim}"), text);
            }
            if of.matcher == ClaimMatcher::RegexMatch {
                for (claim, value) in &of.claims {
                    if let Err(reason) = tenon_model::check_regex(value) {
                        to.error(&format!("{field}.claims.{claim}"), reason);
                    }
                }
            }
        }
        policies.insert(name.clone(), translate(policy, &providers));
    }
    to.put(RBAC, rules(policies));
}

/// The providers whose tokens a request may have.
fn providers<'a>(
    of_route: Option<&'a RouteJwtConfig>,
    of_host: Option<&'a HostJwt>,
) -> Vec<&'a str> {
    fn staged(jwt: &StagedJwt) -> Vec<&str> {
        let both = [&jwt.before_ext_auth, &jwt.after_ext_auth];
        let both = both.into_iter().flatten();
        both.flat_map(|jwt| jwt.providers.keys().map(String::as_str))
            .collect()
    }
    let own = match of_route {
        Some(RouteJwtConfig::JwtProvidersStaged(jwt)) => staged(jwt),
        _ => Vec::new(),
    };
    let of_host = match of_host {
        Some(HostJwt::Jwt(jwt)) => jwt.providers.keys().map(String::as_str).collect(),
        Some(HostJwt::JwtStaged(jwt)) => staged(jwt),
        None => Vec::new(),
    };
    let mut all: Vec<_> = own.into_iter().chain(of_host).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn translate(policy: &RbacPolicy, providers: &[&str]) -> Policy {
    let delimiter = &policy.nested_claim_delimiter;
    let principals = policy.principals.iter();
    Policy {
        permissions: vec![permission(&policy.permissions)],
        principals: principals
            .map(|it| principal(&it.jwt_principal, delimiter, providers))
            .collect(),
        ..Policy::default()
    }
}

fn principal(of: &JwtPrincipal, delimiter: &str, providers: &[&str]) -> Principal {
    let of_provider = |provider: &str| {
        let claims = of.claims.iter().map(|(claim, value)| {
            let path = [provider]
                .into_iter()
                .chain(split(claim, delimiter))
                .map(|key| metadata_matcher::PathSegment {
                    segment: Some(metadata_matcher::path_segment::Segment::Key(key.to_owned())),
                });
            let matcher = MetadataMatcher {
                filter: JWT_METADATA.to_owned(),
                path: path.collect(),
                value: Some(value_of(of.matcher, value)),
                invert: false,
            };
            identified(principal::Identifier::SourcedMetadata(SourcedMetadata {
                metadata_matcher: Some(matcher),
                metadata_source: MetadataSource::Dynamic.into(),
            }))
        });
        identified(principal::Identifier::AndIds(principal::Set {
            ids: claims.collect(),
        }))
    };
    match of.provider.as_str() {
        "" => identified(principal::Identifier::OrIds(principal::Set {
            ids: providers.iter().map(|it| of_provider(it)).collect(),
        })),
        provider => of_provider(provider),
    }
}

fn split<'a>(claim: &'a str, delimiter: &str) -> Vec<&'a str> {
    match delimiter {
        "" => vec![claim],
        delimiter => claim.split(delimiter).collect(),
    }
}

fn value_of(matcher: ClaimMatcher, value: &str) -> ValueMatcher {
    use value_matcher::MatchPattern;
    let text = |matcher| ValueMatcher {
        match_pattern: Some(MatchPattern::StringMatch(matcher)),
    };
    match matcher {
        ClaimMatcher::ExactString => text(exactly(value)),
        ClaimMatcher::RegexMatch => text(matches(value)),
        ClaimMatcher::Boolean => ValueMatcher {
            match_pattern: Some(MatchPattern::BoolMatch(value == "true")),
        },
        ClaimMatcher::ListContains => ValueMatcher {
            match_pattern: Some(MatchPattern::ListMatch(Box::new(ListMatcher {
                match_pattern: Some(list_matcher::MatchPattern::OneOf(Box::new(text(exactly(
                    value,
                ))))),
            }))),
        },
    }
}

fn identified(by: principal::Identifier) -> Principal {
    Principal {
        identifier: Some(by),
    }
}

fn permission(of: &Permissions) -> Permission {
    let rule = |rule| Permission { rule: Some(rule) };
    let path = of.path_prefix.as_ref().map(|path| {
        rule(permission::Rule::UrlPath(PathMatcher {
            rule: Some(path_matcher::Rule::Path(prefix(path))),
        }))
    });
    let methods = of.methods.iter().map(|method| {
        rule(permission::Rule::Header(route::HeaderMatcher {
            name: ":method".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(exactly(method))),
            ..route::HeaderMatcher::default()
        }))
    });
    let methods: Vec<_> = methods.collect();
    let methods = (!methods.is_empty()).then(|| {
        rule(permission::Rule::OrRules(permission::Set {
            rules: methods,
        }))
    });
    let all: Vec<_> = path.into_iter().chain(methods).collect();
    match all.is_empty() {
        true => rule(permission::Rule::Any(true)),
        false => rule(permission::Rule::AndRules(permission::Set { rules: all })),
    }
}
