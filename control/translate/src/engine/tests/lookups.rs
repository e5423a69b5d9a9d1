//! Hosts that are looked up, beside their clusters.

use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::google::protobuf::value::Kind as Value;
use prost::Message;

use super::*;
use crate::lookup::{Instance, Lookup};
use crate::proto::core;

const EC2: &str = "upstreams/default/ec2.yaml
awsEc2: {region: us-east-1, secretRef: {name: aws}, filters: [{key: TEAM}, {kvPair: {key: Tier, value: web}}], port: 8080}";
const CONSUL: &str = "upstreams/default/consul.yaml
consul: {serviceName: web, instanceTags: [v1], instanceBlacklistTags: [old], subsetTags: [canary], dataCenters: [dc1, dc2]}";

/// An instance of EC2 with a zone and tags.
fn of_ec2(ip: &str, tags: &[(&str, &str)]) -> Instance {
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()));
    Instance {
        ip: ip.parse().ok(),
        zone: Some("us-east-1a".into()),
        tags: tags.collect(),
        ..Instance::default()
    }
}

fn of_consul(ip: &str, data_center: &str, tags: &[&str]) -> Instance {
    Instance {
        ip: ip.parse().ok(),
        port: Some(8080),
        data_center: Some(data_center.into()),
        tags: tags
            .iter()
            .map(|tag| ((*tag).into(), String::new()))
            .collect(),
        ..Instance::default()
    }
}

impl Fixture {
    /// The names of the lookups that are wanted.
    fn lookups(&self) -> Vec<String> {
        self.translator.lookups.wanted.keys().cloned().collect()
    }

    fn find(&mut self, lookup: &str, instances: &[Instance]) -> Vec<String> {
        self.apply(vec![Change::Found {
            name: lookup.into(),
            instances: Some(instances.into()),
            problem: None,
        }])
    }

    fn fail(&mut self, lookup: &str, problem: &str) -> Vec<String> {
        self.apply(vec![Change::Found {
            name: lookup.into(),
            instances: None,
            problem: Some(problem.into()),
        }])
    }

    /// The addresses that Envoy is told, with their labels.
    fn endpoints(&self, cluster: &str) -> Option<Vec<String>> {
        let id = self.id(ResourceType::Endpoint, cluster);
        let bytes = &self.translator.resources.get(&id)?.value;
        let told = ClusterLoadAssignment::decode(bytes.clone()).unwrap();
        let hosts = told.endpoints.iter().flat_map(|it| &it.lb_endpoints);
        let shown = hosts.map(|host| {
            let Some(HostIdentifier::Endpoint(endpoint)) = &host.host_identifier else {
                panic!("{host:?}")
            };
            let address = endpoint.address.as_ref().unwrap();
            let Some(core::address::Address::SocketAddress(at)) = &address.address else {
                panic!("{address:?}")
            };
            let port = match at.port_specifier {
                Some(core::socket_address::PortSpecifier::PortValue(port)) => port,
                _ => 0,
            };
            let labels = host.metadata.iter().flat_map(|it| &it.filter_metadata);
            let labels = labels.flat_map(|(_, labels)| &labels.fields);
            let mut labels: Vec<_> = labels
                .map(|(name, value)| match &value.kind {
                    Some(Value::StringValue(text)) => format!(" {name}={text}"),
                    other => panic!("{other:?}"),
                })
                .collect();
            labels.sort();
            format!("{}:{port}{}", at.address, labels.concat())
        });
        Some(shown.collect())
    }
}

#[test]
fn instances_that_have_all_tags_are_endpoints() {
    let mut fixture = Fixture::new(&[SECRET, EC2]);
    let [lookup] = &fixture.lookups()[..] else {
        panic!("{:?}", fixture.lookups())
    };
    assert_eq!(
        fixture.endpoints("ec2_default"),
        None,
        "before the first answer"
    );
    let found = [
        of_ec2("10.0.0.1", &[("team", "a"), ("tier", "web")]),
        of_ec2("10.0.0.2", &[("Team", "a"), ("Tier", "Web")]),
        of_ec2("10.0.0.3", &[("Tier", "web")]),
        Instance {
            public_ip: "192.0.2.1".parse().ok(),
            ..of_ec2("", &[("Team", "a"), ("Tier", "web")])
        },
    ];
    assert_eq!(fixture.find(lookup, &found), ["ec2_default"]);
    assert_eq!(fixture.kinds(), [ResourceType::Endpoint]);
    assert_eq!(fixture.endpoints("ec2_default").unwrap(), ["10.0.0.1:8080"]);
    // What nobody has is told as a warning.
    fixture.find(lookup, &found[1..]);
    assert_eq!(fixture.endpoints("ec2_default").unwrap(), [""; 0]);
    assert_eq!(
        fixture.messages(Kind::Upstream, "ec2"),
        ["no instance that runs has these tags and such an address"]
    );
    let public = EC2.replace("port: 8080", "publicIp: true");
    assert_eq!(fixture.apply(vec![file(&public)]), ["ec2_default"]);
    assert_eq!(fixture.endpoints("ec2_default").unwrap(), ["192.0.2.1:80"]);
}

