//! Credentials: resolved here, ahead of their end, and served as generic secrets; Envoy never asks for any.
//!
//! A secret that cannot be resolved is served as a tombstone with the reason, at once, so that no listener waits for it.
//! Nothing here logs or shows a value.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tenon_contract::SecretBlob;
use tenon_translate::{Change, CredentialSource, GenericSecret};
use tenon_xds::{Cache, Urgency};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::metrics::Metrics;

mod aws;
mod gcp;

pub(crate) use aws::{Aws, Request as AwsRequest};
use gcp::Gcp;

/// Credentials are renewed at least this early, or when a tenth of their life is left, whichever is later.
const EARLY: Duration = Duration::from_secs(300);
/// Credentials without an end are looked at again: a profile may be edited.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// A provider that keeps handing out the same credentials is not asked more often.
const AT_MOST_EVERY: Duration = Duration::from_secs(5);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// The credentials that are served.
pub(crate) struct Credentials {
    cache: Cache,
    metrics: Metrics,
    changes: mpsc::UnboundedSender<Change>,
    providers: Arc<Providers>,
    served: HashMap<String, Served>,
}

/// What has to be resolved.
enum Request {
    Aws(aws::Request),
    Gcp(gcp::Request),
}

/// Credentials, and when they end.
pub(crate) struct Resolved {
    pub(crate) blob: SecretBlob,
    expiry: Option<SystemTime>,
}

/// Who resolves them.
struct Providers {
    aws: Aws,
    gcp: Gcp,
}

impl Request {
    /// What a source asks for, or (`Err`) what it already says.
    fn from_source(source: &CredentialSource) -> Result<Self, SecretBlob> {
        match source.clone() {
            CredentialSource::Unavailable(reason) => Err(SecretBlob::Unavailable(reason)),
            CredentialSource::Azure(keys) => Err(SecretBlob::Azure(keys)),
            CredentialSource::Aws {
                keys: Some(keys),
                role_arn: None,
                ..
            } => Err(SecretBlob::Aws(keys)),
            CredentialSource::Aws {
                keys,
                role_arn,
                disable_role_chaining,
                region,
            } => Ok(Self::Aws(aws::Request {
                keys,
                role_arn,
                straight: disable_role_chaining,
                region,
            })),
            CredentialSource::Gcp {
                audience,
                key,
                service_account,
            } => Ok(Self::Gcp(gcp::Request {
                audience,
                key,
                service_account,
            })),
        }
    }
}

impl Providers {
    /// Resolves credentials; the reason of a failure holds none.
    async fn resolve(&self, request: &Request) -> Result<Resolved, String> {
        match request {
            Request::Aws(request) => self.aws.resolve(request).await,
            Request::Gcp(request) => self.gcp.resolve(request).await,
        }
    }
}

