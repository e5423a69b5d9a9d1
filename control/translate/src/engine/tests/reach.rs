//! What each of several proxies gets.

use std::collections::BTreeSet;

use super::*;

const AZURE: &str = "upstreams/default/azure.yaml
azure: {functionAppName: app, secretRef: {name: keys}, functions: [{functionName: crop, authLevel: Function}]}";
const KEYS: &str = "secrets/default/keys.yaml\nazure: {apiKeys: {crop: key}}";

/// A gateway with these virtual services.
fn gateway(name: &str, proxy: &str, port: u16, hosts: &[&str]) -> String {
    let hosts: Vec<_> = hosts
        .iter()
        .map(|host| format!("{{name: {host}, namespace: default}}"))
        .collect();
    format!(
        "gateways/gloo-system/{name}.yaml
{{bindAddress: '::', bindPort: {port}, proxyNames: [{proxy}], httpGateway: {{virtualServices: [{}]}}}}",
        hosts.join(", ")
    )
}

/// Two proxies: `inner` calls a Lambda, `outer` a function of Azure's.
fn two() -> Fixture {
    Fixture::new(&[
        SECRET,
        LAMBDA,
        KEYS,
        AZURE,
        WEB,
        &host("a", &call("crop")),
        &host("b", &to_azure()),
        &gateway("inner", "inner", 8080, &["a"]),
        &gateway("outer", "outer", 8081, &["b"]),
    ])
}

fn to_azure() -> String {
    "{routeAction: {single: {upstream: {name: azure}, destinationSpec: {azure: {functionName: crop}}}}}"
        .to_owned()
}

/// What a proxy has of a type.
fn of(fixture: &Fixture, proxy: &str, kind: ResourceType) -> Vec<String> {
    let resources = fixture.translator.resources.sorted().map(|(id, _)| id);
    let own = resources.filter(|id| *id.proxy == *proxy && id.kind == kind);
    own.map(|id| id.name.to_string()).collect()
}

fn clusters(fixture: &Fixture, proxy: &str) -> Vec<String> {
    of(fixture, proxy, ResourceType::Cluster)
}

/// The generic secrets that a proxy gets.
fn credentials(fixture: &Fixture, proxy: &str) -> Vec<String> {
    let all = fixture.translator.credentials.iter();
    let own = all.filter(|(_, secret)| secret.proxies.contains(proxy));
    own.map(|(name, _)| name.clone()).collect()
}

#[test]
fn a_proxy_gets_the_upstreams_that_it_routes_to_and_their_credentials() {
    let fixture = two();
    assert_eq!(clusters(&fixture, "inner"), ["lambda_default"]);
    assert_eq!(clusters(&fixture, "outer"), ["azure_default"]);
    assert_eq!(
        credentials(&fixture, "inner"),
        ["aws_default_aws_us-east-1"]
    );
    assert_eq!(credentials(&fixture, "outer").len(), 1);
    assert_ne!(
        credentials(&fixture, "outer"),
        credentials(&fixture, "inner")
    );
    let status = &fixture.translator.statuses[&key(Kind::Upstream, "lambda")];
    assert_eq!(status.proxies.keys().collect::<Vec<_>>(), ["inner"]);
}

#[test]
fn an_only_proxy_gets_all_of_them() {
    let mut fixture = two();
    fixture.apply(vec![Change::Delete(ObjectKey {
        kind: Kind::Gateway,
        namespace: "gloo-system".into(),
        name: "outer".into(),
    })]);
    let all = ["azure_default", "lambda_default", "web_default"];
    assert_eq!(clusters(&fixture, "inner"), all);
    assert!(clusters(&fixture, "outer").is_empty());
    assert_eq!(credentials(&fixture, "inner").len(), 2);
    assert!(credentials(&fixture, "outer").is_empty());
    fixture.apply(vec![file(&gateway("outer", "outer", 8081, &["b"]))]);
    assert_eq!(clusters(&fixture, "inner"), ["lambda_default"]);
    assert_eq!(clusters(&fixture, "outer"), ["azure_default"]);
}

#[test]
fn a_route_brings_its_cluster_and_its_secret_along_and_takes_them_away() {
    let mut fixture = two();
    let both = "{matchers: [{prefix: /x}], routeAction: {single: {upstream: {name: lambda}, destinationSpec: {aws: {logicalName: crop}}}}}, "
        .to_owned()
        + &to_azure();
    fixture.apply(vec![file(&host("b", &both))]);
    assert_eq!(
        clusters(&fixture, "outer"),
        ["azure_default", "lambda_default"]
    );
    let told = &fixture.told.credentials["aws_default_aws_us-east-1"];
    let proxies = told.as_ref().map(|it| it.proxies.clone());
    let expected = ["inner", "outer"].map(ProxyName::from);
    assert_eq!(proxies, Some(BTreeSet::from(expected)));
    assert!(clusters(&fixture, "inner") == ["lambda_default"]);
    fixture.apply(vec![file(&host("b", &to_azure()))]);
    assert_eq!(clusters(&fixture, "outer"), ["azure_default"]);
    assert_eq!(credentials(&fixture, "outer").len(), 1);
}

