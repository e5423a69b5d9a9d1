//! `tenon.function` among a listener's own filters.

use serde::Serialize;
use tenon_contract_derive::Shape;

use crate::transform::RequestMatcher;
use crate::{CallConfig, UpstreamConfig};

/// What calls functions for the requests of a listener. It says itself which requests those are, because who configures it
/// may have no say in the routes (Istio's `WasmPlugin`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct DownstreamConfig {
    /// Whose functions.
    pub upstream: UpstreamConfig,
    /// Which requests call which function: the first that fits. Where none does, the route's metadata say
    /// ([`crate::CALL_KEY`]); where they do not either, the request passes as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallRule>,
}

/// Which requests call a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct CallRule {
    /// The requests; all, if it is not there. As the client sent them: no route has rewritten them yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matcher: Option<RequestMatcher>,
    /// The function.
    pub call: CallConfig,
}
