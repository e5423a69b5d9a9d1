//! A host that costs next to nothing: what is counted is the core.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use tenon_core::host::{
    Attributes, Body, Connection, Effects, Headers, Level, Side, Slot, Stream, Telemetry,
};
use tenon_core::inja::Metadata;

/// Headers.
pub(crate) type List = Vec<(Cow<'static, str>, Vec<u8>)>;

/// A stream.
#[derive(Default)]
pub(crate) struct LightHost {
    pub(crate) request: List,
    pub(crate) response: List,
    pub(crate) bodies: [Vec<u8>; 2],
    pub(crate) metadata: Vec<u8>,
    pub(crate) secret: Vec<u8>,
    pub(crate) remembered: Option<Vec<u8>>,
}

impl LightHost {
    fn list(&self, side: Side) -> &List {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    fn list_mut(&mut self, side: Side) -> &mut List {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    fn body(&self, side: Side) -> &Vec<u8> {
        &self.bodies[side as usize]
    }
}

impl Headers for LightHost {
    fn header(&self, side: Side, name: &str) -> Option<Cow<'_, [u8]>> {
        let own = self.list(side).iter().find(|(own, _)| own == name);
        own.map(|(_, value)| Cow::Borrowed(&**value))
    }

    fn each_header(&self, side: Side, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.list(side) {
            visit(name.as_bytes(), value);
        }
    }

    fn set_header(&mut self, side: Side, name: &str, value: &[u8]) {
        self.remove_header(side, name);
        self.add_header(side, name, value);
    }

    fn add_header(&mut self, side: Side, name: &str, value: &[u8]) {
        let name = Cow::Owned(name.to_owned());
        self.list_mut(side).push((name, value.to_vec()));
    }

    fn remove_header(&mut self, side: Side, name: &str) {
        self.list_mut(side).retain(|(own, _)| own != name);
    }
}

impl Body for LightHost {
    fn each_chunk(&self, side: Side, visit: &mut dyn FnMut(&[u8])) {
        // As Envoy's buffers have it.
        self.body(side).chunks(16 << 10).for_each(visit);
    }

    fn new_length(&self, side: Side) -> u64 {
        self.body(side).len() as u64
    }

    fn replace_body(&mut self, side: Side, bytes: &[u8]) {
        self.bodies[side as usize] = bytes.to_vec();
    }

    fn rewrite_body(&mut self, side: Side, rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>)) {
        let mut rewritten = Vec::with_capacity(self.body(side).len());
        rewrite(self.body(side), &mut rewritten);
        self.bodies[side as usize] = rewritten;
    }
}

impl Stream for LightHost {
    fn now(&self) -> Duration {
        Duration::from_secs(1_440_938_160)
    }

    fn route_metadata(&self, _key: &str) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(&self.metadata))
    }

    fn secret(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(&self.secret))
    }

    fn remembered(&self, slot: Slot) -> Option<Cow<'_, [u8]>> {
        let own = self.remembered.as_deref().filter(|_| slot == Slot::Request);
        own.map(Cow::Borrowed)
    }

    fn remember(&mut self, slot: Slot, bytes: &[u8]) {
        if slot == Slot::Request {
            self.remembered = Some(bytes.to_vec());
        }
    }
}

impl Connection for LightHost {
    fn protocol(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(b"HTTP/1.1"))
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(b"192.0.2.1:50000"))
    }
}

impl Telemetry for LightHost {
    fn annotate(&mut self, pairs: &[(&str, &[u8])]) {
        std::hint::black_box(pairs);
    }

    fn count(&mut self, function: &str, result: &'static str, took: Duration) {
        std::hint::black_box((function, result, took));
    }

    fn log(&mut self, _level: Level, message: &str) {
        std::hint::black_box(message);
    }
}

impl Attributes for LightHost {
    fn metadata(&self, _of: Metadata, _namespace: &str, _path: &[&str]) -> Option<Value> {
        None
    }

    fn environment(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn random(&self) -> u128 {
        4
    }

    fn cluster_name(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn destination(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn response_details(&self) -> Option<Cow<'_, [u8]>> {
        None
    }
}

impl Effects for LightHost {
    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value) {
        std::hint::black_box((namespace, key, value));
    }

    fn name_span(&mut self, name: &str) {
        std::hint::black_box(name);
    }

    fn clear_route_cache(&mut self) {}
}
