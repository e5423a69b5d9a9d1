//! `tenon serve`, from its start until it serves, without an Envoy.

use std::time::Instant;

use anyhow::Result;

use super::Selection;
use super::folder::{Api, Folder};
use super::serving::{Mode, resident};
use crate::report::Figure;

/// Virtual hosts, the most seconds that a start may take, and the most memory in MiB.
const ROWS: [(usize, Option<f64>, Option<f64>); 3] = [
    (1_000, None, None),
    (5_000, None, Some(60.0)),
    (100_000, Some(3.0), Some(1024.0)),
];

pub(super) async fn measure(selection: &Selection<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let rows = Api::ALL
        .into_iter()
        .flat_map(|api| ROWS.map(|row| (api, row)));
    for (api, (hosts, seconds, memory)) in rows {
        let name = format!("{}cold/{hosts}", api.rows());
        if !selection.wants(&name) {
            continue;
        }
        let folder = Folder::new(api, hosts, 0)?;
        let started = Instant::now();
        let mut tenon = Mode::Incremental.serve(&folder.path()).await?;
        let took = started.elapsed().as_secs_f64();
        let resident = resident(tenon.process().id())?;
        // With nothing derived before, both kinds do the same.
        figures.extend([
            Figure::at_most(format!("{name}/ready"), "s", took, f64::NAN, seconds),
            Figure::at_most(format!("{name}/memory"), "MiB", resident, f64::NAN, memory),
        ]);
    }
    Ok(figures)
}
