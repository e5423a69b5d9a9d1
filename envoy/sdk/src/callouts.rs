//! Requests of a filter or of a config to clusters.

use crate::abi::{
    self, envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
    envoy_dynamic_module_type_module_http_header as ModuleHeader,
};
use crate::lend::with_headers;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

/// Requests to clusters, of a stream's filter or of a filter config. Their answers come to the hooks of whichever asked.
///
/// Not from a config to a cluster that has a dynamic module among its own filters: those run on the main thread then, where
/// Envoy 1.40 finds no worker index and logs a bug of its own.
pub trait EnvoyHttpCallouts {
    /// Sends a request to a cluster. `headers` need `:method`, `:path` and `host`. The answer comes to
    /// [`HttpFilter::on_http_callout_done`](crate::HttpFilter::on_http_callout_done) or
    /// [`HttpFilterConfig::on_http_callout_done`](crate::HttpFilterConfig::on_http_callout_done) under the returned id.
    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64);
    /// As [`EnvoyHttpCallouts::send_http_callout`], but both bodies flow.
    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64);
    /// Sends a piece of body. `false` if there is no such stream (any more).
    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool;
    /// Sends trailers, which end the stream.
    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool;
    /// Gives the stream up.
    fn reset_http_stream(&mut self, stream: u64);
}

/// Writes the methods of callouts in terms of those of what `self.$callouts()` gives.
macro_rules! callout_methods {
    ($callouts:ident) => {
        fn send_http_callout(
            &mut self,
            cluster_name: &str,
            headers: &[(&str, &[u8])],
            body: Option<&[u8]>,
            timeout_milliseconds: u64,
        ) -> (
            $crate::abi::envoy_dynamic_module_type_http_callout_init_result,
            u64,
        ) {
            self.$callouts()
                .send_http_callout(cluster_name, headers, body, timeout_milliseconds)
        }

        fn start_http_stream(
            &mut self,
            cluster_name: &str,
            headers: &[(&str, &[u8])],
            body: Option<&[u8]>,
            end_stream: bool,
            timeout_milliseconds: u64,
        ) -> (
            $crate::abi::envoy_dynamic_module_type_http_callout_init_result,
            u64,
        ) {
            self.$callouts().start_http_stream(
                cluster_name,
                headers,
                body,
                end_stream,
                timeout_milliseconds,
            )
        }

        fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool {
            self.$callouts()
                .send_http_stream_data(stream, data, end_stream)
        }

        fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool {
            self.$callouts().send_http_stream_trailers(stream, trailers)
        }

        fn reset_http_stream(&mut self, stream: u64) {
            self.$callouts().reset_http_stream(stream);
        }
    };
}
pub(crate) use callout_methods;

/// Callouts over the ABI, of what `'a` borrows: a stream's filter or a config. Which, says what it was made by.
pub(crate) struct NativeCallouts<'a> {
    /// What the callbacks take first.
    of: *mut c_void,
    callbacks: &'static Callbacks,
    lent: PhantomData<&'a ()>,
}

/// The two families differ in the first parameter only.
struct Callbacks {
    callout: unsafe extern "C" fn(
        *mut c_void,
        *mut u64,
        ModuleBuffer,
        *const ModuleHeader,
        usize,
        ModuleBuffer,
        u64,
    ) -> c_int,
    start_stream: unsafe extern "C" fn(
        *mut c_void,
        *mut u64,
        ModuleBuffer,
        *const ModuleHeader,
        usize,
        ModuleBuffer,
        bool,
        u64,
    ) -> c_int,
    send_data: unsafe extern "C" fn(*mut c_void, u64, ModuleBuffer, bool) -> bool,
    send_trailers: unsafe extern "C" fn(*mut c_void, u64, *const ModuleHeader, usize) -> bool,
    reset_stream: unsafe extern "C" fn(*mut c_void, u64),
}

const OF_STREAM: Callbacks = Callbacks {
    callout: abi::envoy_dynamic_module_callback_http_filter_http_callout,
    start_stream: abi::envoy_dynamic_module_callback_http_filter_start_http_stream,
    send_data: abi::envoy_dynamic_module_callback_http_stream_send_data,
    send_trailers: abi::envoy_dynamic_module_callback_http_stream_send_trailers,
    reset_stream: abi::envoy_dynamic_module_callback_http_filter_reset_http_stream,
};

const OF_CONFIG: Callbacks = Callbacks {
    callout: abi::envoy_dynamic_module_callback_http_filter_config_http_callout,
    start_stream: abi::envoy_dynamic_module_callback_http_filter_config_start_http_stream,
    send_data: abi::envoy_dynamic_module_callback_http_filter_config_stream_send_data,
    send_trailers: abi::envoy_dynamic_module_callback_http_filter_config_stream_send_trailers,
    reset_stream: abi::envoy_dynamic_module_callback_http_filter_config_reset_http_stream,
};

impl NativeCallouts<'_> {
    /// # Safety
    /// `filter` is the filter of a hook that is running, for as long as the value exists.
    pub(crate) unsafe fn of_stream(
        filter: abi::envoy_dynamic_module_type_http_filter_envoy_ptr,
    ) -> Self {
        Self {
            of: filter,
            callbacks: &OF_STREAM,
            lent: PhantomData,
        }
    }

    /// # Safety
    /// `config` is a config that Envoy keeps for as long as the value exists.
    pub(crate) unsafe fn of_config(
        config: abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
    ) -> Self {
        Self {
            of: config,
            callbacks: &OF_CONFIG,
            lent: PhantomData,
        }
    }
}

impl EnvoyHttpCallouts for NativeCallouts<'_> {
    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        let mut id = 0;
        // SAFETY: `of` is live and what the callbacks are for; all that is lent lives through the call. So below.
        let raw = with_headers(headers, |first, count| unsafe {
            (self.callbacks.callout)(
                self.of,
                &raw mut id,
                ModuleBuffer::of(cluster_name.as_bytes()),
                first,
                count,
                body.map_or(ModuleBuffer::NULL, ModuleBuffer::of),
                timeout_milliseconds,
            )
        });
        (init_result(raw), id)
    }

    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        let mut id = 0;
        // SAFETY: as above.
        let raw = with_headers(headers, |first, count| unsafe {
            (self.callbacks.start_stream)(
                self.of,
                &raw mut id,
                ModuleBuffer::of(cluster_name.as_bytes()),
                first,
                count,
                body.map_or(ModuleBuffer::NULL, ModuleBuffer::of),
                end_stream,
                timeout_milliseconds,
            )
        });
        (init_result(raw), id)
    }

    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool {
        // SAFETY: as above; Envoy looks the stream up by its id.
        unsafe { (self.callbacks.send_data)(self.of, stream, ModuleBuffer::of(data), end_stream) }
    }

    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool {
        // SAFETY: as above.
        with_headers(trailers, |first, count| unsafe {
            (self.callbacks.send_trailers)(self.of, stream, first, count)
        })
    }

    fn reset_http_stream(&mut self, stream: u64) {
        // SAFETY: as above.
        unsafe { (self.callbacks.reset_stream)(self.of, stream) }
    }
}

/// A result that this ABI version does not know is a failure too.
fn init_result(raw: c_int) -> CalloutInitResult {
    CalloutInitResult::from_raw(raw).unwrap_or(CalloutInitResult::CannotCreateRequest)
}
