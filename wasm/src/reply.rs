//! The filter's own answers.

use proxy_wasm::hostcalls::{send_grpc_response, send_http_response};
use proxy_wasm::types::GrpcStatusCode;
use tenon_core::host::Reply;

/// Answers the client. The SDK has no argument for response code details: the error's code is in the response header
/// and in filter state.
pub(crate) fn send(reply: &Reply) {
    // Both fail by a trap only.
    let _ = if reply.trailers_only {
        // Envoy writes status and message of a gRPC answer itself; as headers they would come on top of its own.
        let status = grpc_status(header(reply, "grpc-status"));
        let message = header(reply, "grpc-message").map(percent_decoded);
        let metadata = reply
            .headers
            .iter()
            .filter(|(name, _)| !["content-type", "grpc-status", "grpc-message"].contains(name))
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        send_grpc_response(status, message.as_deref(), metadata)
    } else {
        let headers = reply.headers.iter();
        let headers = headers.map(|(name, value)| (*name, value.as_str()));
        send_http_response(
            u32::from(reply.status),
            headers.collect(),
            Some(&reply.body),
        )
    };
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers
        .iter()
        .find(|(given, _)| *given == name)
        .map(|(_, value)| value.as_str())
}

/// An unknown one is an error too.
fn grpc_status(status: Option<&str>) -> GrpcStatusCode {
    match status {
        Some("1") => GrpcStatusCode::Cancelled,
        Some("3") => GrpcStatusCode::InvalidArgument,
        Some("4") => GrpcStatusCode::DeadlineExceeded,
        Some("5") => GrpcStatusCode::NotFound,
        Some("7") => GrpcStatusCode::PermissionDenied,
        Some("8") => GrpcStatusCode::ResourceExhausted,
        Some("12") => GrpcStatusCode::Unimplemented,
        Some("13") => GrpcStatusCode::Internal,
        Some("14") => GrpcStatusCode::Unavailable,
        Some("16") => GrpcStatusCode::Unauthenticated,
        _ => GrpcStatusCode::Unknown,
    }
}

/// Envoy encodes the message again.
fn percent_decoded(text: &str) -> String {
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
    String::from_utf8_lossy(&bytes).into_owned()
}
