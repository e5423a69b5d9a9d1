//! What is served, and to whom a change matters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tenon_contract::SecretBlob;
use tenon_model::ObjectKey;
use tenon_translate::{ProxyName, Resource, ResourceId, ResourceType, Update};
use tokio::sync::{Notify, mpsc, watch};

use crate::event::Event;
use crate::secret::{self, Urgency};
use crate::subscription::Name;

/// Events that may wait; when nobody takes them, the streams wait too.
const EVENT_QUEUE: usize = 1024;

type Resources = BTreeMap<Name, Entry>;
pub(crate) type Dirty = BTreeMap<ResourceType, BTreeSet<Name>>;

/// What is served; clones share it.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Mutex<Inner>>,
    live: watch::Sender<bool>,
    pub(crate) events: mpsc::Sender<Event>,
}

/// A resource as it is served.
#[derive(Clone)]
pub struct Served {
    /// The proxy.
    pub proxy: ProxyName,
    /// Its type.
    pub kind: ResourceType,
    /// Its name.
    pub name: Arc<str>,
    /// The resource; that of a secret holds the secret.
    pub resource: Arc<Resource>,
}

impl Served {
    /// The objects that it stems from.
    pub fn provenance(&self) -> &[ObjectKey] {
        &self.resource.provenance
    }
}

/// A resource of a proxy.
pub(crate) struct Entry {
    resource: Arc<Resource>,
    /// The form of it of which was told last that an Envoy accepted it.
    accepted: Weak<Resource>,
}

/// A generic secret: its content comes from elsewhere than the rest, and who gets it with the rest.
#[derive(Default)]
struct SharedSecret {
    content: Option<(Arc<Resource>, Urgency)>,
    /// Nobody else gets it.
    proxies: BTreeSet<ProxyName>,
}

type Secrets = BTreeMap<Name, SharedSecret>;

#[derive(Default)]
pub(crate) struct Inner {
    /// The proxies that there are, whether or not there is anything for them.
    known: BTreeSet<ProxyName>,
    proxies: BTreeMap<ProxyName, BTreeMap<ResourceType, Resources>>,
    secrets: Secrets,
    /// How often something of each has changed.
    generations: BTreeMap<ProxyName, u64>,
    streams: HashMap<u64, Registration>,
    next_stream: u64,
    /// The streams that refuse a resource.
    rejections: HashMap<ResourceId, BTreeSet<u64>>,
}

struct Registration {
    proxy: ProxyName,
    dirty: Dirty,
    wake: Arc<Notify>,
}

/// What one proxy can see of one type.
pub(crate) struct View<'a> {
    own: Option<&'a Resources>,
    shared: Option<(&'a Secrets, &'a str)>,
}

impl View<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Resource>> {
        let own = self.own.and_then(|own| own.get(name));
        own.map(|entry| &entry.resource)
            .or_else(|| Some(&self.secret(name)?.1.0))
    }

    /// A generic secret that the proxy gets.
    fn secret(&self, name: &str) -> Option<(&Name, &(Arc<Resource>, Urgency))> {
        let (secrets, proxy) = self.shared?;
        let (name, secret) = secrets.get_key_value(name)?;
        let content = secret.content.as_ref()?;
        secret.proxies.contains(proxy).then_some((name, content))
    }

    /// A name as the cache has it, so that not each client keeps one of its own.
    pub(crate) fn name(&self, name: &str) -> Name {
        let own = || Some(self.own?.get_key_value(name)?.0);
        let shared = || Some(self.secret(name)?.0);
        own()
            .or_else(shared)
            .map_or_else(|| Name::from(name), Name::clone)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = Name> {
        let own = self.own.into_iter().flat_map(BTreeMap::keys);
        own.chain(self.secrets()).cloned()
    }

    fn secrets(&self) -> impl Iterator<Item = &Name> {
        let all = self.shared.into_iter().flat_map(|(all, _)| all.keys());
        all.filter(|name| self.secret(name).is_some())
    }

    /// Whether an older version that a client has is to be preferred.
    pub(crate) fn keeps_older(&self, name: &str) -> bool {
        self.secret(name)
            .is_some_and(|(_, (_, urgency))| *urgency == Urgency::KeepOlder)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_none_or(BTreeMap::is_empty) && self.secrets().next().is_none()
    }
}

