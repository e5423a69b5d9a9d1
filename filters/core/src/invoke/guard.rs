//! The downstream filter that keeps signatures out of what comes after a call.

use std::borrow::Cow;

use tenon_contract::{CALLED_HEADER, SECRET_HEADER};

use super::header::ORIGINAL_URL;
use super::snapshot::Snapshot;
use super::tries::annotate;
use crate::host::{Headers, Host, Side, Slot};

/// Puts the client's request back where no try could: a try that times out, loses a hedge or is given up by the client
/// sees no response, and the shared request headers still hold its signature when the access log is written.
///
/// Its hooks are those of a **downstream** filter; it may run any number of times.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guard;

impl Guard {
    /// The hook for the request's headers, where credentials come in a header: nobody but the injector may send it.
    pub fn arrive(self, host: &mut impl Headers) {
        host.remove_header(Side::Request, SECRET_HEADER);
    }

    /// The end of a call that saw no response, from the filter that made it. Among a listener's filters that may be because
    /// Envoy makes another request of it, for the redirect that the function answered: to that one, the call is only
    /// marked.
    pub fn leave(self, host: &mut impl Host) {
        let is_redirected = host.header(Side::Request, ORIGINAL_URL).is_some()
            && host.header(Side::Request, CALLED_HEADER).is_some();
        if !is_redirected {
            return self.restore(host);
        }
        // It names what was called, with the key where that is in the query.
        host.remove_header(Side::Request, ORIGINAL_URL);
        let remembered = host.remembered(Slot::Request).map(Cow::into_owned);
        let snapshot = remembered.and_then(Snapshot::read);
        for name in snapshot.iter().flat_map(Snapshot::writes) {
            host.remove_header(Side::Request, name);
        }
    }

    /// The hook for the response's headers (also those of Envoy's own answers) and for the end of the stream.
    pub fn restore(self, host: &mut impl Host) {
        unmask_grpc(host);
        // Only what a try wrote is taken back: after a redirect, what else differs from the client's is the redirect's.
        let Some(remembered) = host.remembered(Slot::Request) else {
            return;
        };
        // Looking for a mark costs less than reading what the client sent.
        if !Snapshot::scheme_of(&remembered).is_some_and(|scheme| scheme.marks(host)) {
            return;
        }
        let snapshot = Snapshot::read(remembered.into_owned());
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.is_overwritten(host)) {
            host.remove_header(Side::Request, CALLED_HEADER);
            snapshot.restore_all(host);
            // Nor could such a try tell whose it was.
            annotate(host, snapshot.origin().story().into_iter());
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
