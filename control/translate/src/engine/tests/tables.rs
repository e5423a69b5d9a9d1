//! Route tables: which edit reaches which virtual host.

use super::*;

fn table(name: &str, labels: &str, routes: &str) -> String {
    format!(
        "routetables/default/{name}.yaml\nmetadata: {{labels: {{{labels}}}}}\nroutes: [{routes}]"
    )
}

fn answer(prefix: &str, body: &str) -> String {
    format!(
        "{{matchers: [{{prefix: {prefix}}}], directResponseAction: {{status: 200, body: {body}}}}}"
    )
}

fn delegate(prefix: &str, to: &str) -> String {
    format!("{{matchers: [{{prefix: {prefix}}}], delegateAction: {{{to}}}}}")
}

fn by_name(name: &str) -> String {
    delegate("/", &format!("ref: {{name: {name}}}"))
}

impl Fixture {
    /// The virtual hosts that were derived anew by changes.
    pub(super) fn derived(&mut self, changes: Vec<Change>) -> Vec<String> {
        let before: BTreeMap<_, _> = self.bodies();
        self.apply(changes);
        let after = self.bodies();
        let changed = after
            .into_iter()
            .filter(|(name, body)| before.get(name) != Some(body));
        changed.map(|(name, _)| name.to_string()).collect()
    }

    /// Where the form of each host is, which is another place once it is derived anew.
    fn bodies(&self) -> BTreeMap<Arc<str>, *const u8> {
        let hosts = self.translator.hosts.iter();
        hosts
            .map(|(key, unit)| (key.name.clone(), unit.form.body.as_ptr()))
            .collect()
    }
}

