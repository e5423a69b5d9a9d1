use std::borrow::Cow;

use serde_json::{Value, json};
use tenon_core::inja::{Lookup, Metadata, Scope, Syntax, Template};

/// The message that all tables are about: `message.json`, with a body that says nothing of it.
pub(crate) struct Message {
    pub(crate) context: Value,
    pub(crate) body: Vec<u8>,
    pub(crate) metadata: Value,
    pub(crate) random: u128,
}

impl Message {
    pub(crate) fn new() -> Self {
        Self {
            context: serde_json::from_str(include_str!("message.json")).unwrap(),
            body: b"raw body".to_vec(),
            metadata: json!({}),
            random: 7,
        }
    }
}

impl Scope for Message {
    fn context(&self) -> &Value {
        &self.context
    }

    fn body(&self) -> Cow<'_, [u8]> {
        self.body.as_slice().into()
    }

    fn lookup(&self, of: Lookup, name: &str) -> Option<Cow<'_, [u8]>> {
        let found: &[u8] = match (of, name) {
            (Lookup::Header | Lookup::RequestHeader, "x-user") => b"ada",
            (Lookup::Header, ":path") => b"/orders?id=7",
            (Lookup::Header, "x-binary") => b"\xff\x00",
            (Lookup::Extraction, "id") => b"42",
            (Lookup::DataSource, "terms") => b"as agreed",
            (Lookup::Env, "REGION") => b"north",
            _ => return None,
        };
        Some(found.into())
    }

    fn metadata(&self, of: Metadata, namespace: &str, path: &[&str]) -> Option<Value> {
        let of = match of {
            Metadata::Cluster => "cluster",
            Metadata::Dynamic => "dynamic",
            Metadata::Host => "host",
        };
        let mut value = self.metadata.get(of)?.get(namespace)?;
        for part in path {
            value = value.get(part)?;
        }
        Some(value.clone())
    }

    fn random(&self) -> u128 {
        self.random
    }
}

const SIMPLE: Syntax = Syntax {
    advanced: false,
    escape_characters: false,
};

/// Renders with the message of the tables. The text of an error says which kind it is.
pub(crate) fn outcome(
    template: &str,
    syntax: &Syntax,
    message: &Message,
) -> Result<Vec<u8>, String> {
    let template =
        Template::compile(template, syntax).map_err(|error| format!("refused: {error}"))?;
    let rendered = template.render(message);
    rendered.map_err(|error| format!("failed: {error}"))
}

fn each(rows: &[(&str, &str)], check: impl Fn(&str, &str)) {
    assert!(!rows.is_empty());
    rows.iter()
        .for_each(|(template, expected)| check(template, expected));
}

fn check_rendered(rows: &[(&str, &str)], syntax: &Syntax) {
    let message = Message::new();
    each(rows, |template, expected| {
        let rendered = outcome(template, syntax, &message);
        let rendered = rendered.map(|text| String::from_utf8(text).unwrap());
        assert_eq!(rendered, Ok(expected.to_owned()), "{template}");
    });
}

/// Checks what templates render.
pub(crate) fn renders(rows: &[(&str, &str)]) {
    check_rendered(rows, &SIMPLE);
}

/// The same with `advancedTemplates`.
pub(crate) fn advanced(rows: &[(&str, &str)]) {
    check_rendered(
        rows,
        &Syntax {
            advanced: true,
            ..SIMPLE
        },
    );
}

/// The same with `escapeCharacters`.
pub(crate) fn escapes(rows: &[(&str, &str)]) {
    check_rendered(
        rows,
        &Syntax {
            escape_characters: true,
            ..SIMPLE
        },
    );
}

/// Checks why texts are not templates.
pub(crate) fn refuses(rows: &[(&str, &str)]) {
    let message = Message::new();
    each(rows, |template, error| {
        let outcome = outcome(template, &SIMPLE, &message);
        assert_eq!(outcome, Err(format!("refused: {error}")), "{template}");
    });
}

/// Checks why templates cannot be rendered.
pub(crate) fn fails(rows: &[(&str, &str)]) {
    let message = Message::new();
    each(rows, |template, error| {
        let outcome = outcome(template, &SIMPLE, &message);
        assert_eq!(outcome, Err(format!("failed: {error}")), "{template}");
    });
}
