//! What wraps the transport sockets of a cluster.

use envoy_types::pb::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use tenon_model::{ProxyProtocolVersion, Upstream};

use crate::proto::core::proxy_protocol_config::Version;
use crate::proto::core::transport_socket::ConfigType;
use crate::proto::{cluster, core};
use crate::wire::any;

/// Has each connection tell the client's address first, if the upstream wants so.
pub(super) fn tell_the_client(upstream: &Upstream, cluster: &mut cluster::Cluster) {
    let Some(version) = upstream.proxy_protocol_version else {
        return;
    };
    let version = match version {
        ProxyProtocolVersion::V1 => Version::V1,
        ProxyProtocolVersion::V2 => Version::V2,
    };
    let wrap = |inner: Option<core::TransportSocket>| {
        let inner = inner.unwrap_or_else(|| core::TransportSocket {
            name: "envoy.transport_sockets.raw_buffer".to_owned(),
            config_type: Some(ConfigType::TypedConfig(any(&RawBuffer::default()))),
        });
        Some(core::TransportSocket {
            name: "envoy.transport_sockets.upstream_proxy_protocol".to_owned(),
            config_type: Some(ConfigType::TypedConfig(any(
                &ProxyProtocolUpstreamTransport {
                    config: Some(core::ProxyProtocolConfig {
                        version: version.into(),
                        ..core::ProxyProtocolConfig::default()
                    }),
                    transport_socket: Some(inner),
                    ..ProxyProtocolUpstreamTransport::default()
                },
            ))),
        })
    };
    cluster.transport_socket = wrap(cluster.transport_socket.take());
    for socket in &mut cluster.transport_socket_matches {
        socket.transport_socket = wrap(socket.transport_socket.take());
    }
}
