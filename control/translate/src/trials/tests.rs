use tenon_model::{Kind, Parsed, parse};

use super::*;
use crate::output::{Module, TranslatorOptions};

const PLAIN: &str = "static: {hosts: [{addr: one.test, port: 80}]}";
const OVER_TLS: &str = "static: {hosts: [{addr: two.test, port: 80}], useTls: true}";
/// A shape that nothing else here has.
const BY_HEADER: &str = "matchers: [{prefix: /, headers: [{name: x-a}]}]";

fn upstream(name: &str, spec: &str) -> String {
    format!("upstreams/default/{name}.yaml\n{spec}")
}

fn host(name: &str, routes: &str) -> String {
    format!(
        "virtualservices/default/{name}.yaml\nvirtualHost: {{domains: [{name}.test], routes: [{{{routes}}}]}}"
    )
}

fn answer(text: &str) -> String {
    format!("directResponseAction: {{status: 200, body: {text}}}")
}

fn to(upstream: &str) -> String {
    format!("routeAction: {{single: {{upstream: {{name: {upstream}}}}}}}")
}

fn file(text: &str) -> Change {
    let (path, text) = text.split_once('\n').unwrap();
    match parse(path, text).remove(0) {
        Parsed::Object(object) => Change::Upsert(Arc::from(object)),
        other => panic!("{other:?}"),
    }
}

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey {
        kind,
        namespace: "default".into(),
        name: name.into(),
    }
}

fn delete(kind: Kind, name: &str) -> Change {
    Change::Delete(key(kind, name))
}

/// A translation, and a canary that answers when it is told to.
struct Scene {
    translator: Translator,
    trials: Trials,
    /// What it was not told to answer yet.
    asked: Vec<Trial>,
    told: BTreeMap<ResourceId, Arc<Resource>>,
    statuses: BTreeMap<ObjectKey, Arc<Status>>,
    credentials: BTreeMap<String, GenericSecret>,
}

impl Scene {
    /// With everything tried and taken.
    fn new(files: &[&str]) -> Self {
        let mut scene = Self {
            translator: Translator::new(TranslatorOptions {
                module: Module::So("/libtenon.so".into()),
                default_bind: "127.0.0.1:8080".parse().unwrap(),
                parts_above: TranslatorOptions::PARTS_ABOVE,
                more_parts_above: TranslatorOptions::MORE_PARTS_ABOVE,
                trees_above: TranslatorOptions::TREES_ABOVE,
                header_secrets_of_upstreams_namespace: false,
            }),
            trials: Trials::new([]),
            asked: Vec::new(),
            told: BTreeMap::new(),
            statuses: BTreeMap::new(),
            credentials: BTreeMap::new(),
        };
        scene.edit(files);
        while !scene.asked.is_empty() {
            scene.answer(Tried::Taken);
        }
        assert!(scene.trials.is_over());
        let accepted = scene.told.iter();
        let accepted = accepted.map(|(id, it)| Change::Accepted(id.clone(), it.clone()));
        let accepted = accepted.collect();
        scene.apply(accepted);
        scene
    }

    fn edit(&mut self, files: &[&str]) -> Vec<String> {
        self.apply(files.iter().map(|text| file(text)).collect())
    }

    /// What is told of, by name.
    fn apply(&mut self, changes: Vec<Change>) -> Vec<String> {
        let (update, asked) = self.trials.apply(&mut self.translator, changes, false);
        self.asked.extend(asked);
        let names = update.resources.keys().map(|id| id.name.to_string());
        let names = names.collect();
        merge(&mut self.told, update.resources);
        merge(&mut self.statuses, update.statuses);
        merge(&mut self.credentials, update.credentials);
        self.no_domain_is_there_twice();
        names
    }

    /// The canary answers to all that it was asked so far.
    fn answer(&mut self, tried: Tried) -> Vec<String> {
        for trial in mem::take(&mut self.asked) {
            self.trials.answer(&trial, tried.clone());
        }
        self.apply(Vec::new())
    }

