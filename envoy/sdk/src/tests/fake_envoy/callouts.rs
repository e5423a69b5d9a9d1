//! Callouts and their streams, schedulers: of a stream and of a config.

use super::*;

/// The two families, alike but for what they say.
macro_rules! families {
    ($(
        $say:literal answers $result:literal:
        $callout:ident $start:ident $data:ident $trailers:ident $reset:ident $new:ident $commit:ident $delete:ident;
    )*) => {$(
        callbacks! {
            $callout(id: *mut u64, cluster: Buffer, headers: Header, count: usize, body: Buffer, timeout: u64) -> c_int |fake| {
                fake.call(format!("{}callout {} [{}] {} {timeout}", $say, text(cluster), pairs(headers, count), text(body)));
                // SAFETY: the module's own.
                unsafe { *id = 42 };
                $result
            }
            $start(id: *mut u64, cluster: Buffer, headers: Header, count: usize, body: Buffer, end: bool, timeout: u64) -> c_int |fake| {
                let (cluster, headers) = (text(cluster), pairs(headers, count));
                fake.call(format!("{}start_stream {cluster} [{headers}] {} {end} {timeout}", $say, text(body)));
                // SAFETY: the module's own.
                unsafe { *id = 43 };
                0
            }
            $data(id: u64, data: Buffer, end: bool) -> bool |fake| {
                fake.call(format!("{}stream {id} data {} {end}", $say, text(data)));
                true
            }
            $trailers(id: u64, trailers: Header, count: usize) -> bool |fake| {
                fake.call(format!("{}stream {id} trailers [{}]", $say, pairs(trailers, count)));
                true
            }
            $reset(id: u64) |fake| { fake.call(format!("{}stream {id} reset", $say)); }
            $commit(event: u64) |fake| { fake.call(format!("{}commit {event}", $say)); }
            $delete() |fake| { fake.call(format!("{}scheduler_delete", $say)); }
        }

        /// The fake is its own scheduler.
        #[unsafe(no_mangle)]
        extern "C" fn $new(raw: *mut c_void) -> *mut c_void {
            FakeEnvoy::at(raw).call(format!("{}scheduler_new", $say));
            raw
        }
    )*};
}

families! {
    // A result that no ABI has yet.
    "" answers 99:
    envoy_dynamic_module_callback_http_filter_http_callout
    envoy_dynamic_module_callback_http_filter_start_http_stream
    envoy_dynamic_module_callback_http_stream_send_data
    envoy_dynamic_module_callback_http_stream_send_trailers
    envoy_dynamic_module_callback_http_filter_reset_http_stream
    envoy_dynamic_module_callback_http_filter_scheduler_new
    envoy_dynamic_module_callback_http_filter_scheduler_commit
    envoy_dynamic_module_callback_http_filter_scheduler_delete;

    "config " answers 0:
    envoy_dynamic_module_callback_http_filter_config_http_callout
    envoy_dynamic_module_callback_http_filter_config_start_http_stream
    envoy_dynamic_module_callback_http_filter_config_stream_send_data
    envoy_dynamic_module_callback_http_filter_config_stream_send_trailers
    envoy_dynamic_module_callback_http_filter_config_reset_http_stream
    envoy_dynamic_module_callback_http_filter_config_scheduler_new
    envoy_dynamic_module_callback_http_filter_config_scheduler_commit
    envoy_dynamic_module_callback_http_filter_config_scheduler_delete;
}