impl Cache {
    /// An empty cache, and what happens on the streams that it is served on. Streams are sent nothing before
    /// [`Cache::go_live`], so that an Envoy that outlived its control plane loses nothing while that one reads its
    /// resources.
    pub fn new() -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        let cache = Self {
            inner: Arc::default(),
            live: watch::Sender::new(false),
            events,
        };
        (cache, receiver)
    }

    /// Says which proxies there are; clients of others are refused. Streams that are open stay.
    pub fn set_proxies(&self, proxies: impl IntoIterator<Item = ProxyName>) {
        self.lock().known = proxies.into_iter().collect();
    }

    /// Whether there is a proxy of this name.
    pub fn has_proxy(&self, name: &str) -> bool {
        self.lock().has_proxy(name)
    }

    /// The proxy that there is, if it is the only one.
    pub fn only_proxy(&self) -> Option<String> {
        let inner = self.lock();
        let mut names = inner.known.iter();
        match (names.next(), names.next()) {
            (Some(only), None) => Some(only.to_string()),
            _ => None,
        }
    }

    /// Takes in the resources of an update, and who gets which generic secret, all at once: so nobody loses a secret before
    /// what uses it.
    pub fn apply(&self, update: &Update) {
        let mut inner = self.lock();
        for (name, secret) in &update.credentials {
            let proxies = secret.as_ref().map(|secret| secret.proxies.clone());
            inner.share(&Name::from(&**name), proxies);
        }
        for (id, resource) in &update.resources {
            inner.put(id, resource.clone());
        }
        inner.wake();
    }

    /// Says what is in a generic secret. Who gets it, and that it is no more, an update says ([`Cache::apply`]).
    pub fn set_secret(&self, name: &str, blob: &SecretBlob, urgency: Urgency) {
        let name = Name::from(name);
        let resource = secret::generic(&name, blob);
        let mut inner = self.lock();
        let secret = inner.secrets.entry(name.clone()).or_default();
        secret.content = Some((resource, urgency));
        let proxies = secret.proxies.clone();
        inner.mark_secret(&name, &proxies);
        inner.wake();
    }

    /// Begins to serve: what was applied so far is the whole configuration.
    pub fn go_live(&self) {
        self.live.send_replace(true);
    }

    /// Waits until it is served.
    pub(crate) async fn is_live(&self) {
        // It holds the sender itself, so this cannot fail.
        let _ = self.live.subscribe().wait_for(|live| *live).await;
    }

    /// Everything that is served, sorted by proxy, type and name.
    pub fn served(&self) -> Vec<Served> {
        let inner = self.lock();
        let own = inner.proxies.iter().flat_map(|(proxy, kinds)| {
            kinds.iter().flat_map(move |(kind, resources)| {
                resources.iter().map(move |(name, entry)| Served {
                    proxy: proxy.clone(),
                    kind: *kind,
                    name: name.clone(),
                    resource: entry.resource.clone(),
                })
            })
        });
        let shared = inner.secrets.iter().flat_map(|(name, secret)| {
            let content = secret.content.iter();
            content.flat_map(move |(resource, _)| {
                secret.proxies.iter().map(move |proxy| Served {
                    proxy: proxy.clone(),
                    kind: ResourceType::Secret,
                    name: name.clone(),
                    resource: resource.clone(),
                })
            })
        });
        let mut all: Vec<_> = own.chain(shared).collect();
        all.sort_by(|a, b| (&a.proxy, a.kind, &a.name).cmp(&(&b.proxy, b.kind, &b.name)));
        all
    }

    /// How often something of a proxy has changed.
    pub fn generation(&self, proxy: &str) -> u64 {
        self.lock().generation(proxy)
    }

    /// The version of a resource that is served.
    pub fn version(&self, id: &ResourceId) -> Option<String> {
        let inner = self.lock();
        let resource = inner.view(&id.proxy, id.kind).get(&id.name)?.clone();
        Some(resource.version.clone())
    }

    /// Whether an Envoy that is connected refuses a resource.
    pub fn is_refused(&self, served: &Served) -> bool {
        let id = ResourceId {
            proxy: served.proxy.clone(),
            kind: served.kind,
            name: served.name.clone(),
        };
        let inner = self.lock();
        let streams = inner.rejections.get(&id);
        streams.is_some_and(|streams| !streams.is_empty())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half-way through a change of several parts.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(crate) fn has_proxy(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    pub(crate) fn view<'a>(&'a self, proxy: &'a str, kind: ResourceType) -> View<'a> {
        View {
            own: self.proxies.get(proxy).and_then(|kinds| kinds.get(&kind)),
            shared: (kind == ResourceType::Secret).then_some((&self.secrets, proxy)),
        }
    }

    pub(crate) fn register(&mut self, proxy: ProxyName) -> (u64, Arc<Notify>) {
        let wake = Arc::new(Notify::new());
        let stream = self.next_stream;
        self.next_stream += 1;
        let registration = Registration {
            proxy,
            dirty: Dirty::new(),
            wake: wake.clone(),
        };
        self.streams.insert(stream, registration);
        (stream, wake)
    }

    pub(crate) fn unregister(&mut self, stream: u64) {
        self.streams.remove(&stream);
        // The entry stays, so that the next client that accepts the resource makes it known.
        for streams in self.rejections.values_mut() {
            streams.remove(&stream);
        }
    }

    pub(crate) fn take_dirty(&mut self, stream: u64) -> Dirty {
        self.streams
            .get_mut(&stream)
            .map(|registration| mem::take(&mut registration.dirty))
            .unwrap_or_default()
    }

    /// Notes that a stream refuses a resource.
    pub(crate) fn refused(&mut self, id: &ResourceId, stream: u64) {
        self.rejections
            .entry(id.clone())
            .or_default()
            .insert(stream);
    }

    /// Notes that a stream accepted a resource; whether it had been refused and is refused by none now.
    pub(crate) fn accepted(&mut self, id: &ResourceId, stream: u64) -> bool {
        let Some(streams) = self.rejections.get_mut(id) else {
            return false;
        };
        streams.remove(&stream);
        let recovered = streams.is_empty();
        if recovered {
            self.rejections.remove(id);
        }
        recovered
    }

    /// Which of these an Envoy of the proxy accepts as the first. Of route tables also forms that are not the newest: under
    /// many edits no other is ever accepted.
    pub(crate) fn first_accepted(
        &mut self,
        proxy: &ProxyName,
        accepted: Vec<(ResourceType, Name, Arc<Resource>)>,
    ) -> Vec<(ResourceId, Arc<Resource>)> {
        let Some(kinds) = self.proxies.get_mut(proxy) else {
            return Vec::new();
        };
        let first = accepted.into_iter().filter_map(|(kind, name, resource)| {
            let entry = kinds.get_mut(&kind)?.get_mut(&name)?;
            let is_newest = Arc::ptr_eq(&entry.resource, &resource);
            let told = entry.accepted.as_ptr();
            let is_told = told == Arc::as_ptr(&resource)
                || (!is_newest && told == Arc::as_ptr(&entry.resource));
            if is_told || !(is_newest || kind == ResourceType::Route) {
                return None;
            }
            entry.accepted = Arc::downgrade(&resource);
            let id = ResourceId {
                proxy: proxy.clone(),
                kind,
                name: name.clone(),
            };
            Some((id, resource))
        });
        first.collect()
    }

    pub(crate) fn has_rejections(&self) -> bool {
        !self.rejections.is_empty()
    }

    /// Gives a generic secret to these proxies and takes it from all others; `None`: it is no more.
    fn share(&mut self, name: &Name, proxies: Option<BTreeSet<ProxyName>>) {
        let before = match proxies.clone() {
            Some(proxies) => {
                let secret = self.secrets.entry(name.clone()).or_default();
                mem::replace(&mut secret.proxies, proxies)
            }
            None => self.secrets.remove(name).unwrap_or_default().proxies,
        };
        let now = proxies.unwrap_or_default();
        let changed = before.symmetric_difference(&now).cloned().collect();
        self.mark_secret(name, &changed);
    }

    fn mark_secret(&mut self, name: &Name, proxies: &BTreeSet<ProxyName>) {
        for stream in self.streams.values_mut() {
            if proxies.contains(&stream.proxy) {
                stream.mark(ResourceType::Secret, name);
            }
        }
    }

    pub(crate) fn generation(&self, proxy: &str) -> u64 {
        self.generations.get(proxy).copied().unwrap_or_default()
    }

    fn put(&mut self, id: &ResourceId, resource: Option<Arc<Resource>>) {
        let name = id.name.clone();
        *self.generations.entry(id.proxy.clone()).or_default() += 1;
        for stream in self.streams.values_mut() {
            if stream.proxy == id.proxy {
                stream.mark(id.kind, &name);
            }
        }
        let kinds = self.proxies.entry(id.proxy.clone()).or_default();
        let resources = kinds.entry(id.kind).or_default();
        match resource {
            Some(resource) => {
                let old = resources.remove(&name);
                let accepted = old.map(|old| old.accepted).unwrap_or_default();
                resources.insert(name, Entry { resource, accepted });
            }
            None => {
                resources.remove(&name);
                self.rejections.remove(id);
            }
        }
    }

    fn wake(&self) {
        for stream in self.streams.values() {
            if !stream.dirty.is_empty() {
                stream.wake.notify_one();
            }
        }
    }
}

impl Registration {
    fn mark(&mut self, kind: ResourceType, name: &Name) {
        self.dirty.entry(kind).or_default().insert(name.clone());
    }
}
