//! What Tenon's filters do, whatever runs them.
//!
//! A host (the dynamic module, the proxy-wasm plugin, the fake of the tests) implements the traits of [`host`], calls a
//! filter's hooks, and carries out the [`host::Step`] that each returns. The core reads no clock, environment, file or
//! global; all it knows comes through the traits.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod eventstream;
pub mod host;
pub mod inja;
pub mod invoke;
pub mod matching;
mod percent;
pub mod sign;
mod text_hash;
pub mod transform;
