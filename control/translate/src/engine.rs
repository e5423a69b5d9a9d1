//! The incremental engine: units, what they read, and what changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use tenon_model::{
    ConfigMap, Gateway, HeaderSecret, Kind, Object, ObjectKey, ObjectRef, Problem, Secret, Servers,
    Service, Settings, Spec, Upstream,
};

use crate::cluster::{ClusterForm, Secrets, secret_of};
use crate::keyed::{Keyed, Readers};
use crate::keys::Marks;
use crate::kube::{self, Services};
use crate::output::{
    Change, CredentialSource, GenericSecret, ProxyName, Resource, ResourceId, ResourceType, Status,
    TranslatorOptions, Update,
};
use crate::route::Upstreams;
use crate::route_table::MOST_BODY;
use crate::secret_headers;
use crate::transcoder::Transcoder;
use crate::virtual_host::VirtualHostForm;
use groups::GroupUnit;
use tables::{SelectorIndex, TableIndex};

mod anew;
mod clusters;
mod departed;
mod endpoints;
mod external_options;
mod front;
mod groups;
mod host_table;
mod hosts;
mod listeners;
mod lookups;
mod proofs;
mod quarantine;
mod reach;
mod resources;
mod statuses;
mod tables;

/// So many clusters or virtual hosts are worth a thread.
const WORTH_A_THREAD: usize = 64;

/// The proxy of a folder without a Gateway.
const DEFAULT_PROXY: &str = "gateway-proxy";

/// The translation.
///
/// Its state is what was told of the objects; what it tells is a function of that, except that the last good form of an
/// object that broke stays.
pub struct Translator {
    options: TranslatorOptions,
    objects: Objects,
    clusters: Keyed<ObjectKey, Box<ClusterForm>>,
    hosts: Keyed<ObjectKey, HostUnit>,
    groups: BTreeMap<ObjectKey, GroupUnit>,
    /// The gateways whose access logs go to a collector, whose cluster nobody wrote.
    collectors: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// Servers that some listener asks in the place of the Settings'.
    servers: Servers,
    /// How long bodies may be that routes answer with, by the gateway that takes the longest.
    most_body: usize,
    /// Servers that routes say themselves, by their filters, and how many virtual hosts have such routes.
    asked: BTreeMap<String, usize>,
    /// The virtual hosts whose requests may come to routes of others, which may ask them.
    moving: BTreeSet<ObjectKey>,
    /// The gateways that forward requests to whatever host they are for, each of whose ways has a cluster that nobody wrote.
    forward_proxies: BTreeMap<ObjectKey, listeners::Forwarding>,
    /// Where services are found.
    slices: endpoints::Slices,
    /// The upstreams that nobody wrote: those that stand for ports of services.
    in_memory: endpoints::InMemory,
    /// Which clusters looked at a secret or a service.
    readers_of_secrets: Readers,
    /// Which virtual hosts and upstream groups looked at an upstream, a group or a table.
    readers: Readers,
    /// Which virtual hosts looked for tables.
    selectors: SelectorIndex,
    tables: TableIndex,
    /// The last forms of tables that were good wherever they are delegated to.
    good_tables: BTreeMap<ObjectKey, Arc<Object>>,
    /// The last forms of gateways that were good.
    good_gateways: BTreeMap<ObjectKey, Box<Gateway>>,
    /// The headers of secrets that are told.
    told_headers: BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Which upstreams use a generic secret.
    users_of_credentials: Keyed<String, BTreeSet<ObjectKey>>,
    proxies: BTreeSet<ProxyName>,
    listeners: listeners::Listeners,
    front: front::Front,
    reach: reach::Reach,
    resources: Keyed<ResourceId, Arc<Resource>>,
    verdicts: BTreeMap<ResourceId, String>,
    quarantine: quarantine::Quarantine,
    credentials: BTreeMap<String, GenericSecret>,
    credential_problems: BTreeMap<String, String>,
    lookups: lookups::Lookups,
    statuses: Keyed<ObjectKey, Arc<Status>>,
    /// What time it was when that was told last.
    now: Option<i64>,
    /// The last status that was told: most are alike, and then the same one.
    last_status: Arc<Status>,
}

/// The objects, and those of them that are looked for by a label.
#[derive(Default)]
struct Objects {
    entries: Keyed<ObjectKey, Entry>,
    /// The same keys, for those who ask for all of a kind or of a namespace.
    order: BTreeSet<ObjectKey>,
    labelled: front::Labelled,
    departed: departed::Departed,
}

