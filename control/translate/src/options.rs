//! Options of routes, their destinations and virtual hosts, as configuration of Envoy's own filters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::http::stateful_session::v3::StatefulSessionPerRoute;
use envoy_types::pb::envoy::extensions::filters::http::stateful_session::v3::stateful_session_per_route::Override;
use tenon_model::options::ext_auth::ExtAuthServer;
use tenon_model::options::ext_proc::ExtProc;
use tenon_model::{
    HeaderToAdd, ObjectRef, Problem, RouteOptions, Servers, UpstreamType, VirtualHostOptions,
    WeightedDestinationOptions,
};

use crate::filters::on;
use crate::http_filters::{self, ExtProcStage, JwtStage, RateLimitStage, is_native};
use crate::http_listener::stateful_session;
use crate::proto::{Any, core, duration};
use crate::route::Upstreams;
use crate::secret_headers::{self, SecretHeaders};
use crate::wire::any;

mod buffer;
mod cors;
pub(crate) mod csrf;
pub(crate) mod ext_auth;
pub(crate) mod ext_proc;
mod faults;
pub(crate) mod jwt;
pub(crate) mod rate_limit;
pub(crate) mod rbac;
pub(crate) mod values;

pub(crate) use jwt::JwtNeeds;

/// Servers that routes say themselves, by the names of their filters.
pub(crate) type Asked = BTreeMap<String, Arc<ExtAuthServer>>;

/// Where Envoy puts what tokens say.
const JWT_METADATA: &str = "envoy.filters.http.jwt_authn";

/// What is configured of filters, by their names.
pub(crate) type PerFilter = BTreeMap<String, Any>;

/// Where options stand.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Those of the virtual host.
    pub(crate) of_host: &'a VirtualHostOptions,
    /// The servers that there are.
    pub(crate) servers: &'a Servers,
    pub(crate) upstreams: &'a dyn Upstreams,
}

/// What options come to.
#[derive(Default)]
pub(crate) struct Configured {
    pub(crate) per_filter: PerFilter,
    /// The names of Envoy's own filters without which this would not be done.
    pub(crate) filters: Vec<String>,
    /// Tokens that the listener has to know of.
    pub(crate) jwt: BTreeMap<JwtStage, JwtNeeds>,
    /// Headers whose values are secrets.
    pub(crate) secrets: SecretHeaders,
    /// Servers that are asked, by their filters, which nobody else knows.
    pub(crate) asked: Asked,
    /// What is asked may have another route chosen.
    pub(crate) reroutes: bool,
    /// What is wrong: paths from the options on.
    pub(crate) problems: Vec<Problem>,
}

impl Configured {
    fn put(&mut self, filter: impl Into<String>, config: Any) {
        let filter = filter.into();
        if is_native(&filter) {
            self.filters.push(filter.clone());
        }
        self.per_filter.insert(filter, config);
    }

    /// The same, of what is of no use where the filter is not there for something else.
    fn put_quietly(&mut self, filter: impl Into<String>, config: Any) {
        self.per_filter.insert(filter.into(), config);
    }

    /// Has the values of headers at hand that are secrets.
    fn put_secrets(&mut self, headers: &[HeaderToAdd], context: &Context<'_>) {
        let (needed, problems) = secret_headers::look_up(headers, context.upstreams);
        for filter in needed.keys() {
            self.put(filter, on());
        }
        self.secrets = needed;
        self.problems.extend(problems);
    }

    fn error(&mut self, field: &str, text: impl Into<String>) {
        self.problems.push(Problem::error(field, text));
    }

    /// An upstream without which nothing could pass, or all could.
    fn needs_server(&mut self, field: &str, upstream: &ObjectRef, context: &Context<'_>) {
        if let Err(reason) = server(upstream, context.upstreams) {
            self.error(field, format!("{reason}, which is to be asked"));
        }
    }

    fn wants_server(&mut self, field: &str, upstream: &ObjectRef, context: &Context<'_>) {
        if let Err(reason) = server(upstream, context.upstreams) {
            self.problems.push(Problem::warning(field, reason));
        }
    }
}

