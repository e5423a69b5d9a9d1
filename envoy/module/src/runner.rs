//! Runs the core's hooks for a stream, and carries out what they say.

use std::cell::{RefCell, RefMut};

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyHttpFilter;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason;
use tenon_core::host::{Reply, Step};

use crate::host::{EnvoyHost, Hook};

/// A stream's state in the core.
pub(crate) struct Runner<S> {
    state: RefCell<S>,
    /// How much Envoy may hold back: the largest message, and a frame more, so that the filter's own answer comes first.
    /// `None`: what it holds by itself, so that a slow side slows the other.
    buffer_limit: Option<u64>,
}

/// More than the largest message that is held.
const SPARE: u64 = 2 << 20;

impl<S: Default> Runner<S> {
    /// `most_held`: the largest message that the core holds back, in bytes, if it knows.
    pub(crate) fn new(most_held: Option<u64>) -> Self {
        Self {
            state: RefCell::default(),
            buffer_limit: most_held.map(|held| held.saturating_add(SPARE)),
        }
    }

    /// Runs a hook of the core, and answers the client if it says so. The core is not borrowed by then: Envoy sends a
    /// filter's own answer through that filter's response hooks before it returns.
    ///
    /// The last argument is what Envoy is told: to go on, to hold back, and to stop after an answer or a reset.
    pub(crate) fn run<EHF: EnvoyHttpFilter, T>(
        &self,
        mut host: EnvoyHost<'_, EHF>,
        run: impl FnOnce(&mut S, &mut EnvoyHost<'_, EHF>) -> Step,
        (go_on, hold, stop): (T, T, T),
    ) -> T {
        let step = match self.state.try_borrow_mut() {
            Ok(mut state) => run(&mut state, &mut host),
            Err(_) => Step::Continue,
        };
        match step {
            Step::Continue => go_on,
            Step::Hold => {
                // Headers are what is held first.
                if let Some(limit) = self.buffer_limit
                    && host.hook() == Hook::Headers
                    && host.envoy.get_buffer_limit() < limit
                {
                    host.envoy.set_buffer_limit(limit);
                }
                hold
            }
            Step::Abort => {
                host.envoy
                    .reset_stream(StreamResetReason::LocalReset, ABORTED);
                stop
            }
            Step::Reply(reply) => {
                answer(host.envoy, &reply);
                stop
            }
        }
    }

    /// The state, unless a hook of it is under way.
    pub(crate) fn state(&self) -> Option<RefMut<'_, S>> {
        self.state.try_borrow_mut().ok()
    }
}

/// The response code details of a response that is cut off.
const ABORTED: &str = "tenon_aborted";

fn answer(envoy: &mut impl EnvoyHttpFilter, reply: &Reply) {
    let headers: Vec<(&str, &[u8])> = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    if !reply.trailers_only {
        envoy.send_response(
            u32::from(reply.status),
            &headers,
            Some(&reply.body),
            Some(reply.details),
        );
        return;
    }
    // The SDK knows the one way of a gRPC answer that Envoy takes in every hook; it writes these three itself.
    let value = |name: &str| {
        reply
            .headers
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value.as_str())
    };
    let status = value("grpc-status")
        .and_then(|status| status.parse().ok())
        .unwrap_or(GRPC_UNKNOWN);
    let message = value("grpc-message").unwrap_or_default();
    let more: Vec<_> = headers
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "content-type" | "grpc-status" | "grpc-message"))
        .collect();
    envoy.send_grpc_response(status, message, &more, Some(reply.details));
}

const GRPC_UNKNOWN: u32 = 2;
