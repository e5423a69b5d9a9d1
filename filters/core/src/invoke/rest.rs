//! REST functions: templates make a request that the service understands (Gloo's `serviceSpec.rest`).
//!
//! Only what templates read is held: where they need no body, bodies of any length pass as they come. Each try is made
//! anew from the client's request, of which what the templates write is put back before and after.

use std::borrow::Cow;
use std::sync::Arc;

use tenon_contract::transform::TransformationTemplate;
use tenon_contract::{PathTemplate, Provider, RestCall};

use super::error::Code;
use super::header;
use super::table::Entry;
use super::tries::{Answer, Try};
use super::upstream::Upstream;
use crate::host::{Headers, Host, Level, Side, Step, TransformHost};
use crate::matching::Matched;
use crate::percent;
use crate::transform::{Invalid, Message, Transformation};

/// A call of a function, as the filter makes it.
#[derive(Debug)]
pub(super) struct Call {
    request: Arc<Transformation>,
    response: Option<Transformation>,
    /// The headers that the request's templates write.
    pub(super) writes: Vec<String>,
}

impl Call {
    /// Compiles it, or says why it cannot be. `found` is the function, where a table has it.
    pub(super) fn compile(
        call: RestCall,
        provider: &Provider,
        found: Option<&Entry>,
    ) -> Result<Self, Cow<'static, str>> {
        let Provider::Rest(rest) = provider else {
            return Err("a call is of REST, and the upstream is not".into());
        };
        let compile = |template: &TransformationTemplate, given: &[String]| {
            Transformation::of_template(template, given)
                .map_err(|invalid| said(&call.name, &invalid))
        };
        let ready = found.and_then(|entry| entry.templates.clone());
        let request = match ready.filter(|_| call.extractors.is_empty()) {
            Some(ready) => ready,
            None => {
                let mut template = match &*call.name {
                    // Found by the table.
                    "" => TransformationTemplate::default(),
                    name => rest.functions.get(name).cloned().ok_or_else(|| {
                        format!(
                            "a call is of REST function {name:?}, which the upstream does not have"
                        )
                    })?,
                };
                let extractors = std::mem::take(&mut template.extractors).into_iter();
                template.extractors = extractors.chain(call.extractors).collect();
                let given = found.map(|entry| names(entry.path()));
                Arc::new(compile(&template, &given.unwrap_or_default())?)
            }
        };
        let response = call.response.as_deref();
        Ok(Self {
            response: response.map(|it| compile(it, &[])).transpose()?,
            writes: request.writes(),
            request,
        })
    }

    /// Whether the whole request has to be there before any of it can be sent.
    pub(super) fn holds_request(&self) -> bool {
        self.request.needs_body()
    }
}

/// What is wrong with a function's templates, on one line.
pub(super) fn said(function: &str, invalid: &[Invalid]) -> String {
    let all: Vec<_> = invalid.iter().map(ToString::to_string).collect();
    format!("REST function {function:?}: {}", all.join("; "))
}

/// What the parameters of a path are to templates: each by its name as it is on the wire, fit for another path, and below
/// `pathParameters` as an event shows it.
pub(super) fn names(resource: &str) -> Vec<String> {
    let Ok(template) = PathTemplate::parse(resource) else {
        return Vec::new();
    };
    let names = template.names();
    names
        .flat_map(|name| [name.to_owned(), decoded_name(name)])
        .collect()
}

fn decoded_name(name: &str) -> String {
    format!("pathParameters.{name}")
}

fn given(matched: Option<&Matched>) -> Vec<(String, String)> {
    let parameters = matched.iter().flat_map(|matched| &matched.parameters);
    parameters
        .flat_map(|it| {
            [
                (it.name.clone(), it.encoded.clone()),
                (decoded_name(&it.name), it.decoded().into_owned()),
            ]
        })
        .collect()
}

