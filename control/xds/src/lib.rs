//! The ADS server: it keeps every Envoy at the translated configuration, over the delta and the state-of-the-world
//! protocol.
//!
//! [`Cache`] holds what is to be served, by proxy, type and name; [`serve`] serves it. A change of the cache marks the
//! changed names on each stream that they concern, so that a push costs what changed. What a stream may be sent, and
//! when, is decided by plain state machines (`subscription`, `session`) that know neither gRPC nor time:
//!
//! * versions are hashes of content, so a client that comes back with what is still true is sent nothing;
//! * at most one response of a type is in flight on a stream; what changes meanwhile is merged;
//! * clusters and endpoints come before the listeners and routes that use them, and go after them;
//! * what a client refused is not sent again until it differs, and does not hold up its neighbours;
//! * what goes out is encoded piece by piece, around resources that all clients share.
//!
//! With [`Tls`] and the roots of clients, a client is served as the proxies that its certificate names, and no others.
//!
//! It never translates, and never reads a resource beyond the endpoint name of a cluster.

#![forbid(unsafe_code)]

mod body;
mod cache;
mod connection;
mod event;
mod identity;
mod kind;
mod nack;
mod node;
mod secret;
mod server;
mod session;
mod subscription;
mod tls;
mod wire;

pub use cache::{Cache, Served};
pub use event::{Event, Refusal};
pub use kind::short_name;
pub use secret::Urgency;
pub use server::serve;
pub use tls::{Tls, TlsError, TlsFiles};
