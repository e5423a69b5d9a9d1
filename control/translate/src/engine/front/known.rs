//! What the Gateway API's translation may ask of the objects that there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenon_model::gateway_api::ReferenceGrant;
use tenon_model::{Kind, Object, ObjectKey, Spec};

use super::super::Objects;
use crate::gateway_api::Known;

impl Known for Objects {
    fn object(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        Objects::object(self, key)
    }

    fn routes(&self, namespace: Option<&str>, label: Option<&str>) -> Vec<&Arc<Object>> {
        if let Some(label) = label {
            let keys = self.labelled.of(label, namespace);
            return keys.filter_map(|key| self.object(key)).collect();
        }
        let first = ObjectKey {
            kind: Kind::HttpRoute,
            namespace: namespace.unwrap_or_default().into(),
            name: "".into(),
        };
        let routes = self.from(&first).take_while(|(key, _)| {
            key.kind == Kind::HttpRoute && namespace.is_none_or(|it| *key.namespace == *it)
        });
        routes.filter_map(|(_, entry)| entry.served()).collect()
    }

    fn spec(&self, key: &ObjectKey) -> Option<&Spec> {
        self.object(key).map(|object| &object.spec)
    }

    fn is_there(&self, key: &ObjectKey) -> bool {
        self.has(key)
    }

    fn labels(&self, key: &ObjectKey) -> Option<&BTreeMap<String, String>> {
        self.object(key).map(|object| &object.labels)
    }

    fn grants(&self, namespace: &str) -> Vec<&ReferenceGrant> {
        let first = crate::gateway_api::grants_key(namespace);
        let own = self.from(&first).take_while(|(key, _)| {
            key.kind == Kind::ReferenceGrant && *key.namespace == *namespace
        });
        let specs = own.filter_map(|(_, entry)| Some(&entry.object.as_ref()?.spec));
        let grants = specs.filter_map(|spec| match spec {
            Spec::ReferenceGrant(grant) => Some(&**grant),
            _ => None,
        });
        grants.collect()
    }
}
