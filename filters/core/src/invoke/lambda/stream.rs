//! A function's answer that Lambda streams (AWS Lambda API reference, InvokeWithResponseStream): chunks of what the
//! function writes, then how the call ended.
//!
//! What is kept is bounded: the beginning of what the function writes, until it shows what it is ([`opening`]), and the
//! message that tells how the call ended.

use serde_json::value::RawValue;

use super::unwrap::Unwrapped;
use crate::eventstream::{Decoder, Headers, Part};

mod chosen;
mod opening;
#[cfg(test)]
mod tests;

pub(crate) use opening::Expect;
use opening::{Found, Opening};

/// A streamed answer, decoded as it comes.
pub(crate) struct Stream {
    decoder: Decoder,
    message: Message,
    /// The payload of a message that is not for the client.
    text: Vec<u8>,
    opening: Opening,
    head: Option<Head>,
    /// Lambda has said that the call is complete.
    complete: bool,
    log: Option<Vec<u8>>,
}

/// What the response's head is to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// The function does not say: Lambda's own.
    Plain,
    /// Status and headers that the function chose.
    Chosen(Unwrapped),
}

/// Why there is no answer, or no whole one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The function failed.
    Function {
        /// How, as `x-amz-function-error` would say it.
        error: Vec<u8>,
        /// The function's own words; empty where there are none.
        details: Vec<u8>,
    },
    /// Lambda failed.
    Provider {
        /// The type of its error; empty where it is none that may be shown.
        error_type: String,
    },
    /// What came is no answer, or not all of one.
    Malformed(&'static str),
}

/// What the current message is.
#[derive(Debug, Default, Clone)]
enum Message {
    /// For nobody; an event of a kind that a newer Lambda sends.
    #[default]
    Ignored,
    Chunk,
    Complete,
    Failed(String),
}

/// The end of a call: its error's details and 4 KB of log, both bounded by Lambda.
const MOST_TEXT: usize = 256 * 1024;

impl Stream {
    /// A stream of which nothing has come. `expect`: how the function's answer begins.
    pub(crate) fn new(expect: Expect) -> Self {
        Self {
            decoder: Decoder::default(),
            message: Message::default(),
            text: Vec::new(),
            opening: Opening::new(expect),
            head: None,
            complete: false,
            log: None,
        }
    }

    /// Decodes what has come. What is for the client is added to `body`, and is behind the head that
    /// [`Stream::take_head`] gives.
    ///
    /// # Errors
    /// The call failed, or this is no stream of events; nothing after it can be decoded.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], body: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            let part = self
                .decoder
                .next(&mut bytes)
                .map_err(|_| Failure::Malformed("what Lambda streams is damaged"))?;
            match part {
                None => return Ok(()),
                Some(Part::Begin(headers)) => {
                    self.message = message(headers);
                    self.text.clear();
                }
                Some(Part::Payload(bytes)) => match &self.message {
                    Message::Chunk if self.complete => {
                        return Err(Failure::Malformed("Lambda streams on after the end"));
                    }
                    Message::Chunk => {
                        let found = self.opening.open(bytes, body);
                        Self::found(&mut self.head, found)?;
                    }
                    Message::Complete => {
                        let room = MOST_TEXT.saturating_sub(self.text.len());
                        let kept = bytes.get(..room).unwrap_or(bytes);
                        self.text.extend_from_slice(kept);
                    }
                    Message::Ignored | Message::Failed(_) => {}
                },
                Some(Part::End) => self.end_message(body)?,
            }
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// Not all of it had come.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        if self.complete && self.decoder.is_between_messages() {
            Ok(())
        } else {
            Err(Failure::Malformed("the stream ended before its end"))
        }
    }

    /// The head of the client's response, once: as soon as it is known.
    pub(crate) fn take_head(&mut self) -> Option<Head> {
        self.head.take()
    }

    /// The last lines of the function's log in base64, where Lambda was asked for them; once.
    pub(crate) fn take_log(&mut self) -> Option<Vec<u8>> {
        self.log.take()
    }

    fn end_message(&mut self, body: &mut Vec<u8>) -> Result<(), Failure> {
        match std::mem::take(&mut self.message) {
            Message::Ignored | Message::Chunk => Ok(()),
            Message::Failed(error_type) => Err(Failure::Provider { error_type }),
            Message::Complete => {
                self.complete = true;
                let ended = read_end(&self.text)?;
                self.log = ended.log;
                if let Some(failure) = ended.failure {
                    return Err(failure);
                }
                let found = self.opening.close(body);
                Self::found(&mut self.head, found)
            }
        }
    }

    fn found(head: &mut Option<Head>, found: Found) -> Result<(), Failure> {
        match found {
            Found::Nothing => {}
            Found::Plain => *head = Some(Head::Plain),
            Found::Chosen(chosen) => *head = Some(Head::Chosen(chosen)),
            Found::Malformed(why) => return Err(Failure::Malformed(why)),
        }
        Ok(())
    }
}

/// What a message is, by its headers (Smithy, "Event stream message structure").
fn message(headers: Headers<'_>) -> Message {
    let text = |name| headers.text(name).unwrap_or_default();
    match text(":message-type") {
        b"event" => match text(":event-type") {
            b"PayloadChunk" => Message::Chunk,
            b"InvokeComplete" => Message::Complete,
            _ => Message::Ignored,
        },
        b"exception" => Message::Failed(shown(text(":exception-type"))),
        b"error" => Message::Failed(shown(text(":error-code"))),
        _ => Message::Failed(String::new()),
    }
}

/// The type of an error, if it looks like one.
fn shown(error_type: &[u8]) -> String {
    let is_plain = error_type.len() <= 100 && error_type.iter().all(u8::is_ascii_alphanumeric);
    let text = std::str::from_utf8(error_type).ok();
    text.filter(|_| is_plain).unwrap_or_default().to_owned()
}

/// The end of a call.
struct End {
    failure: Option<Failure>,
    log: Option<Vec<u8>>,
}

/// Reads the payload of `InvokeComplete` (AWS Lambda API reference, InvokeWithResponseStreamCompleteEvent).
fn read_end(text: &[u8]) -> Result<End, Failure> {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Complete<'a> {
        #[serde(borrow)]
        error_code: Option<&'a RawValue>,
        error_details: Option<String>,
        log_result: Option<String>,
    }
    let complete: Complete<'_> = if text.is_empty() {
        Complete::default()
    } else if text.len() == MOST_TEXT {
        // Cut, so it cannot be read; what is so long are the details of an error.
        let error = b"Unhandled".to_vec();
        let details = Vec::new();
        return Err(Failure::Function { error, details });
    } else {
        serde_json::from_slice(text)
            .map_err(|_| Failure::Malformed("Lambda does not say how the call ended"))?
    };
    let code = complete.error_code.map_or("", RawValue::get);
    let code = code.trim_matches('"');
    Ok(End {
        failure: (!code.is_empty()).then(|| Failure::Function {
            error: code.as_bytes().to_vec(),
            details: complete.error_details.unwrap_or_default().into_bytes(),
        }),
        log: complete.log_result.map(String::into_bytes),
    })
}
