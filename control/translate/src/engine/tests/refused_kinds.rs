//! What an Envoy refuses of what objects of the Gateway API come to, type by type: who is told of it, what is served
//! instead, and that nobody beside it is touched.

use super::*;

const PROXY: &str = "default~default-g";
const WORDS: &str = "no such thing";

fn manifest(kind: &str, name: &str, rest: &str) -> String {
    let version = match kind {
        "EndpointSlice" => "discovery.k8s.io/v1",
        "Service" | "Secret" => "v1",
        _ => "gateway.networking.k8s.io/v1",
    };
    format!(
        "{name}-{kind}.yaml\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}\n{rest}"
    )
}

fn gateway(name: &str, listeners: &str) -> String {
    let spec = format!("spec: {{gatewayClassName: gloo-gateway, listeners: [{listeners}]}}");
    manifest("Gateway", name, &spec)
}

fn route(name: &str, gateway: &str, backend: &str) -> String {
    let spec = format!(
        "spec: {{parentRefs: [{{name: {gateway}}}], hostnames: [{name}.example.com], rules: [{{backendRefs: [{backend}]}}]}}"
    );
    manifest("HTTPRoute", name, &spec)
}

const TO_WEB: &str = "{group: gloo.solo.io, kind: Upstream, name: web}";

/// All that there is of a type for the proxy.
fn all(fixture: &Fixture, kind: ResourceType) -> Vec<ResourceId> {
    let ids = fixture.translator.resources.keys();
    let ids = ids.filter(|id| id.kind == kind && &*id.proxy == PROXY);
    let mut ids: Vec<_> = ids.cloned().collect();
    ids.sort();
    ids
}

fn refuse(fixture: &mut Fixture, id: &ResourceId) {
    let form = fixture.translator.resources[id].clone();
    fixture.apply(vec![Change::Refused(id.clone(), form, WORDS.into())]);
}

/// An Envoy of each gateway has accepted all.
fn settle(fixture: &mut Fixture) {
    let proxies = fixture.translator.proxies().clone();
    let connected = proxies.into_iter().map(|it| Change::Connected(it, true));
    fixture.apply(connected.collect());
    let all = fixture.translator.resources.sorted();
    let all = all.map(|(id, it)| Change::Accepted(id.clone(), it.clone()));
    let all = all.collect();
    fixture.apply(all);
}

/// What is told of a condition of a gateway's only listener.
fn of_listener(fixture: &Fixture, gateway: &str, kind: &str) -> String {
    let status = &fixture.translator.statuses[&key(Kind::KubernetesGateway, gateway)];
    let conditions = status.conditions.as_ref().unwrap();
    let mut conditions = conditions.listeners[0].conditions.iter();
    let told = conditions.find(|it| it.kind == kind).unwrap();
    format!("{} {}: {}", told.status(), told.reason, told.message)
}

/// Nothing but these is other than it was, of what is served and what is told.
fn changed(fixture: &Fixture) -> (Vec<ResourceId>, Vec<String>) {
    let resources = fixture.told.resources.keys().cloned().collect();
    let statuses = fixture.told.statuses.keys();
    (resources, statuses.map(ToString::to_string).collect())
}

#[test]
fn a_scope_that_envoy_refuses_is_its_gateways() {
    let http = "{name: http, port: 8080, protocol: HTTP}";
    let mut fixture = Fixture::with_parts_above(
        1,
        &[
            WEB,
            &gateway("g", http),
            &gateway("other", http),
            &route("a", "g", TO_WEB),
            &route("b", "g", TO_WEB),
            &route("c", "other", TO_WEB),
        ],
    );
    let proxies = fixture.translator.proxies().clone();
    let connected = proxies.into_iter().map(|it| Change::Connected(it, true));
    fixture.apply(connected.collect());
    let scopes = all(&fixture, ResourceType::ScopedRoute);
    assert!(scopes.len() > 1);
    refuse(&mut fixture, &scopes[0]);
    assert_eq!(
        changed(&fixture),
        (
            vec![scopes[0].clone()],
            vec!["Gateway default/g".to_owned()]
        )
    );
    assert!(!fixture.translator.resources.contains_key(&scopes[0]));
    assert_eq!(fixture.state(Kind::KubernetesGateway, "g"), State::Rejected);
    assert_eq!(
        of_listener(&fixture, "g", "Programmed"),
        format!("False Invalid: Envoy refuses it: {WORDS}")
    );
    assert_eq!(
        fixture.state(Kind::KubernetesGateway, "other"),
        State::Accepted
    );
    for route in ["a", "b", "c"] {
        assert_eq!(fixture.state(Kind::HttpRoute, route), State::Accepted);
    }
}

const SERVICE: &str = "spec: {ports: [{name: http, port: 80, targetPort: 8080}]}";

fn slice(name: &str, address: &str) -> String {
    let rest = format!(
        "addressType: IPv4\nendpoints: [{{addresses: [{address}]}}]\nports: [{{name: http, port: 8080}}]"
    );
    manifest("EndpointSlice", name, &rest)
}

