use tenon_xds::Event;

use crate::client::*;

async fn with_clusters(server: &Server, names: &[&str]) -> DeltaClient {
    let changes: Vec<_> = names.iter().map(|name| (Cluster, *name)).collect();
    server.put(&changes);
    let client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    client
}

async fn next_rejected(server: &mut Server) -> (String, String) {
    server
        .event(|event| match event {
            Event::Rejected { id, text, .. } => Some((id.name.to_string(), text)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_refused_version_is_not_sent_again_and_the_next_one_is() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1"]).await;
    client.accept(Cluster, &["a@1"]).await;
    server.put(&[(Cluster, "a@2")]);
    client.refuse(Cluster, &["a@2"], "no good").await;
    assert_eq!(
        next_rejected(&mut server).await,
        ("a".to_owned(), "no good".to_owned())
    );
    server.put(&[(Cluster, "a@2")]);
    client.expect_nothing().await;
    server.put(&[(Cluster, "a@3")]);
    client.accept(Cluster, &["a@3"]).await;
    let recovered = |event| match event {
        Event::Recovered(id) => Some(id.name.to_string()),
        _ => None,
    };
    assert_eq!(server.event(recovered).await, "a");
}

#[tokio::test]
async fn going_back_to_the_good_version_is_sent_and_recovers() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1"]).await;
    client.accept(Cluster, &["a@1"]).await;
    server.put(&[(Cluster, "a@2")]);
    client.refuse(Cluster, &["a@2"], "no good").await;
    next_rejected(&mut server).await;
    server.put(&[(Cluster, "a@1")]);
    client.accept(Cluster, &["a@1"]).await;
    server
        .event(|event| matches!(event, Event::Recovered(_)).then_some(()))
        .await;
}

#[tokio::test]
async fn a_nack_is_known_by_its_error_even_if_it_is_empty() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1"]).await;
    client.refuse(Cluster, &["a@1"], "").await;
    assert_eq!(next_rejected(&mut server).await.0, "a");
}

#[tokio::test]
async fn a_bad_resource_that_is_named_is_singled_out_after_its_neighbours() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1", "bad@1", "c@1"]).await;
    let text = "Error adding/updating cluster(s) bad: no";
    client.refuse(Cluster, &["a@1", "bad@1", "c@1"], text).await;
    client.accept(Cluster, &["a@1", "c@1"]).await;
    client.refuse(Cluster, &["bad@1"], text).await;
    assert_eq!(next_rejected(&mut server).await.0, "bad");
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_bad_resource_that_is_not_named_is_found_by_halves() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1", "b@1", "c@1", "d@1"]).await;
    client
        .refuse(Cluster, &["a@1", "b@1", "c@1", "d@1"], "no")
        .await;
    client.accept(Cluster, &["a@1", "b@1"]).await;
    client.refuse(Cluster, &["c@1", "d@1"], "no").await;
    client.refuse(Cluster, &["c@1"], "no").await;
    client.accept(Cluster, &["d@1"]).await;
    assert_eq!(next_rejected(&mut server).await.0, "c");
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_name_that_the_text_mentions_by_chance_is_not_blamed() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["bad@1", "http@1"]).await;
    client
        .refuse(Cluster, &["bad@1", "http@1"], "unknown http filter")
        .await;
    client.refuse(Cluster, &["bad@1"], "unknown filter").await;
    client.accept(Cluster, &["http@1"]).await;
    assert_eq!(next_rejected(&mut server).await.0, "bad");
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_resource_that_one_of_two_envoys_refuses_has_not_recovered() {
    let mut server = Server::start().await;
    let mut first = with_clusters(&server, &["a@1"]).await;
    let mut second = with_clusters(&server, &["a@1"]).await;
    first.refuse(Cluster, &["a@1"], "no").await;
    next_rejected(&mut server).await;
    second.refuse(Cluster, &["a@1"], "no").await;
    next_rejected(&mut server).await;
    server.put(&[(Cluster, "a@2")]);
    first.accept(Cluster, &["a@2"]).await;
    first.expect_nothing().await;
    while let Ok(event) = server.events.try_recv() {
        assert!(!matches!(event, Event::Recovered(_)), "{event:?}");
    }
    second.accept(Cluster, &["a@2"]).await;
    server
        .event(|event| matches!(event, Event::Recovered(_)).then_some(()))
        .await;
}

#[tokio::test]
async fn neighbours_that_change_while_a_bad_one_is_looked_for_arrive() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1", "b@1", "bad@1", "d@1"]).await;
    let all = client
        .expect(Cluster, &["a@1", "b@1", "bad@1", "d@1"])
        .await;
    server.put(&[(Cluster, "a@2"), (Cluster, "new@1")]);
    client.nack(&all, "no").await;
    client.accept(Cluster, &["a@2", "b@1"]).await;
    client.refuse(Cluster, &["bad@1", "d@1"], "no").await;
    client.refuse(Cluster, &["bad@1"], "no").await;
    client.accept(Cluster, &["d@1"]).await;
    client.accept(Cluster, &["new@1"]).await;
    assert_eq!(next_rejected(&mut server).await.0, "bad");
    client.expect_nothing().await;
}

