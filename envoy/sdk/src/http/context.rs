//! What surrounds a stream: its worker, route and cluster, filter state, attributes, secrets.

use super::native::{EnvoyHttpFilterImpl, call};
use crate::abi::{
    self, envoy_dynamic_module_type_attribute_id as AttributeId,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::EnvoyBuffer;
use crate::config::EnvoySecretId;
use crate::hooks::RouteConfig;
use std::any::Any;
use std::sync::Arc;

/// What surrounds a stream. [`EnvoyHttpContext::route_config`] and the names around secrets are ours, not the official
/// SDK's.
pub trait EnvoyHttpContext {
    /// The number of this worker.
    fn get_worker_index(&self) -> u32;
    /// The per-route config that `declare_init_functions!`'s third function made for this route, the most specific one;
    /// a weighted cluster's before its route's. `None` too if the stream has no route.
    ///
    /// Costs a reference count shared by all workers; [`EnvoyHttpContext::route_config`] does not.
    fn get_most_specific_route_config(&self) -> Option<Arc<dyn Any + Send + Sync>>;
    /// The same, borrowed.
    fn route_config(&self) -> Option<&(dyn Any + Send + Sync)>;
    /// The name of the route's cluster.
    fn get_cluster_name<'a>(&'a self) -> Option<EnvoyBuffer<'a>>;
    /// Bytes of filter state.
    fn get_filter_state_bytes<'a>(&'a self, key: &[u8]) -> Option<EnvoyBuffer<'a>>;
    /// Sets bytes of filter state. They outlive a try (also one that timed out), are seen by downstream filters and by
    /// access logs (`%FILTER_STATE(key:PLAIN)%`), but do not outlive an internal redirect.
    fn set_filter_state_bytes(&mut self, key: &[u8], value: &[u8]) -> bool;
    /// A text attribute.
    fn get_attribute_string<'a>(&'a self, attribute_id: AttributeId) -> Option<EnvoyBuffer<'a>>;
    /// A number attribute. `UpstreamRequestAttemptCount` is the number of the try in the upstream position, from 1.
    fn get_attribute_int(&self, attribute_id: AttributeId) -> Option<i64>;
    /// A truth attribute.
    fn get_attribute_bool(&self, attribute_id: AttributeId) -> Option<bool>;
    /// The bytes of a secret that the config subscribed to, as they are now: empty if none has come.
    fn get_generic_secret<'a>(&'a self, id: EnvoySecretId) -> Option<EnvoyBuffer<'a>>;
}

impl EnvoyHttpContext for EnvoyHttpFilterImpl {
    fn get_worker_index(&self) -> u32 {
        call!(
            envoy_dynamic_module_callback_http_filter_get_worker_index,
            self.raw
        )
    }

    fn get_most_specific_route_config(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.raw_route_config().map(Arc::clone)
    }

    fn route_config(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.raw_route_config().map(|config| &**config)
    }

    fn get_cluster_name<'a>(&'a self) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_cluster_name,
                self.raw,
                out
            )
        })
    }

    fn get_filter_state_bytes<'a>(&'a self, key: &[u8]) -> Option<EnvoyBuffer<'a>> {
        let key = ModuleBuffer::of(key);
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_filter_state_bytes,
                self.raw,
                key,
                out
            )
        })
    }

    fn set_filter_state_bytes(&mut self, key: &[u8], value: &[u8]) -> bool {
        let (key, value) = (ModuleBuffer::of(key), ModuleBuffer::of(value));
        call!(
            envoy_dynamic_module_callback_http_set_filter_state_bytes,
            self.raw,
            key,
            value
        )
    }

    fn get_attribute_string<'a>(&'a self, attribute_id: AttributeId) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_attribute_string,
                self.raw,
                attribute_id.to_raw(),
                out
            )
        })
    }

    fn get_attribute_int(&self, attribute_id: AttributeId) -> Option<i64> {
        let value = Self::value::<u64>(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_attribute_int,
                self.raw,
                attribute_id.to_raw(),
                out
            )
        });
        value.map(u64::cast_signed)
    }

    fn get_attribute_bool(&self, attribute_id: AttributeId) -> Option<bool> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_attribute_bool,
                self.raw,
                attribute_id.to_raw(),
                out
            )
        })
    }

    fn get_generic_secret<'a>(&'a self, id: EnvoySecretId) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_generic_secret,
                self.raw,
                id.0.get(),
                out
            )
        })
    }
}

impl EnvoyHttpFilterImpl {
    fn raw_route_config(&self) -> Option<&RouteConfig> {
        let raw = call!(
            envoy_dynamic_module_callback_get_most_specific_route_config,
            self.raw
        );
        // SAFETY: null, or what `per_route_config_new` made; the stream holds its route, and so the config, through
        // the hook.
        unsafe { raw.cast::<RouteConfig>().as_ref() }
    }
}
