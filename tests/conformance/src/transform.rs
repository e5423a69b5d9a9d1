//! The table of `tenon.transform`: a request, what the filter and the route say, and what has to come of it.

use serde_json::Value;
use tenon_contract::transform::{
    RouteTransformations, Stage, Stages, TransformConfig, Transformation, TransformationTemplate,
    Transforms,
};
use tenon_core::invoke::Code;

use crate::fake::{HeaderList, Request, Response, Sent};

mod check;
mod on_fake;
mod rows;

pub use check::{check, differences};
pub use on_fake::run as run_on_fake;
pub use rows::all;

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// What is shown, as a slug; also the request's `x-request-id`.
    pub name: &'static str,
    /// What the filter does by itself.
    pub filter: TransformConfig,
    /// What the route says.
    pub route: Route,
    /// The cluster that the route chooses.
    pub cluster: &'static str,
    /// The number of the destination that the route chooses, where Envoy is to tell it.
    pub destination: Option<&'static str>,
    /// What the client sends.
    pub request: Request,
    /// What it is answered.
    pub answer: Answered,
    /// Why the `.wasm` cannot be held to it.
    pub not_on_wasm: Option<&'static str>,
    /// What has to come of it.
    pub expected: Expected,
}

/// What a route says.
#[derive(Debug, Clone)]
pub enum Route {
    /// Nothing.
    Nothing,
    /// This text, in its metadata.
    Metadata(String),
    /// This text in the metadata, and that one as the per-route configuration of the `.so`.
    Config(String, String),
}

