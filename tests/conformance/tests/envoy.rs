//! The table on real Envoys. They have to do what the fake does.

use std::time::SystemTime;

use anyhow::Result;
use tenon_conformance::{
    Artefact, Protocol, check, differences, run_on_envoy, run_on_fake, scenarios,
};
use tenon_e2e::Filter;
use tokio::sync::Mutex;

#[tokio::test]
async fn all_scenarios_hold_for_the_module_in_envoy() -> Result<()> {
    all_hold(Artefact::Module, Protocol::Http1).await
}

#[tokio::test]
async fn all_scenarios_hold_for_the_module_in_envoy_over_http2() -> Result<()> {
    all_hold(Artefact::Module, Protocol::Http2).await
}

#[tokio::test]
async fn all_scenarios_hold_for_the_wasm_in_envoy() -> Result<()> {
    all_hold(Artefact::Wasm, Protocol::Http1).await
}

#[tokio::test]
async fn all_scenarios_hold_for_the_wasm_in_envoy_over_http2() -> Result<()> {
    all_hold(Artefact::Wasm, Protocol::Http2).await
}

/// One after the other: an Envoy takes an inotify instance for each cluster whose secret is a file, of which the table has
/// many, and by default a user may have 128.
static TURN: Mutex<()> = Mutex::const_new(());

/// Each Envoy compiles it when it loads it, and may have fetched it before.
#[test]
fn the_wasm_stays_below_740_kib() -> Result<()> {
    let size = std::fs::metadata(Filter::Wasm.artefact()?)?.len();
    assert!(size <= 740 * 1024, "dist/tenon.wasm has {size} bytes");
    Ok(())
}

async fn all_hold(artefact: Artefact, protocol: Protocol) -> Result<()> {
    let _turn = TURN.lock().await;
    // For who works on one of them: only scenarios whose names hold this.
    let only = std::env::var("TENON_SCENARIO").unwrap_or_default();
    let mut scenarios = scenarios::all();
    scenarios.retain(|scenario| scenario.name.contains(&only));
    if artefact == Artefact::Wasm {
        scenarios.retain(|scenario| scenario.not_on_wasm.is_none());
    }
    let observed = run_on_envoy(artefact, protocol, &scenarios).await?;
    let mut failed = Vec::new();
    for (scenario, observed) in scenarios.iter().zip(&observed) {
        let mut complaints = check(scenario, observed, SystemTime::now());
        let differences = differences(&run_on_fake(scenario, protocol), observed);
        complaints.extend(
            differences
                .iter()
                .map(|it| format!("the fake differs: {it}")),
        );
        if !complaints.is_empty() {
            failed.push(format!(
                "{}\n    {}",
                scenario.name,
                complaints.join("\n    ")
            ));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} failed\n{}",
        failed.len(),
        scenarios.len(),
        failed.join("\n")
    );
    Ok(())
}
