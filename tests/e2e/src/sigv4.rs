//! Signature Version 4 from the verifier's side, by AWS's own crate: what Tenon signs is checked by code that Tenon did not
//! write.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aws_credential_types::Credentials as SigningIdentity;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningInstructions, SigningSettings,
    sign as aws_sign,
};
use aws_sigv4::sign::v4;
use http::request::Parts;
use http::{HeaderMap, Request};
use time::PrimitiveDateTime;
use time::macros::format_description;

/// How far a request's date may be from the verifier's clock, as AWS has it.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The token of a session, where it is of one.
    pub session_token: Option<String>,
}

impl AccessKey {
    /// A key of a user, not of a session.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
            session_token: None,
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").finish_non_exhaustive()
    }
}

/// Why a request is refused, as AWS says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `x-amzn-errortype`.
    pub error_type: &'static str,
    /// The message.
    pub message: String,
}

impl Refusal {
    fn new(error_type: &'static str, message: impl Into<String>) -> Self {
        Self {
            error_type,
            message: message.into(),
        }
    }

    fn incomplete(message: impl Into<String>) -> Self {
        Self::new("IncompleteSignatureException", message)
    }

    fn mismatch() -> Self {
        Self::new(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details.",
        )
    }
}

/// Signs a request as AWS's own clients do; it has to have a `host` header.
///
/// # Errors
/// It cannot be signed, as without `host`.
pub fn sign<B: AsRef<[u8]>>(
    request: &mut Request<B>,
    key: &AccessKey,
    region: &str,
    service: &str,
) -> Result<()> {
    let uri = absolute_uri(&request.uri().to_string(), request.headers())?;
    let scope = Scope {
        key,
        region,
        service,
        date: SystemTime::now(),
    };
    let signable = SignableRequest::new(
        request.method().as_str(),
        uri,
        text_headers(request.headers()),
        SignableBody::Bytes(request.body().as_ref()),
    )?;
    let (instructions, _) = scope.sign(signable, PayloadChecksumKind::NoHeader)?;
    instructions.apply_to_request_http1x(request);
    Ok(())
}

/// Checks the signature of a request as it was received.
///
/// # Errors
/// AWS would refuse it, and with these words.
pub fn verify(
    parts: &Parts,
    body: &[u8],
    keys: &[AccessKey],
    region: &str,
    service: &str,
    now: SystemTime,
) -> Result<(), Refusal> {
    let authorization = parts.headers.get("authorization").ok_or_else(|| {
        Refusal::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    })?;
    let claim = Claim::parse(authorization.to_str().unwrap_or_default())?;
    let key = find_key(&claim, &parts.headers, keys)?;
    let date = request_date(&parts.headers)?;
    claim.check_scope(&parts.headers, region, service)?;
    check_clock(date, now)?;
    check_signed_headers(&claim, &parts.headers)?;
    check_payload_hash(&parts.headers, body)?;
    let scope = Scope {
        key,
        region,
        service,
        date,
    };
    let expected = signature(parts, body, &claim, &scope)
        .map_err(|error| Refusal::incomplete(error.to_string()))?;
    if expected == claim.signature {
        Ok(())
    } else {
        Err(Refusal::mismatch())
    }
}

/// What `authorization` says.
struct Claim<'a> {
    key_id: &'a str,
    scope: &'a str,
    signed_headers: BTreeSet<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(authorization: &'a str) -> Result<Self, Refusal> {
        let fields = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or_else(|| Refusal::incomplete("unsupported algorithm"))?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| {
                    Refusal::incomplete(format!(
                        "Authorization header requires '{name}' parameter."
                    ))
                })
        };
        let (key_id, scope) = field("Credential")?
            .split_once('/')
            .ok_or_else(|| Refusal::incomplete("Credential without a scope"))?;
        Ok(Self {
            key_id,
            scope,
            signed_headers: field("SignedHeaders")?.split(';').collect(),
            signature: field("Signature")?,
        })
    }

    fn check_scope(&self, headers: &HeaderMap, region: &str, service: &str) -> Result<(), Refusal> {
        let day = text(headers, "x-amz-date")
            .split('T')
            .next()
            .unwrap_or_default();
        let expected = format!("{day}/{region}/{service}/aws4_request");
        if self.scope == expected {
            Ok(())
        } else {
            Err(Refusal::new(
                "InvalidSignatureException",
                format!(
                    "Credential should be scoped to {expected}, not {}",
                    self.scope
                ),
            ))
        }
    }
}