/// Who answers.
#[derive(Debug, Clone)]
pub enum Answered {
    /// The upstream.
    ByUpstream(Response),
    /// The route itself, with this status and body.
    ByRoute(u16, &'static str),
}

/// What has to come of a row.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The client's status; the answer's if nothing is said.
    pub status: Option<u16>,
    /// The client's body; the answer's if nothing is said.
    pub body: Option<Vec<u8>>,
    /// Headers of the client's response: exactly these values.
    pub headers: Vec<(&'static str, Vec<&'static str>)>,
    /// Trailers of the client's response.
    pub trailers: Vec<(&'static str, &'static str)>,
    /// The error that the response is.
    pub error: Option<Code>,
    /// The upstream is not asked.
    pub unasked: bool,
    /// Headers that the upstream gets: exactly these values.
    pub sent: Vec<(&'static str, Vec<&'static str>)>,
    /// The body that the upstream gets; the client's if nothing is said.
    pub sent_body: Option<Vec<u8>>,
    /// The body that the upstream gets is JSON, with these values at these places (JSON pointers).
    pub sent_at: Vec<(&'static str, Option<Value>)>,
    /// The same of the body that the client gets.
    pub body_at: Vec<(&'static str, Option<Value>)>,
    /// The dynamic metadata has this value at this namespace and key, or none.
    pub metadata: Vec<(&'static str, &'static str, Option<Value>)>,
    /// The response code details.
    pub details: Option<&'static str>,
    /// What the error's message holds.
    pub message: Vec<&'static str>,
    /// What is not seen in the log.
    pub unlogged: Vec<&'static str>,
}

/// What came of a row on some host.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The client's status.
    pub status: u16,
    /// The headers of the client's response.
    pub headers: HeaderList,
    /// The body of the client's response.
    pub body: Vec<u8>,
    /// The trailers of the client's response.
    pub trailers: HeaderList,
    /// Response code details.
    pub details: String,
    /// What the upstream was asked.
    pub sent: Vec<Sent>,
    /// The dynamic metadata, by namespace.
    pub metadata: Value,
    /// What would hurt a connection, or did.
    pub problems: Vec<String>,
    /// What the host logged.
    pub log: String,
}

/// A transformation by this template.
pub fn by(change: impl FnOnce(&mut TransformationTemplate)) -> Transformation {
    let mut template = TransformationTemplate::default();
    change(&mut template);
    Transformation {
        transformation_template: Some(template),
        ..Transformation::default()
    }
}

/// The rules of the regular stage.
pub fn regular(rules: Transforms) -> Stages {
    Stages {
        regular: Some(rules),
        ..Stages::default()
    }
}

impl Row {
    /// A GET through a filter of the regular stage to a route that says nothing, which is answered 200 with a text.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            filter: TransformConfig::stage(Stage::Regular),
            route: Route::Nothing,
            cluster: "plain",
            destination: None,
            request: Request::get("/a/b?q=1&r=2"),
            answer: Answered::ByUpstream(
                Response::status(200)
                    .header("content-type", "text/plain")
                    .body("hello"),
            ),
            not_on_wasm: None,
            expected: Expected::default(),
        }
    }

    /// The route has these rules.
    pub fn rules(self, rules: Transforms) -> Self {
        let text = RouteTransformations::new(regular(rules)).to_json();
        self.metadata(text)
    }

    /// The route transforms requests so.
    pub fn requests(self, change: impl FnOnce(&mut TransformationTemplate)) -> Self {
        self.rules(rows::request_rule(by(change)))
    }

    /// The route transforms responses so.
    pub fn responses(self, change: impl FnOnce(&mut TransformationTemplate)) -> Self {
        self.rules(rows::response_rule(by(change)))
    }

    /// The route's metadata is this text.
    pub fn metadata(mut self, text: impl Into<String>) -> Self {
        self.route = Route::Metadata(text.into());
        self
    }

    /// Sets what the filter does by itself.
    pub fn filter(mut self, change: impl FnOnce(&mut TransformConfig)) -> Self {
        change(&mut self.filter);
        self
    }

    /// Sets the request.
    pub fn request(mut self, request: Request) -> Self {
        self.request = request;
        self
    }

    /// The upstream answers so.
    pub fn answer(mut self, response: Response) -> Self {
        self.answer = Answered::ByUpstream(response);
        self
    }

    /// The route answers by itself.
    pub fn direct(mut self, status: u16, body: &'static str) -> Self {
        self.answer = Answered::ByRoute(status, body);
        self.expected.unasked = true;
        self
    }

    /// The `.wasm` cannot be held to it, and why.
    pub fn not_on_wasm(mut self, why: &'static str) -> Self {
        self.not_on_wasm = Some(why);
        self
    }

    /// The client gets this status.
    pub fn gives(mut self, status: u16) -> Self {
        self.expected.status = Some(status);
        self
    }

    /// The client gets this body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.expected.body = Some(body.as_ref().to_vec());
        self
    }

    /// The client gets this header, with these values and no others.
    pub fn header<const N: usize>(mut self, name: &'static str, values: [&'static str; N]) -> Self {
        self.expected.headers.push((name, values.to_vec()));
        self
    }

    /// The client gets this trailer.
    pub fn trailer(mut self, name: &'static str, value: &'static str) -> Self {
        self.expected.trailers.push((name, value));
        self
    }

    /// The upstream gets this header, with these values and no others.
    pub fn sends<const N: usize>(mut self, name: &'static str, values: [&'static str; N]) -> Self {
        self.expected.sent.push((name, values.to_vec()));
        self
    }

    /// The upstream gets this body.
    pub fn sends_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.expected.sent_body = Some(body.as_ref().to_vec());
        self
    }

    /// The upstream gets JSON with this value there (a JSON pointer).
    pub fn sends_at(mut self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.expected.sent_at.push((pointer, Some(value.into())));
        self
    }

    /// The upstream gets JSON with nothing there.
    pub fn hides(mut self, pointer: &'static str) -> Self {
        self.expected.sent_at.push((pointer, None));
        self
    }

    /// The client gets JSON with this value there.
    pub fn body_at(mut self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.expected.body_at.push((pointer, Some(value.into())));
        self
    }

    /// The dynamic metadata has this.
    pub fn tells(
        mut self,
        namespace: &'static str,
        key: &'static str,
        value: impl Into<Value>,
    ) -> Self {
        let value = Some(value.into());
        self.expected.metadata.push((namespace, key, value));
        self
    }

    /// The dynamic metadata has nothing there.
    pub fn tells_nothing(mut self, namespace: &'static str, key: &'static str) -> Self {
        self.expected.metadata.push((namespace, key, None));
        self
    }

    /// The filter answers the request with this error; the message holds these words.
    pub fn refused<const N: usize>(mut self, code: Code, words: [&'static str; N]) -> Self {
        self.expected.unasked = true;
        self.expected.details = Some(code.details());
        self.failed(code, words)
    }

    /// The response becomes this error; the message holds these words.
    pub fn failed<const N: usize>(mut self, code: Code, words: [&'static str; N]) -> Self {
        self.expected.error = Some(code);
        self.expected.status = Some(code.status());
        self.expected.message = words.to_vec();
        self
    }
}
