//! `make bench`: side-by-side figures in one run. Ratios are what counts; machines are noisy.
//!
//! The data plane: one Envoy with one worker on a core of its own carries the same requests four ways, as a plain proxy,
//! through Envoy's own `aws_lambda` filter, through `libtenon.so` and through `tenon.wasm`, all three in the upstream
//! position with static credentials and the payload passed through. Rounds are interleaved, so that what disturbs the
//! machine disturbs all; a row is the median of its rounds.

mod cpu;
mod function;
mod gateway;
mod load;
mod report;

use anyhow::{Context, Result};

use gateway::{Gateway, VARIANTS};
use load::Load;
use report::{Report, Samples};

/// Bodies of requests: name, bytes, and requests in one round.
const SIZES: [(&str, usize, usize); 3] = [
    ("0B", 0, 2_000),
    ("1KiB", 1 << 10, 2_000),
    ("256KiB", 256 << 10, 320),
];
/// So many that the measured core is never idle: what it does between two requests depends on who else is at work.
const CONNECTIONS: usize = 16;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds = match arguments.next() {
        Some(text) => text.parse().context("usage: bench [ROUNDS [ROW...]]")?,
        None => 25,
    };
    let rows: Vec<String> = arguments.collect();
    let gateway = Gateway::start().await?;
    let mut samples = Samples::default();
    for round in 0..=rounds {
        for (size, bytes, requests) in SIZES {
            for variant in VARIANTS {
                let row = format!("{variant}/{size}");
                if !(rows.is_empty() || rows.contains(&row)) {
                    continue;
                }
                let load = Load {
                    address: gateway.address,
                    path: format!("/{variant}"),
                    body: bytes,
                    requests,
                };
                let before = gateway.cpu()?;
                let done = load
                    .run(CONNECTIONS)
                    .with_context(|| format!("{variant} with {size}"))?;
                let cpu = gateway.cpu()? - before;
                // The first round warms up connections, caches and the .wasm's compiled code.
                if round > 0 {
                    samples.add(variant, size, &done, cpu);
                }
            }
        }
    }
    let report = Report::of_data_plane(&samples);
    report.print();
    report.write("data-plane")
}
