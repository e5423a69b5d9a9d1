//! What goes in and what comes out.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tenon_model::{Object, ObjectKey, Problem, cmp_names};

use crate::gateway_api::conditions::Conditions;
use crate::lookup::{Instance, Lookup};

/// The name of a Gloo proxy, as `gateway-proxy`; an Envoy says which one it is by `node.metadata.role` `<ns>~<proxy>`.
pub type ProxyName = Arc<str>;

/// The xDS types that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// CDS
    Cluster,
    /// EDS
    Endpoint,
    /// LDS
    Listener,
    /// RDS
    Route,
    /// SRDS
    ScopedRoute,
    /// SDS
    Secret,
}

/// What identifies an Envoy resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceId {
    /// The proxy that it is for.
    pub proxy: ProxyName,
    /// Its type.
    pub kind: ResourceType,
    /// Its name in Envoy.
    pub name: Arc<str>,
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_names(&self.proxy, &other.proxy)
            .then_with(|| self.kind.cmp(&other.kind))
            .then_with(|| cmp_names(&self.name, &other.name))
    }
}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An encoded Envoy resource.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// The message itself (not the `Any` around it), encoded once; may hold secrets if it is a [`ResourceType::Secret`].
    pub value: Bytes,
    /// A hash of the content, as xDS version.
    pub version: String,
    /// The objects that it stems from; a NACK of it is theirs.
    pub provenance: Arc<[ObjectKey]>,
}

impl Resource {
    pub(crate) fn new(value: Bytes, provenance: Arc<[ObjectKey]>) -> Arc<Self> {
        Arc::new(Self {
            version: content_hash(&value),
            value,
            provenance,
        })
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold secrets.
        let mut shown = formatter.debug_struct("Resource");
        shown
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Where the credentials of a generic secret come from; whoever serves SDS resolves it.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// There can be none, and why: a tombstone.
    Unavailable(String),
    /// Keys of a function app of Azure's, from a Secret.
    Azure(tenon_contract::AzureKeys),
    /// AWS credentials.
    Aws {
        /// From a Secret; `None`: the default chain (environment, profile, web identity, container, IMDS).
        keys: Option<tenon_contract::AwsCredentials>,
        /// A role to assume with them (or with the chain's), over STS.
        role_arn: Option<String>,
        /// Whether the role is assumed straight from the web identity, without a role in between.
        disable_role_chaining: bool,
        /// The region of STS.
        region: String,
    },
    /// An ID token of Google's.
    Gcp {
        /// For whom it is.
        audience: String,
        /// A service account's key from a Secret; `None`: as the environment has it (a file, the metadata server).
        key: Option<tenon_model::GcpKey>,
        /// The service account that it is to be of, if not of whose credentials there are.
        service_account: Option<String>,
    },
}

/// A generic secret that is to be served.
#[derive(Clone, PartialEq, Eq)]
pub struct GenericSecret {
    /// Where its content comes from.
    pub source: CredentialSource,
    /// The proxies that get it, and no others.
    pub proxies: BTreeSet<ProxyName>,
}

/// A change of the resources.
#[derive(Debug, Clone)]
pub enum Change {
    /// New or changed.
    Upsert(Arc<Object>),
    /// Broken: its last good form (if there is one) stays, its status says why.
    Reject(ObjectKey, Vec<Problem>),
    /// The same, of which some can be used where there is no last good form: routes that are wrong answer for themselves.
    RejectInPart(Arc<Object>, Vec<Problem>),
    /// Gone.
    Delete(ObjectKey),
    /// Envoy's verdict on a resource: the words of a NACK, or `None` once it is accepted again.
    Verdict(ResourceId, Option<String>),
    /// An Envoy has refused a resource in this form, in these words. It may be another one by now.
    Refused(ResourceId, Arc<Resource>, String),
    /// An Envoy has accepted a resource in this form: what is refused of it from now on goes back to this.
    Accepted(ResourceId, Arc<Resource>),
    /// An Envoy of that proxy has accepted all that there is for it, with what it did not ask for.
    Settled(ProxyName),
    /// Whether an Envoy of that proxy is connected, or several are.
    Connected(ProxyName, bool),
    /// What became of credentials: a reason why there are none, or `None` once there are.
    Credentials {
        /// The name of the secret, as in [`Update::credentials`].
        name: String,
        /// Why there are none.
        problem: Option<String>,
    },
    /// What time it is, in seconds since 1970: statuses warn of certificates that expire.
    Time(i64),
    /// What came of a lookup.
    Found {
        /// Its name, as in [`Update::lookups`].
        name: String,
        /// All that was found; `None`: nothing newer than what was told before.
        instances: Option<Arc<[Instance]>>,
        /// Why something could not be found; `None`: all could.
        problem: Option<String>,
    },
}

impl Change {
    /// The object that it is of, if it is of one.
    pub(crate) fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::Upsert(object) | Self::RejectInPart(object, _) => Some(&object.key),
            Self::Reject(key, _) | Self::Delete(key) => Some(key),
            _ => None,
        }
    }

    /// What is broken, and what can be used of it.
    pub fn rejected(key: ObjectKey, problems: Vec<Problem>, rest: Option<Arc<Object>>) -> Self {
        match rest {
            Some(rest) => Self::RejectInPart(rest, problems),
            None => Self::Reject(key, problems),
        }
    }
}

