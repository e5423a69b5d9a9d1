//! The downstream filter that keeps signatures out of what comes after a call.

use super::snapshot::Snapshot;
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
    /// The hook for the response's headers (also those of Envoy's own answers) and for the end of the stream.
    pub fn restore(self, host: &mut (impl Headers + Stream)) {
        host.remove_header(Side::Request, tenon_contract::SECRET_HEADER);
        unmask_grpc(host);
        // Only what a try wrote is taken back; looking costs less than restoring twice.
        let signed = host.header(Side::Request, "x-amz-date").is_some();
        if !signed && host.header(Side::Request, "content-type").as_deref() != Some(HIDDEN_GRPC) {
            return;
        }
        let remembered = host
            .remembered(Slot::Request)
            .map(|bytes| bytes.into_owned());
        if let Some(snapshot) = remembered.and_then(Snapshot::read) {
            snapshot.restore(host, true);
        }
    }
}

/// A host may have to mask a gRPC client's request to answer it, as the dynamic module does: Envoy would turn the answer
/// into a success.
fn unmask_grpc(host: &mut impl Headers) {
    let masked = host
        .header(Side::Request, "content-type")
        .and_then(|value| {
            let kind = value.strip_prefix(b"application/x-grpc")?;
            Some([b"application/grpc", kind].concat())
        });
    if let Some(content_type) = masked {
        host.set_header(Side::Request, "content-type", &content_type);
    }
}
