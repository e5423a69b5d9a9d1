//! Metrics.

use super::*;

callbacks! {
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
