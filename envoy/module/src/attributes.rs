//! What transformations read and change beside headers and body, in terms of the SDK.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::unix::ffi::OsStringExt as _;

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyHttpFilter;
use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    envoy_dynamic_module_type_attribute_id as AttributeId,
    envoy_dynamic_module_type_metadata_source as MetadataSource,
};
use serde_json::{Map, Value};
use tenon_contract::transform::DESTINATION_STATE;
use tenon_core::host::{Attributes, Effects};
use tenon_core::inja::Metadata;

use crate::host::EnvoyHost;

fn source(of: Metadata) -> MetadataSource {
    match of {
        Metadata::Cluster => MetadataSource::Cluster,
        Metadata::Dynamic => MetadataSource::Dynamic,
        Metadata::Host => MetadataSource::Host,
    }
}

impl<EHF: EnvoyHttpFilter> Attributes for EnvoyHost<'_, EHF> {
    /// A module reaches flat values and lists of them.
    fn metadata(&self, of: Metadata, namespace: &str, path: &[&str]) -> Option<Value> {
        let [key] = path else { return None };
        let (envoy, of) = (&*self.envoy, source(of));
        if let Some(text) = envoy.get_metadata_string(of, namespace, key) {
            return Some(String::from_utf8_lossy(text.as_slice()).into());
        }
        if let Some(number) = envoy.get_metadata_number(of, namespace, key) {
            return Some(number.into());
        }
        if let Some(truth) = envoy.get_metadata_bool(of, namespace, key) {
            return Some(truth.into());
        }
        let length = envoy.get_metadata_list_size(of, namespace, key)?;
        let items = (0..length).map(|index| {
            if let Some(text) = envoy.get_metadata_list_string(of, namespace, key, index) {
                return String::from_utf8_lossy(text.as_slice()).into();
            }
            if let Some(number) = envoy.get_metadata_list_number(of, namespace, key, index) {
                return number.into();
            }
            envoy
                .get_metadata_list_bool(of, namespace, key, index)
                .map_or(Value::Null, Value::from)
        });
        Some(items.collect::<Vec<_>>().into())
    }

    fn environment(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        // Such a name would make the look-up panic.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        std::env::var_os(name).map(|value| Cow::Owned(value.into_vec()))
    }

    fn random(&self) -> u128 {
        // Its keys are random, and others each time.
        let word = || u128::from(RandomState::new().hash_one(0_u8));
        word() << 64 | word()
    }

    fn cluster_name(&self) -> Option<Cow<'_, [u8]>> {
        let name = self.envoy.get_cluster_name()?;
        Some(Cow::Borrowed(name.as_slice()))
    }

    fn destination(&self) -> Option<Cow<'_, [u8]>> {
        let number = self
            .envoy
            .get_filter_state_bytes(DESTINATION_STATE.as_bytes())?;
        Some(Cow::Borrowed(number.as_slice()))
    }

    fn response_details(&self) -> Option<Cow<'_, [u8]>> {
        let details = self
            .envoy
            .get_attribute_string(AttributeId::ResponseCodeDetails)?;
        Some(Cow::Borrowed(details.as_slice()))
    }
}

impl<EHF: EnvoyHttpFilter> Effects for EnvoyHost<'_, EHF> {
    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value) {
        match value {
            Value::String(text) => self.envoy.set_dynamic_metadata_string(namespace, key, text),
            Value::Bool(truth) => self.envoy.set_dynamic_metadata_bool(namespace, key, *truth),
            Value::Number(number) => self.envoy.set_dynamic_metadata_number(
                namespace,
                key,
                number.as_f64().unwrap_or_default(),
            ),
            nested => {
                let mut bytes = Vec::new();
                write_field(&mut bytes, key, nested);
                self.envoy.set_dynamic_metadata_struct(namespace, &bytes);
            }
        }
    }

    fn name_span(&mut self, name: &str) {
        if let Some(span) = self.envoy.get_active_span() {
            span.set_operation(name);
        }
    }

    fn clear_route_cache(&mut self) {
        self.envoy.clear_route_cache();
    }
}

/// An entry of `google.protobuf.Struct.fields` (field 1), in protobuf's binary form.
fn write_field(out: &mut Vec<u8>, key: &str, value: &Value) {
    let mut entry = Vec::new();
    write_bytes(&mut entry, 1, key.as_bytes());
    write_bytes(&mut entry, 2, &encode(value));
    write_bytes(out, 1, &entry);
}

/// A `google.protobuf.Value`.
fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Null => out.extend([1 << 3, 0]),
        Value::Number(number) => {
            out.push(2 << 3 | 1);
            out.extend(number.as_f64().unwrap_or_default().to_le_bytes());
        }
        Value::String(text) => write_bytes(&mut out, 3, text.as_bytes()),
        Value::Bool(truth) => out.extend([4 << 3, u8::from(*truth)]),
        Value::Object(fields) => write_bytes(&mut out, 5, &write_struct(fields)),
        Value::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                write_bytes(&mut list, 1, &encode(item));
            }
            write_bytes(&mut out, 6, &list);
        }
    }
    out
}

fn write_struct(fields: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in fields {
        write_field(&mut out, key, value);
    }
    out
}

/// A field with a length.
fn write_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        // The lowest seven bits.
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_struct_is_encoded_as_protobuf_has_it() {
        let mut bytes = Vec::new();
        write_field(&mut bytes, "k", &json!({"a": [1, null, true, "x"]}));
        // As Google's own library encodes `fields { key: "k" value { struct_value { … } } }`.
        let expected = [
            0x0a, 0x28, 0x0a, 0x01, b'k', 0x12, 0x23, 0x2a, 0x21, 0x0a, 0x1f, 0x0a, 0x01, b'a',
            0x12, 0x1a, 0x32, 0x18, 0x0a, 0x09, 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x0a, 0x02,
            0x08, 0, 0x0a, 0x02, 0x20, 1, 0x0a, 0x03, 0x1a, 0x01, b'x',
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn lengths_of_more_than_a_byte_are_varints() {
        let mut bytes = Vec::new();
        write_bytes(&mut bytes, 3, &[b'x'; 300]);
        assert_eq!(bytes[..3], [0x1a, 0xac, 0x02]);
        assert_eq!(bytes.len(), 303);
    }
}
