use tenon_xds::Event;

use crate::client::*;

const STREAMS: usize = 1_000;

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

#[tokio::test]
async fn a_thousand_streams_are_served_while_some_do_not_read() {
    let mut server = Server::start().await;
    server.leave_events();
    server.put(&[(Cluster, "a@1")]);
    let connections = server.connections(10).await;
    let mut clients = Vec::new();
    for number in 0..STREAMS {
        let connection = connections[number % connections.len()].clone();
        let client = delta_over(connection, node_with(None, "envoy", &[])).await;
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
async fn a_stream_that_breaks_off_in_the_middle_leaves_nothing() {
    let mut server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut staying = server.delta().await;
    staying.subscribe(Cluster, &[]).await;
    staying.accept(Cluster, &["a@1"]).await;
    let mut leaving = server.delta().await;
    leaving.subscribe(Cluster, &[]).await;
    leaving.accept(Cluster, &["a@1"]).await;
    server.put(&[(Cluster, "a@2")]);
    staying.accept(Cluster, &["a@2"]).await;
    leaving.refuse(Cluster, &["a@2"], "no").await;
    server
        .event(|event| matches!(event, Event::Rejected { .. }).then_some(()))
        .await;
    server.put(&[(Cluster, "a@3")]);
    leaving.expect(Cluster, &["a@3"]).await;
    drop(leaving);
    server
        .event(|event| matches!(event, Event::Disconnected { .. }).then_some(()))
        .await;
    let refused = |served| server.cache.is_refused(served);
    assert!(!server.cache.served().iter().any(refused));
    staying.accept(Cluster, &["a@3"]).await;
    staying.expect_nothing().await;
}

#[tokio::test]
async fn what_one_node_refuses_another_has() {
    let mut server = Server::start().await;
    server.put(&[(Cluster, "a@1")]);
    let mut clients = [server.delta().await, server.delta().await];
    for client in &mut clients {
        client.subscribe(Cluster, &[]).await;
        client.accept(Cluster, &["a@1"]).await;
    }
    let [mut old, mut new] = clients;
    server.put(&[(Cluster, "a@2")]);
    old.refuse(Cluster, &["a@2"], "too new").await;
    new.accept(Cluster, &["a@2"]).await;
    server
        .event(|event| matches!(event, Event::Rejected { .. }).then_some(()))
        .await;
    // Back to what the one has had all the time, but must be told again; the other takes a step.
    server.put(&[(Cluster, "a@1")]);
    old.accept(Cluster, &["a@1"]).await;
    new.accept(Cluster, &["a@1"]).await;
    old.expect_nothing().await;
    new.expect_nothing().await;
}
