//! What the pinned Envoy says to its bootstrap. Needs an Envoy: without one it says so, and fails in CI.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use tenon_bootstrap::{BootstrapOptions, bootstrap, find_envoy, require_envoy_version};

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn envoy() -> Option<PathBuf> {
    let found = find_envoy();
    if found.is_none() {
        assert!(env::var_os("CI").is_none(), "CI without an Envoy");
        eprintln!("skipped: no Envoy here; `make setup` installs one");
    }
    found
}

#[test]
fn envoy_accepts_the_bootstrap() {
    let Some(envoy) = envoy() else {
        return;
    };
    for delta in [true, false] {
        let config = bootstrap(&BootstrapOptions {
            node_id: "gateway-1".into(),
            node_cluster: "gateway".into(),
            role: "gloo-system~gateway-proxy".into(),
            xds_addr: "127.0.0.1:9977".parse().unwrap(),
            admin_addr: "127.0.0.1:0".parse().unwrap(),
            delta,
        });
        let output = Command::new(&envoy)
            .args([
                "--mode",
                "validate",
                "-l",
                "warning",
                "--config-yaml",
                &config,
            ])
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        assert!(!log.contains("deprecated"), "{log}");
    }
}

#[test]
fn the_installed_envoy_can_load_the_filters() {
    let Some(envoy) = envoy() else {
        return;
    };
    require_envoy_version(&envoy).unwrap();
}
