//! The gRPC side: streams, and what drives their sessions.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use tenon_translate::{ProxyName, ResourceId, ResourceType};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use crate::cache::Cache;
use crate::event::{Event, Refusal};
use crate::node::Role;
use crate::session::Session;
use crate::wire::{Answer, Delta, StateOfTheWorld, Wire};
use crate::{kind, subscription::Name};

/// The largest request: thousands of names and versions of a client that comes back (tonic's default is 4 MiB).
const MAX_REQUEST: usize = 256 * 1024 * 1024;
/// An Envoy that went away without a word is noticed within a minute.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// One response of each type is in flight at most, so this is never full for long.
const RESPONSE_QUEUE: usize = 8;

/// So many types that are not served are logged for a stream.
const MOST_TYPES: usize = 16;

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves a cache until `shutdown` is ready; streams that are open then are ended.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    cache: Cache,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tonic::transport::Error> {
    let (stop, stopped) = watch::channel(false);
    let service = AggregatedDiscoveryServiceServer::new(Ads { cache, stopped })
        .max_decoding_message_size(MAX_REQUEST)
        .max_encoding_message_size(usize::MAX);
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .tcp_nodelay(true)
        .serve_with_incoming_shutdown(service, TcpListenerStream::new(listener), async move {
            shutdown.await;
            // Nobody listens if there is no stream.
            let _ = stop.send(true);
        })
        .await
}

struct Ads {
    cache: Cache,
    stopped: watch::Receiver<bool>,
}

impl Ads {
    fn open<W: Wire>(&self, requests: Streaming<W::Request>) -> Response<Responses<W::Response>> {
        let (responses, receiver) = mpsc::channel(RESPONSE_QUEUE);
        let cache = self.cache.clone();
        let stopped = self.stopped.clone();
        tokio::spawn(run::<W>(cache, requests, responses, stopped));
        Response::new(Box::pin(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Ok(self.open::<StateOfTheWorld>(request.into_inner()))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Ok(self.open::<Delta>(request.into_inner()))
    }
}

/// Tells a client, and the log, that there is no such proxy. Envoy keeps what it has, and asks again.
async fn refuse<W: Wire>(cache: &Cache, responses: &Sender<W>, node: &str, role: &Role) {
    let text = format!(
        "there is no proxy {:?} (role {role}): no Gateway has it among its proxyNames",
        role.proxy
    );
    tracing::warn!(node, %role, "envoy refused: {text}");
    // It may be gone, and nobody has to listen.
    let _ = responses.send(Err(Status::not_found(text))).await;
    let refused = Event::Refused(Refusal::UnknownProxy);
    let _ = cache.events.send(refused).await;
}

type Sender<W> = mpsc::Sender<Result<<W as Wire>::Response, Status>>;

async fn run<W: Wire>(
    cache: Cache,
    mut requests: Streaming<W::Request>,
    responses: Sender<W>,
    mut stopped: watch::Receiver<bool>,
) {
    let first = tokio::select! {
        first = requests.message() => first,
        _ = stopped.wait_for(|stopped| *stopped) => return,
    };
    // A client that says nothing is none.
    let Ok(Some(first)) = first else { return };
    let admitted = tokio::select! {
        admitted = Client::<W>::admit(cache, responses, &first) => admitted,
        _ = stopped.wait_for(|stopped| *stopped) => return,
    };
    let Some(mut stream) = admitted else { return };
    tracing::info!(proxy = &*stream.proxy, node = stream.node, protocol = ?W::PROTOCOL, "envoy connected");
    let reason = tokio::select! {
        reason = stream.drive(first, &mut requests) => reason,
        _ = stopped.wait_for(|stopped| *stopped) => "shutdown".to_owned(),
    };
    tracing::info!(
        proxy = &*stream.proxy,
        node = stream.node,
        reason,
        "envoy disconnected"
    );
    stream.disconnect().await;
}

struct Client<W: Wire> {
    cache: Cache,
    responses: Sender<W>,
    session: Session,
    stream: u64,
    wake: Arc<tokio::sync::Notify>,
    proxy: ProxyName,
    node: String,
    /// Types that it asked for and that are not served, of which the log knows.
    not_served: BTreeSet<String>,
}

impl<W: Wire> Client<W> {
    /// Waits until it is known what there is, and refuses the client that this is not for.
    async fn admit(cache: Cache, responses: Sender<W>, first: &W::Request) -> Option<Self> {
        cache.is_live().await;
        let node = W::node(first).cloned().unwrap_or_default();
        let admitted = {
            let mut inner = cache.lock();
            let role = Role::of(&node, |name| inner.has_proxy(name));
            if inner.has_proxy(&role.proxy) {
                let proxy = ProxyName::from(&*role.proxy);
                let (stream, wake) = inner.register(proxy.clone());
                Ok((proxy, stream, wake))
            } else {
                Err(role)
            }
        };
        let (proxy, stream, wake) = match admitted {
            Ok(admitted) => admitted,
            Err(role) => {
                refuse::<W>(&cache, &responses, &node.id, &role).await;
                return None;
            }
        };
        let client = Self {
            session: Session::new(&proxy, W::PROTOCOL),
            cache,
            responses,
            stream,
            wake,
            proxy,
            node: node.id,
            not_served: BTreeSet::new(),
        };
        let (proxy, node) = (client.proxy.clone(), client.node.clone());
        client.tell(Event::Connected { proxy, node }).await;
        Some(client)
    }

    /// Runs until the stream ends; tells why it did.
    async fn drive(&mut self, first: W::Request, requests: &mut Streaming<W::Request>) -> String {
        self.receive(first).await;
        loop {
            if self.push().await.is_err() {
                return "the client takes no more responses".to_owned();
            }
            tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => self.receive(request).await,
                    Ok(None) => return "the client ended the stream".to_owned(),
                    Err(status) => return status.message().to_owned(),
                },
                () = self.wake.notified() => {}
            }
        }
    }

