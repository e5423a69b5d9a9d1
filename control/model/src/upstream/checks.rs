//! What the fields of an upstream have to be beside each other, so that Envoy takes its clusters.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Host, HostHealthCheck, Upstream, UpstreamType};
use crate::connection::ProtocolSelection;
use crate::format;
use crate::health_check::HealthChecker;
use crate::load_balancing::LoadBalancer;
use crate::read::{Fields, Node};

/// Namespaces of metadata that hosts have from here.
const RESERVED: [&str; 2] = [
    "envoy.transport_socket_match",
    "io.solo.health_checkers.advanced_http",
];
/// Envoy takes only what is longer.
const LEAST_REFRESH_RATE: Duration = Duration::from_millis(1);

pub(super) fn upstream(upstream: Upstream, fields: &Fields<'_>) -> Option<Upstream> {
    names(&upstream, fields);
    http2(&upstream, fields);
    health(&upstream, fields);
    functions(&upstream, fields);
    failover(&upstream, fields);
    proxy(&upstream, fields);
    let hashes = matches!(
        upstream
            .load_balancer_config
            .as_ref()
            .and_then(|it| it.policy),
        Some(LoadBalancer::RingHash(_) | LoadBalancer::Maglev | LoadBalancer::LeastRequest(_))
    );
    let ratio = upstream.preconnect_policy.as_ref();
    if hashes && ratio.is_some_and(|it| it.predictive_preconnect_ratio.is_some()) {
        fields.error_at(
            "preconnectPolicy.predictivePreconnectRatio",
            "needs roundRobin or random: which host is next cannot be known otherwise",
        );
    }
    Some(upstream)
}

/// What is said of names needs some.
fn names(upstream: &Upstream, fields: &Fields<'_>) {
    if upstream.is_resolved() {
        return;
    }
    for (name, there) in [
        ("dnsRefreshRate", upstream.dns_refresh_rate.is_some()),
        ("respectDnsTtl", upstream.respect_dns_ttl),
        ("dnsLookupFamily", upstream.dns_lookup_family.is_some()),
    ] {
        if there {
            fields.error_at(name, "is only for upstreams with names that Envoy resolves");
        }
    }
}

/// What is said of HTTP/2 needs it, and what is said of HTTP/1 too.
fn http2(upstream: &Upstream, fields: &Fields<'_>) {
    if upstream.protocol_selection == ProtocolSelection::UseDownstreamProtocol {
        return;
    }
    if upstream.is_http2() {
        if upstream.connection_config.http1_protocol_options.is_some() {
            fields.warn_at(
                "connectionConfig.http1ProtocolOptions",
                "has no effect beside useHttp2",
            );
        }
        return;
    }
    for (name, there) in [
        (
            "initialStreamWindowSize",
            upstream.initial_stream_window_size.is_some(),
        ),
        (
            "initialConnectionWindowSize",
            upstream.initial_connection_window_size.is_some(),
        ),
        (
            "maxConcurrentStreams",
            upstream.max_concurrent_streams.is_some(),
        ),
        (
            "overrideStreamErrorOnInvalidHttpMessage",
            upstream
                .override_stream_error_on_invalid_http_message
                .is_some(),
        ),
    ] {
        if there {
            fields.warn_at(name, "has no effect without useHttp2");
        }
    }
}

fn health(upstream: &Upstream, fields: &Fields<'_>) {
    if upstream.health_checks.len() > 1 {
        fields.error_at("healthChecks[1]", "is one too many: Envoy takes one");
    }
    let UpstreamType::Static(fixed) = &upstream.kind else {
        return;
    };
    let asked: Vec<_> = fixed.hosts.iter().map(asked).collect();
    if asked.iter().all(|it| *it == HostHealthCheck::default()) {
        return;
    }
    let http = upstream
        .health_checks
        .iter()
        .any(|it| matches!(it.checker, HealthChecker::HttpHealthCheck(_)));
    if !http {
        fields.error_at(
            "static.hosts[0].healthCheckConfig",
            "needs an httpHealthCheck in healthChecks",
        );
    }
    if let Some(index) = asked.iter().position(|it| *it != asked[0]) {
        fields.error_at(
            &format!("static.hosts[{index}].healthCheckConfig"),
            "is another one than that of hosts[0]: Envoy asks all hosts of an upstream alike",
        );
    }
}

fn asked(host: &Host) -> HostHealthCheck {
    host.health_check_config.clone().unwrap_or_default()
}

