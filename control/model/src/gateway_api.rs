//! The Gateway API (v1.5.1, both channels), and what Gloo and Tenon have beside it.
//!
//! Names, defaults, bounds and what fields want of each other are those of the specification's CRDs:
//! <https://github.com/kubernetes-sigs/gateway-api/tree/v1.5.1/config/crd>.

mod backend_tls_policy;
mod grpc_route;
mod http_filter;
mod http_route;
mod listeners;
mod own;
mod reference_grant;
mod references;
mod stream_route;
#[cfg(test)]
mod tests;
mod tls_options;
mod values;

pub use backend_tls_policy::{
    BackendTlsPolicy, BackendValidation, PolicyTarget, SubjectAltName, SubjectAltNameType,
};
pub use grpc_route::{
    GrpcBackendRef, GrpcHeaderMatch, GrpcMatch, GrpcMethodMatch, GrpcRoute, GrpcRule,
};
pub use http_filter::{
    AuthProtocol, CorsFilter, ExternalAuth, FilterHeader, ForwardBody, Fraction, GrpcAuth,
    HeaderModifier, HttpAuth, HttpFilter, PathModifier, RequestMirror, RequestRedirect, Scheme,
    UrlRewrite,
};
pub use http_route::{
    CookieConfig, CookieLifetime, DefaultGateways, HeaderMatch, HttpBackendRef, HttpMatch,
    HttpRoute, HttpRule, MatchType, PathMatch, PathMatchType, QueryParamMatch, Retry,
    SessionPersistence, SessionType, Timeouts,
};
pub use listeners::{
    AllowedListeners, AllowedRoutes, BackendTls, FromListenerNamespaces, FromNamespaces,
    FrontendTls, FrontendValidation, GatewayAddress, GatewayClass, GatewayTls, Infrastructure,
    KubernetesGateway, Listener, ListenerNamespaces, ListenerSet, ListenerSetParent, ListenerTls,
    PortTls, RouteGroupKind, RouteNamespaces, TlsMode, TlsOfPort, ValidationMode,
};
pub use own::{DirectResponseSpec, FunctionCall, GatewayParameters};
pub use reference_grant::{GrantFrom, GrantTo, ReferenceGrant};
pub use references::{
    BackendRef, FullRef, GROUP, LabelSelector, LocalRef, ParentRef, SecretRef, WeightedBackendRef,
};
pub use stream_route::{StreamRule, TcpRoute, TlsRoute};
