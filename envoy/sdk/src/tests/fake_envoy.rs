//! The callbacks, over plain state. A stream and its config are one object here.

use crate::abi::*;
use crate::buffer::slice;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};

type Buffer = envoy_dynamic_module_type_module_buffer;
type Out = *mut envoy_dynamic_module_type_envoy_buffer;
type Header = *const envoy_dynamic_module_type_module_http_header;
type OutHeader = *mut envoy_dynamic_module_type_envoy_http_header;

#[derive(Default)]
pub(super) struct FakeEnvoy {
    pub(super) headers: [Vec<(Vec<u8>, Vec<u8>)>; 4],
    pub(super) bodies: [Option<Vec<Vec<u8>>>; 4],
    pub(super) metadata: BTreeMap<String, Vec<u8>>,
    pub(super) state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) secret: Option<Vec<u8>>,
    pub(super) route_config: Option<*const c_void>,
    /// Calls that change something, in order, as text.
    pub(super) calls: Vec<String>,
    /// A hook to run within `send_response`, as Envoy does with the response's.
    pub(super) on_send_response: Option<Box<dyn Fn()>>,
}

impl FakeEnvoy {
    /// The fake that `raw` points at, for one callback.
    fn at<'a>(raw: *mut c_void) -> &'a mut Self {
        // SAFETY: tests pass the fake they own, and hold no borrow of it while they call the module.
        unsafe { &mut *raw.cast::<Self>() }
    }

    fn call(&mut self, call: String) {
        self.calls.push(call);
    }
}

pub(super) fn bytes<'a>(buffer: Buffer) -> &'a [u8] {
    // SAFETY: the module lends the buffer for the call.
    unsafe { slice(buffer.ptr, buffer.length) }
}

fn text(buffer: Buffer) -> String {
    String::from_utf8(bytes(buffer).to_vec()).unwrap()
}

fn give(out: Out, value: Option<&[u8]>) -> bool {
    let Some(value) = value else { return false };
    // As Envoy's views are: an empty one may be null.
    let ptr = if value.is_empty() {
        std::ptr::null()
    } else {
        value.as_ptr().cast()
    };
    let length = value.len();
    // SAFETY: the module passes a buffer of its own.
    unsafe { *out = envoy_dynamic_module_type_envoy_buffer { ptr, length } };
    true
}

fn pairs(first: Header, count: usize) -> String {
    let pair = |i| {
        // SAFETY: the module lends `count` headers for the call.
        let header = unsafe { &*first.add(i) };
        // SAFETY: as above.
        let (key, value) = unsafe {
            (
                slice(header.key_ptr, header.key_length),
                slice(header.value_ptr, header.value_length),
            )
        };
        format!(
            "{}={}",
            String::from_utf8_lossy(key),
            String::from_utf8_lossy(value)
        )
    };
    (0..count).map(pair).collect::<Vec<_>>().join(";")
}

fn labels(first: *const Buffer, count: usize) -> String {
    // SAFETY: the module lends `count` labels for the call.
    let label = |i| text(unsafe { *first.add(i) });
    (0..count).map(label).collect::<Vec<_>>().join(",")
}

/// Defines callbacks: `name(parameters) -> type |fake| body`, where `fake` is what the first parameter points at.
macro_rules! callbacks {
    ($($name:ident($($parameter:ident: $type:ty),* $(,)?) $(-> $result:ty)? |$fake:ident| $body:block)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(raw: *mut c_void $(, $parameter: $type)*) $(-> $result)? {
            let $fake = FakeEnvoy::at(raw);
            $body
        }
    )*};
}

