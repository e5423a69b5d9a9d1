//! Which form of an HTTPRoute is served, and what is told of it.

use super::quarantine::Picky;
use super::*;

const GATEWAY: &str = "gateway.yaml
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g, namespace: default}
spec: {gatewayClassName: gloo-gateway, listeners: [{name: http, port: 80, protocol: HTTP}]}";

/// A rule whose requests get a header, so that it is found in what is served.
fn rule(path: &str, header: &str) -> String {
    format!(
        "{{matches: [{{path: {{value: {path}}}}}], filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-is, value: {header}}}]}}}}], backendRefs: [{{group: gloo.solo.io, kind: Upstream, name: web}}]}}"
    )
}

/// One that cannot be compiled: it says twice which function is called.
const DROPPED: &str = "{matches: [{path: {value: /dropped}}], backendRefs: [{group: gloo.solo.io, kind: Upstream, name: web, filters: [{type: ExtensionRef, extensionRef: {group: gloo.solo.io, kind: Parameter, name: crop}}, {type: ExtensionRef, extensionRef: {group: gloo.solo.io, kind: Parameter, name: thumb}}]}]}";

fn calling(function: &str) -> String {
    format!(
        "{{matches: [{{path: {{value: /call}}}}], backendRefs: [{{group: gloo.solo.io, kind: Upstream, name: lambda, filters: [{{type: ExtensionRef, extensionRef: {{group: gloo.solo.io, kind: Parameter, name: {function}}}}}]}}]}}"
    )
}

fn route_at(name: &str, hostname: &str, generation: u32, rules: &[&str]) -> String {
    format!(
        "{name}.yaml
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: default, generation: {generation}}}
spec: {{parentRefs: [{{name: g}}], hostnames: [{hostname}], rules: [{}]}}",
        rules.join(", ")
    )
}

fn route(name: &str, generation: u32, rules: &[&str]) -> String {
    route_at(name, "www.example.com", generation, rules)
}

/// What is told of a route at its only parent.
fn conditions(fixture: &Fixture, name: &str) -> Vec<String> {
    let status = &fixture.translator.statuses[&key(Kind::HttpRoute, name)];
    let conditions = status.conditions.as_ref().unwrap();
    let shown = conditions.parents[0].conditions.iter().map(|it| {
        let generation = it.observed_generation.unwrap_or_default();
        let message = match it.message.is_empty() {
            true => String::new(),
            false => format!(": {}", it.message),
        };
        format!(
            "{}={} {} of {generation}{message}",
            it.kind,
            it.status(),
            it.reason
        )
    });
    shown.collect()
}

fn serves(fixture: &Fixture, text: &str) -> bool {
    let tables = fixture.translator.resources.sorted();
    let mut tables = tables.filter(|(id, _)| id.kind == ResourceType::Route);
    tables.any(|(_, it)| it.value.windows(text.len()).any(|it| it == text.as_bytes()))
}

fn state(fixture: &Fixture, name: &str) -> State {
    fixture.state(Kind::HttpRoute, name)
}

const DROPPED_TEXT: &str = "another filter says which function it is";

#[test]
fn a_route_with_a_rule_that_breaks_keeps_its_last_good_form_as_a_whole() {
    let (a, b) = (rule("/a", "one-a"), rule("/b", "one-b"));
    let mut fixture = Fixture::new(&[GATEWAY, WEB, &route("r", 1, &[&a, &b])]);
    assert_eq!(
        conditions(&fixture, "r"),
        [
            "Accepted=True Accepted of 1",
            "ResolvedRefs=True ResolvedRefs of 1"
        ]
    );
    fixture.apply(vec![file(&route("r", 2, &[&rule("/a", "two-a"), DROPPED]))]);
    assert!(serves(&fixture, "one-a") && serves(&fixture, "one-b"));
    assert!(!serves(&fixture, "two-a"));
    assert_eq!(state(&fixture, "r"), State::Rejected);
    assert_eq!(
        fixture.messages(Kind::HttpRoute, "r"),
        [DROPPED_TEXT, "its last good form stays in use"]
    );
    assert_eq!(
        conditions(&fixture, "r"),
        [
            "Accepted=True Accepted of 1".to_owned(),
            format!(
                "PartiallyInvalid=True UnsupportedValue of 2: Fall Back: rule 1: {DROPPED_TEXT}"
            ),
            "ResolvedRefs=True ResolvedRefs of 1".to_owned(),
        ]
    );
    // Broken as a whole.
    fixture.apply(vec![file(&route("r", 3, &[DROPPED]))]);
    assert!(serves(&fixture, "one-a"));
    assert_eq!(
        conditions(&fixture, "r")[0],
        format!(
            "Accepted=False IncompatibleFilters of 3: rule 0: {DROPPED_TEXT}; its last good form stays in use"
        )
    );
    // Mended.
    fixture.apply(vec![file(&route("r", 4, &[&rule("/a", "four")]))]);
    assert!(serves(&fixture, "four") && !serves(&fixture, "one-a"));
    assert_eq!(
        conditions(&fixture, "r"),
        [
            "Accepted=True Accepted of 4",
            "ResolvedRefs=True ResolvedRefs of 4"
        ]
    );
}

