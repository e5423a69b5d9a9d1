//! The core's capabilities, in terms of host calls.
//!
//! A host call that Envoy refuses makes the SDK trap, which costs more than the request. So what is in reach is tracked
//! here ([`Message`]), and nothing else is called:
//!
//! * The headers of a message can be read and written in their own hook, and in all later hooks of either message if
//!   their own hook answered [`Action::Pause`]. After [`Action::Continue`] Envoy takes them out of reach.
//! * The body can be read and written in its own hook. What is held back is in reach in the trailers hook too. In the
//!   headers hook there is none, nor in the trailers hook where no body came: what the core puts there is kept in
//!   [`Message::pending`], and cannot be sent.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType};
use tenon_contract::{NAMESPACE, SECRET_HEADER};
use tenon_core::host::{Body, Connection, Headers, Level, Side, Slot, Stream, Telemetry};
use zeroize::Zeroizing;

use crate::function::Shared;

/// What of a stream is in reach.
#[derive(Default)]
pub(crate) struct StreamState {
    pub(crate) request: Message,
    pub(crate) response: Message,
    secret: Option<Zeroizing<Vec<u8>>>,
    /// The request's headers as they went on, where the response's hooks will read them.
    pub(crate) kept_request: Option<Vec<(String, Vec<u8>)>>,
    pub(crate) keeps_request: bool,
}

/// A request or a response.
#[derive(Default)]
pub(crate) struct Message {
    headers: bool,
    body: Option<Held>,
    /// What earlier hooks held back.
    held: Option<usize>,
    /// A body for a message that has none.
    pub(crate) pending: Vec<u8>,
}

/// The body in reach: its length, and how much of it earlier hooks saw.
#[derive(Clone, Copy)]
struct Held {
    seen: usize,
    length: usize,
}

impl Message {
    pub(crate) fn headers_arrive(&mut self) {
        self.headers = true;
    }

    pub(crate) fn headers_leave(&mut self, action: Action) {
        self.headers = action == Action::Pause;
    }

    /// `length`: with what was held back before.
    pub(crate) fn body_arrives(&mut self, length: usize) {
        let seen = self.held.take().unwrap_or(0);
        self.body = Some(Held { seen, length });
    }

    pub(crate) fn body_leaves(&mut self, action: Action) {
        let body = self.body.take();
        if action == Action::Pause {
            self.held = body.map(|body| body.length);
        }
    }

    pub(crate) fn trailers_arrive(&mut self) {
        self.body = self.held.map(|length| Held {
            seen: length,
            length,
        });
    }

    pub(crate) fn has_headers(&self) -> bool {
        self.headers
    }
}

impl StreamState {
    /// Takes the secret out of the request: before anything else, so that it goes nowhere. What is there where none is
    /// `expected` is the client's own, and dropped.
    pub(crate) fn take_secret(&mut self, expected: bool) {
        let map = MapType::HttpRequestHeaders;
        let found = hostcalls::get_map_value_bytes(map, SECRET_HEADER);
        let Some(found) = found.ok().flatten().map(Zeroizing::new) else {
            // Among a listener's filters, Envoy would choose the route again for any change.
            return;
        };
        let _ = hostcalls::remove_map_value(map, SECRET_HEADER);
        self.secret = expected.then_some(found);
    }

    /// Called when the request's headers go on: they are out of reach from then on.
    pub(crate) fn keep_request(&mut self) {
        if std::mem::take(&mut self.keeps_request) && self.request.has_headers() {
            self.kept_request = hostcalls::get_map_bytes(MapType::HttpRequestHeaders).ok();
        }
    }

    fn message(&self, side: Side) -> &Message {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    fn message_mut(&mut self, side: Side) -> &mut Message {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

/// A stream of Envoy, for the time of one hook.
pub(crate) struct WasmHost<'a> {
    pub(crate) stream: &'a mut StreamState,
    shared: Option<&'a Shared>,
}

impl<'a> WasmHost<'a> {
    pub(crate) fn new(stream: &'a mut StreamState, shared: Option<&'a Shared>) -> Self {
        Self { stream, shared }
    }

    fn kept(&self, side: Side) -> impl Iterator<Item = &(String, Vec<u8>)> {
        let kept = self.stream.kept_request.as_ref();
        kept.filter(|_| side == Side::Request).into_iter().flatten()
    }

    fn map(&self, side: Side) -> Option<MapType> {
        self.stream.message(side).has_headers().then_some(map(side))
    }
}

fn map(side: Side) -> MapType {
    match side {
        Side::Request => MapType::HttpRequestHeaders,
        Side::Response => MapType::HttpResponseHeaders,
    }
}

fn buffer(side: Side) -> BufferType {
    match side {
        Side::Request => BufferType::HttpRequestBody,
        Side::Response => BufferType::HttpResponseBody,
    }
}

impl Headers for WasmHost<'_> {
    fn header(&self, side: Side, name: &str) -> Option<Cow<'_, [u8]>> {
        let Some(map) = self.map(side) else {
            let mut kept = self.kept(side);
            let (_, value) = kept.find(|(own, _)| own == name)?;
            return Some(Cow::Borrowed(value));
        };
        let value = hostcalls::get_map_value_bytes(map, name);
        value.ok().flatten().map(Cow::Owned)
    }

