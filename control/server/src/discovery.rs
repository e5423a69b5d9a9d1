//! Hosts that are not written anywhere, looked up where they are known: EC2, Consul.
//!
//! What a lookup finds goes to the translation as a change, if it is another one than before. A lookup that fails is tried
//! again, ever more seldom, and takes nothing away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tenon_translate::{Change, CredentialSource, Instance, Lookup};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::credentials::{Aws, AwsRequest, retry_in};

mod consul;
mod ec2;
mod http;

use ec2::Ec2;

/// The longest reason; it ends up in statuses.
const MAX_REASON: usize = 400;

/// The lookups that run.
pub(crate) struct Discovery {
    changes: mpsc::UnboundedSender<Change>,
    aws: Arc<Aws>,
    /// How often EC2 is asked.
    ec2_interval: Duration,
    running: HashMap<String, Running>,
    unanswered: BTreeSet<String>,
}

/// A task that ends with this.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Discovery {
    /// No lookups yet, and what they will find.
    pub(crate) fn new(ec2_interval: Duration) -> (Self, mpsc::UnboundedReceiver<Change>) {
        // A change for each answer that is new: bounded by the lookups.
        let (changes, receiver) = mpsc::unbounded_channel();
        let discovery = Self {
            changes,
            aws: Arc::new(Aws::new()),
            ec2_interval,
            running: HashMap::new(),
            unanswered: BTreeSet::new(),
        };
        (discovery, receiver)
    }

    /// Looks up what is new, and no more what is gone.
    pub(crate) fn apply(&mut self, changed: &BTreeMap<String, Option<Lookup>>) {
        for (name, lookup) in changed {
            // What an earlier lookup of this name finds is not wanted any more.
            self.running.remove(name);
            self.unanswered.remove(name);
            if let Some(lookup) = lookup
                && let Some(task) = self.start(name, lookup)
            {
                self.running.insert(name.clone(), Running(task));
                self.unanswered.insert(name.clone());
            }
        }
    }

    /// Takes note of an answer.
    pub(crate) fn answered(&mut self, change: &Change) {
        if let Change::Found { name, .. } = change {
            self.unanswered.remove(name);
        }
    }

    /// Whether each lookup has had an answer, be it that it failed.
    pub(crate) fn has_all_answers(&self) -> bool {
        self.unanswered.is_empty()
    }

    fn start(&self, name: &str, lookup: &Lookup) -> Option<JoinHandle<()>> {
        let teller = Teller::new(name, self.changes.clone());
        match lookup {
            Lookup::Ec2 {
                region,
                credentials:
                    CredentialSource::Aws {
                        keys,
                        role_arn,
                        disable_role_chaining,
                        ..
                    },
            } => {
                let request = AwsRequest {
                    keys: keys.clone(),
                    role_arn: role_arn.clone(),
                    straight: *disable_role_chaining,
                    region: region.clone(),
                };
                let ec2 = Ec2::new(self.aws.clone(), request, region);
                Some(tokio::spawn(ec2.watch(self.ec2_interval, teller)))
            }
            // The translation has told why already.
            Lookup::Ec2 { .. } => None,
            Lookup::Consul(query) => Some(tokio::spawn(consul::watch(query.clone(), teller))),
        }
    }
}

/// Tells the translation what a lookup finds.
struct Teller {
    name: String,
    changes: mpsc::UnboundedSender<Change>,
    found: Option<Arc<[Instance]>>,
    problem: Option<String>,
    has_told: bool,
}

impl Teller {
    fn new(name: &str, changes: mpsc::UnboundedSender<Change>) -> Self {
        Self {
            name: name.to_owned(),
            changes,
            found: None,
            problem: None,
            has_told: false,
        }
    }

    /// Tells what was found (`None`: nothing newer) and what could not be, if that is new.
    fn tell(&mut self, instances: Option<Vec<Instance>>, problem: Option<String>) {
        let found = instances.map(|mut found| {
            found.sort();
            found.dedup();
            Arc::<[Instance]>::from(found)
        });
        let found = found.filter(|found| self.found.as_ref() != Some(found));
        let problem = problem.map(shortened);
        if let Some(problem) = problem
            .as_ref()
            .filter(|it| self.problem.as_ref() != Some(it))
        {
            tracing::warn!(lookup = self.name, problem, "hosts cannot be looked up");
        }
        if found.is_none() && self.problem == problem && self.has_told {
            return;
        }
        if let Some(found) = &found {
            tracing::debug!(lookup = self.name, hosts = found.len(), "hosts looked up");
            self.found = Some(found.clone());
        }
        self.problem.clone_from(&problem);
        self.has_told = true;
        // Nobody listens while stopping.
        let _ = self.changes.send(Change::Found {
            name: self.name.clone(),
            instances: found,
            problem,
        });
    }
}

/// How long to wait after so many failures in a row: between a half and all of it, by chance, so that those that failed
/// together do not come back together.
fn wait_after(failures: u32) -> Duration {
    let wait = retry_in(failures);
    let share = RandomState::new().hash_one(failures) % 500;
    wait - wait * share as u32 / 1_000
}

fn shortened(mut text: String) -> String {
    if let Some((cut, _)) = text.char_indices().nth(MAX_REASON) {
        text.truncate(cut);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(ip: &str) -> Instance {
        Instance {
            ip: ip.parse().ok(),
            ..Instance::default()
        }
    }

    #[test]
    fn only_what_is_new_is_told() {
        let (changes, mut told) = mpsc::unbounded_channel();
        let mut teller = Teller::new("lookup", changes);
        let mut next = || match told.try_recv() {
            Ok(Change::Found {
                instances, problem, ..
            }) => Some((instances.map(|it| it.len()), problem)),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        // That there is nothing is news, too.
        teller.tell(Some(vec![]), None);
        assert_eq!(next(), Some((Some(0), None)));
        let two = || {
            vec![
                instance("10.0.0.2"),
                instance("10.0.0.1"),
                instance("10.0.0.2"),
            ]
        };
        teller.tell(Some(two()), None);
        assert_eq!(next(), Some((Some(2), None)));
        teller.tell(Some(two()), None);
        assert_eq!(next(), None);
        teller.tell(None, Some("no".to_owned()));
        assert_eq!(next(), Some((None, Some("no".to_owned()))));
        teller.tell(None, Some("no".to_owned()));
        assert_eq!(next(), None);
        // The same as before, after all.
        teller.tell(Some(two()), None);
        assert_eq!(next(), Some((None, None)));
    }

    #[test]
    fn waits_become_longer_and_differ() {
        let waits: BTreeSet<_> = (0..50).map(|_| wait_after(3)).collect();
        assert!(waits.len() > 5, "{waits:?}");
        for wait in waits {
            assert!(
                (Duration::from_secs(2)..=Duration::from_secs(4)).contains(&wait),
                "{wait:?}"
            );
        }
        assert!(wait_after(100) <= Duration::from_secs(60));
    }
}
