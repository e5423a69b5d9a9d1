//! The Gateway API on a real Envoy: what its rules say is shown by requests.

mod delegation;
mod external_auth;
mod pairs;
mod shares;
mod suite;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use http::header::HOST;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::{
    Answer, Client, Envoy, EnvoyOptions, Filter, Gate, LambdaDouble, PlainDouble, Response, Tenon,
    TenonOptions, free_port, object, post,
};

/// A gateway, its Envoy, and the control plane that it has its configuration from.
struct Setting {
    address: SocketAddr,
    _envoy: Envoy,
    tenon: Tenon,
    _folder: TempDir,
}

/// A folder of resources, and an Envoy that has its configuration from it.
struct Served {
    envoy: Envoy,
    tenon: Tenon,
    folder: TempDir,
}

/// Has an Envoy with a role served, each of these texts being a file.
async fn serve(texts: &[String], filter: Filter, role: &str) -> Result<Served> {
    let folder = TempDir::with_prefix("tenon-gateway-api-")?;
    let resources = folder.path().join("resources");
    fs::create_dir(&resources)?;
    for (index, text) in texts.iter().enumerate() {
        fs::write(resources.join(format!("{index}.yaml")), text)?;
    }
    let mut options = TenonOptions::new(&resources, filter);
    options.state = Some(folder.path().join("state"));
    let tenon = Tenon::serve(options).await?;
    let config = bootstrap(&BootstrapOptions {
        node_id: "gateway".into(),
        node_cluster: "gateway".into(),
        role: role.into(),
        xds_addr: tenon.ready().xds,
        admin_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        delta: true,
    });
    let envoy = Envoy::start_with(&config, &EnvoyOptions::default()).await?;
    Ok(Served {
        envoy,
        tenon,
        folder,
    })
}

impl Setting {
    /// One with a listener for HTTP, these objects, and an HTTPRoute with these rules.
    async fn start(objects: &[Value], rules: Value) -> Result<Self> {
        Self::with_filter(objects, rules, Filter::So).await
    }

    /// The same with one of the filters.
    async fn with_filter(objects: &[Value], rules: Value, filter: Filter) -> Result<Self> {
        let port = free_port()?;
        let gateway = json!({
            "gatewayClassName": "gloo-gateway",
            "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
            "listeners": [{"name": "http", "port": port, "protocol": "HTTP"}],
        });
        let route = json!({"parentRefs": [{"name": "http"}], "rules": rules});
        let own = [
            of_gateway_api("Gateway", "http", gateway),
            of_gateway_api("HTTPRoute", "route", route),
        ];
        let texts: Vec<_> = objects.iter().chain(&own).map(Value::to_string).collect();
        let role = "gloo-kube-gateway-api~default~default-http";
        let Served {
            envoy,
            tenon,
            folder,
        } = serve(&texts, filter, role).await?;
        envoy.listener(&format!("listener~{port}")).await?;
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _envoy: envoy,
            tenon,
            _folder: folder,
        })
    }

    async fn ask(&self, path: &str) -> Result<Response> {
        self.send("GET", path, &[]).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let mut asked = post(path, "");
        *asked.method_mut() = method.parse()?;
        asked.headers_mut().insert(HOST, "www.example.com".parse()?);
        for (name, value) in headers {
            let name: http::HeaderName = name.parse()?;
            asked.headers_mut().insert(name, value.parse()?);
        }
        Client::http1(self.address).await?.send(asked).await
    }

    /// The state of the route.
    async fn route_is(&self, state: &str) -> Result<()> {
        let statuses = self.tenon.status().await?;
        let mut all = statuses.as_array().into_iter().flatten();
        let route = all.find(|it| it["kind"] == "HTTPRoute");
        ensure!(route.is_some_and(|it| it["state"] == state), "{statuses:#}");
        Ok(())
    }
}

fn of_gateway_api(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}

fn upstream(name: &str, to: &PlainDouble) -> Value {
    let address = to.address();
    let host = json!({"addr": address.ip().to_string(), "port": address.port()});
    object("Upstream", name, json!({"static": {"hosts": [host]}}))
}

fn backend(name: &str) -> Value {
    json!({"name": name, "kind": "Upstream", "group": "gloo.solo.io"})
}

/// The same with more fields.
fn with(mut backend: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        backend[name] = value.clone();
    }
    backend
}

