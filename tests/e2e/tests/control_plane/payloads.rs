//! Every shape of event and answer, and every way to run a function, through `tenon up` with a Lambda service that is not
//! ours and functions that do what their authors do behind API Gateway and load balancers.

use std::path::Path;

use anyhow::Result;
use http::HeaderValue;
use serde_json::{Value, json};
use tenon_e2e::{Client, Filter, Ministack, Tenon, deadline, get, on_both_hosts, post};

use super::setting::{object, secret, virtual_service};

/// Answers in the shape that it was asked in.
const SHAPES: &str = r#"
import base64, json

def handler(event, context):
    if event.get('version') == '2.0':
        http = event['requestContext']['http']
        seen = {'path': event['rawPath'], 'query': event['rawQueryString'], 'method': http['method'],
                'cookies': event.get('cookies'), 'body': event.get('body'), 'base64': event['isBase64Encoded'],
                'agent': http['userAgent'], 'route': event['routeKey']}
        if seen['path'].endswith('/bare'):
            return {'bare': True}
        return {'statusCode': 201, 'headers': {'X-Shape': 'v2', 'content-type': 'application/json'},
                'cookies': ['a=1; Path=/', 'b=2'], 'body': json.dumps(seen)}
    if event.get('version') == '1.0':
        seen = {'path': event['path'], 'method': event['httpMethod'],
                'query': event['multiValueQueryStringParameters'], 'source': event['requestContext']['identity']['sourceIp']}
        body = base64.b64encode(b'\x00\xff' + json.dumps(seen).encode()).decode()
        return {'statusCode': 202, 'headers': {'x-shape': 'v1'}, 'multiValueHeaders': {'set-cookie': ['a=1', 'b=2']},
                'body': body, 'isBase64Encoded': True}
    if 'elb' in event['requestContext']:
        many = 'multiValueHeaders' in event
        seen = {'path': event['path'], 'method': event['httpMethod'], 'body': event['body'],
                'query': event['multiValueQueryStringParameters' if many else 'queryStringParameters']}
        answer = {'statusCode': 203, 'statusDescription': '203 Non-Authoritative Information',
                  'isBase64Encoded': False, 'body': json.dumps(seen)}
        if many:
            answer['multiValueHeaders'] = {'X-Shape': ['alb-many'], 'set-cookie': ['a=1', 'b=2']}
        else:
            answer['headers'] = {'X-Shape': 'alb'}
        return answer
    return {'statusCode': 'not a number'}
"#;

/// Leaves a file, where it is run.
const LEAVES: &str = r#"
import pathlib

def handler(event, context):
    pathlib.Path(event['file']).write_text('run')
    return {'left': event['file']}
"#;

fn route(prefix: &str, function: &str, more: Value) -> Value {
    let mut aws = json!({"logicalName": function});
    for (name, value) in more.as_object().into_iter().flatten() {
        aws[name] = value.clone();
    }
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": {
            "upstream": {"name": "lambda", "namespace": "default"},
            "destinationSpec": {"aws": aws},
        }},
        // A first call starts an interpreter.
        "options": {"timeout": "60s"},
    })
}

async fn up(
    folder: &Path,
    filter: Filter,
    lambda: &Ministack,
    functions: [&str; 2],
    routes: &[Value],
) -> Result<Tenon> {
    let functions = functions.map(|name| {
        let logical = name.split('-').next();
        json!({"logicalName": logical, "lambdaFunctionName": name})
    });
    let upstream = json!({"aws": {
        "region": "us-east-1",
        "endpointUrl": format!("http://{}", lambda.address()),
        "secretRef": {"name": "lambda", "namespace": "default"},
        "lambdaFunctions": functions,
    }});
    for (file, resource) in [
        (
            "gateway",
            object(
                "Gateway",
                "gateway",
                json!({"bindAddress": "127.0.0.1", "bindPort": 0, "httpGateway": {}}),
            ),
        ),
        ("secret", secret("lambda", lambda.key())),
        ("upstream", object("Upstream", "lambda", upstream)),
        ("routes", virtual_service("routes", "*", routes)),
    ] {
        std::fs::write(folder.join(format!("{file}.yaml")), resource.to_string())?;
    }
    Tenon::up(folder, filter).await
}

