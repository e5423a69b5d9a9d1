//! Faults on purpose.

use std::time::Duration;

use tenon_model_derive::Read;

use crate::read::Node;

/// Faults on purpose.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct Faults {
    /// Requests that are answered with an error.
    pub abort: Option<Abort>,
    /// Requests that are held back.
    pub delay: Option<Delay>,
}

/// Requests that are answered with an error.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct Abort {
    /// How many, in percent; none where it is left out.
    #[read(default, range(0.0, 100.0))]
    pub percentage: f64,
    /// The status of the answer.
    #[read(range(200, 599))]
    pub http_status: u32,
}

/// Requests that are held back.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct Delay {
    /// How many, in percent; none where it is left out.
    #[read(default, range(0.0, 100.0))]
    pub percentage: f64,
    /// For how long.
    #[read(with = Node::positive_duration)]
    pub fixed_delay: Duration,
}
