//! A closed loop of requests over HTTP/1.1, cheap enough not to be what is measured.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

/// Requests of one kind.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    /// Bytes of the request's body; none: a GET.
    pub(crate) body: usize,
    pub(crate) requests: usize,
}

/// What a run took.
pub(crate) struct Done {
    pub(crate) elapsed: Duration,
    /// Of each request, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    /// Sends all requests over `connections` connections, one at a time on each. Fails unless each is answered 200.
    pub(crate) fn run(&self, connections: usize) -> Result<Done> {
        let request: Arc<[u8]> = self.request().into();
        let each = self.requests / connections;
        let start = Instant::now();
        let address = self.address;
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                let request = Arc::clone(&request);
                thread::spawn(move || run_connection(address, &request, each))
            })
            .collect();
        let mut latencies = Vec::with_capacity(self.requests);
        for thread in threads {
            latencies.extend(
                thread
                    .join()
                    .map_err(|_| anyhow!("a connection's thread panicked"))??,
            );
        }
        latencies.sort_unstable();
        Ok(Done {
            elapsed: start.elapsed(),
            latencies,
        })
    }

    fn request(&self) -> Vec<u8> {
        let method = if self.body == 0 { "GET" } else { "POST" };
        let mut request = format!(
            "{method} {} HTTP/1.1\r\nhost: bench.test\r\naccept: */*\r\n",
            self.path
        );
        if self.body > 0 {
            request += &format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                self.body
            );
        }
        request += "\r\n";
        let mut request = request.into_bytes();
        request.resize(request.len() + self.body, b'1');
        request
    }
}

fn run_connection(address: SocketAddr, request: &[u8], requests: usize) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
    let mut latencies = Vec::with_capacity(requests);
    let (mut line, mut body) = (String::new(), Vec::new());
    for _ in 0..requests {
        let start = Instant::now();
        stream.write_all(request)?;
        read_response(&mut reader, &mut line, &mut body)?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

fn read_response(reader: &mut impl BufRead, line: &mut String, body: &mut Vec<u8>) -> Result<()> {
    let mut length = None;
    let mut first = true;
    loop {
        line.clear();
        reader.read_line(line)?;
        let text = line.trim_end();
        if std::mem::take(&mut first) {
            ensure!(text == "HTTP/1.1 200 OK", "answered {text:?}");
        }
        if text.is_empty() {
            break;
        }
        if let Some(value) = text.strip_prefix("content-length: ") {
            length = Some(value.parse::<usize>()?);
        }
    }
    body.resize(length.context("an answer without content-length")?, 0);
    reader.read_exact(body)?;
    Ok(())
}
