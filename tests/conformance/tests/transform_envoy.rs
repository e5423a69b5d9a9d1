//! The table of `tenon.transform` on real Envoys. They have to do what the fake does.

use anyhow::Result;
use tenon_conformance::transform::{all, check, differences, run_on_fake};
use tenon_conformance::{Artefact, Protocol, run_transform_on_envoy};

#[tokio::test]
async fn all_rows_hold_for_the_module_in_envoy() -> Result<()> {
    all_hold(Artefact::Module, Protocol::Http1).await
}

#[tokio::test]
async fn all_rows_hold_for_the_module_in_envoy_over_http2() -> Result<()> {
    all_hold(Artefact::Module, Protocol::Http2).await
}

#[tokio::test]
async fn all_rows_hold_for_the_wasm_in_envoy() -> Result<()> {
    all_hold(Artefact::Wasm, Protocol::Http1).await
}

#[tokio::test]
async fn all_rows_hold_for_the_wasm_in_envoy_over_http2() -> Result<()> {
    all_hold(Artefact::Wasm, Protocol::Http2).await
}

async fn all_hold(artefact: Artefact, protocol: Protocol) -> Result<()> {
    // For who works on one of them: only rows whose names hold this.
    let only = std::env::var("TENON_SCENARIO").unwrap_or_default();
    let mut rows = all();
    rows.retain(|row| row.name.contains(&only));
    if artefact == Artefact::Wasm {
        rows.retain(|row| row.not_on_wasm.is_none());
    }
    let observed = run_transform_on_envoy(artefact, protocol, &rows).await?;
    let mut failed = Vec::new();
    for (row, observed) in rows.iter().zip(&observed) {
        let mut complaints = check(row, observed);
        match run_on_fake(row, protocol, artefact == Artefact::Module) {
            Ok(fake) => {
                let differences = differences(row, &fake, observed).into_iter();
                complaints.extend(differences.map(|it| format!("the fake differs: {it}")));
            }
            Err(refusal) => complaints.push(refusal),
        }
        if !complaints.is_empty() {
            failed.push(format!("{}\n    {}", row.name, complaints.join("\n    ")));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} failed\n{}",
        failed.len(),
        rows.len(),
        failed.join("\n")
    );
    Ok(())
}
