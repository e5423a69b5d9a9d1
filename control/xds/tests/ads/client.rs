//! A server on a free port, and clients of both protocols that act as Envoy does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use envoy_types::pb::google::rpc::Status;
use tenon_contract::SecretBlob;
use tenon_translate::{
    CredentialSource, GenericSecret, ProxyName, Resource, ResourceId, ResourceType, Update,
};
use tenon_xds::{Cache, Event, Tls, Urgency, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

pub(crate) use tenon_translate::ResourceType::{
    Cluster, Endpoint, Listener, Route, ScopedRoute, Secret,
};

/// Long enough for a slow machine; a response that is due comes within milliseconds.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) type Connection = AggregatedDiscoveryServiceClient<Channel>;

pub(crate) struct Server {
    pub(crate) cache: Cache,
    pub(crate) events: mpsc::Receiver<Event>,
    address: String,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// A server that serves the cache's content.
    pub(crate) async fn start() -> Self {
        let server = Self::start_empty().await;
        server.cache.go_live();
        server
    }

    /// A server that does not know its content yet.
    pub(crate) async fn start_empty() -> Self {
        Self::start_with(None).await
    }

    /// The same, over TLS.
    pub(crate) async fn start_with(tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (cache, events) = Cache::new();
        cache.set_proxies(["gateway-proxy", "edge"].map(ProxyName::from));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = cache.clone();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, served, tls, stopped).await.unwrap();
        });
        Self {
            cache,
            events,
            address,
            stop: Some(stop),
            task,
        }
    }

    /// Applies changes; a version is what stands after the name: `a@1`; without one it is a removal.
    pub(crate) fn put(&self, changes: &[(ResourceType, &str)]) {
        self.put_for("gateway-proxy", changes);
    }

    pub(crate) fn put_for(&self, proxy: &str, changes: &[(ResourceType, &str)]) {
        self.cache.apply(&Update {
            resources: resources(proxy, changes),
            ..Update::default()
        });
    }

    /// Serves a generic secret to both proxies.
    pub(crate) fn set_secret(&self, blob: &SecretBlob, urgency: Urgency) {
        self.cache.set_secret("s", blob, urgency);
        self.share_secret(&["gateway-proxy", "edge"]);
    }

    /// Says who gets it.
    pub(crate) fn share_secret(&self, proxies: &[&str]) {
        self.put_and_share(&[], proxies);
    }

    /// The same, together with changes.
    pub(crate) fn put_and_share(&self, changes: &[(ResourceType, &str)], proxies: &[&str]) {
        let proxies = proxies.iter().map(|proxy| ProxyName::from(*proxy));
        let secret = GenericSecret {
            source: CredentialSource::Unavailable("a test".into()),
            proxies: proxies.collect(),
        };
        self.cache.apply(&Update {
            resources: resources("gateway-proxy", changes),
            credentials: [("s".to_owned(), Some(secret))].into(),
            ..Update::default()
        });
    }

    pub(crate) async fn delta(&self) -> DeltaClient {
        self.delta_as(None).await
    }

    pub(crate) async fn delta_as(&self, role: Option<&str>) -> DeltaClient {
        self.delta_of(node_with(role, "envoy", &[])).await
    }

    pub(crate) async fn delta_of(&self, node: Node) -> DeltaClient {
        delta_over(self.connect().await, node).await
    }

    pub(crate) async fn state_of_the_world(&self) -> SotwClient {
        self.state_of_the_world_as(None).await
    }

    pub(crate) async fn state_of_the_world_as(&self, role: Option<&str>) -> SotwClient {
        let (requests, receiver) = mpsc::channel(64);
        requests
            .send(DiscoveryRequest {
                node: Some(node_with(role, "envoy", &[])),
                type_url: "type.googleapis.com/not.served".into(),
                ..Default::default()
            })
            .await
            .unwrap();
        let responses = self
            .connect()
            .await
            .stream_aggregated_resources(ReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        SotwClient {
            requests,
            responses,
            questions: 0,
        }
    }

    /// Connections for many streams each.
    pub(crate) async fn connections(&self, number: usize) -> Vec<Connection> {
        let mut connections = Vec::new();
        for _ in 0..number {
            connections.push(self.connect().await);
        }
        connections
    }

    /// Takes events for nobody: when they are left lying, the streams wait.
    pub(crate) fn leave_events(&mut self) {
        let mut events = std::mem::replace(&mut self.events, mpsc::channel(1).1);
        tokio::spawn(async move { while events.recv().await.is_some() {} });
    }

    /// The next event that the test asks about.
    pub(crate) async fn event<T>(&mut self, pick: impl Fn(Event) -> Option<T>) -> T {
        let next = async {
            loop {
                let event = self.events.recv().await.expect("no more events");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("no event")
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the server does not stop")
            .unwrap();
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    async fn connect(&self) -> Connection {
        AggregatedDiscoveryServiceClient::connect(self.address.clone())
            .await
            .unwrap()
            .max_decoding_message_size(usize::MAX)
    }
}

fn resources(
    proxy: &str,
    changes: &[(ResourceType, &str)],
) -> BTreeMap<ResourceId, Option<Arc<Resource>>> {
    let changes = changes.iter().map(|(kind, text)| {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        let id = ResourceId {
            proxy: ProxyName::from(proxy),
            kind: *kind,
            name: name.to_owned(),
        };
        (id, (!version.is_empty()).then(|| resource(text, version)))
    });
    changes.collect()
}

pub(crate) fn resource(text: &str, version: &str) -> Arc<Resource> {
    Arc::new(Resource {
        value: text.as_bytes().to_vec().into(),
        version: version.to_owned(),
        provenance: Arc::from([]),
    })
}

pub(crate) fn node_with(role: Option<&str>, id: &str, features: &[&str]) -> Node {
    let role = role.map(|role| {
        let kind = Some(Kind::StringValue(role.to_owned()));
        ("role".to_owned(), Value { kind })
    });
    Node {
        id: id.into(),
        metadata: Some(Struct {
            fields: role.into_iter().collect(),
        }),
        client_features: features.iter().map(ToString::to_string).collect(),
        ..Node::default()
    }
}

/// Opens a stream; its first message says who it is and asks for nothing that is served.
pub(crate) async fn delta_over(mut connection: Connection, node: Node) -> DeltaClient {
    let (requests, receiver) = mpsc::channel(64);
    requests
        .send(DeltaDiscoveryRequest {
            node: Some(node),
            type_url: "type.googleapis.com/not.served".into(),
            ..Default::default()
        })
        .await
        .unwrap();
    let responses = connection
        .delta_aggregated_resources(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    DeltaClient {
        requests,
        responses,
    }
}

fn refusal(text: &str) -> Option<Status> {
    Some(Status {
        code: 13,
        message: text.to_owned(),
        details: vec![],
    })
}

pub(crate) struct DeltaClient {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl DeltaClient {
    pub(crate) async fn send(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(request).await.unwrap();
    }

    pub(crate) async fn subscribe(&self, kind: ResourceType, names: &[&str]) {
        self.send(DeltaDiscoveryRequest {
            type_url: kind.type_url(),
            resource_names_subscribe: names.iter().map(ToString::to_string).collect(),
            ..Default::default()
        })
        .await;
    }

    pub(crate) async fn unsubscribe(&self, kind: ResourceType, names: &[&str]) {
        self.send(DeltaDiscoveryRequest {
            type_url: kind.type_url(),
            resource_names_unsubscribe: names.iter().map(ToString::to_string).collect(),
            ..Default::default()
        })
        .await;
    }

    /// What a client that comes back sends first.
    pub(crate) async fn resume(&self, kind: ResourceType, names: &[&str], has: &[&str]) {
        let versions = has.iter().map(|text| text.split_once('@').unwrap());
        let versions: HashMap<_, _> = versions
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .collect();
        self.send(DeltaDiscoveryRequest {
            type_url: kind.type_url(),
            resource_names_subscribe: names.iter().map(ToString::to_string).collect(),
            initial_resource_versions: versions,
            ..Default::default()
        })
        .await;
    }

    pub(crate) async fn next(&mut self) -> DeltaDiscoveryResponse {
        tokio::time::timeout(PATIENCE, self.responses.message())
            .await
            .expect("no response")
            .unwrap()
            .expect("the stream ended")
    }

    /// The status that the server ends the stream with.
    pub(crate) async fn refusal(&mut self) -> tonic::Status {
        refused(&mut self.responses).await
    }

    /// The next response: its type, and what it brings (`a@1`) and removes (`-a`), sorted.
    pub(crate) async fn receive(&mut self) -> (DeltaDiscoveryResponse, Vec<String>) {
        let response = self.next().await;
        let brought = response
            .resources
            .iter()
            .map(|resource| format!("{}@{}", resource.name, resource.version));
        let removed = response
            .removed_resources
            .iter()
            .map(|name| format!("-{name}"));
        let content = brought.chain(removed).collect();
        (response, content)
    }

    pub(crate) async fn ack(&self, response: &DeltaDiscoveryResponse) {
        self.answer(response, None).await;
    }

    pub(crate) async fn nack(&self, response: &DeltaDiscoveryResponse, text: &str) {
        self.answer(response, refusal(text)).await;
    }

    async fn answer(&self, response: &DeltaDiscoveryResponse, error_detail: Option<Status>) {
        self.send(DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            error_detail,
            ..Default::default()
        })
        .await;
    }

    /// Expects a response and accepts it.
    pub(crate) async fn accept(&mut self, kind: ResourceType, content: &[&str]) {
        let response = self.expect(kind, content).await;
        self.ack(&response).await;
    }

    /// Accepts the next response.
    pub(crate) async fn ack_next(&mut self) {
        let response = self.next().await;
        self.ack(&response).await;
    }

    /// Expects a response and refuses it.
    pub(crate) async fn refuse(&mut self, kind: ResourceType, content: &[&str], text: &str) {
        let response = self.expect(kind, content).await;
        self.nack(&response, text).await;
    }

    pub(crate) async fn expect(
        &mut self,
        kind: ResourceType,
        content: &[&str],
    ) -> DeltaDiscoveryResponse {
        let (response, found) = self.receive().await;
        assert_eq!(response.type_url, kind.type_url(), "{found:?}");
        assert_eq!(found, content);
        response
    }

    /// Shows that nothing is on its way, by a question whose answer would come after it.
    pub(crate) async fn expect_nothing(&mut self) {
        self.subscribe(Secret, &["nothing-else-came"]).await;
        self.accept(Secret, &["-nothing-else-came"]).await;
    }
}

async fn refused<T: std::fmt::Debug>(responses: &mut Streaming<T>) -> tonic::Status {
    tokio::time::timeout(PATIENCE, responses.message())
        .await
        .expect("no end")
        .expect_err("a response")
}

pub(crate) struct SotwClient {
    pub(crate) requests: mpsc::Sender<DiscoveryRequest>,
    responses: Streaming<DiscoveryResponse>,
    questions: usize,
}

impl SotwClient {
    pub(crate) async fn subscribe(&self, kind: ResourceType, names: &[&str]) {
        self.resume(kind, names, "").await;
    }

    pub(crate) async fn resume(&self, kind: ResourceType, names: &[&str], version: &str) {
        self.send(kind, names, version, "", None).await;
    }

    pub(crate) async fn send(
        &self,
        kind: ResourceType,
        names: &[&str],
        version: &str,
        nonce: &str,
        error: Option<&str>,
    ) {
        let request = DiscoveryRequest {
            version_info: version.to_owned(),
            type_url: kind.type_url(),
            resource_names: names.iter().map(ToString::to_string).collect(),
            response_nonce: nonce.to_owned(),
            error_detail: error.and_then(refusal),
            ..Default::default()
        };
        self.requests.send(request).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> DiscoveryResponse {
        tokio::time::timeout(PATIENCE, self.responses.message())
            .await
            .expect("no response")
            .unwrap()
            .expect("the stream ended")
    }

    /// The status that the server ends the stream with.
    pub(crate) async fn refusal(&mut self) -> tonic::Status {
        refused(&mut self.responses).await
    }

    pub(crate) async fn expect(
        &mut self,
        kind: ResourceType,
        content: &[&str],
    ) -> DiscoveryResponse {
        let response = self.next().await;
        let found: Vec<_> = response
            .resources
            .iter()
            .map(|any| String::from_utf8(any.value.clone()).unwrap())
            .collect();
        assert_eq!(response.type_url, kind.type_url(), "{found:?}");
        assert_eq!(found, content);
        response
    }

    pub(crate) async fn accept(
        &mut self,
        kind: ResourceType,
        names: &[&str],
        content: &[&str],
    ) -> DiscoveryResponse {
        let response = self.expect(kind, content).await;
        self.send(kind, names, &response.version_info, &response.nonce, None)
            .await;
        response
    }

    /// Shows that nothing is on its way, by a question whose answer would come after it.
    pub(crate) async fn expect_nothing(&mut self, server: &Server) {
        self.questions += 1;
        let version = format!("nothing-else-came@{}", self.questions);
        server.put(&[(Secret, &version)]);
        if self.questions == 1 {
            self.subscribe(Secret, &["nothing-else-came"]).await;
        }
        self.accept(Secret, &["nothing-else-came"], &[&version])
            .await;
    }
}
