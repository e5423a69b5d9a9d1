//! Spans of a route.

use tenon_model_derive::Read;

use crate::header;

/// Spans of a route.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct RouteTracing {
    /// The name of its spans.
    #[read(default, with = header::value)]
    pub route_descriptor: String,
    /// How many requests are traced.
    pub trace_percentages: Option<TracePercentages>,
    /// Whether the name is told to the upstream, in `x-envoy-decorator-operation`; it is where this is left out.
    pub propagate: Option<bool>,
}

/// How many requests are traced, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Read)]
pub struct TracePercentages {
    /// Of those that ask for it with `x-client-trace-id`.
    #[read(default = 100.0, range(0.0, 100.0))]
    pub client_sample_percentage: f64,
    /// Of all others.
    #[read(default = 100.0, range(0.0, 100.0))]
    pub random_sample_percentage: f64,
    /// Of all that are to be traced by the others.
    #[read(default = 100.0, range(0.0, 100.0))]
    pub overall_sample_percentage: f64,
}

impl Default for TracePercentages {
    fn default() -> Self {
        Self {
            client_sample_percentage: 100.0,
            random_sample_percentage: 100.0,
            overall_sample_percentage: 100.0,
        }
    }
}
