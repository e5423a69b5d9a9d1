//! Which upstreams and secrets a proxy gets, where there are several: those that its listeners and routes name, as they are
//! served. An Envoy is to know of no others.
//!
//! It is the encoded resources that are looked through, not what they were made of: so it does not matter whether a name
//! comes from a route, from a filter, from what is served instead of something broken, or from the user's own words.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;

use tenon_model::{Kind, ObjectKey};
use xxhash_rust::xxh3::xxh3_64;

use super::endpoints::stands_for;
use super::{Translator, Work};
use crate::cluster::ClusterForm;
use crate::output::{GenericSecret, ProxyName, Resource, ResourceId, ResourceType};
use crate::secret_headers::RESOURCE as SECRET_HEADER;
use crate::{forward_proxy, kube, names, tcp};

/// A name, as it is kept here.
type Mention = u64;

/// What stands for all names: a request says itself which cluster it is for.
const ANY: Mention = 0;
/// `RouteConfiguration.virtual_hosts.routes.route.cluster_header`
const CLUSTER_HEADER: &[u64] = &[2, 3, 2, 2];
/// The same in a tree: `Any.value`, with a `RouteList.routes.route.cluster_header`
const IN_TREE: &[u64] = &[2, 1, 2, 2];
/// The longest name that is looked for.
const LONGEST: usize = 1024;
/// Messages are not nested deeper.
const DEEPEST: u32 = 100;

/// What the proxies' listeners and routes name, while there are several proxies.
#[derive(Default)]
pub(super) struct Reach {
    several: bool,
    mentions: BTreeMap<ResourceId, Box<[Mention]>>,
    /// How many of a proxy's resources have each.
    counts: BTreeMap<ProxyName, HashMap<Mention, usize>>,
    /// What upstreams name themselves: those go to all.
    asked: HashMap<Mention, usize>,
    /// Whose a name is: an upstream, or a secret.
    owners: HashMap<Mention, ObjectKey>,
    /// What some proxy names since the last look, or names no more.
    changed: BTreeSet<Mention>,
}

impl Reach {
    /// Whether there are several proxies, which may get less than everything.
    pub(super) fn is_partial(&self) -> bool {
        self.several
    }

    fn note(&mut self, id: &ResourceId, resource: Option<&Resource>) {
        let along = match id.kind {
            ResourceType::Route => CLUSTER_HEADER,
            // Those that are upstreams' own are not reached for by anybody else.
            ResourceType::Listener if !id.name.starts_with(names::TUNNEL) => &[],
            _ => return,
        };
        let mut found = BTreeSet::new();
        if let Some(resource) = resource {
            look_through(&resource.value, Some(along), DEEPEST, &mut found);
        }
        let new: Box<[Mention]> = found.into_iter().collect();
        let counts = self.counts.entry(id.proxy.clone()).or_default();
        for mention in &new {
            let count = counts.entry(*mention).or_default();
            *count += 1;
            if *count == 1 {
                self.changed.insert(*mention);
            }
        }
        let old = match resource {
            Some(_) => self.mentions.insert(id.clone(), new),
            None => self.mentions.remove(id),
        };
        for mention in old.unwrap_or_default() {
            let Some(count) = counts.get_mut(&mention) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                counts.remove(&mention);
                self.changed.insert(mention);
            }
        }
    }

    fn has(&self, proxy: &ProxyName, mention: Mention) -> bool {
        let counts = self.counts.get(proxy);
        counts.is_some_and(|counts| counts.contains_key(&mention))
    }

    /// Takes in the names of an upstream, and those that it names.
    fn take_in(&mut self, key: &ObjectKey, old: Option<&ClusterForm>, new: Option<&ClusterForm>) {
        if let Some(form) = old {
            for mention in names_of(key, Some(form)) {
                if self.owners.get(&mention) == Some(key) {
                    self.owners.remove(&mention);
                }
            }
            for name in others(key, form) {
                let mention = mention(name);
                if let Some(count) = self.asked.get_mut(&mention) {
                    *count -= 1;
                    if *count == 0 {
                        self.asked.remove(&mention);
                        self.changed.insert(mention);
                    }
                }
            }
        }
        if let Some(form) = new {
            for mention in names_of(key, Some(form)) {
                self.owners.insert(mention, key.clone());
            }
            for name in others(key, form) {
                let mention = mention(name);
                *self.asked.entry(mention).or_default() += 1;
                self.changed.insert(mention);
            }
        }
    }
}

