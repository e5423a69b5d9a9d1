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

#[test]
fn without_the_certificate_of_its_last_good_form_nothing_is_served() {
    let mut fixture = Fixture::new(&[GATEWAY, CERTIFICATE, WEB, &with("there", "first.example")]);
    fixture.apply(vec![Change::Delete(key(Kind::Secret, "there"))]);
    assert!(!serves(&fixture, "first.example"));
    assert_eq!(
        fixture.messages(Kind::VirtualService, "a"),
        ["secret default/there does not exist: nothing is served with it"]
    );
    fixture.apply(vec![file(CERTIFICATE)]);
    assert!(serves(&fixture, "first.example"));
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
