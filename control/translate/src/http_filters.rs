//! The order of a listener's HTTP filters, and those of Envoy's own that only routes configure.
//!
//! Such a filter is in the chain only if something of a virtual host of the listener configures it, and there it is off:
//! a configuration in `typed_per_filter_config` is what switches it on. So a listener changes with the first use only, and
//! routes without it do not pay.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::filters::http::buffer::v3::{
    Buffer, BufferPerRoute, buffer_per_route,
};
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::Cors;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::HttpFault;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::Rbac;
use envoy_types::pb::envoy::extensions::filters::http::stateful_session::v3::StatefulSession;
use tenon_model::options::csrf::Csrf;
use tenon_model::options::ext_proc::{ExtProcServer, FilterStage, StageName, StagePredicate};
use tenon_model::options::rate_limit::RateLimitServer;
use tenon_model::{ForwardProxy, ObjectRef, Servers};

use crate::filters::{self, filter, off, on};
use crate::forward_proxy;
use crate::options::{JwtNeeds, csrf, ext_auth, ext_proc, jwt, rate_limit, rbac};
use crate::proto::{Any, BUFFER_LIMIT, hcm, uint};
use crate::secret_headers;
use crate::transcoder;
use crate::virtual_host::Needs;
use crate::wire::any;

/// Gloo's stages of a listener's filters, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Faults on purpose.
    Fault,
    /// Requests of other origins.
    Cors,
    /// A firewall.
    Waf,
    /// Who it is.
    AuthN,
    /// What they may do.
    AuthZ,
    /// How often.
    RateLimit,
    /// What was let in.
    Accepted,
    /// Who we are.
    OutAuth,
    /// The last.
    Route,
}

/// Where a filter stands: a stage, and before, in or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Stage, i8);

impl Stage {
    /// Before what is in the stage.
    pub(crate) const fn before(self) -> Place {
        Place(self, -1)
    }

    /// In the stage.
    pub(crate) const fn during(self) -> Place {
        Place(self, 0)
    }

    /// After what is in the stage.
    pub(crate) const fn after(self) -> Place {
        Place(self, 1)
    }
}

/// A listener's HTTP filters, but for the last ones, which have no choice.
#[derive(Default)]
pub(crate) struct Chain(Vec<(Place, hcm::HttpFilter)>);

impl Chain {
    /// Puts a filter behind those that are in its place already. One of [`Chain::put_native`] makes way for one of its
    /// name: what a listener says for all its routes takes the place of what is only there for some.
    pub(crate) fn put(&mut self, place: Place, filter: hcm::HttpFilter) {
        let makes_way = |there: &hcm::HttpFilter| is_native(&there.name) && there.disabled;
        self.0
            .retain(|(_, there)| there.name != filter.name || !makes_way(there));
        self.0.push((place, filter));
    }

    /// The filters in their order.
    pub(crate) fn into_filters(mut self) -> impl Iterator<Item = hcm::HttpFilter> {
        self.0.sort_by_key(|(place, _)| *place);
        self.0.into_iter().map(|(_, filter)| filter)
    }

    /// Puts those of Envoy's filters that are named, all off, and those that see all requests. Other names are none of this
    /// module's.
    pub(crate) fn put_native(&mut self, needs: &Needs, of: &Surroundings<'_>) {
        for name in &needs.filters {
            if let Some((place, config)) = native(name, needs, of) {
                self.put(place, off(filter(name, config)));
            }
        }
        if let Some(answer) = of.invalid {
            // Whether or not some share needs it now: that one breaks is not to change the listener.
            self.put(Stage::Route.after(), off(filters::answering(answer)));
        }
        for stage in ExtProcStage::ALL {
            let Some(server) = of.servers.ext_proc(stage) else {
                continue;
            };
            let config = match (of.is_there)(&server.grpc_service.ext_proc_server_ref) {
                true => (stage.filter(), ext_proc::filter(server)),
                false if server.failure_mode_allow => continue,
                // Envoy would refuse the listener.
                false => (NOBODY_TO_ASK, ext_auth::refusing()),
            };
            self.put(stage.place(server), filter(config.0, config.1));
        }
    }
}

