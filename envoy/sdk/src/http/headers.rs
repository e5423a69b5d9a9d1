//! Headers and trailers of a stream.

use super::native::{EnvoyHttpFilterImpl, call, text};
use crate::abi::{
    self, envoy_dynamic_module_type_envoy_http_header as RawHeader,
    envoy_dynamic_module_type_http_header_type as HeaderType,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::{EnvoyBuffer, slice};
use std::mem::MaybeUninit;

/// The official SDK's six methods of one header map, in terms of the methods that take the map as a parameter.
macro_rules! header_map {
    ($map:ident, $value:ident, $values:ident, $all:ident, $set:ident, $add:ident, $remove:ident) => {
        #[doc = concat!("[`EnvoyHttpHeaders::get_header_value`] of `", stringify!($map), "`.")]
        fn $value<'a>(&'a self, key: &str) -> Option<EnvoyBuffer<'a>> {
            self.get_header_value(HeaderType::$map, key)
        }

        #[doc = concat!("[`EnvoyHttpHeaders::get_header_values`] of `", stringify!($map), "`.")]
        fn $values<'a>(&'a self, key: &str) -> Vec<EnvoyBuffer<'a>> {
            self.get_header_values(HeaderType::$map, key)
        }

        #[doc = concat!("[`EnvoyHttpHeaders::get_headers`] of `", stringify!($map), "`.")]
        fn $all<'a>(&'a self) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)> {
            self.get_headers(HeaderType::$map)
        }

        #[doc = concat!("[`EnvoyHttpHeaders::set_header`] of `", stringify!($map), "`.")]
        fn $set(&mut self, key: &str, value: &[u8]) -> bool {
            self.set_header(HeaderType::$map, key, value)
        }

        #[doc = concat!("[`EnvoyHttpHeaders::add_header`] of `", stringify!($map), "`.")]
        fn $add(&mut self, key: &str, value: &[u8]) -> bool {
            self.add_header(HeaderType::$map, key, value)
        }

        #[doc = concat!("[`EnvoyHttpHeaders::remove_header`] of `", stringify!($map), "`.")]
        fn $remove(&mut self, key: &str) -> bool {
            self.remove_header(HeaderType::$map, key)
        }
    };
}

/// Headers and trailers of a stream.
///
/// Names are the official SDK's, which has one method per header map; those that take the map as a parameter, and the
/// visit that does not allocate, are ours.
///
/// Envoy does **not** check names and values of headers that are set here: a line break in a value goes out raw.
pub trait EnvoyHttpHeaders {
    /// The first value of a header.
    fn get_header_value<'a>(&'a self, map: HeaderType, key: &str) -> Option<EnvoyBuffer<'a>>;
    /// All values of a header.
    fn get_header_values<'a>(&'a self, map: HeaderType, key: &str) -> Vec<EnvoyBuffer<'a>>;
    /// Visits every header in order, pseudo-headers included, without allocating.
    fn for_each_header(&self, map: HeaderType, visit: &mut dyn FnMut(&[u8], &[u8]));
    /// Every header in order.
    fn get_headers<'a>(&'a self, map: HeaderType) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)>;
    /// Replaces all values of a header by one. `false` if there is no such map in this hook.
    fn set_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool;
    /// Adds a value, keeping those that are there.
    fn add_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool;
    /// Removes all values of a header.
    fn remove_header(&mut self, map: HeaderType, key: &str) -> bool;

    header_map!(
        RequestHeader,
        get_request_header_value,
        get_request_header_values,
        get_request_headers,
        set_request_header,
        add_request_header,
        remove_request_header
    );
    header_map!(
        RequestTrailer,
        get_request_trailer_value,
        get_request_trailer_values,
        get_request_trailers,
        set_request_trailer,
        add_request_trailer,
        remove_request_trailer
    );
    header_map!(
        ResponseHeader,
        get_response_header_value,
        get_response_header_values,
        get_response_headers,
        set_response_header,
        add_response_header,
        remove_response_header
    );
    header_map!(
        ResponseTrailer,
        get_response_trailer_value,
        get_response_trailer_values,
        get_response_trailers,
        set_response_trailer,
        add_response_trailer,
        remove_response_trailer
    );
}