impl Translator {
    /// Takes in a resource as it is served now.
    pub(super) fn note_reach(&mut self, id: &ResourceId) {
        if self.reach.several {
            let resource = self.resources.get(id).cloned();
            self.reach.note(id, resource.as_deref());
        }
    }

    /// Takes in what an upstream came to.
    pub(super) fn note_upstream(
        &mut self,
        key: &ObjectKey,
        old: Option<&ClusterForm>,
        new: Option<&ClusterForm>,
    ) {
        if self.reach.several {
            self.reach.take_in(key, old, new);
        }
    }

    /// There are other proxies than before: all that depends on which there are is looked at again.
    pub(super) fn change_reach(&mut self, work: &mut Work) {
        let several = self.proxies.len() > 1;
        if several != self.reach.several {
            let mut reach = Reach {
                several,
                ..Reach::default()
            };
            if several {
                for (id, resource) in self.resources.sorted() {
                    reach.note(id, Some(resource));
                }
                for (key, form) in self.clusters.sorted() {
                    reach.take_in(key, None, Some(form));
                }
            }
            self.reach = reach;
        }
        self.reach.changed.insert(ANY);
        work.files = true;
        let secrets = self.objects.of_kind(Kind::Secret);
        let secrets = secrets.map(|(key, _)| key);
        let secrets = secrets.chain(self.told_headers.keys());
        work.secrets.extend(secrets.cloned());
    }

    /// Has everything told again that some proxy names now, or names no more.
    pub(super) fn follow_reach(&mut self, work: &mut Work) {
        let changed = mem::take(&mut self.reach.changed);
        let any = changed.contains(&ANY);
        if any && !work.is_first {
            work.reached.extend(self.clusters.keys().cloned());
        }
        for mention in &changed {
            match self.reach.owners.get(mention) {
                Some(key) if key.kind == Kind::Secret => work.secrets.insert(key.clone()),
                Some(key) => work.reached.insert(key.clone()),
                None => {}
            }
        }
        let is_changed = |name: &str| changed.contains(&mention(name));
        work.files |= self.listeners.files().any(is_changed);
        for key in work.reached.take() {
            if let Some(form) = self.clusters.get(&key) {
                work.secrets.extend(form.tls_secrets.iter().cloned());
                work.shared.extend(form.credentials.keys().cloned());
                if form.endpoints.is_some() {
                    work.endpoints.insert(key.clone());
                }
            }
            let service = stands_for(&key).map(|to| kube::service_key(&to.service));
            work.statuses.insert(service.unwrap_or_else(|| key.clone()));
            work.told.insert(key);
        }
    }

    /// Whether a proxy gets an upstream.
    pub(super) fn reaches(&self, proxy: &ProxyName, upstream: &ObjectKey) -> bool {
        let reach = &self.reach;
        !reach.several
            || reach.has(proxy, ANY)
            || names_of(upstream, self.clusters.get(upstream).map(|form| &**form))
                .any(|name| reach.has(proxy, name) || reach.asked.contains_key(&name))
    }

    /// Whether a listener or a route of a proxy has this name in it.
    pub(super) fn names(&self, proxy: &ProxyName, name: &str) -> bool {
        !self.reach.several || self.reach.has(proxy, mention(name))
    }

    /// Whether a proxy gets an SDS resource of a secret.
    pub(super) fn reaches_secret(&self, proxy: &ProxyName, secret: &ObjectKey, name: &str) -> bool {
        let uses = |reader: &ObjectKey| {
            let form = self.clusters.get(reader);
            form.is_some_and(|form| form.tls_secrets.contains(secret))
                && self.reaches(proxy, reader)
        };
        let readers = || self.readers_of_secrets.of(secret);
        self.names(proxy, name) || self.shows(proxy, secret, name) || readers().any(uses)
    }

    /// Remembers whose an SDS resource is.
    pub(super) fn note_secret(&mut self, secret: &ObjectKey, name: &str) {
        if self.reach.several {
            let owners = &mut self.reach.owners;
            owners.insert(mention(name), secret.clone());
        }
    }

