//! What the server tells about its clients.

use std::sync::Arc;

use tenon_translate::{ProxyName, Resource, ResourceId, ResourceType};

/// Something that happened on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An Envoy opened a stream.
    Connected {
        /// Which proxy it is.
        proxy: ProxyName,
        /// The id of its node.
        node: String,
    },
    /// A stream was ended at once, because its client may not be served.
    Refused(Refusal),
    /// A stream ended.
    Disconnected {
        /// Which proxy it was.
        proxy: ProxyName,
        /// The id of its node.
        node: String,
    },
    /// A response was sent.
    Pushed {
        /// Its type.
        kind: ResourceType,
    },
    /// Envoy refused a resource that it had not refused in this form before.
    Rejected {
        /// Which one.
        id: ResourceId,
        /// In which form.
        form: Arc<Resource>,
        /// Envoy's words.
        text: String,
    },
    /// An Envoy accepted these, as the first of its proxy. An answer to a response is one for each resource in it.
    Accepted(Vec<(ResourceId, Arc<Resource>)>),
    /// No Envoy refuses this resource any more.
    Recovered(ResourceId),
    /// Envoy refused a response.
    Nack {
        /// Its type.
        kind: ResourceType,
    },
    /// A client has accepted or refused all that there is for it; told each time that this becomes so.
    Settled {
        /// Which proxy it is.
        proxy: ProxyName,
        /// The id of its node.
        node: String,
        /// How many resources it refuses.
        rejected: usize,
        /// How often something of the proxy had changed by then ([`crate::Cache::generation`]).
        generation: u64,
    },
}

/// Why a client is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no proxy of the name that it says.
    UnknownProxy,
    /// Its certificate is not for the proxy that it says it is.
    Identity,
}
