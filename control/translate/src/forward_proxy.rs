//! Routes to whatever host a request is for (Gloo's `dynamicForwardProxy`): the filter that has DNS look for the host, and
//! the cluster that connects to what it found. Envoy wants both to say the same of DNS.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::clusters::dynamic_forward_proxy::v3::ClusterConfig;
use envoy_types::pb::envoy::extensions::clusters::dynamic_forward_proxy::v3::cluster_config::ClusterImplementationSpecifier;
use envoy_types::pb::envoy::extensions::common::dynamic_forward_proxy::v3::DnsCacheConfig;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_forward_proxy::v3::filter_config::ImplementationSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_forward_proxy::v3::per_route_config::HostRewriteSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_forward_proxy::v3::{
    FilterConfig, PerRouteConfig,
};
use prost::Message;
use tenon_model::{ForwardProxyHost, ForwardProxyRoute};
use xxhash_rust::xxh3::xxh3_64;

use crate::http_filters::FORWARD_PROXY;
use crate::proto::cluster::cluster::{
    ClusterDiscoveryType, CustomClusterType, DnsLookupFamily, LbPolicy,
};
use crate::proto::{Any, cluster, duration};
use crate::wire::any;

/// The names of clusters that Gloo's control plane makes by itself start so.
const PREFIX: &str = "solo_io_generated_dfp:";
/// As long as Gloo gives it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The name of the cluster.
pub(crate) fn cluster_name() -> String {
    dns().name
}

/// The cluster.
pub(crate) fn cluster() -> Vec<u8> {
    let config = ClusterConfig {
        cluster_implementation_specifier: Some(ClusterImplementationSpecifier::DnsCacheConfig(
            dns(),
        )),
        ..ClusterConfig::default()
    };
    cluster::Cluster {
        name: cluster_name(),
        connect_timeout: Some(duration(CONNECT_TIMEOUT)),
        lb_policy: LbPolicy::ClusterProvided.into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::ClusterType(CustomClusterType {
            name: "envoy.clusters.dynamic_forward_proxy".to_owned(),
            typed_config: Some(any(&config)),
        })),
        ..cluster::Cluster::default()
    }
    .encode_to_vec()
}

/// The filter.
pub(crate) fn filter() -> Any {
    any(&FilterConfig {
        implementation_specifier: Some(ImplementationSpecifier::DnsCacheConfig(dns())),
        ..FilterConfig::default()
    })
}

/// What switches the filter on for a route, and says which host it looks for.
pub(crate) fn of_route(to: &ForwardProxyRoute) -> (String, Any) {
    let host = to.host.as_ref().map(|host| match host {
        ForwardProxyHost::Literal(host) => HostRewriteSpecifier::HostRewriteLiteral(host.clone()),
        ForwardProxyHost::Header(name) => HostRewriteSpecifier::HostRewriteHeader(name.clone()),
    });
    let config = PerRouteConfig {
        host_rewrite_specifier: host,
    };
    (FORWARD_PROXY.to_owned(), any(&config))
}

/// How hosts are looked for. Its name tells what it says, because those of the same name have to be the same.
fn dns() -> DnsCacheConfig {
    let mut dns = DnsCacheConfig {
        // As Gloo, where nothing is said.
        dns_lookup_family: DnsLookupFamily::V4Preferred.into(),
        ..DnsCacheConfig::default()
    };
    dns.name = format!("{PREFIX}{}", xxh3_64(&dns.encode_to_vec()));
    dns
}
