//! How long requests may take, and whether failures are tried again.

use std::time::Duration;

use tenon_model::gateway_api::{HttpRule, Retry, Timeouts};
use tenon_model::{RetryBackOff, RetryPolicy};

/// What a rule says of it: of all tries, and of one.
pub(crate) fn of_rule(rule: &HttpRule) -> (Option<Duration>, Option<RetryPolicy>) {
    let Timeouts {
        request,
        backend_request,
    } = rule.timeouts.unwrap_or_default();
    // "A zero-valued timeout MUST be interpreted as disabling the timeout."
    let of_try = backend_request.filter(|it| !it.is_zero());
    let timeout = match (request, backend_request) {
        (Some(all), _) => Some(all),
        // Each try ends by itself; Envoy would end all of them after 15 seconds.
        (None, Some(_)) => Some(Duration::ZERO),
        (None, None) => None,
    };
    let retries = match (&rule.retry, of_try) {
        (None, None) => None,
        (retry, per_try_timeout) => Some(RetryPolicy {
            per_try_timeout,
            ..retry.as_ref().map_or_else(no_retries, policy)
        }),
    };
    (timeout, retries)
}

fn no_retries() -> RetryPolicy {
    RetryPolicy {
        retry_on: String::new(),
        statuses: Vec::new(),
        retries: Some(0),
        per_try_timeout: None,
        back_off: None,
        rate_limited: None,
        previous_priorities: None,
    }
}

/// "Implementations SHOULD retry on connection errors (disconnect, reset, timeout, TCP failure) if a retry stanza is
/// configured."
fn policy(from: &Retry) -> RetryPolicy {
    let mut retry_on = "connect-failure,refused-stream,reset".to_owned();
    if !from.codes.is_empty() {
        retry_on += ",retriable-status-codes";
    }
    let back_off = from.backoff.map(|it| RetryBackOff {
        // Envoy takes no less.
        base: it.max(Duration::from_millis(1)),
        most: None,
    });
    RetryPolicy {
        retry_on,
        statuses: from.codes.iter().map(|code| u32::from(*code)).collect(),
        retries: from.attempts,
        back_off,
        ..no_retries()
    }
}
