//! A fake of Envoy around a filter in the upstream position.
//!
//! It models what Envoy 1.40 really does there: one map of request headers for all tries of a request; the body
//! replayed to each try as the router got it, in one piece from the second try on; bodies that end with a frame of
//! their own, with an empty one, or with trailers (and then without an end-of-stream call of the body hook); filter
//! state that all tries share; tries that are lost and see `destroy` only; a retry decided by the status that the
//! filter lets out; answers of the filter itself that are never retried.
//!
//! What would hurt a real connection is not carried out but written down in [`Outcome::problems`]: a body for a HEAD
//! request, a `content-length` that is not the body's, a header that breaks the protocol, a message held for ever.
//!
//! ```
//! use tenon_conformance::fake::{Exchange, FakeHost, Filter, Request, Response};
//! use tenon_core::host::{Headers, Side, Step};
//!
//! struct Greet;
//!
//! impl Filter<FakeHost> for Greet {
//!     fn request_headers(&mut self, host: &mut FakeHost, _end: bool) -> Step {
//!         host.set_header(Side::Request, "x-greeting", b"hello");
//!         Step::Continue
//!     }
//! }
//!
//! let outcome = Exchange::new(Request::get("/x"))
//!     .answer(Response::status(503))
//!     .answer(Response::status(200).body("fine"))
//!     .retry_on([503], 1)
//!     .run(|| Greet);
//! assert_eq!(outcome.upstream.len(), 2);
//! assert_eq!(outcome.upstream[1].headers.text("x-greeting"), "hello");
//! assert_eq!((outcome.client.status, &*outcome.client.body), (200, &b"fine"[..]));
//! assert_eq!(outcome.problems, [""; 0]);
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tenon_core::host::{Level, Reply, Side, Step};

mod host;
mod message;
mod pass;
mod surroundings;
#[cfg(test)]
mod tests;

pub use host::{Count, FakeHost};
pub use message::{Answer, HeaderList, Request, Response};

use host::Try;
use message::Payload;
use pass::{Ending, pass};

/// The hooks of a filter, one filter a try. What is left out lets everything through.
pub trait Filter<H> {
    /// The request's headers came; `end` if nothing follows them.
    fn request_headers(&mut self, _host: &mut H, _end: bool) -> Step {
        Step::Continue
    }
    /// A part of the request's body came; `end` if nothing follows it.
    fn request_body(&mut self, _host: &mut H, _end: bool) -> Step {
        Step::Continue
    }
    /// Trailers ended the request.
    fn request_trailers(&mut self, _host: &mut H) -> Step {
        Step::Continue
    }
    /// The response's headers came; `end` if nothing follows them.
    fn response_headers(&mut self, _host: &mut H, _end: bool) -> Step {
        Step::Continue
    }
    /// A part of the response's body came; `end` if nothing follows it.
    fn response_body(&mut self, _host: &mut H, _end: bool) -> Step {
        Step::Continue
    }
    /// Trailers ended the response.
    fn response_trailers(&mut self, _host: &mut H) -> Step {
        Step::Continue
    }
    /// The try is over. The only hook that a lost try sees after its request.
    fn destroy(&mut self, _host: &mut H) {}
}

/// One request of a client, what the upstream answers to its tries, and what surrounds it.
#[derive(Debug)]
pub struct Exchange {
    request: Request,
    answers: VecDeque<Answer>,
    retry_on: BTreeSet<u16>,
    retries: usize,
    between_tries: Duration,
    rotated_secret: Option<Vec<u8>>,
    afterwards: Option<fn(&mut FakeHost)>,
    http2: bool,
    host: FakeHost,
}

/// All that came of an exchange.
#[derive(Debug)]
pub struct Outcome {
    /// What the upstream got, a message for each try that reached it.
    pub upstream: Vec<Sent>,
    /// What the client got.
    pub client: Received,
    /// The request's headers when all is over: what access logs, internal redirects and other filters see.
    pub request_headers: HeaderList,
    /// The dynamic metadata.
    pub annotations: BTreeMap<String, Vec<u8>>,
    /// The tries as they were counted.
    pub counts: Vec<Count>,
    /// The log, oldest first.
    pub logs: Vec<(Level, String)>,
    /// The dynamic metadata that transformations set, by namespace.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// What transformations named the tracing span.
    pub span: Option<String>,
    /// Whether the route was chosen again.
    pub routed_again: bool,
    /// What would have hurt a real connection, and in which try.
    pub problems: Vec<String>,
}

