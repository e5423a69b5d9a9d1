//! What came of a scenario on some host.

use std::collections::BTreeMap;

use crate::fake::{HeaderList, Sent};

/// What the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1
    #[default]
    Http1,
    /// HTTP/2 without TLS
    Http2,
}

impl Protocol {
    /// Its name, as Envoy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// What came of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// What the client spoke.
    pub protocol: Protocol,
    /// Whether the host cannot add a body to a response that came without one.
    pub adds_no_body: bool,
    /// The client's status.
    pub status: u16,
    /// The headers of the client's response.
    pub headers: HeaderList,
    /// The body of the client's response.
    pub body: Vec<u8>,
    /// The trailers of the client's response.
    pub trailers: HeaderList,
    /// Whether the client's response ended before its end.
    pub cut_off: bool,
    /// Response code details, where the host can set them.
    pub details: Option<String>,
    /// What the provider was asked.
    pub sent: Vec<Sent>,
    /// The client's request as an access log shows it.
    pub logged: HeaderList,
    /// The dynamic metadata.
    pub annotations: BTreeMap<String, String>,
    /// How the tries were counted: functions and results, sorted.
    pub counts: Vec<(String, String)>,
    /// What would hurt a connection, or did.
    pub problems: Vec<String>,
    /// What the host logged.
    pub log: String,
}

/// The request headers that access logs of real Envoys are asked for.
pub const LOGGED: [&str; 20] = [
    ":method",
    ":path",
    ":authority",
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "x-amz-client-context",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-invocation-type",
    "x-amz-log-type",
    "x-amz-security-token",
    "x-amzn-trace-id",
    "x-amzn-vpc-id",
    "x-functions-clientid",
    "x-functions-key",
    "x-serverless-authorization",
    "x-tenon-secret",
];

/// Headers that are the hop's or the clock's, not the filter's.
const OF_THE_HOP: [&str; 7] = [
    "connection",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-upstream-service-time",
];

/// Headers in the order of their names, without those of the hop: the order of different names means nothing, and
/// HTTP/2 and HTTP/1.1 frame differently.
pub fn comparable(headers: &HeaderList) -> Vec<(String, String)> {
    let mut all: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !OF_THE_HOP.contains(name))
        .map(|(name, value)| (name.to_owned(), show(value)))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Bytes as text that tells different bytes apart, cut where it is long.
pub fn show(bytes: &[u8]) -> String {
    const MOST: usize = 2_000;
    let mut shown = String::new();
    for byte in bytes.get(..MOST).unwrap_or(bytes) {
        match byte {
            b'\\' => shown.push_str("\\\\"),
            0x20..=0x7e => shown.push(char::from(*byte)),
            _ => shown.push_str(&format!("\\x{byte:02x}")),
        }
    }
    if bytes.len() > MOST {
        format!("{shown}… ({} bytes)", bytes.len())
    } else {
        shown
    }
}