struct Served {
    source: CredentialSource,
    /// Resolves and renews it.
    task: Option<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Credentials {
    /// No credentials yet, and what becomes of those that will be.
    pub(crate) fn new(cache: Cache, metrics: Metrics) -> (Self, mpsc::UnboundedReceiver<Change>) {
        let providers = Providers {
            aws: Aws::new(),
            gcp: Gcp::new(),
        };
        Self::with(cache, metrics, providers)
    }

    fn with(
        cache: Cache,
        metrics: Metrics,
        providers: Providers,
    ) -> (Self, mpsc::UnboundedReceiver<Change>) {
        // A few changes for each secret: bounded by the resources.
        let (changes, receiver) = mpsc::unbounded_channel();
        let credentials = Self {
            cache,
            metrics,
            changes,
            providers: Arc::new(providers),
            served: HashMap::new(),
        };
        (credentials, receiver)
    }

    /// Resolves what is new, and no more what is gone. Each secret has a content when this returns, be it a tombstone; who
    /// gets it, the cache is told with the resources that use it.
    pub(crate) fn apply(&mut self, changed: &BTreeMap<String, Option<GenericSecret>>) {
        for (name, secret) in changed {
            match secret {
                None => {
                    self.served.remove(name);
                    self.metrics.expiry(name, None);
                }
                Some(secret) => self.serve(name, &secret.source),
            }
        }
    }

    fn serve(&mut self, name: &str, source: &CredentialSource) {
        let before = self.served.remove(name);
        if let Some(served) = before.as_ref()
            && served.source == *source
        {
            self.served
                .extend(before.map(|served| (name.to_owned(), served)));
            return;
        }
        let is_new = before.is_none();
        drop(before);
        let task = match Request::from_source(source) {
            Err(blob) => {
                self.metrics.expiry(name, None);
                self.cache.set_secret(name, &blob, Urgency::Replace);
                self.tell_resolved(name, &blob);
                None
            }
            Ok(request) => {
                if is_new {
                    let waiting = SecretBlob::Unavailable("not resolved yet".to_owned());
                    self.cache.set_secret(name, &waiting, Urgency::KeepOlder);
                }
                Some(tokio::spawn(self.renewal(name, is_new).run(request)))
            }
        };
        let source = source.clone();
        self.served.insert(name.to_owned(), Served { source, task });
    }

    /// An earlier source of this name may have had a problem; a tombstone of the translation is not told back to it.
    fn tell_resolved(&self, name: &str, blob: &SecretBlob) {
        if !matches!(blob, SecretBlob::Unavailable(_)) {
            let change = Change::Credentials {
                name: name.to_owned(),
                problem: None,
            };
            // Nobody listens while stopping.
            let _ = self.changes.send(change);
        }
    }

    fn renewal(&self, name: &str, is_new: bool) -> Renewal {
        Renewal {
            name: name.to_owned(),
            cache: self.cache.clone(),
            metrics: self.metrics.clone(),
            changes: self.changes.clone(),
            providers: self.providers.clone(),
            valid_until: None,
            // What a client may still have from an earlier run may be as good as it was; what this process resolved
            // from another source is not to be used.
            without: if is_new {
                Urgency::KeepOlder
            } else {
                Urgency::Replace
            },
        }
    }
}

/// Resolves one secret, and renews it.
struct Renewal {
    name: String,
    cache: Cache,
    metrics: Metrics,
    changes: mpsc::UnboundedSender<Change>,
    providers: Arc<Providers>,
    /// When what is served ends; `None` while nothing good is served.
    valid_until: Option<Validity>,
    without: Urgency,
}

#[derive(Clone, Copy)]
enum Validity {
    Until(SystemTime),
    Forever,
}

impl Renewal {
    async fn run(mut self, request: Request) {
        let mut failures = 0;
        loop {
            let wait = match self.providers.resolve(&request).await {
                Ok(resolved) => {
                    failures = 0;
                    self.resolved(resolved)
                }
                Err(reason) => {
                    failures += 1;
                    self.failed(reason, failures)
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn resolved(&mut self, resolved: Resolved) -> Duration {
        let Resolved { blob, expiry } = resolved;
        self.cache.set_secret(&self.name, &blob, Urgency::Replace);
        self.metrics.expiry(&self.name, expiry);
        self.without = Urgency::Replace;
        self.valid_until = Some(expiry.map_or(Validity::Forever, Validity::Until));
        tracing::info!(secret = self.name, "credentials resolved");
        self.tell(None);
        expiry.map_or(LOOK_AGAIN, |expiry| {
            spread(
                renew_in(remaining(expiry)),
                RandomState::new().hash_one(&self.name),
            )
        })
    }

    /// Credentials that are still valid stay.
    fn failed(&mut self, reason: String, failures: u32) -> Duration {
        tracing::warn!(secret = self.name, reason, "credentials cannot be resolved");
        let retry = retry_in(failures);
        let left = match self.valid_until {
            Some(Validity::Forever) => retry,
            Some(Validity::Until(expiry)) => remaining(expiry),
            None => Duration::ZERO,
        };
        if left.is_zero() {
            self.valid_until = None;
            let tombstone = SecretBlob::Unavailable(reason.clone());
            self.cache.set_secret(&self.name, &tombstone, self.without);
            self.metrics.expiry(&self.name, None);
        }
        self.tell(Some(reason));
        // The tombstone is due when the old ones end.
        if left.is_zero() {
            retry
        } else {
            retry.min(left)
        }
    }

    fn tell(&self, problem: Option<String>) {
        let name = self.name.clone();
        // Nobody listens while stopping.
        let _ = self.changes.send(Change::Credentials { name, problem });
    }
}

fn remaining(expiry: SystemTime) -> Duration {
    expiry.duration_since(SystemTime::now()).unwrap_or_default()
}

/// How long credentials are used that live so much longer.
fn renew_in(life: Duration) -> Duration {
    (life - EARLY.min(life / 10)).max(AT_MOST_EVERY)
}

/// A little earlier, by chance: credentials of many secrets that were resolved together are not renewed all at once.
fn spread(wait: Duration, chance: u64) -> Duration {
    let most = wait / 50;
    let share = (chance % 1_000) as u32;
    (wait - most * share / 1_000).max(AT_MOST_EVERY)
}

/// How long to wait after so many failures in a row.
pub(crate) fn retry_in(failures: u32) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(6));
    doubled.min(LAST_RETRY)
}

#[cfg(test)]
mod tests;
