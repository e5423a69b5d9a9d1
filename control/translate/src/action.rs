//! What a route does besides forwarding that Envoy's router does itself.

use tenon_model::options::lb_hash::{HashKey, LbHash};
use tenon_model::options::tracing::RouteTracing;
use tenon_model::options::upgrades::Upgrade;
use tenon_model::{HostRewrite, MaxStreamDuration};

use crate::proto::route::route_action::{
    self, HashPolicy, HostRewriteSpecifier, UpgradeConfig, hash_policy, upgrade_config,
};
use crate::proto::{boolean, duration, percent, route};
use crate::route::regex_rewrite;

pub(crate) fn max_stream_duration(from: MaxStreamDuration) -> route_action::MaxStreamDuration {
    route_action::MaxStreamDuration {
        max_stream_duration: from.max_stream_duration.map(duration),
        grpc_timeout_header_max: from.grpc_timeout_header_max.map(duration),
        grpc_timeout_header_offset: from.grpc_timeout_header_offset.map(duration),
    }
}

pub(crate) fn hash_policies(from: Option<&LbHash>) -> Vec<HashPolicy> {
    use hash_policy::PolicySpecifier;
    let policies = from.iter().flat_map(|it| &it.hash_policies);
    policies
        .map(|policy| HashPolicy {
            terminal: policy.terminal,
            policy_specifier: Some(match &policy.key {
                HashKey::Header(name) => PolicySpecifier::Header(hash_policy::Header {
                    header_name: name.clone(),
                    ..hash_policy::Header::default()
                }),
                HashKey::Cookie(cookie) => PolicySpecifier::Cookie(hash_policy::Cookie {
                    name: cookie.name.clone(),
                    ttl: cookie.ttl.map(duration),
                    path: cookie.path.clone(),
                    ..hash_policy::Cookie::default()
                }),
                HashKey::SourceIp(()) => {
                    PolicySpecifier::ConnectionProperties(hash_policy::ConnectionProperties {
                        source_ip: true,
                    })
                }
            }),
        })
        .collect()
}

pub(crate) fn upgrade(from: &Upgrade) -> UpgradeConfig {
    let (upgrade_type, spec, terminate) = match from {
        Upgrade::Websocket(spec) => ("websocket", spec, false),
        Upgrade::Connect(spec) => ("CONNECT", spec, false),
        Upgrade::ConnectTerminate(spec) => ("CONNECT", spec, true),
    };
    UpgradeConfig {
        upgrade_type: upgrade_type.to_owned(),
        enabled: boolean(spec.enabled),
        connect_config: terminate.then(upgrade_config::ConnectConfig::default),
    }
}

pub(crate) fn host_rewrite(from: &HostRewrite) -> HostRewriteSpecifier {
    match from {
        HostRewrite::Literal(host) => HostRewriteSpecifier::HostRewriteLiteral(host.clone()),
        HostRewrite::Auto(()) => {
            HostRewriteSpecifier::AutoHostRewrite(boolean(true).unwrap_or_default())
        }
        HostRewrite::PathRegex(rewrite) => {
            HostRewriteSpecifier::HostRewritePathRegex(regex_rewrite(rewrite))
        }
        HostRewrite::Header(name) => HostRewriteSpecifier::HostRewriteHeader(name.clone()),
    }
}

pub(crate) fn decorator(from: &RouteTracing) -> Option<route::Decorator> {
    // Envoy wants a name.
    (!from.route_descriptor.is_empty()).then(|| route::Decorator {
        operation: from.route_descriptor.clone(),
        propagate: from.propagate.and_then(boolean),
    })
}

pub(crate) fn tracing(from: &RouteTracing) -> route::Tracing {
    let of = from.trace_percentages.unwrap_or_default();
    route::Tracing {
        client_sampling: Some(percent(of.client_sample_percentage)),
        random_sampling: Some(percent(of.random_sample_percentage)),
        overall_sampling: Some(percent(of.overall_sample_percentage)),
        ..route::Tracing::default()
    }
}
