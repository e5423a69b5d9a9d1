//! A panic in a filter, inside a real Envoy under load. (A trap of the `.wasm` is another matter: Envoy's own.)

use std::path::PathBuf;

use anyhow::{Context, Result};
use http::HeaderValue;
use serde_json::{Value, json};
use tenon_e2e::gateway::{cluster, extension, listener, plain_route, router};
use tenon_e2e::{Client, Envoy, Load, PlainDouble, post};

/// `cargo test` builds examples next to the folder of the tests.
fn module() -> Result<PathBuf> {
    let tests = std::env::current_exe()?;
    let target = tests.ancestors().nth(2).context("target/<profile>")?;
    let path = target.join("examples/libpanicking.so");
    path.canonicalize()
        .with_context(|| format!("no {}: `cargo test -p tenon-e2e` builds it", path.display()))
}

fn filter() -> Result<Value> {
    Ok(extension(
        "panicking",
        "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
        json!({
            "dynamic_module_config": {"module": {"local": {"filename": module()?}}, "do_not_close": true},
            "filter_name": "panicking",
        }),
    ))
}

/// Sends requests whose filter panics while others flow. `statuses`: what a client gets by hook; `None`: its stream ends.
async fn panic_under_load(
    downstream: Vec<Value>,
    upstream: Vec<Value>,
    statuses: &[(&'static str, Option<u16>)],
) -> Result<()> {
    const TIMES: u64 = 5;
    let service = PlainDouble::start().await?;
    let filters = [downstream, vec![router()]].concat();
    let config = json!({"static_resources": {
        "listeners": [listener(filters, vec![plain_route("/", "service")], json!({}))],
        "clusters": [cluster("service", service.address(), upstream)],
    }});
    let mut envoy = Envoy::start(&config.to_string()).await?;
    let address = envoy.listener("http").await?;
    let load = Load::start(address, "/", 8);
    load.more(50).await?;
    for _ in 0..TIMES {
        for (hook, status) in statuses {
            for mut client in [Client::http1(address).await?, Client::http2(address).await?] {
                let mut request = post("/", "{}");
                request
                    .headers_mut()
                    .insert("x-panic", HeaderValue::from_static(hook));
                let answer = client.send(request).await.ok().map(|answer| answer.status);
                assert_eq!(answer, *status, "{hook}");
            }
        }
        load.more(50).await?;
    }
    assert_eq!(load.stop().await?, Vec::<String>::new());
    envoy.process().check_alive()?;
    let panics = TIMES * 2 * statuses.len() as u64;
    tenon_e2e::deadline::until("each panic counted", || async {
        let counted = envoy.admin().samples("_panics").await?;
        Ok((counted.iter().map(|(_, count)| count).sum::<u64>() == panics).then_some(()))
    })
    .await?;
    for (hook, _) in statuses {
        tenon_e2e::deadline::until(&format!("a panic of {hook} in the log"), || async {
            let log = envoy.log();
            let of_hook = |line: &&str| line.contains("panic in") && line.contains(hook);
            let line = log.lines().find(of_hook);
            Ok(line
                .is_some_and(|line| line.contains("examples/panicking.rs:"))
                .then_some(()))
        })
        .await?;
    }
    assert!(
        !envoy.log().contains("as the request asked"),
        "messages of panics print values"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_downstream_costs_its_own_request_only() -> Result<()> {
    let statuses = [
        ("request_headers", Some(500)),
        ("request_body", Some(500)),
        ("response_headers", Some(500)),
        ("response_body", None),
        ("destroy", Some(200)),
    ];
    panic_under_load(vec![filter()?], Vec::new(), &statuses).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_upstream_costs_its_own_request_only() -> Result<()> {
    let statuses = [
        ("request_headers", Some(500)),
        ("request_body", Some(500)),
        ("response_headers", Some(500)),
        ("response_body", None),
        ("destroy", Some(200)),
    ];
    panic_under_load(Vec::new(), vec![filter()?], &statuses).await
}
