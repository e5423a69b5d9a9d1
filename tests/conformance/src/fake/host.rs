//! The host that a filter sees.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use tenon_core::host::{Body, Connection, Headers, Level, Side, Slot, Stream, Telemetry};

use super::HeaderList;
use super::surroundings::Surroundings;

/// Envoy as one request's filters see it.
#[derive(Debug, Default)]
pub struct FakeHost {
    /// One map for all tries, as in Envoy.
    pub(super) request_headers: HeaderList,
    pub(super) now: Duration,
    pub(super) route_metadata: BTreeMap<String, Vec<u8>>,
    pub(super) secret: Option<Vec<u8>>,
    pub(super) http2: bool,
    pub(super) source_address: String,
    /// Filter state: of the request, not of the try.
    pub(super) remembered: BTreeMap<String, Vec<u8>>,
    pub(super) annotations: BTreeMap<String, Vec<u8>>,
    pub(super) counts: Vec<Count>,
    pub(super) logs: Vec<(Level, String)>,
    pub(super) problems: Vec<String>,
    pub(super) this_try: Try,
    pub(super) surroundings: Surroundings,
}

/// A try as it was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The function, or nothing.
    pub function: String,
    /// `ok`, an error's code or `cancelled`.
    pub result: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// What each try has of its own.
#[derive(Debug, Default)]
pub(super) struct Try {
    pub(super) number: usize,
    pub(super) response_headers: HeaderList,
    pub(super) request_body: Chunks,
    pub(super) response_body: Chunks,
}

/// The part of a body that has come and not gone on.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    held: Vec<Vec<u8>>,
    new: Vec<Vec<u8>>,
    /// Whether a call of [`Body::replace_body`] would lose bytes that are still to come.
    pub(super) replaceable: bool,
}

impl Chunks {
    /// A frame comes, in two chunks where it can, because Envoy's buffers have any number of slices.
    pub(super) fn arrive(&mut self, frame: &[u8]) {
        let (first, second) = frame.split_at(frame.len() / 2);
        let chunks = [first, second].into_iter().filter(|it| !it.is_empty());
        self.new = chunks.map(<[u8]>::to_vec).collect();
    }

    pub(super) fn hold(&mut self) {
        self.held.append(&mut self.new);
    }

    pub(super) fn release(&mut self) -> Vec<u8> {
        self.hold();
        mem::take(&mut self.held).concat()
    }
}

impl FakeHost {
    pub(super) fn headers(&self, side: Side) -> &HeaderList {
        match side {
            Side::Request => &self.request_headers,
            Side::Response => &self.this_try.response_headers,
        }
    }

    fn headers_mut(&mut self, side: Side) -> &mut HeaderList {
        match side {
            Side::Request => &mut self.request_headers,
            Side::Response => &mut self.this_try.response_headers,
        }
    }

    fn chunks(&self, side: Side) -> &Chunks {
        match side {
            Side::Request => &self.this_try.request_body,
            Side::Response => &self.this_try.response_body,
        }
    }

    pub(super) fn chunks_mut(&mut self, side: Side) -> &mut Chunks {
        match side {
            Side::Request => &mut self.this_try.request_body,
            Side::Response => &mut self.this_try.response_body,
        }
    }

    pub(super) fn problem(&mut self, what: impl AsRef<str>) {
        let text = format!("try {}: {}", self.this_try.number, what.as_ref());
        self.problems.push(text);
    }

    /// Envoy sends whatever a module sets, so the filter has to know better.
    fn check_header(&mut self, name: &str, value: &[u8]) {
        let plain = name.strip_prefix(':').unwrap_or(name);
        let token = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
        };
        if plain.is_empty() || !plain.bytes().all(token) {
            self.problem(format!("set a header with the name {name:?}"));
        }
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            self.problem(format!("set {name} to a value with CR, LF or NUL"));
        }
    }
}

impl Headers for FakeHost {
    fn header(&self, side: Side, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers(side).get(name).map(Cow::Borrowed)
    }

    fn each_header(&self, side: Side, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.headers(side).iter() {
            visit(name.as_bytes(), value);
        }
    }

    fn set_header(&mut self, side: Side, name: &str, value: &[u8]) {
        self.check_header(name, value);
        self.headers_mut(side).set(name, value);
    }

    fn add_header(&mut self, side: Side, name: &str, value: &[u8]) {
        self.check_header(name, value);
        self.headers_mut(side).add(name, value);
    }

    fn remove_header(&mut self, side: Side, name: &str) {
        self.headers_mut(side).remove(name);
    }
}

impl Body for FakeHost {
    fn each_chunk(&self, side: Side, visit: &mut dyn FnMut(&[u8])) {
        let chunks = self.chunks(side);
        let all = chunks.held.iter().chain(&chunks.new);
        all.for_each(|chunk| visit(chunk));
    }

    fn new_length(&self, side: Side) -> u64 {
        let new = self.chunks(side).new.iter();
        new.map(|chunk| chunk.len() as u64).sum()
    }

    fn replace_body(&mut self, side: Side, bytes: &[u8]) {
        if !self.chunks(side).replaceable {
            self.problem("replaced a body in the headers hook of a message that has one");
        }
        let chunks = self.chunks_mut(side);
        chunks.held.clear();
        chunks.new = vec![bytes.to_vec()];
    }

    fn rewrite_body(&mut self, side: Side, rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>)) {
        if self.chunks(side).held.iter().any(|chunk| !chunk.is_empty()) {
            self.problem("rewrote a body of which some is held");
        }
        let chunks = self.chunks_mut(side);
        let mut rewritten = Vec::new();
        for chunk in &chunks.new {
            rewrite(chunk, &mut rewritten);
        }
        chunks.new = vec![rewritten];
    }
}

impl Stream for FakeHost {
    fn now(&self) -> Duration {
        self.now
    }

    fn route_metadata(&self, key: &str) -> Option<Cow<'_, [u8]>> {
        self.route_metadata
            .get(key)
            .map(|value| Cow::Borrowed(&**value))
    }

    fn secret(&self) -> Option<Cow<'_, [u8]>> {
        self.secret.as_deref().map(Cow::Borrowed)
    }

    fn remembered(&self, slot: Slot) -> Option<Cow<'_, [u8]>> {
        let bytes = self.remembered.get(&*slot.name())?;
        Some(Cow::Borrowed(bytes))
    }

    fn remember(&mut self, slot: Slot, bytes: &[u8]) {
        // As Envoy's filter state does with what is read-only.
        let name = slot.name().into_owned();
        if self.remembered.insert(name, bytes.to_vec()).is_some() {
            self.problem(format!("wrote {slot:?} twice"));
        }
    }
}

impl Connection for FakeHost {
    fn protocol(&self) -> Option<Cow<'_, [u8]>> {
        let protocol: &[u8] = if self.http2 { b"HTTP/2" } else { b"HTTP/1.1" };
        Some(Cow::Borrowed(protocol))
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self.source_address.as_bytes()))
    }
}

impl Telemetry for FakeHost {
    fn annotate(&mut self, pairs: &[(&str, &[u8])]) {
        for (key, value) in pairs {
            self.annotations.insert((*key).to_owned(), value.to_vec());
        }
    }

    fn count(&mut self, function: &str, result: &'static str, took: Duration) {
        self.counts.push(Count {
            function: function.to_owned(),
            result,
            took,
        });
    }

    fn log(&mut self, level: Level, message: &str) {
        self.logs.push((level, message.to_owned()));
    }
}
