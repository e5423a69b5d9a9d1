//! Metrics that a test can read.

use crate::abi::envoy_dynamic_module_type_metrics_result as MetricsResult;
use crate::metrics::{Change, EnvoyMetrics, metric_methods};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Metrics, by name. Clones are the same metrics: give one to the config's mock and one to the filter's.
#[derive(Debug, Clone, Default)]
pub struct MockMetrics {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// A metric's id is its place here plus one, whatever its kind.
    defined: Vec<(String, Vec<String>)>,
    values: BTreeMap<(usize, Vec<String>), u64>,
    recorded: BTreeMap<(usize, Vec<String>), Vec<u64>>,
    frozen: bool,
}

impl MockMetrics {
    /// A counter's or gauge's value; 0 if it was never changed.
    pub fn value(&self, name: &str, labels: &[&str]) -> u64 {
        let inner = self.lock();
        let key = inner.key(name, labels);
        key.and_then(|key| inner.values.get(&key).copied())
            .unwrap_or_default()
    }

    /// What a histogram recorded, in order.
    pub fn recorded(&self, name: &str, labels: &[&str]) -> Vec<u64> {
        let inner = self.lock();
        let key = inner.key(name, labels);
        key.and_then(|key| inner.recorded.get(&key).cloned())
            .unwrap_or_default()
    }

    /// Makes later definitions fail, as Envoy does once the config is made.
    pub fn freeze(&self) {
        self.lock().frozen = true;
    }

    pub(super) fn define(&self, name: &str, labels: &[&str]) -> Result<usize, MetricsResult> {
        let mut inner = self.lock();
        if inner.frozen {
            return Err(MetricsResult::Frozen);
        }
        inner.defined.push((name.to_owned(), strings(labels)));
        Ok(inner.defined.len())
    }

    pub(super) fn change(
        &self,
        change: Change,
        id: usize,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult> {
        let mut inner = self.lock();
        let metric = id
            .checked_sub(1)
            .and_then(|place| inner.defined.get(place))
            .ok_or(MetricsResult::MetricNotFound)?;
        if metric.1.len() != labels.len() {
            return Err(MetricsResult::InvalidLabels);
        }
        let key = (id, strings(labels));
        if change == Change::Record {
            inner.recorded.entry(key).or_default().push(value);
            return Ok(());
        }
        let now = inner.values.entry(key).or_default();
        *now = match change {
            Change::AddToCounter | Change::AddToGauge => now.saturating_add(value),
            Change::TakeFromGauge => now.saturating_sub(value),
            Change::SetGauge | Change::Record => value,
        };
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that panicked elsewhere has failed already.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn key(&self, name: &str, labels: &[&str]) -> Option<(usize, Vec<String>)> {
        let place = self.defined.iter().position(|(n, _)| n == name)?;
        Some((place + 1, strings(labels)))
    }
}

fn strings(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

impl EnvoyMetrics for MockMetrics {
    metric_methods!(change);
}
