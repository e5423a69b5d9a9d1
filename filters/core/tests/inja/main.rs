//! The template language, in tables. `docs/transformations.md` says which test shows what.

mod check;
mod differences;
mod envoy_functions;
mod expressions;
mod functions;
mod gloo_functions;
mod language;
mod limits;
mod reads;
