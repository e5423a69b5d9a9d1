//! Route tables: one route configuration, or, where there are many virtual hosts, one for each part of the hosts.
//!
//! Envoy builds a route configuration anew when anything in it changes: 118 ms at 10,000 virtual hosts. One of many scoped
//! route configurations is 2 ms at any size. A table in parts has a scope for each, so that a virtual host that comes or
//! goes changes no scope. Hosts with wildcards are in every part.

use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::extensions::dynamic_modules::v3::DynamicModuleConfig;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::dynamic_modules::v3::DynamicModuleEarlyHeaderMutation;
use envoy_types::pb::google::protobuf::StringValue;
use prost::Message;
use tenon_contract::scope::{SCOPE_FILTER, SCOPE_HEADER, ScopeConfig};
use tenon_model::RouteConfigurationOptions;
use xxhash_rust::xxh3::xxh3_64;

use crate::misdirected;
use crate::names;
use crate::output::Module;
use crate::proto::hcm::scoped_routes::scope_key_builder::FragmentBuilder;
use crate::proto::hcm::scoped_routes::scope_key_builder::fragment_builder::{
    HeaderValueExtractor, Type, header_value_extractor::ExtractType,
};
use crate::proto::hcm::scoped_routes::{ConfigSpecifier, ScopeKeyBuilder};
use crate::proto::route::scoped_route_configuration::{
    Key,
    key::{Fragment, fragment},
};
use crate::proto::{ads, core, duration, hcm, local_file, route, uint};
use crate::virtual_host::VirtualHostForm;
use crate::wire::{self, any};

/// `RouteConfiguration.virtual_hosts`
pub(crate) const VIRTUAL_HOSTS: u32 = 2;

/// The largest body that a route may answer with by itself, if a gateway does not say more: Envoy's own limit.
pub(crate) const MOST_BODY: usize = 4_096;

/// How a table is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Cut {
    /// As one route configuration.
    #[default]
    Whole,
    /// Cut into so many parts.
    Parts(u32),
}

/// A route configuration of virtual hosts, each with the domains that it gets.
pub(crate) fn encode<'a>(
    name: &str,
    options: RouteConfigurationOptions,
    is_part: bool,
    hosts: impl Iterator<Item = (&'a VirtualHostForm, Vec<&'a str>)>,
) -> Bytes {
    let hosts: Vec<_> = hosts.collect();
    let ssl = hosts.iter().filter_map(|(host, _)| host.ssl.as_deref());
    let turns_away = ssl.filter_map(misdirected::listener).next().is_some();
    let told = [
        is_part.then_some(SCOPE_HEADER),
        turns_away.then_some(misdirected::HEADER),
    ];
    let told = told.into_iter().flatten().map(str::to_owned);
    let mut bytes = route::RouteConfiguration {
        name: name.to_owned(),
        request_headers_to_remove: told.collect(),
        most_specific_header_mutations_wins: options.most_specific_header_mutations_wins,
        ignore_port_in_host_matching: options.ignore_port,
        max_direct_response_body_size_bytes: options
            .max_direct_response_body_size_bytes
            .map(|_| uint(most_body(options))),
        ..route::RouteConfiguration::default()
    }
    .encode_to_vec();
    let mut encoded = Vec::new();
    for (host, domains) in hosts {
        encoded.clear();
        let most = usize::try_from(most_body(options)).unwrap_or(usize::MAX);
        host.encode(domains.into_iter(), most, &mut encoded);
        wire::append(&mut bytes, VIRTUAL_HOSTS, &encoded);
    }
    bytes.into_boxed_slice().into()
}

/// The largest body that a route of a gateway may answer with by itself. A smaller limit than Envoy's own would be one for
/// Tenon's answers, too.
pub(crate) fn most_body(options: RouteConfigurationOptions) -> u32 {
    let most = options.max_direct_response_body_size_bytes;
    most.unwrap_or_default().max(MOST_BODY as u32)
}

/// The scope that leads to a part; it has the part's name.
pub(crate) fn scope(listener: &str, parts: u32, number: u32) -> Bytes {
    let name = names::route_table_part(listener, parts, number);
    let config = ScopeConfig::new(names::route_table(listener), parts);
    let fragment = Fragment {
        r#type: Some(fragment::Type::StringKey(config.key(number))),
    };
    route::ScopedRouteConfiguration {
        name: name.clone(),
        route_configuration_name: name,
        key: Some(Key {
            fragments: vec![fragment],
        }),
        ..route::ScopedRouteConfiguration::default()
    }
    .encode_to_vec()
    .into()
}

/// Where a listener finds its routes if its table is in parts. Envoy gives all scopes to all such listeners; they are told
/// apart by their keys, which begin with the table's name and the number of its parts.
///
/// Listeners for which this says the same share what Envoy knows of scopes, and one that is new would go to work before
/// its own have come. Nothing says whose they are but how long they are waited for; so that differs by some nanoseconds.
pub(crate) fn scoped(table: String, parts: u32) -> hcm::ScopedRoutes {
    let own = xxh3_64(format!("{table}/{parts}").as_bytes()) % 1_000_000_000;
    let source = ads().map(|source| core::ConfigSource {
        // Envoy's own default.
        initial_fetch_timeout: Some(duration(
            Duration::from_secs(15) + Duration::from_nanos(own),
        )),
        ..source
    });
    let header = HeaderValueExtractor {
        name: SCOPE_HEADER.to_owned(),
        extract_type: Some(ExtractType::Index(0)),
        ..HeaderValueExtractor::default()
    };
    hcm::ScopedRoutes {
        name: table,
        scope_key_builder: Some(ScopeKeyBuilder {
            fragments: vec![FragmentBuilder {
                r#type: Some(Type::HeaderValueExtractor(header)),
            }],
        }),
        rds_config_source: ads(),
        config_specifier: Some(ConfigSpecifier::ScopedRds(hcm::ScopedRds {
            scoped_rds_config_source: source,
            ..hcm::ScopedRds::default()
        })),
    }
}

/// What writes a request's scope into its header, before Envoy looks for it.
pub(crate) fn scope_of_request(
    module: &Module,
    table: &str,
    parts: u32,
    ignore_port: bool,
) -> core::TypedExtensionConfig {
    let (Module::So(path) | Module::Wasm(path)) = module;
    let config = ScopeConfig {
        ignore_port,
        ..ScopeConfig::new(table, parts)
    };
    let config = config.to_json();
    core::TypedExtensionConfig {
        name: "envoy.http.early_header_mutation.dynamic_modules".to_owned(),
        typed_config: Some(any(&DynamicModuleEarlyHeaderMutation {
            dynamic_module_config: Some(DynamicModuleConfig {
                module: local_file(path),
                // As with the filters.
                do_not_close: true,
                ..DynamicModuleConfig::default()
            }),
            early_header_mutation_name: SCOPE_FILTER.to_owned(),
            early_header_mutation_config: Some(any(&StringValue { value: config })),
        })),
    }
}
