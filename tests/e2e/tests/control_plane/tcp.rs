//! Connections: of TCP, by the names that they ask for in TLS, by where they come from, and with the PROXY protocol.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tenon_e2e::{Authority, ConsulDouble, ConsulInstance};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

fn tcp_gateway(hosts: &[Value]) -> Value {
    json!({
        "apiVersion": "gateway.solo.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gateway", "namespace": "default"},
        "spec": {"bindAddress": "127.0.0.1", "bindPort": 0, "tcpGateway": {"tcpHosts": hosts}},
    })
}

fn to_upstream(name: &str) -> Value {
    json!({"upstream": {"name": name, "namespace": "default"}})
}

fn single(name: &str) -> Value {
    json!({"destination": {"single": to_upstream(name)}})
}

/// Who answers on a connection of its own.
async fn who(address: SocketAddr) -> Result<String> {
    Ok(Client::http1(address).await?.send(get("/")).await?.text())
}

/// Waits until new connections are answered as wanted.
async fn answers(address: SocketAddr, name: &str) -> Result<()> {
    deadline::until(&format!("an answer of {name}"), || async {
        Ok(who(address).await.is_ok_and(|it| it == name).then_some(()))
    })
    .await
}

/// Waits until nobody else answers: where several may, one answer of it is no proof of an edit.
async fn only_answers(address: SocketAddr, name: &str) -> Result<()> {
    deadline::until(&format!("answers of {name} alone"), || async {
        for _ in 0..20 {
            if !who(address).await.is_ok_and(|it| it == name) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_go_by_the_name_that_they_ask_for() -> Result<()> {
    let authority = Authority::new()?;
    let (ours, theirs) = (
        authority.sign("ended.example")?,
        authority.sign_for(&["passed.example", "passed_default"])?,
    );
    let (ended, rest) = (
        PlainDouble::saying("ended").await?,
        PlainDouble::saying("rest").await?,
    );
    let passed = theirs.serve("passed").await?;
    let hosts = [
        json!({
            "sslConfig": {"secretRef": {"name": "ours", "namespace": "default"}, "sniDomains": ["ended.example"]},
            "destination": {"single": to_upstream("ended")},
        }),
        json!({"sslConfig": {"sniDomains": ["passed.example"]}, "destination": {"single": to_upstream("passed")}}),
        json!({"sslConfig": {"sniDomains": ["passed_default"]}, "destination": {"forwardSniClusterName": {}}}),
        single("rest"),
    ];
    let setting = Resources::new()?
        .put("gateway", &tcp_gateway(&hosts))?
        .put("ours", &ours.secret("ours", None))?
        .put("ended", &service("ended", ended.address()))?
        .put("passed", &service("passed", passed))?
        .put("rest", &service("rest", rest.address()))?
        .start(Filter::So)
        .await?;
    setting
        .has_status("Gateway", "gateway", "Accepted", &["[]"])
        .await?;
    let trusting = authority.client(None)?;
    // Envoy ends TLS, or lets it pass: the certificates tell.
    let (mut client, shown) =
        Client::tls(setting.address, trusting.clone(), "ended.example").await?;
    assert_eq!(shown, *ours.der());
    assert_eq!(client.send(get("/")).await?.text(), "ended");
    let (mut client, shown) =
        Client::tls(setting.address, trusting.clone(), "passed.example").await?;
    assert_eq!(shown, *theirs.der());
    assert_eq!(client.send(get("/")).await?.text(), "passed");
    assert_eq!(who(setting.address).await?, "rest");
    // To the cluster that has the name itself.
    let (mut client, shown) = Client::tls(setting.address, trusting, "passed_default").await?;
    assert_eq!(shown, *theirs.der());
    assert_eq!(client.send(get("/")).await?.text(), "passed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_go_to_upstreams_groups_and_services() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let consul = ConsulDouble::start(&["dc1"]).await?;
    let at = |address, tags: &[&str]| ConsulInstance::at(address, tags);
    consul.set(
        "dc1",
        "db",
        &[at(one.address(), &[]), at(two.address(), &["primary"])],
    );
    let group = |weights: [u32; 2]| {
        let destinations = [("one", weights[0]), ("two", weights[1])];
        let destinations = destinations
            .map(|(name, weight)| json!({"weight": weight, "destination": to_upstream(name)}));
        object(
            "UpstreamGroup",
            "both",
            json!({"destinations": destinations}),
        )
    };
    let of_group =
        json!({"destination": {"upstreamGroup": {"name": "both", "namespace": "default"}}});
    let setting = Resources::new()?
        .with_drain(60)
        .put(
            "settings",
            &json!({
                "apiVersion": "gloo.solo.io/v1",
                "kind": "Settings",
                "metadata": {"name": "default", "namespace": "gloo-system"},
                "spec": {"consul": {"httpAddress": consul.address().to_string()}},
            }),
        )?
        .put("gateway", &tcp_gateway(&[of_group]))?
        .put("one", &service("one", one.address()))?
        .put("two", &service("two", two.address()))?
        .put("group", &group([1, 3]))?
        .start(Filter::So)
        .await?;
    let mut counts = BTreeMap::<String, usize>::new();
    for _ in 0..80 {
        *counts.entry(who(setting.address).await?).or_default() += 1;
    }
    assert!(
        (5..40).contains(&counts["one"]),
        "a quarter of 80: {counts:?}"
    );
    // An edit of the group is one of the listener; connections that are there go on.
    let mut old = Client::http1(setting.address).await?;
    let before = old.send(get("/")).await?.text();
    setting.put("group", &group([1, 0]))?;
    only_answers(setting.address, "one").await?;
    assert_eq!(old.send(get("/")).await?.text(), before);
    // A service of Kubernetes, which is there later.
    let kube = json!({"kube": {"ref": {"name": "db", "namespace": "default"}, "port": 5432}});
    setting.put(
        "gateway",
        &tcp_gateway(&[json!({"destination": {"single": kube}})]),
    )?;
    let missing = "service default/db with port 5432 does not exist";
    setting
        .has_status("Gateway", "gateway", "Warning", &[missing])
        .await?;
    let address = two.address();
    setting.put("service", &json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "default"},
        "spec": {"ports": [{"port": 5432}]},
    }))?;
    setting.put("endpoints", &json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": address.ip().to_string()}], "ports": [{"port": address.port()}]}],
    }))?;
    answers(setting.address, "two").await?;
    setting
        .has_status("Gateway", "gateway", "Accepted", &[])
        .await?;
    // One of Consul, and some of its instances.
    let of_consul = |tags: Value| {
        let consul = json!({"consul": {"serviceName": "db", "tags": tags}});
        tcp_gateway(&[json!({"destination": {"single": consul}})])
    };
    setting.put("gateway", &of_consul(json!([])))?;
    answers(setting.address, "one").await?;
    answers(setting.address, "two").await?;
    setting.put("gateway", &of_consul(json!(["primary"])))?;
    only_answers(setting.address, "two").await?;
    consul.set(
        "dc1",
        "db",
        &[at(one.address(), &["primary"]), at(two.address(), &[])],
    );
    answers(setting.address, "one").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hybrid_gateway_does_one_thing_with_some_connections_and_another_with_others()
-> Result<()> {
    let authority = Authority::new()?;
    let (ours, theirs) = (
        authority.sign("secure.example")?,
        authority.sign("tcp.example")?,
    );
    let tcp = theirs.serve("tcp").await?;
    let matched = [
        json!({"matcher": {"sslConfig": {"sniDomains": ["tcp.example"]}}, "tcpGateway": {"tcpHosts": [single("tcp")]}}),
        json!({
            "matcher": {"sslConfig": {"secretRef": {"name": "ours", "namespace": "default"}}},
            "httpGateway": {"virtualServices": [{"name": "secure", "namespace": "default"}]},
        }),
        // Who comes from elsewhere.
        json!({
            "matcher": {"sourcePrefixRanges": [{"addressPrefix": "127.0.0.2", "prefixLen": 32}]},
            "httpGateway": {"virtualServices": [{"name": "elsewhere", "namespace": "default"}]},
        }),
        json!({"httpGateway": {"virtualServices": [{"name": "plain", "namespace": "default"}]}}),
    ];
    let secure = object(
        "VirtualService",
        "secure",
        json!({
            "sslConfig": {"sniDomains": ["secure.example"]},
            "virtualHost": {"domains": ["*"], "routes": [to_answer("/", "secure")]},
        }),
    );
    let gateway = json!({"bindAddress": "127.0.0.1", "bindPort": 0, "hybridGateway": {"matchedGateways": matched}});
    let setting = Resources::new()?
        .put("gateway", &object("Gateway", "gateway", gateway))?
        .put("ours", &ours.secret("ours", None))?
        .put("tcp", &service("tcp", tcp))?
        .put("secure", &secure)?
        .put(
            "elsewhere",
            &virtual_service("elsewhere", "*", &[to_answer("/", "elsewhere")]),
        )?
        .put(
            "plain",
            &virtual_service("plain", "*", &[to_answer("/", "plain")]),
        )?
        .start(Filter::So)
        .await?;
    let trusting = authority.client(None)?;
    let (mut client, shown) = Client::tls(setting.address, trusting.clone(), "tcp.example").await?;
    assert_eq!(shown, *theirs.der());
    assert_eq!(client.send(get("/")).await?.text(), "tcp");
    let (mut client, shown) = Client::tls(setting.address, trusting, "secure.example").await?;
    assert_eq!(shown, *ours.der());
    assert_eq!(client.send(get("/")).await?.text(), "secure");
    assert_eq!(who(setting.address).await?, "plain");
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0)))?;
    let stream = socket.connect(setting.address).await?;
    assert!(
        talk(
            stream,
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        .await?
        .ends_with("elsewhere")
    );
    Ok(())
}