#[derive(Default)]
struct Entry {
    /// The last form that could be parsed.
    object: Option<Arc<Object>>,
    /// Why there is a newer one that could not.
    rejected: Vec<Problem>,
    /// What can be used of that one, where there is no other.
    rest: Option<Arc<Object>>,
    /// An older form of a route, which is served in the place of one that cannot be.
    instead: Option<Arc<Object>>,
}

impl Entry {
    /// What is used: the last form that could be parsed, or what is left of one that could not.
    fn used(&self) -> Option<&Arc<Object>> {
        self.object.as_ref().or(self.rest.as_ref())
    }

    /// The form that is served of what could be parsed.
    fn served(&self) -> Option<&Arc<Object>> {
        self.instead.as_ref().or(self.object.as_ref())
    }

    /// What is worth a warning of certificates at a time.
    fn warning_at(&self, now: Option<i64>) -> Option<String> {
        match &self.object.as_ref()?.spec {
            Spec::Secret(Secret::Tls(tls)) => tls.warning_at(now?),
            _ => None,
        }
    }

    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        self.used().map(|object| &object.labels)
    }
}

/// A virtual host, and what is kept in case that it breaks.
#[derive(Default)]
struct HostUnit {
    /// What is served: the last good form, most of the time.
    form: Arc<VirtualHostForm>,
    /// What is wrong with the newest form.
    problems: Vec<Problem>,
    /// What is wrong with the options that it refers to, where they are used.
    problems_of_options: BTreeSet<(ObjectKey, Problem)>,
    /// The last good form: what the user wrote, and what it came to.
    good: Option<(Arc<Object>, Arc<VirtualHostForm>)>,
}

/// What one `apply` has still to look at, and what it tells.
#[derive(Default)]
struct Work {
    /// There were no clusters before: all are told.
    is_first: bool,
    /// Of the Gateway API.
    front: front::FrontWork,
    clusters: Marks,
    groups: Marks,
    hosts: Marks,
    /// Upstreams whose endpoints may have changed.
    endpoints: Marks,
    /// Upstreams whose clusters and listeners are to be told.
    told: Marks,
    /// Those of them that there were before.
    told_before: BTreeMap<ObjectKey, BTreeSet<(ResourceType, Arc<str>)>>,
    /// Upstreams that other proxies may get than before.
    reached: Marks,
    /// The cluster of requests that go wherever they say may be told.
    forward_proxy: bool,
    /// Credentials that a cluster uses no more.
    credentials: BTreeSet<String>,
    /// Credentials that clusters use, and where they come from.
    sources: BTreeMap<String, CredentialSource>,
    /// Credentials that other proxies may get than before.
    shared: BTreeSet<String>,
    /// Lookups that a cluster needs no more.
    lookups: BTreeSet<String>,
    /// TLS secrets whose resources may change.
    secrets: Marks,
    /// Tables whose newest forms may be good now.
    tables: Marks,
    /// Gateways changed.
    listeners: bool,
    /// Listeners use other files.
    files: bool,
    /// Virtual hosts that changed in the tables that they are in.
    in_tables: Marks,
    /// Virtual services that are served elsewhere than before.
    restated: Marks,
    statuses: Marks,
    /// An Envoy has accepted everything.
    settled: bool,
    /// The route tables of whose virtual hosts an Envoy has accepted all.
    accepted: BTreeSet<ResourceId>,
    /// Of these the last counts of each.
    resources: Vec<(ResourceId, Option<Arc<Resource>>)>,
    told_statuses: Vec<(ObjectKey, Option<Arc<Status>>)>,
    update: Update,
}

impl Translator {
    /// A translator that knows no resources.
    pub fn new(options: TranslatorOptions) -> Self {
        Self {
            options,
            objects: Objects::default(),
            clusters: Keyed::default(),
            hosts: Keyed::default(),
            groups: BTreeMap::new(),
            asked: BTreeMap::new(),
            moving: BTreeSet::new(),
            forward_proxies: BTreeMap::new(),
            slices: endpoints::Slices::default(),
            in_memory: endpoints::InMemory::new(),
            readers_of_secrets: Readers::default(),
            readers: Readers::default(),
            selectors: SelectorIndex::default(),
            tables: TableIndex::default(),
            good_tables: BTreeMap::new(),
            good_gateways: BTreeMap::new(),
            told_headers: BTreeMap::new(),
            users_of_credentials: Keyed::default(),
            proxies: BTreeSet::new(),
            listeners: listeners::Listeners::default(),
            front: front::Front::default(),
            reach: reach::Reach::default(),
            servers: Servers::default(),
            most_body: MOST_BODY,
            collectors: BTreeMap::new(),
            resources: Keyed::default(),
            verdicts: BTreeMap::new(),
            quarantine: quarantine::Quarantine::default(),
            credentials: BTreeMap::new(),
            credential_problems: BTreeMap::new(),
            lookups: lookups::Lookups::default(),
            statuses: Keyed::default(),
            now: None,
            last_status: Arc::new(crate::status::status(Vec::new(), BTreeMap::new())),
        }
    }

