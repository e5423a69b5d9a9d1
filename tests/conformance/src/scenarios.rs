//! The table.

use crate::scenario::Scenario;

mod azure;
mod bodies;
mod calls;
mod empty_bodies;
mod errors;
mod events;
mod function_urls;
mod google;
mod grpc;
mod head;
mod headers;
mod matching;
mod original_routing;
mod passing;
mod refusals;
mod shape_alb;
mod shape_api_gateway_v1;
mod shape_api_gateway_v2;
mod shapes;
mod streaming;
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
        shapes::all(),
        shape_api_gateway_v2::all(),
        shape_api_gateway_v1::all(),
        shape_alb::all(),
        errors::all(),
        headers::all(),
        empty_bodies::all(),
        original_routing::all(),
        bodies::all(),
        head::all(),
        grpc::all(),
        refusals::all(),
        tries::all(),
        passing::all(),
        google::all(),
        azure::all(),
        matching::all(),
        function_urls::all(),
        streaming::all(),
    ]
    .into_iter()
    .flatten()
    .map(Scenario::complete)
    .collect()
}
