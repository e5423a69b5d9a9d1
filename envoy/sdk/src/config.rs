//! The Envoy side of a filter config.

use crate::abi::{
    self, envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::EnvoyBuffer;
use crate::lend::{with_headers, with_labels};
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
pub trait EnvoyHttpFilterConfig: EnvoyMetrics {
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

    /// Sends a request to a cluster. `headers` need `:method`, `:path` and `host`. The answer comes to
    /// [`HttpFilterConfig::on_http_callout_done`](crate::HttpFilterConfig::on_http_callout_done) under the returned id.
    ///
    /// Not to a cluster that has a dynamic module among its own filters: those run on the main thread then, where Envoy
    /// 1.40 finds no worker index and logs a bug of its own.
    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64);
    /// As [`EnvoyHttpFilterConfig::send_http_callout`], but both bodies flow.
    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64);
    /// Sends a piece of body. `false` if there is no such stream (any more).
    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool;
    /// Sends trailers, which end the stream.
    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool;
    /// Gives the stream up.
    fn reset_http_stream(&mut self, stream: u64);
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
}

/// One of the three callbacks that define a metric.
type Define = unsafe extern "C" fn(
    abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
    ModuleBuffer,
    *const ModuleBuffer,
    usize,
    *mut usize,
) -> std::ffi::c_int;

/// A result of a newer ABI is a failure too.
pub(crate) fn init_result(raw: std::ffi::c_int) -> CalloutInitResult {
    CalloutInitResult::from_raw(raw).unwrap_or(CalloutInitResult::CannotCreateRequest)
}

impl EnvoyMetrics for EnvoyHttpFilterConfigImpl {
    metric_methods!(change);
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

    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        let mut id = 0;
        // SAFETY: the config is live; all that is lent lives through the call.
        let raw = with_headers(headers, |first, count| unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_http_callout(
                self.raw,
                &raw mut id,
                ModuleBuffer::of(cluster_name.as_bytes()),
                first,
                count,
                body.map_or(ModuleBuffer::NULL, ModuleBuffer::of),
                timeout_milliseconds,
            )
        });
        (init_result(raw), id)
    }

    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        let mut id = 0;
        // SAFETY: the config is live; all that is lent lives through the call.
        let raw = with_headers(headers, |first, count| unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_start_http_stream(
                self.raw,
                &raw mut id,
                ModuleBuffer::of(cluster_name.as_bytes()),
                first,
                count,
                body.map_or(ModuleBuffer::NULL, ModuleBuffer::of),
                end_stream,
                timeout_milliseconds,
            )
        });
        (init_result(raw), id)
    }

    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool {
        // SAFETY: the config is live, the data lives through the call; Envoy looks the stream up by its id.
        unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_stream_send_data(
                self.raw,
                stream,
                ModuleBuffer::of(data),
                end_stream,
            )
        }
    }

    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool {
        // SAFETY: as above.
        with_headers(trailers, |first, count| unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_stream_send_trailers(
                self.raw, stream, first, count,
            )
        })
    }

    fn reset_http_stream(&mut self, stream: u64) {
        // SAFETY: as above.
        unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_reset_http_stream(
                self.raw, stream,
            );
        }
    }
}

const DEFINE_COUNTER: Define = abi::envoy_dynamic_module_callback_http_filter_config_define_counter;
const DEFINE_GAUGE: Define = abi::envoy_dynamic_module_callback_http_filter_config_define_gauge;
const DEFINE_HISTOGRAM: Define =
    abi::envoy_dynamic_module_callback_http_filter_config_define_histogram;
