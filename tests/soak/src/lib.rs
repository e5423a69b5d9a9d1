//! `make soak`: a gateway under mixed traffic, whose resources are edited all the while.
//!
//! `tenon serve` runs over a folder, a real Envoy takes its configuration from there (`site`); clients of HTTP/1.1 and
//! HTTP/2 call functions of each provider in each way, correctly, wrongly and without waiting for the end (`traffic`);
//! and resources are added, changed, broken, repaired and removed meanwhile (`churn`). Each answer has to be the one
//! that belongs to it. What the processes hold is sampled (`health`): a leak shows as memory that grows on, or as
//! descriptors that are left when all clients are gone.

mod churn;
mod health;
mod report;
mod resources;
mod site;
mod traffic;

use std::time::Duration;

use anyhow::Result;
use tenon_e2e::Filter;

pub use health::{Gauge, MOST_MIB_PER_HOUR, Trend};
pub use report::Report;
pub use traffic::{Count, Counts, Kind};

use churn::Churn;
use health::Watch;
use site::Site;
use traffic::Traffic;

/// Clients, half of them over HTTP/1.1 and half over HTTP/2.
const CLIENTS: usize = 8;

/// How long connections, caches and pools take to be what they stay.
fn warm_up(of: Duration) -> Duration {
    (of / 3).min(Duration::from_secs(180))
}

/// Runs it on one host for this time, warming up included.
///
/// # Errors
/// It does not start, a process ends, or one cannot be looked into.
pub async fn run(filter: Filter, time: Duration) -> Result<Report> {
    let site = Site::start(filter).await?;
    // What the first requests of each kind make for good is there before anything is counted.
    let first = Traffic::start(&site, CLIENTS);
    tokio::time::sleep(time / 20).await;
    first.stop().await?;
    let before = health::descriptors(&site).await?;

    let traffic = Traffic::start(&site, CLIENTS);
    let mut churn = Churn::default();
    let mut watch = Watch::new(time, warm_up(time));
    while watch.next().await {
        churn.step(&site).await?;
        watch.sample(&site).await?;
        site.forget();
    }
    churn.finish(&site).await?;
    let counts = traffic.stop().await?;
    let after = health::descriptors(&site).await?;
    Ok(Report {
        filter,
        time,
        counts,
        edits: churn.edits,
        unseen: churn.unseen,
        slowest: churn.slowest,
        gauges: watch.gauges(),
        descriptors: [before, after],
    })
}
