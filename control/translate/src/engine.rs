//! The incremental engine: units, what they read, and what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tenon_model::{Gateway, Kind, Object, ObjectKey, ObjectRef, Problem, Secret, Spec, Upstream};
use xxhash_rust::xxh3::xxh3_128;

use crate::cluster::{self, ClusterForm, Secrets, reference, secret_of};
use crate::listener;
use crate::output::{
    Change, CredentialSource, ProxyName, Resource, ResourceId, ResourceType, Status,
    TranslatorOptions, Update,
};
use crate::route::Upstreams;
use crate::virtual_host::{self, VirtualHostForm};
use crate::{names, secret, status};

/// The proxy of a folder without a Gateway.
const DEFAULT_PROXY: &str = "gateway-proxy";

/// The translation.
///
/// Its state is what was told of the objects; what it tells is a function of that, except that the last good form of an
/// object that broke stays.
pub struct Translator {
    options: TranslatorOptions,
    objects: Objects,
    clusters: BTreeMap<ObjectKey, ClusterForm>,
    hosts: BTreeMap<ObjectKey, HostUnit>,
    /// Which clusters looked at a secret.
    readers_of_secrets: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// Which virtual hosts looked at an upstream.
    readers_of_upstreams: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// Which upstreams use a generic secret.
    users_of_credentials: BTreeMap<String, BTreeSet<ObjectKey>>,
    proxies: BTreeSet<ProxyName>,
    listeners: Listeners,
    resources: BTreeMap<ResourceId, Arc<Resource>>,
    verdicts: BTreeMap<ResourceId, String>,
    credentials: BTreeMap<String, CredentialSource>,
    credential_problems: BTreeMap<String, String>,
    statuses: BTreeMap<ObjectKey, Status>,
}

#[derive(Default)]
struct Objects(BTreeMap<ObjectKey, Entry>);

#[derive(Default)]
struct Entry {
    /// The last form that could be parsed.
    object: Option<Arc<Object>>,
    /// Why there is a newer one that could not.
    rejected: Vec<Problem>,
}

/// A virtual host, and what is kept in case that it breaks.
#[derive(Default)]
struct HostUnit {
    /// What is served.
    form: VirtualHostForm,
    /// What is wrong with the newest form.
    problems: Vec<Problem>,
    /// The last good form: what the user wrote, and what it came to.
    good: Option<(Arc<Object>, VirtualHostForm)>,
}

/// What the gateways come to.
#[derive(Default)]
struct Listeners {
    /// Which virtual services are served where.
    served: BTreeMap<ObjectKey, BTreeSet<ProxyName>>,
    /// Which gateways are served where.
    bound: BTreeMap<ObjectKey, BTreeSet<ProxyName>>,
    /// What is wrong with objects beside each other.
    problems: BTreeMap<ObjectKey, BTreeSet<Problem>>,
}

/// What one `apply` has still to look at, and what it tells.
#[derive(Default)]
struct Work {
    clusters: BTreeSet<ObjectKey>,
    hosts: BTreeSet<ObjectKey>,
    /// TLS secrets whose resources may change.
    secrets: BTreeSet<ObjectKey>,
    listeners: bool,
    statuses: BTreeSet<ObjectKey>,
    update: Update,
}

impl Translator {
    /// A translator that knows no resources.
    pub fn new(options: TranslatorOptions) -> Self {
        Self {
            options,
            objects: Objects::default(),
            clusters: BTreeMap::new(),
            hosts: BTreeMap::new(),
            readers_of_secrets: BTreeMap::new(),
            readers_of_upstreams: BTreeMap::new(),
            users_of_credentials: BTreeMap::new(),
            proxies: BTreeSet::new(),
            listeners: Listeners::default(),
            resources: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            credentials: BTreeMap::new(),
            credential_problems: BTreeMap::new(),
            statuses: BTreeMap::new(),
        }
    }

    /// Takes in changes and tells what they changed; what did not change is not told again.
    ///
    /// The first call tells the default Gateway, even without changes.
    pub fn apply(&mut self, changes: Vec<Change>) -> Update {
        let mut work = Work {
            listeners: self.proxies.is_empty(),
            ..Work::default()
        };
        for change in changes {
            self.take_in(change, &mut work);
        }
        for key in std::mem::take(&mut work.clusters) {
            self.derive_cluster(key, &mut work);
        }
        for key in std::mem::take(&mut work.secrets) {
            self.derive_secret(&key, &mut work);
        }
        for key in std::mem::take(&mut work.hosts) {
            self.derive_host(key, &mut work);
        }
        if work.listeners {
            self.derive_listeners(&mut work);
        }
        for key in std::mem::take(&mut work.statuses) {
            self.derive_status(key, &mut work);
        }
        work.update
    }

