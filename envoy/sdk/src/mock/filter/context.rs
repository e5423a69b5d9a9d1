//! What surrounds a stream, in fields.

use super::MockHttpFilter;
use crate::abi::envoy_dynamic_module_type_attribute_id as AttributeId;
use crate::buffer::EnvoyBuffer;
use crate::config::EnvoySecretId;
use crate::http::EnvoyHttpContext;
use std::any::Any;
use std::sync::Arc;

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

impl EnvoyHttpContext for MockHttpFilter {
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
}
