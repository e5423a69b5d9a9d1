//! The hosts of a cluster: its own, and those that take their place.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenon_model::{
    Failover, FailoverEndpoint, HealthCheck, HealthChecker, Host, Locality, StaticUpstream,
    Upstream,
};

use super::{ClusterForm, Secrets, Towards, context};
use crate::proto::cluster::cluster::{DiscoveryType, TransportSocketMatch};
use crate::proto::core::address::Address;
use crate::proto::{cluster, core, endpoint, socket_address, tls as envoy_tls, uint};
use crate::{tls, wire};

const SOCKET_MATCH: &str = "envoy.transport_socket_match";
/// The priority of the upstream's own.
const OWN: u32 = 0;

/// The hosts of a cluster, while they are put together.
pub(super) struct Hosts<'a> {
    upstream: &'a Upstream,
    towards: &'a Towards,
    localities: Vec<wire::LocalityLbEndpoints>,
    matches: Vec<TransportSocketMatch>,
}

impl<'a> Hosts<'a> {
    pub(super) fn new(upstream: &'a Upstream, towards: &'a Towards) -> Self {
        Self {
            upstream,
            towards,
            localities: Vec::new(),
            matches: Vec::new(),
        }
    }

    /// Those of a static upstream, and TLS towards them.
    pub(super) fn fixed(mut self, fixed: &StaticUpstream, cluster: &mut cluster::Cluster) -> Self {
        let context = match &self.towards.configured {
            Some(context) => Some(context.clone()),
            None => fixed.uses_tls().then(|| self.towards.unconfigured()),
        };
        let mut endpoints = Vec::new();
        for host in &fixed.hosts {
            let mut metadata = host.metadata.clone();
            if let (Some(context), Some(sni)) = (&context, sni(fixed, host)) {
                let name = format!("{sni};{}:{}", host.addr, host.port);
                let socket = tls::socket(&tls::with_sni(context, &sni));
                self.told_apart(name, socket, &mut metadata);
            }
            let own =
                self.hostname(&host.addr)
                    .map(|hostname| endpoint::endpoint::HealthCheckConfig {
                        hostname,
                        ..endpoint::endpoint::HealthCheckConfig::default()
                    });
            endpoints.push(lb_endpoint(
                (&host.addr, host.port),
                own,
                metadata,
                host.load_balancing_weight,
            ));
        }
        self.push(OWN, None, None, endpoints);
        let first_name = fixed.hosts.iter().find(|host| host.ip().is_none());
        cluster.transport_socket = context.map(|context| match first_name {
            Some(host) if context.sni.is_empty() => {
                tls::socket(&tls::with_sni(&context, &host.addr))
            }
            _ => tls::socket(&context),
        });
        self
    }

    /// A Unix socket, and TLS towards it.
    pub(super) fn pipe(mut self, path: &str, cluster: &mut cluster::Cluster) -> Self {
        cluster.transport_socket = self.towards.configured.as_ref().map(tls::socket);
        self.push(OWN, None, None, vec![pipe_endpoint(path)]);
        self
    }

    /// Those that take their place.
    pub(super) fn failover(
        mut self,
        failover: &Failover,
        secrets: &impl Secrets,
        form: &mut ClusterForm,
    ) -> Self {
        for (group, localities) in failover.prioritized_localities.iter().enumerate() {
            for (place, locality) in localities.locality_endpoints.iter().enumerate() {
                let mut endpoints = Vec::new();
                for (index, endpoint) in locality.lb_endpoints.iter().enumerate() {
                    let at = (group, place, index);
                    let mut metadata = endpoint.metadata.clone();
                    if let Some((name, socket)) = self.towards_failover(endpoint, at, secrets, form)
                    {
                        self.told_apart(name, socket, &mut metadata);
                    }
                    endpoints.push(lb_endpoint(
                        (&endpoint.address, endpoint.port),
                        self.asked(endpoint),
                        metadata,
                        endpoint.load_balancing_weight,
                    ));
                }
                let priority = u32::try_from(group + 1).unwrap_or(u32::MAX);
                self.push(
                    priority,
                    locality.locality.as_ref(),
                    locality.load_balancing_weight,
                    endpoints,
                );
            }
        }
        self
    }

