//! Upstreams whose hosts are looked up elsewhere: which lookup they need, and which of what is found is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tenon_model::{
    ConsulUpstream, Ec2Upstream, Kind, Problem, Secret, Settings, Tag, TagFilter, dc_label,
    tag_label,
};

use crate::cluster::{ClusterForm, Secrets};
use crate::kube::{self, LB};
use crate::lookup::{ConsulQuery, Instance, Lookup};
use crate::output::CredentialSource;
use crate::wire;

/// Which of the instances that were found an upstream has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstancesPart {
    /// The name of the lookup.
    pub(crate) lookup: String,
    which: Which,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    Ec2 {
        filters: Vec<TagFilter>,
        public_ip: bool,
        port: u16,
    },
    Consul {
        tags: Vec<String>,
        without: Vec<String>,
        /// What is told of each, so that routes may choose by it.
        told: Told,
    },
}

/// The labels of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    tags: BTreeSet<String>,
    data_centers: BTreeSet<String>,
}

/// What an upstream of EC2 needs looked up. All of a region that ask with the same credentials share it.
pub(crate) fn ec2(
    upstream: &Ec2Upstream,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> InstancesPart {
    let asker = match &upstream.secret_ref {
        Some(reference) => format!("secret {reference}"),
        None => "environment".to_owned(),
    };
    let role = upstream.role_arn.as_deref().unwrap_or("no role");
    let name = format!("ec2 {} {asker} {role}", upstream.region);
    let lookup = Lookup::Ec2 {
        region: upstream.region.clone(),
        credentials: credentials(upstream, secrets, form),
    };
    form.lookup = Some((name.clone(), lookup));
    InstancesPart {
        lookup: name,
        which: Which::Ec2 {
            filters: upstream.filters.clone(),
            public_ip: upstream.public_ip,
            port: upstream.port,
        },
    }
}

fn credentials(
    upstream: &Ec2Upstream,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> CredentialSource {
    let keys = match &upstream.secret_ref {
        None => None,
        Some(reference) => {
            let key = reference.key(Kind::Secret);
            let found = secrets.secret(&key);
            form.reads.insert(key);
            let reason = match found {
                Some(Secret::Aws(_)) => None,
                Some(_) => Some(format!("secret {reference} holds no keys of AWS")),
                None => Some(format!("secret {reference} does not exist")),
            };
            if let Some(reason) = reason {
                let problem = Problem::warning("spec.awsEc2.secretRef", reason.clone());
                form.problems.push(problem);
                return CredentialSource::Unavailable(reason);
            }
            match found {
                Some(Secret::Aws(keys)) => Some(keys.clone()),
                _ => None,
            }
        }
    };
    CredentialSource::Aws {
        keys,
        role_arn: upstream.role_arn.clone(),
        disable_role_chaining: false,
        region: upstream.region.clone(),
    }
}

/// What an upstream of Consul needs looked up. All that ask the same of a service share it.
pub(crate) fn consul(
    upstream: &ConsulUpstream,
    settings: &Settings,
    form: &mut ClusterForm,
) -> InstancesPart {
    let agent = &settings.consul;
    let several = [
        &upstream.data_centers,
        &agent.service_discovery.data_centers,
    ];
    let several = several.into_iter().find(|it| !it.is_empty());
    let data_centers: BTreeSet<&String> = match several {
        Some(several) => several.iter().collect(),
        None => agent.datacenter.iter().collect(),
    };
    let data_centers: Vec<String> = data_centers.into_iter().cloned().collect();
    let query = ConsulQuery {
        agent: agent.clone(),
        service: upstream.service_name.clone(),
        data_centers,
        consistency: upstream.consistency,
        use_cache: upstream.query_options.use_cache,
        connect: upstream.connect_enabled,
    };
    let name = format!(
        "consul {:?} {:?} {:?} cache {} connect {}",
        query.service, query.data_centers, query.consistency, query.use_cache, query.connect
    );
    form.lookup = Some((name.clone(), Lookup::Consul(query)));
    let tags = upstream.parting_tags().into_iter();
    InstancesPart {
        lookup: name,
        which: Which::Consul {
            tags: upstream.instance_tags.clone(),
            without: upstream.instance_blacklist_tags.clone(),
            told: Told {
                tags: tags.map(str::to_owned).collect(),
                data_centers: upstream.data_centers.iter().cloned().collect(),
            },
        },
    }
}

impl InstancesPart {
    /// The endpoints, as Envoy takes them.
    pub(crate) fn assignment(
        &self,
        cluster: &str,
        found: &[Instance],
    ) -> wire::ClusterLoadAssignment {
        let mut endpoints = BTreeMap::new();
        for instance in found {
            if let Some(address) = self.which.address(instance) {
                endpoints.entry(address).or_insert(instance);
            }
        }
        let endpoints = endpoints.into_iter().map(|((ip, port), instance)| {
            let mut host = kube::lb_endpoint(ip, port, self.which.metadata(instance));
            if let (Some(endpoint), Some(name)) = (&mut host.endpoint, &instance.hostname) {
                endpoint.hostname.clone_from(name);
            }
            (instance.zone.as_deref(), host)
        });
        wire::ClusterLoadAssignment {
            cluster_name: cluster.to_owned(),
            endpoints: kube::localities(endpoints),
            ..wire::ClusterLoadAssignment::default()
        }
    }

    /// Whether any of the instances is meant.
    pub(crate) fn has_any(&self, found: &[Instance]) -> bool {
        found.iter().any(|it| self.which.address(it).is_some())
    }

    /// The field of the upstream that says which.
    pub(crate) fn field(&self) -> &'static str {
        match &self.which {
            Which::Ec2 { .. } => "spec.awsEc2",
            Which::Consul { .. } => "spec.consul",
        }
    }

    /// What is said where none is meant.
    pub(crate) fn none(&self) -> &'static str {
        match &self.which {
            Which::Ec2 { .. } => "no instance that runs has these tags and such an address",
            Which::Consul { .. } => {
                "Consul has no instance of it that passes its health checks, with these tags"
            }
        }
    }
}

