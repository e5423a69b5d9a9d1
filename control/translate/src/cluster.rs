//! An upstream as cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tenon_model::{
    ConfigMap, ConsulService, DnsLookupFamily, Kind, Object, ObjectKey, ObjectRef, Problem,
    ProblemLevel, Sds, SdsBuilder, Secret, Settings, Spec, SslCertificates, Upstream, UpstreamSsl,
    UpstreamType,
};

use crate::instances::{self, InstancesPart};
use crate::kube::{ServicePart, Services};
use crate::lookup::Lookup;
use crate::output::{CredentialSource, Module, ResourceType};
use crate::proto::cluster::cluster::{
    ClusterDiscoveryType, DiscoveryType, DnsLookupFamily as EnvoyFamily,
};
use crate::proto::{cluster, duration, endpoint, hcm, socket_address, tls as envoy_tls, uint};
use crate::transcoder::Transcoder;
use crate::wire::{self, any};
use crate::{aws, azure, forward_proxy, gcp, kube, names, rest, rules, tls, transcoder};

mod balancing;
mod endpoints;
mod health;
mod options;
mod transport;
mod tunnel;

pub(crate) use endpoints::Beside;
pub(crate) use options::circuit_breakers;

/// Gloo's default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// What an upstream comes to.
#[derive(Default)]
pub(crate) struct ClusterForm {
    /// The encoded clusters, by name: the upstream's own, and those of its functions where each has one.
    pub(crate) clusters: Vec<(Arc<str>, Bytes)>,
    /// The encoded listeners that they need, by name.
    pub(crate) listeners: Vec<(Arc<str>, Bytes)>,
    /// The generic secrets that they use, by name, and where these come from.
    pub(crate) credentials: BTreeMap<String, CredentialSource>,
    /// Which field of the upstream these are about.
    pub(crate) credentials_field: &'static str,
    /// The clusters that it asks for certificates.
    pub(crate) asks: BTreeSet<String>,
    /// The TLS secrets that it uses.
    pub(crate) tls_secrets: BTreeSet<ObjectKey>,
    /// Those of them that there were, be it before.
    pub(crate) had: BTreeSet<ObjectKey>,
    /// Whose endpoints it has, where they are told beside it.
    pub(crate) endpoints: Option<Discovered>,
    /// Those that take their place.
    pub(crate) failover: Option<Beside>,
    /// What has to be looked up for them, and its name.
    pub(crate) lookup: Option<(String, Lookup)>,
    /// What is wrong, or worth a warning.
    pub(crate) problems: Vec<Problem>,
    /// The objects that were looked at.
    pub(crate) reads: BTreeSet<ObjectKey>,
    /// What methods of gRPC requests in JSON may call.
    pub(crate) transcoder: Option<Transcoder>,
    /// What the user wrote, where that is not the newest form: the last that Envoy would take.
    pub(crate) good: Option<Arc<Object>>,
}

/// Whose endpoints a cluster has, where they are told beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Discovered {
    /// Those of a service.
    Service(ServicePart),
    /// Those that are looked up.
    Instances(InstancesPart),
}

/// Finds secrets, and what else upstreams read.
pub(crate) trait Secrets {
    /// The secret, in its last good form.
    fn secret(&self, key: &ObjectKey) -> Option<&Secret>;
    /// The config map, in its last good form.
    fn config_map(&self, key: &ObjectKey) -> Option<&ConfigMap>;
    /// What holds where nothing else is said.
    fn settings(&self) -> &Settings;
    /// What is to be told of a secret whose certificate is in use though it is there no more.
    fn farewell(&self, _reference: &ObjectRef) -> Option<String> {
        None
    }
}

/// TLS towards an upstream.
pub(crate) struct Towards {
    /// As its `sslConfig` says, if it has one.
    pub(crate) configured: Option<envoy_tls::UpstreamTlsContext>,
    /// Versions and ciphers, where it says nothing of them.
    pub(crate) parameters: Option<envoy_tls::TlsParameters>,
}

impl Towards {
    /// Where it has none: encrypted, not verified.
    pub(crate) fn unconfigured(&self) -> envoy_tls::UpstreamTlsContext {
        self.with_parameters(envoy_tls::UpstreamTlsContext::default())
    }

    /// Where it has none, verified with the system's roots as one name.
    pub(crate) fn verified(&self, name: &str) -> envoy_tls::UpstreamTlsContext {
        self.with_parameters(tls::verified(name))
    }

    fn with_parameters(
        &self,
        mut context: envoy_tls::UpstreamTlsContext,
    ) -> envoy_tls::UpstreamTlsContext {
        if self.parameters.is_some() {
            let common = context.common_tls_context.get_or_insert_default();
            common.tls_params.clone_from(&self.parameters);
        }
        context
    }
}