    async fn receive(&mut self, request: W::Request) {
        let url = W::type_url(&request);
        let Some(kind) = kind::from_type_url(url) else {
            if self.not_served.len() < MOST_TYPES && self.not_served.insert(url.to_owned()) {
                tracing::warn!(proxy = &*self.proxy, type_url = url, "type is not served");
            }
            return;
        };
        let (answer, recovered) = {
            let mut inner = self.cache.lock();
            let dirty = inner.take_dirty(self.stream);
            self.session.changed(dirty);
            let view = inner.view(&self.proxy, kind);
            let answer = W::receive(&mut self.session, kind, request, &view);
            self.session.give_owed_endpoints();
            for name in &answer.verdicts.refused {
                inner.refused(&self.id(kind, name), self.stream);
            }
            let accepted = if inner.has_rejections() {
                &*answer.verdicts.accepted
            } else {
                &[]
            };
            let recovered: Vec<_> = accepted
                .iter()
                .map(|name| self.id(kind, name))
                .filter(|id| inner.accepted(id, self.stream))
                .collect();
            (answer, recovered)
        };
        self.tell_verdicts(kind, answer, recovered).await;
    }

    async fn tell_verdicts(&self, kind: ResourceType, answer: Answer, recovered: Vec<ResourceId>) {
        for id in recovered {
            self.tell(Event::Recovered(id)).await;
        }
        let Some(text) = answer.nack else { return };
        tracing::warn!(
            proxy = &*self.proxy,
            r#type = kind::short_name(kind),
            refused = ?answer.verdicts.refused,
            text,
            "envoy refused resources"
        );
        self.tell(Event::Nack { kind }).await;
        for name in answer.verdicts.refused {
            let id = self.id(kind, &name);
            let text = text.clone();
            self.tell(Event::Rejected { id, text }).await;
        }
    }

    /// Sends all that may be sent now.
    async fn push(&mut self) -> Result<(), mpsc::error::SendError<Result<W::Response, Status>>> {
        loop {
            let (push, settles) = {
                let mut inner = self.cache.lock();
                let dirty = inner.take_dirty(self.stream);
                self.session.changed(dirty);
                let push = self.session.next(&inner);
                (push, self.session.settles(&inner))
            };
            if let Some(rejected) = settles {
                let (proxy, node) = (self.proxy.clone(), self.node.clone());
                self.tell(Event::Settled {
                    proxy,
                    node,
                    rejected,
                })
                .await;
            }
            let Some(push) = push else { return Ok(()) };
            let kind = push.kind;
            tracing::debug!(
                proxy = &*self.proxy,
                r#type = kind::short_name(kind),
                resources = push.entries.len(),
                nonce = push.nonce,
                "push"
            );
            self.responses.send(Ok(W::response(push))).await?;
            self.tell(Event::Pushed { kind }).await;
        }
    }

    async fn disconnect(self) {
        self.cache.lock().unregister(self.stream);
        let (proxy, node) = (self.proxy.clone(), self.node.clone());
        self.tell(Event::Disconnected { proxy, node }).await;
    }

    async fn tell(&self, event: Event) {
        // Nobody has to listen.
        let _ = self.cache.events.send(event).await;
    }

    fn id(&self, kind: ResourceType, name: &Name) -> ResourceId {
        ResourceId {
            proxy: self.proxy.clone(),
            kind,
            name: name.to_string(),
        }
    }
}
