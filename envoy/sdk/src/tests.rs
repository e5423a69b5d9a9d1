//! The raw layer against a fake Envoy: the same C functions in both directions as in the real one, so that every
//! pointer that crosses is exercised by `cargo test`.
//!
//! The fake holds to Miri's rules (one owner of each object, no borrow across a call into the module), so
//! `cargo miri test` can run these tests where that component is installed; the toolchain here comes without it.

mod fake_envoy;
mod hooks;
mod panics;
mod scripted;
