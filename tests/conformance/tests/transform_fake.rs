//! The table of `tenon.transform` on the fake.

use std::collections::BTreeSet;

use tenon_conformance::Protocol;
use tenon_conformance::transform::{all, check, run_on_fake};

#[test]
fn all_rows_hold_on_the_fake() {
    let mut failed = Vec::new();
    for row in all() {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let complaints = match run_on_fake(&row, protocol, true) {
                Ok(observed) => check(&row, &observed),
                Err(refusal) => vec![refusal],
            };
            if !complaints.is_empty() {
                failed.push(format!("{}\n    {}", row.name, complaints.join("\n    ")));
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} failed\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let rows = all();
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len());
    assert!(rows.len() >= 100, "{} rows", rows.len());
}
