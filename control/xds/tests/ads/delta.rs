use std::collections::BTreeSet;

use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;

use crate::client::*;

#[tokio::test]
async fn nonces_are_fresh_on_every_response() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Listener, "l@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    let mut nonces = BTreeSet::new();
    for version in ["a@1", "a@2", "a@3"] {
        let response = client.expect(Cluster, &[version]).await;
        client.ack(&response).await;
        assert!(nonces.insert(response.nonce), "nonce used twice");
        server.put(&[(Cluster, if version == "a@1" { "a@2" } else { "a@3" })]);
    }
}

#[tokio::test]
async fn an_empty_first_request_means_all_and_is_answered_even_if_there_is_nothing() {
    let server = Server::start().await;
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[]).await;
    server.put(&[(Cluster, "a@1")]);
    client.accept(Cluster, &["a@1"]).await;
}

#[tokio::test]
async fn a_star_and_names_may_be_mixed_and_unsubscribing_the_star_keeps_the_names() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Cluster, "b@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &["*", "a"]).await;
    client.accept(Cluster, &["a@1", "b@1"]).await;
    client.unsubscribe(Cluster, &["*"]).await;
    client.expect_nothing().await;
    server.put(&[(Cluster, "a@2"), (Cluster, "b@2")]);
    client.accept(Cluster, &["a@2"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn subscribing_to_a_known_name_sends_it_again() {
    let server = Server::start().await;
    server.put(&[(Route, "r@1")]);
    let mut client = server.delta().await;
    for _ in 0..2 {
        client.subscribe(Route, &["r"]).await;
        client.accept(Route, &["r@1"]).await;
    }
}

#[tokio::test]
async fn a_missing_name_is_removed_at_once_and_sent_when_it_appears() {
    let server = Server::start().await;
    let mut client = server.delta().await;
    client.subscribe(Route, &["r"]).await;
    client.accept(Route, &["-r"]).await;
    server.put(&[(Route, "r@1")]);
    client.accept(Route, &["r@1"]).await;
    server.put(&[(Route, "r")]);
    client.accept(Route, &["-r"]).await;
}

#[tokio::test]
async fn only_names_that_the_client_has_are_removed() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Route, "r@1"), (Route, "other@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["a@1"]).await;
    client.subscribe(Route, &["r"]).await;
    client.accept(Route, &["r@1"]).await;
    server.put(&[(Route, "other"), (Cluster, "never-there")]);
    client.expect_nothing().await;
}

#[tokio::test]
async fn unsubscribing_an_unknown_name_is_silent() {
    let server = Server::start().await;
    let mut client = server.delta().await;
    client.unsubscribe(Route, &["r"]).await;
    client.accept(Route, &[]).await;
    client.unsubscribe(Route, &["s"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_unsubscribed_name_is_sent_no_more() {
    let server = Server::start().await;
    server.put(&[(Route, "r@1"), (Route, "s@1")]);
    let mut client = server.delta().await;
    client.subscribe(Route, &["r", "s"]).await;
    client.accept(Route, &["r@1", "s@1"]).await;
    client.unsubscribe(Route, &["r"]).await;
    client.expect_nothing().await;
    server.put(&[(Route, "r@2"), (Route, "s@2")]);
    client.accept(Route, &["s@2"]).await;
}

#[tokio::test]
async fn a_client_that_comes_back_is_sent_only_differences() {
    let server = Server::start().await;
    server.put(&[
        (Cluster, "same@1"),
        (Cluster, "changed@2"),
        (Cluster, "new@1"),
        (Listener, "l@1"),
        (Route, "r@1"),
    ]);
    let mut client = server.delta().await;
    client
        .resume(Cluster, &[], &["same@1", "changed@1", "gone@1"])
        .await;
    client.accept(Cluster, &["changed@2", "new@1"]).await;
    client.resume(Listener, &[], &["l@1"]).await;
    client.resume(Route, &["r"], &["r@1"]).await;
    // Only now nothing can refer to the cluster any more.
    client.accept(Cluster, &["-gone"]).await;
    client.expect_nothing().await;
    server.put(&[(Cluster, "later@1")]);
    client.accept(Cluster, &["later@1"]).await;
}

#[tokio::test]
async fn a_client_that_has_everything_is_sent_nothing_by_a_new_server() {
    let server = Server::start_empty().await;
    let mut client = server.delta().await;
    client.resume(Cluster, &[], &["a@1"]).await;
    client.resume(Listener, &[], &["l@1"]).await;
    client.resume(Route, &["r"], &["r@1"]).await;
    server.put(&[(Cluster, "a@1"), (Listener, "l@1"), (Route, "r@1")]);
    server.cache.go_live();
    client.expect_nothing().await;
}

#[tokio::test]
async fn changes_while_a_response_is_in_flight_are_merged() {
    let server = Server::start().await;
    server.put(&[(Route, "r@1"), (Route, "s@1")]);
    let mut client = server.delta().await;
    client.subscribe(Route, &["r", "s"]).await;
    let first = client.expect(Route, &["r@1", "s@1"]).await;
    for version in ["r@2", "r@3", "s@2", "r@4"] {
        server.put(&[(Route, version)]);
    }
    client.expect_nothing().await;
    client.ack(&first).await;
    client.accept(Route, &["r@4", "s@2"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_answer_with_an_old_nonce_is_no_answer() {
    let server = Server::start().await;
    server.put(&[(Route, "r@1")]);
    let mut client = server.delta().await;
    client.subscribe(Route, &["r"]).await;
    let first = client.expect(Route, &["r@1"]).await;
    client.ack(&first).await;
    server.put(&[(Route, "r@2")]);
    let second = client.expect(Route, &["r@2"]).await;
    server.put(&[(Route, "r@3")]);
    client.nack(&first, "too late").await;
    client.expect_nothing().await;
    client.ack(&second).await;
    client.accept(Route, &["r@3"]).await;
}

#[tokio::test]
async fn a_touched_but_equal_resource_is_not_sent() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["a@1"]).await;
    server.put(&[(Cluster, "a@1")]);
    client.expect_nothing().await;
}

#[tokio::test]
async fn what_is_asked_for_on_demand_is_sent_at_once() {
    let server = Server::start().await;
    server.put(&[
        (ScopedRoute, "s@1"),
        (Route, "part-1@1"),
        (Route, "part-2@1"),
    ]);
    let mut client = server.delta().await;
    client.subscribe(ScopedRoute, &[]).await;
    client.accept(ScopedRoute, &["s@1"]).await;
    client.subscribe(Route, &["part-1"]).await;
    client.accept(Route, &["part-1@1"]).await;
    // A request was for the other part.
    client.subscribe(Route, &["part-2"]).await;
    client.accept(Route, &["part-2@1"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_star_brings_what_there_is_beside_the_names_asked_for_before() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Cluster, "b@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &["a"]).await;
    client.accept(Cluster, &["a@1"]).await;
    client.subscribe(Cluster, &["*"]).await;
    client.accept(Cluster, &["b@1"]).await;
    // It forgets what it unsubscribes, and still wants all.
    client.unsubscribe(Cluster, &["a"]).await;
    client.accept(Cluster, &["a@1"]).await;
    server.put(&[(Cluster, "c@1")]);
    client.accept(Cluster, &["c@1"]).await;
}

#[tokio::test]
async fn a_client_that_comes_back_keeps_to_all_of_a_type() {
    let server = Server::start().await;
    server.put(&[(Listener, "l@1")]);
    let mut client = server.delta().await;
    client.resume(Listener, &[], &["l@1"]).await;
    client.expect_nothing().await;
    server.put(&[(Listener, "new@1")]);
    client.accept(Listener, &["new@1"]).await;
}

#[tokio::test]
async fn clients_that_know_of_times_to_live_get_resources_that_stay() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let features = ["xds.config.supports-resource-ttl"];
    let mut client = server.delta_of(node_with(None, "envoy", &features)).await;
    client.subscribe(Cluster, &[]).await;
    let response = client.expect(Cluster, &["a@1"]).await;
    assert_eq!(response.resources[0].ttl, None);
    assert!(response.resources[0].resource.is_some(), "no heartbeat");
    client.ack(&response).await;
    // Nothing ends by itself, so nothing is told to be still there.
    client.expect_nothing().await;
}

#[tokio::test]
async fn the_same_content_is_the_same_bytes_in_whatever_order_it_came() {
    let changes = [
        (Cluster, "a@1"),
        (Cluster, "b@1"),
        (Cluster, "c@1"),
        (Cluster, "d@1"),
    ];
    let mut seen = Vec::new();
    for rotation in 0..changes.len() {
        let server = Server::start().await;
        let mut changes = changes;
        changes.rotate_left(rotation);
        for change in changes {
            server.put(&[change]);
        }
        let mut client = server.delta().await;
        client.subscribe(Cluster, &[]).await;
        let response = client.next().await;
        let mut old = server.state_of_the_world().await;
        old.subscribe(Cluster, &[]).await;
        seen.push((response, old.next().await));
    }
    assert_eq!(seen[0].0.resources.len(), changes.len());
    assert!(
        seen.iter().all(|responses| *responses == seen[0]),
        "{seen:?}"
    );
}

#[tokio::test]
async fn types_that_are_not_served_disturb_nobody() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut client = server.delta().await;
    for number in 0..100 {
        client
            .send(DeltaDiscoveryRequest {
                type_url: format!("type.googleapis.com/of.somebody.Else{number}"),
                resource_names_subscribe: vec!["x".into()],
                ..Default::default()
            })
            .await;
    }
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["a@1"]).await;
}