/// What filters are made of besides what routes say.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The gateway's name.
    pub(crate) gateway: &'a str,
    /// What clients are told of HTTP/3.
    pub(crate) alt_svc: Option<&'a str>,
    pub(crate) servers: &'a Servers,
    /// How hosts are found that requests say.
    pub(crate) forward_proxy: Option<&'a ForwardProxy>,
    /// What answers for shares of requests that lead nowhere: its status and its body.
    pub(crate) invalid: Option<(u16, &'a str)>,
    /// Whether an upstream has a cluster that can be asked.
    pub(crate) is_there: &'a dyn Fn(&ObjectRef) -> bool,
}

pub(crate) const BUFFER: &str = "envoy.filters.http.buffer";
pub(crate) const CORS: &str = "envoy.filters.http.cors";
/// Says what a preflight asks for.
pub(crate) const CORS_ECHO: &str = "tenon.cors_echo";
pub(crate) const CSRF: &str = "envoy.filters.http.csrf";
pub(crate) const EXT_AUTHZ: &str = "envoy.filters.http.ext_authz";
pub(crate) const FAULT: &str = "envoy.filters.http.fault";
pub(crate) const FORWARD_PROXY: &str = "envoy.filters.http.dynamic_forward_proxy";
pub(crate) const LOCAL_RATE_LIMIT: &str = "envoy.filters.http.local_ratelimit";
pub(crate) const LOCAL_RATE_LIMIT_BASIC: &str = "envoy.filters.http.local_ratelimit.basic";
pub(crate) const RBAC: &str = "envoy.filters.http.rbac";
pub(crate) const STATEFUL_SESSION: &str = "envoy.filters.http.stateful_session";

pub(crate) const GRPC_JSON: &str = "envoy.filters.http.grpc_json_transcoder";

/// Takes a header off what clients send, in which a filter behind it says who they are: the header's name follows.
const NOT_THE_CLIENT_S: &str = "tenon.not_the_client_s.";

/// The filter that takes a header off what clients send.
pub(crate) fn not_the_client_s(header: &str) -> String {
    format!("{NOT_THE_CLIENT_S}{}", header.to_ascii_lowercase())
}

/// Refuses all, because who is to be asked is not there.
const NOBODY_TO_ASK: &str = "tenon.nobody_to_ask";

/// Before or after a server is asked whether a request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JwtStage {
    Before,
    After,
}

impl JwtStage {
    /// The name of its filter.
    pub(crate) fn filter(self) -> &'static str {
        match self {
            Self::Before => "envoy.filters.http.jwt_authn.before",
            Self::After => "envoy.filters.http.jwt_authn",
        }
    }
}

/// When a rate limit service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateLimitStage {
    /// As the settings say.
    Configured,
    /// Before the client is known.
    Early,
    /// After it is.
    Regular,
}

impl RateLimitStage {
    const ALL: [Self; 3] = [Self::Configured, Self::Early, Self::Regular];

    /// The name of its filter.
    pub(crate) fn filter(self) -> &'static str {
        match self {
            Self::Configured => "envoy.filters.http.ratelimit",
            Self::Early => "envoy.filters.http.ratelimit.early",
            Self::Regular => "envoy.filters.http.ratelimit.regular",
        }
    }

    /// What its statistics are named with.
    pub(crate) fn statistics(self) -> &'static str {
        match self {
            Self::Configured => "",
            Self::Early => "early",
            Self::Regular => "regular",
        }
    }

    fn place(self, server: &RateLimitServer) -> Place {
        match self {
            Self::Early => Stage::AuthN.before(),
            Self::Configured if server.rate_limit_before_auth => Stage::AuthN.before(),
            Self::Configured | Self::Regular => Stage::RateLimit.during(),
        }
    }
}

