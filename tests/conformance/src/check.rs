//! What has to hold after each scenario, whatever it shows and whatever ran it.

use std::time::SystemTime;

use serde_json::Value;
use tenon_contract::{AuthLevel, ERROR_HEADER, HEADER_PREFIX};
use tenon_core::invoke::Code;
use tenon_e2e::sigv4::{AccessKey, verify};

use crate::fake::{Answer, HeaderList, Sent};
use crate::observed::{LOGGED, Observed, comparable, show};
use crate::scenario::{Body, Cloud, Key, REGION, Scenario, Shown};

/// Compares what came of a scenario with what had to. Nothing is said where all is well.
pub fn check(scenario: &Scenario, observed: &Observed, now: SystemTime) -> Vec<String> {
    let mut check = Check {
        scenario,
        observed,
        complaints: Vec::new(),
    };
    check.client();
    check.tries(now);
    check.afterwards();
    check.secrecy();
    check.complaints.extend(observed.problems.iter().cloned());
    check.complaints
}

struct Check<'a> {
    scenario: &'a Scenario,
    observed: &'a Observed,
    complaints: Vec<String>,
}

impl Check<'_> {
    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        if found != expected {
            self.complaints
                .push(format!("{what}: found {found:?}, expected {expected:?}"));
        }
    }

    fn expect_bytes(&mut self, what: &str, found: &[u8], expected: &[u8]) {
        if found != expected {
            let (found, expected) = (show(found), show(expected));
            self.complaints
                .push(format!("{what}: found {found:?}, expected {expected:?}"));
        }
    }

    fn client(&mut self) {
        let (expected, observed) = (&self.scenario.expected, self.observed);
        self.expect("status", observed.status, expected.status);
        let is_head = self.scenario.request.headers().text(":method") == "HEAD";
        let body = match &expected.body {
            _ if is_head || (expected.body_added && observed.adds_no_body) => Vec::new(),
            Body::Exactly(body) => body.clone(),
            Body::OfTheAnswer => match self.scenario.answers.last() {
                Some(Answer::Response(response)) => response.frames().concat(),
                _ => Vec::new(),
            },
        };
        self.expect("cut off", observed.cut_off, expected.cut_off);
        // What was on its way is lost with the rest.
        if !(expected.cut_off && body.starts_with(&observed.body)) {
            self.expect_bytes("body", &observed.body, &body);
        }
        for (name, values) in &expected.headers {
            let found: Vec<_> = observed.headers.all(name).map(show).collect();
            let values: Vec<_> = values.iter().map(|value| show(value)).collect();
            self.expect(&format!("header {name}"), found, values);
        }
        for (name, value) in &expected.trailers {
            let found = observed.trailers.text(name);
            self.expect(&format!("trailer {name}"), &*found, value);
        }
        // A header of ours is an error's code or none of ours.
        let ours: Vec<_> = comparable(&observed.headers)
            .into_iter()
            .filter(|(name, _)| name.starts_with(HEADER_PREFIX))
            .collect();
        let error = expected
            .error
            .map(|code| (ERROR_HEADER.to_owned(), code.name().to_owned()));
        self.expect("headers of ours", ours, error.into_iter().collect());
        let details = match expected.error {
            Some(code) if expected.answered_by_filter => code.details(),
            _ => expected.details,
        };
        if let Some(found) = &observed.details {
            self.expect("details", &**found, details);
        }
    }

    fn tries(&mut self, now: SystemTime) {
        let expected = &self.scenario.expected;
        let sent = &self.observed.sent;
        let tries = expected.tries.unwrap_or(self.scenario.answers.len());
        self.expect("tries", sent.len(), tries);
        for (index, one) in sent.iter().enumerate() {
            let key = expected.keys.get(index).or(expected.keys.first());
            self.one_try(index + 1, one, *key.unwrap_or(&Key::User), now);
        }
        if let [first, later @ ..] = &sent[..] {
            for (index, one) in later.iter().enumerate() {
                let what = format!("try {} as the first", index + 2);
                self.expect(&what, stable(one), stable(first));
            }
        }
    }

    fn one_try(&mut self, number: usize, sent: &Sent, key: Key, now: SystemTime) {
        let scenario = self.scenario;
        let expected = &scenario.expected.each_try;
        let what = |what: &str| format!("try {number}: {what}");
        let cloud = scenario.upstream.cloud;
        let method = match cloud {
            _ if expected.method.is_some() => expected.method.unwrap_or_default().to_owned(),
            Cloud::Lambda => "POST".to_owned(),
            _ => scenario.request.headers().text(":method"),
        };
        self.expect(&what("method"), sent.method(), method);
        let path = sent.path();
        let path = match cloud {
            Cloud::AzureQuery => without_code(&path),
            _ => path,
        };
        self.expect(&what("path"), &*path, expected.path);
        let host = sent.headers.text(":authority");
        self.expect(&what("host"), &*host, expected.host.unwrap_or(cloud.host()));
        self.expect(&what("complete"), sent.complete, true);
        for (name, value) in &expected.headers {
            let found: Vec<_> = sent.headers.all(name).map(show).collect();
            let value = value.iter().map(|value| show(value.as_bytes())).collect();
            self.expect(&what(name), found, value);
        }
        for (name, value) in sent.headers.iter() {
            let of_aws = name == "authorization" || name.starts_with("x-amz");
            let is_written = match cloud {
                Cloud::Lambda => matches!(
                    name,
                    "authorization"
                        | "x-amz-date"
                        | "x-amz-invocation-type"
                        | "x-amz-log-type"
                        | "x-amz-security-token"
                ),
                Cloud::FunctionUrl => matches!(
                    name,
                    "authorization" | "x-amz-date" | "x-amz-security-token"
                ),
                Cloud::Google => matches!(name, "authorization" | "x-serverless-authorization"),
                Cloud::Azure => name == "x-functions-key",
                Cloud::AzureQuery | Cloud::OpenFunctionUrl | Cloud::Rest => false,
            };
            let reserved = match cloud {
                Cloud::Lambda | Cloud::FunctionUrl => of_aws && name != "x-amzn-trace-id",
                Cloud::Google | Cloud::OpenFunctionUrl | Cloud::Rest => false,
                Cloud::Azure | Cloud::AzureQuery => name.starts_with("x-functions-"),
            };
            if (reserved && !is_written) || name.starts_with(HEADER_PREFIX) {
                let value = show(value);
                self.complaints
                    .push(what(&format!("{name}: {value} reached the provider")));
            }
            if is_written && sent.headers.all(name).count() != 1 {
                self.complaints
                    .push(what(&format!("{name} is there more than once")));
            }
        }
        match &expected.body {
            Shown::OfTheClient => {
                let body = scenario.request.frames().concat();
                self.expect_bytes(&what("body"), &sent.body, &body);
            }
            Shown::Exactly(body) => self.expect_bytes(&what("body"), &sent.body, body),
            Shown::Event(shown) => match serde_json::from_slice::<Value>(&sent.body) {
                Ok(event) => {
                    if let Some(pointer) = expected.protocol {
                        let found = event.pointer(pointer).cloned();
                        let name = self.observed.protocol.name();
                        self.expect(&what(pointer), found, Some(name.into()));
                    }
                    for (pointer, value) in shown {
                        let found = event.pointer(pointer).cloned();
                        self.expect(&what(pointer), found, value.clone());
                    }
                }
                Err(error) => self
                    .complaints
                    .push(what(&format!("the event is no JSON: {error}"))),
            },
        }
        let verified = match cloud {
            Cloud::Lambda | Cloud::FunctionUrl => signature(sent, key, now),
            Cloud::OpenFunctionUrl | Cloud::Rest => Ok(()),
            Cloud::Google => token(sent, key),
            Cloud::Azure | Cloud::AzureQuery => function_key(sent, key, expected.auth_level),
        };
        if let Err(refusal) = verified {
            self.complaints.push(what(&refusal));
        }
    }

    fn afterwards(&mut self) {
        let expected = &self.scenario.expected;
        let client = self.scenario.arrived();
        for name in LOGGED {
            // Access logs show the first value.
            let found = self.observed.logged.get(name).map(show);
            let sent = client.get(name).map(show);
            // Forged headers of ours stay where the filter never got as far as to take them.
            if !name.starts_with(HEADER_PREFIX) {
                self.expect(&format!("{name} afterwards"), found, sent);
            }
        }
        for text in &expected.logs {
            if !self.observed.log.contains(text) {
                self.complaints.push(format!("the log lacks {text:?}"));
            }
        }
        let results = self.scenario.results();
        let function = match expected.error {
            Some(Code::NoFunction | Code::NoMatch) => "",
            _ => expected.function,
        };
        let results = results.into_iter();
        let results: Vec<_> = results
            .map(|result| (function.to_owned(), result.to_owned()))
            .collect();
        self.expect("counts", self.observed.counts.clone(), results);
        if !function.is_empty() {
            let found = self.observed.annotations.get("function");
            self.expect(
                "metadata function",
                found.map(String::as_str),
                Some(function),
            );
        }
        let error = expected.error.map(|code| code.name());
        let annotations = expected.annotations.iter().copied();
        let told = annotations.clone().any(|(key, _)| key == "error");
        let error = [("error", error)].into_iter().filter(|_| !told);
        for (key, value) in annotations.chain(error) {
            // What an earlier try told can be emptied, but not taken back.
            let found = self.observed.annotations.get(key).map(String::as_str);
            let found = found.filter(|value| !value.is_empty());
            self.expect(&format!("metadata {key}"), found, value);
        }
    }

    /// No secret where clients and operators look, and no signature.
    fn secrecy(&mut self) {
        let observed = self.observed;
        let mut secrets: Vec<String> = Vec::new();
        for key in Key::ALL {
            secrets.extend([key.id().to_owned(), key.secret_key().to_owned()]);
            secrets.extend(key.token().map(str::to_owned));
        }
        for sent in &observed.sent {
            let authorization = sent.headers.text("authorization");
            if matches!(
                self.scenario.upstream.cloud,
                Cloud::Lambda | Cloud::FunctionUrl
            ) {
                secrets.extend(authorization.rsplit('=').next().map(str::to_owned));
            }
        }
        secrets.extend(self.scenario.expected.never.iter().map(|&it| it.to_owned()));
        let places = [
            ("the response's headers", shown(&observed.headers)),
            ("the response's body", show(&observed.body)),
            ("the response's trailers", shown(&observed.trailers)),
            ("the logged request", shown(&observed.logged)),
            ("the log", observed.log.clone()),
            ("the metadata", format!("{:?}", observed.annotations)),
        ];
        for (place, text) in places {
            for secret in secrets.iter().filter(|secret| text.contains(&***secret)) {
                self.complaints.push(format!("{place} shows {secret}"));
            }
        }
    }
}

