//! AWS Lambda: events in, answers out.

pub(super) mod event;
pub(super) mod response;
pub(super) mod unwrap;