fn find_key<'k>(
    claim: &Claim<'_>,
    headers: &HeaderMap,
    keys: &'k [AccessKey],
) -> Result<&'k AccessKey, Refusal> {
    let token = headers
        .get("x-amz-security-token")
        .and_then(|token| token.to_str().ok());
    keys.iter()
        .find(|key| key.id == claim.key_id && key.session_token.as_deref() == token)
        .ok_or_else(|| {
            Refusal::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        })
}

fn request_date(headers: &HeaderMap) -> Result<SystemTime, Refusal> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(text(headers, "x-amz-date"), format)
        .map(|date| date.assume_utc().into())
        .map_err(|_| {
            Refusal::incomplete("Authorization header requires existence of a valid 'X-Amz-Date'.")
        })
}

fn check_clock(date: SystemTime, now: SystemTime) -> Result<(), Refusal> {
    let apart = now
        .duration_since(date)
        .unwrap_or_else(|error| error.duration());
    if apart <= CLOCK_TOLERANCE {
        Ok(())
    } else {
        Err(Refusal::new(
            "InvalidSignatureException",
            format!("Signature expired: {} s from now", apart.as_secs()),
        ))
    }
}

/// AWS wants `host` and every `x-amz-*` header signed.
fn check_signed_headers(claim: &Claim<'_>, headers: &HeaderMap) -> Result<(), Refusal> {
    let unsigned = headers
        .keys()
        .map(|name| name.as_str())
        .filter(|name| name.starts_with("x-amz-"))
        .chain(["host"])
        .find(|name| !claim.signed_headers.contains(name));
    match unsigned {
        None => Ok(()),
        Some(name) => Err(Refusal::new(
            "InvalidSignatureException",
            format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."),
        )),
    }
}

fn check_payload_hash(headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    match headers.get("x-amz-content-sha256") {
        None => Ok(()),
        Some(hash) if hash.as_bytes() == payload_hash(body).as_bytes() => Ok(()),
        Some(_) => Err(Refusal::mismatch()),
    }
}

fn payload_hash(body: &[u8]) -> String {
    // The signer is the one that hashes here: it says the hash in a header.
    let request = SignableRequest::new(
        "POST",
        "http://host/",
        std::iter::empty(),
        SignableBody::Bytes(body),
    );
    let signed = request.map_err(anyhow::Error::from).and_then(|request| {
        Scope {
            key: &AccessKey::new("id", "secret"),
            region: "region",
            service: "service",
            date: SystemTime::now(),
        }
        .sign(request, PayloadChecksumKind::XAmzSha256)
    });
    signed
        .ok()
        .and_then(|(instructions, _)| {
            instructions
                .headers()
                .find(|(name, _)| *name == "x-amz-content-sha256")
                .map(|(_, hash)| hash.to_owned())
        })
        .unwrap_or_default()
}

/// The signature that the request should have, over the headers that it says are signed.
fn signature(parts: &Parts, body: &[u8], claim: &Claim<'_>, scope: &Scope<'_>) -> Result<String> {
    // A header that is said to be signed but is not there changes nothing in the canonical request; AWS refuses it.
    for name in &claim.signed_headers {
        anyhow::ensure!(parts.headers.contains_key(*name), "no header {name}");
    }
    let headers = text_headers(&parts.headers).filter(|(name, _)| {
        // The signer puts these two in itself, of the same values: both were checked.
        claim.signed_headers.contains(name)
            && !matches!(*name, "x-amz-date" | "x-amz-security-token")
    });
    let request = SignableRequest::new(
        parts.method.as_str(),
        absolute_uri(&parts.uri.to_string(), &parts.headers)?,
        headers,
        SignableBody::Bytes(body),
    )?;
    let (_, signature) = scope.sign(request, PayloadChecksumKind::NoHeader)?;
    Ok(signature)
}

/// What a signature is for.
struct Scope<'a> {
    key: &'a AccessKey,
    region: &'a str,
    service: &'a str,
    date: SystemTime,
}

impl Scope<'_> {
    fn sign(
        &self,
        request: SignableRequest<'_>,
        payload_hash: PayloadChecksumKind,
    ) -> Result<(SigningInstructions, String)> {
        let mut settings = SigningSettings::default();
        // What is signed is chosen by whoever calls.
        settings.excluded_headers = Some(vec![Cow::Borrowed("authorization")]);
        settings.payload_checksum_kind = payload_hash;
        let identity = SigningIdentity::new(
            &self.key.id,
            &self.key.secret,
            self.key.session_token.clone(),
            None,
            "harness",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.date)
            .settings(settings)
            .build()?
            .into();
        Ok(aws_sign(request, &params)?.into_parts())
    }
}

