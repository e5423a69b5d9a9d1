//! The core's capabilities, in terms of the SDK.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    envoy_dynamic_module_type_attribute_id as AttributeId,
    envoy_dynamic_module_type_http_body_type as BodyType,
    envoy_dynamic_module_type_http_header_type as HeaderType,
    envoy_dynamic_module_type_metadata_source as MetadataSource,
};
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyHttpFilter, envoy_log_debug, envoy_log_error, envoy_log_info, envoy_log_warn,
};
use tenon_contract::NAMESPACE;
use tenon_core::host::{Body, Connection, Headers, Level, Side, Slot, Stream, Telemetry};

use crate::function::Shared;

/// Which hook runs: it decides where a body can be put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Headers,
    Body {
        /// What came with this hook is all that was held, sent on by another filter.
        whole: bool,
    },
    Trailers,
}

/// A stream of Envoy, for the time of one hook.
pub(crate) struct EnvoyHost<'a, EHF> {
    pub(crate) envoy: &'a mut EHF,
    shared: Option<&'a Shared>,
    hook: Hook,
}

impl<'a, EHF> EnvoyHost<'a, EHF> {
    pub(crate) fn new(envoy: &'a mut EHF, shared: Option<&'a Shared>, hook: Hook) -> Self {
        Self {
            envoy,
            shared,
            hook,
        }
    }

    pub(crate) fn hook(&self) -> Hook {
        self.hook
    }
}

fn map(side: Side) -> HeaderType {
    match side {
        Side::Request => HeaderType::RequestHeader,
        Side::Response => HeaderType::ResponseHeader,
    }
}

fn bodies(side: Side) -> (BodyType, BodyType) {
    match side {
        Side::Request => (BodyType::BufferedRequestBody, BodyType::ReceivedRequestBody),
        Side::Response => (
            BodyType::BufferedResponseBody,
            BodyType::ReceivedResponseBody,
        ),
    }
}

impl<EHF: EnvoyHttpFilter> Headers for EnvoyHost<'_, EHF> {
    fn header(&self, side: Side, name: &str) -> Option<Cow<'_, [u8]>> {
        self.envoy
            .get_header_value(map(side), name)
            .map(|value| Cow::Borrowed(value.as_slice()))
    }

    fn each_header(&self, side: Side, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.envoy.for_each_header(map(side), visit);
    }

    fn set_header(&mut self, side: Side, name: &str, value: &[u8]) {
        self.envoy.set_header(map(side), name, value);
    }

    fn add_header(&mut self, side: Side, name: &str, value: &[u8]) {
        self.envoy.add_header(map(side), name, value);
    }

    fn remove_header(&mut self, side: Side, name: &str) {
        self.envoy.remove_header(map(side), name);
    }
}

impl<EHF: EnvoyHttpFilter> Body for EnvoyHost<'_, EHF> {
    fn each_chunk(&self, side: Side, visit: &mut dyn FnMut(&[u8])) {
        let (buffered, received) = bodies(side);
        match self.hook {
            Hook::Headers => {}
            Hook::Body { whole: true } => self.envoy.for_each_body_chunk(received, visit),
            Hook::Body { whole: false } => {
                self.envoy.for_each_body_chunk(buffered, visit);
                self.envoy.for_each_body_chunk(received, visit);
            }
            Hook::Trailers => self.envoy.for_each_body_chunk(buffered, visit),
        }
    }

    fn new_length(&self, side: Side) -> u64 {
        self.envoy.get_body_size(bodies(side).1) as u64
    }

    fn replace_body(&mut self, side: Side, bytes: &[u8]) {
        let (buffered, received) = bodies(side);
        for body in [buffered, received] {
            let size = self.envoy.get_body_size(body);
            if size > 0 {
                self.envoy.drain_body(body, size);
            }
        }
        if !bytes.is_empty() {
            let target = if matches!(self.hook, Hook::Body { .. }) {
                received
            } else {
                buffered
            };
            self.envoy.append_body(target, bytes);
        }
    }

    /// In pieces, each taken off the front and what becomes of it put at the end: Envoy may hand over megabytes at once.
    fn rewrite_body(&mut self, side: Side, rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>)) {
        const PIECE: usize = 512 * 1024;
        if !matches!(self.hook, Hook::Body { .. }) {
            return;
        }
        let (_, received) = bodies(side);
        let mut left = self.envoy.get_body_size(received);
        let mut rewritten = Vec::with_capacity(left.min(PIECE));
        while left > 0 {
            let mut taken = 0;
            self.envoy.for_each_body_chunk(received, &mut |chunk| {
                if taken < PIECE {
                    // What was put at the end is not taken again.
                    let chunk = chunk.get(..left - taken).unwrap_or(chunk);
                    rewrite(chunk, &mut rewritten);
                    taken += chunk.len();
                }
            });
            if taken == 0 {
                return;
            }
            self.envoy.drain_body(received, taken);
            if !rewritten.is_empty() {
                self.envoy.append_body(received, &rewritten);
                rewritten.clear();
            }
            left -= taken;
        }
    }
}