#[test]
fn a_proxy_whose_requests_say_where_they_go_gets_all() {
    let mut fixture = two();
    let chosen = "{routeAction: {clusterHeader: x-to}}";
    fixture.apply(vec![file(&host("b", chosen))]);
    assert_eq!(clusters(&fixture, "outer").len(), 3);
    assert_eq!(clusters(&fixture, "inner"), ["lambda_default"]);
    // What comes later, too.
    fixture.apply(vec![file(&WEB.replace("web", "late"))]);
    assert!(clusters(&fixture, "outer").contains(&"late_default".to_owned()));
    fixture.apply(vec![file(&host("b", &to_azure()))]);
    assert_eq!(clusters(&fixture, "outer"), ["azure_default"]);
}

#[test]
fn a_certificate_goes_to_the_proxies_whose_listeners_have_it() {
    let certificate = include_str!("../../../tests/certificates/one.pem").replace('\n', "\\n");
    let private = include_str!("../../../tests/certificates/one.key").replace('\n', "\\n");
    let secret = |name: &str| {
        format!(
            "secrets/default/{name}.yaml\ntls: {{certChain: \"{certificate}\", privateKey: \"{private}\"}}"
        )
    };
    let tls = |name: &str| {
        format!("sslConfig: {{secretRef: {{name: {name}}}, sniDomains: [{name}.example.com]}}\n")
    };
    let with_tls = |name: &str| {
        let host = host(name, "{directResponseAction: {status: 200}}");
        host.replace("virtualHost", &(tls(name) + "virtualHost"))
    };
    let ssl = |text: String| text.replace("{bindAddress", "{ssl: true, bindAddress");
    let fixture = Fixture::new(&[
        &secret("a"),
        &secret("b"),
        &with_tls("a"),
        &with_tls("b"),
        &ssl(gateway("inner", "inner", 8080, &["a"])),
        &ssl(gateway("outer", "outer", 8081, &["b"])),
    ]);
    let secrets = |proxy| of(&fixture, proxy, ResourceType::Secret);
    assert_eq!(secrets("inner"), ["tls_default_a"]);
    assert_eq!(secrets("outer"), ["tls_default_b"]);
}

#[test]
fn what_is_served_instead_of_a_refused_listener_keeps_its_upstream() {
    let tcp = |upstream: &str| {
        format!(
            "gateways/gloo-system/outer.yaml
{{bindAddress: '::', bindPort: 8081, proxyNames: [outer], tcpGateway: {{tcpHosts: [{{name: a, destination: {{single: {{upstream: {{name: {upstream}, namespace: default}}}}}}}}]}}}}"
        )
    };
    let mut fixture = two();
    fixture.apply(vec![file(&WEB.replace("web", "other"))]);
    fixture.apply(vec![file(&tcp("web"))]);
    fixture.apply(vec![Change::Settled("outer".into())]);
    assert_eq!(clusters(&fixture, "outer"), ["web_default"]);
    fixture.apply(vec![file(&tcp("other"))]);
    assert_eq!(clusters(&fixture, "outer"), ["other_default"]);
    let id = ResourceId {
        proxy: "outer".into(),
        kind: ResourceType::Listener,
        name: "listener-::-8081".into(),
    };
    fixture.apply(vec![Change::Verdict(id, Some("no".into()))]);
    assert_eq!(clusters(&fixture, "outer"), ["web_default"]);
}

#[test]
fn a_cluster_that_a_gateway_names_by_its_name_in_envoy_is_there() {
    let logs = "gateways/gloo-system/outer.yaml
{bindAddress: '::', bindPort: 8081, proxyNames: [outer], httpGateway: {}, options: {accessLoggingService: {accessLog: [{grpcService: {logName: a, staticClusterName: late_default}}]}}}";
    let mut fixture = two();
    fixture.apply(vec![file(logs)]);
    fixture.apply(vec![file(&WEB.replace("web", "late"))]);
    let late = "late_default".to_owned();
    assert!(clusters(&fixture, "outer").contains(&late));
    assert!(!clusters(&fixture, "inner").contains(&late));
}

