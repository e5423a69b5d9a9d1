//! Where requests go when an upstream's own hosts are unhealthy.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value};
use tenon_model_derive::Read;

use crate::read::{Fields, Node};
use crate::ssl::UpstreamSsl;
use crate::upstream::{host, not_reserved};

/// Where requests go when an upstream's own hosts are unhealthy.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct Failover {
    /// Groups of hosts, each for when too many of those before it are unhealthy; the upstream's own come before all.
    #[read(required)]
    pub prioritized_localities: Vec<PrioritizedLocality>,
    /// When that is.
    #[read(default)]
    pub policy: FailoverPolicy,
}

/// When too many hosts are unhealthy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct FailoverPolicy {
    /// The share of healthy hosts, times this, in percent, is the share of requests that a group can take; 140 where it is
    /// left out: requests go on to the next group once less than 72 % are healthy.
    #[read(range(1, u32::MAX))]
    pub overprovisioning_factor: Option<u32>,
}

/// A group of hosts.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct PrioritizedLocality {
    /// Its hosts, by where they are.
    #[read(required)]
    pub locality_endpoints: Vec<LocalityEndpoints>,
}

/// Hosts in one place.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(finish = weighted)]
pub struct LocalityEndpoints {
    /// Which place.
    pub locality: Option<Locality>,
    /// The hosts.
    #[read(required)]
    pub lb_endpoints: Vec<FailoverEndpoint>,
    /// The place's share of the group's requests, if `loadBalancerConfig.localityWeightedLbConfig` is there; 1 where it is
    /// left out.
    #[read(range(1, u32::MAX))]
    pub load_balancing_weight: Option<u32>,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Locality {
    /// The region.
    #[read(default)]
    pub region: String,
    /// The zone of the region.
    #[read(default)]
    pub zone: String,
    /// A part of the zone.
    #[read(default)]
    pub sub_zone: String,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = without_reserved)]
pub struct FailoverEndpoint {
    /// An IP address, or a name, which Envoy resolves.
    #[read(with = host)]
    pub address: String,
    /// Its port.
    #[read(range(1, 65_535))]
    pub port: u16,
    /// How its health is asked for, where that is not as of other hosts.
    pub health_check_config: Option<EndpointHealthCheck>,
    /// TLS towards it; as towards the upstream's own hosts where it is left out.
    pub upstream_ssl_config: Option<Box<UpstreamSsl>>,
    /// Its share of the requests; 1 where it is left out.
    #[read(range(1, u32::MAX))]
    pub load_balancing_weight: Option<u32>,
    /// Metadata of Envoy's, by namespace.
    pub metadata: BTreeMap<String, Map<String, Value>>,
}

/// How the health of a host is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(refused(
    path = "Envoy asks all hosts of an upstream for the path of its health check",
    method = "Envoy asks all hosts of an upstream with the method of its health check"
))]
pub struct EndpointHealthCheck {
    /// At which port; its own where it is left out or 0.
    #[read(range(0, 65_535))]
    pub port_value: Option<u16>,
    /// For which host; that of the health check, else its address, where it is left out.
    #[read(with = Node::non_empty)]
    pub hostname: Option<String>,
}

impl Failover {
    /// All hosts.
    pub fn endpoints(&self) -> impl Iterator<Item = &FailoverEndpoint> {
        let groups = self.prioritized_localities.iter();
        groups
            .flat_map(|group| &group.locality_endpoints)
            .flat_map(|place| &place.lb_endpoints)
    }
}

impl FailoverEndpoint {
    /// Its address as IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }
}

fn without_reserved(
    mut endpoint: FailoverEndpoint,
    fields: &Fields<'_>,
) -> Option<FailoverEndpoint> {
    not_reserved(&mut endpoint.metadata, fields);
    Some(endpoint)
}

/// A name can stand for any number of hosts, so Envoy shares a weight of it among them: as Gloo, no such guess is made.
fn weighted(place: LocalityEndpoints, fields: &Fields<'_>) -> Option<LocalityEndpoints> {
    let named = place.lb_endpoints.iter().any(|it| it.ip().is_none());
    if named
        && place
            .lb_endpoints
            .iter()
            .any(|it| it.load_balancing_weight.is_some())
    {
        fields.error_at(
            "lbEndpoints",
            "loadBalancingWeight is not possible where an address is a name",
        );
    }
    Some(place)
}
