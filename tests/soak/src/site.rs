//! A folder of resources, the control plane over it, an Envoy, and the services behind.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::eventstream::{chunk, complete};
use tenon_e2e::sigv4::AccessKey;
use tenon_e2e::{
    Answer, Client, Envoy, EnvoyOptions, Filter, Google, LambdaCall, LambdaDouble, PlainDouble,
    Tenon, TenonOptions, deadline, post,
};

use crate::resources;

/// What a function streams, in pieces of 1 KiB.
pub(crate) const STREAMED: usize = 64 * 1024;

pub(crate) struct Site {
    pub(crate) envoy: Envoy,
    /// Envoy's and the control plane's.
    pub(crate) processes: [u32; 2],
    _tenon: Tenon,
    pub(crate) address: SocketAddr,
    /// Two, so that an edit can turn to the other one.
    pub(crate) lambdas: [LambdaDouble; 2],
    plain: PlainDouble,
    _google: Google,
    folder: TempDir,
}

/// The keys that the Lambda services know.
pub(crate) fn keys() -> [AccessKey; 2] {
    let other = AccessKey::new("AKIDOTHER", "OtherSecretKeyOfTheLambdaDouble/+012345");
    [LambdaDouble::key(), other]
}

impl Site {
    pub(crate) async fn start(filter: Filter) -> Result<Self> {
        let (lambdas, plain) = (
            [lambda().await?, lambda().await?],
            PlainDouble::start().await?,
        );
        let google = Google::start()?;
        let folder = TempDir::with_prefix("tenon-soak-")?;
        fs::create_dir(folder.path().join("resources"))?;
        let [lambda, _] = &lambdas;
        for (file, resource) in [
            ("gateway", resources::gateway()),
            ("secret", resources::key(&LambdaDouble::key())),
            ("azure-secret", resources::azure_key()),
            (
                "lambda",
                resources::lambda("lambda", "lambda", lambda.address()),
            ),
            (
                "locked",
                resources::lambda("locked", "nowhere", lambda.address()),
            ),
            ("azure", resources::azure(plain.address())),
            ("google", resources::google(plain.address())),
            ("web", resources::service(plain.address())),
            ("site", resources::routes(0)),
            ("churned", resources::churned(0, false)),
        ] {
            write(&folder, file, &resource.to_string())?;
        }
        let mut options = TenonOptions::new(&folder.path().join("resources"), filter);
        options.state = Some(folder.path().join("state"));
        options.environment = vec![
            ("GCE_METADATA_HOST".into(), google.address().to_string()),
            // Whose machine it is has nothing to say.
            ("CLOUDSDK_CONFIG".into(), "/nonexistent".into()),
            ("RUST_LOG".into(), "error".into()),
        ];
        let mut tenon = Tenon::serve(options).await?;
        let bootstrap = bootstrap(&BootstrapOptions {
            node_id: "gateway".into(),
            node_cluster: "gateway".into(),
            role: "gloo-system~gateway-proxy".into(),
            xds_addr: tenon.ready().xds,
            admin_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            delta: true,
        });
        let options = EnvoyOptions {
            log_level: "critical".into(),
            ..EnvoyOptions::default()
        };
        let mut envoy = Envoy::start_with(&bootstrap, &options).await?;
        let address = envoy.listener("listener-127.0.0.1-0").await?;
        let site = Self {
            processes: [envoy.process().id(), tenon.process().id()],
            envoy,
            _tenon: tenon,
            address,
            lambdas,
            plain,
            _google: google,
            folder,
        };
        // Keys and tokens come by themselves, a moment later than routes.
        for path in ["/lambda", "/azure", "/google"] {
            deadline::until(&format!("200 of {path}"), || async {
                let answer = Client::http1(address).await?.send(post(path, "{}")).await?;
                Ok((answer.status == 200).then_some(()))
            })
            .await?;
        }
        Ok(site)
    }

    /// Puts a file in place of another, as editors do.
    pub(crate) fn put(&self, file: &str, text: &str) -> Result<()> {
        write(&self.folder, file, text)
    }

    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        let path = self.folder.path().join("resources");
        Ok(fs::remove_file(path.join(format!("{file}.yaml")))?)
    }

    /// Lets the services forget what they were asked, which would be all of this process's memory in the end.
    pub(crate) fn forget(&self) {
        self.lambdas.iter().for_each(LambdaDouble::forget);
        self.plain.forget();
    }
}

fn write(folder: &TempDir, file: &str, text: &str) -> Result<()> {
    let folder = folder.path().join("resources");
    let new = folder.join(format!(".{file}.new"));
    fs::write(&new, text)?;
    Ok(fs::rename(new, folder.join(format!("{file}.yaml")))?)
}

async fn lambda() -> Result<LambdaDouble> {
    let lambda = LambdaDouble::start().await?;
    lambda.set_keys(keys());
    lambda.answer("echo", [Answer::echo()]);
    lambda.answer_with("v1", |call| answer_event(call, "headers", json!("yes")));
    lambda.answer_with("alb", |call| {
        answer_event(call, "multiValueHeaders", json!(["yes"]))
    });
    let pieces = vec![b'x'; STREAMED];
    let mut stream: Vec<u8> = pieces.chunks(1024).flat_map(chunk).collect();
    stream.extend(complete());
    let stream = Answer::body(stream)
        .header("content-type", tenon_e2e::eventstream::CONTENT_TYPE)
        .chunked(3000);
    lambda.answer("stream", [stream]);
    lambda.answer("fails", [Answer::function_error("boom")]);
    let busy = Answer::service_error(429, "TooManyRequestsException", "Rate Exceeded.");
    lambda.answer("busy", [busy]);
    // The first try of each request fails, in one way or the other, and its second does not.
    let failed = Mutex::new(HashSet::<Bytes>::new());
    lambda.answer_with("flaky", move |call| {
        let body = &call.request.body;
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.remove(body) {
            return Answer::echo();
        }
        failed.insert(body.clone());
        match body.last() {
            Some(digit) if digit % 3 == 0 => Answer::hang_up(),
            Some(digit) if digit % 3 == 1 => Answer::function_error("not yet"),
            _ => Answer::service_error(503, "ServiceUnavailableException", "not yet"),
        }
    });
    Ok(lambda)
}

/// What a function answers that sends its event's body back.
fn answer_event(call: &LambdaCall, headers: &str, value: Value) -> Answer {
    let event: Value = match serde_json::from_slice(&call.request.body).context("an event") {
        Ok(event) => event,
        Err(error) => return Answer::function_error(&format!("{error:#}")),
    };
    let answer = json!({
        "statusCode": 201,
        headers: {"x-echo": value},
        "body": event["body"].as_str().unwrap_or_default(),
        "isBase64Encoded": event["isBase64Encoded"],
    });
    Answer::json(answer.to_string())
}
