//! Every stage of every case of AWS's test suite (`tests/golden/sigv4`).

#![expect(clippy::disallowed_methods, reason = "the vectors are files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use tenon_contract::AwsCredentials;
use tenon_core::sign::{
    Credentials, Header, Path, PayloadHash, Request, Settings, Signer, canonical_request,
};

/// How many cases there are, and how many of them have the query form too: none is skipped unseen.
const CASES: usize = 40;
const QUERY_CASES: usize = 38;

struct Case {
    name: String,
    dir: PathBuf,
    context: Context,
    request: Message,
}

struct Context {
    credentials: AwsCredentials,
    region: String,
    service: String,
    settings: Settings,
    now: Duration,
    seconds_valid: u64,
}

/// A request as the suite writes them.
struct Message {
    method: String,
    path: Vec<u8>,
    query: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

#[test]
fn every_case_agrees_in_every_stage_of_the_header_form() {
    let cases = cases();
    assert_eq!(cases.len(), CASES);
    for case in &cases {
        let now = case.context.now;
        let signer = case.signer();
        let headers = case.request.header_slices();
        let payload_hash = PayloadHash::of(&case.request.body);
        let request = case.to_sign(&headers, &payload_hash);

        let canonical = signer.canonical_request(&request, now);
        case.assert_is("canonical.txt", &canonical);
        let string_to_sign = signer.string_to_sign(&canonical, now);
        case.assert_is("string-to-sign.txt", &string_to_sign);
        let signature = signer.signature(&string_to_sign, now);
        case.assert_is("signature.txt", &signature);

        let mut buffer = Vec::new();
        let signed = signer.sign(&request, now, &mut buffer);
        let mut added: Vec<Header<'_>> = vec![
            ("authorization", signed.authorization),
            ("x-amz-date", &signed.date),
        ];
        if let Some(token) = signer.credentials().session_token() {
            added.push(("x-amz-security-token", token.as_bytes()));
        }
        if case.context.settings.content_sha256 {
            added.push(("x-amz-content-sha256", &payload_hash));
        }
        let expected = Message::parse(&case.file("signed.txt"));
        assert_eq!(
            case.request.header_map(&added),
            expected.header_map(&[]),
            "{}",
            case.name
        );
        assert_eq!(expected.path, case.request.path, "{}", case.name);
        assert_eq!(expected.body, case.request.body, "{}", case.name);
    }
}

/// Nothing here presigns, but the suite's query form goes through the same three stages with other input.
#[test]
fn every_case_agrees_in_every_stage_of_the_query_form() {
    let cases = cases();
    let cases = cases
        .iter()
        .filter(|case| case.dir.join("query-canonical.txt").exists());
    let mut count = 0;
    for case in cases {
        count += 1;
        let (context, now) = (&case.context, case.context.now);
        let signer = case.signer();
        let signed = Message::parse(&case.file("query-signed.txt"));
        let query = case.presigned_query();
        let headers = case.request.header_slices();
        let payload_hash = PayloadHash::of(&case.request.body);
        let request = Request {
            query: query.as_bytes(),
            ..case.to_sign(&headers, &payload_hash)
        };

        let canonical = canonical_request(&request, &context.settings);
        case.assert_is("query-canonical.txt", &canonical);
        let string_to_sign = signer.string_to_sign(&canonical, now);
        case.assert_is("query-string-to-sign.txt", &string_to_sign);
        let signature = signer.signature(&string_to_sign, now);
        case.assert_is("query-signature.txt", &signature);
        let signature = std::str::from_utf8(&signature).unwrap();
        assert!(
            signed
                .query
                .ends_with(format!("X-Amz-Signature={signature}").as_bytes()),
            "{}",
            case.name
        );
    }
    assert_eq!(count, QUERY_CASES);
}

#[test]
fn the_order_and_case_of_headers_change_nothing() {
    for case in cases() {
        let payload_hash = PayloadHash::of(&case.request.body);
        let mut headers = case.request.header_slices();
        let signer = case.signer();
        let signed = |headers: &[Header<'_>]| {
            let request = case.to_sign(headers, &payload_hash);
            let mut buffer = Vec::new();
            let signed = signer.sign(&request, case.context.now, &mut buffer);
            signed.authorization.to_vec()
        };
        let given = signed(&headers);
        let lower: Vec<_> = headers
            .iter()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        for (header, name) in headers.iter_mut().zip(&lower) {
            header.0 = name;
        }
        // Stable both times: the values of one name keep their order.
        headers.sort_by(|a, b| a.0.cmp(b.0));
        assert_eq!(signed(&headers), given, "{}", case.name);
        headers.sort_by(|a, b| b.0.cmp(a.0));
        assert_eq!(signed(&headers), given, "{}", case.name);
    }
}

