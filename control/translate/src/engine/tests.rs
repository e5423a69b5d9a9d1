use std::sync::Arc;

use bytes::Bytes;
use tenon_model::{Parsed, parse};

use super::*;
use crate::output::{Module, ResourceType, State};

const SECRET: &str = "secrets/default/aws.yaml\naws: {accessKey: AKID, secretKey: secret}";
const LAMBDA: &str = "upstreams/default/lambda.yaml
aws:
  region: us-east-1
  secretRef: {name: aws}
  lambdaFunctions: [{logicalName: crop, lambdaFunctionName: crop}]";
const WEB: &str = "upstreams/default/web.yaml\nstatic: {hosts: [{addr: 127.0.0.1, port: 8081}]}";

fn host(name: &str, route: &str) -> String {
    format!(
        "virtualservices/default/{name}.yaml\nvirtualHost: {{domains: [{name}.example.com], routes: [{route}]}}"
    )
}

fn to(upstream: &str) -> String {
    format!("{{routeAction: {{single: {{upstream: {{name: {upstream}}}}}}}}}")
}

fn call(function: &str) -> String {
    format!(
        "{{routeAction: {{single: {{upstream: {{name: lambda}}, destinationSpec: {{aws: {{logicalName: {function}}}}}}}}}}}"
    )
}

