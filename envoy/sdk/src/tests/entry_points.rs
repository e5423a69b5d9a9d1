//! Envoy's view of the module: symbols, looked up by name.

use crate::abi::*;
use std::ffi::{c_int, c_void};

pub(super) type Raw = envoy_dynamic_module_type_envoy_buffer;
pub(super) type RawHeader = envoy_dynamic_module_type_envoy_http_header;

unsafe extern "C" {
    pub(super) fn envoy_dynamic_module_on_http_filter_config_new(
        e: *mut c_void,
        name: Raw,
        config: Raw,
    ) -> *const c_void;
    pub(super) fn envoy_dynamic_module_on_http_filter_config_destroy(c: *const c_void);
    pub(super) fn envoy_dynamic_module_on_http_filter_per_route_config_new(
        name: Raw,
        config: Raw,
    ) -> *const c_void;
    pub(super) fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(c: *const c_void);
    pub(super) fn envoy_dynamic_module_on_http_filter_new(
        c: *const c_void,
        e: *mut c_void,
    ) -> *const c_void;
    pub(super) fn envoy_dynamic_module_on_http_filter_destroy(f: *const c_void);
    pub(super) fn envoy_dynamic_module_on_http_filter_request_headers(
        e: *mut c_void,
        f: *const c_void,
        end: bool,
    ) -> c_int;
    pub(super) fn envoy_dynamic_module_on_http_filter_request_body(
        e: *mut c_void,
        f: *const c_void,
        end: bool,
    ) -> c_int;
    pub(super) fn envoy_dynamic_module_on_http_filter_request_trailers(
        e: *mut c_void,
        f: *const c_void,
    ) -> c_int;
    pub(super) fn envoy_dynamic_module_on_http_filter_response_headers(
        e: *mut c_void,
        f: *const c_void,
        end: bool,
    ) -> c_int;
    pub(super) fn envoy_dynamic_module_on_http_filter_response_body(
        e: *mut c_void,
        f: *const c_void,
        end: bool,
    ) -> c_int;
    pub(super) fn envoy_dynamic_module_on_http_filter_stream_complete(
        e: *mut c_void,
        f: *const c_void,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_scheduled(
        e: *mut c_void,
        f: *const c_void,
        event: u64,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_http_callout_done(
        e: *mut c_void,
        f: *const c_void,
        id: u64,
        result: c_int,
        headers: *const RawHeader,
        count: usize,
        body: *const Raw,
        pieces: usize,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_response_trailers(
        e: *mut c_void,
        f: *const c_void,
    ) -> c_int;
    pub(super) fn envoy_dynamic_module_on_http_filter_local_reply(
        e: *mut c_void,
        f: *const c_void,
        code: u32,
        details: Raw,
        reset: bool,
    ) -> c_int;
    pub(super) fn envoy_dynamic_module_on_http_filter_config_scheduled(
        e: *mut c_void,
        c: *const c_void,
        event: u64,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_http_stream_headers(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        headers: *const RawHeader,
        count: usize,
        end: bool,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_http_stream_data(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        data: *const Raw,
        pieces: usize,
        end: bool,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_http_stream_trailers(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        trailers: *const RawHeader,
        count: usize,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_http_stream_complete(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_http_stream_reset(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        reason: c_int,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_config_http_callout_done(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        result: c_int,
        headers: *const RawHeader,
        count: usize,
        body: *const Raw,
        pieces: usize,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_config_http_stream_headers(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        headers: *const RawHeader,
        count: usize,
        end: bool,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_config_http_stream_data(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        data: *const Raw,
        pieces: usize,
        end: bool,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_config_http_stream_trailers(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        trailers: *const RawHeader,
        count: usize,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_config_http_stream_complete(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
    );
    pub(super) fn envoy_dynamic_module_on_http_filter_config_http_stream_reset(
        e: *mut c_void,
        m: *const c_void,
        id: u64,
        reason: c_int,
    );
}
