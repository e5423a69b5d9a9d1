use super::*;

/// An Envoy that refuses what holds a text, as a whole, and keeps what it had.
pub(super) struct Picky {
    refuses: &'static str,
    has: BTreeMap<ResourceId, Bytes>,
    /// How often it was sent something.
    pushes: usize,
    /// How often it refused something.
    pub(super) refusals: usize,
    /// It refuses something else for good, and so never has accepted everything.
    is_stuck: bool,
}

impl Picky {
    pub(super) fn new(refuses: &'static str) -> Self {
        Self {
            refuses,
            has: BTreeMap::new(),
            pushes: 0,
            refusals: 0,
            is_stuck: false,
        }
    }

    fn stuck(self) -> Self {
        Self {
            is_stuck: true,
            ..self
        }
    }

    /// Goes on until there is nothing to answer.
    pub(super) fn converse(&mut self, fixture: &mut Fixture) {
        for _ in 0..50 {
            let told = std::mem::take(&mut fixture.told.resources);
            let mut changes = Vec::new();
            let mut all_fits = true;
            for (id, resource) in told {
                self.pushes += 1;
                let Some(resource) = resource else {
                    self.has.remove(&id);
                    continue;
                };
                let refused = resource
                    .value
                    .windows(self.refuses.len())
                    .any(|window| window == self.refuses.as_bytes());
                let words = refused.then(|| "no such thing".to_owned());
                all_fits &= !refused;
                self.refusals += usize::from(refused);
                if !refused {
                    self.has.insert(id.clone(), resource.value.clone());
                }
                if !refused {
                    changes.push(Change::Accepted(id.clone(), resource));
                }
                changes.push(Change::Verdict(id, words));
            }
            if all_fits && !self.is_stuck {
                changes.extend(settled(fixture));
            }
            fixture.apply(changes);
            if fixture.told.resources.is_empty() {
                if self.is_stuck {
                    return;
                }
                // What has settled stays so.
                fixture.apply(settled(fixture));
                assert!(fixture.told.resources.is_empty());
                return;
            }
        }
        panic!("it never ends");
    }

    pub(super) fn serves(&self, text: &str) -> bool {
        self.has
            .values()
            .any(|value| value.windows(text.len()).any(|it| it == text.as_bytes()))
    }
}

fn settled(fixture: &Fixture) -> Vec<Change> {
    let proxies = fixture.translator.proxies().iter();
    proxies.cloned().map(Change::Settled).collect()
}

fn web(host: &str) -> String {
    format!("upstreams/default/web.yaml\nstatic: {{hosts: [{{addr: {host}, port: 8081}}]}}")
}

#[test]
fn a_cluster_that_envoy_refuses_goes_back_to_what_it_was() {
    goes_back_to_what_it_was(Picky::new("bad.test"));
}

#[test]
fn it_does_so_though_something_else_stays_refused() {
    goes_back_to_what_it_was(Picky::new("bad.test").stuck());
}

fn goes_back_to_what_it_was(mut envoy: Picky) {
    let mut fixture = Fixture::new(&[&web("one.test"), &host("www", &to("web"))]);
    envoy.converse(&mut fixture);
    for _ in 0..2 {
        fixture.apply(vec![file(&web("bad.test"))]);
        envoy.converse(&mut fixture);
        assert!(envoy.serves("one.test"));
        assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
        assert_eq!(
            fixture.messages(Kind::Upstream, "web"),
            [
                "Envoy refuses it: no such thing",
                "its last good form stays in use"
            ]
        );
        let status = &fixture.translator.statuses[&key(Kind::Upstream, "web")];
        let (state, messages) = &status.proxies[DEFAULT_PROXY];
        assert_eq!(*state, State::Rejected);
        assert_eq!(messages[0].text, "Envoy refuses it: no such thing");
        assert_eq!(fixture.state(Kind::VirtualService, "www"), State::Accepted);
    }
    fixture.apply(vec![file(&web("two.test"))]);
    envoy.converse(&mut fixture);
    assert!(envoy.serves("two.test"));
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Accepted);
}

#[test]
fn a_cluster_that_envoy_never_took_is_taken_back() {
    let mut fixture = Fixture::new(&[&web("bad.test"), LAMBDA, SECRET]);
    let mut envoy = Picky::new("bad.test");
    envoy.converse(&mut fixture);
    let id = fixture.id(ResourceType::Cluster, "web_default");
    assert!(!fixture.translator.resources.contains_key(&id));
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    assert_eq!(fixture.state(Kind::Upstream, "lambda"), State::Accepted);
}

#[test]
fn of_many_virtual_hosts_those_that_envoy_refuses_are_found() {
    are_found(Picky::new("bad"));
}

#[test]
fn they_are_found_though_something_else_stays_refused() {
    are_found(Picky::new("bad").stuck());
}

