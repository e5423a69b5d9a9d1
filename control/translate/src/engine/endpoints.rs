//! Endpoints of upstreams, told beside their clusters: an edit of either is none of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tenon_model::{
    Kind, KubernetesService, Object, ObjectKey, ObjectRef, Problem, ServiceEndpoints, Spec,
    Upstream, UpstreamSsl,
};

use super::lookups::consul_service;
use super::{Objects, Translator, Work};
use crate::cluster::{ClusterForm, Discovered, reference};
use crate::keys::Keys;
use crate::kube::{self, Pods};
use crate::names;
use crate::output::ResourceType;
use crate::route::Upstreams;

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
        name: endpoints.service.as_deref()?.into(),
    };
    Some(kube::service_key(&service))
}

/// The upstreams that stand for ports of services, or what is wrong with the services' annotations.
pub(super) type InMemory = BTreeMap<ObjectKey, Result<Arc<Object>, Vec<Problem>>>;

/// What an upstream stands for that nobody wrote.
pub(super) fn stands_for(key: &ObjectKey) -> Option<KubernetesService> {
    let of_kind = key.kind == Kind::Upstream;
    of_kind.then(|| KubernetesService::of_upstream(&reference(key)))?
}

/// The upstream that stands for the same port, spoken to as the service says itself.
pub(super) fn as_it_says(key: &ObjectKey) -> Option<ObjectKey> {
    let to = stands_for(key).filter(|to| to.http2)?;
    let plain = KubernetesService { http2: false, ..to };
    Some(plain.upstream().key(Kind::Upstream))
}

/// The upstream that stands for the same port, spoken to in HTTP/2 whatever the service says.
fn in_http2(key: &ObjectKey) -> Option<ObjectKey> {
    let to = stands_for(key)?;
    let other = KubernetesService { http2: true, ..to };
    Some(other.upstream().key(Kind::Upstream))
}

/// Whether nobody wrote an upstream: it is there because a route names what it stands for.
pub(super) fn is_in_memory(key: &ObjectKey) -> bool {
    stands_for(key).is_some() || consul_service(key).is_some()
}

/// The upstreams that stand for the ports of a service.
fn standing_for(key: &ObjectKey, object: &Object) -> InMemory {
    let Spec::Service(service) = &object.spec else {
        return InMemory::new();
    };
    let of = reference(key);
    let upstreams = service.ports.iter().map(|port| {
        let to = KubernetesService {
            service: of.clone(),
            port: port.port,
            http2: false,
        };
        let key = to.upstream().key(Kind::Upstream);
        let upstream = service.upstream(&of, port);
        let upstream = upstream.map(|upstream| in_memory(&key, upstream));
        (key, upstream)
    });
    upstreams.collect()
}

fn in_memory(key: &ObjectKey, upstream: Upstream) -> Arc<Object> {
    Arc::new(Object {
        key: key.clone(),
        labels: BTreeMap::new(),
        metadata: None,
        spec: Spec::Upstream(Box::new(upstream)),
        warnings: Vec::new(),
    })
}

/// The same upstream under another key, spoken to in HTTP/2.
fn with_http2(key: &ObjectKey, object: &Object) -> Arc<Object> {
    let mut object = object.clone();
    object.key = key.clone();
    if let Spec::Upstream(upstream) = &mut object.spec {
        upstream.use_http2 = true;
    }
    Arc::new(object)
}

/// The same upstream, over TLS as a policy says it, which counts before what the service says of itself.
fn with_tls(object: &Object, ssl: &UpstreamSsl) -> Arc<Object> {
    let mut object = object.clone();
    if let Spec::Upstream(upstream) = &mut object.spec {
        let mut ssl = ssl.clone();
        if upstream.is_http2() {
            // Servers of gRPC take nobody who does not ask for it.
            ssl.alpn_protocols = vec!["h2".to_owned()];
        }
        upstream.ssl_config = Some(ssl);
    }
    Arc::new(object)
}

impl Translator {
    /// Has the clusters of services looked at that a virtual host names now, or no more.
    pub(super) fn mark_services(&self, before: &Keys, after: &Keys, work: &mut Work) {
        let is_served = |key: &ObjectKey| {
            let form = self.clusters.get(key);
            form.is_some_and(|form| !form.clusters.is_empty())
        };
        let missing = after.iter().filter(|key| !is_served(key));
        let changed = before.symmetric_difference(after).chain(missing);
        let services = changed.filter(|key| is_in_memory(key));
        work.clusters.extend(services.cloned());
    }

