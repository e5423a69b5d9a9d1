//! The Gateway API's listeners and routes beside plain HTTP, on a real Envoy, by requests and connections: HTTPS by the name
//! that is asked for, TLS that passes or ends, TCP, and gRPC.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_e2e::deadline::until;
use tenon_e2e::{
    Answer, Authority, Client, Filter, PlainDouble, Tenon, TenonOptions, free_port, get, object,
    post,
};

mod listener_sets;
mod misdirected;

const GROUP: &str = "gateway.networking.k8s.io";

fn gateway(listeners: Value, more: Value) -> Value {
    let mut spec = json!({
        "gatewayClassName": "gloo-gateway",
        "addresses": [{"value": "127.0.0.1"}],
        "listeners": listeners,
    });
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    resource("Gateway", "v1", "gw", spec)
}

fn resource(kind: &str, version: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{version}"), "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}

fn upstream(name: &str, address: SocketAddr) -> Value {
    let host = json!({"addr": address.ip().to_string(), "port": address.port()});
    object("Upstream", name, json!({"static": {"hosts": [host]}}))
}

fn to(name: &str) -> Value {
    json!({"name": name, "kind": "Upstream", "group": "gloo.solo.io"})
}

fn to_some(name: &str, weight: u32) -> Value {
    json!({"name": name, "kind": "Upstream", "group": "gloo.solo.io", "weight": weight})
}

/// Tenon and an Envoy of the gateway, over these resources.
async fn up(resources: &[Value]) -> Result<(Tenon, TempDir)> {
    up_as("gw", resources).await
}

/// The same with an Envoy of a gateway of this name.
async fn up_as(gateway: &str, resources: &[Value]) -> Result<(Tenon, TempDir)> {
    up_with(gateway, &[], resources).await
}

/// The same with more arguments.
async fn up_with(
    gateway: &str,
    arguments: &[&str],
    resources: &[Value],
) -> Result<(Tenon, TempDir)> {
    let folder = TempDir::with_prefix("tenon-protocols-")?;
    for (number, resource) in resources.iter().enumerate() {
        let file = folder.path().join(format!("{number}.yaml"));
        fs::write(file, resource.to_string())?;
    }
    let mut options = TenonOptions::new(folder.path(), Filter::So);
    options.arguments = vec!["--proxy".to_owned(), format!("default~default-{gateway}")];
    let more = arguments.iter().map(|&argument| argument.to_owned());
    options.arguments.extend(more);
    Ok((Tenon::up_with(options).await?, folder))
}

fn at(tenon: &Tenon, port: u16) -> Result<SocketAddr> {
    let name = format!("listener~{port}");
    let mut all = tenon.ready().listeners.iter();
    let found = all.find(|it| it.name == name);
    Ok(found.with_context(|| name)?.address)
}

