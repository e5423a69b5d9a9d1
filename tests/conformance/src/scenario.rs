//! What a scenario is: a request, its surroundings, and what has to come of it on every host.

use tenon_contract::transform::TransformationTemplate;
use tenon_contract::{AuthLevel, AwsCall, AzureCall, CALL_KEY, CallConfig, CallTarget, RestCall};
use tenon_core::invoke::Code;

use crate::fake::{Answer, HeaderList, Request, Response};

mod expected;
mod surroundings;

pub use expected::{Body, Expected, ExpectedTry, Shown};
pub use surroundings::{Cloud, Key, REGION, Retry, Rewrite, Route, UPSTREAM, Upstream};

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What is shown, as a slug; also the request's `x-request-id`.
    pub name: &'static str,
    /// The route.
    pub route: Route,
    /// The upstream.
    pub upstream: Upstream,
    /// What the client sends.
    pub request: Request,
    /// What each try is answered.
    pub answers: Vec<Answer>,
    /// When it is tried again.
    pub retry: Retry,
    /// Whether the guard is there, because no try can put the client's request back.
    pub guarded: bool,
    /// Why the `.wasm` cannot be held to it.
    pub not_on_wasm: Option<&'static str>,
    /// What has to come of it.
    pub expected: Expected,
}

/// A call of the function `f` with the defaults.
pub fn call() -> CallConfig {
    CallConfig::aws("f", "f")
}

/// A call of Azure's function `f`.
pub fn azure_call(auth_level: AuthLevel) -> CallConfig {
    let call = AzureCall {
        name: "f".into(),
        route: None,
        auth_level,
    };
    CallConfig::azure("f", call)
}

/// A call of the REST function `f`, changed.
pub fn rest_call(change: impl FnOnce(&mut RestCall)) -> CallConfig {
    let mut call = RestCall {
        name: "f".into(),
        ..RestCall::default()
    };
    change(&mut call);
    CallConfig::rest("f", call)
}

/// The default call of Lambda, changed.
pub fn call_with(change: impl FnOnce(&mut AwsCall)) -> CallConfig {
    let mut call = call();
    let CallTarget::Aws(aws) = &mut call.target else {
        panic!("not a call of Lambda")
    };
    change(aws);
    call
}

/// A function's answer as Lambda sends it.
pub fn answer(body: impl AsRef<[u8]>) -> Response {
    lambda(Response::status(200)).body(body)
}

/// A failed function's answer.
pub fn function_error() -> Response {
    answer(FUNCTION_ERROR).header("x-amz-function-error", "Unhandled")
}

/// What [`function_error`] says.
pub const FUNCTION_ERROR: &str = r#"{"errorMessage":"boom","errorType":"Error"}"#;

/// A refusal or failure of the service itself.
pub fn service_error(status: u16, error_type: &str, message: &str) -> Response {
    let body = serde_json::json!({"Message": message, "Type": "User"}).to_string();
    lambda(Response::status(status))
        .header("x-amzn-errortype", error_type)
        .body(body)
}

/// The headers that Lambda puts on every response.
pub fn lambda(response: Response) -> Response {
    response
        .header("content-type", "application/json")
        .header("x-amzn-requestid", "00000000-0000-4000-8000-000000000001")
        .header("x-amz-executed-version", "$LATEST")
}

