//! When gateways are programmed: once an Envoy that is connected has accepted what their listeners come to.

use super::*;

const PROXY: &str = "default~default-g";
const WAITS: &str = "Programmed=False Pending: no Envoy of default~default-g has accepted it yet";
const PROGRAMMED: &str = "Programmed=True Programmed";

fn http(name: &str, port: u16, hostname: &str) -> String {
    format!("{{name: {name}, port: {port}, protocol: HTTP, hostname: {hostname}}}")
}

fn gateway(generation: u32, listeners: &[String]) -> String {
    format!(
        "gateway.yaml
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: g, namespace: default, generation: {generation}}}
spec: {{gatewayClassName: gloo-gateway, allowedListeners: {{namespaces: {{from: Same}}}}, listeners: [{}]}}",
        listeners.join(", ")
    )
}

fn only(hostname: &str) -> String {
    gateway(1, &[http("one", 8080, hostname)])
}

fn listener_set(listener: &str) -> String {
    format!(
        "set.yaml
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {{name: set, namespace: default}}
spec: {{parentRef: {{name: g}}, listeners: [{listener}]}}"
    )
}

/// A route for a hostname, which sets a header.
fn route(name: &str, hostname: &str, header: &str) -> String {
    format!(
        "{name}.yaml
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: default}}
spec: {{parentRefs: [{{name: g}}], hostnames: [{hostname}], rules: [{{filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-is, value: {header}}}]}}}}], backendRefs: [{{group: gloo.solo.io, kind: Upstream, name: web}}]}}]}}"
    )
}

fn connected(is_connected: bool) -> Change {
    Change::Connected(PROXY.into(), is_connected)
}

fn id(kind: ResourceType, name: &str) -> ResourceId {
    ResourceId {
        proxy: PROXY.into(),
        kind,
        name: name.into(),
    }
}

fn listener(port: u16) -> ResourceId {
    id(ResourceType::Listener, &format!("listener~{port}"))
}

fn table(port: u16) -> ResourceId {
    id(ResourceType::Route, &format!("listener~{port}-routes"))
}

/// What is told of a gateway or a ListenerSet and of its listeners.
fn told(fixture: &Fixture, kind: Kind, name: &str) -> Vec<String> {
    let status = &fixture.translator.statuses[&key(kind, name)];
    let conditions = status.conditions.as_ref().unwrap();
    let of_listeners = conditions.listeners.iter().map(|it| &it.conditions);
    let all = of_listeners.flatten().chain(&conditions.own);
    let programmed = all.filter(|it| it.kind == "Programmed");
    let shown = programmed.map(|it| {
        let message = match it.message.is_empty() {
            true => String::new(),
            false => format!(": {}", it.message),
        };
        format!("{}={} {}{message}", it.kind, it.status(), it.reason)
    });
    shown.collect()
}

