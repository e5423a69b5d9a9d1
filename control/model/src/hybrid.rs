//! Gateways that do one thing with some connections and another with others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::gateway::HttpGateway;
use crate::hcm::HttpConnectionManagerSettings;
use crate::listener_ssl::SslConfig;
use crate::merge::Merge;
use crate::read::Fields;
use crate::selector::{LabelValues, Requirement, Selector};
use crate::tcp::TcpGateway;

/// A gateway that does one thing with some connections and another with others.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(finish = of_something)]
pub struct HybridGateway {
    /// What is done, and with which connections. With any, those that are delegated to mean nothing.
    pub matched_gateways: Vec<MatchedGateway>,
    /// MatchableHttpGateways that say it.
    pub delegated_http_gateways: Option<DelegatedHttpGateway>,
    /// MatchableTcpGateways that say it.
    pub delegated_tcp_gateways: Option<DelegatedTcpGateway>,
}

/// What is done with some connections.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct MatchedGateway {
    /// Which ones; nothing: all others.
    #[read(default)]
    pub matcher: ConnectionMatcher,
    /// What.
    #[read(flatten)]
    pub kind: MatchedGatewayType,
}

/// What is done with connections.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum MatchedGatewayType {
    /// HTTP.
    HttpGateway(Box<HttpGateway>),
    /// They are forwarded.
    TcpGateway(Box<TcpGateway>),
}

/// Which connections are meant.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(refused(
    passthroughCipherSuites = "an unmodified Envoy cannot tell connections by their ciphers; use sniDomains or sourcePrefixRanges"
))]
pub struct ConnectionMatcher {
    /// Of clients with such addresses; none: any.
    pub source_prefix_ranges: Vec<CidrRange>,
    /// Over TLS; HTTP: what virtual services do not say in their own `sslConfig`.
    pub ssl_config: Option<SslConfig>,
}

/// Addresses with a common beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Read)]
#[read(finish = masked)]
pub struct CidrRange {
    /// The beginning.
    pub address_prefix: IpAddr,
    /// How many bits of it count: none where it is left out, as in Envoy.
    #[read(default = 0u32)]
    pub prefix_len: u32,
}

/// MatchableHttpGateways.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct DelegatedHttpGateway {
    /// Which ones.
    #[read(flatten)]
    pub selection: GatewaySelection,
    /// Over TLS: what they do not say themselves. With it only those with an `sslConfig` are meant, without it only the
    /// others.
    pub ssl_config: Option<SslConfig>,
    /// How HTTP is spoken, where they do not say it themselves.
    pub http_connection_manager_settings: Option<Box<HttpConnectionManagerSettings>>,
    /// What is said here holds whatever they say themselves.
    pub prevent_child_overrides: bool,
}

impl DelegatedHttpGateway {
    /// What holds for one of them that says `own` itself.
    pub fn ssl_config(&self, own: &SslConfig) -> SslConfig {
        match (&self.ssl_config, self.prevent_child_overrides) {
            (None, _) => own.clone(),
            (Some(ours), false) => own.or(ours),
            (Some(ours), true) => ours.or(own),
        }
    }

    /// What holds for one of them that says `own` itself.
    pub fn settings(&self, own: &HttpConnectionManagerSettings) -> HttpConnectionManagerSettings {
        match (
            &self.http_connection_manager_settings,
            self.prevent_child_overrides,
        ) {
            (None, _) => own.clone(),
            (Some(ours), false) => own.or(ours),
            (Some(ours), true) => ours.or(own),
        }
    }
}

/// MatchableTcpGateways.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct DelegatedTcpGateway {
    /// Which ones.
    #[read(flatten)]
    pub selection: GatewaySelection,
}

/// Which gateways are meant.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum GatewaySelection {
    /// This one.
    Ref(ObjectRef),
    /// Those that fit.
    Selector(GatewaySelector),
}

/// Which gateways are meant: all of it must fit.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct GatewaySelector {
    /// Their labels.
    pub labels: BTreeMap<String, String>,
    /// Their namespaces; none, or `*`: all.
    pub namespaces: Vec<String>,
    /// What their labels must be.
    pub expressions: Vec<Requirement>,
}

/// What is done over HTTP with some connections of gateways that delegate to it.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct MatchableHttpGateway {
    /// Which ones; nothing: all others.
    #[read(default)]
    pub matcher: ConnectionMatcher,
    /// What.
    #[read(default)]
    pub http_gateway: HttpGateway,
}

/// Where some connections of gateways that delegate to it are forwarded.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct MatchableTcpGateway {
    /// Which ones; nothing: all others.
    #[read(default)]
    pub matcher: ConnectionMatcher,
    /// Where.
    #[read(default)]
    pub tcp_gateway: TcpGateway,
}

impl GatewaySelection {
    /// Whether a gateway is meant.
    pub fn contains(&self, own: &ObjectRef, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Ref(reference) => reference == own,
            Self::Selector(selector) => selector.selector().matches(&own.namespace, labels),
        }
    }
}

impl GatewaySelector {
    fn selector(&self) -> Selector {
        let namespaces: BTreeSet<_> = self.namespaces.iter().cloned().collect();
        let all = namespaces.is_empty() || namespaces.contains("*");
        let labels = self.labels.iter().map(|(key, value)| Requirement {
            key: key.clone(),
            values: LabelValues::In(BTreeSet::from([value.clone()])),
        });
        Selector {
            namespaces: (!all).then_some(namespaces),
            requirements: labels.chain(self.expressions.iter().cloned()).collect(),
        }
    }
}

fn of_something(gateway: HybridGateway, fields: &Fields<'_>) -> Option<HybridGateway> {
    if gateway.matched_gateways.is_empty()
        && gateway.delegated_http_gateways.is_none()
        && gateway.delegated_tcp_gateways.is_none()
    {
        fields.error("expected matchedGateways, delegatedHttpGateways or delegatedTcpGateways");
    }
    Some(gateway)
}

/// Bits that do not count are cleared, so that equal ranges are equal.
fn masked(range: CidrRange, fields: &Fields<'_>) -> Option<CidrRange> {
    let (bits, most) = match range.address_prefix {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    if range.prefix_len > most {
        let text = format!(
            "{} is more than the {most} that an address has",
            range.prefix_len
        );
        fields.error_at("prefixLen", text);
        return None;
    }
    let mask = u128::MAX.checked_shl(128 - range.prefix_len).unwrap_or(0);
    let bits = bits & mask;
    let address_prefix = match range.address_prefix {
        IpAddr::V4(_) => IpAddr::from(u32::try_from(bits >> 96).unwrap_or_default().to_be_bytes()),
        IpAddr::V6(_) => IpAddr::from(bits.to_be_bytes()),
    };
    Some(CidrRange {
        address_prefix,
        ..range
    })
}
