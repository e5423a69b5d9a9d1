//! Templates: compiled or refused with a place inside of the text, rendered or refused within the limits, the same each
//! time.

use std::borrow::Cow;

use serde_json::Value;
use tenon_core::inja::{Lookup, MAX_OUTPUT, Metadata, Scope, Syntax, Template};

use crate::input::Input;

/// Two choices, the body on one line, and the template.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let syntax = Syntax {
        advanced: input.choice(2) == 1,
        escape_characters: input.choice(2) == 1,
    };
    let body = input.line();
    let Ok(text) = std::str::from_utf8(input.0) else {
        return;
    };
    let template = match Template::compile(text, &syntax) {
        Ok(template) => template,
        Err(error) => {
            let lines = text.split('\n').count();
            assert!(
                (1..=lines).contains(&error.line),
                "{error} of {lines} lines"
            );
            assert!((1..=text.len() + 1).contains(&error.column), "{error}");
            return;
        }
    };
    let message = Message {
        body,
        context: serde_json::from_slice(body).unwrap_or_default(),
    };
    let rendered = template.render(&message);
    if let Ok(rendered) = &rendered {
        assert!(rendered.len() <= MAX_OUTPUT);
        if let Some(literal) = template.literal() {
            assert_eq!(rendered, literal.as_bytes());
        }
    }
    assert_eq!(template.render(&message), rendered);
    if !template.uses_body() {
        let other = Message {
            body: b"another body",
            context: Value::Null,
        };
        assert_eq!(template.render(&other), rendered, "it uses the body");
    }
}

struct Message<'a> {
    body: &'a [u8],
    context: Value,
}

impl Scope for Message<'_> {
    fn context(&self) -> &Value {
        &self.context
    }
    fn body(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.body)
    }
    fn lookup(&self, of: Lookup, name: &str) -> Option<Cow<'_, [u8]>> {
        match (of, name) {
            (Lookup::Header, "x-bytes") => Some(Cow::Borrowed(b"\xff\"\n")),
            (Lookup::Header | Lookup::RequestHeader, "x") => Some(Cow::Borrowed(b"one")),
            (Lookup::Extraction, "x") => Some(Cow::Borrowed(b"two")),
            (Lookup::DataSource | Lookup::Env, "x") => Some(Cow::Borrowed(b"three")),
            _ => None,
        }
    }
    fn metadata(&self, _of: Metadata, _namespace: &str, path: &[&str]) -> Option<Value> {
        Some(serde_json::json!({"path": path}))
    }
    fn random(&self) -> u128 {
        7
    }
}
