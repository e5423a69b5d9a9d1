//! Names of metrics, and metrics that belong to a config.

use crate::abi::{self, envoy_dynamic_module_type_metrics_result as MetricsResult};
use crate::lend::with_labels;
use std::ffi::c_int;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) usize);
    )*};
}

ids! {
    /// A counter.
    EnvoyCounterId,
    /// A counter with labels.
    EnvoyCounterVecId,
    /// A gauge.
    EnvoyGaugeId,
    /// A gauge with labels.
    EnvoyGaugeVecId,
    /// A histogram.
    EnvoyHistogramId,
    /// A histogram with labels.
    EnvoyHistogramVecId,
}

/// How a metric changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    AddToCounter,
    AddToGauge,
    TakeFromGauge,
    SetGauge,
    Record,
}

/// Metrics changed through the config, where there is no stream (any more): in
/// [`HttpFilter::on_destroy`](crate::HttpFilter::on_destroy), in
/// [`HttpFilterConfig::on_panic`](crate::HttpFilterConfig::on_panic), in callouts of the config. Any thread may.
///
/// On Envoy 1.40 in the upstream position, `on_destroy` is the only hook that every try reaches, also one that lost a
/// hedge or timed out; counters and histograms recorded there through the config do count (seen).
///
/// Names: `<metrics_namespace>.<name>`, the namespace being `dynamicmodulescustom` by default; of a config in the
/// upstream position `cluster.<cluster>.<metrics_namespace>.<name>`.
pub trait EnvoyMetrics {
    /// Adds to a counter.
    fn increment_counter(&self, id: EnvoyCounterId, value: u64) -> Result<(), MetricsResult>;
    /// Adds to a counter with labels.
    fn increment_counter_vec(
        &self,
        id: EnvoyCounterVecId,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult>;
    /// Adds to a gauge.
    fn increase_gauge(&self, id: EnvoyGaugeId, value: u64) -> Result<(), MetricsResult>;
    /// Adds to a gauge with labels.
    fn increase_gauge_vec(
        &self,
        id: EnvoyGaugeVecId,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult>;
    /// Takes from a gauge.
    fn decrease_gauge(&self, id: EnvoyGaugeId, value: u64) -> Result<(), MetricsResult>;
    /// Takes from a gauge with labels.
    fn decrease_gauge_vec(
        &self,
        id: EnvoyGaugeVecId,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult>;
    /// Sets a gauge.
    fn set_gauge(&self, id: EnvoyGaugeId, value: u64) -> Result<(), MetricsResult>;
    /// Sets a gauge with labels.
    fn set_gauge_vec(
        &self,
        id: EnvoyGaugeVecId,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult>;
    /// Records a value in a histogram.
    fn record_histogram_value(&self, id: EnvoyHistogramId, value: u64)
    -> Result<(), MetricsResult>;
    /// Records a value in a histogram with labels.
    fn record_histogram_value_vec(
        &self,
        id: EnvoyHistogramVecId,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult>;
}

/// Writes the ten methods of metrics in terms of `self.$change(Change, id, labels, value)`.
macro_rules! metric_methods {
    ($change:ident) => {
        fn increment_counter(
            &self,
            id: $crate::EnvoyCounterId,
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::AddToCounter, id.0, &[], value)
        }

        fn increment_counter_vec(
            &self,
            id: $crate::EnvoyCounterVecId,
            labels: &[&str],
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::AddToCounter, id.0, labels, value)
        }

        fn increase_gauge(
            &self,
            id: $crate::EnvoyGaugeId,
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::AddToGauge, id.0, &[], value)
        }

        fn increase_gauge_vec(
            &self,
            id: $crate::EnvoyGaugeVecId,
            labels: &[&str],
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::AddToGauge, id.0, labels, value)
        }

        fn decrease_gauge(
            &self,
            id: $crate::EnvoyGaugeId,
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::TakeFromGauge, id.0, &[], value)
        }

        fn decrease_gauge_vec(
            &self,
            id: $crate::EnvoyGaugeVecId,
            labels: &[&str],
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::TakeFromGauge, id.0, labels, value)
        }

        fn set_gauge(
            &self,
            id: $crate::EnvoyGaugeId,
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::SetGauge, id.0, &[], value)
        }

        fn set_gauge_vec(
            &self,
            id: $crate::EnvoyGaugeVecId,
            labels: &[&str],
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::SetGauge, id.0, labels, value)
        }

        fn record_histogram_value(
            &self,
            id: $crate::EnvoyHistogramId,
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::Record, id.0, &[], value)
        }

        fn record_histogram_value_vec(
            &self,
            id: $crate::EnvoyHistogramVecId,
            labels: &[&str],
            value: u64,
        ) -> Result<(), $crate::abi::envoy_dynamic_module_type_metrics_result> {
            self.$change($crate::metrics::Change::Record, id.0, labels, value)
        }
    };
}
pub(crate) use metric_methods;

/// Success, or why not.
pub(crate) fn result(raw: c_int) -> Result<(), MetricsResult> {
    match MetricsResult::from_raw(raw) {
        Some(MetricsResult::Success) => Ok(()),
        Some(failure) => Err(failure),
        // A failure that this ABI version does not know.
        None => Err(MetricsResult::MetricNotFound),
    }
}

/// Changes a metric through the stream's filter.
///
/// # Safety
/// `filter` is the filter of a hook that is running.
pub(crate) unsafe fn change_in_stream(
    filter: abi::envoy_dynamic_module_type_http_filter_envoy_ptr,
    change: Change,
    id: usize,
    labels: &[&str],
    value: u64,
) -> Result<(), MetricsResult> {
    let call = match change {
        Change::AddToCounter => abi::envoy_dynamic_module_callback_http_filter_increment_counter,
        Change::AddToGauge => abi::envoy_dynamic_module_callback_http_filter_increment_gauge,
        Change::TakeFromGauge => abi::envoy_dynamic_module_callback_http_filter_decrement_gauge,
        Change::SetGauge => abi::envoy_dynamic_module_callback_http_filter_set_gauge,
        Change::Record => abi::envoy_dynamic_module_callback_http_filter_record_histogram_value,
    };
    // SAFETY: the filter is live (the caller's promise); the labels live through the call.
    result(with_labels(labels, |first, count| unsafe {
        call(filter, id, first, count, value)
    }))
}

/// Changes a metric through the config.
///
/// # Safety
/// `config` is a config that Envoy has not destroyed.
pub(crate) unsafe fn change_in_config(
    config: abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
    change: Change,
    id: usize,
    labels: &[&str],
    value: u64,
) -> Result<(), MetricsResult> {
    use abi::{
        envoy_dynamic_module_callback_http_filter_config_decrement_gauge as decrement_gauge,
        envoy_dynamic_module_callback_http_filter_config_increment_counter as increment_counter,
        envoy_dynamic_module_callback_http_filter_config_increment_gauge as increment_gauge,
        envoy_dynamic_module_callback_http_filter_config_record_histogram_value as record,
        envoy_dynamic_module_callback_http_filter_config_set_gauge as set_gauge,
    };
    let call = match change {
        Change::AddToCounter => increment_counter,
        Change::AddToGauge => increment_gauge,
        Change::TakeFromGauge => decrement_gauge,
        Change::SetGauge => set_gauge,
        Change::Record => record,
    };
    // SAFETY: the config is live (the caller's promise); the labels live through the call.
    result(with_labels(labels, |first, count| unsafe {
        call(config, id, first, count, value)
    }))
}