    fn take_in(&mut self, change: Change, work: &mut Work) {
        match change {
            Change::Upsert(object) => {
                let key = object.key.clone();
                let entry = self.objects.0.entry(key.clone()).or_default();
                entry.object = Some(object);
                entry.rejected.clear();
                self.mark(key, work);
            }
            Change::Reject(key, problems) => {
                let entry = self.objects.0.entry(key.clone()).or_default();
                entry.rejected = problems;
                self.mark(key, work);
            }
            Change::Delete(key) => {
                self.objects.0.remove(&key);
                self.mark(key, work);
            }
            Change::Verdict(id, verdict) => {
                if let Some(resource) = self.resources.get(&id) {
                    work.statuses.extend(resource.provenance.iter().cloned());
                }
                match verdict {
                    Some(words) => self.verdicts.insert(id, words),
                    None => self.verdicts.remove(&id),
                };
            }
            Change::Credentials { name, problem } => {
                if let Some(users) = self.users_of_credentials.get(&name) {
                    work.statuses.extend(users.iter().cloned());
                }
                match problem {
                    Some(problem) => self.credential_problems.insert(name, problem),
                    None => self.credential_problems.remove(&name),
                };
            }
        }
    }

    /// What has to be looked at again when an object changed.
    fn mark(&self, key: ObjectKey, work: &mut Work) {
        match key.kind {
            Kind::Gateway => work.listeners = true,
            Kind::Secret => {
                if let Some(readers) = self.readers_of_secrets.get(&key) {
                    work.clusters.extend(readers.iter().cloned());
                }
                work.secrets.insert(key.clone());
            }
            Kind::Upstream => {
                work.clusters.insert(key.clone());
                if let Some(readers) = self.readers_of_upstreams.get(&key) {
                    work.hosts.extend(readers.iter().cloned());
                }
            }
            Kind::VirtualService => {
                work.hosts.insert(key.clone());
            }
        }
        work.statuses.insert(key);
    }

    fn derive_cluster(&mut self, key: ObjectKey, work: &mut Work) {
        let form = match self.objects.spec(&key) {
            Some(Spec::Upstream(upstream)) => Some(cluster::translate(
                &key,
                upstream,
                &self.options.module,
                &self.objects,
            )),
            _ => None,
        };
        let old = self.clusters.remove(&key);
        let reads = |form: &Option<ClusterForm>| {
            form.as_ref()
                .map(|form| form.reads.clone())
                .unwrap_or_default()
        };
        reindex(
            &mut self.readers_of_secrets,
            &key,
            &reads(&old),
            &reads(&form),
        );
        for form in [&old, &form].into_iter().flatten() {
            work.secrets.extend(form.tls_secrets.iter().cloned());
        }
        self.tell_credentials(&key, old, form.as_ref(), work);
        let bytes = form.as_ref().map(|form| Bytes::from(form.cluster.clone()));
        let name = names::cluster(&key);
        self.tell(ResourceType::Cluster, &name, bytes, &key, work);
        if let Some(form) = form {
            self.clusters.insert(key.clone(), form);
        }
        work.statuses.insert(key);
    }

    /// Tells of the generic secret of a cluster, and of the one that it used before.
    fn tell_credentials(
        &mut self,
        key: &ObjectKey,
        old: Option<ClusterForm>,
        form: Option<&ClusterForm>,
        work: &mut Work,
    ) {
        let old = old.and_then(|form| form.credentials);
        let new = form.and_then(|form| form.credentials.clone());
        if let Some((name, _)) = old
            && new.as_ref().is_none_or(|(new, _)| *new != name)
        {
            let users = self.users_of_credentials.entry(name.clone()).or_default();
            users.remove(key);
            if users.is_empty() {
                self.users_of_credentials.remove(&name);
                self.credentials.remove(&name);
                self.credential_problems.remove(&name);
                work.update.credentials.insert(name, None);
            }
        }
        if let Some((name, source)) = new {
            self.users_of_credentials
                .entry(name.clone())
                .or_default()
                .insert(key.clone());
            if self.credentials.get(&name) != Some(&source) {
                self.credentials.insert(name.clone(), source.clone());
                work.update.credentials.insert(name, Some(source));
            }
        }
    }

