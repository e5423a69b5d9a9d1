//! The `tenon` binary: the command line, and the wiring of the control plane.

#![forbid(unsafe_code)]

use std::process::ExitCode;

mod admin;
mod canary;
mod causes;
mod check;
mod cli;
mod credentials;
mod discovery;
mod envoy;
mod metrics;
mod module;
mod serve;
mod statuses;
mod translate;
mod up;

fn main() -> ExitCode {
    cli::run()
}
