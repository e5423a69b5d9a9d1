//! What the core asks of its host, and what it tells it to do.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use crate::inja;

/// The request or the response of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Client to upstream.
    Request,
    /// Upstream to client.
    Response,
}

/// The headers of a message. Names are lower case; values are bytes, not always UTF-8.
pub trait Headers {
    /// The first value of `name`.
    fn header(&self, side: Side, name: &str) -> Option<Cow<'_, [u8]>>;
    /// Every header in order, pseudo-headers included.
    fn each_header(&self, side: Side, visit: &mut dyn FnMut(&[u8], &[u8]));
    /// Replaces all values of `name` by one.
    fn set_header(&mut self, side: Side, name: &str, value: &[u8]);
    /// Adds a value, keeping those that are there.
    fn add_header(&mut self, side: Side, name: &str, value: &[u8]);
    /// Removes all values of `name`.
    fn remove_header(&mut self, side: Side, name: &str);
}

/// The body of a message. A hook that answers [`Step::Hold`] makes the host keep what has come so far.
pub trait Body {
    /// The bytes that are held and those that came with this call, in order, in chunks.
    fn each_chunk(&self, side: Side, visit: &mut dyn FnMut(&[u8]));
    /// How many bytes came with this call of the hook and with none before.
    fn new_length(&self, side: Side) -> u64;
    /// Puts `bytes` in place of all of them. Also in the headers hook of a message without a body, which then has one,
    /// and in the trailers hook.
    fn replace_body(&mut self, side: Side, bytes: &[u8]);
    /// Puts in place of the bytes that came with this call of the hook what `rewrite` adds to its second argument when it
    /// is called with them, in pieces and in order. Only where none are held.
    fn rewrite_body(&mut self, side: Side, rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>));
}

/// A stream's surroundings.
pub trait Stream {
    /// The time since the Unix epoch.
    fn now(&self) -> Duration;
    /// A string of the route's metadata in the contract's namespace. `None` too where there is no route.
    fn route_metadata(&self, key: &str) -> Option<Cow<'_, [u8]>>;
    /// The text of the upstream's secret, as it is now. `None` where there is none (yet).
    fn secret(&self) -> Option<Cow<'_, [u8]>>;
    /// What [`Stream::remember`] put into a slot: on this try, or on another try of the same request.
    fn remembered(&self, slot: Slot) -> Option<Cow<'_, [u8]>>;
    /// Keeps bytes with the request (not the try). A slot is written once: Envoy's filter state is read-only.
    fn remember(&mut self, slot: Slot, bytes: &[u8]);
}

/// Where the client's request came from. Only asked for what is to be shown of it.
pub trait Connection {
    /// What the client speaks, as Envoy writes it: `HTTP/1.1`, `HTTP/2`, …
    fn protocol(&self) -> Option<Cow<'_, [u8]>>;
    /// The client's address with its port, as Envoy determined it: the peer's, or the one that trusted hops tell of in
    /// `x-forwarded-for`.
    fn source_address(&self) -> Option<Cow<'_, [u8]>>;
}

/// A place in a request's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The client's request.
    Request,
    /// The sign that the try of this number (from 0) has begun. The first leaves none: [`Slot::Request`] says as much.
    Try(u8),
}

impl Slot {
    /// Its name in Envoy's filter state.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Request => Cow::Borrowed("tenon.request"),
            // The one that the response of every first try asks for.
            Self::Try(1) => Cow::Borrowed("tenon.try.1"),
            Self::Try(number) => Cow::Owned(format!("tenon.try.{number}")),
        }
    }
}

/// Where a call's story is told.
pub trait Telemetry {
    /// Sets strings of dynamic metadata in the contract's namespace, for access logs.
    fn annotate(&mut self, pairs: &[(&str, &[u8])]);
    /// Counts a try: the function's name (empty where there was no call), `ok` or an error's code or `cancelled`, and
    /// how long it took.
    fn count(&mut self, function: &str, result: &'static str, took: Duration);
    /// Tells how many seconds the provider's clock is ahead of or behind this one, where it refused a call: a
    /// difference of minutes is why signatures are refused.
    fn clock_skew(&mut self, _seconds: u64) {}
    /// Logs. Never a secret.
    fn log(&mut self, level: Level, message: &str);
}

/// How urgent a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who debugs.
    Debug,
    /// Asked for.
    Info,
    /// Worth a look.
    Warn,
    /// Somebody has to act.
    Error,
}

/// All that a filter asks of its host.
pub trait Host: Headers + Body + Stream + Connection + Telemetry {}

impl<T: Headers + Body + Stream + Connection + Telemetry> Host for T {}

/// All that a transformation asks of its host.
pub trait TransformHost: Host + Attributes + Effects {}

impl<T: Host + Attributes + Effects> TransformHost for T {}

/// What templates and matchers read beside headers and body.
pub trait Attributes {
    /// The value at `path` in the metadata's `namespace`. A host may only reach flat values.
    fn metadata(&self, of: inja::Metadata, namespace: &str, path: &[&str]) -> Option<Value>;
    /// A variable of the environment.
    fn environment(&self, name: &str) -> Option<Cow<'_, [u8]>>;
    /// A number that nobody has to be able to foretell or to rely on: not for secrets.
    fn random(&self) -> u128;
    /// The name of the cluster that the route chose.
    fn cluster_name(&self) -> Option<Cow<'_, [u8]>>;
    /// The number of the destination that a weighted route chose, where Envoy was told to tell it
    /// ([`tenon_contract::transform::DESTINATION_STATE`]).
    fn destination(&self) -> Option<Cow<'_, [u8]>>;
    /// The response code details, once there is a response.
    fn response_details(&self) -> Option<Cow<'_, [u8]>>;
}

/// What a transformation changes beside headers and body.
pub trait Effects {
    /// Sets dynamic metadata.
    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value);
    /// Names the stream's tracing span.
    fn name_span(&mut self, name: &str);
    /// Has the route chosen again.
    fn clear_route_cache(&mut self);
    /// Called in a request's hook: the response's hooks will read the request's headers. For a host that loses sight of
    /// them.
    fn keep_request_headers(&mut self) {}
}

/// What the host does after a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Goes on with the message as it is now.
    Continue,
    /// Keeps headers and body back until a later hook says [`Step::Continue`].
    Hold,
    /// Ends a response that is under way so that nobody takes it for a whole one: the stream is reset.
    Abort,
    /// Answers the client itself; no upstream sees the request, or what is left of the response is dropped.
    Reply(Reply),
}

/// An answer that the filter gives itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides `:status` and `content-length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Response code details.
    pub details: &'static str,
    /// For a gRPC client: to be sent as headers that end the stream (status 200, `content-type: application/grpc`,
    /// `grpc-status`, `grpc-message` are among `headers`), because Envoy's own conversion says `grpc-status: 0`.
    pub trailers_only: bool,
}
