//! Follows the instances of a service in one data centre.

use std::sync::Arc;
use std::time::Duration;

use tenon_translate::{ConsulQuery, Instance};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Event;
use super::agent::{Agent, Entry};
use super::names::Names;
use crate::discovery::{Running, wait_after};

/// Gloo's, between resolutions of names.
const RESOLVE_AGAIN: Duration = Duration::from_secs(5);
/// A service that changes all the time is not asked for all the time.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// Starts to follow.
pub(super) fn start(
    agent: Arc<Agent>,
    query: Arc<ConsulQuery>,
    data_center: &str,
    events: mpsc::Sender<Event>,
) -> Running {
    let follower = Follower {
        agent,
        query,
        data_center: data_center.to_owned(),
        index: 0,
        entries: Vec::new(),
        names: Names::default(),
    };
    Running(tokio::spawn(follower.run(events)))
}

struct Follower {
    agent: Arc<Agent>,
    query: Arc<ConsulQuery>,
    data_center: String,
    /// What the last answer was of; 0 asks for an answer at once.
    index: u64,
    /// The last answer.
    entries: Vec<Entry>,
    names: Names,
}

impl Follower {
    async fn run(mut self, events: mpsc::Sender<Event>) {
        let mut failures = 0;
        loop {
            let asked = Instant::now();
            let (instances, problem) = match self.ask().await {
                Ok(()) => {
                    failures = 0;
                    let (instances, problem) = self.instances().await;
                    (Some(instances), problem)
                }
                Err(reason) => {
                    failures += 1;
                    // What is missed meanwhile is to be told at once.
                    self.index = 0;
                    (None, Some(reason))
                }
            };
            let event = Event::Found(self.data_center.clone(), instances, problem);
            if events.send(event).await.is_err() {
                return;
            }
            match failures {
                0 => tokio::time::sleep_until(asked + AT_MOST_EVERY).await,
                failures => tokio::time::sleep(wait_after(failures)).await,
            }
        }
    }

    async fn ask(&mut self) -> Result<(), String> {
        let again = self.query.agent.dns_polling_interval;
        let at_most = self.names.has_any().then(|| again.unwrap_or(RESOLVE_AGAIN));
        let asked = self
            .agent
            .instances(&self.query, &self.data_center, self.index, at_most);
        let answer = asked.await?;
        self.index = answer.index;
        self.entries = answer.entries;
        Ok(())
    }

    /// The instances of the last answer, and what of them could not be resolved.
    async fn instances(&mut self) -> (Vec<Instance>, Option<String>) {
        let address = |entry: &Entry| match entry.service.address.is_empty() {
            true => entry.node.address.clone(),
            false => entry.service.address.clone(),
        };
        let addresses: Vec<_> = self.entries.iter().map(address).collect();
        let problem = self.names.resolve(&addresses).await;
        let mut instances = Vec::new();
        for (entry, address) in self.entries.iter().zip(&addresses) {
            let of_name = address.parse::<std::net::IpAddr>().is_err();
            let tags = entry.service.tags.iter().flatten();
            let tags: Vec<_> = tags.map(|tag| (tag.clone(), String::new())).collect();
            for ip in self.names.ips(address) {
                instances.push(Instance {
                    ip: Some(ip),
                    port: Some(entry.service.port).filter(|port| *port != 0),
                    hostname: of_name.then(|| address.clone()),
                    data_center: Some(self.data_center.clone()),
                    tags: tags.iter().cloned().collect(),
                    ..Instance::default()
                });
            }
        }
        (instances, problem)
    }
}
