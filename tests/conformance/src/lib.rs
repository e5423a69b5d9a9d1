//! What every host of the filters has to do alike, and the fake that stands for Envoy where none runs.
//!
//! [`scenarios::all`] is the table. A runner makes an [`Observed`] of each row, and [`check()`] tells whether it is as it
//! has to be: what the row itself says, and what holds for all rows (signatures, secrecy, the client's request being
//! back afterwards). `tests/fake.rs` runs the table on the fake, `tests/envoy.rs` on real Envoys.
//!
//! [`transform::all`] is a table of its own, for `tenon.transform`, which sits elsewhere and does something else.

pub mod fake;
pub mod scenario;
pub mod scenarios;
pub mod transform;

mod check;
mod observed;
mod on_envoy;
mod on_fake;

pub use check::{check, signature};
pub use observed::{LOGGED, Observed, Protocol, comparable, show};
pub use on_envoy::{
    Artefact, Position, differences, run as run_on_envoy, run_transform as run_transform_on_envoy,
};
pub use on_fake::{fake_clock, run as run_on_fake};
