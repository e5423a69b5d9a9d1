//! A gateway as listener.

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol as EnvoyProxyProtocol;
use envoy_types::pb::envoy::extensions::filters::listener::proxy_protocol::v3::proxy_protocol::{
    KeyValuePair, Rule,
};
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use envoy_types::pb::envoy::extensions::transport_sockets::tcp_stats::v3::Config as TcpStats;
use prost::{Message, Name};
use tenon_contract::HEADER_PREFIX;
use tenon_model::hcm::HttpConnectionManagerSettings;
use tenon_model::http_listener::HttpListenerOptions;
use tenon_model::{
    CidrRange, Gateway, ProxyProtocol, SocketOption, SocketOptionValue, SocketState,
};

use crate::http_filters::{FORWARD_PROXY, Surroundings};
use crate::http_listener::HttpForm;
use crate::output::Module;
use crate::proto::hcm::http_connection_manager::RouteSpecifier;
use crate::proto::{
    Any, BUFFER_LIMIT, ads, core, duration, hcm, header, listener, socket_address, starts_with,
    tls, uint,
};
use crate::route::to_add;
use crate::route_table::Cut;
use crate::tls::listener::ListenerTls;
use crate::virtual_host::Needs;
use crate::wire::{self, any, any_bytes};
use crate::{
    access_log, filters, forward_proxy, hcm_settings, http_listener, local_reply, misdirected,
    names, route_table, tracing,
};

mod quic;

pub(crate) use quic::over_quic;

/// What is done with some connections of a listener.
pub(crate) struct Chain<'a> {
    /// The names that clients ask for in TLS; none: any.
    pub(crate) names: Vec<String>,
    /// The clients' addresses; none: any.
    pub(crate) sources: &'a [CidrRange],
    pub(crate) tls: Option<&'a ListenerTls>,
    pub(crate) spoken: Spoken<'a>,
}

/// What is spoken on connections.
pub(crate) enum Spoken<'a> {
    /// HTTP.
    Http(Http<'a>),
    /// Nothing that Envoy has to understand.
    Tcp(&'a [listener::Filter]),
}

/// HTTP on connections.
pub(crate) struct Http<'a> {
    /// What the name of the route table begins with.
    pub(crate) table: &'a str,
    /// How it is served.
    pub(crate) cut: Cut,
    pub(crate) needs: Needs,
    pub(crate) form: &'a HttpForm,
    /// What it tells routes that it is.
    pub(crate) listener: Option<&'a str>,
}

