//! How an upstream's hosts share its requests.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::read::{Fields, Node};

/// The largest ring that Envoy makes.
const LARGEST_RING: u64 = 8_388_608;

/// How an upstream's hosts share its requests.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct LoadBalancerConfig {
    /// How the host of a request is found; where it is left out, one after the other.
    #[read(flatten)]
    pub policy: Option<LoadBalancer>,
    /// The share of healthy hosts, in percent, below which unhealthy ones get requests too; 50 where it is left out, and 0
    /// for never.
    #[read(range(0.0, 100.0))]
    pub healthy_panic_threshold: Option<f64>,
    /// For how long changes of hosts' health, weight or metadata are collected before they take effect; 1s where it is
    /// left out, and 0s for at once.
    pub update_merge_window: Option<Duration>,
    /// Whether all connections are closed when a host comes or goes.
    pub close_connections_on_host_set_change: bool,
    /// Whether `ringHash` and `maglev` place a host by its name, not by its address.
    pub use_hostname_for_hashing: bool,
    /// How localities share the requests; where it is left out, by their numbers of hosts.
    #[read(flatten)]
    pub locality: Option<LocalityConfig>,
}

/// How localities share the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(one_of)]
pub enum LocalityConfig {
    /// By their weights; a locality without one has the weight 1.
    LocalityWeightedLbConfig,
}

/// How the host of a request is found.
#[derive(Debug, Clone, Copy, PartialEq, Read)]
pub enum LoadBalancer {
    /// One after the other.
    RoundRobin(RoundRobin),
    /// The one with the fewest requests, of some that are chosen at random.
    LeastRequest(LeastRequest),
    /// At random.
    Random,
    /// By a hash of the request, on a ring.
    RingHash(RingHash),
    /// By a hash of the request, in Maglev's table.
    Maglev,
}

/// One after the other.
#[derive(Debug, Clone, Copy, PartialEq, Default, Read)]
pub struct RoundRobin {
    /// How new hosts start.
    pub slow_start_config: Option<SlowStart>,
}

/// The one with the fewest requests.
#[derive(Debug, Clone, Copy, PartialEq, Default, Read)]
pub struct LeastRequest {
    /// Of how many hosts, at least 2; 2 where it is left out or 0.
    #[read(with = choice_count)]
    pub choice_count: Option<u32>,
    /// How new hosts start.
    pub slow_start_config: Option<SlowStart>,
}

/// On a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct RingHash {
    /// The size of the ring.
    pub ring_hash_config: Option<RingHashConfig>,
}

/// The size of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
#[read(finish = ordered)]
pub struct RingHashConfig {
    /// The least number of entries; 1024 where it is left out or 0.
    #[read(range(0, LARGEST_RING))]
    pub minimum_ring_size: Option<u64>,
    /// The greatest number of entries; 8388608 where it is left out or 0.
    #[read(range(0, LARGEST_RING))]
    pub maximum_ring_size: Option<u64>,
}

/// How new hosts start: with few requests, then more.
#[derive(Debug, Clone, Copy, PartialEq, Default, Read)]
pub struct SlowStart {
    /// For how long.
    #[read(with = Node::positive_duration)]
    pub slow_start_window: Option<Duration>,
    /// How fast, above 0: 1 (where it is left out) is evenly, more is faster at the start.
    #[read(with = above_zero)]
    pub aggression: Option<f64>,
    /// With what share of its weight a host starts, in percent; 10 where it is left out.
    #[read(range(0.0, 100.0))]
    pub min_weight_percent: Option<f64>,
}

fn choice_count(node: &Node<'_>) -> Option<u32> {
    match node.uint()? {
        0 => None,
        1 => node.error("1 is not a choice; at least 2 are needed"),
        count => Some(count),
    }
}

fn above_zero(node: &Node<'_>) -> Option<f64> {
    match node.float()? {
        number if number > 0.0 => Some(number),
        number => node.error(format!("{number} is not above 0")),
    }
}

fn ordered(mut ring: RingHashConfig, fields: &Fields<'_>) -> Option<RingHashConfig> {
    // Protobuf cannot tell 0 from a field that is not there.
    ring.minimum_ring_size = ring.minimum_ring_size.filter(|size| *size != 0);
    ring.maximum_ring_size = ring.maximum_ring_size.filter(|size| *size != 0);
    let (least, most) = (
        ring.minimum_ring_size.unwrap_or(1_024),
        ring.maximum_ring_size.unwrap_or(LARGEST_RING),
    );
    if least > most {
        fields.error(format!(
            "minimumRingSize is above maximumRingSize: {least} (1024 by default) and {most}"
        ));
    }
    Some(ring)
}
