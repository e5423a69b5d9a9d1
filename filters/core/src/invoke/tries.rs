//! One try of one request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tenon_contract::{CALL_HEADER, CALL_KEY, ERROR_HEADER, Invocation, ResponseShape};

use super::call::Call;
use super::error::Code;
use super::header;
use super::lambda::event;
use super::lambda::response::ProviderResponse;
use super::lambda::unwrap::{self, Unwrapped};
use super::secret::Secret;
use super::snapshot::{SECURITY_TOKEN, Snapshot, Written};
use super::upstream::Upstream;
use crate::host::{Headers, Host, Level, Side, Slot, Step, Telemetry};
use crate::sign::{EMPTY_PAYLOAD, PayloadHash};

/// One try of one request: made by the host for each stream of the upstream filter chain, its hooks called in Envoy's
/// order. Its state is this try's alone; what tries share lies in [`crate::host::Stream::remember`].
#[derive(Default)]
pub struct Try {
    number: u8,
    client: Option<Snapshot>,
    call: Option<Arc<Call>>,
    secret: Option<Arc<Secret>>,
    /// The request's headers were not all of it.
    framed: bool,
    request_bytes: u64,
    response_bytes: u64,
    phase: Phase,
    answer: Answer,
    began: Duration,
    result: Option<&'static str>,
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

/// What becomes of the response's body.
#[derive(Default)]
enum Answer {
    #[default]
    Pass,
    /// None of it reaches the client: it asked for the head only.
    Discard,
    /// This is sent in its place; `None` once that is done.
    Replace(Option<Vec<u8>>),
    /// It is held, and unwrapped once it is whole.
    Unwrap(ResponseShape),
    /// It is held, and says why the call was throttled.
    ThrottledApiGateway,
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
        self.call = match remembered {
            Some(client) => {
                self.number = begin_another_try(host);
                // A try that is lost tells nothing, and an earlier one's failure is not its own.
                host.annotate(&[("error", b""), ("function_error", b"")]);
                let call = upstream.call(host, client.call_key());
                self.client = Some(client);
                call
            }
            None => {
                let key = call_key(host);
                let call = upstream.call(host, &key);
                self.client = call
                    .as_ref()
                    .map(|call| first_try(upstream, host, &key, call, self.began));
                call
            }
        };
        let (Some(_), Some(client)) = (&self.call, &self.client) else {
            return self.refuse(
                host,
                Code::NoFunction,
                "no function is configured for this route",
            );
        };
        let announced = client
            .content_length()
            .and_then(header::number)
            .unwrap_or(0);
        if announced > upstream.max_request_bytes {
            return self.refuse_too_large(upstream, host);
        }
        let secret = host.secret().map(|text| upstream.secrets.get(&text));
        match secret
            .unwrap_or_else(|| Err("the secret has not arrived".into()))
            .and_then(|secret| secret.at(self.began).map(|()| secret))
        {
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
        if end {
            self.send(upstream, host)
        } else {
            Step::Hold
        }
    }

