//! One call of a Lambda function: the request as Lambda gets it, and the answer as the client does.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use tenon_contract::{
    ERROR_HEADER, Invocation, ORIGINAL_METHOD, ORIGINAL_PATH, Provider, ResponseShape,
};

use super::Call;
use super::event;
use super::relay;
use super::response::{LOG_RESULT, ProviderResponse};
use super::unwrap::{self, BASE64, Unwrapped};
use crate::host::{Host, Level, Side, Step};
use crate::invoke::clock::Lesson;
use crate::invoke::error::Code;
use crate::invoke::header;
use crate::invoke::secret::Secret;
use crate::invoke::snapshot::{Snapshot, Written};
use crate::invoke::tries::{Answer, Provenance, Try, clear};
use crate::invoke::upstream::Upstream;
use crate::sign::{EMPTY_PAYLOAD, Header, HexDigest, Path, PayloadHash, Request, Signed, Signer};

/// The header of a session's token.
pub(super) const SECURITY_TOKEN: &str = "x-amz-security-token";
/// The header that asks for the tail of the function's log.
const LOG_TYPE: &str = "x-amz-log-type";
/// The headers that every call writes.
const ALWAYS_WRITTEN: &[&str] = &["authorization", "x-amz-date", "x-amz-invocation-type"];
/// The headers that a call with a session's credentials writes.
const WRITTEN_IN_SESSIONS: &[&str] = &[
    "authorization",
    "x-amz-date",
    "x-amz-invocation-type",
    SECURITY_TOKEN,
];
/// The headers that calls may write.
pub(in crate::invoke) const WRITTEN: &[&str] = &[
    "authorization",
    "x-amz-date",
    "x-amz-invocation-type",
    SECURITY_TOKEN,
    LOG_TYPE,
    ORIGINAL_PATH,
    ORIGINAL_METHOD,
];

/// The value of [`LOG_TYPE`].
const TAIL: &[u8] = b"Tail";

/// How an answer is read that is there as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::invoke) enum Reading {
    /// Not at all: it was only held until its length was known.
    None,
    /// As the function's description of a response.
    Unwrap(ResponseShape),
    /// It says why the call was throttled.
    ThrottledApiGateway,
}

/// Makes the request the provider's, and signs it.
pub(in crate::invoke) fn send(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    call: &Call,
) -> Step {
    let (Some(client), Some(Secret::Aws(signer)), Provider::Aws(aws)) =
        (&one.client, one.secret.as_deref(), &upstream.provider)
    else {
        return one.refuse(host, Code::Internal, "internal error");
    };
    client.clean(host, ALWAYS_WRITTEN);
    let body = match event::is_built(call) {
        true => {
            let mut body =
                Vec::with_capacity(usize::try_from(one.request_bytes).unwrap_or_default());
            host.each_chunk(Side::Request, &mut |chunk| body.extend_from_slice(chunk));
            let parameters = one.path_parameters();
            let parameters: Vec<_> = parameters
                .iter()
                .map(|(name, value)| (*name, &**value))
                .collect();
            let mut origin =
                event::Origin::ask(host, call, upstream.name(), one.function(), &aws.region);
            if let Some(resource) = one.resource() {
                origin = origin.matched(resource, &parameters);
            }
            let event = event::build(call, client, &origin, &body);
            Some(Cow::Owned(event.unwrap_or_default()))
        }
        false => instead_of_nothing(one, call).map(Cow::Borrowed),
    };
    let mut hash = PayloadHash::default();
    // Only what every verifier reads alike is signed: none says whether it hashes other bytes as they came or as the text
    // that it made of them, and which headers are signed beside `host` and `x-amz-*` is the client's choice (AWS: "Create
    // a signed AWS API request").
    let mut content_type = client.content_type().filter(|value| value.is_ascii());
    let hash = if let Some(body) = body {
        if body.len() as u64 > upstream.max_request_bytes {
            return one.refuse_too_large(upstream, host);
        }
        hash.update(&body);
        host.replace_body(Side::Request, &body);
        content_type = Some(b"application/json");
        host.set_header(Side::Request, "content-type", b"application/json");
        let length = body.len().to_string();
        host.set_header(Side::Request, "content-length", length.as_bytes());
        hash.finish()
    } else if one.framed {
        if client.content_length().is_none() {
            // The body was held, so its length is known: not every provider takes a body in chunks.
            let length = one.request_bytes.to_string();
            host.set_header(Side::Request, "content-length", length.as_bytes());
        }
        // Once, when it is whole: asking the host for each part as it comes costs more than it saves.
        host.each_chunk(Side::Request, &mut |chunk| hash.update(chunk));
        hash.finish()
    } else {
        EMPTY_PAYLOAD
    };
    let authority = aws.host.as_bytes();
    let mut buffer = Vec::new();
    let now = upstream.clock.at(host.now());
    let signed = sign(
        signer,
        call,
        authority,
        content_type,
        &hash,
        (now, &mut buffer),
    );
    if client.method() != b"POST" {
        host.set_header(Side::Request, ":method", b"POST");
    }
    host.set_header(Side::Request, ":path", call.path.as_bytes());
    host.set_header(Side::Request, ":authority", authority);
    let session_token = signer.credentials().session_token();
    if one.number > 0 && session_token.is_none() {
        // An earlier try that was lost may have had one.
        host.remove_header(Side::Request, SECURITY_TOKEN);
    }
    let headers = [
        (
            "x-amz-invocation-type",
            Some(call.invocation_type.as_bytes()),
        ),
        (LOG_TYPE, call.aws.log_tail.then_some(TAIL)),
        ("x-amz-date", Some(&signed.date[..])),
        (SECURITY_TOKEN, session_token.map(str::as_bytes)),
        ("authorization", Some(signed.authorization)),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            client.overwrite(host, one.number, name, value);
        }
    }
    if aws.propagate_original_routing {
        let path = event::whole_path(call, client);
        host.set_header(Side::Request, ORIGINAL_PATH, path);
        host.set_header(Side::Request, ORIGINAL_METHOD, client.method());
    }
    Step::Continue
}

