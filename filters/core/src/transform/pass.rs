//! One stream through the filter.

use std::sync::Arc;

use super::route::{RouteRules, Transformer};
use super::rules::{Choice, Rules};
use super::transformation::Message;
use crate::host::{Headers, Side, Step, TransformHost};
use crate::invoke::{Code, header};
use tenon_contract::ERROR_HEADER;

/// One stream through the filter, its hooks called in Envoy's order. A stream whose request never came here, because an
/// earlier filter answered it, is let through.
#[derive(Debug, Default)]
pub struct Pass {
    rules: Option<Arc<Rules>>,
    rule: Option<usize>,
    request: Phase,
    response: Phase,
    /// How much of the message that is held has come, in bytes.
    bytes: u64,
    head: bool,
    grpc: bool,
    upgrade: bool,
}

#[derive(Debug, Default)]
enum Phase {
    /// Nothing (more) is done.
    #[default]
    Passing,
    /// The message is held, until all of it is there.
    Gathering(Choice),
    /// An error takes the place of the response's body as soon as there is one.
    Refusing(Vec<u8>),
    /// What is left of the response's body is dropped.
    Dropping,
}

/// How much of a message is there.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// Its headers, and more is to come.
    Headers,
    /// Its headers, which are all of it.
    HeadersOnly,
    /// All of it, with what is held.
    Whole,
}

impl Pass {
    /// The hook for the request's headers. `route` is what the route says, if the host knows; if not, its metadata is
    /// asked.
    pub fn request_headers(
        &mut self,
        filter: &Transformer,
        route: Option<&RouteRules>,
        host: &mut impl TransformHost,
        end: bool,
    ) -> Step {
        let rules = match filter.rules(route, host) {
            Ok(Some(rules)) => rules,
            Ok(None) => return Step::Continue,
            Err(_) => {
                let content_type = host.header(Side::Request, "content-type");
                let grpc = header::is_grpc(content_type.as_deref());
                return Step::Reply(Code::Internal.reply(UNREADABLE, grpc));
            }
        };
        let rule = rules.of_request(host);
        if !rules.looks_at_responses(rule) && rule.is_none() {
            return Step::Continue;
        }
        self.begin(host);
        if rules.reads_request(rule) {
            host.keep_request_headers();
        }
        self.rule = rule;
        self.rules = Some(rules);
        let Some(rule) = rule else {
            return Step::Continue;
        };
        self.headers(filter, host, Choice::Request(rule), end)
    }

    /// Looks at what the response will not tell.
    fn begin(&mut self, host: &impl Headers) {
        let method = host.header(Side::Request, ":method").unwrap_or_default();
        self.head = &*method == b"HEAD";
        // A stream of another protocol never ends, so that it must not be waited for.
        self.upgrade = &*method == b"CONNECT" || host.header(Side::Request, "upgrade").is_some();
        let content_type = host.header(Side::Request, "content-type");
        self.grpc = header::is_grpc(content_type.as_deref());
    }

    /// The hook for a part of the request's body.
    pub fn request_body(
        &mut self,
        filter: &Transformer,
        host: &mut impl TransformHost,
        end: bool,
    ) -> Step {
        self.body(filter, host, Side::Request, end)
    }

    /// The hook for the request's trailers, which end a body that had no end of its own.
    pub fn request_trailers(&mut self, host: &mut impl TransformHost) -> Step {
        self.trailers(host, Side::Request)
    }

    /// The hook for the response's headers.
    pub fn response_headers(
        &mut self,
        filter: &Transformer,
        host: &mut impl TransformHost,
        end: bool,
    ) -> Step {
        // An answer that comes while the request is held is to a request that is not transformed any more.
        self.request = Phase::Passing;
        let choice = self
            .rules
            .as_ref()
            .and_then(|rules| rules.of_response(self.rule, host));
        match choice {
            Some(choice) => self.headers(filter, host, choice, end),
            None => Step::Continue,
        }
    }

    /// The hook for a part of the response's body.
    pub fn response_body(
        &mut self,
        filter: &Transformer,
        host: &mut impl TransformHost,
        end: bool,
    ) -> Step {
        self.body(filter, host, Side::Response, end)
    }

    /// The hook for the response's trailers, which end a body that had no end of its own.
    pub fn response_trailers(&mut self, host: &mut impl TransformHost) -> Step {
        self.trailers(host, Side::Response)
    }

    /// Whether a body is held, for a host that has to be told how much it may hold.
    pub fn is_gathering(&self) -> bool {
        matches!(self.request, Phase::Gathering(_)) || matches!(self.response, Phase::Gathering(_))
    }

