//! A row on the fake.

use serde_json::Value;
use tenon_contract::transform::{RouteTransformations, TRANSFORM_KEY};
use tenon_core::host::Step;
use tenon_core::transform::{Pass, RouteRules, Transformer};

use super::{Answered, Observed, Route, Row};
use crate::fake::{Exchange, FakeHost, Filter, Response};
use crate::observed::Protocol;

/// Runs a row on the fake; with the per-route configuration of a module, if the host `is_module`.
///
/// # Errors
/// The filter's or the route's configuration is refused.
pub fn run(row: &Row, protocol: Protocol, is_module: bool) -> Result<Observed, String> {
    let transformer = Transformer::new(&row.filter).map_err(|it| format!("{it:?}"))?;
    let mut own = None;
    let mut exchange = Exchange::new(row.request.clone())
        .cluster(row.cluster)
        .destination(row.destination);
    if protocol == Protocol::Http2 {
        exchange = exchange.over_http2();
    }
    match &row.route {
        Route::Nothing => {}
        Route::Metadata(text) => exchange = exchange.route_metadata(TRANSFORM_KEY, text),
        Route::Config(text, config) => {
            exchange = exchange.route_metadata(TRANSFORM_KEY, text);
            if is_module {
                let config = RouteTransformations::from_json(config.as_bytes());
                let config = config.map_err(|it| it.to_string())?.value;
                own = Some(RouteRules::new(&config).map_err(|it| format!("{it:?}"))?);
            }
        }
    }
    let (answer, details) = match &row.answer {
        Answered::ByUpstream(response) => (response.clone(), "via_upstream"),
        Answered::ByRoute(status, body) => {
            let response = Response::status(*status).header("content-type", "text/plain");
            (response.body(body), "direct_response")
        }
    };
    let exchange = exchange.answer(answer).details(details);
    let outcome = exchange.run(|| Hosted {
        transformer: &transformer,
        own: own.as_ref(),
        pass: Pass::default(),
    });
    let mut sent = outcome.upstream;
    if matches!(row.answer, Answered::ByRoute(..)) {
        sent.clear();
    }
    let mut headers = outcome.client.headers;
    // The route that a transformed request is given when it is chosen again: see the configuration of real Envoys.
    let again = outcome.request_headers.text("x-routed") == "again";
    if outcome.routed_again && again {
        headers.add("x-route", b"second");
    }
    Ok(Observed {
        status: outcome.client.status,
        headers,
        body: outcome.client.body,
        trailers: outcome.client.trailers,
        details: outcome.client.details.to_owned(),
        sent,
        metadata: Value::Object(outcome.metadata),
        problems: outcome.problems,
        log: outcome
            .logs
            .into_iter()
            .map(|(_, line)| line + "\n")
            .collect(),
    })
}

struct Hosted<'a> {
    transformer: &'a Transformer,
    own: Option<&'a RouteRules>,
    pass: Pass,
}

impl Filter<FakeHost> for Hosted<'_> {
    fn request_headers(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.pass
            .request_headers(self.transformer, self.own, host, end)
    }
    fn request_body(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.pass.request_body(self.transformer, host, end)
    }
    fn request_trailers(&mut self, host: &mut FakeHost) -> Step {
        self.pass.request_trailers(host)
    }
    fn response_headers(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.pass.response_headers(self.transformer, host, end)
    }
    fn response_body(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.pass.response_body(self.transformer, host, end)
    }
    fn response_trailers(&mut self, host: &mut FakeHost) -> Step {
        self.pass.response_trailers(host)
    }
}
