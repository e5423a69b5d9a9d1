use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, channel::Channel};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::deadline::within;

/// The body of a request.
pub type RequestBody = UnsyncBoxBody<Bytes, io::Error>;
/// Feeds a [`streaming_body`]: `send_data`, `send_trailers`, `abort`. The body ends when it is dropped.
pub type BodySender = http_body_util::channel::Sender<Bytes, io::Error>;

/// The beginning of a client's TLS: roots and a certificate are still to be said.
///
/// # Panics
/// Never: the versions are those of its own provider.
pub fn tls_client() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    let provider = rustls::crypto::ring::default_provider();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    builder
        .with_safe_default_protocol_versions()
        .expect("the versions that it has")
}

/// A `GET`.
///
/// # Panics
/// The path is none, as with a space in it.
pub fn get(path: &str) -> Request<RequestBody> {
    let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *request.uri_mut() = path.parse().expect("a path");
    request
}

/// A `POST` with a body of known length.
///
/// # Panics
/// As [`get`].
pub fn post(path: &str, body: impl Into<Bytes>) -> Request<RequestBody> {
    request(Method::POST, path, full(body.into()))
}

/// Any other request. The path may be a whole URI; headers go through [`Request::headers_mut`].
///
/// # Panics
/// As [`get`].
pub fn request(method: Method, path: &str, body: RequestBody) -> Request<RequestBody> {
    let mut request = get(path);
    *request.method_mut() = method;
    *request.body_mut() = body;
    request
}

/// A body that is fed as the test goes on. Over HTTP/1.1 it is chunked, and trailers need a `trailer` header.
pub fn streaming_body() -> (BodySender, RequestBody) {
    let (sender, body) = Channel::new(1);
    (sender, body.boxed_unsync())
}

fn full(bytes: Bytes) -> RequestBody {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A response, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, where there were any.
    pub trailers: Option<HeaderMap>,
}

impl Response {
    /// Reads an open response to its end.
    ///
    /// # Errors
    /// It is cut off, or does not end within the deadline.
    pub async fn read(open: http::Response<Incoming>) -> Result<Self> {
        let (parts, body) = open.into_parts();
        let collected = within("the end of the response", body.collect()).await??;
        Ok(Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            trailers: collected.trailers().cloned(),
            body: collected.to_bytes(),
        })
    }

    /// Reads what comes of an open response, and tells whether it came to its end.
    ///
    /// # Errors
    /// Neither its end nor its being cut off comes within the deadline.
    pub async fn read_what_comes(open: http::Response<Incoming>) -> Result<(Self, bool)> {
        let (parts, mut body) = open.into_parts();
        let (mut bytes, mut trailers) = (Vec::new(), None);
        let whole = loop {
            match within("more of the response", body.frame()).await? {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => bytes.extend(data),
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
            }
        };
        let response = Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            trailers,
            body: bytes.into(),
        };
        Ok((response, whole))
    }

    /// The first value of a header as text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} {}", self.status, self.text()))
    }
}

/// One connection, and no other: what goes wrong on it (a stray byte, a reset) is seen by the next request on it.
pub struct Client {
    sender: Sender,
    authority: String,
    connection: Arc<Connection>,
}

#[derive(Clone)]
enum Sender {
    Http1(Arc<tokio::sync::Mutex<http1::SendRequest<RequestBody>>>),
    Http2(http2::SendRequest<RequestBody>),
}

struct Connection {
    task: JoinHandle<Result<(), hyper::Error>>,
    socket: std::net::TcpStream,
}

