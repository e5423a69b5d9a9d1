//! Entry points of configs. All but `config_new` and `per_route_config_new` may not fail; all are on the main thread.

use super::{
    Config, NEW_HTTP_FILTER_CONFIG_FUNCTION, NEW_HTTP_FILTER_PER_ROUTE_CONFIG_FUNCTION, RouteConfig,
};
use crate::abi::{
    envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_envoy_http_header as RawHeader,
    envoy_dynamic_module_type_http_callout_result as CalloutResult,
    envoy_dynamic_module_type_http_stream_reset_reason as StreamResetReason,
};
use crate::buffer::{EnvoyBuffer, slice};
use crate::config::EnvoyHttpFilterConfigImpl;
use crate::http::EnvoyHttpFilterImpl;
use crate::http::HttpFilterConfig;
use crate::panic::{CaughtPanic, caught};
use std::ffi::{c_int, c_void};

type EnvoyConfig = *mut c_void;
type ModuleConfig = *const c_void;

/// Text from Envoy: names are ASCII; what is not UTF-8 in them is replaced, not trusted.
///
/// # Safety
/// `raw` is readable for the call.
unsafe fn name(raw: RawBuffer) -> String {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { slice(raw.ptr, raw.length) }).into_owned()
}

/// # Safety
/// `config` came from `config_new` and was not destroyed.
unsafe fn config<'a>(config: ModuleConfig) -> Option<&'a Config> {
    // SAFETY: the caller's promise.
    unsafe { config.cast::<Config>().as_ref() }
}

impl Config {
    /// Tells the module of a panic; a panic while it is told is logged only.
    pub(super) fn told(&self, panic: &CaughtPanic) {
        let _ = caught("on_panic", || {
            // SAFETY: Envoy's config outlives ours.
            let envoy = unsafe { EnvoyHttpFilterConfigImpl::new(self.envoy) };
            self.module.on_panic(&envoy, panic);
        });
    }