#[test]
fn a_route_that_never_was_good_drops_the_rule_that_is_not() {
    let fixture = Fixture::new(&[
        GATEWAY,
        WEB,
        &route("r", 1, &[&rule("/a", "one-a"), DROPPED]),
    ]);
    assert!(serves(&fixture, "one-a"));
    assert_eq!(
        conditions(&fixture, "r"),
        [
            "Accepted=True Accepted of 1".to_owned(),
            format!(
                "PartiallyInvalid=True UnsupportedValue of 1: Dropped Rule: rule 1: {DROPPED_TEXT}"
            ),
            "ResolvedRefs=True ResolvedRefs of 1".to_owned(),
        ]
    );
}

#[test]
fn what_shows_only_at_a_host_falls_back_too_with_its_hostnames() {
    let good = route("r", 1, &[&calling("crop"), &rule("/a", "one-a")]);
    let mut fixture = Fixture::new(&[GATEWAY, SECRET, LAMBDA, WEB, &good]);
    assert_eq!(state(&fixture, "r"), State::Accepted);
    let broken = route_at(
        "r",
        "other.example.com",
        2,
        &[&calling("nope"), &rule("/a", "two-a")],
    );
    fixture.apply(vec![file(&broken)]);
    assert!(serves(&fixture, "www.example.com") && serves(&fixture, "one-a"));
    assert!(!serves(&fixture, "other.example.com") && !serves(&fixture, "two-a"));
    let told = conditions(&fixture, "r");
    assert_eq!(told[0], "Accepted=True Accepted of 1");
    assert!(
        told[1].starts_with("PartiallyInvalid=True UnsupportedValue of 2: Fall Back: rule 0: "),
        "{told:?}"
    );
    // The function comes, and nothing else changes.
    let functions = "lambdaFunctions: [{logicalName: nope, lambdaFunctionName: nope}, ";
    let more = LAMBDA.replace("lambdaFunctions: [", functions);
    fixture.apply(vec![file(&more)]);
    assert!(serves(&fixture, "other.example.com") && serves(&fixture, "two-a"));
    assert_eq!(conditions(&fixture, "r")[0], "Accepted=True Accepted of 2");
    assert_eq!(state(&fixture, "r"), State::Accepted);
}

/// "If a reference cannot be resolved … requests MUST receive a 500".
#[test]
fn what_a_route_refers_to_and_is_not_there_has_no_last_good_form() {
    let mut fixture = Fixture::new(&[GATEWAY, WEB, &route("r", 1, &[&rule("/a", "one-a")])]);
    let gone = rule("/a", "two-a").replace("name: web", "name: gone");
    fixture.apply(vec![file(&route("r", 2, &[&gone]))]);
    assert!(!serves(&fixture, "one-a") && serves(&fixture, "two-a"));
    assert!(!serves(&fixture, "web_default"));
    let told = conditions(&fixture, "r");
    assert_eq!(told[0], "Accepted=True Accepted of 2");
    assert!(
        told[1].starts_with("ResolvedRefs=False BackendNotFound of 2"),
        "{told:?}"
    );
}

