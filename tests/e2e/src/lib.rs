//! The harness of the end-to-end tests: a real Envoy, real and scripted Lambda services, Tenon's own processes, and an
//! HTTP client that shows what happens on the wire. Conformance and benchmarks use it too.
//!
//! Everything listens on loopback on a free port, everything that waits has a deadline ([`deadline`]), and every process is
//! ended and reaped when its value is dropped. Nothing here sleeps to let something happen.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use tenon_e2e::{Answer, Client, Envoy, LambdaDouble, get};
//!
//! let lambda = LambdaDouble::start().await?;
//! lambda.answer("flaky", [Answer::status(503), Answer::json("{}")]);
//! let envoy = Envoy::start("static_resources: {}").await?;
//! let mut client = Client::http1(envoy.listener("http").await?).await?;
//! let response = client.send(get("/flaky")).await?;
//! assert_eq!(response.status, 200);
//! assert_eq!(lambda.calls("flaky").len(), 2);
//! # Ok(())
//! # }
//! ```

pub mod deadline;
pub mod eventstream;
pub mod gateway;
pub mod sigv4;

mod admin;
mod certificates;
mod client;
mod double;
mod envoy;
mod google;
mod load;
mod ministack;
mod process;
mod resource;
mod tenon;

pub use admin::Admin;
pub use certificates::{Authority, Identity};
pub use client::{
    BodySender, Client, RequestBody, Response, get, post, request, streaming_body, tls_client,
};
pub use double::{
    Answer, ConsulDouble, ConsulInstance, Gate, LambdaCall, LambdaDouble, PlainDouble, Received,
};
pub use envoy::{Envoy, EnvoyOptions};
pub use gateway::{Gateway, GatewayBuilder};
pub use google::{Google, GoogleFunction};
pub use load::Load;
pub use ministack::Ministack;
pub use process::{Process, artefact, free_port};
pub use resource::object;
pub use tenon::{Filter, Listener, Ready, Tenon, TenonOptions};

/// Makes two tests of each `async fn name(filter: Filter) -> Result<()>`: `name::so` and `name::wasm`.
#[macro_export]
macro_rules! on_both_hosts {
    ($($(#[$attribute:meta])* async fn $name:ident($filter:ident: Filter) -> Result<()> $body:block)*) => {
        $(
            $(#[$attribute])*
            mod $name {
                use super::*;

                async fn run($filter: $crate::Filter) -> anyhow::Result<()> $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn so() -> anyhow::Result<()> {
                    run($crate::Filter::So).await
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn wasm() -> anyhow::Result<()> {
                    run($crate::Filter::Wasm).await
                }
            }
        )*
    };
}