    /// Tells of generic secrets whose source is another one, or which other proxies get.
    pub(super) fn tell_generic_secrets(&mut self, work: &mut Work) {
        let mut sources = mem::take(&mut work.sources);
        let names = mem::take(&mut work.shared).into_iter();
        let names: BTreeSet<_> = names.chain(sources.keys().cloned()).collect();
        for name in names {
            let old = self.credentials.get(&name);
            let source = sources.remove(&name);
            let Some(source) = source.or_else(|| old.map(|old| old.source.clone())) else {
                continue;
            };
            let users = self.users_of_credentials.get(&name);
            let Some(users) = users.filter(|users| !users.is_empty()) else {
                continue;
            };
            let proxies = self.proxies.iter();
            let proxies = proxies.filter(|proxy| users.iter().any(|it| self.reaches(proxy, it)));
            let secret = GenericSecret {
                source,
                proxies: proxies.cloned().collect(),
            };
            if old != Some(&secret) {
                self.credentials.insert(name.clone(), secret.clone());
                work.update.credentials.insert(name, Some(secret));
            }
        }
    }
}

/// The clusters of others that an upstream names.
fn others<'a>(key: &ObjectKey, form: &'a ClusterForm) -> impl Iterator<Item = &'a String> {
    let own = names::cluster(key);
    form.asks.iter().filter(move |name| **name != own)
}

/// The names of an upstream's clusters.
fn names_of<'a>(
    key: &ObjectKey,
    form: Option<&'a ClusterForm>,
) -> impl Iterator<Item = Mention> + use<'a> {
    let own = mention(&names::cluster(key));
    let clusters = form.into_iter().flat_map(|form| form.clusters.iter());
    std::iter::once(own).chain(clusters.map(|(name, _)| mention(name)))
}

fn mention(name: &str) -> Mention {
    of_bytes(name.as_bytes())
}

fn of_bytes(name: &[u8]) -> Mention {
    xxh3_64(name).max(ANY + 1)
}

/// Whether bytes may be a name of a cluster or a secret: all of these have an underscore, or begin as those of headers do.
fn may_be_name(bytes: &[u8]) -> bool {
    bytes.len() <= LONGEST
        && (bytes.contains(&b'_') || bytes.starts_with(SECRET_HEADER.as_bytes()))
        && bytes.iter().all(|byte| *byte >= b' ')
}

/// Finds names in a message, and in the messages in it. Texts that look like messages are taken for such, too, which finds
/// no more than what is written there. `along` leads to a header that chooses a cluster.
fn look_through(message: &[u8], along: Option<&[u64]>, depth: u32, found: &mut BTreeSet<Mention>) {
    let mut along = along;
    for field in Field::all(message) {
        let Some(value) = field.content else { continue };
        // What follows a type is an `Any`'s message.
        if field.number == 1 && value.ends_with(b"/envoy.config.route.v3.RouteList") {
            along = Some(IN_TREE);
        }
        let along = match along {
            Some([first, rest @ ..]) if *first == field.number => Some(rest),
            _ => None,
        };
        // Of the header that listeners write they say what is in it.
        if along == Some(&[]) && value != forward_proxy::HEADER.as_bytes() {
            found.insert(ANY);
        }
        if may_be_name(value) {
            found.insert(match value == tcp::SNI_CLUSTER.as_bytes() {
                true => ANY,
                false => of_bytes(value),
            });
        }
        let has_any = || value.iter().any(|byte| matches!(byte, b'_' | b'/'));
        if depth > 0 && (along.is_some() || has_any()) {
            look_through(value, along, depth - 1, found);
        }
    }
}

/// A field of a message.
pub(super) struct Field<'a> {
    pub(super) number: u64,
    /// What is in it, if that has a length.
    pub(super) content: Option<&'a [u8]>,
    /// What follows it.
    rest: &'a [u8],
}

impl<'a> Field<'a> {
    /// The fields of a message, as far as it is one.
    pub(super) fn all(mut message: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let field = Self::first_of(message)?;
            message = field.rest;
            Some(field)
        })
    }

    fn first_of(message: &'a [u8]) -> Option<Self> {
        let (tag, rest) = varint(message)?;
        let (content, rest) = match tag & 7 {
            0 => (None, varint(rest)?.1),
            1 => (None, rest.get(8..)?),
            2 => {
                let (length, rest) = varint(rest)?;
                let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(content), rest)
            }
            5 => (None, rest.get(4..)?),
            _ => return None,
        };
        let number = tag >> 3;
        (number > 0).then_some(Self {
            number,
            content,
            rest,
        })
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}
