//! A trap in the `.wasm`, inside a real Envoy: what its failure policy allows, as `docs/hosts.md` says it. (A panic of the
//! `.so` is caught: `panics.rs`.)

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::HeaderValue;
use serde_json::{Value, json};
use tenon_contract::CallConfig;
use tenon_e2e::deadline::until;
use tenon_e2e::gateway::{function_route, plain_route, secret};
use tenon_e2e::{
    Answer, Client, Filter, Gate, Gateway, GatewayBuilder, LambdaDouble, Load, PlainDouble, post,
};

/// The longest that a VM that trapped is left as it is: `max_interval` of the backoff.
const BACKOFF: Duration = Duration::from_millis(100);

/// `tenon.wasm`, but with a trap where the request header `x-trap` names the hook.
fn trapping() -> Result<PathBuf> {
    let tests = std::env::current_exe()?;
    let target = tests.ancestors().nth(3).context("target/")?;
    let path = target.join("tests/trapping.wasm");
    path.canonicalize()
        .with_context(|| format!("no {}: `scripts/test` builds it", path.display()))
}

/// One with two clusters, `one` and `other`, each with the functions `slow` and `quick`; whatever fails is tried again.
async fn gateway(lambda: &LambdaDouble, service: &PlainDouble, workers: u32) -> Result<Gateway> {
    let file = trapping()?;
    let key = secret(&LambdaDouble::key());
    let mut builder = GatewayBuilder::new(Filter::Wasm)?.service("service", service.address());
    for cluster in ["one", "other"] {
        builder = builder.functions_with(cluster, lambda.address(), &key, |cluster| {
            put_in_place(cluster, &json!(file));
        })?;
        for function in ["slow", "quick"] {
            let call = CallConfig::aws(function, function);
            let mut route = function_route(&format!("/{cluster}/{function}"), cluster, &call);
            route["route"]["retry_policy"] = json!({"retry_on": "5xx,reset", "num_retries": 1});
            builder = builder.route(route);
        }
    }
    builder
        .route(plain_route("/", "service"))
        .options(|options| options.concurrency = workers)
        .start()
        .await
}

fn put_in_place(cluster: &mut Value, file: &Value) {
    let options = &mut cluster["typed_extension_protocol_options"];
    let filters = options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["http_filters"]
        .as_array_mut();
    for filter in filters.into_iter().flatten() {
        if let Some(code) = filter.pointer_mut("/typed_config/config/vm_config/code/local/filename")
        {
            *code = file.clone();
        }
    }
}

async fn ask(client: &mut Client, path: &str, trap: Option<&'static str>) -> Result<u16> {
    let mut request = post(path, "{}");
    if let Some(hook) = trap {
        let hook = HeaderValue::from_static(hook);
        request.headers_mut().insert("x-trap", hook);
    }
    Ok(client.send(request).await?.status)
}

async fn ask_anew(gateway: &Gateway, path: &str) -> Result<u16> {
    ask(&mut gateway.http1().await?, path, None).await
}

/// Asks both clusters until their VM is older than the backoff.
async fn let_it_age(gateway: &Gateway) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < 2 * BACKOFF {
        for path in ["/one/quick", "/other/quick"] {
            assert_eq!(ask_anew(gateway, path).await?, 200, "{path}");
        }
    }
    Ok(())
}

/// How the access log tells of what was lost.
async fn lost(gateway: &Gateway) -> Result<usize> {
    let entries = gateway.access_log(1).await?;
    let lost = entries.iter().filter(|entry| entry["code"] != 200);
    Ok(lost
        .inspect(|entry| {
            assert_eq!(
                (&entry["code"], &entry["details"]),
                (&json!(503), &json!("wasm_fail_stream"))
            )
        })
        .count())
}

