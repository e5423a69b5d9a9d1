//! Tokens of Google's are nowhere but on the wire to the function, and nothing is held on its way there and back.

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tenon_contract::{CallConfig, CallTarget, GcpCall, GcpToken, SecretBlob};
use tenon_e2e::gateway::{function_route, plain_route};
use tenon_e2e::{
    Answer, Filter, Gate, Gateway, GatewayBuilder, PlainDouble, get, on_both_hosts, post, request,
    streaming_body,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.TheClaimsOfThisTest.c2lnbmF0dXJl";

fn secret() -> SecretBlob {
    SecretBlob::Gcp(GcpToken {
        id_token: TOKEN.into(),
        expiration: None,
    })
}

fn call(keep_authorization: bool) -> CallConfig {
    CallConfig {
        target: CallTarget::Gcp(GcpCall {
            path_prefix: Some("/f".into()),
            keep_authorization,
        }),
        ..CallConfig::gcp("f")
    }
}

fn builder(filter: Filter, function: &PlainDouble) -> anyhow::Result<GatewayBuilder> {
    GatewayBuilder::new(filter)?
        .options(|options| {
            options.log_level = "debug".into();
            // Where a secret comes from a file, Envoy itself logs the file. From a control plane it does not; see there.
            options.component_log_level = "config:info".into();
        })
        .google("run", function.address(), &secret())
}

/// `/dropped/<name>` and `/kept/<name>`, by what becomes of the client's own authorization.
fn routes(name: &str, change: impl Fn(&mut Value)) -> [Value; 2] {
    [("dropped", false), ("kept", true)].map(|(what, keep)| {
        let mut route = function_route(&format!("/{what}/{name}"), "run", &call(keep));
        change(&mut route["route"]);
        route
    })
}

fn order(method: Method, path: &str) -> http::Request<tenon_e2e::RequestBody> {
    let mut request = match method {
        Method::POST => post(path, "an order"),
        _ => get(path),
    };
    for (name, value) in [
        ("authorization", "Bearer of-the-client"),
        ("x-serverless-authorization", "Bearer forged"),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    request
}

fn check(place: &str, text: &str) {
    assert!(!text.contains("TheClaimsOfThisTest"), "a token in {place}");
}

/// The client's requests as they are logged, and no token anywhere.
async fn check_envoy(gateway: &Gateway, entries: usize) -> anyhow::Result<()> {
    for entry in gateway.access_log(entries).await? {
        check("the access log", &entry.to_string());
        assert_eq!(entry["authorization"], "Bearer of-the-client", "{entry}");
        assert_eq!(
            entry["x-serverless-authorization"], "Bearer forged",
            "{entry}"
        );
        let path = entry[":path"].as_str().unwrap_or_default();
        assert!(!path.starts_with("/f/"), "{entry}");
        // After a redirect the request is the redirect's.
        if path != "/target" {
            assert_eq!(entry[":authority"], gateway.address.to_string(), "{entry}");
        }
    }
    let admin = gateway.envoy.admin();
    for page in [
        "/config_dump?include_eds",
        "/stats",
        "/clusters",
        "/init_dump",
    ] {
        check(page, &admin.get(page).await?);
    }
    check("Envoy's log at debug level", &gateway.envoy.log());
    Ok(())
}

on_both_hosts! {
    async fn a_token_is_sent_to_no_target_of_a_redirect_or_mirror(filter: Filter) -> Result<()> {
        let (function, target) = (PlainDouble::start().await?, PlainDouble::start().await?);
        let mirror = PlainDouble::start().await?;
        function.answer(Answer::status(302).header("location", "http://elsewhere.example/target"));
        target.answer(Answer::body("the target"));
        let gateway = builder(filter, &function)?
            .service("target", target.address())
            .service("mirror", mirror.address())
            .routes(routes("moved", |route| {
                route["internal_redirect_policy"] = json!({"redirect_response_codes": [302]});
                route["request_mirror_policies"] = json!([{"cluster": "mirror"}, {"cluster": "run"}]);
            }))
            .route(plain_route("/target", "target"))
            .start()
            .await?;
        for mut client in gateway.clients().await? {
            for what in ["dropped", "kept"] {
                let answer = client.send(order(Method::GET, &format!("/{what}/moved"))).await?;
                assert_eq!((answer.status, &*answer.text()), (200, "the target"));
            }
        }
        for (place, double) in [("the redirect's target", &target), ("the mirror", &mirror)] {
            for request in double.wait_for_requests(4).await? {
                check(place, &format!("{:?}", request.headers));
                assert_eq!(request.header("authorization"), "Bearer of-the-client", "{place}");
                assert_eq!(request.header("x-serverless-authorization"), "Bearer forged", "{place}");
            }
        }
        // A copy of a request calls no function.
        gateway.wait_for_count("", "no_function", 4).await?;
        let asked = function.requests();
        assert_eq!(asked.len(), 4);
        assert!(asked.iter().all(|request| request.path.starts_with("/f/")), "{asked:?}");
        // Each request is logged twice.
        check_envoy(&gateway, 8).await
    }

    async fn a_token_is_seen_nowhere_after_retries_and_timeouts(filter: Filter) -> Result<()> {
        let function = PlainDouble::start().await?;
        let gate = Gate::new();
        let retried = |route: &mut Value| route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2});
        let timed = |route: &mut Value| {
            route["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.2s"});
        };
        let gateway = builder(filter, &function)?
            .routes(routes("failing", retried))
            .routes(routes("slow", timed))
            .start()
            .await?;
        let mut entries = 0;
        for (name, answer, status) in [
            ("failing", Answer::status(503), 503),
            ("slow", Answer::body("late").held_by(&gate), 504),
        ] {
            function.answer(answer);
            for mut client in gateway.clients().await? {
                for what in ["dropped", "kept"] {
                    let answer = client.send(order(Method::POST, &format!("/{what}/{name}"))).await?;
                    assert_eq!(answer.status, status, "{name}: {}", answer.text());
                    check("the answer", &format!("{:?} {}", answer.headers, answer.text()));
                    entries += 1;
                }
            }
        }
        gate.open();
        for asked in function.requests() {
            let token = format!("Bearer {TOKEN}");
            let name = match asked.path.starts_with("/f/kept") {
                true => "x-serverless-authorization",
                false => "authorization",
            };
            assert_eq!(asked.header(name), token);
            assert_eq!(asked.body, "an order");
        }
        check_envoy(&gateway, entries).await
    }

    async fn a_request_passes_while_it_is_sent(filter: Filter) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let gateway = GatewayBuilder::new(filter)?
            .google("run", listener.local_addr()?, &secret())?
            .route(function_route("/", "run", &call(false)))
            .start()
            .await?;
        for http2 in [false, true] {
            let mut client = match http2 {
                true => gateway.http2().await?,
                false => gateway.http1().await?,
            };
            let (mut sender, body) = streaming_body();
            let mut upload = request(Method::POST, "/upload", body);
            // What says of an HTTP/2 request to the .wasm's surroundings that it has a body.
            upload.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            let answer = tokio::spawn(async move { client.send(upload).await });
            sender.send_data("first".into()).await?;
            let (mut function, _) = listener.accept().await?;
            let mut seen = Vec::new();
            while !seen.ends_with(b"first\r\n") {
                anyhow::ensure!(function.read_buf(&mut seen).await? > 0, "the request ended");
            }
            sender.send_data("second".into()).await?;
            drop(sender);
            while !seen.ends_with(b"0\r\n\r\n") {
                anyhow::ensure!(function.read_buf(&mut seen).await? > 0, "the request ended");
            }
            let seen = String::from_utf8(seen)?;
            assert!(seen.starts_with("POST /f/upload HTTP/1.1\r\n"), "{seen}");
            assert!(seen.contains("\r\ntransfer-encoding: chunked\r\n"), "{seen}");
            function.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await?;
            let answer = answer.await??;
            assert_eq!((answer.status, &*answer.text()), (200, "ok"));
        }
        Ok(())
    }
}

/// Not so with the `.wasm`, which no hook of Envoy's tells in time; see `secrets.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_seen_nowhere_after_a_client_went_away() -> anyhow::Result<()> {
    let function = PlainDouble::start().await?;
    let gate = Gate::new();
    function.answer(Answer::body("late").held_by(&gate));
    let gateway = builder(Filter::So, &function)?
        .routes(routes("left", |_| {}))
        .start()
        .await?;
    for (round, what) in ["dropped", "kept"].into_iter().enumerate() {
        let client = gateway.http1().await?;
        let mut sending = client.share();
        let path = format!("/{what}/left");
        let sent = tokio::spawn(async move { sending.send(order(Method::POST, &path)).await });
        function.wait_for_requests(round + 1).await?;
        client.hang_up();
        assert!(sent.await?.is_err());
    }
    gate.open();
    check_envoy(&gateway, 2).await
}
