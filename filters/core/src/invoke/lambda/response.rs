//! What Lambda says of a call beside the function's own answer.

use std::time::Duration;

use super::super::error::Code;
use super::super::header;
use crate::host::{Headers, Side};
use crate::sign::from_http;

/// The type of a service's error (AWS Lambda API reference, Invoke).
const ERROR_TYPE: &str = "x-amzn-errortype";
/// The tail of the function's log, in base64: never the client's.
pub(crate) const LOG_RESULT: &str = "x-amz-log-result";

/// What the headers of Lambda's response say (AWS Lambda API reference, Invoke).
#[derive(Default)]
pub(crate) struct ProviderResponse {
    pub(crate) status: u16,
    /// As it announces it, in bytes.
    pub(crate) length: Option<u64>,
    pub(crate) function_error: Option<Vec<u8>>,
    pub(crate) executed_version: Option<Vec<u8>>,
    pub(crate) request_id: Option<Vec<u8>>,
    pub(crate) log_result: Option<Vec<u8>>,
    /// Without what follows the name.
    error_type: Option<String>,
    pub(crate) date: Option<Duration>,
    pub(crate) ours: Vec<String>,
}

impl ProviderResponse {
    /// Reads them. Headers of Tenon's own, which are not Lambda's to send, are listed in `ours`.
    pub(crate) fn read(host: &impl Headers) -> Self {
        let mut response = Self::default();
        host.each_header(Side::Response, &mut |name, value| match name {
            b":status" => {
                response.status = header::number(value)
                    .and_then(|status| u16::try_from(status).ok())
                    .unwrap_or(0)
            }
            b"content-length" => response.length = header::number(value),
            b"x-amz-function-error" => response.function_error = Some(value.to_owned()),
            b"x-amz-executed-version" => response.executed_version = Some(value.to_owned()),
            b"x-amzn-requestid" => response.request_id = Some(value.to_owned()),
            b"x-amz-log-result" => response.log_result = Some(value.to_owned()),
            b"x-amzn-errortype" => response.error_type = error_type(value),
            // Where the provider may have refused a signature for its time; `:status` comes first.
            b"date" if response.status == 403 => {
                response.date = std::str::from_utf8(value).ok().and_then(from_http);
            }
            _ if header::is_ours(name) => response
                .ours
                .extend(std::str::from_utf8(name).map(str::to_owned)),
            _ => {}
        });
        response
    }

    /// `None`: the function answered.
    pub(crate) fn verdict(&self) -> Option<Code> {
        match self.status {
            200..=299 if self.function_error.is_some() => Some(Code::FunctionError),
            200..=299 => None,
            429 => Some(Code::Throttled),
            _ => Some(Code::ProviderError),
        }
    }

    /// Whether it is AWS's refusal of a request to a function URL, where all other answers are the function's: AWS names
    /// the type of its errors.
    pub(crate) fn refusal(&self) -> Option<Code> {
        self.error_type.as_ref()?;
        match self.status {
            429 => Some(Code::Throttled),
            400..=599 => Some(Code::ProviderError),
            _ => None,
        }
    }

    /// The status of a provider's error: its own, unless that is none.
    pub(crate) fn error_status(&self) -> u16 {
        if (400..=599).contains(&self.status) {
            self.status
        } else {
            Code::ProviderError.status()
        }
    }

    /// Whether the call may have been refused for the time of its signature: what AWS's own clients take for it.
    pub(crate) fn is_about_time(&self) -> bool {
        matches!(
            self.error_type.as_deref(),
            Some(
                "InvalidSignatureException"
                    | "SignatureDoesNotMatch"
                    | "RequestExpired"
                    | "RequestInTheFuture"
                    | "RequestTimeTooSkewed"
            )
        )
    }

    /// Shows the type of an error without what follows it, which may name a host of AWS's own.
    pub(crate) fn put_error_type(&self, host: &mut impl Headers) {
        match &self.error_type {
            Some(error_type) => host.set_header(Side::Response, ERROR_TYPE, error_type.as_bytes()),
            None => host.remove_header(Side::Response, ERROR_TYPE),
        }
    }

    /// Says what the provider said without its own text, which names accounts, roles and keys.
    pub(crate) fn message(&self) -> String {
        match &self.error_type {
            Some(error_type) => format!("the provider answered {} {error_type}", self.status),
            None => format!("the provider answered {}", self.status),
        }
    }
}

/// `AccessDeniedException:http://…` is shown as `AccessDeniedException`.
fn error_type(value: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(value).ok()?.split(':').next()?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .then(|| name.to_owned())
}