    /// TLS towards a host that takes the place of others, if it is not that of the cluster.
    fn towards_failover(
        &self,
        endpoint: &FailoverEndpoint,
        (group, place, index): (usize, usize, usize),
        secrets: &impl Secrets,
        form: &mut ClusterForm,
    ) -> Option<(String, core::TransportSocket)> {
        let address = format!("{}:{}", endpoint.address, endpoint.port);
        let named = endpoint.ip().is_none();
        let own_name = |context: &envoy_tls::UpstreamTlsContext| match named {
            true if context.sni.is_empty() => tls::with_sni(context, &endpoint.address),
            _ => context.clone(),
        };
        if let Some(ssl) = &endpoint.upstream_ssl_config {
            let at = format!(
                "spec.failover.prioritizedLocalities[{group}].localityEndpoints[{place}].lbEndpoints[{index}].upstreamSslConfig"
            );
            let context = context(ssl, &at, secrets, form);
            let name = format!("failover/{group}/{place}/{index};{address}");
            return Some((name, tls::socket(&own_name(&context))));
        }
        // As the upstream's own hosts, by its own name.
        let context = match (&self.towards.configured, &self.upstream.kind) {
            (Some(context), _) => context.clone(),
            (None, tenon_model::UpstreamType::Static(fixed)) if fixed.uses_tls() => {
                self.towards.unconfigured()
            }
            _ => return None,
        };
        named.then(|| {
            let name = format!("{};{address}", endpoint.address);
            let context = tls::with_sni(&context, &endpoint.address);
            (name, tls::socket(&context))
        })
    }

    /// Has a host have a transport socket of its own.
    fn told_apart(
        &mut self,
        name: String,
        socket: core::TransportSocket,
        metadata: &mut BTreeMap<String, Map<String, Value>>,
    ) {
        let flag = Map::from_iter([(name.clone(), json!(true))]);
        metadata.insert(SOCKET_MATCH.to_owned(), flag);
        if self.matches.iter().any(|it| it.name == name) {
            return;
        }
        self.matches.push(TransportSocketMatch {
            r#match: Some(wire::flag(&name)),
            transport_socket: Some(socket),
            name,
        });
    }

    /// The host that is asked for to see how a host is, where the health check does not say.
    fn hostname(&self, address: &str) -> Option<String> {
        let check = self.upstream.health_checks.first()?;
        asks_for_its_host(check).then(|| address.to_owned())
    }

    fn asked(&self, endpoint: &FailoverEndpoint) -> Option<endpoint::endpoint::HealthCheckConfig> {
        let own = endpoint.health_check_config.clone().unwrap_or_default();
        let config = endpoint::endpoint::HealthCheckConfig {
            port_value: own.port_value.map(u32::from).unwrap_or_default(),
            hostname: own
                .hostname
                .or_else(|| self.hostname(&endpoint.address))
                .unwrap_or_default(),
            ..endpoint::endpoint::HealthCheckConfig::default()
        };
        (config != endpoint::endpoint::HealthCheckConfig::default()).then_some(config)
    }

    fn push(
        &mut self,
        priority: u32,
        locality: Option<&Locality>,
        weight: Option<u32>,
        lb_endpoints: Vec<wire::LbEndpoint>,
    ) {
        // Envoy gives nothing to a locality without a weight.
        let weighted = self.upstream.load_balancer_config.as_ref();
        let weighted = weighted.is_some_and(|it| it.locality.is_some());
        let weight = weight.or(weighted.then_some(1));
        self.localities.push(wire::LocalityLbEndpoints {
            locality: locality.map(|it| core::Locality {
                region: it.region.clone(),
                zone: it.zone.clone(),
                sub_zone: it.sub_zone.clone(),
            }),
            lb_endpoints,
            load_balancing_weight: weight.map(uint),
            priority,
        });
    }

