//! `tenon-soak SECONDS [so|wasm]...`: see the library. Exits with 1 where something is not as it has to be.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use tenon_e2e::Filter;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: tenon-soak SECONDS [so|wasm]...";
    let seconds = arguments.next().context(usage)?.parse().context(usage)?;
    let named: Vec<String> = arguments.collect();
    let is_meant =
        |filter: &Filter| named.is_empty() || named.iter().any(|name| name == filter.name());
    let mut out = std::io::stdout();
    let mut code = ExitCode::SUCCESS;
    for filter in Filter::ALL.into_iter().filter(is_meant) {
        let report = tenon_soak::run(filter, Duration::from_secs(seconds)).await?;
        write!(out, "{report}")?;
        for complaint in report.complaints() {
            writeln!(out, "WRONG: {complaint}")?;
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