/// What the call has the function given in place of an empty body.
fn instead_of_nothing<'a>(one: &Try, call: &'a Call) -> Option<&'a [u8]> {
    let body = call.aws.empty_body_override.as_deref()?;
    (one.request_bytes == 0).then_some(body.as_bytes())
}

/// Signs an Invoke request over the headers that no later hop edits. `buffer` is for the signer's own use.
fn sign<'b>(
    signer: &Signer,
    call: &Call,
    host: &[u8],
    content_type: Option<&[u8]>,
    payload_hash: &HexDigest,
    (now, buffer): (Duration, &'b mut Vec<u8>),
) -> Signed<'b> {
    let headers: [Header<'_>; 4] = [
        ("content-type", content_type.unwrap_or_default()),
        ("host", host),
        ("x-amz-invocation-type", call.invocation_type.as_bytes()),
        (LOG_TYPE, TAIL),
    ];
    let first = usize::from(content_type.is_none());
    let end = headers.len() - usize::from(!call.aws.log_tail);
    let request = Request {
        method: "POST",
        path: Path::Canonical(&call.canonical_path),
        query: call.query.as_bytes(),
        headers: headers.get(first..end).unwrap_or_default(),
        payload_hash,
    };
    signer.sign(&request, now, buffer)
}

/// What a try and those before it may have written.
pub(in crate::invoke) fn written(
    one: &Try,
    upstream: &Upstream,
    call: &Call,
    client: &Snapshot,
) -> Written {
    let retried = one.number > 0;
    let token = retried
        || matches!(one.secret.as_deref(),
            Some(Secret::Aws(signer)) if signer.credentials().session_token().is_some());
    let routing =
        matches!(&upstream.provider, Provider::Aws(aws) if aws.propagate_original_routing);
    Written {
        headers: match (token, routing || call.aws.log_tail) {
            (_, true) => WRITTEN,
            (true, false) => WRITTEN_IN_SESSIONS,
            (false, false) => ALWAYS_WRITTEN,
        },
        body: event::is_built(call) || instead_of_nothing(one, call).is_some(),
        length: (one.framed || retried) && client.content_length().is_none(),
    }
}

/// Reads the response's headers, and makes them the client's.
pub(in crate::invoke) fn respond(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    call: &Call,
    end: bool,
) -> Step {
    let (head, grpc) = one.client_kind();
    let response = ProviderResponse::read(host);
    for name in &response.ours {
        host.remove_header(Side::Response, name);
    }
    if let Some(tail) = &response.log_result {
        host.remove_header(Side::Response, LOG_RESULT);
        if call.aws.log_tail {
            log_tail(one, upstream, host, tail);
        }
    }
    let streams = call.aws.invocation == Invocation::ResponseStream;
    let step = match response.verdict() {
        None if streams => {
            relay::begin(one, host, call);
            if end { Step::Continue } else { Step::Hold }
        }
        None if response.length > Some(upstream.max_response_bytes) => {
            one.too_large_a_response(host, end)
        }
        None => {
            one.result = Some("ok");
            let unwraps = call.aws.invocation == Invocation::RequestResponse;
            one.answer = match call.aws.response {
                shape if unwraps && shape != ResponseShape::Body => {
                    Answer::Gather(Reading::Unwrap(shape))
                }
                _ => passing(&response, head, end),
            };
            Step::Continue
        }
        Some(Code::FunctionError) => {
            let status = call.aws.function_error_status;
            if call.aws.expose_function_error && !grpc {
                one.mark(host, Code::FunctionError);
                host.set_header(Side::Response, ":status", status.to_string().as_bytes());
                one.answer = passing(&response, head, end);
                Step::Continue
            } else {
                one.fail(
                    host,
                    end,
                    Code::FunctionError,
                    status,
                    "the function failed",
                )
            }
        }
        Some(Code::Throttled) if call.aws.response == ResponseShape::ApiGateway && !grpc => {
            one.mark(host, Code::Throttled);
            one.answer = Answer::Gather(Reading::ThrottledApiGateway);
            Step::Continue
        }
        Some(code) => refused(one, upstream, host, &response, (code, end)),
    };
    one.tell(
        host,
        &Provenance {
            executed_version: response.executed_version.as_deref(),
            request_id: response.request_id.as_deref(),
            function_error: response.function_error.as_deref(),
        },
    );
    step
}

