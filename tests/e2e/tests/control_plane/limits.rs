//! How large a body can be on its way to a function and back: nearly 6 MB pass whole, more is refused, nothing is cut.

use anyhow::Result;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tenon_contract::LAMBDA_PAYLOAD_LIMIT;
use tenon_e2e::{
    Answer, Client, LambdaDouble, Response, on_both_hosts, post, request, streaming_body,
};

use super::setting::{Resources, secret, to_function, upstream, virtual_service};

/// 5.9 MB.
const NEARLY: usize = 5_900_000;

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at / 251 % 26) as u8).collect()
}

fn error(answer: &Response) -> Result<(u16, String, Value)> {
    let code = answer.json()?["error"]["code"].clone();
    Ok((
        answer.status,
        answer.header("x-tenon-error").to_owned(),
        code,
    ))
}

/// A request whose length is known only at its end. What is not read any more is no fault of the client's.
async fn in_chunks(mut client: Client, path: &str, body: Vec<u8>) -> Result<Response> {
    let (mut sender, channel) = streaming_body();
    let sending = tokio::spawn(async move {
        for chunk in body.chunks(100_000) {
            if sender
                .send_data(Bytes::copy_from_slice(chunk))
                .await
                .is_err()
            {
                break;
            }
        }
    });
    let answer = client.send(request(Method::POST, path, channel)).await;
    sending.abort();
    answer
}

on_both_hosts! {
    async fn what_lambda_takes_and_gives_passes_whole_and_more_does_not_pass(filter: Filter) -> Result<()> {
        let limit = usize::try_from(LAMBDA_PAYLOAD_LIMIT)?;
        let lambda = LambdaDouble::start().await?;
        let mut event = to_function("/event", "lambda", "green");
        event["routeAction"]["single"]["destinationSpec"]["aws"]["payload"] = json!("API_GATEWAY_V2");
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("upstream", &upstream("lambda", &lambda))?
            .put("routes", &virtual_service("routes", "*", &[event, to_function("/", "lambda", "blue")]))?
            .start(filter)
            .await?;
        let address = setting.address;
        let body = text(NEARLY);
        for http2 in [false, true] {
            // An answer that comes before the end of its request may cost an HTTP/1.1 connection.
            let client = || async move {
                match http2 {
                    true => Client::http2(address).await,
                    false => Client::http1(address).await,
                }
            };
            lambda.answer("blue", [Answer::echo()]);
            let whole = client().await?.send(post("/", body.clone())).await?;
            assert!((whole.status, &whole.body[..]) == (200, &body[..]), "{} and {}", whole.status, whole.body.len());
            let chunked = in_chunks(client().await?, "/", body.clone()).await?;
            assert!((chunked.status, &chunked.body[..]) == (200, &body[..]), "{} and {}", chunked.status, chunked.body.len());

            // As an event, and unwrapped from one.
            let unwrapped = json!({"statusCode": 201, "body": String::from_utf8(body.clone())?});
            lambda.answer("green", [Answer::json(unwrapped.to_string())]);
            let mut order = post("/event", body.clone());
            order.headers_mut().insert("content-type", http::HeaderValue::from_static("text/plain"));
            let answer = client().await?.send(order).await?;
            assert!((answer.status, &answer.body[..]) == (201, &body[..]), "{} and {}", answer.status, answer.body.len());
            let event: Value = serde_json::from_slice(&lambda.calls("green").last().unwrap().request.body)?;
            assert!(event["body"].as_str().map(str::as_bytes) == Some(&body[..]));

            // Too much in: with a length, without, and as an event that base64 made too large.
            let before = lambda.calls("blue").len() + lambda.calls("green").len();
            let refused = (413, "request_too_large".to_owned(), json!("request_too_large"));
            let known = client().await?.send(post("/", text(limit + 1))).await?;
            assert_eq!(error(&known)?, refused);
            let unknown = in_chunks(client().await?, "/", text(limit + 1)).await?;
            assert_eq!(error(&unknown)?, refused);
            let encoded = client().await?.send(post("/event", vec![0xff; NEARLY])).await?;
            assert_eq!(error(&encoded)?, refused);
            assert_eq!(lambda.calls("blue").len() + lambda.calls("green").len(), before, "nobody was called");

            // Too much out: with a length, and in an event.
            let refused = (502, "response_too_large".to_owned(), json!("response_too_large"));
            lambda.answer("blue", [Answer::body(text(limit + 1))]);
            assert_eq!(error(&client().await?.send(post("/", "{}")).await?)?, refused);
            let large = json!({"statusCode": 200, "body": String::from_utf8(text(limit))?}).to_string();
            lambda.answer("green", [Answer::json(large.clone()), Answer::json(large).chunked(100_000)]);
            for _ in 0..2 {
                assert_eq!(error(&client().await?.send(post("/event", "{}")).await?)?, refused);
            }
            // A body of no known length that nothing has to read, which is held to see how long it is.
            lambda.answer("blue", [Answer::body(text(limit + 1)).chunked(100_000)]);
            assert_eq!(error(&client().await?.send(post("/", "{}")).await?)?, refused);
            lambda.answer("blue", [Answer::body(text(limit)).chunked(100_000)]);
            let passed = client().await?.send(post("/", "{}")).await?;
            assert!((passed.status, &passed.body[..]) == (200, &text(limit)[..]), "{} and {}", passed.status, passed.body.len());
        }
        Ok(())
    }
}
