use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Weak};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Request};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::admin::Admin;
use crate::client::{Client, Response, post};
use crate::deadline::until;
use crate::process::{Process, free_port};
use crate::sigv4::{AccessKey, sign};

const REGION: &str = "us-east-1";
const ROLE: &str = "arn:aws:iam::000000000000:role/function";

/// A real implementation of Lambda that Tenon's authors did not write: it verifies signatures and runs Python functions. It
/// knows no payload limit, and no bodies that are not UTF-8; the [`LambdaDouble`](crate::LambdaDouble) does.
#[derive(Debug)]
pub struct Ministack {
    address: SocketAddr,
    key: AccessKey,
    folder: TempDir,
    /// The names of those that tests share.
    functions: Mutex<BTreeSet<String>>,
    _process: Process,
}

/// The one of this process, as long as a test holds it: a static one would never be dropped, and its process outlive ours.
static SHARED: Mutex<Weak<Ministack>> = Mutex::const_new(Weak::new());

impl Ministack {
    /// The one that the tests of this process share; it ends when the last of them has dropped it.
    ///
    /// # Errors
    /// It is not installed, or does not start within the deadline.
    pub async fn shared() -> Result<Arc<Self>> {
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(Self::start().await?);
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    /// One of its own.
    ///
    /// # Errors
    /// It is not installed, or does not start within the deadline.
    pub async fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-ministack-")?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = Command::new(program());
        command
            .env("AUTH", "true")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            .env("SERVICES", "ec2,iam,lambda,sts")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("TMPDIR", folder.path());
        let mut process = Process::start(command, &folder.path().join("ministack.log"))
            .context("no ministack: run `make setup`")?;
        until("ministack", || {
            let alive = process.check_alive();
            async move {
                alive?;
                let answer = Admin::new(address).ask("/_ministack/health").await;
                Ok(matches!(answer, Ok((200, _))).then_some(()))
            }
        })
        .await?;
        let key = create_user(address).await?;
        Ok(Self {
            address,
            key,
            folder,
            functions: Mutex::default(),
            _process: process,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The access key of a user who may call every function. (The signatures of the root account are not verified.)
    pub fn key(&self) -> &AccessKey {
        &self.key
    }

    /// Creates a function in Python: `source` has a `handler(event, context)`. An exception ends the function's process, and
    /// what it kept in globals.
    ///
    /// # Errors
    /// There is one of this name already, or the source cannot be packed.
    pub async fn create_function(&self, name: &str, source: &str) -> Result<()> {
        let body = json!({
            "FunctionName": name,
            "Runtime": "python3.12",
            "Handler": "function.handler",
            "Role": ROLE,
            "Code": {"ZipFile": STANDARD.encode(self.zip(name, source)?)},
            "Timeout": 30,
        });
        let json = "application/json";
        let path = "/2015-03-31/functions";
        call(
            self.address,
            &self.key,
            "lambda",
            path,
            json,
            body.to_string(),
        )
        .await?;
        Ok(())
    }

    /// Creates a function that several tests share, unless one of them has done so.
    ///
    /// # Errors
    /// As [`Ministack::create_function`].
    pub async fn ensure_function(&self, name: &str, source: &str) -> Result<()> {
        let mut functions = self.functions.lock().await;
        if !functions.contains(name) {
            self.create_function(name, source).await?;
            functions.insert(name.to_owned());
        }
        Ok(())
    }

    /// Starts an instance of EC2 that exists in its answers only; its id.
    ///
    /// # Errors
    /// The service refuses it.
    pub async fn run_instance(&self, ip: IpAddr, tags: &[(&str, &str)]) -> Result<String> {
        let mut query = format!(
            "Action=RunInstances&ImageId=ami-1&MinCount=1&MaxCount=1&PrivateIpAddress={ip}&TagSpecification.1.ResourceType=instance"
        );
        for (number, (key, value)) in (1..).zip(tags) {
            let tag = format!("TagSpecification.1.Tag.{number}");
            query += &format!("&{tag}.Key={key}&{tag}.Value={value}");
        }
        let answer = self.ec2(&query).await?;
        Ok(element(&answer.text(), "instanceId")?.to_owned())
    }

    /// Stops an instance.
    ///
    /// # Errors
    /// There is none.
    pub async fn stop_instance(&self, id: &str) -> Result<()> {
        let query = format!("Action=StopInstances&InstanceId.1={id}");
        self.ec2(&query).await.map(drop)
    }

    /// As the root account, whose signatures are not verified.
    async fn ec2(&self, query: &str) -> Result<Response> {
        let form = "application/x-www-form-urlencoded";
        let body = format!("Version=2016-11-15&{query}");
        let root = AccessKey::new("test", "test");
        call(self.address, &root, "ec2", "/", form, body).await
    }

    /// Packs a function with Python's own command for it.
    fn zip(&self, name: &str, source: &str) -> Result<Vec<u8>> {
        let folder = self.folder.path().join(format!("code-of-{name}"));
        fs::create_dir(&folder).with_context(|| format!("function {name}"))?;
        fs::write(folder.join("function.py"), source)?;
        let status = Command::new("python3")
            .args(["-m", "zipfile", "-c", "code.zip", "function.py"])
            .current_dir(&folder)
            .status()?;
        ensure!(status.success(), "python3 -m zipfile: {status}");
        Ok(fs::read(folder.join("code.zip"))?)
    }
}

fn program() -> OsString {
    std::env::var_os("TENON_MINISTACK").unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../.tenon/bin/ministack")
            .into()
    })
}

async fn create_user(address: SocketAddr) -> Result<AccessKey> {
    let root = AccessKey::new("test", "test");
    let iam = |query: &'static str| {
        let root = &root;
        async move {
            let form = "application/x-www-form-urlencoded";
            let body = format!("Version=2010-05-08&{query}");
            call(address, root, "iam", "/", form, body).await
        }
    };
    iam("Action=CreateRole&RoleName=function&AssumeRolePolicyDocument=%7B%7D").await?;
    iam("Action=CreateUser&UserName=gateway").await?;
    iam(concat!(
        "Action=PutUserPolicy&UserName=gateway&PolicyName=call&PolicyDocument=",
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C",
        "%22Action%22%3A%5B%22lambda%3A%2A%22%2C%22ec2%3ADescribeInstances%22%5D%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"
    ))
    .await?;
    let key = iam("Action=CreateAccessKey&UserName=gateway").await?.text();
    Ok(AccessKey::new(
        element(&key, "AccessKeyId")?,
        element(&key, "SecretAccessKey")?,
    ))
}

fn element<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
    let inside = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    Ok(inside
        .with_context(|| format!("no {name} in the answer"))?
        .0)
}

async fn call(
    address: SocketAddr,
    key: &AccessKey,
    service: &str,
    path: &str,
    content_type: &'static str,
    body: String,
) -> Result<Response> {
    let mut signed = Request::post(path)
        .header("host", address.to_string())
        .header("content-type", content_type)
        .body(body.clone())?;
    sign(&mut signed, key, REGION, service)?;
    let mut request = post(path, body);
    *request.headers_mut() = signed.headers().clone();
    request
        .headers_mut()
        .insert("connection", HeaderValue::from_static("close"));
    let response = Client::http1(address).await?.send(request).await?;
    ensure!(
        (200..300).contains(&response.status),
        "{service} {path}: {} {}",
        response.status,
        response.text()
    );
    Ok(response)
}
