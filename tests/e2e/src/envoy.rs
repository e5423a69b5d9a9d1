use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tenon_bootstrap::{find_envoy, require_envoy_version};

use crate::admin::Admin;
use crate::deadline::until;
use crate::process::Process;

/// Merged over every configuration: an admin endpoint on loopback, on any free port.
const ADMIN: &str =
    r#"{"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}"#;

/// How to start an Envoy.
#[derive(Debug, Clone)]
pub struct EnvoyOptions {
    /// Worker threads; one by default.
    pub concurrency: u32,
    /// `--log-level`; `info` by default.
    pub log_level: String,
    /// `--component-log-level`, as `config:info`; none by default.
    pub component_log_level: String,
    /// How long connections of a listener that is changed may go on, in seconds; one by default. HTTP/2 is told five seconds
    /// before the end.
    pub drain_seconds: u32,
    /// Further environment. Modules are searched in `dist/` as long as this does not say otherwise.
    pub environment: Vec<(String, String)>,
}

impl Default for EnvoyOptions {
    fn default() -> Self {
        Self {
            concurrency: 1,
            log_level: "info".into(),
            component_log_level: String::new(),
            drain_seconds: 1,
            environment: Vec::new(),
        }
    }
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: Admin,
    _folder: TempDir,
}

impl Envoy {
    /// Starts the pinned Envoy on a configuration (YAML or JSON) and waits until it is live. Let its listeners have port 0
    /// and ask [`Envoy::listener`]; an admin endpoint is added.
    ///
    /// # Errors
    /// There is no Envoy, it refuses the configuration, or is not live within the deadline; with the end of its log.
    pub async fn start(config: &str) -> Result<Self> {
        Self::start_with(config, &EnvoyOptions::default()).await
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As [`Envoy::start`].
    pub async fn start_with(config: &str, options: &EnvoyOptions) -> Result<Self> {
        let mut envoy = Self::launch(config, options).await?;
        envoy.live().await?;
        Ok(envoy)
    }

    /// Starts an Envoy without waiting until it is live, as one that has to find its control plane first.
    ///
    /// # Errors
    /// There is no Envoy, or it refuses the configuration.
    pub async fn launch(config: &str, options: &EnvoyOptions) -> Result<Self> {
        let binary = find_envoy().context("no Envoy: run `make setup`")?;
        require_envoy_version(&binary)?;
        let folder = TempDir::with_prefix("tenon-envoy-")?;
        let config_file = folder.path().join("envoy.yaml");
        let admin_file = folder.path().join("admin");
        fs::write(&config_file, config)?;
        let mut command = Command::new(binary);
        command
            .arg("-c")
            .arg(&config_file)
            .args(["--config-yaml", ADMIN])
            .arg("--admin-address-path")
            .arg(&admin_file)
            .args(["--concurrency", &options.concurrency.to_string()])
            .args(["--log-level", &options.log_level])
            .args(["--component-log-level", &options.component_log_level])
            .arg("--disable-hot-restart")
            .args(["--drain-time-s", &options.drain_seconds.to_string()])
            // Access logs are read while it runs.
            .args(["--file-flush-interval-msec", "10"])
            .env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", modules())
            .envs(
                options
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(folder.path());
        let mut process = Process::start(command, &folder.path().join("envoy.log"))?;
        let admin = Admin::new(admin_address(&mut process, &admin_file).await?);
        Ok(Self {
            process,
            admin,
            _folder: folder,
        })
    }

    /// Waits until it is live: all that its first configuration needs has come.
    ///
    /// # Errors
    /// It ended, or is not live within the deadline; with the end of its log.
    pub async fn live(&mut self) -> Result<()> {
        let (admin, process) = (self.admin, &mut self.process);
        until("a live Envoy", || {
            let alive = process.check_alive();
            async move {
                alive?;
                Ok(matches!(admin.ask("/ready").await, Ok((200, _))).then_some(()))
            }
        })
        .await
        .with_context(|| self.process.log())
    }

    /// Its admin endpoint.
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// Where the listener of this name listens, once it does.
    ///
    /// # Errors
    /// It does not within the deadline.
    pub async fn listener(&self, name: &str) -> Result<SocketAddr> {
        self.admin.listener(name).await
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn modules() -> std::ffi::OsString {
    std::env::var_os("TENON_DIST").unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../dist")
            .into()
    })
}

async fn admin_address(process: &mut Process, file: &Path) -> Result<SocketAddr> {
    until("Envoy's admin endpoint", || {
        let alive = process.check_alive();
        async move {
            alive?;
            // Not there yet, or not written in full yet: both are no address.
            Ok(fs::read_to_string(file)
                .ok()
                .and_then(|address| address.trim().parse().ok()))
        }
    })
    .await
}
