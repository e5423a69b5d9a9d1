//! How requests are shared among hosts, and which of them are left out for their answers.

use envoy_types::pb::envoy::r#type::v3::Percent;
use envoy_types::pb::google::protobuf::{DoubleValue, UInt64Value};
use tenon_model::{
    LoadBalancer, LoadBalancerConfig, LocalityConfig, OutlierDetection, PreconnectPolicy, SlowStart,
};

use crate::proto::cluster as envoy;
use crate::proto::cluster::cluster::common_lb_config::{
    ConsistentHashingLbConfig, LocalityConfigSpecifier, LocalityWeightedLbConfig,
};
use crate::proto::cluster::cluster::{
    CommonLbConfig, LbConfig, LbPolicy, LeastRequestLbConfig, RingHashLbConfig, RoundRobinLbConfig,
    SlowStartConfig,
};
use crate::proto::{core, duration, uint};

/// Sets what `loadBalancerConfig` says; `name` is that of the upstream's cluster.
pub(super) fn balance(config: &LoadBalancerConfig, name: &str, cluster: &mut envoy::Cluster) {
    let common = CommonLbConfig {
        healthy_panic_threshold: config.healthy_panic_threshold.map(percent),
        update_merge_window: config.update_merge_window.map(duration),
        close_connections_on_host_set_change: config.close_connections_on_host_set_change,
        consistent_hashing_lb_config: config.use_hostname_for_hashing.then_some(
            ConsistentHashingLbConfig {
                use_hostname_for_hashing: true,
                ..ConsistentHashingLbConfig::default()
            },
        ),
        locality_config_specifier: config.locality.map(|locality| match locality {
            LocalityConfig::LocalityWeightedLbConfig => {
                LocalityConfigSpecifier::LocalityWeightedLbConfig(LocalityWeightedLbConfig {})
            }
        }),
        ..CommonLbConfig::default()
    };
    cluster.common_lb_config = (common != CommonLbConfig::default()).then_some(common);
    let Some(policy) = config.policy else {
        return;
    };
    let (policy, config) = match policy {
        LoadBalancer::RoundRobin(it) => (
            LbPolicy::RoundRobin,
            it.slow_start_config.map(|it| {
                LbConfig::RoundRobinLbConfig(RoundRobinLbConfig {
                    slow_start_config: Some(slow_start(&it, name)),
                })
            }),
        ),
        LoadBalancer::LeastRequest(it) => {
            let config = LeastRequestLbConfig {
                choice_count: it.choice_count.map(uint),
                slow_start_config: it.slow_start_config.map(|it| slow_start(&it, name)),
                ..LeastRequestLbConfig::default()
            };
            let said = config != LeastRequestLbConfig::default();
            let config = said.then_some(LbConfig::LeastRequestLbConfig(config));
            (LbPolicy::LeastRequest, config)
        }
        LoadBalancer::Random => (LbPolicy::Random, None),
        LoadBalancer::RingHash(it) => {
            let size = |value| UInt64Value { value };
            let config = it.ring_hash_config.map(|it| {
                LbConfig::RingHashLbConfig(RingHashLbConfig {
                    minimum_ring_size: it.minimum_ring_size.map(size),
                    maximum_ring_size: it.maximum_ring_size.map(size),
                    ..RingHashLbConfig::default()
                })
            });
            (LbPolicy::RingHash, config)
        }
        LoadBalancer::Maglev => (LbPolicy::Maglev, None),
    };
    cluster.lb_policy = policy.into();
    cluster.lb_config = config;
}

fn slow_start(config: &SlowStart, name: &str) -> SlowStartConfig {
    SlowStartConfig {
        slow_start_window: config.slow_start_window.map(duration),
        aggression: config.aggression.map(|default_value| core::RuntimeDouble {
            default_value,
            runtime_key: format!("upstream.{name}.slowStart.aggression"),
        }),
        min_weight_percent: config.min_weight_percent.map(percent),
    }
}

fn percent(value: f64) -> Percent {
    Percent { value }
}

pub(super) fn outliers(detection: &OutlierDetection) -> envoy::OutlierDetection {
    envoy::OutlierDetection {
        interval: Some(duration(detection.interval)),
        base_ejection_time: detection.base_ejection_time.map(duration),
        max_ejection_percent: detection.max_ejection_percent.map(uint),
        consecutive_5xx: detection.consecutive_5xx.map(uint),
        enforcing_consecutive_5xx: detection.enforcing_consecutive_5xx.map(uint),
        consecutive_gateway_failure: detection.consecutive_gateway_failure.map(uint),
        enforcing_consecutive_gateway_failure: detection
            .enforcing_consecutive_gateway_failure
            .map(uint),
        enforcing_success_rate: detection.enforcing_success_rate.map(uint),
        success_rate_minimum_hosts: detection.success_rate_minimum_hosts.map(uint),
        success_rate_request_volume: detection.success_rate_request_volume.map(uint),
        success_rate_stdev_factor: detection.success_rate_stdev_factor.map(uint),
        split_external_local_origin_errors: detection.split_external_local_origin_errors,
        consecutive_local_origin_failure: detection.consecutive_local_origin_failure.map(uint),
        enforcing_consecutive_local_origin_failure: detection
            .enforcing_consecutive_local_origin_failure
            .map(uint),
        enforcing_local_origin_success_rate: detection
            .enforcing_local_origin_success_rate
            .map(uint),
        ..envoy::OutlierDetection::default()
    }
}

pub(super) fn preconnect(policy: &PreconnectPolicy) -> envoy::cluster::PreconnectPolicy {
    let ratio = |value| DoubleValue { value };
    envoy::cluster::PreconnectPolicy {
        per_upstream_preconnect_ratio: policy.per_upstream_preconnect_ratio.map(ratio),
        predictive_preconnect_ratio: policy.predictive_preconnect_ratio.map(ratio),
        ..envoy::cluster::PreconnectPolicy::default()
    }
}
