//! A gateway as listener and route table.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use prost::Message;
use tenon_contract::HEADER_PREFIX;
use tenon_model::{Gateway, ObjectKey, Problem, RouteConfigurationOptions};

use crate::output::Module;
use crate::proto::{
    BUFFER_LIMIT, ads, boolean, core, hcm, listener, route, socket_address, starts_with, uint,
};
use crate::virtual_host::{Needs, VirtualHostForm};
use crate::wire::{self, any};
use crate::{access_log, filters, names};

/// `RouteConfiguration.virtual_hosts`
const VIRTUAL_HOSTS: u32 = 2;

/// The largest body that a route may answer with by itself, if a gateway does not say more: Envoy's own limit.
const MOST_BODY: u32 = 4_096;

/// The route tables of a gateway, by name. One for now; a large one can be cut in pieces here.
pub(crate) struct RouteTables {
    pub(crate) tables: BTreeMap<String, Bytes>,
    /// The virtual services that are served.
    pub(crate) served: BTreeSet<ObjectKey>,
    /// What is wrong with them beside each other.
    pub(crate) problems: Vec<(ObjectKey, Problem)>,
}

/// Puts the virtual hosts of a gateway together, in the order of their keys: of two that ask for the same domain the
/// first gets it, because Envoy would refuse the whole table.
pub(crate) fn route_tables<'a>(
    listener: &str,
    options: RouteConfigurationOptions,
    hosts: impl Iterator<Item = (&'a ObjectKey, &'a VirtualHostForm)>,
) -> RouteTables {
    let name = names::route_table(listener);
    let mut bytes = route::RouteConfiguration {
        name: name.clone(),
        most_specific_header_mutations_wins: options.most_specific_header_mutations_wins,
        // The model knows no larger one; a smaller limit would have Envoy refuse the whole table.
        max_direct_response_body_size_bytes: options
            .max_direct_response_body_size_bytes
            .map(|most| uint(most.max(MOST_BODY))),
        ..route::RouteConfiguration::default()
    }
    .encode_to_vec();
    let mut owners: BTreeMap<&str, &ObjectKey> = BTreeMap::new();
    let mut served = BTreeSet::new();
    let mut problems = Vec::new();
    let mut encoded = Vec::new();
    for (key, host) in hosts {
        let mut domains = Vec::new();
        for (index, domain) in host.domains.iter().enumerate() {
            match owners.get(domain.as_str()) {
                None => {
                    owners.insert(domain, key);
                    domains.push(domain.as_str());
                }
                Some(owner) => {
                    let text = format!(
                        "domain {domain:?} is served by VirtualService {}/{} already",
                        owner.namespace, owner.name
                    );
                    let field = format!("spec.virtualHost.domains[{index}]");
                    problems.push((key.clone(), Problem::error(field, text)));
                }
            }
        }
        if domains.is_empty() {
            continue;
        }
        encoded.clear();
        host.encode(domains.into_iter(), &mut encoded);
        wire::append(&mut bytes, VIRTUAL_HOSTS, &encoded);
        served.insert(key.clone());
    }
    RouteTables {
        tables: BTreeMap::from([(name, bytes.into())]),
        served,
        problems,
    }
}

pub(crate) fn translate(name: &str, gateway: &Gateway, module: &Module, needs: &Needs) -> Vec<u8> {
    let logs = &gateway.options.access_logging_service.access_log;
    let manager = hcm::HttpConnectionManager {
        stat_prefix: "http".to_owned(),
        route_specifier: Some(hcm::http_connection_manager::RouteSpecifier::Rds(
            hcm::Rds {
                config_source: ads(),
                route_config_name: names::route_table(name),
            },
        )),
        http_filters: filters::of_listener(module, !logs.is_empty(), needs),
        use_remote_address: boolean(true),
        normalize_path: boolean(true),
        // Gloo allows them by default.
        upgrade_configs: vec![hcm::http_connection_manager::UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..hcm::http_connection_manager::UpgradeConfig::default()
        }],
        early_header_mutation_extensions: vec![forged_headers()],
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
