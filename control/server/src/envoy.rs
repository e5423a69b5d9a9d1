//! An Envoy process of our own.
//!
//! It is in a process group of its own and is not tied to ours: if the control plane is killed, it goes on serving what
//! it has. Only an orderly end of `tenon up` stops it.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Between two looks at something that Envoy does not announce.
const POLL: Duration = Duration::from_millis(20);
/// How long running requests may take when Envoy stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How long Envoy may take to stop after that.
const STOP: Duration = Duration::from_secs(5);
/// Answers of the admin endpoint come at once, or never.
const ANSWER: Duration = Duration::from_secs(10);

/// How to start an Envoy.
pub(crate) struct EnvoyOptions {
    pub(crate) path: PathBuf,
    pub(crate) bootstrap: BootstrapOptions,
    /// The folder of the dynamic module.
    pub(crate) modules: Option<PathBuf>,
    /// The level of Envoy's own log.
    pub(crate) log_level: String,
}

/// A listener that Envoy serves.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ActiveListener {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
}

/// A running Envoy.
pub(crate) struct Envoy {
    child: Child,
    pub(crate) admin: SocketAddr,
    /// Holds its bootstrap.
    _folder: TempDir,
}

impl Envoy {
    /// Starts an Envoy; returns once its admin endpoint is there.
    pub(crate) async fn start(options: &EnvoyOptions) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tenon-envoy-").tempdir()?;
        let config = folder.path().join("bootstrap.json");
        std::fs::write(&config, bootstrap(&options.bootstrap))?;
        let admin_path = folder.path().join("admin-address");
        let mut command = Command::new(&options.path);
        command
            .arg("-c")
            .arg(&config)
            .arg("--admin-address-path")
            .arg(&admin_path)
            .args(["--disable-hot-restart", "--log-level", &options.log_level])
            .args(["--drain-time-s", &DRAIN.as_secs().to_string()])
            .args(["--drain-strategy", "immediate"])
            .stdin(Stdio::null())
            // Our stdout is for the READY line alone; access logs on Envoy's stdout go where logs go.
            .stdout(std::io::stderr().as_fd().try_clone_to_owned()?)
            // Ctrl-C reaches the whole group of a terminal; Envoy is to be drained first.
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            if is_ours(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        if let Some(modules) = &options.modules {
            command.env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", modules);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", options.path.display()))?;
        let admin = match admin_address(&mut child, &admin_path).await {
            Ok(admin) => admin,
            Err(error) => {
                let _ = child.kill().await;
                return Err(error);
            }
        };
        Ok(Self {
            child,
            admin,
            _folder: folder,
        })
    }

    /// Ends when the process does.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Takes no more connections, lets running requests end, and stops Envoy. `hurry` cuts that short.
    pub(crate) async fn stop(mut self, hurry: impl Future<Output = ()>) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            tracing::debug!(%status, "envoy has ended already");
            return Ok(());
        }
        tokio::select! {
            result = self.drain() => if let Err(error) = result {
                tracing::warn!("cannot drain Envoy: {error:#}");
            },
            () = hurry => tracing::warn!("not waiting for running requests"),
        }
        if let Err(error) = call(self.admin, Method::POST, "/quitquitquit").await {
            tracing::warn!("{error:#}");
        }
        match tokio::time::timeout(STOP, self.child.wait()).await {
            Ok(status) => tracing::info!(status = %status?, "envoy stopped"),
            Err(_) => {
                tracing::warn!("envoy does not stop; killing it");
                self.child.kill().await?;
            }
        }
        Ok(())
    }

    async fn drain(&self) -> anyhow::Result<()> {
        // Connections that are used get "connection: close" from now on.
        call(self.admin, Method::POST, "/healthcheck/fail").await?;
        call(self.admin, Method::POST, "/drain_listeners").await?;
        let latest = Instant::now() + DRAIN;
        while Instant::now() < latest {
            let path = "/stats?usedonly&filter=downstream_rq_active$";
            let (_, text) = call(self.admin, Method::GET, path).await?;
            if active_requests(&text) == 0 {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        tracing::warn!(after = ?DRAIN, "requests are still running");
        Ok(())
    }
}

/// Waits until Envoy is live and serves the listeners that it should.
pub(crate) async fn serves(
    admin: SocketAddr,
    mut is_enough: impl FnMut(&[ActiveListener]) -> bool,
) -> anyhow::Result<Vec<ActiveListener>> {
    loop {
        let (status, _) = call(admin, Method::GET, "/ready").await?;
        if status == StatusCode::OK {
            let (_, text) = call(admin, Method::GET, "/listeners?format=json").await?;
            let active = active_listeners(&text)?;
            if is_enough(&active) {
                return Ok(active);
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether a variable of the environment is for the control plane alone. Its credentials must not be where a route could
/// put them into a header, with `%ENVIRONMENT(…)%`.
fn is_ours(name: &str) -> bool {
    ["AWS_", "AZURE_", "GOOGLE_", "TENON_", "VAULT_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

async fn admin_address(child: &mut Child, path: &Path) -> anyhow::Result<SocketAddr> {
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("envoy ended at its start: {status}");
        }
        if let Ok(text) = std::fs::read_to_string(path)
            && let Ok(address) = text.trim().parse()
        {
            return Ok(address);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn call(
    address: SocketAddr,
    method: Method,
    path: &str,
) -> anyhow::Result<(StatusCode, String)> {
    let answer = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Its errors are those of the request.
        tokio::spawn(connection);
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string())
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let answer = tokio::time::timeout(ANSWER, answer).await;
    answer
        .context("no answer")
        .flatten()
        .with_context(|| format!("envoy's admin endpoint {address}{path}"))
}

#[derive(Deserialize)]
struct Listeners {
    #[serde(default)]
    listener_statuses: Vec<ListenerStatus>,
}

#[derive(Deserialize)]
struct ListenerStatus {
    name: String,
    local_address: Address,
}

#[derive(Deserialize)]
struct Address {
    socket_address: Option<SocketAddress>,
}

#[derive(Deserialize)]
struct SocketAddress {
    address: String,
    port_value: u16,
}

fn active_listeners(text: &str) -> anyhow::Result<Vec<ActiveListener>> {
    let listeners: Listeners = serde_json::from_str(text).context("envoy's /listeners")?;
    let active = listeners
        .listener_statuses
        .into_iter()
        .filter_map(|status| {
            let socket = status.local_address.socket_address?;
            let address = SocketAddr::new(socket.address.parse().ok()?, socket.port_value);
            Some(ActiveListener {
                name: status.name,
                address,
            })
        });
    Ok(active.collect())
}

/// The running requests of all listeners; the admin endpoint's own request is one of them and does not count.
fn active_requests(stats: &str) -> u64 {
    stats
        .lines()
        .filter(|line| !line.starts_with("http.admin."))
        .filter_map(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_of_the_control_plane_are_not_envoys() {
        assert!(is_ours("AWS_SECRET_ACCESS_KEY"));
        assert!(!is_ours("ENVOY_DYNAMIC_MODULES_SEARCH_PATH") && !is_ours("PATH"));
    }

    #[test]
    fn active_listeners_are_read() {
        let text = r#"{"listener_statuses":[
            {"name":"listener-::-8080","local_address":{"socket_address":{"address":"127.0.0.1","port_value":8080}}},
            {"name":"pipe","local_address":{"pipe":{"path":"/p"}}}]}"#;
        let expected = ActiveListener {
            name: "listener-::-8080".into(),
            address: "127.0.0.1:8080".parse().unwrap(),
        };
        assert_eq!(active_listeners(text).unwrap(), [expected]);
        assert_eq!(active_listeners("{}").unwrap(), []);
    }

    #[test]
    fn running_requests_are_counted_without_our_own() {
        let stats = "http.admin.downstream_rq_active: 1\nhttp.http.downstream_rq_active: 2\n\
                     cluster_x.downstream_rq_active: 3\n";
        assert_eq!(active_requests(stats), 5);
    }
}
