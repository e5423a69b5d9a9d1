//! `tenon.wasm`: hosts the core under proxy-wasm. It translates, and decides nothing.
//!
//! Two plugins. Root id `tenon.function`: its configuration (the JSON of [`tenon_contract::FunctionConfig`]) says which of
//! its two parts it plays, the caller of a cluster's functions or a listener's guard. Root id `tenon.transform`
//! ([`tenon_contract::transform::TransformConfig`]): it changes requests and responses by templates.
//!
//! Envoy gives proxy-wasm less than a dynamic module. What that costs stands where it is dealt with: bodies and headers
//! out of reach in `host`, metrics without labels in `metrics`, dynamic metadata in `host` as well. What only Envoy's
//! configuration can give:
//!
//! * The chain of the cluster's upstream filters is: a filter that gives each request a body (see below),
//!   `credential_injector` with the secret in `x-tenon-secret` and `overwrite`, this plugin, `upstream_codec`. The
//!   plugin's own configuration has to name the secret too, or the header is taken for a client's and dropped. Nothing
//!   that holds back responses may stand between the last two: where a retry destroys this plugin's stream meanwhile,
//!   Envoy 1.40 still calls it, which traps.
//! * Envoy gives proxy-wasm no way to add a body to a message without one, and takes a request's headers out of reach
//!   once they went on. So the request has to come as headers and a body, empty if need be, which Envoy's Lua filter
//!   does with `request_handle:body(true)` where `content-length` is 0 or missing, unless `transfer-encoding` or the
//!   content type of gRPC says that a body comes. Without it such requests are answered 500. Where requests are not held
//!   (Google's), their headers go on with the first part of their body.
//! * `allow_on_headers_stop_iteration: true`, or a request that is held back stalls.
//! * `failure_policy: FAIL_RELOAD` with a `base_interval` of 10 ms or more (with 1 ms Envoy 1.40 crashes on its first
//!   reload): after a trap `FAIL_CLOSED` never answers again, `FAIL_RELOAD` loses what is in flight in that VM.
//! * A route's `request_body_buffer_limit` above the largest body, since a plugin cannot raise a limit. It bounds what
//!   is held of responses as well.
//! * Among a listener's filters, the same before it, `allow_request_without_credential` (other requests pass), and a filter
//!   that takes [`tenon_contract::SECRET_HEADER`] off what clients send. Envoy chooses the route again when the request has
//!   become a call.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod attributes;
mod function;
mod guard;
mod host;
mod metrics;
mod reply;
mod runner;
mod transform;
#[cfg(feature = "test-trap")]
mod trap;

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use tenon_contract::transform::TRANSFORM_FILTER;
use tenon_contract::{FUNCTION_FILTER, FunctionConfig, Read};
use tenon_core::host::Level;
use tenon_core::invoke::Upstream;

use function::{FunctionContext, Shared};
use guard::GuardContext;
use host::log;
use metrics::CallMetrics;
use transform::TransformContext;

/// Its function is not of the crate: Envoy calls it.
mod start {
    proxy_wasm::main! {{
        // Also makes a trap say why.
        proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Warn);
        proxy_wasm::set_root_context(|_| Box::new(super::Root { part: None }));
    }}
}

/// The plugin, once per worker.
struct Root {
    part: Option<Part>,
}

enum Part {
    Caller(Rc<Shared>),
    Guard,
    Transform(Rc<transform::Transform>),
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let name = proxy_wasm::hostcalls::get_property(vec!["plugin_root_id"])
            .ok()
            .flatten()
            .unwrap_or_default();
        if name == TRANSFORM_FILTER.as_bytes() {
            let config = self.get_plugin_configuration().unwrap_or_default();
            self.part = transform::Transform::new(&config).map(|it| Part::Transform(Rc::new(it)));
            return self.part.is_some();
        }
        if name != FUNCTION_FILTER.as_bytes() {
            let name = String::from_utf8_lossy(&name);
            log(
                Level::Error,
                &format!("unknown filter {name:?}; known: {FUNCTION_FILTER}, {TRANSFORM_FILTER}"),
            );
            return false;
        }
        let config = self.get_plugin_configuration().unwrap_or_default();
        let Read { value, unknown } = match FunctionConfig::from_json(&config) {
            Ok(read) => read,
            Err(error) => {
                log(Level::Error, &format!("{FUNCTION_FILTER}: {error}"));
                return false;
            }
        };
        if !unknown.is_empty() {
            log(
                Level::Warn,
                &format!(
                    "{FUNCTION_FILTER}: fields of a newer control plane are ignored: {}",
                    unknown.join(", ")
                ),
            );
        }
        let (has_secret, upstream) = match value {
            FunctionConfig::Upstream(config) => (config.secret.is_some(), Upstream::new(config)),
            FunctionConfig::Downstream(config) => (
                config.upstream.secret.is_some(),
                Upstream::downstream(config),
            ),
            FunctionConfig::Guard {} => {
                self.part = Some(Part::Guard);
                return true;
            }
        };
        match upstream {
            Ok(upstream) => {
                self.part = Some(Part::Caller(Rc::new(Shared {
                    upstream,
                    metrics: CallMetrics::default(),
                    has_secret,
                })));
                true
            }
            Err(error) => {
                log(Level::Error, &format!("{FUNCTION_FILTER}: {error}"));
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    // `None` traps, which answers 503: a plugin whose configuration was refused is given no streams.
    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match self.part.as_ref()? {
            Part::Caller(shared) => Box::new(FunctionContext::new(shared.clone())),
            Part::Guard => Box::new(GuardContext::default()),
            Part::Transform(transform) => Box::new(TransformContext::new(transform.clone())),
        })
    }
}
