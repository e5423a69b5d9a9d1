//! Where requests go.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tenon_model_derive::Read;

use crate::aws::AwsDestination;
use crate::azure::AzureDestination;
use crate::gcp::GcpDestination;
use crate::header::HeaderManipulation;
use crate::options::buffer::BufferPerRoute;
use crate::options::csrf::Csrf;
use crate::options::ext_auth::ExtAuth;
use crate::read::{Fields, Node, Read, ReadFields};
use crate::rest::RestDestination;
use crate::transformation::Transformations;
use crate::{GrpcDestination, ObjectRef, Subset};

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct Destination {
    /// The upstream, or what there is one for without its being written.
    #[read(flatten)]
    pub to: DestinationType,
    /// Which function of it, and how.
    #[read(name = "destinationSpec", with = read_spec)]
    pub spec: Option<DestinationSpec>,
    /// Which part of it: the labels of its endpoints.
    pub subset: Option<Subset>,
}

/// An upstream, or what there is one for without its being written.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum DestinationType {
    /// An upstream.
    Upstream(ObjectRef),
    /// A port of a service of Kubernetes.
    Kube(KubernetesService),
    /// A service of Consul.
    Consul(ConsulService),
    /// Nothing: this share is answered with 500.
    #[read(skip)]
    Nowhere,
}

/// A port of a service of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct KubernetesService {
    /// The service.
    #[read(name = "ref")]
    pub service: ObjectRef,
    /// The number of its port.
    #[read(range(1, 65_535))]
    pub port: u16,
    /// It is spoken to in HTTP/2 whatever the service says of itself, as the Gateway API has it for gRPC.
    #[read(skip)]
    pub http2: bool,
}

/// A service of Consul.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ConsulService {
    /// Its name.
    #[read(with = Node::non_empty)]
    pub service_name: String,
    /// Only its instances with all of these tags.
    pub tags: Vec<String>,
    /// Only its instances in these data centres.
    pub data_centers: Vec<String>,
}

/// Which function of an upstream is called, and how.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum DestinationSpec {
    /// Of AWS Lambda.
    Aws(AwsDestination),
    /// Of Azure Functions.
    Azure(AzureDestination),
    /// Of Google's.
    Gcp(GcpDestination),
    /// Of a service that templates make requests for.
    Rest(Box<RestDestination>),
    /// Of a service of gRPC.
    Grpc(GrpcDestination),
}

/// Several destinations, each for a share of the requests.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = weighed)]
pub struct MultiDestination {
    /// The destinations, with their shares.
    #[read(required)]
    pub destinations: Vec<WeightedDestination>,
}

/// Where a share of the requests goes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct WeightedDestination {
    /// Where.
    pub destination: Destination,
    /// The share: as much of the requests as this is of the sum of all.
    #[read(default)]
    pub weight: u32,
    /// What is done with this share besides.
    #[read(default, with = read_options)]
    pub options: WeightedDestinationOptions,
}

/// What is done with a share of the requests besides forwarding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(refused(extensions = "they are for plugins of Gloo's; say it with Tenon's own fields"))]
pub struct WeightedDestinationOptions {
    /// Headers to add and remove.
    #[read(default, name = "headerManipulation")]
    pub headers: HeaderManipulation,
    /// What is changed of requests and responses, in the place of what the route says.
    #[read(flatten)]
    pub transformations: Option<Transformations>,
    /// Asking a server whether a request may pass.
    pub extauth: Option<Box<ExtAuth>>,
    /// Whether bodies of requests are held back until they are there as a whole.
    pub buffer_per_route: Option<BufferPerRoute>,
    /// Requests that another site has a browser send.
    pub csrf: Option<Box<Csrf>>,
    /// What takes the place of the host, as the Gateway API has it.
    #[read(skip)]
    pub host_rewrite: Option<String>,
}

/// What the name of an upstream begins with that stands for a port of a service (Gloo's `FakeUpstreamNamePrefix`).
const STANDS_FOR: &str = "kube-svc:";
/// What it ends with where the service is spoken to in HTTP/2, whatever it says of itself.
const IN_HTTP2: &str = ";h2";
/// What the name of one begins with that stands for a service of Consul.
const STANDS_FOR_CONSUL: &str = "consul-svc:";
/// Where all of those are.
const NAMESPACE: &str = "gloo-system";
/// What begins its tags and its data centres, if only some are meant.
const TAGS: &str = ";tags=";
const DATA_CENTERS: &str = ";dcs=";

impl Destination {
    /// The upstream; of what has none that is written, the one that there is in memory.
    pub fn upstream(&self) -> ObjectRef {
        self.to.upstream()
    }
}

impl DestinationType {
    /// The upstream; of what has none that is written, the one that there is in memory.
    pub fn upstream(&self) -> ObjectRef {
        match self {
            Self::Upstream(upstream) => upstream.clone(),
            Self::Kube(to) => to.upstream(),
            Self::Consul(to) => to.upstream(),
            // No upstream has an empty name.
            Self::Nowhere => ObjectRef {
                namespace: "".into(),
                name: "".into(),
            },
        }
    }

    /// The upstream's namespace.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Upstream(upstream) => &upstream.namespace,
            Self::Kube(to) => &to.service.namespace,
            Self::Consul(_) => NAMESPACE,
            Self::Nowhere => "",
        }
    }

    /// The name of its field.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Upstream(_) | Self::Nowhere => "upstream",
            Self::Kube(_) => "kube",
            Self::Consul(_) => "consul",
        }
    }
}

