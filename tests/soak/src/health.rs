//! What the processes hold, and whether it grows.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use tenon_e2e::deadline;
use tokio::time::{Instant, Interval, interval};

use crate::site::Site;

/// How often the processes are looked at, and resources edited.
const STEP: Duration = Duration::from_millis(250);
/// The most that a process may grow, in MiB an hour, once it is warm. A leak of 1 KiB in every hundredth request is more
/// at a thousand requests a second; an allocator that has not settled yet is less, over ten minutes.
pub const MOST_MIB_PER_HOUR: f64 = 32.0;
/// Below this, the fit says more of the allocator than of a leak.
const LEAST: Duration = Duration::from_secs(5 * 60);

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gauge {
    /// The memory of Envoy, as the kernel counts it.
    Envoy,
    /// What Envoy's allocator has given out.
    EnvoyAllocated,
    /// The memory of the control plane, as the kernel counts it.
    Tenon,
}

impl Gauge {
    const ALL: [Self; 3] = [Self::Envoy, Self::EnvoyAllocated, Self::Tenon];

    /// As reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Envoy => "Envoy, resident",
            Self::EnvoyAllocated => "Envoy, allocated",
            Self::Tenon => "tenon, resident",
        }
    }
}

/// Samples of a gauge, in seconds and MiB.
#[derive(Debug, Clone, Default)]
pub struct Trend(Vec<(f64, f64)>);

impl Trend {
    #[cfg(test)]
    pub(crate) fn of(samples: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self(samples.into_iter().collect())
    }

    /// The least-squares slope, in MiB an hour; 0 of fewer than two samples.
    pub fn slope(&self) -> f64 {
        let count = self.0.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.0.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|it| it.0), mean(|it| it.1));
        let above: f64 = self.0.iter().map(|it| (it.0 - x) * (it.1 - y)).sum();
        let below: f64 = self.0.iter().map(|it| (it.0 - x).powi(2)).sum();
        match below > 0.0 {
            true => above / below * 3600.0,
            false => 0.0,
        }
    }

    /// The first and the last sample, in MiB.
    pub fn ends(&self) -> (f64, f64) {
        let of = |it: Option<&(f64, f64)>| it.map_or(0.0, |it| it.1);
        (of(self.0.first()), of(self.0.last()))
    }

    /// Whether it is long enough to be judged by.
    pub fn is_judged(&self) -> bool {
        let of = |it: Option<&(f64, f64)>| it.map_or(0.0, |it| it.0);
        of(self.0.last()) - of(self.0.first()) >= LEAST.as_secs_f64()
    }
}

/// Looks at the processes until the time is over.
pub(crate) struct Watch {
    start: Instant,
    time: Duration,
    warm_up: Duration,
    ticks: Interval,
    trends: [Trend; 3],
}

impl Watch {
    pub(crate) fn new(time: Duration, warm_up: Duration) -> Self {
        Self {
            start: Instant::now(),
            time,
            warm_up,
            ticks: interval(STEP),
            trends: Default::default(),
        }
    }

    /// Waits until the next look is due; `false` where the time is over.
    pub(crate) async fn next(&mut self) -> bool {
        self.ticks.tick().await;
        self.start.elapsed() < self.time
    }

    pub(crate) async fn sample(&mut self, site: &Site) -> Result<()> {
        let elapsed = self.start.elapsed();
        if elapsed < self.warm_up {
            return Ok(());
        }
        let allocated = site.envoy.admin().stat("server.memory_allocated").await?;
        let values = [
            resident(site.processes[0])?,
            allocated,
            resident(site.processes[1])?,
        ];
        for (trend, bytes) in self.trends.iter_mut().zip(values) {
            let sample = (elapsed.as_secs_f64(), bytes as f64 / f64::from(1 << 20));
            trend.0.push(sample);
        }
        Ok(())
    }

    pub(crate) fn gauges(self) -> Vec<(Gauge, Trend)> {
        Gauge::ALL.into_iter().zip(self.trends).collect()
    }
}

/// The open descriptors of Envoy and the control plane once all clients are gone, and what they came for with them.
///
/// # Errors
/// Envoy still has connections of clients by the deadline.
pub(crate) async fn descriptors(site: &Site) -> Result<[usize; 2]> {
    let admin = site.envoy.admin();
    deadline::until("the end of the clients' connections", || async move {
        let stats = admin.stats().await?;
        let of_clients = |(name, value): (&String, &u64)| {
            let open = name.ends_with(".downstream_cx_active") && name.starts_with("http.");
            // That of the question itself.
            let is_admin = name.starts_with("http.admin.");
            if open && !is_admin { *value } else { 0 }
        };
        let open: u64 = stats.iter().map(of_clients).sum();
        Ok((open == 0).then_some(()))
    })
    .await?;
    let open =
        |process: u32| Ok::<_, anyhow::Error>(fs::read_dir(format!("/proc/{process}/fd"))?.count());
    Ok([open(site.processes[0])?, open(site.processes[1])?])
}

/// In bytes.
fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(1024 * kilobytes.context("no VmRSS")?.parse::<u64>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_whatever_lies_around_it() {
        let line = |noise: f64| {
            let sample = |second: u32| {
                let sign = if second.is_multiple_of(2) { 1.0 } else { -1.0 };
                (
                    f64::from(second),
                    100.0 + f64::from(second) / 3600.0 + sign * noise,
                )
            };
            Trend((0..1000).map(sample).collect())
        };
        assert!((line(0.0).slope() - 1.0).abs() < 1e-6);
        assert!((line(0.2).slope() - 1.0).abs() < 0.1);
        assert!(line(0.0).is_judged());
        assert!((Trend::default().slope()).abs() < 1e-6);
        assert!(!Trend::default().is_judged());
    }
}