    /// The hook for a part of the request's body.
    pub fn request_body(&mut self, upstream: &Upstream, host: &mut impl Host, end: bool) -> Step {
        if self.phase != Phase::Gathering {
            return Step::Continue;
        }
        self.request_bytes += host.new_length(Side::Request);
        if self.request_bytes > upstream.max_request_bytes {
            return self.refuse_too_large(upstream, host);
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

    /// Makes the request the provider's, and signs it.
    fn send(&mut self, upstream: &Upstream, host: &mut impl Host) -> Step {
        let (Some(client), Some(call), Some(secret)) = (&self.client, &self.call, &self.secret)
        else {
            return self.refuse(host, Code::Internal, "internal error");
        };
        client.clean(host);
        let mut hash = PayloadHash::default();
        let mut content_type = client.content_type();
        if event::is_built(call) {
            let mut body =
                Vec::with_capacity(usize::try_from(self.request_bytes).unwrap_or_default());
            host.each_chunk(Side::Request, &mut |chunk| body.extend_from_slice(chunk));
            let origin = event::Origin::ask(host, call, upstream);
            let event = event::build(call, client, &origin, &body).unwrap_or_default();
            if event.len() as u64 > upstream.max_request_bytes {
                return self.refuse_too_large(upstream, host);
            }
            hash.update(&event);
            host.replace_body(Side::Request, &event);
            content_type = Some(b"application/json");
            host.set_header(Side::Request, "content-type", b"application/json");
            host.set_header(
                Side::Request,
                "content-length",
                event.len().to_string().as_bytes(),
            );
        } else if self.framed && client.content_length().is_none() {
            // The body was held, so its length is known: not every provider takes a body in chunks.
            let length = self.request_bytes.to_string();
            host.set_header(Side::Request, "content-length", length.as_bytes());
        }
        let authority = upstream.aws.host.as_bytes();
        let hash = if event::is_built(call) {
            hash.finish()
        } else if self.request_bytes == 0 {
            EMPTY_PAYLOAD
        } else {
            // Once, when it is whole: asking the host for each part as it comes costs more than it saves.
            host.each_chunk(Side::Request, &mut |chunk| hash.update(chunk));
            hash.finish()
        };
        let mut buffer = Vec::new();
        let signed = secret.sign_invoke(
            call,
            authority,
            content_type,
            &hash,
            (host.now(), &mut buffer),
        );
        if client.method() != b"POST" {
            host.set_header(Side::Request, ":method", b"POST");
        }
        host.set_header(Side::Request, ":path", call.path.as_bytes());
        host.set_header(Side::Request, ":authority", authority);
        host.set_header(
            Side::Request,
            "x-amz-invocation-type",
            call.invocation_type.as_bytes(),
        );
        host.set_header(Side::Request, "x-amz-date", &signed.date);
        match secret.session_token() {
            Some(token) => host.set_header(Side::Request, SECURITY_TOKEN, token.as_bytes()),
            // An earlier try that was lost may have had one.
            None if self.number > 0 => host.remove_header(Side::Request, SECURITY_TOKEN),
            None => {}
        }
        host.set_header(Side::Request, "authorization", signed.authorization);
        self.phase = Phase::Sent;
        Step::Continue
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
            client.restore(host, self.written(&call, client));
        }
        let head = client.is_head();
        let response = ProviderResponse::read(host);
        for name in &response.ours {
            host.remove_header(Side::Response, name);
        }
        let step = match response.verdict() {
            None if response.length > upstream.max_response_bytes => {
                self.too_large_a_response(host, end)
            }
            None => {
                self.result = Some("ok");
                let unwraps = call.aws.invocation == Invocation::RequestResponse;
                self.answer = match call.aws.response {
                    shape if unwraps && shape != ResponseShape::Body => Answer::Unwrap(shape),
                    _ if head => Answer::Discard,
                    _ => Answer::Pass,
                };
                Step::Continue
            }
            Some(Code::FunctionError) => {
                let status = call.aws.function_error_status;
                if call.aws.expose_function_error && !client.is_grpc() {
                    self.mark(host, Code::FunctionError);
                    host.set_header(Side::Response, ":status", status.to_string().as_bytes());
                    self.answer = if head { Answer::Discard } else { Answer::Pass };
                    Step::Continue
                } else {
                    self.fail(
                        host,
                        end,
                        Code::FunctionError,
                        status,
                        "the function failed",
                    )
                }
            }
            Some(Code::Throttled)
                if call.aws.response == ResponseShape::ApiGateway && !client.is_grpc() =>
            {
                self.mark(host, Code::Throttled);
                self.answer = Answer::ThrottledApiGateway;
                Step::Continue
            }
            Some(Code::Throttled) => {
                response.put_error_type(host);
                let message = "the provider throttled the call";
                self.fail(host, end, Code::Throttled, 429, message)
            }
            Some(code) => {
                if let (403, Some(date)) = (response.status, response.date) {
                    host.clock_skew(date.abs_diff(host.now()).as_secs());
                }
                let message = response.message();
                host.log(
                    Level::Warn,
                    &format!(
                        "upstream {}: function {}: {message}",
                        upstream.name(),
                        call.function
                    ),
                );
                response.put_error_type(host);
                self.fail(host, end, code, response.error_status(), &message)
            }
        };
        self.tell(host, &response);
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
        if matches!(self.answer, Answer::Unwrap(_) | Answer::ThrottledApiGateway) {
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

    /// Does to the body what [`Answer`] says, and to the headers what was waiting for it.
    fn advance(
        &mut self,
        upstream: &Upstream,
        host: &mut impl Host,
        step: Step,
        end: bool,
    ) -> Step {
        if let Step::Reply(_) = step {
            self.phase = Phase::Answered;
            let now = host.now();
            self.count(host, now);
            return step;
        }
        let step = match &mut self.answer {
            Answer::Pass => Step::Continue,
            Answer::Discard => {
                host.replace_body(Side::Response, b"");
                Step::Continue
            }
            Answer::Replace(body) => {
                host.replace_body(Side::Response, &body.take().unwrap_or_default());
                Step::Continue
            }
            Answer::Unwrap(_) | Answer::ThrottledApiGateway if !end => return Step::Hold,
            Answer::Unwrap(shape) => {
                let shape = *shape;
                self.unwrap(upstream, host, shape)
            }
            Answer::ThrottledApiGateway => {
                self.throttled_api_gateway(host);
                Step::Continue
            }
        };
        if end {
            let now = host.now();
            self.count(host, now);
        }
        step
    }

    fn unwrap(&mut self, upstream: &Upstream, host: &mut impl Host, shape: ResponseShape) -> Step {
        let answer = self.whole_body(host);
        let status = host
            .header(Side::Response, ":status")
            .and_then(|status| header::number(&status))
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or(200);
        if !unwrap::keeps_headers(shape) {
            clear(host);
        }
        let unwrapped = unwrap::unwrap(shape, &answer, status);
        if unwrapped.malformed {
            host.annotate(&[("error", Code::BadFunctionResponse.name().as_bytes())]);
            if self.client.as_ref().is_some_and(Snapshot::is_grpc) {
                let status = Code::BadFunctionResponse.status();
                return self.fail(
                    host,
                    true,
                    Code::BadFunctionResponse,
                    status,
                    "the function's answer cannot be read",
                );
            }
            host.log(
                Level::Warn,
                &format!(
                    "upstream {}: the function's answer is not of the shape that was asked for",
                    upstream.name()
                ),
            );
            self.mark(host, Code::BadFunctionResponse);
        }
        self.put(host, unwrapped);
        Step::Continue
    }

    /// Writes an unwrapped answer into the response.
    fn put(&mut self, host: &mut impl Host, unwrapped: Unwrapped) {
        host.set_header(
            Side::Response,
            ":status",
            unwrapped.status.to_string().as_bytes(),
        );
        let mut typed = false;
        for (name, value) in &unwrapped.headers {
            // The provider's own type was that of the JSON.
            if name == "content-type" && !std::mem::replace(&mut typed, true) {
                host.set_header(Side::Response, name, value.as_bytes());
            } else {
                host.add_header(Side::Response, name, value.as_bytes());
            }
        }
        let bodyless = matches!(unwrapped.status, 204 | 304);
        let body = if bodyless { &[][..] } else { &unwrapped.body };
        if bodyless {
            host.remove_header(Side::Response, "content-length");
        } else {
            host.set_header(
                Side::Response,
                "content-length",
                body.len().to_string().as_bytes(),
            );
        }
        let head = self.client.as_ref().is_some_and(Snapshot::is_head);
        host.replace_body(Side::Response, if head { b"" } else { body });
        self.answer = Answer::Pass;
    }

    /// Gloo's form of a throttled call (kgateway issue 10192): the provider's body under a 500 that says so in headers.
    fn throttled_api_gateway(&mut self, host: &mut impl Host) {
        let answer = self.whole_body(host);
        clear(host);
        let mut headers = vec![
            (ERROR_HEADER.to_owned(), Code::Throttled.name().to_owned()),
            ("x-envoygloo-lambda-statuscode".to_owned(), "429".to_owned()),
        ];
        headers.extend(
            unwrap::throttle_reason(&answer)
                .map(|reason| ("x-envoygloo-lambda-statusreason".into(), reason)),
        );
        self.put(
            host,
            Unwrapped {
                status: 500,
                headers,
                body: answer,
                malformed: false,
            },
        );
    }

    fn too_large_a_response(&mut self, host: &mut impl Host, end: bool) -> Step {
        let code = Code::ResponseTooLarge;
        host.annotate(&[("error", code.name().as_bytes())]);
        self.fail(
            host,
            end,
            code,
            code.status(),
            "the response is larger than this upstream may send",
        )
    }

    /// Makes the response an error, in place, so that retry policies see its status. A gRPC client needs the status
    /// in headers that end the stream, which only an answer of the filter's own can be.
    fn fail(
        &mut self,
        host: &mut impl Host,
        end: bool,
        code: Code,
        status: u16,
        message: &str,
    ) -> Step {
        self.mark(host, code);
        let (head, grpc) = self.client.as_ref().map_or((false, false), |client| {
            (client.is_head(), client.is_grpc())
        });
        if grpc {
            return Step::Reply(code.reply_with_status(status, message, true));
        }
        let body = code.body(message);
        host.set_header(Side::Response, ":status", status.to_string().as_bytes());
        host.set_header(Side::Response, "content-type", b"application/json");
        host.set_header(
            Side::Response,
            "content-length",
            body.len().to_string().as_bytes(),
        );
        host.remove_header(Side::Response, "content-encoding");
        self.answer = match (head, end) {
            (true, true) => Answer::Pass,
            (true, false) => Answer::Discard,
            (false, _) => Answer::Replace(Some(body)),
        };
        Step::Continue
    }

    /// The response's body, which was held.
    fn whole_body(&self, host: &impl Host) -> Vec<u8> {
        let mut body = Vec::with_capacity(usize::try_from(self.response_bytes).unwrap_or_default());
        host.each_chunk(Side::Response, &mut |chunk| body.extend_from_slice(chunk));
        body
    }

    /// What this try and those before it may have written besides what each writes.
    fn written(&self, call: &Call, client: &Snapshot) -> Written {
        let retried = self.number > 0;
        let session = |secret: &Arc<Secret>| secret.session_token().is_some();
        Written {
            body: event::is_built(call),
            length: (self.framed || retried) && client.content_length().is_none(),
            token: retried || self.secret.as_ref().is_some_and(session),
        }
    }

    /// Marks the response and the try with an error.
    fn mark(&mut self, host: &mut impl Headers, code: Code) {
        self.result = Some(code.name());
        host.set_header(Side::Response, ERROR_HEADER, code.name().as_bytes());
    }

    fn tell(&self, host: &mut impl Host, response: &ProviderResponse) {
        let error = self.result.filter(|result| *result != "ok");
        // What an earlier try told of its failure cannot be taken back, only emptied.
        let failure = |value| match value {
            None if self.number > 0 => Some(&b""[..]),
            value => value,
        };
        let story = [
            ("executed_version", response.executed_version.as_deref()),
            ("request_id", response.request_id.as_deref()),
            (
                "function_error",
                failure(response.function_error.as_deref()),
            ),
            ("error", failure(error.map(str::as_bytes))),
        ];
        let mut told = [("", &b""[..]); 4];
        let mut count = 0;
        for (slot, (key, value)) in told.iter_mut().zip(
            story
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?))),
        ) {
            *slot = (key, value);
            count += 1;
        }
        if count > 0 {
            host.annotate(told.get(..count).unwrap_or_default());
        }
    }