async fn a_trap_costs_what_its_vm_has_in_flight(hook: &'static str) -> Result<()> {
    let (gate, lambda, service) = (
        Gate::new(),
        LambdaDouble::start().await?,
        PlainDouble::start().await?,
    );
    lambda.answer("slow", [Answer::json("1").held_by(&gate)]);
    lambda.answer("quick", [Answer::json("1")]);
    let mut gateway = gateway(&lambda, &service, 1).await?;
    let load = Load::start(gateway.address, "/", 4);
    let_it_age(&gateway).await?;

    let mut waiting = Vec::new();
    for path in ["/one/slow", "/other/slow"] {
        for mut client in gateway.clients().await? {
            waiting.push(tokio::spawn(
                async move { ask(&mut client, path, None).await },
            ));
        }
    }
    lambda.wait_for_calls("slow", waiting.len()).await?;
    load.more(20).await?;
    // Of the worker's requests it costs itself, and what was in flight in the VM, of whichever cluster.
    let mut client = gateway.http2().await?;
    assert_eq!(ask(&mut client, "/one/quick", Some(hook)).await?, 503);
    // The next one of each cluster finds a new VM.
    for path in ["/one/quick", "/other/quick"] {
        assert_eq!(ask_anew(&gateway, path).await?, 200, "{path}");
    }
    // On the connection of the one that trapped, too.
    assert_eq!(ask(&mut client, "/one/quick", None).await?, 200);
    gate.open();
    for answer in waiting {
        assert_eq!(answer.await??, 503);
    }
    // None is tried again.
    assert_eq!(lambda.calls("slow").len(), 4);
    let_it_age(&gateway).await?;
    // What calls no function does not notice.
    load.more(20).await?;
    assert_eq!(load.stop().await?, Vec::<String>::new());
    until("an access log with all that was lost", || async {
        Ok((lost(&gateway).await? >= 5).then_some(()))
    })
    .await?;
    assert_eq!(lost(&gateway).await?, 5);
    gateway.envoy.process().check_alive()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_on_the_request_costs_what_its_vm_has_in_flight() -> Result<()> {
    a_trap_costs_what_its_vm_has_in_flight("request").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_on_the_response_costs_what_its_vm_has_in_flight() -> Result<()> {
    a_trap_costs_what_its_vm_has_in_flight("response").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_leaves_other_workers_alone() -> Result<()> {
    let (gate, lambda, service) = (
        Gate::new(),
        LambdaDouble::start().await?,
        PlainDouble::start().await?,
    );
    lambda.answer("slow", [Answer::json("1").held_by(&gate)]);
    let mut gateway = gateway(&lambda, &service, 2).await?;
    // The kernel gives each connection to either worker: that one of the two gets none of so many does not happen.
    let mut waiting = Vec::new();
    for _ in 0..32 {
        let mut client = gateway.http1().await?;
        waiting.push(tokio::spawn(async move {
            ask(&mut client, "/one/slow", None).await
        }));
    }
    lambda.wait_for_calls("slow", waiting.len()).await?;
    let mut client = gateway.http1().await?;
    assert_eq!(ask(&mut client, "/one/quick", Some("request")).await?, 503);
    gate.open();
    let mut statuses = Vec::new();
    for answer in waiting {
        statuses.push(answer.await??);
    }
    for status in [200, 503] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    assert!(
        statuses.iter().all(|status| matches!(status, 200 | 503)),
        "{statuses:?}"
    );
    gateway.envoy.process().check_alive()
}

/// A VM that traps again while it is young is left so for a moment, lest Envoy does nothing but load VMs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traps_in_a_row_are_over_soon_after_the_last_one() -> Result<()> {
    let (lambda, service) = (LambdaDouble::start().await?, PlainDouble::start().await?);
    lambda.answer("quick", [Answer::json("1")]);
    let mut gateway = gateway(&lambda, &service, 1).await?;
    for _ in 0..20 {
        let mut client = gateway.http1().await?;
        assert_eq!(ask(&mut client, "/one/quick", Some("request")).await?, 503);
    }
    let start = Instant::now();
    until("an answer again", || async {
        Ok((ask_anew(&gateway, "/one/quick").await? == 200).then_some(()))
    })
    .await?;
    // The backoff, and much time for a busy machine.
    assert!(start.elapsed() < 100 * BACKOFF, "{:?}", start.elapsed());
    let_it_age(&gateway).await?;
    gateway.envoy.process().check_alive()
}

#[test]
fn what_ships_traps_for_nobody() -> Result<()> {
    let asks = |wasm: Vec<u8>| wasm.windows(6).any(|bytes| bytes == b"x-trap");
    assert!(asks(std::fs::read(trapping()?)?));
    assert!(!asks(std::fs::read(Filter::Wasm.artefact()?)?));
    Ok(())
}
