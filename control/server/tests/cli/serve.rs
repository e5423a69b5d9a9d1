use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::google::rpc::Status;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::process::*;

const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

#[test]
fn an_edit_shows_in_the_status_and_a_signal_ends_it_with_0() {
    let folder = folder(&[("a.yaml", UPSTREAM)]);
    let serve = Serve::start(folder.path());
    assert_eq!(serve.get("/healthz"), "ok\n");
    assert!(serve.get("/status").contains(r#""state": "Accepted""#));
    replace(&folder, "b.yaml", BROKEN_UPSTREAM);
    let status = serve.wait_for("/status", |status| status.contains("broken"));
    assert!(
        status.contains("Rejected") && status.contains("Accepted"),
        "{status}"
    );
    replace(&folder, "a.yaml", "kind: [");
    serve.wait_for("/status", |status| status.contains("a.yaml: "));
    assert!(serve.get("/config").contains(r#""name": "web_default""#));
    let metrics = serve.get("/metrics");
    assert!(
        metrics.contains(r#"tenon_objects{kind="Upstream",state="Rejected"} 2"#),
        "{metrics}"
    );
    let (code, log) = serve.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn secrets_are_shown_nowhere() {
    let folder = folder(&[
        ("upstreams.yaml", UPSTREAM),
        ("functions.yaml", FUNCTIONS),
        ("secret.yaml", SECRET),
        ("routes.yaml", ROUTES),
    ]);
    let serve = Serve::start(folder.path());
    replace(
        &folder,
        "secret.yaml",
        &SECRET.replace("stringData", "data"),
    );
    serve.wait_for("/status", |status| status.contains("Rejected"));
    replace(&folder, "secret.yaml", SECRET);
    serve.wait_for("/status", |status| !status.contains("Rejected"));
    let mut shown = ["/status", "/config", "/metrics"]
        .map(|path| serve.get(path))
        .join("\n");
    assert!(shown.contains(r#""type": "secret""#), "{shown}");
    shown += &serve.stop().1;
    for secret in SECRET_VALUES {
        assert!(!shown.contains(secret), "{secret}\n{shown}");
    }
}

#[test]
fn the_refusal_of_an_envoy_is_the_status_of_the_object_until_it_is_accepted() {
    let folder = folder(&[("a.yaml", UPSTREAM), ("routes.yaml", ROUTES)]);
    let serve = Serve::start(folder.path());
    // The client's connection is driven while this thread asks the admin endpoint.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let url = format!("http://{}", serve.xds);
    runtime.block_on(async {
        let (requests, receiver) = mpsc::channel(8);
        let request = |nonce: &str, error: Option<&str>| DeltaDiscoveryRequest {
            node: Some(Node::default()),
            type_url: CLUSTER.into(),
            response_nonce: nonce.into(),
            error_detail: error.map(|message| Status {
                message: message.into(),
                ..Status::default()
            }),
            ..Default::default()
        };
        requests.send(request("", None)).await.unwrap();
        let mut responses = AggregatedDiscoveryServiceClient::connect(url)
            .await
            .unwrap()
            .delta_aggregated_resources(ReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        let first = responses.message().await.unwrap().unwrap();
        let text = "cluster web_default is no good";
        requests
            .send(request(&first.nonce, Some(text)))
            .await
            .unwrap();
        serve.wait_for("/status", |status| status.contains(text));
        let metrics = serve.get("/metrics");
        assert!(
            metrics.contains(r#"tenon_xds_nacks_total{type="cluster"} 1"#),
            "{metrics}"
        );
        replace(&folder, "a.yaml", &UPSTREAM.replace("port: 1", "port: 2"));
        let second = responses.message().await.unwrap().unwrap();
        assert_eq!(second.resources[0].name, "web_default");
        requests.send(request(&second.nonce, None)).await.unwrap();
        serve.wait_for("/status", |status| !status.contains(text));
    });
}
