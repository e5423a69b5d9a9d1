//! Servers that are asked whether requests may pass, in gRPC and in HTTP.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use http::Version;
use http::header::HOST;
use prost::Message;
use serde_json::{Value, json};
use tenon_e2e::{Answer, Client, PlainDouble, Response, object, post};

use super::{Setting, backend, extension, of_gateway_api, rule, upstream, with};

/// A Service that does not say which protocol it speaks, and where it is found.
fn service(name: &str, at: SocketAddr) -> [Value; 2] {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"port": 80}]},
    });
    let labels = json!({"kubernetes.io/service-name": name});
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "ports": [{"port": at.port()}],
        "endpoints": [{"addresses": [at.ip().to_string()]}],
    });
    [service, slice]
}

fn asking(name: &str, protocol: &str, config: Value, more: Value) -> Value {
    let mut auth = json!({"protocol": protocol, "backendRef": {"name": name, "port": 80}});
    auth[protocol.to_ascii_lowercase()] = config;
    json!({"type": "ExternalAuth", "externalAuth": with(auth, more)})
}

/// What a server answers in gRPC.
fn saying_in_grpc(code: i32, response: HttpResponse) -> Answer {
    let response = CheckResponse {
        status: Some(rpc::Status {
            code,
            ..rpc::Status::default()
        }),
        http_response: Some(response),
        ..CheckResponse::default()
    };
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(response.encoded_len() as u32);
    frame.extend_from_slice(&response.encode_to_vec());
    Answer::body(frame.freeze())
        .header("content-type", "application/grpc")
        .trailer("grpc-status", "0")
}

fn may_pass() -> Answer {
    let header = core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: "x-who".to_owned(),
            value: "ada".to_owned(),
            ..core::HeaderValue::default()
        }),
        ..core::HeaderValueOption::default()
    };
    saying_in_grpc(
        0,
        HttpResponse::OkResponse(OkHttpResponse {
            headers: vec![header],
            ..OkHttpResponse::default()
        }),
    )
}

fn may_not_pass() -> Answer {
    saying_in_grpc(
        7,
        HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: 401 }),
            body: "who are you?".to_owned(),
            ..DeniedHttpResponse::default()
        }),
    )
}

async fn send(
    setting: &Setting,
    path: &str,
    body: &'static str,
    headers: &[(&str, &str)],
) -> Result<Response> {
    let mut asked = post(path, body);
    asked.headers_mut().insert(HOST, "www.example.com".parse()?);
    for (name, value) in headers {
        let name: http::HeaderName = name.parse()?;
        asked.headers_mut().insert(name, value.parse()?);
    }
    Client::http1(setting.address).await?.send(asked).await
}

