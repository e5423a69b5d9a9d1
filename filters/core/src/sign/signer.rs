//! Signs requests with one set of credentials for one region and service.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use hmac::digest::{Digest, Key, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::canonical::{self, Header, Request, SECURITY_TOKEN, Settings};
use super::payload::hex;
use super::{Credentials, HexDigest, date};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";

/// What a signed request gets besides `x-amz-security-token` ([`Credentials::session_token`]) and, if the settings say
/// so, `x-amz-content-sha256`.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The value of `authorization`.
    pub authorization: &'a [u8],
    /// The value of `x-amz-date`.
    pub date: [u8; 16],
}

/// Signs requests with one set of credentials for one region and service. Made once, shared by all workers.
///
/// The signing key, which holds for a day (UTC), is kept until the first request of another day.
pub struct Signer {
    credentials: Credentials,
    region: String,
    service: String,
    settings: Settings,
    key: ArcSwap<DayKey>,
}

/// What is the same for all requests of a day.
struct DayKey {
    day: u64,
    /// The keyed state. Its hash states are overwritten when dropped (`zeroize` of `sha2`).
    mac: Hmac<Sha256>,
    /// `<date>/<region>/<service>/aws4_request`.
    scope: Vec<u8>,
    /// The value of `authorization` up to the signed headers.
    authorization: Vec<u8>,
}

impl Signer {
    /// A signer with the settings of most services, Lambda among them.
    pub fn new(
        credentials: Credentials,
        region: impl Into<String>,
        service: impl Into<String>,
    ) -> Self {
        let (region, service) = (region.into(), service.into());
        // The key of some day, so that there always is one. The first request replaces it.
        let key = DayKey::derive(&credentials, &region, &service, 0);
        Self {
            credentials,
            region,
            service,
            settings: Settings::default(),
            key: ArcSwap::from_pointee(key),
        }
    }

    /// The same signer with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The credentials that it signs with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Signs `request`. `buffer` is for its own use; one that is used again spares the allocation.
    pub fn sign<'b>(
        &self,
        request: &Request<'_>,
        now: Duration,
        buffer: &'b mut Vec<u8>,
    ) -> Signed<'b> {
        let key = self.key(now);
        let date = date::basic(now);
        buffer.clear();
        let signed_headers = self.write_canonical(buffer, request, &date);
        let canonical_hash = hex(&Sha256::digest(buffer.as_slice()).into());
        let start = buffer.len();
        key.write_string_to_sign(buffer, &date, &canonical_hash);
        let signature = key.signature(buffer.get(start..).unwrap_or_default());
        buffer.truncate(start);
        buffer.extend_from_slice(&key.authorization);
        buffer.extend_from_within(signed_headers);
        buffer.extend_from_slice(b", Signature=");
        buffer.extend_from_slice(&signature);
        // The canonical request shows the session token.
        let canonical = buffer.get_mut(..start).unwrap_or_default();
        canonical.fill(0);
        // Lest the compiler drops a write that nobody reads.
        std::hint::black_box(canonical);
        Signed {
            authorization: buffer.get(start..).unwrap_or_default(),
            date,
        }
    }

    /// The first stage: the request's canonical form, with the headers that the signer adds.
    pub fn canonical_request(&self, request: &Request<'_>, now: Duration) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_canonical(&mut out, request, &date::basic(now));
        out
    }

    /// The second stage.
    pub fn string_to_sign(&self, canonical_request: &[u8], now: Duration) -> Vec<u8> {
        let mut out = Vec::new();
        let hash = hex(&Sha256::digest(canonical_request).into());
        self.key(now)
            .write_string_to_sign(&mut out, &date::basic(now), &hash);
        out
    }

    /// The third stage.
    pub fn signature(&self, string_to_sign: &[u8], now: Duration) -> HexDigest {
        self.key(now).signature(string_to_sign)
    }

    fn key(&self, now: Duration) -> Guard<Arc<DayKey>> {
        let day = date::day(now);
        let key = self.key.load();
        if key.day == day {
            return key;
        }
        // Two workers may both derive it at midnight. They get the same.
        let key = DayKey::derive(&self.credentials, &self.region, &self.service, day);
        let key = Arc::new(key);
        self.key.store(Arc::clone(&key));
        Guard::from_inner(key)
    }

    fn write_canonical(
        &self,
        out: &mut Vec<u8>,
        request: &Request<'_>,
        date: &[u8; 16],
    ) -> Range<usize> {
        let token = match self.credentials.session_token() {
            Some(token) if self.settings.sign_session_token => Some(token.as_bytes()),
            _ => None,
        };
        // Room for all, because what is left behind when a buffer grows is not overwritten.
        let given: usize = request.headers.iter().map(|(_, value)| value.len()).sum();
        out.reserve(1024 + request.query.len() + given + token.map_or(0, <[u8]>::len));
        let own: [Header<'_>; 3] = [
            (CONTENT_SHA256, request.payload_hash),
            (DATE, date),
            (SECURITY_TOKEN, token.unwrap_or_default()),
        ];
        let own = match (self.settings.content_sha256, token) {
            (true, Some(_)) => &own[..],
            (true, None) => &own[..2],
            (false, Some(_)) => &own[1..],
            (false, None) => &own[1..2],
        };
        canonical::write(out, request, own, &self.settings)
    }
}

