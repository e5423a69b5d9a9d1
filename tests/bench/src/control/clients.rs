//! Many Envoys on one control plane.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::folder::{Api, Folder};
use super::scripted::Clients;
use super::serving::{Mode, resident};
use super::{Selection, quartiles};
use crate::report::Figure;

const CLIENTS: usize = 1_000;
const HOSTS: usize = 1_000;
const EDITS: usize = 15;
/// The most memory that a client may take, in KiB.
const TARGET: f64 = 200.0;

pub(super) async fn measure(selection: &Selection<'_>) -> Result<Vec<Figure>> {
    let group = format!("clients/{CLIENTS}");
    if !selection.wants(&group) {
        return Ok(Vec::new());
    }
    let folder = Folder::new(Api::Edge, HOSTS, EDITS)?;
    let mut tenon = Mode::Incremental.serve(&folder.path()).await?;
    let process = tenon.process().id();
    let alone = resident(process)?;
    let mut one = Clients::connect(tenon.ready().xds, 1).await?;
    let mut of_one = edits(&folder, &mut one, 201).await?;
    drop(one);
    let started = Instant::now();
    let mut clients = Clients::connect(tenon.ready().xds, CLIENTS).await?;
    let connected = started.elapsed();
    let mut of_all = edits(&folder, &mut clients, 202).await?;
    let each = (resident(process)? - alone) * 1024.0 / CLIENTS as f64;
    let [_, baseline, _] = quartiles(&mut of_one);
    Ok(vec![
        Figure::at_most(
            format!("{group}/memory"),
            "KiB a client",
            each,
            f64::NAN,
            Some(TARGET),
        ),
        Figure::with_spread(
            format!("{group}/edit"),
            "ms until all have it, beside one client",
            quartiles(&mut of_all),
            baseline,
            None,
        ),
        Figure::at_most(
            format!("{group}/connect"),
            "s until all have everything",
            connected.as_secs_f64(),
            f64::NAN,
            None,
        ),
    ])
}

/// The times until all clients have an edit.
async fn edits(folder: &Folder, clients: &mut Clients, status: u16) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0..EDITS {
        folder.edit(number, status)?;
        let renamed = Instant::now();
        clients.wait_for(number + 2).await?;
        times.push(renamed.elapsed());
    }
    Ok(times)
}
