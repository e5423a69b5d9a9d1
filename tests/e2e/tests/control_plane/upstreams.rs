//! Where requests of an upstream go: to hosts that take the place of others, through a proxy, to a Unix socket, to methods
//! of gRPC.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_e2e::{Answer, Filter, PlainDouble, get, post};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use super::setting::{Resources, Setting, object, virtual_service};

/// The descriptors of `shop.v1.Carts`.
const SHOP: &[u8] = include_bytes!("../golden/shop.pb");

fn to(upstream: &str) -> Value {
    json!({
        "matchers": [{"prefix": "/"}],
        "routeAction": {"single": {"upstream": {"name": upstream, "namespace": "default"}}},
    })
}

fn host(address: SocketAddr) -> Value {
    json!({"addr": address.ip().to_string(), "port": address.port()})
}

async fn start(upstream: Value) -> Result<Setting> {
    Resources::new()?
        .put("upstream", &object("Upstream", "shop", upstream))?
        .put("routes", &virtual_service("routes", "*", &[to("shop")]))?
        .start(Filter::So)
        .await
}

/// An address where nobody listens.
async fn nobody() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

#[tokio::test]
async fn hosts_take_the_place_of_unhealthy_ones_by_name_and_by_address() -> Result<()> {
    let second = PlainDouble::start().await?;
    let port = second.address().port();
    let failover = |endpoint: Value| json!({"prioritizedLocalities": [{"localityEndpoints": [{"lbEndpoints": [endpoint]}]}]});
    for (address, family) in [("127.0.0.1", None), ("localhost", Some("V4_ONLY"))] {
        let mut upstream = json!({
            "static": {"hosts": [host(nobody().await?)]},
            "healthChecks": [{
                "timeout": "20s",
                "interval": "1s",
                "unhealthyThreshold": 1,
                "healthyThreshold": 1,
                "tcpHealthCheck": {},
            }],
            "failover": failover(json!({"address": address, "port": port})),
        });
        if let Some(family) = family {
            upstream["dnsLookupFamily"] = json!(family);
        }
        let setting = start(upstream).await?;
        let answer = setting.ask("/a").await?;
        ensure!(answer.status == 200, "{address}: {answer:?}");
        setting
            .has_status("Upstream", "shop", "Accepted", &[])
            .await?;
    }
    assert_eq!(second.requests().len(), 2);
    Ok(())
}

/// Joins two ends.
async fn join(mut one: impl AsyncRead + AsyncWrite + Unpin, to: SocketAddr) -> Result<()> {
    let mut other = TcpStream::connect(to).await?;
    copy_bidirectional(&mut one, &mut other).await?;
    Ok(())
}

#[tokio::test]
async fn requests_go_through_the_tunnel_of_a_proxy() -> Result<()> {
    let web = PlainDouble::start().await?;
    let proxy = TcpListener::bind("127.0.0.1:0").await?;
    let address = proxy.local_addr()?;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (told, behind) = (asked.clone(), web.address());
    let serving = tokio::spawn(async move {
        while let Ok((mut client, _)) = proxy.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await?);
                }
                if let Ok(mut told) = told.lock() {
                    told.push(String::from_utf8_lossy(&head).into_owned());
                }
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                join(client, behind).await
            });
        }
    });
    // Abstract sockets are all of the machine's: another test run has another name.
    let name = format!("shop-{}", address.port());
    let upstream = json!({
        "static": {"hosts": [host(address)]},
        "httpProxyHostname": "shop.example.com:80",
        "httpConnectHeaders": [{"key": "proxy-authorization", "value": "Basic abc"}],
    });
    let setting = Resources::new()?
        .put("upstream", &object("Upstream", &name, upstream))?
        .put("routes", &virtual_service("routes", "*", &[to(&name)]))?
        .start(Filter::So)
        .await?;
    let answer = setting.ask("/a").await?;
    ensure!(answer.status == 200, "{answer:?}");
    assert_eq!(web.requests()[0].path, "/a");
    let asked = asked.lock().unwrap().clone();
    let head = asked.first().context("the proxy was not asked")?;
    assert!(
        head.starts_with("CONNECT shop.example.com:80 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("proxy-authorization: Basic abc\r\n"),
        "{head}"
    );
    serving.abort();
    Ok(())
}

