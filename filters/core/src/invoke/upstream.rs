//! The compiled configuration of the filter.

use std::sync::Arc;

use tenon_contract::{Provider, UpstreamConfig};

use super::call::{Call, Calls, Listed};
use super::clock::ProviderClock;
use super::secret::Secrets;
use super::snapshot::Snapshot;
use super::table::{Error, Table};
use crate::host::{Host, Level, Side};
use crate::matching::Matched;

/// The upstream of a cluster: compiled once, shared by all workers and tries.
pub struct Upstream {
    pub(super) name: String,
    pub(super) provider: Provider,
    pub(super) max_request_bytes: u64,
    pub(super) max_response_bytes: u64,
    pub(super) secrets: Secrets,
    pub(super) clock: ProviderClock,
    table: Table,
    calls: Calls,
}

/// The function that a request calls.
pub(super) struct Called {
    pub(super) call: Arc<Call>,
    /// What its path's parameters took, where it was found by them.
    pub(super) matched: Option<Matched>,
}

/// Why a request calls no function.
pub(super) enum NoCall {
    /// The route has no such key.
    NoKey,
    /// What the route says is no call of this provider.
    Unconfigured,
    /// The upstream has none for this method and path.
    NoMatch {
        /// The methods for which it has one at this path.
        allowed: Vec<String>,
    },
}

impl Upstream {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// Its functions cannot be told apart, or are not the provider's.
    pub fn new(config: UpstreamConfig) -> Result<Self, Error> {
        Ok(Self {
            table: Table::compile(config.functions, &config.provider)?,
            name: config.upstream,
            secrets: Secrets::new(config.provider.clone()),
            provider: config.provider,
            max_request_bytes: config.max_request_bytes,
            max_response_bytes: config.max_response_bytes,
            clock: ProviderClock::default(),
            calls: Calls::default(),
        })
    }

    /// The upstream's name, as in metrics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The largest message that is held back, in bytes; `None`: requests and responses pass as they come.
    pub fn most_held(&self) -> Option<u64> {
        match self.provider {
            Provider::Aws(_) | Provider::Rest(_) => {
                Some(self.max_request_bytes.max(self.max_response_bytes))
            }
            Provider::Gcp(_) | Provider::Azure(_) => None,
        }
    }

    /// The call under a key of the route's metadata; `client` is the request, if this is not its first try.
    pub(super) fn call(
        &self,
        host: &mut impl Host,
        key: &str,
        client: Option<&Snapshot>,
    ) -> Result<Called, NoCall> {
        let mut reports = Vec::new();
        let listed = {
            let text = host.route_metadata(key).ok_or(NoCall::NoKey)?;
            self.calls
                .get(&text, (&self.table, &self.provider), |report| {
                    reports.push(report.to_owned());
                })
        };
        for report in reports {
            host.log(Level::Error, &format!("upstream {}: {report}", self.name));
        }
        let called = match listed.as_deref().ok_or(NoCall::Unconfigured)? {
            Listed::Call(call) => Called {
                call: call.clone(),
                matched: None,
            },
            Listed::ByTable(by_table) => {
                let header = |name| host.header(Side::Request, name).unwrap_or_default();
                let matched = match client {
                    Some(client) => self.table.find(client.method(), client.path()),
                    None => self.table.find(&header(":method"), &header(":path")),
                };
                let matched = matched.map_err(|none| NoCall::NoMatch {
                    allowed: none.allowed,
                })?;
                let call = self.table.resolve(by_table, matched.index, &self.provider);
                Called {
                    call: call.ok_or(NoCall::Unconfigured)?,
                    matched: Some(matched),
                }
            }
        };
        match called.call.target.is_of(&self.provider) {
            true => Ok(called),
            false => Err(NoCall::Unconfigured),
        }
    }
}
