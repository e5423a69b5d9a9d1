//! Instances of a service of Consul, by blocking queries.
//!
//! Each data centre is followed by itself: one that does not answer keeps what it had, and holds up no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tenon_translate::{ConsulQuery, Instance};
use tokio::sync::mpsc;

use super::{Running, Teller, wait_after};

mod agent;
mod follow;
mod names;

use agent::Agent;

/// How often it is asked which data centres there are; that cannot be waited for.
const LIST_AGAIN: Duration = Duration::from_secs(60);

/// What the tasks of a lookup tell.
enum Event {
    /// The data centres that there are.
    DataCenters(Result<Vec<String>, String>),
    /// What was found in one (`None`: nothing newer), and what could not be.
    Found(String, Option<Vec<Instance>>, Option<String>),
}

/// A data centre.
struct DataCenter {
    instances: Option<Vec<Instance>>,
    problem: Option<String>,
    _task: Running,
}

/// Tells which instances there are, whenever they are others.
pub(super) async fn watch(query: ConsulQuery, mut teller: Teller) {
    let query = Arc::new(query);
    let agent = Arc::new(open(&query, &mut teller).await);
    let (events, mut receiver) = mpsc::channel(16);
    let mut list = List::default();
    let _lister = match query.data_centers.is_empty() {
        true => Some(Running(tokio::spawn(lister(agent.clone(), events.clone())))),
        false => {
            let named = query.data_centers.clone();
            list.replace(named, |name| {
                follow::start(agent.clone(), query.clone(), name, events.clone())
            });
            None
        }
    };
    while let Some(event) = receiver.recv().await {
        match event {
            Event::DataCenters(Ok(names)) => list.replace(names, |name| {
                follow::start(agent.clone(), query.clone(), name, events.clone())
            }),
            Event::DataCenters(Err(reason)) => list.problem = Some(reason),
            Event::Found(name, instances, problem) => {
                let Some(of) = list.centers.get_mut(&name) else {
                    continue;
                };
                of.instances = instances.or(of.instances.take());
                of.problem = problem;
            }
        }
        if let Some((instances, problem)) = list.state() {
            teller.tell(instances, problem);
        }
    }
}

/// Reads what the connection needs, until it is there.
async fn open(query: &ConsulQuery, teller: &mut Teller) -> Agent {
    let mut failures = 0;
    loop {
        match Agent::new(&query.agent, |name| std::env::var(name).ok()) {
            Ok(agent) => return agent,
            Err(reason) => {
                failures += 1;
                teller.tell(None, Some(reason));
                tokio::time::sleep(wait_after(failures)).await;
            }
        }
    }
}

async fn lister(agent: Arc<Agent>, events: mpsc::Sender<Event>) {
    let mut failures = 0;
    loop {
        let found = agent.data_centers().await;
        let wait = match &found {
            Ok(_) => {
                failures = 0;
                LIST_AGAIN
            }
            Err(_) => {
                failures += 1;
                wait_after(failures)
            }
        };
        if events.send(Event::DataCenters(found)).await.is_err() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

/// The data centres that are followed.
#[derive(Default)]
struct List {
    centers: BTreeMap<String, DataCenter>,
    /// Why it is not known which there are.
    problem: Option<String>,
}

impl List {
    /// Follows those that are new, and no more those that are gone.
    fn replace(&mut self, names: Vec<String>, start: impl Fn(&str) -> Running) {
        self.problem = None;
        self.centers.retain(|name, _| names.contains(name));
        for name in names {
            self.centers
                .entry(name)
                .or_insert_with_key(|name| DataCenter {
                    instances: None,
                    problem: None,
                    _task: start(name),
                });
        }
    }

    /// What was found and what could not be. Nothing while one has neither: a part of the instances would have to carry
    /// what is for all.
    fn state(&self) -> Option<(Option<Vec<Instance>>, Option<String>)> {
        let centers = || self.centers.values();
        let answered = |it: &DataCenter| it.instances.is_some() || it.problem.is_some();
        if !centers().all(answered) {
            return None;
        }
        let problems = self.problem.iter().cloned();
        let of_centers = self.centers.iter().filter_map(|(name, it)| {
            let problem = it.problem.as_ref()?;
            Some(format!("data centre {name}: {problem}"))
        });
        let problems: Vec<_> = problems.chain(of_centers).collect();
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        let found = centers().any(|it| it.instances.is_some());
        let instances = centers().filter_map(|it| it.instances.as_ref()).flatten();
        Some((found.then(|| instances.cloned().collect()), problem))
    }
}

#[cfg(test)]
mod tests;
