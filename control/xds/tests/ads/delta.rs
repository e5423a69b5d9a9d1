use std::collections::BTreeSet;

use tenon_contract::SecretBlob;
use tenon_xds::{Event, Urgency};

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
async fn a_proxy_sees_its_own_resources_only() {
    let server = Server::start().await;
    server.put_for("edge", &[(Cluster, "e@1")]);
    server.put_for("gateway-proxy", &[(Cluster, "g@1")]);
    let mut edge = server.delta_as(Some("gloo-system~edge")).await;
    edge.subscribe(Cluster, &[]).await;
    edge.accept(Cluster, &["e@1"]).await;
    let mut unknown = server.delta_as(None).await;
    unknown.subscribe(Cluster, &[]).await;
    unknown.accept(Cluster, &["g@1"]).await;
}

#[tokio::test]
async fn streams_of_one_node_are_served_apart() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut clients = [server.delta().await, server.delta().await];
    for client in &mut clients {
        client.subscribe(Cluster, &[]).await;
        client.accept(Cluster, &["a@1"]).await;
    }
    let [first, mut second] = clients;
    drop(first);
    server.put(&[(Cluster, "a@2")]);
    second.accept(Cluster, &["a@2"]).await;
}

#[tokio::test]
async fn hundreds_of_streams_are_served_while_some_do_not_read() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut clients = Vec::new();
    for _ in 0..200 {
        let client = server.delta().await;
        client.subscribe(Cluster, &[]).await;
        clients.push(client);
    }
    for (index, client) in clients.iter_mut().enumerate() {
        let first = client.expect(Cluster, &["a@1"]).await;
        if index % 2 == 0 {
            client.ack(&first).await;
        }
    }
    for version in ["a@2", "a@3", "a@4"] {
        server.put(&[(Cluster, version)]);
        for client in clients.iter_mut().step_by(2) {
            client.accept(Cluster, &[version]).await;
        }
    }
    // Those that did not answer have one response in flight, and nothing waits for them but the last form.
    for client in clients.iter_mut().skip(1).step_by(2) {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn shared_secrets_are_served_to_every_proxy_and_rotated() {
    let server = Server::start().await;
    let blob = |reason: &str| SecretBlob::Unavailable(reason.into());
    server
        .cache
        .set_secret("s", Some((&blob("one"), Urgency::Replace)));
    let mut client = server.delta_as(Some("gloo-system~edge")).await;
    client.subscribe(Secret, &["s"]).await;
    let first = client.next().await;
    client.ack(&first).await;
    server
        .cache
        .set_secret("s", Some((&blob("two"), Urgency::Replace)));
    let second = client.next().await;
    assert_ne!(first.resources[0].version, second.resources[0].version);
    let text = second.resources[0].resource.as_ref().unwrap().value.clone();
    assert!(String::from_utf8_lossy(&text).contains(r#"{"unavailable":"two"}"#));
}

#[tokio::test]
async fn a_placeholder_does_not_replace_the_secret_of_a_client_that_comes_back() {
    let server = Server::start().await;
    let waiting = SecretBlob::Unavailable("not resolved yet".into());
    server
        .cache
        .set_secret("s", Some((&waiting, Urgency::KeepOlder)));
    let mut client = server.delta().await;
    client.resume(Secret, &["s"], &["s@old"]).await;
    client.expect_nothing().await;
    let found = SecretBlob::Unavailable("found".into());
    server
        .cache
        .set_secret("s", Some((&found, Urgency::Replace)));
    assert_eq!(client.next().await.resources.len(), 1);
}

#[tokio::test]
async fn a_new_client_gets_the_placeholder_at_once() {
    let server = Server::start().await;
    let waiting = SecretBlob::Unavailable("not resolved yet".into());
    server
        .cache
        .set_secret("s", Some((&waiting, Urgency::KeepOlder)));
    let mut client = server.delta().await;
    client.subscribe(Secret, &["s"]).await;
    assert_eq!(client.next().await.resources.len(), 1);
}

#[tokio::test]
async fn clients_are_told_about_and_settle_once_they_have_everything() {
    let mut server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Listener, "l@1"), (Route, "r@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["a@1"]).await;
    client.subscribe(Listener, &[]).await;
    client.accept(Listener, &["l@1"]).await;
    client.expect_nothing().await;
    while let Ok(event) = server.events.try_recv() {
        let too_early = matches!(event, Event::Settled { .. });
        assert!(!too_early, "it has not asked for routes yet");
    }
    client.subscribe(Route, &["r"]).await;
    client.accept(Route, &["r@1"]).await;
    let settled = |event| match event {
        Event::Settled { rejected, node, .. } => Some((rejected, node)),
        _ => None,
    };
    assert_eq!(server.event(settled).await, (0, "envoy".to_owned()));
    drop(client);
    server
        .event(|event| matches!(event, Event::Disconnected { .. }).then_some(()))
        .await;
}

#[tokio::test]
async fn a_server_with_open_streams_stops() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["a@1"]).await;
    server.stop().await;
}
