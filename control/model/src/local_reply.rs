//! What Envoy answers itself, in another form.

use serde_json::{Map, Value};
use tenon_model_derive::Read;

use crate::access_filter::AccessLogFilter;
use crate::access_log;
use crate::header::{self, HeaderToAdd};
use crate::read::{Fields, Node};
use crate::schema::Schema;

/// What Envoy answers itself, in another form.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct LocalReplyConfig {
    /// What becomes of some answers: the first that fits counts.
    pub mappers: Vec<ResponseMapper>,
    /// How bodies are written: as they are where it is left out.
    pub body_format: Option<BodyFormat>,
}

/// What becomes of some answers.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = of_responses)]
pub struct ResponseMapper {
    /// Of which.
    pub filter: AccessLogFilter,
    /// Another status.
    #[read(range(200, 599))]
    pub status_code: Option<u32>,
    /// Another body: `%LOCAL_REPLY_BODY%` in formats.
    pub body: Option<Body>,
    /// Another form of the body.
    pub body_format_override: Option<BodyFormat>,
    /// Further headers.
    pub headers_to_add: Vec<HeaderToAdd>,
}

fn of_responses(read: ResponseMapper, fields: &Fields<'_>) -> Option<ResponseMapper> {
    let why = "is for requests only";
    header::without_secrets(&read.headers_to_add, fields, "headersToAdd", why);
    Some(read)
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct Body {
    /// Where it is.
    #[read(flatten)]
    pub source: BodySource,
}

/// Where a body is.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum BodySource {
    /// Here.
    InlineString(String),
    /// In a file on Envoy's machine.
    #[read(with = Node::non_empty)]
    Filename(String),
}

/// How a body is written.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct BodyFormat {
    /// The form.
    #[read(flatten)]
    pub format: TextOrJson,
    /// Its `content-type`: plain text, or JSON, where it is left out.
    #[read(with = header::value)]
    pub content_type: Option<String>,
}

/// The form of a body.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum TextOrJson {
    /// A text, in which Envoy's `%…%` is filled in.
    #[read(name = "textFormat", with = access_log::text, schema = access_log::a_text)]
    Text(String),
    /// JSON, in whose texts Envoy's `%…%` is filled in.
    #[read(name = "jsonFormat", with = access_log::json, schema = Schema::open_object)]
    Json(Map<String, Value>),
}