#[test]
fn a_route_that_cannot_be_read_tells_whether_any_of_it_could() {
    let (a, b) = (rule("/a", "one-a"), rule("/b", "one-b"));
    let mut fixture = Fixture::new(&[GATEWAY, WEB, &route("r", 1, &[&a, &b])]);
    let bad = b.replace("name: x-is", "name: 'x is'");
    fixture.apply(vec![file(&route("r", 2, &[&a, &bad]))]);
    assert!(serves(&fixture, "one-b"));
    let told = conditions(&fixture, "r");
    assert_eq!(told[0], "Accepted=True Accepted of 1");
    assert!(
        told[1]
            .starts_with("PartiallyInvalid=True UnsupportedValue of 1: Fall Back: spec.rules[1]"),
        "{told:?}"
    );
    fixture.apply(vec![file(
        &route("r", 3, &[&a, &b]).replace("hostnames: [www.example.com]", "hostnames: 1"),
    )]);
    let told = conditions(&fixture, "r");
    assert!(
        told[0].starts_with("Accepted=False UnsupportedValue"),
        "{told:?}"
    );
    assert!(serves(&fixture, "one-b"));
}

#[test]
fn a_broken_child_keeps_its_last_good_form_and_its_parent_tells_nothing() {
    let parent = route(
        "parent",
        1,
        &[
            "{matches: [{path: {value: /c}}], backendRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: child}]}",
        ],
    );
    let child = |generation, rules: &[&str]| {
        route("child", generation, rules).replace(
            "parentRefs: [{name: g}], hostnames: [www.example.com], ",
            "",
        )
    };
    let mut fixture = Fixture::new(&[GATEWAY, WEB, &parent, &child(1, &[&rule("/c/a", "one-a")])]);
    assert!(serves(&fixture, "one-a"));
    let broken = DROPPED.replace("/dropped", "/c/dropped");
    fixture.apply(vec![file(&child(2, &[&rule("/c/a", "two-a"), &broken]))]);
    assert!(serves(&fixture, "one-a") && !serves(&fixture, "two-a"));
    assert_eq!(state(&fixture, "child"), State::Rejected);
    assert_eq!(state(&fixture, "parent"), State::Accepted);
    fixture.apply(vec![file(&child(3, &[&rule("/c/a", "three-a")]))]);
    assert!(serves(&fixture, "three-a"));
    assert_eq!(state(&fixture, "child"), State::Accepted);
}

#[test]
fn of_the_routes_of_a_host_the_one_that_envoy_refuses_is_found_and_the_others_go_on() {
    let names = ["a", "b", "c", "d", "e"];
    let of = |name: &str, generation, header: &str| {
        let all = [
            rule(&format!("/{name}"), header),
            rule(&format!("/{name}/2"), header),
        ];
        route(name, generation, &[&all[0], &all[1]])
    };
    let mut files = vec![GATEWAY.to_owned(), WEB.to_owned()];
    files.extend(names.map(|name| of(name, 1, &format!("one-{name}."))));
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let mut envoy = Picky::new("bad");
    envoy.converse(&mut fixture);
    let text = |name: &str| match name {
        "c" => "bad.".to_owned(),
        _ => format!("two-{name}."),
    };
    fixture.apply(names.map(|name| file(&of(name, 2, &text(name)))).to_vec());
    envoy.converse(&mut fixture);
    for name in names {
        let (state_of, served) = match name {
            "c" => (State::Rejected, "one-c.".to_owned()),
            _ => (State::Accepted, text(name)),
        };
        assert!(envoy.serves(&served), "{served}");
        assert_eq!(
            state(&fixture, name),
            state_of,
            "{name}: {:?}",
            fixture.messages(Kind::HttpRoute, name)
        );
    }
    assert_eq!(
        conditions(&fixture, "c"),
        [
            "Accepted=True Accepted of 1",
            "PartiallyInvalid=True UnsupportedValue of 2: Fall Back: Envoy refuses it: no such thing",
            "ResolvedRefs=True ResolvedRefs of 1",
        ]
    );
    // Edits of the others arrive, and it is not tried again by those.
    let before = envoy.refusals;
    fixture.apply(vec![file(&of("d", 3, "three-d."))]);
    envoy.converse(&mut fixture);
    assert!(envoy.serves("three-d.") && envoy.serves("one-c."));
    assert_eq!(envoy.refusals, before);
    // What it refers to changes: it is tried again.
    fixture.apply(vec![file(&WEB.replace("8081", "8082"))]);
    envoy.converse(&mut fixture);
    assert!(envoy.refusals > before && envoy.serves("one-c."));
    fixture.apply(vec![file(&of("c", 3, "three-c."))]);
    envoy.converse(&mut fixture);
    assert!(envoy.serves("three-c."));
    assert_eq!(state(&fixture, "c"), State::Accepted);
}

