//! A gateway as listener.

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use prost::Message;
use tenon_contract::HEADER_PREFIX;
use tenon_model::Gateway;

use crate::http_filters::Surroundings;
use crate::output::Module;
use crate::proto::hcm::http_connection_manager::RouteSpecifier;
use crate::proto::{
    BUFFER_LIMIT, ads, boolean, core, hcm, listener, socket_address, starts_with, uint,
};
use crate::virtual_host::Needs;
use crate::wire::any;
use crate::{access_log, filters, names, route_table};

/// The listener of a gateway; `in_parts`: whether its route table is cut into parts.
pub(crate) fn translate(
    name: &str,
    gateway: &Gateway,
    module: &Module,
    needs: &Needs,
    surroundings: &Surroundings<'_>,
    in_parts: bool,
) -> Vec<u8> {
    let logs = &gateway.options.access_logging_service.access_log;
    let table = names::route_table(name);
    let mut early = vec![forged_headers()];
    early.extend(in_parts.then(|| route_table::scope_of_request(module, &table)));
    let manager = hcm::HttpConnectionManager {
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
    };
    let filter = listener::Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(listener::filter::ConfigType::TypedConfig(any(&manager))),
    };
    listener::Listener {
        name: name.to_owned(),
        address: address(gateway),
        filter_chains: vec![listener::FilterChain {
            filters: vec![filter],
            ..listener::FilterChain::default()
        }],
        per_connection_buffer_limit_bytes: Some(uint(BUFFER_LIMIT)),
        ..listener::Listener::default()
    }
    .encode_to_vec()
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
