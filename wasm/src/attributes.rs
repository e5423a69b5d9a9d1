//! What transformations read and change beside headers and body, in terms of host calls.

use std::borrow::Cow;
use std::cell::Cell;

use proxy_wasm::hostcalls;
use serde_json::Value;
use tenon_contract::transform::DESTINATION_STATE;
use tenon_core::host::{Attributes, Effects, Stream};
use tenon_core::inja::Metadata;

use crate::host::{WasmHost, property};

impl Attributes for WasmHost<'_> {
    fn metadata(&self, of: Metadata, namespace: &str, path: &[&str]) -> Option<Value> {
        let mut all = match of {
            Metadata::Cluster => vec!["xds", "cluster_metadata", "filter_metadata"],
            Metadata::Dynamic => vec!["metadata", "filter_metadata"],
            Metadata::Host => vec!["xds", "upstream_host_metadata", "filter_metadata"],
        };
        all.push(namespace);
        all.extend(path);
        property(all).map(|bytes| value(&bytes))
    }

    /// A module of this kind has no environment.
    fn environment(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn random(&self) -> u128 {
        thread_local! {
            static COUNT: Cell<u64> = const { Cell::new(0) };
        }
        let count = COUNT.get().wrapping_add(1);
        COUNT.set(count);
        // There is no better source here. Requests of one worker have different counts, those of different workers
        // seldom the same time.
        let now = u64::try_from(self.now().as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
        u128::from(mixed(now ^ count.rotate_left(32))) << 64 | u128::from(mixed(count ^ !now))
    }

    fn cluster_name(&self) -> Option<Cow<'_, [u8]>> {
        property(vec!["xds", "cluster_name"]).map(Cow::Owned)
    }

    fn destination(&self) -> Option<Cow<'_, [u8]>> {
        property(vec!["filter_state", DESTINATION_STATE]).map(Cow::Owned)
    }

    fn response_details(&self) -> Option<Cow<'_, [u8]>> {
        property(vec!["response", "code_details"]).map(Cow::Owned)
    }
}

/// A property tells its bytes, but not its type. Text is what it is most often; what is no text is a number or a truth
/// value if it has the length of one.
fn value(bytes: &[u8]) -> Value {
    let is_text = |text: &&str| !text.contains(|c: char| c.is_control() && !c.is_whitespace());
    match (std::str::from_utf8(bytes).ok().filter(is_text), bytes) {
        (Some(text), _) => text.into(),
        (None, [truth @ 0..=1]) => (*truth == 1).into(),
        (None, _) => match <[u8; 8]>::try_from(bytes) {
            Ok(number) => f64::from_le_bytes(number).into(),
            Err(_) => String::from_utf8_lossy(bytes).into(),
        },
    }
}

/// SplitMix64's finaliser: every bit of the input changes half of the output's.
fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl Effects for WasmHost<'_> {
    /// proxy-wasm cannot write dynamic metadata; filter state it can: `wasm.<namespace>.<key>`.
    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value) {
        let name = format!("{namespace}.{key}");
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let _ = hostcalls::set_property(vec![&name], Some(text.as_bytes()));
    }

    /// proxy-wasm cannot.
    fn name_span(&mut self, _name: &str) {}

    fn clear_route_cache(&mut self) {
        let _ = hostcalls::call_foreign_function("clear_route_cache", None);
    }

    fn keep_request_headers(&mut self) {
        self.stream.keeps_request = true;
    }
}
