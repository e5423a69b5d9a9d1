//! The provider: does as it is told, try by try.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use tenon_e2e::Gate;
use tenon_e2e::deadline::within;
use tokio::io::AsyncBufReadExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::rotation::Rotation;
use super::wire::{Connection, Message, Outgoing, receive};
use crate::fake::{Answer, HeaderList, Response, Sent};

/// What a scenario has it do.
#[derive(Default)]
pub(super) struct Script {
    pub(super) answers: VecDeque<Answer>,
    /// Done before the first answer.
    pub(super) rotation: Option<Rotation>,
    /// Opened when a late answer is to be given.
    pub(super) late: Gate,
    /// Opened when the client has the head of its response.
    pub(super) head_seen: Gate,
    pub(super) sent: Vec<Sent>,
    pub(super) problems: Vec<String>,
}

/// A server that answers as scripted.
pub(super) struct Provider {
    pub(super) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    accept: AbortHandle,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl Provider {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let script = Arc::<Mutex<Script>>::default();
        let accept = tokio::spawn(accept(listener, script.clone())).abort_handle();
        Ok(Self {
            address,
            script,
            accept,
        })
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, script: Arc<Mutex<Script>>) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let script = script.clone();
        connections.spawn(async move {
            if let Err(error) = serve(stream, &script).await {
                lock(&script)
                    .problems
                    .push(format!("at the provider: {error:#}"));
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, script: &Mutex<Script>) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    // Where Envoy drops a connection, as it does with a try that was outrun, there is nothing to complain of.
    while let Ok(Some(message)) = receive(&mut connection.reader, |_| true).await {
        let (answer, rotation, late, head_seen) = {
            let mut script = lock(script);
            script.sent.push(sent(message));
            (
                script.answers.pop_front(),
                script.rotation.take(),
                script.late.clone(),
                script.head_seen.clone(),
            )
        };
        if let Some(rotation) = rotation {
            rotation.rotate().await?;
        }
        match answer {
            None => anyhow::bail!("the scenario has no answer for this try"),
            Some(Answer::Lost) => return Ok(()),
            Some(Answer::Outrun) => {
                // Held until Envoy gives the try up.
                within(
                    "the end of a try that was outrun",
                    connection.reader.fill_buf(),
                )
                .await?
                .ok();
                return Ok(());
            }
            Some(Answer::Late(response)) => {
                late.pass().await?;
                respond(&response, head_seen, &mut connection.writer).await?;
            }
            Some(Answer::Response(response)) => {
                respond(&response, head_seen, &mut connection.writer).await?;
            }
        }
    }
    Ok(())
}

async fn respond(response: &Response, head_seen: Gate, stream: &mut OwnedWriteHalf) -> Result<()> {
    let status = response.headers().text(":status");
    let outgoing = Outgoing {
        start: format!("HTTP/1.1 {status} Status"),
        headers: response.headers(),
        frames: response.frames(),
        has_empty_end: response.has_empty_end_frame(),
        trailers: response.trailers(),
        without_body: "content-length: 0\r\n",
        gate: response.frame_behind_head().map(|frame| (frame, head_seen)),
    };
    // Envoy may have heard enough of it: a response that is too large is not read to its end.
    drop(outgoing.send(stream).await);
    Ok(())
}

/// As the fake shows it.
fn sent(message: Message) -> Sent {
    let mut words = message.start.split(' ');
    let mut headers = HeaderList::default();
    for name in [":method", ":path"] {
        headers.add(name, words.next().unwrap_or_default().as_bytes());
    }
    for (name, value) in message.headers.iter() {
        let name = if name == "host" { ":authority" } else { name };
        headers.add(name, value);
    }
    Sent {
        headers,
        body: message.body,
        trailers: message.trailers,
        complete: true,
    }
}
