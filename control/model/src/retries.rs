//! Which failures of a route are tried again, and when (Gloo's `retries`).

use std::time::Duration;

use crate::header;
use crate::read::{Fields, Node};

/// Which failures are tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Envoy's conditions, with commas.
    pub retry_on: String,
    /// Statuses that are tried again as well.
    pub statuses: Vec<u32>,
    /// How often, after the first try; at least once.
    pub retries: Option<u32>,
    /// How long a try may take.
    pub per_try_timeout: Option<Duration>,
    /// How long to wait between tries.
    pub back_off: Option<RetryBackOff>,
    /// How long to wait where the answer says so.
    pub rate_limited: Option<RateLimitedBackOff>,
    /// Go to other priorities of endpoints; look for them anew after so many tries.
    pub previous_priorities: Option<u32>,
}

/// How long to wait between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBackOff {
    /// The first wait.
    pub base: Duration,
    /// The longest wait.
    pub most: Option<Duration>,
}

/// How long to wait where the answer says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitedBackOff {
    /// The headers that say it: the first that can be read is taken.
    pub headers: Vec<ResetHeader>,
    /// What is longer is not taken.
    pub most: Option<Duration>,
}

/// A header that says how long to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetHeader {
    /// Its name.
    pub name: String,
    /// What stands in it.
    pub format: ResetFormat,
}

/// What says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetFormat {
    /// Seconds from now.
    Seconds,
    /// The second of the Unix epoch.
    UnixTimestamp,
}

/// Conditions that Envoy knows.
const RETRY_ON: [&str; 20] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    STATUSES,
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "aborted",
    "unknown",
    "unimplemented",
    "data-loss",
];

/// The condition that makes Envoy look at the statuses.
const STATUSES: &str = "retriable-status-codes";

pub(crate) fn read(node: &Node<'_>) -> Option<RetryPolicy> {
    node.object(|fields| {
        let retry_on = fields.field("retryOn", |node| {
            let text = header::value(&node)?;
            for condition in conditions(&text) {
                if !RETRY_ON.contains(&condition) {
                    node.warn(format!(
                        "Envoy does not know the condition {condition:?} and ignores it"
                    ));
                }
            }
            Some(text)
        });
        let mut retry_on = retry_on.unwrap_or_default();
        let statuses = fields.list("retriableStatusCodes", |node| node.number(100, 599));
        if !statuses.is_empty() && conditions(&retry_on).all(|it| it != STATUSES) {
            // Gloo's field is for "status codes that should trigger a retry in addition to those specified by retry_on".
            let comma = if retry_on.is_empty() { "" } else { "," };
            retry_on = format!("{retry_on}{comma}{STATUSES}");
        }
        Some(RetryPolicy {
            retry_on,
            statuses,
            // As Gloo, which cannot tell 0 from a field that is not there: its default, which is Envoy's.
            retries: fields
                .field("numRetries", |node| node.uint())
                .filter(|retries| *retries > 0),
            per_try_timeout: fields.field("perTryTimeout", |node| node.duration()),
            back_off: fields.field("retryBackOff", |node| node.object(read_back_off)),
            rate_limited: fields.field("rateLimitedRetryBackOff", |node| {
                node.object(read_rate_limited)
            }),
            previous_priorities: fields.field("previousPriorities", |node| {
                node.object(|fields| {
                    let frequency =
                        fields.field("updateFrequency", |node| node.number(1, i32::MAX as u32));
                    Some(frequency.unwrap_or(1))
                })
            }),
        })
    })
}

fn conditions(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty())
}

fn read_back_off(fields: &mut Fields<'_>) -> Option<RetryBackOff> {
    let base = fields.required("baseInterval", |node| node.positive_duration());
    let most = fields.field("maxInterval", |node| node.positive_duration());
    if let (Some(base), Some(most)) = (base, most)
        && most < base
    {
        fields.error("maxInterval is shorter than baseInterval");
    }
    Some(RetryBackOff { base: base?, most })
}

fn read_rate_limited(fields: &mut Fields<'_>) -> Option<RateLimitedBackOff> {
    let headers = fields.required("resetHeaders", |node| {
        let headers = node.list(|node| {
            node.object(|fields| {
                let name = fields.required("name", |node| header::matched_name(&node));
                let format = fields.field("format", |node| {
                    node.choice(&[
                        ("SECONDS", ResetFormat::Seconds),
                        ("UNIX_TIMESTAMP", ResetFormat::UnixTimestamp),
                    ])
                });
                Some(ResetHeader {
                    name: name?,
                    format: format.unwrap_or(ResetFormat::Seconds),
                })
            })
        })?;
        match headers.is_empty() {
            // Envoy wants one, or refuses all routes of the listener.
            true => node.error("must not be empty"),
            false => Some(headers),
        }
    });
    let most = fields.field("maxInterval", |node| node.positive_duration());
    Some(RateLimitedBackOff {
        headers: headers?,
        most,
    })
}
