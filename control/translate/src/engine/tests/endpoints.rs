//! Endpoints beside their clusters.

use super::*;

const SERVICE: &str = "web.yaml
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{name: http, port: 80}]}}";
const OF_SERVICE: &str = "upstreams/default/web.yaml\nkube: {serviceName: web, serviceNamespace: default, servicePort: 80}";

fn slice(name: &str, addresses: &str) -> String {
    format!(
        "{name}.yaml
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, labels: {{kubernetes.io/service-name: web}}}}
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: [{addresses}]}}]"
    )
}

#[test]
fn an_edit_of_endpoints_changes_endpoints_alone() {
    let first = slice("a", "10.0.0.1");
    let host = host("web", &to("web"));
    let mut fixture = Fixture::new(&[SERVICE, OF_SERVICE, &first, &host]);
    for addresses in ["10.0.0.2", "10.0.0.1"] {
        fixture.apply(vec![file(&slice("b", addresses))]);
        assert_eq!(fixture.kinds(), [ResourceType::Endpoint], "{addresses}");
        assert!(fixture.told.statuses.is_empty());
    }
    // The other one has the same address.
    let gone = fixture.apply(vec![Change::Delete(key(Kind::EndpointSlice, "b"))]);
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn an_edit_of_an_upstream_leaves_its_endpoints_alone() {
    let mut fixture = Fixture::new(&[SERVICE, OF_SERVICE, &slice("a", "10.0.0.1")]);
    let edited = format!("{OF_SERVICE}\nconnectionConfig: {{connectTimeout: 1s}}");
    fixture.apply(vec![file(&edited)]);
    assert_eq!(fixture.kinds(), [ResourceType::Cluster]);
    // A service or a port that is not there: the last good form stays, with its endpoints.
    for (good, bad) in [
        ("servicePort: 80", "servicePort: 81"),
        ("Name: web", "Name: wob"),
    ] {
        let changed = fixture.apply(vec![file(&edited.replace(good, bad))]);
        assert!(changed.is_empty(), "{bad}: {changed:?}");
        assert_eq!(fixture.state(Kind::Upstream, "web"), State::Rejected);
    }
    fixture.apply(vec![file(&slice("a", "10.0.0.2"))]);
    assert_eq!(fixture.kinds(), [ResourceType::Endpoint]);
    let mut changed = fixture.apply(vec![Change::Delete(key(Kind::Service, "web"))]);
    changed.dedup();
    assert_eq!(changed, ["web_default"]);
    fixture.apply(vec![file(SERVICE), file(&edited)]);
    assert_eq!(
        fixture.kinds(),
        [ResourceType::Cluster, ResourceType::Endpoint]
    );
}
