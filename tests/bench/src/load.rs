//! A closed loop of requests over HTTP/1.1, cheap enough not to be what is measured.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::message;
use crate::rows::{REST, Row};
use crate::wire::Messages;

/// Requests of one kind.
pub(crate) struct Load {
    address: SocketAddr,
    request: Arc<[u8]>,
}

/// What a run took.
pub(crate) struct Done {
    pub(crate) elapsed: Duration,
    /// Of each request, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    /// The requests of a row.
    pub(crate) fn new(row: &Row, address: SocketAddr) -> Self {
        Self {
            address,
            request: request(row).into(),
        }
    }

    /// Sends so many requests over each of so many connections, one at a time. Fails unless each is answered 200.
    pub(crate) fn run(&self, connections: usize, each: usize) -> Result<Done> {
        let start = Instant::now();
        let address = self.address;
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                let request = Arc::clone(&self.request);
                thread::spawn(move || run_connection(address, &request, each))
            })
            .collect();
        let mut latencies = Vec::with_capacity(connections * each);
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
}

fn request(row: &Row) -> Vec<u8> {
    let method = if row.shape.body == 0 { "GET" } else { "POST" };
    let mut request = format!(
        "{method} /{} HTTP/1.1\r\nhost: bench.test\r\naccept: */*\r\n",
        row.id()
    );
    if matches!(row.group.name, "transform" | REST) {
        request += "x-name: ann\r\nx-internal: 1\r\n";
    }
    if row.shape.body > 0 {
        request += &format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            row.shape.body
        );
    }
    request += "\r\n";
    let mut request = request.into_bytes();
    if row.shape.body > 0 {
        request.extend(message::document(row.shape.body));
    }
    request
}

fn run_connection(address: SocketAddr, request: &[u8], requests: usize) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
    let mut responses = Messages::new(reader);
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..requests {
        let start = Instant::now();
        stream.write_all(request)?;
        let status = responses.start()?;
        ensure!(status == "HTTP/1.1 200 OK", "answered {status:?}");
        responses.finish(|_| {})?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}
