//! The downstream filter that keeps signatures out of what comes after a call.

use super::snapshot::{Snapshot, Written};
use crate::host::{Headers, Side, Slot, Stream};

/// What a host makes of a gRPC request's type before it answers it itself, lest Envoy answers `grpc-status: 0`.
const HIDDEN_GRPC: &[u8] = b"application/x-grpc";

/// Puts the client's request back where no try could: a try that times out, loses a hedge or is given up by the client
/// sees no response, and the shared request headers still hold its signature when the access log is written.
///
/// Its hooks are those of a **downstream** filter; it may run any number of times.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guard;

impl Guard {
    /// The hook for the request's headers, where credentials come in a header: nobody but the injector may send it.
    pub fn arrive(self, host: &mut impl Headers) {
        host.remove_header(Side::Request, tenon_contract::SECRET_HEADER);
    }

    /// The hook for the response's headers (also those of Envoy's own answers) and for the end of the stream.
    pub fn restore(self, host: &mut (impl Headers + Stream)) {
        // Only what a try wrote is taken back; looking costs less than restoring twice.
        let signed = host.header(Side::Request, "x-amz-date").is_some();
        if !signed && host.header(Side::Request, "content-type").as_deref() != Some(HIDDEN_GRPC) {
            return;
        }
        let remembered = host
            .remembered(Slot::Request)
            .map(|bytes| bytes.into_owned());
        if let Some(snapshot) = remembered.and_then(Snapshot::read) {
            snapshot.restore(host, Written::ALL);
        }
    }
}
