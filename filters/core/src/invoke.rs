//! Calling functions: an HTTP request in, a provider's call out, and the provider's answer back into HTTP.
//!
//! The filter sits in the **upstream** filter chain of a cluster, inside the router, so that it runs on every try of a
//! request and its status is what retry policies see. All tries of a request share one map of request headers, while
//! the body is replayed to each as the router got it. Hence the rule of this module: *snapshot on the first try,
//! rebuild from the snapshot on every try, restore on the response*.
//!
//! It may also be among a listener's own filters, before the router, for who cannot reach a cluster's: there is one try
//! then, which the router repeats as it is, and requests that call no function pass.
//!
//! [`Upstream`] is the compiled filter configuration, shared by all workers; [`Try`] is one try of one request; [`Guard`]
//! is the downstream filter that restores the client's request where no try saw a response.

mod azure;
mod call;
mod clock;
mod error;
mod gcp;
mod guard;
pub(crate) mod header;
mod lambda;
mod rest;
mod secret;
mod snapshot;
mod table;
mod tries;
mod upstream;

pub use error::Code;
pub use guard::Guard;
pub use table::Error;
pub use tries::Try;
pub use upstream::Upstream;