/// Makes the request the function's.
pub(super) fn send(one: &mut Try, host: &mut impl TransformHost, call: &Call) -> Step {
    let Some(client) = &one.client else {
        return one.refuse(host, Code::Internal, "internal error");
    };
    if one.number > 0 {
        // What an earlier try wrote is not the client's.
        client.restore_all(host);
    }
    let holds = call.holds_request();
    let mut body = Vec::new();
    if holds && one.framed {
        host.each_chunk(Side::Request, &mut |chunk| body.extend_from_slice(chunk));
    }
    let given = given(one.matched.as_ref());
    let message = Message {
        side: Side::Request,
        body: holds.then_some(&*body),
        head: false,
        given: &given,
    };
    let made = call.request.apply(host, &message);
    let made = made.and_then(|()| check_path(host, call));
    if let Err(reason) = made {
        let text = format!("bad request: {reason}");
        return one.refuse(host, Code::BadRequest, &text);
    }
    let method = host.header(Side::Request, ":method");
    one.asked_for_head = method.as_deref() == Some(b"HEAD");
    Step::Continue
}

/// What clients say becomes a part of the path: it may not lead out of where the template put it, and it has to be one.
fn check_path(host: &impl Headers, call: &Call) -> Result<(), String> {
    if !call.writes.iter().any(|name| name == ":path") {
        return Ok(());
    }
    let path = host.header(Side::Request, ":path").unwrap_or_default();
    let path = String::from_utf8_lossy(&path);
    let own = path.split('?').next().unwrap_or_default();
    if !own.starts_with('/') && own != "*" {
        return Err("what the template makes is no path: it begins with no slash".into());
    }
    let mut segments = own.split('/').map(percent::decode);
    match segments.any(|segment| matches!(&*segment, "." | "..")) {
        true => Err("the path that the template makes has a segment . or ..".into()),
        false => Ok(()),
    }
}

/// Lets the response go on, transformed if the call says so.
pub(super) fn respond(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl TransformHost,
    call: &Call,
    end: bool,
) -> Step {
    let step = one.pass_on(host, None);
    let (head, _) = one.client_kind();
    let announced = host.header(Side::Response, "content-length");
    let announced = announced.and_then(|length| header::number(&length));
    if one.asked_for_head && !head && announced.is_some() {
        // Of a body that does not come, which the client did not ask to be left out.
        host.set_header(Side::Response, "content-length", b"0");
    }
    if head && !end {
        one.answer = Answer::Discard;
    }
    let Some(response) = &call.response else {
        return step;
    };
    if !end && response.needs_body() {
        if announced.unwrap_or(0) > upstream.max_response_bytes {
            return one.too_large_a_response(host, end);
        }
        one.answer = Answer::Render;
        return step;
    }
    transform(one, host, response, (end.then_some(&[]), end))
}

/// Transforms a response that is there as a whole.
pub(super) fn read(one: &mut Try, host: &mut impl TransformHost, call: &Call) -> Step {
    let (head, _) = one.client_kind();
    one.answer = if head { Answer::Discard } else { Answer::Pass };
    let Some(response) = &call.response else {
        return Step::Continue;
    };
    let body = one.whole_body(host);
    transform(one, host, response, (Some(&body), false))
}

/// `end`: there will be no body to put an error into.
fn transform(
    one: &mut Try,
    host: &mut impl TransformHost,
    response: &Transformation,
    (body, end): (Option<&[u8]>, bool),
) -> Step {
    let (head, _) = one.client_kind();
    let message = Message {
        side: Side::Response,
        body,
        head,
        given: &[],
    };
    match response.apply(host, &message) {
        Ok(()) => Step::Continue,
        Err(reason) => unreadable(one, host, &reason, end),
    }
}

fn unreadable(one: &mut Try, host: &mut impl Host, reason: &str, end: bool) -> Step {
    let code = Code::BadFunctionResponse;
    let text = format!("the function's answer cannot be transformed: {reason}");
    host.log(Level::Warn, &format!("function {}: {text}", one.function()));
    host.annotate(&[("error", code.name().as_bytes())]);
    one.fail(host, end, code, code.status(), &text)
}
