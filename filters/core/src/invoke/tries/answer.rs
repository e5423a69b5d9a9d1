//! What becomes of a response, whatever the provider.

use super::Try;
use crate::host::{Headers, Host, Level, Side, Step, Telemetry};
use crate::invoke::error::Code;
use crate::invoke::header;
use crate::invoke::lambda::{self, exchange::Reading, unwrap::Unwrapped};
use crate::invoke::snapshot::Snapshot;
use crate::invoke::upstream::Upstream;
use tenon_contract::ERROR_HEADER;

/// What becomes of the response's body.
#[derive(Default)]
pub(in crate::invoke) enum Answer {
    #[default]
    Pass,
    /// None of it reaches the client: it asked for the head only.
    Discard,
    /// This is sent in its place; `None` once that is done.
    Replace(Option<Vec<u8>>),
    /// It is held, and read once it is whole.
    Gather(Reading),
    /// It is decoded as it comes, and sent on.
    Relay(Box<lambda::relay::Relay>),
}

/// What a provider says of an answer besides the answer.
#[derive(Default)]
pub(in crate::invoke) struct Provenance<'a> {
    /// The version of the function that ran.
    pub(in crate::invoke) executed_version: Option<&'a [u8]>,
    /// The provider's number of the request.
    pub(in crate::invoke) request_id: Option<&'a [u8]>,
    /// How the function failed.
    pub(in crate::invoke) function_error: Option<&'a [u8]>,
}

impl Try {
    /// Does to the body what [`Answer`] says, and to the headers what was waiting for it.
    pub(super) fn advance(
        &mut self,
        upstream: &Upstream,
        host: &mut impl Host,
        step: Step,
        end: bool,
    ) -> Step {
        if let Step::Reply(_) | Step::Abort = step {
            self.phase = super::Phase::Answered;
            let now = host.now();
            self.count(host, now);
            return step;
        }
        if step == Step::Hold {
            return step;
        }
        if let Answer::Relay(_) = self.answer {
            let step = lambda::relay::advance(self, upstream, host, end);
            match self.answer {
                Answer::Relay(_) if step != Step::Abort => {}
                // It failed, and this says what of it goes out.
                _ => return self.advance(upstream, host, step, end),
            }
            if end {
                let now = host.now();
                self.count(host, now);
            }
            return step;
        }
        let step = match &mut self.answer {
            Answer::Pass | Answer::Relay(_) => Step::Continue,
            Answer::Discard => {
                host.replace_body(Side::Response, b"");
                Step::Continue
            }
            Answer::Replace(body) => {
                host.replace_body(Side::Response, &body.take().unwrap_or_default());
                Step::Continue
            }
            Answer::Gather(_) if !end => return Step::Hold,
            Answer::Gather(reading) => {
                let reading = *reading;
                lambda::exchange::read(self, upstream, host, reading)
            }
        };
        if end {
            let now = host.now();
            self.count(host, now);
        }
        step
    }

    /// Makes an answer that the provider gave in the function's place an error with its status, without its page, which
    /// is for people.
    pub(in crate::invoke) fn refused(
        &mut self,
        upstream: &Upstream,
        host: &mut impl Host,
        status: u16,
        end: bool,
    ) -> Step {
        let mut ours = Vec::new();
        host.each_header(Side::Response, &mut |name, _| {
            if header::is_ours(name) {
                ours.extend(std::str::from_utf8(name).map(str::to_owned));
            }
        });
        for name in &ours {
            host.remove_header(Side::Response, name);
        }
        let message = format!("the provider answered {status}");
        let step = if status == Code::Throttled.status() {
            let message = "the provider throttled the call";
            self.fail(host, end, Code::Throttled, status, message)
        } else {
            let function = self.function();
            let line = format!(
                "upstream {}: function {function}: {message}",
                upstream.name()
            );
            host.log(Level::Warn, &line);
            self.fail(host, end, Code::ProviderError, status, &message)
        };
        self.tell(host, &Provenance::default());
        step
    }