impl Which {
    /// Where an instance listens, if it is one of those that are meant.
    fn address(&self, instance: &Instance) -> Option<(IpAddr, u16)> {
        match self {
            Self::Ec2 {
                filters,
                public_ip,
                port,
            } => {
                let ip = match public_ip {
                    true => instance.public_ip,
                    false => instance.ip,
                };
                let mut filters = filters.iter();
                let meant = filters.all(|filter| is_tagged(instance, filter));
                Some((ip.filter(|_| meant)?, *port))
            }
            Self::Consul { tags, without, .. } => {
                let has = |tag: &String| instance.tags.contains_key(tag);
                let meant = tags.iter().all(has) && !without.iter().any(has);
                Some((instance.ip.filter(|_| meant)?, instance.port?))
            }
        }
    }

    /// What is told of an instance: "1" for what is true, "0" for what is not, as Gloo.
    fn metadata(&self, instance: &Instance) -> Option<wire::Metadata> {
        let Self::Consul { told, .. } = self else {
            return None;
        };
        let flag = |is: bool| if is { "1" } else { "0" }.to_owned();
        let tags = told.tags.iter();
        let tags = tags.map(|tag| (tag_label(tag), flag(instance.tags.contains_key(tag))));
        let data_centers = told.data_centers.iter();
        let data_centers = data_centers.map(|it| {
            let is_there = instance.data_center.as_ref() == Some(it);
            (dc_label(it), flag(is_there))
        });
        let texts: BTreeMap<_, _> = tags.chain(data_centers).collect();
        (!texts.is_empty()).then(|| wire::Metadata::texts(LB, texts))
    }
}

/// Upper and lower case are the same in keys, not in values.
fn is_tagged(instance: &Instance, filter: &TagFilter) -> bool {
    let (key, value) = match &filter.tag {
        Tag::Key(key) => (key, None),
        Tag::KvPair(pair) => (&pair.key, Some(&pair.value)),
    };
    let key = key.to_lowercase();
    let mut tags = instance.tags.iter();
    tags.any(|(name, found)| name.to_lowercase() == key && value.is_none_or(|value| value == found))
}
