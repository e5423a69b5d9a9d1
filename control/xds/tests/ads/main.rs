//! The behaviour of the ADS server, seen by a gRPC client over loopback.

mod client;
mod delta;
mod nack;
mod order;
mod state_of_the_world;
