//! Scripted servers.

mod answer;
mod lambda;
mod plain;
mod server;

pub use answer::{Answer, Gate};
pub use lambda::{LambdaCall, LambdaDouble};
pub use plain::PlainDouble;
pub use server::Received;
