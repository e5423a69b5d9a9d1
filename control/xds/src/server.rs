//! The gRPC side: streams, and what drives their sessions.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{self, Future};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use tenon_translate::{ProxyName, Resource, ResourceId, ResourceType};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tonic::codegen::Service;
use tonic::{Status, Streaming};

use crate::body::{Message, Responses};
use crate::cache::Cache;
use crate::connection::{self, Peer};
use crate::event::{Event, Refusal};
use crate::node::Role;
use crate::session::Session;
use crate::tls::Tls;
use crate::wire::{Answer, Decode, Delta, StateOfTheWorld, Wire};
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

/// Serves a cache until `shutdown` is ready; streams that are open then are ended.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    cache: Cache,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tonic::transport::Error> {
    let (stop, stopped) = watch::channel(false);
    let ads = Ads {
        cache,
        knows_clients: tls.as_ref().is_some_and(Tls::knows_clients),
        stopped,
    };
    let connections = connection::accept(listener, tls.map(Arc::new));
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .serve_with_incoming_shutdown(ads, connections, async move {
            shutdown.await;
            // Nobody listens if there is no stream.
            let _ = stop.send(true);
        })
        .await
}

/// The service, without tonic's own encoding: that would copy each response as a whole for each client.
#[derive(Clone)]
struct Ads {
    cache: Cache,
    /// Whether clients must be what their certificates say.
    knows_clients: bool,
    stopped: watch::Receiver<bool>,
}

type Incoming = http::Request<tonic::body::Body>;

impl Service<Incoming> for Ads {
    type Response = http::Response<Responses>;
    type Error = Infallible;
    type Future = future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Incoming) -> Self::Future {
        let (responses, receiver) = mpsc::channel(RESPONSE_QUEUE);
        let path = request.uri().path();
        match path.strip_prefix("/envoy.service.discovery.v3.AggregatedDiscoveryService/") {
            Some("DeltaAggregatedResources") => self.open::<Delta>(request, responses),
            Some("StreamAggregatedResources") => self.open::<StateOfTheWorld>(request, responses),
            _ => {
                let text = format!("{path} is not served; ADS is, delta and state of the world");
                // The queue is empty, so there is room.
                let _ = responses.try_send(Err(Status::unimplemented(text)));
            }
        }
        let mut response = http::Response::new(Responses::new(receiver));
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(CONTENT_TYPE, grpc);
        future::ready(Ok(response))
    }
}

impl Ads {
    fn open<W: Wire>(&self, request: Incoming, responses: Sender) {
        let peer = request.extensions().get::<Peer>().cloned().flatten();
        let visitor = Visitor {
            cache: self.cache.clone(),
            responses,
            peer,
            must_be_known: self.knows_clients,
        };
        let decode = Decode::default();
        let requests = Streaming::new_request(decode, request.into_body(), None, Some(MAX_REQUEST));
        tokio::spawn(run::<W>(visitor, requests, self.stopped.clone()));
    }
}

type Sender = mpsc::Sender<Result<Message, Status>>;