/// What becomes of an answer that goes out as it is: one whose length nobody announced is held until it is known not to be
/// too large, because later the status could not say so any more. Lambda announces it.
fn passing(response: &ProviderResponse, head: bool, end: bool) -> Answer {
    match response.length {
        _ if head => Answer::Discard,
        None if !end => Answer::Gather(Reading::None),
        _ => Answer::Pass,
    }
}

/// Makes a refusal of AWS's an error of ours, without its own text, which names accounts, roles and keys.
pub(super) fn refused(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    response: &ProviderResponse,
    (code, end): (Code, bool),
) -> Step {
    if code == Code::Throttled {
        response.put_error_type(host);
        return one.fail(host, end, code, 429, "the provider throttled the call");
    }
    if let (403, Some(date)) = (response.status, response.date) {
        host.clock_skew(date.abs_diff(host.now()).as_secs());
        if response.is_about_time() {
            learn(upstream, host, date);
        }
    }
    let message = response.message();
    host.log(
        Level::Warn,
        &format!(
            "upstream {}: function {}: {message}",
            upstream.name(),
            one.function()
        ),
    );
    response.put_error_type(host);
    one.fail(host, end, code, response.error_status(), &message)
}

/// Learns the provider's time, so that the next signature is made for it.
fn learn(upstream: &Upstream, host: &mut impl Host, date: Duration) {
    let now = host.now();
    let message = match upstream.clock.refused(now, date) {
        Lesson::Nothing => return,
        Lesson::Apart(seconds) => {
            format!("its clock is {seconds} s from this machine's; calls are signed for its time")
        }
        Lesson::Together => "its clock is this machine's again".to_owned(),
    };
    host.log(
        Level::Warn,
        &format!("upstream {}: {message}", upstream.name()),
    );
}

/// Logs the last lines of the function's log, of which Lambda sends 4 KB in base64.
pub(super) fn log_tail(one: &Try, upstream: &Upstream, host: &mut impl Host, encoded: &[u8]) {
    let tail = BASE64.decode(encoded).unwrap_or_default();
    // What the function wrote is nobody's to trust: no line of it can look like one of Envoy's.
    for line in String::from_utf8_lossy(&tail).lines() {
        let line = line.escape_debug();
        let message = format!(
            "upstream {}: function {} logged: {line}",
            upstream.name(),
            one.function()
        );
        host.log(Level::Info, &message);
    }
}

/// Reads a response that is there as a whole.
pub(in crate::invoke) fn read(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    reading: Reading,
) -> Step {
    match reading {
        Reading::None => Step::Continue,
        Reading::Unwrap(shape) => unwrap(one, upstream, host, shape),
        Reading::ThrottledApiGateway => {
            throttled_api_gateway(one, host);
            Step::Continue
        }
    }
}

fn unwrap(one: &mut Try, upstream: &Upstream, host: &mut impl Host, shape: ResponseShape) -> Step {
    let answer = one.whole_body(host);
    let status = header::status(host).unwrap_or(200);
    if !unwrap::keeps_headers(shape) {
        clear(host);
    }
    let unwrapped = unwrap::unwrap(shape, &answer, status);
    if unwrapped.malformed {
        host.annotate(&[("error", Code::BadFunctionResponse.name().as_bytes())]);
        if one.client.as_ref().is_some_and(Snapshot::is_grpc) {
            let status = Code::BadFunctionResponse.status();
            return one.fail(
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
        one.mark(host, Code::BadFunctionResponse);
    }
    one.put(host, unwrapped);
    Step::Continue
}

/// Gloo's form of a throttled call (kgateway issue 10192): the provider's body under a 500 that says so in headers.
fn throttled_api_gateway(one: &mut Try, host: &mut impl Host) {
    let answer = one.whole_body(host);
    clear(host);
    let mut headers = vec![
        (ERROR_HEADER.to_owned(), Code::Throttled.name().to_owned()),
        ("x-envoygloo-lambda-statuscode".to_owned(), "429".to_owned()),
    ];
    headers.extend(
        unwrap::throttle_reason(&answer)
            .map(|reason| ("x-envoygloo-lambda-statusreason".into(), reason)),
    );
    one.put(
        host,
        Unwrapped {
            status: 500,
            headers,
            body: answer,
            malformed: false,
        },
    );
}
