//! Cloud Functions and Cloud Run: a request goes on as it is, with an ID token of Google's, and so does its response.
//!
//! Nothing is held: bodies of any length pass as they come, both ways.
//! The facts are Google's: "Authenticating service-to-service" (Cloud Run: `Authorization`, or
//! `X-Serverless-Authorization`, which is looked at first and not handed on), "Authenticate for invocation" (Cloud Functions).

use std::borrow::Cow;
use std::time::Duration;

use tenon_contract::{GcpCall, GcpToken, Provider};
use zeroize::Zeroizing;

use super::error::Code;
use super::header;
use super::secret::Secret;
use super::snapshot::Written;
use super::tries::Try;
use super::upstream::Upstream;
use crate::host::{Headers, Host, Side, Step};
use crate::sign::from_rfc3339;

pub(super) const AUTHORIZATION: &str = "authorization";
pub(super) const SERVERLESS_AUTHORIZATION: &str = "x-serverless-authorization";
/// The headers that calls write, and that clients may not send in their place.
pub(super) const WRITTEN: &[&str] = &[AUTHORIZATION, SERVERLESS_AUTHORIZATION];

/// Whether the request's headers may hold a token of a call's.
pub(super) fn marks(host: &impl Headers) -> bool {
    let own = host.header(Side::Request, AUTHORIZATION);
    own.is_some_and(|value| value.starts_with(b"Bearer "))
        || host
            .header(Side::Request, SERVERLESS_AUTHORIZATION)
            .is_some()
}

/// A request to a function, as the filter makes it.
#[derive(Debug)]
pub(super) struct Call {
    /// As on the wire.
    path_prefix: Option<String>,
    keep_authorization: bool,
}

impl Call {
    /// Compiles it, or says why it cannot be.
    pub(super) fn compile(call: GcpCall) -> Result<Self, &'static str> {
        let fits = |prefix: &String| {
            let segments = prefix.strip_prefix('/').unwrap_or_default().split('/');
            let plain = |segment: &str| {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
            };
            segments.clone().all(plain)
        };
        if !call.path_prefix.as_ref().is_none_or(fits) {
            return Err("a call has a pathPrefix that is none, as /hello");
        }
        Ok(Self {
            path_prefix: call.path_prefix,
            keep_authorization: call.keep_authorization,
        })
    }

    /// The path that Google is asked for.
    fn path<'a>(&self, own: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(prefix) = &self.path_prefix else {
            return Cow::Borrowed(own);
        };
        // `/hello` is how a function is asked for `/`: its own URL has no slash at its end.
        let rest = match own {
            [b'/'] | [b'/', b'?', ..] => own.get(1..).unwrap_or_default(),
            own => own,
        };
        Cow::Owned([prefix.as_bytes(), rest].concat())
    }
}

/// An ID token, ready to be sent. Overwritten when dropped, never printed.
pub(super) struct Token {
    /// `Bearer …`
    value: Zeroizing<String>,
    expiration: Option<Duration>,
}

/// Why a token cannot be sent. Never holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// There is nothing to send.
    #[error("the ID token is empty")]
    Empty,
    /// It goes into a header, and cannot.
    #[error("the ID token has a character that a header cannot carry")]
    Character,
    /// The expiration is not RFC 3339.
    #[error("the expiration is not a time of RFC 3339")]
    Expiration,
}

impl Token {
    /// Whether it has ended.
    pub(super) fn expired(&self, now: Duration) -> bool {
        self.expiration.is_some_and(|end| end <= now)
    }
}

impl TryFrom<GcpToken> for Token {
    type Error = Error;

    fn try_from(given: GcpToken) -> Result<Self, Error> {
        let token = Zeroizing::new(given.id_token);
        if token.is_empty() {
            return Err(Error::Empty);
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Character);
        }
        let expiration = given.expiration.map(|text| from_rfc3339(&text));
        let expiration = match expiration {
            Some(None) => return Err(Error::Expiration),
            Some(end) => end,
            None => None,
        };
        Ok(Self {
            value: Zeroizing::new(["Bearer ", &token].concat()),
            expiration,
        })
    }
}

