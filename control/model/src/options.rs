//! What routes, their destinations and virtual hosts can be given of Envoy's own.

pub mod buffer;
pub mod cors;
pub mod csrf;
pub mod ext_auth;
pub mod ext_proc;
pub mod faults;
mod jwks;
pub mod jwt;
pub mod lb_hash;
pub mod rate_limit;
pub mod rbac;
pub mod shadowing;
pub mod stats;
pub mod tracing;
pub mod upgrades;
pub mod values;
