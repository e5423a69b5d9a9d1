//! `application/vnd.amazon.eventstream`, decoded as it comes.
//!
//! A message is a prelude (its length, the length of its headers, the CRC32 of those eight bytes), headers, a payload and
//! the CRC32 of all before it, numbers in network order (Smithy, "Amazon Event Stream Specification"). A payload is given
//! out as it comes, before the checksum of its message is there: what is kept meanwhile is bounded by
//! [`MOST_HEADERS`], and a wrong checksum is an [`Error`] behind the bytes that it is about.
//!
//! ```
//! use tenon_core::eventstream::{Decoder, Error, Part};
//!
//! let mut decoder = Decoder::default();
//! let mut input: &[u8] = &[0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
//! assert!(matches!(decoder.next(&mut input), Ok(Some(Part::Begin(_)))));
//! assert!(matches!(decoder.next(&mut input), Ok(Some(Part::End))));
//! assert!(matches!(decoder.next(&mut input), Ok(None)));
//! assert!(decoder.is_between_messages());
//! ```

#[cfg(target_arch = "wasm32")]
use crc::Hasher;
#[cfg(not(target_arch = "wasm32"))]
use crc32fast::Hasher;

#[cfg(any(test, target_arch = "wasm32"))]
mod crc;
mod headers;
#[cfg(test)]
mod tests;

pub use headers::Headers;

/// The largest block of headers, in bytes (the limit of AWS's own decoders).
pub const MOST_HEADERS: u32 = 128 * 1024;
/// The largest payload, in bytes (the limit of AWS's own decoders).
pub const MOST_PAYLOAD: u32 = 24 * 1024 * 1024;

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// A message without headers and payload.
const LEAST_MESSAGE: u32 = 16;

/// A part of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A message begins. Its headers are not covered by a checksum yet.
    Begin(Headers<'a>),
    /// Bytes of its payload, one or more.
    Payload(&'a [u8]),
    /// It is whole, and what it says it is.
    End,
}

/// Why a stream cannot be decoded. Nothing after it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The checksum of a prelude is wrong.
    #[error("the checksum of a prelude is wrong")]
    Prelude,
    /// A message is shorter than its own headers.
    #[error("a message is shorter than its headers")]
    Length,
    /// Headers or payload are larger than [`MOST_HEADERS`] or [`MOST_PAYLOAD`].
    #[error("a message is too large")]
    TooLarge,
    /// The headers are not headers.
    #[error("the headers of a message are malformed")]
    Headers,
    /// The checksum of a message is wrong.
    #[error("the checksum of a message is wrong")]
    Checksum,
}

/// Decodes a stream of messages, whatever pieces it comes in.
#[derive(Debug, Default)]
pub struct Decoder {
    section: Section,
    /// What has come of a prelude, a block of headers or a checksum.
    gathered: Vec<u8>,
    /// Over all of the message so far.
    checksum: Hasher,
}

#[derive(Debug, Clone, Copy, Default)]
enum Section {
    #[default]
    Prelude,
    Headers {
        headers: usize,
        payload: usize,
    },
    Payload {
        left: usize,
    },
    Checksum,
    Failed(Error),
}

impl Decoder {
    /// The next part of what `input` holds, which is taken off it. `None`: there is nothing left of it.
    ///
    /// # Errors
    /// See [`Error`]; the same one again for whatever comes later.
    pub fn next<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8]) -> Result<Option<Part<'d>>, Error> {
        loop {
            match self.section {
                Section::Prelude => {
                    if !self.gather(input, PRELUDE) {
                        return Ok(None);
                    }
                    self.section = self.read_prelude().or_else(|error| self.fail(error))?;
                    self.gathered.clear();
                }
                Section::Headers { headers, payload } => {
                    if !self.gather(input, headers) {
                        return Ok(None);
                    }
                    self.checksum.update(&self.gathered);
                    if !Headers::are_sound(&self.gathered) {
                        return self.fail(Error::Headers);
                    }
                    self.section = Section::Payload { left: payload };
                    return Ok(Some(Part::Begin(Headers::of(&self.gathered))));
                }
                Section::Payload { left: 0 } => {
                    self.gathered.clear();
                    self.section = Section::Checksum;
                }
                Section::Payload { left } => {
                    let (bytes, rest) = input.split_at_checked(left).unwrap_or((*input, &[]));
                    if bytes.is_empty() {
                        return Ok(None);
                    }
                    *input = rest;
                    self.checksum.update(bytes);
                    let left = left.saturating_sub(bytes.len());
                    self.section = Section::Payload { left };
                    return Ok(Some(Part::Payload(bytes)));
                }
                Section::Checksum => {
                    if !self.gather(input, CHECKSUM) {
                        return Ok(None);
                    }
                    let checksum = std::mem::take(&mut self.checksum).finalize();
                    if number(&self.gathered, 0) != Some(checksum) {
                        return self.fail(Error::Checksum);
                    }
                    self.gathered.clear();
                    self.section = Section::Prelude;
                    return Ok(Some(Part::End));
                }
                Section::Failed(error) => return Err(error),
            }
        }
    }

    /// Whether a stream may end here.
    pub fn is_between_messages(&self) -> bool {
        matches!(self.section, Section::Prelude) && self.gathered.is_empty()
    }

    /// Moves bytes from `input` until `length` of them are there.
    fn gather(&mut self, input: &mut &[u8], length: usize) -> bool {
        let missing = length.saturating_sub(self.gathered.len());
        let (bytes, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
        self.gathered.extend_from_slice(bytes);
        *input = rest;
        bytes.len() == missing
    }

    fn read_prelude(&mut self) -> Result<Section, Error> {
        let prelude = &self.gathered;
        let lengths = prelude.get(..8).unwrap_or_default();
        self.checksum.update(lengths);
        if number(prelude, 8) != Some(self.checksum.clone().finalize()) {
            return Err(Error::Prelude);
        }
        self.checksum.update(prelude.get(8..).unwrap_or_default());
        let (Some(total), Some(headers)) = (number(lengths, 0), number(lengths, 4)) else {
            return Err(Error::Prelude);
        };
        let payload = total
            .checked_sub(LEAST_MESSAGE)
            .and_then(|rest| rest.checked_sub(headers))
            .ok_or(Error::Length)?;
        if headers > MOST_HEADERS || payload > MOST_PAYLOAD {
            return Err(Error::TooLarge);
        }
        Ok(Section::Headers {
            headers: headers as usize,
            payload: payload as usize,
        })
    }

    fn fail<T>(&mut self, error: Error) -> Result<T, Error> {
        self.section = Section::Failed(error);
        self.gathered = Vec::new();
        Err(error)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}
