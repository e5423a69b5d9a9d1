//! What Envoy offers to an HTTP filter. `fe` is the stream's filter, `ce` the filter config. Every `c_int` is one of the
//! ABI's enums.

use super::types::*;
use std::ffi::{c_char, c_int, c_void};

type fe = envoy_dynamic_module_type_http_filter_envoy_ptr;
type ce = envoy_dynamic_module_type_http_filter_config_envoy_ptr;
type mbuf = envoy_dynamic_module_type_module_buffer;
type ebuf = envoy_dynamic_module_type_envoy_buffer;
type mhdr = envoy_dynamic_module_type_module_http_header;
type pair = envoy_dynamic_module_type_module_key_value_pair;
type ehdr = envoy_dynamic_module_type_envoy_http_header;
type scheduler = envoy_dynamic_module_type_http_filter_scheduler_module_ptr;
type span = envoy_dynamic_module_type_span_envoy_ptr;
type child_span = envoy_dynamic_module_type_child_span_module_ptr;
type route_config = envoy_dynamic_module_type_http_filter_per_route_config_module_ptr;

// The process.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_log_enabled(level: c_int) -> bool;
    pub fn envoy_dynamic_module_callback_log_v2(level: c_int, message: mbuf, file: mbuf, line: u32);
    pub fn envoy_dynamic_module_callback_get_log_level() -> c_int;
    pub fn envoy_dynamic_module_callback_get_concurrency() -> u32;
    pub fn envoy_dynamic_module_callback_is_validation_mode() -> bool;
}

// Headers and trailers.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_http_get_header(
        f: fe,
        map: c_int,
        key: mbuf,
        out: *mut ebuf,
        index: usize,
        count: *mut usize,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_headers_size(f: fe, map: c_int) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_headers(
        f: fe,
        map: c_int,
        out: *mut ehdr,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_set_header(
        f: fe,
        map: c_int,
        key: mbuf,
        value: mbuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_add_header(
        f: fe,
        map: c_int,
        key: mbuf,
        value: mbuf,
    ) -> bool;
}

// Bodies.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_http_get_body_size(f: fe, body: c_int) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_body_chunks_size(f: fe, body: c_int) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_body_chunks(
        f: fe,
        body: c_int,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_append_body(f: fe, body: c_int, data: mbuf) -> bool;
    pub fn envoy_dynamic_module_callback_http_drain_body(f: fe, body: c_int, bytes: usize) -> bool;
    pub fn envoy_dynamic_module_callback_http_received_buffered_request_body(f: fe) -> bool;
    pub fn envoy_dynamic_module_callback_http_received_buffered_response_body(f: fe) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_buffer_limit(f: fe) -> u64;
    pub fn envoy_dynamic_module_callback_http_set_buffer_limit(f: fe, limit: u64);
}

// Replies and flow.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_http_send_response(
        f: fe,
        status: u32,
        headers: *const mhdr,
        count: usize,
        body: mbuf,
        details: mbuf,
    );
    pub fn envoy_dynamic_module_callback_http_send_response_headers(
        f: fe,
        headers: *const mhdr,
        count: usize,
        end_stream: bool,
    );
    pub fn envoy_dynamic_module_callback_http_send_response_data(
        f: fe,
        data: mbuf,
        end_stream: bool,
    );
    pub fn envoy_dynamic_module_callback_http_send_response_trailers(
        f: fe,
        trailers: *const mhdr,
        count: usize,
    );
    pub fn envoy_dynamic_module_callback_http_add_custom_flag(f: fe, flag: mbuf);
    pub fn envoy_dynamic_module_callback_http_filter_reset_stream(
        f: fe,
        reason: c_int,
        details: mbuf,
    );
    pub fn envoy_dynamic_module_callback_http_filter_continue_decoding(f: fe);
    pub fn envoy_dynamic_module_callback_http_filter_continue_encoding(f: fe);
    pub fn envoy_dynamic_module_callback_http_clear_route_cache(f: fe);
    pub fn envoy_dynamic_module_callback_http_clear_route_cluster_cache(f: fe);
    pub fn envoy_dynamic_module_callback_http_filter_get_worker_index(f: fe) -> u32;
}

