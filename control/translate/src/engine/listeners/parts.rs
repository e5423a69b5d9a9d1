//! What a gateway does, and with which connections.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::{
    CidrRange, ConnectionMatcher, DelegatedHttpGateway, DelegatedTcpGateway, Gateway, GatewayType,
    HttpGateway, HybridGateway, Kind, MatchedGatewayType, ObjectKey, ObjectRef, Problem, Spec,
    SslConfig, TcpGateway, VirtualServices,
};

use super::super::Translator;
use super::site::Site;
use crate::access_log;
use crate::cluster::reference;
use crate::http_listener;
use crate::tcp::{self, TcpForm};

/// Problems of a gateway itself (`None`), and of others that it is made of.
pub(super) type Problems = BTreeMap<Option<ObjectKey>, BTreeSet<Problem>>;

/// What a gateway does.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) sites: Vec<Site>,
    pub(super) tcp: Vec<TcpSite>,
    pub(super) problems: Problems,
    /// The gateways that it delegates to.
    pub(super) delegates: BTreeSet<ObjectKey>,
}

/// Connections that are forwarded.
pub(super) struct TcpSite {
    pub(super) origin: Origin,
    pub(super) form: TcpForm,
}

/// Who says what is done with connections, and with which.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Origin {
    /// Another one than the gateway itself.
    pub(super) owner: Option<ObjectKey>,
    /// Which field of the owner says it.
    pub(super) path: String,
    /// The addresses of the clients; none: any.
    pub(super) sources: Vec<CidrRange>,
    /// What holds where an `sslConfig` does not say it.
    pub(super) defaults: Option<SslConfig>,
}

impl Translator {
    /// What a gateway does; `name` is its listener's.
    pub(super) fn parts(&self, gateway: &Gateway, name: &str) -> Parts {
        let mut parts = Parts::default();
        match &gateway.kind {
            None => {
                let origin = Origin::of("spec.httpGateway", &ConnectionMatcher::default());
                let http = HttpGateway::default();
                self.http((name, origin), &http, gateway.ssl, &mut parts);
            }
            Some(GatewayType::HttpGateway(http)) => {
                let origin = Origin::of("spec.httpGateway", &ConnectionMatcher::default());
                self.http((name, origin), http, gateway.ssl, &mut parts);
            }
            Some(GatewayType::TcpGateway(tcp)) => {
                let origin = Origin::of("spec.tcpGateway", &ConnectionMatcher::default());
                self.tcp(gateway, origin, tcp, &mut parts);
            }
            Some(GatewayType::HybridGateway(hybrid)) => {
                self.hybrid(gateway, name, hybrid, &mut parts);
            }
        }
        self.collectors_of(gateway, &mut parts);
        parts
    }

    fn hybrid(&self, gateway: &Gateway, name: &str, hybrid: &HybridGateway, parts: &mut Parts) {
        for (index, matched) in hybrid.matched_gateways.iter().enumerate() {
            let path = format!("spec.hybridGateway.matchedGateways[{index}]");
            let is_tls = matched.matcher.ssl_config.is_some();
            match &matched.kind {
                MatchedGatewayType::HttpGateway(http) => {
                    let origin = Origin::of(&format!("{path}.httpGateway"), &matched.matcher);
                    let base = format!("{name}-{index}");
                    self.http((&base, origin), http, is_tls, parts);
                }
                MatchedGatewayType::TcpGateway(tcp) => {
                    let origin = Origin::of(&format!("{path}.tcpGateway"), &matched.matcher);
                    self.tcp(gateway, origin, tcp, parts);
                }
            }
        }
        // As with Gloo.
        if !hybrid.matched_gateways.is_empty() {
            return;
        }
        if let Some(delegated) = &hybrid.delegated_http_gateways {
            self.delegated_http(name, delegated, parts);
        }
        if let Some(delegated) = &hybrid.delegated_tcp_gateways {
            self.delegated_tcp(gateway, delegated, parts);
        }
        if parts.delegates.is_empty() {
            let text = "there is no MatchableHttpGateway or MatchableTcpGateway that it selects";
            let problem = Problem::warning("spec.hybridGateway", text);
            parts.problems.entry(None).or_default().insert(problem);
        }
    }

