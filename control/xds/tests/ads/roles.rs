use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use tenon_translate::ProxyName;
use tenon_xds::{Event, Refusal};
use tonic::Code;

use crate::client::*;

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
async fn a_proxy_that_there_is_not_is_refused_in_words_until_there_is_one() {
    let mut server = Server::start().await;
    server.put(&[(Cluster, "g@1")]);
    let mut client = server.delta_as(Some("gloo-system~nobody")).await;
    let status = client.refusal().await;
    assert_eq!(status.code(), Code::NotFound);
    assert!(
        status
            .message()
            .contains(r#"no proxy "nobody" (role gloo-system~nobody)"#),
        "{status}"
    );
    server
        .event(|event| (event == Event::Refused(Refusal::UnknownProxy)).then_some(()))
        .await;
    // The same in the other protocol.
    let mut old = server
        .state_of_the_world_as(Some("gloo-system~nobody"))
        .await;
    assert_eq!(old.refusal().await.code(), Code::NotFound);
    // Once there is one, even if there is nothing for it, it is served.
    server.cache.set_proxies([ProxyName::from("nobody")]);
    let mut client = server.delta_as(Some("gloo-system~nobody")).await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &[]).await;
}

#[tokio::test]
async fn a_proxy_that_goes_takes_what_is_its_own_along_and_leaves_the_stream() {
    let server = Server::start().await;
    server.put_for("edge", &[(Listener, "l@1")]);
    let mut client = server.delta_as(Some("gloo-system~edge")).await;
    client.subscribe(Listener, &[]).await;
    client.accept(Listener, &["l@1"]).await;
    server.cache.set_proxies([ProxyName::from("gateway-proxy")]);
    server.put_for("edge", &[(Listener, "l")]);
    client.accept(Listener, &["-l"]).await;
    server.cache.set_proxies([ProxyName::from("edge")]);
    server.put_for("edge", &[(Listener, "l@2")]);
    client.accept(Listener, &["l@2"]).await;
}

#[tokio::test]
async fn nobody_is_refused_before_it_is_known_what_there_is() {
    let server = Server::start_empty().await;
    server.cache.set_proxies([]);
    let mut client = server.delta_as(Some("gloo-system~late")).await;
    client.subscribe(Cluster, &[]).await;
    server.cache.set_proxies([ProxyName::from("late")]);
    server.put_for("late", &[(Cluster, "a@1")]);
    server.cache.go_live();
    client.accept(Cluster, &["a@1"]).await;
}

#[tokio::test]
async fn only_the_first_message_says_which_node_it_is() {
    let server = Server::start().await;
    server.put_for("edge", &[(Cluster, "e@1")]);
    server.put_for("gateway-proxy", &[(Cluster, "g@1")]);
    let mut client = server.delta_as(Some("gloo-system~edge")).await;
    client
        .send(DeltaDiscoveryRequest {
            node: Some(node_with(Some("gloo-system~gateway-proxy"), "other", &[])),
            type_url: Cluster.type_url(),
            ..Default::default()
        })
        .await;
    client.accept(Cluster, &["e@1"]).await;
    // And those after it need not say it.
    client.subscribe(Listener, &[]).await;
    client.accept(Listener, &[]).await;
}

#[tokio::test]
async fn a_node_without_a_role_is_known_by_its_cluster() {
    let server = Server::start().await;
    server.put_for("edge", &[(Cluster, "e@1")]);
    let mut node = node_with(None, "envoy-1", &[]);
    node.cluster = "edge".into();
    let mut client = server.delta_of(node).await;
    client.subscribe(Cluster, &[]).await;
    client.accept(Cluster, &["e@1"]).await;
}