// Route, cluster, metadata, filter state, attributes, secrets.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_get_most_specific_route_config(f: fe) -> route_config;
    pub fn envoy_dynamic_module_callback_http_get_cluster_name(f: fe, out: *mut ebuf) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_string(
        f: fe,
        source: c_int,
        namespace: mbuf,
        key: mbuf,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_number(
        f: fe,
        source: c_int,
        namespace: mbuf,
        key: mbuf,
        out: *mut f64,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_bool(
        f: fe,
        source: c_int,
        namespace: mbuf,
        key: mbuf,
        out: *mut bool,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_keys_count(
        f: fe,
        source: c_int,
        namespace: mbuf,
    ) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_metadata_keys(
        f: fe,
        source: c_int,
        namespace: mbuf,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_namespaces_count(
        f: fe,
        source: c_int,
    ) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_metadata_namespaces(
        f: fe,
        source: c_int,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_size(
        f: fe,
        source: c_int,
        namespace: mbuf,
        key: mbuf,
        out: *mut usize,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_string(
        f: fe,
        source: c_int,
        namespace: mbuf,
        key: mbuf,
        index: usize,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_number(
        f: fe,
        source: c_int,
        namespace: mbuf,
        key: mbuf,
        index: usize,
        out: *mut f64,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_bool(
        f: fe,
        source: c_int,
        namespace: mbuf,
        key: mbuf,
        index: usize,
        out: *mut bool,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
        f: fe,
        namespace: mbuf,
        key: mbuf,
        value: mbuf,
    );
    pub fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
        f: fe,
        namespace: mbuf,
        pairs: *const pair,
        size: usize,
    );
    pub fn envoy_dynamic_module_callback_http_set_dynamic_metadata_number(
        f: fe,
        namespace: mbuf,
        key: mbuf,
        value: f64,
    );
    pub fn envoy_dynamic_module_callback_http_set_dynamic_metadata_bool(
        f: fe,
        namespace: mbuf,
        key: mbuf,
        value: bool,
    );
    pub fn envoy_dynamic_module_callback_http_set_dynamic_metadata_struct(
        f: fe,
        namespace: mbuf,
        value: mbuf,
    );
    pub fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
        f: fe,
        key: mbuf,
        value: mbuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_filter_state_bytes(
        f: fe,
        key: mbuf,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        f: fe,
        id: c_int,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_get_attribute_int(
        f: fe,
        id: c_int,
        out: *mut u64,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_get_attribute_bool(
        f: fe,
        id: c_int,
        out: *mut bool,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_get_generic_secret(
        f: fe,
        id: usize,
        out: *mut ebuf,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_config_generic_secret_subscribe(
        c: ce,
        name: mbuf,
        config_source: mbuf,
    ) -> usize;
    pub fn envoy_dynamic_module_callback_http_filter_config_get_generic_secret(
        c: ce,
        id: usize,
        out: *mut ebuf,
    ) -> bool;
}

// Callouts and their streams, schedulers.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_http_filter_http_callout(
        f: fe,
        id: *mut u64,
        cluster: mbuf,
        headers: *const mhdr,
        count: usize,
        body: mbuf,
        timeout_ms: u64,
    ) -> c_int;
    pub fn envoy_dynamic_module_callback_http_filter_start_http_stream(
        f: fe,
        id: *mut u64,
        cluster: mbuf,
        headers: *const mhdr,
        count: usize,
        body: mbuf,
        end: bool,
        timeout_ms: u64,
    ) -> c_int;
    pub fn envoy_dynamic_module_callback_http_stream_send_data(
        f: fe,
        id: u64,
        data: mbuf,
        end: bool,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_stream_send_trailers(
        f: fe,
        id: u64,
        trailers: *const mhdr,
        count: usize,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_reset_http_stream(f: fe, id: u64);
    pub fn envoy_dynamic_module_callback_http_filter_config_http_callout(
        c: ce,
        id: *mut u64,
        cluster: mbuf,
        headers: *const mhdr,
        count: usize,
        body: mbuf,
        timeout_ms: u64,
    ) -> c_int;
    pub fn envoy_dynamic_module_callback_http_filter_config_start_http_stream(
        c: ce,
        id: *mut u64,
        cluster: mbuf,
        headers: *const mhdr,
        count: usize,
        body: mbuf,
        end: bool,
        timeout_ms: u64,
    ) -> c_int;
    pub fn envoy_dynamic_module_callback_http_filter_config_stream_send_data(
        c: ce,
        id: u64,
        data: mbuf,
        end: bool,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_config_stream_send_trailers(
        c: ce,
        id: u64,
        trailers: *const mhdr,
        count: usize,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_config_reset_http_stream(c: ce, id: u64);
    pub fn envoy_dynamic_module_callback_http_filter_scheduler_new(f: fe) -> scheduler;
    pub fn envoy_dynamic_module_callback_http_filter_scheduler_commit(s: scheduler, event: u64);
    pub fn envoy_dynamic_module_callback_http_filter_scheduler_delete(s: scheduler);
    pub fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(c: ce) -> scheduler;
    pub fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(
        s: scheduler,
        event: u64,
    );
    pub fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(s: scheduler);
}

// Metrics. The two families differ in the first parameter only (read off the 1.40.0 binary and run).
macro_rules! metrics {
    ($($name:ident($first:ty);)*) => {
        unsafe extern "C" {
            $(pub fn $name(on: $first, id: usize, labels: *const mbuf, count: usize, value: u64) -> c_int;)*
        }
    };
}
metrics! {
    envoy_dynamic_module_callback_http_filter_increment_counter(fe);
    envoy_dynamic_module_callback_http_filter_increment_gauge(fe);
    envoy_dynamic_module_callback_http_filter_decrement_gauge(fe);
    envoy_dynamic_module_callback_http_filter_set_gauge(fe);
    envoy_dynamic_module_callback_http_filter_record_histogram_value(fe);
    envoy_dynamic_module_callback_http_filter_config_increment_counter(ce);
    envoy_dynamic_module_callback_http_filter_config_increment_gauge(ce);
    envoy_dynamic_module_callback_http_filter_config_decrement_gauge(ce);
    envoy_dynamic_module_callback_http_filter_config_set_gauge(ce);
    envoy_dynamic_module_callback_http_filter_config_record_histogram_value(ce);
}
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        c: ce,
        name: mbuf,
        labels: *const mbuf,
        count: usize,
        id: *mut usize,
    ) -> c_int;
    pub fn envoy_dynamic_module_callback_http_filter_config_define_gauge(
        c: ce,
        name: mbuf,
        labels: *const mbuf,
        count: usize,
        id: *mut usize,
    ) -> c_int;
    pub fn envoy_dynamic_module_callback_http_filter_config_define_histogram(
        c: ce,
        name: mbuf,
        labels: *const mbuf,
        count: usize,
        id: *mut usize,
    ) -> c_int;
}

// Tracing.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_http_get_active_span(f: fe) -> span;
    pub fn envoy_dynamic_module_callback_http_span_set_tag(s: span, key: mbuf, value: mbuf);
    pub fn envoy_dynamic_module_callback_http_span_set_operation(s: span, operation: mbuf);
    pub fn envoy_dynamic_module_callback_http_span_spawn_child(
        f: fe,
        s: span,
        operation: mbuf,
    ) -> child_span;
    pub fn envoy_dynamic_module_callback_http_child_span_finish(s: child_span);
}

const _: () = {
    // The layout that Envoy's C++ side reads: two words a buffer, four a header.
    assert!(size_of::<ebuf>() == 2 * size_of::<usize>());
    assert!(size_of::<mbuf>() == 2 * size_of::<usize>());
    assert!(size_of::<ehdr>() == 4 * size_of::<usize>());
    assert!(size_of::<mhdr>() == 4 * size_of::<usize>());
    assert!(size_of::<*const c_char>() == size_of::<*const c_void>());
};

// Early header mutations. The first parameter is the request.
unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_early_header_mutation_get_header_value(
        request: *mut c_void,
        key: mbuf,
        out: *mut ebuf,
        index: usize,
        count: *mut usize,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_early_header_mutation_set_header(
        request: *mut c_void,
        key: mbuf,
        value: mbuf,
    ) -> bool;
}