    /// The SDS resources of a TLS secret, while a cluster uses it.
    fn derive_secret(&mut self, key: &ObjectKey, work: &mut Work) {
        let reference = reference(key);
        let used = self.readers_of_secrets.get(key).is_some_and(|readers| {
            let uses = |reader| {
                let form: Option<&ClusterForm> = self.clusters.get(reader);
                form.is_some_and(|form| form.tls_secrets.contains(key))
            };
            readers.iter().any(uses)
        });
        let resources = match self.objects.secret(key) {
            Some(Secret::Tls(tls)) if used => secret::translate(&reference, tls),
            _ => Vec::new(),
        };
        for name in [
            names::tls_certificate(&reference),
            names::tls_roots(&reference),
        ] {
            let resource = resources.iter().find(|resource| resource.name == name);
            let bytes = resource.map(|resource| Bytes::from(resource.encode_to_vec()));
            self.tell(ResourceType::Secret, &name, bytes, key, work);
        }
    }

    fn derive_host(&mut self, key: ObjectKey, work: &mut Work) {
        let old = self.hosts.remove(&key);
        let entry = self.objects.0.get(&key);
        let new = entry.map(|entry| self.host_unit(&key, entry, old.as_ref()));
        let empty = VirtualHostForm::default();
        let form_of = |unit: &Option<HostUnit>| unit.as_ref().map(|unit| unit.form.reads.clone());
        reindex(
            &mut self.readers_of_upstreams,
            &key,
            &form_of(&old).unwrap_or_default(),
            &form_of(&new).unwrap_or_default(),
        );
        let before = old.as_ref().map_or(&empty, |unit| &unit.form);
        let after = new.as_ref().map_or(&empty, |unit| &unit.form);
        work.listeners |= !before.same_output(after);
        if let Some(new) = new {
            self.hosts.insert(key.clone(), new);
        }
        work.statuses.insert(key);
    }

    /// Tries the newest form, then the last good one; in the end what is good of the newest.
    fn host_unit(&self, key: &ObjectKey, entry: &Entry, old: Option<&HostUnit>) -> HostUnit {
        let good = old.and_then(|unit| unit.good.clone());
        let translate = |object: &Object| match &object.spec {
            Spec::VirtualService(spec) => virtual_host::translate(key, spec, self),
            _ => VirtualHostForm::default(),
        };
        let Some(object) = &entry.object else {
            return HostUnit::default();
        };
        let newest = translate(object);
        let problems = newest.problems.clone();
        if newest.is_good() {
            let good = match newest.incomplete {
                false => Some((object.clone(), newest.clone())),
                true => good,
            };
            return HostUnit {
                form: newest,
                problems,
                good,
            };
        }
        let Some((good_object, good_form)) = good else {
            return HostUnit {
                form: newest,
                problems,
                good: None,
            };
        };
        let again = translate(&good_object);
        let mut form = match again.is_good() && !again.incomplete {
            true => again,
            // What it refers to is gone too; what was made of it before may still do.
            false => good_form,
        };
        form.reads.extend(newest.reads);
        HostUnit {
            form: form.clone(),
            problems,
            good: Some((good_object, form)),
        }
    }