/// Whether routes ask a rate limit service.
pub(crate) fn asks_for_limits(needs: &Needs) -> bool {
    let mut stages = RateLimitStage::ALL.iter();
    stages.any(|stage| needs.filters.contains(stage.filter()))
}

/// When a server sees requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtProcStage {
    Early,
    Regular,
    Late,
}

impl ExtProcStage {
    const ALL: [Self; 3] = [Self::Early, Self::Regular, Self::Late];

    /// The name of its filter.
    pub(crate) fn filter(self) -> &'static str {
        match self {
            Self::Early => "envoy.filters.http.ext_proc.early",
            Self::Regular => "envoy.filters.http.ext_proc",
            Self::Late => "envoy.filters.http.ext_proc.late",
        }
    }

    fn place(self, server: &ExtProcServer) -> Place {
        let place = match self {
            // As Gloo: "This is not honoured when specified in ext_proc_late".
            Self::Late => return Stage::Route.after(),
            Self::Early => Stage::Fault.before(),
            Self::Regular => Stage::AuthZ.after(),
        };
        let Some(FilterStage { stage, predicate }) = server.filter_stage else {
            return place;
        };
        let stage = match stage {
            StageName::Fault => Stage::Fault,
            StageName::Cors => Stage::Cors,
            StageName::Waf => Stage::Waf,
            StageName::AuthN => Stage::AuthN,
            StageName::AuthZ => Stage::AuthZ,
            StageName::RateLimit => Stage::RateLimit,
            StageName::Accepted => Stage::Accepted,
            StageName::OutAuth => Stage::OutAuth,
            StageName::Route => Stage::Route,
        };
        match predicate {
            StagePredicate::Before => stage.before(),
            StagePredicate::During => stage.during(),
            StagePredicate::After => stage.after(),
        }
    }
}

/// Which server a stage is of.
pub(crate) trait ExtProcServers {
    fn ext_proc(&self, stage: ExtProcStage) -> Option<&ExtProcServer>;
}

impl ExtProcServers for Servers {
    fn ext_proc(&self, stage: ExtProcStage) -> Option<&ExtProcServer> {
        match stage {
            ExtProcStage::Early => self.ext_proc_early.as_ref(),
            ExtProcStage::Regular => self.ext_proc.as_ref(),
            ExtProcStage::Late => self.ext_proc_late.as_ref(),
        }
    }
}

/// Whether the name is of a filter that only routes configure.
pub(crate) fn is_native(name: &str) -> bool {
    idle_config(name).is_some()
}

/// Where a filter stands, and what it does where nothing else is said: nothing, but for what a route says of a server.
fn native(name: &str, needs: &Needs, of: &Surroundings<'_>) -> Option<(Place, Any)> {
    Some(match name {
        FAULT => (Stage::Fault.during(), any(&HttpFault::default())),
        CORS => (Stage::Cors.during(), any(&Cors {})),
        CORS_ECHO => (Stage::Cors.before(), any(&HeaderMutation::default())),
        STATEFUL_SESSION => (Stage::OutAuth.before(), any(&StatefulSession::default())),
        CSRF => (Stage::Route.during(), any(&csrf::policy(&Csrf::default()))),
        BUFFER => {
            let max_request_bytes = Some(uint(BUFFER_LIMIT));
            (Stage::Route.during(), any(&Buffer { max_request_bytes }))
        }
        FORWARD_PROXY => {
            let nothing = ForwardProxy::default();
            let config = forward_proxy::filter(of.forward_proxy.unwrap_or(&nothing));
            (Stage::OutAuth.during(), config)
        }
        GRPC_JSON => (Stage::OutAuth.during(), transcoder::nothing()),
        RBAC => (Stage::AuthZ.during(), any(&Rbac::default())),
        LOCAL_RATE_LIMIT | LOCAL_RATE_LIMIT_BASIC => {
            let place = match name {
                LOCAL_RATE_LIMIT => Stage::AuthN.before(),
                _ => Stage::RateLimit.during(),
            };
            (place, rate_limit::no_local_limit())
        }
        name if name.starts_with(secret_headers::FILTER) => {
            let config = secret_headers::filter(name, needs.secrets.get(name)?);
            (Stage::OutAuth.during(), config)
        }
        name => match name.strip_prefix(NOT_THE_CLIENT_S) {
            Some(header) => (Stage::Fault.before(), filters::removing(header)),
            None => return of_server(name, needs, of),
        },
    })
}

