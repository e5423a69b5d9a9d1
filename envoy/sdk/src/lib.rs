//! Bindings to Envoy 1.40's ABI of dynamic modules, for HTTP filters and early header mutations: raw ([`abi`]) and safe (all else).
//!
//! The official Rust SDK is in no package registry, so this one is written from the ABI's facts, in the official one's
//! shape: same names of traits, methods and macros. The only crate of the workspace with unsafe code.
//!
//! Where it goes beyond the official one (a module that uses these does not build against that): hooks
//! [`HttpFilter::on_destroy`], [`HttpFilterConfig::panic_reply`] and [`HttpFilterConfig::on_panic`]; methods with the
//! header map or body as a parameter, `for_each_…`, `route_config`, `send_grpc_response`; the names around secrets. The
//! methods of [`EnvoyHttpFilter`] and [`EnvoyHttpFilterConfig`] are in supertraits, by what they are about. Per-route
//! configs must be `Send + Sync`, and the streams of callouts need no `unsafe`.
//!
//! A module is a `cdylib` that calls [`declare_init_functions!`] and implements [`HttpFilterConfig`] and [`HttpFilter`];
//! see `examples/identity.rs`. Build it with `panic = "unwind"`: a panic in a hook is caught here and costs only its own
//! stream (see [`PanicReply`]), while one under `panic = "abort"` ends the proxy.
#![expect(
    unsafe_code,
    reason = "the boundary to Envoy's C ABI; everything above it is safe"
)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod abi;
mod buffer;
mod callouts;
mod config;
mod early_header_mutation;
mod hooks;
mod http;
mod lend;
mod metrics;
#[cfg(any(test, feature = "mock"))]
pub mod mock;
mod panic;
mod process;
mod scheduler;
mod span;
#[cfg(test)]
mod tests;

pub use buffer::{EnvoyBuffer, EnvoyMutBuffer};
pub use callouts::EnvoyHttpCallouts;
pub use config::{EnvoyHttpFilterConfig, EnvoyHttpFilterConfigImpl, EnvoySecretId};
pub use early_header_mutation::{
    EarlyHeaderMutationConfig, EarlyHeaderMutationContext,
    NEW_EARLY_HEADER_MUTATION_CONFIG_FUNCTION, NewEarlyHeaderMutationConfigFunction,
};
pub use hooks::{
    NEW_HTTP_FILTER_CONFIG_FUNCTION, NEW_HTTP_FILTER_PER_ROUTE_CONFIG_FUNCTION,
    NewHttpFilterConfigFunction, NewHttpFilterPerRouteConfigFunction, ProgramInitFunction,
    program_init,
};
pub use http::{
    EnvoyHttpBodies, EnvoyHttpContext, EnvoyHttpFilter, EnvoyHttpFilterImpl, EnvoyHttpHeaders,
    EnvoyHttpMetadata, EnvoyHttpReplies, HttpFilter, HttpFilterConfig,
};
pub use metrics::{
    EnvoyCounterId, EnvoyCounterVecId, EnvoyGaugeId, EnvoyGaugeVecId, EnvoyHistogramId,
    EnvoyHistogramVecId, EnvoyMetrics,
};
pub use panic::{CaughtPanic, PanicReply};
pub use process::{get_concurrency, get_log_level, is_log_enabled, is_validation_mode, log};
pub use scheduler::{EnvoyHttpFilterConfigScheduler, EnvoyHttpFilterScheduler};
pub use span::{EnvoyChildSpan, EnvoySpan};
