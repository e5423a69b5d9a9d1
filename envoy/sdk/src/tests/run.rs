//! A stream's life, hook by hook, as Envoy leads it.

use super::entry_points::*;
use super::fake_envoy::FakeEnvoy;
use super::scripted::{install, when};
use crate::EnvoyHttpFilterImpl;
use std::ffi::{c_int, c_void};

/// A fake Envoy with one config and one stream of the scripted module.
pub(super) struct Run {
    pub(super) envoy: *mut FakeEnvoy,
    pub(super) config: *const c_void,
    pub(super) filter: *const c_void,
}

pub(super) fn raw(bytes: &[u8]) -> Raw {
    Raw {
        ptr: bytes.as_ptr().cast(),
        length: bytes.len(),
    }
}

/// Runs `act` in the request-headers hook of a fresh stream; panics in it fail the test.
pub(super) fn in_a_hook(envoy: FakeEnvoy, act: impl Fn(&mut EnvoyHttpFilterImpl) + 'static) -> Run {
    let run = Run::new(envoy);
    when("request_headers", act);
    assert_eq!(run.request_headers(), 0, "the act panicked");
    run
}

impl Run {
    pub(super) fn new(envoy: FakeEnvoy) -> Self {
        install();
        let envoy = Box::into_raw(Box::new(envoy));
        // SAFETY: the fake lives until the run is dropped.
        unsafe {
            let config = envoy_dynamic_module_on_http_filter_config_new(
                envoy.cast(),
                raw(b"panics"),
                Raw::EMPTY,
            );
            assert!(!config.is_null());
            let filter = envoy_dynamic_module_on_http_filter_new(config, envoy.cast());
            Self {
                envoy,
                config,
                filter,
            }
        }
    }

    /// Reads or changes the fake, between hooks.
    pub(super) fn envoy<R>(&self, read: impl FnOnce(&mut FakeEnvoy) -> R) -> R {
        // SAFETY: no hook is running.
        read(unsafe { &mut *self.envoy })
    }

    pub(super) fn request_headers(&self) -> c_int {
        // SAFETY: live objects, as in all that follow.
        unsafe {
            envoy_dynamic_module_on_http_filter_request_headers(
                self.envoy.cast(),
                self.filter,
                false,
            )
        }
    }

    pub(super) fn request_body(&self) -> c_int {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_on_http_filter_request_body(self.envoy.cast(), self.filter, false)
        }
    }

    pub(super) fn request_trailers(&self) -> c_int {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_on_http_filter_request_trailers(self.envoy.cast(), self.filter)
        }
    }

    pub(super) fn response_headers(&self) -> c_int {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_on_http_filter_response_headers(
                self.envoy.cast(),
                self.filter,
                false,
            )
        }
    }

    pub(super) fn response_body(&self) -> c_int {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_on_http_filter_response_body(self.envoy.cast(), self.filter, false)
        }
    }

    pub(super) fn response_trailers(&self) -> c_int {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_on_http_filter_response_trailers(self.envoy.cast(), self.filter)
        }
    }

    pub(super) fn local_reply(&self, code: u32, details: &[u8]) -> c_int {
        // SAFETY: as above; the text lives through the call.
        unsafe {
            envoy_dynamic_module_on_http_filter_local_reply(
                self.envoy.cast(),
                self.filter,
                code,
                raw(details),
                true,
            )
        }
    }

    pub(super) fn stream_complete(&self) {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_on_http_filter_stream_complete(self.envoy.cast(), self.filter)
        }
    }

    pub(super) fn scheduled(&self) {
        // SAFETY: as above.
        unsafe { envoy_dynamic_module_on_http_filter_scheduled(self.envoy.cast(), self.filter, 1) }
    }

    /// Destroys the stream's filter.
    pub(super) fn destroy(&mut self) {
        let filter = std::mem::replace(&mut self.filter, std::ptr::null());
        // SAFETY: given back once; null is nothing.
        unsafe { envoy_dynamic_module_on_http_filter_destroy(filter) }
    }

    /// What was called, without the definitions of metrics.
    pub(super) fn calls(&self) -> Vec<String> {
        let calls = self.envoy(|envoy| envoy.calls.clone());
        calls
            .into_iter()
            .filter(|call| !call.starts_with("define"))
            .collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.destroy();
        // SAFETY: the config is given back once, after its last filter; the fake is the test's own.
        unsafe {
            envoy_dynamic_module_on_http_filter_config_destroy(self.config);
            drop(Box::from_raw(self.envoy));
        }
    }
}