impl<EHF: EnvoyHttpFilter> Stream for EnvoyHost<'_, EHF> {
    fn now(&self) -> Duration {
        now()
    }

    fn route_metadata(&self, key: &str) -> Option<Cow<'_, [u8]>> {
        let text = self
            .envoy
            .get_metadata_string(MetadataSource::Route, NAMESPACE, key)?;
        Some(Cow::Borrowed(text.as_slice()))
    }

    fn secret(&self) -> Option<Cow<'_, [u8]>> {
        let text = self.envoy.get_generic_secret(self.shared?.secret?)?;
        Some(Cow::Borrowed(text.as_slice()))
    }

    fn remembered(&self, slot: Slot) -> Option<Cow<'_, [u8]>> {
        let bytes = self.envoy.get_filter_state_bytes(slot.name().as_bytes())?;
        Some(Cow::Borrowed(bytes.as_slice()))
    }

    fn remember(&mut self, slot: Slot, bytes: &[u8]) {
        self.envoy
            .set_filter_state_bytes(slot.name().as_bytes(), bytes);
    }
}

impl<EHF: EnvoyHttpFilter> Connection for EnvoyHost<'_, EHF> {
    fn protocol(&self) -> Option<Cow<'_, [u8]>> {
        let text = self
            .envoy
            .get_attribute_string(AttributeId::RequestProtocol)?;
        Some(Cow::Borrowed(text.as_slice()))
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        let text = self
            .envoy
            .get_attribute_string(AttributeId::SourceAddress)?;
        Some(Cow::Borrowed(text.as_slice()))
    }
}

impl<EHF: EnvoyHttpFilter> Telemetry for EnvoyHost<'_, EHF> {
    fn annotate(&mut self, pairs: &[(&str, &[u8])]) {
        for pairs in pairs.chunks(ANNOTATIONS) {
            // Text already, but for what a provider may send; nothing is copied.
            let mut texts: [Cow<'_, str>; ANNOTATIONS] = Default::default();
            for (text, (_, value)) in texts.iter_mut().zip(pairs) {
                *text = String::from_utf8_lossy(value);
            }
            let mut entries = [("", ""); ANNOTATIONS];
            for ((entry, (key, _)), text) in entries.iter_mut().zip(pairs).zip(&texts) {
                *entry = (key, text);
            }
            let entries = entries.get(..pairs.len()).unwrap_or_default();
            self.envoy
                .set_dynamic_metadata_string_batch(NAMESPACE, entries);
        }
    }

    fn count(&mut self, function: &str, result: &'static str, took: Duration) {
        if let Some(shared) = self.shared {
            shared
                .metrics
                .count(self.envoy, shared.upstream.name(), function, result, took);
        }
    }

    fn clock_skew(&mut self, seconds: u64) {
        if let Some(shared) = self.shared {
            shared.metrics.clock_skew(self.envoy, seconds);
        }
    }

    fn log(&mut self, level: Level, message: &str) {
        log(level, message);
    }
}

/// As many as the core tells at once.
const ANNOTATIONS: usize = 8;

/// The time since the Unix epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

pub(crate) fn log(level: Level, message: &str) {
    match level {
        Level::Debug => envoy_log_debug!("tenon: {message}"),
        Level::Info => envoy_log_info!("tenon: {message}"),
        Level::Warn => envoy_log_warn!("tenon: {message}"),
        Level::Error => envoy_log_error!("tenon: {message}"),
    }
}