#[tokio::test]
async fn several_bad_ones_are_all_found() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1", "bad1@1", "bad2@1", "d@1"]).await;
    let text = "Error adding/updating cluster(s) bad1: no, bad2: no";
    client
        .refuse(Cluster, &["a@1", "bad1@1", "bad2@1", "d@1"], text)
        .await;
    client.accept(Cluster, &["a@1", "d@1"]).await;
    for bad in ["bad1@1", "bad2@1"] {
        client.refuse(Cluster, &[bad], "no").await;
    }
    let found = [
        next_rejected(&mut server).await.0,
        next_rejected(&mut server).await.0,
    ];
    assert_eq!(found, ["bad1", "bad2"]);
    // What comes after is not held up by them.
    server.put(&[(Cluster, "a@2"), (Cluster, "bad1@2")]);
    client.accept(Cluster, &["a@2", "bad1@2"]).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_route_table_that_is_refused_holds_up_no_other() {
    let mut server = Server::start().await;
    server.put(&[(Route, "good@1"), (Route, "bad@1")]);
    let mut client = server.delta().await;
    client.subscribe(Route, &["good", "bad"]).await;
    client
        .refuse(Route, &["bad@1", "good@1"], "no such cluster")
        .await;
    client.refuse(Route, &["bad@1"], "no such cluster").await;
    client.accept(Route, &["good@1"]).await;
    assert_eq!(next_rejected(&mut server).await.0, "bad");
    server.put(&[(Route, "good@2")]);
    client.accept(Route, &["good@2"]).await;
    server.put(&[(Route, "bad@2")]);
    client.accept(Route, &["bad@2"]).await;
}

#[tokio::test]
async fn a_bad_one_among_a_thousand_is_found_in_a_score_of_steps() {
    let mut server = Server::start().await;
    let names: Vec<_> = (0..1_000).map(|number| format!("c{number:03}@1")).collect();
    let changes: Vec<_> = names.iter().map(|name| (Cluster, &**name)).collect();
    server.put(&changes);
    let mut client = server.delta().await;
    client.subscribe(Cluster, &[]).await;
    let (mut steps, mut accepted) = (0, 0);
    while accepted < 999 {
        let (response, content) = client.receive().await;
        steps += 1;
        if content.iter().any(|name| name == "c777@1") {
            client.nack(&response, "one of them is bad").await;
        } else {
            accepted += content.len();
            client.ack(&response).await;
        }
    }
    assert!(steps <= 21, "{steps}");
    assert_eq!(next_rejected(&mut server).await.0, "c777");
    client.expect_nothing().await;
}

/// What was told last to be accepted.
async fn next_accepted(server: &mut Server) -> Vec<String> {
    server
        .event(|event| match event {
            Event::Accepted(all) => {
                let all = all.into_iter();
                Some(
                    all.map(|(id, it)| format!("{}@{}", id.name, it.version))
                        .collect(),
                )
            }
            _ => None,
        })
        .await
}

fn nothing_is_accepted(server: &mut Server) {
    while let Ok(event) = server.events.try_recv() {
        assert!(!matches!(event, Event::Accepted(_)), "{event:?}");
    }
}

#[tokio::test]
async fn what_a_client_accepts_is_told_by_name_and_version_once() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1", "b@1"]).await;
    client.accept(Cluster, &["a@1", "b@1"]).await;
    assert_eq!(next_accepted(&mut server).await, ["a@1", "b@1"]);
    server.put(&[(Cluster, "b@2")]);
    client.accept(Cluster, &["b@2"]).await;
    assert_eq!(next_accepted(&mut server).await, ["b@2"]);
    // Another one says nothing new, and no more does who comes back with it.
    let mut other = server.delta().await;
    other.subscribe(Cluster, &[]).await;
    other.accept(Cluster, &["a@1", "b@2"]).await;
    let mut back = server.delta().await;
    back.resume(Cluster, &[], &["a@1", "b@2"]).await;
    back.expect_nothing().await;
    other.expect_nothing().await;
    nothing_is_accepted(&mut server);
}

#[tokio::test]
async fn what_a_client_that_comes_back_has_is_accepted() {
    let mut server = Server::start().await;
    server.put(&[(Cluster, "a@1"), (Cluster, "b@2")]);
    let mut client = server.delta().await;
    client.resume(Cluster, &[], &["a@1", "b@1"]).await;
    let sent = client.expect(Cluster, &["b@2"]).await;
    assert_eq!(next_accepted(&mut server).await, ["a@1"]);
    client.ack(&sent).await;
    assert_eq!(next_accepted(&mut server).await, ["b@2"]);
}

#[tokio::test]
async fn what_stands_beside_a_refused_one_is_accepted() {
    let mut server = Server::start().await;
    let mut client = with_clusters(&server, &["a@1", "b@1"]).await;
    client.refuse(Cluster, &["a@1", "b@1"], "b: no good").await;
    client.accept(Cluster, &["a@1"]).await;
    assert_eq!(next_accepted(&mut server).await, ["a@1"]);
    client.refuse(Cluster, &["b@1"], "b: no good").await;
    let version = |event| match event {
        Event::Rejected { id, form, .. } => Some((id.name.to_string(), form.version.clone())),
        _ => None,
    };
    let rejected = ("b".to_owned(), "1".to_owned());
    assert_eq!(server.event(version).await, rejected);
    client.expect_nothing().await;
    nothing_is_accepted(&mut server);
}
