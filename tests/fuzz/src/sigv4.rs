//! Canonical requests and signatures: the same as `aws-sigv4` makes, for whatever request it takes.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as TheirCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use tenon_contract::AwsCredentials;
use tenon_core::sign::{
    Credentials, EMPTY_PAYLOAD, Path, PayloadHash, Request, Settings, Signer, canonical_path,
};

use crate::input::Input;

const NOW: Duration = Duration::from_secs(1_440_938_160);
const KEY: (&str, &str) = ("AKIDEXAMPLE", "not-a-real-key");

/// Choices of settings on a line, a request line and headers as of HTTP/1.1 up to an empty line, and a body.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let settings = Settings {
        normalize_path: input.choice(2) == 1,
        content_sha256: input.choice(2) == 1,
        sign_session_token: true,
    };
    input.line();
    let Some(parsed) = parse(&mut input) else {
        return;
    };
    let ours = ours(&parsed, settings, false);
    assert_eq!(ours, self::ours(&parsed, settings, true), "prepared");
    if let Some(theirs) = theirs(&parsed, settings) {
        assert_eq!(ours, theirs);
    }
}

struct Parsed<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    /// In the order of their names, which are in lower case.
    headers: Vec<(String, &'a str)>,
    body: &'a [u8],
}

fn parse<'a>(input: &mut Input<'a>) -> Option<Parsed<'a>> {
    let line = std::str::from_utf8(input.line()).ok()?;
    let (method, rest) = line.split_once(' ')?;
    let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut headers = vec![("host".to_owned(), "example.amazonaws.com")];
    loop {
        match std::str::from_utf8(input.line()).ok()? {
            "" => break,
            line => {
                let (name, value) = line.split_once(':')?;
                let name = name.to_ascii_lowercase();
                let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                if name.is_empty() || !name.bytes().all(is_token) {
                    return None;
                }
                // One host: that of a request without one is another subject.
                if name != "host" {
                    headers.push((name, value));
                }
            }
        }
    }
    headers.sort_by(|one, other| one.0.cmp(&other.0));
    Some(Parsed {
        method,
        path,
        query,
        headers,
        body: input.0,
    })
}

fn ours(parsed: &Parsed<'_>, settings: Settings, prepared: bool) -> String {
    let credentials = AwsCredentials {
        access_key_id: KEY.0.into(),
        secret_access_key: KEY.1.into(),
        session_token: None,
        expiration: None,
    };
    let credentials = Credentials::try_from(credentials).expect("credentials");
    let signer = Signer::new(credentials, "us-east-1", "lambda").with_settings(settings);
    let headers: Vec<_> = parsed
        .headers
        .iter()
        .map(|(name, value)| (&**name, value.as_bytes()))
        .collect();
    let canonical = canonical_path(parsed.path.as_bytes(), settings.normalize_path);
    let mut payload_hash = PayloadHash::default();
    payload_hash.update(parsed.body);
    let payload_hash = payload_hash.finish();
    assert_eq!(payload_hash == EMPTY_PAYLOAD, parsed.body.is_empty());
    let request = Request {
        method: parsed.method,
        path: match prepared {
            true => Path::Canonical(&canonical),
            false => Path::Wire(parsed.path.as_bytes()),
        },
        query: parsed.query.as_bytes(),
        headers: &headers,
        payload_hash: &payload_hash,
    };
    let mut buffer = Vec::new();
    let signed = signer.sign(&request, NOW, &mut buffer);
    String::from_utf8(signed.authorization.to_vec()).expect("ASCII")
}

/// `None` where the reference does not take the request, or takes it for another one.
fn theirs(parsed: &Parsed<'_>, settings: Settings) -> Option<String> {
    let Parsed { path, query, .. } = parsed;
    // Its URI type drops a fragment, and it replaces escapes that are no UTF-8.
    let decodes = |text: &str| {
        !text.contains('#') && (!text.contains('%') || percent_decoded(text).is_some())
    };
    if !path.starts_with('/') || !decodes(path) || !decodes(query) {
        return None;
    }
    let uri = match *query {
        "" => format!("https://unused{path}"),
        query => format!("https://unused{path}?{query}"),
    };
    let identity = TheirCredentials::new(KEY.0, KEY.1, None, None, "fuzz").into();
    let mut theirs = SigningSettings::default();
    theirs.excluded_headers = Some(vec!["authorization".into()]);
    if !settings.normalize_path {
        theirs.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    if settings.content_sha256 {
        theirs.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("lambda")
        .time(SystemTime::UNIX_EPOCH + NOW)
        .settings(theirs)
        .build()
        .expect("all of them")
        .into();
    let headers = parsed.headers.iter();
    let headers = headers.map(|(name, value)| (&**name, *value));
    let body = SignableBody::Bytes(parsed.body);
    let request = SignableRequest::new(parsed.method, uri, headers, body).ok()?;
    let (instructions, _) = sign(request, &params).ok()?.into_parts();
    let mut headers = instructions.headers();
    headers
        .find(|header| header.0 == "authorization")
        .map(|header| header.1.to_owned())
}

/// `None` where the escapes of a text are not whole, or not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        };
        out.push(byte);
    }
    String::from_utf8(out).ok()
}