fn of_server(name: &str, needs: &Needs, of: &Surroundings<'_>) -> Option<(Place, Any)> {
    for stage in [JwtStage::Before, JwtStage::After] {
        if name == stage.filter() {
            let place = match stage {
                JwtStage::Before => Stage::AuthN.before(),
                JwtStage::After => Stage::AuthN.after(),
            };
            let nothing = JwtNeeds::default();
            let needs = needs.jwt.get(&stage).unwrap_or(&nothing);
            return Some((place, jwt::filter(needs)));
        }
    }
    for stage in RateLimitStage::ALL {
        if name == stage.filter() {
            let server = of.servers.ratelimit_server.as_ref();
            // Envoy would refuse the listener.
            let server = server.filter(|it| (of.is_there)(&it.ratelimit_server_ref))?;
            return Some((stage.place(server), rate_limit::filter(server, stage)));
        }
    }
    if let Some(server) = needs.asked.get(name) {
        let is_there = (of.is_there)(&server.extauthz_server_ref);
        return Some((Stage::AuthN.during(), ext_auth::filter(server, is_there)));
    }
    let server = name.strip_prefix(EXT_AUTHZ)?;
    let server = of
        .servers
        .ext_auth(server.strip_prefix('.').unwrap_or(server));
    let config = match server {
        Some(server) => ext_auth::filter(server, (of.is_there)(&server.extauthz_server_ref)),
        None => ext_auth::refusing(),
    };
    Some((Stage::AuthN.during(), config))
}

/// What has a filter do nothing on a route; of a filter that only routes configure.
fn idle_config(name: &str) -> Option<Any> {
    Some(match name {
        FAULT
        | CORS
        | CORS_ECHO
        | CSRF
        | STATEFUL_SESSION
        | LOCAL_RATE_LIMIT
        | LOCAL_RATE_LIMIT_BASIC => on(),
        // It looks at routes to its own cluster only.
        FORWARD_PROXY => on(),
        GRPC_JSON => transcoder::nothing(),
        BUFFER => any(&BufferPerRoute {
            r#override: Some(buffer_per_route::Override::Disabled(true)),
        }),
        RBAC => rbac::disabled(),
        // It only has something at hand.
        name if name.starts_with(secret_headers::FILTER) => on(),
        // Whichever route the request comes to, the header is not the client's.
        name if name.starts_with(NOT_THE_CLIENT_S) => on(),
        name if name.starts_with(EXT_AUTHZ) => ext_auth::disabled(),
        name if name.starts_with(JwtStage::After.filter()) => jwt::disabled(),
        name if name.starts_with(RateLimitStage::Configured.filter()) => on(),
        _ => return None,
    })
}

/// The names that need no settings.
const NAMES: [&str; 17] = [
    BUFFER,
    CORS,
    CORS_ECHO,
    CSRF,
    EXT_AUTHZ,
    FAULT,
    FORWARD_PROXY,
    GRPC_JSON,
    LOCAL_RATE_LIMIT,
    LOCAL_RATE_LIMIT_BASIC,
    RBAC,
    STATEFUL_SESSION,
    "envoy.filters.http.jwt_authn",
    "envoy.filters.http.jwt_authn.before",
    "envoy.filters.http.ratelimit",
    "envoy.filters.http.ratelimit.early",
    "envoy.filters.http.ratelimit.regular",
];