/// The change that a file makes; its first line is its path.
fn file(text: &str) -> Change {
    let (path, text) = text.split_once('\n').unwrap();
    match parse(path, text).remove(0) {
        Parsed::Object(object) => Change::Upsert(Arc::from(object)),
        Parsed::Rejected {
            key,
            problems,
            rest,
        } => Change::rejected(key, problems, rest.map(Arc::from)),
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

struct Fixture {
    translator: Translator,
    told: Update,
}

impl Fixture {
    fn new(files: &[&str]) -> Self {
        Self::with_parts_above(TranslatorOptions::PARTS_ABOVE, files)
    }

    fn with_parts_above(parts_above: usize, files: &[&str]) -> Self {
        let translator = Translator::new(TranslatorOptions {
            module: Module::So("/libtenon.so".into()),
            default_bind: "127.0.0.1:8080".parse().unwrap(),
            parts_above,
            more_parts_above: 4 * parts_above,
            trees_above: TranslatorOptions::TREES_ABOVE,
            header_secrets_of_upstreams_namespace: false,
        });
        let mut fixture = Self {
            translator,
            told: Update::default(),
        };
        fixture.apply(files.iter().map(|text| file(text)).collect());
        fixture
    }

    /// What changed, by name.
    fn apply(&mut self, changes: Vec<Change>) -> Vec<String> {
        self.told = self.translator.apply(changes);
        let names = self.told.resources.keys().map(|id| id.name.to_string());
        names.collect()
    }

    /// The types of what changed.
    fn kinds(&self) -> Vec<ResourceType> {
        self.told.resources.keys().map(|id| id.kind).collect()
    }

    fn state(&self, kind: Kind, name: &str) -> State {
        self.translator.statuses[&key(kind, name)].state
    }

    fn messages(&self, kind: Kind, name: &str) -> Vec<String> {
        let messages = &self.translator.statuses[&key(kind, name)].messages;
        messages
            .iter()
            .map(|message| message.text.clone())
            .collect()
    }

    fn id(&self, kind: ResourceType, name: &str) -> ResourceId {
        ResourceId {
            proxy: DEFAULT_PROXY.into(),
            kind,
            name: name.into(),
        }
    }

    fn routes(&self) -> Bytes {
        let id = self.id(ResourceType::Route, "listener-127.0.0.1-8080-routes");
        self.translator.resources[&id].value.clone()
    }

    fn serves(&self, text: &str) -> bool {
        self.routes()
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

#[test]
fn an_edit_of_one_upstream_changes_its_cluster_only() {
    let mut fixture = Fixture::new(&[
        SECRET,
        LAMBDA,
        WEB,
        &host("a", &to("web")),
        &host("b", &call("crop")),
    ]);
    assert_eq!(
        fixture.apply(vec![file(&WEB.replace("8081", "8082"))]),
        ["web_default"]
    );
    assert!(fixture.told.statuses.is_empty() && fixture.told.credentials.is_empty());
}

#[test]
fn a_new_key_changes_no_resource_but_the_credentials() {
    let mut fixture = Fixture::new(&[SECRET, LAMBDA, &host("b", &call("crop"))]);
    let names = fixture.apply(vec![file(&SECRET.replace("AKID", "OTHER"))]);
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(
        fixture.told.credentials.keys().collect::<Vec<_>>(),
        ["aws_default_aws_us-east-1"]
    );
}

#[test]
fn a_new_certificate_changes_its_secret_only() {
    let tls = |roots: &str| {
        let roots = roots.replace('\n', "\\n");
        format!("secrets/default/tls.yaml\ntls: {{rootCa: \"{roots}\"}}")
    };
    let one = tls(include_str!("../../tests/certificates/one.pem"));
    let two = tls(include_str!("../../tests/certificates/two.pem"));
    let web = WEB.to_owned() + "\nsslConfig: {secretRef: {name: tls}}";
    let mut fixture = Fixture::new(&[&one, &web]);
    let names = fixture.apply(vec![file(&two)]);
    assert_eq!(names, ["ca_default_tls"]);
    let names = fixture.apply(vec![file(WEB)]);
    assert_eq!(names, ["web_default", "ca_default_tls"]);
}

#[test]
fn a_secret_that_comes_late_ends_the_tombstone_and_the_warning() {
    let mut fixture = Fixture::new(&[LAMBDA]);
    assert_eq!(fixture.state(Kind::Upstream, "lambda"), State::Warning);
    assert!(fixture.apply(vec![file(SECRET)]).is_empty());
    assert_eq!(fixture.state(Kind::Upstream, "lambda"), State::Accepted);
    let told = fixture.told.credentials.values().next().unwrap();
    assert!(matches!(
        told,
        Some(GenericSecret {
            source: CredentialSource::Aws { keys: Some(_), .. },
            ..
        })
    ));
}

#[test]
fn a_call_that_breaks_keeps_its_last_good_form() {
    let mut fixture = Fixture::new(&[SECRET, LAMBDA, &host("b", &call("crop"))]);
    let before = fixture.routes();
    assert!(
        fixture
            .apply(vec![file(&host("b", &call("resize")))])
            .is_empty()
    );
    assert_eq!(fixture.routes(), before);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
    assert_eq!(
        fixture.messages(Kind::VirtualService, "b"),
        [
            "unknown function \"resize\" on upstream default/lambda; known: crop",
            "its last good form stays in use",
        ]
    );
    fixture.apply(vec![file(&LAMBDA.replace("crop", "resize"))]);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Accepted);
    assert!(fixture.serves("resize"));
}

#[test]
fn a_function_that_is_taken_away_is_still_called_until_the_route_says_otherwise() {
    let mut fixture = Fixture::new(&[SECRET, LAMBDA, &host("b", &call("crop"))]);
    let before = fixture.routes();
    fixture.apply(vec![file(&LAMBDA.replace("crop", "resize"))]);
    assert_eq!(fixture.routes(), before);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
}

#[test]
fn a_text_that_breaks_keeps_the_last_good_form_which_still_follows_its_upstreams() {
    let mut fixture = Fixture::new(&[SECRET, LAMBDA, &host("b", &call("crop"))]);
    let broken = file(&host("b", "{nonsense: 1}"));
    assert!(matches!(broken, Change::RejectInPart(..)));
    assert!(fixture.apply(vec![broken]).is_empty());
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
    let renamed = LAMBDA.replace("lambdaFunctionName: crop", "lambdaFunctionName: crop-v2");
    fixture.apply(vec![file(&renamed)]);
    assert!(fixture.serves("crop-v2"));
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
}

#[test]
fn what_never_could_be_read_answers_for_its_wrong_routes_until_it_can() {
    let good = format!(
        "{}, {}",
        to("web").replace("{routeA", "{matchers: [{prefix: /good}], routeA"),
        to("web")
    );
    let wrong = good
        .replacen("single", "sin-gle", 1)
        .replacen("/good", "/wrong", 1);
    let mut fixture = Fixture::new(&[WEB]);
    fixture.apply(vec![file(&host("a", &wrong))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Rejected);
    assert!(
        fixture.serves("/wrong")
            && fixture.serves("invalid_route")
            && fixture.serves("web_default")
    );
    fixture.apply(vec![file(&host("a", &good))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    let before = fixture.routes();
    assert!(!fixture.serves("invalid_route"));
    // Now there is a last good form.
    fixture.apply(vec![file(&host("a", &wrong))]);
    assert_eq!(fixture.routes(), before);
    // That is forgotten with the object.
    fixture.apply(vec![Change::Delete(key(Kind::VirtualService, "a"))]);
    assert!(!fixture.serves("a.example.com"));
    fixture.apply(vec![file(&host("a", &wrong))]);
    assert!(fixture.serves("invalid_route"));
    let no_domains = "virtualservices/default/a.yaml\nvirtualHost: {domains: [1], routes: []}";
    fixture.apply(vec![file(no_domains)]);
    assert!(!fixture.serves("a.example.com"));
}

#[test]
fn what_is_left_of_a_virtual_service_takes_no_domain_from_another() {
    let of_b = host("a", "{nonsense: 1}").replace("a.example.com", "b.example.com");
    let mut fixture = Fixture::new(&[WEB, &host("b", &to("web")), &of_b]);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Accepted);
    assert!(fixture.serves("web_default") && !fixture.serves("invalid_route"));
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Rejected);
    // Of two good ones the first has it.
    let good = host("a", &to("web")).replace("a.example.com", "b.example.com");
    fixture.apply(vec![file(&good)]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
}

#[test]
fn an_upstream_that_breaks_keeps_its_cluster() {
    let mut fixture = Fixture::new(&[WEB, &host("a", &to("web"))]);
    let names = fixture.apply(vec![file(&WEB.replace("8081", "many"))]);
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
}

#[test]
fn a_bad_object_leaves_its_neighbours_byte_for_byte() {
    let good: Vec<String> = vec![
        SECRET.into(),
        LAMBDA.into(),
        WEB.into(),
        host("a", &to("web")),
        host("b", &call("crop")),
    ];
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    let alone = Fixture::new(&good);
    let bad = "virtualservices/default/c.yaml\nvirtualHost: {domains: [1], routes: []}";
    let worse = WEB.replace("web.yaml", "bad.yaml").replace("8081", "0");
    let mut with = good.clone();
    with.insert(0, bad);
    with.insert(3, &worse);
    let beside = Fixture::new(&with);
    assert!(alone.translator.resources == beside.translator.resources);
    assert_eq!(beside.state(Kind::VirtualService, "c"), State::Rejected);
    assert_eq!(beside.state(Kind::Upstream, "bad"), State::Rejected);
}

#[test]
fn a_nack_is_the_fault_of_what_it_is_about() {
    let mut fixture = Fixture::new(&[WEB, &host("a", &to("web"))]);
    let cluster = fixture.id(ResourceType::Cluster, "web_default");
    fixture.apply(vec![Change::Settled(DEFAULT_PROXY.into())]);
    fixture.apply(vec![Change::Verdict(
        cluster.clone(),
        Some("no such thing".into()),
    )]);
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    assert_eq!(
        fixture.messages(Kind::Upstream, "web"),
        ["Envoy refuses it: no such thing"]
    );
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    fixture.apply(vec![Change::Verdict(cluster, None)]);
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Accepted);
}

#[test]
fn a_nack_that_names_a_virtual_host_blames_no_other() {
    let mut fixture = Fixture::new(&[WEB, &host("a", &to("web")), &host("a-b", &to("web"))]);
    let routes = fixture.id(ResourceType::Route, "listener-127.0.0.1-8080-routes");
    let words = "route default_a-b-route-0-matcher-0: bad";
    fixture.apply(vec![Change::Settled(DEFAULT_PROXY.into())]);
    fixture.apply(vec![Change::Verdict(routes.clone(), Some(words.into()))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    assert_eq!(fixture.state(Kind::VirtualService, "a-b"), State::Rejected);
    fixture.apply(vec![Change::Verdict(routes, Some("something else".into()))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Rejected);
}

#[test]
fn credentials_that_fail_are_a_warning_of_their_upstreams() {
    let mut fixture = Fixture::new(&[SECRET, LAMBDA]);
    let told = |problem: Option<&str>| Change::Credentials {
        name: "aws_default_aws_us-east-1".into(),
        problem: problem.map(str::to_owned),
    };
    fixture.apply(vec![told(Some("STS says no"))]);
    assert_eq!(fixture.state(Kind::Upstream, "lambda"), State::Warning);
    assert_eq!(
        fixture.messages(Kind::Upstream, "lambda"),
        ["no credentials: STS says no"]
    );
    fixture.apply(vec![told(None)]);
    assert_eq!(fixture.state(Kind::Upstream, "lambda"), State::Accepted);
}

#[test]
fn what_is_deleted_is_told_as_gone() {
    let mut fixture = Fixture::new(&[SECRET, LAMBDA, WEB]);
    let names = fixture.apply(vec![Change::Delete(key(Kind::Upstream, "lambda"))]);
    assert_eq!(names, ["lambda_default"]);
    assert!(fixture.told.resources.values().all(Option::is_none));
    assert!(fixture.told.credentials.values().all(Option::is_none));
    assert_eq!(fixture.told.credentials.len(), 1);
    assert!(fixture.told.statuses.values().all(Option::is_none));
}

/// How many resources of each type were told.
fn told(fixture: &Fixture) -> BTreeMap<ResourceType, usize> {
    let mut told = BTreeMap::new();
    for id in fixture.told.resources.keys() {
        *told.entry(id.kind).or_default() += 1;
    }
    told
}

#[test]
fn an_edit_in_a_table_in_parts_changes_one_part() {
    let hosts: Vec<String> = (0..5)
        .map(|number| host(&format!("h{number}"), &to("web")))
        .collect();
    let files: Vec<&str> = hosts.iter().map(String::as_str).chain([WEB]).collect();
    let mut fixture = Fixture::with_parts_above(3, &files);
    let all = told(&fixture);
    assert_eq!(all[&ResourceType::ScopedRoute], 64);
    assert_eq!(all[&ResourceType::Route], 64);
    let one = BTreeMap::from([(ResourceType::Route, 1)]);
    for text in [
        host("h1", "{directResponseAction: {status: 200}}"),
        host("h9", &to("web")),
    ] {
        fixture.apply(vec![file(&text)]);
        assert_eq!(told(&fixture), one, "{text}");
    }
    fixture.apply(vec![Change::Delete(key(Kind::VirtualService, "h9"))]);
    assert_eq!(told(&fixture), one);
    // One with a wildcard is in every part.
    let all = "virtualservices/default/all.yaml\nvirtualHost: {routes: [{directResponseAction: {status: 200}}]}";
    fixture.apply(vec![file(all)]);
    assert_eq!(told(&fixture), BTreeMap::from([(ResourceType::Route, 64)]));
}

#[test]
fn an_edit_of_a_route_of_the_gateway_api_changes_one_part() {
    let gateway = "gateway.yaml\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw, namespace: default}\nspec: {gatewayClassName: gloo-gateway, listeners: [{name: http, port: 8080, protocol: HTTP}]}";
    let route = |number: usize, upstream: &str| {
        format!(
            "h{number}.yaml\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: h{number}, namespace: default}}\nspec: {{parentRefs: [{{name: gw}}], hostnames: [h{number}.example.com], rules: [{{backendRefs: [{{group: gloo.solo.io, kind: Upstream, name: {upstream}}}]}}]}}"
        )
    };
    let routes: Vec<String> = (0..5).map(|number| route(number, "web")).collect();
    let files: Vec<&str> = routes
        .iter()
        .map(String::as_str)
        .chain([WEB, gateway])
        .collect();
    let mut fixture = Fixture::with_parts_above(3, &files);
    let all = told(&fixture);
    assert_eq!(all[&ResourceType::ScopedRoute], 64);
    assert_eq!(all[&ResourceType::Route], 64);
    fixture.apply(vec![file(&route(3, "elsewhere"))]);
    assert_eq!(told(&fixture), BTreeMap::from([(ResourceType::Route, 1)]));
}

#[test]
fn a_table_that_grows_is_cut_into_more_parts_so_that_they_stay_as_large() {
    let mut fixture = Fixture::with_parts_above(1, &[WEB]);
    let mut parts = BTreeMap::new();
    for number in 0..20 {
        let name = format!("h{number}");
        fixture.apply(vec![file(&host(&name, &to("web")))]);
        let ids = fixture.translator.resources.keys();
        let scopes = ids.filter(|id| id.kind == ResourceType::ScopedRoute);
        parts.entry(scopes.count()).or_insert(number + 1);
    }
    assert_eq!(
        parts,
        BTreeMap::from([(0, 1), (64, 2), (256, 5), (1024, 17)])
    );
    let edit = file(&host("h3", "{directResponseAction: {status: 200}}"));
    fixture.apply(vec![edit]);
    assert_eq!(told(&fixture), BTreeMap::from([(ResourceType::Route, 1)]));
    // Fewer again: all parts are other ones, under other names, and so is the listener.
    let gone =
        (10..20).map(|number| Change::Delete(key(Kind::VirtualService, &format!("h{number}"))));
    fixture.apply(gone.collect());
    let told = told(&fixture);
    assert_eq!(told[&ResourceType::ScopedRoute], 1024 + 256);
    assert_eq!(told[&ResourceType::Route], 1024 + 256);
    assert_eq!(told[&ResourceType::Listener], 1);
}

#[test]
fn a_table_with_many_wildcards_stays_whole() {
    let wildcard = |number: usize| {
        host(&format!("h{number}"), &to("web"))
            .replace("[h", "['*.h")
            .replace(".com]", ".com']")
    };
    let hosts: Vec<String> = (0..40).map(wildcard).collect();
    let files: Vec<&str> = hosts.iter().map(String::as_str).chain([WEB]).collect();
    let fixture = Fixture::with_parts_above(3, &files);
    assert!(!told(&fixture).contains_key(&ResourceType::ScopedRoute));
    assert!(fixture.serves("*.h39.example.com"));
}

#[test]
fn the_heir_of_a_domain_is_told_of_it() {
    let second = host("b", &to("web")).replace("b.example.com", "a.example.com");
    let mut fixture = Fixture::new(&[WEB, &host("a", &to("web")), &second]);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
    fixture.apply(vec![Change::Delete(key(Kind::VirtualService, "a"))]);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Accepted);
    fixture.apply(vec![file(&host("a", &to("web")))]);
    assert_eq!(fixture.state(Kind::VirtualService, "b"), State::Rejected);
}

#[test]
fn an_upstream_that_envoy_would_refuse_keeps_its_last_good_form() {
    let with_name = |length| {
        let name = "a".repeat(length);
        let host = "{addr: 127.0.0.1, port: 8081}";
        file(&format!(
            "upstreams/default/web.yaml\nstatic: {{hosts: [{host}]}}\nsslConfig: {{sni: {name}}}"
        ))
    };
    let mut fixture = Fixture::new(&[WEB, &host("www", &to("web"))]);
    assert_eq!(fixture.apply(vec![with_name(300)]), Vec::<String>::new());
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    assert_eq!(
        fixture.messages(Kind::Upstream, "web"),
        [
            "Envoy would refuse it: transport_socket.typed_config.sni: must have at most 255 bytes",
            "its last good form stays in use"
        ]
    );
    assert_eq!(fixture.apply(vec![with_name(30)]), ["web_default"]);
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Accepted);

    // Without a good form, it alone is not there.
    let mut fixture = Fixture::new(&[LAMBDA, SECRET, &host("www", &to("web"))]);
    let names = fixture.apply(vec![with_name(300)]);
    assert!(!names.contains(&"web_default".to_owned()), "{names:?}");
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    assert_eq!(fixture.state(Kind::Upstream, "lambda"), State::Accepted);
}

mod certificates;
mod endpoints;
mod external_options;
mod lookups;
mod programmed;
mod quarantine;
mod reach;
mod refused_kinds;
mod route_forms;
mod secret_headers;
mod tables;

#[test]
fn what_envoy_says_of_a_virtual_host_is_told_of_its_tables_too() {
    let table = "routetables/default/t.yaml
routes: [{matchers: [{prefix: /}], directResponseAction: {status: 200, body: BODY}}]";
    let delegates = "virtualservices/default/a.yaml
virtualHost: {domains: [a.example.com], routes: [{matchers: [{prefix: /}], delegateAction: {ref: {name: t}}}]}";
    let mut fixture = Fixture::new(&[table, delegates]);
    fixture.apply(vec![Change::Settled(DEFAULT_PROXY.into())]);
    fixture.apply(vec![file(&table.replace("BODY", "other"))]);
    let routes = fixture.id(ResourceType::Route, "listener-127.0.0.1-8080-routes");
    let words = "route default_a-route-0-matcher-0: no such thing";
    fixture.apply(vec![Change::Verdict(routes, Some(words.into()))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Rejected);
    let told = fixture.messages(Kind::RouteTable, "t");
    let expected = format!("Envoy refuses VirtualService default/a, which has its routes: {words}");
    assert_eq!(told, [expected]);
    fixture.apply(vec![file(&table.replace("BODY", "good"))]);
    assert_eq!(fixture.state(Kind::VirtualService, "a"), State::Accepted);
    assert_eq!(fixture.state(Kind::RouteTable, "t"), State::Accepted);
}
