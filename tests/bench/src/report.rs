//! Figures as a table and as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::load::Done;
use crate::rows::{BUILTIN, Row, Target, target};

/// The figures of all rounds, by row and what they are of.
#[derive(Default)]
pub(crate) struct Samples(BTreeMap<(String, &'static str), Vec<f64>>);

const CPU: &str = "cpu";
const RATE: &str = "rps";
const P50: &str = "p50";
const P99: &str = "p99";

impl Samples {
    pub(crate) fn add(&mut self, row: &Row, done: &Done, cpu: Duration) {
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
            self.0.entry((row.name(), figure)).or_default().push(value);
        }
    }

    /// The median, and the quartiles around it; nothing where the row was not measured.
    fn spread(&self, row: String, figure: &'static str) -> Option<[f64; 3]> {
        let mut values = self.0.get(&(row, figure))?.clone();
        values.sort_unstable_by(f64::total_cmp);
        Some([1, 2, 3].map(|quarter| {
            values
                .get((values.len().max(1) - 1) * quarter / 4)
                .copied()
                .unwrap_or(f64::NAN)
        }))
    }

    fn median(&self, row: String, figure: &'static str) -> Option<f64> {
        Some(self.spread(row, figure)?[1])
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A figure of the result.
#[derive(Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    /// The value that it is compared with.
    baseline: f64,
    ratio: f64,
    /// The ratio that it may have at most; of memory and of the control plane, the value.
    target: Option<f64>,
    met: Option<bool>,
    #[serde(skip)]
    spread: [f64; 3],
}

/// The figures of a row.
fn figures(row: &Row, samples: &Samples) -> Vec<Figure> {
    const UNIT: &str = "us of CPU per request";
    let name = row.name();
    let baseline = row.of(row.group.variants[0]);
    let (Some(spread), Some(plain)) = (
        samples.spread(name.clone(), CPU),
        samples.median(baseline.clone(), CPU),
    ) else {
        return Vec::new();
    };
    let (all, most_added) = match target(row) {
        Some(Target::All(most)) => (Some(most), None),
        Some(Target::Added(most)) => (None, Some(most)),
        None => (None, None),
    };
    let mut figures = vec![Figure::new(name.clone(), UNIT, spread, plain, all)];
    if !row.is_baseline() {
        let added = spread.map(|value| value - plain);
        let builtin = samples.median(row.of(BUILTIN), CPU);
        let beside = builtin.map_or(plain, |builtin| builtin - plain);
        figures.push(Figure::new(
            format!("{name}/added"),
            UNIT,
            added,
            beside,
            most_added,
        ));
    }
    for (figure, unit) in [(RATE, "requests/s"), (P50, "us"), (P99, "us")] {
        if let (Some(spread), Some(plain)) = (
            samples.spread(name.clone(), figure),
            samples.median(baseline.clone(), figure),
        ) {
            let name = format!("{name}/{figure}");
            figures.push(Figure::new(name, unit, spread, plain, None));
        }
    }
    figures
}

#[derive(Default)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    pub(crate) fn of(figures: Vec<Figure>) -> Self {
        Self(figures)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// `<row>` is processor time per request, beside the plain proxy's; `<row>/added` is what a variant adds to the plain
    /// proxy, beside what Envoy's own filter adds, or, where it has none, beside the plain proxy; `<row>/rps`, `/p50`,
    /// `/p99` are beside the plain proxy's.
    pub(crate) fn of_data_plane(rows: &[Row], samples: &Samples) -> Self {
        Self(rows.iter().flat_map(|row| figures(row, samples)).collect())
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
            "{figure:36} {median:>10} {quartiles:>21} {baseline:>10} {ratio:>6} {target:>7}  unit"
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
                "{:36} {:>10.1} {:>21} {:>10.1} {:>6.2} {:>7}  {}",
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

impl Figure {
    /// One value, which the target is for.
    pub(crate) fn at_most(
        name: String,
        unit: &'static str,
        value: f64,
        baseline: f64,
        target: Option<f64>,
    ) -> Self {
        Self {
            target,
            met: target.map(|target| value <= target),
            ..Self::new(name, unit, [value; 3], baseline, None)
        }
    }

    /// The median and the quartiles around it; the target is for the median.
    pub(crate) fn with_spread(
        name: String,
        unit: &'static str,
        spread: [f64; 3],
        baseline: f64,
        target: Option<f64>,
    ) -> Self {
        let [_, value, _] = spread;
        Self {
            spread,
            ..Self::at_most(name, unit, value, baseline, target)
        }
    }

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