callbacks! {
    envoy_dynamic_module_callback_http_get_header(map: c_int, key: Buffer, out: Out, index: usize, count: *mut usize) -> bool |fake| {
        let all = fake.headers[map as usize].iter().filter(|(name, _)| name == bytes(key));
        let values: Vec<&[u8]> = all.map(|(_, value)| value.as_slice()).collect();
        if !count.is_null() {
            // SAFETY: not null, so the module's own.
            unsafe { *count = values.len() };
        }
        give(out, values.get(index).copied())
    }
    envoy_dynamic_module_callback_http_get_headers_size(map: c_int) -> usize |fake| { fake.headers[map as usize].len() }
    envoy_dynamic_module_callback_http_get_headers(map: c_int, out: OutHeader) -> bool |fake| {
        for (i, (name, value)) in fake.headers[map as usize].iter().enumerate() {
            let header = envoy_dynamic_module_type_envoy_http_header {
                key_ptr: name.as_ptr().cast(),
                key_length: name.len(),
                value_ptr: value.as_ptr().cast(),
                value_length: value.len(),
            };
            // SAFETY: the module passes an array of as many as `get_headers_size` said.
            unsafe { out.add(i).write(header) };
        }
        true
    }
    envoy_dynamic_module_callback_http_set_header(map: c_int, key: Buffer, value: Buffer) -> bool |fake| {
        let headers = &mut fake.headers[map as usize];
        headers.retain(|(name, _)| name != bytes(key));
        if !value.ptr.is_null() {
            headers.push((bytes(key).to_vec(), bytes(value).to_vec()));
        }
        true
    }
    envoy_dynamic_module_callback_http_add_header(map: c_int, key: Buffer, value: Buffer) -> bool |fake| {
        fake.headers[map as usize].push((bytes(key).to_vec(), bytes(value).to_vec()));
        true
    }
    envoy_dynamic_module_callback_http_get_body_size(body: c_int) -> usize |fake| {
        fake.bodies[body as usize].iter().flatten().map(Vec::len).sum()
    }
    envoy_dynamic_module_callback_http_get_body_chunks_size(body: c_int) -> usize |fake| {
        fake.bodies[body as usize].as_ref().map_or(0, Vec::len)
    }
    envoy_dynamic_module_callback_http_get_body_chunks(body: c_int, out: Out) -> bool |fake| {
        let Some(pieces) = &mut fake.bodies[body as usize] else { return false };
        for (i, piece) in pieces.iter_mut().enumerate() {
            let ptr = if piece.is_empty() { std::ptr::null_mut() } else { piece.as_mut_ptr() };
            let raw = envoy_dynamic_module_type_envoy_buffer { ptr: ptr.cast(), length: piece.len() };
            // SAFETY: the module passes an array of as many as `get_body_chunks_size` said.
            unsafe { out.add(i).write(raw) };
        }
        true
    }
    envoy_dynamic_module_callback_http_append_body(body: c_int, data: Buffer) -> bool |fake| {
        let Some(pieces) = &mut fake.bodies[body as usize] else { return false };
        pieces.push(bytes(data).to_vec());
        true
    }
    envoy_dynamic_module_callback_http_drain_body(body: c_int, count: usize) -> bool |fake| {
        let Some(pieces) = &mut fake.bodies[body as usize] else { return false };
        *pieces = vec![pieces.concat().split_off(count)];
        true
    }
    envoy_dynamic_module_callback_http_send_response(status: u32, headers: Header, count: usize, body: Buffer, details: Buffer) |fake| {
        fake.call(format!("send_response {status} [{}] {} {}", pairs(headers, count), text(body), text(details)));
        if let Some(hook) = fake.on_send_response.take() {
            hook();
        }
    }
    envoy_dynamic_module_callback_http_send_response_headers(headers: Header, count: usize, end: bool) |fake| {
        fake.call(format!("send_response_headers [{}] {end}", pairs(headers, count)));
    }
    envoy_dynamic_module_callback_http_filter_reset_stream(reason: c_int, details: Buffer) |fake| {
        fake.call(format!("reset_stream {reason} {}", text(details)));
    }
    envoy_dynamic_module_callback_http_filter_continue_encoding() |fake| { fake.call("continue_encoding".into()); }
    envoy_dynamic_module_callback_get_most_specific_route_config() -> *const c_void |fake| {
        fake.route_config.unwrap_or(std::ptr::null())
    }
    envoy_dynamic_module_callback_http_get_metadata_string(source: c_int, namespace: Buffer, key: Buffer, out: Out) -> bool |fake| {
        let key = format!("{source}/{}/{}", text(namespace), text(key));
        give(out, fake.metadata.get(&key).map(Vec::as_slice))
    }
    envoy_dynamic_module_callback_http_get_metadata_number(source: c_int, namespace: Buffer, key: Buffer, out: *mut f64) -> bool |fake| {
        let key = format!("{source}/{}/{}", text(namespace), text(key));
        let Some(number) = fake.metadata.get(&key) else { return false };
        // SAFETY: the module's own.
        unsafe { *out = number.len() as f64 };
        true
    }
    envoy_dynamic_module_callback_http_get_metadata_keys_count(_source: c_int, _namespace: Buffer) -> usize |fake| {
        fake.metadata.len()
    }
    envoy_dynamic_module_callback_http_get_metadata_keys(_source: c_int, _namespace: Buffer, out: Out) -> bool |fake| {
        for (i, key) in fake.metadata.keys().enumerate() {
            // SAFETY: the module passes an array of as many as `_keys_count` said.
            give(unsafe { out.add(i) }, Some(key.as_bytes()));
        }
        true
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
        // SAFETY: the module's own.
        unsafe { *out = id as u64 };
        true
    }
    envoy_dynamic_module_callback_http_filter_get_generic_secret(_id: usize, out: Out) -> bool |fake| {
        give(out, fake.secret.as_deref())
    }
    envoy_dynamic_module_callback_http_filter_config_generic_secret_subscribe(name: Buffer, source: Buffer) -> usize |fake| {
        fake.call(format!("subscribe {} {}", text(name), text(source)));
        usize::from(fake.secret.is_some())
    }
    envoy_dynamic_module_callback_http_filter_http_callout(id: *mut u64, cluster: Buffer, headers: Header, count: usize, body: Buffer, timeout: u64) -> c_int |fake| {
        fake.call(format!("callout {} [{}] {} {timeout}", text(cluster), pairs(headers, count), text(body)));
        // SAFETY: the module's own.
        unsafe { *id = 42 };
        // A result that no ABI has yet.
        99
    }
    envoy_dynamic_module_callback_http_filter_scheduler_new() -> *mut c_void |fake| {
        fake.call("scheduler_new".into());
        std::ptr::from_mut(fake).cast()
    }
    envoy_dynamic_module_callback_http_filter_scheduler_commit(event: u64) |fake| { fake.call(format!("commit {event}")); }
    envoy_dynamic_module_callback_http_filter_scheduler_delete() |fake| { fake.call("scheduler_delete".into()); }
    envoy_dynamic_module_callback_http_filter_config_define_counter(name: Buffer, names: *const Buffer, count: usize, id: *mut usize) -> c_int |fake| {
        fake.call(format!("define {} ({})", text(name), labels(names, count)));
        // SAFETY: the module's own.
        unsafe { *id = fake.calls.len() };
        0
    }
    envoy_dynamic_module_callback_http_filter_increment_counter(_id: usize, values: *const Buffer, count: usize, value: u64) -> c_int |fake| {
        fake.call(format!("stream counter ({}) {value}", labels(values, count)));
        2
    }
    envoy_dynamic_module_callback_http_filter_config_increment_counter(_id: usize, values: *const Buffer, count: usize, value: u64) -> c_int |fake| {
        fake.call(format!("config counter ({}) {value}", labels(values, count)));
        0
    }
}

/// The other changes of metrics: all alike.
macro_rules! metric_callbacks {
    ($($name:ident $say:literal)*) => {
        callbacks! {$(
            $name(_id: usize, values: *const Buffer, count: usize, value: u64) -> c_int |fake| {
                fake.call(format!("{} ({}) {value}", $say, labels(values, count)));
                0
            }
        )*}
    };
}

metric_callbacks! {
    envoy_dynamic_module_callback_http_filter_increment_gauge "stream gauge +"
    envoy_dynamic_module_callback_http_filter_decrement_gauge "stream gauge -"
    envoy_dynamic_module_callback_http_filter_set_gauge "stream gauge ="
    envoy_dynamic_module_callback_http_filter_record_histogram_value "stream histogram"
    envoy_dynamic_module_callback_http_filter_config_increment_gauge "config gauge +"
    envoy_dynamic_module_callback_http_filter_config_decrement_gauge "config gauge -"
    envoy_dynamic_module_callback_http_filter_config_set_gauge "config gauge ="
    envoy_dynamic_module_callback_http_filter_config_record_histogram_value "config histogram"
}
