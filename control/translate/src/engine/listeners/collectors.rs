//! The collectors that access logs go to: each has a cluster that nobody wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use tenon_model::open_telemetry::OpenTelemetrySink;
use tenon_model::{AccessLogSink, Gateway, Kind, Object, ObjectKey, Problem, Spec};

use super::super::{Translator, Work};
use super::parts::Parts;
use crate::names;

impl Translator {
    /// Takes in the collectors that there are now.
    pub(in crate::engine) fn take_in_collectors(&mut self, work: &mut Work) {
        let mut owners: BTreeMap<ObjectKey, BTreeSet<ObjectKey>> = BTreeMap::new();
        let mut upstreams = BTreeMap::new();
        for (gateway, spec) in self.gateways() {
            for (_, sink) in sinks(&spec) {
                let key = key_of(sink);
                owners
                    .entry(key.clone())
                    .or_default()
                    .extend(gateway.clone());
                if let Some(object) = object(&key, sink) {
                    // Of two that share the name of their log, the first has it.
                    upstreams.entry(key).or_insert(object);
                }
            }
        }
        let old = mem::replace(&mut self.collectors, owners);
        for key in old.keys() {
            self.in_memory.remove(key);
        }
        work.clusters.extend(old.into_keys());
        work.clusters.extend(upstreams.keys().cloned());
        let upstreams = upstreams.into_iter().map(|(key, object)| (key, Ok(object)));
        self.in_memory.extend(upstreams);
    }

    /// What is wrong with the collectors of a gateway.
    pub(super) fn collectors_of(&self, gateway: &Gateway, parts: &mut Parts) {
        let own = parts.problems.entry(None).or_default();
        for (path, sink) in sinks(gateway) {
            let key = key_of(sink);
            let path = format!("{path}.openTelemetryService");
            let served = self.in_memory.get(&key).and_then(|it| it.as_ref().ok());
            if served.map(|it| &it.spec) != object(&key, sink).as_ref().map(|it| &it.spec) {
                let text = format!("another collector has the log {:?} already", sink.log_name);
                own.insert(Problem::error(format!("{path}.logName"), text));
                continue;
            }
            let form = self.clusters.get(&key);
            for problem in form.into_iter().flat_map(|form| &form.problems) {
                let field = problem.field.strip_prefix("spec").unwrap_or_default();
                own.insert(Problem {
                    field: format!("{path}.collector{field}"),
                    ..problem.clone()
                });
            }
        }
    }
}

fn key_of(sink: &OpenTelemetrySink) -> ObjectKey {
    ObjectKey {
        kind: Kind::Upstream,
        namespace: "".into(),
        name: names::collector(&sink.log_name).into(),
    }
}

fn object(key: &ObjectKey, sink: &OpenTelemetrySink) -> Option<Arc<Object>> {
    let upstream = sink.collector.upstream()?;
    Some(Arc::new(Object {
        key: key.clone(),
        labels: BTreeMap::new(),
        metadata: None,
        spec: Spec::Upstream(Box::new(upstream)),
        warnings: Vec::new(),
    }))
}

/// The collectors that a gateway names, and where.
fn sinks(gateway: &Gateway) -> Vec<(String, &OpenTelemetrySink)> {
    let options = &gateway.options;
    let services = [
        ("accessLoggingService", &options.access_logging_service),
        (
            "listenerAccessLoggingService",
            &options.listener_access_logging_service,
        ),
    ];
    let mut all = Vec::new();
    for (name, service) in services {
        for (index, log) in service.access_log.iter().enumerate() {
            if let AccessLogSink::OpenTelemetryService(sink) = &log.sink {
                all.push((format!("spec.options.{name}.accessLog[{index}]"), &**sink));
            }
        }
    }
    all
}