    fn refuse(&mut self) -> Vec<String> {
        self.answer(Tried::Refused("no such thing".to_owned()))
    }

    fn serves(&self, text: &str) -> bool {
        self.told.iter().any(|(_, resource)| {
            let mut windows = resource.value.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        })
    }

    fn has(&self, name: &str) -> bool {
        self.told.keys().any(|id| *id.name == *name)
    }

    fn state(&self, kind: Kind, name: &str) -> State {
        self.statuses[&key(kind, name)].state
    }

    /// Envoy refuses a table that has one twice.
    fn no_domain_is_there_twice(&self) {
        for (id, table) in &self.told {
            let hosts = Part::of(id.kind, table).into_iter();
            let hosts = hosts.filter(|part| part.host().is_some());
            let domains = hosts.flat_map(|part| crate::wire::split(part.bytes(), 2).1);
            let domains: Vec<_> = domains.collect();
            let once: BTreeSet<_> = domains.iter().collect();
            assert_eq!(once.len(), domains.len(), "{}", id.name);
        }
    }
}

fn merge<K: Ord, V>(all: &mut BTreeMap<K, V>, changes: BTreeMap<K, Option<V>>) {
    for (key, change) in changes {
        match change {
            Some(value) => all.insert(key, value),
            None => all.remove(&key),
        };
    }
}

#[test]
fn while_a_cluster_is_tried_its_form_of_before_is_served_and_all_else_goes_on() {
    let www = |text: &str| host("www", &answer(text));
    let mut scene = Scene::new(&[
        &upstream("web", PLAIN),
        &host("a", &to("web")),
        &www("first"),
    ]);
    assert_eq!(
        scene.edit(&[&upstream("web", OVER_TLS)]),
        Vec::<String>::new()
    );
    assert_eq!(scene.asked.len(), 1);
    assert_eq!(scene.state(Kind::Upstream, "web"), State::Pending);
    scene.edit(&[&www("second"), &host("b", &to("web"))]);
    assert!(scene.serves("second") && scene.serves("b.test") && scene.serves("one.test"));
    assert!(!scene.serves("two.test"));
    assert_eq!(scene.state(Kind::VirtualService, "www"), State::Accepted);
    assert_eq!(scene.answer(Tried::Taken), ["web_default"]);
    assert!(scene.serves("two.test") && !scene.serves("one.test"));
    assert_eq!(scene.state(Kind::Upstream, "web"), State::Accepted);
    assert!(scene.trials.is_over());
    // Its shape is known now.
    scene.edit(&[&upstream("web", &OVER_TLS.replace("two", "three"))]);
    assert!(scene.serves("three.test") && scene.asked.is_empty());
}

#[test]
fn what_is_refused_was_never_served() {
    let mut scene = Scene::new(&[&upstream("web", PLAIN), &host("a", &to("web"))]);
    scene.edit(&[&upstream("web", OVER_TLS)]);
    assert_eq!(scene.refuse(), Vec::<String>::new());
    assert_eq!(scene.state(Kind::Upstream, "web"), State::Rejected);
    assert!(scene.trials.is_over());
    // Nor is it asked about again.
    scene.edit(&[&upstream("web", PLAIN)]);
    assert_eq!(scene.state(Kind::Upstream, "web"), State::Accepted);
    scene.edit(&[&upstream("web", OVER_TLS)]);
    assert!(scene.asked.is_empty() && scene.serves("one.test"));
    assert_eq!(scene.state(Kind::Upstream, "web"), State::Rejected);
}

