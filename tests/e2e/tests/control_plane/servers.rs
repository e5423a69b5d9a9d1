//! Servers of the user's own, asked in gRPC on the way of a request or told of it.

use anyhow::{Context, Result};
use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogServiceServer;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitServiceServer;
use serde_json::{Value, json};
use tenon_e2e::{
    Answer, Client, Filter, LambdaDouble, PlainDouble, deadline, get, on_both_hosts, post,
};

use super::options::{ADA, BOB, headed, settings, to_service};
use super::services::{BROKEN, Counter, Doorkeeper, Logs, Processor, Service, Told};
use super::setting::{Resources, object, secret, service, to_function, upstream, virtual_service};

/// An upstream that speaks gRPC.
fn grpc(name: &str, service: &Service) -> Value {
    let address = service.address;
    object(
        "Upstream",
        name,
        json!({"useHttp2": true, "static": {"hosts": [
            {"addr": address.ip().to_string(), "port": address.port()},
        ]}}),
    )
}

pub(super) fn reference(name: &str) -> Value {
    json!({"name": name, "namespace": "default"})
}

pub(super) fn gateway(options: Value, http: Value) -> Value {
    object(
        "Gateway",
        "gateway",
        json!({
            "bindAddress": "127.0.0.1",
            "bindPort": 0,
            "httpGateway": {"options": http},
            "options": options,
        }),
    )
}

on_both_hosts! {
    async fn access_logs_come_to_a_service_in_grpc_without_signatures(filter: Filter) -> Result<()> {
        let logs = Logs::default();
        let sink = AccessLogServiceServer::new(logs.clone());
        let sink = Service::start(sink).await?;
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [Answer::body("blue")]);
        let log = json!({"grpcService": {
            "logName": "requests",
            "staticClusterName": "logs_default",
            "additionalRequestHeadersToLog": ["x-tenant", "authorization", "x-amz-date"],
            "additionalResponseHeadersToLog": ["content-type"],
        }});
        let options = json!({"accessLoggingService": {"accessLog": [log]}});
        let setting = Resources::new()?
            .put("gateway", &gateway(options, json!({})))?
            .put("logs", &grpc("logs", &sink))?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("lambda", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[to_function("/", "lambda", "blue")]))?
            .start(filter)
            .await?;
        for (number, mut client) in setting.clients().await?.into_iter().enumerate() {
            let request = headed(post("/one?a=b", "{}"), &[("x-tenant", "acme")])?;
            let answer = client.send(request).await?;
            assert_eq!((answer.status, answer.text()), (200, "blue".into()));
            let entries = wait(&logs.entries, number + 1).await?;
            let (log, entry) = &entries[number];
            assert_eq!(log, "requests");
            let request = entry.request.clone().context("no request")?;
            assert_eq!(request.path, "/one?a=b");
            assert_eq!(request.request_headers.get("x-tenant").map(String::as_str), Some("acme"));
            for name in ["authorization", "x-amz-date"] {
                assert_eq!(request.request_headers.get(name), None, "{name}");
            }
            assert_eq!(function_of(entry)?, "blue");
        }
        Ok(())
    }
}

