//! The bodies that are sent and answered.

use std::fmt::Write as _;

use serde_json::json;
use tenon_e2e::eventstream;

/// What of [`document`] the transformations make another document of.
pub(crate) const TRANSFORMED: [&str; 3] = ["u-1", "Ann Example", "12345"];

/// A JSON document of so many bytes, or the least one.
pub(crate) fn document(bytes: usize) -> Vec<u8> {
    let mut text = String::from(
        r#"{"user":{"id":"u-1","name":"Ann Example"},"order":{"id":12345,"total":99.5},"items":["#,
    );
    let mut number = 0;
    const ITEM: usize = r#"{"id":0000,"name":"item"},"#.len();
    const END: &str = r#""]}"#;
    while text.len() + ITEM + 1 + END.len() <= bytes {
        let _ = write!(
            text,
            r#"{{"id":{number:04},"name":"item"}},"#,
            number = 1000 + number % 9000
        );
        number += 1;
    }
    text.push('"');
    let rest = bytes.saturating_sub(text.len() + END.len());
    text.extend(std::iter::repeat_n('x', rest));
    text += END;
    text.into_bytes()
}

/// A function's answer, in the shape of an HTTP API, with a body of so many bytes.
pub(crate) fn api_gateway_answer(bytes: usize) -> Vec<u8> {
    let body = String::from_utf8(document(bytes)).unwrap_or_default();
    json!({
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
    .into_bytes()
}

/// What a function writes in pieces, as Lambda streams it.
pub(crate) fn streamed(bytes: usize) -> Vec<u8> {
    const PIECE: usize = 32 << 10;
    let mut stream = Vec::with_capacity(bytes + bytes / 64);
    for piece in vec![b'x'; bytes].chunks(PIECE) {
        stream.extend(eventstream::chunk(piece));
    }
    stream.extend(eventstream::complete());
    stream
}
