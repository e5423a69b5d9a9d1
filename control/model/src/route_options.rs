//! What a route does besides forwarding.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Map, Value};
use tenon_model_derive::{Merge, Read};

use crate::header::{self, HeaderManipulation};
use crate::matcher;
use crate::merge;
use crate::options::buffer::BufferPerRoute;
use crate::options::cors::Cors;
use crate::options::csrf::Csrf;
use crate::options::ext_auth::{ExtAuth, ExtAuthServer};
use crate::options::ext_proc::ExtProc;
use crate::options::faults::Faults;
use crate::options::jwt::{RouteJwt, StagedJwt, StagedRouteJwt};
use crate::options::lb_hash::LbHash;
use crate::options::rate_limit::{BasicRateLimit, RouteRateLimit};
use crate::options::rbac::Rbac;
use crate::options::shadowing::Shadowing;
use crate::options::tracing::RouteTracing;
use crate::options::upgrades::Upgrade;
use crate::options::values::only_true;
use crate::read::{Fields, Node, Read};
use crate::regex;
use crate::retries::RetryPolicy;
use crate::schema::{Object, Schema};
use crate::stateful_session::StatefulSession;
use crate::transformation::Transformations;
use crate::upstream::is_host_name;

/// What a route does besides forwarding.
#[derive(Debug, Clone, PartialEq, Default, Read, Merge)]
#[read(
    later("stats"),
    finish = checked,
    refused(
        ai = "language models are out of scope; route to the provider as a static upstream",
        caching = "Tenon has no cache; put one behind Envoy",
        dlp = "answers are not searched for what must not leave; a transformation can take known fields out",
        extensions = "they are for plugins of Gloo's; say it with Tenon's own fields",
        rateLimitConfigs = "a RateLimitConfig is for Gloo's own server; use ratelimit with the standard service",
        rateLimitEarlyConfigs = "a RateLimitConfig is for Gloo's own server; use ratelimitEarly with the standard service",
        rateLimitRegularConfigs = "a RateLimitConfig is for Gloo's own server; use ratelimitRegular with the standard service",
        waf = "Envoy has no firewall; put one before it, or ask it as extauth or extProc"
    )
)]
pub struct RouteOptions {
    /// How long a request may take, tries included; zero: for ever. 15s where it is left out.
    pub timeout: Option<Duration>,
    /// How long a request may be silent; zero: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a stream may take.
    pub max_stream_duration: Option<MaxStreamDuration>,
    /// Which failures are tried again.
    pub retries: Option<RetryPolicy>,
    /// What takes the place of the path.
    #[read(flatten)]
    pub path_rewrite: Option<PathRewrite>,
    /// What takes the place of the host.
    #[read(flatten)]
    pub host_rewrite: Option<HostRewrite>,
    /// Whether `x-forwarded-host` tells the upstream the host that was there before.
    pub append_x_forwarded_host: Option<bool>,
    /// Headers to add and remove.
    #[read(default, name = "headerManipulation")]
    pub headers: HeaderManipulation,
    /// Where a copy of the request goes.
    pub shadowing: Option<Shadowing>,
    /// Its spans.
    pub tracing: Option<RouteTracing>,
    /// Faults on purpose.
    pub faults: Option<Faults>,
    /// Requests of other origins.
    pub cors: Option<Box<Cors>>,
    /// Requests that another site has a browser send.
    pub csrf: Option<Box<Csrf>>,
    /// What a hashing load balancer looks at.
    pub lb_hash: Option<LbHash>,
    /// Other protocols on a connection that started with HTTP.
    pub upgrades: Vec<Upgrade>,
    /// Whether bodies of requests are held back until they are there as a whole.
    pub buffer_per_route: Option<BufferPerRoute>,
    /// Metadata of the route in Envoy, by namespace.
    pub envoy_metadata: BTreeMap<String, Map<String, Value>>,
    /// Asking a server whether a request may pass.
    pub extauth: Option<Box<ExtAuth>>,
    /// What a rate limit service is asked.
    pub ratelimit: Option<Box<RouteRateLimit>>,
    /// The same, before the client is known.
    pub ratelimit_early: Option<Box<RouteRateLimit>>,
    /// The same, after the client is known.
    pub ratelimit_regular: Option<Box<RouteRateLimit>>,
    /// Limits of clients.
    pub ratelimit_basic: Option<BasicRateLimit>,
    /// Which tokens requests need.
    #[read(flatten)]
    pub jwt: Option<RouteJwtConfig>,
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
    /// More copies of the request, as the Gateway API has them.
    #[read(skip)]
    pub mirrors: Vec<Shadowing>,
    /// Servers that are asked one after the other whether a request may pass, whoever else is asked, as the Gateway API has
    /// them. Nobody says of another that those need not be asked.
    #[read(skip, merge = merge::both)]
    pub external_auth: Vec<Arc<ExtAuthServer>>,
    /// Whether requests of a session go to the same endpoint, as the Gateway API has it.
    #[read(skip)]
    pub session: Option<Box<StatefulSession>>,
}