#[test]
fn endpoints_that_envoy_refuses_are_their_services_and_go_back_to_what_they_were() {
    let http = "{name: http, port: 8080, protocol: HTTP}";
    let files = [
        gateway("g", http),
        manifest("Service", "one", SERVICE),
        slice("one", "10.0.0.1"),
        manifest("Service", "two", SERVICE),
        slice("two", "10.0.0.2"),
        route("a", "g", "{name: one, port: 80}"),
        route("b", "g", "{name: two, port: 80}"),
    ];
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    settle(&mut fixture);
    let endpoints = all(&fixture, ResourceType::Endpoint);
    assert_eq!(endpoints.len(), 2);
    fixture.apply(vec![file(&slice("one", "10.0.0.3"))]);
    let (edited, _) = changed(&fixture);
    let [edited] = edited.as_slice() else {
        panic!("{edited:?}")
    };
    assert_eq!(edited.kind, ResourceType::Endpoint);
    refuse(&mut fixture, edited);
    assert_eq!(
        changed(&fixture),
        (vec![edited.clone()], vec!["Service default/one".to_owned()])
    );
    let value = fixture.translator.resources[edited].value.clone();
    assert!(value.windows(8).any(|it| it == b"10.0.0.1"));
    assert_eq!(fixture.state(Kind::Service, "one"), State::Rejected);
    assert_eq!(
        fixture.messages(Kind::Service, "one"),
        [
            format!("Envoy refuses it: {WORDS}"),
            "its last good form stays in use".to_owned()
        ]
    );
    for route in ["a", "b"] {
        assert_eq!(fixture.state(Kind::HttpRoute, route), State::Accepted);
    }
    // The next form is another one.
    fixture.apply(vec![file(&slice("one", "10.0.0.4"))]);
    let value = fixture.translator.resources[edited].value.clone();
    assert!(value.windows(8).any(|it| it == b"10.0.0.4"));
    let service = key(Kind::Service, "one");
    assert!(!fixture.translator.statuses.contains_key(&service));
}

/// A listener of HTTPS with a certificate.
fn https(certificate: &str) -> String {
    format!(
        "{{name: https, port: 8443, protocol: HTTPS, tls: {{certificateRefs: [{{name: {certificate}}}]}}}}"
    )
}

fn certificate(name: &str, form: usize) -> String {
    let chain = [
        include_str!("../../../tests/certificates/one.pem").to_owned(),
        // A chain with one more.
        concat!(
            include_str!("../../../tests/certificates/one.pem"),
            include_str!("../../../tests/certificates/two.pem")
        )
        .to_owned(),
    ];
    let chain = &chain[form];
    let key = include_str!("../../../tests/certificates/one.key");
    let quoted = |text: &str| format!("\"{}\"", text.replace('\n', "\\n"));
    let rest = format!(
        "type: kubernetes.io/tls\nstringData: {{tls.crt: {}, tls.key: {}}}",
        quoted(chain),
        quoted(key)
    );
    manifest("Secret", name, &rest)
}

#[test]
fn a_certificate_that_envoy_refuses_is_its_secrets_and_its_listeners() {
    let files = [
        WEB.to_owned(),
        gateway("g", &https("bad")),
        gateway("other", &https("good")),
        certificate("bad", 0),
        certificate("good", 0),
        route("a", "g", TO_WEB),
        route("b", "other", TO_WEB),
    ];
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let proxies = fixture.translator.proxies().clone();
    let connected = proxies.into_iter().map(|it| Change::Connected(it, true));
    fixture.apply(connected.collect());
    let secrets = all(&fixture, ResourceType::Secret);
    let [secret] = secrets.as_slice() else {
        panic!("{secrets:?}")
    };
    refuse(&mut fixture, secret);
    // Without it the listener would wait for ever.
    let (resources, statuses) = changed(&fixture);
    assert!(resources.is_empty());
    assert_eq!(statuses, ["Gateway default/g", "Secret default/bad"]);
    assert_eq!(fixture.state(Kind::Secret, "bad"), State::Rejected);
    assert_eq!(
        of_listener(&fixture, "g", "Programmed"),
        format!("False Invalid: Envoy refuses Secret default/bad: {WORDS}")
    );
    assert_eq!(fixture.state(Kind::KubernetesGateway, "g"), State::Rejected);
    assert_eq!(fixture.state(Kind::Secret, "good"), State::Accepted);
    // Once one is accepted, what is waited for is the rest.
    fixture.apply(vec![Change::Verdict(secret.clone(), None)]);
    assert_eq!(fixture.state(Kind::Secret, "bad"), State::Accepted);
    assert!(of_listener(&fixture, "g", "Programmed").starts_with("False Pending: "));
    settle(&mut fixture);
    assert!(of_listener(&fixture, "g", "Programmed").starts_with("True "));
    // Another form that is refused is not served: what was accepted stays.
    let accepted = fixture.translator.resources[secret].value.clone();
    fixture.apply(vec![file(&certificate("bad", 1))]);
    refuse(&mut fixture, secret);
    assert_eq!(fixture.translator.resources[secret].value, accepted);
    assert_eq!(fixture.state(Kind::Secret, "bad"), State::Rejected);
    assert!(of_listener(&fixture, "g", "Programmed").starts_with("True "));
    for gateway in ["g", "other"] {
        assert_eq!(
            fixture.state(Kind::KubernetesGateway, gateway),
            State::Accepted
        );
    }
    for route in ["a", "b"] {
        assert_eq!(fixture.state(Kind::HttpRoute, route), State::Accepted);
    }
}
