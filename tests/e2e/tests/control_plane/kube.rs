//! Services of Kubernetes: what edits of endpoints, services and upstreams do to requests that flow meanwhile.

use std::net::SocketAddr;

use super::*;

/// The service `web`, whose port is 80.
fn web() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    })
}

/// A slice of it, with one endpoint.
fn slice(name: &str, at: SocketAddr, ready: bool) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": at.port()}],
        "endpoints": [{"addresses": [at.ip().to_string()], "conditions": {"ready": ready}}],
    })
}

fn of_web(port: u16, connect_timeout: &str) -> Value {
    object(
        "Upstream",
        "web",
        json!({
            "kube": {"serviceName": "web", "serviceNamespace": "default", "servicePort": port},
            "connectionConfig": {"connectTimeout": connect_timeout},
        }),
    )
}

fn to_upstream(prefix: &str) -> Value {
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}},
    })
}

fn to_service(prefix: &str) -> Value {
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": {"kube": {"ref": {"name": "web"}, "port": 80}}},
    })
}

/// Waits until a service gets none of the requests that flow. While it is one of two that take turns, it gets some of so
/// many.
pub(super) async fn not_asked(service: &PlainDouble, load: &Load) -> Result<()> {
    deadline::until("no request to one that is gone", || async move {
        // Those that are under way are answered first.
        load.more(20).await?;
        service.forget();
        load.more(30).await?;
        Ok(service.requests().is_empty().then_some(()))
    })
    .await
}

/// What Envoy counts as changes of clusters, but for the updates of their hosts.
pub(super) async fn other_changes(setting: &setting::Setting) -> Result<BTreeMap<String, u64>> {
    let mut changes = changes(&setting.envoy).await?;
    changes.remove("cluster_manager.cluster_updated_via_merge");
    Ok(changes)
}

on_both_hosts! {
    async fn endpoints_come_and_go_without_a_lost_request(filter: Filter) -> Result<()> {
        let (one, two) = (PlainDouble::saying("one").await?, PlainDouble::saying("two").await?);
        let setting = Resources::new()?
            .put("service", &web())?
            .put("a", &slice("a", one.address(), true))?
            .put("b", &slice("b", two.address(), false))?
            .put("upstream", &of_web(80, "5s"))?
            .put("routes", &virtual_service("routes", "*", &[to_service("/service"), to_upstream("/")]))?
            .start(filter)
            .await?;
        setting.sees("/", |answer| answer.text() == "one").await?;
        setting.sees("/service", |answer| answer.text() == "one").await?;
        let loads = [Load::start(setting.address, "/", CLIENTS / 2), Load::start(setting.address, "/service", CLIENTS / 2)];
        for load in &loads {
            load.more(100).await?;
        }
        assert!(two.requests().is_empty(), "it is not ready");
        let before = other_changes(&setting).await?;
        for _ in 0..5 {
            // The other one comes, and takes over.
            setting.put("b", &slice("b", two.address(), true))?;
            for path in ["/", "/service"] {
                setting.sees(path, |answer| answer.text() == "two").await?;
            }
            setting.put("a", &slice("a", one.address(), false))?;
            for load in &loads {
                not_asked(&one, load).await?;
            }
            // And back.
            setting.put("a", &slice("a", one.address(), true))?;
            for path in ["/", "/service"] {
                setting.sees(path, |answer| answer.text() == "one").await?;
            }
            setting.put("b", &slice("b", two.address(), false))?;
            for load in &loads {
                not_asked(&two, load).await?;
            }
        }
        assert_eq!(other_changes(&setting).await?, before, "no cluster, listener or route was told again");
        for load in loads {
            assert_eq!(load.stop().await?, Vec::<String>::new());
        }
        Ok(())
    }

    async fn an_edit_of_an_upstream_takes_no_endpoints_away(filter: Filter) -> Result<()> {
        let one = PlainDouble::saying("one").await?;
        let setting = Resources::new()?
            .put("service", &web())?
            .put("a", &slice("a", one.address(), true))?
            .put("upstream", &of_web(80, "5s"))?
            .put("routes", &virtual_service("routes", "*", &[to_upstream("/")]))?
            .start(filter)
            .await?;
        setting.sees("/", |answer| answer.text() == "one").await?;
        let load = Load::start(setting.address, "/", CLIENTS);
        load.more(50).await?;
        for round in 1..=5 {
            let before = changes(&setting.envoy).await?;
            setting.put("upstream", &of_web(80, &format!("{round}.5s")))?;
            // Envoy warms the new cluster with the endpoints that come again.
            deadline::until("the edited cluster", || async {
                let now = changes(&setting.envoy).await?;
                Ok((now["cluster_manager.cluster_modified"] > before["cluster_manager.cluster_modified"]).then_some(()))
            })
            .await?;
            load.more(50).await?;
        }
        // A port that the service has not: the last good form stays.
        setting.put("upstream", &of_web(81, "5s"))?;
        setting.has_status("Upstream", "web", "Rejected", &[]).await?;
        load.more(50).await?;
        assert_eq!(load.stop().await?, Vec::<String>::new());
        // Without its service it is none, and with it again it is.
        setting.remove("service")?;
        setting.sees("/", |answer| answer.status >= 500).await?;
        setting.put("service", &web())?;
        setting.put("upstream", &of_web(80, "5s"))?;
        setting.sees("/", |answer| answer.text() == "one").await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_take_the_place_of_endpoints_that_are_unhealthy() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await?
        .local_addr()?;
    let other = json!({"address": "127.0.0.1", "port": two.address().port()});
    let mut upstream = of_web(80, "5s");
    upstream["spec"]["healthChecks"] = json!([{
        "timeout": "20s", "interval": "1s", "unhealthyThreshold": 1, "healthyThreshold": 1, "tcpHealthCheck": {},
    }]);
    upstream["spec"]["failover"] =
        json!({"prioritizedLocalities": [{"localityEndpoints": [{"lbEndpoints": [other]}]}]});
    let setting = Resources::new()?
        .put("service", &web())?
        .put("a", &slice("a", nobody, true))?
        .put("upstream", &upstream)?
        .put(
            "routes",
            &virtual_service("routes", "*", &[to_upstream("/")]),
        )?
        .start(Filter::So)
        .await?;
    setting
        .has_status("Upstream", "web", "Accepted", &[])
        .await?;
    let answers = async |name: &str| {
        deadline::until(name, || async {
            Ok((setting.ask("/").await?.text() == name).then_some(()))
        })
        .await
    };
    answers("two").await?;
    // Endpoints that come take their place back.
    setting.put("a", &slice("a", one.address(), true))?;
    answers("one").await
}