    /// Takes in changes and tells what they changed; what did not change is not told again.
    ///
    /// The first call tells the default Gateway, even without changes.
    pub fn apply(&mut self, changes: Vec<Change>) -> Update {
        let mut work = Work {
            is_first: self.clusters.is_empty(),
            listeners: self.proxies.is_empty(),
            ..Work::default()
        };
        let mut changes = in_order(changes);
        if work.is_first {
            // In order, what is collected of them need not be sorted.
            changes.sort_by(|a, b| a.key().cmp(&b.key()));
            self.objects.entries.reserve(changes.len());
            self.statuses.reserve(changes.len());
        }
        for change in changes {
            self.take_in(change, &mut work);
        }
        self.settle(&mut work);
        if self.has_suspects() {
            self.try_suspects(&mut work);
            self.settle(&mut work);
        }
        self.await_answers(&mut work);
        Update {
            resources: work.resources.into_iter().collect(),
            statuses: work.told_statuses.into_iter().collect(),
            ..work.update
        }
    }

    /// The proxies that there are: those that a Gateway names, or the default one.
    pub fn proxies(&self) -> &BTreeSet<ProxyName> {
        &self.proxies
    }

    /// Derives what is to be looked at: what is referred to before what refers to it.
    fn settle(&mut self, work: &mut Work) {
        self.derive_front(work);
        if work.listeners {
            self.take_in_servers(work);
            self.take_in_collectors(work);
            self.take_in_limits(work);
        }
        self.derive_clusters(work);
        for key in work.groups.take() {
            self.derive_group(key, work);
        }
        self.derive_hosts(work);
        // Those of services, which are there for the virtual hosts that name them.
        self.derive_clusters(work);
        self.forget_unused_credentials(work);
        self.forget_unused_lookups(work);
        for key in work.tables.take() {
            self.remember_table(key);
        }
        if std::mem::take(&mut work.listeners) {
            let before = self.listeners.read_by_tcp();
            self.derive_listeners(work);
            self.mark_services(&before, &self.listeners.read_by_tcp(), work);
            // Those of services that gateways name.
            self.derive_clusters(work);
            self.forget_unused_lookups(work);
        }
        self.derive_host_tables(work);
        if std::mem::take(&mut work.forward_proxy) {
            self.take_in_forward_proxies(work);
            self.derive_clusters(work);
        }
        // All listeners and routes are known now, and so is who needs what.
        self.follow_reach(work);
        let told = work.told.take();
        if work.is_first {
            self.resources.reserve(told.len());
            work.resources.reserve(told.len());
        }
        for key in told {
            self.tell_forms(&key, work);
        }
        self.tell_generic_secrets(work);
        if std::mem::take(&mut work.files) {
            self.derive_files(work);
        }
        for key in work.secrets.take() {
            self.derive_secret(&key, work);
        }
        for key in work.endpoints.take() {
            self.derive_endpoints(&key, work);
        }
        self.forget_departed();
        self.restate(work.restated.take(), work);
        self.derive_statuses(work);
    }