/// What comes until the connection ends, after this was said.
async fn talk(mut stream: TcpStream, said: &str) -> Result<String> {
    stream.write_all(said.as_bytes()).await?;
    let mut answer = String::new();
    deadline::within(
        "the end of the connection",
        stream.read_to_string(&mut answer),
    )
    .await??;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_protocol_tells_who_the_client_is_and_is_told() -> Result<()> {
    // A server that takes down the beginning of each connection.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let told_at = listener.local_addr()?;
    let (sender, mut heads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                drop(sender.send(String::from_utf8_lossy(&head).into_owned()));
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntold")
                    .await
            });
        }
    });
    let web = PlainDouble::start().await?;
    let gateway = |spec: Value| {
        let mut gateway = json!({"bindAddress": "127.0.0.1", "bindPort": 0, "httpGateway": {}});
        for (name, value) in spec.as_object().into_iter().flatten() {
            gateway[name] = value.clone();
        }
        object("Gateway", "gateway", gateway)
    };
    let mut told = service("told", told_at);
    told["spec"]["proxyProtocolVersion"] = json!("V1");
    let to = |prefix: &str, upstream: &str| json!({"matchers": [{"prefix": prefix}], "routeAction": {"single": to_upstream(upstream)}});
    let setting = Resources::new()?
        .put("gateway", &gateway(json!({"useProxyProto": true})))?
        .put("web", &service("web", web.address()))?
        .put("told", &told)?
        .put(
            "routes",
            &virtual_service("routes", "*", &[to("/told", "told"), to("/", "web")]),
        )?
        .start(Filter::So)
        .await?;
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let of_client = "PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\n";
    let connect = || TcpStream::connect(setting.address);
    let answer = talk(connect().await?, &format!("{of_client}{}", ask("/"))).await?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let asked = web.wait_for_requests(1).await?;
    assert_eq!(asked[0].header("x-forwarded-for"), "192.0.2.7");
    // It is passed on to who wants it.
    let answer = talk(connect().await?, &format!("{of_client}{}", ask("/told"))).await?;
    assert!(answer.ends_with("told"), "{answer}");
    let head = heads.recv().await.context("no connection")?;
    assert!(
        head.starts_with("PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\nGET /told"),
        "{head}"
    );
    // Without it a connection ends.
    assert_eq!(
        talk(connect().await?, &ask("/")).await.unwrap_or_default(),
        ""
    );
    // Unless that is allowed.
    let optional =
        json!({"options": {"proxyProtocol": {"allowRequestsWithoutProxyProtocol": true}}});
    setting.put("gateway", &gateway(optional))?;
    deadline::until("an answer without it", || async {
        let answer = talk(connect().await?, &ask("/")).await.unwrap_or_default();
        Ok(answer.starts_with("HTTP/1.1 200").then_some(()))
    })
    .await?;
    web.forget();
    talk(connect().await?, &format!("{of_client}{}", ask("/"))).await?;
    let asked = web.wait_for_requests(1).await?;
    assert_eq!(asked[0].header("x-forwarded-for"), "192.0.2.7");
    Ok(())
}
