//! Callouts and events, of streams and of configs.

use super::entry_points::*;
use super::fake_envoy::FakeEnvoy;
use super::run::*;
use super::scripted::*;
use crate::abi::*;
use crate::*;

#[test]
fn a_callout_is_sent_and_its_answer_arrives() {
    let run = in_a_hook(FakeEnvoy::default(), |envoy| {
        let sent = envoy.send_http_callout("sts", &[(":path", b"/x")], Some(b"body"), 9);
        // A result that this ABI does not know is a failure.
        let failed = envoy_dynamic_module_type_http_callout_init_result::CannotCreateRequest;
        assert_eq!(sent, (failed, 42));
    });
    assert_eq!(run.calls(), ["callout sts [:path=/x] body 9"]);
    let header = envoy_dynamic_module_type_envoy_http_header::EMPTY;
    let pieces = [raw(b"a"), envoy_dynamic_module_type_envoy_buffer::EMPTY];
    let (envoy, filter) = (run.envoy.cast(), run.filter);
    let done = envoy_dynamic_module_on_http_filter_http_callout_done;
    // SAFETY: live objects; the arrays live through the calls, and null ones are empty.
    unsafe {
        done(
            envoy,
            filter,
            1,
            0,
            &raw const header,
            1,
            pieces.as_ptr(),
            2,
        );
        done(
            envoy,
            filter,
            2,
            0,
            std::ptr::null(),
            0,
            std::ptr::null(),
            0,
        );
        done(
            envoy,
            filter,
            3,
            77,
            std::ptr::null(),
            0,
            std::ptr::null(),
            0,
        );
    }
    let seen: Vec<_> = ran()
        .into_iter()
        .filter(|r| r.starts_with("callout "))
        .collect();
    assert_eq!(
        seen,
        [
            "callout 1 Success 1 2",
            "callout 2 Success 0 0",
            "callout 3 Reset -1 -1"
        ]
    );
}

#[test]
fn a_scheduler_is_deleted_once() {
    let run = in_a_hook(FakeEnvoy::default(), |envoy| {
        let scheduler = envoy.new_scheduler();
        scheduler.commit(7);
    });
    assert_eq!(
        run.calls(),
        ["scheduler_new", "commit 7", "scheduler_delete"]
    );
}

/// What ran since the filter was made, but for the hook that every test begins with.
fn events() -> Vec<String> {
    let not_a_hook = |it: &String| !["new", "request_headers"].contains(&it.as_str());
    ran().into_iter().filter(not_a_hook).collect()
}

fn header(key: &'static [u8], value: &'static [u8]) -> RawHeader {
    RawHeader {
        key_ptr: key.as_ptr().cast(),
        key_length: key.len(),
        value_ptr: value.as_ptr().cast(),
        value_length: value.len(),
    }
}

#[test]
fn the_stream_of_a_callout_flows_both_ways() {
    let run = in_a_hook(FakeEnvoy::default(), |envoy| {
        let started = envoy.start_http_stream("sts", &[(":path", b"/x")], None, false, 9);
        let success = envoy_dynamic_module_type_http_callout_init_result::Success;
        assert_eq!(started, (success, 43));
        assert!(envoy.send_http_stream_data(43, b"da\0ta", false));
        assert!(envoy.send_http_stream_trailers(43, &[("x-sum", b"1")]));
        envoy.reset_http_stream(43);
    });
    assert_eq!(
        run.calls(),
        [
            "start_stream sts [:path=/x]  false 9",
            "stream 43 data da\0ta false",
            "stream 43 trailers [x-sum=1]",
            "stream 43 reset"
        ]
    );
    let headers = [header(b":status", b"200"), RawHeader::EMPTY];
    let pieces = [raw(b"a"), Raw::EMPTY, raw(b"bc")];
    let (envoy, filter) = (run.envoy.cast(), run.filter);
    // SAFETY: live objects; the arrays live through the calls, and null ones are empty.
    unsafe {
        envoy_dynamic_module_on_http_filter_http_stream_headers(
            envoy,
            filter,
            43,
            headers.as_ptr(),
            2,
            false,
        );
        envoy_dynamic_module_on_http_filter_http_stream_data(
            envoy,
            filter,
            43,
            pieces.as_ptr(),
            3,
            false,
        );
        envoy_dynamic_module_on_http_filter_http_stream_data(
            envoy,
            filter,
            43,
            std::ptr::null(),
            0,
            true,
        );
        envoy_dynamic_module_on_http_filter_http_stream_trailers(
            envoy,
            filter,
            43,
            std::ptr::null(),
            0,
        );
        envoy_dynamic_module_on_http_filter_http_stream_complete(envoy, filter, 43);
        envoy_dynamic_module_on_http_filter_http_stream_reset(envoy, filter, 44, 5);
        // A reason that no ABI has yet.
        envoy_dynamic_module_on_http_filter_http_stream_reset(envoy, filter, 45, -1);
    }
    assert_eq!(
        events(),
        [
            "stream 43 headers :status=200;= false",
            "stream 43 data a||bc false",
            "stream 43 data  true",
            "stream 43 trailers ",
            "stream 43 complete",
            "stream 44 reset RemoteReset",
            "stream 45 reset LocalReset"
        ]
    );
}