impl Connection {
    /// Closes the socket itself: HTTP/2 lives on in tasks of its own as long as there are streams.
    fn close(&self) {
        self.task.abort();
        // An error means that it is closed already.
        drop(self.socket.shutdown(Shutdown::Both));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

impl Client {
    /// A connection of HTTP/1.1, kept alive.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn http1(address: SocketAddr) -> Result<Self> {
        let (io, socket) = connect(address).await?;
        let (sender, connection) = http1::handshake(io).await?;
        Ok(Self {
            sender: Sender::Http1(Arc::new(sender.into())),
            authority: address.to_string(),
            connection: Arc::new(Connection {
                task: tokio::spawn(connection),
                socket,
            }),
        })
    }

    /// A connection of HTTP/1.1 over TLS that asks for a name, and the certificate that it was shown.
    ///
    /// # Errors
    /// Nobody listens there, or there is no agreement.
    pub async fn tls(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> Result<(Self, CertificateDer<'static>)> {
        let (stream, socket) = handshake(address, config, name).await?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let shown = shown.context("no certificate")?.clone().into_owned();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let client = Self {
            sender: Sender::Http1(Arc::new(sender.into())),
            authority: address.to_string(),
            connection: Arc::new(Connection {
                task: tokio::spawn(connection),
                socket,
            }),
        };
        Ok((client, shown))
    }

    /// A connection of HTTP/2 over TLS that asks for a name.
    ///
    /// # Errors
    /// As [`Client::tls`].
    pub async fn tls_http2(address: SocketAddr, config: &ClientConfig, name: &str) -> Result<Self> {
        let mut config = config.clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let (stream, socket) = handshake(address, Arc::new(config), name).await?;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        Ok(Self {
            sender: Sender::Http2(sender),
            authority: address.to_string(),
            connection: Arc::new(Connection {
                task: tokio::spawn(connection),
                socket,
            }),
        })
    }

    /// A connection of HTTP/2, without an upgrade (prior knowledge).
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn http2(address: SocketAddr) -> Result<Self> {
        let (io, socket) = connect(address).await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        Ok(Self {
            sender: Sender::Http2(sender),
            authority: address.to_string(),
            connection: Arc::new(Connection {
                task: tokio::spawn(connection),
                socket,
            }),
        })
    }

    /// Another handle of the same connection: over HTTP/2 for requests side by side, over HTTP/1.1 one after the other.
    pub fn share(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            authority: self.authority.clone(),
            connection: self.connection.clone(),
        }
    }

    /// Sends a request and reads the response to its end.
    ///
    /// # Errors
    /// The connection is lost, or the response does not come or end within the deadline.
    pub async fn send(&mut self, request: Request<RequestBody>) -> Result<Response> {
        Response::read(self.open(request).await?).await
    }

    /// Sends a request and gives the response as soon as its headers are there. Keep the client until the body is read: with
    /// its last handle, the connection goes.
    ///
    /// # Errors
    /// The connection is lost, or the headers do not come within the deadline.
    pub async fn open(
        &mut self,
        mut request: Request<RequestBody>,
    ) -> Result<http::Response<Incoming>> {
        let what = format!("{} {}", request.method(), request.uri());
        self.complete(&mut request)?;
        match &mut self.sender {
            Sender::Http1(sender) => {
                within(&what, async {
                    let mut sender = sender.lock().await;
                    sender.ready().await?;
                    sender.send_request(request).await
                })
                .await?
            }
            Sender::Http2(sender) => {
                within(&what, async {
                    sender.ready().await?;
                    sender.send_request(request).await
                })
                .await?
            }
        }
        .context(what)
    }

    /// Drops the connection at once, whatever is under way.
    pub fn hang_up(self) {
        self.connection.close();
    }

    /// Whether the connection is still there.
    pub fn is_open(&self) -> bool {
        !self.connection.task.is_finished()
    }

    /// Waits until the connection can take a request; `false` if it takes no more, as after `connection: close`.
    pub async fn is_ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.lock().await.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// HTTP/1.1 has the host in a header, HTTP/2 in the URI.
    fn complete(&self, request: &mut Request<RequestBody>) -> Result<()> {
        let given = request.headers().get("host").cloned();
        match &self.sender {
            Sender::Http1(_) => {
                if given.is_none() {
                    let host = HeaderValue::from_str(&self.authority)?;
                    request.headers_mut().insert("host", host);
                }
            }
            Sender::Http2(_) => {
                request.headers_mut().remove("host");
                let authority = match &given {
                    Some(host) => host.to_str()?,
                    None => &self.authority,
                };
                let path = request.uri().path_and_query();
                let Some(path) = path else {
                    bail!("no path in {}", request.uri())
                };
                *request.uri_mut() = format!("http://{authority}{path}").parse()?;
            }
        }
        Ok(())
    }
}

async fn handshake(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    name: &str,
) -> Result<(TlsStream<TcpStream>, std::net::TcpStream)> {
    let (io, socket) = connect(address).await?;
    let name = ServerName::try_from(name.to_owned())?;
    let handshake = TlsConnector::from(config).connect(name, io.into_inner());
    Ok((within("a handshake", handshake).await??, socket))
}

async fn connect(address: SocketAddr) -> Result<(TokioIo<TcpStream>, std::net::TcpStream)> {
    let what = format!("a connection to {address}");
    let stream = within(&what, TcpStream::connect(address))
        .await?
        .context(what)?;
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let socket = stream.try_clone()?;
    Ok((TokioIo::new(TcpStream::from_std(stream)?), socket))
}
