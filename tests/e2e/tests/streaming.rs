//! Answers that Lambda streams: when their parts reach the client, what they cost, and what stops them.

use std::fs;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tenon_contract::{CallConfig, CallTarget, Invocation};
use tenon_e2e::deadline::within;
use tenon_e2e::eventstream::{DELIMITER, chunk, complete, failed};
use tenon_e2e::gateway::{function_route, secret};
use tenon_e2e::{
    Answer, BodySender, Gateway, GatewayBuilder, LambdaDouble, Ministack, Response, get,
    on_both_hosts, post,
};

fn streaming(function: &str) -> CallConfig {
    let mut call = CallConfig::aws(function, function);
    let CallTarget::Aws(aws) = &mut call.target else {
        panic!("not a call of Lambda")
    };
    aws.invocation = Invocation::ResponseStream;
    call
}

async fn gateway(filter: tenon_e2e::Filter, lambda: &LambdaDouble) -> Result<Gateway> {
    GatewayBuilder::new(filter)?
        .functions("lambda", lambda.address(), &secret(&LambdaDouble::key()))?
        .route(function_route("/", "lambda", &streaming("f")))
        .start()
        .await
}

/// Has the function answer the next call as the test feeds it.
fn feed(lambda: &LambdaDouble) -> BodySender {
    let (sender, answer) = Answer::streamed();
    lambda.answer("f", [answer]);
    sender
}

async fn next(body: &mut Incoming) -> Result<Bytes> {
    let frame = within("more of the answer", body.frame()).await?;
    let data = frame.context("the answer ended")??.into_data();
    data.map_err(|_| anyhow::anyhow!("trailers instead of data"))
}

/// What of the answer comes, up to so many bytes.
async fn exactly(body: &mut Incoming, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        bytes.extend(next(body).await?);
    }
    Ok(bytes)
}

const MEGABYTE: usize = 1 << 20;

/// The largest that a process has been, in bytes.
fn peak(process: u32) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(1024 * kilobytes.context("no VmHWM")?.parse::<usize>()?)
}

/// The part of this number: no two neighbours are alike.
fn part(number: usize) -> Vec<u8> {
    vec![(number % 251) as u8; MEGABYTE]
}