pub(crate) fn translate(
    key: &ObjectKey,
    upstream: &Upstream,
    module: &Module,
    secrets: &(impl Secrets + Services),
) -> ClusterForm {
    let mut form = ClusterForm::default();
    let settings = secrets.settings();
    let ssl = upstream.ssl_config.as_ref();
    let towards = Towards {
        configured: ssl.map(|ssl| context(ssl, "spec.sslConfig", secrets, &mut form)),
        parameters: tls::parameters(&settings.ssl_parameters),
    };
    let own = names::cluster(key);
    let base = base(&own, upstream, settings, secrets, &mut form);
    let named = |name: String| cluster::Cluster {
        name,
        ..base.clone()
    };
    match &upstream.kind {
        UpstreamType::Static(_) | UpstreamType::Pipe(_) => {
            let mut cluster = named(own);
            let hosts = endpoints::Hosts::new(upstream, &towards);
            let mut hosts = match &upstream.kind {
                UpstreamType::Static(fixed) => hosts.fixed(fixed, &mut cluster),
                UpstreamType::Pipe(pipe) => hosts.pipe(&pipe.path, &mut cluster),
                _ => hosts,
            };
            if let Some(failover) = &upstream.failover {
                hosts = hosts.failover(failover, secrets, &mut form);
            }
            let assignment = hosts.finish(&mut cluster);
            let functions = upstream.rest();
            let filters = functions
                .map(|rest| rest::cluster(key, rest, upstream, module, &mut cluster))
                .unwrap_or_default();
            form.add(cluster, Some(assignment), upstream, filters, secrets);
        }
        UpstreamType::Kube(_) | UpstreamType::AwsEc2(_) | UpstreamType::Consul(_) => {
            let mut cluster = named(own);
            kube::discovered(&mut cluster);
            // There are no names.
            cluster.dns_lookup_family = EnvoyFamily::Auto.into();
            form.endpoints = match &upstream.kind {
                UpstreamType::Kube(service) => {
                    kube::part(key, service, secrets, &mut form).map(Discovered::Service)
                }
                UpstreamType::AwsEc2(ec2) => Some(Discovered::Instances(instances::ec2(
                    ec2, secrets, &mut form,
                ))),
                UpstreamType::Consul(service) => {
                    let part = instances::consul(service, settings, &mut form);
                    Some(Discovered::Instances(part))
                }
                _ => None,
            };
            cluster.transport_socket = towards.configured.as_ref().map(tls::socket);
            if let Some(failover) = &upstream.failover {
                let hosts = endpoints::Hosts::new(upstream, &towards);
                let hosts = hosts.failover(failover, secrets, &mut form);
                form.failover = Some(hosts.beside(&mut cluster));
            }
            let name = cluster.name.clone();
            let functions = upstream.rest();
            let filters = functions
                .map(|rest| rest::cluster(key, rest, upstream, module, &mut cluster))
                .unwrap_or_default();
            form.add(cluster, None, upstream, filters, secrets);
            // What stands for some instances of a service has only those.
            let whole = ConsulService::of_upstream(&reference(key)).is_none();
            let subsets = upstream.subsets().filter(|_| whole);
            let subsets = subsets.as_ref().map(kube::subsets);
            form.append(&name, subsets.unwrap_or_default());
        }
        UpstreamType::Aws(lambda) => {
            let settings = (&**lambda, settings.aws);
            let functions = lambda.functions.iter().filter(|it| it.url.is_none());
            let functions = functions.map(|function| function.logical_name.as_str());
            for name in of_functions(own, upstream, functions) {
                let mut cluster = named(name);
                let filters = aws::cluster(key, settings, upstream, &towards, module, &mut cluster);
                form.add(cluster, None, upstream, filters, secrets);
            }
            let (name, source) = aws::credentials(lambda, secrets, &mut form);
            form.credentials.insert(name, source);
            form.credentials_field = "spec.aws";
            for function in &lambda.functions {
                let Some(url) = &function.url else {
                    continue;
                };
                let upstream_cluster = names::cluster(key);
                let name = names::function_cluster(&upstream_cluster, &function.logical_name);
                let mut cluster = named(name);
                let lambda = (&**lambda, url);
                let filters =
                    aws::url_cluster(key, lambda, upstream, &towards, module, &mut cluster);
                form.add(cluster, None, upstream, filters, secrets);
            }
        }
        UpstreamType::Azure(app) => {
            let functions = app.functions.iter().map(|function| function.name.as_str());
            for name in of_functions(own, upstream, functions) {
                let mut cluster = named(name);
                let filters = azure::cluster(key, app, &towards, module, &mut cluster);
                form.add(cluster, None, upstream, filters, secrets);
            }
            let credentials = azure::credentials(app, secrets, &mut form);
            form.credentials.extend(credentials);
            form.credentials_field = "spec.azure";
        }
        UpstreamType::Gcp(gcp) => {
            for target in gcp::targets(key, gcp) {
                let mut cluster = named(target.cluster.clone());
                let filters = gcp::cluster(key, gcp, &target, &towards, module, &mut cluster);
                form.add(cluster, None, upstream, filters, secrets);
            }
            gcp::credentials(key, gcp, secrets, &mut form);
            form.credentials_field = "spec.gcp";
        }
        UpstreamType::Forward(to) => {
            let mut cluster = named(own);
            forward_proxy::connect(&to.dns_cache_config, &mut cluster);
            cluster.transport_socket = towards.configured.as_ref().map(tls::socket);
            form.insert(&cluster, None);
        }
    }
    form.transcoder = transcoder::of_upstream(upstream, secrets, &mut form);
    form.check();
    form
}