#[test]
fn an_edit_of_a_table_derives_the_virtual_hosts_that_reach_it() {
    let files = [
        host("a", &by_name("outer")),
        host("b", &by_name("other")),
        table("outer", "", &by_name("inner")),
        table("inner", "", &answer("/", "one")),
        table("other", "", &answer("/", "other")),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let edit = file(&table("inner", "", &answer("/", "two")));
    assert_eq!(fixture.derived(vec![edit]), ["a"]);
    assert!(fixture.serves("two") && !fixture.serves("one"));
    let edit = Change::Delete(key(Kind::RouteTable, "inner"));
    assert_eq!(fixture.derived(vec![edit]), ["a"]);
    assert_eq!(
        fixture.messages(Kind::RouteTable, "outer"),
        ["RouteTable default/inner does not exist"]
    );
    let edit = file(&table("inner", "", &answer("/", "three")));
    assert_eq!(fixture.derived(vec![edit]), ["a"]);
    assert!(fixture.serves("three"));
}

#[test]
fn a_table_is_found_by_the_selectors_that_it_comes_to_match() {
    let files = [
        host("a", &delegate("/", "selector: {labels: {team: a}}")),
        host("b", &delegate("/", "selector: {labels: {team: b}}")),
        host(
            "c",
            &delegate(
                "/",
                "selector: {expressions: [{key: old, operator: Exists}]}",
            ),
        ),
        table("of-a", "team: a", &answer("/of-a", "a")),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let edit = file(&table("more", "team: b", &answer("/more", "more")));
    assert_eq!(fixture.derived(vec![edit]), ["b"]);
    let edit = file(&table("more", "team: a", &answer("/more", "more")));
    assert_eq!(fixture.derived(vec![edit]), ["a", "b"]);
    let edit = file(&table("more", "old: ''", &answer("/more", "more")));
    assert_eq!(fixture.derived(vec![edit]), ["a", "c"]);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Warning);
    let edit = file(&table("more", "", &answer("/more", "more")));
    assert_eq!(fixture.derived(vec![edit]), ["c"]);
    assert_eq!(
        fixture.messages(Kind::RouteTable, "more"),
        ["no VirtualService delegates to it"]
    );
}

#[test]
fn a_table_that_breaks_keeps_its_last_good_form_and_its_neighbours_follow_theirs() {
    let two = [
        delegate("/a", "ref: {name: a}"),
        delegate("/b", "ref: {name: b}"),
    ];
    let files = [
        SECRET.to_owned(),
        LAMBDA.to_owned(),
        host("h", &two.join(", ")),
        table(
            "a",
            "",
            &call("crop").replace("{routeAction", "{matchers: [{prefix: /a}], routeAction"),
        ),
        table("b", "", &answer("/b", "one")),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let before = fixture.routes();
    let broken = files[3].replace("crop", "resize");
    assert!(fixture.apply(vec![file(&broken)]).is_empty());
    assert_eq!(fixture.routes(), before);
    assert_eq!(fixture.state(Kind::VirtualService, "h"), State::Accepted);
    assert_eq!(fixture.state(Kind::RouteTable, "b"), State::Accepted);
    assert_eq!(
        fixture.messages(Kind::RouteTable, "a"),
        [
            "unknown function \"resize\" on upstream default/lambda; known: crop",
            "its last good form stays in use",
        ]
    );
    // Its neighbour is edited, and so is the virtual service.
    fixture.apply(vec![file(&table("b", "", &answer("/b", "two")))]);
    assert!(fixture.serves("two") && fixture.serves("crop"));
    // A new virtual service is given the last good form, too.
    fixture.apply(vec![file(&host("new", &two[0]))]);
    let body = fixture.translator.hosts[&key(Kind::VirtualService, "new")]
        .form
        .body
        .clone();
    assert!(body.windows(4).any(|window| window == b"crop"));
    fixture.apply(vec![file(&LAMBDA.replace("crop", "resize"))]);
    assert_eq!(fixture.state(Kind::RouteTable, "a"), State::Accepted);
    assert!(fixture.serves("resize"));
}

#[test]
fn a_function_that_is_taken_away_from_a_table_is_still_called() {
    let files = [
        SECRET.to_owned(),
        LAMBDA.to_owned(),
        host("h", &by_name("a")),
        table("a", "", &call("crop")),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let before = fixture.routes();
    fixture.apply(vec![file(&LAMBDA.replace("crop", "resize"))]);
    assert_eq!(fixture.routes(), before);
    assert_eq!(fixture.state(Kind::RouteTable, "a"), State::Rejected);
    assert_eq!(fixture.state(Kind::VirtualService, "h"), State::Accepted);
}

#[test]
fn a_cycle_is_the_fault_of_who_closes_it() {
    let files = [
        host("h", &by_name("a")),
        table("a", "", &[by_name("b"), answer("/a", "of-a")].join(", ")),
        table("b", "", &answer("/b", "of-b")),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let before = fixture.routes();
    let closing = table("b", "", &[answer("/b", "new"), by_name("a")].join(", "));
    fixture.apply(vec![file(&closing)]);
    assert_eq!(fixture.routes(), before);
    assert_eq!(fixture.state(Kind::RouteTable, "a"), State::Accepted);
    assert_eq!(fixture.state(Kind::RouteTable, "b"), State::Rejected);
    fixture.apply(vec![file(files[2])]);
    assert_eq!(fixture.state(Kind::RouteTable, "b"), State::Accepted);
}

#[test]
fn tables_that_lead_to_each_other_without_end_cost_one_route() {
    // Each of twelve delegates to all: more ways than anybody could go.
    let names: Vec<String> = (0..12).map(|number| format!("t{number}")).collect();
    let all = delegate("/", "selector: {labels: {all: ''}}");
    let mut files: Vec<String> = names
        .iter()
        .map(|name| table(name, "all: ''", &all))
        .collect();
    files.push(host("h", &[answer("/own", "own"), all].join(", ")));
    files.push(host("other", &answer("/", "other")));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let fixture = Fixture::new(&files);
    assert!(fixture.serves("own") && fixture.serves("other"));
    assert_eq!(
        fixture.state(Kind::VirtualService, "other"),
        State::Accepted
    );
    assert_eq!(fixture.state(Kind::RouteTable, "t0"), State::Rejected);
    // A long way down ends as well.
    let mut files: Vec<String> = (0..100)
        .map(|number| {
            let next = by_name(&format!("t{}", number + 1));
            table(
                &format!("t{number}"),
                "",
                &[
                    answer(&format!("/near{number:03}"), &format!("t{number}")),
                    next,
                ]
                .join(", "),
            )
        })
        .collect();
    files.push(host("h", &by_name("t0")));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let fixture = Fixture::new(&files);
    assert!(fixture.serves("t63") && !fixture.serves("t70"));
}

#[test]
fn a_virtual_service_and_a_table_say_what_is_wrong_on_each_proxy() {
    let gateway = |name: &str, port: u16, host: &str| {
        format!(
            "gateways/default/{name}.yaml\n{{bindPort: {port}, proxyNames: [{name}], httpGateway: {{virtualServices: [{{name: {host}}}]}}}}"
        )
    };
    let files = [
        gateway("p1", 8081, "a"),
        gateway("p2", 8082, "b"),
        host("a", &delegate("/a", "ref: {name: t}")),
        host("b", &delegate("/b", "ref: {name: t}")),
        table(
            "t",
            "",
            &[answer("/a/x", "one"), answer("/a/y", "two")].join(", "),
        ),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let fixture = Fixture::new(&files);
    let status = &fixture.translator.statuses[&key(Kind::RouteTable, "t")];
    let state = |proxy: &str| (status.proxies[proxy].0, status.proxies[proxy].1.len());
    assert_eq!(state("p1"), (State::Accepted, 0));
    assert_eq!(state("p2"), (State::Warning, 2));
    assert_eq!(status.state, State::Warning);
}

#[test]
fn an_edit_of_an_upstream_group_derives_the_virtual_hosts_that_use_it() {
    let group = |name: &str, destinations: &str| {
        format!("upstreamgroups/default/{name}.yaml\ndestinations: [{destinations}]")
    };
    let web = "{weight: 1, destination: {upstream: {name: web}}}";
    let crop = "{weight: 1, destination: {upstream: {name: lambda}, destinationSpec: {aws: {logicalName: crop}}}}";
    let to_group = |name: &str| format!("{{routeAction: {{upstreamGroup: {{name: {name}}}}}}}");
    let files = [
        SECRET.to_owned(),
        LAMBDA.to_owned(),
        WEB.to_owned(),
        host("a", &by_name("t")),
        host("b", &to_group("other")),
        table("t", "", &to_group("g")),
        group("g", web),
        group("other", web),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    let edit = group("g", &[web, crop].join(", "));
    assert_eq!(fixture.derived(vec![file(&edit)]), ["a"]);
    assert!(fixture.serves("crop"));
    let before = fixture.routes();
    // What it breaks by keeps it as it was.
    let broken = edit.replace("crop", "resize");
    fixture.apply(vec![file(&broken)]);
    assert_eq!(fixture.routes(), before);
    assert_eq!(
        fixture.messages(Kind::UpstreamGroup, "g"),
        [
            "unknown function \"resize\" on upstream default/lambda; known: crop",
            "its last good form stays in use",
        ]
    );
    for (kind, name) in [
        (Kind::VirtualService, "a"),
        (Kind::RouteTable, "t"),
        (Kind::UpstreamGroup, "other"),
    ] {
        assert_eq!(fixture.state(kind, name), State::Accepted);
    }
    // A function that comes to be there ends it, without another edit of the group.
    let named = LAMBDA.replace("crop", "resize");
    assert_eq!(fixture.derived(vec![file(&named)]), ["a"]);
    assert!(fixture.serves("resize") && !fixture.serves("crop"));
    assert_eq!(fixture.state(Kind::UpstreamGroup, "g"), State::Accepted);
}

#[test]
fn the_cluster_of_forward_proxies_is_there_while_a_route_is_for_it() {
    let forward = "{routeAction: {dynamicForwardProxy: {hostRewrite: example.com}}}";
    let mut fixture = Fixture::new(&[WEB, &host("a", &to("web")), &host("b", forward)]);
    let there = |fixture: &Fixture| {
        let mut ids = fixture.translator.resources.keys();
        ids.any(|id| id.name.starts_with("solo_io_generated_dfp:"))
    };
    assert!(there(&fixture));
    fixture.apply(vec![file(&host("b", &to("web")))]);
    assert!(!there(&fixture));
}

#[test]
fn the_cluster_of_before_is_there_while_connections_may_still_lead_to_it() {
    let gateway = |hosts: u32| {
        format!(
            "gateways/default/g.yaml\n\
             {{bindPort: 80, httpGateway: {{options: {{dynamicForwardProxy: {{dnsCacheConfig: {{maxHosts: {hosts}}}}}}}}}}}"
        )
    };
    let forward = "{routeAction: {dynamicForwardProxy: {}}}";
    let mut fixture = Fixture::new(&[WEB, &gateway(1), &host("a", forward)]);
    let clusters = |fixture: &Fixture| {
        let ids = fixture.translator.resources.keys();
        ids.filter(|id| id.name.starts_with("solo_io_generated_dfp:"))
            .count()
    };
    assert_eq!(clusters(&fixture), 1);
    fixture.apply(vec![file(&gateway(2))]);
    assert_eq!(clusters(&fixture), 2);
    // It is theirs again.
    fixture.apply(vec![file(&gateway(1))]);
    fixture.apply(vec![Change::Time(1), Change::Time(2)]);
    assert_eq!(clusters(&fixture), 1);
    fixture.apply(vec![file(&gateway(3))]);
    fixture.apply(vec![Change::Time(3)]);
    assert_eq!(clusters(&fixture), 2);
    // Without routes to it nothing leads there.
    fixture.apply(vec![file(&host("a", &to("web")))]);
    assert_eq!(clusters(&fixture), 0);
}