#[test]
fn a_virtual_host_that_is_refused_leaves_its_table_as_it_was() {
    let www = |text: &str, more: &str| host("www", &format!("{more}{}", answer(text)));
    let of_header = format!("{BY_HEADER}, ");
    let mut scene = Scene::new(&[&www("first", ""), &host("z", &answer("beside"))]);
    assert_eq!(
        scene.edit(&[&www("second", &of_header)]),
        Vec::<String>::new()
    );
    assert_eq!(scene.state(Kind::VirtualService, "www"), State::Pending);
    assert_eq!(scene.state(Kind::VirtualService, "z"), State::Accepted);
    scene.edit(&[&host("z", &answer("changed"))]);
    assert!(scene.serves("first") && scene.serves("changed") && !scene.serves("second"));
    assert_eq!(scene.refuse(), Vec::<String>::new());
    assert_eq!(scene.state(Kind::VirtualService, "www"), State::Rejected);
    assert!(scene.serves("first") && scene.trials.is_over());
}

#[test]
fn a_new_virtual_host_is_not_there_before_its_trial() {
    let mut scene = Scene::new(&[&host("a", &answer("first"))]);
    let new = host("new", &format!("{BY_HEADER}, {}", answer("new")));
    scene.edit(&[&new, &host("a", &answer("second"))]);
    assert!(scene.serves("second") && !scene.serves("new.test"));
    scene.refuse();
    // It answers for itself, which is tried as well.
    assert!(!scene.serves("new.test"));
    scene.answer(Tried::Taken);
    assert!(scene.serves("new.test") && scene.trials.is_over());
    assert_eq!(scene.state(Kind::VirtualService, "new"), State::Rejected);
}

#[test]
fn an_answer_about_an_older_form_is_none_about_the_newest() {
    let mut scene = Scene::new(&[&upstream("web", PLAIN)]);
    scene.edit(&[&upstream("web", OVER_TLS)]);
    // Of the same shape: it waits for what becomes of that.
    let newer = OVER_TLS.replace("two", "three");
    scene.edit(&[&upstream("web", &newer)]);
    assert_eq!(scene.asked.len(), 1);
    scene.refuse();
    assert_eq!(scene.state(Kind::Upstream, "web"), State::Pending);
    assert_eq!(scene.asked.len(), 1);
    assert_eq!(scene.answer(Tried::Taken), ["web_default"]);
    assert!(scene.serves("three.test"));
    // And one that is of a shape that is known in the meantime is served at once.
    scene.edit(&[&host("a", &format!("{BY_HEADER}, {}", answer("tried")))]);
    scene.edit(&[&host("a", &answer("known"))]);
    assert!(scene.serves("known") || !scene.asked.is_empty());
    scene.answer(Tried::Taken);
    assert!(scene.serves("known") && !scene.serves("tried") && scene.trials.is_over());
}

#[test]
fn what_is_deleted_while_it_is_tried_is_gone() {
    let mut scene = Scene::new(&[&upstream("web", PLAIN)]);
    scene.edit(&[&upstream("web", OVER_TLS)]);
    assert_eq!(
        scene.apply(vec![delete(Kind::Upstream, "web")]),
        ["web_default"]
    );
    assert!(!scene.has("web_default") && scene.trials.is_over());
    assert!(!scene.statuses.contains_key(&key(Kind::Upstream, "web")));
    assert_eq!(scene.refuse(), Vec::<String>::new());
}

#[test]
fn a_route_comes_with_the_cluster_that_it_is_for() {
    let mut scene = Scene::new(&[&upstream("web", PLAIN), &host("a", &to("web"))]);
    let told = scene.edit(&[&upstream("new", OVER_TLS), &host("a", &to("new"))]);
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(scene.state(Kind::VirtualService, "a"), State::Pending);
    let told = scene.answer(Tried::Taken);
    assert_eq!(told, ["new_default", "listener-127.0.0.1-8080-routes"]);
    assert_eq!(scene.state(Kind::VirtualService, "a"), State::Accepted);
}

