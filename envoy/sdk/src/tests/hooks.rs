//! What crosses the boundary arrives as it was sent.

use super::fake_envoy::FakeEnvoy;
use super::scripted::*;
use crate::abi::*;
use crate::*;
use envoy_dynamic_module_type_http_body_type as Body;
use envoy_dynamic_module_type_http_header_type as Map;
use envoy_dynamic_module_type_metadata_source as Source;

fn headers(count: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let header = |i| (format!("x-{i}").into_bytes(), vec![0xff, 0, b'a']);
    (0..count).map(header).collect()
}

/// Runs `act` in the request-headers hook of a fresh stream; panics in it fail the test.
fn in_a_hook(envoy: FakeEnvoy, act: impl Fn(&mut EnvoyHttpFilterImpl) + 'static) -> Run {
    let run = Run::new(envoy);
    when("request_headers", act);
    assert_eq!(run.request_headers(), 0, "the act panicked");
    run
}

#[test]
fn every_header_is_visited_in_order_however_many() {
    for count in [0, 1, 64, 65, 200] {
        let envoy = FakeEnvoy {
            headers: [headers(count), vec![], vec![], vec![]],
            ..FakeEnvoy::default()
        };
        in_a_hook(envoy, move |envoy| {
            let mut seen = Vec::new();
            envoy.for_each_header(Map::RequestHeader, &mut |k, v| {
                seen.push((k.to_vec(), v.to_vec()));
            });
            assert_eq!(seen, headers(count));
            let all = envoy.get_request_headers();
            assert_eq!(all.len(), count);
            assert!(
                all.iter()
                    .zip(&seen)
                    .all(|(a, b)| *a.0 == *b.0 && *a.1 == *b.1)
            );
        });
    }
}

#[test]
fn headers_are_set_added_and_removed() {
    let run = in_a_hook(FakeEnvoy::default(), |envoy| {
        assert!(envoy.get_response_header_value("x").is_none());
        assert!(envoy.get_response_header_values("x").is_empty());
        assert!(envoy.add_response_header("x", b"1"));
        assert!(envoy.add_response_header("x", b"2"));
        let values = envoy.get_response_header_values("x");
        assert_eq!(values, [EnvoyBuffer::new("1"), EnvoyBuffer::new("2")]);
        assert!(envoy.set_response_header("x", b""));
        assert_eq!(
            envoy.get_response_header_value("x").as_deref(),
            Some(b"".as_slice())
        );
        assert!(envoy.set_response_header("y", b"\xff"));
        assert!(envoy.remove_response_header("x"));
    });
    run.envoy(|envoy| assert_eq!(envoy.headers[2], [(b"y".to_vec(), b"\xff".to_vec())]));
}

#[test]
fn a_body_is_read_changed_in_place_drained_and_appended() {
    let envoy = FakeEnvoy {
        bodies: [
            Some(vec![b"hel".to_vec(), vec![], b"lo".to_vec()]),
            None,
            None,
            None,
        ],
        ..FakeEnvoy::default()
    };
    let run = in_a_hook(envoy, |envoy| {
        let mut all = Vec::new();
        envoy.for_each_body_chunk(Body::ReceivedRequestBody, &mut |piece| {
            // Within a visit, another body may be visited.
            all.extend_from_slice(piece);
        });
        assert_eq!(all, b"hello");
        let mut pieces = envoy.get_received_request_body().unwrap();
        for piece in &mut pieces {
            piece.as_mut_slice().make_ascii_uppercase();
        }
        assert_eq!(envoy.get_received_request_body_size(), 5);
        assert!(envoy.drain_received_request_body(2));
        assert!(envoy.append_received_request_body(b"\0!"));
        assert!(envoy.get_buffered_request_body().is_none());
        assert!(!envoy.append_buffered_request_body(b"x"));
        envoy.for_each_body_chunk(Body::BufferedRequestBody, &mut |_| unreachable!());
    });
    run.envoy(|envoy| {
        let body = envoy.bodies[0].take().unwrap().concat();
        assert_eq!(body, b"LLO\0!");
    });
}

