//! The resources of `examples/gateway-api/`, served: only addresses and the access key are those of this run.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tenon_e2e::{
    Answer, Client, Filter, LambdaDouble, PlainDouble, RequestBody, Response, Tenon, TenonOptions,
    free_port, get, on_both_hosts, post,
};

/// A copy of the examples' resources, with other texts in the place of some.
fn resources(changes: &[(&str, &str, String)]) -> Result<TempDir> {
    let examples =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gateway-api/resources");
    let folder = TempDir::with_prefix("tenon-examples-")?;
    for entry in fs::read_dir(examples)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut text = fs::read_to_string(&path)?;
        for (_, old, new) in changes.iter().filter(|(file, ..)| *file == name) {
            ensure!(text.contains(old), "{name} has no {old:?}");
            text = text.replace(old, new);
        }
        fs::write(folder.path().join(&name), text)?;
    }
    Ok(folder)
}

async fn up(folder: &TempDir, filter: Filter, gateway: &str) -> Result<Tenon> {
    let mut options = TenonOptions::new(folder.path(), filter);
    options.arguments = vec![
        "--proxy".to_owned(),
        format!("gloo-system~gloo-system-{gateway}"),
    ];
    Tenon::up_with(options).await
}

async fn ask(
    client: &mut Client,
    host: &str,
    mut request: http::Request<RequestBody>,
) -> Result<Response> {
    request.headers_mut().insert("host", host.parse()?);
    client.send(request).await
}

on_both_hosts! {
    async fn the_examples_are_served_as_they_stand(filter: Filter) -> Result<()> {
        let (json, httpbin) = (PlainDouble::start().await?, PlainDouble::start().await?);
        json.answer(Answer::body("posts"));
        httpbin.answer(Answer::body("httpbin"));
        let lambda = LambdaDouble::start().await?;
        lambda.answer_with("echo", |_| Answer::echo());
        lambda.answer("hello", [Answer::json(r#"{"statusCode": 201, "body": "hello"}"#)]);
        let port = |port: u16| format!("port: {port}");
        let class = "gatewayClassName: gloo-gateway".to_owned();
        let here = format!("{class}\n  addresses: [{{type: IPAddress, value: 127.0.0.1}}]");
        let key = LambdaDouble::key();
        let folder = resources(&[
            ("static.yaml", &class, here.clone()),
            ("static.yaml", "port: 8080", port(free_port()?)),
            ("static.yaml", "addr: json.example.com, port: 80", format!("addr: 127.0.0.1, {}", port(json.address().port()))),
            ("httpbin.yaml", &class, here),
            ("httpbin.yaml", "port: 8081", port(free_port()?)),
            ("httpbin.yaml", "ports: [{name: http, port: 8000}]\nendpoints", format!("ports: [{{name: http, {}}}]\nendpoints", port(httpbin.address().port()))),
            ("lambda.yaml", "region: us-east-1", format!("region: us-east-1\n    endpointUrl: http://{}", lambda.address())),
            ("lambda.yaml", "AKIAIOSFODNN7EXAMPLE", key.id.clone()),
            ("lambda.yaml", "not-a-secret", key.secret.clone()),
        ])?;

        let tenon = up(&folder, filter, "http").await?;
        let mut client = Client::http1(tenon.listener()?).await?;
        let answer = ask(&mut client, "static.example", get("/api/1")).await?;
        assert_eq!((answer.status, &*answer.text()), (200, "posts"));
        let requests = json.requests();
        let asked = requests.last().unwrap();
        assert_eq!((asked.path.as_str(), asked.header("host")), ("/posts/1", "json.example.com"));
        let answer = ask(&mut client, "static.example", get("/elsewhere")).await?;
        assert_eq!(answer.status, 404);

        let answer = ask(&mut client, "functions.example", post("/echo", r#"{"a": 1}"#)).await?;
        assert_eq!((answer.status, &*answer.text()), (200, r#"{"a": 1}"#));
        let answer = ask(&mut client, "functions.example", get("/hello?name=Ada")).await?;
        assert_eq!((answer.status, &*answer.text()), (201, "hello"));
        let calls = lambda.calls("hello");
        let event: serde_json::Value = serde_json::from_slice(&calls.last().unwrap().request.body)?;
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["queryStringParameters"]["name"], "Ada");

        let tenon = up(&folder, filter, "distributed-gateway").await?;
        let mut client = Client::http1(tenon.listener()?).await?;
        let answer = ask(&mut client, "mydomain.com:8080", get("/status/200")).await?;
        assert_eq!((answer.status, &*answer.text()), (200, "httpbin"));
        let answer = ask(&mut client, "static.example", get("/api/1")).await?;
        assert_eq!(answer.status, 404);
        Ok(())
    }
}
