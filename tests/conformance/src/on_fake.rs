//! The core in the fake.

use std::time::{Duration, SystemTime};

use tenon_core::host::{Step, Stream};
use tenon_core::invoke::{Guard, Try, Upstream};

use crate::fake::{Exchange, FakeHost, Filter};
use crate::observed::{Observed, Protocol};
use crate::scenario::Scenario;

/// Runs a scenario on the fake.
pub fn run(scenario: &Scenario, protocol: Protocol) -> Observed {
    let upstream =
        Upstream::new(scenario.upstream.config(None)).expect("scenarios have good configurations");
    let mut exchange = exchange(scenario);
    if protocol == Protocol::Http2 {
        exchange = exchange.over_http2();
    }
    let outcome = exchange.run(|| Hosted {
        upstream: &upstream,
        this_try: Try::default(),
    });
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut counts: Vec<_> = outcome
        .counts
        .into_iter()
        .map(|count| (count.function, count.result.to_owned()))
        .collect();
    counts.sort();
    Observed {
        protocol,
        adds_no_body: false,
        status: outcome.client.status,
        headers: outcome.client.headers,
        body: outcome.client.body,
        trailers: outcome.client.trailers,
        cut_off: outcome.client.cut_off,
        details: Some(outcome.client.details.into()),
        sent: outcome.upstream,
        logged: outcome.request_headers,
        annotations: outcome
            .annotations
            .into_iter()
            .map(|(key, value)| (key, text(&value)))
            .collect(),
        counts,
        problems: outcome.problems,
        log: outcome
            .logs
            .into_iter()
            .map(|(_, line)| line + "\n")
            .collect(),
    }
}

/// The time on the fake.
pub fn fake_clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + START
}

const START: Duration = Duration::from_secs(1_440_938_160);

fn exchange(scenario: &Scenario) -> Exchange {
    let request = scenario.request.clone().with_headers(scenario.arrived());
    let mut exchange = Exchange::new(request)
        .retry_on(scenario.retry.on.iter().copied(), scenario.retry.times)
        .clock(START, Duration::from_secs(2));
    if scenario.guarded {
        exchange = exchange.afterwards(|host| Guard.restore(host));
    }
    for answer in &scenario.answers {
        exchange = exchange.answer(answer.clone());
    }
    for (key, text) in &scenario.route.metadata {
        exchange = exchange.route_metadata(key, text);
    }
    if let Some(secret) = &scenario.upstream.secret {
        exchange = exchange.secret(secret);
    }
    if let Some(secret) = &scenario.upstream.rotated {
        exchange = exchange.secret_of_retries(secret);
    }
    exchange
}

struct Hosted<'a> {
    upstream: &'a Upstream,
    this_try: Try,
}

impl Filter<FakeHost> for Hosted<'_> {
    fn request_headers(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.this_try.request_headers(self.upstream, host, end)
    }
    fn request_body(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.this_try.request_body(self.upstream, host, end)
    }
    fn request_trailers(&mut self, host: &mut FakeHost) -> Step {
        self.this_try.request_trailers(self.upstream, host)
    }
    fn response_headers(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.this_try.response_headers(self.upstream, host, end)
    }
    fn response_body(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.this_try.response_body(self.upstream, host, end)
    }
    fn response_trailers(&mut self, host: &mut FakeHost) -> Step {
        self.this_try.response_trailers(self.upstream, host)
    }
    fn destroy(&mut self, host: &mut FakeHost) {
        let now = host.now();
        self.this_try.destroyed(host, now);
    }
}
