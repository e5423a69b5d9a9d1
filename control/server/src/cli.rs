//! The command line.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tenon_translate::TranslatorOptions;
use tracing_subscriber::EnvFilter;

use crate::{check, serve, translate, up};

/// Something is Rejected.
pub(crate) const EXIT_REJECTED: u8 = 1;
/// I/O, or the environment.
const EXIT_ENVIRONMENT: u8 = 3;

const DEFAULT_LOG: &str = "info,aws_config=error";

const EXAMPLES: &str = "\
Examples:
  tenon up -f examples/lambda           serve a folder of resources on 127.0.0.1:8080
  tenon check -f examples/lambda        say what is wrong with it, without serving it
  tenon translate -f examples/lambda    show the Envoy configuration that it becomes
  tenon serve -f /etc/tenon             the control plane alone, for Envoys of your own

A folder holds Upstreams, VirtualServices, Gateways and Secrets as YAML or JSON, in the form of Kubernetes
(apiVersion, kind, metadata, spec) or in Gloo's own (upstreams/<namespace>/<name>.yaml). It is watched: an edit is
served at once, and a broken file keeps the last good form of what it holds.

Exit codes: 0 fine, 1 something is Rejected, 2 wrong usage, 3 I/O or environment.";

const EXAMPLES_UP: &str = "\
As soon as Envoy serves the first full configuration, one line is printed on stdout:
  READY {\"admin\":\"127.0.0.1:19000\",…,\"listeners\":[{\"name\":\"…\",\"address\":\"127.0.0.1:8080\"}]}
Then:
  curl -i http://127.0.0.1:8080/        a request through the gateway
  curl http://127.0.0.1:19000/status    what became of each resource
Ctrl-C lets running requests end, then stops Envoy. If tenon itself is killed, Envoy goes on serving what it has.";

const EXAMPLES_SERVE: &str = "\
An Envoy takes its configuration from here if its bootstrap names this address for ADS (delta or state of the world, v3),
and says which proxy it is: node.metadata.role: <namespace>~<proxy>, as gloo-system~gateway-proxy.

Secrets go over ADS: where it is not on loopback, let only Envoys in whose certificates name their proxy
(--xds-tls-cert, --xds-tls-key, --xds-client-ca).

Admin: /healthz /readyz /metrics /status /config. Secrets are shown nowhere.";

/// A function gateway on stock Envoy: routes to services and to functions of cloud providers, from Gloo's resources.
#[derive(Parser)]
#[command(name = "tenon", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log on stderr: a level, or levels by module (`info,tenon_xds=debug`).
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        default_value = DEFAULT_LOG,
        value_name = "FILTER"
    )]
    log: String,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the control plane and an Envoy that it configures.
    #[command(after_help = EXAMPLES_UP)]
    Up(up::UpArgs),
    /// Runs the control plane alone.
    #[command(after_help = EXAMPLES_SERVE)]
    Serve(serve::ServeArgs),
    /// Shows the Envoy resources that a folder becomes; secrets are left out.
    Translate(translate::TranslateArgs),
    /// Shows the status of each resource of a folder; exits with 1 if any is Rejected.
    Check(check::CheckArgs),
}

/// Where the resources are.
#[derive(Args, Clone)]
pub(crate) struct FolderArgs {
    /// Folder of resources; may be given several times.
    #[arg(
        short = 'f',
        long = "config",
        env = "TENON_CONFIG",
        default_value = ".",
        value_name = "DIR"
    )]
    pub(crate) config: Vec<PathBuf>,
}

