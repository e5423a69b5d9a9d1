//! The function behind the measured Envoy, and the service: cheap enough not to be what limits it.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, ensure};
use tenon_e2e::eventstream;

use crate::message;
use crate::rows::{HEADERS, JSON, PLAIN, REST, Row};
use crate::wire::Messages;

/// The size of what is streamed.
const STREAMED: usize = 10 << 20;

/// What each row is answered.
type Answers = HashMap<String, Expected>;

/// What a row's request has to be like, and what is answered.
struct Expected {
    answer: Vec<u8>,
    /// A header that must have come.
    header: Option<&'static str>,
    /// What the body has to hold, and how long it may be at most.
    body: Option<(&'static [&'static str], usize)>,
}

/// Answers every request on a free port of the loopback, for as long as the process lives.
pub(crate) fn start(rows: &[Row]) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answers = rows.iter().map(|row| (row.id(), expect(row)));
    let answers: Arc<Answers> = Arc::new(answers.collect());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = answers.clone();
            // A connection ends when Envoy does.
            thread::spawn(move || serve(stream, &answers));
        }
    });
    Ok(address)
}

fn expect(row: &Row) -> Expected {
    let json = "application/json";
    let plain = row.variant == PLAIN;
    let (kind, body) = match (row.group.name, plain) {
        ("api_gateway_v2", true) => (json, message::document(row.shape.body)),
        ("api_gateway_v2", false) => (json, message::api_gateway_answer(row.shape.body)),
        ("stream", true) => ("application/octet-stream", vec![b'x'; STREAMED]),
        ("stream", false) => (eventstream::CONTENT_TYPE, message::streamed(STREAMED)),
        _ => (json, br#"{"ok":true}"#.to_vec()),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         x-amzn-requestid: 00000000-0000-4000-8000-000000000001\r\n\r\n",
        body.len()
    );
    let transformed = row.group.name == "transform" && !plain;
    let named = transformed && row.shape.name == HEADERS || row.group.name == REST && !plain;
    Expected {
        answer: [head.as_bytes(), &body].concat(),
        header: named.then_some("x-user: user-ann"),
        body: (transformed && row.shape.name == JSON).then_some((&message::TRANSFORMED[..], 256)),
    }
}

fn serve(mut stream: TcpStream, answers: &Answers) -> Result<()> {
    stream.set_nodelay(true)?;
    let reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
    let mut requests = Messages::new(reader);
    loop {
        let start = requests.start()?;
        if start.is_empty() {
            return Ok(());
        }
        let path = start.split(' ').nth(1).unwrap_or_default();
        let row = path
            .trim_end_matches("/invocations")
            .trim_end_matches("/response-streaming-invocations")
            .rsplit(['/', ':'])
            .next()
            .unwrap_or_default();
        let expected = answers.get(row).with_context(|| refusal(path))?;
        let mut has_header = expected.header.is_none();
        requests.finish(|header| has_header |= expected.header == Some(header))?;
        ensure!(has_header, refusal("a header is missing"));
        if let Some((parts, most)) = expected.body {
            let (body, length) = requests.body();
            let text = String::from_utf8_lossy(body);
            let fits = length <= most && parts.iter().all(|part| text.contains(part));
            ensure!(fits, refusal(&text));
        }
        stream.write_all(&expected.answer)?;
    }
}

/// Nobody hears an error of a connection's thread but by its end, after which Envoy answers 503.
fn refusal(what: &str) -> String {
    let what: String = what.chars().take(200).collect();
    let text = format!("the function was sent something else than it expects: {what}");
    let _ = writeln!(std::io::stderr().lock(), "{text}");
    text
}
