//! Upstreams that are services of Consul, and where Consul is.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::json;
use tenon_model_derive::Read;

use crate::read::{Fields, Node, Path, Read, Report};
use crate::{
    ConsulService, Problem, ServiceSpec, SubsetSelector, SubsetSpec, Upstream, UpstreamType,
};

/// A service of Consul: those of its instances whose health checks pass.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct ConsulUpstream {
    /// The service's name.
    #[read(with = Node::non_empty)]
    pub service_name: String,
    /// The older name of `subsetTags`, which wins.
    pub service_tags: Vec<String>,
    /// Tags that make parts of it, which routes may name in `subset`: `tag_<tag>` is "1" for instances that have it, and
    /// "0" for others. So is `dc_<name>` for each of `dataCenters`.
    pub subset_tags: Vec<String>,
    /// Only instances that have all of these tags.
    pub instance_tags: Vec<String>,
    /// Only instances that have none of these tags.
    pub instance_blacklist_tags: Vec<String>,
    /// What routes may call of it.
    pub service_spec: Option<ServiceSpec>,
    /// How fresh Consul's answers have to be.
    #[read(name = "consistencyMode", default)]
    pub consistency: ConsistencyMode,
    /// How Consul is asked.
    #[read(default)]
    pub query_options: QueryOptions,
    /// Whether its proxies of Connect are meant, not its instances themselves. Its certificates are for `sslConfig` to say.
    pub connect_enabled: bool,
    /// Only instances in these data centres; where it is left out, in those of the Settings, else in all that there are.
    pub data_centers: Vec<String>,
}

/// How fresh Consul's answers have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Read)]
pub enum ConsistencyMode {
    /// As the leader has it.
    #[default]
    #[read(name = "DefaultMode")]
    Default,
    /// As any server has it.
    #[read(name = "StaleMode")]
    Stale,
    /// As a quorum confirms it.
    #[read(name = "ConsistentMode")]
    Consistent,
}

/// How Consul is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct QueryOptions {
    /// Whether the agent may answer from its cache; it never does in `ConsistentMode`.
    #[read(default = true)]
    pub use_cache: bool,
}

/// Where Consul is (`consul` of the Settings). What is left out is as Consul's own environment variables have it.
#[derive(Clone, PartialEq, Eq, Default, Read)]
#[read(finish = with_address)]
pub struct ConsulSettings {
    /// Host and port of its HTTP API, or its URL: `CONSUL_HTTP_ADDR`, else `127.0.0.1:8500`, where it is left out.
    #[read(with = address)]
    pub http_address: Option<String>,
    /// The older name of `httpAddress`, which wins.
    #[read(with = address)]
    pub address: Option<String>,
    /// The only data centre, where nothing else is said.
    #[read(with = Node::non_empty)]
    pub datacenter: Option<String>,
    /// Whom it is asked as (Basic authentication).
    #[read(with = Node::non_empty)]
    pub username: Option<String>,
    /// The password of `username`.
    #[read(with = Node::non_empty)]
    pub password: Option<String>,
    /// The token of its ACLs: `CONSUL_HTTP_TOKEN`, where it is left out.
    #[read(with = Node::non_empty)]
    pub token: Option<String>,
    /// A file with the roots of its certificate; those of the machine where it is left out.
    #[read(with = Node::non_empty)]
    pub ca_file: Option<String>,
    /// A folder with files of such roots.
    #[read(with = Node::non_empty)]
    pub ca_path: Option<String>,
    /// A file with our certificate.
    #[read(with = Node::non_empty)]
    pub cert_file: Option<String>,
    /// A file with the key of `certFile`.
    #[read(with = Node::non_empty)]
    pub key_file: Option<String>,
    /// Whether any certificate of Consul's will do.
    pub insecure_skip_verify: bool,
    /// How long it may hold back an answer while nothing changes; as Consul has it where it is left out.
    pub wait_time: Option<Duration>,
    /// Which services are looked for.
    #[read(default)]
    pub service_discovery: ServiceDiscovery,
    /// Who resolves names of instances.
    #[read(with = dns)]
    pub dns_address: Option<String>,
    /// How often they are resolved again: 5s where it is left out.
    pub dns_polling_interval: Option<Duration>,
}

/// Which services are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct ServiceDiscovery {
    /// Only those in these data centres.
    pub data_centers: Vec<String>,
}