/// A request as the upstream got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The headers, pseudo-headers included.
    pub headers: HeaderList,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: HeaderList,
    /// Whether it came to its end, or the filter answered meanwhile.
    pub complete: bool,
}

/// A response as the client got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The headers but `:status`.
    pub headers: HeaderList,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: HeaderList,
    /// Whether it ended before its end.
    pub cut_off: bool,
    /// Response code details: the filter's own, the router's, or `via_upstream`.
    pub details: &'static str,
}

impl Sent {
    /// The method.
    pub fn method(&self) -> String {
        self.headers.text(":method")
    }

    /// The path with the query.
    pub fn path(&self) -> String {
        self.headers.text(":path")
    }
}

impl Exchange {
    /// An exchange at 2015-08-30T12:36:00Z without metadata, secret or retries.
    pub fn new(request: Request) -> Self {
        // As an Envoy does that trusts one hop and has no address of its own to add.
        let forwarded = request.headers.text("x-forwarded-for");
        let last = forwarded.rsplit(',').next().unwrap_or_default().trim();
        let address = last.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let host = FakeHost {
            request_headers: request.headers.clone(),
            source_address: address.unwrap_or(peer).to_string(),
            now: Duration::from_secs(1_440_938_160),
            ..FakeHost::default()
        };
        Self {
            request,
            answers: VecDeque::new(),
            retry_on: BTreeSet::new(),
            retries: 0,
            between_tries: Duration::ZERO,
            rotated_secret: None,
            afterwards: None,
            http2: false,
            host,
        }
    }

    /// What the next try is answered.
    #[must_use]
    pub fn answer(mut self, answer: impl Into<Answer>) -> Self {
        self.answers.push_back(answer.into());
        self
    }

    /// Tries again, at most `retries` times, on these statuses and when a try is lost.
    #[must_use]
    pub fn retry_on(mut self, statuses: impl IntoIterator<Item = u16>, retries: usize) -> Self {
        self.retry_on = statuses.into_iter().collect();
        self.retries = retries;
        self
    }

    /// Sets a string of the route's metadata.
    #[must_use]
    pub fn route_metadata(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref().to_vec();
        self.host.route_metadata.insert(key.to_owned(), value);
        self
    }

    /// Sets the cluster that the route chooses.
    #[must_use]
    pub fn cluster(mut self, name: &'static str) -> Self {
        self.host.surroundings.cluster = Some(name);
        self
    }

    /// Sets the number of the destination that a weighted route chooses, as Envoy tells it.
    #[must_use]
    pub fn destination(mut self, number: Option<&'static str>) -> Self {
        self.host.surroundings.destination = number;
        self
    }

    /// Sets the response code details that the filter sees.
    #[must_use]
    pub fn details(mut self, details: &'static str) -> Self {
        self.host.surroundings.details = Some(details);
        self
    }

    /// Sets the secret.
    #[must_use]
    pub fn secret(mut self, text: impl AsRef<[u8]>) -> Self {
        self.host.secret = Some(text.as_ref().to_vec());
        self
    }

    /// Sets the secret that the second try and later ones find.
    #[must_use]
    pub fn secret_of_retries(mut self, text: impl AsRef<[u8]>) -> Self {
        self.rotated_secret = Some(text.as_ref().to_vec());
        self
    }

    /// Sets the time of the first try, and how much later each other one is.
    #[must_use]
    pub fn clock(mut self, now: Duration, between_tries: Duration) -> Self {
        self.host.now = now;
        self.between_tries = between_tries;
        self
    }

    /// The client speaks HTTP/2, which has a place for trailers after any body, even one that is left out.
    #[must_use]
    pub fn over_http2(mut self) -> Self {
        self.http2 = true;
        self.host.http2 = true;
        self
    }

    /// A downstream filter's hook for the end of the stream, before the access log.
    #[must_use]
    pub fn afterwards(mut self, hook: fn(&mut FakeHost)) -> Self {
        self.afterwards = Some(hook);
        self
    }