    fn phase(&mut self, side: Side) -> &mut Phase {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    fn headers(
        &mut self,
        filter: &Transformer,
        host: &mut impl TransformHost,
        choice: Choice,
        end: bool,
    ) -> Step {
        let side = match choice {
            Choice::Request(_) => Side::Request,
            _ => Side::Response,
        };
        let needs_body = self
            .rules
            .as_ref()
            .and_then(|rules| rules.transformation(choice))
            .is_some_and(|it| it.needs_body());
        if end {
            return self.transform(host, choice, Part::HeadersOnly);
        }
        if !needs_body || self.upgrade {
            return self.transform(host, choice, Part::Headers);
        }
        let announced = host
            .header(side, "content-length")
            .and_then(|length| header::number(&length));
        // The length in the headers of a response to HEAD is of a body that does not come.
        if !self.head && announced.unwrap_or(0) > filter.max_body_bytes() {
            return self.refuse_too_large(filter, host, side, Part::Headers);
        }
        self.bytes = 0;
        *self.phase(side) = Phase::Gathering(choice);
        Step::Hold
    }

    fn body(
        &mut self,
        filter: &Transformer,
        host: &mut impl TransformHost,
        side: Side,
        end: bool,
    ) -> Step {
        let choice = match self.phase(side) {
            Phase::Passing => return Step::Continue,
            Phase::Gathering(choice) => *choice,
            Phase::Refusing(body) => {
                let body = std::mem::take(body);
                *self.phase(side) = Phase::Dropping;
                host.replace_body(side, &body);
                return Step::Continue;
            }
            Phase::Dropping => {
                host.replace_body(side, b"");
                return Step::Continue;
            }
        };
        self.bytes += host.new_length(side);
        if self.bytes > filter.max_body_bytes() {
            return self.refuse_too_large(filter, host, side, Part::Whole);
        }
        match end {
            true => self.transform(host, choice, Part::Whole),
            false => Step::Hold,
        }
    }

    fn trailers(&mut self, host: &mut impl TransformHost, side: Side) -> Step {
        match self.phase(side) {
            Phase::Passing | Phase::Dropping => Step::Continue,
            Phase::Gathering(choice) => {
                let choice = *choice;
                self.transform(host, choice, Part::Whole)
            }
            Phase::Refusing(body) => {
                let body = std::mem::take(body);
                *self.phase(side) = Phase::Dropping;
                host.replace_body(side, &body);
                Step::Continue
            }
        }
    }

    fn transform(&mut self, host: &mut impl TransformHost, choice: Choice, part: Part) -> Step {
        let side = match choice {
            Choice::Request(_) => Side::Request,
            _ => Side::Response,
        };
        *self.phase(side) = Phase::Passing;
        let Some(rules) = self.rules.clone() else {
            return Step::Continue;
        };
        let Some(transformation) = rules.transformation(choice) else {
            return Step::Continue;
        };
        let mut body = Vec::new();
        if part == Part::Whole {
            host.each_chunk(side, &mut |chunk| body.extend_from_slice(chunk));
        }
        let message = Message {
            side,
            body: (part != Part::Headers).then_some(&*body),
            head: self.head,
            given: &[],
        };
        if let Err(reason) = transformation.apply(host, &message) {
            let text = format!("bad request: {reason}");
            return self.refuse(host, side, part, (Code::BadRequest, &text));
        }
        if let Choice::Request(rule) = choice
            && rules.clears_route_cache(rule)
        {
            host.clear_route_cache();
        }
        Step::Continue
    }

    fn refuse_too_large(
        &mut self,
        filter: &Transformer,
        host: &mut impl TransformHost,
        side: Side,
        part: Part,
    ) -> Step {
        let most = filter.max_body_bytes();
        let (code, text) = match side {
            Side::Request => (
                Code::RequestTooLarge,
                format!("payload too large: a transformation takes at most {most} bytes"),
            ),
            Side::Response => (
                Code::ResponseTooLarge,
                format!("the response is larger than the {most} bytes that a transformation takes"),
            ),
        };
        self.refuse(host, side, part, (code, &text))
    }

    fn refuse(
        &mut self,
        host: &mut impl TransformHost,
        side: Side,
        part: Part,
        (code, message): (Code, &str),
    ) -> Step {
        if side == Side::Request || self.grpc {
            // The answer is this filter's own, and so not to be transformed.
            self.rules = None;
            self.request = Phase::Passing;
            self.response = Phase::Passing;
            return Step::Reply(code.reply(message, self.grpc));
        }
        // As Gloo: the response stays what it is to the filters before this one, such as CORS, and becomes an error.
        host.set_header(side, ":status", code.status().to_string().as_bytes());
        host.set_header(side, "content-type", b"application/json");
        host.remove_header(side, "content-encoding");
        host.set_header(side, ERROR_HEADER, code.name().as_bytes());
        let body = code.body(message);
        host.set_header(side, "content-length", body.len().to_string().as_bytes());
        match part {
            _ if self.head => self.response = Phase::Dropping,
            Part::Headers => {
                self.response = Phase::Refusing(body);
                return Step::Hold;
            }
            Part::HeadersOnly | Part::Whole => {
                host.replace_body(side, &body);
                self.response = Phase::Dropping;
            }
        }
        Step::Continue
    }
}

const UNREADABLE: &str = "the transformations of this route are not valid";
