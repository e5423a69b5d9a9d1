//! HTTP/1.1 to the byte, for both ends: what a library would put right or refuse is what scenarios are about.

use anyhow::{Context, Result, bail, ensure};
use tenon_e2e::Gate;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::fake::HeaderList;

/// A connection, whose two ways are used at the same time.
pub(super) struct Connection {
    pub(super) reader: Reader,
    pub(super) writer: OwnedWriteHalf,
}

pub(super) type Reader = BufReader<OwnedReadHalf>;

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            reader: BufReader::new(reader),
            writer,
        })
    }
}

/// A message as it was received.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) start: String,
    pub(super) headers: HeaderList,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderList,
    /// The connection ended in its body.
    pub(super) cut_off: bool,
}

/// A message to be sent.
pub(super) struct Outgoing<'a> {
    pub(super) start: String,
    pub(super) headers: &'a HeaderList,
    pub(super) frames: &'a [Vec<u8>],
    pub(super) has_empty_end: bool,
    pub(super) trailers: &'a HeaderList,
    /// What says that there is no body, where there is none.
    pub(super) without_body: &'static str,
    /// Passed before the frame of this number is sent.
    pub(super) gate: Option<(usize, Gate)>,
}

impl Outgoing<'_> {
    /// Sends it, each frame by itself.
    pub(super) async fn send(&self, stream: &mut OwnedWriteHalf) -> Result<()> {
        let has_length = self.headers.get("content-length").is_some();
        let has_body = has_length
            || !self.frames.is_empty()
            || self.has_empty_end
            || !self.trailers.is_empty();
        let chunked = has_body && !has_length;
        let mut head = format!("{}\r\n", self.start).into_bytes();
        write_headers(&mut head, self.headers);
        if chunked {
            head.extend(b"transfer-encoding: chunked\r\n");
        } else if !has_body {
            head.extend(self.without_body.as_bytes());
        }
        head.extend(b"\r\n");
        stream.write_all(&head).await?;
        for (index, frame) in self.frames.iter().enumerate() {
            if let Some((_, gate)) = self.gate.as_ref().filter(|(at, _)| *at == index) {
                gate.pass().await?;
            }
            if frame.is_empty() {
                continue;
            }
            if chunked {
                let size = format!("{:x}\r\n", frame.len());
                stream
                    .write_all(&[size.as_bytes(), frame, b"\r\n"].concat())
                    .await?;
            } else {
                stream.write_all(frame).await?;
            }
        }
        if chunked {
            let mut end = b"0\r\n".to_vec();
            write_headers(&mut end, self.trailers);
            end.extend(b"\r\n");
            stream.write_all(&end).await?;
        }
        stream.flush().await?;
        Ok(())
    }
}

fn write_headers(out: &mut Vec<u8>, headers: &HeaderList) {
    for (name, value) in headers.iter() {
        let name = match name {
            ":authority" => "host",
            name if name.starts_with(':') => continue,
            name => name,
        };
        out.extend(name.as_bytes());
        out.extend(b": ");
        out.extend(value);
        out.extend(b"\r\n");
    }
}

/// Receives a message; `None` where the connection ended before it. `has_body` is asked with the start line, once the
/// headers are there.
pub(super) async fn receive(
    connection: &mut Reader,
    has_body: impl Fn(&str) -> bool,
) -> Result<Option<Message>> {
    let Some(start) = line(connection).await? else {
        return Ok(None);
    };
    let mut message = Message {
        start: String::from_utf8(start)?,
        ..Message::default()
    };
    ensure!(
        message.start.contains("HTTP/1.1"),
        "stray bytes {:?}",
        message.start
    );
    message.headers = headers(connection).await?;
    if !has_body(&message.start) {
        return Ok(Some(message));
    }
    if message.start.starts_with("HTTP/") {
        // A response that is cut off is one to look at.
        message.cut_off = receive_body(connection, &mut message).await.is_err();
    } else {
        receive_body(connection, &mut message).await?;
    }
    Ok(Some(message))
}

async fn receive_body(connection: &mut Reader, message: &mut Message) -> Result<()> {
    let length = message.headers.text("content-length");
    if message.headers.text("transfer-encoding") == "chunked" {
        loop {
            let size = line(connection)
                .await?
                .context("the connection ended in a body")?;
            let size = usize::from_str_radix(std::str::from_utf8(&size)?, 16)?;
            if size == 0 {
                break;
            }
            exactly(connection, size, &mut message.body).await?;
            let end = line(connection).await?;
            ensure!(
                end.as_deref() == Some(b""),
                "no line end after a chunk: {end:?}"
            );
        }
        message.trailers = headers(connection).await?;
    } else if !length.is_empty() {
        exactly(connection, length.parse()?, &mut message.body).await?;
    } else if message.start.starts_with("HTTP/") {
        connection.read_to_end(&mut message.body).await?;
    }
    Ok(())
}

async fn exactly(connection: &mut Reader, size: usize, body: &mut Vec<u8>) -> Result<()> {
    let start = body.len();
    body.resize(start + size, 0);
    connection.read_exact(&mut body[start..]).await?;
    Ok(())
}

async fn headers(connection: &mut Reader) -> Result<HeaderList> {
    let mut headers = HeaderList::default();
    loop {
        let line = line(connection)
            .await?
            .context("the connection ended in headers")?;
        if line.is_empty() {
            return Ok(headers);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            bail!("no header: {:?}", String::from_utf8_lossy(&line));
        };
        let (name, value) = line.split_at(colon);
        headers.add(
            &std::str::from_utf8(name)?.to_ascii_lowercase(),
            value[1..].trim_ascii(),
        );
    }
}

async fn line(connection: &mut Reader) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if connection.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    ensure!(
        line.ends_with(b"\r\n"),
        "no line end after {:?}",
        String::from_utf8_lossy(&line)
    );
    line.truncate(line.len() - 2);
    Ok(Some(line))
}
