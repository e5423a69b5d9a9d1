//! The client: one connection for all requests, so that what is wrong on it hurts the next one.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tenon_e2e::deadline::within;
use tenon_e2e::{Gate, Response, get, request, streaming_body};
use tokio::net::TcpStream;

use super::wire::{Connection, Message, Outgoing, receive};
use crate::fake::{HeaderList, Request};
use crate::observed::Protocol;

pub(super) struct Client {
    protocol: Protocol,
    listener: SocketAddr,
    http1: Option<Connection>,
    http2: Option<tenon_e2e::Client>,
}

impl Client {
    pub(super) fn new(protocol: Protocol, listener: SocketAddr) -> Self {
        Self {
            protocol,
            listener,
            http1: None,
            http2: None,
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) async fn exchange(
        &mut self,
        request: &Request,
        head_seen: &Gate,
    ) -> Result<Message> {
        match self.protocol {
            Protocol::Http1 => self.over_http1(request, head_seen).await,
            Protocol::Http2 => self.over_http2(request, head_seen).await,
        }
    }

    async fn over_http1(&mut self, request: &Request, head_seen: &Gate) -> Result<Message> {
        let mut connection = match self.http1.take() {
            Some(connection) => connection,
            None => Connection::new(TcpStream::connect(self.listener).await?)?,
        };
        let headers = request.headers();
        let (method, path) = (headers.text(":method"), headers.text(":path"));
        let outgoing = Outgoing {
            start: format!("{method} {path} HTTP/1.1"),
            headers,
            frames: request.frames(),
            has_empty_end: request.has_empty_end_frame(),
            trailers: request.trailers(),
            without_body: "",
            gate: None,
        };
        let has_body = |start: &str| {
            head_seen.open();
            let status = start.split(' ').nth(1).unwrap_or_default();
            method != "HEAD" && status != "204" && status != "304"
        };
        let Connection { reader, writer } = &mut connection;
        let mut sent = None;
        let message = {
            let (send, answer) = (outgoing.send(writer), receive(reader, has_body));
            tokio::pin!(send, answer);
            // A request that is refused early may never be read to its end.
            within("an answer", async {
                loop {
                    tokio::select! {
                        message = &mut answer => break message,
                        end = &mut send, if sent.is_none() => sent = Some(end),
                    }
                }
            })
            .await??
            .context("the connection ended without an answer")?
        };
        if matches!(sent, Some(Ok(())))
            && !message.cut_off
            && message.headers.text("connection") != "close"
        {
            self.http1 = Some(connection);
        }
        Ok(message)
    }

    async fn over_http2(&mut self, sent: &Request, head_seen: &Gate) -> Result<Message> {
        let mut client = match self.http2.take() {
            Some(client) if client.is_open() => client,
            _ => tenon_e2e::Client::http2(self.listener).await?,
        };
        let headers = sent.headers();
        let path = headers.text(":path");
        let has_body = !sent.frames().is_empty()
            || sent.has_empty_end_frame()
            || !sent.trailers().is_empty()
            || headers.get("content-length").is_some();
        let mut outgoing = if has_body {
            let (mut sender, body) = streaming_body();
            let frames = sent.frames().to_vec();
            let trailers = header_map(sent.trailers())?;
            tokio::spawn(async move {
                for frame in frames {
                    // Refused early: the rest is not wanted.
                    if sender.send_data(frame.into()).await.is_err() {
                        return;
                    }
                }
                if !trailers.is_empty() {
                    drop(sender.send_trailers(trailers).await);
                }
            });
            request(Method::POST, &path, body)
        } else {
            get(&path)
        };
        *outgoing.method_mut() = headers.text(":method").parse()?;
        *outgoing.headers_mut() = header_map(headers)?;
        let open = client.open(outgoing).await?;
        head_seen.open();
        let (answer, whole) = Response::read_what_comes(open).await?;
        self.http2 = Some(client);
        Ok(Message {
            start: format!("HTTP/2 {}", answer.status),
            headers: header_list(&answer.headers),
            body: answer.body.to_vec(),
            trailers: answer
                .trailers
                .as_ref()
                .map(header_list)
                .unwrap_or_default(),
            cut_off: !whole,
        })
    }
}

fn header_map(headers: &HeaderList) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        let name = if name == ":authority" { "host" } else { name };
        if !name.starts_with(':') {
            map.append(name.parse::<HeaderName>()?, HeaderValue::from_bytes(value)?);
        }
    }
    Ok(map)
}

fn header_list(map: &HeaderMap) -> HeaderList {
    let mut headers = HeaderList::default();
    for (name, value) in map {
        headers.add(name.as_str(), value.as_bytes());
    }
    headers
}
