//! HTTP/3 towards clients, on a real Envoy, with a client that speaks it.

use std::future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use bytes::{Buf, Bytes};
use http::{Request, Response};
use quinn::crypto::rustls::QuicClientConfig;

use super::*;
use tenon_e2e::Authority;

const NAME: &str = "shop.example";

fn gateway(http3: Value) -> Value {
    let mut http = json!({});
    if !http3.is_null() {
        http["options"] = json!({"http3": http3});
    }
    let spec = json!({"bindAddress": "127.0.0.1", "bindPort": 0, "ssl": true, "httpGateway": http});
    object("Gateway", "gateway", spec)
}

/// Sends one request on a connection of its own.
async fn over_http3(
    address: SocketAddr,
    tls: &rustls::ClientConfig,
    path: &str,
    body: &'static str,
) -> Result<(Response<()>, String)> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let quic = QuicClientConfig::try_from(tls)?;
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into())?;
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(quic)));
    let connection = endpoint.connect(address, NAME)?;
    let connection = deadline::within("a handshake", connection).await??;
    let connection = h3_quinn::Connection::new(connection);
    let (mut driver, mut sender) = h3::client::new(connection).await?;
    let driving = tokio::spawn(async move { future::poll_fn(|cx| driver.poll_close(cx)).await });
    let request = Request::post(format!("https://{NAME}{path}")).body(())?;
    let exchange = async {
        let mut stream = sender.send_request(request).await?;
        stream
            .send_data(Bytes::from_static(body.as_bytes()))
            .await?;
        stream.finish().await?;
        let response = stream.recv_response().await?;
        let mut body = Vec::new();
        while let Some(mut chunk) = stream.recv_data().await? {
            body.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
        }
        anyhow::Ok((response, String::from_utf8(body)?))
    };
    let answer = deadline::within("an answer", exchange).await?;
    driving.abort();
    answer
}

on_both_hosts! {
    async fn http_3_has_the_routes_and_functions_of_the_other_versions(filter: Filter) -> Result<()> {
        let authority = Authority::new()?;
        let identity = authority.sign(NAME)?;
        let lambda = lambda("blue", "green").await?;
        let host = object("VirtualService", "shop", json!({
            "sslConfig": {
                "secretRef": {"name": "shop", "namespace": "default"}, "sniDomains": [NAME],
            },
            "virtualHost": {"domains": [NAME], "routes": [
                to_function("/blue", "lambda", "blue"), to_answer("/", "plain"),
            ]},
        }));
        let setting = Resources::new()?
            .put("gateway", &gateway(json!({"advertisedPort": 443, "maxAge": "60s"})))?
            .put("certificate", &identity.secret("shop", None))?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("lambda", &upstream("lambda", &lambda))?
            .put("shop", &host)?
            .start(filter)
            .await?;
        let trusting = authority.client(None)?;
        let (mut client, _) = Client::tls(setting.address, trusting.clone(), NAME).await?;
        let mut request = get("/");
        request.headers_mut().insert("host", NAME.parse()?);
        let answer = client.send(request).await?;
        assert_eq!((answer.text(), answer.header("alt-svc")), ("plain".into(), "h3=\":443\"; ma=60"));

        let quic = setting.envoy.listener("listener-127.0.0.1-0-http3").await?;
        let (answer, body) = over_http3(quic, &trusting, "/", "").await?;
        assert_eq!((answer.status().as_u16(), &*body), (200, "plain"));
        let (answer, body) = over_http3(quic, &trusting, "/blue", "an event").await?;
        assert_eq!((answer.status().as_u16(), &*body), (200, "blue"));
        let calls = lambda.calls("blue");
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].request.body, "an event");

        let stranger = Authority::new()?.client(None)?;
        assert!(over_http3(quic, &stranger, "/", "").await.is_err(), "its certificate is of another authority");

        setting.put("gateway", &gateway(Value::Null))?;
        let envoy = &setting.envoy;
        deadline::until("the end of HTTP/3", || async move {
            let listeners = envoy.admin().get("/listeners").await?;
            Ok((!listeners.contains("http3")).then_some(()))
        })
        .await?;
        // The listener that told of it is another one only when that is warm.
        let (address, trusting) = (setting.address, &trusting);
        deadline::until("no word of HTTP/3", || async move {
            let (mut client, _) = Client::tls(address, trusting.clone(), NAME).await?;
            let mut request = get("/");
            request.headers_mut().insert("host", NAME.parse()?);
            let told = client.send(request).await?;
            Ok(told.header("alt-svc").is_empty().then_some(()))
        })
        .await
    }
}