fn shown(headers: &HeaderList) -> String {
    format!("{headers:?}")
}

/// What tries of one request have in common: all but time, key and signature.
fn stable(sent: &Sent) -> (Vec<(String, String)>, &[u8]) {
    let changing = [
        "authorization",
        "x-amz-date",
        "x-amz-security-token",
        "x-functions-key",
        "x-serverless-authorization",
    ];
    let headers = comparable(&sent.headers).into_iter();
    let headers = headers.filter(|(name, _)| !changing.contains(&&**name));
    let headers = headers.map(|(name, value)| match &*name {
        ":path" => (name, without_code(&value)),
        _ => (name, value),
    });
    (headers.collect(), &sent.body)
}

/// Whether Google would find the token, in the header that it looks at first.
fn token(sent: &Sent, key: Key) -> Result<(), String> {
    let own = ["x-serverless-authorization", "authorization"]
        .into_iter()
        .find_map(|name| sent.headers.get(name));
    match own {
        Some(value) if value == format!("Bearer {}", key.secret_key()).as_bytes() => Ok(()),
        own => Err(format!("Google would look at {:?}", own.map(show))),
    }
}

/// A path without the key in its query.
fn without_code(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return path.to_owned();
    };
    let query: Vec<_> = query
        .split('&')
        .filter(|it| !it.starts_with("code="))
        .collect();
    match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", query.join("&")),
    }
}