impl DayKey {
    fn derive(credentials: &Credentials, region: &str, service: &str, day: u64) -> Self {
        let date = date::basic_day(day);
        let secret = credentials.secret_access_key().as_bytes();
        let mut mac = keyed(&Zeroizing::new([b"AWS4", secret].concat()));
        let parts = [
            &date,
            region.as_bytes(),
            service.as_bytes(),
            b"aws4_request",
        ];
        for part in parts {
            mac = keyed(&*tag(mac, part));
        }
        let scope = parts.join(&b'/');
        let key_id = credentials.access_key_id();
        let mut authorization = format!("{ALGORITHM} Credential={key_id}/").into_bytes();
        authorization.extend_from_slice(&scope);
        authorization.extend_from_slice(b", SignedHeaders=");
        Self {
            day,
            mac,
            scope,
            authorization,
        }
    }

    fn write_string_to_sign(&self, out: &mut Vec<u8>, date: &[u8; 16], hash: &HexDigest) {
        out.extend_from_slice(ALGORITHM.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(date);
        out.push(b'\n');
        out.extend_from_slice(&self.scope);
        out.push(b'\n');
        out.extend_from_slice(hash);
    }

    fn signature(&self, string_to_sign: &[u8]) -> HexDigest {
        hex(&tag(self.mac.clone(), string_to_sign))
    }
}

/// HMAC's state with a key of any length: `new_from_slice` without an error that cannot happen.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Key::<Hmac<Sha256>>::default();
    // RFC 2104 §2: a key longer than a block is hashed first; all are filled up with zeros.
    if key.len() > block.len() {
        let mut hash = Sha256::digest(key);
        block
            .iter_mut()
            .zip(&hash)
            .for_each(|(to, from)| *to = *from);
        hash.as_mut_slice().zeroize();
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    let mac = Hmac::new(&block);
    block.as_mut_slice().zeroize();
    mac
}

fn tag(mut mac: Hmac<Sha256>, message: &[u8]) -> Zeroizing<[u8; 32]> {
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("region", &self.region)
            .field("service", &self.service)
            .field("settings", &self.settings)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tenon_contract::AwsCredentials;
    use zeroize::ZeroizeOnDrop;

    use super::*;
    use crate::sign::{EMPTY_PAYLOAD, Path};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOON: Duration = Duration::from_secs(1_440_936_000);

    fn signer_with(secret: &str) -> Signer {
        let credentials = AwsCredentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: secret.into(),
            session_token: Some("token-of-session".into()),
            expiration: None,
        };
        Signer::new(
            Credentials::try_from(credentials).unwrap(),
            "us-east-1",
            "service",
        )
    }

