//! AWS Lambda: events in, answers out.

mod call;
pub(super) mod event;
pub(super) mod exchange;
pub(super) mod relay;
mod response;
mod stream;
pub(super) mod unwrap;

pub(super) mod url;

pub(super) use call::Call;
pub(super) use url::UrlCall;