fn are_found(mut envoy: Picky) {
    let answer = |text: &str| format!("{{directResponseAction: {{status: 200, body: {text}}}}}");
    let named = |number: usize| format!("host-{number}");
    let files: Vec<_> = (0..20)
        .map(|number| host(&named(number), &answer(&format!("old-{number}."))))
        .collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let mut fixture = Fixture::new(&files);
    envoy.converse(&mut fixture);

    // Two of ten changes, and one of two new ones, are bad.
    let text = |number| match number {
        3 | 8 | 21 => format!("bad-{number}."),
        _ => format!("new-{number}."),
    };
    let edits: Vec<_> = (0..10)
        .chain(20..22)
        .map(|number| file(&host(&named(number), &answer(&text(number)))))
        .collect();
    fixture.apply(edits);
    let before = envoy.pushes;
    envoy.converse(&mut fixture);
    assert!(envoy.pushes - before < 30, "{}", envoy.pushes - before);
    for number in 0..22 {
        let (state, serves) = match number {
            3 | 8 => (State::Rejected, format!("old-{number}.")),
            21 => (State::Rejected, "invalid_route".to_owned()),
            10..=19 => (State::Accepted, format!("old-{number}.")),
            _ => (State::Accepted, format!("new-{number}.")),
        };
        assert!(envoy.serves(&serves), "{serves}");
        let name = named(number);
        let messages = fixture.messages(Kind::VirtualService, &name);
        assert_eq!(
            fixture.state(Kind::VirtualService, &name),
            state,
            "{name}: {messages:?}"
        );
    }
    assert_eq!(
        fixture.messages(Kind::VirtualService, "host-3"),
        [
            "Envoy refuses it: no such thing",
            "its last good form stays in use"
        ]
    );

    // Mended, they are served.
    let mended = [3, 8, 21]
        .map(|number: usize| file(&host(&named(number), &answer(&format!("mended-{number}.")))));
    fixture.apply(mended.to_vec());
    envoy.converse(&mut fixture);
    for number in [3, 8, 21] {
        assert!(envoy.serves(&format!("mended-{number}.")));
        let name = named(number);
        assert_eq!(fixture.state(Kind::VirtualService, &name), State::Accepted);
    }
}

#[test]
fn a_virtual_host_that_cannot_even_answer_is_left_out() {
    let answer = "{directResponseAction: {status: 200}}";
    let mut fixture = Fixture::new(&[&host("good", answer), &host("bad", answer)]);
    let mut envoy = Picky::new("bad.example.com");
    envoy.converse(&mut fixture);
    assert!(envoy.serves("good.example.com"));
    assert_eq!(fixture.state(Kind::VirtualService, "good"), State::Accepted);
    assert_eq!(fixture.state(Kind::VirtualService, "bad"), State::Rejected);
}

fn id_of_routes(fixture: &Fixture) -> ResourceId {
    fixture.id(ResourceType::Route, "listener-127.0.0.1-8080-routes")
}

/// A table as it is served now.
fn table(fixture: &Fixture) -> Arc<Resource> {
    fixture.translator.resources[&id_of_routes(fixture)].clone()
}

/// Which of these an Envoy has accepted.
fn proven(fixture: &Fixture, keys: &[ObjectKey]) -> Vec<String> {
    let proven = fixture.translator.proven(keys.iter()).into_iter();
    proven.map(|key| key.name.to_string()).collect()
}

#[test]
fn an_object_is_proven_by_the_resources_that_are_made_of_it() {
    let table = "routetables/default/table.yaml\nroutes: [{matchers: [{prefix: /}], directResponseAction: {status: 200}}]";
    let delegating = host("www", "{delegateAction: {ref: {name: table}}}");
    let mut fixture = Fixture::new(&[&web("one.test"), table, &delegating]);
    let keys = [
        key(Kind::Upstream, "web"),
        key(Kind::VirtualService, "www"),
        key(Kind::RouteTable, "table"),
    ];
    assert!(proven(&fixture, &keys).is_empty());
    let cluster = fixture.id(ResourceType::Cluster, "web_default");
    let accept = |fixture: &mut Fixture, id: ResourceId| {
        let resource = fixture.translator.resources[&id].clone();
        fixture.apply(vec![Change::Accepted(id, resource)]);
    };
    accept(&mut fixture, cluster);
    assert_eq!(proven(&fixture, &keys), ["web"]);
    let routes = id_of_routes(&fixture);
    accept(&mut fixture, routes);
    assert_eq!(proven(&fixture, &keys), ["web", "www", "table"]);
    fixture.apply(vec![file(&table.replace("200", "201"))]);
    assert_eq!(proven(&fixture, &keys), ["web"]);
}

