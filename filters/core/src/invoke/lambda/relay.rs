//! Leads an answer that Lambda streams to the client.
//!
//! The response's headers are held until the stream shows what they have to be. Until then, a failure is an error like any
//! other: with a status that retry policies see. After that nothing is held: each hook sends on what it can decode, and a
//! failure resets the stream.

use super::Call;
use super::exchange::log_tail;
use super::stream::{Expect, Failure, Head, Stream};
use super::unwrap::{self, Unwrapped};
use crate::host::{Host, Level, Side, Step};
use crate::invoke::error::Code;
use crate::invoke::tries::{Answer, Try, clear};
use crate::invoke::upstream::Upstream;
use tenon_contract::ResponseShape;

/// An answer under way.
pub(in crate::invoke) struct Relay {
    stream: Stream,
    /// The headers have gone.
    begun: bool,
    /// The client gets no body, whatever the function writes.
    bodyless: bool,
    /// Nothing of Lambda's own headers goes with those that the function chose.
    only_chosen: bool,
    function_error_status: u16,
    exposes_function_error: bool,
    logs_tail: bool,
}

/// The content types of the stream itself, which are not the client's business.
const OF_THE_STREAM: [&[u8]; 2] = [
    b"application/vnd.amazon.eventstream",
    b"application/vnd.awslambda.http-integration-response",
];

/// The response's headers have come, and say that a stream follows.
pub(super) fn begin(one: &mut Try, host: &mut impl Host, call: &Call) {
    // What API Gateway asks of a function that streams; others take what comes, as a function URL does.
    let has_to_choose = matches!(
        call.aws.response,
        ResponseShape::ApiGateway | ResponseShape::ApiGatewayV1
    );
    // The client's body is another one.
    host.remove_header(Side::Response, "content-length");
    one.answer = Answer::Relay(Box::new(Relay {
        stream: Stream::new(if has_to_choose {
            Expect::Chosen
        } else {
            Expect::Either
        }),
        begun: false,
        bodyless: one.client_kind().0,
        only_chosen: !unwrap::keeps_headers(call.aws.response),
        function_error_status: call.aws.function_error_status,
        exposes_function_error: call.aws.expose_function_error,
        logs_tail: call.aws.log_tail,
    }));
}

/// Decodes what came with this hook, and sends on what is for the client.
pub(in crate::invoke) fn advance(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    end: bool,
) -> Step {
    let Answer::Relay(mut relay) = std::mem::take(&mut one.answer) else {
        return Step::Continue;
    };
    let decoded = relay.decode(host, end);
    if let Some(tail) = relay.stream.take_log().filter(|_| relay.logs_tail) {
        log_tail(one, upstream, host, &tail);
    }
    if let Err(failure) = decoded {
        return fail(one, upstream, host, &relay, &failure);
    }
    if let Some(head) = relay.stream.take_head() {
        relay.put(host, head);
    }
    if relay.bodyless {
        host.replace_body(Side::Response, b"");
    }
    if end {
        one.result = Some("ok");
    }
    let step = if relay.begun {
        Step::Continue
    } else {
        Step::Hold
    };
    one.answer = Answer::Relay(relay);
    step
}

impl Relay {
    fn decode(&mut self, host: &mut impl Host, end: bool) -> Result<(), Failure> {
        let mut decoded = Ok(());
        host.rewrite_body(Side::Response, &mut |bytes, body| {
            if decoded.is_ok() {
                decoded = self.stream.feed(bytes, body);
            }
        });
        decoded.and_then(|()| if end { self.stream.finish() } else { Ok(()) })
    }

    fn put(&mut self, host: &mut impl Host, head: Head) {
        self.begun = true;
        let Head::Chosen(Unwrapped {
            status, headers, ..
        }) = head
        else {
            let own = host.header(Side::Response, "content-type");
            if own.is_none_or(|own| OF_THE_STREAM.contains(&&*own)) {
                // As a function URL has it.
                let unknown = b"application/octet-stream";
                host.set_header(Side::Response, "content-type", unknown);
            }
            return;
        };
        if self.only_chosen {
            clear(host);
        }
        host.remove_header(Side::Response, "content-type");
        host.set_header(Side::Response, ":status", status.to_string().as_bytes());
        for (name, value) in &headers {
            host.add_header(Side::Response, name, value.as_bytes());
        }
        self.bodyless |= matches!(status, 204 | 304);
    }
}

/// The call failed, or its answer cannot be read: an error while the headers are held, the end of the stream later.
fn fail(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    relay: &Relay,
    failure: &Failure,
) -> Step {
    let (code, status, message) = match failure {
        Failure::Function { .. } => (
            Code::FunctionError,
            relay.function_error_status,
            "the function failed".to_owned(),
        ),
        Failure::Provider { error_type } => (
            Code::ProviderError,
            Code::ProviderError.status(),
            format!("the provider failed: {error_type}")
                .trim_end_matches([':', ' '])
                .to_owned(),
        ),
        Failure::Malformed(_) => (
            Code::BadFunctionResponse,
            Code::BadFunctionResponse.status(),
            "the function's answer cannot be read".to_owned(),
        ),
    };
    host.annotate(&[("error", code.name().as_bytes())]);
    if let Failure::Function { error, .. } = failure {
        host.annotate(&[("function_error", error)]);
    }
    let reason = match failure {
        Failure::Malformed(why) => why,
        _ => &*message,
    };
    let when = if relay.begun {
        ", in the middle of its answer"
    } else {
        ""
    };
    let line = format!(
        "upstream {}: function {}: {reason}{when}",
        upstream.name(),
        one.function()
    );
    host.log(Level::Warn, &line);
    if relay.begun {
        one.result = Some(code.name());
        return Step::Abort;
    }
    let (_, grpc) = one.client_kind();
    match failure {
        Failure::Function { details, .. }
            if relay.exposes_function_error && !details.is_empty() && !grpc =>
        {
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(details).is_ok();
            let content_type: &[u8] = if is_json {
                b"application/json"
            } else {
                b"text/plain"
            };
            one.fail_with(host, false, (code, status), content_type, details.clone());
            Step::Continue
        }
        _ => one.fail(host, false, code, status, &message),
    }
}
