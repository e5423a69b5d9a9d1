//! Routes to whatever host a request is for, on listeners that find such hosts each in its own way.

use std::net::SocketAddr;

use anyhow::Result;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tenon_e2e::{
    Authority, Client, Load, PlainDouble, Response, deadline, free_port, get, on_both_hosts,
};

use super::setting::{Resources, object, virtual_service};
use super::{CLIENTS, changes};

fn gateway(name: &str, port: u16, proxy: &Value) -> Value {
    object(
        "Gateway",
        name,
        json!({
            "bindAddress": "127.0.0.1",
            "bindPort": port,
            "httpGateway": {"options": {"dynamicForwardProxy": proxy}},
        }),
    )
}

fn forwarding(prefix: &str, how: Value) -> Value {
    json!({"matchers": [{"prefix": prefix}], "routeAction": {"dynamicForwardProxy": how}})
}

/// A name that Envoy's machine finds by itself.
fn localhost(at: SocketAddr) -> String {
    format!("localhost:{}", at.port())
}

async fn ask(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let mut request = get(path);
    for (name, value) in headers {
        let (name, value) = (HeaderName::try_from(*name)?, HeaderValue::from_str(value)?);
        request.headers_mut().insert(name, value);
    }
    Client::http1(at).await?.send(request).await
}

on_both_hosts! {
    async fn each_listener_finds_hosts_in_its_own_way(filter: Filter) -> Result<()> {
        let (web, other) = (PlainDouble::saying("web").await?, PlainDouble::saying("other").await?);
        let (trusted, stranger) = (Authority::new()?, Authority::new()?);
        let identity = trusted.sign("localhost")?;
        let secure = identity.serve("secure").await?;
        let strange = stranger.sign("localhost")?.serve("strange").await?;
        let misnamed = trusted.sign("elsewhere.example")?.serve("misnamed").await?;
        let cache = json!({"dnsCacheConfig": {
            "dnsLookupFamily": "V4_ONLY",
            "hostTtl": "86400s",
            "maxHosts": 10,
            "preresolveHostnames": [{"address": "localhost", "portValue": secure.port()}],
        }});
        let mut over_tls = cache.clone();
        over_tls["sslConfig"] = json!({"secretRef": {"name": "roots", "namespace": "default"}, "oneWayTls": true});
        let port = free_port()?;
        let setting = Resources::new()?
            .put("gateway", &gateway("gateway", 0, &cache))?
            .put("secure", &gateway("secure", port, &over_tls))?
            .put("roots", &identity.secret("roots", Some(&trusted)))?
            .put("routes", &virtual_service("routes", "*", &[
                forwarding("/fixed", json!({"hostRewrite": localhost(web.address())})),
                forwarding("/header", json!({"autoHostRewriteHeader": "x-to"})),
                forwarding("/", json!({})),
            ]))?
            .start(filter)
            .await?;
        for name in ["gateway", "secure"] {
            setting.has_status("Gateway", name, "Accepted", &["[]"]).await?;
        }
        let plain = setting.address;
        for (path, headers, text) in [
            ("/fixed", vec![], "web"),
            ("/header", vec![("x-to", localhost(other.address()))], "other"),
            ("/as/it/is", vec![("host", localhost(web.address()))], "web"),
            // A client cannot choose among clusters.
            ("/fixed", vec![("x-tenon-forward-proxy", "nobody".to_owned())], "web"),
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = ask(plain, path, &headers).await?;
            assert_eq!((answer.status, &*answer.text()), (200, text), "{path} {headers:?}");
        }
        for request in web.requests().iter().chain(&other.requests()) {
            assert!(request.header("host").starts_with("localhost:"), "{request:?}");
            let ours = request.headers.keys().find(|name| name.as_str().starts_with("x-tenon-"));
            assert_eq!(ours, None);
        }
        // The same routes, over TLS: hosts have to be who they are asked for as.
        setting.envoy.listener(&format!("listener-127.0.0.1-{port}")).await?;
        let over_tls = SocketAddr::from(([127, 0, 0, 1], port));
        for (host, status) in [(secure, 200), (strange, 503), (misnamed, 503), (web.address(), 503)] {
            let answer = ask(over_tls, "/header", &[("x-to", &localhost(host))]).await?;
            assert_eq!(answer.status, status, "{}", answer.text());
            assert_eq!(answer.text() == "secure", host == secure);
        }
        Ok(())
    }

    async fn another_way_to_find_hosts_costs_no_request(filter: Filter) -> Result<()> {
        let web = PlainDouble::saying("web").await?;
        let of = |hosts: u32| gateway("gateway", 0, &json!({"dnsCacheConfig": {
            "dnsLookupFamily": "V4_ONLY", "maxHosts": hosts,
        }}));
        let setting = Resources::new()?
            .with_drain(20)
            .put("gateway", &of(100))?
            .put("routes", &virtual_service("routes", "*", &[
                forwarding("/", json!({"hostRewrite": localhost(web.address())})),
            ]))?
            .start(filter)
            .await?;
        let load = Load::start(setting.address, "/", CLIENTS);
        load.more(50).await?;
        let listeners = async || {
            let changes = changes(&setting.envoy).await?;
            anyhow::Ok(changes["listener_manager.listener_in_place_updated"] + changes["listener_manager.listener_modified"])
        };
        for hosts in 101..105 {
            let before = listeners().await?;
            setting.put("gateway", &of(hosts))?;
            deadline::until("the other listener", async || Ok((listeners().await? > before).then_some(()))).await?;
            load.more(50).await?;
        }
        assert_eq!(load.stop().await?, Vec::<String>::new());
        Ok(())
    }
}
