//! The metrics of interfaces: `tenon_calls`, `tenon_call_ms` and `tenon_clock_skew_seconds`.
//!
//! Metrics of proxy-wasm have no labels, so the name carries them, as `;label=value` for each:
//! `wasmcustom.tenon_calls;upstream=aws_default;function=echo;result=ok`. Three `stats_tags` in the bootstrap make labels
//! of them again, one for each label: `^wasmcustom\.tenon_call[^;]*(?:;[^;]*)*?(;upstream=([^;]*))`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use proxy_wasm::hostcalls::{define_metric, increment_metric, record_metric};
use proxy_wasm::types::MetricType;

/// The metrics of an upstream, defined when they are first needed. Envoy gives a new id for each definition of a name,
/// and keeps all of them, so ids are kept here.
#[derive(Default)]
pub(crate) struct CallMetrics(RefCell<HashMap<String, u32>>);

impl CallMetrics {
    pub(crate) fn count(&self, upstream: &str, function: &str, result: &str, took: Duration) {
        let (upstream, function) = (value(upstream), value(function));
        let call = format!(";upstream={upstream};function={function}");
        // A metric that Envoy refuses is not worth a request.
        if let Some(id) = self.id(
            MetricType::Counter,
            format!("tenon_calls{call};result={result}"),
        ) {
            let _ = increment_metric(id, 1);
        }
        if let Some(id) = self.id(MetricType::Histogram, format!("tenon_call_ms{call}")) {
            let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let _ = record_metric(id, took);
        }
    }

    pub(crate) fn clock_skew(&self, seconds: u64) {
        if let Some(id) = self.id(MetricType::Gauge, "tenon_clock_skew_seconds".into()) {
            let _ = record_metric(id, seconds);
        }
    }

    fn id(&self, kind: MetricType, name: String) -> Option<u32> {
        let mut ids = self.0.try_borrow_mut().ok()?;
        if let Some(id) = ids.get(&name) {
            return Some(*id);
        }
        let id = define_metric(kind, &name).ok()?;
        ids.insert(name, id);
        Some(id)
    }
}

/// A label's value, without what would end it.
fn value(text: &str) -> String {
    text.replace(|c: char| c == ';' || c.is_control(), "_")
}
