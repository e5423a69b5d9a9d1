use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::process::*;

/// What `tenon up` asks of an Envoy before it is started.
const ENVOY: &str = "#!/bin/sh\necho 'envoy  version: 0/1.40.0/Clean/RELEASE/BoringSSL'\n";

fn up(port: u16, envoy: &str) -> (Option<i32>, String) {
    let folder = folder(&[("a.yaml", UPSTREAM), ("envoy", envoy), ("libtenon.so", "")]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::set_permissions(path("envoy"), fs::Permissions::from_mode(0o755)).unwrap();
    let any = "127.0.0.1:0";
    let port = port.to_string();
    let output = tenon(&[
        "up",
        "-f",
        &path(""),
        "--envoy",
        &path("envoy"),
        "--module",
        &path("libtenon.so"),
        "--state-dir",
        &path("state"),
        "--port",
        &port,
        "--admin-addr",
        any,
        "--xds-addr",
        any,
        "--envoy-admin-addr",
        any,
    ]);
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    (output.status.code(), text(&output.stderr))
}

#[test]
fn up_says_that_a_port_is_in_use_and_exits_with_3() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let (code, log) = up(address.port(), ENVOY);
    assert_eq!(code, Some(3), "{log}");
    let expected = format!("cannot listen on {address}: ");
    assert!(log.contains(&expected), "{log}");
}

#[test]
fn up_says_that_an_envoy_is_none_or_too_old_and_exits_with_3() {
    let (code, log) = up(0, "#!/bin/sh\necho hello\n");
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("is no Envoy"), "{log}");
    let (code, log) = up(0, &ENVOY.replace("1.40.0", "1.39.2"));
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("is Envoy 1.39.2"), "{log}");
}

#[test]
fn an_empty_log_filter_hides_no_errors() {
    let output = tenon(&["--log", "", "check", "-f", "/nowhere/at/all"]);
    assert!(text(&output.stderr).contains("/nowhere/at/all"));
}
