//! The same signature as `aws-sigv4`, whatever the request.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as TheirCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SessionTokenMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use proptest::prelude::*;
use proptest::sample::select;
use tenon_contract::AwsCredentials;
use tenon_core::sign::{
    Credentials, Header, Path, PayloadHash, Request, Settings, Signer, canonical_path,
};

const REGION: &str = "eu-central-1";
const SERVICE: &str = "lambda";

#[derive(Debug)]
struct Input {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    now: Duration,
    secret: String,
    token: Option<String>,
    settings: Settings,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn signatures_equal_those_of_the_reference(input in input()) {
        let (authorization, date) = ours(&input, &input.headers, false);
        let (their_authorization, their_date) = theirs(&input);
        prop_assert_eq!(&authorization, &their_authorization);
        prop_assert_eq!(date, their_date);
        prop_assert_eq!(ours(&input, &sorted(&input.headers), true).0, authorization);
    }
}

/// What the filter does: headers in order, the path made canonical once.
fn sorted(headers: &[(String, String)]) -> Vec<(String, String)> {
    let lower = |(name, value): &(String, String)| (name.to_lowercase(), value.clone());
    let mut headers: Vec<_> = headers.iter().map(lower).collect();
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}

fn ours(input: &Input, headers: &[(String, String)], prepared: bool) -> (String, String) {
    let credentials = AwsCredentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: input.secret.clone(),
        session_token: input.token.clone(),
        expiration: None,
    };
    let credentials = Credentials::try_from(credentials).unwrap();
    let signer = Signer::new(credentials, REGION, SERVICE).with_settings(input.settings);
    let headers: Vec<Header<'_>> = headers
        .iter()
        .map(|(name, value)| (&**name, value.as_bytes()))
        .collect();
    let wire = input.path.as_bytes();
    let canonical = canonical_path(wire, input.settings.normalize_path);
    let path = if prepared {
        Path::Canonical(&canonical)
    } else {
        Path::Wire(wire)
    };
    let mut payload_hash = PayloadHash::default();
    input
        .body
        .chunks(7)
        .for_each(|chunk| payload_hash.update(chunk));
    let request = Request {
        method: &input.method,
        path,
        query: input.query.as_bytes(),
        headers: &headers,
        payload_hash: &payload_hash.finish(),
    };
    let mut buffer = Vec::new();
    let signed = signer.sign(&request, input.now, &mut buffer);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(signed.authorization), text(&signed.date))
}

fn theirs(input: &Input) -> (String, String) {
    let identity = TheirCredentials::new(
        "AKIDEXAMPLE",
        &*input.secret,
        input.token.clone(),
        None,
        "test",
    )
    .into();
    let mut settings = SigningSettings::default();
    settings.excluded_headers = Some(vec!["authorization".into()]);
    settings.uri_path_normalization_mode = if input.settings.normalize_path {
        UriPathNormalizationMode::Enabled
    } else {
        UriPathNormalizationMode::Disabled
    };
    if input.settings.content_sha256 {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if !input.settings.sign_session_token {
        settings.session_token_mode = SessionTokenMode::Exclude;
    }
    let params = SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(SERVICE)
        .time(SystemTime::UNIX_EPOCH + input.now)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = match &*input.query {
        "" => format!("https://unused{}", input.path),
        query => format!("https://unused{}?{query}", input.path),
    };
    let headers = input
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value));
    let request = SignableRequest::new(
        &input.method,
        uri,
        headers,
        SignableBody::Bytes(&input.body),
    )
    .unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let header = |name| {
        let mut headers = instructions.headers();
        headers
            .find(|header| header.0 == name)
            .unwrap()
            .1
            .to_owned()
    };
    (header("authorization"), header("x-amz-date"))
}

fn input() -> impl Strategy<Value = Input> {
    let settings = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|settings| Settings {
        normalize_path: settings.0,
        content_sha256: settings.1,
        sign_session_token: settings.2,
    });
    let credentials = (
        "[ -~]{1,90}",
        proptest::option::of("[!-~]{1,300}"),
        settings,
    );
    let request = (
        select(vec!["GET", "POST", "PUT", "HEAD", "PATCH"]).prop_map(str::to_owned),
        path(),
        query(),
        headers(),
        proptest::collection::vec(any::<u8>(), 0..200),
    );
    // Up to the year 9999.
    let now = (0..253_402_300_800_u64, 0..1_000_000_000u32).prop_map(|(s, n)| Duration::new(s, n));
    (request, now, credentials).prop_map(|(request, now, credentials)| Input {
        method: request.0,
        path: request.1,
        query: request.2,
        headers: request.3,
        body: request.4,
        now,
        secret: credentials.0,
        token: credentials.1,
        settings: credentials.2,
    })
}

/// What the reference's URI type takes, with much of what is special: dots, slashes, escapes, bytes above ASCII.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9_~!$&'()*+,;=:@-]{1,6}",
        2 => select(vec!["/", "//", "/./", "/../", ".", ".."]).prop_map(str::to_owned),
        1 => "%[0-9a-fA-F]{2}",
        1 => "[à-üλ가-긿]{1,2}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Escapes of whole characters only: the reference replaces what is not UTF-8, so its signature would be of another
/// query than the one sent.
fn query() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9._~!$'()*,;:@/?-]{1,4}",
        3 => select(vec!["&", "=", "+", "&&", "%&", "%=", "%4", "%zz"]).prop_map(str::to_owned),
        1 => "%[2-7][0-9a-fA-F]",
        1 => select(vec!["%E1%88%B4", "%c3%a4", "%00"]).prop_map(str::to_owned),
        1 => "[à-üλ가-긿]{1,2}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        3 => "[A-Za-z][A-Za-z0-9_-]{0,5}",
        // Few names, so that some come twice, in any case; and those that the signer writes itself.
        3 => select(vec![
            "a", "A", "content-type", "Content-Type", "x-amz-date", "X-Amz-Date", "authorization",
            "X-Amz-Content-Sha256", "x-amz-invocation-type", "x-amz-security-token",
        ])
        .prop_map(str::to_owned),
    ];
    let value = prop_oneof![
        "[!-~]{0,9}",
        "[ -~]{0,20}",
        " {0,3}[a-c ]{0,9} {0,3}",
        "[a-b \t]{0,9}",
        "[à-üλ가-긿 ]{0,4}",
    ];
    let host = ("[Hh]ost", "[a-z]{1,9}(:[0-9]{2,5})?");
    (proptest::collection::vec((name, value), 0..8), host).prop_map(|(mut headers, host)| {
        // One host: that of a request without one is another subject.
        headers.retain(|header| !header.0.eq_ignore_ascii_case("host"));
        headers.insert(headers.len() / 2, host);
        headers
    })
}
