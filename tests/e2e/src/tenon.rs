use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::admin::Admin;
use crate::deadline::within;
use crate::process::{Process, artefact, free_port};

/// How long `tenon up` may take to drain Envoy when it is dropped.
const GRACE: Duration = Duration::from_secs(10);

/// Which host carries the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// `libtenon.so`
    So,
    /// `tenon.wasm`
    Wasm,
}

impl Filter {
    /// Both.
    pub const ALL: [Self; 2] = [Self::So, Self::Wasm];

    /// As `--filter` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::So => "so",
            Self::Wasm => "wasm",
        }
    }

    /// The file in `dist/`.
    ///
    /// # Errors
    /// It is not built.
    pub fn artefact(self) -> Result<PathBuf> {
        artefact(match self {
            Self::So => "libtenon.so",
            Self::Wasm => "tenon.wasm",
        })
    }
}

/// What `tenon up` says on its standard output once Envoy serves.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Tenon's own endpoint.
    pub admin: SocketAddr,
    /// Where it serves ADS.
    pub xds: SocketAddr,
    /// Envoy's admin endpoint.
    pub envoy_admin: SocketAddr,
    /// Envoy's listeners.
    pub listeners: Vec<Listener>,
}

/// A listener of Envoy's.
#[derive(Debug, Clone, Deserialize)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// How to start Tenon.
#[derive(Debug, Clone)]
pub struct TenonOptions {
    /// The folder of resources.
    pub config: PathBuf,
    /// Which host carries the filters.
    pub filter: Filter,
    /// Where last good resources are kept; in a folder of its own where this says nothing.
    pub state: Option<PathBuf>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further environment.
    pub environment: Vec<(String, String)>,
}