/// Whether Azure would find the key, in the header that it looks at first, or in the query.
fn function_key(sent: &Sent, key: Key, auth_level: Option<AuthLevel>) -> Result<(), String> {
    let expected = match auth_level {
        Some(AuthLevel::Anonymous) => None,
        Some(AuthLevel::Admin) => Some(key.id()),
        Some(AuthLevel::Function) => key.token(),
        None => Some(key.secret_key()),
    };
    let path = sent.path();
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let in_query = query.split('&').filter_map(|it| it.strip_prefix("code="));
    let mut found: Vec<_> = in_query
        .map(|code| {
            code.replace("%2F", "/")
                .replace("%2B", "+")
                .replace("%3D", "=")
        })
        .collect();
    found.extend(sent.headers.all("x-functions-key").map(show));
    match found == expected.into_iter().collect::<Vec<_>>() {
        true => Ok(()),
        false => Err(format!("Azure would find {found:?}, expected {expected:?}")),
    }
}

/// Checks a call's signature as AWS does.
///
/// # Errors
/// AWS would refuse it, and with these words.
pub fn signature(sent: &Sent, key: Key, now: SystemTime) -> Result<(), String> {
    let mut request = http::Request::builder()
        .method(&*sent.method())
        .uri(sent.path());
    for (name, value) in sent.headers.iter() {
        let name = if name == ":authority" { "host" } else { name };
        if !name.starts_with(':') {
            request = request.header(name, value);
        }
    }
    let (parts, ()) = request
        .body(())
        .map_err(|error| error.to_string())?
        .into_parts();
    let key = AccessKey {
        session_token: key.token().map(str::to_owned),
        ..AccessKey::new(key.id(), key.secret_key())
    };
    verify(&parts, &sent.body, &[key], REGION, "lambda", now)
        .map_err(|refusal| format!("AWS would refuse it: {refusal:?}"))
}
