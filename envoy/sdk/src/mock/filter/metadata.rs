//! A stream's metadata, in a map.

use super::MockHttpFilter;
use crate::abi::envoy_dynamic_module_type_metadata_source as MetadataSource;
use crate::buffer::EnvoyBuffer;
use crate::http::EnvoyHttpMetadata;

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

impl MockHttpFilter {
    pub(super) fn put_metadata(
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
}

impl EnvoyHttpMetadata for MockHttpFilter {
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

    fn set_dynamic_metadata_struct(&mut self, namespace: &str, value: &[u8]) {
        let structs = self.metadata_structs.entry(namespace.to_owned());
        structs.or_default().push(value.to_vec());
    }
}
