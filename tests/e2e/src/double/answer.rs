use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use tokio::sync::watch;

use crate::client::{BodySender, RequestBody, streaming_body};
use crate::deadline::within;
use crate::eventstream;

/// Holds an [`Answer`] back until the test says so.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A shut one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything through, from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Shuts it again.
    pub fn shut(&self) {
        self.0.send_replace(false);
    }

    /// Waits until it is open.
    ///
    /// # Errors
    /// It is not within the deadline.
    pub async fn pass(&self) -> Result<()> {
        let mut open = self.0.subscribe();
        within("an open gate", open.wait_for(|open| *open)).await??;
        Ok(())
    }
}

/// How a scripted server answers a request.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Content,
    trailers: Vec<(String, String)>,
    chunk: Option<usize>,
    gate: Option<Gate>,
    body_gate: Option<Gate>,
    hang_up: Option<HangUp>,
}

#[derive(Clone)]
enum Content {
    Bytes(Bytes),
    Request,
    /// For the first request; others have none.
    Fed(Arc<Mutex<Option<RequestBody>>>),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes",
            Self::Request => "Request",
            Self::Fed(_) => "Fed",
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum HangUp {
    BeforeHeaders,
    After(usize),
}

impl Answer {
    /// A status, and no body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Content::Bytes(Bytes::new()),
            trailers: Vec::new(),
            chunk: None,
            gate: None,
            body_gate: None,
            hang_up: None,
        }
    }

    /// 200 with a body.
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self {
            body: Content::Bytes(body.into()),
            ..Self::status(200)
        }
    }

    /// 200 with a JSON body.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::body(body).header("content-type", "application/json")
    }

    /// 200 with the request's body.
    pub fn echo() -> Self {
        Self {
            body: Content::Request,
            ..Self::status(200)
        }
        .header("content-type", "application/json")
    }

    /// 200 with what Lambda streams, fed by the test with messages of [`crate::eventstream`]. It is for one call only.
    pub fn streamed() -> (BodySender, Self) {
        let (sender, body) = streaming_body();
        let body = Content::Fed(Arc::new(Mutex::new(Some(body))));
        let answer = Self {
            body,
            ..Self::status(200)
        };
        (
            sender,
            answer.header("content-type", eventstream::CONTENT_TYPE),
        )
    }

    /// What Lambda answers where a function failed: 200, the header, and the words of the function.
    pub fn function_error(message: &str) -> Self {
        let body = serde_json::json!({"errorMessage": message, "errorType": "Error"});
        Self::json(body.to_string()).header("x-amz-function-error", "Unhandled")
    }

    /// What AWS answers where it refuses or fails: a status, a type and a message.
    pub fn service_error(status: u16, error_type: &str, message: &str) -> Self {
        let body = serde_json::json!({"message": message}).to_string();
        Self::json(body)
            .with_status(status)
            .header("x-amzn-errortype", error_type)
    }

    /// No answer: the connection (HTTP/2: the stream) is dropped.
    pub fn hang_up() -> Self {
        Self {
            hang_up: Some(HangUp::BeforeHeaders),
            ..Self::status(200)
        }
    }

    /// The same with another status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a trailer. Over HTTP/1.1 a client gets it only if it said `te: trailers`.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.into(), value.into()));
        self
    }

    /// Sends the body in chunks of this size, and no content-length.
    pub fn chunked(mut self, size: usize) -> Self {
        self.chunk = Some(size.max(1));
        self
    }

    /// Sends nothing until the gate is open.
    pub fn held_by(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Sends the headers, but the body only when the gate is open.
    pub fn body_held_by(mut self, gate: &Gate) -> Self {
        self.body_gate = Some(gate.clone());
        self
    }

    /// Drops the connection (HTTP/2: the stream) after the headers and this many bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.hang_up = Some(HangUp::After(bytes));
        self
    }

    pub(super) fn is_failure(&self) -> bool {
        self.status >= 400 || self.hang_up.is_some()
    }

    /// Waits where it is told to, and makes the response.
    pub(super) async fn respond(self, request_body: &Bytes) -> Result<Response<RequestBody>> {
        if let Some(gate) = &self.gate {
            gate.pass().await?;
        }
        anyhow::ensure!(
            !matches!(self.hang_up, Some(HangUp::BeforeHeaders)),
            "hung up as scripted"
        );
        let body = match &self.body {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Request => request_body.clone(),
            Content::Fed(body) => {
                let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
                let body = body.context("a streamed answer is for one call")?;
                return Ok(self.head().body(body)?);
            }
        };
        let trailers = header_map(&self.trailers)?;
        Ok(self.head().body(self.into_body(body, trailers))?)
    }

    fn head(&self) -> http::response::Builder {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        for (name, _) in &self.trailers {
            response = response.header("trailer", name);
        }
        response
    }

    fn into_body(self, body: Bytes, trailers: HeaderMap) -> RequestBody {
        let streamed = self.chunk.is_some()
            || self.body_gate.is_some()
            || self.hang_up.is_some()
            || !trailers.is_empty();
        if !streamed {
            return Full::new(body)
                .map_err(|never| match never {})
                .boxed_unsync();
        }
        let (sender, channel) = Channel::new(1);
        tokio::spawn(self.stream(body, trailers, sender));
        channel.boxed_unsync()
    }

    async fn stream(self, body: Bytes, trailers: HeaderMap, mut sender: Sender<Bytes, io::Error>) {
        let gone = || io::Error::new(io::ErrorKind::ConnectionReset, "hung up as scripted");
        if let Some(gate) = &self.body_gate
            && gate.pass().await.is_err()
        {
            return sender.abort(gone());
        }
        let end = match self.hang_up {
            Some(HangUp::After(bytes)) => body.len().min(bytes),
            _ => body.len(),
        };
        let mut rest = body.slice(..end);
        while !rest.is_empty() {
            let chunk = rest.split_to(self.chunk.unwrap_or(rest.len()).min(rest.len()));
            if sender.send_data(chunk).await.is_err() {
                return;
            }
        }
        if self.hang_up.is_some() {
            return sender.abort(gone());
        }
        if !trailers.is_empty() {
            // An error means that the client is gone, which is its own business.
            drop(sender.send_trailers(trailers).await);
        }
    }
}

fn header_map(pairs: &[(String, String)]) -> Result<HeaderMap> {
    pairs
        .iter()
        .map(|(name, value)| Ok((name.parse::<HeaderName>()?, HeaderValue::from_str(value)?)))
        .collect()
}