    fn delegated_http(&self, name: &str, delegated: &DelegatedHttpGateway, parts: &mut Parts) {
        for (key, entry) in self.objects.of_kind(Kind::MatchableHttpGateway) {
            let Some(object) = &entry.object else {
                continue;
            };
            let Spec::MatchableHttpGateway(matchable) = &object.spec else {
                continue;
            };
            let own = &matchable.matcher.ssl_config;
            if own.is_some() != delegated.ssl_config.is_some()
                || !delegated
                    .selection
                    .contains(&reference(key), &object.labels)
            {
                continue;
            }
            let mut origin = Origin::of("spec.httpGateway", &matchable.matcher);
            if let Some(own) = own.as_ref().map(|own| delegated.ssl_config(own)) {
                origin.defaults = Some(own);
            }
            origin.owner = Some(key.clone());
            parts.delegates.insert(key.clone());
            let base = format!("{name}-{}-{}", key.namespace, key.name);
            let mut http = matchable.http_gateway.clone();
            let settings = &mut http.options.http_connection_manager_settings;
            *settings = delegated.settings(settings);
            self.http((&base, origin), &http, own.is_some(), parts);
        }
    }

    fn delegated_tcp(&self, gateway: &Gateway, to: &DelegatedTcpGateway, parts: &mut Parts) {
        for (key, entry) in self.objects.of_kind(Kind::MatchableTcpGateway) {
            let Some(object) = &entry.object else {
                continue;
            };
            let Spec::MatchableTcpGateway(matchable) = &object.spec else {
                continue;
            };
            if to.selection.contains(&reference(key), &object.labels) {
                let mut origin = Origin::of("spec.tcpGateway", &matchable.matcher);
                origin.owner = Some(key.clone());
                parts.delegates.insert(key.clone());
                self.tcp(gateway, origin, &matchable.tcp_gateway, parts);
            }
        }
    }

    fn http(
        &self,
        (base, origin): (&str, Origin),
        http: &HttpGateway,
        is_tls: bool,
        parts: &mut Parts,
    ) {
        if let VirtualServices::Named(named) = http.virtual_services() {
            let problems = self.missing(&origin.path, &named);
            let all = parts.problems.entry(origin.owner.clone()).or_default();
            all.extend(problems);
        }
        let path = format!("{}.options", origin.path);
        let found = http_listener::look_up(&path, &http.options, (self, &self.objects));
        let no_tls = http.options.http3.is_some() && !is_tls;
        let no_tls = no_tls.then(|| {
            let text = "has no effect: HTTP/3 needs TLS";
            Problem::warning(format!("{path}.http3"), text)
        });
        let problems = found.problems.iter().cloned().chain(no_tls);
        let all = parts.problems.entry(origin.owner.clone()).or_default();
        all.extend(problems);
        let site = Site::new((base, origin), http, found, is_tls);
        parts.sites.push(site);
    }

    fn tcp(&self, gateway: &Gateway, origin: Origin, tcp: &TcpGateway, parts: &mut Parts) {
        let logs = access_log::of_connections(&gateway.options.access_logging_service.access_log);
        let defaults = origin.defaults.as_ref();
        let world = (self, &self.objects);
        let mut form = tcp::translate(&origin.path, tcp, defaults, &logs, world);
        let problems = std::mem::take(&mut form.problems);
        let all = parts.problems.entry(origin.owner.clone()).or_default();
        all.extend(problems);
        parts.tcp.push(TcpSite { origin, form });
    }

    /// Warns of virtual services that are not there.
    fn missing(&self, path: &str, named: &[ObjectRef]) -> Vec<Problem> {
        let named = named.iter().enumerate();
        let missing = named.filter(|(_, reference)| {
            let host = reference.key(Kind::VirtualService);
            !self.objects.has(&host)
        });
        let warnings = missing.map(|(index, reference)| {
            let field = format!("{path}.virtualServices[{index}]");
            let text = format!("virtual service {reference} does not exist");
            Problem::warning(field, text)
        });
        warnings.collect()
    }
}

impl Origin {
    fn of(path: &str, matcher: &ConnectionMatcher) -> Self {
        Self {
            owner: None,
            path: path.to_owned(),
            sources: matcher.source_prefix_ranges.clone(),
            defaults: matcher.ssl_config.clone(),
        }
    }
}