    fn take_in(&mut self, change: Change, work: &mut Work) {
        match change {
            Change::Upsert(object) => {
                let key = object.key.clone();
                self.depart(&key, Some(&object));
                self.mark_appearance(&key, true, work);
                self.release_routes(&key, work);
                self.take_in_slice(&key, Some(&object), work);
                self.take_in_service(&key, Some(&object), work);
                self.tables.replace(&key, Some(&object.labels));
                self.objects.relabel(&key, Some(&object));
                let entry = self.objects.entry(&key);
                // Gateways select by labels.
                if entry.labels().is_some_and(|it| *it != object.labels) {
                    work.in_tables.insert(key.clone());
                }
                entry.object = Some(object);
                entry.rejected.clear();
                entry.rest = None;
                self.mark(key, work);
            }
            Change::Reject(key, problems) => self.reject(key, problems, None, work),
            Change::RejectInPart(rest, problems) => {
                self.reject(rest.key.clone(), problems, Some(rest), work);
            }
            Change::Delete(key) => {
                self.depart(&key, None);
                self.mark_appearance(&key, false, work);
                self.release_routes(&key, work);
                self.take_in_slice(&key, None, work);
                self.take_in_service(&key, None, work);
                self.tables.replace(&key, None);
                self.objects.relabel(&key, None);
                self.objects.remove(&key);
                self.mark(key, work);
            }
            Change::Verdict(id, verdict) => {
                // One that is no more needs no verdict; a later one of its name is not to inherit it.
                let Some(resource) = self.resources.get(&id) else {
                    return;
                };
                work.statuses.extend(resource.provenance.iter().cloned());
                if id.kind == ResourceType::Secret {
                    // Listeners tell of their certificates.
                    work.statuses
                        .extend(self.listeners.of_proxy(&id.proxy).cloned());
                }
                match verdict {
                    Some(words) => {
                        self.verdicts.insert(id.clone(), words.clone());
                        self.refuse(&id, &words, work);
                    }
                    None => {
                        self.verdicts.remove(&id);
                    }
                }
            }
            Change::Refused(id, form, words) => {
                let newest = self.resources.get(&id);
                if newest.is_some_and(|newest| newest.version == form.version) {
                    self.take_in(Change::Verdict(id, Some(words)), work);
                } else if id.kind == ResourceType::Route && newest.is_some() {
                    // A newer form of anything else is still to be answered to.
                    self.refuse_older(&id, &form, &words, work);
                }
            }
            Change::Accepted(id, resource) => {
                self.accept(&id, &resource, work);
                self.take_in_answer(&id, &resource, work);
            }
            Change::Connected(proxy, is_connected) => {
                self.take_in_connected(proxy, is_connected, work);
            }
            Change::Settled(proxy) => {
                self.prove(&proxy);
                work.settled = true;
            }
            Change::Time(now) => {
                let then = self.now.replace(now);
                self.forget_forward_proxies(work);
                let secrets = self.objects.of_kind(Kind::Secret);
                let certificates = secrets
                    .filter(|(_, entry)| entry.warning_at(then) != entry.warning_at(Some(now)));
                work.statuses
                    .extend(certificates.map(|(key, _)| key.clone()));
            }
            Change::Found {
                name,
                instances,
                problem,
            } => self.take_in_found(name, instances, problem, work),
            Change::Credentials { name, problem } => {
                // As with resources.
                let Some(users) = self.users_of_credentials.get(&name) else {
                    return;
                };
                work.statuses.extend(users.iter().cloned());
                match problem {
                    Some(problem) => self.credential_problems.insert(name, problem),
                    None => self.credential_problems.remove(&name),
                };
            }
        }
    }

    fn reject(
        &mut self,
        key: ObjectKey,
        problems: Vec<Problem>,
        rest: Option<Arc<Object>>,
        work: &mut Work,
    ) {
        self.mark_appearance(&key, true, work);
        self.release_routes(&key, work);
        let entry = self.objects.entry(&key);
        let before = entry.labels().cloned();
        entry.rejected = problems;
        entry.rest = rest;
        if entry.object.is_none() {
            self.tables.replace(&key, entry.labels());
            // Gateways select by labels.
            if before.as_ref() != entry.labels() {
                work.in_tables.insert(key.clone());
            }
        }
        self.mark(key, work);
    }

    /// Gateways warn of virtual services that are not there, whatever those come to.
    fn mark_appearance(&self, key: &ObjectKey, there: bool, work: &mut Work) {
        work.listeners |= key.kind == Kind::VirtualService
            && self.objects.has(key) != there
            && self.listeners.names(key);
    }

