//! `tenon up`: the control plane and an Envoy that it configures.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use tenon_bootstrap::BootstrapOptions;
use tenon_translate::{ProxyName, ResourceType, Translator};
use tenon_xds::Served;
use tokio::sync::watch;

use crate::admin;
use crate::cli::{ControlArgs, Filter};
use crate::envoy::{self, ActiveListener, Envoy, EnvoyOptions};
use crate::module;
use crate::serve::{ControlPlane, Shared, Signals};

#[derive(Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
    /// The Envoy to run [default: the one that `make` installed, else envoy on PATH].
    #[arg(long, env = "TENON_ENVOY", value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// Envoy's own admin endpoint; port 0 takes any.
    #[arg(long, default_value = "127.0.0.1:19901", value_name = "ADDR")]
    pub(crate) envoy_admin_addr: SocketAddr,
    /// How much Envoy itself logs: trace, debug, info, warning, error, critical, off.
    #[arg(long, default_value = "warning", value_name = "LEVEL")]
    envoy_log_level: String,
    /// Which Gloo proxy this Envoy is: `gateway-proxy`, or, of a folder with one gateway of the Gateway API and no other,
    /// that one's.
    #[arg(long, value_name = "NAME")]
    pub(crate) proxy: Option<String>,
    /// The port of the default Gateway, on 127.0.0.1, for folders without any.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    port: u16,
}

/// The proxy of gateways that name none, and of the default one.
const DEFAULT_PROXY: &str = "gateway-proxy";

pub(crate) async fn run(args: UpArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let found = module::find(&args.control.filter);
    if !found.exists {
        bail!(
            "{} is not there; `make build` builds it, --module names another",
            found.path.display()
        );
    }
    let Some(path) = args.envoy.clone().or_else(tenon_bootstrap::find_envoy) else {
        bail!("no Envoy found; `make setup` installs one, --envoy names another");
    };
    let default_bind = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), args.port);
    let translator = Translator::new(found.options(default_bind));
    let version = tokio::task::block_in_place(|| tenon_bootstrap::require_envoy_version(&path))?;
    tracing::debug!(envoy = %path.display(), version, "found Envoy");
    let mut control = ControlPlane::start(&args.control, None, translator).await?;
    control.shared.live.clone().wait_for(|live| *live).await?;
    let proxy = args.proxy.unwrap_or_else(|| {
        let only = control.shared.cache.only_proxy();
        // Only those of the Gateway API have names that nobody gave them.
        let only = only.filter(|name| name.contains('~'));
        only.unwrap_or_else(|| DEFAULT_PROXY.to_owned())
    });
    if !control.shared.cache.has_proxy(&proxy) {
        tracing::error!(
            proxy,
            "no Gateway has this proxy among its proxyNames; not ready until an edit helps"
        );
    }
    check_ports(&control.shared, &proxy)?;
    let options = EnvoyOptions {
        path,
        bootstrap: BootstrapOptions {
            node_id: format!("{proxy}-{}", std::process::id()),
            node_cluster: proxy.clone(),
            role: format!("gloo-system~{proxy}"),
            xds_addr: reachable(control.xds),
            admin_addr: args.envoy_admin_addr,
            delta: true,
        },
        modules: (args.control.filter.filter == Filter::So)
            .then(|| found.path.parent().map(PathBuf::from))
            .flatten(),
        log_level: args.envoy_log_level,
    };
    let mut envoy = Envoy::start(&options).await?;
    let outcome = tokio::select! {
        outcome = serve(&mut control, &mut envoy, &proxy) => outcome,
        name = signals.next() => {
            tracing::info!(signal = name, "draining Envoy");
            Ok(())
        }
    };
    let again = async {
        signals.next().await;
    };
    let stopped = envoy.stop(again).await;
    control.stop().await;
    outcome.and(stopped)?;
    Ok(ExitCode::SUCCESS)
}