impl TenonOptions {
    /// A folder of resources, and a host.
    pub fn new(config: &Path, filter: Filter) -> Self {
        Self {
            config: config.to_owned(),
            filter,
            state: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    fn command(&self, subcommand: &str, folder: &Path) -> Result<Command> {
        let state = self.state.clone().unwrap_or_else(|| folder.join("state"));
        let mut command = Command::new(artefact("tenon")?);
        command
            .arg(subcommand)
            .arg("--config")
            .arg(&self.config)
            .arg("--state-dir")
            .arg(state)
            .args(["--filter", self.filter.name()])
            .arg("--module")
            .arg(self.filter.artefact()?)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// A running `tenon serve`, or `tenon up` with its Envoy.
#[derive(Debug)]
pub struct Tenon {
    process: Process,
    ready: Ready,
    folder: TempDir,
    options: TenonOptions,
}

impl Tenon {
    /// Starts the control plane and an Envoy over a folder of resources, and waits until Envoy serves them.
    ///
    /// # Errors
    /// Not built, or not ready within the deadline; with the end of its log.
    pub async fn up(config: &Path, filter: Filter) -> Result<Self> {
        Self::up_with(TenonOptions::new(config, filter)).await
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As [`Tenon::up`].
    pub async fn up_with(options: TenonOptions) -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-up-")?;
        let mut command = options.command("up", folder.path())?;
        for flag in ["--admin-addr", "--xds-addr", "--envoy-admin-addr"] {
            command.args([flag, "127.0.0.1:0"]);
        }
        let envoy = tenon_bootstrap::find_envoy().context("no Envoy: run `make setup`")?;
        command.arg("--envoy").arg(envoy);
        let log = folder.path().join("tenon.log");
        let mut process =
            Process::start_with_output(command, &log, Stdio::piped())?.with_grace(GRACE);
        let line = ready_line(&mut process)?;
        let ready = match within("the READY line of tenon up", line).await {
            Ok(Ok(ready)) => ready,
            // Without a line: its standard output is at its end, so it is ending or has ended.
            Ok(Err(_)) => {
                let status = process.ended().await?;
                anyhow::bail!("tenon up ended: {status}\n{}", process.log());
            }
            Err(late) => return Err(late.context(process.log())),
        };
        Ok(Self {
            process,
            ready: serde_json::from_str(&ready).with_context(|| ready)?,
            folder,
            options,
        })
    }

    /// Starts the control plane alone, and waits until it serves. [`Ready::envoy_admin`] and [`Ready::listeners`] mean
    /// nothing then.
    ///
    /// # Errors
    /// Not built, or not ready within the deadline; with the end of its log.
    pub async fn serve(options: TenonOptions) -> Result<Self> {
        // Free ports rather than port 0: a control plane that is started again has to be where its Envoys look for it.
        let address = || Ok::<_, anyhow::Error>(SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        let ready = Ready {
            admin: address()?,
            xds: address()?,
            envoy_admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            listeners: Vec::new(),
        };
        let folder = TempDir::with_prefix("tenon-serve-")?;
        let mut tenon = Self {
            process: start_serve(&options, &folder, &ready)?,
            ready,
            folder,
            options,
        };
        tenon.wait_until_ready().await?;
        Ok(tenon)
    }

    /// Starts a `serve` that was killed again: same addresses, same state.
    ///
    /// # Errors
    /// Not ready within the deadline.
    pub async fn serve_again(&mut self) -> Result<()> {
        self.launch_again()?;
        self.ready_again().await
    }

    /// The same, without waiting until it is ready.
    ///
    /// # Errors
    /// It still runs.
    pub fn launch_again(&mut self) -> Result<()> {
        ensure!(!self.process.is_alive(), "it still runs");
        self.process = start_serve(&self.options, &self.folder, &self.ready)?;
        Ok(())
    }

    /// Waits until one that was launched again is ready.
    ///
    /// # Errors
    /// It is not within the deadline.
    pub async fn ready_again(&mut self) -> Result<()> {
        self.wait_until_ready().await
    }

    /// Where everything listens.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Where its only (or first) listener listens.
    ///
    /// # Errors
    /// There is none.
    pub fn listener(&self) -> Result<SocketAddr> {
        let listener = self.ready.listeners.first().context("no listener")?;
        Ok(listener.address)
    }

    /// Tenon's own endpoint.
    pub fn admin(&self) -> Admin {
        Admin::new(self.ready.admin)
    }

    /// Envoy's admin endpoint, of an `up`.
    pub fn envoy_admin(&self) -> Admin {
        Admin::new(self.ready.envoy_admin)
    }

    /// The statuses of all resources.
    ///
    /// # Errors
    /// No answer.
    pub async fn status(&self) -> Result<Value> {
        self.admin().json("/status").await
    }

    /// Its process; Envoy is another one.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it as Ctrl-C does, and waits.
    ///
    /// # Errors
    /// It does not end within the deadline.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.process.terminate()?;
        self.process.ended().await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (admin, process) = (self.admin(), &mut self.process);
        crate::deadline::until("a ready control plane", || {
            let alive = process.check_alive();
            async move {
                alive?;
                Ok(matches!(admin.ask("/readyz").await, Ok((200, _))).then_some(()))
            }
        })
        .await
        .with_context(|| self.process.log())
    }
}

fn start_serve(options: &TenonOptions, folder: &TempDir, ready: &Ready) -> Result<Process> {
    let mut command = options.command("serve", folder.path())?;
    command
        .args(["--admin-addr", &ready.admin.to_string()])
        .args(["--xds-addr", &ready.xds.to_string()]);
    Ok(Process::start(command, &folder.path().join("tenon.log"))?.with_grace(GRACE))
}

/// The text after `READY`; an error where the standard output ends without.
fn ready_line(process: &mut Process) -> Result<oneshot::Receiver<String>> {
    let output = process.take_output().context("its output is not piped")?;
    let (sender, receiver) = oneshot::channel();
    // A thread of its own: it reads until the process ends, so that the pipe is never full.
    std::thread::spawn(move || {
        let mut sender = Some(sender);
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let (Some(ready), true) = (line.strip_prefix("READY "), sender.is_some())
                && let Some(sender) = sender.take()
            {
                drop(sender.send(ready.to_owned()));
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &TempDir) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start_with_output(command, &folder.path().join("log"), Stdio::piped()).unwrap()
    }

    #[tokio::test]
    async fn finds_the_ready_line_and_reads_on() {
        let folder = TempDir::new().unwrap();
        let script = r#"echo hello
            printf 'READY {"admin":"127.0.0.1:1","xds":"127.0.0.1:2","envoyAdmin":"127.0.0.1:3",'
            echo '"listeners":[{"name":"a","address":"127.0.0.1:4"}]}'
            seq 100000"#;
        let mut process = shell(script, &folder);
        let line = ready_line(&mut process).unwrap().await.unwrap();
        let ready: Ready = serde_json::from_str(&line).unwrap();
        assert_eq!(ready.envoy_admin, "127.0.0.1:3".parse().unwrap());
        assert_eq!(ready.listeners[0].name, "a");
        assert!(process.ended().await.unwrap().success());
    }

    #[tokio::test]
    async fn the_end_of_the_output_is_no_ready_line() {
        let folder = TempDir::new().unwrap();
        let mut process = shell("echo oh dear >&2; exit 3", &folder);
        assert!(ready_line(&mut process).unwrap().await.is_err());
        assert_eq!(process.ended().await.unwrap().code(), Some(3));
        assert_eq!(process.log(), "oh dear\n");
    }
}
