//! Clients that act as Envoys do on a delta stream: they subscribe, and accept whatever comes.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const LISTENERS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const SCOPES: &str = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration";
const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/// Many clients.
pub(super) struct Clients {
    /// How many responses with routes each has had.
    routes: Vec<watch::Receiver<usize>>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Clients {
    /// Connects so many, and waits until each has its routes.
    pub(super) async fn connect(address: SocketAddr, count: usize) -> Result<Self> {
        let mut clients = Self {
            routes: Vec::new(),
            tasks: Vec::new(),
        };
        for number in 0..count {
            let (had, routes) = watch::channel(0);
            clients.tasks.push(tokio::spawn(run(address, number, had)));
            clients.routes.push(routes);
        }
        clients.wait_for(1).await?;
        Ok(clients)
    }

    /// Waits until each has had so many responses with routes.
    pub(super) async fn wait_for(&mut self, responses: usize) -> Result<()> {
        for routes in &mut self.routes {
            let had = routes.wait_for(|had| *had >= responses).await;
            had.context("a client's stream ended")?;
        }
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn run(address: SocketAddr, number: usize, had: watch::Sender<usize>) -> Result<()> {
    // Each has a connection of its own, as Envoys have.
    let client = AggregatedDiscoveryServiceClient::connect(format!("http://{address}")).await?;
    let mut client = client.max_decoding_message_size(usize::MAX);
    let (requests, receiver) = mpsc::channel(16);
    let subscribe = |type_url: &str, names: Vec<String>| DeltaDiscoveryRequest {
        type_url: type_url.to_owned(),
        resource_names_subscribe: names,
        ..DeltaDiscoveryRequest::default()
    };
    let node = Node {
        id: format!("client-{number}"),
        cluster: "gateway-proxy".into(),
        ..Node::default()
    };
    requests
        .send(DeltaDiscoveryRequest {
            node: Some(node),
            ..subscribe(CLUSTERS, Vec::new())
        })
        .await?;
    for kind in [LISTENERS, SCOPES] {
        requests.send(subscribe(kind, Vec::new())).await?;
    }
    let mut responses = client
        .delta_aggregated_resources(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    let requests = Arc::new(requests);
    while let Some(response) = responses.message().await? {
        requests
            .send(DeltaDiscoveryRequest {
                type_url: response.type_url.clone(),
                response_nonce: response.nonce,
                ..DeltaDiscoveryRequest::default()
            })
            .await?;
        match &*response.type_url {
            SCOPES => {
                // A scope has its part's name.
                let names = response.resources.into_iter().map(|it| it.name);
                requests.send(subscribe(ROUTES, names.collect())).await?;
            }
            ROUTES => had.send_modify(|had| *had += 1),
            _ => {}
        }
    }
    Ok(())
}
