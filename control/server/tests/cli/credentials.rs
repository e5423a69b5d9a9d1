//! The chain of AWS as the environment sets it up, and a double of STS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::process::*;

const EXPIRATION: &str = "2100-01-01T00:00:00Z";
const SESSION_SECRET: &str = "secret-of-the-session";

/// Answers each request with a session; tells what was asked: the form's fields and the `authorization` header.
fn sts() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, questions) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Some(question) = answer(stream.unwrap()) else {
                continue;
            };
            if asked.send(question).is_err() {
                return;
            }
        }
    });
    (url, questions)
}

fn answer(stream: TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut question) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if lower.starts_with("authorization:") {
            question += line.trim();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    question += &format!(" {body}");
    let action = body
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="))?;
    let text = format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>ASIASESSION</AccessKeyId>\
         <SecretAccessKey>{SESSION_SECRET}</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>{EXPIRATION}</Expiration></Credentials></{action}Result></{action}Response>"
    );
    let length = text.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: ";
    write!(reader.get_mut(), "{head}{length}\r\n\r\n{text}").ok()?;
    Some(question)
}

/// Answers as the metadata services of EC2 (IMDSv2) and of containers do; tells each request's first line, and the token
/// that came with it.
fn metadata() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, questions) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let question = answer_metadata(stream.unwrap());
            if asked.send(question.unwrap_or_default()).is_err() {
                return;
            }
        }
    });
    (url, questions)
}

fn answer_metadata(stream: TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut question = String::new();
    reader.read_line(&mut question).ok()?;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("authorization:") || lower.starts_with("x-aws-ec2-metadata-token:") {
            question += &line;
        }
    }
    let session = format!(
        r#"{{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIASESSION", "Token": "t",
            "SecretAccessKey": "{SESSION_SECRET}", "LastUpdated": "2020-01-01T00:00:00Z", "Expiration": "{EXPIRATION}"}}"#
    );
    let roles = "/latest/meta-data/iam/security-credentials/";
    let mut words = question.split(' ');
    let (status, text) = match (words.next()?, words.next()?) {
        ("PUT", "/latest/api/token") => (200, "a-metadata-token"),
        ("GET", path) if path == roles => (200, "of-the-node"),
        ("GET", path) if path.strip_prefix(roles) == Some("of-the-node") => (200, &*session),
        ("GET", "/of-the-task") => (200, &*session),
        _ => (404, ""),
    };
    let length = text.len();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} ok\r\nconnection: close\r\ncontent-length: {length}\r\n\
         x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n{text}"
    )
    .ok()?;
    Some(question)
}

fn upstream(more: &str) -> String {
    FUNCTIONS.replace("secretRef: {name: keys, namespace: default}", more)
}

/// Serves an upstream without a secret, until its credentials are resolved; its log.
fn resolve(more: &str, environment: &[(&str, &str)]) -> String {
    let folder = folder(&[
        ("a.yaml", &upstream(more)),
        ("b.yaml", UPSTREAM),
        ("c.yaml", ROUTES),
    ]);
    let mut serve = Serve::start_in(folder.path(), environment);
    serve.wait_for_log("credentials resolved");
    let status = serve.get("/status");
    assert!(!status.contains("no credentials"), "{status}");
    let metrics = serve.get("/metrics");
    let (code, log) = serve.stop();
    assert_eq!(code, Some(0));
    assert!(!log.contains(SESSION_SECRET), "{log}");
    metrics
}

#[test]
fn keys_of_the_environment_are_found_without_a_question() {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    resolve("# nothing", &keys);
}

#[test]
fn a_role_is_assumed_with_the_keys_of_the_environment() {
    let (url, questions) = sts();
    let metrics = resolve(
        "roleArn: arn:aws:iam::123456789012:role/mine",
        &[
            ("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_ENDPOINT_URL_STS", &url),
        ],
    );
    assert!(
        metrics.contains("tenon_credentials_expiry_seconds{"),
        "{metrics}"
    );
    let question = questions.recv().unwrap();
    for part in [
        "Credential=AKIDENVIRONMENT/",
        "Action=AssumeRole&",
        "role%2Fmine",
    ] {
        assert!(question.contains(part), "{part}\n{question}");
    }
}

#[test]
fn a_web_identity_takes_its_own_role_and_then_the_upstreams() {
    let (url, questions) = sts();
    let token = folder(&[("token", "a-web-token")]);
    let file = token.path().join("token").display().to_string();
    let environment = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &*file),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/first"),
        ("AWS_ENDPOINT_URL_STS", &url),
    ];
    resolve(
        "roleArn: arn:aws:iam::123456789012:role/second",
        &environment,
    );
    let first = questions.recv().unwrap();
    for part in [
        "Action=AssumeRoleWithWebIdentity&",
        "role%2Ffirst",
        "a-web-token",
    ] {
        assert!(first.contains(part), "{part}\n{first}");
    }
    let second = questions.recv().unwrap();
    for part in [
        "Credential=ASIASESSION/",
        "Action=AssumeRole&",
        "role%2Fsecond",
    ] {
        assert!(second.contains(part), "{part}\n{second}");
    }
}

#[test]
fn without_chaining_a_web_identity_takes_the_upstreams_role_at_once() {
    let (url, questions) = sts();
    let token = folder(&[("token", "a-web-token")]);
    let file = token.path().join("token").display().to_string();
    let environment = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &*file),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/first"),
        ("AWS_ENDPOINT_URL_STS", &url),
    ];
    resolve(
        "roleArn: arn:aws:iam::123456789012:role/second\n    disableRoleChaining: true",
        &environment,
    );
    let only = questions.recv().unwrap();
    for part in ["Action=AssumeRoleWithWebIdentity&", "role%2Fsecond"] {
        assert!(only.contains(part), "{part}\n{only}");
    }
}

#[test]
fn a_container_asks_its_own_endpoint_with_its_token() {
    let (url, questions) = metadata();
    let token = folder(&[("token", "a-container-token")]);
    let file = token.path().join("token").display().to_string();
    let endpoint = format!("{url}/of-the-task");
    let metrics = resolve(
        "# nothing",
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file),
        ],
    );
    let question = questions.recv().unwrap();
    assert!(question.starts_with("GET /of-the-task "), "{question}");
    assert!(question.contains("a-container-token"), "{question}");
    assert!(
        metrics.contains("tenon_credentials_expiry_seconds{"),
        "{metrics}"
    );
}

#[test]
fn an_instance_asks_the_metadata_service_with_a_session() {
    let (url, questions) = metadata();
    resolve(
        "# nothing",
        &[
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url),
        ],
    );
    let questions: Vec<_> = questions.try_iter().collect();
    assert!(
        questions[0].starts_with("PUT /latest/api/token "),
        "{questions:?}"
    );
    let last = questions.last().unwrap();
    assert!(
        last.contains("/security-credentials/of-the-node "),
        "{last}"
    );
    assert!(last.contains("a-metadata-token"), "{last}");
}

#[test]
fn a_profile_of_the_shared_file_is_taken() {
    let files = folder(&[(
        "credentials",
        "[gateway]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n",
    )]);
    let file = files.path().join("credentials").display().to_string();
    let (url, questions) = sts();
    resolve(
        "roleArn: arn:aws:iam::123456789012:role/mine",
        &[
            ("AWS_SHARED_CREDENTIALS_FILE", &*file),
            ("AWS_PROFILE", "gateway"),
            ("AWS_ENDPOINT_URL_STS", &url),
        ],
    );
    let question = questions.recv().unwrap();
    assert!(question.contains("Credential=AKIDPROFILE/"), "{question}");
}
