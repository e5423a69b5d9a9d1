//! What has to come of a scenario.

use serde_json::Value;
use tenon_contract::AuthLevel;
use tenon_core::invoke::Code;

use super::Key;

/// What has to come of a scenario, besides what has to come of all: see [`crate::check`].
#[derive(Debug, Clone)]
pub struct Expected {
    /// The client's status.
    pub status: u16,
    /// The client's body.
    pub body: Body,
    /// Whether the body is put into a response that came without one, which proxy-wasm cannot do.
    pub body_added: bool,
    /// Whether the client's response ends before its end, and visibly so.
    pub cut_off: bool,
    /// Headers of the client's response: exactly these values.
    pub headers: Vec<(&'static str, Vec<Vec<u8>>)>,
    /// Trailers of the client's response.
    pub trailers: Vec<(&'static str, &'static str)>,
    /// The error that the response is marked with.
    pub error: Option<Code>,
    /// Whether the filter answers instead of changing the provider's answer.
    pub answered_by_filter: bool,
    /// Response code details, where the filter does not answer.
    pub details: &'static str,
    /// How often the provider is asked; once for each answer where nothing is said.
    pub tries: Option<usize>,
    /// What it is asked.
    pub each_try: ExpectedTry,
    /// The function's logical name.
    pub function: &'static str,
    /// The key of each try; the first one for all where nothing is said.
    pub keys: Vec<Key>,
    /// How the tries are counted.
    pub results: Vec<&'static str>,
    /// Dynamic metadata: this value, or none.
    pub annotations: Vec<(&'static str, Option<&'static str>)>,
    /// What the log has.
    pub logs: Vec<&'static str>,
    /// What may be seen nowhere.
    pub never: Vec<&'static str>,
}

/// A response's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// These bytes.
    Exactly(Vec<u8>),
    /// What the last try was answered.
    OfTheAnswer,
}

/// What the provider is asked.
#[derive(Debug, Clone)]
pub struct ExpectedTry {
    /// The path with the query.
    pub path: &'static str,
    /// The method; the client's, or as Lambda is asked, where nothing is said.
    pub method: Option<&'static str>,
    /// The host; the provider's where nothing is said.
    pub host: Option<&'static str>,
    /// Headers: this value, or none.
    pub headers: Vec<(&'static str, Option<&'static str>)>,
    /// Which of Azure's keys it has; the function's own where nothing is said, the app's for [`AuthLevel::Function`].
    pub auth_level: Option<AuthLevel>,
    /// The body.
    pub body: Shown,
    /// Where the event names what the client speaks.
    pub protocol: Option<&'static str>,
}

/// What the function is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// The client's body.
    OfTheClient,
    /// These bytes.
    Exactly(Vec<u8>),
    /// JSON with these values at these places, and nothing at others.
    Event(Vec<(&'static str, Option<Value>)>),
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            status: 200,
            body: Body::OfTheAnswer,
            body_added: false,
            cut_off: false,
            headers: Vec::new(),
            trailers: Vec::new(),
            error: None,
            answered_by_filter: false,
            details: "via_upstream",
            tries: None,
            each_try: ExpectedTry {
                path: "/2015-03-31/functions/f/invocations",
                method: None,
                host: None,
                headers: Vec::new(),
                auth_level: None,
                body: Shown::OfTheClient,
                protocol: None,
            },
            function: "f",
            keys: vec![Key::User],
            results: Vec::new(),
            annotations: Vec::new(),
            logs: Vec::new(),
            never: Vec::new(),
        }
    }
}
