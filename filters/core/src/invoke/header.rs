//! Which headers are whose.

use tenon_contract::{HEADER_PREFIX, ORIGINAL_METHOD, ORIGINAL_PATH};

use super::{azure, gcp, lambda};
use crate::host::{Headers, Side};

/// Where Envoy leaves the URL of a request that it redirects by itself.
pub(super) const ORIGINAL_URL: &str = "x-envoy-original-url";

/// Which of the shared request headers a call reads and takes.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    /// It shows all of them to the function.
    pub(super) all: bool,
    /// Whose credentials it carries.
    pub(super) scheme: Scheme,
    /// What it writes besides what credentials are in.
    pub(super) writes: &'a [String],
}

/// Whose credentials a call carries, and so which headers are not the client's to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Signatures of AWS.
    Aws,
    /// Tokens of Google.
    Google,
    /// Keys of Azure.
    Azure,
    /// Nobody's: all headers are the client's to send.
    None,
    /// Nobody's; what is written, the templates of a REST function say.
    Rest,
}

impl Scheme {
    const ALL: [Self; 5] = [Self::Aws, Self::Google, Self::Azure, Self::None, Self::Rest];

    /// Its number in a request's memory.
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// The one of a number.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.number() == number)
    }

    /// Which headers the client may not send to the provider.
    pub(super) fn reserves(self, name: &[u8]) -> bool {
        match self {
            Self::Aws => is_reserved_by_aws(name),
            Self::Azure => azure::reserves(name),
            Self::None | Self::Rest => false,
            Self::Google => gcp::WRITTEN.iter().any(|own| own.as_bytes() == name),
        }
    }

    /// Whether the request's headers may be those of a call, because they have what each call has.
    pub(super) fn marks(self, host: &impl Headers) -> bool {
        match self {
            Self::Aws => host.header(Side::Request, "x-amz-date").is_some(),
            Self::Google => gcp::marks(host),
            Self::Azure => azure::marks(host),
            Self::None => false,
            // Only its snapshot knows what it wrote. What Envoy redirects is not the call's any more.
            Self::Rest => host.header(Side::Request, ORIGINAL_URL).is_none(),
        }
    }

    /// The headers that a call may write, all of them reserved.
    pub(super) fn writes(self) -> &'static [&'static str] {
        match self {
            Self::Aws => lambda::exchange::WRITTEN,
            Self::Google => gcp::WRITTEN,
            Self::Azure => azure::WRITTEN,
            Self::None | Self::Rest => &[],
        }
    }
}

/// Whether a client's header must not reach AWS: it would be taken for the gateway's own credentials or for
/// AWS's own words (AWS answers 403 to reserved `x-amzn-*`, envoyproxy/envoy issue 45609). `x-amzn-trace-id` is an
/// input of the Invoke API (X-Ray) and goes through, unsigned. Where the client's path and method are told, it is not
/// the client who tells.
fn is_reserved_by_aws(name: &[u8]) -> bool {
    name == b"authorization"
        || name == ORIGINAL_PATH.as_bytes()
        || name == ORIGINAL_METHOD.as_bytes()
        || name.starts_with(b"x-amz-")
        || (name.starts_with(b"x-amzn-") && name != b"x-amzn-trace-id")
}

/// The response's status.
pub(super) fn status(host: &impl Headers) -> Option<u16> {
    let status = host.header(Side::Response, ":status")?;
    u16::try_from(number(&status)?).ok()
}

/// Whether it is one of Tenon's own.
pub(super) fn is_ours(name: &[u8]) -> bool {
    name.starts_with(HEADER_PREFIX.as_bytes())
}

/// Whether it is about the hop (RFC 9110, 7.6.1) or Envoy's own, and so no part of a function's event.
pub(super) fn is_hidden_from_events(name: &[u8]) -> bool {
    is_ours(name)
        || name.starts_with(b"x-envoy-")
        || matches!(
            name,
            b"connection"
                | b"keep-alive"
                | b"proxy-connection"
                | b"proxy-authenticate"
                | b"proxy-authorization"
                | b"te"
                | b"trailer"
                | b"transfer-encoding"
                | b"upgrade"
        )
}

/// Whether a function may set this response header: a valid name (RFC 9110, 5.6.2) that is not the gateway's to set.
/// Envoy obeys some of its own headers where an upstream sends them: `x-envoy-immediate-health-check-fail` would take
/// the endpoint away from all other functions.
pub(super) fn may_be_set_by_function(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(is_token)
        && !is_ours(name.as_bytes())
        && !name.starts_with("x-envoy-")
        && !matches!(
            name,
            "content-length"
                | "connection"
                | "keep-alive"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        )
}

/// Whether a header may have this value: no control characters (RFC 9110, 5.5), hence no way to split a response.
pub(crate) fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f))
}

pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A header's value as a number.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Whether the client speaks gRPC, by its request's content type.
pub(crate) fn is_grpc(content_type: Option<&[u8]>) -> bool {
    content_type
        .and_then(|value| value.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_headers_are_those_of_aws_and_the_credentials() {
        for name in [
            "authorization",
            "x-amz-date",
            "x-amz-client-context",
            "x-amzn-vpc-id",
            "x-amz-log-type",
        ] {
            assert!(is_reserved_by_aws(name.as_bytes()), "{name}");
        }
        for name in [
            "cookie",
            "x-amzn-trace-id",
            "x-authorization",
            "content-type",
        ] {
            assert!(!is_reserved_by_aws(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_a_call_writes_is_reserved() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::from_number(scheme.number()), Some(scheme));
            for name in scheme.writes() {
                assert!(scheme.reserves(name.as_bytes()), "{scheme:?} {name}");
            }
        }
        assert!(!Scheme::Google.reserves(b"x-amz-date"));
    }

    #[test]
    fn functions_cannot_split_responses_or_set_framing() {
        for name in [
            "",
            "bad name",
            "a\r\nb",
            ":status",
            "x\0",
            "content-length",
            "transfer-encoding",
            "trailer",
            "x-tenon-error",
            "x-envoy-immediate-health-check-fail",
        ] {
            assert!(!may_be_set_by_function(name), "{name:?}");
        }
        assert!(may_be_set_by_function("set-cookie"));
        for value in ["a\r\nset-cookie: b", "a\0", "a\nb", "\u{7f}"] {
            assert!(!is_value(value.as_bytes()), "{value:?}");
        }
        assert!(is_value("tab\tand \u{fc}".as_bytes()));
    }

    #[test]
    fn grpc_is_told_from_grpc_web() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(Some(value.as_bytes())), expected, "{value}");
        }
        assert!(!is_grpc(None));
    }
}