    /// The upstream that a key means: the one that was written, or the one that stands for a service that routes name.
    pub(super) fn upstream_object(
        &self,
        key: &ObjectKey,
    ) -> Option<Result<Arc<Object>, Vec<Problem>>> {
        if self.owners(key).is_some() {
            return self.in_memory.get(key).cloned();
        }
        if let Some(service) = consul_service(key) {
            if !self.is_named(key) {
                return None;
            }
            let upstream = service.as_upstream(&Upstreams::settings(self).consul_discovery);
            return Some(upstream.map(|upstream| in_memory(key, upstream)));
        }
        if stands_for(key).is_none() {
            return self.objects.object(key).cloned().map(Ok);
        }
        if !self.is_named(key) {
            return None;
        }
        let found = match as_it_says(key) {
            None => self.in_memory.get(key).cloned()?,
            Some(plain) => {
                let found = self.in_memory.get(&plain)?.as_ref();
                found
                    .map(|object| with_http2(key, object))
                    .map_err(Vec::clone)
            }
        };
        Some(match (self.policy_of(key), found) {
            (Some(ssl), Ok(object)) => Ok(with_tls(&object, ssl)),
            (_, found) => found,
        })
    }

    /// The gateways that have an upstream that nobody wrote.
    pub(super) fn owners(&self, key: &ObjectKey) -> Option<&BTreeSet<ObjectKey>> {
        let collected = self.collectors.get(key);
        collected.or_else(|| Some(&self.forward_proxies.get(key)?.gateways))
    }

    /// Whether a route or a gateway names what an upstream stands for.
    pub(super) fn is_named(&self, key: &ObjectKey) -> bool {
        self.readers.contains_key(key) || self.listeners.reads(key)
    }

    /// Takes in a service, or that it is no more; any other object it leaves alone.
    pub(super) fn take_in_service(
        &mut self,
        key: &ObjectKey,
        new: Option<&Object>,
        work: &mut Work,
    ) {
        if key.kind != Kind::Service {
            return;
        }
        let old = self.objects.object(key).map(|old| standing_for(key, old));
        let old = old.unwrap_or_default();
        let new = new.map(|new| standing_for(key, new)).unwrap_or_default();
        for key in old.keys().chain(new.keys()) {
            let named = in_http2(key).filter(|other| self.is_named(other));
            for reader in named.iter().chain([key]) {
                work.clusters.insert(reader.clone());
                if old.get(key) != new.get(key) {
                    work.listeners |= self.listeners.reads(reader);
                    self.mark_readers(reader, work);
                }
            }
        }
        for key in old.keys() {
            self.in_memory.remove(key);
        }
        self.in_memory.extend(new);
    }

    /// What is wrong with what stands for the ports of a service.
    pub(super) fn problems_of_service(&self, service: &ObjectKey) -> BTreeSet<Problem> {
        let of_service = |reader: &&ObjectKey| {
            stands_for(reader).is_some_and(|to| kube::service_key(&to.service) == *service)
        };
        let readers = self.readers_of_secrets.get(service).into_iter().flatten();
        let forms = readers
            .filter(of_service)
            .filter_map(|key| self.clusters.get(key));
        forms
            .flat_map(|form| form.problems.iter().cloned())
            .collect()
    }

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
        let bytes = form.and_then(|form| self.assignment(key, &name, form));
        self.lookups.remember(key, bytes.clone());
        self.tell(ResourceType::Endpoint, &name, bytes, key, work);
    }

    fn assignment(&self, key: &ObjectKey, name: &str, form: &ClusterForm) -> Option<Bytes> {
        let mut assignment = match form.endpoints.as_ref()? {
            Discovered::Service(part) => {
                let service = kube::service_key(&part.service);
                let slices = self.slices.of(&service, &self.objects);
                part.assignment(name, slices, &self.objects)
            }
            Discovered::Instances(part) => match self.lookups.instances(&part.lookup) {
                Some(found) => part.assignment(name, found),
                // None that it had go before it is known which there are.
                None => return self.lookups.told(key).cloned(),
            },
        };
        if let Some(failover) = &form.failover {
            failover.add_to(&mut assignment);
        }
        Some(Bytes::from(assignment.encode_to_vec()))
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
                (key.kind == Kind::Pod && *key.namespace == *namespace).then_some(entry)
            });
            let mut pods = pods.filter_map(|entry| entry.object.as_ref());
            pods.find(|pod| matches!(&pod.spec, Spec::Pod(pod) if pod.ips.contains(&ip)))
        };
        named.or_else(by_ip).map(|pod| &pod.labels)
    }
}
