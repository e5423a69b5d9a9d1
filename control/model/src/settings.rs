//! Settings (Gloo's, the one that is called `default` in `gloo-system`): what holds where nothing else is said.
//!
//! Most of it says how Gloo itself runs, which is no business of ours: it is let pass, with a warning that it has no
//! effect, unless what it says holds anyway.

use std::sync::Arc;

use tenon_model_derive::Read;

use crate::connection::CircuitBreakers;
use crate::consul::{ConsulDiscovery, ConsulSettings};
use crate::read::{Node, Read};
use crate::schema::Schema;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
#[read(
    // Credentials are looked for in all of these places, and renewed before they end.
    ignored(
        "credentialRefreshDelay",
        "enableCredentialsDiscovey",
        "serviceAccountCredentials"
    )
)]
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

/// What holds where nothing else is said.
#[derive(Read)]
// How Gloo runs: where it listens, what it watches, what else it talks to.
#[read(without_effect(
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
    "ipV4Only",
    "knative",
    "kubernetes",
    "kubernetesArtifactSource",
    "kubernetesConfigSource",
    "kubernetesSecretSource",
    "linkerd",
    "observabilityOptions",
    // The rate limit service has its own configuration.
    "ratelimit",
    "refreshRate",
    "secretOptions",
    "vaultSecretSource",
    "watchNamespaceSelectors",
    "watchNamespaces"
))]
struct SettingsSpec {
    #[read(flatten)]
    servers: Servers,
    /// What holds for upstreams and routes.
    #[read(default)]
    gloo: GlooOptions,
    /// What holds for gateways and virtual services.
    #[read(default)]
    gateway: GatewayOptions,
    /// What holds for upstreams.
    #[read(default)]
    upstream_options: UpstreamOptions,
    /// Where Consul is.
    #[read(default)]
    consul: ConsulSettings,
    /// What holds for services of Consul that routes name.
    #[read(default)]
    consul_discovery: ConsulDiscovery,
}

/// What holds for upstreams and routes.
#[derive(Default, Read)]
#[read(
    // A body is never held for a websocket, and no filter runs that nothing uses, whatever is said of that.
    ignored("enableAutoWebsocketTransformationPassthrough", "removeUnusedFilters"),
    without_effect(
        "disableGrpcWeb",
        "disableProxyGarbageCollection",
        "enableRestEds",
        "endpointsWarmingTimeout",
        "failoverUpstreamDnsPollingInterval",
        "istioOptions",
        "proxyDebugBindAddr",
        "regexMaxProgramSize",
        "restXdsBindAddr",
        "validationBindAddr",
        "xdsBindAddr"
    )
)]
struct GlooOptions {
    /// What upstreams that do not say it may be given at a time.
    circuit_breakers: Option<CircuitBreakers>,
    /// What holds for calls of AWS.
    #[read(default)]
    aws_options: AwsSettings,
    /// What answers in the place of routes that are not valid.
    #[read(default)]
    invalid_config_policy: InvalidConfigPolicy,
    /// No route may be for a service of Kubernetes without an upstream that is written.
    disable_kubernetes_destinations: bool,
    /// Whether headers and bodies are logged before and after transformations.
    log_transformation_request_response_info: bool,
    /// Whether what templates print is escaped as in a JSON string, where nothing else says it.
    transformation_escape_characters: bool,
}

/// What holds for gateways and virtual services.
#[derive(Default, Read)]
#[read(
    // A gateway without virtual services listens anyway, and all namespaces are read.
    ignored("readGatewaysFromAllNamespaces", "translateEmptyGateways"),
    without_effect(
        "alwaysSortRouteTableRoutes",
        "compressedProxySpec",
        "enableGatewayController",
        "persistProxySpec",
        "validation",
        "validationServerAddr"
    )
)]
struct GatewayOptions {
    /// What holds for virtual services.
    #[read(default)]
    virtual_service_options: VirtualServiceOptions,
    /// A virtual service is reached over TLS with its own `sslConfig` only, whatever host a request asks for.
    isolate_virtual_hosts_by_ssl_config: bool,
}

/// What holds for virtual services.
#[derive(Default, Read)]
struct VirtualServiceOptions {
    /// Never ask for a client's certificate, where `sslConfig` does not say it.
    one_way_tls: bool,
}

/// What holds for upstreams.
#[derive(Default, Read)]
#[read(without_effect("globalAnnotations"))]
struct UpstreamOptions {
    /// TLS towards upstreams that do not say it.
    #[read(default)]
    ssl_parameters: SslParameters,
}

impl Read for Settings {
    fn read(node: &Node<'_>) -> Option<Self> {
        let SettingsSpec {
            servers,
            gloo,
            gateway,
            upstream_options,
            consul,
            consul_discovery,
        } = SettingsSpec::read(node)?;
        Some(Self {
            circuit_breakers: gloo.circuit_breakers,
            ssl_parameters: upstream_options.ssl_parameters,
            aws: gloo.aws_options,
            transformations: TransformationSettings {
                escape_characters: gloo.transformation_escape_characters,
                log: gloo.log_transformation_request_response_info,
            },
            servers: Arc::new(servers),
            disable_kubernetes_destinations: gloo.disable_kubernetes_destinations,
            gateway: GatewaySettings {
                one_way_tls: gateway.virtual_service_options.one_way_tls,
                isolate_virtual_hosts_by_ssl_config: gateway.isolate_virtual_hosts_by_ssl_config,
            },
            consul: Arc::new(consul),
            consul_discovery,
            invalid_config: gloo.invalid_config_policy,
        })
    }

    fn schema() -> Schema {
        SettingsSpec::schema()
    }
}
