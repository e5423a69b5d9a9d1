//! Scripted servers.

mod answer;
mod consul;
mod lambda;
mod plain;
mod server;

pub use answer::{Answer, Gate};
pub use consul::{ConsulDouble, ConsulInstance};
pub use lambda::{LambdaCall, LambdaDouble};
pub use plain::PlainDouble;
pub use server::Received;