/// A rule for a prefix.
fn rule(prefix: &str, more: Value) -> Value {
    with(json!({"matches": [{"path": {"value": prefix}}]}), more)
}

fn extension(group: &str, kind: &str, name: &str) -> Value {
    json!({"type": "ExtensionRef", "extensionRef": {"group": group, "kind": kind, "name": name}})
}

/// An upstream of the functions `blue` and `green`, and its credentials.
fn functions(lambda: &LambdaDouble) -> Vec<Value> {
    let key = LambdaDouble::key();
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "lambda", "namespace": "default"},
        "stringData": {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret},
    });
    let functions =
        ["blue", "green"].map(|name| json!({"logicalName": name, "lambdaFunctionName": name}));
    let upstream = object(
        "Upstream",
        "lambda",
        json!({"aws": {
            "region": "us-east-1",
            "endpointUrl": format!("http://{}", lambda.address()),
            "secretRef": {"name": "lambda", "namespace": "default"},
            "lambdaFunctions": functions,
        }}),
    );
    vec![secret, upstream]
}

#[tokio::test]
async fn the_most_specific_match_counts_wherever_it_stands() -> Result<()> {
    let names = [
        "root", "prefix", "longer", "exact", "method", "header", "query",
    ];
    let mut objects = Vec::new();
    let mut doubles = Vec::new();
    for name in names {
        let double = PlainDouble::saying(name).await?;
        objects.push(upstream(name, &double));
        doubles.push(double);
    }
    let path = |kind: &str, value: &str| json!({"type": kind, "value": value});
    let prefix = |value: &str| json!({"path": path("PathPrefix", value)});
    let header = json!({"headers": [{"name": "x-a", "value": "1"}]});
    let params = json!({"queryParams": [{"name": "a", "value": "1"}]});
    let to =
        |name: &str, matches: Value| json!({"matches": [matches], "backendRefs": [backend(name)]});
    let rules = json!([
        to("root", prefix("/")),
        to("prefix", prefix("/a")),
        to("query", with(prefix("/a"), params)),
        to("header", with(prefix("/a"), header)),
        to("method", with(prefix("/a"), json!({"method": "PUT"}))),
        to("longer", prefix("/a/b/")),
        to("exact", json!({"path": path("Exact", "/a/b/c")})),
    ]);
    let setting = Setting::start(&objects, rules).await?;
    let one = [("x-a", "1")];
    for (method, path, headers, expected) in [
        ("GET", "/", &[][..], "root"),
        // A prefix ends where a part does.
        ("GET", "/ab", &[], "root"),
        ("GET", "/a", &[], "prefix"),
        ("GET", "/a/x", &[], "prefix"),
        ("GET", "/a/b", &[], "longer"),
        ("GET", "/a/b/x", &one, "longer"),
        ("PUT", "/a/b/c", &one, "exact"),
        ("GET", "/a?a=1", &[], "query"),
        ("GET", "/a?a=1", &one, "header"),
        ("PUT", "/a?a=1", &one, "method"),
    ] {
        let answer = setting.send(method, path, headers).await?;
        ensure!(
            answer.text() == expected,
            "{method} {path} {headers:?}: {answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn weights_are_kept_by_backends_that_are_not_there() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let rules = json!([rule(
        "/",
        json!({"backendRefs": [
            with(backend("one"), json!({"weight": 2})),
            with(backend("two"), json!({"weight": 0})),
            with(backend("nobody"), json!({"weight": 2})),
        ]})
    )]);
    let setting = Setting::start(&[upstream("one", &one), upstream("two", &two)], rules).await?;
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..200 {
        let answer = setting.ask("/").await?;
        let key = match answer.status {
            200 => answer.text(),
            status => status.to_string(),
        };
        *answers.entry(key).or_default() += 1;
    }
    let keys: Vec<_> = answers.keys().map(String::as_str).collect();
    assert_eq!(keys, ["500", "one"]);
    // One in 10^18 is outside of these.
    assert!(
        answers.values().all(|count| (40..=160).contains(count)),
        "{answers:?}"
    );
    setting.route_is("Warning").await
}

