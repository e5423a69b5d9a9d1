//! The decoder of event streams: the same messages whatever pieces they come in, and never more of them than there were
//! bytes.

use tenon_core::eventstream::{Decoder, Error, Part};

use crate::input::Input;

/// A choice of how the stream is cut, another of whether its checksums are made right first, and the stream.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let seed = input.choice(256);
    let mut stream;
    if input.choice(2) == 1 {
        stream = input.0.to_vec();
        make_right(&mut stream);
        input = Input(&stream);
    }
    let whole = decode(&[input.0]);
    assert_eq!(decode(&input.pieces(seed)), whole);
    let given: usize = whole.messages.iter().map(|one| one.payload.len()).sum();
    assert!(given <= input.0.len());
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    messages: Vec<Message>,
    error: Option<Error>,
    between_messages: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    kind: Option<Vec<u8>>,
    headers: String,
    payload: Vec<u8>,
    whole: bool,
}

fn decode(pieces: &[&[u8]]) -> Decoded {
    let mut decoder = Decoder::default();
    let mut decoded = Decoded::default();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match decoder.next(&mut rest) {
                Ok(None) => {
                    assert!(rest.is_empty(), "left {} bytes", rest.len());
                    break;
                }
                Ok(Some(Part::Begin(headers))) => decoded.messages.push(Message {
                    kind: headers.text(":event-type").map(<[u8]>::to_vec),
                    headers: format!("{headers:?}"),
                    ..Message::default()
                }),
                Ok(Some(Part::Payload(bytes))) => {
                    assert!(!bytes.is_empty(), "a payload of no bytes");
                    let message = decoded.messages.last_mut().expect("begun");
                    assert!(!message.whole, "a payload after the end");
                    message.payload.extend_from_slice(bytes);
                }
                Ok(Some(Part::End)) => {
                    let message = decoded.messages.last_mut().expect("begun");
                    assert!(!message.whole, "two ends");
                    message.whole = true;
                }
                Err(error) => {
                    assert_eq!(decoder.next(&mut &b"more"[..]), Err(error));
                    decoded.error = Some(error);
                    return decoded;
                }
            }
        }
    }
    decoded.between_messages = decoder.is_between_messages();
    decoded
}

/// Writes the checksums that belong there, for as long as lengths make sense: no fuzzer finds a CRC32.
pub(crate) fn make_right(mut stream: &mut [u8]) {
    while stream.len() >= 16 {
        let length = u32::from_be_bytes([stream[0], stream[1], stream[2], stream[3]]) as usize;
        let prelude = crc32(&stream[..8]);
        stream[8..12].copy_from_slice(&prelude);
        if !(16..=stream.len()).contains(&length) {
            return;
        }
        let (message, rest) = stream.split_at_mut(length);
        let checksum = crc32(&message[..length - 4]);
        message[length - 4..].copy_from_slice(&checksum);
        stream = rest;
    }
}

/// CRC-32 as ISO-HDLC has it, bit by bit: not the code that the decoder uses.
fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
    }
    (!crc).to_be_bytes()
}