async fn run<W: Wire>(
    visitor: Visitor,
    mut requests: Streaming<W::Request>,
    mut stopped: watch::Receiver<bool>,
) {
    let first = tokio::select! {
        first = requests.message() => first,
        _ = stopped.wait_for(|stopped| *stopped) => return,
    };
    // A client that says nothing is none.
    let Ok(Some(first)) = first else { return };
    let admitted = tokio::select! {
        admitted = visitor.enter::<W>(&first) => admitted,
        _ = stopped.wait_for(|stopped| *stopped) => return,
    };
    let Some(mut stream) = admitted else { return };
    tracing::info!(proxy = &*stream.proxy, node = stream.node, protocol = ?W::PROTOCOL, "envoy connected");
    let reason = tokio::select! {
        reason = stream.drive::<W>(first, &mut requests) => reason,
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

/// Who opened a stream and is not known to be a client yet.
struct Visitor {
    cache: Cache,
    responses: Sender,
    peer: Peer,
    must_be_known: bool,
}

impl Visitor {
    /// Waits until it is known what there is, and refuses the client that this is not for.
    async fn enter<W: Wire>(self, first: &W::Request) -> Option<Client> {
        self.cache.is_live().await;
        let node = W::node(first).cloned().unwrap_or_default();
        let admitted = {
            let mut inner = self.cache.lock();
            let role = Role::of(&node, |name| inner.has_proxy(name));
            let known = inner.has_proxy(&role.proxy);
            self.objection(&role, known).map_or_else(
                || {
                    let proxy = ProxyName::from(&*role.proxy);
                    let (stream, wake) = inner.register(proxy.clone());
                    Ok((proxy, stream, wake))
                },
                Err,
            )
        };
        let (proxy, stream, wake) = match admitted {
            Ok(admitted) => admitted,
            Err((refusal, status)) => {
                self.refuse(&node.id, refusal, status).await;
                return None;
            }
        };
        let client = Client {
            session: Session::new(&proxy, W::PROTOCOL),
            cache: self.cache,
            responses: self.responses,
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

    /// Why it is no client. Who it may be comes first: what there is, is not for everybody to know.
    fn objection(&self, role: &Role, known: bool) -> Option<(Refusal, Status)> {
        let objection = match &self.peer {
            Some(peer) if peer.is(role) => None,
            Some(peer) => Some(peer.objection(role)),
            // The handshake asked for a certificate, so this cannot be.
            None if self.must_be_known => Some("no client certificate".to_owned()),
            None => None,
        };
        if let Some(text) = objection {
            return Some((Refusal::Identity, Status::permission_denied(text)));
        }
        let text = format!(
            "there is no proxy {:?} (role {role}): no Gateway has it among its proxyNames",
            role.proxy
        );
        (!known).then(|| (Refusal::UnknownProxy, Status::not_found(text)))
    }

    /// Tells the client, and the log, why. Envoy keeps what it has, and asks again.
    async fn refuse(&self, node: &str, refusal: Refusal, status: Status) {
        tracing::warn!(node, "envoy refused: {}", status.message());
        // It may be gone, and nobody has to listen.
        let _ = self.responses.send(Err(status)).await;
        let _ = self.cache.events.send(Event::Refused(refusal)).await;
    }
}

struct Client {
    cache: Cache,
    responses: Sender,
    session: Session,
    stream: u64,
    wake: Arc<tokio::sync::Notify>,
    proxy: ProxyName,
    node: String,
    /// Types that it asked for and that are not served, of which the log knows.
    not_served: BTreeSet<String>,
}

impl Client {
    /// Runs until the stream ends; tells why it did.
    async fn drive<W: Wire>(
        &mut self,
        first: W::Request,
        requests: &mut Streaming<W::Request>,
    ) -> String {
        self.receive::<W>(first).await;
        loop {
            if self.push::<W>().await.is_err() {
                return "the client takes no more responses".to_owned();
            }
            tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => self.receive::<W>(request).await,
                    Ok(None) => return "the client ended the stream".to_owned(),
                    Err(status) => return status.message().to_owned(),
                },
                () = self.wake.notified() => {}
            }
        }
    }

    async fn receive<W: Wire>(&mut self, request: W::Request) {
        let url = W::type_url(&request);
        let Some(kind) = kind::from_type_url(url) else {
            if self.not_served.len() < MOST_TYPES && self.not_served.insert(url.to_owned()) {
                tracing::warn!(proxy = &*self.proxy, type_url = url, "type is not served");
            }
            return;
        };
        let (answer, recovered, first) = {
            let mut inner = self.cache.lock();
            let dirty = inner.take_dirty(self.stream);
            self.session.changed(dirty);
            let view = inner.view(&self.proxy, kind);
            let answer = W::receive(&mut self.session, kind, request, &view);
            self.session.give_owed_endpoints();
            for (name, _) in &answer.verdicts.refused {
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
            let taken = self.session.take_accepted();
            let first = inner.first_accepted(&self.proxy, taken);
            (answer, recovered, first)
        };
        self.tell_accepted(first).await;
        self.tell_verdicts(kind, answer, recovered).await;
    }

    async fn tell_accepted(&self, accepted: Vec<(ResourceId, Arc<Resource>)>) {
        if !accepted.is_empty() {
            self.tell(Event::Accepted(accepted)).await;
        }
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
        for (name, form) in answer.verdicts.refused {
            let id = self.id(kind, &name);
            let text = text.clone();
            self.tell(Event::Rejected { id, form, text }).await;
        }
    }

    /// Sends all that may be sent now.
    async fn push<W: Wire>(
        &mut self,
    ) -> Result<(), mpsc::error::SendError<Result<Message, Status>>> {
        loop {
            let (push, settles, first, generation) = {
                let mut inner = self.cache.lock();
                let dirty = inner.take_dirty(self.stream);
                self.session.changed(dirty);
                let push = self.session.next(&inner);
                let taken = self.session.take_accepted();
                let first = inner.first_accepted(&self.proxy, taken);
                let generation = inner.generation(&self.proxy);
                (push, self.session.settles(&inner), first, generation)
            };
            self.tell_accepted(first).await;
            if let Some(rejected) = settles {
                let (proxy, node) = (self.proxy.clone(), self.node.clone());
                self.tell(Event::Settled {
                    proxy,
                    node,
                    rejected,
                    generation,
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
            name: name.clone(),
        }
    }
}