/// That of a gateway with one listener.
fn programmed(fixture: &Fixture) -> String {
    let mut told = told(fixture, Kind::KubernetesGateway, "g");
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

fn accepted(fixture: &Fixture, id: ResourceId) -> Change {
    let resource = fixture.translator.resources[&id].clone();
    Change::Accepted(id, resource)
}

/// An Envoy has accepted these.
fn accept(fixture: &mut Fixture, ids: &[ResourceId]) {
    let changes = ids.iter().map(|id| accepted(fixture, id.clone()));
    let changes = changes.collect();
    fixture.apply(changes);
}

fn accept_all(fixture: &mut Fixture) {
    let ids: Vec<_> = fixture.translator.resources.keys().cloned().collect();
    accept(fixture, &ids);
}

/// One whose Envoy has accepted all.
fn settled(files: &[&str]) -> Fixture {
    let mut fixture = Fixture::new(files);
    fixture.apply(vec![connected(true)]);
    accept_all(&mut fixture);
    assert_eq!(programmed(&fixture), PROGRAMMED);
    fixture
}

#[test]
fn where_no_envoy_is_connected_what_is_translated_is_programmed() {
    let of_route = route("r", "www.example.com", "one");
    let mut fixture = Fixture::new(&[&only("www.example.com"), WEB, &of_route]);
    assert_eq!(programmed(&fixture), PROGRAMMED);
    // One of another proxy is none of its.
    fixture.apply(vec![Change::Connected(DEFAULT_PROXY.into(), true)]);
    assert_eq!(programmed(&fixture), PROGRAMMED);
}

#[test]
fn where_one_is_it_is_so_once_that_has_accepted_the_listener_and_its_routes() {
    let of_route = route("r", "www.example.com", "one");
    let mut fixture = Fixture::new(&[&only("www.example.com"), WEB, &of_route]);
    fixture.apply(vec![connected(true)]);
    assert_eq!(programmed(&fixture), WAITS);
    let gateway = key(Kind::KubernetesGateway, "g");
    let changed: Vec<_> = fixture.told.statuses.keys().collect();
    assert_eq!(changed, [&gateway]);
    accept(&mut fixture, &[listener(8080)]);
    assert_eq!(programmed(&fixture), WAITS);
    accept(&mut fixture, &[table(8080)]);
    assert_eq!(programmed(&fixture), PROGRAMMED);
    let changed: Vec<_> = fixture.told.statuses.keys().collect();
    assert_eq!(changed, [&gateway]);
    // Another Envoy gets the same, and this one may come back.
    for is_connected in [true, false, true] {
        fixture.apply(vec![connected(is_connected)]);
        assert_eq!(programmed(&fixture), PROGRAMMED);
        assert!(fixture.told.statuses.is_empty());
    }
}

#[test]
fn what_no_envoy_has_answered_to_is_programmed_while_none_is_connected() {
    let mut fixture = Fixture::new(&[&only("www.example.com")]);
    for _ in 0..2 {
        fixture.apply(vec![connected(true)]);
        assert_eq!(programmed(&fixture), WAITS);
        fixture.apply(vec![connected(false)]);
        assert_eq!(programmed(&fixture), PROGRAMMED);
    }
}

#[test]
fn edits_of_routes_do_not_take_it_away() {
    let of_route = |header: &str| route("r", "www.example.com", header);
    let mut fixture = settled(&[&only("www.example.com"), WEB, &of_route("one")]);
    fixture.apply(vec![file(&of_route("two"))]);
    assert!(fixture.told.resources.contains_key(&table(8080)));
    assert_eq!(programmed(&fixture), PROGRAMMED);
    let gateway = key(Kind::KubernetesGateway, "g");
    assert!(!fixture.told.statuses.contains_key(&gateway));
}

#[test]
fn a_gateway_that_was_written_waits_for_a_table_that_is_no_older() {
    let of_route = |header: &str| route("r", "www.example.com", header);
    let mut fixture = settled(&[&only("'*.example.com'"), WEB, &of_route("one")]);
    // An edit of a route, to which no Envoy has answered yet.
    fixture.apply(vec![file(&of_route("two"))]);
    let older = accepted(&fixture, table(8080));
    let written = gateway(2, &[http("one", 8080, "'*.example.org'")]);
    fixture.apply(vec![file(&written)]);
    assert!(!fixture.told.resources.contains_key(&listener(8080)));
    assert_eq!(programmed(&fixture), WAITS);
    fixture.apply(vec![older]);
    assert_eq!(programmed(&fixture), WAITS);
    // There may always be a newer one.
    let written = accepted(&fixture, table(8080));
    let another = route("another", "www.example.org", "three");
    fixture.apply(vec![file(&another)]);
    assert_eq!(programmed(&fixture), WAITS);
    fixture.apply(vec![written]);
    assert_eq!(programmed(&fixture), PROGRAMMED);
}

#[test]
fn of_the_forms_of_a_table_that_may_be_accepted_the_last_ones_are_known() {
    let of_route = |header: &str| route("r", "www.example.com", header);
    let mut fixture = Fixture::new(&[&only("www.example.com"), WEB, &of_route("one")]);
    fixture.apply(vec![connected(true)]);
    let first = accepted(&fixture, table(8080));
    accept(&mut fixture, &[listener(8080)]);
    for number in 0..20 {
        fixture.apply(vec![file(&of_route(&format!("edit-{number}")))]);
    }
    let late = accepted(&fixture, table(8080));
    fixture.apply(vec![first]);
    assert_eq!(programmed(&fixture), WAITS);
    fixture.apply(vec![file(&of_route("last"))]);
    fixture.apply(vec![late]);
    assert_eq!(programmed(&fixture), PROGRAMMED);
}

#[test]
fn each_port_is_told_of_by_itself_and_a_listener_set_of_its_gateway() {
    let listeners = [http("one", 8080, "one.test"), http("two", 8081, "two.test")];
    let mut fixture = settled(&[
        &gateway(1, &listeners[..1]),
        &listener_set(&http("of-set", 8080, "set.test")),
    ]);
    fixture.apply(vec![file(&gateway(2, &listeners))]);
    let gateway = |fixture: &Fixture| told(fixture, Kind::KubernetesGateway, "g");
    assert_eq!(gateway(&fixture), [PROGRAMMED, WAITS, WAITS]);
    assert_eq!(
        told(&fixture, Kind::ListenerSet, "set"),
        [
            PROGRAMMED,
            "Programmed=False ParentNotProgrammed: Gateway default/g is not programmed: no Envoy of default~default-g has accepted it yet"
        ]
    );
    accept_all(&mut fixture);
    assert_eq!(gateway(&fixture), [PROGRAMMED; 3]);
    assert_eq!(told(&fixture, Kind::ListenerSet, "set"), [PROGRAMMED; 2]);
}

#[test]
fn a_listener_of_a_set_waits_with_all_of_its_port() {
    let mut fixture = settled(&[&only("one.test")]);
    fixture.apply(vec![file(&listener_set(&http("of-set", 8081, "set.test")))]);
    assert_eq!(programmed(&fixture), PROGRAMMED);
    assert_eq!(told(&fixture, Kind::ListenerSet, "set"), [WAITS; 2]);
    accept(&mut fixture, &[listener(8081), table(8081)]);
    assert_eq!(told(&fixture, Kind::ListenerSet, "set"), [PROGRAMMED; 2]);
}

#[test]
fn what_an_envoy_refuses_is_not_waited_for_and_its_next_form_is() {
    let mut fixture = Fixture::new(&[&only("www.example.com")]);
    fixture.apply(vec![connected(true)]);
    let refused = Change::Verdict(listener(8080), Some("address in use".into()));
    fixture.apply(vec![refused]);
    let invalid = "Programmed=False Invalid: Envoy refuses it: address in use";
    assert_eq!(programmed(&fixture), invalid);
    // While something else is waited for, this is still what is told.
    fixture.apply(vec![file(&only("other.example.com"))]);
    assert_eq!(programmed(&fixture), invalid);
    let options = "options.yaml
apiVersion: gateway.solo.io/v1
kind: ListenerOption
metadata: {name: o, namespace: default}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}], options: {perConnectionBufferLimitBytes: 4096}}";
    fixture.apply(vec![file(options)]);
    assert_eq!(programmed(&fixture), WAITS);
    accept_all(&mut fixture);
    assert_eq!(programmed(&fixture), PROGRAMMED);
}

