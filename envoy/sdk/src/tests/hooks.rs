//! What crosses the boundary arrives as it was sent.

use super::entry_points::*;
use super::fake_envoy::{FakeEnvoy, logged};
use super::run::*;
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
        use envoy_dynamic_module_type_attribute_id as Attribute;
        assert_eq!(envoy.get_attribute_int(Attribute::RequestTime), Some(8));
        let path = envoy.get_attribute_string(Attribute::RequestUrlPath);
        assert_eq!(path, Some(EnvoyBuffer::new("attribute 1")));
        assert_eq!(
            envoy.get_attribute_bool(Attribute::RequestPath),
            Some(false)
        );
        assert_eq!(envoy.get_cluster_name(), Some(EnvoyBuffer::new("cluster")));
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
fn values_and_lists_of_metadata_come_across() {
    let envoy = FakeEnvoy {
        metadata: [("3/lb/zones".to_owned(), b"abc".to_vec())].into(),
        ..FakeEnvoy::default()
    };
    let run = in_a_hook(envoy, |envoy| {
        let (host, lb, zones) = (Source::Host, "lb", "zones");
        let namespaces = envoy.get_metadata_namespaces(host).unwrap();
        assert_eq!(namespaces, [EnvoyBuffer::new("3/lb/zones")]);
        assert_eq!(envoy.get_metadata_list_size(host, lb, zones), Some(3));
        let second = envoy.get_metadata_list_string(host, lb, zones, 1);
        assert_eq!(second, Some(EnvoyBuffer::new("b")));
        assert_eq!(envoy.get_metadata_list_string(host, lb, zones, 3), None);
        assert_eq!(
            envoy.get_metadata_list_number(host, lb, zones, 2),
            Some(99.0)
        );
        assert_eq!(envoy.get_metadata_list_bool(host, lb, zones, 0), Some(true));
        assert_eq!(envoy.get_metadata_bool(host, lb, zones), Some(true));
        assert_eq!(envoy.get_metadata_bool(host, lb, "none"), None);
        envoy.set_dynamic_metadata_number("tenon", "n", 1.5);
        envoy.set_dynamic_metadata_bool("tenon", "b", true);
        envoy.set_dynamic_metadata_struct("tenon", b"a struct");
    });
    assert_eq!(
        run.calls(),
        [
            "set_dynamic_metadata tenon n=1.5",
            "set_dynamic_metadata tenon b=true",
            "set_dynamic_metadata tenon a struct"
        ]
    );
    run.envoy(|envoy| envoy.metadata.clear());
    when("request_body", |envoy| {
        assert!(envoy.get_metadata_namespaces(Source::Host).is_none());
        assert!(envoy.get_metadata_keys(Source::Host, "lb").is_none());
    });
    assert_eq!(run.request_body(), 0);
}

#[test]
fn an_answer_is_sent_piece_by_piece() {
    let run = in_a_hook(FakeEnvoy::default(), |envoy| {
        envoy.send_response_headers(&[(":status", b"200")], false);
        envoy.send_response_data(b"da\0ta", false);
        envoy.send_response_trailers(&[("x-sum", b"")]);
        envoy.add_custom_flag("OURS");
    });
    assert_eq!(
        run.calls(),
        [
            "send_response_headers [:status=200] false",
            "send_response_data da\0ta false",
            "send_response_trailers [x-sum=]",
            "add_custom_flag OURS"
        ]
    );
}

#[test]
fn a_local_reply_is_told_with_its_details() {
    let run = Run::new(FakeEnvoy::default());
    assert_eq!(run.local_reply(504, b"upstream_response_timeout"), 1);
    assert_eq!(run.response_trailers(), 0);
    let seen = ran();
    assert_eq!(
        seen.last().unwrap(),
        "local_reply 504 upstream_response_timeout true"
    );
}

#[test]
fn a_span_is_tagged_and_its_children_finished_once() {
    let run = in_a_hook(FakeEnvoy::default(), |envoy| {
        let span = envoy.get_active_span().unwrap();
        span.set_tag("k", "v");
        span.set_operation("call");
        let mut child = span.spawn_child("sign").unwrap();
        child.set_tag("a", "");
        child.finish();
        child.set_tag("late", "lost");
        drop(child);
        drop(span.spawn_child("send"));
    });
    assert_eq!(
        run.calls(),
        [
            "tag k=v",
            "operation call",
            "child sign",
            "tag a=",
            "finish",
            "child send",
            "finish"
        ]
    );
}

#[test]
fn a_line_of_log_goes_to_envoy_as_it_is() {
    let envoy = crate::process::ENVOY;
    assert!((envoy.log_enabled)(
        envoy_dynamic_module_type_log_level::Warn
    ));
    (envoy.log)(
        envoy_dynamic_module_type_log_level::Warn,
        "a line",
        "file.rs",
        7,
    );
    assert_eq!(logged(), ["3 a line at file.rs:7"]);
    // A level that no ABI has yet.
    assert_eq!(
        (envoy.log_level)(),
        envoy_dynamic_module_type_log_level::Off
    );
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