    fn derive_listeners(&mut self, work: &mut Work) {
        let gateways = self.gateways();
        let proxies: BTreeSet<ProxyName> = gateways
            .iter()
            .flat_map(|(_, gateway)| &gateway.proxy_names)
            .map(|name| ProxyName::from(name.as_str()))
            .collect();
        self.change_proxies(proxies, work);
        let mut listeners = Listeners::default();
        let mut resources = BTreeMap::new();
        let mut bound: BTreeMap<(ProxyName, String), Option<ObjectKey>> = BTreeMap::new();
        for (key, gateway) in &gateways {
            let name = names::listener(gateway);
            let tables = listener::route_tables(&name, self.selected(key, gateway, &mut listeners));
            let listener = Bytes::from(listener::translate(&name, gateway, &self.options.module));
            for proxy in &gateway.proxy_names {
                let proxy = ProxyName::from(proxy.as_str());
                if let Some(owner) = bound.get(&(proxy.clone(), name.clone())) {
                    let owner = owner.as_ref().map(|owner| format!(" of {owner}"));
                    let text = format!(
                        "port {} of {} is bound by the listener{} already",
                        gateway.bind_port,
                        gateway.bind_address,
                        owner.unwrap_or_default()
                    );
                    if let Some(key) = key {
                        listeners.problem(key, Problem::error("spec.bindPort", text));
                    }
                    continue;
                }
                bound.insert((proxy.clone(), name.clone()), key.clone());
                if let Some(key) = key {
                    listeners
                        .bound
                        .entry(key.clone())
                        .or_default()
                        .insert(proxy.clone());
                }
                for host in &tables.served {
                    listeners
                        .served
                        .entry(host.clone())
                        .or_default()
                        .insert(proxy.clone());
                }
                for (host, problem) in &tables.problems {
                    listeners.problem(host, problem.clone());
                }
                let provenance: Arc<[ObjectKey]> = key.iter().cloned().collect();
                let id = |kind, name: &str| ResourceId {
                    proxy: proxy.clone(),
                    kind,
                    name: name.to_owned(),
                };
                resources.insert(
                    id(ResourceType::Listener, &name),
                    (listener.clone(), provenance),
                );
                let provenance: Arc<[ObjectKey]> =
                    key.iter().chain(&tables.served).cloned().collect();
                for (table, bytes) in &tables.tables {
                    resources.insert(
                        id(ResourceType::Route, table),
                        (Bytes::from(bytes.clone()), provenance.clone()),
                    );
                }
            }
        }
        self.replace_listeners(listeners, resources, work);
    }

    /// The gateways, or the default one in a folder without any. A broken one is one too: no other takes its place.
    fn gateways(&self) -> Vec<(Option<ObjectKey>, Gateway)> {
        let entries = self.objects.of_kind(Kind::Gateway);
        let mut any = false;
        let gateways = entries
            .inspect(|_| any = true)
            .filter_map(|(key, entry)| match &entry.object.as_ref()?.spec {
                Spec::Gateway(gateway) => Some((Some(key.clone()), gateway.clone())),
                _ => None,
            })
            .collect();
        match any {
            true => gateways,
            false => vec![(None, default_gateway(self.options.default_bind))],
        }
    }