/// Which host carries the filters.
#[derive(Args, Clone)]
pub(crate) struct FilterArgs {
    /// Which host carries the filters: Envoy's dynamic module or proxy-wasm.
    #[arg(long, env = "FILTER", value_enum, default_value = "so")]
    pub(crate) filter: Filter,
    /// The file of the filters on Envoy's machine [default: beside this binary, then dist/].
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,
    /// With more virtual hosts than this a route table is cut into parts, so that a change costs Envoy one of them; with four
    /// times as many, and so on, into four times as many parts.
    /// Only with the dynamic module.
    #[arg(
        long,
        env = "TENON_PARTS_ABOVE",
        default_value_t = TranslatorOptions::PARTS_ABOVE,
        value_name = "HOSTS"
    )]
    pub(crate) parts_above: usize,
    /// With more routes than this, those of a virtual host are found by a tree of their paths, not one after the other.
    #[arg(
        long,
        env = "TENON_TREES_ABOVE",
        default_value_t = TranslatorOptions::TREES_ABOVE,
        value_name = "ROUTES"
    )]
    pub(crate) trees_above: usize,
    /// Requests get headers of a Secret (`headerSecretRef`) only if it is in the namespace of all upstreams that they go to.
    #[arg(
        long = "header-secret-ref-ns-matches-us",
        env = "HEADER_SECRET_REF_NS_MATCHES_US"
    )]
    pub(crate) header_secrets_of_upstreams_namespace: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Filter {
    So,
    Wasm,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    Text,
    Json,
}

/// Addresses and state of the control plane.
#[derive(Args, Clone)]
pub(crate) struct ControlArgs {
    #[command(flatten)]
    pub(crate) folders: FolderArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Where /healthz, /readyz, /metrics, /status and /config are served; port 0 takes any.
    #[arg(
        long,
        env = "TENON_ADMIN_ADDR",
        default_value = "127.0.0.1:19000",
        value_name = "ADDR"
    )]
    pub(crate) admin_addr: SocketAddr,
    /// Where ADS is served; port 0 takes any.
    #[arg(
        long,
        env = "TENON_XDS_ADDR",
        default_value = "127.0.0.1:9977",
        value_name = "ADDR"
    )]
    pub(crate) xds_addr: SocketAddr,
    /// Folder for the last good form of each resource, secrets included
    /// [default: tenon in the user's state directory].
    #[arg(long, env = "TENON_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// An Envoy on which configuration of a new shape is tried before it is served (`--mode validate`); without one, what
    /// Envoy refuses is found out once it does. Files that the configuration names are looked for on this machine.
    #[arg(long, env = "TENON_CANARY", value_name = "ENVOY")]
    pub(crate) canary: Option<PathBuf>,
    /// How often EC2 is asked which instances of an account there are, in seconds.
    #[arg(
        long,
        env = "TENON_EC2_INTERVAL",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..),
        value_name = "SECONDS"
    )]
    pub(crate) ec2_interval: u32,
    /// Derives everything anew at each change: what `make bench` compares with.
    #[arg(long, hide = true)]
    pub(crate) anew: bool,
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    // An empty variable is as good as none; as a filter, it would hide errors too.
    let log = match cli.log.trim() {
        "" => DEFAULT_LOG,
        log => log,
    };
    let filter = match EnvFilter::try_new(log) {
        Ok(filter) => filter,
        Err(error) => {
            use clap::CommandFactory;
            let text = format!("--log {}: {error}", cli.log);
            Cli::command()
                .error(clap::error::ErrorKind::InvalidValue, text)
                .exit();
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let result = match cli.command {
        Command::Up(args) => in_runtime(up::run(args)),
        Command::Serve(args) => in_runtime(serve::run(args)),
        Command::Translate(args) => translate::run(&args),
        Command::Check(args) => check::run(&args),
    };
    result.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::from(EXIT_ENVIRONMENT)
    })
}

fn in_runtime(task: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let cli = Cli::try_parse_from(["tenon", "up"]).unwrap();
        let Command::Up(args) = cli.command else {
            panic!("not up")
        };
        assert_eq!(args.control.admin_addr.to_string(), "127.0.0.1:19000");
        assert_eq!(args.control.xds_addr.to_string(), "127.0.0.1:9977");
        assert_eq!(args.envoy_admin_addr.to_string(), "127.0.0.1:19901");
        assert_eq!(args.control.filter.filter, Filter::So);
        assert_eq!(args.proxy, None);
    }

    #[test]
    fn folders_may_be_given_several_times() {
        let cli = Cli::try_parse_from(["tenon", "check", "-f", "a", "-f", "b"]).unwrap();
        let Command::Check(args) = cli.command else {
            panic!("not check")
        };
        assert_eq!(
            args.folders.config,
            [PathBuf::from("a"), PathBuf::from("b")]
        );
    }
}