    /// Tells of those that take the place of hosts that are told beside the cluster.
    pub(super) fn beside(self, cluster: &mut cluster::Cluster) -> Beside {
        cluster.transport_socket_matches = self.matches;
        Beside {
            policy: policy(self.upstream),
            localities: self.localities,
        }
    }

    /// Completes the cluster; what is given is to be put behind the rest of it.
    pub(super) fn finish(self, cluster: &mut cluster::Cluster) -> wire::WithLoadAssignment {
        super::discovery(
            cluster,
            match self.upstream.is_resolved() {
                true => DiscoveryType::StrictDns,
                false => DiscoveryType::Static,
            },
        );
        cluster.transport_socket_matches = self.matches;
        wire::WithLoadAssignment {
            load_assignment: Some(wire::ClusterLoadAssignment {
                cluster_name: cluster.name.clone(),
                endpoints: self.localities,
                policy: policy(self.upstream),
            }),
        }
    }
}

/// Hosts that take the place of those that are told beside a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beside {
    localities: Vec<wire::LocalityLbEndpoints>,
    policy: Option<endpoint::cluster_load_assignment::Policy>,
}

impl Beside {
    /// Adds them.
    pub(crate) fn add_to(&self, assignment: &mut wire::ClusterLoadAssignment) {
        assignment.endpoints.extend(self.localities.iter().cloned());
        assignment.policy.clone_from(&self.policy);
    }
}

/// When others take the place of hosts.
fn policy(upstream: &Upstream) -> Option<endpoint::cluster_load_assignment::Policy> {
    let factor = upstream.failover.as_ref()?.policy.overprovisioning_factor?;
    Some(endpoint::cluster_load_assignment::Policy {
        overprovisioning_factor: Some(uint(factor)),
        ..endpoint::cluster_load_assignment::Policy::default()
    })
}

/// Whether a health check asks for a host, and does not say which.
pub(super) fn asks_for_its_host(check: &HealthCheck) -> bool {
    match &check.checker {
        HealthChecker::HttpHealthCheck(http) => http.host.as_ref().is_none_or(String::is_empty),
        HealthChecker::GrpcHealthCheck(grpc) => {
            grpc.authority.as_ref().is_none_or(String::is_empty)
        }
        HealthChecker::TcpHealthCheck(_) | HealthChecker::CustomHealthCheck(_) => false,
    }
}

fn lb_endpoint(
    (address, port): (&str, u16),
    health_check_config: Option<endpoint::endpoint::HealthCheckConfig>,
    metadata: BTreeMap<String, Map<String, Value>>,
    weight: Option<u32>,
) -> wire::LbEndpoint {
    wire::LbEndpoint {
        endpoint: Some(endpoint::Endpoint {
            address: socket_address(address, port),
            hostname: address.to_owned(),
            health_check_config,
            ..endpoint::Endpoint::default()
        }),
        metadata: (!metadata.is_empty()).then(|| wire::Metadata::from(&metadata)),
        load_balancing_weight: weight.map(uint),
    }
}

pub(super) fn pipe_endpoint(path: &str) -> wire::LbEndpoint {
    wire::LbEndpoint {
        endpoint: Some(endpoint::Endpoint {
            address: Some(pipe(path)),
            ..endpoint::Endpoint::default()
        }),
        ..wire::LbEndpoint::default()
    }
}

/// A Unix socket.
pub(super) fn pipe(path: &str) -> core::Address {
    core::Address {
        address: Some(Address::Pipe(core::Pipe {
            path: path.to_owned(),
            ..core::Pipe::default()
        })),
    }
}

/// The name to ask a host for. An IP address is none (RFC 6066).
fn sni(fixed: &StaticUpstream, host: &Host) -> Option<String> {
    let own = || (fixed.auto_sni_rewrite && host.ip().is_none()).then(|| host.addr.clone());
    host.sni_addr.clone().or_else(own)
}