/// How long a stream may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct MaxStreamDuration {
    /// The longest; zero: for ever.
    pub max_stream_duration: Option<Duration>,
    /// The longest that `grpc-timeout` may ask for; zero: any.
    pub grpc_timeout_header_max: Option<Duration>,
    /// How much less than `grpc-timeout` it is.
    pub grpc_timeout_header_offset: Option<Duration>,
}

/// Which tokens requests of a route need.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum RouteJwtConfig {
    /// Whether they need those of the virtual host.
    Jwt(RouteJwt),
    /// The same, before and after a server is asked.
    JwtStaged(StagedRouteJwt),
    /// Others than those of the virtual host.
    JwtProvidersStaged(Box<StagedJwt>),
}

/// They are large, so all routes without options have the same ones.
static NONE: LazyLock<Arc<RouteOptions>> = LazyLock::new(Arc::default);

impl RouteOptions {
    /// The options of what has none.
    pub fn none() -> Arc<Self> {
        NONE.clone()
    }

    /// The option of a name that need not have the same case.
    pub fn option_named(name: &str) -> Option<&'static str> {
        static NAMES: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(|| {
            let names = Object::names::<RouteOptions>().into_iter();
            names
                .map(|name| (name.to_ascii_lowercase(), name))
                .collect()
        });
        NAMES.get(&name.to_ascii_lowercase()).copied()
    }

    /// The name of the field that rewrites the path.
    pub fn path_rewrite_field(&self) -> Option<&'static str> {
        Some(match self.path_rewrite.as_ref()? {
            PathRewrite::Prefix(_) => "prefixRewrite",
            PathRewrite::Regex(_) => "regexRewrite",
        })
    }

    /// The name of the field that rewrites the host.
    pub fn host_rewrite_field(&self) -> Option<&'static str> {
        Some(match self.host_rewrite.as_ref()? {
            HostRewrite::Literal(_) => "hostRewrite",
            HostRewrite::Auto(()) => "autoHostRewrite",
            HostRewrite::PathRegex(_) => "hostRewritePathRegex",
            HostRewrite::Header(_) => "hostRewriteHeader",
        })
    }
}

/// What takes the place of the path.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum PathRewrite {
    /// Of the matched prefix.
    #[read(name = "prefixRewrite", with = prefix_rewrite)]
    Prefix(String),
    /// Of what an expression matches in the path.
    #[read(name = "regexRewrite")]
    Regex(RegexRewrite),
}

/// What takes the place of what an expression matches.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = with_groups)]
pub struct RegexRewrite {
    /// What is replaced.
    pub pattern: RegexPattern,
    /// What takes its place, with `\1` for its groups.
    #[read(default, with = substitution)]
    pub substitution: String,
}

/// A regular expression, as RE2 has them.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(ignored("googleRe2"))]
pub struct RegexPattern {
    /// It.
    #[read(with = regex::pattern)]
    pub regex: String,
}

/// What takes the place of the host.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum HostRewrite {
    /// This one.
    #[read(name = "hostRewrite", with = host)]
    Literal(String),
    /// The name of the upstream's host.
    #[read(name = "autoHostRewrite", with = only_true, schema = flag)]
    Auto(()),
    /// What an expression makes of the path.
    #[read(name = "hostRewritePathRegex")]
    PathRegex(RegexRewrite),
    /// What stands in this header, if it is there.
    #[read(name = "hostRewriteHeader", with = header::matched_name)]
    Header(String),
}

fn flag() -> Schema {
    <bool as Read>::schema()
}

