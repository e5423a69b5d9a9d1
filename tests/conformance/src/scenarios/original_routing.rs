//! `propagateOriginalRouting`: the provider is told the client's path and method.

use tenon_contract::RequestShape;

use crate::fake::{Answer, Request};
use crate::scenario::{Route, Scenario, Upstream, answer, call, function_error};

pub(super) fn all() -> Vec<Scenario> {
    let rewriting = || {
        let mut call = call();
        call.rewrites_path = true;
        Route::calling(&call).rewriting("/public", "/private")
    };
    vec![
        told("the-client-s-path-and-method-are-told"),
        told("the-client-s-path-is-told-where-the-route-rewrites")
            .route(rewriting())
            .request(Request::new("PUT", "/public/a?b=c").body("x"))
            .sends("x-envoy-original-path", "/public/a?b=c"),
        told("what-a-client-forges-is-not-told").request(
            asked()
                .header("x-envoy-original-path", "/forged")
                .header("x-envoy-original-method", "FORGED"),
        ),
        told("the-client-s-path-and-method-are-told-on-each-try")
            .answer(function_error())
            .answer(answer("{}"))
            .retry(&[504], 1)
            .counted(["function_error", "ok"]),
        told("the-client-s-path-and-method-are-told-after-a-lost-try")
            .answer(Answer::Lost)
            .answer(answer("{}"))
            .retry(&[], 1)
            .tries(2)
            .counted(["cancelled", "ok"])
            .guarded(),
        told("the-client-s-path-and-method-are-told-beside-an-event")
            .call_with(|aws| aws.request = RequestShape::ApiGatewayV2)
            .request(asked().header("x-envoy-original-method", "FORGED"))
            .hides("/headers/x-envoy-original-path")
            .hides("/headers/x-envoy-original-method"),
        Scenario::new("nothing-is-told-where-nobody-asks")
            .request(
                asked()
                    .header("x-envoy-original-path", "/forged")
                    .header("x-envoy-original-method", "FORGED"),
            )
            .withholds("x-envoy-original-path")
            .withholds("x-envoy-original-method"),
        Scenario::new("a-rewritten-path-is-not-told-where-nobody-asks")
            .route(rewriting())
            .request(Request::get("/public/a"))
            .withholds("x-envoy-original-path"),
    ]
}

fn asked() -> Request {
    Request::new("PUT", "/public/a?b=c").body("x")
}

fn told(name: &'static str) -> Scenario {
    Scenario::new(name)
        .upstream(Upstream::propagating_routing())
        .request(asked())
        .sends("x-envoy-original-path", "/public/a?b=c")
        .sends("x-envoy-original-method", "PUT")
}
