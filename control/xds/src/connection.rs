//! Connections of clients: accepted, and with TLS before anything is read from them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::identity::Identity;
use crate::tls::Tls;

/// Connections that are accepted and not served yet.
const QUEUE: usize = 64;
/// A client that does not finish its handshake is none.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After what cannot be helped at once, as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end: `None` where clients need not say so.
pub(crate) type Peer = Option<Arc<Identity>>;

/// A connection that can be served.
pub(crate) struct Connection {
    io: Io,
    peer: Peer,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts until nobody takes any more. One handshake does not wait for another.
pub(crate) fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
) -> ReceiverStream<io::Result<Connection>> {
    let (connections, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = connections.closed() => return,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("cannot accept a connection for ADS: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // Small messages go out at once: an edit is one.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("cannot set TCP_NODELAY: {error}");
            }
            let (connections, tls) = (connections.clone(), tls.clone());
            tokio::spawn(async move {
                if let Some(connection) = connect(stream, tls.as_deref()).await {
                    // Nobody takes it while the server stops.
                    let _ = connections.send(Ok(connection)).await;
                }
            });
        }
    });
    ReceiverStream::new(receiver)
}

async fn connect(stream: TcpStream, tls: Option<&Tls>) -> Option<Connection> {
    let Some(tls) = tls else {
        return Some(Connection {
            io: Io::Plain(stream),
            peer: None,
        });
    };
    let address = stream.peer_addr().map(|address| address.to_string());
    let address = address.unwrap_or_default();
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    let stream = match tokio::time::timeout(HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(address, "no TLS with a client of ADS: {error}");
            return None;
        }
        Err(_) => {
            tracing::warn!(address, "no TLS with a client of ADS within {HANDSHAKE:?}");
            return None;
        }
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let peer = certificates
        .and_then(<[_]>::first)
        .map(|certificate| Arc::new(Identity::of(certificate)));
    Some(Connection {
        io: Io::Tls(Box::new(stream)),
        peer,
    })
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(context, buffer),
            Io::Tls(io) => Pin::new(io).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(context, bytes),
            Io::Tls(io) => Pin::new(io).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(context, slices),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(io) => io.is_write_vectored(),
            Io::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(context),
            Io::Tls(io) => Pin::new(io).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(context),
            Io::Tls(io) => Pin::new(io).poll_shutdown(context),
        }
    }
}