fn prefix_rewrite(node: &Node<'_>) -> Option<String> {
    match node.text()? {
        "" => None,
        _ => matcher::path(node),
    }
}

/// A host, with or without a port.
pub(crate) fn host(node: &Node<'_>) -> Option<String> {
    let host = header::value(node)?;
    let name = host.split(':').next().unwrap_or_default();
    if !is_host_name(name) && !host.starts_with('[') {
        return node.error(format!("{host:?} is not a host"));
    }
    Some(host)
}

fn checked(options: RouteOptions, fields: &Fields<'_>) -> Option<RouteOptions> {
    if options
        .envoy_metadata
        .contains_key(tenon_contract::NAMESPACE)
    {
        fields.error_at(
            "envoyMetadata",
            format!("{:?} is Tenon's own namespace", tenon_contract::NAMESPACE),
        );
    }
    for (index, upgrade) in options.upgrades.iter().enumerate() {
        let mut earlier = options.upgrades.iter().take(index);
        if earlier.any(|it| it.protocol() == upgrade.protocol()) {
            // Envoy would refuse the whole route table.
            let text = format!("{} is there already", upgrade.protocol());
            fields.error_at(&format!("upgrades[{index}]"), text);
        }
    }
    Some(options)
}

fn substitution(node: &Node<'_>) -> Option<String> {
    let text = header::value(node)?;
    // How many groups there are is looked at once the pattern is known.
    match check_substitution(&text, usize::MAX) {
        Ok(()) => Some(text),
        Err(reason) => node.error(reason),
    }
}

fn with_groups(rewrite: RegexRewrite, fields: &Fields<'_>) -> Option<RegexRewrite> {
    let groups = regex::check(&rewrite.pattern.regex).unwrap_or(usize::MAX);
    if let Err(reason) = check_substitution(&rewrite.substitution, groups) {
        fields.error_at("substitution", reason);
    }
    Some(rewrite)
}

fn check_substitution(text: &str, groups: usize) -> Result<(), String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some('\\') => {}
            Some(digit @ '0'..='9') if (digit as usize - '0' as usize) <= groups => {}
            Some(digit @ '0'..='9') => {
                return Err(format!(
                    "{text:?}: there is no group {digit}, only {groups}"
                ));
            }
            _ => {
                return Err(format!(
                    r"{text:?}: after \ only a digit or another \ may stand"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Merge;

    #[test]
    fn of_each_option_the_first_that_says_something_counts() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let first = RouteOptions {
            timeout: seconds(1),
            path_rewrite: Some(PathRewrite::Prefix("/".into())),
            ..RouteOptions::default()
        };
        let second = RouteOptions {
            timeout: seconds(2),
            host_rewrite: Some(HostRewrite::Auto(())),
            path_rewrite: Some(PathRewrite::Regex(RegexRewrite {
                pattern: RegexPattern { regex: "a".into() },
                substitution: "b".into(),
            })),
            ..RouteOptions::default()
        };
        let merged = RouteOptions::merged([&RouteOptions::default(), &first, &second]);
        let expected = RouteOptions {
            host_rewrite: Some(HostRewrite::Auto(())),
            ..first
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn options_are_known_by_the_names_that_users_write() {
        let options = RouteOptions {
            path_rewrite: Some(PathRewrite::Prefix("/".into())),
            headers: HeaderManipulation {
                request_remove: vec!["x".into()],
                ..HeaderManipulation::default()
            },
            transformations: Some(Transformations::default()),
            ..RouteOptions::default()
        };
        // Those that stand for one value are set together.
        for (name, is_set) in [
            ("prefixRewrite", true),
            ("regexRewrite", true),
            ("headerManipulation", true),
            ("stagedTransformations", true),
            ("timeout", false),
            ("path_rewrite", false),
        ] {
            assert_eq!(options.sets(name), is_set, "{name}");
        }
    }

    #[test]
    fn substitutions_name_only_groups_that_there_are() {
        for (text, groups, good) in [
            ("/x", 0, true),
            (r"/\1/\2", 2, true),
            (r"/\0", 0, true),
            (r"\\n", 0, true),
            (r"/\2", 1, false),
            (r"/\n", 0, false),
            ("\\", 0, false),
        ] {
            assert_eq!(check_substitution(text, groups).is_ok(), good, "{text}");
        }
    }
}