/// What a change changed.
#[derive(Clone, Default)]
pub struct Update {
    /// Envoy resources that are new, changed, or (with `None`) gone.
    pub resources: BTreeMap<ResourceId, Option<Arc<Resource>>>,
    /// Generic secrets that are to be served, by name, or (with `None`) no more.
    pub credentials: BTreeMap<String, Option<GenericSecret>>,
    /// Hosts that are to be looked up, by name, or (with `None`) no more. The same name may come with another lookup: what was
    /// found so far stays until there is an answer.
    pub lookups: BTreeMap<String, Option<Lookup>>,
    /// Statuses that are new, changed, or (with `None`) gone.
    pub statuses: BTreeMap<ObjectKey, Option<Arc<Status>>>,
}

/// The state of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// In use.
    Accepted,
    /// In use, with warnings.
    Warning,
    /// Not in use in this form.
    Rejected,
    /// Not looked at yet.
    Pending,
}

/// The status of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// Why, in a stable order, of a bounded number.
    pub messages: Vec<StatusMessage>,
    /// The same by proxy.
    pub proxies: Arc<ProxyStatuses>,
    /// What became of an object of the Gateway API, in the specification's terms.
    pub conditions: Option<Arc<Conditions>>,
}

/// States and messages by proxy.
pub type ProxyStatuses = BTreeMap<String, (State, Vec<StatusMessage>)>;

/// A line of a status.
pub type StatusMessage = Problem;

/// How to translate.
#[derive(Debug, Clone)]
pub struct TranslatorOptions {
    /// Which host carries the filters: the `.so` or the `.wasm`, and its path on Envoy's machine.
    pub module: Module,
    /// Where the default Gateway binds, in a folder without any.
    pub default_bind: SocketAddr,
    /// With more virtual hosts than this, a route table is cut into parts ([`TranslatorOptions::PARTS_ABOVE`]); with the
    /// `.wasm` it never is.
    pub parts_above: usize,
    /// With more virtual hosts than this it is cut into four times as many parts, and so on with four times as many virtual
    /// hosts ([`TranslatorOptions::MORE_PARTS_ABOVE`]).
    pub more_parts_above: usize,
    /// With more routes than this, those of a virtual host are found by a tree of their paths
    /// ([`TranslatorOptions::TREES_ABOVE`]).
    pub trees_above: usize,
    /// Whether a secret of headers has to be in the namespace of all upstreams that they go to (Gloo's
    /// `HEADER_SECRET_REF_NS_MATCHES_US`).
    pub header_secrets_of_upstreams_namespace: bool,
}

impl TranslatorOptions {
    /// Where one table is as good as many: the parts cost Envoy 1 MB and a connection that is drained once, and save a
    /// part of the 12 us that each virtual host of one table costs it at each change.
    pub const PARTS_ABOVE: usize = 200;
    /// So that a part has 3 to 12 virtual hosts: fewer would be cheaper to change, but each part takes 16 KB of Envoy's
    /// memory.
    pub const MORE_PARTS_ABOVE: usize = 4 * Self::PARTS_ABOVE;
    /// Where a tree costs a request no more than a list: one route that does not match costs it some 20 ns.
    pub const TREES_ABOVE: usize = 64;
}

/// Which host carries the filters, and the path of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// A dynamic module.
    So(String),
    /// A proxy-wasm plugin.
    Wasm(String),
}

/// A name for a content: 32 digits.
pub(crate) fn content_hash(content: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = xxhash_rust::xxh3::xxh3_128(content);
    let mut text = String::with_capacity(32);
    for byte in hash.to_be_bytes() {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(DIGITS[usize::from(digit)].into());
        }
    }
    text
}
