//! Tokens that say who the client is.

use std::collections::BTreeMap;
use std::time::Duration;

use tenon_model_derive::Read;

use super::jwks;
use crate::read::{Fields, Node};
use crate::{ObjectRef, header};

/// Which tokens requests need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Jwt {
    /// Who makes them, by a name: one of them has to have made a request's.
    pub providers: BTreeMap<String, JwtProvider>,
    /// The same as the policy `ALLOW_MISSING_OR_FAILED`, as it was said before.
    pub allow_missing_or_failed_jwt: bool,
    /// Which requests pass.
    #[read(default)]
    pub validation_policy: ValidationPolicy,
}

/// Which requests pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ValidationPolicy {
    /// Those with a token that is good.
    #[default]
    RequireValid,
    /// Those without a token as well.
    AllowMissing,
    /// All.
    AllowMissingOrFailed,
}

/// The same, before and after a server is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct StagedJwt {
    /// Before a server is asked whether the request may pass.
    pub before_ext_auth: Option<Jwt>,
    /// After it.
    pub after_ext_auth: Option<Jwt>,
}

/// What a route says of its virtual host's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct RouteJwt {
    /// None are needed.
    pub disable: bool,
}

/// The same, before and after a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct StagedRouteJwt {
    /// Before a server is asked whether the request may pass.
    pub before_ext_auth: Option<RouteJwt>,
    /// After it.
    pub after_ext_auth: Option<RouteJwt>,
}

/// Who makes tokens.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct JwtProvider {
    /// The keys that tokens are verified with.
    pub jwks: Jwks,
    /// For whom tokens have to be: one of these; any where it is left out.
    #[read(with = Node::non_empty)]
    pub audiences: Vec<String>,
    /// Who tokens have to be of; any where it is left out.
    #[read(default)]
    pub issuer: String,
    /// Where tokens stand: in `authorization` behind `Bearer `, or in the query as `access_token`, where it is left out.
    pub token_source: Option<TokenSource>,
    /// Whether the upstream is given the token, too.
    pub keep_token: bool,
    /// What of the token goes into headers of the request.
    pub claims_to_headers: Vec<ClaimToHeader>,
    /// By how many seconds clocks may differ: 60 where it is left out.
    pub clock_skew_seconds: Option<u32>,
    /// Where in metadata it is said why a token is not good.
    #[read(default)]
    pub attach_failed_status_to_metadata: String,
}

/// The keys that tokens are verified with.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum Jwks {
    /// From a server.
    Remote(RemoteJwks),
    /// Given here.
    Local(LocalJwks),
}

/// Keys from a server.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RemoteJwks {
    /// Where they are.
    #[read(with = url)]
    pub url: String,
    /// The upstream of that server.
    pub upstream_ref: ObjectRef,
    /// How long they are good: 5m where it is left out.
    #[read(with = Node::positive_duration)]
    pub cache_duration: Option<Duration>,
    /// Whether they are fetched ahead; with the first request where this is left out.
    pub async_fetch: Option<AsyncFetch>,
}

/// Keys are fetched ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct AsyncFetch {
    /// Whether the listener does not wait for the first ones.
    pub fast_listener: bool,
}

/// Keys given here.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct LocalJwks {
    /// A set of keys or one key, as JSON (JWKS, JWK), or one public key in PEM.
    #[read(with = jwks::read)]
    pub key: String,
}

/// Where tokens stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct TokenSource {
    /// In headers.
    pub headers: Vec<TokenHeader>,
    /// In the query.
    #[read(with = Node::non_empty)]
    pub query_params: Vec<String>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct TokenHeader {
    /// Its name.
    #[read(with = header::matched_name)]
    pub header: String,
    /// What stands before the token.
    #[read(default, with = header::value)]
    pub prefix: String,
}

/// What of a token goes into a header of the request.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = set)]
pub struct ClaimToHeader {
    /// The claim; `a.b` is `b` in `a`.
    #[read(with = Node::non_empty)]
    pub claim: String,
    /// The header, which takes the place of the client's own.
    #[read(with = header::changed_name)]
    pub header: String,
    /// Refused, because the client could then say something beside it.
    pub append: bool,
}

fn set(claim: ClaimToHeader, fields: &Fields<'_>) -> Option<ClaimToHeader> {
    if claim.append {
        fields.error_at(
            "append",
            "is not supported: the header always takes the place of the client's own",
        );
    }
    Some(claim)
}

fn url(node: &Node<'_>) -> Option<String> {
    let url = node.non_empty()?;
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest.is_some_and(|rest| !rest.is_empty()) {
        true => Some(url),
        false => node.error(format!("{url:?} is not an http or https URL")),
    }
}