    /// What has to be looked at again when an object changed.
    fn mark(&self, key: ObjectKey, work: &mut Work) {
        self.mark_front(&key, work);
        self.retry_routes(&key, work);
        match key.kind {
            Kind::Gateway | Kind::MatchableHttpGateway | Kind::MatchableTcpGateway => {
                work.listeners = true;
            }
            Kind::Settings if key == *settings_key() => {
                let keys = |kind| self.objects.of_kind(kind).map(|(key, _)| key.clone());
                work.clusters.extend(keys(Kind::Upstream));
                work.clusters.extend(self.in_memory.keys().cloned());
                let of_consul = self
                    .clusters
                    .keys()
                    .filter(|key| endpoints::is_in_memory(key));
                work.clusters.extend(of_consul.cloned());
                work.groups.extend(keys(Kind::UpstreamGroup));
                work.hosts.extend(keys(Kind::VirtualService));
                work.listeners = true;
            }
            // Taken in already.
            Kind::Settings | Kind::EndpointSlice | Kind::Endpoints => {}
            Kind::Pod => {
                let pods = kube::pods_key(&key.namespace);
                work.endpoints
                    .extend(self.readers_of_secrets.of(&pods).cloned());
            }
            Kind::ConfigMap | Kind::Service => {
                work.listeners |= self.listeners.reads(&key);
                for reader in self.readers_of_secrets.of(&key) {
                    work.clusters.insert(reader.clone());
                    work.listeners |= self.listeners.reads(reader);
                    // An upstream without its service is none.
                    self.mark_readers(reader, work);
                }
            }
            Kind::Secret => {
                let mut readers = self.readers_of_secrets.of(&key);
                work.clusters.extend(readers.clone().cloned());
                // What is wrong with a collector is said where its log is.
                work.listeners |= readers.any(|it| self.collectors.contains_key(it));
                work.secrets.insert(key.clone());
                work.listeners |= self.listeners.reads(&key);
                self.mark_readers(&key, work);
            }
            Kind::Upstream => {
                work.clusters.insert(key.clone());
                let servers = &Secrets::settings(&self.objects).servers;
                let asked = |upstream: &ObjectRef| upstream.key(Kind::Upstream) == key;
                work.listeners |= servers.upstreams().any(asked);
                work.listeners |= self.listeners.reads(&key);
                self.mark_readers(&key, work);
            }
            Kind::UpstreamGroup => {
                work.groups.insert(key.clone());
                self.mark_readers(&key, work);
            }
            Kind::RouteOption | Kind::VirtualHostOption => self.mark_readers(&key, work),
            // The front door's.
            Kind::BackendTlsPolicy
            | Kind::DirectResponse
            | Kind::FunctionCall
            | Kind::GatewayClass
            | Kind::GatewayParameters
            | Kind::GrpcRoute
            | Kind::HttpListenerOption
            | Kind::HttpRoute
            | Kind::KubernetesGateway
            | Kind::ListenerOption
            | Kind::ListenerSet
            | Kind::Namespace
            | Kind::ReferenceGrant
            | Kind::TcpRoute
            | Kind::TlsRoute => {}
            Kind::RouteTable => {
                self.mark_readers(&key, work);
                if let Some(labels) = self.objects.entries.get(&key).and_then(Entry::labels) {
                    let found = self.selectors.readers(&key.namespace, labels);
                    work.hosts.extend(found);
                }
                work.tables.insert(key.clone());
            }
            Kind::VirtualService => {
                work.hosts.insert(key.clone());
            }
        }
        work.statuses.insert(key);
    }

    fn mark_readers(&self, key: &ObjectKey, work: &mut Work) {
        for reader in self.readers.of(key) {
            let readers = match reader.kind {
                Kind::UpstreamGroup => &mut work.groups,
                _ => &mut work.hosts,
            };
            readers.insert(reader.clone());
        }
    }
}

impl Upstreams for Translator {
    fn upstream(&self, reference: &ObjectRef) -> Result<&Upstream, String> {
        let key = reference.key(Kind::Upstream);
        if let Some(any) = lookups::service_of_consul(&key) {
            return Ok(any);
        }
        let spec = match self.clusters.get(&key) {
            Some(form) if !form.is_good() => form.good.as_ref().map(|good| &good.spec),
            _ => match self
                .in_memory
                .get(endpoints::as_it_says(&key).as_ref().unwrap_or(&key))
            {
                Some(upstream) => upstream.as_ref().ok().map(|it| &it.spec),
                None => self.objects.spec(&key),
            },
        };
        match spec {
            Some(Spec::Upstream(upstream)) => Ok(upstream),
            _ if self.objects.has(&key) => Err(format!(
                "upstream {reference} is rejected; its status says why"
            )),
            _ => Err(format!("upstream {reference} does not exist")),
        }
    }

    fn transcoder(&self, reference: &ObjectRef) -> Option<&Transcoder> {
        let form = self.clusters.get(&reference.key(Kind::Upstream))?;
        form.transcoder.as_ref()
    }