/// The names of an upstream's clusters: its own, and those of its functions if each is to have one.
fn of_functions<'a>(
    own: String,
    upstream: &Upstream,
    functions: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let each = functions.filter(|_| upstream.cluster_per_function);
    let each: Vec<_> = each
        .map(|name| names::function_cluster(&own, name))
        .collect();
    [own].into_iter().chain(each).collect()
}

/// What all clusters of an upstream have.
#[expect(
    deprecated,
    reason = "the other way to say how names are resolved is a cluster of another type"
)]
fn base(
    own: &str,
    upstream: &Upstream,
    settings: &Settings,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> cluster::Cluster {
    let connection = &upstream.connection_config;
    let breakers = upstream.circuit_breakers.as_ref();
    let breakers = breakers.or(settings.circuit_breakers.as_ref());
    let alike = match &upstream.kind {
        UpstreamType::Static(fixed) => fixed.hosts.first(),
        _ => None,
    };
    let alike = alike.and_then(|host| host.health_check_config.as_ref());
    let timeout = connection.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
    let mut base = cluster::Cluster {
        connect_timeout: Some(duration(timeout)),
        per_connection_buffer_limit_bytes: connection.per_connection_buffer_limit_bytes.map(uint),
        circuit_breakers: breakers.map(options::circuit_breakers),
        upstream_connection_options: options::keepalive(connection),
        health_checks: health::checks(&upstream.health_checks, alike, secrets, form),
        outlier_detection: upstream.outlier_detection.as_ref().map(balancing::outliers),
        preconnect_policy: upstream
            .preconnect_policy
            .as_ref()
            .map(balancing::preconnect),
        ignore_health_on_host_removal: upstream.ignore_health_on_host_removal,
        respect_dns_ttl: upstream.respect_dns_ttl,
        dns_refresh_rate: upstream.dns_refresh_rate.map(duration),
        dns_lookup_family: match upstream.dns_lookup_family.unwrap_or_default() {
            // Envoy tries them in turn (RFC 8305).
            DnsLookupFamily::All => EnvoyFamily::All,
            DnsLookupFamily::V4Preferred => EnvoyFamily::V4Preferred,
            DnsLookupFamily::Auto => EnvoyFamily::Auto,
            DnsLookupFamily::V4Only => EnvoyFamily::V4Only,
            DnsLookupFamily::V6Only => EnvoyFamily::V6Only,
        }
        .into(),
        ..cluster::Cluster::default()
    };
    if let Some(config) = &upstream.load_balancer_config {
        balancing::balance(config, own, &mut base);
    }
    base
}

impl ClusterForm {
    /// Whether it can be served.
    pub(crate) fn is_good(&self) -> bool {
        self.problems
            .iter()
            .all(|it| it.level == ProblemLevel::Warning)
    }

    /// Of what could not even be read.
    pub(crate) fn of_problems(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            ..Self::default()
        }
    }

    /// Without what was made of it.
    pub(crate) fn only_last_good(self) -> Self {
        Self {
            good: self.good,
            had: self.had,
            ..Self::default()
        }
    }

    /// Finds out what Envoy would refuse.
    fn check(&mut self) {
        let kinds = [
            (ResourceType::Cluster, &self.clusters),
            (ResourceType::Listener, &self.listeners),
        ];
        for (kind, resources) in kinds {
            for (_, bytes) in resources {
                if let Err(violation) = rules::check(kind.message(), bytes) {
                    let problem = Problem::error("spec", violation.to_string());
                    self.problems.push(problem);
                }
            }
        }
    }

    /// Completes a cluster with what all have, and adds it, and what it needs.
    fn add(
        &mut self,
        mut cluster: cluster::Cluster,
        assignment: Option<wire::WithLoadAssignment>,
        upstream: &Upstream,
        filters: Vec<hcm::HttpFilter>,
        secrets: &impl Secrets,
    ) {
        ask_for_hosts(upstream, &mut cluster);
        let options = options::http_options(upstream, filters);
        let options = options.map(|options| (HTTP_OPTIONS.to_owned(), any(&options)));
        let options = HashMap::from_iter(options);
        match &upstream.http_proxy_hostname {
            Some(hostname) => {
                let (mut front, pipe) =
                    tunnel::dig(hostname, upstream, &mut cluster, secrets, self);
                front.typed_extension_protocol_options = options;
                self.insert(&front, Some(pipe));
                let assignment = assignment.map(|it| it.named(&cluster.name));
                self.insert(&cluster, assignment);
            }
            None => {
                cluster.typed_extension_protocol_options = options;
                transport::tell_the_client(upstream, &mut cluster);
                self.insert(&cluster, assignment);
            }
        }
    }

    fn insert(&mut self, cluster: &cluster::Cluster, hosts: Option<wire::WithLoadAssignment>) {
        let hosts = hosts.unwrap_or_default();
        let mut bytes = Vec::with_capacity(cluster.encoded_len() + hosts.encoded_len());
        cluster.encode_raw(&mut bytes);
        hosts.encode_raw(&mut bytes);
        let name = Arc::from(cluster.name.as_str());
        self.clusters.push((name, bytes.into()));
    }

    /// Puts more fields behind the rest of a cluster.
    fn append(&mut self, name: &str, fields: Vec<u8>) {
        for (_, bytes) in self.clusters.iter_mut().filter(|(it, _)| **it == *name) {
            *bytes = [&**bytes, &fields].concat().into();
        }
    }
}

