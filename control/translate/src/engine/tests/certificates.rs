//! Virtual services whose certificate is not there.

use super::*;

const GATEWAY: &str = "gateways/default/gw.yaml\n{bindPort: 8443, ssl: true, httpGateway: {}}";
const CERTIFICATE: &str = "secrets/default/there.yaml
tls:
  certChain: |
    -----BEGIN CERTIFICATE-----
    MIIBqjCCAVCgAwIBAgIUXa+GSCb84TRwkciuGovLOQ0AcoowCgYIKoZIzj0EAwIw
    GzEZMBcGA1UEAwwQdGVub24gdGVzdCByb290czAgFw0yNjExMjIxNTA5MjdaGA8y
    MTI2MTAyOTE1MDkyN1owHjEcMBoGA1UEAwwTZ29sZGVuMS5leGFtcGxlLmNvbTBZ
    MBMGByqGSM49AgEGCCqGSM49AwEHA0IABA30bQmSuZ5tzDIKo0AJCwPpCgHrF+/9
    o/vY0rZUTeT7Q7GjkX94ABywu8aMKqsNBa0vzN7AaCzzaTEj4fZLqXWjbTBrMB4G
    A1UdEQQXMBWCE2dvbGRlbjEuZXhhbXBsZS5jb20wCQYDVR0TBAIwADAdBgNVHQ4E
    FgQUpSdNBkLWLEvFXNqnSvZMR9NZ9A8wHwYDVR0jBBgwFoAU1k5Chc27wlEmJFkz
    x8Fg3MbmtqIwCgYIKoZIzj0EAwIDSAAwRQIgSfIp8qPnyK+MA72D2zl4LeO5DliX
    tXXCTmDI8GFE+qYCIQDfpAROK6SwgXyedWicXw552zjX/kBUo2q0XAVp8Bgxjw==
    -----END CERTIFICATE-----
  privateKey: |
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNty3kaohhkQfufaB
    vwoiJOfR75MDGgxi26f7sdjl6XmhRANCAAQN9G0JkrmebcwyCqNACQsD6QoB6xfv
    /aP72NK2VE3k+0Oxo5F/eAAcsLvGjCqrDQWtL8zewGgs82kxI+H2S6l1
    -----END PRIVATE KEY-----
";

fn with(secret: &str, host: &str) -> String {
    format!(
        "virtualservices/default/a.yaml\n{{sslConfig: {{secretRef: {{name: {secret}}}}}, virtualHost: {{domains: [a.example.com], routes: [{{routeAction: {{single: {{upstream: {{name: web}}}}}}, options: {{hostRewrite: {host}}}}}]}}}}"
    )
}

