//! Settings (Gloo's, the one that is called `default` in `gloo-system`): what holds where nothing else is said.
//!
//! Most of it says how Gloo itself runs, which is no business of ours: it is let pass. What would change an answer and
//! is not taken over gets a warning.

use std::sync::Arc;

use tenon_model_derive::Read;

use crate::connection::CircuitBreakers;
use crate::consul::{ConsulDiscovery, ConsulSettings};
use crate::read::{Fields, Node, Read, ReadFields};
use crate::servers::Servers;
use crate::ssl::SslParameters;

/// What holds where nothing else is said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// What upstreams that do not say it may be given at a time (Gloo's `gloo.circuitBreakers`).
    pub circuit_breakers: Option<CircuitBreakers>,
    /// TLS towards upstreams that do not say it (Gloo's `upstreamOptions.sslParameters`).
    pub ssl_parameters: SslParameters,
    /// What holds for calls of AWS.
    pub aws: AwsSettings,
    /// What holds for transformations.
    pub transformations: TransformationSettings,
    /// Servers that are asked on the way of a request.
    pub servers: Arc<Servers>,
    /// No route may be for a service of Kubernetes without an upstream that is written.
    pub disable_kubernetes_destinations: bool,
    /// What holds for gateways and virtual services.
    pub gateway: GatewaySettings,
    /// Where Consul is (Gloo's `consul`).
    pub consul: Arc<ConsulSettings>,
    /// What holds for services of Consul that routes name (Gloo's `consulDiscovery`).
    pub consul_discovery: ConsulDiscovery,
    /// What answers in the place of routes that are not valid.
    pub invalid_config: InvalidConfigPolicy,
}

/// What answers in the place of routes that are not valid and were never (Gloo's `gloo.invalidConfigPolicy`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct InvalidConfigPolicy {
    /// Answer as it is said here; where this is left out, with 500 and an error that names the resource.
    pub replace_invalid_routes: bool,
    /// The status: 404 where it is left out.
    #[read(range(200, 599))]
    pub invalid_route_response_code: Option<u16>,
    /// The body: a hint to administrators where it is left out.
    #[read(with = crate::action::body)]
    pub invalid_route_response_body: Option<String>,
}

impl InvalidConfigPolicy {
    /// The status and the body, if there are any.
    pub fn answer(&self) -> Option<(u16, &str)> {
        const HINT: &str = "The gateway has invalid configuration. Administrators should run `tenon check` to find and fix config errors.";
        let status = self.invalid_route_response_code.unwrap_or(404);
        let body = self.invalid_route_response_body.as_deref().unwrap_or(HINT);
        self.replace_invalid_routes.then_some((status, body))
    }
}

/// What holds for gateways and virtual services (Gloo's `gateway`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GatewaySettings {
    /// Never ask for a client's certificate, where `sslConfig` does not say it.
    pub one_way_tls: bool,
    /// A virtual service is reached over TLS with its own `sslConfig` only, whatever host a request asks for.
    pub isolate_virtual_hosts_by_ssl_config: bool,
}

/// What holds for calls of AWS (Gloo's `gloo.awsOptions`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AwsSettings {
    /// Tell functions the client's path and method in `x-envoy-original-path` and `x-envoy-original-method`.
    pub propagate_original_routing: bool,
    /// A destination that names no function, or none that there is, calls the upstream's first.
    pub fallback_to_first_function: bool,
}

/// What holds for transformations that do not say it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransformationSettings {
    /// Escape what templates print as in a JSON string.
    pub escape_characters: bool,
    /// Log headers and bodies before and after.
    pub log: bool,
}

/// How Gloo runs: where it listens, what it watches, what else it talks to.
const OPERATION: [&str; 27] = [
    "artifactSource",
    "cachingServer",
    "configSource",
    "consoleOptions",
    "consulKvArtifactSource",
    "consulKvSource",
    "devMode",
    "directoryArtifactSource",
    "directoryConfigSource",
    "directorySecretSource",
    "discovery",
    "discoveryNamespace",
    "extensions",
    "graphqlOptions",
    "knative",
    "kubernetes",
    "kubernetesArtifactSource",
    "kubernetesConfigSource",
    "kubernetesSecretSource",
    "linkerd",
    "observabilityOptions",
    "refreshRate",
    "secretOptions",
    "vaultSecretSource",
    "watchNamespaceSelectors",
    "watchNamespaces",
    "ipV4Only",
];