#[test]
fn a_new_route_that_envoy_refuses_answers_for_itself_and_then_is_left_out() {
    let good = route("good", 1, &[&rule("/good", "good.")]);
    for (bad, left_out) in [(rule("/new", "bad"), false), (rule("/bad", "new"), true)] {
        let mut fixture = Fixture::new(&[GATEWAY, WEB, &good]);
        let mut envoy = Picky::new("bad");
        envoy.converse(&mut fixture);
        fixture.apply(vec![file(&route("new", 1, &[&bad]))]);
        envoy.converse(&mut fixture);
        assert!(envoy.serves("good."));
        assert_eq!(envoy.serves("/new"), !left_out);
        assert_eq!(state(&fixture, "good"), State::Accepted);
        let told = conditions(&fixture, "new");
        assert!(
            told[0].starts_with(
                "Accepted=False UnsupportedValue of 1: Envoy refuses it: no such thing"
            ),
            "{told:?}"
        );
        fixture.apply(vec![Change::Delete(key(Kind::HttpRoute, "new"))]);
        envoy.converse(&mut fixture);
        assert!(envoy.serves("good.") && !envoy.serves("/new"));
    }
}

#[test]
fn a_route_that_is_held_back_is_not_proven_and_others_are() {
    let one = [
        route("a", 1, &[&rule("/a", "one-a.")]),
        route("b", 1, &[&rule("/b", "one-b.")]),
    ];
    let mut fixture = Fixture::new(&[GATEWAY, WEB, &one[0], &one[1]]);
    let mut envoy = Picky::new("bad");
    envoy.converse(&mut fixture);
    fixture.apply(vec![
        file(&route("a", 2, &[&rule("/a", "bad")])),
        file(&route("b", 2, &[&rule("/b", "two-b.")])),
    ]);
    envoy.converse(&mut fixture);
    let keys = ["a", "b"].map(|name| key(Kind::HttpRoute, name));
    let proven = fixture.translator.proven(keys.iter());
    assert_eq!(proven, [keys[1].clone()]);
}

#[test]
fn of_new_routes_the_one_that_is_refused_answers_and_suspects_are_not_proven() {
    let mut fixture = Fixture::new(&[GATEWAY, WEB]);
    let mut envoy = Picky::new("bad");
    envoy.converse(&mut fixture);
    let names = ["a", "b", "c"];
    let of = |name: &str| {
        let header = if name == "b" { "bad" } else { "fine." };
        file(&route(name, 1, &[&rule(&format!("/{name}/"), header)]))
    };
    fixture.apply(names.map(of).to_vec());
    let table = fixture.told.resources.keys();
    let table = table.filter(|id| id.kind == ResourceType::Route).cloned();
    let table: Vec<_> = table.collect();
    let refused = Change::Verdict(table[0].clone(), Some("no such thing".into()));
    fixture.apply(vec![refused]);
    // All are held back, and what is left is accepted.
    let keys = names.map(|name| key(Kind::HttpRoute, name));
    assert!(fixture.translator.not_held_back(keys.iter()).is_empty());
    assert!(
        names
            .iter()
            .all(|name| state(&fixture, name) != State::Rejected)
    );
    envoy.converse(&mut fixture);
    assert!(envoy.serves("/a") && envoy.serves("/b") && envoy.serves("/c"));
    assert_eq!(state(&fixture, "b"), State::Rejected);
    let free = fixture.translator.not_held_back(keys.iter());
    assert_eq!(free, [keys[0].clone(), keys[2].clone()]);
}

