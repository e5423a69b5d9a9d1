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