async fn ask(client: &mut Client, host: &str) -> Result<tenon_e2e::Response> {
    let mut request = get("/");
    request.headers_mut().insert("host", host.parse()?);
    client.send(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_and_tls_share_a_port_by_the_names_that_are_asked_for() -> Result<()> {
    let authority = Authority::new()?;
    let (one, wild) = (
        authority.sign("one.example.com")?,
        authority.sign("*.example.com")?,
    );
    let (more, ended) = (
        authority.sign("more.example.com")?,
        authority.sign("ended.test")?,
    );
    let theirs = authority.sign("passed.test")?;
    let (web, inner) = (
        PlainDouble::saying("web").await?,
        PlainDouble::saying("inner").await?,
    );
    let passed = theirs.serve("passed").await?;
    let port = free_port()?;
    let terminate = |name: &str, protocol: &str, host: &str, secrets: &[&str]| {
        let secrets: Vec<_> = secrets.iter().map(|it| json!({"name": it})).collect();
        json!({
            "name": name, "port": port, "protocol": protocol, "hostname": host,
            "tls": {"certificateRefs": secrets},
        })
    };
    let listeners = json!([
        terminate("one", "HTTPS", "one.example.com", &["one"]),
        terminate("wild", "HTTPS", "*.example.com", &["wild", "more"]),
        terminate("ended", "TLS", "ended.test", &["ended"]),
        {"name": "passed", "port": port, "protocol": "TLS", "hostname": "passed.test", "tls": {"mode": "Passthrough"}},
    ]);
    let tls_route = |name: &str, host: &str, backend: &str| {
        let spec = json!({
            "parentRefs": [{"name": "gw"}], "hostnames": [host],
            "rules": [{"backendRefs": [to(backend)]}],
        });
        resource("TLSRoute", "v1", name, spec)
    };
    let of_wild = json!({
        "parentRefs": [{"name": "gw", "sectionName": "wild"}],
        "rules": [{"backendRefs": [to("web")]}],
    });
    let (tenon, _folder) = up(&[
        gateway(listeners, json!({})),
        one.secret("one", None),
        wild.secret("wild", None),
        more.secret("more", None),
        ended.secret("ended", None),
        upstream("web", web.address()),
        upstream("inner", inner.address()),
        upstream("passed", passed),
        resource("HTTPRoute", "v1", "of-wild", of_wild),
        tls_route("ended", "ended.test", "inner"),
        tls_route("passed", "passed.test", "passed"),
    ])
    .await?;
    let address = at(&tenon, port)?;
    let trusting = authority.client(None)?;
    for (name, identity, status, text) in [
        ("other.example.com", &wild, 200, "web"),
        ("more.example.com", &more, 200, "web"),
        // A listener of its own, without routes.
        ("one.example.com", &one, 404, ""),
        ("ended.test", &ended, 200, "inner"),
        ("passed.test", &theirs, 200, "passed"),
    ] {
        let (mut client, shown) = Client::tls(address, trusting.clone(), name).await?;
        assert_eq!(shown, *identity.der(), "{name}");
        let answer = ask(&mut client, name).await?;
        assert_eq!((answer.status, &*answer.text()), (status, text), "{name}");
    }
    let nobody = Client::tls(address, trusting, "nobody.test").await;
    assert!(nobody.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_have_to_show_a_certificate_where_a_gateway_demands_it() -> Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let ours = authority.sign("a.test")?;
    let web = PlainDouble::saying("web").await?;
    let (strict, lax) = (free_port()?, free_port()?);
    let listener = |name: &str, port: u16| {
        let tls = json!({"certificateRefs": [{"name": "ours"}]});
        json!({"name": name, "port": port, "protocol": "HTTPS", "hostname": "a.test", "tls": tls})
    };
    let roots = json!([{"group": "", "kind": "ConfigMap", "name": "roots"}]);
    let frontend = json!({
        "default": {"validation": {"caCertificateRefs": roots}},
        "perPort": [{"port": lax, "tls": {"validation": {"caCertificateRefs": roots, "mode": "AllowInsecureFallback"}}}],
    });
    let route = json!({
        "parentRefs": [{"name": "gw"}],
        "rules": [{"backendRefs": [to("web")]}],
    });
    let (tenon, _folder) = up(&[
        gateway(
            json!([listener("strict", strict), listener("lax", lax)]),
            json!({"tls": {"frontend": frontend}}),
        ),
        ours.secret("ours", None),
        authority.config_map("roots"),
        upstream("web", web.address()),
        resource("HTTPRoute", "v1", "web", route),
    ])
    .await?;
    let (good, bad) = (authority.sign("client.test")?, other.sign("client.test")?);
    for (port, own, served) in [
        (strict, Some(&good), true),
        (strict, None, false),
        (strict, Some(&bad), false),
        (lax, Some(&good), true),
        (lax, None, true),
        (lax, Some(&bad), true),
    ] {
        // In TLS 1.3 the client is done before the server looked at its certificate: the first answer tells.
        let answer = async {
            let config = authority.client(own)?;
            let (mut client, _) = Client::tls(at(&tenon, port)?, config, "a.test").await?;
            ask(&mut client, "a.test").await
        };
        let answer = answer.await;
        let is_served = answer.as_ref().is_ok_and(|it| it.text() == "web");
        assert_eq!(
            is_served,
            served,
            "{} {}: {answer:?}",
            port == strict,
            own.is_some()
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_tcp_go_by_port_and_share() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let (shared, lost) = (free_port()?, free_port()?);
    let listener = |name: &str, port: u16| json!({"name": name, "port": port, "protocol": "TCP"});
    let route = |name: &str, section: &str, backends: Value| {
        let spec = json!({
            "parentRefs": [{"name": "gw", "sectionName": section}],
            "rules": [{"backendRefs": backends}],
        });
        resource("TCPRoute", "v1alpha2", name, spec)
    };
    let shares = json!([to_some("one", 1), to_some("two", 3), to_some("none", 0)]);
    let (tenon, _folder) = up(&[
        gateway(
            json!([listener("shared", shared), listener("lost", lost)]),
            json!({}),
        ),
        upstream("one", one.address()),
        upstream("two", two.address()),
        route("shared", "shared", shares),
        route("lost", "lost", json!([to("none")])),
    ])
    .await?;
    let mut counts = BTreeMap::<String, usize>::new();
    for _ in 0..80 {
        let mut client = Client::http1(at(&tenon, shared)?).await?;
        let who = client.send(get("/")).await?.text();
        *counts.entry(who).or_default() += 1;
    }
    assert!(
        (5..40).contains(&counts["one"]),
        "a quarter of 80: {counts:?}"
    );
    assert_eq!(counts["one"] + counts["two"], 80);
    let closed = async {
        let mut client = Client::http1(at(&tenon, lost)?).await?;
        client.send(get("/")).await
    };
    assert!(closed.await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_grpc_go_by_service_method_and_headers() -> Result<()> {
    let answers = |text: &str| {
        Answer::body(text.to_owned())
            .header("content-type", "application/grpc")
            .trailer("grpc-status", "0")
    };
    let mut resources = Vec::new();
    let mut servers = Vec::new();
    for name in ["carts", "get", "beta", "watch", "rest"] {
        let server = PlainDouble::start().await?;
        server.answer(answers(name));
        let port = server.address().port();
        resources.push(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"port": 50051, "appProtocol": "kubernetes.io/h2c"}]},
        }));
        resources.push(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }));
        servers.push(server);
    }
    let rule = |backend: &str, matches: Value| {
        let backend = json!({"name": backend, "port": 50051});
        json!({"matches": matches, "backendRefs": [backend]})
    };
    let method = |method: Value| json!([{"method": method}]);
    let beta = json!([{
        "method": {"service": "shop.v1.Carts", "method": "Get"},
        "headers": [{"name": "version", "value": "beta"}],
    }]);
    let route = json!({
        "parentRefs": [{"name": "gw"}],
        // Written the wrong way round: the specification's order counts.
        "rules": [
            rule("rest", json!([])),
            rule("watch", method(json!({"type": "RegularExpression", "method": "Watch|Follow"}))),
            rule("carts", method(json!({"service": "shop.v1.Carts"}))),
            rule("get", method(json!({"service": "shop.v1.Carts", "method": "Get"}))),
            rule("beta", beta),
        ],
    });
    let port = free_port()?;
    let listener = json!([{"name": "http", "port": port, "protocol": "HTTP"}]);
    resources.push(gateway(listener, json!({})));
    resources.push(resource("GRPCRoute", "v1", "shop", route));
    let (tenon, _folder) = up(&resources).await?;
    let mut client = Client::http2(at(&tenon, port)?).await?;
    for (path, version, expected) in [
        ("/shop.v1.Carts/Get", "", "get"),
        ("/shop.v1.Carts/Get", "beta", "beta"),
        ("/shop.v1.Carts/List", "", "carts"),
        ("/shop.v1.Carts/Watch", "", "carts"),
        ("/shop.v1.CartsAndMore/Follow", "", "watch"),
        ("/shop.v1.CartsAndMore/Get", "beta", "rest"),
    ] {
        let mut request = post(path, &b"\0\0\0\0\0"[..]);
        let headers = request.headers_mut();
        headers.insert("content-type", "application/grpc".parse()?);
        headers.insert("te", "trailers".parse()?);
        headers.insert("version", version.parse()?);
        let answer = client.send(request).await?;
        assert_eq!(answer.text(), expected, "{path} {version}");
        let trailers = answer.trailers.context("no trailers")?;
        assert_eq!(trailers["grpc-status"], "0");
    }
    for server in servers {
        let requests = server.requests();
        assert!(
            requests
                .iter()
                .all(|it| it.version == http::Version::HTTP_2)
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_a_protocol_is_called_in_grpc_and_asked_in_http1() -> Result<()> {
    const HOSTS: [&str; 2] = ["calls.test", "pages.test"];
    let server = PlainDouble::start().await?;
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "both", "namespace": "default"},
        "spec": {"ports": [{"port": 80}]},
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "both", "namespace": "default", "labels": {"kubernetes.io/service-name": "both"}},
        "ports": [{"port": server.address().port()}],
        "endpoints": [{"addresses": ["127.0.0.1"]}],
    });
    // Routes of both kinds share no host.
    let of = |host: &str, matches: Value| {
        let backends = json!([{"name": "both", "port": 80}]);
        let rules = json!([{"matches": matches, "backendRefs": backends}]);
        json!({"parentRefs": [{"name": "gw"}], "hostnames": [host], "rules": rules})
    };
    let port = free_port()?;
    let listener = json!([{"name": "http", "port": port, "protocol": "HTTP"}]);
    let calls = of(HOSTS[0], json!([{"method": {"service": "shop.v1.Carts"}}]));
    let (tenon, _folder) = up(&[
        gateway(listener, json!({})),
        service,
        slice,
        resource("GRPCRoute", "v1", "calls", calls),
        resource(
            "HTTPRoute",
            "v1",
            "pages",
            of(HOSTS[1], json!([{"path": {"value": "/"}}])),
        ),
    ])
    .await?;
    let mut client = Client::http2(at(&tenon, port)?).await?;
    for is_call in [true, false, true] {
        let (path, kind, answer, version) = match is_call {
            true => (
                "/shop.v1.Carts/Get",
                "application/grpc",
                Answer::body("called").trailer("grpc-status", "0"),
                http::Version::HTTP_2,
            ),
            false => (
                "/page",
                "text/plain",
                Answer::body("asked"),
                http::Version::HTTP_11,
            ),
        };
        server.forget();
        server.answer(answer.header("content-type", kind));
        let mut request = post(path, &b"\0\0\0\0\0"[..]);
        let host = HOSTS[usize::from(!is_call)];
        request.headers_mut().insert("host", host.parse()?);
        request.headers_mut().insert("content-type", kind.parse()?);
        let answer = client.send(request).await?;
        let expected = if is_call { "called" } else { "asked" };
        assert_eq!((answer.status, &*answer.text()), (200, expected));
        let [received] = &server.requests()[..] else {
            panic!("{:?}", server.requests());
        };
        assert_eq!(received.version, version, "{path}");
        let status = answer
            .trailers
            .and_then(|it| it.get("grpc-status").cloned());
        assert_eq!(status.is_some_and(|it| it == "0"), is_call, "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_are_verified_as_policies_say() -> Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let backend = authority.sign("backend.test")?.serve("backend").await?;
    let (port, mut resources) = (
        free_port()?,
        vec![authority.config_map("ours"), other.config_map("others")],
    );
    let mut rules = Vec::new();
    for (name, roots, hostname) in [
        ("good", "ours", "backend.test"),
        ("other-name", "ours", "elsewhere.test"),
        ("other-roots", "others", "backend.test"),
        ("no-roots", "none", "backend.test"),
    ] {
        resources.push(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"port": 443}]},
        }));
        resources.push(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"port": backend.port()}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }));
        let policy = json!({
            "targetRefs": [{"group": "", "kind": "Service", "name": name}],
            "validation": {
                "hostname": hostname,
                "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": roots}],
            },
        });
        resources.push(resource("BackendTLSPolicy", "v1", name, policy));
        rules.push(json!({
            "matches": [{"path": {"value": format!("/{name}")}}],
            "backendRefs": [{"name": name, "port": 443}],
        }));
    }
    let listener = json!([{"name": "http", "port": port, "protocol": "HTTP"}]);
    resources.push(gateway(listener, json!({})));
    let route = json!({"parentRefs": [{"name": "gw"}], "rules": rules});
    resources.push(resource("HTTPRoute", "v1", "web", route));
    let (tenon, _folder) = up(&resources).await?;
    let mut client = Client::http1(at(&tenon, port)?).await?;
    let answer = client.send(get("/good")).await?;
    assert_eq!((answer.status, &*answer.text()), (200, "backend"));
    for path in ["/other-name", "/other-roots", "/no-roots"] {
        assert_eq!(client.send(get(path)).await?.status, 503, "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_are_shown_the_certificate_of_their_gateway() -> Result<()> {
    let (authority, clients, others) = (Authority::new()?, Authority::new()?, Authority::new()?);
    let backend = authority.sign("backend.test")?;
    let backend = backend.serve_those_of(&clients, "backend").await?;
    let (good, bad) = (clients.sign("gw.test")?, others.sign("gw.test")?);
    let port = free_port()?;
    let listener = json!([{"name": "http", "port": port, "protocol": "HTTP"}]);
    let showing = |secret: &str| {
        let tls = json!({"backend": {"clientCertificateRef": {"name": secret}}});
        gateway(listener.clone(), json!({"tls": tls}))
    };
    let neighbour = |name: &str, more: Value| {
        let mut neighbour = gateway(listener.clone(), more);
        neighbour["metadata"]["name"] = json!(name);
        neighbour
    };
    let of_bad = json!({"tls": {"backend": {"clientCertificateRef": {"name": "bad"}}}});
    let policy = json!({
        "targetRefs": [{"group": "", "kind": "Service", "name": "safe"}],
        "validation": {
            "hostname": "backend.test",
            "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "roots"}],
        },
    });
    let route = json!({
        "parentRefs": [{"name": "gw"}, {"name": "of-bad"}, {"name": "none"}],
        "rules": [{"backendRefs": [{"name": "safe", "port": 443}]}],
    });
    let resources = [
        showing("good"),
        neighbour("of-bad", of_bad),
        neighbour("none", json!({})),
        good.secret("good", None),
        bad.secret("bad", None),
        authority.config_map("roots"),
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "safe", "namespace": "default"},
            "spec": {"ports": [{"port": 443}]},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "safe", "namespace": "default", "labels": {"kubernetes.io/service-name": "safe"}},
            "ports": [{"port": backend.port()}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }),
        resource("BackendTLSPolicy", "v1", "safe", policy),
        resource("HTTPRoute", "v1", "web", route),
    ];
    for (proxy, status) in [("of-bad", 503), ("none", 503), ("gw", 200)] {
        let (tenon, folder) = up_as(proxy, &resources).await?;
        let mut client = Client::http1(at(&tenon, port)?).await?;
        assert_eq!(client.send(get("/")).await?.status, status, "{proxy}");
        if proxy != "gw" {
            continue;
        }
        // Its neighbours' Envoys, and other clusters, learn nothing of what it shows.
        let secrets = "/config_dump?resource=dynamic_active_secrets";
        let (_, secrets) = tenon.envoy_admin().ask(secrets).await?;
        assert!(secrets.contains("tls_default_good"), "{secrets}");
        assert!(!secrets.contains("tls_default_bad"), "{secrets}");
        // Another certificate is shown as soon as it is there.
        for (secret, status) in [("bad", 503), ("good", 200)] {
            fs::write(folder.path().join("0.yaml"), showing(secret).to_string())?;
            until(&format!("{status} with {secret}"), || {
                let mut client = client.share();
                async move {
                    let answer = client.send(get("/")).await?;
                    Ok((answer.status == status).then_some(()))
                }
            })
            .await?;
        }
    }
    Ok(())
}