    fn refuse_too_large(&mut self, upstream: &Upstream, host: &mut impl Host) -> Step {
        let message = format!(
            "the request is larger than {} bytes",
            upstream.max_request_bytes
        );
        self.refuse(host, Code::RequestTooLarge, &message)
    }

    /// Answers a request that never reaches the provider.
    fn refuse(&mut self, host: &mut impl Host, code: Code, message: &str) -> Step {
        let grpc = match &self.client {
            Some(client) => {
                // An earlier try may have left its signature, this one its event.
                client.restore(host, Written::ALL);
                client.is_grpc()
            }
            None => header::is_grpc(host.header(Side::Request, "content-type").as_deref()),
        };
        self.phase = Phase::Answered;
        self.result = Some(code.name());
        host.annotate(&[("error", code.name().as_bytes())]);
        let now = host.now();
        self.count(host, now);
        Step::Reply(code.reply(message, grpc))
    }

    fn count(&mut self, telemetry: &mut impl Telemetry, now: Duration) {
        if !std::mem::replace(&mut self.counted, true) {
            let function = self.call.as_ref().map_or("", |call| &call.function);
            telemetry.count(
                function,
                self.result.unwrap_or(CANCELLED),
                now.saturating_sub(self.began),
            );
        }
    }
}

/// The metadata key of the request's call. A route with a call of its own never looks at the header.
fn call_key(host: &impl Host) -> Cow<'static, str> {
    if let Some(key) = host.header(Side::Request, CALL_HEADER)
        && let Ok(key) = std::str::from_utf8(&key)
        && key
            .strip_prefix(CALL_KEY)
            .is_some_and(|rest| rest.starts_with('.'))
        && host.route_metadata(CALL_KEY).is_none()
    {
        return Cow::Owned(key.to_owned());
    }
    Cow::Borrowed(CALL_KEY)
}

/// Keeps the client's request for later tries, takes what is Tenon's own off it, and begins the call's story.
fn first_try(
    upstream: &Upstream,
    host: &mut impl Host,
    key: &str,
    call: &Call,
    now: Duration,
) -> Snapshot {
    let mut ours = Vec::new();
    let client = Snapshot::take(host, now, key, event::is_built(call), &mut ours);
    host.remember(Slot::Request, client.as_bytes());
    for name in ours {
        host.remove_header(Side::Request, &name);
    }
    let qualifier = call.aws.qualifier.as_deref().unwrap_or_default();
    let story = [
        ("upstream", upstream.name()),
        ("function", &call.function),
        ("qualifier", qualifier),
    ];
    let told = if qualifier.is_empty() { 2 } else { 3 };
    let story = story.map(|(key, value)| (key, value.as_bytes()));
    host.annotate(story.get(..told).unwrap_or_default());
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

/// Removes all headers of the response but its status.
fn clear(host: &mut impl Headers) {
    let mut names = Vec::new();
    host.each_header(Side::Response, &mut |name, _| {
        if name != b":status" {
            names.extend(std::str::from_utf8(name).map(str::to_owned));
        }
    });
    for name in names {
        host.remove_header(Side::Response, &name);
    }
}
