//! The Gateway API: what its objects come to in the terms of the Edge API, which the rest of the translation knows.
//!
//! A gateway's port becomes a `Gateway`, and what its routes say of a host there a `VirtualService`, whose routes have the
//! order that the specification wants. Their names have a `~`, so that nobody can write one. Here is what depends on
//! nothing but objects; `engine/front.rs` keeps it up to date and puts it among the others, so that options, functions,
//! parts of tables and whatever Envoy says of them are the same code for both APIs.

pub(crate) mod attach;
pub(crate) mod backend_tls;
pub(crate) mod backends;
mod call;
pub(crate) mod conditions;
pub(crate) mod delegation;
pub(crate) mod dispute;
mod external_auth;
mod filters;
pub(crate) mod grpc_route;
mod headers;
pub(crate) mod hostname;
pub(crate) mod http_route;
pub(crate) mod listener_sets;
pub(crate) mod listener_tls;
pub(crate) mod listeners;
pub(crate) mod options;
pub(crate) mod overrides;
mod paths;
pub(crate) mod ports;
pub(crate) mod precedence;
mod rule;
mod session;
pub(crate) mod stream_route;
mod tries;
pub(crate) mod within;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::gateway_api::ReferenceGrant;
use tenon_model::{Kind, Object, ObjectKey, Spec};

/// The objects that there are.
pub(crate) trait Known {
    /// The last form of an object that could be read.
    fn spec(&self, key: &ObjectKey) -> Option<&Spec>;
    /// Whether it is there, if only in a form that cannot be read.
    fn is_there(&self, key: &ObjectKey) -> bool;
    /// What it is labelled with.
    fn labels(&self, key: &ObjectKey) -> Option<&BTreeMap<String, String>>;
    /// The whole object.
    fn object(&self, key: &ObjectKey) -> Option<&Arc<Object>>;
    /// The HTTPRoutes of a namespace or of all, with a label for delegation or any.
    fn routes(&self, namespace: Option<&str>, label: Option<&str>) -> Vec<&Arc<Object>>;
    /// What permits references to a namespace.
    fn grants(&self, namespace: &str) -> Vec<&ReferenceGrant>;
}

/// Why something is not as it was asked for: a reason of the specification's, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Reason {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// Objects, and which of them were looked at.
pub(crate) struct Seen<'a, K> {
    known: &'a K,
    reads: RefCell<BTreeSet<ObjectKey>>,
}

impl<'a, K: Known> Seen<'a, K> {
    pub(crate) fn new(known: &'a K) -> Self {
        Self {
            known,
            reads: RefCell::default(),
        }
    }

    pub(crate) fn spec(&self, key: &ObjectKey) -> Option<&'a Spec> {
        self.reads.borrow_mut().insert(key.clone());
        self.known.spec(key)
    }

    pub(crate) fn is_there(&self, key: &ObjectKey) -> bool {
        self.reads.borrow_mut().insert(key.clone());
        self.known.is_there(key)
    }

    pub(crate) fn object(&self, key: &ObjectKey) -> Option<&'a Arc<Object>> {
        self.reads.borrow_mut().insert(key.clone());
        self.known.object(key)
    }

    /// The HTTPRoutes of a namespace or of all, with a label for delegation or any.
    pub(crate) fn routes(&self, namespace: Option<&str>, label: Option<&str>) -> Vec<Arc<Object>> {
        let mut reads = self.reads.borrow_mut();
        reads.insert(delegation::search_key(namespace, label));
        let found = self.known.routes(namespace, label).into_iter();
        let found: Vec<_> = found.cloned().collect();
        // They may come to be others.
        reads.extend(found.iter().map(|object| object.key.clone()));
        found
    }

    /// The labels of a namespace. Kubernetes gives each its name as one; a folder need not have it at all.
    pub(crate) fn labels_of_namespace(&self, namespace: &str) -> BTreeMap<String, String> {
        let key = ObjectKey {
            kind: Kind::Namespace,
            namespace: "".into(),
            name: namespace.into(),
        };
        self.reads.borrow_mut().insert(key.clone());
        let mut labels = self.known.labels(&key).cloned().unwrap_or_default();
        labels
            .entry("kubernetes.io/metadata.name".to_owned())
            .or_insert_with(|| namespace.to_owned());
        labels
    }

    /// Whether an object of another namespace may refer to one: `from` and `to` are group, kind and namespace.
    pub(crate) fn may_refer(
        &self,
        from: (&str, &str, &str),
        to: (&str, &str, &str),
        name: &str,
    ) -> bool {
        if from.2 == to.2 {
            return true;
        }
        self.reads.borrow_mut().insert(grants_key(to.2));
        let grants = self.known.grants(to.2);
        grants
            .iter()
            .any(|grant| grant.permits(from, (to.0, to.1, name)))
    }

    pub(crate) fn into_reads(self) -> BTreeSet<ObjectKey> {
        self.reads.into_inner()
    }
}

/// What stands for all grants of a namespace, among what was looked at.
pub(crate) fn grants_key(namespace: &str) -> ObjectKey {
    ObjectKey {
        kind: Kind::ReferenceGrant,
        namespace: namespace.into(),
        name: "".into(),
    }
}