    fn each_header(&self, side: Side, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let Some(map) = self.map(side) else {
            self.kept(side)
                .for_each(|(name, value)| visit(name.as_bytes(), value));
            return;
        };
        for (name, value) in hostcalls::get_map_bytes(map).unwrap_or_default() {
            visit(name.as_bytes(), &value);
        }
    }

    fn set_header(&mut self, side: Side, name: &str, value: &[u8]) {
        if let Some(map) = self.map(side) {
            let _ = hostcalls::set_map_value_bytes(map, name, Some(value));
        }
    }

    fn add_header(&mut self, side: Side, name: &str, value: &[u8]) {
        if let Some(map) = self.map(side) {
            let _ = hostcalls::add_map_value_bytes(map, name, value);
        }
    }

    fn remove_header(&mut self, side: Side, name: &str) {
        if let Some(map) = self.map(side) {
            let _ = hostcalls::remove_map_value(map, name);
        }
    }
}

impl Body for WasmHost<'_> {
    fn each_chunk(&self, side: Side, visit: &mut dyn FnMut(&[u8])) {
        let length = self.stream.message(side).body.map_or(0, |body| body.length);
        if length > 0
            && let Ok(Some(bytes)) = hostcalls::get_buffer(buffer(side), 0, length)
        {
            visit(&bytes);
        }
    }

    fn new_length(&self, side: Side) -> u64 {
        let body = self.stream.message(side).body;
        body.map_or(0, |body| body.length.saturating_sub(body.seen) as u64)
    }

    fn replace_body(&mut self, side: Side, bytes: &[u8]) {
        let message = self.stream.message_mut(side);
        if let Some(body) = &mut message.body {
            body.length = bytes.len();
            let _ = hostcalls::set_buffer(buffer(side), 0, usize::MAX, bytes);
        } else {
            message.pending = bytes.to_owned();
        }
    }

    /// In pieces, because a VM's memory never shrinks: each is taken off the front, and what becomes of it put at the end.
    fn rewrite_body(&mut self, side: Side, rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>)) {
        const PIECE: usize = 64 * 1024;
        let Some(body) = &mut self.stream.message_mut(side).body else {
            return;
        };
        let (mut left, mut rewritten) = (body.length, 0);
        let mut out = Vec::new();
        while left > 0 {
            let size = left.min(PIECE);
            let Ok(Some(piece)) = hostcalls::get_buffer(buffer(side), 0, size) else {
                break;
            };
            left -= size;
            let _ = hostcalls::set_buffer(buffer(side), 0, size, b"");
            rewrite(&piece, &mut out);
            if !out.is_empty() {
                let _ = hostcalls::set_buffer(buffer(side), left + rewritten, 0, &out);
                rewritten += out.len();
                out.clear();
            }
        }
        body.length = rewritten;
    }
}

impl Stream for WasmHost<'_> {
    fn now(&self) -> Duration {
        hostcalls::get_current_time()
            .ok()
            .and_then(|now| now.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default()
    }

    fn route_metadata(&self, key: &str) -> Option<Cow<'_, [u8]>> {
        property(vec![
            "xds",
            "route_metadata",
            "filter_metadata",
            NAMESPACE,
            key,
        ])
        .map(Cow::Owned)
    }

    fn secret(&self) -> Option<Cow<'_, [u8]>> {
        self.stream
            .secret
            .as_ref()
            .map(|secret| Cow::Borrowed(secret.as_slice()))
    }

    fn remembered(&self, slot: Slot) -> Option<Cow<'_, [u8]>> {
        property(vec![&slot.name()]).map(Cow::Owned)
    }

    fn remember(&mut self, slot: Slot, bytes: &[u8]) {
        let _ = hostcalls::set_property(vec![&slot.name()], Some(bytes));
    }
}

impl Connection for WasmHost<'_> {
    fn protocol(&self) -> Option<Cow<'_, [u8]>> {
        property(vec!["request", "protocol"]).map(Cow::Owned)
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        property(vec!["source", "address"]).map(Cow::Owned)
    }
}

pub(crate) fn property(path: Vec<&str>) -> Option<Vec<u8>> {
    hostcalls::get_property(path).ok().flatten()
}

impl Telemetry for WasmHost<'_> {
    /// proxy-wasm cannot write dynamic metadata; filter state it can: `wasm.tenon.<key>`.
    fn annotate(&mut self, pairs: &[(&str, &[u8])]) {
        for (key, value) in pairs {
            let name = format!("{NAMESPACE}.{key}");
            let _ = hostcalls::set_property(vec![&name], Some(value));
        }
    }

    fn count(&mut self, function: &str, result: &'static str, took: Duration) {
        if let Some(shared) = self.shared {
            let upstream = shared.upstream.name();
            shared.metrics.count(upstream, function, result, took);
        }
    }

    fn clock_skew(&mut self, seconds: u64) {
        if let Some(shared) = self.shared {
            shared.metrics.clock_skew(seconds);
        }
    }

    fn log(&mut self, level: Level, message: &str) {
        log(level, message);
    }
}

/// Envoy says before it which plugin speaks.
pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    };
    let _ = hostcalls::log(level, message);
}
