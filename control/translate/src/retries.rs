//! Which failures are tried again.

use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use tenon_model::{PreviousPriorities, RateLimitedBackOff, ResetFormat, RetryPolicy};

use crate::proto::route::retry_policy::{
    self, RateLimitedRetryBackOff, ResetHeader, ResetHeaderFormat, RetryBackOff, RetryPriority,
};
use crate::proto::{duration, route, uint};
use crate::wire::any;

pub(crate) fn retry_policy(retries: &RetryPolicy) -> route::RetryPolicy {
    route::RetryPolicy {
        retry_on: retries.retry_on.clone(),
        num_retries: retries.retries.map(uint),
        per_try_timeout: retries.per_try_timeout.map(duration),
        retry_back_off: retries.back_off.map(|it| RetryBackOff {
            base_interval: Some(duration(it.base)),
            max_interval: it.most.map(duration),
        }),
        retriable_status_codes: retries.statuses.clone(),
        rate_limited_retry_back_off: retries.rate_limited.as_ref().map(rate_limited),
        retry_priority: retries.previous_priorities.map(previous_priorities),
        ..route::RetryPolicy::default()
    }
}

fn rate_limited(back_off: &RateLimitedBackOff) -> RateLimitedRetryBackOff {
    let headers = back_off.headers.iter().map(|header| ResetHeader {
        name: header.name.clone(),
        format: match header.format {
            ResetFormat::Seconds => ResetHeaderFormat::Seconds,
            ResetFormat::UnixTimestamp => ResetHeaderFormat::UnixTimestamp,
        }
        .into(),
    });
    RateLimitedRetryBackOff {
        reset_headers: headers.collect(),
        max_interval: back_off.most.map(duration),
    }
}

fn previous_priorities(
    PreviousPriorities { update_frequency }: PreviousPriorities,
) -> RetryPriority {
    let config = PreviousPrioritiesConfig {
        // The model has no more than fits.
        update_frequency: i32::try_from(update_frequency).unwrap_or(i32::MAX),
    };
    RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_policy::retry_priority::ConfigType::TypedConfig(any(
            &config,
        ))),
    }
}
