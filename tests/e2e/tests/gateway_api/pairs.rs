//! The same intent in both APIs, shown by requests: `tests/golden/pairs/<case>/requests.yaml` goes to an Envoy that has its
//! configuration from the one, and to one that has it from the other. Clients are answered alike, and so are backends
//! asked. (`control/translate/tests/pairs.rs` compares the configurations.)

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use http::header::HOST;
use serde::Deserialize;
use tenon_e2e::{Answer, Client, Filter, LambdaDouble, PlainDouble, Response, free_port, post};

use super::{Served, serve};

const LEAST_REQUESTS: usize = 35;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    host: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// How many copies of it come to the other backend.
    #[serde(default)]
    copies: usize,
    /// Why the answers are not the same.
    #[serde(default)]
    differs: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// An Envoy, and the backends that it has to itself.
struct Side {
    address: SocketAddr,
    _served: Served,
    web: PlainDouble,
    other: PlainDouble,
    lambda: LambdaDouble,
}

/// What became of a request: the answer, and what backends saw.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    seen: Vec<String>,
}

#[tokio::test]
async fn the_same_requests_are_answered_alike() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/pairs");
    let mut cases: Vec<_> = fs::read_dir(&root)?
        .filter_map(|it| Some(it.ok()?.path()))
        .filter(|it| it.join("requests.yaml").is_file())
        .collect();
    cases.sort();
    let edge = Side::start(&root, &cases, "edge.yaml").await?;
    let gateway_api = Side::start(&root, &cases, "gateway-api.yaml").await?;
    let mut sent = 0;
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().context("no name")?.to_string_lossy();
        let asked = fs::read_to_string(case.join("requests.yaml"))?;
        let all: Vec<Asked> = serde_saphyr::from_str(&asked).with_context(|| name.to_string())?;
        for asked in all {
            let one = edge.ask(&name, &asked).await?;
            let other = gateway_api.ask(&name, &asked).await?;
            sent += 1;
            if (one == other) == asked.differs.is_some() {
                wrong.push(format!("{name}: {asked:?}\n  {one:?}\n  {other:?}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(sent >= LEAST_REQUESTS, "only {sent} requests");
    Ok(())
}

impl Side {
    async fn start(root: &Path, cases: &[PathBuf], api: &str) -> Result<Self> {
        let (web, other) = (PlainDouble::start().await?, PlainDouble::start().await?);
        let own = Answer::body("web")
            .header("x-gone", "web")
            .header("x-set", "web");
        web.answer(own.header("x-add", "web"));
        other.answer(Answer::body("other"));
        let lambda = LambdaDouble::start().await?;
        lambda.answer("hello", [Answer::body("hello")]);
        let port = free_port()?;
        let key = LambdaDouble::key();
        let mut text = fs::read_to_string(root.join("common.yaml"))?;
        text += "\n---\n";
        text += &fs::read_to_string(root.join(api))?;
        for case in cases {
            text += "\n---\n";
            text += &fs::read_to_string(case.join(api))?;
        }
        let known = [
            ("port: 9001", format!("port: {}", web.address().port())),
            ("port: 9002", format!("port: {}", other.address().port())),
            ("127.0.0.1:9003", lambda.address().to_string()),
            ("ort: 8080", format!("ort: {port}")),
            ("AKIDEXAMPLE", key.id.clone()),
            (
                "aws_secret_access_key: not-a-real-key",
                format!("aws_secret_access_key: {}", key.secret),
            ),
        ];
        for (from, to) in known {
            ensure!(text.contains(from), "no {from}");
            text = text.replace(from, &to);
        }
        let (role, listener) = match api {
            "edge.yaml" => (
                "gloo-system~gateway-proxy",
                format!("listener-127.0.0.1-{port}"),
            ),
            _ => (
                "gloo-kube-gateway-api~default~default-pairs",
                format!("listener~{port}"),
            ),
        };
        let served = serve(&[text], Filter::So, role).await?;
        served.envoy.listener(&listener).await?;
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _served: served,
            web,
            other,
            lambda,
        })
    }

    async fn ask(&self, case: &str, asked: &Asked) -> Result<Outcome> {
        self.web.forget();
        self.other.forget();
        self.lambda.forget();
        let mut request = post(&asked.path, "");
        *request.method_mut() = asked.method.parse()?;
        let host = asked.host.clone();
        let host = host.unwrap_or_else(|| format!("{case}.example.com"));
        request.headers_mut().insert(HOST, host.parse()?);
        for (name, value) in &asked.headers {
            let name: http::HeaderName = name.parse()?;
            request.headers_mut().insert(name, value.parse()?);
        }
        let answer = Client::http1(self.address).await?.send(request).await?;
        if asked.copies > 0 {
            self.other.wait_for_requests(asked.copies).await?;
        }
        let calls = self.lambda.calls("hello");
        let calls = calls.iter().map(|it| (&it.request, "lambda"));
        let (web, other) = (self.web.requests(), self.other.requests());
        let web = web.iter().map(|it| (it, "web"));
        let other = other.iter().map(|it| (it, "other"));
        let mut seen = Vec::new();
        for (request, who) in web.chain(other).chain(calls) {
            let headers = told(&request.headers);
            let body = String::from_utf8_lossy(&request.body);
            seen.push(format!(
                "{who}: {} {} {headers:?} {body}",
                request.method, request.path
            ));
        }
        Ok(outcome(&answer, seen))
    }
}

fn outcome(answer: &Response, seen: Vec<String>) -> Outcome {
    Outcome {
        status: answer.status,
        headers: told(&answer.headers),
        body: answer.text(),
        seen,
    }
}

/// Headers without those that are others each time.
fn told(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let changing = [
        "authorization",
        "date",
        "x-amz-date",
        "x-envoy-upstream-service-time",
        "x-request-id",
    ];
    let all = headers.iter();
    let all = all.filter(|(name, _)| !changing.contains(&name.as_str()));
    let all = all.map(|(name, value)| {
        let value = match name == HOST && value.as_bytes().starts_with(b"127.0.0.1:") {
            // Its port is another one for each.
            true => "the backend".to_owned(),
            false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        (name.to_string(), value)
    });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}