#[test]
fn a_header_that_is_secret_goes_to_the_proxies_that_send_it() {
    let mut fixture = two();
    fixture.apply(vec![
        file("secrets/default/headers.yaml\nheader: {headers: {x-key: hidden}}"),
        file(&host("b", "{routeAction: {single: {upstream: {name: web}}}, options: {headerManipulation: {requestHeadersToAdd: [{headerSecretRef: {name: headers}}]}}}")),
    ]);
    let secrets = |fixture: &Fixture, proxy| of(fixture, proxy, ResourceType::Secret);
    assert_eq!(secrets(&fixture, "outer"), ["header/default/headers/x-key"]);
    assert!(secrets(&fixture, "inner").is_empty());
    fixture.apply(vec![file(&host("b", &to_azure()))]);
    assert!(secrets(&fixture, "outer").is_empty());
}

#[test]
fn it_gets_all_even_if_such_a_route_is_one_of_many() {
    let mut fixture = two();
    let many = |last: &str| {
        let routes = (0..TranslatorOptions::TREES_ABOVE + 1).map(|number| {
            format!("{{matchers: [{{prefix: /{number}}}], directResponseAction: {{status: 200}}}}")
        });
        let routes: Vec<_> = routes.chain([last.to_owned()]).collect();
        file(&host("b", &routes.join(", ")))
    };
    let chosen = "{matchers: [{prefix: /x}], routeAction: {clusterHeader: to}}";
    fixture.apply(vec![many(chosen)]);
    assert!(fixture.translator.resources.unsorted().any(|(_, it)| {
        let name = b"envoy.config.route.v3.RouteList";
        it.value.windows(name.len()).any(|window| window == name)
    }));
    assert_eq!(clusters(&fixture, "outer").len(), 3);
    fixture.apply(vec![many(&to_azure())]);
    assert_eq!(clusters(&fixture, "outer"), ["azure_default"]);
}

/// A cluster that a proxy has not for a while.
fn comes_again(is_refused_before: bool) {
    let upstream = |host: &str| {
        format!("upstreams/default/web.yaml\nstatic: {{hosts: [{{addr: {host}, port: 80}}]}}")
    };
    let named = host("a", &to("web"));
    let mut fixture = Fixture::new(&[
        &upstream("good.test"),
        &named,
        &host("b", "{directResponseAction: {status: 200}}"),
        &gateway("inner", "inner", 8080, &["a"]),
        &gateway("outer", "outer", 8081, &["b"]),
    ]);
    let id = ResourceId {
        proxy: "inner".into(),
        kind: ResourceType::Cluster,
        name: "web_default".into(),
    };
    let settle = |fixture: &mut Fixture| {
        let proxies = ["inner", "outer"].map(|it| Change::Settled(it.into()));
        fixture.apply(proxies.to_vec());
    };
    let has = |fixture: &Fixture, text: &str| {
        let resource = fixture.translator.resources.get(&id);
        resource.is_some_and(|it| it.value.windows(text.len()).any(|it| it == text.as_bytes()))
    };
    let refuse = |fixture: &mut Fixture| {
        fixture.apply(vec![Change::Verdict(id.clone(), Some("no".to_owned()))]);
    };
    settle(&mut fixture);
    let accepted = fixture.translator.resources[&id].clone();
    fixture.apply(vec![Change::Accepted(id.clone(), accepted)]);
    if is_refused_before {
        fixture.apply(vec![file(&upstream("bad.test"))]);
        refuse(&mut fixture);
        assert!(has(&fixture, "good.test"));
    }
    let other = host("a", "{directResponseAction: {status: 200}}");
    fixture.apply(vec![file(&other)]);
    settle(&mut fixture);
    fixture.apply(vec![file(&upstream("bad.test"))]);
    assert!(!fixture.translator.resources.contains_key(&id));
    fixture.apply(vec![file(&named)]);
    assert_eq!(has(&fixture, "bad.test"), !is_refused_before);
    if !is_refused_before {
        refuse(&mut fixture);
    }
    assert!(has(&fixture, "good.test"));
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    // The next form is taken, and what is deleted is forgotten.
    fixture.apply(vec![file(&upstream("next.test"))]);
    assert!(has(&fixture, "next.test"));
    assert_eq!(fixture.state(Kind::Upstream, "web"), State::Accepted);
    fixture.apply(vec![Change::Delete(key(Kind::Upstream, "web"))]);
    fixture.apply(vec![file(&upstream("bad.test"))]);
    assert!(has(&fixture, "bad.test"));
}

#[test]
fn what_was_refused_at_a_proxy_is_not_told_it_again_when_it_is_named_again() {
    comes_again(true);
}

#[test]
fn what_is_refused_once_it_is_named_again_goes_back_to_what_the_proxy_took() {
    comes_again(false);
}