#[test]
fn a_cluster_stays_while_a_route_that_is_tried_was_for_it() {
    let mut scene = Scene::new(&[&upstream("web", PLAIN), &host("a", &to("web"))]);
    scene.edit(&[&host("a", &format!("{BY_HEADER}, {}", answer("new")))]);
    let gone = scene.apply(vec![delete(Kind::Upstream, "web")]);
    assert_eq!(gone, Vec::<String>::new());
    assert!(scene.has("web_default"));
    scene.answer(Tried::Taken);
    assert!(scene.serves("new") && !scene.has("web_default") && scene.trials.is_over());
}

#[test]
fn credentials_stay_while_a_cluster_that_is_tried_had_them() {
    let secret = |name: &str| {
        format!("secrets/default/{name}.yaml\naws: {{accessKey: AKID, secretKey: secret}}")
    };
    let lambda = |secret: &str, more: &str| {
        let spec = format!(
            "aws: {{region: us-east-1, secretRef: {{name: {secret}}}, lambdaFunctions: [{{logicalName: crop, lambdaFunctionName: crop}}]}}{more}"
        );
        upstream("lambda", &spec)
    };
    let mut scene = Scene::new(&[&secret("one"), &secret("two"), &lambda("one", "")]);
    let names = |scene: &Scene| scene.credentials.keys().cloned().collect::<Vec<_>>();
    let before = names(&scene);
    scene.edit(&[&lambda("two", "\ncircuitBreakers: {maxConnections: 7}")]);
    assert_eq!(scene.asked.len(), 1);
    let both = names(&scene);
    assert!(both.len() == 2 && before.iter().all(|it| both.contains(it)));
    scene.answer(Tried::Taken);
    let after = names(&scene);
    assert!(after.len() == 1 && after != before && scene.trials.is_over());
}

#[test]
fn a_listener_that_goes_elsewhere_stays_until_it_is_there() {
    let gateway = |port: u16, more: &str| {
        format!(
            "gateways/default/gw.yaml\n{{bindAddress: '::', bindPort: {port}, httpGateway: {{}}{more}}}"
        )
    };
    let mut scene = Scene::new(&[&gateway(8080, ""), &host("a", &answer("first"))]);
    scene.edit(&[&gateway(8081, ", useProxyProto: true")]);
    assert!(scene.has("listener-::-8080") && !scene.has("listener-::-8081"));
    assert!(scene.has("listener-::-8080-routes"));
    let status = |scene: &Scene| scene.statuses[&key(Kind::Gateway, "gw")].state;
    assert_eq!(status(&scene), State::Pending);
    scene.edit(&[&host("a", &answer("second"))]);
    scene.answer(Tried::Taken);
    assert!(!scene.has("listener-::-8080") && scene.has("listener-::-8081"));
    assert!(!scene.has("listener-::-8080-routes") && scene.serves("second"));
    assert_eq!(status(&scene), State::Accepted);
}

#[test]
fn a_domain_that_another_takes_meanwhile_is_its_own() {
    let with = |name: &str, domains: &str, routes: &str| {
        format!(
            "virtualservices/default/{name}.yaml\nvirtualHost: {{domains: [{domains}], routes: [{{{routes}}}]}}"
        )
    };
    let tried = format!("{BY_HEADER}, {}", answer("a-new"));
    let mut scene = Scene::new(&[
        &with("a", "one.test, two.test", &answer("a-old")),
        &with("b", "three.test", &answer("b")),
    ]);
    scene.edit(&[&with("a", "one.test", &tried)]);
    scene.edit(&[&with("b", "two.test", &answer("b"))]);
    assert!(scene.serves("a-old") && scene.serves("two.test"));
    scene.answer(Tried::Taken);
    assert!(scene.serves("a-new") && scene.trials.is_over());
}

#[test]
fn what_nobody_can_tell_is_served() {
    let mut scene = Scene::new(&[&upstream("web", PLAIN)]);
    scene.edit(&[&upstream("web", OVER_TLS)]);
    scene.answer(Tried::Unknown);
    assert!(scene.serves("two.test") && scene.trials.is_over());
}