/// The same in `gloo`. A body is never held for a websocket, whatever is said of that.
const GLOO_OPERATION: [&str; 12] = [
    "disableGrpcWeb",
    "disableProxyGarbageCollection",
    "enableAutoWebsocketTransformationPassthrough",
    "enableRestEds",
    "endpointsWarmingTimeout",
    "failoverUpstreamDnsPollingInterval",
    "proxyDebugBindAddr",
    "regexMaxProgramSize",
    "removeUnusedFilters",
    "restXdsBindAddr",
    "validationBindAddr",
    "xdsBindAddr",
];

pub(crate) fn read(node: &Node<'_>) -> Option<Settings> {
    node.object(|fields| {
        fields.ignored(&OPERATION);
        fields.field("ratelimit", |node| {
            node.warn("has no effect: the rate limit service has its own configuration, which this belongs into");
            None::<()>
        });
        let servers = Servers::read_fields(fields);
        let gloo = fields.field("gloo", |node| node.object(read_gloo));
        let gateway = fields.field("gateway", |node| node.object(read_gateway));
        let consul = fields.field("consul", |node| ConsulSettings::read(&node));
        let consul_discovery = fields.field("consulDiscovery", |node| ConsulDiscovery::read(&node));
        let ssl_parameters = fields.field("upstreamOptions", |node| {
            node.object(|fields| fields.field("sslParameters", |node| SslParameters::read(&node)))
        });
        Some(Settings {
            servers: Arc::new(servers?),
            ssl_parameters: ssl_parameters.unwrap_or_default(),
            gateway: gateway.unwrap_or_default(),
            consul: Arc::new(consul.unwrap_or_default()),
            consul_discovery: consul_discovery.unwrap_or_default(),
            ..gloo.unwrap_or_default()
        })
    })
}

fn read_gateway(fields: &mut Fields<'_>) -> Option<GatewaySettings> {
    // A gateway without virtual services listens anyway, and all namespaces are read.
    fields.ignored(&[
        "alwaysSortRouteTableRoutes",
        "compressedProxySpec",
        "enableGatewayController",
        "persistProxySpec",
        "readGatewaysFromAllNamespaces",
        "translateEmptyGateways",
        "validation",
        "validationServerAddr",
    ]);
    let one_way_tls = fields.field("virtualServiceOptions", |node| {
        node.object(|fields| Some(fields.flag("oneWayTls")))
    });
    Some(GatewaySettings {
        one_way_tls: one_way_tls.unwrap_or_default(),
        isolate_virtual_hosts_by_ssl_config: fields.flag("isolateVirtualHostsBySslConfig"),
    })
}

fn read_gloo(fields: &mut Fields<'_>) -> Option<Settings> {
    fields.ignored(&GLOO_OPERATION);
    fields.without_effect(&["istioOptions"]);
    let aws = fields.field("awsOptions", |node| {
        node.object(|fields| {
            // Credentials are looked for in all of these places, and renewed before they end.
            fields.ignored(&[
                "credentialRefreshDelay",
                "enableCredentialsDiscovey",
                "serviceAccountCredentials",
            ]);
            Some(AwsSettings {
                propagate_original_routing: fields.flag("propagateOriginalRouting"),
                fallback_to_first_function: fields.flag("fallbackToFirstFunction"),
            })
        })
    });
    Some(Settings {
        disable_kubernetes_destinations: fields.flag("disableKubernetesDestinations"),
        circuit_breakers: fields.field("circuitBreakers", |node| CircuitBreakers::read(&node)),
        aws: aws.unwrap_or_default(),
        transformations: TransformationSettings {
            escape_characters: fields.flag("transformationEscapeCharacters"),
            log: fields.flag("logTransformationRequestResponseInfo"),
        },
        invalid_config: fields
            .field("invalidConfigPolicy", |node| {
                InvalidConfigPolicy::read(&node)
            })
            .unwrap_or_default(),
        ..Settings::default()
    })
}