    /// Runs all tries, each with a new filter.
    pub fn run<F: Filter<FakeHost>>(mut self, mut filter: impl FnMut() -> F) -> Outcome {
        let mut upstream = Vec::new();
        let mut outrun = Vec::new();
        let mut late = None;
        let client = loop {
            let mut this = filter();
            let ended = self.run_try(&mut this, &mut late, &mut upstream);
            match ended {
                TryEnd::Answered(client) => {
                    this.destroy(&mut self.host);
                    break client;
                }
                TryEnd::Again => this.destroy(&mut self.host),
                TryEnd::Outrun => outrun.push((this, mem::take(&mut self.host.this_try))),
                TryEnd::Late(response) => {
                    late = Some((this, mem::take(&mut self.host.this_try), response));
                }
            }
            self.begin_another();
        };
        for (mut loser, its_own) in outrun {
            self.host.this_try = its_own;
            loser.destroy(&mut self.host);
        }
        if let Some(hook) = self.afterwards {
            hook(&mut self.host);
        }
        Outcome {
            upstream,
            client,
            request_headers: self.host.request_headers,
            annotations: self.host.annotations,
            counts: self.host.counts,
            logs: self.host.logs,
            metadata: self.host.surroundings.metadata,
            span: self.host.surroundings.span,
            routed_again: self.host.surroundings.routed_again,
            problems: self.host.problems,
        }
    }

    fn begin_another(&mut self) {
        self.host.this_try = Try::default();
        self.host.now += self.between_tries;
        self.request.payload = self.request.payload.replayed();
        if let Some(secret) = self.rotated_secret.take() {
            self.host.secret = Some(secret);
        }
    }
}

/// How a try ended.
enum TryEnd {
    Answered(Received),
    Again,
    Outrun,
    Late(Response),
}

/// A try whose response comes while the next one waits: its filter, and what it has of its own.
type Late<F> = Option<(F, Try, Response)>;

impl Exchange {
    fn run_try<F: Filter<FakeHost>>(
        &mut self,
        filter: &mut F,
        late: &mut Late<F>,
        upstream: &mut Vec<Sent>,
    ) -> TryEnd {
        let host = &mut self.host;
        host.this_try.number = upstream.len() + 1;
        let request = pass(host, filter, Side::Request, &self.request.payload, |_| {
            false
        });
        let complete = matches!(request.ending, Ending::Complete);
        let mut headers = request.headers;
        if let (Some(headers), Some(late)) = (&mut headers, late.take()) {
            if let Some(client) = self.respond_late(late) {
                return TryEnd::Answered(client);
            }
            // What waits for its connection is sent as it is by then.
            headers.clone_from(&self.host.request_headers);
        }
        let host = &mut self.host;
        if let Some(headers) = headers {
            check_length(host, &headers, &request.body, complete);
            upstream.push(Sent {
                trailers: sendable(request.trailers, &headers),
                headers,
                body: request.body,
                complete,
            });
        }
        match request.ending {
            Ending::Complete => {}
            Ending::Replied(reply) => return TryEnd::Answered(self.local(reply)),
            Ending::Abandoned | Ending::Stalled => return TryEnd::Answered(timeout()),
            Ending::CutOff => {
                host.problem("cut a request off");
                return TryEnd::Answered(timeout());
            }
        }
        let tries_left = upstream.len() <= self.retries;
        match self.answers.pop_front() {
            Some(Answer::Response(response)) => self.respond(filter, response, tries_left),
            Some(Answer::Lost) if tries_left => TryEnd::Again,
            Some(Answer::Lost) => TryEnd::Answered(reset(upstream.len() > 1)),
            Some(Answer::Outrun) => TryEnd::Outrun,
            Some(Answer::Late(response)) => TryEnd::Late(response),
            None => {
                self.host.problem("the test has no answer for this try");
                TryEnd::Answered(timeout())
            }
        }
    }

    /// A late response: one that would be tried again is dropped, because another try is on its way.
    fn respond_late<F: Filter<FakeHost>>(
        &mut self,
        (mut filter, its_own, response): (F, Try, Response),
    ) -> Option<Received> {
        let waiting = mem::replace(&mut self.host.this_try, its_own);
        let ended = self.respond(&mut filter, response, true);
        filter.destroy(&mut self.host);
        self.host.this_try = waiting;
        match ended {
            TryEnd::Answered(client) => Some(client),
            _ => None,
        }
    }

