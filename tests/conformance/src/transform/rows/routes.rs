//! Whose rules are in force: the filter's, the route's, a cluster's; and which stage's.

use tenon_contract::Sorted;
use tenon_contract::transform::{RequestRule, RouteTransformations, Stage, Stages, Transforms};

use super::super::{Route, Row, by, regular};
use super::request_rule;
use crate::fake::Request;

/// Rules that set `x-by`.
fn marking(text: &str) -> Transforms {
    request_rule(by(|it| {
        it.headers.insert("x-by".into(), text.into());
    }))
}

fn stages() -> Stages {
    Stages {
        early: Some(marking("early")),
        regular: Some(marking("regular")),
        post_routing: Some(marking("post-routing")),
    }
}

fn text(stages: Stages) -> String {
    RouteTransformations::new(stages).to_json()
}

pub(super) fn all() -> Vec<Row> {
    let at = |name: &'static str, stage: Stage| Row::new(name).filter(|it| it.stage = stage);
    let by_cluster = || {
        let mut route = RouteTransformations::new(regular(marking("route")));
        let other = regular(marking("cluster"));
        route.clusters = [("plain".into(), other), ("empty".into(), Stages::default())].into();
        route.to_json()
    };
    let other_cluster = |name: &'static str, cluster: &'static str| {
        let mut row = Row::new(name).metadata(by_cluster());
        row.cluster = cluster;
        row
    };
    let by_destination = |name: &'static str, number| {
        let mut route = RouteTransformations::new(regular(marking("route")));
        route.clusters = Sorted::from([("plain".into(), regular(marking("cluster")))]);
        route.destinations = Sorted::from([
            ("0".into(), regular(marking("first"))),
            ("1".into(), regular(marking("second"))),
            ("2".into(), Stages::default()),
        ]);
        let mut row = Row::new(name).metadata(route.to_json());
        row.destination = number;
        row
    };
    let mut own_config = Row::new("a-route-s-own-configuration-goes-before-its-metadata");
    own_config.route = Route::Config(
        text(regular(marking("metadata"))),
        text(regular(marking("configuration"))),
    );
    let clearing = |again: bool| {
        let mut rules = request_rule(by(|it| {
            it.headers.insert("x-routed".into(), "again".into());
        }));
        for rule in &mut rules.request_transforms {
            rule.clear_route_cache = again;
        }
        rules
    };
    let clearing_body = Transforms {
        request_transforms: vec![RequestRule {
            clear_route_cache: true,
            request_transformation: Some(by(|it| {
                it.headers.insert("x-routed".into(), "{{ a }}".into());
                it.body = Some("new".into());
            })),
            ..RequestRule::default()
        }],
        ..Transforms::default()
    };
    vec![
        Row::new("nothing-is-done-where-nothing-is-said").sends("x-by", []),
        Row::new("nothing-is-done-with-a-body-where-nothing-is-said")
            .request(Request::post("/", vec![b'x'; 200_000])),
        Row::new("the-filter-s-own-rules-are-applied")
            .filter(|it| *it = it.clone().with(marking("filter")))
            .sends("x-by", ["filter"]),
        Row::new("a-route-s-rules-go-before-the-filter-s")
            .filter(|it| *it = it.clone().with(marking("filter")))
            .metadata(text(stages()))
            .sends("x-by", ["regular"]),
        Row::new("a-route-that-says-nothing-of-the-stage-leaves-it-to-the-filter")
            .filter(|it| *it = it.clone().with(marking("filter")))
            .metadata(text(Stages {
                early: Some(marking("early")),
                ..Stages::default()
            }))
            .sends("x-by", ["filter"]),
        Row::new("a-route-without-rules-switches-the-filter-s-off")
            .filter(|it| *it = it.clone().with(marking("filter")))
            .metadata(text(regular(Transforms::default())))
            .sends("x-by", []),
        at("the-early-stage-is-the-early-filter-s", Stage::Early)
            .metadata(text(stages()))
            .sends("x-by", ["early"]),
        at("the-last-stage-is-the-last-filter-s", Stage::PostRouting)
            .metadata(text(stages()))
            .sends("x-by", ["post-routing"]),
        at(
            "a-stage-that-the-route-says-nothing-of-does-nothing",
            Stage::Early,
        )
        .metadata(text(regular(marking("regular"))))
        .sends("x-by", []),
        other_cluster("a-cluster-s-rules-go-before-its-route-s", "plain")
            .sends("x-by", ["cluster"]),
        other_cluster("a-cluster-that-is-not-named-has-its-route-s-rules", "other")
            .sends("x-by", ["route"]),
        other_cluster("a-cluster-without-rules-has-none", "empty").sends("x-by", []),
        by_destination("a-destination-s-rules-go-before-its-cluster-s", Some("0"))
            .sends("x-by", ["first"]),
        by_destination("another-destination-of-the-cluster-has-its-own", Some("1"))
            .sends("x-by", ["second"]),
        by_destination("a-destination-without-rules-has-none", Some("2")).sends("x-by", []),
        by_destination(
            "a-destination-that-is-not-named-has-its-route-s-rules",
            Some("3"),
        )
        .sends("x-by", ["route"]),
        by_destination("without-a-number-the-cluster-counts", None).sends("x-by", ["cluster"]),
        own_config
            .not_on_wasm("proxy-wasm has no configuration of a route")
            .sends("x-by", ["configuration"]),
        Row::new("the-route-is-chosen-again-where-asked")
            .rules(clearing(true))
            .sends("x-routed", ["again"])
            .header("x-route", ["second"]),
        Row::new("the-route-stays-where-nothing-is-asked")
            .rules(clearing(false))
            .not_on_wasm(
                "Envoy chooses the route again whenever a plugin changes the request's headers",
            )
            .sends("x-routed", ["again"])
            .header("x-route", []),
        Row::new("the-route-is-chosen-again-after-a-body")
            .rules(clearing_body)
            .request(Request::post("/", r#"{"a":"again"}"#))
            .sends_body("new")
            .header("x-route", ["second"]),
    ]
}
