use crate::client::*;

/// A client that has a cluster, a listener and a route.
async fn running(server: &Server) -> DeltaClient {
    server.put(&[(Cluster, "old@1"), (Listener, "l@1"), (Route, "r@1")]);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["old@1"]).await;
    client.subscribe(Listener, &[]).await;
    client.accept(Listener, &["l@1"]).await;
    client.subscribe(Route, &["r"]).await;
    client.accept(Route, &["r@1"]).await;
    client.expect_nothing().await;
    client
}

#[tokio::test]
async fn what_is_referred_to_is_sent_and_accepted_before_what_refers() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    client.subscribe(Endpoint, &["new"]).await;
    client.accept(Endpoint, &["-new"]).await;
    server.put(&[
        (Route, "r@2"),
        (Listener, "l@2"),
        (Endpoint, "new@1"),
        (Cluster, "new@1"),
    ]);
    let cluster = client.expect(Cluster, &["new@1"]).await;
    // Envoy accepts clusters when it has their endpoints.
    let endpoint = client.expect(Endpoint, &["new@1"]).await;
    client.expect_nothing().await;
    client.ack(&endpoint).await;
    client.expect_nothing().await;
    client.ack(&cluster).await;
    let listener = client.expect(Listener, &["l@2"]).await;
    client.expect_nothing().await;
    client.ack(&listener).await;
    client.accept(Route, &["r@2"]).await;
}

#[tokio::test]
async fn a_cluster_goes_after_the_route_that_left_it_was_accepted() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(Cluster, "new@1"), (Cluster, "old"), (Route, "r@2")]);
    client.accept(Cluster, &["new@1"]).await;
    let route = client.expect(Route, &["r@2"]).await;
    client.expect_nothing().await;
    client.ack(&route).await;
    client.accept(Cluster, &["-old"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_cluster_stays_while_the_route_that_leaves_it_is_refused() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(Cluster, "old"), (Route, "r@2")]);
    client.refuse(Route, &["r@2"], "bad route").await;
    client.expect_nothing().await;
    server.put(&[(Route, "r@3")]);
    client.accept(Route, &["r@3"]).await;
    client.accept(Cluster, &["-old"]).await;
}

#[tokio::test]
async fn a_cluster_that_comes_back_before_it_went_stays() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(Cluster, "old"), (Route, "r@2")]);
    let route = client.expect(Route, &["r@2"]).await;
    server.put(&[(Cluster, "old@1")]);
    client.ack(&route).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn endpoints_come_again_with_their_updated_cluster() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(Endpoint, "old@1")]);
    client.subscribe(Endpoint, &["old"]).await;
    client.accept(Endpoint, &["old@1"]).await;
    server.put(&[(Cluster, "old@2")]);
    let cluster = client.expect(Cluster, &["old@2"]).await;
    client.accept(Endpoint, &["old@1"]).await;
    client.ack(&cluster).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn secrets_wait_for_nothing() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(Cluster, "new@1")]);
    client.expect(Cluster, &["new@1"]).await;
    server.put(&[(Secret, "tls@1")]);
    client.subscribe(Secret, &["tls"]).await;
    client.accept(Secret, &["tls@1"]).await;
}

#[tokio::test]
async fn each_node_keeps_a_cluster_until_it_has_accepted_the_route_itself() {
    let server = Server::start().await;
    let (mut quick, mut slow) = (running(&server).await, running(&server).await);
    server.put(&[(Cluster, "old"), (Route, "r@2")]);
    quick.accept(Route, &["r@2"]).await;
    quick.accept(Cluster, &["-old"]).await;
    let late = slow.expect(Route, &["r@2"]).await;
    slow.expect_nothing().await;
    slow.ack(&late).await;
    slow.accept(Cluster, &["-old"]).await;
}

#[tokio::test]
async fn a_new_listener_that_is_refused_holds_no_cluster() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(Listener, "bad@1")]);
    client.refuse(Listener, &["bad@1"], "no").await;
    server.put(&[(Cluster, "old"), (Route, "r@2")]);
    client.accept(Route, &["r@2"]).await;
    // Envoy has no form of that listener, so that nothing of it refers to anything.
    client.accept(Cluster, &["-old"]).await;
}

#[tokio::test]
async fn scopes_come_before_their_routes_and_outlive_them() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    client.subscribe(ScopedRoute, &[]).await;
    client.accept(ScopedRoute, &[]).await;
    server.put(&[(Route, "part@1"), (ScopedRoute, "host@1"), (Route, "r@2")]);
    let scope = client.expect(ScopedRoute, &["host@1"]).await;
    client.expect_nothing().await;
    client.ack(&scope).await;
    client.accept(Route, &["r@2"]).await;
    client.subscribe(Route, &["part"]).await;
    client.accept(Route, &["part@1"]).await;
    // Connections that are drained go on by the scopes that their listener had.
    server.put(&[(Route, "part"), (ScopedRoute, "host")]);
    client.accept(Route, &["-part"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn scopes_come_again_after_a_listener_which_may_be_new_to_them() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(ScopedRoute, "host@1")]);
    client.subscribe(ScopedRoute, &[]).await;
    client.accept(ScopedRoute, &["host@1"]).await;
    server.put(&[
        (ScopedRoute, "host"),
        (ScopedRoute, "other@1"),
        (Listener, "l@2"),
    ]);
    let listener = client.expect(Listener, &["l@2"]).await;
    client.expect_nothing().await;
    client.ack(&listener).await;
    client.accept(ScopedRoute, &["other@1"]).await;
    server.put(&[(Listener, "l@3")]);
    client.accept(Listener, &["l@3"]).await;
    client.accept(ScopedRoute, &["other@1"]).await;
    // One that goes is nothing to them.
    server.put(&[(Listener, "l")]);
    client.accept(Listener, &["-l"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn endpoints_change_without_their_cluster_and_go_after_it() {
    let server = Server::start().await;
    let mut client = running(&server).await;
    server.put(&[(Endpoint, "old@1")]);
    client.subscribe(Endpoint, &["old"]).await;
    client.accept(Endpoint, &["old@1"]).await;
    server.put(&[(Endpoint, "old@2")]);
    client.accept(Endpoint, &["old@2"]).await;
    client.expect_nothing().await;
    server.put(&[(Endpoint, "old"), (Cluster, "old"), (Route, "r@2")]);
    client.accept(Route, &["r@2"]).await;
    let cluster = client.expect(Cluster, &["-old"]).await;
    client.expect_nothing().await;
    client.ack(&cluster).await;
    client.accept(Endpoint, &["-old"]).await;
}

#[tokio::test]
async fn a_cluster_that_changed_while_the_client_was_away_gets_its_endpoints_again() {
    let server = Server::start().await;
    server.put(&[
        (Cluster, "changed@2"),
        (Cluster, "same@1"),
        (Endpoint, "changed@1"),
        (Endpoint, "same@1"),
    ]);
    let mut client = server.delta().await;
    client.resume(Cluster, &[], &["changed@1", "same@1"]).await;
    let clusters = client.expect(Cluster, &["changed@2"]).await;
    // The client says what it has; its new cluster waits all the same.
    client
        .resume(Endpoint, &["changed", "same"], &["changed@1", "same@1"])
        .await;
    client.ack(&clusters).await;
    client.accept(Endpoint, &["changed@1"]).await;
    client.expect_nothing().await;
}
