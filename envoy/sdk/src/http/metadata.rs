//! Metadata of a stream's route, cluster and host, and its own.

use super::native::{EnvoyHttpFilterImpl, call, text};
use crate::abi::{
    self, envoy_dynamic_module_type_metadata_source as MetadataSource,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::EnvoyBuffer;
use crate::lend::with_pairs;

/// Metadata: of the configuration, to be read, and of the stream, to be written too.
pub trait EnvoyHttpMetadata {
    /// A string of metadata.
    fn get_metadata_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<EnvoyBuffer<'a>>;
    /// A number of metadata.
    fn get_metadata_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<f64>;
    /// A truth value of metadata.
    fn get_metadata_bool(&self, source: MetadataSource, namespace: &str, key: &str)
    -> Option<bool>;
    /// The keys of a namespace.
    fn get_metadata_keys<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
    ) -> Option<Vec<EnvoyBuffer<'a>>>;
    /// The namespaces.
    fn get_metadata_namespaces<'a>(
        &'a self,
        source: MetadataSource,
    ) -> Option<Vec<EnvoyBuffer<'a>>>;
    /// The length of a list of metadata.
    fn get_metadata_list_size(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<usize>;
    /// A string in a list of metadata.
    fn get_metadata_list_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<EnvoyBuffer<'a>>;
    /// A number in a list of metadata.
    fn get_metadata_list_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<f64>;
    /// A truth value in a list of metadata.
    fn get_metadata_list_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<bool>;
    /// Sets a string of dynamic metadata. It outlives a try.
    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str);
    /// Sets strings of dynamic metadata by one call, which is cheaper than one for each.
    fn set_dynamic_metadata_string_batch(&mut self, namespace: &str, entries: &[(&str, &str)]);
    /// Sets a number of dynamic metadata.
    fn set_dynamic_metadata_number(&mut self, namespace: &str, key: &str, value: f64);
    /// Sets a truth value of dynamic metadata.
    fn set_dynamic_metadata_bool(&mut self, namespace: &str, key: &str, value: bool);
    /// Merges a serialised `google.protobuf.Struct` into a namespace of dynamic metadata.
    fn set_dynamic_metadata_struct(&mut self, namespace: &str, value: &[u8]);
}

impl EnvoyHttpMetadata for EnvoyHttpFilterImpl {
    fn get_metadata_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_string,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<f64> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_number,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<bool> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_bool,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_keys<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
    ) -> Option<Vec<EnvoyBuffer<'a>>> {
        let count = call!(
            envoy_dynamic_module_callback_http_get_metadata_keys_count,
            self.raw,
            source.to_raw(),
            text(namespace)
        );
        self.buffers(count, |first| {
            count > 0
                && call!(
                    envoy_dynamic_module_callback_http_get_metadata_keys,
                    self.raw,
                    source.to_raw(),
                    text(namespace),
                    first
                )
        })
    }

    fn get_metadata_namespaces<'a>(
        &'a self,
        source: MetadataSource,
    ) -> Option<Vec<EnvoyBuffer<'a>>> {
        let count = call!(
            envoy_dynamic_module_callback_http_get_metadata_namespaces_count,
            self.raw,
            source.to_raw()
        );
        self.buffers(count, |first| {
            count > 0
                && call!(
                    envoy_dynamic_module_callback_http_get_metadata_namespaces,
                    self.raw,
                    source.to_raw(),
                    first
                )
        })
    }

    fn get_metadata_list_size(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<usize> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_size,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_list_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_string,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                index,
                out
            )
        })
    }

    fn get_metadata_list_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<f64> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_number,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                index,
                out
            )
        })
    }

    fn get_metadata_list_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<bool> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_bool,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                index,
                out
            )
        })
    }

    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str) {
        call!(
            envoy_dynamic_module_callback_http_set_dynamic_metadata_string,
            self.raw,
            text(namespace),
            text(key),
            text(value)
        );
    }

    fn set_dynamic_metadata_string_batch(&mut self, namespace: &str, entries: &[(&str, &str)]) {
        with_pairs(entries, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch,
                self.raw,
                text(namespace),
                first,
                count
            );
        });
    }

    fn set_dynamic_metadata_number(&mut self, namespace: &str, key: &str, value: f64) {
        call!(
            envoy_dynamic_module_callback_http_set_dynamic_metadata_number,
            self.raw,
            text(namespace),
            text(key),
            value
        );
    }

    fn set_dynamic_metadata_bool(&mut self, namespace: &str, key: &str, value: bool) {
        call!(
            envoy_dynamic_module_callback_http_set_dynamic_metadata_bool,
            self.raw,
            text(namespace),
            text(key),
            value
        );
    }

    fn set_dynamic_metadata_struct(&mut self, namespace: &str, value: &[u8]) {
        call!(
            envoy_dynamic_module_callback_http_set_dynamic_metadata_struct,
            self.raw,
            text(namespace),
            ModuleBuffer::of(value)
        );
    }
}
