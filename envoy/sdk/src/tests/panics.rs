//! What a panic costs.

use super::entry_points::*;
use super::fake_envoy::FakeEnvoy;
use super::run::*;
use super::scripted::*;
use crate::abi::*;
use crate::*;

const REPLY: &str = "send_response 500 [x-error=internal;content-type=text/plain] {} our_internal";
const COUNTED: &str = "config counter () 1";
const RESET: &str = "reset_stream 0 our_internal";

fn panicking(hook: &'static str) -> Run {
    let run = Run::new(FakeEnvoy::default());
    when(hook, |_| panic!("as the test wants"));
    run
}

#[test]
fn a_panic_before_the_response_is_answered_counted_and_ends_the_filter() {
    type Hook = fn(&Run) -> std::ffi::c_int;
    let hooks: [(&str, Hook, i32); 4] = [
        ("request_headers", Run::request_headers, 1),
        ("request_body", Run::request_body, 3),
        ("request_trailers", Run::request_trailers, 1),
        ("response_headers", Run::response_headers, 1),
    ];
    for (name, hook, stops) in hooks {
        let mut run = panicking(name);
        assert_eq!(hook(&run), stops, "{name}");
        assert_eq!(run.calls(), [COUNTED, REPLY], "{name}");
        let before = ran().len();
        // The reply passes; the filter is not asked.
        assert_eq!(run.response_headers(), 0, "{name}");
        assert_eq!(run.response_body(), 0, "{name}");
        run.stream_complete();
        assert_eq!(ran().len(), before, "{name}");
        // But its end is counted, as that of every filter.
        run.destroy();
        let destroyed = "config counter (x,panicked) 3";
        assert_eq!(run.calls(), [COUNTED, REPLY, destroyed], "{name}");
    }
}

#[test]
fn a_panic_while_the_response_is_held_is_answered() {
    let run = panicking("response_body");
    holding(true);
    assert_eq!(run.response_headers(), 1);
    assert_eq!(run.response_body(), 3);
    assert_eq!(run.calls(), [COUNTED, REPLY]);
    holding(false);
}

#[test]
fn a_panic_after_the_response_has_gone_on_resets_the_stream() {
    let run = panicking("response_body");
    assert_eq!(run.response_headers(), 0);
    assert_eq!(run.response_body(), 3);
    assert_eq!(run.calls(), [COUNTED, RESET]);
}

#[test]
fn a_panic_after_continue_encoding_resets_the_stream() {
    let run = Run::new(FakeEnvoy::default());
    holding(true);
    assert_eq!(run.response_headers(), 1);
    when("scheduled", |envoy| {
        envoy.continue_encoding();
        panic!("too late for an answer");
    });
    run.scheduled();
    assert_eq!(run.calls(), ["continue_encoding", COUNTED, RESET]);
    holding(false);
}

#[test]
fn a_panic_in_an_event_is_answered_while_the_request_waits() {
    let run = panicking("scheduled");
    run.scheduled();
    assert_eq!(run.calls(), [COUNTED, REPLY]);
}

#[test]
fn a_panic_after_an_answer_gives_no_second_one() {
    let run = Run::new(FakeEnvoy::default());
    when("request_headers", |envoy| {
        envoy.send_response(401, &[], None, Some("ours"));
        panic!("after the answer");
    });
    assert_eq!(run.request_headers(), 1);
    assert_eq!(run.calls(), ["send_response 401 []  ours", COUNTED]);
}

#[test]
fn a_panic_in_a_hook_within_a_hook_gives_no_second_answer() {
    let run = Run::new(FakeEnvoy::default());
    let (envoy, filter) = (run.envoy.addr(), run.filter.addr());
    let (envoy, filter) = (run.envoy.with_addr(envoy), run.filter.with_addr(filter));
    run.envoy(|fake| {
        fake.on_send_response = Some(Box::new(move || {
            // SAFETY: live objects: the outer hook is running.
            let status = unsafe {
                envoy_dynamic_module_on_http_filter_response_headers(envoy.cast(), filter, true)
            };
            assert_eq!(status, 1);
        }));
    });
    when("request_headers", |envoy| {
        envoy.send_response(401, &[], None, Some("ours"));
    });
    when("response_headers", |_| panic!("within"));
    run.request_headers();
    assert_eq!(run.calls(), ["send_response 401 []  ours", COUNTED, RESET]);
}

#[test]
fn a_grpc_client_gets_a_grpc_error() {
    let envoy = FakeEnvoy {
        headers: [
            vec![(b"content-type".to_vec(), b"application/grpc+proto".to_vec())],
            vec![],
            vec![],
            vec![],
        ],
        ..FakeEnvoy::default()
    };
    let run = Run::new(envoy);
    when("request_headers", |_| panic!("as the test wants"));
    assert_eq!(run.request_headers(), 1);
    let reply = "send_response 200 [content-type=application/grpc;grpc-status=13;\
                 grpc-message=internal error;x-error=internal]  our_internal";
    assert_eq!(run.calls(), [COUNTED, reply]);
    // Envoy must not take the request for gRPC any more, else it says `grpc-status: 0`.
    run.envoy(|envoy| assert_eq!(envoy.headers[0][0].1, b"application/x-grpc+proto"));
}

#[test]
fn a_filter_that_could_not_be_made_answers_in_its_first_hook() {
    when("new", |_| panic!("in new"));
    let run = Run::new(FakeEnvoy::default());
    assert_eq!(run.calls(), [COUNTED]);
    assert_eq!(run.request_headers(), 1);
    assert_eq!(run.request_body(), 3);
    assert_eq!(run.calls(), [COUNTED, REPLY]);
}

#[test]
fn a_panic_in_stream_complete_or_destroy_is_only_counted() {
    let mut run = panicking("stream_complete");
    run.stream_complete();
    assert_eq!(run.calls(), [COUNTED]);
    run.destroy();

    let mut run = panicking("destroy");
    run.destroy();
    assert_eq!(run.calls(), ["config counter (x,y) 3", COUNTED]);
}

#[test]
fn a_config_that_panics_or_refuses_is_null() {
    install();
    let mut envoy = FakeEnvoy::default();
    for config in [b"panic".as_slice(), b"refuse"] {
        // SAFETY: all live through the call.
        let made = unsafe {
            envoy_dynamic_module_on_http_filter_config_new(
                (&raw mut envoy).cast(),
                raw(b"name"),
                raw(config),
            )
        };
        assert!(made.is_null());
    }
    // SAFETY: the bytes live through the call.
    let made = unsafe {
        envoy_dynamic_module_on_http_filter_per_route_config_new(
            envoy_dynamic_module_type_envoy_buffer::EMPTY,
            raw(b"panic"),
        )
    };
    assert!(made.is_null());
}
