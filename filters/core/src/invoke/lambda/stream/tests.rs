use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use aws_smithy_types::str_bytes::StrBytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn message(kind: &str, name: &str, value: &str, payload: &[u8]) -> Vec<u8> {
    let text = |value: &str| HeaderValue::String(StrBytes::from(value.to_owned()));
    let message = Message::new(payload.to_vec())
        .add_header(Header::new(":message-type", text(kind)))
        .add_header(Header::new(name.to_owned(), text(value)));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn chunk(payload: impl AsRef<[u8]>) -> Vec<u8> {
    message("event", ":event-type", "PayloadChunk", payload.as_ref())
}

fn end(payload: &str) -> Vec<u8> {
    message("event", ":event-type", "InvokeComplete", payload.as_bytes())
}

/// All that comes of pieces.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    head: Option<Head>,
    body: Vec<u8>,
    log: Option<Vec<u8>>,
    ended: Result<(), Failure>,
}

fn read<'a>(expect: Expect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut stream = Stream::new(expect);
    let (mut body, mut head) = (Vec::new(), None);
    let mut ended = Ok(());
    for piece in pieces {
        ended = stream.feed(piece, &mut body);
        head = stream.take_head().or(head);
        // Nothing goes out before its head.
        assert!(head.is_some() || body.is_empty());
        assert!(stream.text.len() <= MOST_TEXT);
        if ended.is_err() {
            break;
        }
    }
    Read {
        head,
        body,
        log: stream.take_log(),
        ended: ended.and_then(|()| stream.finish()),
    }
}

fn read_all(expect: Expect, messages: &[Vec<u8>]) -> Read {
    read(expect, [&*messages.concat()])
}

fn chosen(status: u16, headers: &[(&str, &str)]) -> Head {
    let headers = headers.iter();
    Head::Chosen(Unwrapped {
        status,
        headers: headers.map(|(a, b)| ((*a).into(), (*b).into())).collect(),
        ..Unwrapped::default()
    })
}

const NULS: &[u8] = &[0; 8];

#[test]
fn status_headers_and_cookies_come_before_eight_nul_bytes() {
    let text = br#" {"statusCode":418,"headers":{"Content-Type":"text/plain","X-N":3,"x-b":"no","bad name":"x"},
        "multiValueHeaders":{"x-B":["1","2"]},"cookies":["a=1","b={\"\\"]}"#;
    let read = read_all(
        Expect::Either,
        &[chunk(text), chunk(NULS), chunk("body"), end("{}")],
    );
    let headers = [
        ("content-type", "text/plain"),
        ("x-n", "3"),
        ("x-b", "1"),
        ("x-b", "2"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b={\"\\"),
    ];
    let mut expected = headers.to_vec();
    // Maps are read in the order of their names.
    expected.sort_by_key(|(name, _)| *name == "set-cookie");
    assert_eq!(read.head, Some(chosen(418, &expected)));
    assert_eq!((&*read.body, read.ended), (&b"body"[..], Ok(())));
}

#[test]
fn what_does_not_begin_with_status_and_headers_is_the_body() {
    for body in [
        &b""[..],
        b"text",
        b"[1]",
        b"\0\0\0\0\0\0\0\0",
        b"{}",
        b"{}\0\0\0\0\0\0\0",
        b"{\"a\":1}\n{\"a\":2}",
        b"{\"a\":\"\0\0\0\0\0\0\0\0",
        b"  ",
    ] {
        let read = read_all(Expect::Either, &[chunk(body), end("{}")]);
        assert_eq!((read.head, read.ended), (Some(Head::Plain), Ok(())));
        assert_eq!(read.body, body);
        let read = read_all(Expect::Chosen, &[chunk(body), end("{}")]);
        assert!(matches!(read.ended, Err(Failure::Malformed(_))), "{read:?}");
        assert_eq!(read.head, None);
    }
}

/// A line of JSON is not kept until the next one comes.
#[test]
fn a_body_goes_out_as_soon_as_it_shows() {
    let mut stream = Stream::new(Expect::Either);
    let mut body = Vec::new();
    stream.feed(&chunk("{\"a\":1}\n"), &mut body).unwrap();
    assert_eq!(
        (&*body, stream.take_head()),
        (&b"{\"a\":1}\n"[..], Some(Head::Plain))
    );
}

