//! What every host of the filters has to do alike, and the fake that stands for Envoy where none runs.

pub mod fake;