on_both_hosts! {
    async fn functions_see_and_answer_what_they_know_from_aws(filter: Filter) -> Result<()> {
        let lambda = Ministack::shared().await?;
        let names = [format!("shapes-{}", filter.name()), format!("leaves-of-shapes-{}", filter.name())];
        for (name, source) in names.iter().zip([SHAPES, LEAVES]) {
            lambda.create_function(name, source).await?;
        }
        let folder = tempfile::tempdir()?;
        let payload = |prefix, payload| route(prefix, "shapes", json!({"payload": payload}));
        let routes = [
            payload("/v2", "API_GATEWAY_V2"),
            payload("/v1", "API_GATEWAY_V1"),
            payload("/alb", "ALB"),
            payload("/many", "ALB_MULTI_VALUE"),
            route("/gloo", "shapes", json!({"wrapAsApiGateway": true, "unwrapAsApiGateway": true})),
        ];
        let tenon = up(folder.path(), filter, &lambda, [&names[0], &names[1]], &routes).await?;
        for mut client in [Client::http1(tenon.listener()?).await?, Client::http2(tenon.listener()?).await?] {
            let mut order = post("/v2/%C3%BC?a=1&a=2&b=%2F", "{\"x\": \"ü\"}");
            for (name, value) in [("content-type", "application/json"), ("cookie", "c=3; d=4"), ("user-agent", "test")] {
                order.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            let answer = client.send(order).await?;
            assert_eq!((answer.status, answer.header("x-shape")), (201, "v2"), "{}", answer.text());
            let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
            assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
            assert_eq!(answer.json()?, json!({
                "path": "/v2/%C3%BC", "query": "a=1&a=2&b=%2F", "method": "POST", "cookies": ["c=3", "d=4"],
                "body": "{\"x\": \"ü\"}", "base64": false, "agent": "test", "route": "$default",
            }));
            let bare = client.send(get("/v2/bare")).await?;
            assert_eq!((bare.status, bare.header("content-type"), bare.json()?), (200, "application/json", json!({"bare": true})));
            let bytes = client.send(post("/v2", vec![0xff, 0x00])).await?.json()?;
            assert_eq!((&bytes["body"], &bytes["base64"]), (&json!("/wA="), &json!(true)));

            let answer = client.send(get("/v1/a%2Fb?a=1&a=%20")).await?;
            assert_eq!((answer.status, answer.header("x-shape")), (202, "v1"));
            assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
            let seen: Value = serde_json::from_slice(answer.body.strip_prefix(b"\x00\xff").unwrap_or_default())?;
            assert_eq!((&seen["method"], &seen["query"], &seen["source"]), (&json!("GET"), &json!({"a": ["1", " "]}), &json!("127.0.0.1")));

            let answer = client.send(post("/alb/x?a=%20&b=2", "text")).await?;
            assert_eq!((answer.status, answer.header("x-shape")), (203, "alb"));
            assert_eq!(answer.json()?["query"], json!({"a": "%20", "b": "2"}));

            let answer = client.send(get("/many?a=1&a=2")).await?;
            assert_eq!((answer.status, answer.header("x-shape")), (203, "alb-many"));
            assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
            assert_eq!(answer.json()?["query"], json!({"a": ["1", "2"]}));

            let answer = client.send(get("/gloo")).await?;
            assert_eq!((answer.status, answer.header("x-shape")), (202, "v1"));
        }
        Ok(())
    }

    async fn a_dry_run_runs_nothing_and_an_event_is_run_later(filter: Filter) -> Result<()> {
        let lambda = Ministack::shared().await?;
        let names = [format!("leaves-{}", filter.name()), format!("shapes-of-leaves-{}", filter.name())];
        for (name, source) in names.iter().zip([LEAVES, SHAPES]) {
            lambda.create_function(name, source).await?;
        }
        let folder = tempfile::tempdir()?;
        let resources = folder.path().join("resources");
        std::fs::create_dir(&resources)?;
        let style = |prefix, style| route(prefix, "leaves", json!({"invocationStyle": style}));
        let routes = [style("/dry", "DRY_RUN"), style("/later", "ASYNC"), style("/", "SYNC")];
        let tenon = up(&resources, filter, &lambda, [&names[0], &names[1]], &routes).await?;
        let (dry, later, now) = (folder.path().join("dry"), folder.path().join("later"), folder.path().join("now"));
        let event = |file: &Path| json!({"file": file}).to_string();
        for mut client in [Client::http1(tenon.listener()?).await?, Client::http2(tenon.listener()?).await?] {
            let answer = client.send(post("/dry", event(&dry))).await?;
            assert_eq!((answer.status, answer.body.len(), answer.header("x-tenon-error")), (204, 0, ""));
            let answer = client.send(post("/later", event(&later))).await?;
            assert_eq!((answer.status, answer.header("x-tenon-error")), (202, ""), "{}", answer.text());
            let left = &later;
            deadline::until("what the function leaves", || async move { Ok(left.exists().then_some(())) }).await?;
            std::fs::remove_file(&later)?;
            let answer = client.send(post("/", event(&now))).await?;
            assert_eq!((answer.status, answer.json()?), (200, json!({"left": now})));
            assert!(now.exists() && !dry.exists());
        }
        Ok(())
    }
}