#[test]
fn a_listener_that_goes_back_to_a_form_that_was_accepted_waits_for_nothing_once_that_is_wanted() {
    let options = |bytes: u32| {
        format!(
            "options.yaml
apiVersion: gateway.solo.io/v1
kind: ListenerOption
metadata: {{name: o, namespace: default}}
spec: {{targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: g}}], options: {{perConnectionBufferLimitBytes: {bytes}}}}}"
        )
    };
    let mut fixture = settled(&[&only("www.example.com"), &options(4096)]);
    fixture.apply(vec![file(&options(8192))]);
    assert_eq!(programmed(&fixture), WAITS);
    let refused = Change::Verdict(listener(8080), Some("no".into()));
    fixture.apply(vec![refused]);
    assert_eq!(
        programmed(&fixture),
        "Programmed=False Invalid: Envoy refuses it: no"
    );
    // It is what Envoy has.
    fixture.apply(vec![file(&options(4096))]);
    assert!(fixture.told.resources.is_empty());
    assert_eq!(programmed(&fixture), PROGRAMMED);
}

#[test]
fn all_parts_of_a_table_are_waited_for() {
    let routes = ["a", "b", "c"].map(|name| route(name, &format!("{name}.example.com"), name));
    let mut files = vec![WEB];
    files.extend(routes.iter().map(String::as_str));
    let gateway = only("'*.example.com'");
    files.push(&gateway);
    let mut fixture = Fixture::with_parts_above(1, &files);
    fixture.apply(vec![connected(true)]);
    let tables = fixture.translator.resources.keys();
    let tables = tables.filter(|id| id.kind == ResourceType::Route);
    let tables: Vec<_> = tables.cloned().collect();
    assert!(tables.len() > 1);
    accept(&mut fixture, &[listener(8080)]);
    for table in tables {
        assert_eq!(programmed(&fixture), WAITS);
        accept(&mut fixture, &[table]);
    }
    assert_eq!(programmed(&fixture), PROGRAMMED);
}

#[test]
fn a_listener_that_comes_to_nothing_yet_waits_for_nothing() {
    let https =
        "{name: tls, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: missing}]}}";
    let listeners = [http("one", 8080, "one.test"), https.to_owned()];
    let mut fixture = Fixture::new(&[&gateway(1, &listeners)]);
    let before = told(&fixture, Kind::KubernetesGateway, "g");
    fixture.apply(vec![connected(true)]);
    assert_eq!(told(&fixture, Kind::KubernetesGateway, "g")[0], WAITS);
    accept(&mut fixture, &[listener(8080), table(8080)]);
    assert_eq!(told(&fixture, Kind::KubernetesGateway, "g"), before);
}
