//! Connections of TCP that are forwarded as they are.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::config::accesslog::v3::AccessLog as EnvoyAccessLog;
use envoy_types::pb::envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit as EnvoyLimit;
use envoy_types::pb::envoy::extensions::filters::network::local_ratelimit::v3::LocalRateLimit;
use envoy_types::pb::envoy::extensions::filters::network::sni_cluster::v3::SniCluster;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::weighted_cluster::ClusterWeight;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::{
    ClusterSpecifier, TcpAccessLogOptions, TunnelingConfig as EnvoyTunnel, WeightedCluster,
};
use std::time::Duration;
use tenon_model::{
    ConnectionLimit, DestinationType, Kind, MultiDestination, ObjectKey, ObjectRef, Problem,
    SslConfig, TcpAction, TcpGateway, TcpHost, TokenBucket,
};

use crate::cluster::Secrets;
use crate::listener::filter;
use crate::names;
use crate::proto::{duration, header, listener, token_bucket, uint};
use crate::route::{KUBERNETES_IS_OFF, Upstreams};
use crate::tls::listener::{self as listener_tls, ListenerTls};

/// The filter that has connections forwarded to the cluster that they name.
pub(crate) const SNI_CLUSTER: &str = "envoy.filters.network.sni_cluster";

/// Where some connections go.
pub(crate) struct TcpChain {
    pub(crate) tls: Option<ListenerTls>,
    /// The names that clients ask for in TLS; none: any.
    pub(crate) names: Vec<String>,
    /// Which field of its owner it is.
    pub(crate) path: String,
    pub(crate) filters: Vec<listener::Filter>,
}

/// What a TCP gateway comes to.
#[derive(Default)]
pub(crate) struct TcpForm {
    pub(crate) chains: Vec<TcpChain>,
    pub(crate) problems: Vec<Problem>,
    /// What was looked at.
    pub(crate) reads: BTreeSet<ObjectKey>,
}

/// Finds upstream groups.
pub(crate) trait Groups {
    /// The upstream group, in its last good form, or why there is none.
    fn group(&self, reference: &ObjectRef) -> Result<&MultiDestination, String>;
}

/// What a TCP gateway comes to; `defaults` is the `sslConfig` of its matcher.
pub(crate) fn translate(
    path: &str,
    gateway: &TcpGateway,
    defaults: Option<&SslConfig>,
    logs: &[EnvoyAccessLog],
    (upstreams, secrets): (&(impl Upstreams + Groups), &impl Secrets),
) -> TcpForm {
    let mut form = TcpForm::default();
    if gateway.tcp_hosts.is_empty() {
        let text = "there are none: no connections are taken";
        let at = format!("{path}.tcpHosts");
        form.problems.push(Problem::warning(at, text));
    }
    for (index, host) in gateway.tcp_hosts.iter().enumerate() {
        let path = format!("{path}.tcpHosts[{index}]");
        let names = host.ssl_config.as_ref().map(|ssl| &ssl.sni_domains);
        let mut names = names.cloned().unwrap_or_default();
        if let Some(defaults) = defaults {
            let allowed = &defaults.sni_domains;
            for (number, name) in names.iter().enumerate() {
                if !allowed.is_empty() && !allowed.contains(name) {
                    let text = format!("{name:?} is not among the names of its matcher");
                    let at = format!("{path}.sslConfig.sniDomains[{number}]");
                    form.problems.push(Problem::error(at, text));
                }
            }
            if names.is_empty() {
                names.clone_from(allowed);
            }
        }
        let tls = match terminated(&path, host, secrets, &mut form) {
            Ok(tls) => tls,
            Err(problem) => {
                form.problems.push(problem);
                continue;
            }
        };
        let Some(destination) = destination(&path, host, (upstreams, upstreams), &mut form) else {
            continue;
        };
        let mut filters = limits(gateway);
        if let TcpAction::ForwardSniClusterName = host.destination {
            filters.push(filter(SNI_CLUSTER, &SniCluster::default()));
        }
        filters.push(filter(
            "envoy.filters.network.tcp_proxy",
            &proxy(gateway, destination, logs),
        ));
        form.chains.push(TcpChain {
            tls,
            names,
            path,
            filters,
        });
    }
    form
}

/// TLS towards the clients, where there is a certificate.
fn terminated(
    path: &str,
    host: &TcpHost,
    secrets: &impl Secrets,
    form: &mut TcpForm,
) -> Result<Option<ListenerTls>, Problem> {
    let path = format!("{path}.sslConfig");
    let Some(ssl) = &host.ssl_config else {
        return Ok(None);
    };
    if ssl.certificates.is_none() && !ssl.sni_domains.is_empty() {
        return Ok(None);
    }
    form.reads.extend(listener_tls::secrets(ssl));
    listener_tls::translate(&path, ssl, secrets).map(Some)
}

fn destination(
    path: &str,
    host: &TcpHost,
    (upstreams, groups): (&impl Upstreams, &impl Groups),
    form: &mut TcpForm,
) -> Option<ClusterSpecifier> {
    let path = format!("{path}.destination");
    match &host.destination {
        TcpAction::Single(to) => {
            let cluster = cluster(
                format!("{path}.single.{}", to.to.field()),
                &to.to,
                upstreams,
                form,
            )?;
            Some(ClusterSpecifier::Cluster(cluster))
        }
        TcpAction::Multi(several) => {
            let mut clusters = Vec::new();
            for (index, to) in several.destinations.iter().enumerate() {
                let to_one = &to.destination.to;
                let field = to_one.field();
                let path = format!("{path}.multi.destinations[{index}].destination.{field}");
                let cluster = cluster(path, to_one, upstreams, form)?;
                clusters.push(share(cluster, to.weight));
            }
            Some(weighted(clusters))
        }
        TcpAction::UpstreamGroup(group) => {
            let path = format!("{path}.upstreamGroup");
            form.reads.insert(group.key(Kind::UpstreamGroup));
            match groups.group(group) {
                Ok(several) => of_group(&path, several, upstreams, form),
                // It may come yet; until then Envoy closes the connections.
                Err(reason) => {
                    form.problems.push(Problem::warning(path, reason));
                    Some(ClusterSpecifier::Cluster(names::BLACKHOLE.to_owned()))
                }
            }
        }
        // What the filter before finds takes its place.
        TcpAction::ForwardSniClusterName => Some(ClusterSpecifier::Cluster(String::new())),
    }
}

