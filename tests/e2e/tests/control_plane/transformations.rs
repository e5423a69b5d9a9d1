//! Transformations of virtual hosts, routes and destinations, on the requests that flow.

use anyhow::Result;
use http::{HeaderName, HeaderValue, Request};
use serde_json::{Value, json};
use tenon_e2e::deadline::within;
use tenon_e2e::{
    Answer, Client, Filter, LambdaDouble, PlainDouble, RequestBody, Response, deadline, gateway,
    get, on_both_hosts, post,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::setting::{Resources, Setting, secret, service, to_function, upstream, virtual_service};

const ACCEPTED: &str = "Accepted";

fn template(fields: Value) -> Value {
    json!({"transformationTemplate": fields})
}

/// A route to an ordinary service.
fn to_service(prefix: &str, options: Value) -> Value {
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}},
        "options": options,
    })
}

/// A share of the requests for a service.
fn share(upstream: &str, weight: u32, options: Value) -> Value {
    json!({
        "destination": {"upstream": {"name": upstream, "namespace": "default"}},
        "weight": weight,
        "options": options,
    })
}

fn to_shares(prefix: &str, shares: &[Value], options: Value) -> Value {
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"multi": {"destinations": shares}},
        "options": options,
    })
}

/// Sets a header of the request in a stage.
fn sets(stage: &str, name: &str, text: &str) -> Value {
    json!({stage: {"requestTransforms": [{
        "requestTransformation": template(json!({"headers": {name: {"text": text}}, "passthrough": {}})),
    }]}})
}

fn with(mut object: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}

fn staged(stages: Value) -> Value {
    json!({"stagedTransformations": stages})
}