/// Has health checks ask for the host that they ask, where they do not say which.
fn ask_for_hosts(upstream: &Upstream, cluster: &mut cluster::Cluster) {
    let check = upstream.health_checks.first();
    if !check.is_some_and(endpoints::asks_for_its_host) {
        return;
    }
    let hosts = cluster.load_assignment.iter_mut();
    let hosts = hosts.flat_map(|it| &mut it.endpoints);
    for host in hosts.flat_map(|it| &mut it.lb_endpoints) {
        if let Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(endpoint)) =
            &mut host.host_identifier
        {
            let config = endpoint.health_check_config.get_or_insert_default();
            config.hostname.clone_from(&endpoint.hostname);
        }
    }
}

/// What is wrong with an `sslConfig`, and what it reads; `at` is its path.
pub(crate) fn check_tls(
    ssl: &UpstreamSsl,
    at: &str,
    secrets: &impl Secrets,
) -> (Vec<Problem>, BTreeSet<ObjectKey>) {
    let mut form = ClusterForm::default();
    context(ssl, at, secrets, &mut form);
    (form.problems, form.reads)
}

/// What an `sslConfig` comes to; `at` is its path.
fn context(
    ssl: &UpstreamSsl,
    at: &str,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> envoy_tls::UpstreamTlsContext {
    let defaults = &secrets.settings().ssl_parameters;
    let reference = match &ssl.certificates {
        Some(SslCertificates::SecretRef(reference)) => reference,
        other => {
            if let Some(SslCertificates::Sds(Sds {
                builder: Some(SdsBuilder::ClusterName(cluster)),
                ..
            })) = other
            {
                form.asks.insert(cluster.clone());
            }
            return tls::configured(ssl, None, defaults);
        }
    };
    let key = reference.key(Kind::Secret);
    let found = secrets.secret(&key);
    form.reads.insert(key.clone());
    form.tls_secrets.insert(key);
    let problem = match found {
        Some(Secret::Tls(secret)) => {
            let farewell = secrets.farewell(reference);
            let farewell = farewell.map(|it| Problem::warning(format!("{at}.secretRef"), it));
            form.problems.extend(farewell);
            return tls::configured(ssl, Some(secret), defaults);
        }
        Some(_) => format!("secret {reference} holds no certificates"),
        None => format!("secret {reference} does not exist"),
    };
    form.problems
        .push(Problem::warning(format!("{at}.secretRef"), problem));
    tls::configured(ssl, None, defaults)
}

/// Says where the hosts of a cluster come from.
pub(crate) fn discovery(cluster: &mut cluster::Cluster, kind: DiscoveryType) {
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(kind.into()));
    if kind == DiscoveryType::Static {
        // There are no names.
        cluster.dns_lookup_family = EnvoyFamily::Auto.into();
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
