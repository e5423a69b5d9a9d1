//! What of requests and connections is written down.

use envoy_types::pb::envoy::config::accesslog::v3 as envoy;
use envoy_types::pb::envoy::config::accesslog::v3::access_log_filter::FilterSpecifier;
use envoy_types::pb::envoy::config::accesslog::v3::comparison_filter::Op;
use envoy_types::pb::envoy::r#type::v3::Int64Range;
use tenon_model::access_filter::{
    AccessLogFilter, Comparison, ComparisonOp, Filters, LoggedHeader, LoggedValue,
};

use crate::options::values::percent;
use crate::proto::{begins_with, core, ends_with, exactly, matches, route};

pub(crate) fn translate(filter: &AccessLogFilter) -> envoy::AccessLogFilter {
    let specifier = match filter {
        AccessLogFilter::StatusCodeFilter(filter) => {
            FilterSpecifier::StatusCodeFilter(envoy::StatusCodeFilter {
                comparison: Some(comparison(&filter.comparison)),
            })
        }
        AccessLogFilter::DurationFilter(filter) => {
            FilterSpecifier::DurationFilter(envoy::DurationFilter {
                comparison: Some(comparison(&filter.comparison)),
            })
        }
        AccessLogFilter::NotHealthCheckFilter => {
            FilterSpecifier::NotHealthCheckFilter(envoy::NotHealthCheckFilter {})
        }
        AccessLogFilter::TraceableFilter => {
            FilterSpecifier::TraceableFilter(envoy::TraceableFilter {})
        }
        AccessLogFilter::RuntimeFilter(filter) => {
            FilterSpecifier::RuntimeFilter(envoy::RuntimeFilter {
                runtime_key: filter.runtime_key.clone(),
                percent_sampled: filter.percent_sampled.as_ref().map(percent),
                use_independent_randomness: filter.use_independent_randomness,
            })
        }
        AccessLogFilter::AndFilter(filters) => FilterSpecifier::AndFilter(envoy::AndFilter {
            filters: all(filters),
        }),
        AccessLogFilter::OrFilter(filters) => FilterSpecifier::OrFilter(envoy::OrFilter {
            filters: all(filters),
        }),
        AccessLogFilter::HeaderFilter(filter) => {
            FilterSpecifier::HeaderFilter(envoy::HeaderFilter {
                header: Some(header(&filter.header)),
            })
        }
        AccessLogFilter::ResponseFlagFilter(filter) => {
            FilterSpecifier::ResponseFlagFilter(envoy::ResponseFlagFilter {
                flags: filter.flags.clone(),
            })
        }
        AccessLogFilter::GrpcStatusFilter(filter) => {
            let statuses = filter.statuses.iter();
            FilterSpecifier::GrpcStatusFilter(envoy::GrpcStatusFilter {
                // Both are in the order of gRPC's numbers.
                statuses: statuses.map(|status| *status as i32).collect(),
                exclude: filter.exclude,
            })
        }
    };
    envoy::AccessLogFilter {
        filter_specifier: Some(specifier),
    }
}

/// Those that both let through.
pub(crate) fn both(
    one: Option<envoy::AccessLogFilter>,
    other: Option<envoy::AccessLogFilter>,
) -> Option<envoy::AccessLogFilter> {
    match (one, other) {
        (Some(one), Some(other)) => Some(envoy::AccessLogFilter {
            filter_specifier: Some(FilterSpecifier::AndFilter(envoy::AndFilter {
                filters: vec![one, other],
            })),
        }),
        (one, other) => one.or(other),
    }
}

fn all(filters: &Filters) -> Vec<envoy::AccessLogFilter> {
    filters.filters.iter().map(translate).collect()
}

fn comparison(comparison: &Comparison) -> envoy::ComparisonFilter {
    let op = match comparison.op {
        ComparisonOp::Eq => Op::Eq,
        ComparisonOp::Ge => Op::Ge,
        ComparisonOp::Le => Op::Le,
    };
    envoy::ComparisonFilter {
        op: op.into(),
        value: Some(core::RuntimeUInt32 {
            default_value: comparison.value.default_value,
            runtime_key: comparison.value.runtime_key.clone(),
        }),
    }
}

fn header(header: &LoggedHeader) -> route::HeaderMatcher {
    use route::header_matcher::HeaderMatchSpecifier::{PresentMatch, RangeMatch, StringMatch};
    let value = match &header.value {
        None => PresentMatch(true),
        Some(LoggedValue::ExactMatch(text)) => StringMatch(exactly(text)),
        Some(LoggedValue::SafeRegexMatch(regex)) => StringMatch(matches(&regex.regex)),
        Some(LoggedValue::RangeMatch(range)) => RangeMatch(Int64Range {
            start: range.start,
            end: range.end,
        }),
        Some(LoggedValue::PresentMatch(present)) => PresentMatch(*present),
        Some(LoggedValue::PrefixMatch(text)) => StringMatch(begins_with(text)),
        Some(LoggedValue::SuffixMatch(text)) => StringMatch(ends_with(text)),
    };
    route::HeaderMatcher {
        name: header.name.clone(),
        header_match_specifier: Some(value),
        invert_match: header.invert_match,
        ..route::HeaderMatcher::default()
    }
}
