//! Hosts that are not written anywhere: what has to be looked up, and what was found. Who looks is not here: lookups go out
//! with an update, and come back as changes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tenon_model::{ConsistencyMode, ConsulSettings};

use crate::output::CredentialSource;

/// What has to be looked up, for as long as it is wanted. It may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The instances of EC2 that run, of one account in one region.
    Ec2 {
        /// The region.
        region: String,
        /// Who asks.
        credentials: CredentialSource,
    },
    /// The instances of a service of Consul whose health checks pass.
    Consul(ConsulQuery),
}

/// A question to Consul.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsulQuery {
    /// Where it is, and who asks.
    pub agent: Arc<ConsulSettings>,
    /// The service.
    pub service: String,
    /// The data centres that are asked, sorted; none: all that there are.
    pub data_centers: Vec<String>,
    /// How fresh the answer has to be.
    pub consistency: ConsistencyMode,
    /// Whether the agent may answer from its cache.
    pub use_cache: bool,
    /// Whether its proxies of Connect are meant.
    pub connect: bool,
}

/// A host that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instance {
    /// Its address, of EC2 the private one.
    pub ip: Option<IpAddr>,
    /// Its public address, of EC2.
    pub public_ip: Option<IpAddr>,
    /// The port that it listens on, of Consul.
    pub port: Option<u16>,
    /// The name that its address was resolved from.
    pub hostname: Option<String>,
    /// The zone that it is in.
    pub zone: Option<String>,
    /// The data centre that it is in, of Consul.
    pub data_center: Option<String>,
    /// Its tags; those of Consul have no values.
    pub tags: BTreeMap<String, String>,
}