    fn settings(&self) -> Cow<'_, Settings> {
        self.settings_of_routes(Secrets::settings(&self.objects))
    }

    fn header_secret(&self, reference: &ObjectRef) -> Result<&HeaderSecret, String> {
        match self.objects.secret(&reference.key(Kind::Secret)) {
            Some(Secret::Header(secret)) => Ok(secret),
            Some(_) => Err("holds no headers".to_owned()),
            None => Err(secret_headers::MISSING.to_owned()),
        }
    }

    fn most_body(&self) -> usize {
        self.most_body
    }

    fn asked(&self) -> Vec<String> {
        self.asked.keys().cloned().collect()
    }

    fn keeps_secrets_home(&self) -> bool {
        self.options.header_secrets_of_upstreams_namespace
    }
}

impl Objects {
    fn object(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.entries.get(key)?.served()
    }

    fn spec(&self, key: &ObjectKey) -> Option<&Spec> {
        self.object(key).map(|object| &object.spec)
    }

    /// Takes in the labels of an object that is about to be replaced.
    fn relabel(&mut self, key: &ObjectKey, new: Option<&Object>) {
        let old = self.entries.get(key);
        let old = old.and_then(|entry| entry.object.as_ref());
        let new = new.map(|object| &object.labels);
        self.labelled
            .replace(key, old.map(|object| &object.labels), new);
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&ObjectKey, &Entry)> {
        let first = ObjectKey {
            kind,
            namespace: Arc::from(""),
            name: Arc::from(""),
        };
        self.from(&first)
            .take_while(move |(key, _)| key.kind == kind)
    }

    /// Those from a key on, in their order.
    fn from(&self, first: &ObjectKey) -> impl Iterator<Item = (&ObjectKey, &Entry)> + use<'_> {
        let keys = self.order.range(first..);
        keys.filter_map(|key| Some((key, self.entries.get(key)?)))
    }

    fn has(&self, key: &ObjectKey) -> bool {
        self.entries.contains_key(key)
    }

    /// That of a key, which is there from now on.
    fn entry(&mut self, key: &ObjectKey) -> &mut Entry {
        self.entries.entry(key.clone()).or_insert_with(|| {
            self.order.insert(key.clone());
            Entry::default()
        })
    }

    fn remove(&mut self, key: &ObjectKey) {
        self.order.remove(key);
        self.entries.remove(key);
    }

    /// Nothing else is served than what was written.
    fn forget_instead(&mut self) {
        self.entries.retain(|_, entry| {
            entry.instead = None;
            true
        });
    }

    fn retain(&mut self, keep: impl Fn(&ObjectKey) -> bool) {
        self.order.retain(&keep);
        self.entries.retain(|key, _| keep(key));
    }
}

impl Services for Objects {
    fn service(&self, reference: &ObjectRef) -> Option<&Service> {
        match self.spec(&kube::service_key(reference))? {
            Spec::Service(service) => Some(service),
            _ => None,
        }
    }
}

impl Secrets for Objects {
    fn secret(&self, key: &ObjectKey) -> Option<&Secret> {
        self.spec(key).and_then(secret_of)
    }

    fn config_map(&self, key: &ObjectKey) -> Option<&ConfigMap> {
        match self.spec(key)? {
            Spec::ConfigMap(map) => Some(map),
            _ => None,
        }
    }

    fn settings(&self) -> &Settings {
        static NONE: LazyLock<Settings> = LazyLock::new(Settings::default);
        match self.spec(settings_key()) {
            Some(Spec::Settings(settings)) => settings,
            _ => &NONE,
        }
    }
}

/// What Envoys say first: it is of what was served so far.
fn in_order(mut changes: Vec<Change>) -> Vec<Change> {
    // Stable.
    changes.sort_by_key(|change| {
        !matches!(
            change,
            Change::Verdict(..)
                | Change::Refused(..)
                | Change::Accepted(..)
                | Change::Settled(_)
                | Change::Connected(..)
        )
    });
    changes
}

/// The only Settings that count, as with Gloo.
fn settings_key() -> &'static ObjectKey {
    static KEY: LazyLock<ObjectKey> = LazyLock::new(|| ObjectKey {
        kind: Kind::Settings,
        namespace: "gloo-system".into(),
        name: "default".into(),
    });
    &KEY
}

#[cfg(test)]
mod tests;