#[test]
fn an_older_form_of_a_table_proves_the_virtual_hosts_that_are_as_they_were() {
    let answer = |code: u16| format!("{{directResponseAction: {{status: {code}}}}}");
    let hosts = [host("a", &answer(200)), host("b", &answer(200))];
    let mut fixture = Fixture::new(&[&hosts[0], &hosts[1]]);
    let older = table(&fixture);
    fixture.apply(vec![file(&host("b", &answer(201)))]);
    let keys = ["a", "b"].map(|name| key(Kind::VirtualService, name));
    let listener = fixture.id(ResourceType::Listener, "listener-127.0.0.1-8080");
    let accepted = fixture.translator.resources[&listener].clone();
    let routes = id_of_routes(&fixture);
    fixture.apply(vec![
        Change::Accepted(listener, accepted),
        Change::Accepted(routes.clone(), older),
    ]);
    assert_eq!(proven(&fixture, &keys), ["a"]);
    // So it is the other one that a refusal is about.
    fixture.apply(vec![Change::Verdict(routes, Some("no".into()))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
}

/// Two hosts that an Envoy has accepted, and the same with other answers.
fn two_hosts() -> (Fixture, impl Fn(&str, u16) -> Change) {
    let answer = |code: u16| format!("{{directResponseAction: {{status: {code}}}}}");
    let mut fixture = Fixture::new(&[&host("a", &answer(200)), &host("b", &answer(200))]);
    let all = settled(&fixture);
    fixture.apply(all);
    (fixture, move |name, code| file(&host(name, &answer(code))))
}

fn refused(fixture: &Fixture, form: Arc<Resource>) -> Change {
    Change::Refused(id_of_routes(fixture), form, "no such thing".into())
}

fn accepted(fixture: &Fixture) -> Change {
    Change::Accepted(id_of_routes(fixture), table(fixture))
}

fn states(fixture: &Fixture) -> [State; 2] {
    ["a", "b"].map(|name| fixture.state(Kind::VirtualService, name))
}

#[test]
fn only_what_was_in_the_refused_form_is_to_blame_for_it() {
    let (mut fixture, edit) = two_hosts();
    fixture.apply(vec![edit("a", 201)]);
    let older = table(&fixture);
    fixture.apply(vec![edit("b", 201)]);
    let refused = refused(&fixture, older);
    fixture.apply(vec![refused]);
    assert_eq!(states(&fixture), [State::Rejected, State::Accepted]);
    assert_eq!(
        fixture.messages(Kind::VirtualService, "a"),
        [
            "Envoy refuses it: no such thing",
            "its last good form stays in use"
        ]
    );
}

#[test]
fn what_has_changed_since_a_form_was_refused_is_not_to_blame_for_it() {
    let (mut fixture, edit) = two_hosts();
    fixture.apply(vec![edit("a", 201)]);
    let older = table(&fixture);
    fixture.apply(vec![edit("a", 202), edit("b", 201)]);
    let newest = table(&fixture);
    let refused_older = refused(&fixture, older);
    fixture.apply(vec![refused_older]);
    assert_eq!(table(&fixture).version, newest.version);
    assert_eq!(states(&fixture), [State::Accepted; 2]);
    // Once that is accepted, they are proven by it.
    let newest = accepted(&fixture);
    fixture.apply(vec![newest]);
    let keys = ["a", "b"].map(|name| key(Kind::VirtualService, name));
    assert_eq!(proven(&fixture, &keys), ["a", "b"]);
}

#[test]
fn beside_what_has_changed_since_the_rest_is_suspected_and_tried_again() {
    let (mut fixture, edit) = two_hosts();
    fixture.apply(vec![edit("a", 201), edit("b", 201)]);
    let older = table(&fixture);
    fixture.apply(vec![edit("a", 202)]);
    let refused_older = refused(&fixture, older);
    fixture.apply(vec![refused_older]);
    // It may have been the other one, so nobody is told of anything yet.
    assert_eq!(states(&fixture), [State::Accepted; 2]);
    let before = table(&fixture);
    let without = accepted(&fixture);
    fixture.apply(vec![without]);
    let tried = table(&fixture);
    assert_ne!(before.version, tried.version);
    let refused_alone = refused(&fixture, tried);
    fixture.apply(vec![refused_alone]);
    assert_eq!(states(&fixture), [State::Accepted, State::Rejected]);
}

#[test]
fn an_older_form_of_anything_else_says_nothing_of_the_newest() {
    let mut fixture = Fixture::new(&[&web("one.test"), &host("www", &to("web"))]);
    let cluster = fixture.id(ResourceType::Cluster, "web_default");
    let older = fixture.translator.resources[&cluster].clone();
    fixture.apply(vec![file(&web("two.test"))]);
    let newest = fixture.translator.resources[&cluster].clone();
    fixture.apply(vec![Change::Refused(cluster.clone(), older, "no".into())]);
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Accepted);
    assert!(fixture.told.resources.is_empty());
    fixture.apply(vec![Change::Refused(cluster, newest, "no".into())]);
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
}
