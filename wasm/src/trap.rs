//! Traps where the request header `x-trap` says so. Only with the feature `test-trap`.

use proxy_wasm::hostcalls::get_map_value_bytes;
use proxy_wasm::types::MapType;

/// Traps if the header is `hook`. Only where the request's headers are in reach.
pub(crate) fn if_asked(hook: &str) {
    let asked = get_map_value_bytes(MapType::HttpRequestHeaders, "x-trap");
    if asked.is_ok_and(|asked| asked.as_deref() == Some(hook.as_bytes())) {
        std::process::abort();
    }
}