fn of_group(
    path: &str,
    several: &MultiDestination,
    upstreams: &impl Upstreams,
    form: &mut TcpForm,
) -> Option<ClusterSpecifier> {
    let mut clusters = Vec::new();
    // Envoy takes no shares of nothing.
    for to in several.destinations.iter().filter(|it| it.weight > 0) {
        let told = form.problems.len();
        let name = cluster(path.to_owned(), &to.destination.to, upstreams, form);
        // What is missing is told by the group's own status.
        form.problems
            .truncate(name.as_ref().map_or(usize::MAX, |_| told));
        clusters.push(share(name?, to.weight));
    }
    Some(weighted(clusters))
}

/// The cluster of a destination, or nothing if connections cannot go there.
fn cluster(
    path: String,
    to: &DestinationType,
    upstreams: &impl Upstreams,
    form: &mut TcpForm,
) -> Option<String> {
    if let DestinationType::Nowhere = to {
        return Some(names::BLACKHOLE.to_owned());
    }
    let upstream = to.upstream();
    let is_kube = matches!(to, DestinationType::Kube(_));
    if is_kube && upstreams.settings().disable_kubernetes_destinations {
        form.problems.push(Problem::error(path, KUBERNETES_IS_OFF));
        return None;
    }
    form.reads.insert(upstream.key(Kind::Upstream));
    match upstreams.upstream(&upstream) {
        Ok(found) if found.calls_functions() => {
            let text = format!("upstream {upstream} has functions, which take HTTP only");
            form.problems.push(Problem::error(path, text));
            return None;
        }
        Ok(_) => {}
        // It may come yet; until then Envoy closes the connections.
        Err(reason) => {
            let text = match to {
                DestinationType::Kube(to) => {
                    format!(
                        "service {} with port {} does not exist",
                        to.service, to.port
                    )
                }
                DestinationType::Upstream(_)
                | DestinationType::Consul(_)
                | DestinationType::Nowhere => reason,
            };
            form.problems.push(Problem::warning(path, text));
        }
    }
    Some(names::cluster_of(&upstream))
}

fn share(name: String, weight: u32) -> ClusterWeight {
    ClusterWeight {
        name,
        weight,
        ..ClusterWeight::default()
    }
}

fn weighted(clusters: Vec<ClusterWeight>) -> ClusterSpecifier {
    ClusterSpecifier::WeightedClusters(WeightedCluster { clusters })
}

fn proxy(gateway: &TcpGateway, destination: ClusterSpecifier, logs: &[EnvoyAccessLog]) -> TcpProxy {
    let settings = &gateway.options.tcp_proxy_settings;
    TcpProxy {
        stat_prefix: "tcp".to_owned(),
        access_log: logs.to_vec(),
        max_connect_attempts: settings.max_connect_attempts.map(uint),
        idle_timeout: settings.idle_timeout.map(duration),
        tunneling_config: settings.tunneling_config.as_ref().map(|tunnel| {
            let headers = tunnel.headers_to_add.iter();
            EnvoyTunnel {
                hostname: tunnel.hostname.clone(),
                headers_to_add: headers
                    .map(|it| header(&it.header.key, &it.header.value, it.append))
                    .collect(),
                ..EnvoyTunnel::default()
            }
        }),
        access_log_options: settings.access_log_flush_interval.map(|interval| {
            TcpAccessLogOptions {
                access_log_flush_interval: Some(duration(interval)),
                ..TcpAccessLogOptions::default()
            }
        }),
        cluster_specifier: Some(destination),
        ..TcpProxy::default()
    }
}

fn limits(gateway: &TcpGateway) -> Vec<listener::Filter> {
    let options = &gateway.options;
    let connections = options.connection_limit.as_ref().and_then(connection_limit);
    let rate = options.local_ratelimit.as_ref().map(rate_limit);
    connections.into_iter().chain(rate).collect()
}

/// How many connections there may be at a time.
pub(crate) fn connection_limit(limit: &ConnectionLimit) -> Option<listener::Filter> {
    let most = limit.max_active_connections?;
    let limit = EnvoyLimit {
        stat_prefix: "connection_limit".to_owned(),
        max_connections: Some(envoy_types::pb::google::protobuf::UInt64Value {
            value: u64::from(most),
        }),
        delay: limit.delay_before_close.map(duration),
        ..EnvoyLimit::default()
    };
    Some(filter("envoy.filters.network.connection_limit", &limit))
}

/// How many connections there may be in a while.
pub(crate) fn rate_limit(bucket: &TokenBucket) -> listener::Filter {
    let limit = LocalRateLimit {
        stat_prefix: "network_local_rate_limit".to_owned(),
        token_bucket: Some(token_bucket(
            bucket.max_tokens,
            bucket.tokens_per_fill,
            bucket.fill_interval.unwrap_or(Duration::from_secs(1)),
        )),
        ..LocalRateLimit::default()
    };
    filter("envoy.filters.network.local_ratelimit", &limit)
}
