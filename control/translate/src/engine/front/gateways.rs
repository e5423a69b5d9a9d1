//! Gateways, and which of them are ours.

use std::sync::Arc;

use tenon_model::{Kind, ObjectKey, Spec};

use super::super::{Translator, Work, reindex};
use super::{CLASS, DISTRIBUTED};
use crate::gateway_api::Seen;
use crate::gateway_api::conditions::CONTROLLER;
use crate::gateway_api::listeners::GatewayForm;
use crate::keys::Keys;

impl Translator {
    pub(super) fn derive_gateway(&mut self, key: ObjectKey, work: &mut Work) {
        work.statuses.insert(key.clone());
        work.statuses.extend(self.front.attaching.of(&key).cloned());
        let mut reads = Keys::default();
        let new = match self.objects.spec(&key) {
            Some(Spec::KubernetesGateway(gateway)) if self.is_ours(&gateway.gateway_class_name) => {
                let known = Seen::new(&self.objects);
                let form = GatewayForm::new(&key, gateway, &known);
                reads = known.into_reads().into();
                Some(Arc::new(form))
            }
            _ => None,
        };
        let before = self
            .front
            .reads_of_gateways
            .remove(&key)
            .unwrap_or_default();
        reindex(&mut self.front.readers, &key, &before, &reads);
        if new.is_some() {
            self.front.reads_of_gateways.insert(key.clone(), reads);
        }
        let old = self.front.gateways.get(&key).cloned();
        if old == new && new.is_some() {
            return;
        }
        // Routes tell why a gateway is none of theirs, too.
        let routes = self.front.by_parent.get(&key).into_iter().flatten();
        work.front.routes.extend(routes.cloned());
        if old == new {
            return;
        }
        // Its listeners are there with what is attached to them.
        work.front.attached.insert(key.clone());
        self.set_standing(&key, (old.as_deref(), new.as_deref()), work);
        if [&old, &new].into_iter().flatten().any(|it| it.has_tls()) {
            self.mark_hosts_of(&key, work);
        }
        // Without any there may be the default one.
        work.listeners = true;
        match new {
            Some(new) => self.front.gateways.insert(key.clone(), new),
            None => self.front.gateways.remove(&key),
        };
    }

    fn is_ours(&self, class: &str) -> bool {
        let key = ObjectKey {
            kind: Kind::GatewayClass,
            namespace: "".into(),
            name: class.into(),
        };
        match self.objects.spec(&key) {
            Some(Spec::GatewayClass(it)) => {
                it.controller_name == CONTROLLER && class != DISTRIBUTED
            }
            _ => class == CLASS,
        }
    }
}