impl Scenario {
    /// A GET that calls `f` and is answered `{"ok":true}`, which is what the client gets.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            route: Route::calling(&call()),
            upstream: Upstream::default(),
            request: Request::get("/"),
            answers: Vec::new(),
            retry: Retry::default(),
            guarded: false,
            not_on_wasm: None,
            expected: Expected::default(),
        }
    }

    /// A GET that goes to a function of Google's and is answered `{"ok":true}`, which is what the client gets.
    pub fn google(name: &'static str) -> Self {
        Self::new(name)
            .call(&CallConfig::gcp("f"))
            .upstream(Upstream::google())
            .signed_with([Key::Google])
            .path("/")
    }

    /// A GET that goes to a function of Azure's that needs its key, and is answered `{"ok":true}`, which is what the
    /// client gets.
    pub fn azure(name: &'static str) -> Self {
        Self::new(name)
            .call(&azure_call(AuthLevel::Function))
            .upstream(Upstream::azure())
            .signed_with([Key::Azure])
            .path("/api/f")
    }

    /// Whether it also holds for the filter among a listener's own: what it shows is one try of a request whose route says
    /// itself what it calls, and does not change it. (Among a listener's filters, what is no call of this one passes.)
    pub fn is_for_listeners(&self) -> bool {
        let route = &self.route;
        let calls = route.metadata.iter().any(|(key, _)| key == CALL_KEY);
        let answered = |answer: &Answer| matches!(answer, Answer::Response(_));
        calls
            && route.weight.is_none()
            && route.rewrite.is_none()
            && self.expected.error != Some(Code::NoFunction)
            && self.retry.times == 0
            && self.answers.iter().all(answered)
    }

    /// A GET that calls the REST function `f`, whose templates these are, and is answered `{"ok":true}`, which is what the
    /// client gets.
    pub fn rest(name: &'static str, change: impl FnOnce(&mut TransformationTemplate)) -> Self {
        let mut template = TransformationTemplate::default();
        change(&mut template);
        Self::new(name)
            .call(&rest_call(|_| {}))
            .upstream(Upstream::rest([("f", template)]))
            .path("/")
    }

    /// Sets the route's call.
    pub fn call(self, call: &CallConfig) -> Self {
        self.route(Route::calling(call))
    }

    /// Sets the default call, changed.
    pub fn call_with(self, change: impl FnOnce(&mut AwsCall)) -> Self {
        self.call(&call_with(change))
    }

    /// Sets the route.
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Sets the upstream.
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = upstream;
        self
    }

    /// Sets what the client sends.
    pub fn request(mut self, request: Request) -> Self {
        self.request = request;
        self
    }

    /// Adds what the next try is answered.
    pub fn answer(mut self, answer: impl Into<Answer>) -> Self {
        self.answers.push(answer.into());
        self
    }

    /// Adds what the tries before those with an answer are answered.
    pub fn answers_before(mut self, answers: impl IntoIterator<Item = Response>) -> Self {
        let before: Vec<_> = answers.into_iter().map(Answer::Response).collect();
        self.answers.splice(0..0, before);
        self
    }

    /// Tries again on these statuses and when a try is lost, so often.
    pub fn retry(mut self, on: &'static [u16], times: usize) -> Self {
        self.retry = Retry { on, times };
        self
    }

    /// The guard is there.
    pub fn guarded(mut self) -> Self {
        self.guarded = true;
        self
    }

    /// The `.wasm` cannot be held to it, and why.
    pub fn not_on_wasm(mut self, why: &'static str) -> Self {
        self.not_on_wasm = Some(why);
        self
    }

    /// Where the host cannot add a body to a response that came without one, the client gets none.
    pub fn body_added(mut self) -> Self {
        self.expected.body_added = true;
        self
    }

    /// The client gets this status.
    pub fn gives(mut self, status: u16) -> Self {
        self.expected.status = status;
        self
    }

    /// The client gets this body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.expected.body = Body::Exactly(body.as_ref().to_vec());
        self
    }

    /// The client sees that its response is cut off somewhere within this body; no header tells of the error.
    pub fn cut_off(mut self, code: Code, body: impl AsRef<[u8]>) -> Self {
        self.expected.cut_off = true;
        self.expected.results = vec![code.name()];
        self.tells("error", code.name()).body(body)
    }

    /// The client gets this header, with these values and no others.
    pub fn header<'a>(
        mut self,
        name: &'static str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let values = values.into_iter().map(|value| value.as_bytes().to_vec());
        self.expected.headers.push((name, values.collect()));
        self
    }

    /// The client does not get this header.
    pub fn lacks(self, name: &'static str) -> Self {
        self.header(name, [])
    }

    /// The client gets this trailer.
    pub fn trailer(mut self, name: &'static str, value: &'static str) -> Self {
        self.expected.trailers.push((name, value));
        self
    }

    /// The client gets this error in its usual form.
    pub fn error(mut self, code: Code, status: u16, message: &str) -> Self {
        self.expected.body = Body::Exactly(code.body(message));
        self.error_kept(code, status)
            .header("content-type", ["application/json"])
    }

    /// The client gets this error, in a form of its own.
    pub fn error_kept(mut self, code: Code, status: u16) -> Self {
        self.expected.status = status;
        self.expected.error = Some(code);
        self.expected.results = vec![code.name()];
        self
    }

    /// The filter answers by itself, and the provider is not asked.
    pub fn unasked(mut self) -> Self {
        self.expected.tries = Some(0);
        self.expected.answered_by_filter = true;
        self
    }

    /// The router answers by itself, with these response code details.
    pub fn answered_by_router(mut self, details: &'static str) -> Self {
        self.expected.details = details;
        self
    }

    /// The filter answers by itself although the provider was asked.
    pub fn answered_by_filter(mut self) -> Self {
        self.expected.answered_by_filter = true;
        self
    }

    /// A gRPC client gets this status and message.
    pub fn grpc(mut self, code: Code, status: &'static str, message: &str) -> Self {
        self.expected.body = Body::Exactly(Vec::new());
        self.error_kept(code, 200)
            .answered_by_filter()
            .header("content-type", ["application/grpc"])
            .header("grpc-status", [status])
            .header("grpc-message", [message])
            // A host may have to make the request look like another to answer so.
            .guarded()
    }

    /// The provider is asked so often; once for each answer, if nothing is said.
    pub fn tries(mut self, tries: usize) -> Self {
        self.expected.tries = Some(tries);
        self
    }

    /// The tries are counted so; `ok` once for each answer, if nothing is said.
    pub fn counted(mut self, results: impl IntoIterator<Item = &'static str>) -> Self {
        self.expected.results = results.into_iter().collect();
        self
    }

    /// The function's logical name is this.
    pub fn function(mut self, function: &'static str) -> Self {
        self.expected.function = function;
        self
    }

    /// Each try asks for this path.
    pub fn path(mut self, path: &'static str) -> Self {
        self.expected.each_try.path = path;
        self
    }

    /// Each try asks with this method; with the client's, or as Lambda is asked, if nothing is said.
    pub fn method(mut self, method: &'static str) -> Self {
        self.expected.each_try.method = Some(method);
        self
    }

    /// Each try asks this host; the provider's, if nothing is said.
    pub fn host(mut self, host: &'static str) -> Self {
        self.expected.each_try.host = Some(host);
        self
    }

    /// Each try sends this header, with this value and no other.
    pub fn sends(mut self, name: &'static str, value: &'static str) -> Self {
        self.expected.each_try.headers.push((name, Some(value)));
        self
    }

    /// No try sends this header.
    pub fn withholds(mut self, name: &'static str) -> Self {
        self.expected.each_try.headers.push((name, None));
        self
    }

    /// Each try has the key for this level, instead of the function's own.
    pub fn opened_with(mut self, auth_level: AuthLevel) -> Self {
        self.expected.each_try.auth_level = Some(auth_level);
        self
    }

    /// Each try sends this body; the client's own, if nothing is said.
    pub fn sends_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.expected.each_try.body = Shown::Exactly(body.as_ref().to_vec());
        self
    }

    /// Each try sends an event, of which only what [`Scenario::shows`] says is looked at.
    pub fn sends_event(mut self) -> Self {
        self.expected.each_try.body = Shown::Event(Vec::new());
        self.sends("content-type", "application/json")
    }

    /// The event of each try has this value there (a JSON pointer).
    pub fn shows(mut self, pointer: &'static str, value: impl Into<serde_json::Value>) -> Self {
        if !matches!(self.expected.each_try.body, Shown::Event(_)) {
            self = self.sends_event();
        }
        if let Shown::Event(shown) = &mut self.expected.each_try.body {
            shown.push((pointer, Some(value.into())));
        }
        self
    }

    /// The event of each try names there what the client speaks.
    pub fn shows_protocol(mut self, pointer: &'static str) -> Self {
        self.expected.each_try.protocol = Some(pointer);
        self
    }

    /// The event of each try has nothing there.
    pub fn hides(mut self, pointer: &'static str) -> Self {
        if !matches!(self.expected.each_try.body, Shown::Event(_)) {
            self = self.sends_event();
        }
        if let Shown::Event(shown) = &mut self.expected.each_try.body {
            shown.push((pointer, None));
        }
        self
    }

    /// The tries are signed with these keys, one after the other; all with the first, if nothing is said.
    pub fn signed_with(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.expected.keys = keys.into_iter().collect();
        self
    }

    /// The dynamic metadata has this, besides upstream and function.
    pub fn tells(mut self, key: &'static str, value: &'static str) -> Self {
        self.expected.annotations.push((key, Some(value)));
        self
    }

    /// The dynamic metadata has nothing there.
    pub fn tells_nothing_of(mut self, key: &'static str) -> Self {
        self.expected.annotations.push((key, None));
        self
    }

    /// The log has this somewhere.
    pub fn logs(mut self, text: &'static str) -> Self {
        self.expected.logs.push(text);
        self
    }

    /// Neither the client nor an access log may see this anywhere.
    pub fn never_shows(mut self, text: &'static str) -> Self {
        self.expected.never.push(text);
        self
    }
}

