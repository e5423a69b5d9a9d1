//! Google's framework for functions, and a double of what Google has beside them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::admin::Admin;
use crate::client::{Client, post};
use crate::deadline::until;
use crate::process::{Process, free_port};

/// A metadata server, a token endpoint and IAM, which sign tokens and verify assertions with code that is not Tenon's.
#[derive(Debug)]
pub struct Google {
    address: SocketAddr,
    key: String,
    _process: Process,
    _folder: TempDir,
}

/// A function in Google's own framework. It verifies each request's token: signature, audience and end.
#[derive(Debug)]
pub struct GoogleFunction {
    address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

fn venv(program: &str) -> PathBuf {
    let venv = std::env::var_os("TENON_GCP_VENV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tenon/gcp"),
        PathBuf::from,
    );
    venv.join("bin").join(program)
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("google")
        .join(file)
}

impl Google {
    /// Starts it.
    ///
    /// # Errors
    /// It is not installed, or ends.
    pub fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-google-")?;
        let mut command = Command::new(venv("python"));
        command.arg("-B").arg(source("google.py"));
        let log = folder.path().join("google.log");
        let mut process = Process::start_with_output(command, &log, Stdio::piped())
            .context("no functions-framework: run `scripts/setup tests`")?;
        let output = process.take_output().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).with_context(|| process.log())?;
        Ok(Self {
            address: ready["address"].as_str().unwrap_or_default().parse()?,
            key: ready["key"].to_string(),
            _process: process,
            _folder: folder,
        })
    }

    /// Where all of it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A service account's key, as JSON.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Tells it how long tokens live, in seconds, and whether it refuses to give any.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn control(&self, life: i64, refusing: bool) -> Result<()> {
        let body = serde_json::json!({"life": life, "refusing": refusing}).to_string();
        let answer = Client::http1(self.address)
            .await?
            .send(post("/control", body))
            .await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(())
    }
}

impl GoogleFunction {
    /// Starts one that lets in who has a token for `audience`.
    ///
    /// # Errors
    /// It is not installed, or does not start within the deadline.
    pub async fn start(google: &Google, audience: &str) -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-google-function-")?;
        fs::copy(source("main.py"), folder.path().join("main.py"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = Command::new(venv("functions-framework"));
        command
            .args(["--target", "verify", "--host", "127.0.0.1", "--port"])
            .arg(address.port().to_string())
            .arg("--source")
            .arg(folder.path().join("main.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("CERTS", format!("http://{}/certs", google.address()))
            .env("AUDIENCE", audience)
            .current_dir(folder.path());
        let mut process = Process::start(command, &folder.path().join("function.log"))
            .context("no functions-framework: run `scripts/setup tests`")?;
        until("functions-framework", || {
            let alive = process.check_alive();
            async move {
                alive?;
                let answer = Admin::new(address).ask("/").await;
                Ok(matches!(answer, Ok((401, _))).then_some(()))
            }
        })
        .await?;
        Ok(Self {
            address,
            _process: process,
            _folder: folder,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
