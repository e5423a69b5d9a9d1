//! The filter's own answers.
//!
//! The host call is declared here because the SDK's functions for it have no argument for response code details.

#![expect(
    unsafe_code,
    reason = "a host call, which the SDK does not offer in full"
)]

use tenon_core::host::Reply;

/// Answers the client.
pub(crate) fn send(reply: &Reply) {
    let mut headers = Vec::with_capacity(reply.headers.len());
    let mut grpc_status = NO_GRPC_STATUS;
    let mut body = reply.body.clone();
    for (name, value) in &reply.headers {
        match *name {
            // Envoy writes status and message of a gRPC answer itself, the latter from the body; as headers they would
            // come on top of its own.
            "content-type" if reply.trailers_only => {}
            "grpc-status" if reply.trailers_only => {
                grpc_status = value.parse().unwrap_or(UNKNOWN_GRPC_STATUS);
            }
            "grpc-message" if reply.trailers_only => body = percent_decoded(value),
            name => headers.push((name, value.as_str())),
        }
    }
    let headers = serialize(&headers);
    // SAFETY: Envoy reads `details`, `body` and `headers`, each a live slice with its own length, and keeps none of them.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(reply.status),
            reply.details.as_ptr(),
            reply.details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    };
    if status != 0 {
        let message = format!("Envoy refuses to answer {}: {status}", reply.details);
        crate::host::log(tenon_core::host::Level::Error, &message);
    }
}

const NO_GRPC_STATUS: i32 = -1;
const UNKNOWN_GRPC_STATUS: i32 = 2;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_send_local_response(
        status_code: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

/// A header map as proxy-wasm passes it: the number of pairs, their sizes, then names and values, each ended by a NUL.
fn serialize(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = |length: usize| u32::try_from(length).unwrap_or(0).to_le_bytes();
    bytes.extend(size(headers.len()));
    for (name, value) in headers {
        bytes.extend(size(name.len()));
        bytes.extend(size(value.len()));
    }
    for part in headers.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(part.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Envoy encodes the message again.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let encoded = (*first == b'%')
            .then(|| after.split_at_checked(2))
            .flatten()
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 16).ok()?, after))
            });
        let (byte, after) = encoded.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}