/// Tells when Envoy serves, and then runs until something ends by itself.
async fn serve(control: &mut ControlPlane, envoy: &mut Envoy, proxy: &str) -> anyhow::Result<()> {
    let ready = ready(
        control.settled.clone(),
        control.shared.clone(),
        envoy.admin,
        proxy,
    );
    let listeners = tokio::select! {
        // Its admin endpoint fails when Envoy ends, which says more.
        biased;
        status = envoy.ended() => bail!("envoy ended: {}", status?),
        ended = control.ended() => return ended.context("the control plane ended"),
        listeners = ready => listeners?,
    };
    if listeners.is_empty() {
        tracing::warn!("there is no listener to serve; /status of the admin endpoint says why");
    }
    announce(control, envoy, &listeners)?;
    tokio::select! {
        status = envoy.ended() => bail!("envoy ended: {}", status?),
        ended = control.ended() => ended.context("the control plane ended"),
    }
}

/// Envoy binds with SO_REUSEPORT: it would share the port of another Envoy, which then answers a part of the requests
/// with what it has. So that a port is free is seen to before Envoy starts.
fn check_ports(shared: &Shared, proxy: &str) -> anyhow::Result<()> {
    for served in wanted(shared, proxy) {
        let Some(address) = bind_address(&served).filter(|address| address.port() != 0) else {
            continue;
        };
        // What else is wrong with an address is for Envoy to say, in the status of its Gateway.
        if let Err(error) = std::net::TcpListener::bind(address)
            && error.kind() == std::io::ErrorKind::AddrInUse
        {
            match served.provenance().first() {
                Some(gateway) => bail!("cannot listen on {address}, as {gateway} asks: {error}"),
                None => bail!("cannot listen on {address}: {error}; --port chooses another port"),
            }
        }
    }
    Ok(())
}

fn bind_address(served: &Served) -> Option<SocketAddr> {
    let listener = admin::resource(served)?;
    let socket = listener.pointer("/address/socketAddress")?;
    let port = socket.get("portValue")?.as_u64()?;
    let ip = socket.get("address")?.as_str()?.parse().ok()?;
    Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}

/// The listeners of a proxy.
fn wanted(shared: &Shared, proxy: &str) -> impl Iterator<Item = Served> {
    let served = shared.cache.served().into_iter();
    served.filter(move |served| served.kind == ResourceType::Listener && *served.proxy == *proxy)
}

/// Waits until Envoy has answered to the full configuration and serves all of its listeners that it does not refuse. If
/// it refuses all of them, an edit may help.
async fn ready(
    mut settled: watch::Receiver<BTreeMap<ProxyName, usize>>,
    shared: Arc<Shared>,
    admin: SocketAddr,
    proxy: &str,
) -> anyhow::Result<Vec<ActiveListener>> {
    settled
        .wait_for(|settled| settled.contains_key(proxy))
        .await?;
    let mut told = false;
    let is_served = |active: &[ActiveListener]| {
        let (refused, taken): (Vec<_>, Vec<_>) =
            wanted(&shared, proxy).partition(|served| shared.cache.is_refused(served));
        if taken.is_empty() && !refused.is_empty() {
            if !told {
                tracing::error!("Envoy refuses every listener; not ready until an edit helps");
            }
            told = true;
            return false;
        }
        let is_active = |served: &Served| active.iter().any(|it| *it.name == *served.name);
        taken.iter().all(is_active)
    };
    envoy::serves(admin, is_served).await
}

/// Prints the one line on stdout that scripts wait for.
fn announce(
    control: &ControlPlane,
    envoy: &Envoy,
    listeners: &[ActiveListener],
) -> anyhow::Result<()> {
    let ready = Ready {
        admin: control.admin,
        xds: control.xds,
        envoy_admin: envoy.admin,
        listeners,
    };
    let line = format!("READY {}\n", serde_json::to_string(&ready)?);
    let mut stdout = std::io::stdout();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    admin: SocketAddr,
    xds: SocketAddr,
    envoy_admin: SocketAddr,
    listeners: &'a [ActiveListener],
}

/// How a client on this machine reaches an address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_has_the_documented_shape() {
        let address = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let listeners = [ActiveListener {
            name: "l".into(),
            address: address(4),
        }];
        let ready = Ready {
            admin: address(1),
            xds: address(2),
            envoy_admin: address(3),
            listeners: &listeners,
        };
        assert_eq!(
            serde_json::to_string(&ready).unwrap(),
            r#"{"admin":"127.0.0.1:1","xds":"127.0.0.1:2","envoyAdmin":"127.0.0.1:3","listeners":[{"name":"l","address":"127.0.0.1:4"}]}"#
        );
    }

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        for (bound, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), reached);
        }
    }
}