    /// Runs a hook of the config.
    fn run(
        &self,
        hook: &'static str,
        body: impl FnOnce(&dyn HttpFilterConfig<EnvoyHttpFilterImpl>, &mut EnvoyHttpFilterConfigImpl),
    ) {
        // SAFETY: Envoy calls the hook for this config, which is live.
        let mut envoy = unsafe { EnvoyHttpFilterConfigImpl::new(self.envoy) };
        if let Err(panic) = caught(hook, || body(&*self.module, &mut envoy)) {
            self.told(&panic);
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    envoy: EnvoyConfig,
    filter_name: RawBuffer,
    filter_config: RawBuffer,
) -> ModuleConfig {
    let made = caught("config_new", || {
        let new_config = NEW_HTTP_FILTER_CONFIG_FUNCTION.get()?;
        // SAFETY: Envoy lends its config and both buffers for the hook.
        let (mut config, name, bytes) = unsafe {
            (
                EnvoyHttpFilterConfigImpl::new(envoy),
                name(filter_name),
                slice(filter_config.ptr, filter_config.length),
            )
        };
        new_config(&mut config, &name, bytes)
    });
    match made {
        Ok(Some(module)) => Box::into_raw(Box::new(Config { module, envoy })).cast(),
        Ok(None) | Err(_) => std::ptr::null(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(module: ModuleConfig) {
    if module.is_null() {
        return;
    }
    let _ = caught("config_destroy", || {
        // SAFETY: made by `config_new`, and Envoy gives it back once.
        drop(unsafe { Box::from_raw(module.cast_mut().cast::<Config>()) });
    });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(
    route_config_name: RawBuffer,
    route_config: RawBuffer,
) -> *const c_void {
    let made = caught("per_route_config_new", || {
        let new_config = NEW_HTTP_FILTER_PER_ROUTE_CONFIG_FUNCTION.get()?;
        // SAFETY: Envoy lends both buffers for the hook.
        let (name, bytes) = unsafe {
            (
                name(route_config_name),
                slice(route_config.ptr, route_config.length),
            )
        };
        new_config(&name, bytes)
    });
    match made {
        Ok(Some(config)) => Box::into_raw(Box::new(RouteConfig::from(config))).cast(),
        Ok(None) | Err(_) => std::ptr::null(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(
    config: *const c_void,
) {
    if config.is_null() {
        return;
    }
    let _ = caught("per_route_config_destroy", || {
        // SAFETY: made by `per_route_config_new`, and Envoy gives it back once.
        drop(unsafe { Box::from_raw(config.cast_mut().cast::<RouteConfig>()) });
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    _envoy: EnvoyConfig,
    module: ModuleConfig,
    event_id: u64,
) {
    // SAFETY: Envoy gives back what `config_new` made.
    if let Some(config) = unsafe { config(module) } {
        config.run("config_scheduled", |module, _| {
            module.on_scheduled(event_id)
        });
    }
}

/// Headers of an answer, as the hooks give them.
///
/// # Safety
/// `first` points at `count` headers that Envoy keeps for `'a`, or is null.
pub(super) unsafe fn answer_headers<'a>(
    first: *const RawHeader,
    count: usize,
) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)> {
    if first.is_null() {
        return Vec::new();
    }
    // SAFETY: not null; the caller's promise.
    let headers = unsafe { std::slice::from_raw_parts(first, count) };
    let pair = |header: &RawHeader| {
        // SAFETY: as above.
        let (key, value) = unsafe {
            (
                slice(header.key_ptr, header.key_length),
                slice(header.value_ptr, header.value_length),
            )
        };
        (EnvoyBuffer::from(key), EnvoyBuffer::from(value))
    };
    headers.iter().map(pair).collect()
}

/// The body of an answer, as the hooks give it.
///
/// # Safety
/// `first` points at `count` buffers that Envoy keeps for `'a`, or is null.
pub(super) unsafe fn answer_body<'a>(
    first: *const RawBuffer,
    count: usize,
) -> Vec<EnvoyBuffer<'a>> {
    if first.is_null() {
        return Vec::new();
    }
    // SAFETY: not null; the caller's promise.
    let pieces = unsafe { std::slice::from_raw_parts(first, count) };
    // SAFETY: as above.
    let piece = |raw: &RawBuffer| unsafe { EnvoyBuffer::from_raw(*raw) };
    pieces.iter().map(piece).collect()
}

/// A result that this ABI version does not know is a failure.
pub(super) fn callout_result(raw: c_int) -> CalloutResult {
    CalloutResult::from_raw(raw).unwrap_or(CalloutResult::Reset)
}

/// A reason that this ABI version does not know is the plainest.
pub(super) fn reset_reason(raw: c_int) -> StreamResetReason {
    StreamResetReason::from_raw(raw).unwrap_or(StreamResetReason::LocalReset)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_callout_done(
    _envoy: EnvoyConfig,
    module: ModuleConfig,
    callout_id: u64,
    result: c_int,
    headers: *const RawHeader,
    header_count: usize,
    body: *const RawBuffer,
    body_count: usize,
) {
    // SAFETY: Envoy gives back what `config_new` made.
    let Some(config) = (unsafe { config(module) }) else {
        return;
    };
    config.run("config_http_callout_done", |module, envoy| {
        // SAFETY: Envoy lends both arrays for the hook.
        let (headers, body) = unsafe {
            (
                answer_headers(headers, header_count),
                answer_body(body, body_count),
            )
        };
        let result = callout_result(result);
        let success = result == CalloutResult::Success;
        module.on_http_callout_done(
            envoy,
            callout_id,
            result,
            success.then_some(&*headers),
            success.then_some(&*body),
        );
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_stream_headers(
    _envoy: EnvoyConfig,
    module: ModuleConfig,
    stream: u64,
    headers: *const RawHeader,
    header_count: usize,
    end_stream: bool,
) {
    // SAFETY: Envoy gives back what `config_new` made.
    if let Some(config) = unsafe { config(module) } {
        config.run("config_http_stream_headers", |module, envoy| {
            // SAFETY: Envoy lends the array for the hook.
            let headers = unsafe { answer_headers(headers, header_count) };
            module.on_http_stream_headers(envoy, stream, &headers, end_stream);
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_stream_data(
    _envoy: EnvoyConfig,
    module: ModuleConfig,
    stream: u64,
    data: *const RawBuffer,
    data_count: usize,
    end_stream: bool,
) {
    // SAFETY: Envoy gives back what `config_new` made.
    if let Some(config) = unsafe { config(module) } {
        config.run("config_http_stream_data", |module, envoy| {
            // SAFETY: Envoy lends the array for the hook.
            let data = unsafe { answer_body(data, data_count) };
            module.on_http_stream_data(envoy, stream, &data, end_stream);
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_stream_trailers(
    _envoy: EnvoyConfig,
    module: ModuleConfig,
    stream: u64,
    trailers: *const RawHeader,
    trailer_count: usize,
) {
    // SAFETY: Envoy gives back what `config_new` made.
    if let Some(config) = unsafe { config(module) } {
        config.run("config_http_stream_trailers", |module, envoy| {
            // SAFETY: Envoy lends the array for the hook.
            let trailers = unsafe { answer_headers(trailers, trailer_count) };
            module.on_http_stream_trailers(envoy, stream, &trailers);
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_stream_complete(
    _envoy: EnvoyConfig,
    module: ModuleConfig,
    stream: u64,
) {
    // SAFETY: Envoy gives back what `config_new` made.
    if let Some(config) = unsafe { config(module) } {
        config.run("config_http_stream_complete", |module, envoy| {
            module.on_http_stream_complete(envoy, stream);
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_stream_reset(
    _envoy: EnvoyConfig,
    module: ModuleConfig,
    stream: u64,
    reason: c_int,
) {
    // SAFETY: Envoy gives back what `config_new` made.
    if let Some(config) = unsafe { config(module) } {
        config.run("config_http_stream_reset", |module, envoy| {
            module.on_http_stream_reset(envoy, stream, reset_reason(reason));
        });
    }
}