/// What holds for services that routes name without an upstream (`consulDiscovery` of the Settings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
#[read(
    // Consul is always asked by blocking queries; the rest is about upstreams that are written for all services.
    ignored("edsBlockingQueries", "rootCa", "serviceTagsAllowlist", "splitTlsServices", "tlsTagName"),
    finish = without_tls
)]
pub struct ConsulDiscovery {
    /// How fresh Consul's answers have to be.
    #[read(name = "consistencyMode", default)]
    pub consistency: ConsistencyMode,
    /// How Consul is asked.
    #[read(default)]
    pub query_options: QueryOptions,
    use_tls_tagging: bool,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self { use_cache: true }
    }
}

impl fmt::Debug for ConsulSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without what is secret.
        f.debug_struct("ConsulSettings")
            .field("http_address", &self.http_address)
            .finish_non_exhaustive()
    }
}

impl ConsulService {
    /// The upstream that a route means that names it.
    ///
    /// # Errors
    /// What is wrong with it, which is nothing.
    pub fn as_upstream(&self, discovery: &ConsulDiscovery) -> Result<Upstream, Vec<Problem>> {
        let spec = json!({"consul": {
            "serviceName": self.service_name,
            "instanceTags": self.tags,
            "dataCenters": self.data_centers,
        }});
        let report = Report::new("");
        let upstream = Upstream::read(&Node::new(&spec, Path::Root("spec"), &report));
        let mut upstream = upstream.ok_or_else(|| report.into_problems())?;
        if let UpstreamType::Consul(consul) = &mut upstream.kind {
            consul.consistency = discovery.consistency;
            consul.query_options = discovery.query_options;
        }
        Ok(upstream)
    }
}

impl ConsulUpstream {
    /// The tags that make parts of it.
    pub fn parting_tags(&self) -> BTreeSet<&str> {
        let tags = match self.subset_tags.is_empty() {
            true => &self.service_tags,
            false => &self.subset_tags,
        };
        tags.iter().map(String::as_str).collect()
    }

    /// The parts of it that routes may name, if there are any: by data centre, by tags, and by both (as Gloo).
    pub fn subsets(&self) -> Option<SubsetSpec> {
        let by_data_center: BTreeSet<_> = self.data_centers.iter().map(|it| dc_label(it)).collect();
        let by_tag: BTreeSet<_> = self.parting_tags().into_iter().map(tag_label).collect();
        let mut by_both = by_data_center.clone();
        by_both.extend(by_tag.iter().cloned());
        let mut keys = vec![by_data_center, by_tag, by_both];
        keys.retain(|keys| !keys.is_empty());
        keys.dedup();
        let selectors = keys.into_iter().map(|keys| SubsetSelector {
            keys: keys.into_iter().collect(),
            single_host_per_subset: false,
        });
        let selectors: Vec<_> = selectors.collect();
        (!selectors.is_empty()).then(|| SubsetSpec {
            selectors,
            ..SubsetSpec::default()
        })
    }
}

/// The label of instances that says whether they have a tag.
pub fn tag_label(tag: &str) -> String {
    format!("tag_{tag}")
}

/// The label of instances that says whether they are in a data centre.
pub fn dc_label(data_center: &str) -> String {
    format!("dc_{data_center}")
}

fn with_address(mut read: ConsulSettings, fields: &Fields<'_>) -> Option<ConsulSettings> {
    read.http_address = read.http_address.or(read.address.take());
    if read.cert_file.is_some() != read.key_file.is_some() {
        fields.error_at("certFile", "and keyFile belong together");
    }
    Some(read)
}

fn without_tls(read: ConsulDiscovery, fields: &Fields<'_>) -> Option<ConsulDiscovery> {
    if read.use_tls_tagging {
        fields.warn_at(
            "useTlsTagging",
            "has no effect: write an upstream with sslConfig and instanceTags",
        );
    }
    Some(read)
}

fn address(node: &Node<'_>) -> Option<String> {
    let address = node.non_empty()?;
    let after = match address.split_once("://") {
        None | Some(("http" | "https", _)) => address.split("://").last(),
        Some(_) => None,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:[]/%".contains(c);
    match after {
        Some(after) if !after.is_empty() && after.chars().all(fits) => Some(address),
        _ => node.error(format!(
            "{address:?} is neither host:port nor a URL of http or https"
        )),
    }
}

fn dns(node: &Node<'_>) -> Option<String> {
    let address = node.non_empty()?;
    node.warn(
        "has no effect: names are resolved as the machine does; have it forward Consul's domain",
    );
    Some(address)
}
