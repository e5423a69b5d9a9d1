//! Endpoints of upstreams, told beside their clusters: an edit of either is none of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bytes::Bytes;
use prost::Message;
use tenon_model::{Kind, Object, ObjectKey, ObjectRef, ServiceEndpoints, Spec};

use super::{Objects, Translator, Work};
use crate::kube::{self, Pods, ServicePart};
use crate::names;
use crate::output::ResourceType;

/// Which objects say where a service is found.
#[derive(Default)]
pub(super) struct Slices(BTreeMap<ObjectKey, BTreeSet<ObjectKey>>);

impl Slices {
    fn remove(&mut self, service: &ObjectKey, key: &ObjectKey) {
        if let Some(slices) = self.0.get_mut(service) {
            slices.remove(key);
            if slices.is_empty() {
                self.0.remove(service);
            }
        }
    }

    /// Those of a service: its slices, or its `Endpoints` where it has no slices. Kubernetes keeps both, and mirrors the
    /// one in the others.
    fn of<'a>(
        &self,
        service: &ObjectKey,
        objects: &'a Objects,
    ) -> impl Iterator<Item = &'a ServiceEndpoints> {
        let all = self.0.get(service).into_iter().flatten();
        let is_slice = |key: &&ObjectKey| key.kind == Kind::EndpointSlice;
        let slices = all.clone().any(|key| is_slice(&key));
        all.filter(move |key| is_slice(key) == slices)
            .filter_map(|key| match objects.spec(key)? {
                Spec::Endpoints(endpoints) => Some(&**endpoints),
                _ => None,
            })
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The service whose endpoints an object says.
fn service_of(key: &ObjectKey, spec: &Spec) -> Option<ObjectKey> {
    let Spec::Endpoints(endpoints) = spec else {
        return None;
    };
    let service = ObjectRef {
        namespace: key.namespace.clone(),
        name: endpoints.service.clone()?,
    };
    Some(kube::service_key(&service))
}

impl Translator {
    /// Takes in an object that says where a service is found, or said so; any other it leaves alone.
    pub(super) fn take_in_slice(&mut self, key: &ObjectKey, new: Option<&Object>, work: &mut Work) {
        let old = self
            .objects
            .spec(key)
            .and_then(|spec| service_of(key, spec));
        let new = new.and_then(|object| service_of(key, &object.spec));
        for service in [&old, &new].into_iter().flatten() {
            if let Some(readers) = self.readers_of_secrets.get(service) {
                work.endpoints.extend(readers.iter().cloned());
            }
        }
        if let Some(old) = old {
            self.slices.remove(&old, key);
        }
        if let Some(new) = new {
            self.slices.0.entry(new).or_default().insert(key.clone());
        }
    }

    /// Tells of the endpoints of an upstream that has some of its own.
    pub(super) fn derive_endpoints(&mut self, key: &ObjectKey, work: &mut Work) {
        let name = names::cluster(key);
        let form = self.clusters.get(key);
        let part = form.and_then(|form| form.endpoints.as_ref());
        let assignment = part.map(|part| self.assignment(&name, part));
        let bytes = assignment.map(|it| Bytes::from(it.encode_to_vec()));
        self.tell(ResourceType::Endpoint, &name, bytes, key, work);
    }

    fn assignment(&self, name: &str, part: &ServicePart) -> crate::wire::ClusterLoadAssignment {
        let service = kube::service_key(&part.service);
        let slices = self.slices.of(&service, &self.objects);
        part.assignment(name, slices, &self.objects)
    }
}

impl Pods for Objects {
    fn labels(
        &self,
        pod: Option<&ObjectRef>,
        namespace: &str,
        ip: IpAddr,
    ) -> Option<&BTreeMap<String, String>> {
        let named = pod.and_then(|pod| self.0.get(&pod.key(Kind::Pod))?.object.as_ref());
        let by_ip = || {
            let first = kube::pods_key(namespace);
            let pods = self.0.range(first..).map_while(|(key, entry)| {
                (key.kind == Kind::Pod && key.namespace == namespace).then_some(entry)
            });
            let mut pods = pods.filter_map(|entry| entry.object.as_ref());
            pods.find(|pod| matches!(&pod.spec, Spec::Pod(pod) if pod.ips.contains(&ip)))
        };
        named.or_else(by_ip).map(|pod| &pod.labels)
    }
}
