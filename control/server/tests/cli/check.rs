use crate::process::*;

#[test]
fn check_tells_the_status_of_each_resource_and_exits_with_0() {
    let folder = folder(&[("a.yaml", UPSTREAM)]);
    let output = tenon(&["check", "-f", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("Accepted  Upstream default/web\n"));
}

#[test]
fn check_exits_with_1_if_something_is_rejected_and_says_where() {
    let folder = folder(&[("a.yaml", UPSTREAM), ("b.yaml", BROKEN_UPSTREAM)]);
    let output = tenon(&["check", "-f", folder.path().to_str().unwrap(), "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains(r#""state": "Rejected""#), "{shown}");
    assert!(
        shown.contains(r#""field": "spec.static.hosts[0].port""#),
        "{shown}"
    );
}

#[test]
fn check_exits_with_1_if_a_file_says_nothing() {
    let folder = folder(&[("a.yaml", "kind: [")]);
    let output = tenon(&["check", "-f", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("a.yaml: "));
}

#[test]
fn wrong_usage_exits_with_2_and_a_missing_folder_with_3() {
    assert_eq!(tenon(&["check", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(tenon(&["--log", "a=b=c", "check"]).status.code(), Some(2));
    let output = tenon(&["check", "-f", "/nowhere/at/all"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("/nowhere/at/all"));
}

#[test]
fn translate_shows_the_resources_and_no_secret() {
    let folder = folder(&[
        ("upstreams.yaml", UPSTREAM),
        ("functions.yaml", FUNCTIONS),
        ("secret.yaml", SECRET),
        ("routes.yaml", ROUTES),
    ]);
    for format in ["json", "yaml"] {
        let path = folder.path().to_str().unwrap();
        let output = tenon(&["translate", "-f", path, "-o", format]);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        for part in ["web_default", "fn_default", "[redacted]", "@type"] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        for secret in SECRET_VALUES {
            assert!(!shown.contains(secret), "{secret}\n{shown}");
        }
    }
}

#[test]
fn translate_tells_rejected_resources_on_stderr() {
    let folder = folder(&[("a.yaml", UPSTREAM), ("b.yaml", BROKEN_UPSTREAM)]);
    let output = tenon(&["translate", "-f", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("Rejected  Upstream default/broken\n"));
}

#[test]
fn help_has_examples() {
    for command in ["up", "serve"] {
        let output = tenon(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("gateway-proxy"));
    }
    assert!(text(&tenon(&["--help"]).stdout).contains("tenon up -f"));
}