fn serves(fixture: &Fixture, text: &str) -> bool {
    let resources = fixture.translator.resources.sorted();
    let mut routes = resources.filter(|(id, _)| id.kind == ResourceType::Route);
    routes.any(|(_, resource)| {
        let mut windows = resource.value.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_missing_certificate_leaves_the_last_good_form() {
    let mut fixture = Fixture::new(&[GATEWAY, CERTIFICATE, WEB, &with("there", "first.example")]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    let changed = fixture.apply(vec![file(&with("gone", "second.example"))]);
    assert!(changed.is_empty(), "{changed:?}");
    assert!(serves(&fixture, "first.example") && !serves(&fixture, "second.example"));
    assert_eq!(
        fixture.messages(Kind::VirtualService, "a"),
        [
            "its last good form stays in use",
            "secret default/gone does not exist: nothing is served with it",
        ]
    );
    // It comes after all.
    fixture.apply(vec![file(&CERTIFICATE.replace("there", "gone"))]);
    assert!(!serves(&fixture, "first.example") && serves(&fixture, "second.example"));
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
}

const KEPT: &str =
    "what was served with its certificate keeps it until the control plane starts anew";

#[test]
fn what_is_served_with_a_certificate_keeps_it_when_its_secret_is_deleted() {
    let mut fixture = Fixture::new(&[GATEWAY, CERTIFICATE, WEB, &with("there", "first.example")]);
    let changed = fixture.apply(vec![Change::Delete(key(Kind::Secret, "there"))]);
    assert!(changed.is_empty(), "{changed:?}");
    let told = format!("secret default/there does not exist any more: {KEPT}");
    assert_eq!(fixture.messages(Kind::VirtualService, "a"), [told.as_str()]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Warning);
    // Edits arrive, and what breaks has its last good form.
    fixture.apply(vec![file(&with("there", "second.example"))]);
    assert!(serves(&fixture, "second.example"));
    let broken = "name: web}, destinationSpec: {aws: {logicalName: crop}}";
    let broken = with("there", "third.example").replace("name: web}", broken);
    fixture.apply(vec![file(&broken)]);
    assert!(serves(&fixture, "second.example"));
    fixture.apply(vec![file(&with("there", "third.example"))]);
    assert!(serves(&fixture, "third.example"));
    // Nobody else is served with it.
    let other = with("there", "other.example").replace("a.example.com", "b.example.com");
    fixture.apply(vec![file(
        &other.replace("default/a.yaml", "default/b.yaml"),
    )]);
    assert!(!serves(&fixture, "other.example"));
    assert_eq!(
        fixture.messages(Kind::VirtualService, "b"),
        ["secret default/there does not exist: nothing is served with it"]
    );
    // The same without the past.
    let anew = fixture.translator.apply_anew(Vec::new());
    assert!(anew.resources.is_empty() && anew.statuses.is_empty());
    // It is back.
    fixture.apply(vec![file(CERTIFICATE)]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    assert!(serves(&fixture, "other.example"));
}

#[test]
fn a_certificate_goes_with_the_last_that_was_served_with_it() {
    let virtual_service = with("there", "first.example");
    let mut fixture = Fixture::new(&[GATEWAY, CERTIFICATE, WEB, &virtual_service]);
    fixture.apply(vec![Change::Delete(key(Kind::Secret, "there"))]);
    let holds_key = |fixture: &Fixture| {
        let secrets = fixture.translator.resources.keys();
        secrets
            .into_iter()
            .any(|id| id.kind == ResourceType::Secret)
    };
    assert!(holds_key(&fixture));
    fixture.apply(vec![Change::Delete(key(Kind::VirtualService, "a"))]);
    assert!(!holds_key(&fixture));
    fixture.apply(vec![file(&virtual_service)]);
    assert!(!serves(&fixture, "first.example") && !holds_key(&fixture));
}

#[test]
fn a_secret_that_becomes_another_kind_takes_no_certificate_from_what_is_served() {
    let mut fixture = Fixture::new(&[GATEWAY, CERTIFICATE, WEB, &with("there", "first.example")]);
    let other = "secrets/default/there.yaml\naws: {accessKey: AKID, secretKey: secret}";
    let changed = fixture.apply(vec![file(other)]);
    assert!(changed.is_empty(), "{changed:?}");
    let told = format!("secret default/there has no certificate any more: {KEPT}");
    assert_eq!(fixture.messages(Kind::VirtualService, "a"), [told.as_str()]);
    let changed = fixture.apply(vec![Change::Delete(key(Kind::Secret, "there"))]);
    assert!(changed.is_empty(), "{changed:?}");
    // Another one is taken at once.
    fixture.apply(vec![file(CERTIFICATE)]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
}

#[test]
fn a_cluster_keeps_the_certificate_that_it_shows() {
    let upstream = |name: &str, port: u16| {
        format!(
            "upstreams/default/{name}.yaml\n{{static: {{hosts: [{{addr: {name}.test, port: {port}}}]}}, sslConfig: {{secretRef: {{name: there}}}}}}"
        )
    };
    let mut fixture = Fixture::new(&[CERTIFICATE, &upstream("one", 443)]);
    let before = fixture.translator.resources.clone();
    let changed = fixture.apply(vec![Change::Delete(key(Kind::Secret, "there"))]);
    assert!(changed.is_empty(), "{changed:?}");
    let told = format!("secret default/there does not exist any more: {KEPT}");
    assert_eq!(fixture.messages(Kind::Upstream, "one"), [told.as_str()]);
    let changed = fixture.apply(vec![file(&upstream("one", 444))]);
    assert_eq!(changed, ["one_default"]);
    fixture.apply(vec![file(&upstream("two", 443))]);
    assert_eq!(
        fixture.messages(Kind::Upstream, "two"),
        ["secret default/there does not exist"]
    );
    fixture.apply(vec![
        file(&upstream("one", 443)),
        Change::Delete(key(Kind::Upstream, "two")),
    ]);
    assert!(fixture.translator.resources == before);
}

#[test]
fn a_certificate_warns_of_its_end_and_its_start() {
    // Valid from 2026-11-22 to 2126-10-29.
    const START: i64 = 1_795_360_167;
    const END: i64 = 4_949_045_367;
    const DAY: i64 = 24 * 60 * 60;
    let mut fixture = Fixture::new(&[GATEWAY, CERTIFICATE]);
    for (now, told) in [
        (START + DAY, None),
        (
            START - DAY,
            Some("the certificate is not valid before 2026-11-22"),
        ),
        (END - 15 * DAY, None),
        (
            END - 13 * DAY,
            Some("the certificate expires on 2126-10-29"),
        ),
        (END + DAY, Some("the certificate expired on 2126-10-29")),
    ] {
        let changed = fixture.apply(vec![Change::Time(now)]);
        assert!(changed.is_empty(), "{changed:?}");
        let told: Vec<_> = told.into_iter().collect();
        assert_eq!(fixture.messages(Kind::Secret, "there"), told, "at {now}");
    }
    // Nothing else is told while it stays so.
    fixture.apply(vec![Change::Time(END + 2 * DAY)]);
    assert!(fixture.told.statuses.is_empty());
}