fn headed(
    mut request: Request<RequestBody>,
    headers: &[(&str, &str)],
) -> Result<Request<RequestBody>> {
    for (name, value) in headers {
        let (name, value) = (HeaderName::try_from(*name)?, HeaderValue::from_str(value)?);
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

async fn web() -> Result<PlainDouble> {
    PlainDouble::start().await
}

/// What the service was asked last.
fn asked(web: &PlainDouble) -> Result<(String, Value, String)> {
    let last = web.requests().pop();
    let last = last.ok_or_else(|| anyhow::anyhow!("nobody asked"))?;
    let mut headers = json!({});
    for (name, value) in &last.headers {
        headers[name.as_str()] = json!(String::from_utf8_lossy(value.as_bytes()));
    }
    Ok((
        last.path,
        headers,
        String::from_utf8_lossy(&last.body).into_owned(),
    ))
}

fn error_of(answer: &Response) -> Result<(u16, String, Value)> {
    let code = answer.json()?["error"]["code"].clone();
    Ok((
        answer.status,
        answer.header("x-tenon-error").to_owned(),
        code,
    ))
}

on_both_hosts! {
    async fn a_route_s_rules_change_requests_and_responses(filter: Filter) -> Result<()> {
        let web = web().await?;
        let rules = json!({"regular": {
            "requestTransforms": [
                {
                    "matcher": {
                        "prefix": "/orders",
                        "methods": ["POST"],
                        "headers": [{"name": "x-kind", "value": "big.*", "regex": true}],
                        "queryParameters": [{"name": "v", "value": "2"}],
                    },
                    "requestTransformation": template(json!({
                        "extractors": {
                            "id": {"header": ":path", "regex": "/orders/([0-9]+)[?].*", "subgroup": 1},
                            "whole": {"body": {}, "regex": "[\\s\\S]*\"name\":\"(\\w+)\"[\\s\\S]*", "subgroup": 1},
                        },
                        "headers": {
                            ":path": {"text": "/v2/{{ id }}"},
                            "x-whole": {"text": "{{ whole }}"},
                            "x-gone": {"text": ""},
                        },
                        "headersToAppend": [{"key": "x-more", "value": {"text": "{{ default(none, \"2\") }}"}}],
                        "headersToRemove": ["x-secret"],
                        "body": {"text": "{\"id\": {{ id }}, \"name\": \"{{ upper(name) }}\"}"},
                        "dynamicMetadataValues": [{"key": "order", "value": {"text": "{{ id }}"}}],
                    })),
                    "responseTransformation": template(json!({
                        "headers": {"x-kind": {"text": "{{ request_header(\"x-kind\") }}"}},
                        "body": {"text": "order {{ id }} of {{ name }}"},
                    })),
                },
                {
                    "matcher": {"regex": "/orders/.*"},
                    "requestTransformation": template(json!({"headers": {"x-second": {"text": "yes"}}, "passthrough": {}})),
                },
            ],
            "responseTransforms": [{
                "matchers": [{"name": ":status", "value": "503"}],
                "responseTransformation": template(json!({
                    "headers": {":status": {"text": "200"}},
                    "body": {"text": "busy: {{ body() }}"},
                    "parseBodyBehavior": "DontParse",
                })),
            }],
        }});
        let setting = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("routes", &virtual_service("routes", "*", &[to_service("/", staged(rules))]))?
            .start(filter)
            .await?;
        assert_eq!(setting.status("VirtualService", "routes").await?, (ACCEPTED.into(), "[]".into()));
        for mut client in setting.clients().await? {
            web.answer(Answer::echo());
            let order = headed(post("/orders/7?v=2", r#"{"name":"ada"}"#), &[
                ("x-kind", "bigger"),
                ("x-secret", "s"),
                ("x-gone", "g"),
                ("x-more", "1"),
            ])?;
            let answer = client.send(order).await?;
            assert_eq!((answer.status, &*answer.text()), (200, "order 7 of ADA"));
            assert_eq!(answer.header("x-kind"), "bigger");
            let (path, headers, body) = asked(&web)?;
            assert_eq!((&*path, &*body), ("/v2/7", r#"{"id": 7, "name": "ADA"}"#));
            assert_eq!((&headers["x-whole"], &headers["x-second"]), (&json!("ada"), &Value::Null));
            assert_eq!((&headers["x-secret"], &headers["x-gone"]), (&Value::Null, &Value::Null));
            let more: Vec<_> = web.requests().last().into_iter().flat_map(|it| it.headers.get_all("x-more").iter().cloned().collect::<Vec<_>>()).collect();
            assert!(more.iter().any(|it| it == "2") && more.len() == 2 || more == ["1,2"], "{more:?}");

            // Each condition counts: another method, another value, no parameter.
            for other in [get("/orders/7?v=2"), post("/orders/7?v=3", "{}"), post("/orders/7", "{}")] {
                let answer = client.send(headed(other, &[("x-kind", "bigger")])?).await?;
                assert_eq!((answer.status, answer.header("x-kind")), (200, ""));
                let (path, headers, _) = asked(&web)?;
                assert!(path.starts_with("/orders/7"), "{path}");
                assert_eq!(headers["x-second"], "yes");
            }
            client.send(get("/elsewhere")).await?;
            assert_eq!(asked(&web)?.1["x-second"], Value::Null);

            web.answer(Answer::body("come back").with_status(503));
            let answer = client.send(get("/elsewhere")).await?;
            assert_eq!((answer.status, &*answer.text()), (200, "busy: come back"));
        }
        let log = gateway::access_log(&setting.access_log(), 12).await?;
// proxy-wasm cannot write dynamic metadata: filter state takes its place.
        let told = |entry: &Value| match filter {
            Filter::So => entry["transformation"]["order"].clone(),
            Filter::Wasm => entry["transformation of the .wasm"].clone(),
        };
        assert_eq!((told(&log[0]), told(&log[1])), (json!("7"), Value::Null), "{:?}", &log[..2]);
        Ok(())
    }

    async fn stages_and_levels_are_gloo_s(filter: Filter) -> Result<()> {
        let (web, other) = (web().await?, web().await?);
        let seen = "{{ header(\"x-seen\") }}";
        let own = |name: &str| {
            let stage = |stage: &str| sets(stage, "x-seen", &format!("{seen} {stage}-{name}"));
            with(with(stage("early"), stage("regular")), stage("postRouting"))
        };
        let routes = [
            to_service("/own", staged(sets("regular", "x-seen", &format!("{seen} regular-route")))),
            to_service("/inheriting", staged(with(
                sets("regular", "x-seen", &format!("{seen} regular-route")),
                json!({"inheritTransformation": true}),
            ))),
            to_service("/old", json!({"transformations": {
                "requestTransformation": template(json!({"headers": {"x-seen": {"text": "old"}}, "passthrough": {}})),
                "responseTransformation": template(json!({"headers": {"x-old": {"text": "yes"}}, "passthrough": {}})),
            }})),
            to_shares("/shares", &[
                share("web", 1, staged(own("web"))),
                share("other", 0, staged(own("other"))),
            ], staged(own("route"))),
            to_shares("/other-share", &[
                share("web", 0, staged(own("web"))),
                share("other", 1, Value::Null),
            ], staged(own("route"))),
            to_shares("/same", &[
                share("web", 0, staged(own("first"))),
                share("web", 1, staged(own("second"))),
                share("web", 0, Value::Null),
            ], staged(own("route"))),
            to_shares("/silent-share", &[
                share("web", 0, staged(own("first"))),
                share("web", 1, Value::Null),
            ], staged(own("route"))),
            to_service("/", Value::Null),
        ];
        let mut host = virtual_service("routes", "*", &routes);
        host["spec"]["virtualHost"]["options"] = staged(own("host"));
        let setting = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("other", &service("other", other.address()))?
            .put("routes", &host)?
            .start(filter)
            .await?;
        assert_eq!(setting.status("VirtualService", "routes").await?, (ACCEPTED.into(), "[]".into()));
        for mut client in setting.clients().await? {
            for (path, double, seen) in [
                ("/", &web, " early-host regular-host postRouting-host"),
                ("/own", &web, " regular-route"),
                ("/inheriting", &web, " early-host regular-route postRouting-host"),
                ("/shares", &web, " early-web regular-web postRouting-web"),
                ("/other-share", &other, " early-route regular-route postRouting-route"),
                ("/same", &web, " early-second regular-second postRouting-second"),
                ("/silent-share", &web, " early-route regular-route postRouting-route"),
                ("/old", &web, "old"),
            ] {
                let answer = client.send(get(path)).await?;
                assert_eq!((answer.status, answer.header("x-old")), (200, if path == "/old" { "yes" } else { "" }));
                assert_eq!(asked(double)?.1["x-seen"].as_str().map(str::trim), Some(seen.trim()), "{path}");
            }
        }
        Ok(())
    }

    /// Filters are made for the first route, and off where no route switches them on.
    async fn a_route_that_is_chosen_again_has_all_that_it_needs(filter: Filter) -> Result<()> {
        let web = web().await?;
        let lambda = LambdaDouble::start().await?;
        let own = |name: &str| {
            let stage = |stage: &str| sets(stage, "x-seen", &format!("{{{{ header(\"x-seen\") }}}} {stage}-{name}"));
            with(with(stage("early"), stage("regular")), stage("postRouting"))
        };
        let again = json!({"early": {"requestTransforms": [{
            "clearRouteCache": true,
            "requestTransformation": template(json!({
                "headers": {"x-to": {"text": "{{ header(\"x-ask\") }}"}},
                "passthrough": {},
            })),
        }]}});
        let to = |to: &str| json!({"matchers": [{"prefix": "/", "headers": [{"name": "x-to", "value": to}]}]});
        let shares = to_shares("/", &[
            share("web", 0, staged(own("first"))),
            share("web", 1, staged(own("second"))),
        ], Value::Null);
        let routes = [
            with(shares, to("shares")),
            with(to_function("/", "lambda", "blue"), to("function")),
            with(to_service("/", Value::Null), to("plain")),
            to_service("/", staged(again)),
        ];
        let setting = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &routes))?
            .start(filter)
            .await?;
        assert_eq!(setting.status("VirtualService", "routes").await?, (ACCEPTED.into(), "[]".into()));
        for mut client in setting.clients().await? {
            for (to, seen) in [("shares", Some("regular-second postRouting-second")), ("plain", None)] {
                client.send(headed(get("/"), &[("x-ask", to)])?).await?;
                let (_, headers, _) = asked(&web)?;
                assert_eq!((headers["x-to"].as_str(), headers["x-seen"].as_str().map(str::trim)), (Some(to), seen));
            }
            lambda.answer("blue", [Answer::json("{}")]);
            let answer = client.send(headed(post("/", "{}"), &[("x-ask", "function")])?).await?;
            assert_eq!(answer.status, 200);
        }
        assert_eq!(lambda.calls("blue").len(), 2);
        let log = gateway::access_log(&setting.access_log(), 6).await?;
        for entry in log.iter().filter(|entry| entry[":method"] == "POST") {
            assert_eq!((&entry["tenon"]["function"], &entry["authorization"]), (&json!("blue"), &Value::Null), "{entry}");
        }
        Ok(())
    }

    async fn a_refusal_says_so_and_an_upstream_cannot(filter: Filter) -> Result<()> {
        let web = web().await?;
        let lambda = LambdaDouble::start().await?;
        let parsing = || staged(json!({"regular": {"requestTransforms": [{
            "requestTransformation": template(json!({"body": {"text": "{{ name }}"}})),
        }]}}));
        let answering = staged(json!({"regular": {"responseTransforms": [{
            "responseTransformation": template(json!({"body": {"text": "{{ name }}"}})),
        }]}}));
        let mut function = to_function("/function", "lambda", "blue");
        function["options"] = parsing();
        let routes = [
            to_service("/request", parsing()),
            to_service("/response", answering),
            to_shares("/shares", &[share("web", 1, Value::Null)], parsing()),
            to_shares("/own", &[share("web", 1, parsing())], Value::Null),
            function,
            to_service("/", Value::Null),
        ];
        let setting = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &routes))?
            .start(filter)
            .await?;
        let refused = (400, "bad_request".to_owned(), json!("bad_request"));
        for http2 in [false, true] {
            // Envoy closes a connection of HTTP/1.1 after an answer of 400 that is its own.
            let client = || async move {
                match http2 {
                    true => Client::http2(setting.address).await,
                    false => Client::http1(setting.address).await,
                }
            };
            web.answer(Answer::body("no JSON").header("x-tenon-error", "forged"));
            for path in ["/request", "/shares", "/own", "/function", "/response"] {
                let answer = client().await?.send(post(path, "no JSON either")).await?;
                assert_eq!(error_of(&answer)?, refused, "{path}");
            }
            let grpc = headed(post("/request", "no JSON"), &[("content-type", "application/grpc")])?;
            let answer = client().await?.send(grpc).await?;
            assert_eq!((answer.status, answer.header("grpc-status"), answer.header("x-tenon-error")), (200, "3", "bad_request"));
            let large = client().await?.send(post("/request", vec![b' '; 1 << 21])).await?;
            assert_eq!((large.status, large.header("x-tenon-error")), (413, "request_too_large"));
            // What the upstream says of itself, on the same and on other routes, is not ours.
            web.answer(Answer::json(r#"{"name":"ada"}"#).header("x-tenon-error", "forged"));
            let mut client = client().await?;
            for path in ["/request", "/shares", "/own", "/response", "/"] {
                let answer = client.send(post(path, r#"{"name":"ada"}"#)).await?;
                assert_eq!((answer.status, answer.header("x-tenon-error")), (200, ""), "{path}");
            }
        }
        assert!(lambda.calls("blue").is_empty());
        let log = gateway::access_log(&setting.access_log(), 5).await?;
        assert_eq!((&log[0]["code"], &log[0]["details"]), (&json!(400), &json!("tenon_bad_request")), "{log:?}");
        Ok(())
    }

    async fn a_bad_template_is_told_with_its_field_and_changes_nothing(filter: Filter) -> Result<()> {
        let web = web().await?;
        let to = |text: &str| {
            let rules = sets("regular", "x-of", text);
            virtual_service("routes", "*", &[to_service("/", staged(rules))])
        };
        let setting = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("routes", &to("first"))?
            .start(filter)
            .await?;
        ask(&setting).await?;
        assert_eq!(asked(&web)?.1["x-of"], "first");
        setting.put("routes", &to("{{ upper(name }}"))?;
        let setting = &setting;
        let messages = deadline::until("the rejection", || async move {
            let (state, messages) = setting.status("VirtualService", "routes").await?;
            Ok((state == "Rejected").then_some(messages))
        })
        .await?;
        let field = "spec.virtualHost.routes[0].options.stagedTransformations.regular.requestTransforms[0]\
            .requestTransformation.transformationTemplate.headers.x-of";
        assert!(messages.contains(field) && messages.contains("line 1, column 15"), "{messages}");
        ask(setting).await?;
        assert_eq!(asked(&web)?.1["x-of"], "first");
        setting.put("routes", &to("{{ upper(\"second\") }}"))?;
        let web = &web;
        deadline::until("the mended template", || async move {
            ask(setting).await?;
            Ok((asked(web)?.1["x-of"] == "SECOND").then_some(()))
        })
        .await?;
        assert_eq!(setting.status("VirtualService", "routes").await?.0, ACCEPTED);
        Ok(())
    }

    /// Nothing of a stream of another protocol is held, whatever looks at bodies; its headers are transformed.
    async fn a_websocket_passes_with_its_headers_transformed(filter: Filter) -> Result<()> {
        let upstream = TcpListener::bind("127.0.0.1:0").await?;
        let rules = json!({"regular": {"requestTransforms": [{
            "requestTransformation": template(json!({"headers": {"x-of": {"text": "{{ header(\":path\") }}"}}, "body": {"text": "never"}})),
            "responseTransformation": template(json!({"headers": {"x-back": {"text": "yes"}}, "body": {"text": "never"}})),
        }]}});
        let setting = Resources::new()?
            .put("web", &service("web", upstream.local_addr()?))?
            .put("routes", &virtual_service("routes", "*", &[to_service("/", staged(rules))]))?
            .start(filter)
            .await?;
        let mut client = TcpStream::connect(setting.address).await?;
        let asked = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        client.write_all(asked.as_bytes()).await?;
        let (mut service, _) = within("the service to be asked", upstream.accept()).await??;
        let head = head(&mut service).await?;
        assert!(head.contains("\r\nx-of: /chat\r\n"), "{head}");
        let switched = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        service.write_all(switched.as_bytes()).await?;
        let head = self::head(&mut client).await?;
        assert!(head.starts_with("HTTP/1.1 101") && head.contains("\r\nx-back: yes\r\n"), "{head}");
        for word in ["ping", "pong"] {
            client.write_all(word.as_bytes()).await?;
            let mut heard = [0; 4];
            within("what the client says", service.read_exact(&mut heard)).await??;
            assert_eq!(&heard, word.as_bytes());
            service.write_all(b"echo").await?;
            within("what the service says", client.read_exact(&mut heard)).await??;
            assert_eq!(&heard, b"echo");
        }
        Ok(())
    }

    async fn what_is_logged_shows_messages_before_and_after(filter: Filter) -> Result<()> {
        let web = web().await?;
        let rules = |log: bool| staged(json!({"logRequestResponseInfo": log, "regular": {"requestTransforms": [{
            "requestTransformation": template(json!({"body": {"text": "{{ name }}"}, "headers": {"x-new": {"text": "new"}}})),
        }]}}));
        let setting = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("routes", &virtual_service("routes", "*", &[
                to_service("/logged", rules(true)),
                to_service("/", rules(false)),
            ]))?
            .start(filter)
            .await?;
        let lines = |which: &str| {
            let log = setting.envoy.log();
            let lines = log.lines().filter(|line| line.contains(which)).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        setting.ask("/silent").await?;
        assert_eq!(lines("before transformation").len(), 0);
        let mut client = Client::http1(setting.address).await?;
        client.send(post("/logged", r#"{"name":"ada"}"#)).await?;
        let (before, after) = (lines("request before transformation"), lines("request after transformation"));
        assert_eq!((before.len(), after.len()), (1, 1));
        assert!(before[0].contains(r#"{\"name\":\"ada\"}"#) && !before[0].contains("x-new"), "{before:?}");
        assert!(after[0].contains(r#"x-new: "new""#) && after[0].contains(r#"body "ada""#), "{after:?}");
        Ok(())
    }
}

/// The head of a message, to its empty line.
async fn head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the head of a message", stream.read_u8()).await??);
    }
    Ok(String::from_utf8(head)?)
}

async fn ask(setting: &Setting) -> Result<Response> {
    let answer = Client::http1(setting.address).await?.send(get("/")).await?;
    anyhow::ensure!(answer.status == 200, "{}", answer.text());
    Ok(answer)
}