    fn respond<F: Filter<FakeHost>>(
        &mut self,
        filter: &mut F,
        response: Response,
        tries_left: bool,
    ) -> TryEnd {
        let host = &mut self.host;
        host.this_try.response_headers = response.headers;
        let again =
            |headers: &HeaderList| tries_left && self.retry_on.contains(&status_of(headers));
        let response = pass(host, filter, Side::Response, &response.payload, again);
        let complete = matches!(response.ending, Ending::Complete);
        let cut_off = matches!(response.ending, Ending::CutOff);
        match response.ending {
            Ending::Abandoned => return TryEnd::Again,
            Ending::Stalled => return TryEnd::Answered(timeout()),
            Ending::Replied(reply) if response.headers.is_none() => {
                return TryEnd::Answered(self.local(reply));
            }
            Ending::Replied(_) => host.problem("answered after the response's headers were out"),
            Ending::CutOff if response.headers.is_none() => {
                host.problem("cut a response off that could have been an error");
            }
            Ending::Complete | Ending::CutOff => {}
        }
        let mut headers = response.headers.unwrap_or_default();
        let status = status_of(&headers);
        if self.request.headers.text(":method") == "HEAD" {
            if !response.body.is_empty() {
                host.problem("let a body out to a HEAD request");
            }
        } else {
            check_length(host, &headers, &response.body, complete);
        }
        headers.remove(":status");
        let is_head = self.request.headers.text(":method") == "HEAD";
        TryEnd::Answered(Received {
            status,
            body: response.body,
            trailers: if self.http2 {
                response.trailers
            } else if is_head {
                HeaderList::default()
            } else {
                sendable(response.trailers, &headers)
            },
            headers,
            cut_off,
            details: self.host.surroundings.details.unwrap_or("via_upstream"),
        })
    }

    /// What the client gets of an answer of the filter's own.
    fn local(&self, reply: Reply) -> Received {
        let head = self.request.headers.text(":method") == "HEAD";
        let mut headers = HeaderList::default();
        for (name, value) in &reply.headers {
            headers.add(name, value.as_bytes());
        }
        if !reply.trailers_only {
            let length = reply.body.len().to_string();
            headers.set("content-length", length.as_bytes());
        }
        Received {
            status: reply.status,
            headers,
            body: if head || reply.trailers_only {
                Vec::new()
            } else {
                reply.body
            },
            trailers: HeaderList::default(),
            cut_off: false,
            details: reply.details,
        }
    }
}

/// HTTP/1.1 has no place for trailers after a body of known length (RFC 9112, 7.1.2).
fn sendable(trailers: HeaderList, headers: &HeaderList) -> HeaderList {
    if headers.get("content-length").is_some() {
        HeaderList::default()
    } else {
        trailers
    }
}

fn status_of(headers: &HeaderList) -> u16 {
    headers.text(":status").parse().unwrap_or_default()
}

/// A length that is not the body's keeps one side waiting, or cuts the body.
fn check_length(host: &mut FakeHost, headers: &HeaderList, body: &[u8], complete: bool) {
    for length in headers.all("content-length") {
        let length = String::from_utf8_lossy(length).into_owned();
        if complete && length != body.len().to_string() {
            host.problem(format!(
                "sent content-length {length} and {} bytes",
                body.len()
            ));
        }
    }
}

/// The router's own answer where the last try's connection breaks.
fn reset(retried: bool) -> Received {
    let reason = if retried {
        "retried and the latest reset reason"
    } else {
        "reset reason"
    };
    let body = format!(
        "upstream connect error or disconnect/reset before headers. {reason}: connection termination"
    );
    let mut headers = HeaderList::default();
    headers.add("content-type", b"text/plain");
    headers.add("content-length", body.len().to_string().as_bytes());
    Received {
        status: 503,
        headers,
        body: body.into(),
        trailers: HeaderList::default(),
        cut_off: false,
        details: "upstream_reset_before_response_started{connection_termination}",
    }
}

/// The router's own answer where no try ends.
fn timeout() -> Received {
    Received {
        status: 504,
        headers: HeaderList::default(),
        body: b"upstream request timeout".to_vec(),
        trailers: HeaderList::default(),
        cut_off: false,
        details: "response_timeout",
    }
}
