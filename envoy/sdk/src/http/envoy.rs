//! What a stream's filter asks of Envoy.

use super::bodies::EnvoyHttpBodies;
use super::context::EnvoyHttpContext;
use super::headers::EnvoyHttpHeaders;
use super::metadata::EnvoyHttpMetadata;
use super::replies::EnvoyHttpReplies;
use crate::callouts::EnvoyHttpCallouts;
use crate::metrics::EnvoyMetrics;
use crate::scheduler::EnvoyHttpFilterScheduler;
use crate::span::EnvoySpan;

/// A stream, seen from its filter. Only in hooks, on the stream's worker.
///
/// The official SDK has all methods in this one trait. Here they are in its supertraits, by what they are about: code
/// that is generic over `EnvoyHttpFilter` sees no difference; code that names
/// [`EnvoyHttpFilterImpl`](crate::EnvoyHttpFilterImpl) imports the traits whose methods it calls.
pub trait EnvoyHttpFilter:
    EnvoyHttpHeaders
    + EnvoyHttpBodies
    + EnvoyHttpReplies
    + EnvoyHttpMetadata
    + EnvoyHttpContext
    + EnvoyHttpCallouts
    + EnvoyMetrics
{
    /// A scheduler for events to this filter.
    fn new_scheduler(&self) -> impl EnvoyHttpFilterScheduler + 'static;
    /// The stream's span; `None` if tracing is off.
    fn get_active_span<'a>(&'a self) -> Option<Box<dyn EnvoySpan + 'a>>;
}
