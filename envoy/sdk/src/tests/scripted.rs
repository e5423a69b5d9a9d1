//! A module for the tests: its filter does in each hook what the test wrote for it.

use super::fake_envoy::FakeEnvoy;
use crate::abi::*;
use crate::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

type Raw = envoy_dynamic_module_type_envoy_buffer;
type RawHeader = envoy_dynamic_module_type_envoy_http_header;

// Envoy's view of the module: symbols, looked up by name.
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
}

/// What a hook does.
pub(super) type Act = Box<dyn Fn(&mut EnvoyHttpFilterImpl)>;

#[derive(Default)]
struct Script {
    acts: BTreeMap<&'static str, Act>,
    /// What `on_response_headers` and `on_response_body` answer: hold?
    hold: bool,
    /// Hooks that ran, in order.
    ran: Vec<String>,
}

thread_local! {
    /// A test runs on one thread, and so does its fake Envoy.
    static SCRIPT: RefCell<Rc<RefCell<Script>>> = RefCell::default();
}

fn act(hook: &'static str, envoy: &mut EnvoyHttpFilterImpl) {
    let script = SCRIPT.with_borrow(Rc::clone);
    script.borrow_mut().ran.push(hook.to_owned());
    let act = script.borrow_mut().acts.remove(hook);
    if let Some(act) = act {
        act(envoy);
    }
}

fn hold() -> bool {
    SCRIPT.with_borrow(|script| script.borrow().hold)
}

struct Config {
    panics: EnvoyCounterId,
    tries: EnvoyCounterVecId,
}

struct Filter(EnvoyCounterVecId);

fn new_config<EC: EnvoyHttpFilterConfig>(
    envoy: &mut EC,
    name: &str,
    config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EnvoyHttpFilterImpl>>> {
    match config {
        b"panic" => panic!("in config_new"),
        b"refuse" => return None,
        _ => {}
    }
    Some(Box::new(Config {
        panics: envoy.define_counter(name).ok()?,
        tries: envoy.define_counter_vec("tries", &["a", "b"]).ok()?,
    }))
}

fn new_route_config(_: &str, config: &[u8]) -> Option<Box<dyn std::any::Any + Send + Sync>> {
    assert!(config != b"panic", "in per_route_config_new");
    Some(Box::new(config.to_vec()))
}

impl HttpFilterConfig<EnvoyHttpFilterImpl> for Config {
    fn new_http_filter(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
    ) -> Box<dyn HttpFilter<EnvoyHttpFilterImpl>> {
        act("new", envoy);
        Box::new(Filter(self.tries))
    }

    fn panic_reply(&self) -> PanicReply {
        PanicReply {
            body: "{}".into(),
            headers: (&[("x-error", "internal")]).into(),
            details: "our_internal".into(),
            ..PanicReply::default()
        }
    }

    fn on_panic(&self, metrics: &dyn EnvoyMetrics, _panic: &CaughtPanic) {
        metrics.increment_counter(self.panics, 1).unwrap();
    }
}

impl HttpFilter<EnvoyHttpFilterImpl> for Filter {
    fn on_request_headers(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
        _end: bool,
    ) -> envoy_dynamic_module_type_on_http_filter_request_headers_status {
        act("request_headers", envoy);
        envoy_dynamic_module_type_on_http_filter_request_headers_status::Continue
    }

    fn on_request_body(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
        _end: bool,
    ) -> envoy_dynamic_module_type_on_http_filter_request_body_status {
        act("request_body", envoy);
        envoy_dynamic_module_type_on_http_filter_request_body_status::Continue
    }

    fn on_request_trailers(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
    ) -> envoy_dynamic_module_type_on_http_filter_request_trailers_status {
        act("request_trailers", envoy);
        envoy_dynamic_module_type_on_http_filter_request_trailers_status::Continue
    }

    fn on_response_headers(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
        _end: bool,
    ) -> envoy_dynamic_module_type_on_http_filter_response_headers_status {
        use envoy_dynamic_module_type_on_http_filter_response_headers_status as Status;
        act("response_headers", envoy);
        if hold() {
            Status::StopIteration
        } else {
            Status::Continue
        }
    }

    fn on_response_body(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
        _end: bool,
    ) -> envoy_dynamic_module_type_on_http_filter_response_body_status {
        use envoy_dynamic_module_type_on_http_filter_response_body_status as Status;
        act("response_body", envoy);
        if hold() {
            Status::StopIterationAndBuffer
        } else {
            Status::Continue
        }
    }

    fn on_stream_complete(&self, envoy: &mut EnvoyHttpFilterImpl) {
        act("stream_complete", envoy);
    }

    fn on_scheduled(&self, envoy: &mut EnvoyHttpFilterImpl, _event: u64) {
        act("scheduled", envoy);
    }

    fn on_http_callout_done(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
        id: u64,
        result: envoy_dynamic_module_type_http_callout_result,
        headers: Option<&[(EnvoyBuffer<'_>, EnvoyBuffer<'_>)]>,
        body: Option<&[EnvoyBuffer<'_>]>,
    ) {
        let count = |n: Option<usize>| n.map_or(-1, |n| i64::try_from(n).unwrap());
        let seen = format!(
            "callout {id} {result:?} {} {}",
            count(headers.map(<[_]>::len)),
            count(body.map(<[_]>::len))
        );
        SCRIPT.with_borrow(|script| script.borrow_mut().ran.push(seen));
        act("http_callout_done", envoy);
    }

    fn on_destroy(&self, metrics: &dyn EnvoyMetrics, panicked: bool) {
        let labels = ["x", if panicked { "panicked" } else { "y" }];
        metrics.increment_counter_vec(self.0, &labels, 3).unwrap();
        let script = SCRIPT.with_borrow(Rc::clone);
        script.borrow_mut().ran.push("destroy".to_owned());
        let panics = script.borrow_mut().acts.remove("destroy").is_some();
        assert!(!panics, "in destroy");
    }
}

/// A fake Envoy with one config and one stream of the scripted module.
pub(super) struct Run {
    pub(super) envoy: *mut FakeEnvoy,
    config: *const c_void,
    pub(super) filter: *const c_void,
}

pub(super) fn raw(bytes: &[u8]) -> Raw {
    Raw {
        ptr: bytes.as_ptr().cast(),
        length: bytes.len(),
    }
}

pub(super) fn install() {
    NEW_HTTP_FILTER_CONFIG_FUNCTION.get_or_init(|| new_config);
    NEW_HTTP_FILTER_PER_ROUTE_CONFIG_FUNCTION.get_or_init(|| new_route_config);
}

/// Has the next run of `hook` do `act`.
pub(super) fn when(hook: &'static str, act: impl Fn(&mut EnvoyHttpFilterImpl) + 'static) {
    SCRIPT.with_borrow(|script| script.borrow_mut().acts.insert(hook, Box::new(act)));
}

/// Has the response's hooks hold the response, or let it go.
pub(super) fn holding(hold: bool) {
    SCRIPT.with_borrow(|script| script.borrow_mut().hold = hold);
}

/// Hooks that ran.
pub(super) fn ran() -> Vec<String> {
    SCRIPT.with_borrow(|script| script.borrow().ran.clone())
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
