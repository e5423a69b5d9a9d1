//! Whether a row came out as it has to.

use serde_json::Value;
use tenon_contract::{ERROR_HEADER, HEADER_PREFIX};

use super::{Answered, Observed, Row};
use crate::observed::{comparable, show};

/// Compares what came of a row with what had to. Nothing is said where all is well.
pub fn check(row: &Row, observed: &Observed) -> Vec<String> {
    let mut check = Check {
        row,
        observed,
        complaints: observed.problems.clone(),
    };
    check.client();
    check.upstream();
    check.told();
    check.complaints
}

struct Check<'a> {
    row: &'a Row,
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

    fn client(&mut self) {
        let (expected, observed) = (&self.row.expected, self.observed);
        let (status, body) = match &self.row.answer {
            Answered::ByUpstream(response) => (
                response
                    .headers()
                    .text(":status")
                    .parse()
                    .unwrap_or_default(),
                response.frames().concat(),
            ),
            Answered::ByRoute(status, body) => (*status, body.as_bytes().to_vec()),
        };
        self.expect("status", observed.status, expected.status.unwrap_or(status));
        let is_head = self.row.request.headers().text(":method") == "HEAD";
        if !expected.body_at.is_empty() {
            self.json("body", &observed.body, &expected.body_at);
        } else if expected.error.is_none() {
            let body = expected.body.clone().unwrap_or(body);
            let body = if is_head { Vec::new() } else { body };
            self.expect("body", show(&observed.body), show(&body));
        }
        for (name, values) in &expected.headers {
            let found: Vec<_> = observed.headers.all(name).map(show).collect();
            self.expect(&format!("header {name}"), found, owned(values));
        }
        for (name, value) in &expected.trailers {
            let found = observed.trailers.text(name);
            self.expect(&format!("trailer {name}"), &*found, value);
        }
        if let Some(details) = expected.details {
            self.expect("details", &*observed.details, details);
        }
        self.error(is_head);
    }

    fn error(&mut self, is_head: bool) {
        let (expected, observed) = (&self.row.expected, self.observed);
        let ours: Vec<_> = comparable(&observed.headers)
            .into_iter()
            .filter(|(name, _)| name.starts_with(HEADER_PREFIX))
            .collect();
        let code = expected.error.map(|code| code.name());
        let header = code.map(|code| (ERROR_HEADER.to_owned(), code.to_owned()));
        self.expect("headers of ours", ours, header.into_iter().collect());
        let Some(code) = code else { return };
        let message = observed.headers.text("grpc-message");
        let message = if message.is_empty() && !is_head {
            let body: Value = serde_json::from_slice(&observed.body).unwrap_or_default();
            self.expect("code", body["error"]["code"].as_str(), Some(code));
            self.expect(
                "content-type",
                &*observed.headers.text("content-type"),
                "application/json",
            );
            body["error"]["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        } else {
            message
        };
        for words in &expected.message {
            if !message.contains(words) {
                self.complaints.push(format!("{message:?} lacks {words:?}"));
            }
        }
    }

    fn upstream(&mut self) {
        let (expected, observed) = (&self.row.expected, self.observed);
        let asked = usize::from(!expected.unasked);
        self.expect("requests", observed.sent.len(), asked);
        let Some(sent) = observed.sent.first() else {
            return;
        };
        self.expect("complete", sent.complete, true);
        for (name, values) in &expected.sent {
            let found: Vec<_> = sent.headers.all(name).map(show).collect();
            self.expect(&format!("sent {name}"), found, owned(values));
        }
        if expected.sent_at.is_empty() {
            let body = expected.sent_body.clone();
            let body = body.unwrap_or_else(|| self.row.request.frames().concat());
            self.expect("sent body", show(&sent.body), show(&body));
        } else {
            self.json("sent body", &sent.body, &expected.sent_at);
        }
    }

    fn json(&mut self, what: &str, body: &[u8], places: &[(&str, Option<Value>)]) {
        let found: Value = serde_json::from_slice(body).unwrap_or_default();
        for (pointer, value) in places {
            self.expect(
                &format!("{what} {pointer}"),
                found.pointer(pointer),
                value.as_ref(),
            );
        }
    }

    fn told(&mut self) {
        for (namespace, key, value) in &self.row.expected.metadata {
            let found = self.observed.metadata.get(namespace);
            let found = found.and_then(|it| it.get(key));
            self.expect(
                &format!("metadata {namespace} {key}"),
                found,
                value.as_ref(),
            );
        }
        for text in &self.row.expected.unlogged {
            if self.observed.log.contains(text) {
                self.complaints.push(format!("the log shows {text}"));
            }
        }
    }
}

/// What is expected is written as it is shown.
fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// In what two hosts differ.
pub fn differences(row: &Row, one: &Observed, other: &Observed) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, one: String, other: String| {
        if one != other {
            differences.push(format!("{what}: {one} on one host, {other} on the other"));
        }
    };
    let framed = |headers: &crate::fake::HeaderList, body: &[u8]| {
        let length = body.len().to_string();
        let all = comparable(headers).into_iter().filter(|(name, value)| {
            // Which of two right framings is used is the codec's business, and what Envoy adds is its own.
            (name != "content-length" || *value != length)
                && !matches!(&**name, ":scheme" | "x-request-id" | "x-forwarded-proto")
        });
        format!("{:?}", all.collect::<Vec<_>>())
    };
    compare("status", one.status.to_string(), other.status.to_string());
    // Of these bodies only places are looked at: they show headers that are each host's own.
    if row.expected.body_at.is_empty() {
        compare("body", show(&one.body), show(&other.body));
    }
    compare(
        "headers",
        framed(&one.headers, &one.body),
        framed(&other.headers, &other.body),
    );
    compare(
        "trailers",
        format!("{:?}", one.trailers),
        format!("{:?}", other.trailers),
    );
    compare("details", one.details.clone(), other.details.clone());
    for (one, other) in one.sent.iter().zip(&other.sent) {
        compare(
            "sent headers",
            framed(&one.headers, &one.body),
            framed(&other.headers, &other.body),
        );
        if row.expected.sent_at.is_empty() {
            compare("sent body", show(&one.body), show(&other.body));
        }
        compare(
            "sent trailers",
            format!("{:?}", one.trailers),
            format!("{:?}", other.trailers),
        );
    }
    differences
}
