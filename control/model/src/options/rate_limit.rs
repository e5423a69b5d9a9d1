//! How often requests may come.

use std::time::Duration;

use tenon_model_derive::Read;

use super::ext_auth::GrpcService;
use crate::read::{Fields, Node};
use crate::schema::Schema;
use crate::{ObjectRef, header, regex};

/// The standard rate limit service (`envoy.service.ratelimit.v3`), which has the limits in its own configuration.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RateLimitServer {
    /// Its upstream.
    pub ratelimit_server_ref: ObjectRef,
    /// How long it may take: 100ms where it is left out.
    #[read(with = Node::positive_duration)]
    pub request_timeout: Option<Duration>,
    /// Whether requests are refused where it cannot be asked.
    pub deny_on_fail: bool,
    /// Whether answers say what is left, in `x-ratelimit-…`.
    pub enable_x_ratelimit_headers: bool,
    /// Whether it is asked before the client is known.
    pub rate_limit_before_auth: bool,
    /// How it is spoken to.
    #[read(default)]
    pub grpc_service: GrpcService,
}

/// Limits of a virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct HostRateLimit {
    /// What the service is asked.
    pub rate_limits: Vec<RateLimitActions>,
    /// A limit of each Envoy's own.
    pub local_ratelimit: Option<TokenBucket>,
}

/// Limits of a route, in the place of its virtual host's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct RouteRateLimit {
    /// What the service is asked.
    pub rate_limits: Vec<RateLimitActions>,
    /// A limit of each Envoy's own.
    pub local_ratelimit: Option<TokenBucket>,
    /// Whether what the virtual host has the service asked is asked as well.
    pub include_vh_rate_limits: bool,
}

/// A limit of each Envoy's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct TokenBucket {
    /// How many requests there may be at once.
    #[read(range(1, u32::MAX))]
    pub max_tokens: u32,
    /// How many more after each interval: 1 where it is left out.
    #[read(default = 1_u32, range(1, u32::MAX))]
    pub tokens_per_fill: u32,
    /// The interval: 1s where it is left out.
    #[read(default = Duration::from_secs(1), with = Node::positive_duration)]
    pub fill_interval: Duration,
}

/// What the service is asked: one descriptor, of one entry an action.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(refused(
    setActions = "sets are for Gloo's own server; use actions",
    limit = "the standard service takes none; put the limit into its configuration"
))]
pub struct RateLimitActions {
    /// What each entry is. A request that one of them says nothing of is not asked about.
    #[read(required)]
    pub actions: Vec<RateLimitAction>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum RateLimitAction {
    /// The cluster that Envoy itself is in.
    #[read(with = empty, schema = Schema::empty_object)]
    SourceCluster(()),
    /// The cluster that the request goes to.
    #[read(with = empty, schema = Schema::empty_object)]
    DestinationCluster(()),
    /// A header.
    RequestHeaders(RequestHeaders),
    /// The client's address.
    #[read(with = empty, schema = Schema::empty_object)]
    RemoteAddress(()),
    /// A fixed text.
    GenericKey(GenericKey),
    /// A fixed text, of requests that fit.
    HeaderValueMatch(HeaderValueMatch),
    /// Metadata.
    #[read(name = "metadata")]
    Metadata(MetadataEntry),
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RequestHeaders {
    /// Its name.
    #[read(with = header::matched_name)]
    pub header_name: String,
    /// The key of the entry.
    #[read(with = Node::non_empty)]
    pub descriptor_key: String,
}

/// A fixed text.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct GenericKey {
    /// The text; the key is `generic_key`.
    #[read(with = Node::non_empty)]
    pub descriptor_value: String,
}

/// A fixed text, of requests that fit.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HeaderValueMatch {
    /// The text; the key is `header_match`.
    #[read(with = Node::non_empty)]
    pub descriptor_value: String,
    /// Whether the headers have to fit, or must not.
    #[read(default = true)]
    pub expect_match: bool,
    /// The headers: all have to fit.
    #[read(required)]
    pub headers: Vec<RateLimitHeader>,
}

/// Which values of a header fit.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RateLimitHeader {
    /// Its name.
    #[read(with = header::matched_name)]
    pub name: String,
    /// Which values; any where it is left out.
    #[read(flatten)]
    pub value: Option<RateLimitHeaderValue>,
    /// The other way round.
    pub invert_match: bool,
}

/// Which values of a header fit.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum RateLimitHeaderValue {
    /// This one.
    ExactMatch(String),
    /// That match this as a whole.
    #[read(with = regex::pattern)]
    RegexMatch(String),
    /// Whole numbers within a range.
    RangeMatch(RangeMatch),
    /// Any, or none.
    PresentMatch(bool),
    /// That start with this.
    #[read(with = Node::non_empty)]
    PrefixMatch(String),
    /// That end with this.
    #[read(with = Node::non_empty)]
    SuffixMatch(String),
}

/// Whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct RangeMatch {
    /// The least.
    #[read(default)]
    pub start: i64,
    /// The first that is too large.
    #[read(default)]
    pub end: i64,
}

/// Metadata.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct MetadataEntry {
    /// The key of the entry.
    #[read(with = Node::non_empty)]
    pub descriptor_key: String,
    /// Where it stands.
    pub metadata_key: MetadataKey,
    /// Its value where it is not there; without one, the request is not asked about.
    #[read(default)]
    pub default_value: String,
    /// Which metadata.
    #[read(default)]
    pub source: MetadataSource,
}

/// Where a value stands in metadata.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct MetadataKey {
    /// The namespace.
    #[read(with = Node::non_empty)]
    pub key: String,
    /// The way to it.
    #[read(required)]
    pub path: Vec<PathSegment>,
}

/// A step of a way.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct PathSegment {
    /// The name of a field.
    #[read(with = Node::non_empty)]
    pub key: String,
}

/// Which metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum MetadataSource {
    /// What filters say of the request.
    #[default]
    Dynamic,
    /// What the route says.
    RouteEntry,
}

/// Limits of clients, of each Envoy's own: those that are known each have one, and each address of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct BasicRateLimit {
    /// Of each client that is known, by the header in which the Settings' `extauth` tells who it is.
    pub authorized_limits: Option<Rate>,
    /// Of each address of the others.
    pub anonymous_limits: Option<Rate>,
}

/// So many requests in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(finish = known)]
pub struct Rate {
    /// The time.
    pub unit: RateUnit,
    /// How many.
    #[read(range(1, u32::MAX))]
    pub requests_per_unit: u32,
}

/// A time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum RateUnit {
    /// None: refused.
    Unknown,
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

fn known(rate: Rate, fields: &Fields<'_>) -> Option<Rate> {
    if rate.unit == RateUnit::Unknown {
        fields.error_at("unit", "expected one of SECOND, MINUTE, HOUR and DAY");
    }
    Some(rate)
}

impl RateUnit {
    /// How long it is; zero: not known.
    pub fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Unknown => 0,
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }
}

fn empty(node: &Node<'_>) -> Option<()> {
    node.object(|_| Some(()))
}