#[test]
fn status_and_headers_come_within_16_kb_or_not_at_all() {
    let of = |length: usize| {
        format!(r#"{{"headers":{{"a":"{}"}}}}"#, "x".repeat(length - 20)).into_bytes()
    };
    assert_eq!(of(100).len(), 100);
    for (length, found) in [(16 * 1024 - 8, true), (16 * 1024 - 7, false)] {
        let sent = [&*of(length), NULS, b"body"].concat();
        let read = read_all(Expect::Either, &[chunk(&sent), end("{}")]);
        assert_eq!(matches!(read.head, Some(Head::Chosen(_))), found);
        assert_eq!(read.body == b"body", found);
        assert_eq!(read.body == sent, !found);
    }
}

#[test]
fn status_and_headers_that_are_none_are_malformed() {
    for text in [
        r#"{"statusCode":99999}"#,
        r#"{"statusCode":101}"#,
        r#"{"statusCode":"x"}"#,
        r#"{"headers":[]}"#,
        r#"{"multiValueHeaders":{"a":"b"}}"#,
        r#"{"cookies":"a"}"#,
        r#"{not json}"#,
    ] {
        let read = read_all(Expect::Either, &[chunk([text.as_bytes(), NULS].concat())]);
        assert_eq!(
            read.ended,
            Err(Failure::Malformed(
                "the status and headers that the function chose are none"
            )),
            "{text}"
        );
        assert_eq!(read.head, None, "{text}");
    }
}

#[test]
fn a_function_s_failure_has_its_own_words() {
    let failed = end(
        r#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorMessage\":\"boom\"}","LogResult":"bG9n"}"#,
    );
    let failure = || Failure::Function {
        error: b"Unhandled".to_vec(),
        details: br#"{"errorMessage":"boom"}"#.to_vec(),
    };
    let at_once = read_all(Expect::Either, std::slice::from_ref(&failed));
    assert_eq!((at_once.head, at_once.ended), (None, Err(failure())));
    assert_eq!(at_once.log.as_deref(), Some(&b"bG9n"[..]));
    let later = read_all(Expect::Either, &[chunk("some"), failed]);
    assert_eq!((&*later.body, later.ended), (&b"some"[..], Err(failure())));
}

#[test]
fn a_failure_with_too_many_words_is_one() {
    let details = "x".repeat(MOST_TEXT);
    let read = read_all(
        Expect::Either,
        &[end(&format!(
            r#"{{"ErrorCode":"Unhandled","ErrorDetails":"{details}"}}"#
        ))],
    );
    assert!(matches!(read.ended, Err(Failure::Function { details, .. }) if details.is_empty()));
}

#[test]
fn an_end_without_an_error_is_a_success() {
    for text in [
        "",
        "{}",
        r#"{"ErrorCode":null}"#,
        r#"{"ErrorCode":""}"#,
        r#"{"FromTheFuture":1}"#,
    ] {
        let read = read_all(Expect::Either, &[chunk("a"), end(text)]);
        assert_eq!(read.ended, Ok(()), "{text}");
    }
    let read = read_all(Expect::Either, &[chunk("a"), end("[")]);
    assert!(matches!(read.ended, Err(Failure::Malformed(_))));
}

#[test]
fn exceptions_and_errors_are_lambda_s() {
    for (kind, name, value, shown) in [
        (
            "exception",
            ":exception-type",
            "ServiceException",
            "ServiceException",
        ),
        ("error", ":error-code", "InternalFailure", "InternalFailure"),
        ("exception", ":exception-type", "no\r\nway", ""),
        ("of-a-new-kind", ":event-type", "PayloadChunk", ""),
    ] {
        let read = read_all(
            Expect::Either,
            &[message(kind, name, value, b"arn:aws:secret")],
        );
        let error_type = shown.to_owned();
        assert_eq!(read.ended, Err(Failure::Provider { error_type }));
    }
}

#[test]
fn events_of_a_newer_lambda_are_for_nobody() {
    let new = message("event", ":event-type", "Weather", b"sunny");
    let read = read_all(
        Expect::Either,
        &[new.clone(), chunk("a"), new.clone(), end("{}"), new],
    );
    assert_eq!((&*read.body, read.ended), (&b"a"[..], Ok(())));
}

#[test]
fn a_stream_that_goes_on_after_its_end_is_malformed() {
    let read = read_all(Expect::Either, &[chunk("a"), end("{}"), chunk("b")]);
    assert_eq!((&*read.body, read.ended.is_err()), (&b"a"[..], true));
}

/// A beginning, or none.
fn opening() -> impl Strategy<Value = Vec<u8>> {
    let chosen = r#"\{("statusCode":[0-9]{3})?(,"headers":\{"[a-z]{1,3}":"[a-z{}\\"]{0,4}"\})?\}"#;
    (chosen, 0..10_usize).prop_map(|(text, nuls)| [text.as_bytes(), &vec![0; nuls]].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_reads_the_same_in_any_pieces(
        opening in opening(),
        chunks in vec(vec(any::<u8>(), 0..50), 0..5),
        complete in any::<bool>(),
        at in any::<prop::sample::Index>(),
        bit in prop::option::of(0..8_u32),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = chunk(&opening);
        for payload in &chunks {
            bytes.extend(chunk(payload));
        }
        if complete {
            bytes.extend(end("{}"));
        }
        let at = at.index(bytes.len());
        if let Some(bit) = bit {
            bytes[at] ^= 1 << bit;
        }
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut start = 0;
        let pieces: Vec<_> = ends.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect();
        let whole = read(Expect::Either, [&*bytes]);
        prop_assert_eq!(&read(Expect::Either, pieces), &whole);
        if bit.is_none() && whole.head == Some(Head::Plain) {
            prop_assert_eq!(&whole.body, &[opening, chunks.concat()].concat());
        }
        prop_assert_eq!(whole.ended.is_ok(), complete && bit.is_none() && whole.head.is_some());
    }

    #[test]
    fn any_bytes_read_the_same_in_any_pieces(bytes in vec(any::<u8>(), 0..200), size in 1..20_usize) {
        prop_assert_eq!(read(Expect::Either, bytes.chunks(size)), read(Expect::Either, [&*bytes]));
    }
}