#[test]
fn a_listener_that_envoy_refuses_is_told_by_its_gateway_and_by_no_other() {
    let other = GATEWAY.replace("name: g,", "name: h,");
    let r = route("r", 1, &[&rule("/a", "one.")]);
    let mut fixture = Fixture::new(&[GATEWAY, &other, WEB, &r]);
    let id = {
        let all = fixture.translator.resources.keys();
        let mut listeners = all.filter(|id| id.kind == ResourceType::Listener);
        let own = listeners.find(|id| id.proxy.ends_with("-g") && !id.name.ends_with("-http3"));
        own.cloned().unwrap()
    };
    let refused = Change::Verdict(id, Some("no such thing".into()));
    fixture.apply(vec![refused]);
    for (name, expected) in [("g", "False"), ("h", "True")] {
        let status = &fixture.translator.statuses[&key(Kind::KubernetesGateway, name)];
        let told = status.conditions.as_ref().unwrap();
        for conditions in [&told.own, &told.listeners[0].conditions] {
            let mut conditions = conditions.iter();
            let programmed = conditions.find(|it| it.kind == "Programmed").unwrap();
            assert_eq!(programmed.status(), expected, "{name}: {programmed:?}");
            let is_said = programmed.message == "Envoy refuses it: no such thing";
            assert_eq!(is_said, expected == "False", "{programmed:?}");
        }
    }
    assert_eq!(state(&fixture, "r"), State::Accepted);
}

#[test]
fn a_cluster_that_envoy_refuses_is_told_by_its_upstream_and_not_by_the_routes_to_it() {
    let r = route("r", 1, &[&rule("/a", "one.")]);
    let mut fixture = Fixture::new(&[GATEWAY, WEB, &r]);
    let mut envoy = Picky::new("bad.test");
    envoy.converse(&mut fixture);
    fixture.apply(vec![file(&WEB.replace("127.0.0.1", "bad.test"))]);
    envoy.converse(&mut fixture);
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    assert_eq!(state(&fixture, "r"), State::Accepted);
    assert_eq!(conditions(&fixture, "r")[0], "Accepted=True Accepted of 1");
}

#[test]
fn a_route_that_changed_since_a_form_was_refused_is_not_to_blame_for_it() {
    let at = |name: &str, generation: u32, header: &str| {
        let rule = rule(&format!("/{name}"), header);
        route_at(name, &format!("{name}.example.com"), generation, &[&rule])
    };
    let mut fixture = Fixture::new(&[GATEWAY, WEB, &at("a", 1, "one"), &at("b", 1, "one")]);
    let proxies = fixture.translator.proxies().iter().cloned();
    let all = proxies.map(Change::Settled).collect();
    fixture.apply(all);
    fixture.apply(vec![file(&at("a", 2, "bad"))]);
    let tables = fixture.told.resources.iter();
    let (id, older) = tables
        .filter(|(id, _)| id.kind == ResourceType::Route)
        .map(|(id, it)| (id.clone(), it.clone().unwrap()))
        .next()
        .unwrap();
    fixture.apply(vec![file(&at("a", 3, "good")), file(&at("b", 2, "two"))]);
    let refused = Change::Refused(id.clone(), older, "no such thing".into());
    fixture.apply(vec![refused]);
    assert_eq!(state(&fixture, "a"), State::Accepted);
    assert_eq!(state(&fixture, "b"), State::Accepted);
    assert!(serves(&fixture, "good") && serves(&fixture, "two"));
    // One that is in it as it was is.
    fixture.apply(vec![file(&at("a", 4, "worse"))]);
    let newest = fixture.translator.resources[&id].clone();
    let accepted = Change::Accepted(id.clone(), newest);
    fixture.apply(vec![accepted]);
    fixture.apply(vec![file(&at("a", 5, "worst"))]);
    let older = fixture.translator.resources[&id].clone();
    fixture.apply(vec![file(&at("b", 3, "three"))]);
    fixture.apply(vec![Change::Refused(id, older, "no such thing".into())]);
    assert_eq!(state(&fixture, "a"), State::Rejected);
    assert_eq!(state(&fixture, "b"), State::Accepted);
    assert!(serves(&fixture, "worse") && serves(&fixture, "three"));
}
