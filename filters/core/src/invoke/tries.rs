//! One try of one request, whatever the provider. What is a provider's own is in its module (`lambda::exchange`), reached
//! over [`Target`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tenon_contract::{CALL_HEADER, CALL_KEY};

use super::azure;
use super::call::{Call, Target};
use super::error::Code;
use super::gcp;
use super::header;
use super::lambda;
use super::secret::Secret;
use super::snapshot::{Origin, Snapshot};
use super::upstream::{Called, NoCall, Upstream};
use crate::host::{Host, Level, Side, Slot, Step, Telemetry};
use crate::matching::Matched;

mod answer;

pub(super) use answer::{Answer, Provenance, annotate, clear};

/// One try of one request: made by the host for each stream of the upstream filter chain, its hooks called in Envoy's
/// order. Its state is this try's alone; what tries share lies in [`crate::host::Stream::remember`].
#[derive(Default)]
pub struct Try {
    pub(super) number: u8,
    pub(super) client: Option<Snapshot>,
    call: Option<Arc<Call>>,
    /// What the path's parameters took, where the call was found by them.
    pub(super) matched: Option<Matched>,
    pub(super) secret: Option<Arc<Secret>>,
    /// The request's headers were not all of it.
    pub(super) framed: bool,
    /// The length that the request says its body has.
    announced: Option<u64>,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    phase: Phase,
    pub(super) answer: Answer,
    began: Duration,
    pub(super) result: Option<&'static str>,
    counted: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Phase {
    /// The request is held: its signature covers the whole body.
    #[default]
    Gathering,
    /// It went to the provider.
    Sent,
    /// The filter answered itself.
    Answered,
}

/// The result of a try that is lost to a timeout, a hedge or the client's own disconnect.
const CANCELLED: &str = "cancelled";

impl Try {
    /// The hook for the request's headers.
    pub fn request_headers(
        &mut self,
        upstream: &Upstream,
        host: &mut impl Host,
        end: bool,
    ) -> Step {
        self.began = host.now();
        self.framed = !end;
        let remembered = host
            .remembered(Slot::Request)
            .map(Cow::into_owned)
            .and_then(Snapshot::read);
        let called = match remembered {
            Some(client) => {
                self.number = begin_another_try(host);
                // A try that is lost tells nothing, and an earlier one's failure is not its own.
                host.annotate(&[("error", b""), ("function_error", b"")]);
                let called = upstream.call(host, client.origin().key, Some(&client));
                self.client = Some(client);
                called
            }
            None => {
                let (key, called) = find_call(upstream, host);
                self.client = called
                    .as_ref()
                    .ok()
                    .map(|called| first_try(upstream, host, &key, &called.call, self.began));
                called
            }
        };
        match called {
            Ok(Called { call, matched }) => {
                self.call = Some(call);
                self.matched = matched;
            }
            Err(NoCall::NoMatch { allowed }) => return self.refuse_unmatched(host, &allowed),
            Err(NoCall::Unconfigured | NoCall::NoKey) => {}
        }
        let (Some(call), Some(client)) = (&self.call, &self.client) else {
            return self.refuse(
                host,
                Code::NoFunction,
                "no function is configured for this route",
            );
        };
        let holds = call.target.holds_request();
        self.announced = client.content_length().and_then(header::number);
        self.request_bytes = self.announced.unwrap_or(0);
        if self.request_bytes > upstream.max_request_bytes {
            return self.refuse_too_large(upstream, host);
        }
        if call.target.needs_secret() {
            match self.find_secret(upstream, host) {
                Ok(secret) => self.secret = Some(secret),
                Err(reason) => {
                    host.log(
                        Level::Warn,
                        &format!("upstream {}: no credentials: {reason}", upstream.name()),
                    );
                    return self.refuse(
                        host,
                        Code::NoCredentials,
                        "no credentials for this upstream",
                    );
                }
            }
        }
        if end || !holds {
            self.send(upstream, host)
        } else {
            Step::Hold
        }
    }

    fn find_secret(&self, upstream: &Upstream, host: &impl Host) -> Result<Arc<Secret>, Arc<str>> {
        let text = host.secret().ok_or("the secret has not arrived")?;
        let secret = upstream.secrets.get(&text)?;
        secret.at(upstream.clock.at(self.began))?;
        Ok(secret)
    }

