//! AWS Lambda: events in, answers out.

mod call;
pub(super) mod event;
pub(super) mod exchange;
mod response;
pub(super) mod unwrap;

pub(super) use call::Call;
