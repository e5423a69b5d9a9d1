//! What is told in the end.

use std::fmt;
use std::time::Duration;

use tenon_e2e::Filter;

use crate::health::{Gauge, MOST_MIB_PER_HOUR, Trend};
use crate::traffic::{Counts, Kind};

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// On which host.
    pub filter: Filter,
    /// For how long.
    pub time: Duration,
    /// The requests.
    pub counts: Counts,
    /// How many edits there were.
    pub edits: u64,
    /// How many of those that are waited for no request saw.
    pub unseen: u64,
    /// How long it took at most until a request saw one.
    pub slowest: Duration,
    /// What the processes held.
    pub gauges: Vec<(Gauge, Trend)>,
    /// The open descriptors of Envoy and the control plane without clients, before and after.
    pub descriptors: [[usize; 2]; 2],
}

/// What a pool of connections may have grown by.
const SPARE: usize = 24;

impl Report {
    /// All that is not as it has to be.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (kind, count) in &self.counts {
            if let Some(error) = &count.first_error {
                let errors = count.errors;
                complaints.push(format!("{errors} errors of {kind:?}, first: {error}"));
            }
        }
        complaints.extend(
            Kind::ALL
                .iter()
                .filter(|kind| !self.counts.contains_key(kind))
                .map(|kind| format!("no request of {kind:?}")),
        );
        if self.unseen > 0 {
            complaints.push(format!("{} edits were seen by no request", self.unseen));
        }
        for (gauge, trend) in &self.gauges {
            if trend.is_judged() && trend.slope() > MOST_MIB_PER_HOUR {
                let (name, slope) = (gauge.name(), trend.slope());
                complaints.push(format!("{name} grows by {slope:.1} MiB/h"));
            }
        }
        let [before, after] = self.descriptors;
        for (name, (before, after)) in ["Envoy", "tenon"].iter().zip(before.iter().zip(after)) {
            if after > before + SPARE {
                complaints.push(format!("{name} had {before} descriptors and has {after}"));
            }
        }
        complaints
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs();
        writeln!(f, "== {} for {seconds} s", self.filter.name())?;
        for (kind, count) in &self.counts {
            let name = format!("{kind:?}");
            writeln!(
                f,
                "{name:<18}{:>10} requests {:>6} errors",
                count.requests, count.errors
            )?;
        }
        let requests: u64 = self.counts.values().map(|count| count.requests).sum();
        let errors: u64 = self.counts.values().map(|count| count.errors).sum();
        writeln!(f, "{:<18}{requests:>10} requests {errors:>6} errors", "all")?;
        let slowest = self.slowest.as_millis();
        writeln!(
            f,
            "{:<18}{:>10}, seen after at most {slowest} ms",
            "edits", self.edits
        )?;
        for (gauge, trend) in &self.gauges {
            let ((first, last), slope) = (trend.ends(), trend.slope());
            let judged = match trend.is_judged() {
                true => format!("at most {MOST_MIB_PER_HOUR} MiB/h"),
                false => "too short to be judged".to_owned(),
            };
            writeln!(
                f,
                "{:<18}{first:>8.1} MiB -> {last:.1} MiB, {slope:+.1} MiB/h ({judged})",
                gauge.name()
            )?;
        }
        let [[envoy, tenon], [envoy_after, tenon_after]] = self.descriptors;
        writeln!(
            f,
            "descriptors         Envoy {envoy} -> {envoy_after}, tenon {tenon} -> {tenon_after}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Count;

    fn report() -> Report {
        let asked = Count {
            requests: 1,
            ..Count::default()
        };
        Report {
            filter: Filter::So,
            time: Duration::from_secs(1),
            counts: Kind::ALL.map(|kind| (kind, asked.clone())).into(),
            edits: 1,
            unseen: 0,
            slowest: Duration::ZERO,
            gauges: Vec::new(),
            descriptors: [[10, 10], [10, 10]],
        }
    }

    #[test]
    fn errors_blind_edits_descriptors_and_growth_are_complaints() {
        assert_eq!(report().complaints(), Vec::<String>::new());
        let changed = |change: fn(&mut Report)| {
            let mut report = report();
            change(&mut report);
            report.complaints().join("; ")
        };
        let error = changed(|it| {
            let count = it.counts.entry(Kind::Lambda).or_default();
            (count.errors, count.first_error) = (2, Some("503".into()));
        });
        assert_eq!(error, "2 errors of Lambda, first: 503");
        let unasked = changed(|it| drop(it.counts.remove(&Kind::Azure)));
        assert_eq!(unasked, "no request of Azure");
        assert_eq!(
            changed(|it| it.unseen = 1),
            "1 edits were seen by no request"
        );
        let open = changed(|it| it.descriptors[1] = [10, 100]);
        assert_eq!(open, "tenon had 10 descriptors and has 100");
        let growth = changed(|it| {
            let trend = (0..600).map(|second| (f64::from(second), f64::from(second)));
            it.gauges = vec![(Gauge::Envoy, Trend::of(trend))];
        });
        assert_eq!(growth, "Envoy, resident grows by 3600.0 MiB/h");
    }
}
