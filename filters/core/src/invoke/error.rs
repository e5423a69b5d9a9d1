//! The errors that clients see.

use crate::host::Reply;

/// The code of an error: stable, for clients, metrics, access logs and response code details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A function cluster without a call.
    NoFunction,
    /// The upstream has no function for the request's method and path.
    NoMatch,
    /// The secret is missing, expired or a tombstone.
    NoCredentials,
    /// The request is larger than the provider takes.
    RequestTooLarge,
    /// The response is larger than the provider may send.
    ResponseTooLarge,
    /// The function's answer is not of the shape that was asked for.
    BadFunctionResponse,
    /// The function failed.
    FunctionError,
    /// The provider throttled the call.
    Throttled,
    /// The provider refused or failed the call.
    ProviderError,
    /// The client's request cannot be made into a call.
    BadRequest,
    /// A state that cannot be.
    Internal,
}

impl Code {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        // The details are the name behind a prefix.
        self.details().strip_prefix("tenon_").unwrap_or_default()
    }

    /// Its response code details.
    pub fn details(self) -> &'static str {
        match self {
            Self::NoFunction => "tenon_no_function",
            Self::NoMatch => "tenon_no_match",
            Self::NoCredentials => "tenon_no_credentials",
            Self::RequestTooLarge => "tenon_request_too_large",
            Self::ResponseTooLarge => "tenon_response_too_large",
            Self::BadFunctionResponse => "tenon_bad_function_response",
            Self::FunctionError => "tenon_function_error",
            Self::Throttled => "tenon_throttled",
            Self::ProviderError => "tenon_provider_error",
            Self::BadRequest => "tenon_bad_request",
            Self::Internal => "tenon_internal",
        }
    }

    /// Its HTTP status, where nothing else sets one.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NoMatch => 404,
            Self::RequestTooLarge => 413,
            Self::Throttled => 429,
            Self::NoFunction | Self::Internal => 500,
            Self::ResponseTooLarge | Self::BadFunctionResponse | Self::ProviderError => 502,
            Self::NoCredentials => 503,
            Self::FunctionError => 504,
        }
    }

    /// Its gRPC status (google.rpc.Code), for an answer with the HTTP status `status`.
    pub fn grpc_status(self, status: u16) -> u8 {
        match self {
            Self::NoFunction | Self::BadFunctionResponse | Self::FunctionError | Self::Internal => {
                INTERNAL
            }
            Self::NoCredentials => UNAVAILABLE,
            Self::RequestTooLarge | Self::ResponseTooLarge | Self::Throttled => RESOURCE_EXHAUSTED,
            Self::BadRequest => INVALID_ARGUMENT,
            Self::NoMatch => UNIMPLEMENTED,
            Self::ProviderError => grpc_status_of_http(status),
        }
    }

    /// The JSON body.
    pub fn body(self, message: &str) -> Vec<u8> {
        serde_json::json!({"error": {"code": self.name(), "message": message}})
            .to_string()
            .into_bytes()
    }

    /// The whole answer, with the code's own status.
    pub fn reply(self, message: &str, grpc_client: bool) -> Reply {
        self.reply_with_status(self.status(), message, grpc_client)
    }

    /// The whole answer.
    pub fn reply_with_status(self, status: u16, message: &str, grpc_client: bool) -> Reply {
        if grpc_client {
            return Reply {
                status: 200,
                headers: self.grpc_headers(status, message).into(),
                body: Vec::new(),
                details: self.details(),
                trailers_only: true,
            };
        }
        Reply {
            status,
            headers: vec![
                ("content-type", "application/json".into()),
                (tenon_contract::ERROR_HEADER, self.name().into()),
            ],
            body: self.body(message),
            details: self.details(),
            trailers_only: false,
        }
    }

    fn grpc_headers(self, status: u16, message: &str) -> [(&'static str, String); 4] {
        [
            ("content-type", "application/grpc".into()),
            ("grpc-status", self.grpc_status(status).to_string()),
            ("grpc-message", grpc_message(message)),
            (tenon_contract::ERROR_HEADER, self.name().into()),
        ]
    }
}

const UNKNOWN: u8 = 2;
const INVALID_ARGUMENT: u8 = 3;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// As the gRPC specification maps HTTP statuses ("HTTP to gRPC Status Code Mapping").
fn grpc_status_of_http(status: u16) -> u8 {
    match status {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502..=504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// Percent-encodes as the gRPC specification asks of `Status-Message`.
fn grpc_message(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (0x20..=0x7e).contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                out.extend(
                    char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()),
                );
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Code; 11] = [
        Code::NoFunction,
        Code::NoMatch,
        Code::NoCredentials,
        Code::RequestTooLarge,
        Code::ResponseTooLarge,
        Code::BadFunctionResponse,
        Code::FunctionError,
        Code::Throttled,
        Code::ProviderError,
        Code::BadRequest,
        Code::Internal,
    ];

    #[test]
    fn no_error_looks_like_a_success_to_a_grpc_client() {
        for code in ALL {
            let reply = code.reply("x", true);
            let status = reply
                .headers
                .iter()
                .find(|(name, _)| *name == "grpc-status")
                .unwrap();
            assert_ne!(status.1, "0", "{code:?}");
            assert!(reply.trailers_only && reply.body.is_empty());
        }
    }

    #[test]
    fn every_error_has_a_name_in_body_header_and_details() {
        for code in ALL {
            let reply = code.reply("what \"happened\"", false);
            let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(body["error"]["code"], code.name());
            assert_eq!(body["error"]["message"], "what \"happened\"");
            assert!(
                reply
                    .headers
                    .contains(&("x-tenon-error", code.name().to_owned()))
            );
            assert_eq!(reply.details, format!("tenon_{}", code.name()));
            assert!(!code.name().is_empty());
        }
    }

    #[test]
    fn grpc_messages_are_percent_encoded() {
        assert_eq!(grpc_message("50% of\n\u{fc}"), "50%25 of%0A%C3%BC");
    }
}
