//! What is not Envoy's yet of what gateways come to: their listeners, and the route tables of these.
//!
//! `Programmed` is about a gateway's listeners, not about the routes that are attached to them: those may change a hundred
//! times a second, and a gateway is not to be told of at each. So a listener is awaited in its newest form, and a route
//! table in any form that is no older than that of the listener, or than what was written last of the gateway and its
//! ListenerSets. One Envoy's word is enough: another one of the same proxy gets the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{Kind, ObjectKey};

use super::super::{Translator, Work};
use super::FrontWork;
use crate::gateway_api::Reason;
use crate::keyed::Keyed;
use crate::names;
use crate::output::{ProxyName, Resource, ResourceId, ResourceType};

/// So many forms of a route table are known of which any will do: of those that were sent, Envoy has answered to all but
/// the last ones.
const MOST_FORMS: usize = 16;

/// What no Envoy has accepted yet.
#[derive(Default)]
pub(in crate::engine) struct Awaited {
    /// The proxies of which an Envoy is connected.
    connected: BTreeSet<ProxyName>,
    /// The versions of the forms of which any will do, the newest last.
    forms: BTreeMap<ProxyName, Keyed<ResourceId, Vec<String>>>,
}

impl Awaited {
    fn forget(&mut self, id: &ResourceId) {
        if let Some(forms) = self.forms.get_mut(&id.proxy) {
            forms.remove(id);
            if forms.is_empty() {
                self.forms.remove(&id.proxy);
            }
        }
    }

    fn await_form(&mut self, id: ResourceId, version: &str, others_will_do: bool) {
        let forms = match others_will_do {
            true => self.forms.get_mut(&id.proxy).and_then(|it| it.get_mut(&id)),
            false => {
                let all = self.forms.entry(id.proxy.clone()).or_default();
                let forms = all.entry(id).or_default();
                forms.clear();
                Some(forms)
            }
        };
        let Some(forms) = forms else {
            return;
        };
        if forms.len() == MOST_FORMS {
            forms.remove(0);
        }
        forms.push(version.to_owned());
    }
}

impl FrontWork {
    /// Notes what a resource of a gateway was before it changes.
    pub(in crate::engine) fn note(
        &mut self,
        id: &ResourceId,
        old: Option<&Arc<Resource>>,
        new: Option<&Arc<Resource>>,
    ) {
        let is_awaited = matches!(id.kind, ResourceType::Listener | ResourceType::Route);
        let of = old.or(new).filter(|_| is_awaited);
        if of.and_then(|it| gateway_of(it)).is_some() {
            let was = self.was.entry(id.clone());
            was.or_insert_with(|| old.cloned());
        }
    }
}

impl Translator {
    /// Takes in whether an Envoy of a proxy is connected.
    pub(in crate::engine) fn take_in_connected(
        &mut self,
        proxy: ProxyName,
        is_connected: bool,
        work: &mut Work,
    ) {
        if self.front.awaited.forms.contains_key(&proxy) {
            let gateways = self.listeners.of_proxy(&proxy);
            let gateways = gateways.filter(|key| names::is_internal(key));
            work.statuses.extend(gateways.cloned());
        }
        let connected = &mut self.front.awaited.connected;
        match is_connected {
            true => connected.insert(proxy),
            false => connected.remove(&proxy),
        };
    }

    /// An Envoy has accepted a resource in this form.
    pub(in crate::engine) fn take_in_answer(
        &mut self,
        id: &ResourceId,
        accepted: &Resource,
        work: &mut Work,
    ) {
        let awaited = &mut self.front.awaited;
        let forms = awaited.forms.get(&id.proxy).and_then(|it| it.get(id));
        if forms.is_some_and(|forms| forms.contains(&accepted.version)) {
            awaited.forget(id);
            work.statuses.extend(gateway_of(accepted).cloned());
        }
    }

    /// Awaits what was changed, and has that told of where an Envoy is connected.
    pub(in crate::engine) fn await_answers(&mut self, work: &mut Work) {
        let written = std::mem::take(&mut work.front.written);
        let was = std::mem::take(&mut work.front.was);
        if was.is_empty() {
            return;
        }
        let was = was.into_unsorted();
        let mut awaited = std::mem::take(&mut self.front.awaited);
        let version = |it: &Arc<Resource>| it.version.clone();
        let changed: Vec<_> = was
            .filter_map(|(id, old)| {
                let new = self.resources.get(&id);
                let gateway = gateway_of(new.or(old.as_ref())?)?.clone();
                let changed = old.as_ref().map(version) != new.map(version);
                changed.then_some((id, gateway))
            })
            .collect();
        let listeners = changed
            .iter()
            .filter(|(id, _)| id.kind == ResourceType::Listener);
        let listeners: BTreeSet<_> = listeners.map(|(id, it)| (&id.proxy, it)).collect();
        for (id, gateway) in &changed {
            if awaited.connected.contains(&id.proxy) {
                work.statuses.insert(gateway.clone());
            }
            // What is served instead of what was refused was accepted before.
            let new = self.resources.get(id).filter(|_| !self.is_refused(id));
            let Some(new) = new else {
                awaited.forget(id);
                continue;
            };
            let is_anew =
                listeners.contains(&(&id.proxy, gateway)) || self.is_written(gateway, &written);
            awaited.await_form(id.clone(), &new.version, !is_anew);
        }
        self.front.awaited = awaited;
        self.derive_statuses(work);
    }

    /// Whether the gateway whose port this is was written, or one of its ListenerSets.
    fn is_written(&self, port: &ObjectKey, written: &BTreeSet<ObjectKey>) -> bool {
        let gateway = self.front.ports.get(port);
        gateway.is_some_and(|gateway| {
            let mut owners = self.front.sets.of(gateway).chain([gateway]);
            owners.any(|it| written.contains(it))
        })
    }

    /// Why what a gateway says of a port is not Envoy's yet: no Envoy has accepted it, of those that are connected.
    pub(super) fn unanswered(&self, port: &ObjectKey) -> Option<Reason> {
        let awaited = &self.front.awaited;
        let connected = awaited.forms.iter();
        let mut connected = connected.filter(|(proxy, _)| awaited.connected.contains(*proxy));
        let proxy = connected.find_map(|(proxy, forms)| {
            let mut asked = self.listeners.asked_for(port, proxy).into_iter();
            asked.any(|id| forms.contains_key(&id)).then_some(proxy)
        })?;
        let text = format!("no Envoy of {proxy} has accepted it yet");
        Some(Reason::new("Pending", text))
    }
}

/// The gateway of the Gateway API that a resource is of.
fn gateway_of(resource: &Resource) -> Option<&ObjectKey> {
    let first = resource.provenance.first()?;
    (first.kind == Kind::Gateway && names::is_internal(first)).then_some(first)
}
