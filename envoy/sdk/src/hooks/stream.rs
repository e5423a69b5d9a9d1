//! Entry points of a stream's filter.

use super::config::{answer_body, answer_headers, callout_result, reset_reason};
use super::rescue::{EnvoyFilter, Otherwise, Rescue};
use super::{Config, Filter, State};
use crate::abi::{
    envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_envoy_http_header as RawHeader,
    envoy_dynamic_module_type_http_callout_result as CalloutResult,
    envoy_dynamic_module_type_on_http_filter_local_reply_status as LocalReplyStatus,
    envoy_dynamic_module_type_on_http_filter_request_body_status as RequestBodyStatus,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_request_trailers_status as RequestTrailersStatus,
    envoy_dynamic_module_type_on_http_filter_response_body_status as ResponseBodyStatus,
    envoy_dynamic_module_type_on_http_filter_response_headers_status as ResponseHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_response_trailers_status as ResponseTrailersStatus,
};
use crate::buffer::EnvoyBuffer;
use crate::config::EnvoyHttpFilterConfigImpl;
use crate::http::EnvoyHttpFilterImpl;
use crate::panic::caught;
use std::cell::Cell;
use std::ffi::{c_int, c_void};

type ModuleFilter = *const c_void;

/// # Safety
/// `filter` came from `new` and was not destroyed.
unsafe fn filter<'a>(filter: ModuleFilter) -> &'a Filter {
    // SAFETY: `new` never returns null, and the caller promises the rest.
    unsafe { &*filter.cast::<Filter>() }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_new(
    config: *const c_void,
    envoy: EnvoyFilter,
) -> ModuleFilter {
    let config = config.cast::<Config>();
    // SAFETY: Envoy gives what `config_new` made.
    let made = caught("new", || unsafe {
        // SAFETY: Envoy calls the hook for this filter.
        let mut envoy = EnvoyHttpFilterImpl::new(envoy);
        (*config).module.new_http_filter(&mut envoy)
    });
    let (module, state) = match made {
        Ok(module) => (Some(module), State::Answerable),
        Err(panic) => {
            // SAFETY: as above.
            unsafe { &*config }.told(&panic);
            (None, State::Stillborn)
        }
    };
    let filter = Filter {
        module,
        config,
        state: Cell::new(state),
        depth: Cell::new(0),
    };
    Box::into_raw(Box::new(filter)).cast()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_destroy(module: ModuleFilter) {
    if module.is_null() {
        return;
    }
    // SAFETY: made by `new`, and Envoy gives it back once.
    let mut filter = unsafe { Box::from_raw(module.cast_mut().cast::<Filter>()) };
    let Some(module) = filter.module.take() else {
        return;
    };
    let poisoned = filter.state.get() == State::Poisoned;
    let destroyed = caught("destroy", || {
        // SAFETY: Envoy's config is live for as long as a filter of it is.
        let envoy = unsafe { EnvoyHttpFilterConfigImpl::new(filter.config().envoy) };
        module.on_destroy(&envoy, poisoned);
        drop(module);
    });
    if let Err(panic) = destroyed {
        filter.config().told(&panic);
    }
}

/// An entry point of the message's way: its hook, what goes for a filter that panicked, and, for the response's, the
/// statuses that let the response go on.
macro_rules! message_hook {
    (
        $symbol:ident, $hook:literal, $method:ident($($parameter:ident: $type:ty),*) -> $status:ident,
        panicked: $panicked:ident, poisoned: $poisoned:ident $(, answered by: $($goes_on:ident)|+)?
    ) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $symbol(envoy: EnvoyFilter, module: ModuleFilter $(, $parameter: $type)*) -> c_int {
            // SAFETY: Envoy gives back what `new` made.
            let filter = unsafe { filter(module) };
            let otherwise = Otherwise { panicked: $status::$panicked, poisoned: $status::$poisoned };
            let status = filter.run(envoy, $hook, Rescue::ByState, otherwise, |module, envoy| {
                module.$method(envoy $(, $parameter)*)
            });
            $(if matches!(status, $($status::$goes_on)|+) && filter.state.get() == State::Answerable {
                filter.state.set(State::Answered);
            })?
            status.to_raw()
        }
    };
}

message_hook! {
    envoy_dynamic_module_on_http_filter_request_headers, "request_headers",
    on_request_headers(end_of_stream: bool) -> RequestHeadersStatus,
    panicked: StopIteration, poisoned: StopIteration
}
message_hook! {
    envoy_dynamic_module_on_http_filter_request_body, "request_body",
    on_request_body(end_of_stream: bool) -> RequestBodyStatus,
    panicked: StopIterationNoBuffer, poisoned: StopIterationNoBuffer
}
message_hook! {
    envoy_dynamic_module_on_http_filter_request_trailers, "request_trailers",
    on_request_trailers() -> RequestTrailersStatus,
    panicked: StopIteration, poisoned: StopIteration
}
// The poisoned answer of the response's hooks is Continue: in the downstream position, the panic reply itself passes.
message_hook! {
    envoy_dynamic_module_on_http_filter_response_headers, "response_headers",
    on_response_headers(end_of_stream: bool) -> ResponseHeadersStatus,
    panicked: StopIteration, poisoned: Continue, answered by: Continue | ContinueAndDontEndStream
}
message_hook! {
    envoy_dynamic_module_on_http_filter_response_body, "response_body",
    on_response_body(end_of_stream: bool) -> ResponseBodyStatus,
    panicked: StopIterationNoBuffer, poisoned: Continue, answered by: Continue
}
message_hook! {
    envoy_dynamic_module_on_http_filter_response_trailers, "response_trailers",
    on_response_trailers() -> ResponseTrailersStatus,
    panicked: StopIteration, poisoned: Continue, answered by: Continue
}

/// An entry point without an answer.
macro_rules! event_hook {
    ($symbol:ident, $hook:literal, $rescue:ident, |$module:ident, $envoy:ident $(, $parameter:ident: $type:ty)*| $body:expr) => {
        #[unsafe(no_mangle)]
        #[allow(clippy::too_many_arguments, reason = "the ABI's")]
        unsafe extern "C" fn $symbol(envoy: EnvoyFilter, module: ModuleFilter $(, $parameter: $type)*) {
            // SAFETY: Envoy gives back what `new` made.
            let filter = unsafe { filter(module) };
            let otherwise = Otherwise { panicked: (), poisoned: () };
            filter.run(envoy, $hook, Rescue::$rescue, otherwise, |$module, $envoy| $body);
        }
    };
}

event_hook!(
    envoy_dynamic_module_on_http_filter_stream_complete,
    "stream_complete",
    Nothing,
    |module, envoy| module.on_stream_complete(envoy)
);
event_hook!(
    envoy_dynamic_module_on_http_filter_scheduled,
    "scheduled",
    ByState,
    |module, envoy, event: u64| module.on_scheduled(envoy, event)
);
event_hook!(
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark,
    "downstream_above_write_buffer_high_watermark",
    ByState,
    |module, envoy| module.on_downstream_above_write_buffer_high_watermark(envoy)
);
event_hook!(
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark,
    "downstream_below_write_buffer_low_watermark",
    ByState,
    |module, envoy| module.on_downstream_below_write_buffer_low_watermark(envoy)
);
event_hook!(
    envoy_dynamic_module_on_http_filter_http_callout_done,
    "http_callout_done",
    ByState,
    |module,
     envoy,
     id: u64,
     result: c_int,
     headers: *const RawHeader,
     header_count: usize,
     body: *const RawBuffer,
     body_count: usize| {
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
            id,
            result,
            success.then_some(&*headers),
            success.then_some(&*body),
        );
    }
);
event_hook!(
    envoy_dynamic_module_on_http_filter_http_stream_headers,
    "http_stream_headers",
    ByState,
    |module, envoy, id: u64, headers: *const RawHeader, count: usize, end_stream: bool| {
        // SAFETY: Envoy lends the array for the hook.
        let headers = unsafe { answer_headers(headers, count) };
        module.on_http_stream_headers(envoy, id, &headers, end_stream);
    }
);
event_hook!(
    envoy_dynamic_module_on_http_filter_http_stream_data,
    "http_stream_data",
    ByState,
    |module, envoy, id: u64, data: *const RawBuffer, count: usize, end_stream: bool| {
        // SAFETY: Envoy lends the array for the hook.
        let data = unsafe { answer_body(data, count) };
        module.on_http_stream_data(envoy, id, &data, end_stream);
    }
);
event_hook!(
    envoy_dynamic_module_on_http_filter_http_stream_trailers,
    "http_stream_trailers",
    ByState,
    |module, envoy, id: u64, trailers: *const RawHeader, count: usize| {
        // SAFETY: Envoy lends the array for the hook.
        let trailers = unsafe { answer_headers(trailers, count) };
        module.on_http_stream_trailers(envoy, id, &trailers);
    }
);
event_hook!(
    envoy_dynamic_module_on_http_filter_http_stream_complete,
    "http_stream_complete",
    ByState,
    |module, envoy, id: u64| module.on_http_stream_complete(envoy, id)
);
event_hook!(
    envoy_dynamic_module_on_http_filter_http_stream_reset,
    "http_stream_reset",
    ByState,
    |module, envoy, id: u64, reason: c_int| {
        module.on_http_stream_reset(envoy, id, reset_reason(reason));
    }
);

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_local_reply(
    envoy: EnvoyFilter,
    module: ModuleFilter,
    response_code: u32,
    details: RawBuffer,
    reset_imminent: bool,
) -> c_int {
    let otherwise = Otherwise {
        panicked: LocalReplyStatus::Continue,
        poisoned: LocalReplyStatus::Continue,
    };
    // SAFETY: Envoy gives back what `new` made.
    let filter = unsafe { filter(module) };
    // A stillborn filter is not answered here: an answer is on its way.
    let status = filter.run(
        envoy,
        "local_reply",
        Rescue::Nothing,
        otherwise,
        |module, envoy| {
            // SAFETY: Envoy lends the text for the hook.
            let details = unsafe { EnvoyBuffer::from_raw(details) };
            module.on_local_reply(envoy, response_code, details, reset_imminent)
        },
    );
    status.to_raw()
}
