//! A gateway as listener.

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use prost::{Message, Name};
use tenon_contract::HEADER_PREFIX;
use tenon_model::Gateway;

use crate::http_filters::Surroundings;
use crate::output::Module;
use crate::proto::hcm::http_connection_manager::RouteSpecifier;
use crate::proto::{
    BUFFER_LIMIT, ads, boolean, core, duration, hcm, listener, socket_address, starts_with, tls,
    uint,
};
use crate::tls::listener::ListenerTls;
use crate::virtual_host::Needs;
use crate::wire::{any, any_bytes};
use crate::{access_log, filters, names, route_table};

/// What is done with some connections of a listener.
pub(crate) struct Chain<'a> {
    /// The names that clients ask for in TLS; none: any.
    pub(crate) names: Vec<String>,
    pub(crate) tls: Option<&'a ListenerTls>,
    pub(crate) spoken: Spoken<'a>,
}

/// What is spoken on connections.
pub(crate) enum Spoken<'a> {
    /// HTTP.
    Http {
        /// What the name of the route table begins with.
        table: &'a str,
        /// Whether it is cut into parts.
        in_parts: bool,
        needs: Needs,
    },
}

/// The listener of a gateway.
pub(crate) fn translate(
    name: &str,
    gateway: &Gateway,
    module: &Module,
    chains: &[Chain<'_>],
    surroundings: &Surroundings<'_>,
) -> Vec<u8> {
    let mut filters = Vec::new();
    if chains.iter().any(|chain| !chain.names.is_empty()) {
        filters.push(listener_filter(
            "envoy.filters.listener.tls_inspector",
            &TlsInspector::default(),
        ));
    }
    let chains = chains.iter().map(|chain| {
        let filters = match &chain.spoken {
            Spoken::Http { .. } => vec![filter(
                "envoy.filters.network.http_connection_manager",
                &manager(gateway, module, &chain.spoken, surroundings),
            )],
        };
        listener::FilterChain {
            filter_chain_match: (!chain.names.is_empty()).then(|| listener::FilterChainMatch {
                server_names: chain.names.clone(),
                ..listener::FilterChainMatch::default()
            }),
            filters,
            transport_socket: chain.tls.map(socket),
            transport_socket_connect_timeout: chain
                .tls
                .and_then(|tls| tls.connect_timeout)
                .map(duration),
            ..listener::FilterChain::default()
        }
    });
    listener::Listener {
        name: name.to_owned(),
        address: address(gateway),
        filter_chains: chains.collect(),
        listener_filters: filters,
        per_connection_buffer_limit_bytes: Some(uint(BUFFER_LIMIT)),
        ..listener::Listener::default()
    }
    .encode_to_vec()
}

fn manager(
    gateway: &Gateway,
    module: &Module,
    spoken: &Spoken<'_>,
    surroundings: &Surroundings<'_>,
) -> hcm::HttpConnectionManager {
    let Spoken::Http {
        table,
        in_parts,
        needs,
    } = spoken;
    let logs = &gateway.options.access_logging_service.access_log;
    let table = names::route_table(table);
    let mut early = vec![forged_headers()];
    early.extend(in_parts.then(|| route_table::scope_of_request(module, &table)));
    hcm::HttpConnectionManager {
        stat_prefix: "http".to_owned(),
        route_specifier: Some(match in_parts {
            true => RouteSpecifier::ScopedRoutes(route_table::scoped(table)),
            false => RouteSpecifier::Rds(hcm::Rds {
                config_source: ads(),
                route_config_name: table,
            }),
        }),
        http_filters: filters::of_listener(module, !logs.is_empty(), needs, surroundings),
        use_remote_address: boolean(true),
        normalize_path: boolean(true),
        // Gloo allows them by default.
        upgrade_configs: vec![hcm::http_connection_manager::UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..hcm::http_connection_manager::UpgradeConfig::default()
        }],
        early_header_mutation_extensions: early,
        access_log: access_log::translate(logs, module),
        ..hcm::HttpConnectionManager::default()
    }
}

fn filter<M: Message + Name>(name: &str, config: &M) -> listener::Filter {
    listener::Filter {
        name: name.to_owned(),
        config_type: Some(listener::filter::ConfigType::TypedConfig(any(config))),
    }
}

fn listener_filter<M: Message + Name>(name: &str, config: &M) -> listener::ListenerFilter {
    listener::ListenerFilter {
        name: name.to_owned(),
        config_type: Some(listener::listener_filter::ConfigType::TypedConfig(any(
            config,
        ))),
        ..listener::ListenerFilter::default()
    }
}

fn socket(tls: &ListenerTls) -> core::TransportSocket {
    let context = any_bytes(tls::DownstreamTlsContext::type_url(), tls.context.clone());
    core::TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(core::transport_socket::ConfigType::TypedConfig(context)),
    }
}

fn address(gateway: &Gateway) -> Option<core::Address> {
    let mut address = socket_address(&gateway.bind_address.to_string(), gateway.bind_port)?;
    if let Some(core::address::Address::SocketAddress(socket)) = &mut address.address {
        // As Gloo: `::` is for IPv4 too.
        socket.ipv4_compat =
            gateway.bind_address.is_ipv6() && gateway.bind_address.is_unspecified();
    }
    Some(address)
}

/// What only Envoy and the filters may set is taken off before anything looks at the request.
fn forged_headers() -> core::TypedExtensionConfig {
    use mutation::header_mutation::{Action, RemoveOnMatch};
    let remove = |action| mutation::HeaderMutation {
        action: Some(action),
    };
    let mutations = vec![
        remove(Action::RemoveOnMatch(RemoveOnMatch {
            key_matcher: Some(starts_with(HEADER_PREFIX)),
        })),
        remove(Action::Remove("x-envoy-original-path".to_owned())),
    ];
    core::TypedExtensionConfig {
        name: "envoy.http.early_header_mutation.header_mutation".to_owned(),
        typed_config: Some(any(&HeaderMutation { mutations })),
    }
}
