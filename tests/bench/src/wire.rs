//! Messages of HTTP/1.1, read at the least cost.

use std::io::BufRead;

use anyhow::{Context, Result, ensure};

/// Reads messages from a connection.
pub(crate) struct Messages<R> {
    reader: R,
    line: String,
    buffer: Vec<u8>,
    body: usize,
}

impl<R: BufRead> Messages<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            line: String::new(),
            buffer: vec![0; 64 << 10],
            body: 0,
        }
    }

    /// The next message's first line; nothing where the connection has ended.
    pub(crate) fn start(&mut self) -> Result<&str> {
        self.line.clear();
        self.reader.read_line(&mut self.line)?;
        Ok(self.line.trim_end())
    }

    /// Reads the rest of a message: its headers, each of which `visit` is shown, and its body.
    pub(crate) fn finish(&mut self, mut visit: impl FnMut(&str)) -> Result<()> {
        self.body = 0;
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = self.start()?;
            if header.is_empty() {
                break;
            }
            visit(header);
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().context("content-length")?;
            }
            chunked |= header == "transfer-encoding: chunked";
        }
        if !chunked {
            return self.read(length);
        }
        loop {
            let length = usize::from_str_radix(self.start()?, 16).context("a chunk's length")?;
            self.read(length)?;
            let end = self.start()?;
            ensure!(end.is_empty(), "a chunk that ends with {end:?}");
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// The last message's body, as much of it as is kept, and how long it was.
    pub(crate) fn body(&self) -> (&[u8], usize) {
        let kept = self.body.min(self.buffer.len());
        (&self.buffer[..kept], self.body)
    }

    fn read(&mut self, mut length: usize) -> Result<()> {
        while length > 0 {
            // Only small bodies are looked at: a larger one is written over.
            let from = if self.body < self.buffer.len() {
                self.body
            } else {
                0
            };
            let part = length.min(self.buffer.len() - from);
            self.reader
                .read_exact(&mut self.buffer[from..from + part])?;
            self.body += part;
            length -= part;
        }
        Ok(())
    }
}
