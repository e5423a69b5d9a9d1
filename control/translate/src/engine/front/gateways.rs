//! Gateways, and which of them are ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{Kind, ObjectKey, Spec};

use super::super::{Translator, Work};
use super::{CLASS, DISTRIBUTED};
use crate::gateway_api::conditions::CONTROLLER;
use crate::gateway_api::listeners::GatewayForm;
use crate::gateway_api::{Seen, listener_sets};
use crate::keys::Keys;

/// The ListenerSets that name a gateway.
#[derive(Default)]
pub(super) struct Sets {
    gateways: BTreeMap<ObjectKey, ObjectKey>,
    by_gateway: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
}

impl Sets {
    /// The gateway that a ListenerSet names.
    pub(super) fn gateway(&self, set: &ObjectKey) -> Option<&ObjectKey> {
        self.gateways.get(set)
    }

    /// Those that name a gateway.
    pub(super) fn of<'a>(
        &'a self,
        gateway: &ObjectKey,
    ) -> impl Iterator<Item = &'a ObjectKey> + Clone {
        self.by_gateway.get(gateway).into_iter().flatten()
    }

    /// Takes in which gateway one names now, and tells which it named before.
    fn replace(&mut self, set: &ObjectKey, gateway: Option<&ObjectKey>) -> Option<ObjectKey> {
        let before = match gateway {
            Some(gateway) => self.gateways.insert(set.clone(), gateway.clone()),
            None => self.gateways.remove(set),
        };
        if let Some(all) = before.as_ref().and_then(|it| self.by_gateway.get_mut(it)) {
            all.remove(set);
        }
        if let Some(gateway) = gateway {
            let all = self.by_gateway.entry(gateway.clone()).or_default();
            all.insert(set.clone());
        }
        before
    }
}

impl Translator {
    /// Finds out which gateway a ListenerSet names; that is looked at again, and so is what wants to be attached to the set.
    pub(super) fn derive_set(&mut self, key: ObjectKey, work: &mut Work) {
        work.statuses.insert(key.clone());
        work.statuses.extend(self.front.attaching.of(&key).cloned());
        let new = match self.objects.spec(&key) {
            Some(Spec::ListenerSet(set)) => listener_sets::gateway_of(&key, set),
            _ => None,
        };
        let old = self.front.sets.replace(&key, new.as_ref());
        let gateways = old.into_iter().chain(new);
        for gateway in gateways {
            // Options that name the set, too, are that gateway's.
            work.front.attached.insert(gateway.clone());
            work.front.gateways.insert(gateway);
        }
        let routes = self.front.by_parent.of(&key);
        work.front.routes.extend(routes.cloned());
    }

    /// What a gateway is that has listeners: one itself, or the one that a ListenerSet names.
    pub(super) fn gateway_with(&self, key: &ObjectKey) -> Option<(ObjectKey, &GatewayForm)> {
        let gateway = match key.kind {
            Kind::ListenerSet => self.front.sets.gateway(key)?,
            _ => key,
        };
        let form = self.front.gateways.get(gateway)?;
        Some((gateway.clone(), form))
    }

    pub(super) fn derive_gateway(&mut self, key: ObjectKey, work: &mut Work) {
        for owner in self.front.sets.of(&key).chain([&key]) {
            let options = self.front.attaching.of(owner);
            work.statuses.extend(options.chain([owner]).cloned());
        }
        let sets = self.front.sets.of(&key);
        let sets: Vec<_> = sets.filter_map(|set| self.objects.object(set)).collect();
        let mut reads = Keys::default();
        let new = match self.objects.spec(&key) {
            Some(Spec::KubernetesGateway(gateway)) if self.is_ours(&gateway.gateway_class_name) => {
                let known = Seen::new(&self.objects);
                let form = GatewayForm::new(&key, gateway, &sets, &known);
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
        self.front.readers.reindex(&key, &before, &reads);
        if new.is_some() {
            self.front.reads_of_gateways.insert(key.clone(), reads);
        }
        let old = self.front.gateways.get(&key).cloned();
        if old == new && new.is_some() {
            return;
        }
        // Routes tell why a gateway is none of theirs, too.
        let routes = self.front.by_parent.of(&key);
        work.front.routes.extend(routes.cloned());
        if old == new {
            return;
        }
        work.front.disputes.insert(key.clone());
        // Its listeners are there with what is attached to them.
        work.front.attached.insert(key.clone());
        self.set_standing(&key, (old.as_deref(), new.as_deref()), work);
        self.change_shown((old.as_deref(), new.as_deref()), work);
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