#[test]
fn upstreams_of_one_account_and_region_share_a_lookup() {
    let second = EC2
        .replace("ec2.yaml", "second.yaml")
        .replace("web}", "db}");
    let mut fixture = Fixture::new(&[SECRET, EC2, &second]);
    let lookups = fixture.lookups();
    assert_eq!(lookups.len(), 1, "{lookups:?}");
    let found = [
        of_ec2("10.0.0.1", &[("Team", "a"), ("Tier", "web")]),
        of_ec2("10.0.0.2", &[("Team", "a"), ("Tier", "db")]),
    ];
    let changed = fixture.find(&lookups[0], &found);
    assert_eq!(changed, ["ec2_default", "second_default"]);
    // Another role, another lookup; without users there is none.
    let role = second.replace("port: 8080", "roleArn: 'arn:aws:iam::1:role/r'");
    fixture.apply(vec![file(&role)]);
    assert_eq!(fixture.lookups().len(), 2);
    fixture.apply(vec![
        Change::Delete(key(Kind::Upstream, "ec2")),
        Change::Delete(key(Kind::Upstream, "second")),
    ]);
    assert_eq!(fixture.lookups(), [""; 0]);
    let told: Vec<_> = fixture.told.lookups.values().map(Option::is_some).collect();
    assert_eq!(told, [false, false]);
}

#[test]
fn endpoints_stay_while_an_edited_upstream_has_no_answer() {
    let mut fixture = Fixture::new(&[SECRET, EC2]);
    let before = fixture.lookups();
    let one = of_ec2("10.0.0.1", &[("Team", "a"), ("Tier", "web")]);
    fixture.find(&before[0], &[one]);
    // Its cluster only.
    let edited = format!("{EC2}\nconnectionConfig: {{connectTimeout: 1s}}");
    fixture.apply(vec![file(&edited)]);
    assert_eq!(fixture.kinds(), [ResourceType::Cluster]);
    // Another region is another lookup, which has no answer, or says why there is none.
    let moved = EC2.replace("us-east-1", "eu-west-1");
    fixture.apply(vec![file(&moved)]);
    assert_eq!(fixture.endpoints("ec2_default").unwrap(), ["10.0.0.1:8080"]);
    let now = fixture.lookups();
    assert_ne!(now, before);
    assert_eq!(fixture.fail(&now[0], "AuthFailure: who are you"), [""; 0]);
    assert_eq!(
        fixture.messages(Kind::Upstream, "ec2"),
        ["instances cannot be looked up: AuthFailure: who are you"]
    );
    assert_eq!(fixture.state(Kind::Upstream, "ec2"), State::Warning);
    // A late answer of the old one is nobody's.
    assert_eq!(fixture.find(&before[0], &[]), [""; 0]);
    let two = of_ec2("10.0.0.2", &[("Team", "a"), ("Tier", "web")]);
    assert_eq!(fixture.find(&now[0], &[two]), ["ec2_default"]);
    assert_eq!(fixture.endpoints("ec2_default").unwrap(), ["10.0.0.2:8080"]);
    assert_eq!(fixture.state(Kind::Upstream, "ec2"), State::Accepted);
}

