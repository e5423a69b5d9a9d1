//! A control plane as users start it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tenon_e2e::{Filter, Tenon, TenonOptions};

/// Which control plane.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Ours.
    Incremental,
    /// The usual kind.
    Anew,
}

impl Mode {
    pub(super) async fn serve(self, folder: &Path) -> Result<Tenon> {
        match self {
            Self::Incremental => serve(folder, &[]).await,
            Self::Anew => serve(folder, &["--anew", "--parts-above", "1000000000"]).await,
        }
    }
}

/// A control plane with arguments of its own.
pub(super) async fn serve(folder: &Path, arguments: &[&str]) -> Result<Tenon> {
    let mut options = TenonOptions::new(folder, Filter::So);
    options.environment = vec![("RUST_LOG".into(), "error".into())];
    options.arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
    Tenon::serve(options).await
}

/// The resident size of a process, in MiB.
pub(super) fn resident(process: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no resident size")?.parse::<f64>()? / 1024.0)
}
