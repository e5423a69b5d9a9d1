//! Headers and body as one JSON object (Gloo's `headerBodyTransform`; `body_header_transformer.cc` of envoy-gloo).

use serde_json::{Map, Value};
use tenon_contract::Sorted;

use super::transformation::Message;
use super::{body, query};
use crate::host::{Body, Headers, Side};

pub(super) fn apply(
    host: &mut (impl Headers + Body),
    message: &Message<'_>,
    add_request_metadata: bool,
) {
    let side = message.side;
    let mut object = Map::new();
    if let Some(bytes) = message.body.filter(|bytes| !bytes.is_empty()) {
        object.insert("body".into(), text(bytes));
    }
    let mut all = Vec::new();
    host.each_header(side, &mut |name, value| {
        let value = String::from_utf8_lossy(value).into_owned();
        let name = String::from_utf8_lossy(name).into_owned();
        all.push((name, value));
    });
    let all = Sorted::group(all);
    if add_request_metadata && side == Side::Request {
        let path = host.header(side, ":path").unwrap_or_default();
        let path = String::from_utf8_lossy(&path);
        let (path, query) = query::split(&path);
        let parameters = query::decoded(query);
        object.insert("multiValueHeaders".into(), several(&all));
        object.insert("queryString".into(), query.into());
        let method = host.header(side, ":method").unwrap_or_default();
        object.insert("httpMethod".into(), text(&method));
        object.insert("path".into(), path.into());
        object.insert("queryStringParameters".into(), last(&parameters));
        object.insert(
            "multiValueQueryStringParameters".into(),
            several(&parameters),
        );
    }
    object.insert("headers".into(), last(&all));
    let bytes = Value::Object(object).to_string();
    let bodiless = body::is_bodiless(host, side, message.head);
    host.set_header(side, "content-type", b"application/json");
    body::replace(host, side, bodiless, bytes.as_bytes());
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

fn last(all: &Sorted<String, Vec<String>>) -> Value {
    let mut object = Map::new();
    for (name, values) in all {
        if let Some(value) = values.last() {
            object.insert(name.clone(), value.as_str().into());
        }
    }
    Value::Object(object)
}

fn several(all: &Sorted<String, Vec<String>>) -> Value {
    let mut object = Map::new();
    for (name, values) in all {
        if values.len() > 1 {
            let values = values.iter().map(|value| value.as_str().into());
            object.insert(name.clone(), Value::Array(values.collect()));
        }
    }
    Value::Object(object)
}
