//! What holds for a listener, whatever is spoken on it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tenon_model_derive::Read;

use crate::access_log::AccessLoggingService;
use crate::read::Node;
use crate::schema::Schema;

/// A listener's connections, and where they are written down.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(refused(
    extensions = "Gloo's plugins are not there; what a field of its own says has a field here, too"
))]
pub struct ListenerOptions {
    /// Where each request, or each connection of TCP, is written down.
    #[read(default)]
    pub access_logging_service: AccessLoggingService,
    /// Where each connection to the listener is written down, also one that comes to nothing.
    #[read(default)]
    pub listener_access_logging_service: AccessLoggingService,
    /// How much of a connection's data Envoy holds, in bytes: 9 MiB where it is left out, so that a function's request fits.
    #[read(range(1, u32::MAX))]
    pub per_connection_buffer_limit_bytes: Option<u32>,
    /// Options of the socket.
    pub socket_options: Vec<SocketOption>,
    /// Connections begin with the PROXY protocol, which says who the client is.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// How connections are shared among Envoy's threads.
    #[read(default)]
    pub connection_balance_config: ConnectionBalanceConfig,
    /// Statistics of the kernel's TCP.
    pub tcp_stats: bool,
}

/// How connections are shared among Envoy's threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct ConnectionBalanceConfig {
    /// Evenly, at the cost of a lock for each.
    pub exact_balance: Option<ExactBalance>,
}

/// Evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct ExactBalance {}

/// An option of a socket, as for `setsockopt`.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct SocketOption {
    /// For people.
    #[read(default)]
    pub description: String,
    /// The level, as a number.
    #[read(default = 0i64)]
    pub level: i64,
    /// The option, as a number.
    #[read(default = 0i64)]
    pub name: i64,
    /// Its value.
    #[read(flatten)]
    pub value: SocketOptionValue,
    /// When it is set.
    #[read(default)]
    pub state: SocketState,
}

/// The value of a socket's option.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum SocketOptionValue {
    /// A number.
    IntValue(i64),
    /// Bytes, in base64.
    #[read(with = bytes, schema = a_text)]
    BufValue(Vec<u8>),
}

/// When a socket's option is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum SocketState {
    /// Before it has its address.
    #[default]
    StatePrebind,
    /// Once it has.
    StateBound,
    /// Once it listens.
    StateListening,
}

/// The PROXY protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct ProxyProtocol {
    /// Which of its values are kept.
    pub rules: Vec<ProxyProtocolRule>,
    /// Connections may begin without it.
    pub allow_requests_without_proxy_protocol: bool,
}

/// A value of the PROXY protocol that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ProxyProtocolRule {
    /// Its type.
    #[read(range(0, 255))]
    pub tlv_type: u32,
    /// Where in a connection's dynamic metadata it is kept.
    pub on_tlv_present: Option<MetadataKey>,
}

/// A place in dynamic metadata.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct MetadataKey {
    /// Its namespace: `envoy.filters.listener.proxy_protocol` where it is left out.
    #[read(default)]
    pub metadata_namespace: String,
    /// Its key.
    #[read(with = Node::non_empty)]
    pub key: String,
}

fn a_text() -> Schema {
    Schema::Text
}

fn bytes(node: &Node<'_>) -> Option<Vec<u8>> {
    match STANDARD.decode(node.text()?) {
        Ok(bytes) => Some(bytes),
        Err(_) => node.error("is not valid base64"),
    }
}