on_both_hosts! {
    /// The function writes only once the client has what it wrote before: nothing on the way waits for more.
    async fn each_part_is_with_the_client_before_the_function_writes_the_next(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda).await?;
        for mut client in gateway.clients().await? {
            let mut function = feed(&lambda);
            let head = [&br#"{"statusCode":201,"headers":{"content-type":"text/event-stream"}}"#[..], &DELIMITER].concat();
            let (_, answer) = tokio::join!(function.send_data(chunk(head).into()), client.open(post("/", "{}")));
            let answer = answer?;
            assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (201, &"text/event-stream".parse()?));
            let mut body = answer.into_body();
            for part in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
                function.send_data(chunk(part).into()).await?;
                assert_eq!(exactly(&mut body, part.len()).await?, part.as_bytes());
            }
            function.send_data(complete().into()).await?;
            drop(function);
            // HTTP/2 may end with an empty frame.
            let rest = within("the end", body.collect()).await??;
            assert_eq!((rest.trailers().cloned(), &*rest.to_bytes()), (None, &b""[..]));
        }
        for call in lambda.calls("f") {
            assert_eq!(call.refusal, None);
            assert_eq!(call.request.path, "/2021-11-15/functions/f/response-streaming-invocations");
        }
        Ok(())
    }

    async fn two_hundred_megabytes_go_through_in_flat_memory(filter: Filter) -> Result<()> {
        const PARTS: usize = 200;
        let lambda = LambdaDouble::start().await?;
        let mut gateway = gateway(filter, &lambda).await?;
        let envoy = gateway.envoy.process().id();
        for mut client in gateway.clients().await? {
            let before = peak(envoy)?;
            let mut function = feed(&lambda);
            let fed = tokio::spawn(async move {
                for number in 0..PARTS {
                    function.send_data(chunk(part(number)).into()).await?;
                }
                function.send_data(complete().into()).await
            });
            let mut body = client.open(get("/")).await?.into_body();
            let mut at = 0;
            while let Some(frame) = within("more of the answer", body.frame()).await? {
                let Ok(data) = frame?.into_data() else { continue };
                let mut rest = &data[..];
                while !rest.is_empty() {
                    let (these, others) = rest.split_at(rest.len().min(MEGABYTE - at % MEGABYTE));
                    ensure!(these == &part(at / MEGABYTE)[..these.len()], "other bytes at {at}");
                    at += these.len();
                    rest = others;
                }
            }
            fed.await??;
            assert_eq!(at, PARTS * MEGABYTE);
            let grown = peak(envoy)? - before;
            assert!(grown < 64 * MEGABYTE, "{grown} bytes more at its peak");
        }
        Ok(())
    }

    /// A client that does not read stops the function, rather than filling Envoy.
    async fn a_slow_client_holds_the_function_back(filter: Filter) -> Result<()> {
        const PARTS: usize = 150;
        let lambda = LambdaDouble::start().await?;
        let mut gateway = gateway(filter, &lambda).await?;
        let envoy = gateway.envoy.process().id();
        for (round, mut client) in gateway.clients().await?.into_iter().enumerate() {
            let before = peak(envoy)?;
            let mut function = feed(&lambda);
            let (fed, mut progress) = tokio::sync::watch::channel(0);
            let feeding = tokio::spawn(async move {
                for number in 0..PARTS {
                    function.send_data(chunk(part(number)).into()).await?;
                    fed.send_replace(number + 1);
                }
                function.send_data(complete().into()).await
            });
            let mut body = client.open(get("/")).await?.into_body();
            let paused = "cluster.lambda.upstream_flow_control_paused_reading_total";
            gateway.envoy.admin().stat_until(paused, |times| times > round as u64).await?;
            // What Envoy and the sockets take is bounded; the rest of the function's answer waits with it.
            let stopped = *progress.borrow_and_update();
            assert!(stopped < PARTS - 20, "{stopped} MB were taken of a client that reads nothing");
            let mut length = 0;
            while let Some(frame) = within("more of the answer", body.frame()).await? {
                length += frame?.into_data().map_or(0, |data| data.len());
            }
            feeding.await??;
            assert_eq!(length, PARTS * MEGABYTE);
            let grown = peak(envoy)? - before;
            assert!(grown < 96 * MEGABYTE, "{grown} bytes more at its peak");
        }
        Ok(())
    }

    async fn a_client_that_goes_away_ends_the_call(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda).await?;
        for (round, mut client) in gateway.clients().await?.into_iter().enumerate() {
            let mut function = feed(&lambda);
            let (_, answer) = tokio::join!(function.send_data(chunk("first").into()), client.open(get("/")));
            let mut body = answer?.into_body();
            assert_eq!(exactly(&mut body, 5).await?, b"first");
            client.hang_up();
            within("the end of the call", async {
                while function.send_data(chunk("more").into()).await.is_ok() {}
            })
            .await?;
            gateway.wait_for_count("f", "cancelled", round as u64 + 1).await?;
        }
        Ok(())
    }

    async fn a_connection_to_lambda_that_breaks_cuts_the_answer_off(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda).await?;
        for mut client in gateway.clients().await? {
            let mut function = feed(&lambda);
            let (_, answer) = tokio::join!(function.send_data(chunk("first").into()), client.open(get("/")));
            function.abort(std::io::Error::other("as scripted"));
            let (answer, whole) = Response::read_what_comes(answer?).await?;
            assert!(!whole && b"first".starts_with(&answer.body), "{answer:?}");
        }
        Ok(())
    }

    /// After an answer that was cut off, its HTTP/2 connection has others to carry.
    async fn an_answer_that_is_cut_off_harms_no_other(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        let gateway = gateway(filter, &lambda).await?;
        let mut client = gateway.http2().await?;
        for _ in 0..3 {
            let mut function = feed(&lambda);
            let (_, answer) = tokio::join!(function.send_data(chunk("first").into()), client.open(get("/")));
            let mut body = answer?.into_body();
            assert_eq!(exactly(&mut body, 5).await?, b"first");
            let mut other = client.share();
            let mut second = feed(&lambda);
            let (_, beside) = tokio::join!(second.send_data(chunk("beside").into()), other.open(get("/")));
            function.send_data(failed("Unhandled", "no").into()).await?;
            let end = within("the end", body.frame()).await?;
            assert!(matches!(end, Some(Err(_))), "{end:?}");
            second.send_data(complete().into()).await?;
            drop(second);
            let beside = Response::read(beside?).await?;
            assert_eq!((beside.status, &*beside.text()), (200, "beside"));
        }
        gateway.wait_for_count("f", "function_error", 3).await?;
        gateway.wait_for_count("f", "ok", 3).await?;
        Ok(())
    }

    async fn a_service_that_is_not_ours_streams(filter: Filter) -> Result<()> {
        let lambda = Ministack::shared().await?;
        let name = format!("stream-{}", filter.name());
        let source = "def handler(event, context):\n    \
            if event.get('fail'):\n        raise ValueError('no')\n    \
            return {'hello': event['name']}\n";
        lambda.create_function(&name, source).await?;
        let gateway = GatewayBuilder::new(filter)?
            .functions("lambda", lambda.address(), &secret(lambda.key()))?
            .route(function_route("/", "lambda", &streaming(&name)))
            .start()
            .await?;
        let mut client = gateway.http1().await?;
        let fine = client.send(post("/", r#"{"name":"ada"}"#)).await?;
        assert_eq!((fine.status, fine.json()?), (200, json!({"hello": "ada"})));
        let broken = client.send(post("/", r#"{"fail":true}"#)).await?;
        assert_eq!((broken.status, broken.header("x-tenon-error")), (504, "function_error"));
        Ok(())
    }
}
