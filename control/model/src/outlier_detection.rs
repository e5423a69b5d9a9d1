//! When a host is left out for what it answered.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::read::Node;

/// When a host is left out, for a while, for what it answered. Shares are in percent, of 0 to 100.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct OutlierDetection {
    /// How often hosts are looked at.
    #[read(with = Node::positive_duration)]
    pub interval: Duration,
    /// For how long a host is left out the first time; 30s where it is left out.
    #[read(with = Node::positive_duration)]
    pub base_ejection_time: Option<Duration>,
    /// The share of hosts that may be left out at a time, but one always may be; 10 where it is left out.
    #[read(range(0, 100))]
    pub max_ejection_percent: Option<u32>,
    /// After how many errors (5xx) in a row; 5 where it is left out.
    #[read(name = "consecutive5xx")]
    pub consecutive_5xx: Option<u32>,
    /// How often it is then really left out; 100 where it is left out.
    #[read(name = "enforcingConsecutive5xx", range(0, 100))]
    pub enforcing_consecutive_5xx: Option<u32>,
    /// After how many errors of a gateway (502, 503, 504) in a row; 5 where it is left out.
    pub consecutive_gateway_failure: Option<u32>,
    /// How often it is then really left out; 0 where it is left out.
    #[read(range(0, 100))]
    pub enforcing_consecutive_gateway_failure: Option<u32>,
    /// How often a host whose share of successes is far below that of others is really left out; 100 where it is left out.
    #[read(range(0, 100))]
    pub enforcing_success_rate: Option<u32>,
    /// How many hosts need to have enough requests for that; 5 where it is left out.
    pub success_rate_minimum_hosts: Option<u32>,
    /// How many requests in an interval are enough for that; 100 where it is left out.
    pub success_rate_request_volume: Option<u32>,
    /// How far below is too far, in thousandths of a standard deviation; 1900 where it is left out.
    pub success_rate_stdev_factor: Option<u32>,
    /// Whether failures to reach a host are counted apart from those that it answers.
    pub split_external_local_origin_errors: bool,
    /// If so, after how many failures to reach it in a row; 5 where it is left out.
    pub consecutive_local_origin_failure: Option<u32>,
    /// How often it is then really left out; 100 where it is left out.
    #[read(range(0, 100))]
    pub enforcing_consecutive_local_origin_failure: Option<u32>,
    /// As `enforcingSuccessRate`, of the successes to reach it; 100 where it is left out.
    #[read(range(0, 100))]
    pub enforcing_local_origin_success_rate: Option<u32>,
}
