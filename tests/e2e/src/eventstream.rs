//! What Lambda streams, as AWS's own encoder writes it.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};

/// The content type of such a response.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// What stands between the status and headers that a function chooses and its body.
pub const DELIMITER: [u8; 8] = [0; 8];

/// A part of what the function writes.
pub fn chunk(payload: impl AsRef<[u8]>) -> Vec<u8> {
    message("event", ":event-type", "PayloadChunk", payload.as_ref())
}

/// The end of a call that went well.
pub fn complete() -> Vec<u8> {
    end(&json!({}))
}

/// The end of a call that the function failed, with its own words.
pub fn failed(error: &str, details: &str) -> Vec<u8> {
    end(&json!({"ErrorCode": error, "ErrorDetails": details}))
}

/// The end of a call, as `InvokeComplete` tells it.
pub fn end(told: &Value) -> Vec<u8> {
    let payload = told.to_string();
    message("event", ":event-type", "InvokeComplete", payload.as_bytes())
}

/// A failure of Lambda's own.
pub fn exception(error_type: &str) -> Vec<u8> {
    let payload = br#"{"Message":"arn:aws:lambda:us-east-1:123456789012:function:f"}"#;
    message("exception", ":exception-type", error_type, payload)
}

fn message(kind: &str, name: &str, value: &str, payload: &[u8]) -> Vec<u8> {
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let message = Message::new(payload.to_vec())
        .add_header(Header::new(":message-type", text(kind)))
        .add_header(Header::new(name.to_owned(), text(value)))
        .add_header(Header::new(
            ":content-type",
            text("application/octet-stream"),
        ));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).expect("a message within the limits of the format");
    bytes
}