#[tokio::test]
async fn clients_are_sent_elsewhere() -> Result<()> {
    let to = |fields: Value| json!({"filters": [{"type": "RequestRedirect", "requestRedirect": fields}]});
    let full = |path: &str| json!({"path": {"type": "ReplaceFullPath", "replaceFullPath": path}});
    let prefix =
        |path: &str| json!({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": path}});
    let rules = json!([
        rule("/scheme", to(json!({"scheme": "https"}))),
        rule(
            "/host",
            to(json!({"hostname": "new.example.com", "statusCode": 301}))
        ),
        rule("/port", to(json!({"port": 8443, "statusCode": 307}))),
        rule(
            "/known",
            to(
                json!({"scheme": "http", "port": 80, "hostname": "new.example.com", "statusCode": 308})
            )
        ),
        rule(
            "/full",
            to(with(
                full("/new"),
                json!({"scheme": "https", "statusCode": 303})
            ))
        ),
        rule(
            "/prefix",
            to(with(prefix("/new"), json!({"scheme": "https"})))
        ),
        rule("/none", to(with(prefix("/"), json!({"scheme": "https"})))),
    ]);
    let setting = Setting::start(&[], rules).await?;
    let own = setting.address.port();
    for (path, status, location) in [
        (
            "/scheme/a?b=c",
            302,
            "https://www.example.com/scheme/a?b=c".to_owned(),
        ),
        ("/host", 301, format!("http://new.example.com:{own}/host")),
        ("/port", 307, "http://www.example.com:8443/port".to_owned()),
        ("/known", 308, "http://new.example.com/known".to_owned()),
        (
            "/full/a?b=c",
            303,
            "https://www.example.com/new?b=c".to_owned(),
        ),
        (
            "/prefix/a?b=c",
            302,
            "https://www.example.com/new/a?b=c".to_owned(),
        ),
        ("/prefix", 302, "https://www.example.com/new".to_owned()),
        ("/none/a", 302, "https://www.example.com/a".to_owned()),
        ("/none", 302, "https://www.example.com/".to_owned()),
    ] {
        let answer = setting.ask(path).await?;
        let found = (answer.status, answer.header("location"));
        assert_eq!(found, (status, location.as_str()), "{path}");
    }
    setting.route_is("Accepted").await
}

#[tokio::test]
async fn backends_see_another_host_and_path() -> Result<()> {
    let web = PlainDouble::start().await?;
    let to = |fields: Value| {
        json!({
            "filters": [{"type": "URLRewrite", "urlRewrite": fields}],
            "backendRefs": [backend("web")],
        })
    };
    let full = |path: &str| json!({"path": {"type": "ReplaceFullPath", "replaceFullPath": path}});
    let prefix =
        |path: &str| json!({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": path}});
    let by_backend = |host: &str| {
        let filter = json!({"type": "URLRewrite", "urlRewrite": {"hostname": host}});
        with(backend("web"), json!({"filters": [filter]}))
    };
    let rules = json!([
        rule("/host", to(json!({"hostname": "inner.example.com"}))),
        rule("/full", to(full("/new"))),
        rule("/prefix/", to(prefix("/new/"))),
        rule("/none", to(prefix(""))),
        rule("/", to(prefix("/app"))),
        rule(
            "/two",
            json!({"backendRefs": [by_backend("two.example.com"), by_backend("two.example.com")]})
        ),
    ]);
    let setting = Setting::start(&[upstream("web", &web)], rules).await?;
    for (path, host, expected) in [
        ("/host/a", "inner.example.com", "/host/a"),
        ("/full/a?b=c", "www.example.com", "/new?b=c"),
        ("/prefix/a?b=c", "www.example.com", "/new/a?b=c"),
        ("/prefix", "www.example.com", "/new"),
        ("/prefix/", "www.example.com", "/new/"),
        ("/none/a", "www.example.com", "/a"),
        ("/none", "www.example.com", "/"),
        ("/none/", "www.example.com", "/"),
        ("/other", "www.example.com", "/app/other"),
        ("/two", "two.example.com", "/two"),
    ] {
        setting.ask(path).await?;
        let seen = web.requests().pop().unwrap();
        assert_eq!(
            (seen.header("host"), &*seen.path),
            (host, expected),
            "{path}"
        );
    }
    setting.route_is("Accepted").await
}

#[tokio::test]
async fn headers_are_set_added_and_removed_for_all_and_for_a_share() -> Result<()> {
    let web = PlainDouble::start().await?;
    web.answer(
        Answer::body("web")
            .header("x-gone", "1")
            .header("x-set", "web"),
    );
    let header = |name: &str, value: &str| json!({"name": name, "value": value});
    let requests =
        |fields: Value| json!({"type": "RequestHeaderModifier", "requestHeaderModifier": fields});
    let responses =
        |fields: Value| json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": fields});
    let of_backend = requests(json!({"set": [header("x-by", "backend")]}));
    let rules = json!([rule(
        "/",
        json!({
            "filters": [
                requests(json!({
                    "set": [header("x-by", "rule"), header("x-set", "rule")],
                    "add": [header("x-add", "100%PROTOCOL%")],
                    "remove": ["x-gone"],
                })),
                responses(json!({"set": [header("x-set", "rule")], "add": [header("x-add", "rule")], "remove": ["x-gone"]})),
            ],
            "backendRefs": [
                with(backend("web"), json!({"filters": [of_backend.clone()]})),
                with(backend("web"), json!({"filters": [of_backend]})),
            ],
        })
    )]);
    let setting = Setting::start(&[upstream("web", &web)], rules).await?;
    let sent = [
        ("x-set", "client"),
        ("x-add", "client"),
        ("x-gone", "client"),
    ];
    let answer = setting.send("GET", "/", &sent).await?;
    let all = |headers: &http::HeaderMap, name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values
            .map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
            .collect()
    };
    let seen = web.requests().pop().unwrap();
    for (name, expected) in [
        ("x-by", &["backend"][..]),
        ("x-set", &["rule"]),
        ("x-add", &["client", "100%PROTOCOL%"]),
        ("x-gone", &[]),
    ] {
        assert_eq!(all(&seen.headers, name), expected, "{name}");
    }
    for (name, expected) in [
        ("x-set", &["rule"][..]),
        ("x-add", &["rule"]),
        ("x-gone", &[]),
    ] {
        assert_eq!(all(&answer.headers, name), expected, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn copies_go_to_each_mirror_that_is_there() -> Result<()> {
    let (web, one, two) = (
        PlainDouble::saying("web").await?,
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let mirror = |name: &str, more: Value| {
        let mirror = with(json!({"backendRef": backend(name)}), more);
        json!({"type": "RequestMirror", "requestMirror": mirror})
    };
    let rules = json!([rule(
        "/",
        json!({
            "filters": [
                mirror("one", json!({})),
                mirror("two", json!({"fraction": {"numerator": 7, "denominator": 7}})),
                mirror("web", json!({"percent": 0})),
                mirror("nobody", json!({})),
            ],
            "backendRefs": [backend("web")],
        })
    )]);
    let objects = [
        upstream("web", &web),
        upstream("one", &one),
        upstream("two", &two),
    ];
    let setting = Setting::start(&objects, rules).await?;
    for _ in 0..5 {
        assert_eq!(setting.ask("/copied").await?.text(), "web");
    }
    for double in [&one, &two] {
        let seen = double.wait_for_requests(5).await?;
        assert!(seen.iter().all(|it| it.path == "/copied"));
    }
    assert_eq!(web.requests().len(), 5);
    setting.route_is("Warning").await
}

#[tokio::test]
async fn browsers_are_told_who_may_ask() -> Result<()> {
    let web = PlainDouble::saying("web").await?;
    let cors = |fields: Value| json!({"filters": [{"type": "CORS", "cors": fields}], "backendRefs": [backend("web")]});
    let rules = json!([
        rule(
            "/some",
            cors(json!({
                "allowOrigins": ["https://www.example.com", "https://*.example.org"],
                "allowMethods": ["GET", "PUT"],
                "allowHeaders": ["x-a"],
                "exposeHeaders": ["x-b"],
            }))
        ),
        rule(
            "/credentials",
            cors(json!({
                "allowOrigins": ["*"], "allowCredentials": true, "allowMethods": ["*"], "allowHeaders": ["*"], "maxAge": 60,
            }))
        ),
    ]);
    let setting = Setting::start(&[upstream("web", &web)], rules).await?;
    let preflight = async |path: &str, origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", "x-c, x-d"),
        ];
        setting.send("OPTIONS", path, &headers).await
    };
    let told =
        |answer: &Response, name: &str| answer.header(&format!("access-control-{name}")).to_owned();
    for (path, origin, allowed) in [
        ("/some", "https://www.example.com", true),
        ("/some", "https://a.b.example.org", true),
        ("/some", "http://www.example.com", false),
        ("/some", "https://wwwXexample.com", false),
        ("/credentials", "https://anyone.example", true),
    ] {
        let answer = preflight(path, origin).await?;
        let expected = if allowed { origin } else { "" };
        assert_eq!(
            (answer.status, told(&answer, "allow-origin")),
            (200, expected.to_owned()),
            "{path} {origin}"
        );
    }
    let answer = preflight("/some", "https://www.example.com").await?;
    for (name, expected) in [
        ("allow-methods", "GET,PUT"),
        ("allow-headers", "x-a"),
        ("max-age", "5"),
        ("allow-credentials", ""),
    ] {
        assert_eq!(told(&answer, name), expected, "{name}");
    }
    // What browsers would take by its letter is not said to them.
    let answer = preflight("/credentials", "https://anyone.example").await?;
    for (name, expected) in [
        ("allow-methods", "DELETE"),
        ("allow-headers", "x-c, x-d"),
        ("max-age", "60"),
        ("allow-credentials", "true"),
    ] {
        assert_eq!(told(&answer, name), expected, "{name}");
    }
    assert!(
        web.requests().is_empty(),
        "preflights are answered by Envoy"
    );
    let answer = setting
        .send("GET", "/some", &[("origin", "https://www.example.com")])
        .await?;
    assert_eq!(
        (&*answer.text(), &*told(&answer, "expose-headers")),
        ("web", "x-b")
    );
    let answer = setting
        .send("GET", "/credentials", &[("origin", "https://a.example")])
        .await?;
    assert_eq!(told(&answer, "allow-methods"), "", "nothing is asked");
    Ok(())
}

#[tokio::test]
async fn requests_and_tries_end_in_time() -> Result<()> {
    let (slow, failing) = (PlainDouble::start().await?, PlainDouble::start().await?);
    let gate = Gate::new();
    slow.answer(Answer::body("late").held_by(&gate));
    failing.answer(Answer::status(503));
    let to = |name: &str, more: Value| with(json!({"backendRefs": [backend(name)]}), more);
    let rules = json!([
        rule(
            "/request",
            to("slow", json!({"timeouts": {"request": "1s"}}))
        ),
        rule(
            "/try",
            to(
                "slow",
                json!({
                    "timeouts": {"backendRequest": "1s"},
                    "retry": {"attempts": 2, "backoff": "1ms"},
                })
            )
        ),
        rule(
            "/one",
            to(
                "slow",
                json!({"timeouts": {"request": "60s", "backendRequest": "1s"}})
            )
        ),
        rule(
            "/codes",
            to(
                "failing",
                json!({"retry": {"codes": [503], "attempts": 3, "backoff": "1ms"}})
            )
        ),
        rule(
            "/others",
            to("failing", json!({"retry": {"codes": [500], "attempts": 3}}))
        ),
    ]);
    let setting = Setting::start(
        &[upstream("slow", &slow), upstream("failing", &failing)],
        rules,
    )
    .await?;
    for (path, double, status, tries) in [
        ("/request", &slow, 504, 1),
        ("/try", &slow, 504, 3),
        ("/one", &slow, 504, 1),
        ("/codes", &failing, 503, 4),
        ("/others", &failing, 503, 1),
    ] {
        double.forget();
        assert_eq!(setting.ask(path).await?.status, status, "{path}");
        assert_eq!(
            double.wait_for_requests(tries).await?.len(),
            tries,
            "{path}"
        );
    }
    gate.open();
    setting.route_is("Accepted").await
}

#[tokio::test]
async fn functions_are_called_by_parameter_and_by_function_call() -> Result<()> {
    let lambda = LambdaDouble::start().await?;
    for name in ["blue", "green"] {
        lambda.answer(name, [Answer::body(name)]);
    }
    let call = json!({
        "apiVersion": "tenon.dev/v1alpha1",
        "kind": "FunctionCall",
        "metadata": {"name": "later", "namespace": "default"},
        "spec": {"aws": {"logicalName": "green", "invocationStyle": "ASYNC"}},
    });
    let parameter = extension("gloo.solo.io", "Parameter", "blue");
    let later = extension("tenon.dev", "FunctionCall", "later");
    let to = |filter: &Value| json!({"backendRefs": [with(backend("lambda"), json!({"filters": [filter]}))]});
    let rules = json!([
        rule("/parameter", to(&parameter)),
        rule("/backend", to(&later)),
        rule(
            "/rule",
            json!({"filters": [later], "backendRefs": [backend("lambda")]})
        ),
        rule(
            "/missing",
            to(&extension("tenon.dev", "FunctionCall", "nobody"))
        ),
    ]);
    let mut objects = functions(&lambda);
    objects.push(call);
    let setting = Setting::start(&objects, rules).await?;
    for (path, status, text, style) in [
        ("/parameter", 200, "blue", "RequestResponse"),
        ("/backend", 202, "", "Event"),
        ("/rule", 202, "", "Event"),
    ] {
        lambda.forget();
        let answer = setting.ask(path).await?;
        ensure!(
            answer.status == status && (text.is_empty() || answer.text() == text),
            "{path}: {answer:?}"
        );
        let name = if text.is_empty() { "green" } else { text };
        let calls = lambda.wait_for_calls(name, 1).await?;
        assert_eq!(calls[0].refusal, None);
        assert_eq!(
            calls[0].request.header("x-amz-invocation-type"),
            style,
            "{path}"
        );
    }
    assert_eq!(setting.ask("/missing").await?.status, 500);
    setting.route_is("Warning").await
}

#[tokio::test]
async fn what_extensions_say_is_done_or_answered_with_500() -> Result<()> {
    let web = PlainDouble::start().await?;
    let options = object(
        "RouteOption",
        "options",
        json!({"options": {"prefixRewrite": "/by-option"}}),
    );
    let tea = json!({
        "apiVersion": "gateway.gloo.solo.io/v1alpha1",
        "kind": "DirectResponse",
        "metadata": {"name": "tea", "namespace": "default"},
        "spec": {"status": 418, "body": "teapot"},
    });
    let option = |name: &str| extension("gateway.solo.io", "RouteOption", name);
    let tea_of = || extension("gateway.gloo.solo.io", "DirectResponse", "tea");
    let rules = json!([
        rule(
            "/option",
            json!({"filters": [option("options")], "backendRefs": [backend("web")]})
        ),
        rule(
            "/missing",
            json!({"filters": [option("nobody")], "backendRefs": [backend("web")]})
        ),
        rule("/tea", json!({"filters": [tea_of()]})),
        rule(
            "/both",
            json!({"filters": [tea_of()], "backendRefs": [backend("web")]})
        ),
    ]);
    let setting = Setting::start(&[upstream("web", &web), options, tea], rules).await?;
    assert_eq!(setting.ask("/option").await?.status, 200);
    assert_eq!(web.requests().pop().unwrap().path, "/by-option");
    let answer = setting.ask("/tea").await?;
    assert_eq!((answer.status, &*answer.text()), (418, "teapot"));
    for path in ["/missing", "/both"] {
        assert_eq!(setting.ask(path).await?.status, 500, "{path}");
    }
    assert_eq!(web.requests().len(), 1);
    setting.route_is("Rejected").await
}

#[tokio::test]
async fn a_session_stays_where_it_began() -> Result<()> {
    let (one, two) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
    );
    let hosts = [&one, &two]
        .map(|it| json!({"addr": it.address().ip().to_string(), "port": it.address().port()}));
    let both = object("Upstream", "both", json!({"static": {"hosts": hosts}}));
    let to =
        |session: Value| json!({"sessionPersistence": session, "backendRefs": [backend("both")]});
    let rules = json!([
        rule("/cookie", to(json!({"sessionName": "s"}))),
        rule(
            "/kept",
            to(json!({"absoluteTimeout": "1h", "cookieConfig": {"lifetimeType": "Permanent"}}))
        ),
        rule(
            "/header",
            to(json!({"type": "Header", "sessionName": "x-session"}))
        ),
        rule("/", json!({"backendRefs": [backend("both")]})),
    ]);
    let setting = Setting::start(&[both], rules).await?;
    for (path, given, sent) in [
        ("/cookie", "set-cookie", "cookie"),
        ("/kept", "set-cookie", "cookie"),
        ("/header", "x-session", "x-session"),
    ] {
        let first = setting.ask(path).await?;
        let session = first.header(given).to_owned();
        assert_eq!(
            session.contains("Max-Age=3600"),
            path == "/kept",
            "{session}"
        );
        let session = session.split(';').next().unwrap_or_default();
        ensure!(!session.is_empty(), "{path}: {first:?}");
        for _ in 0..6 {
            let again = setting.send("GET", path, &[(sent, session)]).await?;
            assert_eq!(again.text(), first.text(), "{path}");
        }
    }
    assert_eq!(setting.ask("/").await?.header("set-cookie"), "");
    setting.route_is("Accepted").await
}