impl Scenario {
    /// The request's headers as they reach the filter: after the edge and the route.
    pub fn arrived(&self) -> HeaderList {
        let mut headers = self.request.headers().clone();
        for (name, value) in [("x-forwarded-proto", "http"), ("x-request-id", self.name)] {
            if headers.get(name).is_none() {
                headers.add(name, value.as_bytes());
            }
        }
        if let Some(key) = &self.route.weight {
            headers.set(tenon_contract::CALL_HEADER, key.as_bytes());
        }
        if let Some(Rewrite { from, to }) = self.route.rewrite {
            let path = headers.text(":path");
            if let Some(rest) = path.strip_prefix(from) {
                headers.set(":path", format!("{to}{rest}").as_bytes());
                headers.set("x-envoy-original-path", path.as_bytes());
            }
        }
        headers
    }

    /// How the tries are counted, sorted.
    pub fn results(&self) -> Vec<&'static str> {
        let mut results = self.expected.results.clone();
        if results.is_empty() {
            results = vec!["ok"; self.expected.tries.unwrap_or(self.answers.len())];
        }
        results.sort_unstable();
        results
    }

    /// The scenario as the table has it: one that asks the provider has an answer.
    pub(crate) fn complete(mut self) -> Self {
        if self.answers.is_empty() && self.expected.tries != Some(0) {
            self = self.answer(answer(r#"{"ok":true}"#));
        }
        self
    }
}
