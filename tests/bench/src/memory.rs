//! What one more worker takes of Envoy's memory: each has a virtual machine of its own for the `.wasm`.
//!
//! Envoys with few and with many workers answer signed calls and transform bodies, as many for each worker; the difference
//! of their resident sizes, by worker, is what one takes. What is there once, as compiled code, is in both.

use std::fs;

use anyhow::{Context, Result};

use crate::gateway::Gateway;
use crate::load::Load;
use crate::report::{Figure, Report};
use crate::rows::{PLAIN, Row, select};

/// The group of these rows.
pub(crate) const MEMORY: &str = "memory/";

const WORKERS: [u32; 2] = [9, 33];
/// Envoy gives connections to workers by their hash: with so many for each, none goes without.
const CONNECTIONS_OF_A_WORKER: usize = 16;
const REQUESTS_OF_A_CONNECTION: usize = 12;
/// The most that a worker may take, in MiB: of the `.wasm`.
const TARGET: f64 = 12.0;

/// Measures all rows.
pub(crate) async fn measure() -> Result<Report> {
    let mut figures = Vec::new();
    for shape in ["1KiB", "256KiB"] {
        let mut plain = None;
        for variant in [PLAIN, "so", "wasm"] {
            let value = of_a_worker(variant, shape).await?;
            let baseline = *plain.get_or_insert(value);
            let target = (variant == "wasm").then_some(TARGET);
            let name = format!("{MEMORY}{variant}/{shape}");
            figures.push(Figure::at_most(
                name,
                "MiB a worker",
                value,
                baseline,
                target,
            ));
        }
    }
    Ok(Report::of(figures))
}

async fn of_a_worker(variant: &str, shape: &str) -> Result<f64> {
    let names = [
        format!("=lambda/{variant}/{shape}"),
        format!("=transform/{variant}/json-4KiB"),
    ];
    let rows = select(&names);
    let [few, many] = WORKERS;
    let less = resident(&rows, few).await?;
    let more = resident(&rows, many).await?;
    Ok((more - less) / f64::from(many - few))
}

/// The resident size of an Envoy with so many workers that have all been at work, in MiB.
async fn resident(rows: &[Row], workers: u32) -> Result<f64> {
    let gateway = Gateway::start(rows, workers).await?;
    let connections = CONNECTIONS_OF_A_WORKER * workers as usize;
    for row in rows {
        let load = Load::new(row, gateway.address(row)?);
        load.run(connections, REQUESTS_OF_A_CONNECTION)
            .with_context(|| row.name())?;
    }
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", gateway.process()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no resident size")?.parse::<f64>()? / 1024.0)
}