fn absolute_uri(uri: &str, headers: &HeaderMap) -> Result<String> {
    if uri.starts_with("http") {
        return Ok(uri.to_owned());
    }
    let host = headers.get("host").context("no host header")?.to_str()?;
    Ok(format!("http://{host}{uri}"))
}

fn text_headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .iter()
        // AWS's crate hashes the bytes of a text, ASCII or not, and signs nothing that is no text.
        .filter_map(|(name, value)| {
            Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?))
        })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(body: &'static str) -> (Parts, &'static [u8]) {
        let mut request = Request::post("/2015-03-31/functions/a%20b/invocations?Qualifier=1")
            .header("host", "localhost:4566")
            .header("content-type", "application/json")
            .header("x-amz-invocation-type", "RequestResponse")
            .body(body)
            .unwrap();
        sign(&mut request, &key(), "us-east-1", "lambda").unwrap();
        let (parts, body) = request.into_parts();
        (parts, body.as_bytes())
    }

    fn key() -> AccessKey {
        AccessKey {
            session_token: Some("token".into()),
            ..AccessKey::new("AKIDEXAMPLE", "secret")
        }
    }

    fn refusal(parts: &Parts, body: &[u8], keys: &[AccessKey], now: SystemTime) -> &'static str {
        verify(parts, body, keys, "us-east-1", "lambda", now)
            .err()
            .map_or("accepted", |refusal| refusal.error_type)
    }

    #[test]
    fn accepts_what_aws_signs() {
        let (parts, body) = signed("{}");
        assert_eq!(
            verify(
                &parts,
                body,
                &[key()],
                "us-east-1",
                "lambda",
                SystemTime::now()
            ),
            Ok(())
        );
    }

    #[test]
    fn refuses_what_was_changed_after_signing() {
        let now = SystemTime::now();
        let (parts, body) = signed("{}");
        let changed = |change: fn(&mut Parts)| {
            let mut parts = parts.clone();
            change(&mut parts);
            refusal(&parts, body, &[key()], now)
        };
        assert_eq!(
            refusal(&parts, b"{ }", &[key()], now),
            "InvalidSignatureException"
        );
        assert_eq!(
            changed(|parts| parts.uri = "/2015-03-31/functions/other/invocations".parse().unwrap()),
            "InvalidSignatureException"
        );
        assert_eq!(
            changed(|parts| drop(
                parts
                    .headers
                    .insert("content-type", "text/plain".parse().unwrap())
            )),
            "InvalidSignatureException"
        );
        assert_eq!(
            changed(|parts| drop(
                parts
                    .headers
                    .insert("x-amz-log-type", "None".parse().unwrap())
            )),
            "InvalidSignatureException"
        );
        assert_eq!(
            changed(|parts| drop(
                parts
                    .headers
                    .insert("x-amz-security-token", "other".parse().unwrap())
            )),
            "UnrecognizedClientException"
        );
        assert_eq!(
            changed(|parts| drop(parts.headers.remove("authorization"))),
            "MissingAuthenticationTokenException"
        );
    }

    #[test]
    fn refuses_other_keys_scopes_and_times() {
        let now = SystemTime::now();
        let (parts, body) = signed("{}");
        let wrong_secret = AccessKey {
            secret: "other".into(),
            ..key()
        };
        assert_eq!(
            refusal(&parts, body, &[wrong_secret], now),
            "InvalidSignatureException"
        );
        assert_eq!(
            refusal(&parts, body, &[], now),
            "UnrecognizedClientException"
        );
        let late = now + CLOCK_TOLERANCE + Duration::from_secs(2);
        assert_eq!(
            refusal(&parts, body, &[key()], late),
            "InvalidSignatureException"
        );
        let elsewhere = verify(&parts, body, &[key()], "eu-west-1", "lambda", now).unwrap_err();
        assert!(elsewhere.message.contains("eu-west-1"), "{elsewhere:?}");
    }

    #[test]
    fn checks_the_payload_hash_where_there_is_one() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-content-sha256", empty.parse().unwrap());
        assert_eq!(check_payload_hash(&headers, b""), Ok(()));
        assert_eq!(
            check_payload_hash(&headers, b"{}"),
            Err(Refusal::mismatch())
        );
    }
}
