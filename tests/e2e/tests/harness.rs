//! The harness itself: a test is worth what its doubles are.

use anyhow::Result;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::sigv4::{AccessKey, sign};
use tenon_e2e::{
    Answer, Client, Envoy, EnvoyOptions, Gate, LambdaDouble, Ministack, PlainDouble, RequestBody,
    free_port, get, post, request, streaming_body,
};

const ECHO: &str = "/2015-03-31/functions/echo/invocations";

fn invocation(
    path: &str,
    body: &str,
    host: &str,
    key: &AccessKey,
    headers: &[(&str, &str)],
) -> Result<Request<RequestBody>> {
    let mut signed = Request::post(path).header("host", host);
    for (name, value) in headers {
        signed = signed.header(*name, *value);
    }
    let mut signed = signed.body(body.to_owned())?;
    sign(&mut signed, key, "us-east-1", "lambda")?;
    let mut request = post(path, body.to_owned());
    *request.headers_mut() = signed.headers().clone();
    Ok(request)
}

async fn invoke(double: &LambdaDouble, path: &str, body: &str) -> Result<tenon_e2e::Response> {
    invoke_with(double, path, body, &LambdaDouble::key(), &[]).await
}

async fn invoke_with(
    double: &LambdaDouble,
    path: &str,
    body: &str,
    key: &AccessKey,
    headers: &[(&str, &str)],
) -> Result<tenon_e2e::Response> {
    let address = double.address();
    let request = invocation(path, body, &address.to_string(), key, headers)?;
    Client::http1(address).await?.send(request).await
}

/// An Envoy with one route to one cluster, over HTTP/1.1 or HTTP/2.
fn proxy(upstream: std::net::SocketAddr, http2: bool) -> String {
    let (ip, port) = (upstream.ip(), upstream.port());
    let protocol = if http2 {
        "http2_protocol_options"
    } else {
        "http_protocol_options"
    };
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    format!(
        r#"
static_resources:
  listeners:
  - name: http
    address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: upstream}}}}]}}
          http_filters:
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: upstream
    type: STATIC
    load_assignment:
      cluster_name: upstream
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: {ip}, port_value: {port}}}}}}}}}]}}]
    typed_extension_protocol_options:
      {options}:
        "@type": type.googleapis.com/{options}
        explicit_http_config: {{{protocol}: {{}}}}
"#
    )
}