/// One function's failure is its own.
fn functions(upstream: &Upstream, fields: &Fields<'_>) {
    let shared = matches!(upstream.kind, UpstreamType::Aws(_) | UpstreamType::Azure(_));
    if upstream.cluster_per_function && !shared {
        fields.error_at("clusterPerFunction", "is only for aws and azure");
    }
    if shared && !upstream.cluster_per_function && upstream.outlier_detection.is_some() {
        fields.warn_at(
            "outlierDetection",
            "errors of one function leave out the host of all; see clusterPerFunction",
        );
    }
}

fn failover(upstream: &Upstream, fields: &Fields<'_>) {
    let Some(failover) = &upstream.failover else {
        return;
    };
    if upstream.calls_functions() {
        fields.error_at(
            "failover",
            "is not possible: requests are signed for the functions' own host",
        );
    }
    if upstream.health_checks.is_empty() && upstream.outlier_detection.is_none() {
        fields.error_at(
            "failover",
            "needs healthChecks or outlierDetection: nothing else tells that hosts are unhealthy",
        );
    }
    let named = failover.endpoints().any(|it| it.ip().is_none());
    if upstream.is_discovered() && named {
        fields.error_at(
            "failover",
            "needs IP addresses: Envoy resolves no names beside hosts that it is told",
        );
    }
    if matches!(upstream.kind, UpstreamType::Pipe(_)) && named {
        fields.error_at(
            "failover",
            "needs IP addresses: Envoy resolves no names beside a Unix socket",
        );
    }
}

fn proxy(upstream: &Upstream, fields: &Fields<'_>) {
    if upstream.http_proxy_hostname.is_some() && upstream.calls_functions() {
        fields.error_at(
            "httpProxyHostname",
            "is not possible: the host of functions is no proxy",
        );
    }
    if upstream.http_proxy_hostname.is_some() && upstream.subsets().is_some() {
        fields.error_at(
            "httpProxyHostname",
            "is not possible beside subsets: any proxy leads to the same host",
        );
    }
    for (index, header) in upstream.http_connect_headers.iter().enumerate() {
        if let Err(reason) = format::check(&header.value) {
            fields.error_at(&format!("httpConnectHeaders[{index}].value"), reason);
        }
    }
    if upstream.http_proxy_hostname.is_some() {
        return;
    }
    for (name, there) in [
        (
            "httpConnectSslConfig",
            upstream.http_connect_ssl_config.is_some(),
        ),
        (
            "httpConnectHeaders",
            !upstream.http_connect_headers.is_empty(),
        ),
    ] {
        if there {
            fields.error_at(name, "needs httpProxyHostname");
        }
    }
}

/// `host:port`, perhaps with Envoy's `%…%`.
pub(super) fn proxied(node: &Node<'_>) -> Option<String> {
    let text = crate::header::value(node)?;
    if text.is_empty() {
        return None;
    }
    if let Err(reason) = format::check(&text) {
        return node.error(reason);
    }
    let port = text.rsplit_once(':').map(|(_, port)| port);
    let is_port = |port: &str| port.ends_with('%') || port.parse::<u16>().is_ok_and(|it| it != 0);
    if text.contains(char::is_whitespace) || !(text.ends_with('%') || port.is_some_and(is_port)) {
        return node.error(format!("{text:?} is not host:port"));
    }
    Some(text)
}

/// Gloo only warns of one that is too short, and goes on without.
pub(super) fn refresh_rate(node: &Node<'_>) -> Option<Duration> {
    let rate = node.duration()?;
    if rate <= LEAST_REFRESH_RATE {
        node.warn("is not above 1ms, and has no effect");
        return None;
    }
    Some(rate)
}

/// What a Unix socket's address holds (`sun_path`), with its end.
const LONGEST_SOCKET_PATH: usize = 107;

pub(super) fn socket_path(node: &Node<'_>) -> Option<String> {
    let path = node.non_empty()?;
    if !path.starts_with(['/', '@']) || path.contains('\0') {
        return node.error(format!(
            "{path:?} is not a path: it has to start with / or @"
        ));
    }
    if path.len() > LONGEST_SOCKET_PATH {
        return node.error(format!(
            "has {} bytes; at most {LONGEST_SOCKET_PATH} are possible",
            path.len()
        ));
    }
    Some(path)
}

pub(super) fn reserved(mut host: Host, fields: &Fields<'_>) -> Option<Host> {
    not_reserved(&mut host.metadata, fields);
    Some(host)
}

/// Leaves out what Envoy would misunderstand.
pub(crate) fn not_reserved(
    metadata: &mut BTreeMap<String, Map<String, Value>>,
    fields: &Fields<'_>,
) {
    for name in RESERVED {
        if metadata.remove(name).is_some() {
            fields.warn_at(
                &format!("metadata.{name}"),
                "is reserved, and has no effect",
            );
        }
    }
}
