//! Routes to whatever host a request is for (Gloo's `dynamicForwardProxy`): the filter that has DNS look for the host, and
//! the cluster that connects to what it found. Envoy wants both to say the same of DNS.
//!
//! A route may be served by several listeners, each of which says for itself how hosts are found. So routes leave it to a
//! header which cluster it is, and the listener that has the filter writes the header: a change of what it says arrives with
//! it, at once, after the cluster that it needs.

use envoy_types::pb::envoy::extensions::clusters::dynamic_forward_proxy::v3::ClusterConfig;
use envoy_types::pb::envoy::extensions::clusters::dynamic_forward_proxy::v3::cluster_config::ClusterImplementationSpecifier;
use envoy_types::pb::envoy::extensions::common::dynamic_forward_proxy::v3::{
    DnsCacheCircuitBreakers, DnsCacheConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::dynamic_forward_proxy::v3::filter_config::ImplementationSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_forward_proxy::v3::per_route_config::HostRewriteSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_forward_proxy::v3::{
    FilterConfig, PerRouteConfig,
};
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use prost::Message;
use tenon_model::{
    CaresDns, DnsCache, ForwardProxy, ForwardProxyHost, ForwardProxyRoute, HostAndPort, HostFamily,
    SslParameters,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::cluster::circuit_breakers;
use crate::http_filters::FORWARD_PROXY;
use crate::proto::cluster::cluster::{
    ClusterDiscoveryType, CustomClusterType, DnsLookupFamily, LbPolicy, RefreshRate,
};
use crate::proto::{Any, cluster, core, duration, uint};
use crate::tls;
use crate::wire::any;

/// The header in which a listener tells routes their cluster.
pub(crate) const HEADER: &str = "x-tenon-forward-proxy";
/// The names of clusters that Gloo's control plane makes by itself start so.
const PREFIX: &str = "solo_io_generated_dfp:";

/// The name of the cluster: it tells what the cluster says, so that another one is there before the listener goes over to
/// it.
pub(crate) fn cluster_name(of: &ForwardProxy) -> String {
    let dns = dns(&of.dns_cache_config);
    let tls = of.ssl_config.as_ref().map(|ssl| {
        // What a secret holds is told beside it.
        tls::configured(ssl, None, &SslParameters::default()).encode_to_vec()
    });
    let breakers = of.circuit_breakers.as_ref().map(circuit_breakers);
    if tls.is_none() && breakers.is_none() {
        return dns.name;
    }
    let own = [dns.encode_to_vec(), tls.unwrap_or_default()].concat();
    let own = [own, breakers.unwrap_or_default().encode_to_vec()].concat();
    format!("{PREFIX}{}", xxh3_64(&own))
}

/// Makes a cluster one of all hosts.
pub(crate) fn connect(dns_cache: &DnsCache, cluster: &mut cluster::Cluster) {
    let config = ClusterConfig {
        cluster_implementation_specifier: Some(ClusterImplementationSpecifier::DnsCacheConfig(
            dns(dns_cache),
        )),
        ..ClusterConfig::default()
    };
    cluster.lb_policy = LbPolicy::ClusterProvided.into();
    cluster.dns_lookup_family = DnsLookupFamily::default().into();
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::ClusterType(CustomClusterType {
        name: "envoy.clusters.dynamic_forward_proxy".to_owned(),
        typed_config: Some(any(&config)),
    }));
}

/// The filter.
pub(crate) fn filter(of: &ForwardProxy) -> Any {
    any(&FilterConfig {
        implementation_specifier: Some(ImplementationSpecifier::DnsCacheConfig(dns(
            &of.dns_cache_config
        ))),
        save_upstream_address: of.save_upstream_address,
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
fn dns(of: &DnsCache) -> DnsCacheConfig {
    let mut dns = DnsCacheConfig {
        dns_lookup_family: match of.dns_lookup_family {
            HostFamily::V4Preferred => DnsLookupFamily::V4Preferred,
            HostFamily::V4Only => DnsLookupFamily::V4Only,
            HostFamily::V6Only => DnsLookupFamily::V6Only,
            HostFamily::Auto => DnsLookupFamily::Auto,
            HostFamily::All => DnsLookupFamily::All,
        }
        .into(),
        dns_refresh_rate: of.dns_refresh_rate.map(duration),
        host_ttl: of.host_ttl.map(duration),
        max_hosts: of.max_hosts.map(uint),
        dns_failure_refresh_rate: of.dns_failure_refresh_rate.map(|rate| RefreshRate {
            base_interval: Some(duration(rate.base_interval)),
            max_interval: rate.max_interval.map(duration),
        }),
        dns_cache_circuit_breaker: of.dns_cache_circuit_breaker.map(|breaker| {
            DnsCacheCircuitBreakers {
                max_pending_requests: breaker.max_pending_requests.map(uint),
            }
        }),
        typed_dns_resolver_config: of.cares_dns.as_ref().map(resolver),
        preresolve_hostnames: of.preresolve_hostnames.iter().map(socket_address).collect(),
        dns_query_timeout: of.dns_query_timeout.map(duration),
        ..DnsCacheConfig::default()
    };
    dns.name = format!("{PREFIX}{}", xxh3_64(&dns.encode_to_vec()));
    dns
}

fn resolver(of: &CaresDns) -> core::TypedExtensionConfig {
    let resolvers = of.resolvers.iter().map(|it| core::Address {
        address: Some(core::address::Address::SocketAddress(socket_address(
            &it.socket_address,
        ))),
    });
    let options = of.dns_resolver_options;
    core::TypedExtensionConfig {
        name: "envoy.network.dns_resolver.cares".to_owned(),
        typed_config: Some(any(&CaresDnsResolverConfig {
            resolvers: resolvers.collect(),
            dns_resolver_options: Some(core::DnsResolverOptions {
                use_tcp_for_dns_lookups: options.use_tcp_for_dns_lookups,
                no_default_search_domain: options.no_default_search_domain,
            }),
            ..CaresDnsResolverConfig::default()
        })),
    }
}

fn socket_address(of: &HostAndPort) -> core::SocketAddress {
    core::SocketAddress {
        address: of.address.clone(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(
            of.port_value,
        )),
        ..core::SocketAddress::default()
    }
}
