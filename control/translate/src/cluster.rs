//! An upstream as cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tenon_model::{
    CircuitBreakers, ConnectionConfig, Host, Kind, Object, ObjectKey, ObjectRef, Problem,
    ProblemLevel, Secret, Settings, Spec, SslCertificates, StaticUpstream, TlsSecret, Upstream,
    UpstreamType,
};

use crate::kube::{ServicePart, Services};
use crate::output::{CredentialSource, Module, ResourceType};
use crate::proto::cluster::cluster::{
    ClusterDiscoveryType, DiscoveryType, DnsLookupFamily, TransportSocketMatch,
};
use crate::proto::{cluster, core, duration, endpoint, hcm, socket_address, uint, upstream_http};
use crate::wire::any;
use crate::{aws, azure, gcp, kube, names, rest, rules, tls};

/// Gloo's default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const SOCKET_MATCH: &str = "envoy.transport_socket_match";

/// What an upstream comes to.
#[derive(Default)]
pub(crate) struct ClusterForm {
    /// The encoded clusters, by name: the upstream's own, and those of its functions where each has one.
    pub(crate) clusters: BTreeMap<String, Vec<u8>>,
    /// The generic secrets that they use, by name, and where these come from.
    pub(crate) credentials: BTreeMap<String, CredentialSource>,
    /// Which field of the upstream these are about.
    pub(crate) credentials_field: &'static str,
    /// The TLS secrets that it uses.
    pub(crate) tls_secrets: BTreeSet<ObjectKey>,
    /// Whose endpoints it has, where they are told beside it.
    pub(crate) endpoints: Option<ServicePart>,
    /// What is worth a warning.
    pub(crate) problems: Vec<Problem>,
    /// The objects that were looked at.
    pub(crate) reads: BTreeSet<ObjectKey>,
    /// What the user wrote, where that is not the newest form: the last that Envoy would take.
    pub(crate) good: Option<Arc<Object>>,
}

/// Finds secrets.
pub(crate) trait Secrets {
    /// The secret, in its last good form.
    fn secret(&self, key: &ObjectKey) -> Option<&Secret>;
    /// What holds where nothing else is said.
    fn settings(&self) -> Settings;
}

pub(crate) fn translate(
    key: &ObjectKey,
    upstream: &Upstream,
    module: &Module,
    secrets: &(impl Secrets + Services),
) -> ClusterForm {
    let mut form = ClusterForm::default();
    let tls = tls_secret(upstream, secrets, &mut form);
    match &upstream.kind {
        UpstreamType::Static(fixed) => {
            let mut cluster = common(names::cluster(key), upstream);
            static_hosts(fixed, upstream, tls, &mut cluster);
            let functions = fixed.service_spec.as_ref();
            let filters = functions
                .map(|rest| rest::cluster(key, rest, upstream, module, &mut cluster))
                .unwrap_or_default();
            form.add(cluster, upstream, filters);
        }
        UpstreamType::Kube(service) => {
            let mut cluster = common(names::cluster(key), upstream);
            kube::discovered(&mut cluster);
            form.endpoints = kube::part(key, service, secrets, &mut form);
            let context = upstream.ssl_config.as_ref();
            let context = context.map(|ssl| tls::configured(ssl, tls));
            cluster.transport_socket = context.as_ref().map(tls::socket);
            let name = cluster.name.clone();
            let functions = service.service_spec.as_ref();
            let filters = functions
                .map(|rest| rest::cluster(key, rest, upstream, module, &mut cluster))
                .unwrap_or_default();
            form.add(cluster, upstream, filters);
            let subsets = service.subset_spec.as_ref().map(kube::subsets);
            form.append(&name, subsets.unwrap_or_default());
        }
        UpstreamType::Aws(lambda) => {
            let mut cluster = common(names::cluster(key), upstream);
            let settings = (&**lambda, secrets.settings().aws);
            let filters = aws::cluster(key, settings, upstream, tls, module, &mut cluster);
            form.add(cluster, upstream, filters);
            let (name, source) = aws::credentials(lambda, secrets, &mut form);
            form.credentials.insert(name, source);
            form.credentials_field = "spec.aws";
            for function in &lambda.functions {
                let Some(url) = &function.url else {
                    continue;
                };
                let upstream_cluster = names::cluster(key);
                let name = names::function_cluster(&upstream_cluster, &function.logical_name);
                let mut cluster = common(name, upstream);
                let lambda = (&**lambda, url);
                let filters = aws::url_cluster(key, lambda, upstream, tls, module, &mut cluster);
                form.add(cluster, upstream, filters);
            }
        }
        UpstreamType::Azure(app) => {
            let mut cluster = common(names::cluster(key), upstream);
            let filters = azure::cluster(key, app, upstream, tls, module, &mut cluster);
            form.add(cluster, upstream, filters);
            let credentials = azure::credentials(app, secrets, &mut form);
            form.credentials.extend(credentials);
            form.credentials_field = "spec.azure";
        }
        UpstreamType::Gcp(gcp) => {
            for target in gcp::targets(key, gcp) {
                let mut cluster = common(target.cluster.clone(), upstream);
                let filters =
                    gcp::cluster(key, (gcp, upstream), &target, tls, module, &mut cluster);
                form.add(cluster, upstream, filters);
            }
            gcp::credentials(key, gcp, secrets, &mut form);
            form.credentials_field = "spec.gcp";
        }
    }
    form.check();
    form
}