/// Makes the request the function's.
pub(super) fn send(one: &mut Try, upstream: &Upstream, host: &mut impl Host, call: &Call) -> Step {
    let (Some(client), Some(Secret::Gcp(token)), Provider::Gcp(gcp)) =
        (&one.client, one.secret.as_deref(), &upstream.provider)
    else {
        return one.refuse(host, Code::Internal, "internal error");
    };
    // The client's own `authorization` either goes on or is overwritten.
    client.clean(host, &[AUTHORIZATION]);
    let header = match call.keep_authorization {
        true => SERVERLESS_AUTHORIZATION,
        false => AUTHORIZATION,
    };
    host.set_header(Side::Request, header, token.value.as_bytes());
    if call.path_prefix.is_some() {
        host.set_header(Side::Request, ":path", &call.path(client.path()));
    }
    host.set_header(Side::Request, ":authority", gcp.host.as_bytes());
    Step::Continue
}

/// What a try writes.
pub(super) fn written(call: &Call) -> Written {
    Written {
        headers: match call.keep_authorization {
            true => &[SERVERLESS_AUTHORIZATION],
            false => &[AUTHORIZATION],
        },
        body: false,
        length: false,
    }
}

/// Lets the function's response go on, and makes a refusal of Google's an error.
pub(super) fn respond(one: &mut Try, upstream: &Upstream, host: &mut impl Host, end: bool) -> Step {
    match refusal(host) {
        Some(status) => one.refused(upstream, host, status, end),
        None => one.pass_on(host, Some(EXECUTION_ID.as_bytes())),
    }
}

const EXECUTION_ID: &str = "function-execution-id";
/// What Google's front end calls itself in all that passes it.
const FRONT_END: &[u8] = b"Google Frontend";

/// The status of an answer that Google's front end gave in the function's place: no such service, no permission, too
/// many requests, no instance. Its headers have the front end's name, as all have, but no trace of a request that reached
/// a function: neither `x-cloud-trace-context` nor an execution.
fn refusal(host: &impl Host) -> Option<u16> {
    let status = header::status(host)?;
    let has = |name| host.header(Side::Response, name).is_some();
    let of_google = || host.header(Side::Response, "server").as_deref() == Some(FRONT_END);
    let is_error = matches!(status, 401 | 403 | 404 | 429 | 500 | 502..=504);
    (is_error && of_google() && !has(EXECUTION_ID) && !has("x-cloud-trace-context"))
        .then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(prefix: &str) -> Result<Call, &'static str> {
        Call::compile(GcpCall {
            path_prefix: Some(prefix.into()),
            keep_authorization: false,
        })
    }

    #[test]
    fn a_function_gets_what_comes_after_its_name() {
        let call = call("/hello").unwrap();
        for (own, asked) in [
            ("/", "/hello"),
            ("/?a=1", "/hello?a=1"),
            ("/users/1?a=%2F", "/hello/users/1?a=%2F"),
            ("//", "/hello//"),
        ] {
            assert_eq!(call.path(own.as_bytes()), asked.as_bytes(), "{own}");
        }
    }

    #[test]
    fn a_service_gets_the_path_as_it_is() {
        let call = Call::compile(GcpCall::default()).unwrap();
        assert_eq!(&*call.path(b"/a/../b?c"), b"/a/../b?c");
    }

    #[test]
    fn prefixes_that_would_lead_elsewhere_are_refused() {
        for prefix in [
            "", "/", "hello", "/hello/", "/a?b", "/a b", "/..", "/a//b", "/a%2f",
        ] {
            assert!(call(prefix).is_err(), "{prefix:?}");
        }
        assert!(call("/hello-1").is_ok());
    }

    fn token(text: &str, expiration: Option<&str>) -> Result<Token, Error> {
        Token::try_from(GcpToken {
            id_token: text.into(),
            expiration: expiration.map(Into::into),
        })
    }

    #[test]
    fn tokens_end_at_their_expiration() {
        let ending = token("a.b.c", Some("2015-08-30T12:36:00Z")).unwrap();
        assert!(!ending.expired(Duration::from_millis(1_440_938_159_999)));
        assert!(ending.expired(Duration::from_secs(1_440_938_160)));
        assert!(!token("a.b.c", None).unwrap().expired(Duration::MAX));
    }

    #[test]
    fn tokens_that_cannot_be_sent_are_refused() {
        for (text, expiration, expected) in [
            ("", None, Error::Empty),
            ("a\r\nx: y", None, Error::Character),
            ("a b", None, Error::Character),
            ("a.b.c", Some("tomorrow"), Error::Expiration),
        ] {
            assert_eq!(token(text, expiration).err(), Some(expected), "{text:?}");
        }
    }
}