impl KubernetesService {
    /// The upstream that there is in memory for the port of a service.
    pub fn upstream(&self) -> ObjectRef {
        let ObjectRef { namespace, name } = &self.service;
        let end = if self.http2 { IN_HTTP2 } else { "" };
        ObjectRef {
            namespace: namespace.clone(),
            name: format!("{STANDS_FOR}{namespace}-{name}-{}{end}", self.port).into(),
        }
    }

    /// What an upstream of that name stands for.
    pub fn of_upstream(reference: &ObjectRef) -> Option<Self> {
        let name = reference.name.strip_prefix(STANDS_FOR)?;
        let name = name
            .strip_prefix(&*reference.namespace)?
            .strip_prefix('-')?;
        let (name, http2) = match name.strip_suffix(IN_HTTP2) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (name, port) = name.rsplit_once('-')?;
        Some(Self {
            service: ObjectRef {
                namespace: reference.namespace.clone(),
                name: name.into(),
            },
            port: port.parse().ok()?,
            http2,
        })
    }
}

impl ConsulService {
    /// The upstream that there is in memory for the service, or for those of its instances that are meant: equal ones have
    /// the same.
    pub fn upstream(&self) -> ObjectRef {
        let several = |several: &[String]| {
            let sorted: BTreeSet<_> = several.iter().map(|it| escape(it)).collect();
            sorted.into_iter().collect::<Vec<_>>().join(",")
        };
        let mut name = format!("{STANDS_FOR_CONSUL}{}", escape(&self.service_name));
        for (begin, these) in [(TAGS, &self.tags), (DATA_CENTERS, &self.data_centers)] {
            if !these.is_empty() {
                name += begin;
                name += &several(these);
            }
        }
        ObjectRef {
            namespace: NAMESPACE.into(),
            name: name.into(),
        }
    }

    /// What an upstream of that name stands for.
    pub fn of_upstream(reference: &ObjectRef) -> Option<Self> {
        let name = reference.name.strip_prefix(STANDS_FOR_CONSUL)?;
        let name = (*reference.namespace == *NAMESPACE).then_some(name)?;
        let several = |text: &str| text.split(',').map(unescape).collect::<Option<Vec<_>>>();
        let (name, data_centers) = match name.split_once(DATA_CENTERS) {
            Some((name, text)) => (name, several(text)?),
            None => (name, Vec::new()),
        };
        let (name, tags) = match name.split_once(TAGS) {
            Some((name, text)) => (name, several(text)?),
            None => (name, Vec::new()),
        };
        Some(Self {
            service_name: unescape(name)?,
            tags,
            data_centers,
        })
    }
}

/// A text of letters, digits and `-._~` for any text, as in a URL.
fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn unescape(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// All but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl DestinationSpec {
    /// The name of its field below `destinationSpec`.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Aws(_) => "aws",
            Self::Azure(_) => "azure",
            Self::Gcp(_) => "gcp",
            Self::Rest(_) => "rest",
            Self::Grpc(_) => "grpc",
        }
    }
}

fn weighed(read: MultiDestination, fields: &Fields<'_>) -> Option<MultiDestination> {
    let weights = read.destinations.iter().map(|it| u64::from(it.weight));
    let total: u64 = weights.sum();
    if total == 0 || u32::try_from(total).is_err() {
        fields.error(format!(
            "the weights add up to {total}; expected 1 to {}",
            u32::MAX
        ));
    }
    Some(read)
}

fn read_spec(node: &Node<'_>) -> Option<DestinationSpec> {
    node.object(DestinationSpec::read_fields)
}

const INHERIT: &str = "stagedTransformations.inheritTransformation";
/// Gloo merges rules of routes and virtual hosts only (`converter.go`).
const NO_PARENT: &str = "has no effect on a destination, as with Gloo: its transformations take the place of the route's";

fn read_options(node: &Node<'_>) -> Option<WeightedDestinationOptions> {
    let options = WeightedDestinationOptions::read(node)?;
    let transformations = options.transformations.as_ref();
    if transformations.is_some_and(|it| it.inherit) {
        node.warn_at(INHERIT, NO_PARENT);
    }
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_service_is_known_by_the_name_of_its_upstream() {
        for http2 in [false, true] {
            let to = KubernetesService {
                service: ObjectRef {
                    namespace: "a-b".into(),
                    name: "c-d".into(),
                },
                port: 80,
                http2,
            };
            assert_eq!(KubernetesService::of_upstream(&to.upstream()), Some(to));
        }
    }

    #[test]
    fn a_service_of_consul_is_known_by_the_name_of_its_upstream() {
        let named = |tags: &[&str], data_centers: &[&str]| ConsulService {
            service_name: "web;tags=x".to_owned(),
            tags: tags.iter().map(|&it| it.to_owned()).collect(),
            data_centers: data_centers.iter().map(|&it| it.to_owned()).collect(),
        };
        for to in [
            named(&[], &[]),
            // In the order in which they are escaped.
            named(&["ü", "a,b"], &[]),
            named(&[], &["dc1"]),
            named(&["a"], &["dc1", "dc2"]),
        ] {
            assert_eq!(ConsulService::of_upstream(&to.upstream()), Some(to));
        }
        let twice = named(&["b", "a", "b"], &["dc2", "dc1"]).upstream();
        assert_eq!(twice, named(&["a", "b"], &["dc1", "dc2"]).upstream());
        assert_eq!(
            &*twice.name,
            "consul-svc:web%3Btags%3Dx;tags=a,b;dcs=dc1,dc2"
        );
        let elsewhere = ObjectRef {
            namespace: "default".into(),
            ..twice
        };
        assert_eq!(ConsulService::of_upstream(&elsewhere), None);
    }
}
