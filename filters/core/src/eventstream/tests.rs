//! The independent witness is AWS's own encoder, `aws-smithy-eventstream`.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use aws_smithy_types::{DateTime, str_bytes::StrBytes};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A message as it was decoded, whatever pieces its payload came in.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Seen {
    headers: Vec<u8>,
    kind: Option<Vec<u8>>,
    payload: Vec<u8>,
    whole: bool,
}

/// Decodes pieces; ends at the first error.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, Result<bool, Error>) {
    let mut decoder = Decoder::default();
    let mut seen: Vec<Seen> = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(None) => break,
                Ok(Some(Part::Begin(headers))) => seen.push(Seen {
                    headers: format!("{headers:?}").into_bytes(),
                    kind: headers.text(":event-type").map(<[u8]>::to_vec),
                    ..Seen::default()
                }),
                Ok(Some(Part::Payload(bytes))) => {
                    assert!(!bytes.is_empty());
                    seen.last_mut().unwrap().payload.extend(bytes);
                }
                Ok(Some(Part::End)) => seen.last_mut().unwrap().whole = true,
                Err(error) => {
                    assert_eq!(decoder.next(&mut &b"more"[..]), Err(error));
                    return (seen, Err(error));
                }
            }
        }
        assert!(piece.is_empty());
        assert!(decoder.gathered.capacity() <= 2 * MOST_HEADERS as usize);
    }
    let ended = decoder.is_between_messages();
    (seen, Ok(ended))
}

fn encode(messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        write_message_to(message, &mut bytes).unwrap();
    }
    bytes
}

/// `bytes` in pieces, cut where `cuts` say.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter()
        .map(|end| &bytes[std::mem::replace(&mut start, end)..end])
        .collect()
}

fn value() -> impl Strategy<Value = HeaderValue> {
    prop_oneof![
        any::<bool>().prop_map(HeaderValue::Bool),
        any::<i8>().prop_map(HeaderValue::Byte),
        any::<i16>().prop_map(HeaderValue::Int16),
        any::<i32>().prop_map(HeaderValue::Int32),
        any::<i64>().prop_map(HeaderValue::Int64),
        vec(any::<u8>(), 0..20).prop_map(|bytes| HeaderValue::ByteArray(bytes.into())),
        ".{0,20}".prop_map(|text| HeaderValue::String(StrBytes::from(text))),
        (0..1_000_000_i64).prop_map(|at| HeaderValue::Timestamp(DateTime::from_secs(at))),
        any::<u128>().prop_map(HeaderValue::Uuid),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let headers = vec(("[a-z:-]{1,20}", value()), 0..6);
    let kind = prop::option::of("[A-Za-z]{0,20}");
    (headers, kind, vec(any::<u8>(), 0..200)).prop_map(|(headers, kind, payload)| {
        let mut message = Message::new(payload);
        for (name, value) in headers {
            message = message.add_header(Header::new(name, value));
        }
        if let Some(kind) = kind {
            let kind = HeaderValue::String(StrBytes::from(kind));
            message = message.add_header(Header::new(":event-type", kind));
        }
        message
    })
}

fn kind(message: &Message) -> Option<Vec<u8>> {
    let header = message
        .headers()
        .iter()
        .find(|it| it.name().as_str() == ":event-type")?;
    let text = header.value().as_string().ok()?;
    Some(text.as_str().as_bytes().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_aws_encodes_is_decoded_in_any_pieces(messages in vec(message(), 0..4), cuts in vec(any::<prop::sample::Index>(), 0..12)) {
        let bytes = encode(&messages);
        let (seen, ended) = decode(cut(&bytes, &cuts));
        prop_assert_eq!(ended, Ok(true));
        prop_assert_eq!(seen.len(), messages.len());
        for (seen, message) in seen.iter().zip(&messages) {
            prop_assert_eq!(&seen.kind, &kind(message));
            prop_assert_eq!(&seen.payload, &message.payload().to_vec());
            prop_assert!(seen.whole);
        }
    }

    #[test]
    fn any_bytes_give_the_same_in_any_pieces(bytes in vec(any::<u8>(), 0..300), cuts in vec(any::<prop::sample::Index>(), 0..12)) {
        prop_assert_eq!(decode(cut(&bytes, &cuts)), decode([&bytes[..]]));
    }

    #[test]
    fn a_damaged_stream_gives_the_same_in_any_pieces(
        messages in vec(message(), 1..4),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = encode(&messages);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (seen, ended) = decode(cut(&bytes, &cuts));
        prop_assert_eq!((&seen, &ended), (&decode([&bytes[..]]).0, &decode([&bytes[..]]).1));
        // One wrong bit is always found.
        prop_assert!(ended.is_err(), "{:?}", ended);
    }

    #[test]
    fn a_stream_that_is_cut_off_is_not_whole(messages in vec(message(), 1..4), at in any::<prop::sample::Index>()) {
        let bytes = encode(&messages);
        let end = at.index(bytes.len());
        let starts: Vec<usize> = (0..messages.len()).map(|count| encode(&messages[..count]).len()).collect();
        let (_, ended) = decode([&bytes[..end]]);
        prop_assert_eq!(ended, Ok(starts.contains(&end)));
    }
}

/// A message whose lengths say what they like, with the right checksums.
fn claiming(total: u32, headers: u32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(rest);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

#[test]
fn lengths_that_cannot_be_are_refused_before_anything_is_kept() {
    for (total, headers, expected) in [
        (0, 0, Error::Length),
        (15, 0, Error::Length),
        (20, 5, Error::Length),
        (16, u32::MAX, Error::Length),
        (u32::MAX, 0, Error::TooLarge),
        (u32::MAX, MOST_HEADERS + 1, Error::TooLarge),
        (16 + MOST_PAYLOAD + 1, 0, Error::TooLarge),
        (16 + MOST_HEADERS + 1, MOST_HEADERS + 1, Error::TooLarge),
    ] {
        let bytes = claiming(total, headers, b"");
        assert_eq!(decode([&bytes[..]]), (Vec::new(), Err(expected)));
    }
}

#[test]
fn headers_that_are_none_are_refused() {
    for block in [
        // A name longer than the block, a type that is none, values that are cut short.
        &b"\x05ab"[..],
        b"\x01a",
        b"\x01a\x0a",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x02x",
        b"\x01a\x05\0\0\0\0\0\0\0",
        b"\x01a\x00\x01",
    ] {
        let length = u32::try_from(block.len()).unwrap();
        let bytes = claiming(16 + length, length, block);
        assert_eq!(decode([&bytes[..]]), (Vec::new(), Err(Error::Headers)));
    }
}

#[test]
fn what_comes_of_a_payload_is_given_out_at_once() {
    let bytes = encode(&[Message::new(vec![b'x'; 1 << 20])]);
    let mut decoder = Decoder::default();
    let mut given = 0;
    for piece in bytes.chunks(1_000) {
        let mut rest = piece;
        while let Some(part) = decoder.next(&mut rest).unwrap() {
            if let Part::Payload(bytes) = part {
                given += bytes.len();
            }
        }
        assert!(decoder.gathered.len() <= PRELUDE);
    }
    assert_eq!(given, 1 << 20);
}