    /// The hook for a part of the request's body.
    pub fn request_body(&mut self, upstream: &Upstream, host: &mut impl Host, end: bool) -> Step {
        if self.phase != Phase::Gathering {
            return Step::Continue;
        }
        // Envoy's codecs see to it that a body is as long as it says.
        if self.announced.is_none() {
            self.request_bytes += host.new_length(Side::Request);
            if self.request_bytes > upstream.max_request_bytes {
                return self.refuse_too_large(upstream, host);
            }
        }
        if end {
            self.send(upstream, host)
        } else {
            Step::Hold
        }
    }

    /// The hook for the request's trailers, which end a body that had no end of its own.
    pub fn request_trailers(&mut self, upstream: &Upstream, host: &mut impl Host) -> Step {
        if self.phase == Phase::Gathering {
            self.send(upstream, host)
        } else {
            Step::Continue
        }
    }

    /// Makes the request the provider's.
    fn send(&mut self, upstream: &Upstream, host: &mut impl Host) -> Step {
        let Some(call) = self.call.clone() else {
            return self.refuse(host, Code::Internal, "internal error");
        };
        let step = match &call.target {
            Target::Lambda(call) => lambda::exchange::send(self, upstream, host, call),
            Target::Url(call) => lambda::url::send(self, upstream, host, call),
            Target::Gcp(call) => gcp::send(self, upstream, host, call),
            Target::Azure(call) => azure::send(self, upstream, host, call),
        };
        if step == Step::Continue {
            self.phase = Phase::Sent;
        }
        step
    }

    /// The hook for the response's headers.
    pub fn response_headers(
        &mut self,
        upstream: &Upstream,
        host: &mut impl Host,
        end: bool,
    ) -> Step {
        let (Phase::Sent, Some(client), Some(call)) =
            (&self.phase, &self.client, self.call.clone())
        else {
            return Step::Continue;
        };
        // A hedge that began since may still be waiting for its connection with its request in the shared headers.
        if host
            .remembered(Slot::Try(self.number.saturating_add(1)))
            .is_none()
        {
            let written = match &call.target {
                Target::Lambda(call) => lambda::exchange::written(self, upstream, call, client),
                Target::Url(call) => lambda::url::written(self, call, client),
                Target::Gcp(call) => gcp::written(call),
                Target::Azure(_) => azure::written(),
            };
            client.restore(host, written);
        }
        let step = match &call.target {
            Target::Lambda(call) => lambda::exchange::respond(self, upstream, host, call, end),
            Target::Url(_) => lambda::url::respond(self, upstream, host, end),
            Target::Gcp(_) => gcp::respond(self, upstream, host, end),
            Target::Azure(call) => azure::respond(self, upstream, host, call, end),
        };
        if !end
            && matches!(self.answer, Answer::Discard | Answer::Replace(_))
            && step == Step::Continue
        {
            // The body is replaced where it comes.
            return step;
        }
        self.advance(upstream, host, step, end)
    }

    /// Whether the response's headers announce a body that takes the place of one that is still to come. A host that
    /// cannot add a body where none comes has to hold them until it does.
    pub fn awaits_response_body(&self) -> bool {
        matches!(self.answer, Answer::Replace(Some(_)))
    }

    /// The hook for a part of the response's body.
    pub fn response_body(&mut self, upstream: &Upstream, host: &mut impl Host, end: bool) -> Step {
        if self.phase != Phase::Sent {
            return Step::Continue;
        }
        if matches!(self.answer, Answer::Gather(_)) {
            self.response_bytes += host.new_length(Side::Response);
            if self.response_bytes > upstream.max_response_bytes {
                let step = self.too_large_a_response(host, false);
                return self.advance(upstream, host, step, end);
            }
        }
        self.advance(upstream, host, Step::Continue, end)
    }

    /// The hook for the response's trailers, which end a body that had no end of its own.
    pub fn response_trailers(&mut self, upstream: &Upstream, host: &mut impl Host) -> Step {
        if self.phase != Phase::Sent {
            return Step::Continue;
        }
        self.advance(upstream, host, Step::Continue, true)
    }

    /// The stream is gone. A try that was lost is counted here, since nothing else tells of it.
    pub fn destroyed(&mut self, telemetry: &mut impl Telemetry, now: Duration) {
        if self.call.is_some() {
            self.count(telemetry, now);
        }
    }

    /// Answers a request that is larger than the provider takes.
    pub(super) fn refuse_too_large(&mut self, upstream: &Upstream, host: &mut impl Host) -> Step {
        let message = format!(
            "the request is larger than {} bytes",
            upstream.max_request_bytes
        );
        self.refuse(host, Code::RequestTooLarge, &message)
    }