/// All names that there are.
pub(crate) fn all(servers: &Servers) -> BTreeSet<String> {
    let fixed = NAMES.iter().map(|name| (*name).to_owned());
    let named = servers.ext_auth_names().map(ext_auth::filter_name);
    let user = not_the_client_s(servers.user_id_header());
    fixed.chain(named).chain([user]).collect()
}

/// What a route needs whose requests may come to another one on their way through the chain: names and values of
/// `typed_per_filter_config`. Envoy makes a request's filters for the route that it chooses first, and one that is off
/// there would not be there for the other's sake, not even if it decides who may pass. So they are made, and on this route
/// do nothing. (Envoy ignores a name that the listener does not have.)
pub(crate) fn idle(names: &BTreeSet<String>) -> impl Iterator<Item = (String, Any)> {
    names
        .iter()
        .filter_map(|name| Some((name.clone(), idle_config(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(chain: Chain) -> Vec<String> {
        chain.into_filters().map(|filter| filter.name).collect()
    }

    #[test]
    fn filters_stand_in_the_order_of_stages_and_of_being_put() {
        let mut chain = Chain::default();
        for (place, name) in [
            (Stage::Route.during(), "e"),
            (Stage::AuthZ.after(), "d"),
            (Stage::AuthZ.during(), "c"),
            (Stage::Fault.after(), "a"),
            (Stage::Fault.after(), "b"),
            (Stage::Route.during(), "f"),
        ] {
            chain.put(place, filter(name, Any::default()));
        }
        assert_eq!(names(chain).concat(), "abcdef");
    }

    #[test]
    fn only_those_that_are_named_are_there_and_off() {
        let mut chain = Chain::default();
        put(&mut chain, &[BUFFER, FAULT, "another"]);
        let filters: Vec<_> = chain.into_filters().collect();
        assert!(filters.iter().all(|filter| filter.disabled));
        let names: Vec<_> = filters.iter().map(|filter| &*filter.name).collect();
        assert_eq!(names, [FAULT, BUFFER]);
    }

    #[test]
    fn what_a_listener_says_takes_the_place_of_what_is_off() {
        let mut chain = Chain::default();
        put(&mut chain, &[BUFFER, CSRF]);
        chain.put(Stage::Route.during(), filter(CSRF, Any::default()));
        let filters: Vec<_> = chain.into_filters().collect();
        let off: Vec<_> = filters.iter().map(|it| (&*it.name, it.disabled)).collect();
        assert_eq!(off, [(BUFFER, true), (CSRF, false)]);
    }

    #[test]
    fn whatever_may_be_configured_can_be_made_idle() {
        let servers = Servers::default();
        let all = all(&servers);
        assert_eq!(idle(&all).count(), all.len());
        assert!(all.iter().all(|name| is_native(name)));
    }

    #[test]
    fn a_server_that_is_not_there_lets_nothing_pass() {
        let mut chain = Chain::default();
        put(
            &mut chain,
            &[EXT_AUTHZ, "envoy.filters.http.ext_authz.other"],
        );
        for filter in chain.into_filters() {
            let Some(hcm::http_filter::ConfigType::TypedConfig(config)) = filter.config_type else {
                panic!("{}", filter.name)
            };
            assert_eq!(config, ext_auth::refusing(), "{}", filter.name);
        }
    }

    fn put(chain: &mut Chain, names: &[&str]) {
        let needs = Needs {
            filters: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Needs::default()
        };
        let surroundings = Surroundings {
            gateway: "gateway",
            alt_svc: None,
            servers: &Servers::default(),
            forward_proxy: None,
            invalid: None,
            is_there: &|_| false,
        };
        chain.put_native(&needs, &surroundings);
    }
}
