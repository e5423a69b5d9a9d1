//! Route, cluster, metadata, filter state, attributes, secrets, spans.

use super::*;

impl FakeEnvoy {
    /// Bytes of metadata. What the fake makes of them: their length is the number, their being there the truth, and each
    /// an element of the list.
    fn found(&self, source: c_int, namespace: Buffer, key: Buffer) -> Option<&[u8]> {
        let key = format!("{source}/{}/{}", text(namespace), text(key));
        self.metadata.get(&key).map(Vec::as_slice)
    }

    fn element(
        &self,
        source: c_int,
        namespace: Buffer,
        key: Buffer,
        index: usize,
    ) -> Option<&[u8]> {
        self.found(source, namespace, key)?.chunks(1).nth(index)
    }

    fn keys(&self, out: Out) -> bool {
        for (i, key) in self.metadata.keys().enumerate() {
            // SAFETY: the module passes an array of as many as there are.
            give(unsafe { out.add(i) }, Some(key.as_bytes()));
        }
        true
    }
}

fn put<T>(out: *mut T, value: Option<T>) -> bool {
    let Some(value) = value else { return false };
    // SAFETY: the module passes a value of its own.
    unsafe { *out = value };
    true
}

callbacks! {
    envoy_dynamic_module_callback_get_most_specific_route_config() -> *const c_void |fake| {
        fake.route_config.unwrap_or(std::ptr::null())
    }
    envoy_dynamic_module_callback_http_get_metadata_string(source: c_int, namespace: Buffer, key: Buffer, out: Out) -> bool |fake| {
        give(out, fake.found(source, namespace, key))
    }
    envoy_dynamic_module_callback_http_get_metadata_number(source: c_int, namespace: Buffer, key: Buffer, out: *mut f64) -> bool |fake| {
        put(out, fake.found(source, namespace, key).map(|value| value.len() as f64))
    }
    envoy_dynamic_module_callback_http_get_metadata_keys_count(_source: c_int, _namespace: Buffer) -> usize |fake| {
        fake.metadata.len()
    }
    envoy_dynamic_module_callback_http_get_metadata_keys(_source: c_int, _namespace: Buffer, out: Out) -> bool |fake| {
        fake.keys(out)
    }
    envoy_dynamic_module_callback_http_set_dynamic_metadata_string(namespace: Buffer, key: Buffer, value: Buffer) |fake| {
        fake.metadata.insert(format!("0/{}/{}", text(namespace), text(key)), bytes(value).to_vec());
    }
    envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(namespace: Buffer, first: Header, count: usize) |fake| {
        fake.call(format!("set_dynamic_metadata {} [{}]", text(namespace), pairs(first, count)));
    }
    envoy_dynamic_module_callback_http_set_filter_state_bytes(key: Buffer, value: Buffer) -> bool |fake| {
        fake.state.insert(bytes(key).to_vec(), bytes(value).to_vec());
        true
    }
    envoy_dynamic_module_callback_http_get_filter_state_bytes(key: Buffer, out: Out) -> bool |fake| {
        give(out, fake.state.get(bytes(key)).map(Vec::as_slice))
    }
    envoy_dynamic_module_callback_http_filter_get_attribute_int(id: c_int, out: *mut u64) -> bool |_fake| {
        put(out, Some(id as u64))
    }
    envoy_dynamic_module_callback_http_filter_get_generic_secret(_id: usize, out: Out) -> bool |fake| {
        give(out, fake.secret.as_deref())
    }
    envoy_dynamic_module_callback_http_filter_config_generic_secret_subscribe(name: Buffer, source: Buffer) -> usize |fake| {
        fake.call(format!("subscribe {} {}", text(name), text(source)));
        usize::from(fake.secret.is_some())
    }
    envoy_dynamic_module_callback_http_get_metadata_bool(source: c_int, namespace: Buffer, key: Buffer, out: *mut bool) -> bool |fake| {
        put(out, fake.found(source, namespace, key).map(|_| true))
    }
    envoy_dynamic_module_callback_http_get_metadata_namespaces_count(_source: c_int) -> usize |fake| { fake.metadata.len() }
    envoy_dynamic_module_callback_http_get_metadata_namespaces(_source: c_int, out: Out) -> bool |fake| { fake.keys(out) }
    envoy_dynamic_module_callback_http_get_metadata_list_size(source: c_int, namespace: Buffer, key: Buffer, out: *mut usize) -> bool |fake| {
        put(out, fake.found(source, namespace, key).map(<[u8]>::len))
    }
    envoy_dynamic_module_callback_http_get_metadata_list_string(source: c_int, namespace: Buffer, key: Buffer, index: usize, out: Out) -> bool |fake| {
        give(out, fake.element(source, namespace, key, index))
    }
    envoy_dynamic_module_callback_http_get_metadata_list_number(source: c_int, namespace: Buffer, key: Buffer, index: usize, out: *mut f64) -> bool |fake| {
        put(out, fake.element(source, namespace, key, index).map(|byte| f64::from(byte[0])))
    }
    envoy_dynamic_module_callback_http_get_metadata_list_bool(source: c_int, namespace: Buffer, key: Buffer, index: usize, out: *mut bool) -> bool |fake| {
        put(out, fake.element(source, namespace, key, index).map(|_| true))
    }
    envoy_dynamic_module_callback_http_set_dynamic_metadata_number(namespace: Buffer, key: Buffer, value: f64) |fake| {
        fake.call(format!("set_dynamic_metadata {} {}={value}", text(namespace), text(key)));
    }
    envoy_dynamic_module_callback_http_set_dynamic_metadata_bool(namespace: Buffer, key: Buffer, value: bool) |fake| {
        fake.call(format!("set_dynamic_metadata {} {}={value}", text(namespace), text(key)));
    }
    envoy_dynamic_module_callback_http_set_dynamic_metadata_struct(namespace: Buffer, value: Buffer) |fake| {
        fake.call(format!("set_dynamic_metadata {} {}", text(namespace), text(value)));
    }
    envoy_dynamic_module_callback_http_get_cluster_name(out: Out) -> bool |_fake| { give(out, Some(b"cluster")) }
    envoy_dynamic_module_callback_http_filter_get_attribute_string(id: c_int, out: Out) -> bool |fake| {
        // Kept by the fake, as Envoy keeps what it lends.
        let text = format!("attribute {id}").into_bytes();
        give(out, Some(fake.state.entry(b"attribute".to_vec()).or_insert(text)))
    }
    envoy_dynamic_module_callback_http_filter_get_attribute_bool(id: c_int, out: *mut bool) -> bool |_fake| {
        put(out, Some(id != 0))
    }
    envoy_dynamic_module_callback_http_filter_config_get_generic_secret(_id: usize, out: Out) -> bool |fake| {
        give(out, fake.secret.as_deref())
    }
    envoy_dynamic_module_callback_http_span_set_tag(key: Buffer, value: Buffer) |fake| {
        fake.call(format!("tag {}={}", text(key), text(value)));
    }
    envoy_dynamic_module_callback_http_span_set_operation(operation: Buffer) |fake| {
        fake.call(format!("operation {}", text(operation)));
    }
    envoy_dynamic_module_callback_http_child_span_finish() |fake| { fake.call("finish".into()); }
}

/// The fake is its own span.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_active_span(raw: *mut c_void) -> *mut c_void {
    raw
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_span_spawn_child(
    raw: *mut c_void,
    span: *mut c_void,
    operation: Buffer,
) -> *mut c_void {
    FakeEnvoy::at(raw).call(format!("child {}", text(operation)));
    span
}
