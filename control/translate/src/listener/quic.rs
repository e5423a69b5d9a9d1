//! HTTP/3: a listener over UDP beside the one over TCP, with the same routes and certificates.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::transport_sockets::quic::v3::QuicDownstreamTransport;
use prost::Message;
use tenon_model::Gateway;
use tenon_model::http_listener::Http3;

use super::{
    Chain, Http, Spoken, address, encoded, http_filters_of, manager, matched, transport_socket,
};
use crate::access_log;
use crate::http_filters::Surroundings;
use crate::output::Module;
use crate::proto::hcm::http_connection_manager::CodecType;
use crate::proto::tls::downstream_tls_context::SessionTicketKeysType;
use crate::proto::{BUFFER_LIMIT, boolean, core, listener, tls, uint};
use crate::tls::listener::ListenerTls;
use crate::wire::any;

/// How long clients may remember that there is HTTP/3.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The listener over UDP, if something is spoken on it.
pub(crate) fn over_quic(
    name: &str,
    gateway: &Gateway,
    module: &Module,
    chains: &[Chain<'_>],
    surroundings: &Surroundings<'_>,
) -> Option<Vec<u8>> {
    let chains: Vec<_> = chains
        .iter()
        .filter_map(|chain| {
            let (http, options, tls) = spoken(chain)?;
            let alt_svc = alt_svc(gateway, chain);
            let surroundings = Surroundings {
                alt_svc: alt_svc.as_deref(),
                ..*surroundings
            };
            let mut manager = manager(gateway, module, http, &surroundings);
            manager.codec_type = CodecType::Http3.into();
            manager.http3_protocol_options = Some(core::Http3ProtocolOptions {
                quic_protocol_options: Some(core::QuicProtocolOptions {
                    max_concurrent_streams: options.max_concurrent_streams.map(uint),
                    ..core::QuicProtocolOptions::default()
                }),
                ..core::Http3ProtocolOptions::default()
            });
            Some(listener::FilterChain {
                filter_chain_match: matched(chain),
                filters: http_filters_of(http, encoded(http, &manager)),
                transport_socket: socket(tls),
                ..listener::FilterChain::default()
            })
        })
        .collect();
    if chains.is_empty() {
        return None;
    }
    let options = &gateway.options;
    let mut address = address(gateway);
    if let Some(core::Address {
        address: Some(core::address::Address::SocketAddress(socket)),
    }) = &mut address
    {
        socket.protocol = core::socket_address::Protocol::Udp.into();
    }
    let listener = listener::Listener {
        name: name.to_owned(),
        address,
        filter_chains: chains,
        udp_listener_config: Some(listener::UdpListenerConfig {
            quic_options: Some(listener::QuicProtocolOptions::default()),
            ..listener::UdpListenerConfig::default()
        }),
        per_connection_buffer_limit_bytes: Some(uint(
            options
                .per_connection_buffer_limit_bytes
                .unwrap_or(BUFFER_LIMIT),
        )),
        access_log: access_log::of_connections(&options.listener_access_logging_service.access_log),
        ..listener::Listener::default()
    };
    Some(listener.encode_to_vec())
}

/// What clients are told of it, if there is something to tell: without a port of its own nobody knows which one it is.
pub(super) fn alt_svc(gateway: &Gateway, chain: &Chain<'_>) -> Option<String> {
    let (_, options, _) = spoken(chain)?;
    let port = options.advertised_port;
    let port = port.unwrap_or_else(|| gateway.bind_port.into());
    let age = options.max_age.unwrap_or(A_DAY).as_secs();
    (port > 0).then(|| format!("h3=\":{port}\"; ma={age}"))
}

/// Where HTTP/3 is spoken. Envoy asks for no client's certificate over QUIC, so those who demand one stay with TCP.
fn spoken<'a>(chain: &'a Chain<'_>) -> Option<(&'a Http<'a>, &'a Http3, &'a ListenerTls)> {
    let Spoken::Http(http) = &chain.spoken else {
        return None;
    };
    let tls = chain.tls.filter(|tls| !tls.verifies)?;
    Some((http, http.form.options.http3.as_ref()?, tls))
}

fn socket(of: &ListenerTls) -> Option<core::TransportSocket> {
    let mut context = tls::DownstreamTlsContext::decode(&*of.context).ok()?;
    let resumes = !matches!(
        context.session_ticket_keys_type.take(),
        Some(SessionTicketKeysType::DisableStatelessSessionResumption(
            true
        ))
    );
    let common = context.common_tls_context.get_or_insert_default();
    common.alpn_protocols = vec!["h3".to_owned()];
    // There is TLS 1.3 only.
    common.tls_params = None;
    let config = QuicDownstreamTransport {
        downstream_tls_context: Some(context),
        // A request that is sent so early can be sent again by others.
        enable_early_data: boolean(false),
        enable_resumption: boolean(resumes),
    };
    Some(transport_socket(
        "envoy.transport_sockets.quic",
        any(&config),
    ))
}
