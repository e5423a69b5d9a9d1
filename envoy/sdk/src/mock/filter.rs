//! A stream's mock.

mod bodies;
mod context;
mod headers;
mod metadata;
mod replies;

pub use context::MockAttribute;
pub use metadata::MockMetadata;

use super::callouts::MockCallouts;
use super::config::MockScheduler;
use super::{Headers, MockAction, MockMetrics};
use crate::abi::{
    envoy_dynamic_module_type_attribute_id as AttributeId,
    envoy_dynamic_module_type_http_body_type as BodyType,
    envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult,
    envoy_dynamic_module_type_http_header_type as HeaderType,
    envoy_dynamic_module_type_metadata_source as MetadataSource,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
};
use crate::callouts::{EnvoyHttpCallouts, callout_methods};
use crate::http::EnvoyHttpFilter;
use crate::metrics::{Change, EnvoyMetrics, metric_methods};
use crate::scheduler::EnvoyHttpFilterScheduler;
use crate::span::EnvoySpan;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A stream's Envoy side.
#[derive(Debug)]
pub struct MockHttpFilter {
    /// The four header maps. A map that is not there refuses to be set.
    pub headers: BTreeMap<HeaderType, Headers>,
    /// The four bodies, in pieces. A body that is not there refuses to be changed.
    pub bodies: BTreeMap<BodyType, Vec<Vec<u8>>>,
    /// What `received_buffered_request_body` and `…_response_body` say.
    pub received_buffered: (bool, bool),
    /// The buffer limit.
    pub buffer_limit: u64,
    /// What the filter told Envoy to do.
    pub actions: Vec<MockAction>,
    /// The per-route config.
    pub route_config: Option<Arc<dyn Any + Send + Sync>>,
    /// The cluster's name.
    pub cluster_name: Option<String>,
    /// Metadata by source, namespace, key.
    pub metadata: BTreeMap<(MetadataSource, String, String), MockMetadata>,
    /// Serialised structs that were merged into dynamic metadata, by namespace.
    pub metadata_structs: BTreeMap<String, Vec<Vec<u8>>>,
    /// Filter state. To play a next try, move it (and the request's headers) to the next mock.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Attributes.
    pub attributes: BTreeMap<AttributeId, MockAttribute>,
    /// Secrets in the order of their subscriptions.
    pub secrets: Vec<Vec<u8>>,
    /// Metrics; usually a clone of the config's.
    pub metrics: MockMetrics,
    /// What callouts answer when they are started.
    pub callout_result: CalloutInitResult,
    /// Events that were sent.
    pub events: Arc<Mutex<Vec<u64>>>,
    /// The worker's number.
    pub worker_index: u32,
    /// The id that the next callout gets.
    pub next_callout: u64,
}

impl Default for MockHttpFilter {
    fn default() -> Self {
        Self {
            headers: BTreeMap::new(),
            bodies: BTreeMap::new(),
            received_buffered: (false, false),
            buffer_limit: 1_048_576,
            actions: Vec::new(),
            route_config: None,
            cluster_name: None,
            metadata: BTreeMap::new(),
            metadata_structs: BTreeMap::new(),
            filter_state: BTreeMap::new(),
            attributes: BTreeMap::new(),
            secrets: Vec::new(),
            metrics: MockMetrics::default(),
            callout_result: CalloutInitResult::Success,
            events: Arc::default(),
            worker_index: 0,
            next_callout: 1,
        }
    }
}

impl MockHttpFilter {
    /// A stream with these request headers and no body.
    pub fn request(headers: &[(&str, &str)]) -> Self {
        Self::default().with_headers(HeaderType::RequestHeader, headers)
    }

    /// With these headers in a map.
    pub fn with_headers(mut self, map: HeaderType, headers: &[(&str, &str)]) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        self.headers.insert(map, headers.collect());
        self
    }

    /// With a body in one piece.
    pub fn with_body(mut self, body: BodyType, bytes: &[u8]) -> Self {
        self.bodies.insert(body, vec![bytes.to_vec()]);
        self
    }

    /// With a string of metadata.
    pub fn with_metadata(
        mut self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        text: &str,
    ) -> Self {
        self.put_metadata(source, namespace, key, MockMetadata::Text(text.to_owned()));
        self
    }

    /// A body's bytes.
    pub fn body(&self, body: BodyType) -> Vec<u8> {
        self.bodies
            .get(&body)
            .map(|pieces| pieces.concat())
            .unwrap_or_default()
    }

    fn callouts(&mut self) -> MockCallouts<'_> {
        MockCallouts {
            result: self.callout_result,
            next: &mut self.next_callout,
            actions: &mut self.actions,
        }
    }

    fn change(
        &self,
        change: Change,
        id: usize,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult> {
        self.metrics.change(change, id, labels, value)
    }
}

impl EnvoyMetrics for MockHttpFilter {
    metric_methods!(change);
}

impl EnvoyHttpCallouts for MockHttpFilter {
    callout_methods!(callouts);
}

impl EnvoyHttpFilterScheduler for MockScheduler {
    fn commit(&self, event_id: u64) {
        self.send(event_id);
    }
}

impl EnvoyHttpFilter for MockHttpFilter {
    fn new_scheduler(&self) -> impl EnvoyHttpFilterScheduler + 'static {
        MockScheduler(Arc::clone(&self.events))
    }

    fn get_active_span<'a>(&'a self) -> Option<Box<dyn EnvoySpan + 'a>> {
        None
    }
}
