//! What a Gateway says of HTTP, on the requests that flow.

use std::fs;

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_e2e::{
    Answer, Client, Filter, LambdaDouble, PlainDouble, deadline, get, on_both_hosts, post, request,
};

use super::options::{headed, to_service};
use super::servers::{gateway, reference};
use super::setting::{Resources, object, secret, service, to_function, upstream, virtual_service};

on_both_hosts! {
    async fn spans_come_to_a_collector_without_what_calls_functions(filter: Filter) -> Result<()> {
        let collector = PlainDouble::start().await?;
        collector.answer(Answer::status(202));
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [Answer::body("blue")]);
        let tracing = json!({
            "zipkinConfig": {"collectorUpstreamRef": reference("collector"), "collectorEndpoint": "/spans"},
            "requestHeadersForTags": ["x-tenant", "authorization", "x-amz-security-token"],
            "literalsForTags": [{"tag": "stage", "value": "test"}],
            "metadataForTags": [{"tag": "function", "value": {"namespace": "tenon", "key": "function"}}],
            "environmentVariablesForTags": [{"tag": "unset", "name": "NONE_SUCH", "defaultValue": "nothing"}],
        });
        let http = json!({"httpConnectionManagerSettings": {"tracing": tracing}});
        let untraced = json!({"tracing": {"tracePercentages": {"overallSamplePercentage": 0}}});
        let setting = Resources::new()?
            .put("gateway", &gateway(json!({"accessLoggingService": {"accessLog": [
                {"fileSink": {"path": "/dev/null"}},
            ]}}), http))?
            .put("collector", &service("collector", collector.address()))?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("lambda", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[
                to_function("/blue", "lambda", "blue"),
                to_service("/", untraced),
            ]))?
            .put("web", &service("web", collector.address()))?
            .start(filter)
            .await?;
        assert_eq!(setting.status("Gateway", "gateway").await?, ("Accepted".into(), "[]".into()));
        let mut client = Client::http1(setting.address).await?;
        // Envoy tells five at a time.
        for number in 0..5 {
            let tenant = format!("tenant-{number}");
            let request = headed(post("/blue", "{}"), &[("x-tenant", &tenant)])?;
            assert_eq!(client.send(request).await?.text(), "blue");
            assert_eq!(client.send(get("/untraced")).await?.status, 202);
        }
        let collector = &collector;
        let spans = deadline::until("the spans", || async move {
            let mut spans: Vec<Value> = Vec::new();
            for report in collector.requests().iter().filter(|it| it.path == "/spans") {
                let report: Value = serde_json::from_slice(&report.body)?;
                spans.extend(report.as_array().into_iter().flatten().cloned());
            }
            Ok((spans.len() >= 5).then_some(spans))
        })
        .await?;
        assert_eq!(spans.len(), 5, "{spans:?}");
        for (number, span) in spans.iter().enumerate() {
            let tags = &span["tags"];
            assert_eq!(tags["x-tenant"], format!("tenant-{number}"), "{span}");
            assert_eq!(tags["stage"], "test");
            assert_eq!(tags["unset"], "nothing");
            assert_eq!(tags["function"], "blue");
            assert_eq!(tags["http.status_code"], "200");
            assert!(!span.to_string().contains("AWS4-HMAC"), "{span}");
            assert!(tags["http.url"].as_str().is_some_and(|url| url.ends_with("/blue")), "{span}");
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_comes_later_is_told_from_then_on() -> Result<()> {
    let collector = PlainDouble::start().await?;
    let tracing = json!({"openTelemetryConfig": {
        "collectorUpstreamRef": reference("collector"), "serviceName": "the-shop",
    }});
    let http = json!({"httpConnectionManagerSettings": {"tracing": tracing}});
    let setting = Resources::new()?
        .put("gateway", &gateway(json!({}), http))?
        .put(
            "routes",
            &virtual_service("routes", "*", &[to_service("/", json!({}))]),
        )?
        .put("web", &service("web", collector.address()))?
        .start(Filter::So)
        .await?;
    let (state, why) = setting.status("Gateway", "gateway").await?;
    assert_eq!(state, "Warning");
    assert!(
        why.contains("upstream default/collector does not exist: nothing is traced"),
        "{why}"
    );
    let mut client = Client::http1(setting.address).await?;
    assert_eq!(client.send(get("/")).await?.status, 200);
    let mut late = service("collector", collector.address());
    late["spec"]["useHttp2"] = json!(true);
    setting.put("collector", &late)?;
    let (setting, collector) = (&setting, &collector);
    // What Envoy tells is protobuf, in which texts are as they are.
    let told = deadline::until("a span", || async move {
        // Connections of before end with their listener.
        let mut client = Client::http1(setting.address).await?;
        client.send(get("/")).await?;
        let all = collector.requests();
        Ok(all
            .into_iter()
            .find(|it| it.path.ends_with("TraceService/Export")))
    })
    .await?;
    let body = String::from_utf8_lossy(&told.body);
    assert!(body.contains("the-shop"), "{body}");
    assert_eq!(setting.status("Gateway", "gateway").await?.0, "Accepted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_listener_says_holds_for_all_its_routes() -> Result<()> {
    let web = PlainDouble::start().await?;
    let folder = TempDir::with_prefix("tenon-tap-")?;
    let taps = folder.path().join("request");
    let http = json!({
        "csrf": {"filterEnabled": {"defaultValue": {"numerator": 100}}},
        "headerValidationSettings": {"disableHttp1MethodValidation": {}},
        "sanitizeClusterHeader": true,
        "leftmostXffAddress": true,
        "statefulSession": {"cookieBased": {"cookie": {"name": "session", "path": "/", "ttl": "60s"}}},
        "tap": {"sinks": [{"filePerTap": {"pathPrefix": taps.to_string_lossy()}}]},
        "httpConnectionManagerSettings": {
            "earlyHeaderManipulation": {
                "headersToAdd": [{"header": {"key": "x-edge", "value": "one"}, "append": false}],
                "headersToRemove": ["x-internal"],
            },
            "localReplyConfig": {
                "mappers": [{
                    "filter": {"statusCodeFilter": {"comparison": {"value": {
                        "defaultValue": 404, "runtimeKey": "not_found",
                    }}}},
                    "statusCode": 410,
                    "body": {"inlineString": "nothing here"},
                    "headersToAdd": [{"header": {"key": "x-local", "value": "yes"}}],
                }],
                "bodyFormat": {"jsonFormat": {"message": "%LOCAL_REPLY_BODY%"}},
            },
        },
    });
    let by_header = json!({
        "matchers": [{"prefix": "/by-header"}],
        "routeAction": {"clusterHeader": "x-cluster"},
    });
    let told = json!({"headerManipulation": {"requestHeadersToAdd": [
        {"header": {"key": "x-client", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}},
    ]}});
    let setting = Resources::new()?
        .put("gateway", &gateway(json!({}), http))?
        .put("web", &service("web", web.address()))?
        .put(
            "routes",
            &virtual_service("routes", "*", &[by_header, to_service("/web", told)]),
        )?
        .start(Filter::So)
        .await?;
    let status = setting.status("Gateway", "gateway").await?;
    assert_eq!(status, ("Accepted".into(), "[]".into()));
    for mut client in setting.clients().await? {
        let sent = [
            ("x-internal", "forged"),
            ("x-edge", "forged"),
            ("x-forwarded-for", "192.0.2.7, 198.51.100.1"),
        ];
        let answer = client.send(headed(get("/web"), &sent)?).await?;
        assert_eq!(answer.status, 200);
        assert!(
            answer.header("set-cookie").starts_with("session="),
            "{answer:?}"
        );
        let came = web.requests();
        let came = came.last().context("nothing came")?;
        assert_eq!(
            (came.header("x-internal"), came.header("x-edge")),
            ("", "one")
        );
        assert_eq!(came.header("x-client"), "192.0.2.7");

        let answer = client.send(get("/nowhere")).await?;
        assert_eq!((answer.status, answer.header("x-local")), (410, "yes"));
        assert_eq!(answer.json()?, json!({"message": "nothing here"}));

        let cluster = headed(get("/by-header"), &[("x-cluster", "web_default")])?;
        assert_eq!(
            client.send(cluster).await?.status,
            503,
            "it is not the client's choice"
        );

        let empty = request(Method::POST, "/web", get("/").into_body());
        let evil = headed(empty, &[("origin", "https://evil.example")])?;
        assert_eq!(client.send(evil).await?.status, 403);

        let brew = request(Method::from_bytes(b"BREW")?, "/web", get("/").into_body());
        assert_eq!(client.send(brew).await?.status, 200);
    }
    // A copy is written when its request has ended, which may be later than its client knows of.
    deadline::until("copies of requests", || async {
        let files = fs::read_dir(folder.path())?.count();
        Ok((files >= 2).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hybrid_gateway_says_how_those_that_it_delegates_to_speak_http() -> Result<()> {
    let web = PlainDouble::start().await?;
    let gateway = |prevents: bool| {
        object(
            "Gateway",
            "gateway",
            json!({
                "bindAddress": "127.0.0.1",
                "bindPort": 0,
                "hybridGateway": {"delegatedHttpGateways": {
                    "ref": reference("own"),
                    "preventChildOverrides": prevents,
                    "httpConnectionManagerSettings": {"serverName": "the-gateway", "via": "the-gateway"},
                }},
            }),
        )
    };
    let own = json!({"httpGateway": {"options": {
        "httpConnectionManagerSettings": {"serverName": "its-own"},
    }}});
    let setting = Resources::new()?
        .put("gateway", &gateway(false))?
        .put("own", &object("MatchableHttpGateway", "own", own))?
        .put("web", &service("web", web.address()))?
        .put(
            "routes",
            &virtual_service("routes", "*", &[to_service("/", json!({}))]),
        )?
        .start(Filter::So)
        .await?;
    let answer = setting.ask("/").await?;
    assert_eq!(
        (answer.header("server"), answer.header("via")),
        ("its-own", "the-gateway")
    );
    setting.put("gateway", &gateway(true))?;
    setting
        .sees("/", |answer| answer.header("server") == "the-gateway")
        .await
}
