//! Figures as a table and as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::SIZES;
use crate::gateway::VARIANTS;
use crate::load::Done;

/// The figures of all rounds, by variant, size and what they are of.
#[derive(Default)]
pub(crate) struct Samples(BTreeMap<(&'static str, &'static str, &'static str), Vec<f64>>);

const CPU: &str = "cpu";
const RATE: &str = "rps";
const P50: &str = "p50";
const P99: &str = "p99";

impl Samples {
    pub(crate) fn add(
        &mut self,
        variant: &'static str,
        size: &'static str,
        done: &Done,
        cpu: Duration,
    ) {
        let count = done.latencies.len();
        let at = |share: usize| {
            done.latencies
                .get(count * share / 100)
                .copied()
                .unwrap_or_default()
        };
        let figures = [
            (CPU, micros(cpu) / count as f64),
            (RATE, count as f64 / done.elapsed.as_secs_f64()),
            (P50, micros(at(50))),
            (P99, micros(at(99))),
        ];
        for (figure, value) in figures {
            self.0
                .entry((variant, size, figure))
                .or_default()
                .push(value);
        }
    }

    /// The median, and the quartiles around it.
    fn spread(&self, variant: &'static str, size: &'static str, figure: &'static str) -> [f64; 3] {
        let mut values = self
            .0
            .get(&(variant, size, figure))
            .cloned()
            .unwrap_or_default();
        values.sort_unstable_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| {
            values
                .get((values.len().max(1) - 1) * quarter / 4)
                .copied()
                .unwrap_or(f64::NAN)
        })
    }

    fn median(&self, variant: &'static str, size: &'static str, figure: &'static str) -> f64 {
        self.spread(variant, size, figure)[1]
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A row of the result.
#[derive(Serialize)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    /// The value that it is compared with.
    baseline: f64,
    ratio: f64,
    /// The ratio that it may have at most.
    target: Option<f64>,
    met: Option<bool>,
    #[serde(skip)]
    spread: [f64; 3],
}

pub(crate) struct Report(Vec<Row>);

impl Report {
    /// `lambda/<variant>/<size>` is processor time per request, beside the plain proxy's; `…/added` is what a variant adds
    /// to the plain proxy, beside what Envoy's own filter adds; `…/rps`, `…/p50`, `…/p99` are beside the plain proxy's.
    pub(crate) fn of_data_plane(samples: &Samples) -> Self {
        let mut rows = Vec::new();
        for (size, ..) in SIZES {
            let plain = samples.median("plain", size, CPU);
            let builtin_adds = samples.median("builtin", size, CPU) - plain;
            for variant in VARIANTS {
                let spread = samples.spread(variant, size, CPU);
                let name = format!("lambda/{variant}/{size}");
                rows.push(Row::new(
                    name.clone(),
                    "us of CPU per request",
                    spread,
                    plain,
                    None,
                ));
                if variant != "plain" {
                    let added = spread.map(|value| value - plain);
                    let target = (variant == "so").then_some(1.0);
                    rows.push(Row::new(
                        format!("{name}/added"),
                        "us of CPU per request",
                        added,
                        builtin_adds,
                        target,
                    ));
                }
                for (figure, unit) in [(RATE, "requests/s"), (P50, "us"), (P99, "us")] {
                    let baseline = samples.median("plain", size, figure);
                    let spread = samples.spread(variant, size, figure);
                    rows.push(Row::new(
                        format!("{name}/{figure}"),
                        unit,
                        spread,
                        baseline,
                        None,
                    ));
                }
            }
        }
        Self(rows)
    }

    pub(crate) fn print(&self) {
        let mut out = std::io::stdout().lock();
        let heading = [
            "figure",
            "median",
            "quartiles",
            "baseline",
            "ratio",
            "target",
        ];
        let [figure, median, quartiles, baseline, ratio, target] = heading;
        let _ = writeln!(
            out,
            "{figure:32} {median:>10} {quartiles:>21} {baseline:>10} {ratio:>6} {target:>7}  unit"
        );
        for row in &self.0 {
            let [low, _, high] = row.spread;
            let target = match (row.target, row.met) {
                (Some(target), Some(met)) => {
                    format!("{target:.2} {}", if met { "met" } else { "NOT MET" })
                }
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "{:32} {:>10.1} {:>21} {:>10.1} {:>6.2} {:>7}  {}",
                row.name,
                row.value,
                format!("{low:.1}..{high:.1}"),
                row.baseline,
                row.ratio,
                target,
                row.unit
            );
        }
    }

    /// Writes `target/bench/<part>.json`.
    pub(crate) fn write(&self, part: &str) -> Result<()> {
        let folder = "target/bench";
        fs::create_dir_all(folder)?;
        fs::write(
            format!("{folder}/{part}.json"),
            serde_json::to_string_pretty(&self.0)?,
        )?;
        Ok(())
    }
}

impl Row {
    fn new(
        name: String,
        unit: &'static str,
        spread: [f64; 3],
        baseline: f64,
        target: Option<f64>,
    ) -> Self {
        let [_, value, _] = spread;
        let ratio = value / baseline;
        Self {
            name,
            value,
            unit,
            baseline,
            ratio,
            target,
            met: target.map(|target| ratio <= target),
            spread,
        }
    }
}