#[test]
fn a_config_calls_out_and_reads_its_answers() {
    let secret = Some(b"key".to_vec());
    let run = Run::new(FakeEnvoy {
        secret,
        ..FakeEnvoy::default()
    });
    when_answered(|envoy| {
        let id = envoy.subscribe_generic_secret("aws", "{}").unwrap();
        assert_eq!(envoy.get_generic_secret(id), Some(EnvoyBuffer::new("key")));
        let (_, id) = envoy.send_http_callout("sts", &[], Some(b"again"), 8);
        assert_eq!(id, 42);
        let (_, id) = envoy.start_http_stream("sts", &[("a", b"")], Some(b"all"), true, 7);
        assert!(envoy.send_http_stream_data(id, b"", true));
        assert!(envoy.send_http_stream_trailers(id, &[]));
        envoy.reset_http_stream(id);
        let scheduler = envoy.new_scheduler();
        let _ = envoy.send_http_callout("other", &[], None, 6);
        scheduler.commit(7);
    });
    let headers = [header(b"x", b"1")];
    let pieces = [raw(b"a"), raw(b"b")];
    let (envoy, config) = (run.envoy.cast(), run.config);
    // SAFETY: live objects; the arrays live through the calls, and null ones are empty.
    unsafe {
        envoy_dynamic_module_on_http_filter_config_http_callout_done(
            envoy,
            config,
            42,
            0,
            headers.as_ptr(),
            1,
            pieces.as_ptr(),
            2,
        );
        envoy_dynamic_module_on_http_filter_config_http_callout_done(
            envoy,
            config,
            42,
            2,
            std::ptr::null(),
            0,
            std::ptr::null(),
            0,
        );
        envoy_dynamic_module_on_http_filter_config_http_stream_headers(
            envoy,
            config,
            43,
            headers.as_ptr(),
            1,
            false,
        );
        envoy_dynamic_module_on_http_filter_config_http_stream_data(
            envoy,
            config,
            43,
            pieces.as_ptr(),
            2,
            false,
        );
        envoy_dynamic_module_on_http_filter_config_http_stream_trailers(
            envoy,
            config,
            43,
            headers.as_ptr(),
            1,
        );
        envoy_dynamic_module_on_http_filter_config_http_stream_complete(envoy, config, 43);
        envoy_dynamic_module_on_http_filter_config_http_stream_reset(envoy, config, 44, 0);
        envoy_dynamic_module_on_http_filter_config_scheduled(envoy, config, 7);
    }
    assert_eq!(
        run.calls(),
        [
            "subscribe aws {}",
            "config callout sts [] again 8",
            "config start_stream sts [a=] all true 7",
            "config stream 43 data  true",
            "config stream 43 trailers []",
            "config stream 43 reset",
            "config scheduler_new",
            "config callout other []  6",
            "config commit 7",
            "config scheduler_delete"
        ]
    );
    assert_eq!(
        events(),
        [
            "config callout 42 Success Some(\"x=1\") Some(\"a|b\")",
            "config callout 42 ExceedResponseBufferLimit None None",
            "config stream 43 headers x=1 false",
            "config stream 43 data a|b false",
            "config stream 43 trailers x=1",
            "config stream 43 complete",
            "config stream 44 reset ConnectionFailure",
            "config scheduled 7"
        ]
    );
}