    /// Answers a request for which the upstream has no function: not found, or not with this method (RFC 9110, 15.5.6).
    fn refuse_unmatched(&mut self, host: &mut impl Host, allowed: &[String]) -> Step {
        let message = match allowed {
            [] => "no function of this upstream is for this path",
            _ => "no function of this upstream is for this method of this path",
        };
        let step = self.refuse(host, Code::NoMatch, message);
        match step {
            Step::Reply(mut reply) if !allowed.is_empty() && !reply.trailers_only => {
                reply.status = 405;
                reply.headers.push(("allow", allowed.join(", ")));
                Step::Reply(reply)
            }
            step => step,
        }
    }

    /// Answers a request that never reaches the provider.
    pub(super) fn refuse(&mut self, host: &mut impl Host, code: Code, message: &str) -> Step {
        let grpc = match &self.client {
            Some(client) => {
                // An earlier try may have left its signature, this one its event.
                client.restore_all(host);
                client.is_grpc()
            }
            None => header::is_grpc(host.header(Side::Request, "content-type").as_deref()),
        };
        self.phase = Phase::Answered;
        self.result = Some(code.name());
        self.tell(host, &Provenance::default());
        let now = host.now();
        self.count(host, now);
        Step::Reply(code.reply(message, grpc))
    }

    /// The function's logical name; empty where there is no call.
    pub(super) fn function(&self) -> &str {
        self.call.as_ref().map_or("", |call| &call.function)
    }

    /// The template that the request's path matches, where the call was found by it.
    pub(super) fn resource(&self) -> Option<&str> {
        self.call.as_ref()?.resource.as_deref()
    }

    /// What that template's parameters took, percent-decoded.
    pub(super) fn path_parameters(&self) -> Vec<(&str, Cow<'_, str>)> {
        let parameters = self.matched.iter().flat_map(|it| &it.parameters);
        parameters
            .map(|it| (it.name.as_str(), it.decoded()))
            .collect()
    }

    /// Whether the client asked for the head only, and whether it speaks gRPC.
    pub(super) fn client_kind(&self) -> (bool, bool) {
        self.client.as_ref().map_or((false, false), |client| {
            (client.is_head(), client.is_grpc())
        })
    }

    fn count(&mut self, telemetry: &mut impl Telemetry, now: Duration) {
        if !std::mem::replace(&mut self.counted, true) {
            telemetry.count(
                self.function(),
                self.result.unwrap_or(CANCELLED),
                now.saturating_sub(self.began),
            );
        }
    }
}

/// The request's call and its metadata key. A route with a call of its own never looks at the header.
fn find_call(
    upstream: &Upstream,
    host: &mut impl Host,
) -> (Cow<'static, str>, Result<Called, NoCall>) {
    let own = Cow::Borrowed(CALL_KEY);
    let called = upstream.call(host, &own, None);
    if !matches!(called, Err(NoCall::NoKey)) {
        return (own, called);
    }
    let named = host
        .header(Side::Request, CALL_HEADER)
        .and_then(|key| String::from_utf8(key.into_owned()).ok());
    match named {
        Some(key) if key.starts_with("call.") => {
            let called = upstream.call(host, &key, None);
            (Cow::Owned(key), called)
        }
        _ => (own, called),
    }
}

/// Keeps the client's request for later tries, and takes what is Tenon's own off it.
fn first_try(
    upstream: &Upstream,
    host: &mut impl Host,
    key: &str,
    call: &Call,
    now: Duration,
) -> Snapshot {
    let mut ours = Vec::new();
    let origin = Origin {
        key,
        upstream: upstream.name(),
        function: &call.function,
        qualifier: call.target.qualifier().unwrap_or_default(),
    };
    let client = Snapshot::take(host, now, origin, call.target.reach(), &mut ours);
    host.remember(Slot::Request, client.as_bytes());
    for name in ours {
        host.remove_header(Side::Request, &name);
    }
    client
}

/// Leaves the sign that another try begins, and tells its number.
fn begin_another_try(host: &mut impl Host) -> u8 {
    let number = (1..u8::MAX)
        .find(|number| host.remembered(Slot::Try(*number)).is_none())
        .unwrap_or(u8::MAX);
    host.remember(Slot::Try(number), b"1");
    number
}
