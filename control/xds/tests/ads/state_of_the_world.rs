use tenon_xds::Event;

use crate::client::*;

#[tokio::test]
async fn clusters_come_in_full_and_absence_deletes() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Cluster, "b@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[], &["a@1", "b@1"]).await;
    server.put(&[(Cluster, "a@2")]);
    client.accept(Cluster, &[], &["a@2", "b@1"]).await;
    server.put(&[(Cluster, "b")]);
    client.accept(Cluster, &[], &["a@2"]).await;
    client.expect_nothing(&server).await;
}

#[tokio::test]
async fn routes_come_alone_and_absence_deletes_nothing() {
    let server = Server::start().await;
    server.put(&[(Route, "r@1"), (Route, "s@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Route, &["r", "s"]).await;
    client.accept(Route, &["r", "s"], &["r@1", "s@1"]).await;
    server.put(&[(Route, "s@2")]);
    client.accept(Route, &["r", "s"], &["s@2"]).await;
    server.put(&[(Route, "r")]);
    client.expect_nothing(&server).await;
}

#[tokio::test]
async fn an_empty_configuration_is_told() {
    let server = Server::start().await;
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[], &[]).await;
}

#[tokio::test]
async fn an_answer_with_an_old_nonce_is_ignored_without_a_reply() {
    let server = Server::start().await;
    server.put(&[(Route, "r@1"), (Route, "s@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Route, &["r"]).await;
    let first = client.accept(Route, &["r"], &["r@1"]).await;
    server.put(&[(Route, "r@2")]);
    let second = client.expect(Route, &["r@2"]).await;
    client
        .send(Route, &["r", "s"], &first.version_info, &first.nonce, None)
        .await;
    client.expect_nothing(&server).await;
    client
        .send(
            Route,
            &["r", "s"],
            &second.version_info,
            &second.nonce,
            None,
        )
        .await;
    client.accept(Route, &["r", "s"], &["s@1"]).await;
}

#[tokio::test]
async fn a_new_name_is_answered_without_a_change_of_version() {
    let server = Server::start().await;
    server.put(&[(Endpoint, "a@1"), (Endpoint, "b@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Endpoint, &["a"]).await;
    let response = client.accept(Endpoint, &["a"], &["a@1"]).await;
    client
        .send(
            Endpoint,
            &["a", "b"],
            &response.version_info,
            &response.nonce,
            None,
        )
        .await;
    client.accept(Endpoint, &["a", "b"], &["b@1"]).await;
}

#[tokio::test]
async fn an_empty_list_after_names_ends_them_and_does_not_mean_all() {
    let server = Server::start().await;
    server.put(&[(Route, "r@1"), (Route, "s@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Route, &["r"]).await;
    let response = client.accept(Route, &["r"], &["r@1"]).await;
    client
        .send(Route, &[], &response.version_info, &response.nonce, None)
        .await;
    client.subscribe(Endpoint, &["a"]).await;
    server.put(&[(Endpoint, "a@1")]);
    client.accept(Endpoint, &["a"], &["a@1"]).await;
    server.put(&[(Route, "r@2"), (Route, "s@2")]);
    client.expect_nothing(&server).await;
}

#[tokio::test]
async fn a_client_that_comes_back_with_the_same_version_is_sent_nothing() {
    let first = Server::start().await;
    let second = Server::start().await;
    let mut version = String::new();
    for server in [&first, &second] {
        server.put(&[(Cluster, "a@1"), (Cluster, "b@1")]);
        let mut client = server.state_of_the_world().await;
        client.resume(Cluster, &[], &version).await;
        if version.is_empty() {
            version = client
                .accept(Cluster, &[], &["a@1", "b@1"])
                .await
                .version_info;
        } else {
            client.expect_nothing(server).await;
            server.put(&[(Cluster, "b@2")]);
            client.accept(Cluster, &[], &["a@1", "b@2"]).await;
        }
    }
}

#[tokio::test]
async fn a_bad_cluster_is_found_while_its_neighbours_keep_their_last_good_form() {
    let mut server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Cluster, "b@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[], &["a@1", "b@1"]).await;
    server.put(&[(Cluster, "a@2"), (Cluster, "b@2")]);
    for (content, good) in [
        (["a@2", "b@2"], false),
        (["a@2", "b@1"], false),
        (["a@1", "b@2"], true),
    ] {
        let response = client.expect(Cluster, &content).await;
        let error = (!good).then_some("no");
        client
            .send(Cluster, &[], &response.version_info, &response.nonce, error)
            .await;
    }
    let rejected = |event| match event {
        Event::Rejected { id, .. } => Some(id.name.to_string()),
        _ => None,
    };
    assert_eq!(server.event(rejected).await, "a");
    client.expect_nothing(&server).await;
}

#[tokio::test]
async fn a_cluster_goes_after_the_route_that_left_it_was_accepted() {
    let server = Server::start().await;
    server.put(&[(Cluster, "old@1"), (Listener, "l@1"), (Route, "r@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[], &["old@1"]).await;
    client.subscribe(Listener, &[]).await;
    client.accept(Listener, &[], &["l@1"]).await;
    client.subscribe(Route, &["r"]).await;
    client.accept(Route, &["r"], &["r@1"]).await;
    server.put(&[(Cluster, "old"), (Cluster, "new@1"), (Route, "r@2")]);
    client.accept(Cluster, &[], &["new@1", "old@1"]).await;
    client.accept(Route, &["r"], &["r@2"]).await;
    client.accept(Cluster, &[], &["new@1"]).await;
}

#[tokio::test]
async fn nonces_are_fresh_on_every_response() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Endpoint, "a@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    let mut nonces = vec![client.accept(Cluster, &[], &["a@1"]).await.nonce];
    client.subscribe(Endpoint, &["a"]).await;
    nonces.push(client.accept(Endpoint, &["a"], &["a@1"]).await.nonce);
    server.put(&[(Cluster, "a@2")]);
    nonces.push(client.accept(Cluster, &[], &["a@2"]).await.nonce);
    let endpoints = client.accept(Endpoint, &["a"], &["a@1"]).await;
    nonces.push(endpoints.nonce);
    assert!(nonces.iter().all(|nonce| !nonce.is_empty()));
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "{nonces:?}");
}

#[tokio::test]
async fn an_answer_is_a_nack_by_its_error_and_not_by_its_version() {
    let mut server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    let first = client.expect(Cluster, &["a@1"]).await;
    // Accepted, though it names no version.
    client.send(Cluster, &[], "", &first.nonce, None).await;
    server.put(&[(Cluster, "a@2")]);
    let second = client.expect(Cluster, &["a@2"]).await;
    // Refused, though it names the new version.
    client
        .send(
            Cluster,
            &[],
            &second.version_info,
            &second.nonce,
            Some("no"),
        )
        .await;
    let rejected = |event| match event {
        Event::Rejected { id, .. } => Some(id.name.to_string()),
        _ => None,
    };
    assert_eq!(server.event(rejected).await, "a");
    // It is not sent again, and the next form is.
    client.expect_nothing(&server).await;
    server.put(&[(Cluster, "a@3")]);
    client.accept(Cluster, &[], &["a@3"]).await;
}

#[tokio::test]
async fn other_names_of_a_type_in_full_are_answered_in_full() {
    let server = Server::start().await;
    server.put(&[(Listener, "a@1"), (Listener, "b@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Listener, &["a"]).await;
    let response = client.accept(Listener, &["a"], &["a@1"]).await;
    client
        .send(
            Listener,
            &["a", "b"],
            &response.version_info,
            &response.nonce,
            None,
        )
        .await;
    let response = client.accept(Listener, &["a", "b"], &["a@1", "b@1"]).await;
    client
        .send(
            Listener,
            &["b"],
            &response.version_info,
            &response.nonce,
            None,
        )
        .await;
    client.accept(Listener, &["b"], &["b@1"]).await;
}

#[tokio::test]
async fn changes_while_a_response_is_in_flight_are_merged() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Cluster, "b@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    let first = client.expect(Cluster, &["a@1", "b@1"]).await;
    for version in ["a@2", "b@2", "a@3"] {
        server.put(&[(Cluster, version)]);
    }
    client.expect_nothing(&server).await;
    client
        .send(Cluster, &[], &first.version_info, &first.nonce, None)
        .await;
    client.accept(Cluster, &[], &["a@3", "b@2"]).await;
    client.expect_nothing(&server).await;
}

#[tokio::test]
async fn endpoints_come_again_with_their_updated_cluster() {
    let server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Endpoint, "a@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[], &["a@1"]).await;
    client.subscribe(Endpoint, &["a"]).await;
    client.accept(Endpoint, &["a"], &["a@1"]).await;
    server.put(&[(Cluster, "a@2")]);
    client.accept(Cluster, &[], &["a@2"]).await;
    client.accept(Endpoint, &["a"], &["a@1"]).await;
    client.expect_nothing(&server).await;
}

#[tokio::test]
async fn scopes_come_in_full_and_stay() {
    let server = Server::start().await;
    server.put(&[(ScopedRoute, "a@1"), (ScopedRoute, "b@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(ScopedRoute, &[]).await;
    client.accept(ScopedRoute, &[], &["a@1", "b@1"]).await;
    // Absence would delete.
    server.put(&[(ScopedRoute, "a")]);
    client.expect_nothing(&server).await;
    server.put(&[(ScopedRoute, "b@2")]);
    client.accept(ScopedRoute, &[], &["a@1", "b@2"]).await;
}
