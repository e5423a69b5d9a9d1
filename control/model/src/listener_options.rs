//! What holds for a listener, whatever is spoken on it.

use tenon_model_derive::Read;

use crate::access_log::AccessLoggingService;

/// A listener's connections, and where they are written down.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(later(
    "listenerAccessLoggingService",
    "extensions",
    "perConnectionBufferLimitBytes",
    "socketOptions",
    "proxyProtocol",
    "connectionBalanceConfig",
    "tcpStats"
))]
pub struct ListenerOptions {
    /// Where each request, or each connection of TCP, is written down.
    #[read(default)]
    pub access_logging_service: AccessLoggingService,
}
