//! The compiled configuration of the filter.

use std::sync::Arc;

use tenon_contract::{Provider, UpstreamConfig};

use super::call::{Call, Calls};
use super::clock::ProviderClock;
use super::secret::Secrets;
use crate::host::{Host, Level};

/// The upstream of a cluster: compiled once, shared by all workers and tries.
pub struct Upstream {
    pub(super) name: String,
    pub(super) provider: Provider,
    pub(super) max_request_bytes: u64,
    pub(super) max_response_bytes: u64,
    pub(super) secrets: Secrets,
    pub(super) clock: ProviderClock,
    calls: Calls,
}

impl Upstream {
    /// Compiles a configuration.
    pub fn new(config: UpstreamConfig) -> Self {
        Self {
            name: config.upstream,
            secrets: Secrets::new(config.provider.clone()),
            provider: config.provider,
            max_request_bytes: config.max_request_bytes,
            max_response_bytes: config.max_response_bytes,
            clock: ProviderClock::default(),
            calls: Calls::default(),
        }
    }

    /// The upstream's name, as in metrics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The largest message that is held back, in bytes; `None`: requests and responses pass as they come.
    pub fn most_held(&self) -> Option<u64> {
        match self.provider {
            Provider::Aws(_) => Some(self.max_request_bytes.max(self.max_response_bytes)),
            Provider::Gcp(_) => None,
        }
    }

    /// The call under a key of the route's metadata, `None` where it is none of this provider. Nothing at all where the
    /// route has no such key.
    pub(super) fn call(&self, host: &mut impl Host, key: &str) -> Option<Option<Arc<Call>>> {
        let mut reports = Vec::new();
        let call = {
            let text = host.route_metadata(key)?;
            self.calls
                .get(&text, |report| reports.push(report.to_owned()))
                .filter(|call| call.target.is_of(&self.provider))
        };
        for report in reports {
            host.log(Level::Error, &format!("upstream {}: {report}", self.name));
        }
        Some(call)
    }
}
