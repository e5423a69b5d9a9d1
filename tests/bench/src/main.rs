//! `make bench`: side-by-side figures in one run. Ratios are what counts; machines are noisy.
//!
//! The data plane: one Envoy with one worker on a core of its own carries the same requests as a plain proxy, through
//! Envoy's own filters, through `libtenon.so` and through `tenon.wasm` ([`rows::GROUPS`]); those that call functions are
//! all in the upstream position, with static credentials. Rounds are interleaved, so that what disturbs the machine
//! disturbs all; a row is the median of its rounds. What one more worker takes of memory is measured after them ([`memory`]).
//!
//! `tenon-bench [ROUNDS [NAME...]]`: a name selects the rows that begin with it, as `transform/so` or `lambda/`, and what
//! they are compared with; `=lambda/so/0B` selects one alone. `anatomy/`, which says where the time of a call goes, is only measured where it is named.

mod control;
mod cpu;
mod function;
mod gateway;
mod load;
mod memory;
mod message;
mod report;
mod rows;
mod templates;
mod wire;

use anyhow::{Context, Result, ensure};

use gateway::Gateway;
use load::Load;
use memory::MEMORY;
use report::{Report, Samples};

/// So many that the measured core is never idle: what it does between two requests depends on who else is at work.
const CONNECTIONS: usize = 16;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds = match arguments.next() {
        Some(text) => text.parse().context("usage: bench [ROUNDS [NAME...]]")?,
        None => 25,
    };
    let names: Vec<String> = arguments.collect();
    let (of_control, names): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| control::is_named(name));
    let all = of_control.is_empty() && names.is_empty();
    if all || !of_control.is_empty() {
        let report = control::measure(&of_control).await?;
        report.print();
        report.write("control-plane")?;
    }
    if !all && names.is_empty() {
        return Ok(());
    }
    let (memory, others): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| name.starts_with(MEMORY));
    let mut report = Report::default();
    if memory.is_empty() || !others.is_empty() {
        report.add(requests(rounds, &others).await?);
    }
    if !memory.is_empty() || others.is_empty() {
        report.add(memory::measure().await?);
    }
    report.print();
    report.write("data-plane")
}

/// What requests take, of the rows with these names.
async fn requests(rounds: usize, names: &[String]) -> Result<Report> {
    let rows = rows::select(names);
    ensure!(!rows.is_empty(), "no row begins with {}", names.join(", "));
    let gateway = Gateway::start(&rows, 1).await?;
    let mut samples = Samples::default();
    for round in 0..=rounds {
        for row in &rows {
            let load = Load::new(row, gateway.address(row)?);
            let before = gateway.cpu()?;
            let done = load
                .run(CONNECTIONS, row.shape.requests / CONNECTIONS)
                .with_context(|| row.name())?;
            let cpu = gateway.cpu()? - before;
            // The first round warms up connections, caches and the .wasm's compiled code.
            if round > 0 {
                samples.add(row, &done, cpu);
            }
        }
    }
    Ok(Report::of_data_plane(&rows, &samples))
}
