use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::answer::Answer;
use crate::client::RequestBody;
use crate::deadline::within;

/// A request as a scripted server got it.
#[derive(Debug, Clone)]
pub struct Received {
    /// When its end was there.
    pub at: SystemTime,
    /// The number of its connection, counted from 0.
    pub connection: usize,
    /// The version of HTTP.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// Path and query, as sent.
    pub path: String,
    /// The headers; over HTTP/2 `host` is put in from `:authority`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, where there were any.
    pub trailers: Option<HeaderMap>,
}

impl Received {
    /// The first value of a header as text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The request's head, as the verifier of signatures takes it.
    pub(super) fn parts(&self) -> Parts {
        let mut parts = Request::new(()).into_parts().0;
        parts.method = self.method.clone();
        parts.uri = self.path.parse().unwrap_or_default();
        parts.headers = self.headers.clone();
        parts
    }
}

/// Listens on loopback for HTTP/1.1 and HTTP/2 (prior knowledge) until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    accept: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

type Respond = dyn Fn(Received) -> Answer + Send + Sync;

impl Server {
    pub(super) async fn start(
        respond: impl Fn(Received) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), respond).await
    }

    pub(super) async fn start_at(
        address: SocketAddr,
        respond: impl Fn(Received) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let accept = tokio::spawn(accept(listener, Arc::new(respond))).abort_handle();
        Ok(Self { address, accept })
    }
}

async fn accept(listener: TcpListener, respond: Arc<Respond>) -> Result<Infallible> {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    for number in 0.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(serve(stream, number, respond.clone()));
        while connections.try_join_next().is_some() {}
    }
    unreachable!("connections are numbered without end")
}

async fn serve(stream: TcpStream, connection: usize, respond: Arc<Respond>) {
    let service = service_fn(move |request| {
        let respond = respond.clone();
        async move { answer(request, connection, &*respond).await }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_frame_size(Some(1 << 20));
    // An error is the client's hanging up, or ours as scripted.
    drop(
        builder
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

async fn answer(
    request: Request<Incoming>,
    connection: usize,
    respond: &Respond,
) -> Result<Response<RequestBody>> {
    let received = receive(request, connection).await?;
    let body = received.body.clone();
    respond(received).respond(&body).await
}

async fn receive(request: Request<Incoming>, connection: usize) -> Result<Received> {
    let (mut parts, body) = request.into_parts();
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key("host")
    {
        parts.headers.insert("host", authority.as_str().parse()?);
    }
    let collected = within("the end of the request", body.collect()).await??;
    Ok(Received {
        at: SystemTime::now(),
        connection,
        version: parts.version,
        method: parts.method,
        path: parts
            .uri
            .path_and_query()
            .map_or_else(|| "/".into(), ToString::to_string),
        headers: parts.headers,
        trailers: collected.trailers().cloned(),
        body: collected.to_bytes(),
    })
}
