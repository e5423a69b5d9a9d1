//! Two proxies over one folder: each Envoy knows its own upstreams and secrets, and none of the other's.

use std::net::SocketAddr;

use super::*;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::{Authority, EnvoyOptions};

const PLAIN: &str = "listener-127.0.0.1-0";

fn gateway_of(name: &str, proxy: &str, secure: bool, host: &str) -> Value {
    let host = json!({"name": host, "namespace": "default"});
    object(
        "Gateway",
        name,
        json!({
            "bindAddress": "127.0.0.1",
            "bindPort": 0,
            "ssl": secure,
            "proxyNames": [proxy],
            "httpGateway": {"virtualServices": [host]},
        }),
    )
}

async fn edge(xds: SocketAddr) -> Result<Envoy> {
    let config = bootstrap(&BootstrapOptions {
        node_id: "edge".into(),
        node_cluster: "edge".into(),
        role: "gloo-system~edge".into(),
        xds_addr: xds,
        admin_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        delta: true,
    });
    Envoy::start_with(&config, &EnvoyOptions::default()).await
}

/// All that an Envoy was told, as it shows it.
async fn dump(envoy: &Envoy) -> Result<String> {
    envoy.admin().get("/config_dump?include_eds").await
}

/// Waits until an Envoy shows all of these names and none of those.
async fn until_it_knows(envoy: &Envoy, known: &[&str], unknown: &[&str]) -> Result<()> {
    let what = format!("{known:?} without {unknown:?}");
    deadline::until(&what, || async {
        let text = dump(envoy).await?;
        let all = known.iter().all(|name| text.contains(name));
        let others = unknown.iter().any(|name| text.contains(name));
        Ok((all && !others).then_some(()))
    })
    .await
}

on_both_hosts! {
    async fn an_envoy_knows_the_upstreams_and_secrets_of_its_own_proxy_only(filter: Filter) -> Result<()> {
        let authority = Authority::new()?;
        let certificate = authority.sign("theirs.example")?;
        let (one, two) = (lambda("blue", "green").await?, lambda("blue of two", "green of two").await?);
        let theirs = |routes: &[Value]| {
            let mut service = virtual_service("theirs", "theirs.example", routes);
            service["spec"]["sslConfig"] = json!({
                "secretRef": {"name": "certificate", "namespace": "default"},
                "sniDomains": ["theirs.example"],
            });
            service
        };
        let mine = |routes: &[Value]| virtual_service("mine", "*", routes);
        let setting = Resources::new()?
            .put("gateway", &gateway_of("gateway", "gateway-proxy", false, "mine"))?
            .put("edge", &gateway_of("edge", "edge", true, "theirs"))?
            .put("certificate", &certificate.secret("certificate", None))?
            .put("key-one", &secret("one", &LambdaDouble::key()))?
            .put("key-two", &secret("two", &LambdaDouble::key()))?
            .put("one", &upstream("one", &one))?
            .put("two", &upstream("two", &two))?
            .put("unused", &service("unused", two.address()))?
            .put("mine", &mine(&[to_function("/", "one", "blue")]))?
            .put("theirs", &theirs(&[to_function("/", "two", "blue")]))?
            .start(filter)
            .await?;
        setting.sees("/", |answer| answer.text() == "blue").await?;
        let edge = edge(setting.tenon.ready().xds).await?;
        let address = edge.listener(PLAIN).await?;
        let (mut client, _) = Client::tls(address, authority.client(None)?, "theirs.example").await?;
        let mut request = post("/", "{}");
        request.headers_mut().insert("host", "theirs.example".parse()?);
        assert_eq!(client.send(request).await?.text(), "blue of two");

        let mine_only = ["one_default", "aws_default_one"];
        let theirs_only = ["two_default", "aws_default_two", "tls_default_certificate", "default_theirs"];
        until_it_knows(&setting.envoy, &mine_only, &[&theirs_only[..], &["unused_default"]].concat()).await?;
        until_it_knows(&edge, &theirs_only, &[&mine_only[..], &["unused_default", "default_mine"]].concat()).await?;
        assert_eq!(setting.status("Upstream", "unused").await?.0, "Accepted");

        // What a route comes to need arrives with it, and goes when nothing needs it any more: no request is lost.
        let load = Load::start(setting.address, "/", CLIENTS);
        for _ in 0..3 {
            setting.put("mine", &mine(&[to_function("/", "two", "green")]))?;
            setting.sees("/", |answer| answer.text() == "green of two").await?;
            load.more(50).await?;
            until_it_knows(&setting.envoy, &theirs_only[..2], &mine_only).await?;
            setting.put("mine", &mine(&[to_function("/", "one", "blue")]))?;
            setting.sees("/", |answer| answer.text() == "blue").await?;
            load.more(50).await?;
            until_it_knows(&setting.envoy, &mine_only, &theirs_only).await?;
        }
        assert_eq!(load.stop().await?, Vec::<String>::new());
        Ok(())
    }
}
