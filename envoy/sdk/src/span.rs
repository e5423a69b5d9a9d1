//! Tracing spans.

use crate::abi::{self, envoy_dynamic_module_type_module_buffer as ModuleBuffer};
use std::marker::PhantomData;

/// The stream's span. Envoy finishes it.
pub trait EnvoySpan {
    /// Sets a tag.
    fn set_tag(&self, key: &str, value: &str);
    /// Sets the operation's name.
    fn set_operation(&self, operation: &str);
    /// A span below this one; `None` if tracing cannot.
    fn spawn_child(&self, operation_name: &str) -> Option<Box<dyn EnvoyChildSpan + '_>>;
}

/// A span of ours. It ends with [`EnvoyChildSpan::finish`] or when dropped.
pub trait EnvoyChildSpan {
    /// Sets a tag.
    fn set_tag(&self, key: &str, value: &str);
    /// Ends the span.
    fn finish(&mut self);
}

/// A span of Envoy, valid while the stream's filter is borrowed.
pub(crate) struct NativeSpan<'a> {
    pub(crate) raw: abi::envoy_dynamic_module_type_span_envoy_ptr,
    pub(crate) filter: abi::envoy_dynamic_module_type_http_filter_envoy_ptr,
    pub(crate) stream: PhantomData<&'a ()>,
}

impl EnvoySpan for NativeSpan<'_> {
    fn set_tag(&self, key: &str, value: &str) {
        set_tag(self.raw, key, value);
    }

    fn set_operation(&self, operation: &str) {
        let operation = ModuleBuffer::of(operation.as_bytes());
        // SAFETY: the span is live while the filter is borrowed; the text lives through the call.
        unsafe { abi::envoy_dynamic_module_callback_http_span_set_operation(self.raw, operation) }
    }

    fn spawn_child(&self, operation_name: &str) -> Option<Box<dyn EnvoyChildSpan + '_>> {
        let operation = ModuleBuffer::of(operation_name.as_bytes());
        // SAFETY: as above.
        let raw = unsafe {
            abi::envoy_dynamic_module_callback_http_span_spawn_child(
                self.filter,
                self.raw,
                operation,
            )
        };
        (!raw.is_null()).then(|| {
            Box::new(NativeChildSpan {
                raw,
                stream: PhantomData,
            }) as Box<dyn EnvoyChildSpan + '_>
        })
    }
}

struct NativeChildSpan<'a> {
    raw: abi::envoy_dynamic_module_type_child_span_module_ptr,
    stream: PhantomData<&'a ()>,
}

impl EnvoyChildSpan for NativeChildSpan<'_> {
    fn set_tag(&self, key: &str, value: &str) {
        if !self.raw.is_null() {
            set_tag(self.raw, key, value);
        }
    }

    fn finish(&mut self) {
        let raw = std::mem::replace(&mut self.raw, std::ptr::null_mut());
        if !raw.is_null() {
            // SAFETY: ours, finished once: the pointer is taken out above.
            unsafe { abi::envoy_dynamic_module_callback_http_child_span_finish(raw) }
        }
    }
}

impl Drop for NativeChildSpan<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Sets a tag on a live span, a child or not: the ABI takes both here.
fn set_tag(span: abi::envoy_dynamic_module_type_span_envoy_ptr, key: &str, value: &str) {
    let (key, value) = (
        ModuleBuffer::of(key.as_bytes()),
        ModuleBuffer::of(value.as_bytes()),
    );
    // SAFETY: both callers hold a live span; the texts live through the call.
    unsafe { abi::envoy_dynamic_module_callback_http_span_set_tag(span, key, value) }
}
