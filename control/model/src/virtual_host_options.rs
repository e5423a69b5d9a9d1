//! What holds for all routes of a virtual service.

use std::sync::{Arc, LazyLock};

use tenon_model_derive::{Merge, Read};

use crate::header::HeaderManipulation;
use crate::merge;
use crate::options::buffer::BufferPerRoute;
use crate::options::cors::{Cors, CorsMerge};
use crate::options::csrf::Csrf;
use crate::options::ext_auth::ExtAuth;
use crate::options::ext_proc::ExtProc;
use crate::options::jwt::{Jwt, StagedJwt};
use crate::options::rate_limit::{BasicRateLimit, HostRateLimit};
use crate::options::rbac::Rbac;
use crate::options::stats::Stats;
use crate::retries::RetryPolicy;
use crate::transformation::Transformations;

/// What holds for all routes of a virtual service.
#[derive(Debug, Clone, PartialEq, Default, Read, Merge)]
#[read(refused(
    dlp = "answers are not searched for what must not leave; a transformation can take known fields out",
    extensions = "they are for plugins of Gloo's; say it with Tenon's own fields",
    rateLimitConfigs = "a RateLimitConfig is for Gloo's own server; use ratelimit with the standard service",
    rateLimitEarlyConfigs = "a RateLimitConfig is for Gloo's own server; use ratelimitEarly with the standard service",
    rateLimitRegularConfigs = "a RateLimitConfig is for Gloo's own server; use ratelimitRegular with the standard service",
    waf = "Envoy has no firewall; put one before it, or ask it as extauth or extProc"
))]
pub struct VirtualHostOptions {
    /// Which failures are tried again.
    pub retries: Option<RetryPolicy>,
    /// Statistics of parts of it.
    pub stats: Option<Stats>,
    /// Headers to add and remove.
    #[read(default, name = "headerManipulation")]
    pub headers: HeaderManipulation,
    /// Requests of other origins.
    pub cors: Option<Box<Cors>>,
    /// What becomes of it where a route has its own.
    pub cors_policy_merge_settings: Option<CorsMerge>,
    /// Requests that another site has a browser send.
    pub csrf: Option<Box<Csrf>>,
    /// Whether bodies of requests are held back until they are there as a whole.
    pub buffer_per_route: Option<BufferPerRoute>,
    /// Whether upstreams are told which try it is, in `x-envoy-attempt-count`.
    pub include_request_attempt_count: Option<bool>,
    /// Whether clients are told how many tries it took, in `x-envoy-attempt-count`.
    pub include_attempt_count_in_response: Option<bool>,
    /// Asking a server whether a request may pass.
    pub extauth: Option<Box<ExtAuth>>,
    /// What a rate limit service is asked.
    pub ratelimit: Option<Box<HostRateLimit>>,
    /// The same, before the client is known.
    pub ratelimit_early: Option<Box<HostRateLimit>>,
    /// The same, after the client is known.
    pub ratelimit_regular: Option<Box<HostRateLimit>>,
    /// Limits of clients.
    pub ratelimit_basic: Option<BasicRateLimit>,
    /// Which tokens requests need.
    #[read(flatten)]
    pub jwt: Option<HostJwt>,
    /// What clients may do, by what their tokens say.
    pub rbac: Option<Box<Rbac>>,
    /// A server that sees and changes requests and responses.
    pub ext_proc: Option<Box<ExtProc>>,
    /// The same, at an earlier place.
    pub ext_proc_early: Option<Box<ExtProc>>,
    /// The same, at a later place.
    pub ext_proc_late: Option<Box<ExtProc>>,
    /// What is changed of requests and responses.
    #[read(flatten, merge = merge::transformations)]
    pub transformations: Option<Transformations>,
}

/// Which tokens requests need.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum HostJwt {
    /// These, after a server is asked whether the request may pass.
    Jwt(Box<Jwt>),
    /// These, before and after it.
    JwtStaged(Box<StagedJwt>),
}

/// They are large, so all virtual hosts without options have the same ones.
static NONE: LazyLock<Arc<VirtualHostOptions>> = LazyLock::new(Arc::default);

impl VirtualHostOptions {
    /// The options of what has none.
    pub fn none() -> Arc<Self> {
        NONE.clone()
    }
}
