//! Clients that ask in each way, one request after the other, and know what has to come of each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use serde_json::json;
use tenon_e2e::{Client, RequestBody, Response, get, post, request, streaming_body};
use tokio::task::JoinHandle;

use crate::resources::CHURNED;
use crate::site::{STREAMED, Site};

/// A way of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A body to a function and back.
    Lambda,
    /// A large one.
    Large,
    /// A `HEAD`.
    Head,
    /// Bytes, by way of `API_GATEWAY_V1`.
    ApiGateway,
    /// Bytes, by way of `ALB_MULTI_VALUE`.
    LoadBalancer,
    /// A streamed answer.
    Streaming,
    /// A call whose first try fails.
    Retried,
    /// A function that fails.
    FunctionError,
    /// A function that is throttled.
    Throttled,
    /// An upstream without its secret.
    NoCredentials,
    /// A function of Azure's.
    Azure,
    /// A function of Google's.
    Google,
    /// A service.
    Plain,
    /// A service, with templates both ways.
    Transformed,
    /// Nothing is there.
    NotFound,
    /// An answer that is edited.
    Edited,
    /// A function whose upstream and route come and go.
    ComingAndGoing,
    /// A client that hangs up amid its request.
    AbortedRequest,
    /// A client that hangs up amid the response.
    AbortedResponse,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 19] = [
        Self::Lambda,
        Self::Large,
        Self::Head,
        Self::ApiGateway,
        Self::LoadBalancer,
        Self::Streaming,
        Self::Retried,
        Self::FunctionError,
        Self::Throttled,
        Self::NoCredentials,
        Self::Azure,
        Self::Google,
        Self::Plain,
        Self::Transformed,
        Self::NotFound,
        Self::Edited,
        Self::ComingAndGoing,
        Self::AbortedRequest,
        Self::AbortedResponse,
    ];
}

/// What became of the requests of a kind.
#[derive(Debug, Clone, Default)]
pub struct Count {
    /// How many there were.
    pub requests: u64,
    /// How many were not answered as they have to be.
    pub errors: u64,
    /// What the first of these said.
    pub first_error: Option<String>,
}

/// By kind.
pub type Counts = BTreeMap<Kind, Count>;

pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Counts>>,
}

impl Traffic {
    pub(crate) fn start(site: &Site, clients: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let clients = (0..clients)
            .map(|number| {
                let worker = Worker {
                    address: site.address,
                    http2: number % 2 == 1,
                    number: number as u64,
                };
                tokio::spawn(worker.run(stop.clone()))
            })
            .collect();
        Self { stop, clients }
    }

    /// Stops after the requests that are under way.
    pub(crate) async fn stop(self) -> Result<Counts> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Counts::new();
        for client in self.clients {
            for (kind, count) in client.await? {
                let one = all.entry(kind).or_default();
                one.requests += count.requests;
                one.errors += count.errors;
                one.first_error = one.first_error.take().or(count.first_error);
            }
        }
        Ok(all)
    }
}

struct Worker {
    address: SocketAddr,
    http2: bool,
    number: u64,
}

impl Worker {
    async fn run(self, stop: Arc<AtomicBool>) -> Counts {
        let mut counts = Counts::new();
        let mut client = None;
        for turn in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            // Each client begins elsewhere, so that the kinds meet.
            let kind = Kind::ALL[(turn as usize + 5 * self.number as usize) % Kind::ALL.len()];
            let count = counts.entry(kind).or_default();
            count.requests += 1;
            // No two bodies are alike.
            let id = self.number << 48 | turn;
            if let Err(error) = self.turn(&mut client, kind, id).await {
                count.errors += 1;
                count.first_error.get_or_insert(format!("{error:#}"));
                client = None;
            }
        }
        counts
    }

    async fn connect(&self) -> Result<Client> {
        match self.http2 {
            true => Client::http2(self.address).await,
            false => Client::http1(self.address).await,
        }
    }

    async fn turn(&self, client: &mut Option<Client>, kind: Kind, id: u64) -> Result<()> {
        match kind {
            // These cost their connection.
            Kind::AbortedRequest => return self.abort_request().await,
            Kind::AbortedResponse => return self.abort_response().await,
            _ => {}
        }
        let client = match client {
            Some(client) => client,
            None => client.insert(self.connect().await?),
        };
        ask(client, kind, id).await
    }

    /// Hangs up amid the request's body, which the filter holds by then.
    async fn abort_request(&self) -> Result<()> {
        let client = self.connect().await?;
        let (mut sender, body) = streaming_body();
        let mut asking = client.share();
        let answer = tokio::spawn(async move {
            // There is none.
            drop(asking.open(request(Method::POST, "/v1", body)).await);
        });
        sender
            .send_data(Bytes::from_static(b"the beginning"))
            .await?;
        client.hang_up();
        drop(sender);
        answer.await?;
        Ok(())
    }

    /// Hangs up amid the response.
    async fn abort_response(&self) -> Result<()> {
        let mut client = self.connect().await?;
        let mut answer = client.open(post("/stream", "{}")).await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        let frame = answer.body_mut().frame().await.context("no body")??;
        ensure!(frame.is_data(), "trailers");
        client.hang_up();
        Ok(())
    }
}