/// Headers that fit on the stack: more than requests have.
const HEADERS: usize = 64;

impl EnvoyHttpHeaders for EnvoyHttpFilterImpl {
    fn get_header_value<'a>(&'a self, map: HeaderType, key: &str) -> Option<EnvoyBuffer<'a>> {
        let none = std::ptr::null_mut();
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_header,
                self.raw,
                map.to_raw(),
                text(key),
                out,
                0,
                none
            )
        })
    }

    fn get_header_values<'a>(&'a self, map: HeaderType, key: &str) -> Vec<EnvoyBuffer<'a>> {
        let mut count = 0;
        let mut values = Vec::new();
        loop {
            let value = self.buffer(|out| {
                call!(
                    envoy_dynamic_module_callback_http_get_header,
                    self.raw,
                    map.to_raw(),
                    text(key),
                    out,
                    values.len(),
                    &raw mut count
                )
            });
            match value {
                Some(value) => values.push(value),
                None => return values,
            }
            if values.len() >= count {
                return values;
            }
        }
    }

    fn for_each_header(&self, map: HeaderType, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.with_raw_headers(map, &mut |header| {
            // SAFETY: Envoy keeps the header until it is changed through `&mut self`; `visit` cannot keep it.
            let (key, value) = unsafe { pair(header) };
            visit(&key, &value);
        });
    }

    fn get_headers<'a>(&'a self, map: HeaderType) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)> {
        let mut all = Vec::new();
        self.with_raw_headers(map, &mut |header| {
            // SAFETY: Envoy keeps the header until it is changed through `&mut self`.
            all.push(unsafe { pair(header) });
        });
        all
    }

    fn set_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let value = ModuleBuffer::of(value);
        call!(
            envoy_dynamic_module_callback_http_set_header,
            self.raw,
            map.to_raw(),
            text(key),
            value
        )
    }

    fn add_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let value = ModuleBuffer::of(value);
        call!(
            envoy_dynamic_module_callback_http_add_header,
            self.raw,
            map.to_raw(),
            text(key),
            value
        )
    }

    fn remove_header(&mut self, map: HeaderType, key: &str) -> bool {
        let value = ModuleBuffer::NULL;
        call!(
            envoy_dynamic_module_callback_http_set_header,
            self.raw,
            map.to_raw(),
            text(key),
            value
        )
    }
}

impl EnvoyHttpFilterImpl {
    /// Calls `use_them` with the headers of a map, as Envoy holds them.
    fn with_raw_headers(&self, map: HeaderType, use_them: &mut dyn FnMut(&RawHeader)) {
        // SAFETY: the filter is live.
        let count = unsafe {
            abi::envoy_dynamic_module_callback_http_get_headers_size(self.raw, map.to_raw())
        };
        let fill = |first: *mut RawHeader| {
            // SAFETY: the filter is live and `first` has room for `count` headers.
            count > 0
                && unsafe {
                    abi::envoy_dynamic_module_callback_http_get_headers(
                        self.raw,
                        map.to_raw(),
                        first,
                    )
                }
        };
        if count > HEADERS {
            let mut many = vec![RawHeader::EMPTY; count];
            if fill(many.as_mut_ptr()) {
                many.iter().for_each(use_them);
            }
            return;
        }
        let mut few = [const { MaybeUninit::<RawHeader>::uninit() }; HEADERS];
        if fill(few.as_mut_ptr().cast()) {
            for header in few.iter().take(count) {
                // SAFETY: Envoy said that it filled in all `count` of them.
                use_them(unsafe { header.assume_init_ref() });
            }
        }
    }
}

/// # Safety
/// `header` is one that Envoy keeps unchanged for `'a`.
unsafe fn pair<'a>(header: &RawHeader) -> (EnvoyBuffer<'a>, EnvoyBuffer<'a>) {
    // SAFETY: the caller's promise.
    let (key, value) = unsafe {
        (
            slice(header.key_ptr, header.key_length),
            slice(header.value_ptr, header.value_length),
        )
    };
    (EnvoyBuffer::from(key), EnvoyBuffer::from(value))
}
