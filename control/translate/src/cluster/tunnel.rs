//! A proxy before an upstream that is asked for a tunnel (CONNECT).
//!
//! Envoy can do so for TCP only. So the upstream's cluster is a Unix socket of Envoy's own, at which a listener asks the
//! proxy for a tunnel; HTTP and TLS of the upstream go through it.

use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::{
    ClusterSpecifier, TunnelingConfig,
};
use prost::Message;
use tenon_model::Upstream;
use xxhash_rust::xxh3::xxh3_64;

use super::endpoints::{pipe, pipe_endpoint};
use super::{ClusterForm, Secrets, context, transport};
use crate::proto::cluster::cluster::DiscoveryType;
use crate::proto::{cluster, header, listener};
use crate::wire::{self, any};
use crate::{names, tls};

/// What a Unix socket's address holds.
const LONGEST_PATH: usize = 107;

/// Puts a tunnel to `hostname` before the cluster, which becomes that of the proxy; gives the one in front, which has the
/// cluster's name.
pub(super) fn dig(
    hostname: &str,
    upstream: &Upstream,
    proxy: &mut cluster::Cluster,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> (cluster::Cluster, wire::WithLoadAssignment) {
    let name = std::mem::take(&mut proxy.name);
    proxy.name = names::proxy(&name);
    if let Some(told) = &mut proxy.eds_cluster_config {
        // Under the same name as ever.
        told.service_name.clone_from(&name);
    }
    let path = path(&name);
    let listener = listener(hostname, upstream, &name, &path);
    let bytes = listener.encode_to_vec().into();
    form.listeners.push((listener.name.into(), bytes));
    let inner = proxy.transport_socket.take();
    let towards = upstream.http_connect_ssl_config.as_ref();
    proxy.transport_socket =
        towards.map(|ssl| tls::socket(&context(ssl, "spec.httpConnectSslConfig", secrets, form)));
    // What is in the tunnel is not theirs to encrypt.
    proxy.transport_socket_matches.clear();
    transport::tell_the_client(upstream, proxy);
    let mut front = cluster::Cluster {
        name,
        connect_timeout: proxy.connect_timeout,
        per_connection_buffer_limit_bytes: proxy.per_connection_buffer_limit_bytes,
        circuit_breakers: proxy.circuit_breakers.clone(),
        transport_socket: inner,
        ..cluster::Cluster::default()
    };
    super::discovery(&mut front, DiscoveryType::Static);
    let assignment = wire::WithLoadAssignment {
        load_assignment: Some(wire::ClusterLoadAssignment {
            cluster_name: front.name.clone(),
            endpoints: vec![wire::LocalityLbEndpoints {
                lb_endpoints: vec![pipe_endpoint(&path)],
                ..wire::LocalityLbEndpoints::default()
            }],
            policy: None,
        }),
    };
    (front, assignment)
}

/// In Linux' abstract namespace, where nothing is left behind.
fn path(cluster: &str) -> String {
    let path = format!("@/{cluster}");
    match path.len() {
        0..=LONGEST_PATH => path,
        _ => format!("@/{:016x}", xxh3_64(cluster.as_bytes())),
    }
}

fn listener(hostname: &str, upstream: &Upstream, name: &str, path: &str) -> listener::Listener {
    let headers = upstream.http_connect_headers.iter();
    let tunnel = TcpProxy {
        stat_prefix: format!("tunnel_{name}"),
        tunneling_config: Some(TunnelingConfig {
            hostname: hostname.to_owned(),
            headers_to_add: headers
                .map(|it| header(&it.key, &it.value, false))
                .collect(),
            ..TunnelingConfig::default()
        }),
        cluster_specifier: Some(ClusterSpecifier::Cluster(names::proxy(name))),
        ..TcpProxy::default()
    };
    // Only who looks at the handshake knows the name that is asked for in it.
    let inspector = hostname
        .contains("REQUESTED_SERVER_NAME")
        .then(|| listener::ListenerFilter {
            name: "envoy.filters.listener.tls_inspector".to_owned(),
            config_type: Some(listener::listener_filter::ConfigType::TypedConfig(any(
                &TlsInspector::default(),
            ))),
            ..listener::ListenerFilter::default()
        });
    listener::Listener {
        name: names::tunnel(name),
        address: Some(pipe(path)),
        listener_filters: inspector.into_iter().collect(),
        filter_chains: vec![listener::FilterChain {
            filters: vec![listener::Filter {
                name: "envoy.filters.network.tcp_proxy".to_owned(),
                config_type: Some(listener::filter::ConfigType::TypedConfig(any(&tunnel))),
            }],
            ..listener::FilterChain::default()
        }],
        ..listener::Listener::default()
    }
}