on_both_hosts! {
    async fn access_logs_come_to_a_collector_of_opentelemetry_s(filter: Filter) -> Result<()> {
        let (collector, lambda) = (PlainDouble::start().await?, LambdaDouble::start().await?);
        lambda.answer("blue", [Answer::body("blue")]);
        let text = |text: &str| json!({"stringValue": text});
        let log = json!({"openTelemetryService": {
            "logName": "requests",
            "collector": {
                "endpoint": collector.address().to_string(),
                "insecure": true,
                "headers": {"x-key": "of the collector"},
            },
            "body": text("%REQ(:PATH)% came to %DYNAMIC_METADATA(tenon:function)%"),
            "attributes": {"values": [
                {"key": "tenant", "value": text("%REQ(X-TENANT)%")},
                {"key": "signature", "value": text("signed: %REQ(AUTHORIZATION)%")},
            ]},
        }});
        let options = json!({"accessLoggingService": {"accessLog": [log]}});
        let setting = Resources::new()?
            .put("gateway", &gateway(options, json!({})))?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("lambda", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[to_function("/", "lambda", "blue")]))?
            .start(filter)
            .await?;
        let status = setting.status("Gateway", "gateway").await?;
        assert_eq!(status, ("Accepted".into(), "[]".into()));
        let mut client = Client::http1(setting.address).await?;
        let request = headed(post("/one", "{}"), &[("x-tenant", "acme")])?;
        assert_eq!(client.send(request).await?.text(), "blue");
        let told = collector.wait_for_requests(1).await?;
        assert!(told[0].path.ends_with("LogsService/Export"), "{}", told[0].path);
        assert_eq!(told[0].header("x-key"), "of the collector");
        // Protobuf has texts as they are.
        let record = String::from_utf8_lossy(&told[0].body);
        for text in ["/one came to blue", "acme", "signed: -"] {
            assert!(record.contains(text), "{text:?} is not in {record:?}");
        }
        Ok(())
    }
}

/// The function that was called, as filters leave it for access logs.
fn function_of(entry: &HttpAccessLogEntry) -> Result<String> {
    use envoy_types::pb::google::protobuf::value::Kind;
    let common = entry.common_properties.as_ref().context("nothing common")?;
    let metadata = common.metadata.as_ref().context("no metadata")?;
    let tenon = metadata.filter_metadata.get("tenon").context("no tenon")?;
    match tenon.fields.get("function").and_then(|it| it.kind.clone()) {
        Some(Kind::StringValue(name)) => Ok(name),
        other => anyhow::bail!("the function is {other:?}"),
    }
}

