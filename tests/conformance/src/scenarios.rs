//! The table.

use crate::scenario::Scenario;

mod bodies;
mod calls;
mod errors;
mod events;
mod google;
mod grpc;
mod head;
mod headers;
mod refusals;
mod tries;
mod unwrap_alb;
mod unwrap_api_gateway;

/// All scenarios, each with a name of its own.
pub fn all() -> Vec<Scenario> {
    [
        calls::all(),
        events::all(),
        unwrap_api_gateway::all(),
        unwrap_alb::all(),
        errors::all(),
        headers::all(),
        bodies::all(),
        head::all(),
        grpc::all(),
        refusals::all(),
        tries::all(),
        google::all(),
    ]
    .into_iter()
    .flatten()
    .map(Scenario::complete)
    .collect()
}