#[test]
fn metadata_state_attributes_and_secrets_come_across() {
    let envoy = FakeEnvoy {
        metadata: [("1/tenon/call".to_owned(), b"{}".to_vec())].into(),
        secret: Some(Vec::new()),
        ..FakeEnvoy::default()
    };
    let run = in_a_hook(envoy, |envoy| {
        let call = envoy.get_metadata_string(Source::Route, "tenon", "call");
        assert_eq!(call.as_deref(), Some(b"{}".as_slice()));
        assert_eq!(
            envoy.get_metadata_number(Source::Route, "tenon", "call"),
            Some(2.0)
        );
        assert_eq!(
            envoy.get_metadata_number(Source::Cluster, "tenon", "call"),
            None
        );
        assert_eq!(
            envoy
                .get_metadata_keys(Source::Route, "tenon")
                .unwrap()
                .len(),
            1
        );
        envoy.set_dynamic_metadata_string("tenon", "function", "f");
        envoy.set_dynamic_metadata_string_batch("tenon", &[("a", "1"), ("b", "")]);
        assert!(envoy.get_filter_state_bytes(b"k").is_none());
        assert!(envoy.set_filter_state_bytes(b"k", b"\0v"));
        assert_eq!(
            envoy.get_filter_state_bytes(b"k").as_deref(),
            Some(b"\0v".as_slice())
        );
        let attempt = envoy_dynamic_module_type_attribute_id::RequestTime;
        assert_eq!(envoy.get_attribute_int(attempt), Some(8));
        let id = EnvoySecretId(std::num::NonZeroUsize::MIN);
        // A secret that has not come is empty, and its view null.
        assert_eq!(envoy.get_generic_secret(id), Some(EnvoyBuffer::default()));
    });
    run.envoy(|envoy| {
        assert_eq!(envoy.metadata["0/tenon/function"], b"f");
        assert_eq!(
            envoy.calls.last().map(String::as_str),
            Some("set_dynamic_metadata tenon [a=1;b=]")
        );
    });
}

#[test]
fn metrics_carry_their_labels_and_report_failures() {
    let mut run = in_a_hook(FakeEnvoy::default(), |envoy| {
        envoy.increase_gauge(EnvoyGaugeId(1), 1).unwrap();
        envoy.decrease_gauge(EnvoyGaugeId(1), 2).unwrap();
        envoy.set_gauge(EnvoyGaugeId(1), 3).unwrap();
        let many = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let histogram = EnvoyHistogramVecId(1);
        envoy
            .record_histogram_value_vec(histogram, &many, 4)
            .unwrap();
        let result = envoy.increment_counter_vec(EnvoyCounterVecId(1), &["a", "b"], 2);
        assert_eq!(
            result,
            Err(envoy_dynamic_module_type_metrics_result::InvalidLabels)
        );
    });
    run.destroy();
    assert_eq!(
        run.calls(),
        [
            "stream gauge + () 1",
            "stream gauge - () 2",
            "stream gauge = () 3",
            "stream histogram (1,2,3,4,5,6,7,8,9) 4",
            "stream counter (a,b) 2",
            "config counter (x,y) 3"
        ]
    );
    let defined = run.envoy(|envoy| envoy.calls[..2].to_vec());
    assert_eq!(defined, ["define panics ()", "define tries (a,b)"]);
}

#[test]
fn a_route_config_is_shared_with_the_stream_and_freed_by_envoy() {
    install();
    // SAFETY: the bytes live through the call.
    let config = unsafe {
        envoy_dynamic_module_on_http_filter_per_route_config_new(raw(b"r"), raw(b"conf"))
    };
    let envoy = FakeEnvoy {
        route_config: Some(config),
        ..FakeEnvoy::default()
    };
    let kept = std::rc::Rc::new(std::cell::RefCell::new(None));
    let keep = std::rc::Rc::clone(&kept);
    in_a_hook(envoy, move |envoy| {
        let bytes = envoy.route_config().unwrap().downcast_ref::<Vec<u8>>();
        assert_eq!(bytes.unwrap(), b"conf");
        *keep.borrow_mut() = envoy.get_most_specific_route_config();
    });
    // SAFETY: given back once.
    unsafe { envoy_dynamic_module_on_http_filter_per_route_config_destroy(config) };
    // What a stream keeps outlives the route.
    let kept = kept.borrow_mut().take().unwrap();
    assert_eq!(kept.downcast_ref::<Vec<u8>>().unwrap(), b"conf");
}

#[test]
fn a_stream_without_a_route_has_no_route_config() {
    in_a_hook(FakeEnvoy::default(), |envoy| {
        assert!(envoy.route_config().is_none());
        assert!(envoy.get_most_specific_route_config().is_none());
    });
}

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
