//! What transformations read and change beside headers and body.

use std::borrow::Cow;

use serde_json::{Map, Value};
use tenon_core::host::{Attributes, Effects};
use tenon_core::inja::Metadata;

use super::FakeHost;

/// What is around the stream.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) cluster: Option<&'static str>,
    pub(super) destination: Option<&'static str>,
    pub(super) details: Option<&'static str>,
    /// Dynamic metadata, by namespace.
    pub(super) metadata: Map<String, Value>,
    pub(super) span: Option<String>,
    pub(super) routed_again: bool,
}

impl Attributes for FakeHost {
    fn metadata(&self, of: Metadata, namespace: &str, path: &[&str]) -> Option<Value> {
        if of != Metadata::Dynamic {
            return None;
        }
        let namespace = self.surroundings.metadata.get(namespace)?;
        path.iter()
            .try_fold(namespace, |value, name| value.get(name))
            .cloned()
    }

    fn environment(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn random(&self) -> u128 {
        4
    }

    fn cluster_name(&self) -> Option<Cow<'_, [u8]>> {
        self.surroundings
            .cluster
            .map(|name| Cow::Borrowed(name.as_bytes()))
    }

    fn destination(&self) -> Option<Cow<'_, [u8]>> {
        self.surroundings
            .destination
            .map(|number| Cow::Borrowed(number.as_bytes()))
    }

    fn response_details(&self) -> Option<Cow<'_, [u8]>> {
        self.surroundings
            .details
            .map(|details| Cow::Borrowed(details.as_bytes()))
    }
}

impl Effects for FakeHost {
    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value) {
        let all = self.surroundings.metadata.entry(namespace);
        if let Value::Object(all) = all.or_insert_with(|| Value::Object(Map::new())) {
            all.insert(key.to_owned(), value.clone());
        }
    }

    fn name_span(&mut self, name: &str) {
        self.surroundings.span = Some(name.to_owned());
    }

    fn clear_route_cache(&mut self) {
        self.surroundings.routed_again = true;
    }
}