impl ClusterForm {
    /// Whether it can be served.
    pub(crate) fn is_good(&self) -> bool {
        self.problems
            .iter()
            .all(|it| it.level == ProblemLevel::Warning)
    }

    /// Without what was made of it.
    pub(crate) fn only_last_good(self) -> Self {
        Self {
            good: self.good,
            ..Self::default()
        }
    }

    /// Finds out what Envoy would refuse.
    fn check(&mut self) {
        let message = ResourceType::Cluster.message();
        for bytes in self.clusters.values() {
            if let Err(violation) = rules::check(message, bytes) {
                let problem = Problem::error("spec", violation.to_string());
                self.problems.push(problem);
            }
        }
    }
}

/// What all upstreams' clusters have.
fn common(name: String, upstream: &Upstream) -> cluster::Cluster {
    cluster::Cluster {
        name,
        connect_timeout: Some(duration(
            upstream
                .connection_config
                .connect_timeout
                .unwrap_or(CONNECT_TIMEOUT),
        )),
        per_connection_buffer_limit_bytes: upstream
            .connection_config
            .per_connection_buffer_limit_bytes
            .map(uint),
        circuit_breakers: upstream.circuit_breakers.as_ref().map(circuit_breakers),
        upstream_connection_options: keepalive(&upstream.connection_config),
        ..cluster::Cluster::default()
    }
}

impl ClusterForm {
    fn add(
        &mut self,
        mut cluster: cluster::Cluster,
        upstream: &Upstream,
        filters: Vec<hcm::HttpFilter>,
    ) {
        if let Some(options) = http_options(upstream, filters) {
            cluster.typed_extension_protocol_options =
                HashMap::from([(HTTP_OPTIONS.to_owned(), any(&options))]);
        }
        let bytes = cluster.encode_to_vec();
        self.clusters.insert(cluster.name, bytes);
    }

    /// Puts more fields behind the rest of a cluster.
    fn append(&mut self, name: &str, fields: Vec<u8>) {
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.extend(fields);
        }
    }
}

/// The secret that `sslConfig` names.
fn tls_secret<'a>(
    upstream: &Upstream,
    secrets: &'a impl Secrets,
    form: &mut ClusterForm,
) -> Option<&'a TlsSecret> {
    let Some(SslCertificates::SecretRef(reference)) = &upstream.ssl_config.as_ref()?.certificates
    else {
        return None;
    };
    let key = reference.key(Kind::Secret);
    let found = secrets.secret(&key);
    form.reads.insert(key.clone());
    form.tls_secrets.insert(key);
    let problem = match found {
        Some(Secret::Tls(secret)) => return Some(secret),
        Some(_) => format!("secret {reference} holds no certificates"),
        None => format!("secret {reference} does not exist"),
    };
    form.problems
        .push(Problem::warning("spec.sslConfig.secretRef", problem));
    None
}

fn static_hosts(
    fixed: &StaticUpstream,
    upstream: &Upstream,
    secret: Option<&TlsSecret>,
    cluster: &mut cluster::Cluster,
) {
    let by_ip = fixed.hosts.iter().all(|host| host.ip().is_some());
    discovery(
        cluster,
        if by_ip {
            DiscoveryType::Static
        } else {
            DiscoveryType::StrictDns
        },
    );
    let context = match &upstream.ssl_config {
        Some(ssl) => Some(tls::configured(ssl, secret)),
        None => fixed.uses_tls().then(Default::default),
    };
    let mut endpoints = Vec::new();
    for host in &fixed.hosts {
        let mut lb_endpoint = lb_endpoint(&host.addr, host.port);
        lb_endpoint.load_balancing_weight = host.load_balancing_weight.map(uint);
        if let (Some(context), Some(sni)) = (&context, sni(fixed, host)) {
            let name = format!("{sni};{}:{}", host.addr, host.port);
            lb_endpoint.metadata = Some(core::Metadata {
                filter_metadata: HashMap::from([(SOCKET_MATCH.to_owned(), flag(&name))]),
                ..core::Metadata::default()
            });
            let there = cluster
                .transport_socket_matches
                .iter()
                .any(|it| it.name == name);
            if !there {
                cluster.transport_socket_matches.push(TransportSocketMatch {
                    r#match: Some(flag(&name)),
                    transport_socket: Some(tls::socket(&tls::with_sni(context, &sni))),
                    name,
                });
            }
        }
        endpoints.push(lb_endpoint);
    }
    let first_name = fixed.hosts.iter().find(|host| host.ip().is_none());
    cluster.transport_socket = context.map(|context| match first_name {
        Some(host) if context.sni.is_empty() => tls::socket(&tls::with_sni(&context, &host.addr)),
        _ => tls::socket(&context),
    });
    cluster.load_assignment = load_assignment(&cluster.name, endpoints);
}