async fn ask(client: &mut Client, kind: Kind, id: u64) -> Result<()> {
    let text = format!("{{\"number\":{id}}}");
    match kind {
        Kind::Lambda => echoed(client, "/lambda/a?b=c", text.into(), 200).await,
        Kind::Large => echoed(client, "/lambda", vec![b'x'; 512 << 10], 200).await,
        Kind::ApiGateway => echoed(client, "/v1/a%2Fb?q=1&q=2", bytes(id), 201).await,
        Kind::LoadBalancer => echoed(client, "/alb", bytes(id), 201).await,
        Kind::Retried => echoed(client, "/flaky", id.to_string().into(), 200).await,
        Kind::Azure => echoed(client, "/azure", bytes(id), 200).await,
        Kind::Google => echoed(client, "/google", bytes(id), 200).await,
        Kind::Plain => echoed(client, "/web", bytes(id), 200).await,
        Kind::Head => {
            let head = Request::head("/lambda").body(post("/", "").into_body())?;
            let answer = client.send(head).await?;
            is(&answer, 200, "")?;
            ensure!(answer.body.is_empty(), "a body: {}", answer.text());
            Ok(())
        }
        Kind::Streaming => {
            let answer = client.send(post("/stream", text)).await?;
            is(&answer, 200, "")?;
            ensure!(answer.body.len() == STREAMED, "{} bytes", answer.body.len());
            Ok(())
        }
        Kind::FunctionError => is(
            &client.send(post("/fails", text)).await?,
            504,
            "function_error",
        ),
        Kind::Throttled => is(&client.send(post("/busy", text)).await?, 429, "throttled"),
        Kind::NoCredentials => is(&client.send(get("/locked")).await?, 503, "no_credentials"),
        Kind::Transformed => {
            let answer = client.send(post("/transformed/a/last", text)).await?;
            is(&answer, 200, "")?;
            ensure!(
                answer.header("x-number") == id.to_string(),
                "{:?}",
                answer.headers
            );
            let expected = json!({"seen": id, "last": "last"});
            ensure!(answer.json()? == expected, "{}", answer.text());
            Ok(())
        }
        Kind::NotFound => is(&client.send(get("/nowhere")).await?, 404, ""),
        Kind::Edited => {
            let answer = client.send(churned("/churned")).await?;
            is(&answer, 200, "")?;
            ensure!(
                answer.text().starts_with("generation "),
                "{}",
                answer.text()
            );
            Ok(())
        }
        Kind::ComingAndGoing => {
            let answer = client.send(churned("/extra")).await?;
            match answer.status {
                404 => Ok(()),
                _ => is(&answer, 200, ""),
            }
        }
        Kind::AbortedRequest | Kind::AbortedResponse => Ok(()),
    }
}

/// A request for what is edited. Without a body: an answer that comes before the end of one costs the connection.
pub(crate) fn churned(path: &str) -> Request<RequestBody> {
    let mut request = get(path);
    let host = HeaderValue::from_static(CHURNED);
    request.headers_mut().insert("host", host);
    request
}

/// Bytes that are no text.
fn bytes(id: u64) -> Vec<u8> {
    [&[0xff, 0x00][..], &id.to_be_bytes()].concat()
}

async fn echoed(client: &mut Client, path: &str, body: Vec<u8>, status: u16) -> Result<()> {
    let body = Bytes::from(body);
    let answer = client.send(post(path, body.clone())).await?;
    is(&answer, status, "")?;
    ensure!(answer.body == body, "another body: {}", shortened(&answer));
    Ok(())
}

fn is(answer: &Response, status: u16, error: &str) -> Result<()> {
    let found = (answer.status, answer.header("x-tenon-error"));
    ensure!(found == (status, error), "{found:?}: {}", shortened(answer));
    Ok(())
}

fn shortened(answer: &Response) -> String {
    answer.text().chars().take(200).collect()
}
