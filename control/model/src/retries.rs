//! Which failures of a route are tried again, and when (Gloo's `retries`).

use std::time::Duration;

use tenon_model_derive::Read;

use crate::header;
use crate::read::{Fields, Node};

/// Which failures are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = with_statuses)]
pub struct RetryPolicy {
    /// Envoy's conditions, with commas.
    #[read(with = retry_on, default)]
    pub retry_on: String,
    /// Statuses that are tried again as well.
    #[read(name = "retriableStatusCodes", range(100, 599))]
    pub statuses: Vec<u32>,
    /// How often, after the first try; once, where it is left out or 0.
    #[read(name = "numRetries", with = num_retries)]
    pub retries: Option<u32>,
    /// How long a try may take.
    pub per_try_timeout: Option<Duration>,
    /// How long to wait between tries.
    #[read(name = "retryBackOff")]
    pub back_off: Option<RetryBackOff>,
    /// How long to wait where the answer says so.
    #[read(name = "rateLimitedRetryBackOff")]
    pub rate_limited: Option<RateLimitedBackOff>,
    /// Go to other priorities of endpoints than those that were tried.
    pub previous_priorities: Option<PreviousPriorities>,
}

/// How long to wait between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(finish = in_order)]
pub struct RetryBackOff {
    /// The first wait.
    #[read(name = "baseInterval", with = Node::positive_duration)]
    pub base: Duration,
    /// The longest wait.
    #[read(name = "maxInterval", with = Node::positive_duration)]
    pub most: Option<Duration>,
}

/// How long to wait where the answer says so.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct RateLimitedBackOff {
    /// The headers that say it: the first that can be read is taken. At least one, or Envoy refuses all routes of the
    /// listener.
    #[read(name = "resetHeaders", required)]
    pub headers: Vec<ResetHeader>,
    /// What is longer is not taken.
    #[read(name = "maxInterval", with = Node::positive_duration)]
    pub most: Option<Duration>,
}

/// A header that says how long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ResetHeader {
    /// Its name.
    #[read(with = header::matched_name)]
    pub name: String,
    /// What stands in it.
    #[read(default)]
    pub format: ResetFormat,
}

/// What says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum ResetFormat {
    /// Seconds from now.
    #[default]
    Seconds,
    /// The second of the Unix epoch.
    UnixTimestamp,
}

/// Other priorities of endpoints than those that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct PreviousPriorities {
    /// After how many tries they are looked for anew.
    #[read(default = 1u32, range(1, 2_147_483_647))]
    pub update_frequency: u32,
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

/// As Gloo, which cannot tell 0 from a field that is not there: its default, which is Envoy's.
fn num_retries(node: &Node<'_>) -> Option<u32> {
    node.uint().filter(|retries| *retries > 0)
}

fn retry_on(node: &Node<'_>) -> Option<String> {
    let text = header::value(node)?;
    for condition in conditions(&text) {
        if !RETRY_ON.contains(&condition) {
            node.warn(format!(
                "Envoy does not know the condition {condition:?} and ignores it"
            ));
        }
    }
    Some(text)
}

/// Gloo's field is for "status codes that should trigger a retry in addition to those specified by retry_on".
fn with_statuses(mut policy: RetryPolicy, _: &Fields<'_>) -> Option<RetryPolicy> {
    if !policy.statuses.is_empty() && conditions(&policy.retry_on).all(|it| it != STATUSES) {
        if !policy.retry_on.is_empty() {
            policy.retry_on.push(',');
        }
        policy.retry_on.push_str(STATUSES);
    }
    Some(policy)
}

fn in_order(back_off: RetryBackOff, fields: &Fields<'_>) -> Option<RetryBackOff> {
    if back_off.most.is_some_and(|most| most < back_off.base) {
        fields.error("maxInterval is shorter than baseInterval");
    }
    Some(back_off)
}

fn conditions(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty())
}
