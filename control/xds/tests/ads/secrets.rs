use tenon_contract::SecretBlob;
use tenon_xds::Urgency;

use crate::client::*;

#[tokio::test]
async fn shared_secrets_are_served_to_every_proxy_and_rotated() {
    let server = Server::start().await;
    let blob = |reason: &str| SecretBlob::Unavailable(reason.into());
    server.set_secret(&blob("one"), Urgency::Replace);
    let mut client = server.delta_as(Some("gloo-system~edge")).await;
    client.subscribe(Secret, &["s"]).await;
    let first = client.next().await;
    client.ack(&first).await;
    server.set_secret(&blob("two"), Urgency::Replace);
    let second = client.next().await;
    assert_ne!(first.resources[0].version, second.resources[0].version);
    let text = second.resources[0].resource.as_ref().unwrap().value.clone();
    assert!(String::from_utf8_lossy(&text).contains(r#"{"unavailable":"two"}"#));
}

#[tokio::test]
async fn a_placeholder_does_not_replace_the_secret_of_a_client_that_comes_back() {
    let server = Server::start().await;
    let waiting = SecretBlob::Unavailable("not resolved yet".into());
    server.set_secret(&waiting, Urgency::KeepOlder);
    let mut client = server.delta().await;
    client.resume(Secret, &["s"], &["s@old"]).await;
    client.expect_nothing().await;
    let found = SecretBlob::Unavailable("found".into());
    server.set_secret(&found, Urgency::Replace);
    assert_eq!(client.next().await.resources.len(), 1);
}

#[tokio::test]
async fn a_new_client_gets_the_placeholder_at_once() {
    let server = Server::start().await;
    let waiting = SecretBlob::Unavailable("not resolved yet".into());
    server.set_secret(&waiting, Urgency::KeepOlder);
    let mut client = server.delta().await;
    client.subscribe(Secret, &["s"]).await;
    assert_eq!(client.next().await.resources.len(), 1);
}

#[tokio::test]
async fn a_rotated_secret_moves_no_listener() {
    let server = Server::start().await;
    server.put(&[(Listener, "l@1"), (Secret, "tls@1")]);
    let mut client = server.delta().await;
    client.subscribe(Listener, &[]).await;
    client.accept(Listener, &["l@1"]).await;
    client.subscribe(Secret, &["tls"]).await;
    client.accept(Secret, &["tls@1"]).await;
    server.put(&[(Secret, "tls@2")]);
    client.accept(Secret, &["tls@2"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_missing_secret_is_told_and_comes_once_it_is_there() {
    let server = Server::start().await;
    server.put(&[(Listener, "l@1")]);
    let mut client = server.delta().await;
    client.subscribe(Listener, &[]).await;
    let listener = client.expect(Listener, &["l@1"]).await;
    // The listener warms, and is not answered to before its secret is.
    client.subscribe(Secret, &["tls"]).await;
    client.accept(Secret, &["-tls"]).await;
    client.ack(&listener).await;
    server.put(&[(Secret, "tls@1")]);
    client.accept(Secret, &["tls@1"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_missing_secret_delays_nothing_beside_it_in_the_state_of_the_world() {
    let server = Server::start().await;
    server.put(&[(Secret, "there@1"), (Cluster, "a@1")]);
    let mut client = server.state_of_the_world().await;
    client.subscribe(Secret, &["missing", "there"]).await;
    client
        .accept(Secret, &["missing", "there"], &["there@1"])
        .await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[], &["a@1"]).await;
    server.put(&[(Secret, "missing@1")]);
    client
        .accept(Secret, &["missing", "there"], &["missing@1"])
        .await;
}

#[tokio::test]
async fn a_certificate_and_what_others_are_checked_by_are_rotated_apart() {
    let server = Server::start().await;
    server.put(&[(Secret, "tls@1"), (Secret, "tls_roots@1")]);
    let mut client = server.delta().await;
    client.subscribe(Secret, &["tls", "tls_roots"]).await;
    client.accept(Secret, &["tls@1", "tls_roots@1"]).await;
    server.put(&[(Secret, "tls_roots@2")]);
    client.accept(Secret, &["tls_roots@2"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn another_server_gives_the_same_secret_the_same_version() {
    let blob = SecretBlob::Unavailable("the same".into());
    let mut versions = Vec::new();
    for _ in 0..2 {
        let server = Server::start().await;
        server.set_secret(&blob, Urgency::Replace);
        let mut client = server.delta().await;
        client.subscribe(Secret, &["s"]).await;
        versions.push(client.next().await.resources[0].version.clone());
    }
    assert_eq!(versions[0], versions[1]);
}

#[tokio::test]
async fn a_generic_secret_is_served_to_the_proxies_that_get_it_only() {
    let server = Server::start().await;
    let blob = SecretBlob::Unavailable("one".into());
    server.cache.set_secret("s", &blob, Urgency::Replace);
    server.share_secret(&["edge"]);
    let mut other = server.delta().await;
    other.subscribe(Secret, &["s"]).await;
    other.accept(Secret, &["-s"]).await;
    let mut edge = server.delta_as(Some("gloo-system~edge")).await;
    edge.subscribe(Secret, &["s"]).await;
    let first = edge.next().await;
    assert_eq!(first.resources.len(), 1);
    edge.ack(&first).await;
    // Whoever asks for all is told of none of others, either.
    let mut all = server.delta().await;
    all.subscribe(Secret, &["*"]).await;
    all.accept(Secret, &[]).await;
    let two = SecretBlob::Unavailable("two".into());
    server.cache.set_secret("s", &two, Urgency::Replace);
    edge.ack_next().await;
    other.expect_nothing().await;
    all.expect_nothing().await;
    server.share_secret(&["edge", "gateway-proxy"]);
    assert_eq!(other.next().await.resources.len(), 1);
    edge.expect_nothing().await;
}

#[tokio::test]
async fn a_generic_secret_is_taken_away_after_what_uses_it() {
    let server = Server::start().await;
    server.put(&[(Listener, "l@1"), (Cluster, "c@1")]);
    let blob = SecretBlob::Unavailable("one".into());
    server.set_secret(&blob, Urgency::Replace);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["c@1"]).await;
    client.subscribe(Secret, &["s"]).await;
    client.ack_next().await;
    client.subscribe(Listener, &[]).await;
    client.accept(Listener, &["l@1"]).await;
    server.put_and_share(&[(Cluster, "c"), (Listener, "l@2")], &["edge"]);
    client.accept(Listener, &["l@2"]).await;
    client.accept(Cluster, &["-c"]).await;
    client.accept(Secret, &["-s"]).await;
}
