use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as cluster;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::check;
use crate::proto::{duration, uint};
use crate::wire::any;

fn told<M: Message + Name>(message: &M) -> String {
    match check(&M::full_name(), &message.encode_to_vec()) {
        Ok(()) => "fits".to_owned(),
        Err(violation) => format!("{}: {}", violation.path, violation.text),
    }
}

fn outlier(detection: cluster::OutlierDetection) -> cluster::Cluster {
    cluster::Cluster {
        name: "a".to_owned(),
        outlier_detection: Some(detection),
        ..cluster::Cluster::default()
    }
}

#[test]
fn what_envoy_refuses_is_told_with_its_place() {
    let seconds = |seconds| Some(duration(Duration::from_secs(seconds)));
    for (message, expected) in [
        (
            cluster::Cluster::default(),
            "name: must have at least 1 characters",
        ),
        (outlier(cluster::OutlierDetection::default()), "fits"),
        (
            outlier(cluster::OutlierDetection {
                interval: seconds(0),
                ..Default::default()
            }),
            "outlier_detection.interval: must be greater than 0s",
        ),
        (
            outlier(cluster::OutlierDetection {
                interval: seconds(1),
                max_ejection_percent: Some(uint(101)),
                ..Default::default()
            }),
            "outlier_detection.max_ejection_percent: must be at most 100",
        ),
        (
            cluster::Cluster {
                name: "a".to_owned(),
                lb_policy: 99,
                ..Default::default()
            },
            "lb_policy: 99 is not one of its values",
        ),
        (
            cluster::Cluster {
                name: "a".to_owned(),
                health_checks: vec![core::HealthCheck {
                    timeout: seconds(1),
                    interval: seconds(1),
                    unhealthy_threshold: Some(uint(1)),
                    ..Default::default()
                }],
                ..Default::default()
            },
            "health_checks[0].healthy_threshold: is required",
        ),
        (
            cluster::Cluster {
                name: "a".to_owned(),
                typed_extension_protocol_options: [(
                    "x".to_owned(),
                    any(&core::HttpUri {
                        uri: "/".to_owned(),
                        ..Default::default()
                    }),
                )]
                .into(),
                ..Default::default()
            },
            "typed_extension_protocol_options.value.timeout: is required",
        ),
    ] {
        assert_eq!(told(&message), expected, "{message:?}");
    }
}

#[test]
fn texts_and_oneofs_have_their_rules() {
    let header = |key: &str, value: &str| core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: key.to_owned(),
            value: value.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let host = |headers| route::VirtualHost {
        name: "a".to_owned(),
        domains: vec!["*".to_owned()],
        request_headers_to_add: headers,
        ..Default::default()
    };
    for (message, expected) in [
        (host(vec![header("x-a", "b")]), "fits"),
        (
            host(vec![header("x\n", "b")]),
            "request_headers_to_add[0].header.key: has characters that are not possible here",
        ),
        (
            route::VirtualHost {
                name: "a".to_owned(),
                ..Default::default()
            },
            "domains: must have at least 1",
        ),
        (
            route::VirtualHost {
                routes: vec![route::Route::default()],
                ..host(vec![])
            },
            "routes[0].match: is required",
        ),
        (
            route::VirtualHost {
                routes: vec![route::Route {
                    r#match: Some(route::RouteMatch::default()),
                    ..Default::default()
                }],
                ..host(vec![])
            },
            "routes[0].match.path_specifier: one of its fields is required",
        ),
    ] {
        assert_eq!(told(&message), expected);
    }
}

#[test]
fn an_unknown_message_is_not_looked_at() {
    assert_eq!(check("tenon.None", &[0xff]), Ok(()));
    let unknown = Any {
        type_url: "type.googleapis.com/tenon.None".to_owned(),
        value: vec![0xff],
    };
    assert_eq!(told(&unknown), "fits");
}
