//! Options in resources of their own: which edit reaches whom, and what becomes of those that break.

use super::*;

fn option(name: &str, options: &str) -> String {
    format!("routeoptions/default/{name}.yaml\noptions: {{{options}}}")
}

fn host_option(name: &str, options: &str) -> String {
    format!("virtualhostoptions/default/{name}.yaml\noptions: {{{options}}}")
}

/// A route that refers to a RouteOption.
fn with(upstream: &str, name: &str) -> String {
    format!(
        "{{optionsConfigRefs: {{delegateOptions: [{{name: {name}}}]}}, routeAction: {{single: {{upstream: {{name: {upstream}}}}}}}}}"
    )
}

fn of_host(name: &str, option: &str) -> String {
    format!(
        "virtualservices/default/{name}.yaml\nvirtualHost: {{domains: [{name}.example.com], optionsConfigRefs: {{delegateOptions: [{{name: {option}}}]}}, routes: [{}]}}",
        to("web")
    )
}

fn fixture(files: &[String]) -> Fixture {
    let files: Vec<&str> = [WEB]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .collect();
    Fixture::new(&files)
}

#[test]
fn an_edit_of_options_derives_the_virtual_hosts_that_refer_to_them() {
    let mut fixture = fixture(&[
        option("a", "hostRewrite: first.example"),
        option("b", "timeout: 2s"),
        host_option("c", "headerManipulation: {requestHeadersToRemove: [x-c]}"),
        host("a", &with("web", "a")),
        host("b", &with("web", "b")),
        host("below", "{delegateAction: {ref: {name: table}}}"),
        of_host("c", "c"),
        host("d", &to("web")),
        format!(
            "routetables/default/table.yaml\nroutes: [{}]",
            with("web", "a").replacen('{', "{matchers: [{prefix: /}], ", 1)
        ),
    ]);
    let edit = file(&option("a", "hostRewrite: second.example"));
    assert_eq!(fixture.derived(vec![edit]), ["a", "below"]);
    assert!(fixture.serves("second.example") && !fixture.serves("first.example"));
    let edit = file(&option("b", "timeout: 3s"));
    assert_eq!(fixture.derived(vec![edit]), ["b"]);
    let edit = file(&host_option(
        "c",
        "headerManipulation: {requestHeadersToRemove: [x-d]}",
    ));
    assert_eq!(fixture.derived(vec![edit]), ["c"]);
    assert!(fixture.serves("x-d"));
    // Nobody refers to it.
    let edit = file(&option("new", "timeout: 4s"));
    assert_eq!(fixture.derived(vec![edit]), [""; 0]);
    assert_eq!(
        fixture.messages(Kind::RouteOption, "new"),
        ["no route refers to it: it has no effect"]
    );
}

#[test]
fn options_that_break_leave_the_last_good_form_to_those_that_refer_to_them() {
    let mut fixture = fixture(&[
        option("a", "hostRewrite: first.example"),
        host("a", &with("web", "a")),
    ]);
    assert_eq!(fixture.state(Kind::RouteOption, "a"), State::Accepted);
    // It cannot be read: nobody notices.
    fixture.apply(vec![file(&option("a", "hostRewrite: 1"))]);
    assert_eq!(fixture.state(Kind::RouteOption, "a"), State::Rejected);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    assert!(fixture.serves("first.example"));
    // It cannot be done: told at both.
    fixture.apply(vec![file(&option(
        "a",
        "hostRewrite: second.example, extauth: {customAuth: {}}",
    ))]);
    assert_eq!(
        fixture.messages(Kind::RouteOption, "a"),
        [
            "needs a server in the Settings' extauth (at spec.virtualHost.routes[0] of VirtualService default/a)"
        ]
    );
    assert_eq!(
        fixture.messages(Kind::VirtualService, "a"),
        [
            "extauth.customAuth of RouteOption default/a: needs a server in the Settings' extauth",
            "its last good form stays in use",
        ]
    );
    assert!(fixture.serves("first.example") && !fixture.serves("second.example"));
    // It is gone: as with Gloo, the route is served without it.
    fixture.apply(vec![Change::Delete(key(Kind::RouteOption, "a"))]);
    assert_eq!(
        fixture.messages(Kind::VirtualService, "a"),
        ["RouteOption default/a does not exist: what it would say is left out"]
    );
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Warning);
    assert!(!fixture.serves("first.example") && !fixture.serves("second.example"));
    fixture.apply(vec![file(&option("a", "hostRewrite: third.example"))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    assert_eq!(fixture.state(Kind::RouteOption, "a"), State::Accepted);
    assert!(fixture.serves("third.example"));
}

#[test]
fn options_are_told_which_proxies_have_them() {
    let mut fixture = fixture(&[
        option("a", "timeout: 1s"),
        host("a", &with("web", "a")),
        "gateways/gloo-system/edge.yaml\n{bindPort: 8080, proxyNames: [edge], httpGateway: {}}"
            .to_owned(),
    ]);
    let proxies = |fixture: &Fixture| -> Vec<String> {
        let status = &fixture.translator.statuses[&key(Kind::RouteOption, "a")];
        status.proxies.keys().cloned().collect()
    };
    assert_eq!(proxies(&fixture), ["edge"]);
    fixture.apply(vec![file(
        "gateways/gloo-system/edge.yaml\n{bindPort: 8080, proxyNames: [other], httpGateway: {}}",
    )]);
    assert_eq!(proxies(&fixture), ["other"]);
    fixture.apply(vec![file(&host("a", &to("web")))]);
    assert_eq!(proxies(&fixture), [""; 0]);
}