    /// The virtual hosts that a gateway serves.
    fn selected<'a>(
        &'a self,
        key: &Option<ObjectKey>,
        gateway: &Gateway,
        listeners: &mut Listeners,
    ) -> Box<dyn Iterator<Item = (&'a ObjectKey, &'a VirtualHostForm)> + 'a> {
        let with_domains = |(key, unit): (&'a ObjectKey, &'a HostUnit)| {
            (!unit.form.domains.is_empty()).then_some((key, &unit.form))
        };
        if gateway.virtual_services.is_empty() {
            return Box::new(self.hosts.iter().filter_map(with_domains));
        }
        let mut chosen = BTreeSet::new();
        for (index, reference) in gateway.virtual_services.iter().enumerate() {
            let host = reference.key(Kind::VirtualService);
            if !self.objects.0.contains_key(&host)
                && let Some(key) = key
            {
                let field = format!("spec.httpGateway.virtualServices[{index}]");
                let text = format!("virtual service {reference} does not exist");
                listeners.problem(key, Problem::warning(field, text));
            }
            chosen.insert(host);
        }
        let units = self
            .hosts
            .iter()
            .filter(move |(key, _)| chosen.contains(*key));
        Box::new(units.filter_map(with_domains))
    }

    /// Tells of the listeners and route tables, and drops those that are no more.
    fn replace_listeners(
        &mut self,
        listeners: Listeners,
        resources: BTreeMap<ResourceId, (Bytes, Arc<[ObjectKey]>)>,
        work: &mut Work,
    ) {
        let old = std::mem::replace(&mut self.listeners, listeners);
        work.statuses
            .extend(changed(&old.served, &self.listeners.served));
        work.statuses
            .extend(changed(&old.bound, &self.listeners.bound));
        work.statuses
            .extend(changed(&old.problems, &self.listeners.problems));
        let gone: Vec<_> = self
            .resources
            .keys()
            .filter(|id| matches!(id.kind, ResourceType::Listener | ResourceType::Route))
            .filter(|id| !resources.contains_key(*id))
            .cloned()
            .collect();
        for id in gone {
            self.put(id, None, work);
        }
        for (id, (bytes, provenance)) in resources {
            self.put(id, Some((bytes, provenance)), work);
        }
    }

    /// Gives clusters and secrets to proxies that are new, and takes them from those that are gone.
    fn change_proxies(&mut self, proxies: BTreeSet<ProxyName>, work: &mut Work) {
        let old = std::mem::replace(&mut self.proxies, proxies);
        if old == self.proxies {
            return;
        }
        let gone: Vec<_> = self
            .resources
            .keys()
            .filter(|id| !self.proxies.contains(&id.proxy))
            .cloned()
            .collect();
        for id in gone {
            self.put(id, None, work);
        }
        if self.proxies.iter().any(|proxy| !old.contains(proxy)) {
            let clusters: Vec<_> = self.clusters.keys().cloned().collect();
            for key in clusters {
                let bytes = self
                    .clusters
                    .get(&key)
                    .map(|form| Bytes::from(form.cluster.clone()));
                self.tell(
                    ResourceType::Cluster,
                    &names::cluster(&key),
                    bytes,
                    &key,
                    work,
                );
            }
            let secrets: Vec<_> = self
                .objects
                .of_kind(Kind::Secret)
                .map(|(key, _)| key.clone())
                .collect();
            for key in secrets {
                self.derive_secret(&key, work);
            }
        }
        let upstreams = self.objects.of_kind(Kind::Upstream);
        work.statuses.extend(upstreams.map(|(key, _)| key.clone()));
    }

    /// Tells every proxy of a resource that stems from one object.
    fn tell(
        &mut self,
        kind: ResourceType,
        name: &str,
        bytes: Option<Bytes>,
        key: &ObjectKey,
        work: &mut Work,
    ) {
        let provenance: Arc<[ObjectKey]> = Arc::from([key.clone()]);
        for proxy in self.proxies.clone() {
            let id = ResourceId {
                proxy,
                kind,
                name: name.to_owned(),
            };
            let content = bytes.clone().map(|bytes| (bytes, provenance.clone()));
            self.put(id, content, work);
        }
    }

    fn put(&mut self, id: ResourceId, content: Option<(Bytes, Arc<[ObjectKey]>)>, work: &mut Work) {
        let Some((value, provenance)) = content else {
            if let Some(old) = self.resources.remove(&id) {
                if self.verdicts.remove(&id).is_some() {
                    work.statuses.extend(old.provenance.iter().cloned());
                }
                work.update.resources.insert(id, None);
            }
            return;
        };
        let resource = Arc::new(Resource {
            version: format!("{:032x}", xxh3_128(&value)),
            value,
            provenance,
        });
        let old = self.resources.insert(id.clone(), resource.clone());
        if old.is_none_or(|old| old.version != resource.version) {
            work.update.resources.insert(id, Some(resource));
        }
    }

    fn derive_status(&mut self, key: ObjectKey, work: &mut Work) {
        let status = self
            .objects
            .0
            .get(&key)
            .map(|entry| self.status(&key, entry));
        if self.statuses.get(&key) == status.as_ref() {
            return;
        }
        match &status {
            Some(status) => self.statuses.insert(key.clone(), status.clone()),
            None => self.statuses.remove(&key),
        };
        work.update.statuses.insert(key, status);
    }

    fn status(&self, key: &ObjectKey, entry: &Entry) -> Status {
        let mut problems = entry.rejected.clone();
        if let Some(object) = &entry.object {
            problems.extend(object.warnings.iter().cloned());
        }
        let mut stays = !entry.rejected.is_empty() && entry.object.is_some();
        if let Some(unit) = self.hosts.get(key) {
            problems.extend(unit.problems.iter().cloned());
            stays |= unit.good.is_some() && unit.form.problems != unit.problems;
            if entry.rejected.is_empty()
                && !self.listeners.served.contains_key(key)
                && self.listeners.problems.get(key).is_none()
            {
                problems.push(Problem::warning("", "no Gateway serves it"));
            }
        }
        if let Some(form) = self.clusters.get(key) {
            problems.extend(form.problems.iter().cloned());
            if let Some((name, _)) = &form.credentials
                && let Some(reason) = self.credential_problems.get(name)
            {
                problems.push(Problem::warning(
                    "spec.aws",
                    format!("no credentials: {reason}"),
                ));
            }
        }
        if let Some(more) = self.listeners.problems.get(key) {
            problems.extend(more.iter().cloned());
        }
        if stays {
            problems.push(Problem::warning("", "its last good form stays in use"));
        }
        let mut proxies: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
        for proxy in self.proxies_of(key) {
            proxies.insert(proxy.to_string(), Vec::new());
        }
        for (id, words) in &self.verdicts {
            if self.blames(id, words, key) {
                let text = format!("Envoy refuses it: {words}");
                proxies
                    .entry(id.proxy.to_string())
                    .or_default()
                    .push(Problem::error("", text));
            }
        }
        status::status(problems, proxies)
    }

    /// The proxies that have something of an object.
    fn proxies_of(&self, key: &ObjectKey) -> BTreeSet<ProxyName> {
        match key.kind {
            Kind::Gateway => self.listeners.bound.get(key).cloned().unwrap_or_default(),
            Kind::VirtualService => self.listeners.served.get(key).cloned().unwrap_or_default(),
            Kind::Upstream if self.clusters.contains_key(key) => self.proxies.clone(),
            Kind::Upstream | Kind::Secret => BTreeSet::new(),
        }
    }

    /// Whether Envoy's words on a resource are about an object. If they name virtual hosts, only those are meant.
    fn blames(&self, id: &ResourceId, words: &str, key: &ObjectKey) -> bool {
        let Some(resource) = self.resources.get(id) else {
            return false;
        };
        let named = |key: &ObjectKey| {
            key.kind == Kind::VirtualService && mentions(words, &names::virtual_host(key))
        };
        match resource.provenance.iter().any(named) {
            true => resource.provenance.contains(key) && named(key),
            false => resource.provenance.contains(key),
        }
    }
}

