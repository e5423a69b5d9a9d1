//! The table on the fake.

use std::time::Duration;

use tenon_conformance::fake::{Exchange, FakeHost, Filter};
use tenon_conformance::scenario::Scenario;
use tenon_conformance::{Observed, check, comparable, fake_clock, scenarios};
use tenon_core::host::Step;
use tenon_core::invoke::{Guard, Try, Upstream};

#[test]
fn all_scenarios_hold_on_the_fake() {
    let failed: Vec<String> = scenarios::all()
        .iter()
        .filter_map(|scenario| {
            let complaints = run(scenario).join("\n    ");
            (!complaints.is_empty()).then(|| format!("{}\n    {complaints}", scenario.name))
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} failed\n{}",
        failed.len(),
        failed.join("\n")
    );
}

fn run(scenario: &Scenario) -> Vec<String> {
    let upstream = Upstream::new(scenario.upstream.config(None));
    let outcome = exchange(scenario).run(|| Hosted {
        upstream: &upstream,
        this_try: Try::default(),
    });
    let mut complaints = Vec::new();
    // Here, unlike in an access log, all of them can be seen.
    let ours = |(name, _): &(String, String)| !name.starts_with("x-tenon-");
    let found: Vec<_> = comparable(&outcome.request_headers)
        .into_iter()
        .filter(ours)
        .collect();
    let arrived: Vec<_> = comparable(&scenario.arrived())
        .into_iter()
        .filter(ours)
        .collect();
    if found != arrived {
        complaints.push(format!(
            "request headers afterwards: {found:?}, were {arrived:?}"
        ));
    }
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    let observed = Observed {
        status: outcome.client.status,
        headers: outcome.client.headers,
        body: outcome.client.body,
        trailers: outcome.client.trailers,
        details: outcome.client.details.into(),
        sent: outcome.upstream,
        logged: outcome.request_headers,
        annotations: outcome
            .annotations
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
        counts: {
            let mut counts: Vec<_> = outcome
                .counts
                .iter()
                .map(|count| (count.function.clone(), count.result.to_owned()))
                .collect();
            counts.sort();
            counts
        },
        problems: outcome.problems,
        log: outcome
            .logs
            .iter()
            .map(|(_, line)| format!("{line}\n"))
            .collect(),
    };
    complaints.extend(check(scenario, &observed, fake_clock()));
    complaints
}

fn exchange(scenario: &Scenario) -> Exchange {
    let request = scenario.request.clone().with_headers(scenario.arrived());
    let mut exchange = Exchange::new(request)
        .retry_on(scenario.retry.on.iter().copied(), scenario.retry.times)
        .clock(
            fake_clock()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default(),
            Duration::from_secs(2),
        );
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

/// The core in the fake.
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
        let now = tenon_core::host::Stream::now(host);
        self.this_try.destroyed(host, now);
    }
}

#[test]
fn the_table_covers_what_it_has_to() {
    let all = scenarios::all();
    assert!(all.len() >= 70, "{}", all.len());
}