    fn request() -> Request<'static> {
        Request {
            method: "POST",
            path: Path::Wire(b"/2015-03-31/functions/f/invocations"),
            query: b"",
            headers: &[("host", b"lambda.us-east-1.amazonaws.com")],
            payload_hash: &EMPTY_PAYLOAD,
        }
    }

    fn authorization(signer: &Signer, now: Duration) -> String {
        let mut buffer = Vec::new();
        let signed = signer.sign(&request(), now, &mut buffer);
        String::from_utf8(signed.authorization.to_vec()).unwrap()
    }

    #[test]
    fn another_day_has_another_key_and_the_same_day_the_same() {
        let signer = signer_with(SECRET);
        let today = authorization(&signer, NOON);
        let key_of_today = signer.key(NOON);
        authorization(&signer, NOON + Duration::from_secs(12 * 3600 - 1));
        assert!(Arc::ptr_eq(&key_of_today, &signer.key(NOON)));

        let tomorrow = NOON + Duration::from_secs(12 * 3600);
        let authorization_of_tomorrow = authorization(&signer, tomorrow);
        assert!(!Arc::ptr_eq(&key_of_today, &signer.key(tomorrow)));
        assert!(authorization_of_tomorrow.contains("/20150831/"));
        // As a signer that has never seen another day, and back again.
        assert_eq!(
            authorization_of_tomorrow,
            authorization(&signer_with(SECRET), tomorrow)
        );
        assert_eq!(authorization(&signer, NOON), today);
    }

    #[test]
    fn a_used_buffer_changes_nothing() {
        let signer = signer_with(SECRET);
        let mut buffer = b"left over".to_vec();
        for _ in 0..2 {
            let signed = signer.sign(&request(), NOON, &mut buffer);
            assert_eq!(
                signed.authorization,
                authorization(&signer, NOON).as_bytes()
            );
            assert_eq!(&signed.date, b"20150830T120000Z");
        }
    }

    #[test]
    fn keys_of_every_length_are_those_of_hmac() {
        for length in [0, 1, 63, 64, 65, 200] {
            let key = vec![7; length];
            let theirs = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            assert_eq!(*tag(keyed(&key), b"x"), *tag(theirs, b"x"), "{length}");
        }
    }

    #[test]
    fn a_path_made_canonical_before_signs_the_same() {
        let signer = signer_with(SECRET);
        let wire = b"/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f%3A1/invocations";
        let canonical = canonical::canonical_path(wire, true);
        let signed = |path| {
            let request = Request { path, ..request() };
            let mut buffer = Vec::new();
            signer
                .sign(&request, NOON, &mut buffer)
                .authorization
                .to_vec()
        };
        assert_eq!(
            signed(Path::Wire(wire)),
            signed(Path::Canonical(&canonical))
        );
    }

    #[test]
    fn a_used_buffer_holds_no_token() {
        let mut buffer = Vec::new();
        let long = [b'x'; 10_000];
        let request = Request {
            headers: &[("content-type", &long), ("host", b"h")],
            ..request()
        };
        let authorization = signer_with(SECRET)
            .sign(&request, NOON, &mut buffer)
            .authorization
            .to_vec();
        let token = b"token-of-session";
        assert!(!buffer.windows(token.len()).any(|bytes| bytes == token));
        assert!(buffer.ends_with(&authorization));
    }

    #[test]
    fn signers_show_no_secret() {
        let signer = signer_with(SECRET);
        let mut buffer = Vec::new();
        let signed = signer.sign(&request(), NOON, &mut buffer);
        let signature = String::from_utf8(signed.authorization.to_vec()).unwrap();
        let (_, signature) = signature.rsplit_once('=').unwrap();
        let shown = format!("{signer:?} {signed:?} {signer:#?} {signed:#?}");
        for secret in [SECRET, "AKIDEXAMPLE", "token-of-session", signature] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn what_holds_keys_is_overwritten_and_shared() {
        fn overwritten_on_drop<T: ZeroizeOnDrop>() {}
        fn shared_by_workers<T: Send + Sync>() {}
        overwritten_on_drop::<Credentials>();
        overwritten_on_drop::<Sha256>();
        shared_by_workers::<Signer>();
    }
}