/// Whether something that is no request of a client's can be sent to an upstream.
pub(crate) fn server(upstream: &ObjectRef, upstreams: &dyn Upstreams) -> Result<(), String> {
    match upstreams.upstream(upstream)?.kind {
        UpstreamType::Aws(_) | UpstreamType::Azure(_) | UpstreamType::Gcp(_) => {
            Err(format!("upstream {upstream} calls functions"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn of_route(options: &RouteOptions, context: &Context<'_>) -> Configured {
    let mut to = Configured::default();
    let of_host = context.of_host;
    to.put_secrets(&options.headers.request_add, context);
    if let Some(faults) = &options.faults {
        faults::configure(faults, &mut to);
    }
    if let Some(cors) = &options.cors {
        let merge = of_host.cors_policy_merge_settings.unwrap_or_default();
        cors::configure(&cors.below(of_host.cors.as_deref(), merge), &mut to);
    }
    if let Some(session) = &options.session {
        let own = Override::StatefulSession(stateful_session(session));
        let config = StatefulSessionPerRoute {
            r#override: Some(own),
        };
        to.put(http_filters::STATEFUL_SESSION, any(&config));
    }
    if let Some(csrf) = &options.csrf {
        csrf::configure(csrf, &mut to);
    }
    if let Some(buffer) = &options.buffer_per_route {
        buffer::configure(buffer, &mut to);
    }
    if let Some(auth) = &options.extauth {
        ext_auth::configure(auth, context, &mut to);
    }
    ext_auth::ask_all(&options.external_auth, context, &mut to);
    for (place, own, of_host) in [
        (RATE_LIMIT, &options.ratelimit, &of_host.ratelimit),
        (EARLY, &options.ratelimit_early, &of_host.ratelimit_early),
        (
            REGULAR,
            &options.ratelimit_regular,
            &of_host.ratelimit_regular,
        ),
    ] {
        if let Some(own) = own {
            rate_limit::of_route(place, own, of_host.as_deref(), context, &mut to);
        }
    }
    if let Some(limits) = &options.ratelimit_basic {
        rate_limit::basic(limits, context, &mut to);
    }
    if let Some(jwt) = &options.jwt {
        jwt::of_route(jwt, context, &mut to);
    }
    if let Some(rbac) = &options.rbac {
        rbac::configure(rbac, options.jwt.as_ref(), context, &mut to);
    }
    let procs = [
        &options.ext_proc_early,
        &options.ext_proc,
        &options.ext_proc_late,
    ];
    ext_procs(procs, context, &mut to);
    to
}

pub(crate) fn of_host(context: &Context<'_>) -> Configured {
    let mut to = Configured::default();
    let options = context.of_host;
    to.put_secrets(&options.headers.request_add, context);
    if let Some(cors) = &options.cors {
        if cors.disable_for_route {
            let text = "is for routes; leave out the policy of the virtual host";
            let field = "cors.disableForRoute";
            to.problems.push(Problem::warning(field, text));
        }
        cors::configure(cors, &mut to);
    }
    if let Some(csrf) = &options.csrf {
        csrf::configure(csrf, &mut to);
    }
    if let Some(buffer) = &options.buffer_per_route {
        buffer::configure(buffer, &mut to);
    }
    if let Some(auth) = &options.extauth {
        ext_auth::configure(auth, context, &mut to);
    }
    for (place, own) in [
        (RATE_LIMIT, &options.ratelimit),
        (EARLY, &options.ratelimit_early),
        (REGULAR, &options.ratelimit_regular),
    ] {
        if let Some(own) = own {
            rate_limit::of_host(place, own, context, &mut to);
        }
    }
    if let Some(limits) = &options.ratelimit_basic {
        rate_limit::basic(limits, context, &mut to);
    }
    if let Some(jwt) = &options.jwt {
        jwt::of_host(jwt, context, &mut to);
    }
    match &options.rbac {
        Some(rbac) => rbac::configure(rbac, None, context, &mut to),
        None if context.servers.rbac.require_rbac => {
            to.put(http_filters::RBAC, rbac::nothing());
        }
        None => {}
    }
    let procs = [
        &options.ext_proc_early,
        &options.ext_proc,
        &options.ext_proc_late,
    ];
    ext_procs(procs, context, &mut to);
    to
}

pub(crate) fn of_destination(
    options: &WeightedDestinationOptions,
    context: &Context<'_>,
) -> Configured {
    let mut to = Configured::default();
    to.put_secrets(&options.headers.request_add, context);
    if let Some(csrf) = &options.csrf {
        csrf::configure(csrf, &mut to);
    }
    if let Some(buffer) = &options.buffer_per_route {
        buffer::configure(buffer, &mut to);
    }
    if let Some(auth) = &options.extauth {
        ext_auth::configure(auth, context, &mut to);
    }
    to
}

const RATE_LIMIT: (&str, RateLimitStage) = ("ratelimit", RateLimitStage::Configured);
const EARLY: (&str, RateLimitStage) = ("ratelimitEarly", RateLimitStage::Early);
const REGULAR: (&str, RateLimitStage) = ("ratelimitRegular", RateLimitStage::Regular);

fn ext_procs(options: [&Option<Box<ExtProc>>; 3], context: &Context<'_>, to: &mut Configured) {
    let stages = [
        ("extProcEarly", ExtProcStage::Early),
        ("extProc", ExtProcStage::Regular),
        ("extProcLate", ExtProcStage::Late),
    ];
    for (place, option) in stages.into_iter().zip(options) {
        if let Some(proc) = option {
            ext_proc::configure(place, proc, context, to);
        }
    }
}

/// A service in gRPC, of a cluster.
pub(crate) fn grpc_service(
    cluster: &str,
    authority: &str,
    timeout: Option<Duration>,
) -> core::GrpcService {
    use core::grpc_service::{EnvoyGrpc, TargetSpecifier};
    core::GrpcService {
        target_specifier: Some(TargetSpecifier::EnvoyGrpc(EnvoyGrpc {
            cluster_name: cluster.to_owned(),
            authority: authority.to_owned(),
            ..EnvoyGrpc::default()
        })),
        timeout: timeout.map(duration),
        ..core::GrpcService::default()
    }
}
