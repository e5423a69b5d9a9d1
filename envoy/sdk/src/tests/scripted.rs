//! A module for the tests: its filter does in each hook what the test wrote for it.

use crate::abi::*;
use crate::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a hook does.
pub(super) type Act = Box<dyn Fn(&mut EnvoyHttpFilterImpl)>;
type ConfigAct = Box<dyn Fn(&mut EnvoyHttpFilterConfigImpl)>;

#[derive(Default)]
struct Script {
    acts: BTreeMap<&'static str, Act>,
    /// What the config does with the answer of its callout.
    config_act: Option<ConfigAct>,
    /// What `on_response_headers` and `on_response_body` answer: hold?
    hold: bool,
    /// Hooks that ran, in order.
    ran: Vec<String>,
}

thread_local! {
    /// A test runs on one thread, and so does its fake Envoy.
    static SCRIPT: RefCell<Rc<RefCell<Script>>> = RefCell::default();
}

fn note(what: String) {
    SCRIPT.with_borrow(|script| script.borrow_mut().ran.push(what));
}

fn act(hook: &'static str, envoy: &mut EnvoyHttpFilterImpl) {
    note(hook.to_owned());
    let script = SCRIPT.with_borrow(Rc::clone);
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

type Pairs<'a> = [(EnvoyBuffer<'a>, EnvoyBuffer<'a>)];

fn pairs(headers: &Pairs<'_>) -> String {
    let text = |it: &EnvoyBuffer<'_>| String::from_utf8_lossy(it).into_owned();
    let pairs = headers
        .iter()
        .map(|(k, v)| format!("{}={}", text(k), text(v)));
    pairs.collect::<Vec<_>>().join(";")
}

fn pieces(data: &[EnvoyBuffer<'_>]) -> String {
    let pieces = data
        .iter()
        .map(|it| String::from_utf8_lossy(it).into_owned());
    pieces.collect::<Vec<_>>().join("|")
}

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

    fn on_scheduled(&self, event: u64) {
        note(format!("config scheduled {event}"));
    }

    fn on_http_callout_done(
        &self,
        envoy: &mut EnvoyHttpFilterConfigImpl,
        id: u64,
        result: envoy_dynamic_module_type_http_callout_result,
        headers: Option<&Pairs<'_>>,
        body: Option<&[EnvoyBuffer<'_>]>,
    ) {
        let (headers, body) = (headers.map(pairs), body.map(pieces));
        note(format!(
            "config callout {id} {result:?} {headers:?} {body:?}"
        ));
        let script = SCRIPT.with_borrow(Rc::clone);
        let act = script.borrow_mut().config_act.take();
        if let Some(act) = act {
            act(envoy);
        }
    }

    fn on_http_stream_headers(
        &self,
        _envoy: &mut EnvoyHttpFilterConfigImpl,
        id: u64,
        headers: &Pairs<'_>,
        end: bool,
    ) {
        note(format!(
            "config stream {id} headers {} {end}",
            pairs(headers)
        ));
    }

    fn on_http_stream_data(
        &self,
        _envoy: &mut EnvoyHttpFilterConfigImpl,
        id: u64,
        data: &[EnvoyBuffer<'_>],
        end: bool,
    ) {
        note(format!("config stream {id} data {} {end}", pieces(data)));
    }

    fn on_http_stream_trailers(
        &self,
        _envoy: &mut EnvoyHttpFilterConfigImpl,
        id: u64,
        trailers: &Pairs<'_>,
    ) {
        note(format!("config stream {id} trailers {}", pairs(trailers)));
    }

    fn on_http_stream_complete(&self, _envoy: &mut EnvoyHttpFilterConfigImpl, id: u64) {
        note(format!("config stream {id} complete"));
    }

    fn on_http_stream_reset(
        &self,
        _envoy: &mut EnvoyHttpFilterConfigImpl,
        id: u64,
        reason: envoy_dynamic_module_type_http_stream_reset_reason,
    ) {
        note(format!("config stream {id} reset {reason:?}"));
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
        headers: Option<&Pairs<'_>>,
        body: Option<&[EnvoyBuffer<'_>]>,
    ) {
        let count = |n: Option<usize>| n.map_or(-1, |n| i64::try_from(n).unwrap());
        let seen = format!(
            "callout {id} {result:?} {} {}",
            count(headers.map(<[_]>::len)),
            count(body.map(<[_]>::len))
        );
        note(seen);
        act("http_callout_done", envoy);
    }

    fn on_http_stream_headers(
        &self,
        _envoy: &mut EnvoyHttpFilterImpl,
        id: u64,
        headers: &Pairs<'_>,
        end: bool,
    ) {
        note(format!("stream {id} headers {} {end}", pairs(headers)));
    }

    fn on_http_stream_data(
        &self,
        _envoy: &mut EnvoyHttpFilterImpl,
        id: u64,
        data: &[EnvoyBuffer<'_>],
        end: bool,
    ) {
        note(format!("stream {id} data {} {end}", pieces(data)));
    }

    fn on_http_stream_trailers(
        &self,
        _envoy: &mut EnvoyHttpFilterImpl,
        id: u64,
        trailers: &Pairs<'_>,
    ) {
        note(format!("stream {id} trailers {}", pairs(trailers)));
    }

    fn on_http_stream_complete(&self, _envoy: &mut EnvoyHttpFilterImpl, id: u64) {
        note(format!("stream {id} complete"));
    }

    fn on_http_stream_reset(
        &self,
        _envoy: &mut EnvoyHttpFilterImpl,
        id: u64,
        reason: envoy_dynamic_module_type_http_stream_reset_reason,
    ) {
        note(format!("stream {id} reset {reason:?}"));
    }

    fn on_local_reply(
        &self,
        _envoy: &mut EnvoyHttpFilterImpl,
        code: u32,
        details: EnvoyBuffer<'_>,
        reset: bool,
    ) -> envoy_dynamic_module_type_on_http_filter_local_reply_status {
        let details = String::from_utf8_lossy(&details).into_owned();
        note(format!("local_reply {code} {details} {reset}"));
        envoy_dynamic_module_type_on_http_filter_local_reply_status::ContinueAndResetStream
    }

    fn on_destroy(&self, metrics: &dyn EnvoyMetrics, panicked: bool) {
        let labels = ["x", if panicked { "panicked" } else { "y" }];
        metrics.increment_counter_vec(self.0, &labels, 3).unwrap();
        note("destroy".to_owned());
        let script = SCRIPT.with_borrow(Rc::clone);
        let panics = script.borrow_mut().acts.remove("destroy").is_some();
        assert!(!panics, "in destroy");
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

/// Has the config's next answer do `act`.
pub(super) fn when_answered(act: impl Fn(&mut EnvoyHttpFilterConfigImpl) + 'static) {
    SCRIPT.with_borrow(|script| script.borrow_mut().config_act = Some(Box::new(act)));
}

/// Has the response's hooks hold the response, or let it go.
pub(super) fn holding(hold: bool) {
    SCRIPT.with_borrow(|script| script.borrow_mut().hold = hold);
}

/// Hooks that ran.
pub(super) fn ran() -> Vec<String> {
    SCRIPT.with_borrow(|script| script.borrow().ran.clone())
}