    /// Lets a response go on that is all the function's; `request_id` is the header of the provider's number of the
    /// request.
    pub(in crate::invoke) fn pass_on(
        &mut self,
        host: &mut impl Host,
        request_id: Option<&[u8]>,
    ) -> Step {
        let mut ours = Vec::new();
        let mut id = None;
        host.each_header(Side::Response, &mut |name, value| {
            if header::is_ours(name) {
                ours.extend(std::str::from_utf8(name).map(str::to_owned));
            } else if request_id == Some(name) {
                id = Some(value.to_owned());
            }
        });
        for name in &ours {
            host.remove_header(Side::Response, name);
        }
        self.result = Some("ok");
        self.tell(
            host,
            &Provenance {
                request_id: id.as_deref(),
                ..Provenance::default()
            },
        );
        Step::Continue
    }

    /// Writes an unwrapped answer into the response.
    pub(in crate::invoke) fn put(&mut self, host: &mut impl Host, unwrapped: Unwrapped) {
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

    /// Makes the response an error, because there is more of it than the provider may send.
    pub(in crate::invoke) fn too_large_a_response(
        &mut self,
        host: &mut impl Host,
        end: bool,
    ) -> Step {
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
    pub(in crate::invoke) fn fail(
        &mut self,
        host: &mut impl Host,
        end: bool,
        code: Code,
        status: u16,
        message: &str,
    ) -> Step {
        if self.client_kind().1 {
            self.mark(host, code);
            return Step::Reply(code.reply_with_status(status, message, true));
        }
        self.fail_with(
            host,
            end,
            (code, status),
            b"application/json",
            code.body(message),
        );
        Step::Continue
    }

    /// The same with a body of its own, for a client that does not speak gRPC.
    pub(in crate::invoke) fn fail_with(
        &mut self,
        host: &mut impl Host,
        end: bool,
        (code, status): (Code, u16),
        content_type: &[u8],
        body: Vec<u8>,
    ) {
        self.mark(host, code);
        let (head, _) = self.client_kind();
        host.set_header(Side::Response, ":status", status.to_string().as_bytes());
        host.set_header(Side::Response, "content-type", content_type);
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
    }

    /// The response's body, which was held.
    pub(in crate::invoke) fn whole_body(&self, host: &impl Host) -> Vec<u8> {
        let mut body = Vec::with_capacity(usize::try_from(self.response_bytes).unwrap_or_default());
        host.each_chunk(Side::Response, &mut |chunk| body.extend_from_slice(chunk));
        body
    }

    /// Marks the response and the try with an error.
    pub(in crate::invoke) fn mark(&mut self, host: &mut impl Headers, code: Code) {
        self.result = Some(code.name());
        host.set_header(Side::Response, ERROR_HEADER, code.name().as_bytes());
    }

    /// Tells the try's story, for access logs.
    pub(in crate::invoke) fn tell(&self, host: &mut impl Host, provider: &Provenance<'_>) {
        let error = self.result.filter(|result| *result != "ok");
        // What an earlier try told of its failure cannot be taken back, only emptied.
        let failure = |value| match value {
            None if self.number > 0 => Some(&b""[..]),
            value => value,
        };
        let story = [
            ("executed_version", provider.executed_version),
            ("request_id", provider.request_id),
            ("function_error", failure(provider.function_error)),
            ("error", failure(error.map(str::as_bytes))),
        ];
        let origin = self.client.as_ref().map(Snapshot::origin);
        annotate(
            host,
            origin.unwrap_or_default().story().into_iter().chain(story),
        );
    }
}

/// Writes what there is of a story, all at once.
pub(in crate::invoke) fn annotate<'a>(
    host: &mut impl Telemetry,
    story: impl Iterator<Item = (&'static str, Option<&'a [u8]>)>,
) {
    let mut told = [("", &b""[..]); 7];
    let mut count = 0;
    let given = story.filter_map(|(key, value)| Some((key, value?)));
    for (slot, pair) in told.iter_mut().zip(given) {
        *slot = pair;
        count += 1;
    }
    if count > 0 {
        host.annotate(told.get(..count).unwrap_or_default());
    }
}

/// Removes all headers of the response but its status.
pub(in crate::invoke) fn clear(host: &mut impl Headers) {
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
