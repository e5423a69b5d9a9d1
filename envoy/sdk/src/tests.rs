//! The raw layer against a fake Envoy: the same C functions in both directions as in the real one, so that every
//! pointer that crosses is exercised by `cargo test`.
//!
//! The fake holds to Miri's rules (one owner of each object, no borrow across a call into the module, the types of the
//! declarations on both sides of each symbol), and `make miri` runs these tests under it.

mod callouts;
mod early_headers;
mod entry_points;
mod fake_envoy;
mod hooks;
mod panics;
mod run;
mod scripted;
