//! Panics stop here: one that crossed into Envoy would abort the whole proxy.

use crate::abi::envoy_dynamic_module_type_log_level as Level;
use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The answer of a stream whose filter panicked, as long as an answer can still be given; later the stream is reset.
///
/// A gRPC client (by the request's content type) gets `grpc_status` instead, by
/// [`EnvoyHttpReplies::send_grpc_response`](crate::EnvoyHttpReplies::send_grpc_response).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanicReply {
    /// The HTTP status.
    pub status: u16,
    /// The body's type.
    pub content_type: Cow<'static, str>,
    /// The body.
    pub body: Cow<'static, str>,
    /// More headers.
    pub headers: Cow<'static, [(&'static str, &'static str)]>,
    /// Response code details, for access logs. No spaces.
    pub details: Cow<'static, str>,
    /// For gRPC clients; 13 is INTERNAL.
    pub grpc_status: u32,
    /// For gRPC clients.
    pub grpc_message: Cow<'static, str>,
}

impl Default for PanicReply {
    fn default() -> Self {
        Self {
            status: 500,
            content_type: Cow::Borrowed("text/plain"),
            body: Cow::Borrowed("internal error"),
            headers: Cow::Borrowed(&[]),
            details: Cow::Borrowed("dynamic_module_panic"),
            grpc_status: 13,
            grpc_message: Cow::Borrowed("internal error"),
        }
    }
}

/// A panic that was caught. It has no message: messages of panics print values, and values can be secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtPanic {
    /// The hook that panicked, by the ABI's name.
    pub hook: &'static str,
    /// `file:line:column`, where known.
    pub place: Option<String>,
}

thread_local! {
    /// File, line and column where this thread panicked last: only the panic hook is told.
    static PLACE: RefCell<Option<(String, u32, u32)>> = const { RefCell::new(None) };
}

/// Has panics of this module remember their place instead of printing to stderr. (The module has its own copy of the
/// standard library, so nobody else's panics come here.)
pub(crate) fn remember_places() {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|place| (place.file().to_owned(), place.line(), place.column()));
        // During the destruction of the thread's locals there is nothing to remember it in.
        let _ = PLACE.try_with(|slot| *slot.borrow_mut() = place);
    }));
}

/// Runs a hook's body; a panic becomes an error and a log line.
pub(crate) fn caught<R>(hook: &'static str, body: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    // What the closures leave behind half done is either the filter, which is poisoned by the caller, or a config,
    // whose hooks take `&self` and have to be fit for several threads anyway.
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        discard(payload);
        let place = PLACE
            .try_with(|slot| slot.borrow_mut().take())
            .ok()
            .flatten();
        let (file, line, column) = place
            .clone()
            .unwrap_or_else(|| ("an unknown place".to_owned(), 0, 0));
        crate::log(
            Level::Critical,
            &format!("panic in {hook} at {file}:{line}:{column}"),
            &file,
            line,
        );
        let place = place.map(|_| format!("{file}:{line}:{column}"));
        CaughtPanic { hook, place }
    })
}

/// Drops a panic's payload, which runs foreign code and may panic again, with a payload of its own. One that keeps doing
/// so is leaked.
fn discard(payload: Box<dyn Any + Send>) {
    let dropped = |payload| catch_unwind(AssertUnwindSafe(|| drop(payload)));
    if let Err(again) = dropped(payload)
        && let Err(for_ever) = dropped(again)
    {
        std::mem::forget(for_ever);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_whose_payload_panics_on_drop_is_still_caught() {
        struct Grenade;
        impl Drop for Grenade {
            fn drop(&mut self) {
                panic!("on drop");
            }
        }
        let caught = caught("test", || std::panic::panic_any(Grenade));
        assert_eq!(caught.unwrap_err().hook, "test");
    }

    #[test]
    fn no_panic_is_no_error() {
        assert_eq!(caught("test", || 7), Ok(7));
    }
}