/// The name to ask a host for. An IP address is none (RFC 6066).
fn sni(fixed: &StaticUpstream, host: &Host) -> Option<String> {
    let own = || (fixed.auto_sni_rewrite && host.ip().is_none()).then(|| host.addr.clone());
    host.sni_addr.clone().or_else(own)
}

/// `{"<name>": true}`
fn flag(name: &str) -> envoy_types::pb::google::protobuf::Struct {
    use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
    let value = Value {
        kind: Some(Kind::BoolValue(true)),
    };
    Struct {
        fields: HashMap::from([(name.to_owned(), value)]),
    }
}

pub(crate) fn discovery(cluster: &mut cluster::Cluster, kind: DiscoveryType) {
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(kind.into()));
    if kind != DiscoveryType::Static {
        // All addresses, IPv4 and IPv6: Envoy tries them in turn (RFC 8305).
        cluster.dns_lookup_family = DnsLookupFamily::All.into();
    }
}

pub(crate) fn lb_endpoint(address: &str, port: u16) -> endpoint::LbEndpoint {
    endpoint::LbEndpoint {
        host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(
            endpoint::Endpoint {
                address: socket_address(address, port),
                hostname: address.to_owned(),
                ..endpoint::Endpoint::default()
            },
        )),
        ..endpoint::LbEndpoint::default()
    }
}

pub(crate) fn load_assignment(
    name: &str,
    lb_endpoints: Vec<endpoint::LbEndpoint>,
) -> Option<endpoint::ClusterLoadAssignment> {
    Some(endpoint::ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![endpoint::LocalityLbEndpoints {
            lb_endpoints,
            ..endpoint::LocalityLbEndpoints::default()
        }],
        ..endpoint::ClusterLoadAssignment::default()
    })
}

fn circuit_breakers(breakers: &CircuitBreakers) -> cluster::CircuitBreakers {
    cluster::CircuitBreakers {
        thresholds: vec![cluster::circuit_breakers::Thresholds {
            max_connections: breakers.max_connections.map(uint),
            max_pending_requests: breakers.max_pending_requests.map(uint),
            max_requests: breakers.max_requests.map(uint),
            max_retries: breakers.max_retries.map(uint),
            track_remaining: breakers.track_remaining,
            ..cluster::circuit_breakers::Thresholds::default()
        }],
        ..cluster::CircuitBreakers::default()
    }
}

fn keepalive(connection: &ConnectionConfig) -> Option<cluster::UpstreamConnectionOptions> {
    let keepalive = connection.tcp_keepalive.as_ref()?;
    let seconds = |time: Duration| uint(u32::try_from(time.as_secs().max(1)).unwrap_or(u32::MAX));
    Some(cluster::UpstreamConnectionOptions {
        tcp_keepalive: Some(core::TcpKeepalive {
            keepalive_probes: keepalive.keepalive_probes.map(uint),
            keepalive_time: keepalive.keepalive_time.map(seconds),
            keepalive_interval: keepalive.keepalive_interval.map(seconds),
        }),
        ..cluster::UpstreamConnectionOptions::default()
    })
}

/// Left out where it would say nothing but Envoy's defaults.
fn http_options(
    upstream: &Upstream,
    http_filters: Vec<hcm::HttpFilter>,
) -> Option<upstream_http::HttpProtocolOptions> {
    use upstream_http::http_protocol_options::{
        ExplicitHttpConfig, UpstreamProtocolOptions, explicit_http_config::ProtocolConfig,
    };
    let connection = &upstream.connection_config;
    let http = &connection.common_http_protocol_options;
    let common = core::HttpProtocolOptions {
        idle_timeout: http.idle_timeout.map(duration),
        max_headers_count: http.max_headers_count.map(uint),
        max_stream_duration: http.max_stream_duration.map(duration),
        max_requests_per_connection: connection.max_requests_per_connection.map(uint),
        ..core::HttpProtocolOptions::default()
    };
    let common = (common != core::HttpProtocolOptions::default()).then_some(common);
    if http_filters.is_empty() && common.is_none() && !upstream.use_http2 {
        return None;
    }
    let protocol = match upstream.use_http2 {
        true => ProtocolConfig::Http2ProtocolOptions(core::Http2ProtocolOptions::default()),
        false => ProtocolConfig::HttpProtocolOptions(core::Http1ProtocolOptions::default()),
    };
    Some(upstream_http::HttpProtocolOptions {
        common_http_protocol_options: common,
        http_filters,
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(
            ExplicitHttpConfig {
                protocol_config: Some(protocol),
            },
        )),
        ..upstream_http::HttpProtocolOptions::default()
    })
}

/// The secret of an object, if it is one.
pub(crate) fn secret_of(spec: &Spec) -> Option<&Secret> {
    match spec {
        Spec::Secret(secret) => Some(secret),
        _ => None,
    }
}

/// The name and namespace of a key.
pub(crate) fn reference(key: &ObjectKey) -> ObjectRef {
    ObjectRef {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}
