//! The callbacks, over plain state. A stream and its config are one object here.

mod callouts;
mod context;
mod metrics;

use crate::abi::*;
use crate::buffer::slice;
use std::cell::RefCell;
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
    pub(super) fn at<'a>(raw: *mut c_void) -> &'a mut Self {
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

pub(super) fn give(out: Out, value: Option<&[u8]>) -> bool {
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
use callbacks;

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
    envoy_dynamic_module_callback_http_send_response_data(data: Buffer, end: bool) |fake| {
        fake.call(format!("send_response_data {} {end}", text(data)));
    }
    envoy_dynamic_module_callback_http_send_response_trailers(trailers: Header, count: usize) |fake| {
        fake.call(format!("send_response_trailers [{}]", pairs(trailers, count)));
    }
    envoy_dynamic_module_callback_http_add_custom_flag(flag: Buffer) |fake| {
        fake.call(format!("add_custom_flag {}", text(flag)));
    }
}

thread_local! {
    /// The log is the process's, not a fake's.
    static LOGGED: RefCell<Vec<String>> = RefCell::default();
}

/// What this thread logged.
pub(super) fn logged() -> Vec<String> {
    LOGGED.take()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_log_enabled(_level: c_int) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_log_v2(
    level: c_int,
    message: Buffer,
    file: Buffer,
    line: u32,
) {
    let entry = format!("{level} {} at {}:{line}", text(message), text(file));
    LOGGED.with_borrow_mut(|logged| logged.push(entry));
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_get_log_level() -> c_int {
    99
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_is_validation_mode() -> bool {
    false
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_get_concurrency() -> u32 {
    1
}
