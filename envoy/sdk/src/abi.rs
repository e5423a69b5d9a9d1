//! The C ABI of dynamic modules, for HTTP filters, as Envoy 1.40 has it: types and callbacks under the ABI's own names.
//!
//! Only what Envoy 1.40.0 exports is declared: it loads modules with `RTLD_NOW`, so one unknown name refuses the whole
//! module. `tests/imports.rs` holds the built example against the list of the binary's exports.
//! Filters use the safe layer; this module is public for its enums, which that layer's methods take and return.
#![expect(
    missing_docs,
    non_camel_case_types,
    reason = "names and meanings are those of Envoy's abi.h"
)]

mod callbacks;
mod types;

pub use callbacks::*;
pub use types::*;

/// The ABI version that Envoy 1.40 expects from `envoy_dynamic_module_on_program_init`. Diagnostic only since then.
pub const ABI_VERSION: &std::ffi::CStr = c"v0.2.0";
