//! Copies of requests.

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::route_options::host;

/// Where a copy of the request goes.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct Shadowing {
    /// The upstream.
    pub upstream: ObjectRef,
    /// Of how many requests, in percent; none where it is left out.
    #[read(default, range(0.0, 100.0))]
    pub percentage: f64,
    /// Whether the copy's host is the request's; else it has `-shadow` behind it.
    pub disable_shadow_host_suffix_append: bool,
    /// The copy's host, in the place of the request's.
    #[read(with = host)]
    pub host_rewrite_literal: Option<String>,
}
