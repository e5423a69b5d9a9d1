//! The table on the fake.

use std::collections::BTreeSet;

use tenon_conformance::scenario::Scenario;
use tenon_conformance::{Protocol, check, comparable, fake_clock, run_on_fake, scenarios};

#[test]
fn all_scenarios_hold_on_the_fake() {
    let failed: Vec<String> = scenarios::all()
        .iter()
        .filter_map(|scenario| {
            let both = [Protocol::Http1, Protocol::Http2];
            let complaints = both.map(|protocol| complaints(scenario, protocol)).concat();
            let complaints = complaints.join("\n    ");
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

fn complaints(scenario: &Scenario, protocol: Protocol) -> Vec<String> {
    let observed = run_on_fake(scenario, protocol);
    let mut complaints = check(scenario, &observed, fake_clock());
    // Here, unlike in an access log, all of them can be seen.
    let ours = |(name, _): &(String, String)| !name.starts_with("x-tenon-");
    let shown = |headers| comparable(headers).into_iter().filter(ours).collect();
    let afterwards: Vec<_> = shown(&observed.logged);
    let before: Vec<_> = shown(&scenario.arrived());
    if afterwards != before {
        complaints.push(format!("request {afterwards:?} afterwards, was {before:?}"));
    }
    complaints
}

#[test]
fn every_scenario_has_a_name_of_its_own() {
    let all = scenarios::all();
    let names: BTreeSet<_> = all.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.len() >= 150, "{} scenarios", all.len());
}
