//! What becomes of a stream whose filter panics.

use super::{Config, Filter, State};
use crate::abi::envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason;
use crate::http::{EnvoyHttpFilterImpl, EnvoyHttpHeaders, EnvoyHttpReplies, HttpFilter};
use crate::panic::{CaughtPanic, PanicReply, caught};
use std::ffi::c_void;

pub(super) type EnvoyFilter = *mut c_void;

/// What can be done for a stream when one of its hooks panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rescue {
    /// It gets the panic reply.
    Reply,
    /// It is reset: an answer is under way.
    Reset,
    /// The one or the other, by how far the stream is.
    ByState,
    /// Nothing: it is over, or being answered.
    Nothing,
}

/// What a hook returns when the filter is not asked.
pub(super) struct Otherwise<R> {
    /// Because it panicked in this very hook.
    pub(super) panicked: R,
    /// Because it panicked before: what lets the stream end.
    pub(super) poisoned: R,
}

impl Filter {
    /// Runs a hook; a panic in it, or in one before, decides on the stream instead.
    pub(super) fn run<R>(
        &self,
        envoy: EnvoyFilter,
        hook: &'static str,
        rescue: Rescue,
        otherwise: Otherwise<R>,
        body: impl FnOnce(&dyn HttpFilter<EnvoyHttpFilterImpl>, &mut EnvoyHttpFilterImpl) -> R,
    ) -> R {
        // SAFETY: Envoy calls the hook for this filter, which is live until the hook returns.
        let mut envoy = unsafe { EnvoyHttpFilterImpl::new(envoy) };
        match (self.state.get(), &self.module) {
            (State::Poisoned, _) | (State::Answerable | State::Answered, None) => {
                return otherwise.poisoned;
            }
            (State::Stillborn, _) => {
                self.state.set(State::Poisoned);
                self.save(&mut envoy, rescue);
                return otherwise.panicked;
            }
            (State::Answerable | State::Answered, Some(module)) => {
                let depth = self.depth.get();
                self.depth.set(depth.saturating_add(1));
                let result = caught(hook, || body(&**module, &mut envoy));
                self.depth.set(depth);
                if envoy.continued_encoding() && self.state.get() == State::Answerable {
                    self.state.set(State::Answered);
                }
                match result {
                    Ok(result) => return result,
                    Err(panic) => self.fail(&mut envoy, rescue, &panic, depth > 0),
                }
            }
        }
        otherwise.panicked
    }

    /// A hook panicked: the stream is answered or ended, the module told.
    fn fail(
        &self,
        envoy: &mut EnvoyHttpFilterImpl,
        rescue: Rescue,
        panic: &CaughtPanic,
        nested: bool,
    ) {
        let rescue = match (rescue, self.state.get()) {
            // A hook within another comes from what that one asked for, an answer most likely: no second answer.
            (Rescue::ByState, State::Answerable) if !nested => Rescue::Reply,
            (Rescue::ByState, _) => Rescue::Reset,
            (rescue, _) => rescue,
        };
        self.state.set(State::Poisoned);
        self.config().told(panic);
        if envoy.answered() {
            return;
        }
        self.save(envoy, rescue);
    }

    fn save(&self, envoy: &mut EnvoyHttpFilterImpl, rescue: Rescue) {
        let reply = caught("panic_reply", || self.config().module.panic_reply());
        let reply = reply.unwrap_or_default();
        match rescue {
            Rescue::Reply | Rescue::ByState => send(envoy, &reply),
            Rescue::Reset => envoy.reset_stream(StreamResetReason::LocalReset, &reply.details),
            Rescue::Nothing => {}
        }
    }

    pub(super) fn config(&self) -> &Config {
        // SAFETY: Envoy keeps the config until its last filter is destroyed.
        unsafe { &*self.config }
    }
}

/// Answers a stream whose filter panicked.
fn send(envoy: &mut EnvoyHttpFilterImpl, reply: &PanicReply) {
    let mut headers: Vec<(&str, &[u8])> = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let grpc = envoy
        .get_request_header_value("content-type")
        .is_some_and(|value| value.starts_with(b"application/grpc"));
    if grpc {
        envoy.send_grpc_response(
            reply.grpc_status,
            &reply.grpc_message,
            &headers,
            Some(&reply.details),
        );
        return;
    }
    headers.push(("content-type", reply.content_type.as_bytes()));
    let body = Some(reply.body.as_bytes());
    envoy.send_response(
        u32::from(reply.status),
        &headers,
        body,
        Some(&reply.details),
    );
}
