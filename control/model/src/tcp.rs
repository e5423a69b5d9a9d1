//! Connections of TCP, forwarded as they are.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::listener_ssl::SslConfig;
use crate::read::Node;
use crate::{DestinationType, ObjectRef};

/// Connections of TCP, forwarded as they are.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct TcpGateway {
    /// Where connections go, by the name that the client asks for in TLS.
    pub tcp_hosts: Vec<TcpHost>,
    /// How they are forwarded.
    #[read(default)]
    pub options: TcpListenerOptions,
}

/// Where some connections go.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct TcpHost {
    /// A name for people.
    #[read(default)]
    pub name: String,
    /// TLS towards the clients. With names but without a certificate, connections that ask for them are forwarded as they
    /// are, still encrypted.
    pub ssl_config: Option<SslConfig>,
    /// Where they go.
    pub destination: TcpAction,
}

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum TcpAction {
    /// To an upstream.
    Single(TcpDestination),
    /// To one of several.
    Multi(TcpMultiDestination),
    /// To one of those of an upstream group.
    UpstreamGroup(ObjectRef),
    /// To the cluster that has the name that the client asks for in TLS.
    ForwardSniClusterName,
}

/// An upstream, or what there is one for without its being written.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(ignored("destinationSpec", "subset"))]
pub struct TcpDestination {
    /// It.
    #[read(flatten)]
    pub to: DestinationType,
}

/// Several upstreams.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct TcpMultiDestination {
    /// Each with its share.
    #[read(required)]
    pub destinations: Vec<WeightedTcpDestination>,
}

/// One of several upstreams.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(ignored("options"))]
pub struct WeightedTcpDestination {
    /// It.
    pub destination: TcpDestination,
    /// Its share.
    #[read(range(1, u32::MAX))]
    pub weight: u32,
}

/// How connections of TCP are forwarded.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct TcpListenerOptions {
    /// Timeouts and tunnels.
    #[read(default)]
    pub tcp_proxy_settings: TcpProxySettings,
    /// How many there may be at a time.
    pub connection_limit: Option<ConnectionLimit>,
    /// How many there may be in a while.
    pub local_ratelimit: Option<TokenBucket>,
}

/// Timeouts and tunnels.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct TcpProxySettings {
    /// How often connecting to the upstream is tried.
    #[read(range(1, u32::MAX))]
    pub max_connect_attempts: Option<u32>,
    /// How long nothing may be sent: an hour where it is left out, for ever with 0s.
    pub idle_timeout: Option<Duration>,
    /// Through HTTP's CONNECT.
    pub tunneling_config: Option<TunnelingConfig>,
    /// How often connections that go on are written down.
    #[read(with = at_least_a_millisecond)]
    pub access_log_flush_interval: Option<Duration>,
}

/// HTTP's CONNECT.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct TunnelingConfig {
    /// Where the upstream is asked to connect to, as `host:port`.
    #[read(with = Node::non_empty)]
    pub hostname: String,
    /// Headers of the request.
    pub headers_to_add: Vec<TunnelHeader>,
}

/// A header of a CONNECT.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct TunnelHeader {
    /// It.
    pub header: TunnelHeaderValue,
    /// Beside one of its name, not in its place.
    #[read(default = true)]
    pub append: bool,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct TunnelHeaderValue {
    /// Its name.
    #[read(with = crate::header::matched_name)]
    pub key: String,
    /// Its value.
    #[read(with = crate::header::value, default)]
    pub value: String,
}

/// How many connections there may be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct ConnectionLimit {
    /// So many.
    #[read(range(1, u32::MAX))]
    pub max_active_connections: Option<u32>,
    /// How long one too many is left waiting before it is closed.
    pub delay_before_close: Option<Duration>,
}

/// How many there may be in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct TokenBucket {
    /// So many at once.
    #[read(range(1, u32::MAX))]
    pub max_tokens: u32,
    /// How many more there may be each time: 1 where it is left out.
    #[read(range(1, u32::MAX))]
    pub tokens_per_fill: Option<u32>,
    /// How often: each second where it is left out; at least 50ms.
    #[read(with = at_least_fifty_milliseconds)]
    pub fill_interval: Option<Duration>,
}

fn at_least_a_millisecond(node: &Node<'_>) -> Option<Duration> {
    match node.duration()? {
        duration if duration < Duration::from_millis(1) => node.error("must be at least 1ms"),
        duration => Some(duration),
    }
}

fn at_least_fifty_milliseconds(node: &Node<'_>) -> Option<Duration> {
    match node.duration()? {
        duration if duration < Duration::from_millis(50) => node.error("must be at least 50ms"),
        duration => Some(duration),
    }
}
