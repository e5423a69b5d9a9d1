//! What of requests and connections is written down.

use tenon_model_derive::Read;

use crate::options::values::FractionalPercent;
use crate::read::Node;
use crate::regex;
use crate::schema::Schema;

/// Which requests are written down.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum AccessLogFilter {
    /// Those answered with such statuses.
    StatusCodeFilter(ComparisonFilter),
    /// Those that took so many milliseconds.
    DurationFilter(ComparisonFilter),
    /// Those that are no health checks.
    NotHealthCheckFilter,
    /// Those that are traced.
    TraceableFilter,
    /// Some of them.
    RuntimeFilter(RuntimeFilter),
    /// Those that all of these let through.
    AndFilter(Filters),
    /// Those that one of these lets through.
    OrFilter(Filters),
    /// Those with such a header.
    HeaderFilter(HeaderFilter),
    /// Those with such flags of Envoy's, as `UT`; none: any.
    ResponseFlagFilter(ResponseFlagFilter),
    /// Those with such statuses of gRPC.
    GrpcStatusFilter(GrpcStatusFilter),
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ComparisonFilter {
    /// It.
    pub comparison: Comparison,
}

/// How a number has to be.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct Comparison {
    /// Like or beyond what.
    #[read(default)]
    pub op: ComparisonOp,
    /// What it is compared with.
    pub value: RuntimeNumber,
}

/// How a number has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ComparisonOp {
    /// The same.
    #[default]
    Eq,
    /// The same or more.
    Ge,
    /// The same or less.
    Le,
}

/// A number that Envoy's runtime can change.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RuntimeNumber {
    /// What it is unless the runtime says otherwise.
    #[read(default = 0u32)]
    pub default_value: u32,
    /// Its name in the runtime.
    #[read(with = Node::non_empty)]
    pub runtime_key: String,
}

/// Some requests.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RuntimeFilter {
    /// The name of the share in Envoy's runtime.
    #[read(with = Node::non_empty)]
    pub runtime_key: String,
    /// The share unless the runtime says otherwise.
    pub percent_sampled: Option<FractionalPercent>,
    /// By chance, not by the request's id.
    pub use_independent_randomness: bool,
}

/// Several filters.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = at_least_two)]
pub struct Filters {
    /// At least two.
    #[read(schema = filter)]
    pub filters: Vec<AccessLogFilter>,
}

fn filter() -> Schema {
    Schema::Within(concat!(module_path!(), "::AccessLogFilter"))
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct HeaderFilter {
    /// It.
    pub header: LoggedHeader,
}

/// A header, as Envoy's API has it.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct LoggedHeader {
    /// Its name.
    #[read(with = crate::header::matched_name)]
    pub name: String,
    /// Its value; nothing: any.
    #[read(flatten)]
    pub value: Option<LoggedValue>,
    /// Those without it.
    pub invert_match: bool,
}

/// The value of a header, as Envoy's API has it.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum LoggedValue {
    /// This one.
    ExactMatch(String),
    /// One that an expression fits.
    SafeRegexMatch(LoggedRegex),
    /// A number from a start to before an end.
    RangeMatch(NumberRange),
    /// Any.
    PresentMatch(bool),
    /// One with this beginning.
    #[read(with = Node::non_empty)]
    PrefixMatch(String),
    /// One with this end.
    #[read(with = Node::non_empty)]
    SuffixMatch(String),
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(ignored("googleRe2"))]
pub struct LoggedRegex {
    /// It.
    #[read(with = expression)]
    pub regex: String,
}

/// Numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct NumberRange {
    /// The first.
    #[read(default = 0i64)]
    pub start: i64,
    /// The first that is none of them.
    #[read(default = 0i64)]
    pub end: i64,
}

/// Flags of Envoy's.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ResponseFlagFilter {
    /// They.
    #[read(with = flag)]
    pub flags: Vec<String>,
}

/// Statuses of gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct GrpcStatusFilter {
    /// They.
    pub statuses: Vec<GrpcStatus>,
    /// Those are not written down, all others are.
    pub exclude: bool,
}

/// A status of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum GrpcStatus {
    /// 0
    #[read(name = "OK")]
    Ok,
    /// 1
    Canceled,
    /// 2
    Unknown,
    /// 3
    InvalidArgument,
    /// 4
    DeadlineExceeded,
    /// 5
    NotFound,
    /// 6
    AlreadyExists,
    /// 7
    PermissionDenied,
    /// 8
    ResourceExhausted,
    /// 9
    FailedPrecondition,
    /// 10
    Aborted,
    /// 11
    OutOfRange,
    /// 12
    Unimplemented,
    /// 13
    Internal,
    /// 14
    Unavailable,
    /// 15
    DataLoss,
    /// 16
    Unauthenticated,
}

/// Those that Gloo's API has.
const FLAGS: [&str; 26] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
    "URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM",
];

fn expression(node: &Node<'_>) -> Option<String> {
    let pattern = node.non_empty()?;
    match regex::check(&pattern) {
        Ok(_) => Some(pattern),
        Err(reason) => node.error(reason),
    }
}

fn flag(node: &Node<'_>) -> Option<String> {
    let flag = node.string()?;
    match FLAGS.contains(&flag.as_str()) {
        true => Some(flag),
        false => node.error(format!("{flag:?} is not one of {}", FLAGS.join(", "))),
    }
}

fn at_least_two(filters: Filters, fields: &crate::read::Fields<'_>) -> Option<Filters> {
    if filters.filters.len() < 2 {
        fields.error_at("filters", "takes at least two");
    }
    Some(filters)
}
