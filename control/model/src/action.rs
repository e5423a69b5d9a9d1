//! What a route does with a request.

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::delegation::Delegation;
use crate::destination::{Destination, MultiDestination, WeightedDestination};
use crate::header;
use crate::matcher;
use crate::read::Node;
use crate::route_options::{self, RegexRewrite};

/// What a route does with a request.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum Action {
    /// Forwards it.
    #[read(name = "routeAction")]
    Route(RouteAction),
    /// Sends the client elsewhere.
    #[read(name = "redirectAction")]
    Redirect(Redirect),
    /// Answers it.
    #[read(name = "directResponseAction")]
    DirectResponse(DirectResponse),
    /// Leaves it to the routes of tables.
    #[read(name = "delegateAction")]
    Delegate(Delegation),
}

/// Where a request is forwarded to.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum RouteAction {
    /// One destination.
    Single(Box<Destination>),
    /// One of several destinations.
    Multi(MultiDestination),
    /// One of the destinations of an upstream group.
    UpstreamGroup(ObjectRef),
    /// The cluster whose name a header of the request has: `<upstream>_<namespace>`. Whoever may send requests chooses
    /// among all clusters.
    #[read(with = header::matched_name)]
    ClusterHeader(String),
    /// Whatever host the request is for, found by DNS. Whoever may send requests chooses among all hosts that Envoy
    /// reaches.
    DynamicForwardProxy(ForwardProxyRoute),
}

/// Which host a request is forwarded to that goes wherever it says.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ForwardProxyRoute {
    /// Another host than the request's.
    #[read(flatten)]
    pub host: Option<ForwardProxyHost>,
}

/// Another host than the request's.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum ForwardProxyHost {
    /// This one.
    #[read(name = "hostRewrite", with = route_options::host)]
    Literal(String),
    /// The one that this header of the request has.
    #[read(name = "autoHostRewriteHeader", with = header::matched_name)]
    Header(String),
}

/// Where a client is sent.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct Redirect {
    /// Another host.
    #[read(name = "hostRedirect", with = header::value)]
    pub host: Option<String>,
    /// Another path.
    #[read(flatten)]
    pub path: Option<PathRedirect>,
    /// Another port.
    #[read(name = "portRedirect", range(1, 65_535))]
    pub port: Option<u16>,
    /// The status.
    #[read(name = "responseCode", default)]
    pub status: RedirectStatus,
    /// To `https`.
    #[read(name = "httpsRedirect")]
    pub https: bool,
    /// Without the query.
    pub strip_query: bool,
    /// To `http`, as the Gateway API has it.
    #[read(skip)]
    pub http: bool,
    /// Of the Gateway API: to the port that clients know the listener by.
    #[read(skip)]
    pub port_of_listener: bool,
}

/// Another path.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum PathRedirect {
    /// As a whole.
    #[read(name = "pathRedirect", with = redirect_path)]
    Path(String),
    /// Instead of its matched prefix.
    #[read(name = "prefixRewrite", with = matcher::path)]
    Prefix(String),
    /// Instead of what an expression matches in it.
    #[read(name = "regexRewrite")]
    Regex(RegexRewrite),
}

/// The status of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum RedirectStatus {
    /// 301
    #[default]
    MovedPermanently,
    /// 302
    Found,
    /// 303
    SeeOther,
    /// 307
    TemporaryRedirect,
    /// 308
    PermanentRedirect,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct DirectResponse {
    /// Its status.
    #[read(range(200, 599))]
    pub status: u16,
    /// Its body, of at most 4096 bytes where the gateway's `routeOptions.maxDirectResponseBodySizeBytes` does not say more.
    #[read(default)]
    pub body: String,
}

/// The largest body that Envoy takes by default; a larger one would cost all routes of a listener.
const MOST_BODY: usize = 4_096;

impl Action {
    /// The destinations among which it chooses.
    pub fn destinations(&self) -> &[WeightedDestination] {
        match self {
            Self::Route(RouteAction::Multi(multi)) => &multi.destinations,
            _ => &[],
        }
    }
}

/// A path with or without a query. `//` at its start would be another host.
fn redirect_path(node: &Node<'_>) -> Option<String> {
    let whole = header::value(node)?;
    let path = whole.split('?').next().unwrap_or_default();
    match matcher::check_path(path) {
        Ok(()) => Some(whole),
        Err(reason) => node.error(reason),
    }
}

pub(crate) fn body(node: &Node<'_>) -> Option<String> {
    let body = node.string()?;
    match body.len() {
        0..=MOST_BODY => Some(body),
        more => node.error(format!(
            "has {more} bytes; at most {MOST_BODY} are possible"
        )),
    }
}
