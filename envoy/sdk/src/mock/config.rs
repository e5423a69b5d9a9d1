//! A config's mock.

use super::callouts::MockCallouts;
use super::{MockAction, MockMetrics};
use crate::abi::{
    envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
};
use crate::buffer::EnvoyBuffer;
use crate::callouts::{EnvoyHttpCallouts, callout_methods};
use crate::config::{EnvoyHttpFilterConfig, EnvoySecretId};
use crate::metrics::{
    Change, EnvoyCounterId, EnvoyCounterVecId, EnvoyGaugeId, EnvoyGaugeVecId, EnvoyHistogramId,
    EnvoyHistogramVecId, EnvoyMetrics, metric_methods,
};
use crate::scheduler::EnvoyHttpFilterConfigScheduler;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// A filter config's Envoy side.
#[derive(Debug, Clone)]
pub struct MockHttpFilterConfig {
    /// Its metrics.
    pub metrics: MockMetrics,
    /// Secrets by name, as they are now. One that is missing is empty.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// Whether subscriptions are refused.
    pub refuse_secrets: bool,
    /// Names and config sources of subscriptions, in the order of their ids.
    pub subscriptions: Vec<(String, String)>,
    /// What callouts answer when they are started.
    pub callout_result: CalloutInitResult,
    /// What was asked.
    pub actions: Vec<MockAction>,
    /// Events that were sent.
    pub events: Arc<Mutex<Vec<u64>>>,
    /// The id that the next callout gets.
    pub next_callout: u64,
}

impl Default for MockHttpFilterConfig {
    fn default() -> Self {
        Self {
            metrics: MockMetrics::default(),
            secrets: BTreeMap::new(),
            refuse_secrets: false,
            subscriptions: Vec::new(),
            callout_result: CalloutInitResult::Success,
            actions: Vec::new(),
            events: Arc::default(),
            next_callout: 1,
        }
    }
}

/// Keeps the events that are sent.
#[derive(Debug, Clone)]
pub(super) struct MockScheduler(pub(super) Arc<Mutex<Vec<u64>>>);

impl MockScheduler {
    pub(super) fn send(&self, event_id: u64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event_id);
    }
}

impl EnvoyHttpFilterConfigScheduler for MockScheduler {
    fn commit(&self, event_id: u64) {
        self.send(event_id);
    }
}

impl MockHttpFilterConfig {
    fn change(
        &self,
        change: Change,
        id: usize,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult> {
        self.metrics.change(change, id, labels, value)
    }

    fn callouts(&mut self) -> MockCallouts<'_> {
        MockCallouts {
            result: self.callout_result,
            next: &mut self.next_callout,
            actions: &mut self.actions,
        }
    }
}

impl EnvoyMetrics for MockHttpFilterConfig {
    metric_methods!(change);
}

impl EnvoyHttpCallouts for MockHttpFilterConfig {
    callout_methods!(callouts);
}

impl EnvoyHttpFilterConfig for MockHttpFilterConfig {
    fn define_counter(&mut self, name: &str) -> Result<EnvoyCounterId, MetricsResult> {
        self.metrics.define(name, &[]).map(EnvoyCounterId)
    }

    fn define_counter_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyCounterVecId, MetricsResult> {
        self.metrics.define(name, labels).map(EnvoyCounterVecId)
    }

    fn define_gauge(&mut self, name: &str) -> Result<EnvoyGaugeId, MetricsResult> {
        self.metrics.define(name, &[]).map(EnvoyGaugeId)
    }

    fn define_gauge_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyGaugeVecId, MetricsResult> {
        self.metrics.define(name, labels).map(EnvoyGaugeVecId)
    }

    fn define_histogram(&mut self, name: &str) -> Result<EnvoyHistogramId, MetricsResult> {
        self.metrics.define(name, &[]).map(EnvoyHistogramId)
    }

    fn define_histogram_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyHistogramVecId, MetricsResult> {
        self.metrics.define(name, labels).map(EnvoyHistogramVecId)
    }

    fn subscribe_generic_secret(
        &mut self,
        name: &str,
        config_source: &str,
    ) -> Option<EnvoySecretId> {
        if self.refuse_secrets {
            return None;
        }
        self.subscriptions
            .push((name.to_owned(), config_source.to_owned()));
        NonZeroUsize::new(self.subscriptions.len()).map(EnvoySecretId)
    }

    fn get_generic_secret(&self, id: EnvoySecretId) -> Option<EnvoyBuffer<'_>> {
        let (name, _) = self.subscriptions.get(id.0.get() - 1)?;
        let bytes = self.secrets.get(name).map(Vec::as_slice);
        Some(EnvoyBuffer::from(bytes.unwrap_or_default()))
    }

    fn new_scheduler(&self) -> Box<dyn EnvoyHttpFilterConfigScheduler> {
        Box::new(MockScheduler(Arc::clone(&self.events)))
    }
}