#[tokio::test]
async fn servers_are_asked_in_their_own_ways_by_the_rules_that_say_so() -> Result<()> {
    let web = PlainDouble::saying("web").await?;
    let (door, gate, other) = (
        PlainDouble::start().await?,
        PlainDouble::start().await?,
        PlainDouble::start().await?,
    );
    let in_grpc = asking(
        "door",
        "GRPC",
        json!({"allowedHeaders": ["x-tenant"]}),
        json!({"forwardBody": {"maxSize": 8}}),
    );
    let in_http = json!({
        "path": "/check", "allowedHeaders": ["X-Tenant"], "allowedResponseHeaders": ["X-Who"],
    });
    let in_http = asking("gate", "HTTP", in_http, json!({}));
    let all = asking("other", "HTTP", json!({}), json!({}));
    let nobody = asking("nobody", "HTTP", json!({}), json!({}));
    let asked = |prefix: &str, filters: &[&Value]| {
        let more = json!({"filters": filters, "backendRefs": [backend("web")]});
        rule(prefix, more)
    };
    let rules = json!([
        asked("/grpc", &[&in_grpc]),
        asked("/http", &[&in_http]),
        asked("/all", &[&all]),
        asked("/both", &[&in_http, &in_grpc]),
        asked("/nobody", &[&nobody]),
        asked("/free", &[]),
    ]);
    let mut objects = vec![upstream("web", &web)];
    for (name, server) in [("door", &door), ("gate", &gate), ("other", &other)] {
        objects.extend(service(name, server.address()));
    }
    let setting = Setting::start(&objects, rules).await?;
    let forget = || [&web, &door, &gate, &other].map(PlainDouble::forget);
    let tenant = [("x-tenant", "acme"), ("x-secret", "none of yours")];

    assert_eq!(send(&setting, "/free", "", &[]).await?.status, 200);
    assert_eq!(send(&setting, "/nobody", "", &[]).await?.status, 500);
    for server in [&door, &gate, &other] {
        ensure!(server.requests().is_empty(), "nobody has them asked");
    }

    forget();
    door.answer(may_pass());
    let answer = send(&setting, "/grpc?a=b", "body", &tenant).await?;
    assert_eq!((answer.status, &*answer.text()), (200, "web"));
    assert_eq!(web.requests()[0].header("x-who"), "ada");
    let asked = &door.requests()[0];
    assert_eq!(asked.version, Version::HTTP_2);
    let asked = CheckRequest::decode(asked.body.slice(5..))?.attributes;
    let asked = asked.and_then(|it| it.request).and_then(|it| it.http);
    let asked = asked.context("no request")?;
    assert_eq!((&*asked.path, &*asked.body), ("/grpc?a=b", "body"));
    assert_eq!(
        asked.headers.get("x-tenant").map(String::as_str),
        Some("acme")
    );
    ensure!(!asked.headers.contains_key("x-secret"), "{asked:?}");

    forget();
    let answer = send(&setting, "/grpc", "more than eight bytes", &tenant).await?;
    assert_eq!(answer.status, 413);
    ensure!(door.requests().is_empty() && web.requests().is_empty());
    door.answer(may_not_pass());
    let answer = send(&setting, "/grpc", "", &[]).await?;
    assert_eq!((answer.status, &*answer.text()), (401, "who are you?"));
    ensure!(web.requests().is_empty());

    forget();
    let who = Answer::status(200).header("x-who", "bob");
    gate.answer(who.header("x-more", "not asked for"));
    let answer = send(&setting, "/http/a?b=c", "body", &tenant).await?;
    assert_eq!((answer.status, &*answer.text()), (200, "web"));
    let (asked, sent) = (&gate.requests()[0], &web.requests()[0]);
    assert_eq!(asked.version, Version::HTTP_11);
    assert_eq!(
        (asked.method.as_str(), &*asked.path),
        ("POST", "/check/http/a?b=c")
    );
    assert_eq!(asked.header("host"), "www.example.com");
    assert_eq!(asked.header("x-tenant"), "acme");
    assert_eq!((asked.header("x-secret"), asked.body.len()), ("", 0));
    assert_eq!((sent.header("x-who"), sent.header("x-more")), ("bob", ""));
    assert_eq!(sent.body, Bytes::from("body"));
    gate.answer(Answer::body("not you").with_status(403));
    let answer = send(&setting, "/http", "", &tenant).await?;
    assert_eq!((answer.status, &*answer.text()), (403, "not you"));

    forget();
    let answer = Answer::body("for nobody else").header("x-one", "1");
    let answer = answer.header("content-type", "text/of-the-answer");
    other.answer(
        answer
            .header("host", "evil.example")
            .header("x-tenon-call", "forged"),
    );
    let kind = [("content-type", "text/of-the-client")];
    let answer = send(&setting, "/all", "body", &kind).await?;
    assert_eq!((answer.status, &*answer.text()), (200, "web"));
    let sent = &web.requests()[0];
    assert_eq!(sent.header("x-one"), "1");
    assert_eq!(sent.header("content-type"), "text/of-the-client");
    assert_eq!(
        (sent.header("host"), sent.header("x-tenon-call")),
        ("www.example.com", "")
    );
    assert_eq!(sent.body, Bytes::from("body"));

    for (of_gate, of_door, expected) in [(200, true, 200), (403, true, 403), (200, false, 401)] {
        forget();
        gate.answer(Answer::status(of_gate));
        door.answer(if of_door { may_pass() } else { may_not_pass() });
        let answer = send(&setting, "/both", "", &[]).await?;
        assert_eq!(answer.status, expected, "{of_gate} {of_door}");
        // The second one is not asked what the first one refuses.
        assert_eq!(
            (gate.requests().len(), door.requests().len()),
            (1, usize::from(of_gate == 200))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_moved_to_another_host_is_asked_for_there() -> Result<()> {
    let (web, gate) = (
        PlainDouble::saying("web").await?,
        PlainDouble::start().await?,
    );
    let gated = json!({
        "parentRefs": [{"name": "http"}],
        "hostnames": ["gated.example.com"],
        "rules": [{
            "filters": [asking("gate", "HTTP", json!({}), json!({}))],
            "backendRefs": [backend("web")],
        }],
    });
    let moved = json!({"options": {"stagedTransformations": {"early": {"requestTransforms": [{
        "clearRouteCache": true,
        "requestTransformation": {"transformationTemplate": {
            "headers": {":authority": {"text": "gated.example.com"}},
            "passthrough": {},
        }},
    }]}}}});
    let mut objects = vec![
        upstream("web", &web),
        object("RouteOption", "moved", moved),
        of_gateway_api("HTTPRoute", "gated", gated),
    ];
    objects.extend(service("gate", gate.address()));
    let rules = json!([
        rule(
            "/moved",
            json!({
                "filters": [extension("gateway.solo.io", "RouteOption", "moved")],
                "backendRefs": [backend("web")],
            })
        ),
        rule("/", json!({"backendRefs": [backend("web")]})),
    ]);
    let setting = Setting::start(&objects, rules).await?;
    setting.route_is("Accepted").await?;
    for (path, status, asked) in [("/", 200, 0), ("/moved", 403, 1)] {
        gate.forget();
        gate.answer(Answer::status(403));
        assert_eq!(setting.ask(path).await?.status, status, "{path}");
        assert_eq!(gate.requests().len(), asked, "{path}");
    }
    Ok(())
}