async fn wait<T: Clone>(told: &Told<T>, count: usize) -> Result<Vec<T>> {
    deadline::until("what a service is told", || async move {
        let all = told.all();
        Ok((all.len() >= count).then_some(all))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_the_user_s_says_in_grpc_who_may_pass() -> Result<()> {
    let web = PlainDouble::start().await?;
    let doorkeeper = Doorkeeper::default();
    let door = AuthorizationServer::new(doorkeeper.clone());
    let door = Service::start(door).await?;
    let asked = json!({"extauth": {"customAuth": {"contextExtensions": {"of": "the route"}}}});
    let routes = [
        to_service("/asked/not", json!({"extauth": {"disable": true}})),
        to_service("/asked", asked),
        to_service("/", json!({})),
    ];
    let server = json!({
        "extauthzServerRef": reference("door"),
        "requestTimeout": "60s",
        "grpcService": {"authority": "door.example"},
        "requestBody": {"maxRequestBytes": 100},
    });
    // Of the Settings, and of the listener.
    for of_listener in [false, true] {
        doorkeeper.asked.forget();
        let mut resources = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("door", &grpc("door", &door))?
            .put("routes", &virtual_service("routes", "*", &routes))?;
        resources = match of_listener {
            true => resources.put("gateway", &gateway(json!({}), json!({"extauth": server})))?,
            false => resources.put("settings", &settings(json!({"extauth": server})))?,
        };
        let setting = resources.start(Filter::So).await?;
        let status = setting.status("VirtualService", "routes").await?;
        assert_eq!(status, ("Accepted".into(), "[]".into()));
        let mut client = Client::http1(setting.address).await?;
        for path in ["/other", "/asked/not"] {
            assert_eq!(client.send(get(path)).await?.status, 200, "{path}");
        }
        let pass = headed(post("/asked", "body"), &[("x-pass", "yes")])?;
        web.forget();
        assert_eq!(client.send(pass).await?.status, 200);
        assert_eq!(web.requests()[0].header("x-who"), "ada");
        let answer = client.send(get("/asked")).await?;
        assert_eq!((answer.status, answer.text()), (401, "who are you?".into()));
        assert_eq!(answer.header("x-why"), "nobody knows you");
        assert_eq!(web.requests().len(), 1);
        let asked = doorkeeper.asked.all();
        assert_eq!(asked.len(), 2, "other routes ask nobody");
        let attributes = asked[0].attributes.clone().unwrap_or_default();
        assert_eq!(
            attributes.context_extensions.get("of").map(String::as_str),
            Some("the route")
        );
        let http = attributes
            .request
            .and_then(|it| it.http)
            .unwrap_or_default();
        assert_eq!((&*http.path, &*http.body), ("/asked", "body"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_service_is_asked_with_the_descriptors_of_routes() -> Result<()> {
    let web = PlainDouble::start().await?;
    let counter = Counter {
        often: 2,
        asked: Told::default(),
    };
    let limits = RateLimitServiceServer::new(counter.clone());
    let limits = Service::start(limits).await?;
    let header = json!({"requestHeaders": {"headerName": "x-user", "descriptorKey": "user"}});
    let generic = json!({"genericKey": {"descriptorValue": "uploads"}});
    let rate_limits = json!([{"actions": [generic, header]}]);
    let own = json!({"ratelimit": {"rateLimits": rate_limits}});
    let both = json!({"ratelimit": {"rateLimits": rate_limits, "includeVhRateLimits": true}});
    let mut host = virtual_service(
        "routes",
        "*",
        &[
            to_service("/own", own),
            to_service("/both", both),
            to_service("/", json!({})),
        ],
    );
    host["spec"]["virtualHost"]["options"] = json!({"ratelimit": {"rateLimits": [
        {"actions": [{"genericKey": {"descriptorValue": "host"}}]},
    ]}});
    let setting = Resources::new()?
        .put("web", &service("web", web.address()))?
        .put("limits", &grpc("limits", &limits))?
        .put(
            "settings",
            &settings(json!({"ratelimitServer": {
                "ratelimitServerRef": reference("limits"),
                "requestTimeout": "60s",
                "denyOnFail": true,
            }})),
        )?
        .put("routes", &host)?
        .start(Filter::So)
        .await?;
    let status = setting.status("VirtualService", "routes").await?;
    assert_eq!(status, ("Accepted".into(), "[]".into()));
    let mut client = Client::http1(setting.address).await?;
    for (user, expected) in [("ada", [200, 200, 429]), ("bob", [200, 200, 429])] {
        for status in expected {
            let answer = client
                .send(headed(get("/own"), &[("x-user", user)])?)
                .await?;
            assert_eq!(answer.status, status, "{user}");
        }
    }
    let asked = counter.asked.all();
    assert_eq!(descriptors(&asked[0]), ["generic_key=uploads,user=ada"]);
    assert_eq!(asked[0].domain, "custom");
    // Without the header there is no such descriptor, and nobody is asked.
    assert_eq!(client.send(get("/own")).await?.status, 200);
    assert_eq!(counter.asked.all().len(), asked.len());
    counter.asked.forget();
    client
        .send(headed(get("/both"), &[("x-user", "eve")])?)
        .await?;
    client.send(get("/")).await?;
    let asked: Vec<_> = counter.asked.all().iter().map(descriptors).collect();
    assert_eq!(
        asked,
        [
            vec!["generic_key=uploads,user=eve", "generic_key=host"],
            vec!["generic_key=host"]
        ]
    );
    let closed = headed(get("/own"), &[("x-user", BROKEN)])?;
    assert_eq!(client.send(closed).await?.status, 500, "denyOnFail");
    Ok(())
}

fn descriptors(of: &RateLimitRequest) -> Vec<String> {
    let each = of.descriptors.iter().map(|descriptor| {
        let entries = descriptor.entries.iter();
        let entries: Vec<_> = entries
            .map(|entry| format!("{}={}", entry.key, entry.value))
            .collect();
        entries.join(",")
    });
    each.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_sees_and_changes_requests_and_responses() -> Result<()> {
    let web = PlainDouble::start().await?;
    let processor = Processor::default();
    let server = ExternalProcessorServer::new(processor.clone());
    let server = Service::start(server).await?;
    let with_bodies = json!({"extProc": {"overrides": {"processingMode": {
        "requestHeaderMode": "SEND", "requestBodyMode": "BUFFERED", "responseHeaderMode": "SKIP",
    }}}});
    let routes = [
        to_service("/not", json!({"extProc": {"disabled": true}})),
        to_service("/bodies", with_bodies),
        to_service("/", json!({})),
    ];
    let setting = Resources::new()?
        .put("web", &service("web", web.address()))?
        .put("processor", &grpc("processor", &server))?
        .put(
            "settings",
            &settings(json!({"extProc": {
                "grpcService": {"extProcServerRef": reference("processor")},
                "messageTimeout": "60s",
            }})),
        )?
        .put("routes", &virtual_service("routes", "*", &routes))?
        .start(Filter::So)
        .await?;
    let status = setting.status("VirtualService", "routes").await?;
    assert_eq!(status, ("Accepted".into(), "[]".into()));
    for mut client in setting.clients().await? {
        for (path, request, response, body, seen) in [
            (
                "/",
                "yes",
                "yes",
                "body",
                &["request headers", "response headers"][..],
            ),
            (
                "/bodies",
                "yes",
                "",
                "BODY",
                &["request headers", "request body"],
            ),
            ("/not", "", "", "body", &[]),
        ] {
            processor.seen.forget();
            let answer = client.send(post(path, "body")).await?;
            assert_eq!((answer.status, answer.text()), (200, body.into()), "{path}");
            assert_eq!(answer.header("x-seen-again"), response, "{path}");
            let told = web.requests();
            let told = told.last().context("nothing came")?;
            assert_eq!(told.header("x-seen"), request, "{path}");
            assert_eq!(processor.seen.all(), seen, "{path}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_tokens_come_from_a_server() -> Result<()> {
    let (web, keys) = (PlainDouble::start().await?, PlainDouble::start().await?);
    let key = json!({"kty": "oct", "alg": "HS256", "k": "YSBrZXkgb2YgdGhlIHRlc3Rz"});
    keys.answer(Answer::json(json!({"keys": [key]}).to_string()));
    let mut host = virtual_service(
        "routes",
        "*",
        &[
            to_service("/free", json!({"jwt": {"disable": true}})),
            to_service(
                "/admin",
                json!({"rbac": {"policies": {"admins": {
                    "principals": [{"jwtPrincipal": {"claims": {"role": "admin"}}}],
                    "permissions": {"methods": ["GET"]},
                }}}}),
            ),
            to_service("/", json!({})),
        ],
    );
    host["spec"]["virtualHost"]["options"] = json!({"jwt": {"providers": {"p": {
        "issuer": "https://issuer.example",
        "jwks": {"remote": {
            "url": "http://keys.example/jwks.json", "upstreamRef": reference("keys"),
        }},
    }}}});
    let setting = Resources::new()?
        .put("web", &service("web", web.address()))?
        .put("keys", &service("keys", keys.address()))?
        .put("routes", &host)?
        .start(Filter::So)
        .await?;
    let status = setting.status("VirtualService", "routes").await?;
    assert_eq!(status, ("Accepted".into(), "[]".into()));
    for mut client in setting.clients().await? {
        for (path, of, status) in [
            ("/free", "", 200),
            ("/", "", 401),
            ("/", BOB, 200),
            ("/admin", BOB, 403),
            ("/admin", ADA, 200),
        ] {
            let bearer = format!("Bearer {of}");
            let headers = [("authorization", &*bearer)];
            let headers = if of.is_empty() {
                &headers[..0]
            } else {
                &headers
            };
            let answer = client.send(headed(get(path), headers)?).await?;
            assert_eq!(answer.status, status, "{path} {}", answer.text());
        }
        let bearer = format!("Bearer {ADA}");
        let written = headed(post("/admin", ""), &[("authorization", &*bearer)])?;
        assert_eq!(
            client.send(written).await?.status,
            403,
            "only GET is allowed"
        );
    }
    let asked = keys.requests();
    assert!(!asked.is_empty());
    assert_eq!(
        (&*asked[0].path, asked[0].header("host")),
        ("/jwks.json", "keys.example")
    );
    Ok(())
}
