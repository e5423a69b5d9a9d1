use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use percent_encoding::percent_decode_str;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::watch;

use super::answer::Answer;
use super::server::{Received, Server};
use crate::deadline::within;
use crate::sigv4::{AccessKey, Refusal, verify};

/// AWS Lambda quotas: 6 MB each for request and response of a synchronous call.
const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// A call as Lambda got it.
#[derive(Debug, Clone)]
pub struct LambdaCall {
    /// The function's name; the last part of an ARN.
    pub function: String,
    /// The version or alias, where the query says one.
    pub qualifier: Option<String>,
    /// Why it was refused, where it was.
    pub refusal: Option<Refusal>,
    /// The request.
    pub request: Received,
}

/// Lambda's Invoke and InvokeWithResponseStream APIs over plain HTTP/1.1 and HTTP/2, with scripted functions. It verifies signatures as AWS does: a wrong
/// one gets 403, and the function is not called.
#[derive(Debug)]
pub struct LambdaDouble {
    server: Server,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    script: Mutex<Script>,
    calls: watch::Sender<Vec<LambdaCall>>,
}

#[derive(Debug)]
struct Script {
    keys: Vec<AccessKey>,
    region: String,
    /// How much its clock is ahead.
    ahead: Duration,
    functions: HashMap<String, Function>,
}

enum Function {
    /// One answer a call, the last one again and again.
    Listed(VecDeque<Answer>),
    Made(Box<dyn Fn(&LambdaCall) -> Answer + Send>),
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(answers) => f.debug_tuple("Listed").field(answers).finish(),
            Self::Made(_) => f.debug_tuple("Made").finish_non_exhaustive(),
        }
    }
}

impl State {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LambdaDouble {
    /// One without functions, in `us-east-1`, that knows [`LambdaDouble::key`].
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start() -> Result<Self> {
        let state = Arc::new(State {
            script: Mutex::new(Script {
                keys: vec![Self::key()],
                region: "us-east-1".into(),
                ahead: Duration::ZERO,
                functions: HashMap::new(),
            }),
            calls: watch::Sender::default(),
        });
        let shared = state.clone();
        let server = Server::start(move |request| shared.answer(request)).await?;
        Ok(Self { server, state })
    }

    /// The access key that it knows at first. Its values are searched for where no secret may be.
    pub fn key() -> AccessKey {
        AccessKey::new("AKIDLAMBDADOUBLE", "SecretKeyOfTheLambdaDouble/+0123456789")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The access keys that it knows from now on.
    pub fn set_keys(&self, keys: impl IntoIterator<Item = AccessKey>) {
        self.state.script().keys = keys.into_iter().collect();
    }

    /// The region that requests have to be signed for from now on.
    pub fn set_region(&self, region: &str) {
        self.state.script().region = region.into();
    }

    /// How much its clock is ahead of this machine's from now on.
    pub fn set_clock_ahead(&self, by: Duration) {
        self.state.script().ahead = by;
    }

    /// How a function answers from now on: one answer a call, the last one again and again.
    pub fn answer(&self, function: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers = answers.into_iter().collect();
        self.state
            .script()
            .functions
            .insert(function.into(), Function::Listed(answers));
    }

    /// How a function answers from now on: as this makes of each call.
    pub fn answer_with(
        &self,
        function: &str,
        make: impl Fn(&LambdaCall) -> Answer + Send + 'static,
    ) {
        self.state
            .script()
            .functions
            .insert(function.into(), Function::Made(Box::new(make)));
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        self.state.calls.send_modify(Vec::clear);
    }

    /// The calls of a function so far, refused ones included.
    pub fn calls(&self, function: &str) -> Vec<LambdaCall> {
        calls_of(&self.state.calls.borrow(), function)
    }

    /// Waits for so many calls of a function.
    ///
    /// # Errors
    /// They do not come within the deadline.
    pub async fn wait_for_calls(&self, function: &str, count: usize) -> Result<Vec<LambdaCall>> {
        let mut calls = self.state.calls.subscribe();
        let what = format!("{count} calls of {function}");
        let enough = calls.wait_for(|calls| calls_of(calls, function).len() >= count);
        Ok(calls_of(&within(&what, enough).await??, function))
    }
}

fn calls_of(calls: &[LambdaCall], function: &str) -> Vec<LambdaCall> {
    let calls = calls.iter().filter(|call| call.function == function);
    calls.cloned().collect()
}

impl State {
    fn answer(&self, request: Received) -> Answer {
        let Some((function, qualifier)) = called_function(&request) else {
            return Answer::service_error(
                404,
                "UnknownOperationException",
                &format!("no operation at {} {}", request.method, request.path),
            );
        };
        let mut script = self.script();
        let now = SystemTime::now() + script.ahead;
        let refusal = verify(
            &request.parts(),
            &request.body,
            &script.keys,
            &script.region,
            "lambda",
            now,
        )
        .err();
        let call = LambdaCall {
            function,
            qualifier,
            refusal,
            request,
        };
        let answer = script.answer(&call);
        drop(script);
        let mut id = 0;
        self.calls.send_modify(|calls| {
            id = calls.len();
            calls.push(call);
        });
        answer.header("date", &http_date(now)).header(
            "x-amzn-requestid",
            &format!("00000000-0000-4000-8000-{id:012}"),
        )
    }
}

impl Script {
    fn answer(&mut self, call: &LambdaCall) -> Answer {
        if let Some(refusal) = &call.refusal {
            return Answer::service_error(403, refusal.error_type, &refusal.message);
        }
        if call.request.body.len() > PAYLOAD_LIMIT {
            return Answer::service_error(
                413,
                "RequestTooLargeException",
                "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
            );
        }
        let Some(answers) = self.functions.get_mut(&call.function) else {
            let message = format!("Function not found: {}", call.function);
            return Answer::service_error(404, "ResourceNotFoundException", &message);
        };
        let answer = match answers {
            Function::Listed(answers) if answers.len() > 1 => answers.pop_front(),
            Function::Listed(answers) => answers.front().cloned(),
            Function::Made(make) => Some(make(call)),
        };
        let version = call.qualifier.as_deref().unwrap_or("$LATEST");
        let answer = match call.request.header("x-amz-invocation-type") {
            // What the function answers is nobody's, but it may still be scripted to refuse.
            "Event" => answer
                .filter(Answer::is_failure)
                .unwrap_or(Answer::status(202)),
            "DryRun" => Answer::status(204),
            _ => answer.unwrap_or(Answer::json("null")),
        };
        answer.header("x-amz-executed-version", version)
    }
}

/// The function and qualifier of the path of either request.
fn called_function(request: &Received) -> Option<(String, Option<String>)> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let invoked = path
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"));
    let streamed = path
        .strip_prefix("/2021-11-15/functions/")
        .and_then(|rest| rest.strip_suffix("/response-streaming-invocations"));
    let name = invoked
        .or(streamed)
        .filter(|name| !name.contains('/') && request.method == "POST")?;
    let qualifier = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("Qualifier="))
        .map(decode);
    let name = decode(name);
    let function = match name.split_once("function:") {
        Some((_, function)) => function.to_owned(),
        None => name,
    };
    Some((function, qualifier))
}

fn http_date(at: SystemTime) -> String {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let text = OffsetDateTime::from(at).format(format);
    text.expect("a time that can be written")
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