impl Upstreams for Translator {
    fn upstream(&self, reference: &ObjectRef) -> Result<&Upstream, String> {
        let key = reference.key(Kind::Upstream);
        match self.objects.spec(&key) {
            Some(Spec::Upstream(upstream)) => Ok(upstream),
            _ if self.objects.0.contains_key(&key) => Err(format!(
                "upstream {reference} is rejected; its status says why"
            )),
            _ => Err(format!("upstream {reference} does not exist")),
        }
    }
}

impl Objects {
    fn spec(&self, key: &ObjectKey) -> Option<&Spec> {
        self.0.get(key)?.object.as_ref().map(|object| &object.spec)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&ObjectKey, &Entry)> {
        self.0.iter().filter(move |(key, _)| key.kind == kind)
    }
}

impl Secrets for Objects {
    fn secret(&self, key: &ObjectKey) -> Option<&Secret> {
        self.spec(key).and_then(secret_of)
    }
}

impl Listeners {
    fn problem(&mut self, key: &ObjectKey, problem: Problem) {
        self.problems
            .entry(key.clone())
            .or_default()
            .insert(problem);
    }
}

fn default_gateway(bind: SocketAddr) -> Gateway {
    Gateway {
        bind_address: bind.ip(),
        bind_port: bind.port(),
        proxy_names: vec![DEFAULT_PROXY.to_owned()],
        virtual_services: Vec::new(),
        access_logs: Vec::new(),
    }
}

/// The keys whose values differ.
fn changed<T: PartialEq>(
    old: &BTreeMap<ObjectKey, T>,
    new: &BTreeMap<ObjectKey, T>,
) -> BTreeSet<ObjectKey> {
    let keys = old.keys().chain(new.keys());
    keys.filter(|key| old.get(*key) != new.get(*key))
        .cloned()
        .collect()
}

/// Moves a reader from what it read to what it reads.
fn reindex(
    index: &mut BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    reader: &ObjectKey,
    old: &BTreeSet<ObjectKey>,
    new: &BTreeSet<ObjectKey>,
) {
    for key in old.difference(new) {
        if let Some(readers) = index.get_mut(key) {
            readers.remove(reader);
            if readers.is_empty() {
                index.remove(key);
            }
        }
    }
    for key in new.difference(old) {
        index.entry(key.clone()).or_default().insert(reader.clone());
    }
}

/// Whether a name stands in a text by itself, not as a part of a longer one.
fn mentions(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.match_indices(name).any(|(start, _)| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text
            .get(start + name.len()..)
            .and_then(|text| text.chars().next());
        let ends = |c: Option<char>| c.is_none_or(|c| !part(c));
        // Names of routes start with the name of their virtual host.
        ends(before) && (ends(after) || text[start + name.len()..].starts_with("-route-"))
    })
}
