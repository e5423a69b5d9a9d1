//! Headers and body as one JSON object (Gloo's `headerBodyTransform`; `body_header_transformer.cc` of envoy-gloo).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::transformation::Message;
use super::{body, query};
use crate::host::{Body, Headers, Side};

pub(super) fn apply(
    host: &mut (impl Headers + Body),
    message: &Message<'_>,
    add_request_metadata: bool,
) -> Result<(), String> {
    let side = message.side;
    let mut object = Map::new();
    if let Some(bytes) = message.body.filter(|bytes| !bytes.is_empty()) {
        // No JSON has other bytes, and what is left of them would be another body.
        let body = std::str::from_utf8(bytes).map_err(|_| "the body is not UTF-8")?;
        object.insert("body".into(), body.into());
    }
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    host.each_header(side, &mut |name, value| {
        let value = String::from_utf8_lossy(value).into_owned();
        let name = String::from_utf8_lossy(name).into_owned();
        all.entry(name).or_default().push(value);
    });
    if add_request_metadata && side == Side::Request {
        let path = host.header(side, ":path").unwrap_or_default();
        let path = String::from_utf8_lossy(&path);
        let (path, query) = query::split(&path);
        let parameters = query::decoded(query);
        object.insert("multiValueHeaders".into(), json!(several(&all)));
        object.insert("queryString".into(), json!(query));
        let method = host.header(side, ":method").unwrap_or_default();
        object.insert("httpMethod".into(), text(&method));
        object.insert("path".into(), json!(path));
        object.insert("queryStringParameters".into(), json!(last(&parameters)));
        object.insert(
            "multiValueQueryStringParameters".into(),
            json!(several(&parameters)),
        );
    }
    object.insert("headers".into(), json!(last(&all)));
    let bytes = Value::Object(object).to_string();
    let bodiless = body::is_bodiless(host, side, message.head);
    host.set_header(side, "content-type", b"application/json");
    body::replace(host, side, bodiless, bytes.as_bytes());
    Ok(())
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

fn last<K: AsRef<str>, V: AsRef<str>>(all: &BTreeMap<K, Vec<V>>) -> BTreeMap<&str, &str> {
    all.iter()
        .filter_map(|(name, values)| Some((name.as_ref(), values.last()?.as_ref())))
        .collect()
}

fn several<K: AsRef<str>, V: AsRef<str>>(all: &BTreeMap<K, Vec<V>>) -> BTreeMap<&str, Vec<&str>> {
    all.iter()
        .filter(|(_, values)| values.len() > 1)
        .map(|(name, values)| (name.as_ref(), values.iter().map(AsRef::as_ref).collect()))
        .collect()
}