#[tokio::test]
async fn requests_go_to_a_unix_socket() -> Result<()> {
    let web = PlainDouble::start().await?;
    let folder = TempDir::with_prefix("tenon-pipe-")?;
    let path = folder.path().join("shop.sock");
    let listener = UnixListener::bind(&path)?;
    let behind = web.address();
    let serving = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(join(client, behind));
        }
    });
    let setting = start(json!({"pipe": {"path": path}})).await?;
    let answer = setting.ask("/a").await?;
    ensure!(answer.status == 200, "{answer:?}");
    assert_eq!(web.requests()[0].path, "/a");
    serving.abort();
    Ok(())
}

/// A message of two texts, as gRPC sends it.
fn message(id: &str, note: &str) -> Bytes {
    let mut fields = Vec::new();
    for (number, text) in [(1, id), (2, note)] {
        if !text.is_empty() {
            fields.push(number << 3 | 2);
            fields.push(u8::try_from(text.len()).unwrap());
            fields.extend(text.as_bytes());
        }
    }
    let mut frame = vec![0, 0, 0, 0, u8::try_from(fields.len()).unwrap()];
    frame.extend(fields);
    frame.into()
}

async fn carts() -> Result<PlainDouble> {
    let carts = PlainDouble::start().await?;
    let answer = Answer::body(message("7", "soap"))
        .header("content-type", "application/grpc")
        .trailer("grpc-status", "0");
    carts.answer(answer);
    Ok(carts)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn requests_in_json_call_methods_of_grpc() -> Result<()> {
    let carts = carts().await?;
    let transcoder = json!({"grpcJsonTranscoder": {
        "protoDescriptorConfigMap": {"configMapRef": {"name": "descriptors", "namespace": "default"}},
        "services": ["shop.v1.Carts"],
        "matchIncomingRequestRoute": true,
    }});
    let upstream = json!({"static": {"hosts": [host(carts.address())], "serviceSpec": transcoder}});
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "descriptors", "namespace": "default"},
        "data": {"shop.pb": base64(SHOP)},
    });
    let setting = Resources::new()?
        .put("upstream", &object("Upstream", "shop", upstream))?
        .put("descriptors", &map)?
        .put("routes", &virtual_service("routes", "*", &[to("shop")]))?
        .start(Filter::So)
        .await?;
    let [mut client, _] = setting.clients().await?;
    let answer = client.send(get("/carts/7?note=x")).await?;
    ensure!(answer.status == 200, "{answer:?}");
    assert_eq!(answer.json()?, json!({"id": "7", "note": "soap"}));
    let asked = carts.requests().pop().context("nobody asked")?;
    assert_eq!(asked.path, "/shop.v1.Carts/Get");
    assert_eq!(asked.body, message("7", "x"));
    Ok(())
}

#[tokio::test]
async fn routes_name_methods_of_grpc_that_they_call() -> Result<()> {
    let carts = carts().await?;
    let spec = json!({"grpc": {
        // As Gloo's discovery writes it.
        "descriptors": base64(base64(SHOP).as_bytes()),
        "grpcServices": [{"packageName": "shop.v1", "serviceName": "Carts"}],
    }});
    let upstream = json!({"static": {"hosts": [host(carts.address())], "serviceSpec": spec}});
    let route = |prefix: &str, function: &str, parameters: Value| {
        json!({
            "matchers": [{"prefix": prefix}],
            "routeAction": {"single": {
                "upstream": {"name": "shop", "namespace": "default"},
                "destinationSpec": {"grpc": {
                    "package": "shop.v1",
                    "service": "Carts",
                    "function": function,
                    "parameters": parameters,
                }},
            }},
        })
    };
    let routes = [
        route("/basket", "Get", json!({"path": "/basket/{id}"})),
        route("/", "Put", json!({})),
    ];
    let setting = Resources::new()?
        .put("upstream", &object("Upstream", "shop", upstream))?
        .put("routes", &virtual_service("routes", "*", &routes))?
        .start(Filter::So)
        .await?;
    let [mut client, _] = setting.clients().await?;
    let answer = client.send(get("/basket/9")).await?;
    ensure!(answer.status == 200, "{answer:?}");
    assert_eq!(answer.json()?, json!({"id": "7", "note": "soap"}));
    let asked = carts.requests().pop().context("nobody asked")?;
    assert_eq!(
        (asked.path.as_str(), asked.body),
        ("/shop.v1.Carts/Get", message("9", ""))
    );
    let answer = client
        .send(post("/anything/at/all", r#"{"id": "1", "note": "tea"}"#))
        .await?;
    ensure!(answer.status == 200, "{answer:?}");
    let asked = carts.requests().pop().context("nobody asked")?;
    assert_eq!(
        (asked.path.as_str(), asked.body),
        ("/shop.v1.Carts/Put", message("1", "tea"))
    );
    Ok(())
}
