use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::client::{Client, post};
use crate::deadline::until;

/// Clients that send one request after the other, on connections that are kept, until they are stopped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    requests: AtomicU64,
}

/// Beyond these, a failure says nothing new.
const MOST_FAILURES: usize = 20;

impl Load {
    /// Starts so many clients, half of them over HTTP/1.1 and half over HTTP/2, that `POST` to a path and expect 200.
    pub fn start(address: SocketAddr, path: &str, clients: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let clients = (0..clients)
            .map(|number| {
                let (shared, path) = (shared.clone(), path.to_owned());
                tokio::spawn(async move { shared.run(address, &path, number % 2 == 1).await })
            })
            .collect();
        Self { shared, clients }
    }

    /// Waits until so many more requests were answered.
    ///
    /// # Errors
    /// They are not within the deadline.
    pub async fn more(&self, requests: u64) -> Result<()> {
        let answered = || self.shared.requests.load(Ordering::Relaxed);
        let enough = answered() + requests;
        until(&format!("{requests} more requests"), || async move {
            Ok((answered() >= enough).then_some(()))
        })
        .await
    }

    /// Stops the clients after the requests that are under way; gives what failed.
    ///
    /// # Errors
    /// A client panicked.
    pub async fn stop(self) -> Result<Vec<String>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await?);
        }
        Ok(failures)
    }
}

impl Shared {
    async fn run(&self, address: SocketAddr, path: &str, http2: bool) -> Vec<String> {
        let mut failures = Vec::new();
        let mut client = None;
        while !self.stop.load(Ordering::Relaxed) && failures.len() < MOST_FAILURES {
            match ask(&mut client, address, path, http2).await {
                Ok(()) => {}
                Err(error) => {
                    failures.push(format!("{error:#}"));
                    client = None;
                }
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
        }
        failures
    }
}

async fn ask(
    client: &mut Option<Client>,
    address: SocketAddr,
    path: &str,
    http2: bool,
) -> Result<()> {
    loop {
        // A connection that Envoy drains says so, and is no loss.
        if let Some(connected) = client
            && !connected.is_ready().await
        {
            *client = None;
        }
        let connected = match client {
            Some(client) => client,
            None if http2 => client.insert(Client::http2(address).await?),
            None => client.insert(Client::http1(address).await?),
        };
        let answer = match connected.send(post(path, r#"{"of": "the load"}"#)).await {
            Err(error) if is_unsent(&error) => {
                *client = None;
                continue;
            }
            answer => answer?,
        };
        anyhow::ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        return Ok(());
    }
}

/// Whether the connection said that it is drained just before the request would have been sent.
fn is_unsent(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|it| it.downcast_ref());
    causes.any(hyper::Error::is_canceled)
}