#[test]
fn a_lookup_that_fails_takes_nothing_away() {
    let mut fixture = Fixture::new(&[SECRET, EC2]);
    let lookups = fixture.lookups();
    let one = of_ec2("10.0.0.1", &[("Team", "a"), ("Tier", "web")]);
    fixture.find(&lookups[0], &[one]);
    assert_eq!(fixture.fail(&lookups[0], "no answer"), [""; 0]);
    assert_eq!(fixture.endpoints("ec2_default").unwrap(), ["10.0.0.1:8080"]);
    assert_eq!(
        fixture.messages(Kind::Upstream, "ec2"),
        ["instances cannot be looked up, those found last stay: no answer"]
    );
    // Nor does a secret that is gone, or another one under its name.
    assert_eq!(
        fixture.apply(vec![Change::Delete(key(Kind::Secret, "aws"))]),
        [""; 0]
    );
    let unavailable = |fixture: &Fixture| match &fixture.told.lookups[&lookups[0]] {
        Some(Lookup::Ec2 { credentials, .. }) => {
            matches!(credentials, CredentialSource::Unavailable(_))
        }
        _ => panic!("no lookup"),
    };
    assert!(unavailable(&fixture));
    assert_eq!(
        fixture.apply(vec![file(&SECRET.replace("AKID", "OTHER"))]),
        [""; 0]
    );
    assert!(!unavailable(&fixture));
    assert_eq!(fixture.endpoints("ec2_default").unwrap(), ["10.0.0.1:8080"]);
}

#[test]
fn tags_and_data_centres_of_consul_select_and_are_told() {
    let mut fixture = Fixture::new(&[CONSUL]);
    let lookups = fixture.lookups();
    let Some(Lookup::Consul(query)) = &fixture.told.lookups[&lookups[0]] else {
        panic!("{lookups:?}")
    };
    assert_eq!(query.data_centers, ["dc1", "dc2"]);
    fixture.find(
        &lookups[0],
        &[
            of_consul("10.0.0.1", "dc1", &["v1", "canary"]),
            of_consul("10.0.0.2", "dc2", &["v1"]),
            of_consul("10.0.0.3", "dc2", &["v1", "old"]),
            of_consul("10.0.0.4", "dc2", &["v2"]),
        ],
    );
    assert_eq!(
        fixture.endpoints("consul_default").unwrap(),
        [
            "10.0.0.1:8080 dc_dc1=1 dc_dc2=0 tag_canary=1",
            "10.0.0.2:8080 dc_dc1=0 dc_dc2=1 tag_canary=0",
        ]
    );
}

#[test]
fn a_service_of_consul_has_a_cluster_while_a_route_names_it() {
    let route = |of: &str| {
        host(
            "web",
            &format!("{{routeAction: {{single: {{consul: {{serviceName: web{of}}}}}}}}}"),
        )
    };
    let mut fixture = Fixture::new(&[&route("")]);
    assert!(fixture.serves("consul-svc:web_gloo-system"));
    let lookups = fixture.lookups();
    let canary = of_consul("10.0.0.1", "dc1", &["canary", "v1"]);
    let other = of_consul("10.0.0.2", "dc2", &["v1"]);
    fixture.find(&lookups[0], &[canary.clone(), other.clone()]);
    assert_eq!(
        fixture.endpoints("consul-svc:web_gloo-system").unwrap(),
        ["10.0.0.1:8080", "10.0.0.2:8080"]
    );
    assert_eq!(fixture.messages(Kind::VirtualService, "web"), [""; 0]);
    // Some of its instances are another cluster, of the same lookup.
    fixture.apply(vec![file(&route(", tags: [canary, v1]"))]);
    let name = "consul-svc:web;tags=canary,v1_gloo-system";
    assert!(fixture.serves(name));
    assert_eq!(fixture.endpoints(name).unwrap(), ["10.0.0.1:8080"]);
    assert_eq!(fixture.endpoints("consul-svc:web_gloo-system"), None);
    assert_eq!(fixture.lookups(), lookups);
    fixture.find(&lookups[0], &[other]);
    assert_eq!(
        fixture.messages(Kind::VirtualService, "web"),
        [
            "upstream gloo-system/consul-svc:web;tags=canary,v1: Consul has no instance of it that passes its health checks, with these tags"
        ]
    );
    // Where it is, the Settings say.
    fixture.apply(vec![file(
        "settings/gloo-system/default.yaml\nconsul: {httpAddress: 'http://127.0.0.1:1', token: t}\nconsulDiscovery: {consistencyMode: StaleMode}",
    )]);
    let now = fixture.lookups();
    assert_ne!(now, lookups);
    assert!(fixture.told.lookups[&lookups[0]].is_none());
    let Some(Lookup::Consul(query)) = &fixture.told.lookups[&now[0]] else {
        panic!("{now:?}")
    };
    assert_eq!(
        query.agent.http_address.as_deref(),
        Some("http://127.0.0.1:1")
    );
    fixture.apply(vec![Change::Delete(key(Kind::VirtualService, "web"))]);
    assert_eq!(fixture.lookups(), [""; 0]);
    let id = fixture.id(ResourceType::Cluster, name);
    assert!(!fixture.translator.resources.contains_key(&id));
}