/// The listener of a gateway.
pub(crate) fn translate(
    name: &str,
    gateway: &Gateway,
    module: &Module,
    chains: &[Chain<'_>],
    surroundings: &Surroundings<'_>,
) -> Vec<u8> {
    let options = &gateway.options;
    let mut filters = Vec::new();
    // Before anything that looks at what comes after it.
    filters.extend(
        proxy_protocol(gateway)
            .map(|config| listener_filter("envoy.filters.listener.proxy_protocol", &config)),
    );
    if chains.iter().any(|chain| !chain.names.is_empty()) {
        filters.push(listener_filter(
            "envoy.filters.listener.tls_inspector",
            &TlsInspector::default(),
        ));
    }
    let chains = chains.iter().map(|chain| {
        let filters = match &chain.spoken {
            Spoken::Http(http) => {
                let alt_svc = quic::alt_svc(gateway, chain);
                let surroundings = Surroundings {
                    alt_svc: alt_svc.as_deref(),
                    ..*surroundings
                };
                let manager = manager(gateway, module, http, &surroundings);
                http_filters_of(http, encoded(http, &manager))
            }
            Spoken::Tcp(filters) => filters.to_vec(),
        };
        listener::FilterChain {
            filter_chain_match: matched(chain),
            filters,
            transport_socket: match options.tcp_stats {
                true => Some(counted(chain.tls.map(socket))),
                false => chain.tls.map(socket),
            },
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
        per_connection_buffer_limit_bytes: Some(uint(
            options
                .per_connection_buffer_limit_bytes
                .unwrap_or(BUFFER_LIMIT),
        )),
        socket_options: options.socket_options.iter().map(socket_option).collect(),
        connection_balance_config: options
            .connection_balance_config
            .exact_balance
            .map(|_| exact_balance()),
        access_log: access_log::of_connections(&options.listener_access_logging_service.access_log),
        ..listener::Listener::default()
    }
    .encode_to_vec()
}

fn matched(chain: &Chain<'_>) -> Option<listener::FilterChainMatch> {
    let sources = chain.sources.iter().map(|range| core::CidrRange {
        address_prefix: range.address_prefix.to_string(),
        prefix_len: Some(uint(range.prefix_len)),
    });
    let any = chain.names.is_empty() && chain.sources.is_empty();
    (!any).then(|| listener::FilterChainMatch {
        server_names: chain.names.clone(),
        source_prefix_ranges: sources.collect(),
        ..listener::FilterChainMatch::default()
    })
}

/// What stands before HTTP, and HTTP.
fn http_filters_of(http: &Http<'_>, manager: Any) -> Vec<listener::Filter> {
    let mut filters = http_listener::of_connections(&http.form.options);
    filters.push(listener::Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(listener::filter::ConfigType::TypedConfig(manager)),
    });
    filters
}

fn encoded(http: &Http<'_>, manager: &hcm::HttpConnectionManager) -> Any {
    let settings = &http.form.options.http_connection_manager_settings;
    let mut bytes = manager.encode_to_vec();
    if let Some(replies) = &settings.local_reply_config {
        let replies = local_reply::encode(replies);
        wire::append(&mut bytes, local_reply::LOCAL_REPLY_CONFIG, &replies);
    }
    any_bytes(hcm::HttpConnectionManager::type_url(), bytes)
}

fn manager(
    gateway: &Gateway,
    module: &Module,
    http: &Http<'_>,
    surroundings: &Surroundings<'_>,
) -> hcm::HttpConnectionManager {
    let (table, cut) = (http.table, http.cut);
    let (needs, listener, http) = (&http.needs, http.listener, http.form);
    let settings = &http.options.http_connection_manager_settings;
    let logs = &gateway.options.access_logging_service.access_log;
    let table = names::route_table(table);
    let mut early = vec![forged_headers(&http.options, needs)];
    early.extend(early_headers(settings));
    if needs.filters.contains(FORWARD_PROXY) {
        let to = http.options.dynamic_forward_proxy.as_deref();
        let to = to.map_or_else(Default::default, Clone::clone);
        let cluster = forward_proxy::cluster_name(&to);
        early.push(told(forward_proxy::HEADER, &cluster));
    }
    early.extend(listener.map(|listener| told(misdirected::HEADER, listener)));
    if let Cut::Parts(parts) = cut {
        let ignore_port = gateway.route_options.ignore_port;
        early.push(route_table::scope_of_request(
            module,
            &table,
            parts,
            ignore_port,
        ));
    }
    let mut manager = hcm::HttpConnectionManager {
        stat_prefix: "http".to_owned(),
        route_specifier: Some(match cut {
            Cut::Parts(parts) => RouteSpecifier::ScopedRoutes(route_table::scoped(table, parts)),
            Cut::Whole => RouteSpecifier::Rds(hcm::Rds {
                config_source: ads(),
                route_config_name: table,
            }),
        }),
        http_filters: filters::of_listener(module, !logs.is_empty(), needs, http, surroundings),
        tracing: settings
            .tracing
            .as_ref()
            .map(|it| tracing::translate(it, surroundings.gateway, module)),
        // Gloo allows them by default.
        upgrade_configs: vec![hcm::http_connection_manager::UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..hcm::http_connection_manager::UpgradeConfig::default()
        }],
        early_header_mutation_extensions: early,
        access_log: access_log::translate(logs, module),
        ..hcm::HttpConnectionManager::default()
    };
    hcm_settings::apply(settings, &mut manager);
    http_listener::apply(&http.options, &mut manager);
    manager
}

pub(crate) fn filter<M: Message + Name>(name: &str, config: &M) -> listener::Filter {
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

fn proxy_protocol(gateway: &Gateway) -> Option<EnvoyProxyProtocol> {
    let plain = gateway.use_proxy_proto.then(ProxyProtocol::default);
    let protocol = gateway.options.proxy_protocol.clone().or(plain)?;
    let rules = protocol.rules.iter().map(|rule| Rule {
        tlv_type: rule.tlv_type,
        on_tlv_present: rule.on_tlv_present.as_ref().map(|key| KeyValuePair {
            metadata_namespace: key.metadata_namespace.clone(),
            key: key.key.clone(),
            ..KeyValuePair::default()
        }),
    });
    Some(EnvoyProxyProtocol {
        rules: rules.collect(),
        allow_requests_without_proxy_protocol: protocol.allow_requests_without_proxy_protocol,
        ..EnvoyProxyProtocol::default()
    })
}

fn socket_option(option: &SocketOption) -> core::SocketOption {
    use core::socket_option::{SocketState as State, Value};
    let state = match option.state {
        SocketState::StatePrebind => State::StatePrebind,
        SocketState::StateBound => State::StateBound,
        SocketState::StateListening => State::StateListening,
    };
    core::SocketOption {
        description: option.description.clone(),
        level: option.level,
        name: option.name,
        state: state.into(),
        value: Some(match &option.value {
            SocketOptionValue::IntValue(value) => Value::IntValue(*value),
            SocketOptionValue::BufValue(value) => Value::BufValue(value.clone()),
        }),
        ..core::SocketOption::default()
    }
}

fn exact_balance() -> listener::listener::ConnectionBalanceConfig {
    use listener::listener::connection_balance_config::{BalanceType, ExactBalance};
    listener::listener::ConnectionBalanceConfig {
        balance_type: Some(BalanceType::ExactBalance(ExactBalance {})),
    }
}

/// With statistics of the kernel's TCP.
fn counted(socket: Option<core::TransportSocket>) -> core::TransportSocket {
    let plain = || transport_socket("envoy.transport_sockets.raw_buffer", any(&RawBuffer {}));
    let config = TcpStats {
        transport_socket: Some(socket.unwrap_or_else(plain)),
        ..TcpStats::default()
    };
    transport_socket("envoy.transport_sockets.tcp_stats", any(&config))
}

fn transport_socket(name: &str, config: Any) -> core::TransportSocket {
    core::TransportSocket {
        name: name.to_owned(),
        config_type: Some(core::transport_socket::ConfigType::TypedConfig(config)),
    }
}

fn socket(tls: &ListenerTls) -> core::TransportSocket {
    let context = any_bytes(tls::DownstreamTlsContext::type_url(), tls.context.clone());
    transport_socket("envoy.transport_sockets.tls", context)
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
fn forged_headers(options: &HttpListenerOptions, needs: &Needs) -> core::TypedExtensionConfig {
    use mutation::header_mutation::{Action, RemoveOnMatch};
    let remove = |action| mutation::HeaderMutation {
        action: Some(action),
    };
    let mut mutations = vec![
        remove(Action::RemoveOnMatch(RemoveOnMatch {
            key_matcher: Some(starts_with(HEADER_PREFIX)),
        })),
        remove(Action::Remove("x-envoy-original-path".to_owned())),
    ];
    if options.sanitize_cluster_header {
        let headers = needs.cluster_headers.iter();
        mutations.extend(headers.map(|name| remove(Action::Remove(name.clone()))));
    }
    early_mutation(mutations)
}

/// What the user changes of requests before anything looks at them.
fn early_headers(settings: &HttpConnectionManagerSettings) -> Option<core::TypedExtensionConfig> {
    use mutation::header_mutation::Action;
    let headers = settings.early_header_manipulation.as_ref()?;
    let removed = headers.remove.iter().cloned().map(Action::Remove);
    let added = to_add(&headers.add).into_iter().map(Action::Append);
    let mutations = removed.chain(added).map(|action| mutation::HeaderMutation {
        action: Some(action),
    });
    Some(early_mutation(mutations.collect()))
}

/// Tells routes something in a header.
fn told(name: &str, value: &str) -> core::TypedExtensionConfig {
    use mutation::header_mutation::Action;
    let told = header(name, value, false);
    early_mutation(vec![mutation::HeaderMutation {
        action: Some(Action::Append(told)),
    }])
}

fn early_mutation(mutations: Vec<mutation::HeaderMutation>) -> core::TypedExtensionConfig {
    core::TypedExtensionConfig {
        name: "envoy.http.early_header_mutation.header_mutation".to_owned(),
        typed_config: Some(any(&HeaderMutation { mutations })),
    }
}