fn cases() -> Vec<Case> {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/sigv4");
    let mut cases: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(Case::read)
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

impl Case {
    fn read(dir: PathBuf) -> Self {
        Self {
            name: dir.file_name().unwrap().to_string_lossy().into_owned(),
            context: Context::parse(&fs::read(dir.join("context.json")).unwrap()),
            request: Message::parse(&fs::read(dir.join("request.txt")).unwrap()),
            dir,
        }
    }

    fn signer(&self) -> Signer {
        let context = &self.context;
        let credentials = Credentials::try_from(context.credentials.clone()).unwrap();
        Signer::new(credentials, &*context.region, &*context.service)
            .with_settings(context.settings)
    }

    fn to_sign<'a>(&'a self, headers: &'a [Header<'a>], payload_hash: &'a [u8; 64]) -> Request<'a> {
        Request {
            method: &self.request.method,
            path: Path::Wire(&self.request.path),
            query: &self.request.query,
            headers,
            payload_hash,
        }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.join(name)).unwrap()
    }

    fn assert_is(&self, file: &str, found: &[u8]) {
        assert_eq!(
            String::from_utf8_lossy(found),
            String::from_utf8_lossy(&self.file(file)),
            "{} {file}",
            self.name
        );
    }

    /// The request's query with the parameters of a presigned one, as they go into the signature.
    fn presigned_query(&self) -> String {
        let context = &self.context;
        let signer = self.signer();
        let string_to_sign = signer.string_to_sign(b"", context.now);
        let string_to_sign = String::from_utf8(string_to_sign).unwrap();
        let [algorithm, date, scope, _] = string_to_sign.lines().collect::<Vec<_>>()[..] else {
            panic!("not four lines: {string_to_sign}");
        };
        let mut names: Vec<_> = self
            .request
            .headers
            .iter()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        names.sort();
        names.dedup();
        let mut query = format!(
            "{}&X-Amz-Algorithm={algorithm}&X-Amz-Credential={}/{scope}&X-Amz-Date={date}\
             &X-Amz-SignedHeaders={}&X-Amz-Expires={}",
            String::from_utf8(self.request.query.clone()).unwrap(),
            signer.credentials().access_key_id(),
            names.join(";"),
            context.seconds_valid,
        );
        if let Some(token) = signer.credentials().session_token()
            && context.settings.sign_session_token
        {
            query += &format!("&X-Amz-Security-Token={}", token.replace('+', "%2B"));
        }
        query
    }
}

impl Context {
    fn parse(text: &[u8]) -> Self {
        let json: serde_json::Value = serde_json::from_slice(text).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let given = &json["credentials"];
        let credentials = AwsCredentials {
            access_key_id: text(&given["access_key_id"]),
            secret_access_key: text(&given["secret_access_key"]),
            session_token: given.get("token").map(text),
            // As good as any way to read the time: the credentials' own.
            expiration: Some(text(&json["timestamp"])),
        };
        let now = Credentials::try_from(credentials.clone())
            .unwrap()
            .expiration()
            .unwrap();
        Self {
            credentials,
            region: text(&json["region"]),
            service: text(&json["service"]),
            settings: Settings {
                normalize_path: json["normalize"].as_bool().unwrap(),
                content_sha256: json["sign_body"].as_bool().unwrap(),
                sign_session_token: !json
                    .get("omit_session_token")
                    .is_some_and(|omit| omit.as_bool().unwrap()),
            },
            now,
            seconds_valid: json["expiration_in_seconds"].as_u64().unwrap(),
        }
    }
}

impl Message {
    fn parse(text: &[u8]) -> Self {
        let end = text.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&text[..end], &text[end + 2..]),
            None => (text, &b""[..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap();
        // One signed request of the suite lacks the version. Spaces may be within the path.
        let first = first.strip_suffix(b" HTTP/1.1").unwrap_or(first);
        let space = first.iter().position(|byte| *byte == b' ').unwrap();
        let (method, target) = (&first[..space], &first[space + 1..]);
        let mut target = target.splitn(2, |byte| *byte == b'?');
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if line.starts_with(b" ") {
                // RFC 9112 §5.2: a folded line reads as one with spaces.
                headers.last_mut().unwrap().1.extend_from_slice(line);
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            let name = String::from_utf8(line[..colon].to_vec()).unwrap();
            headers.push((name, line[colon + 1..].to_vec()));
        }
        Self {
            method: String::from_utf8(method.to_vec()).unwrap(),
            path: target.next().unwrap().to_vec(),
            query: target.next().unwrap_or_default().to_vec(),
            headers,
            body: body.to_vec(),
        }
    }

    fn header_slices(&self) -> Vec<Header<'_>> {
        self.headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect()
    }

    /// The headers by lower-case name, with `added` in place of those of the same name.
    fn header_map(&self, added: &[Header<'_>]) -> BTreeMap<String, Vec<String>> {
        let text = |value: &[u8]| String::from_utf8_lossy(value.trim_ascii()).into_owned();
        let mut map = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &self.headers {
            map.entry(name.to_lowercase())
                .or_default()
                .push(text(value));
        }
        for (name, value) in added {
            map.insert((*name).to_owned(), vec![text(value)]);
        }
        map
    }
}
