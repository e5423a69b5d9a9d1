//! The Envoy side of a filter config.

use crate::abi::{
    self, envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::EnvoyBuffer;
use crate::callouts::{EnvoyHttpCallouts, NativeCallouts, callout_methods};
use crate::lend::with_labels;
use crate::metrics::{
    self, Change, EnvoyCounterId, EnvoyCounterVecId, EnvoyGaugeId, EnvoyGaugeVecId,
    EnvoyHistogramId, EnvoyHistogramVecId, EnvoyMetrics, metric_methods,
};
use crate::scheduler::{EnvoyHttpFilterConfigScheduler, NativeScheduler};
use std::num::NonZeroUsize;

/// A secret that the config subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnvoySecretId(pub(crate) NonZeroUsize);

/// What a filter config asks of Envoy, on the main thread.
pub trait EnvoyHttpFilterConfig: EnvoyMetrics + EnvoyHttpCallouts {
    /// Defines a counter; only while the config is made, else `Frozen`. So for all that define a metric.
    fn define_counter(&mut self, name: &str) -> Result<EnvoyCounterId, MetricsResult>;
    /// Defines a counter with labels.
    fn define_counter_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyCounterVecId, MetricsResult>;
    /// Defines a gauge.
    fn define_gauge(&mut self, name: &str) -> Result<EnvoyGaugeId, MetricsResult>;
    /// Defines a gauge with labels.
    fn define_gauge_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyGaugeVecId, MetricsResult>;
    /// Defines a histogram.
    fn define_histogram(&mut self, name: &str) -> Result<EnvoyHistogramId, MetricsResult>;
    /// Defines a histogram with labels.
    fn define_histogram_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyHistogramVecId, MetricsResult>;

    /// Subscribes to a generic secret; only while the config is made. `config_source` is a `ConfigSource` in JSON, or
    /// empty for a static secret of the bootstrap. `None` if Envoy refuses; its log says why.
    ///
    /// The config's users wait for the first answer, at most `initial_fetch_timeout` of the source. With ADS as source,
    /// Envoy 1.40.0 crashes at start if the filter is in a cluster of the bootstrap: use clusters that come by CDS.
    fn subscribe_generic_secret(
        &mut self,
        name: &str,
        config_source: &str,
    ) -> Option<EnvoySecretId>;
    /// The secret's bytes as they are now: empty if none has come.
    fn get_generic_secret(&self, id: EnvoySecretId) -> Option<EnvoyBuffer<'_>>;

    /// A scheduler for events to this config.
    fn new_scheduler(&self) -> Box<dyn EnvoyHttpFilterConfigScheduler>;
}

/// Envoy's own config object, lent for one hook.
pub struct EnvoyHttpFilterConfigImpl {
    raw: abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
}

impl EnvoyHttpFilterConfigImpl {
    /// # Safety
    /// `raw` is a config that Envoy keeps for as long as the value exists.
    pub(crate) unsafe fn new(
        raw: abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
    ) -> Self {
        Self { raw }
    }

    fn define(
        &mut self,
        kind: Define,
        name: &str,
        labels: &[&str],
    ) -> Result<usize, MetricsResult> {
        let mut id = 0;
        let name = ModuleBuffer::of(name.as_bytes());
        // SAFETY: the config is live; name, labels and `id` live through the call.
        let raw = with_labels(labels, |first, count| unsafe {
            kind(self.raw, name, first, count, &raw mut id)
        });
        metrics::result(raw).map(|()| id)
    }

    fn change(
        &self,
        change: Change,
        id: usize,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult> {
        // SAFETY: the config is live while `self` exists.
        unsafe { metrics::change_in_config(self.raw, change, id, labels, value) }
    }

    fn callouts(&mut self) -> NativeCallouts<'_> {
        // SAFETY: the config is live while `self` exists.
        unsafe { NativeCallouts::of_config(self.raw) }
    }
}

/// One of the three callbacks that define a metric.
type Define = unsafe extern "C" fn(
    abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
    ModuleBuffer,
    *const ModuleBuffer,
    usize,
    *mut usize,
) -> std::ffi::c_int;

impl EnvoyMetrics for EnvoyHttpFilterConfigImpl {
    metric_methods!(change);
}

impl EnvoyHttpCallouts for EnvoyHttpFilterConfigImpl {
    callout_methods!(callouts);
}

impl EnvoyHttpFilterConfig for EnvoyHttpFilterConfigImpl {
    fn define_counter(&mut self, name: &str) -> Result<EnvoyCounterId, MetricsResult> {
        self.define(DEFINE_COUNTER, name, &[]).map(EnvoyCounterId)
    }

    fn define_counter_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyCounterVecId, MetricsResult> {
        self.define(DEFINE_COUNTER, name, labels)
            .map(EnvoyCounterVecId)
    }

    fn define_gauge(&mut self, name: &str) -> Result<EnvoyGaugeId, MetricsResult> {
        self.define(DEFINE_GAUGE, name, &[]).map(EnvoyGaugeId)
    }

    fn define_gauge_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyGaugeVecId, MetricsResult> {
        self.define(DEFINE_GAUGE, name, labels).map(EnvoyGaugeVecId)
    }

    fn define_histogram(&mut self, name: &str) -> Result<EnvoyHistogramId, MetricsResult> {
        self.define(DEFINE_HISTOGRAM, name, &[])
            .map(EnvoyHistogramId)
    }

    fn define_histogram_vec(
        &mut self,
        name: &str,
        labels: &[&str],
    ) -> Result<EnvoyHistogramVecId, MetricsResult> {
        self.define(DEFINE_HISTOGRAM, name, labels)
            .map(EnvoyHistogramVecId)
    }

    fn subscribe_generic_secret(
        &mut self,
        name: &str,
        config_source: &str,
    ) -> Option<EnvoySecretId> {
        // SAFETY: the config is live; both texts live through the call.
        let id = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_generic_secret_subscribe(
                self.raw,
                ModuleBuffer::of(name.as_bytes()),
                ModuleBuffer::of(config_source.as_bytes()),
            )
        };
        NonZeroUsize::new(id).map(EnvoySecretId)
    }

    fn get_generic_secret(&self, id: EnvoySecretId) -> Option<EnvoyBuffer<'_>> {
        let mut out = RawBuffer::EMPTY;
        // SAFETY: the config is live; `out` is ours.
        let found = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_get_generic_secret(
                self.raw,
                id.0.get(),
                &raw mut out,
            )
        };
        // SAFETY: Envoy keeps the bytes through the hook, longer than `self` is borrowed.
        found.then(|| unsafe { EnvoyBuffer::from_raw(out) })
    }

    fn new_scheduler(&self) -> Box<dyn EnvoyHttpFilterConfigScheduler> {
        // SAFETY: the config is live while `self` exists.
        Box::new(unsafe { NativeScheduler::of_config(self.raw) })
    }
}

const DEFINE_COUNTER: Define = abi::envoy_dynamic_module_callback_http_filter_config_define_counter;
const DEFINE_GAUGE: Define = abi::envoy_dynamic_module_callback_http_filter_config_define_gauge;
const DEFINE_HISTOGRAM: Define =
    abi::envoy_dynamic_module_callback_http_filter_config_define_histogram;