#[tokio::test]
async fn a_signed_call_is_answered_and_remembered() -> Result<()> {
    let double = LambdaDouble::start().await?;
    double.answer("echo", [Answer::echo()]);
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Aecho/invocations?Qualifier=live";
    let response = invoke(&double, path, r#"{"a":1}"#).await?;
    assert_eq!((response.status, &*response.text()), (200, r#"{"a":1}"#));
    assert_eq!(response.header("x-amz-executed-version"), "live");
    let calls = double.wait_for_calls("echo", 1).await?;
    assert_eq!(calls[0].qualifier.as_deref(), Some("live"));
    assert_eq!(calls[0].request.path, path);
    assert_eq!(calls[0].refusal, None);
    Ok(())
}

#[tokio::test]
async fn a_tampered_call_is_refused_and_its_function_not_called() -> Result<()> {
    let double = LambdaDouble::start().await?;
    double.answer("echo", [Answer::status(500), Answer::echo()]);
    let address = double.address();
    let mut tampered = invocation(ECHO, "{}", &address.to_string(), &LambdaDouble::key(), &[])?;
    *tampered.body_mut() = post("/", "[]").into_body();
    let response = Client::http1(address).await?.send(tampered).await?;
    assert_eq!(response.status, 403);
    assert_eq!(
        response.header("x-amzn-errortype"),
        "InvalidSignatureException"
    );
    assert_eq!(
        invoke(&double, ECHO, "{}").await?.status,
        500,
        "the first answer was still there"
    );
    Ok(())
}

#[tokio::test]
async fn wrong_keys_are_told_apart() -> Result<()> {
    let double = LambdaDouble::start().await?;
    double.answer("echo", [Answer::echo()]);
    let known = LambdaDouble::key();
    for (key, error_type) in [
        (
            AccessKey::new(known.id.clone(), "wrong"),
            "InvalidSignatureException",
        ),
        (
            AccessKey::new("AKIDUNKNOWN", "wrong"),
            "UnrecognizedClientException",
        ),
    ] {
        let response = invoke_with(&double, ECHO, "{}", &key, &[]).await?;
        assert_eq!(
            (response.status, response.header("x-amzn-errortype")),
            (403, error_type)
        );
    }
    let unsigned = Client::http1(double.address())
        .await?
        .send(post(ECHO, "{}"))
        .await?;
    assert_eq!(
        unsigned.header("x-amzn-errortype"),
        "MissingAuthenticationTokenException"
    );
    let rotated = AccessKey::new("AKIDROTATED", "new");
    double.set_keys([rotated.clone()]);
    assert_eq!(
        invoke_with(&double, ECHO, "{}", &rotated, &[])
            .await?
            .status,
        200
    );
    assert_eq!(invoke(&double, ECHO, "{}").await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn lambda_s_own_errors_are_as_aws_has_them() -> Result<()> {
    let double = LambdaDouble::start().await?;
    let missing = invoke(&double, ECHO, "{}").await?;
    assert_eq!(
        (missing.status, missing.header("x-amzn-errortype")),
        (404, "ResourceNotFoundException")
    );
    double.answer("echo", [Answer::echo()]);
    let limit = 6 * 1024 * 1024;
    assert_eq!(invoke(&double, ECHO, &"x".repeat(limit)).await?.status, 200);
    let large = invoke(&double, ECHO, &"x".repeat(limit + 1)).await?;
    assert_eq!(
        (large.status, large.header("x-amzn-errortype")),
        (413, "RequestTooLargeException")
    );
    for (invocation_type, status) in [("Event", 202), ("DryRun", 204)] {
        let headers = [("x-amz-invocation-type", invocation_type)];
        let response = invoke_with(&double, ECHO, "{}", &LambdaDouble::key(), &headers).await?;
        assert_eq!((response.status, response.body.len()), (status, 0));
    }
    Ok(())
}

#[tokio::test]
async fn a_script_fails_then_succeeds_and_its_last_answer_stays() -> Result<()> {
    let double = LambdaDouble::start().await?;
    double.answer(
        "echo",
        [
            Answer::function_error("oh"),
            Answer::hang_up(),
            Answer::json("1"),
        ],
    );
    let failed = invoke(&double, ECHO, "{}").await?;
    assert_eq!(
        (failed.status, failed.header("x-amz-function-error")),
        (200, "Unhandled")
    );
    assert!(invoke(&double, ECHO, "{}").await.is_err(), "hung up");
    for _ in 0..2 {
        assert_eq!(invoke(&double, ECHO, "{}").await?.text(), "1");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_waits_for_its_gate() -> Result<()> {
    let double = PlainDouble::start().await?;
    let (headers, body) = (Gate::new(), Gate::new());
    double.answer(Answer::body("late").held_by(&headers).body_held_by(&body));
    let client = Client::http1(double.address()).await?;
    let mut opening = client.share();
    let answer = tokio::spawn(async move { opening.open(get("/")).await });
    double.wait_for_requests(1).await?;
    assert!(!answer.is_finished());
    headers.open();
    let open = answer.await??;
    body.open();
    assert_eq!(open.into_body().collect().await?.to_bytes(), "late");
    Ok(())
}

#[tokio::test]
async fn a_cut_body_is_an_error_and_not_an_end() -> Result<()> {
    let double = PlainDouble::start().await?;
    double.answer(Answer::body("0123456789").chunked(3).cut_after(5));
    for client in [
        Client::http1(double.address()).await?,
        Client::http2(double.address()).await?,
    ] {
        let mut client = client;
        assert!(client.send(get("/")).await.is_err());
    }
    Ok(())
}

#[tokio::test]
async fn trailers_go_both_ways() -> Result<()> {
    let double = PlainDouble::start().await?;
    double.answer(Answer::body("body").trailer("x-end", "here"));
    for http2 in [false, true] {
        let mut client = if http2 {
            Client::http2(double.address()).await?
        } else {
            Client::http1(double.address()).await?
        };
        let (mut sender, body) = streaming_body();
        let mut request = request(Method::POST, "/", body);
        request
            .headers_mut()
            .insert("te", HeaderValue::from_static("trailers"));
        if !http2 {
            request
                .headers_mut()
                .insert("trailer", HeaderValue::from_static("x-sum"));
        }
        let feed = async move {
            sender.send_data("a".into()).await?;
            let trailers =
                HeaderMap::from_iter([("x-sum".parse()?, HeaderValue::from_static("1"))]);
            sender.send_trailers(trailers).await?;
            anyhow::Ok(())
        };
        let (response, fed) = tokio::join!(client.send(request), feed);
        fed?;
        let trailers = response?.trailers.unwrap_or_default();
        assert_eq!(
            trailers.get("x-end").map(|value| value.as_bytes()),
            Some(&b"here"[..])
        );
        let got = double.requests().pop().and_then(|request| request.trailers);
        assert!(
            got.is_some_and(|trailers| trailers.contains_key("x-sum")),
            "HTTP/2: {http2}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_request() -> Result<()> {
    let double = PlainDouble::start().await?;
    let mut client = Client::http1(double.address()).await?;
    assert_eq!(client.send(post("/first", "")).await?.status, 200);
    let (mut sender, body) = streaming_body();
    let mut sending = client.share();
    let cut = tokio::spawn(async move { sending.open(request(Method::POST, "/cut", body)).await });
    sender.send_data("half".into()).await?;
    client.hang_up();
    assert!(cut.await?.is_err());
    let mut other = Client::http1(double.address()).await?;
    assert_eq!(other.send(get("/second")).await?.status, 200);
    let paths: Vec<_> = double
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/first", "/second"]);
    Ok(())
}

#[tokio::test]
async fn envoy_proxies_to_a_double_over_both_protocols() -> Result<()> {
    for upstream_http2 in [false, true] {
        let double = PlainDouble::start().await?;
        let envoy = Envoy::start(&proxy(double.address(), upstream_http2)).await?;
        let address = envoy.listener("http").await?;
        for mut client in [Client::http1(address).await?, Client::http2(address).await?] {
            for body in ["one", "two"] {
                assert_eq!(client.send(post("/path?q", body)).await?.text(), body);
            }
            let head = client
                .send(request(Method::HEAD, "/", get("/").into_body()))
                .await?;
            assert_eq!((head.status, head.body.len()), (200, 0));
        }
        let requests = double.requests();
        assert_eq!(requests.len(), 6);
        assert_eq!(requests[0].path, "/path?q");
        assert_eq!(requests[0].version == http::Version::HTTP_2, upstream_http2);
        let count = envoy
            .admin()
            .stat("cluster.upstream.upstream_rq_total")
            .await?;
        assert_eq!(count, 6);
    }
    Ok(())
}

#[tokio::test]
async fn an_envoy_without_its_control_plane_starts_and_is_not_live() -> Result<()> {
    let config = bootstrap(&BootstrapOptions {
        node_id: "gateway-1".into(),
        node_cluster: "gateway".into(),
        role: "gloo-system~gateway-proxy".into(),
        xds_addr: ([127, 0, 0, 1], free_port()?).into(),
        // The harness has its own in place of it.
        admin_addr: ([127, 0, 0, 1], free_port()?).into(),
        delta: true,
    });
    let envoy = Envoy::launch(&config, &EnvoyOptions::default()).await?;
    assert_eq!(envoy.admin().ask("/ready").await?.0, 503);
    let failures = "cluster.tenon_xds.upstream_cx_connect_fail";
    envoy
        .admin()
        .stat_until(failures, |count| count >= 2)
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_envoy_that_refuses_its_configuration_says_why() {
    let error = Envoy::start("static_resources: {listeners: [{nonsense: 1}]}").await;
    let error = format!("{:#}", error.err().unwrap());
    assert!(error.contains("nonsense"), "{error}");
}

#[tokio::test]
async fn ministack_runs_a_function_for_the_right_secret_only() -> Result<()> {
    let lambda = Ministack::shared().await?;
    lambda
        .create_function(
            "twice",
            "def handler(event, context):\n    return event * 2\n",
        )
        .await?;
    let path = "/2015-03-31/functions/twice/invocations";
    let host = lambda.address().to_string();
    let mut client = Client::http1(lambda.address()).await?;
    let good = client
        .send(invocation(path, "21", &host, lambda.key(), &[])?)
        .await?;
    assert_eq!((good.status, &*good.text()), (200, "42"));
    let wrong = AccessKey::new(lambda.key().id.clone(), "wrong");
    let refused = client
        .send(invocation(path, "21", &host, &wrong, &[])?)
        .await?;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.header("x-amzn-errortype"),
        "InvalidSignatureException"
    );
    Ok(())
}
