use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::deadline::within;

/// An agent of Consul, as far as its catalogue is asked for healthy instances of services: with data centres, blocking
/// queries, ACLs and TLS, as its HTTP API documents them.
#[derive(Debug)]
pub struct ConsulDouble {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    accept: AbortHandle,
}

/// An instance of a service.
#[derive(Debug, Clone)]
pub struct ConsulInstance {
    /// The address of its node.
    pub node: String,
    /// Its own address; empty: its node's.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Its tags.
    pub tags: Vec<String>,
    /// The state of its health check: `passing`, `warning` or `critical`.
    pub health: &'static str,
}

impl ConsulInstance {
    /// A healthy one.
    pub fn at(address: SocketAddr, tags: &[&str]) -> Self {
        Self {
            node: "192.0.2.1".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            health: "passing",
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Raft's.
    index: u64,
    /// Counts what ends all blocking queries: that a snapshot is restored, that there is no leader.
    abandoned: u64,
    is_down: bool,
    token: Option<String>,
    /// By data centre and service, with the index of the last change.
    services: BTreeMap<(String, String), (u64, Vec<ConsulInstance>)>,
    data_centers: Vec<String>,
    asked: Vec<String>,
}

impl Drop for ConsulDouble {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl ConsulDouble {
    /// One with these data centres; the agent is in the first.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start(data_centers: &[&str]) -> Result<Self> {
        Self::start_with(data_centers, None).await
    }

    /// The same, over TLS.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start_tls(data_centers: &[&str], tls: ServerConfig) -> Result<Self> {
        Self::start_with(data_centers, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn start_with(data_centers: &[&str], tls: Option<TlsAcceptor>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = State {
            index: 10,
            data_centers: data_centers.iter().map(|&it| it.to_owned()).collect(),
            ..State::default()
        };
        let state = Arc::new(watch::Sender::new(state));
        let accept = tokio::spawn(accept(listener, tls, state.clone())).abort_handle();
        Ok(Self {
            address,
            state,
            accept,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the instances of a service.
    pub fn set(&self, data_center: &str, service: &str, instances: &[ConsulInstance]) {
        self.state.send_modify(|state| {
            state.index += 1;
            let key = (data_center.to_owned(), service.to_owned());
            let entry = (state.index, instances.to_vec());
            state.services.insert(key, entry);
        });
    }

    /// Who asks has to have this token from now on.
    pub fn require(&self, token: &str) {
        self.state.send_modify(|state| {
            state.token = Some(token.to_owned());
            state.abandoned += 1;
        });
    }

    /// Without a leader each question fails, and so do those that are under way.
    pub fn set_down(&self, is_down: bool) {
        self.state.send_modify(|state| {
            state.is_down = is_down;
            state.abandoned += 1;
        });
    }

    /// Restores a snapshot: all indexes are lower than they were.
    pub fn go_backwards(&self) {
        self.state.send_modify(|state| {
            state.index = 1;
            state.abandoned += 1;
            for (changed, _) in state.services.values_mut() {
                *changed = 1;
            }
        });
    }

    /// Paths and queries of the questions so far.
    pub fn asked(&self) -> Vec<String> {
        self.state.borrow().asked.clone()
    }

    /// Waits for a question.
    ///
    /// # Errors
    /// There is none within the deadline.
    pub async fn is_asked(&self, what: &str, is: impl Fn(&str) -> bool) -> Result<()> {
        let mut state = self.state.subscribe();
        let there = |state: &State| state.asked.iter().any(|it| is(it));
        within(what, state.wait_for(there)).await??;
        Ok(())
    }

    /// Forgets the questions so far.
    pub fn forget(&self) {
        self.state.send_modify(|state| state.asked.clear());
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<watch::Sender<State>>,
) -> Result<Infallible> {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, state) = (tls.clone(), state.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, state).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<watch::Sender<State>>,
) {
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { answer(request, &state).await }
    });
    let server = hyper::server::conn::http1::Builder::new();
    // An error is the client's hanging up.
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(
    request: Request<Incoming>,
    state: &watch::Sender<State>,
) -> Result<Response<Full<Bytes>>> {
    let uri = request.uri().clone();
    let mut abandoned = 0;
    // Whatever happens once it is known that this was asked happens to it.
    state.send_modify(|state| {
        state.asked.push(uri.to_string());
        abandoned = state.abandoned;
    });
    let token = request.headers().get("x-consul-token");
    let token = token.and_then(|it| it.to_str().ok()).map(str::to_owned);
    if let Some(refusal) = refusal(&state.borrow(), &uri, token.as_deref()) {
        return refusal;
    }
    let path: Vec<_> = uri.path().split('/').skip(1).collect();
    match path.as_slice() {
        ["v1", "catalog", "datacenters"] => {
            let names = json!(state.borrow().data_centers);
            Ok(Response::new(Full::from(names.to_string())))
        }
        ["v1", "health", "service" | "connect", service] => {
            let service = percent_decode_str(service).decode_utf8()?.into_owned();
            healthy(state, (&uri, abandoned), service, token.is_some()).await
        }
        _ => Ok(Response::builder().status(404).body(Full::default())?),
    }
}

fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    pairs.find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        (found == name).then_some(value)
    })
}

/// What Consul says where it does not answer.
fn refusal(state: &State, uri: &Uri, token: Option<&str>) -> Option<Result<Response<Full<Bytes>>>> {
    let is = |name: &str| parameter(uri, name).is_some();
    let (status, text) = if is("consistent") && (is("stale") || is("cached")) {
        (400, "Cannot specify ?consistent with this option")
    } else if state.is_down {
        (500, "No cluster leader")
    } else if state.token.is_some() && token.is_some() && token != state.token.as_deref() {
        (403, "ACL not found")
    } else if parameter(uri, "dc").is_some_and(|dc| !state.data_centers.iter().any(|it| it == dc)) {
        (500, "No path to datacenter")
    } else {
        return None;
    };
    let response = Response::builder().status(status).body(Full::from(text));
    Some(response.map_err(Into::into))
}

/// `/v1/health/service/…`, a blocking query, asked after so many were abandoned.
async fn healthy(
    state: &watch::Sender<State>,
    (uri, abandoned): (&Uri, u64),
    service: String,
    has_token: bool,
) -> Result<Response<Full<Bytes>>> {
    let mut changes = state.subscribe();
    let own = changes.borrow().data_centers.first().cloned();
    let data_center = parameter(uri, "dc").map(str::to_owned).or(own);
    let key = (data_center.unwrap_or_default(), service);
    let index = |state: &State| state.services.get(&key).map_or(state.index, |it| it.0);
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    let asked = parameter(uri, "index").map_or(0, number);
    let wait = parameter(uri, "wait").and_then(|it| it.strip_suffix("ms"));
    let wait = wait.map_or(Duration::from_secs(300), |it| {
        Duration::from_millis(number(it))
    });
    if asked > 0 {
        let other = |state: &State| index(state) > asked || state.abandoned != abandoned;
        // Late is an answer, too.
        drop(tokio::time::timeout(wait, changes.wait_for(other)).await);
    }
    let state = changes.borrow();
    if state.is_down {
        return Ok(Response::builder()
            .status(500)
            .body(Full::from("No cluster leader"))?);
    }
    let hidden = state.token.is_some() && !has_token;
    let instances = state.services.get(&key).map(|it| it.1.as_slice());
    let passing = parameter(uri, "passing").is_some();
    let shown = instances
        .unwrap_or_default()
        .iter()
        .filter(|it| !hidden && (!passing || it.health == "passing"));
    let entries: Vec<Value> = shown.map(|it| entry(&key, it)).collect();
    let mut response = Response::builder().header("x-consul-index", index(&state));
    if hidden {
        response = response.header("x-consul-results-filtered-by-acls", "true");
    }
    Ok(response.body(Full::from(Value::from(entries).to_string()))?)
}

fn entry((data_center, service): &(String, String), instance: &ConsulInstance) -> Value {
    let tags = match instance.tags.is_empty() {
        true => Value::Null,
        false => json!(instance.tags),
    };
    json!({
        "Node": {"ID": "node", "Node": "node", "Address": instance.node, "Datacenter": data_center, "Meta": {}},
        "Service": {
            "ID": format!("{service}-{}-{}", instance.address, instance.port),
            "Service": service,
            "Tags": tags,
            "Address": instance.address,
            "Port": instance.port,
            "Weights": {"Passing": 1, "Warning": 1},
        },
        "Checks": [{"CheckID": "serfHealth", "Status": "passing"}, {"CheckID": "web", "Status": instance.health}],
    })
}
