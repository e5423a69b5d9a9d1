//! A stream's mock.

use super::config::MockScheduler;
use super::{Headers, MockAction, MockMetrics, owned};
use crate::abi::{
    envoy_dynamic_module_type_attribute_id as AttributeId,
    envoy_dynamic_module_type_http_body_type as BodyType,
    envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult,
    envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason,
    envoy_dynamic_module_type_http_header_type as HeaderType,
    envoy_dynamic_module_type_metadata_source as MetadataSource,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
};
use crate::buffer::{EnvoyBuffer, EnvoyMutBuffer};
use crate::config::EnvoySecretId;
use crate::http::EnvoyHttpFilter;
use crate::metrics::{Change, EnvoyMetrics, metric_methods};
use crate::scheduler::EnvoyHttpFilterScheduler;
use crate::span::EnvoySpan;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A value of metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum MockMetadata {
    /// A string.
    Text(String),
    /// A number.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A list of the above.
    List(Vec<MockMetadata>),
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MockAttribute {
    /// Text.
    Text(String),
    /// A number.
    Int(i64),
    /// A truth value.
    Bool(bool),
}

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

    fn put_metadata(
        &mut self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        value: MockMetadata,
    ) {
        self.metadata
            .insert((source, namespace.to_owned(), key.to_owned()), value);
    }

    fn found(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<&MockMetadata> {
        self.metadata
            .get(&(source, namespace.to_owned(), key.to_owned()))
    }

    fn element(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<&MockMetadata> {
        match self.found(source, namespace, key)? {
            MockMetadata::List(list) => list.get(index),
            _ => None,
        }
    }

    fn callout(&mut self, callout: impl FnOnce(u64) -> MockAction) -> (CalloutInitResult, u64) {
        let id = self.next_callout;
        self.next_callout += 1;
        self.actions.push(callout(id));
        (self.callout_result, id)
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

impl MockMetadata {
    fn text(&self) -> Option<EnvoyBuffer<'_>> {
        match self {
            Self::Text(text) => Some(EnvoyBuffer::new(text)),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }
}

impl EnvoyMetrics for MockHttpFilter {
    metric_methods!(change);
}

impl EnvoyHttpFilterScheduler for MockScheduler {
    fn commit(&self, event_id: u64) {
        self.send(event_id);
    }
}

impl EnvoyHttpFilter for MockHttpFilter {
    fn get_header_value<'a>(&'a self, map: HeaderType, key: &str) -> Option<EnvoyBuffer<'a>> {
        self.get_header_values(map, key).first().copied()
    }

    fn get_header_values<'a>(&'a self, map: HeaderType, key: &str) -> Vec<EnvoyBuffer<'a>> {
        let headers = self.headers.get(&map).into_iter().flatten();
        headers
            .filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| EnvoyBuffer::from(value.as_slice()))
            .collect()
    }

    fn for_each_header(&self, map: HeaderType, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.headers.get(&map).into_iter().flatten() {
            visit(name.as_bytes(), value);
        }
    }

    fn get_headers<'a>(&'a self, map: HeaderType) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)> {
        let headers = self.headers.get(&map).into_iter().flatten();
        headers
            .map(|(name, value)| (EnvoyBuffer::new(name), EnvoyBuffer::from(value.as_slice())))
            .collect()
    }

    fn set_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let Some(headers) = self.headers.get_mut(&map) else {
            return false;
        };
        // In place, as Envoy does for headers that it has fields for.
        match headers
            .iter()
            .position(|(name, _)| name.eq_ignore_ascii_case(key))
        {
            Some(place) => {
                let mut at = 0;
                headers.retain(|(name, _)| {
                    at += 1;
                    at <= place + 1 || !name.eq_ignore_ascii_case(key)
                });
                if let Some((_, old)) = headers.get_mut(place) {
                    *old = value.to_vec();
                }
            }
            None => headers.push((key.to_ascii_lowercase(), value.to_vec())),
        }
        true
    }

    fn add_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let Some(headers) = self.headers.get_mut(&map) else {
            return false;
        };
        headers.push((key.to_ascii_lowercase(), value.to_vec()));
        true
    }

    fn remove_header(&mut self, map: HeaderType, key: &str) -> bool {
        let Some(headers) = self.headers.get_mut(&map) else {
            return false;
        };
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(key));
        true
    }

    fn for_each_body_chunk(&self, body: BodyType, visit: &mut dyn FnMut(&[u8])) {
        for piece in self.bodies.get(&body).into_iter().flatten() {
            visit(piece);
        }
    }

    fn get_body<'a>(&'a mut self, body: BodyType) -> Option<Vec<EnvoyMutBuffer<'a>>> {
        let pieces = self.bodies.get_mut(&body)?;
        Some(
            pieces
                .iter_mut()
                .map(|piece| EnvoyMutBuffer::new(piece))
                .collect(),
        )
    }

    fn get_body_size(&self, body: BodyType) -> usize {
        let pieces = self.bodies.get(&body).into_iter().flatten();
        pieces.map(Vec::len).sum()
    }

    fn drain_body(&mut self, body: BodyType, number_of_bytes: usize) -> bool {
        let Some(pieces) = self.bodies.get_mut(&body) else {
            return false;
        };
        let all = pieces.concat();
        let rest = all.get(number_of_bytes..).unwrap_or_default().to_vec();
        *pieces = if rest.is_empty() { vec![] } else { vec![rest] };
        true
    }

    fn append_body(&mut self, body: BodyType, data: &[u8]) -> bool {
        let buffered = matches!(
            body,
            BodyType::BufferedRequestBody | BodyType::BufferedResponseBody
        );
        if buffered {
            // Envoy makes a buffer where there is none: so a message without a body gets one.
            self.bodies.entry(body).or_default().push(data.to_vec());
            return true;
        }
        let Some(pieces) = self.bodies.get_mut(&body) else {
            return false;
        };
        pieces.push(data.to_vec());
        true
    }

    fn received_buffered_request_body(&mut self) -> bool {
        self.received_buffered.0
    }

    fn received_buffered_response_body(&mut self) -> bool {
        self.received_buffered.1
    }

    fn get_buffer_limit(&self) -> u64 {
        self.buffer_limit
    }

    fn set_buffer_limit(&mut self, limit: u64) {
        self.buffer_limit = limit;
    }

    fn send_response(
        &mut self,
        status_code: u32,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        details: Option<&str>,
    ) {
        self.actions.push(MockAction::Response {
            status: status_code,
            headers: owned(headers),
            body: body.unwrap_or_default().to_vec(),
            details: details.unwrap_or_default().to_owned(),
        });
    }

    fn send_response_headers(&mut self, headers: &[(&str, &[u8])], end_stream: bool) {
        self.actions.push(MockAction::ResponseHeaders {
            headers: owned(headers),
            end_stream,
        });
    }

    fn send_response_data(&mut self, body: &[u8], end_stream: bool) {
        self.actions.push(MockAction::ResponseData {
            body: body.to_vec(),
            end_stream,
        });
    }

    fn send_response_trailers(&mut self, trailers: &[(&str, &[u8])]) {
        self.actions.push(MockAction::ResponseTrailers {
            trailers: owned(trailers),
        });
    }

    fn add_custom_flag(&mut self, flag: &str) {
        self.actions.push(MockAction::CustomFlag(flag.to_owned()));
    }

    fn reset_stream(&mut self, reason: StreamResetReason, details: &str) {
        self.actions.push(MockAction::ResetStream {
            reason,
            details: details.to_owned(),
        });
    }

    fn continue_decoding(&mut self) {
        self.actions.push(MockAction::ContinueDecoding);
    }

    fn continue_encoding(&mut self) {
        self.actions.push(MockAction::ContinueEncoding);
    }

    fn clear_route_cache(&mut self) {
        self.actions.push(MockAction::ClearRouteCache);
    }

    fn clear_route_cluster_cache(&mut self) {
        self.actions.push(MockAction::ClearRouteClusterCache);
    }

    fn get_worker_index(&self) -> u32 {
        self.worker_index
    }

    fn get_most_specific_route_config(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.route_config.clone()
    }

    fn route_config(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.route_config.as_deref()
    }

    fn get_cluster_name<'a>(&'a self) -> Option<EnvoyBuffer<'a>> {
        self.cluster_name.as_deref().map(EnvoyBuffer::new)
    }

    fn get_metadata_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<EnvoyBuffer<'a>> {
        self.found(source, namespace, key)?.text()
    }

    fn get_metadata_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<f64> {
        self.found(source, namespace, key)?.number()
    }

    fn get_metadata_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<bool> {
        self.found(source, namespace, key)?.truth()
    }

    fn get_metadata_keys<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
    ) -> Option<Vec<EnvoyBuffer<'a>>> {
        let of_namespace = self
            .metadata
            .keys()
            .filter(|(s, n, _)| *s == source && n == namespace);
        let keys: Vec<_> = of_namespace
            .map(|(_, _, key)| EnvoyBuffer::new(key))
            .collect();
        (!keys.is_empty()).then_some(keys)
    }

    fn get_metadata_namespaces<'a>(
        &'a self,
        source: MetadataSource,
    ) -> Option<Vec<EnvoyBuffer<'a>>> {
        let of_source = self.metadata.keys().filter(|(s, _, _)| *s == source);
        let mut namespaces: Vec<_> = of_source.map(|(_, n, _)| EnvoyBuffer::new(n)).collect();
        namespaces.dedup();
        (!namespaces.is_empty()).then_some(namespaces)
    }

    fn get_metadata_list_size(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<usize> {
        match self.found(source, namespace, key)? {
            MockMetadata::List(list) => Some(list.len()),
            _ => None,
        }
    }

    fn get_metadata_list_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<EnvoyBuffer<'a>> {
        self.element(source, namespace, key, index)?.text()
    }

    fn get_metadata_list_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<f64> {
        self.element(source, namespace, key, index)?.number()
    }

    fn get_metadata_list_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<bool> {
        self.element(source, namespace, key, index)?.truth()
    }

    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str) {
        let value = MockMetadata::Text(value.to_owned());
        self.put_metadata(MetadataSource::Dynamic, namespace, key, value);
    }

    fn set_dynamic_metadata_string_batch(&mut self, namespace: &str, entries: &[(&str, &str)]) {
        for (key, value) in entries {
            self.set_dynamic_metadata_string(namespace, key, value);
        }
    }

    fn set_dynamic_metadata_number(&mut self, namespace: &str, key: &str, value: f64) {
        let value = MockMetadata::Number(value);
        self.put_metadata(MetadataSource::Dynamic, namespace, key, value);
    }

    fn set_dynamic_metadata_bool(&mut self, namespace: &str, key: &str, value: bool) {
        let value = MockMetadata::Bool(value);
        self.put_metadata(MetadataSource::Dynamic, namespace, key, value);
    }

    fn get_filter_state_bytes<'a>(&'a self, key: &[u8]) -> Option<EnvoyBuffer<'a>> {
        let bytes = self.filter_state.get(key)?;
        Some(EnvoyBuffer::from(bytes.as_slice()))
    }

    fn set_filter_state_bytes(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.filter_state.insert(key.to_vec(), value.to_vec());
        true
    }

    fn get_attribute_string<'a>(&'a self, attribute_id: AttributeId) -> Option<EnvoyBuffer<'a>> {
        match self.attributes.get(&attribute_id)? {
            MockAttribute::Text(text) => Some(EnvoyBuffer::new(text)),
            _ => None,
        }
    }

    fn get_attribute_int(&self, attribute_id: AttributeId) -> Option<i64> {
        match self.attributes.get(&attribute_id)? {
            MockAttribute::Int(number) => Some(*number),
            _ => None,
        }
    }

    fn get_attribute_bool(&self, attribute_id: AttributeId) -> Option<bool> {
        match self.attributes.get(&attribute_id)? {
            MockAttribute::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    fn get_generic_secret<'a>(&'a self, id: EnvoySecretId) -> Option<EnvoyBuffer<'a>> {
        let bytes = self.secrets.get(id.0.get() - 1)?;
        Some(EnvoyBuffer::from(bytes.as_slice()))
    }

    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        self.callout(|id| MockAction::Callout {
            id,
            cluster: cluster_name.to_owned(),
            headers: owned(headers),
            body: body.map(<[u8]>::to_vec),
            timeout_milliseconds,
            streamed: false,
            end_stream: true,
        })
    }

    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        self.callout(|id| MockAction::Callout {
            id,
            cluster: cluster_name.to_owned(),
            headers: owned(headers),
            body: body.map(<[u8]>::to_vec),
            timeout_milliseconds,
            streamed: true,
            end_stream,
        })
    }

    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool {
        self.actions.push(MockAction::StreamData {
            id: stream,
            data: data.to_vec(),
            end_stream,
        });
        true
    }

    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool {
        self.actions.push(MockAction::StreamTrailers {
            id: stream,
            trailers: owned(trailers),
        });
        true
    }

    fn reset_http_stream(&mut self, stream: u64) {
        self.actions
            .push(MockAction::ResetHttpStream { id: stream });
    }

    fn new_scheduler(&self) -> impl EnvoyHttpFilterScheduler + 'static {
        MockScheduler(Arc::clone(&self.events))
    }

    fn get_active_span<'a>(&'a self) -> Option<Box<dyn EnvoySpan + 'a>> {
        None
    }
}
