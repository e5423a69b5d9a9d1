use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::sync::watch;

use super::answer::Answer;
use super::server::{Received, Server};
use crate::deadline::within;

/// A service that answers every request in the same way, and remembers it.
#[derive(Debug)]
pub struct PlainDouble {
    server: Server,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    answer: Mutex<Answer>,
    requests: watch::Sender<Vec<Received>>,
}

impl PlainDouble {
    /// One that answers 200 with the request's body, until [`PlainDouble::answer`] says otherwise.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start() -> Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The same at an address of loopback, of which Linux has many.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start_at(address: SocketAddr) -> Result<Self> {
        let state = Arc::new(State {
            answer: Mutex::new(Answer::echo()),
            requests: watch::Sender::default(),
        });
        let shared = state.clone();
        let server = Server::start_at(address, move |request| {
            shared
                .requests
                .send_modify(|requests| requests.push(request));
            let answer = shared.answer.lock().unwrap_or_else(PoisonError::into_inner);
            answer.clone()
        })
        .await?;
        Ok(Self { server, state })
    }

    /// One that answers with a text, as by which of several it is.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn saying(text: &'static str) -> Result<Self> {
        let double = Self::start().await?;
        double.answer(Answer::body(text));
        Ok(double)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// How it answers from now on.
    pub fn answer(&self, answer: Answer) {
        *self
            .state
            .answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Received> {
        self.state.requests.borrow().clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.state.requests.send_modify(Vec::clear);
    }

    /// Waits for so many requests.
    ///
    /// # Errors
    /// They do not come within the deadline.
    pub async fn wait_for_requests(&self, count: usize) -> Result<Vec<Received>> {
        let mut requests = self.state.requests.subscribe();
        let what = format!("{count} requests");
        let enough = within(&what, requests.wait_for(|requests| requests.len() >= count)).await??;
        Ok(enough.clone())
    }
}
