//! A small module's filter, tested the way a module's author would.

use super::*;
use crate::abi::{
    envoy_dynamic_module_type_http_body_type as Body,
    envoy_dynamic_module_type_http_header_type as Map,
    envoy_dynamic_module_type_metadata_source as Source,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
};
use crate::*;

#[test]
fn headers_keep_their_order_and_lose_all_values_when_set() {
    let mut envoy = MockHttpFilter::request(&[(":path", "/"), ("a", "1"), ("b", "2"), ("A", "3")]);
    assert!(envoy.set_request_header("a", b"4"));
    assert!(envoy.add_request_header("C", b"\xff"));
    assert!(envoy.remove_request_header("b"));
    let mut seen = Vec::new();
    envoy.for_each_header(Map::RequestHeader, &mut |k, v| {
        seen.push((k.to_vec(), v.to_vec()))
    });
    let expected: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (b":path".into(), b"/".into()),
        (b"a".into(), b"4".into()),
        (b"c".into(), b"\xff".into()),
    ];
    assert_eq!(seen, expected);
    assert!(!envoy.set_response_header("x", b"no response yet"));
}

#[test]
fn bodies_are_drained_and_appended() {
    let mut envoy = MockHttpFilter::default().with_body(Body::ReceivedRequestBody, b"hello");
    assert!(envoy.drain_received_request_body(3));
    assert!(envoy.append_received_request_body(b"!"));
    assert_eq!(envoy.body(Body::ReceivedRequestBody), b"lo!");
    // A message without a body gets one in the buffer only, as in Envoy.
    assert!(envoy.append_buffered_request_body(b"new"));
    assert!(!envoy.append_received_response_body(b"new"));
}

#[test]
fn config_and_filter_share_their_metrics() {
    let mut config = MockHttpFilterConfig::default();
    let calls = config.define_counter_vec("calls", &["result"]).unwrap();
    let time = config.define_histogram("ms").unwrap();
    config.metrics.freeze();
    assert_eq!(config.define_gauge("late"), Err(MetricsResult::Frozen));
    let envoy = MockHttpFilter {
        metrics: config.metrics.clone(),
        ..MockHttpFilter::default()
    };
    envoy.increment_counter_vec(calls, &["ok"], 2).unwrap();
    config.increment_counter_vec(calls, &["ok"], 1).unwrap();
    envoy.record_histogram_value(time, 7).unwrap();
    assert_eq!(
        envoy.increment_counter_vec(calls, &[], 1),
        Err(MetricsResult::InvalidLabels)
    );
    assert_eq!(config.metrics.value("calls", &["ok"]), 3);
    assert_eq!(config.metrics.value("calls", &["error"]), 0);
    assert_eq!(config.metrics.recorded("ms", &[]), [7]);
}

#[test]
fn a_secret_is_found_by_the_subscription_and_empty_until_it_comes() {
    let mut config = MockHttpFilterConfig::default();
    let id = config.subscribe_generic_secret("aws", "{}").unwrap();
    assert_eq!(
        config.get_generic_secret(id).as_deref(),
        Some(b"".as_slice())
    );
    config.secrets.insert("aws".into(), b"key".into());
    assert_eq!(
        config.get_generic_secret(id).as_deref(),
        Some(b"key".as_slice())
    );
    config.refuse_secrets = true;
    assert_eq!(config.subscribe_generic_secret("aws", "{}"), None);
    let envoy = MockHttpFilter {
        secrets: vec![b"key".to_vec()],
        ..MockHttpFilter::default()
    };
    assert_eq!(
        envoy.get_generic_secret(id).as_deref(),
        Some(b"key".as_slice())
    );
}

#[test]
fn metadata_is_kept_by_its_source() {
    let mut envoy = MockHttpFilter::default().with_metadata(Source::Route, "tenon", "call", "{}");
    envoy.set_dynamic_metadata_string("tenon", "function", "f");
    let text = |source, key| envoy.get_metadata_string(source, "tenon", key);
    assert_eq!(
        text(Source::Route, "call").as_deref(),
        Some(b"{}".as_slice())
    );
    assert_eq!(
        text(Source::Dynamic, "function").as_deref(),
        Some(b"f".as_slice())
    );
    assert_eq!(text(Source::Cluster, "call"), None);
    assert_eq!(
        envoy.get_metadata_number(Source::Route, "tenon", "call"),
        None
    );
}

#[test]
fn what_a_filter_tells_envoy_is_recorded_in_order() {
    let mut envoy = MockHttpFilter::request(&[("content-type", "application/grpc")]);
    envoy.new_scheduler().commit(3);
    envoy.send_grpc_response(14, "no credentials", &[("x-e", b"1")], Some("why"));
    envoy.continue_decoding();
    let [
        MockAction::Response {
            status,
            headers,
            body,
            details,
        },
        MockAction::ContinueDecoding,
    ] = envoy.actions.as_slice()
    else {
        panic!("{:?}", envoy.actions);
    };
    assert_eq!(
        (*status, body.as_slice(), details.as_str()),
        (200, b"".as_slice(), "why")
    );
    assert!(headers.contains(&("grpc-status".to_owned(), b"14".to_vec())));
    assert!(headers.contains(&("x-e".to_owned(), b"1".to_vec())));
    assert_eq!(*envoy.events.lock().unwrap(), [3]);
}
