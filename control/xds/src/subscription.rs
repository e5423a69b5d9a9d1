//! What one stream is subscribed to in one type, what it has, and what it is to be sent next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;

use tenon_translate::{Resource, ResourceType};

use crate::cache::View;
use crate::{kind, nack};

pub(crate) type Name = Arc<str>;
/// The resources of a response; `None` is a removal.
pub(crate) type Entries = BTreeMap<Name, Option<Arc<Resource>>>;

/// The name that stands for all names.
const WILDCARD: &str = "*";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Delta,
    StateOfTheWorld,
}

/// Whether resources that a client has may be taken away now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removals {
    Send,
    /// Something may still refer to them: remember them.
    Park,
}

/// What a client has under a name.
#[derive(Clone)]
enum Held {
    /// What it said it has when it came.
    Version(String),
    /// What it accepted.
    Resource(Arc<Resource>),
    /// It knows that there is none.
    Nothing,
}

impl Held {
    fn version(&self) -> Option<&str> {
        match self {
            Self::Version(version) => Some(version),
            Self::Resource(resource) => Some(&resource.version),
            Self::Nothing => None,
        }
    }
}

/// What an answer of the client says about resources.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) accepted: Vec<Name>,
    /// And in which forms.
    pub(crate) refused: Vec<(Name, Arc<Resource>)>,
}

enum Step {
    Skip,
    Park,
    Send(Option<Arc<Resource>>),
}

struct InFlight {
    nonce: String,
    entries: Entries,
}

pub(crate) struct Subscription {
    kind: ResourceType,
    protocol: Protocol,
    wildcard: bool,
    names: BTreeSet<Name>,
    held: BTreeMap<Name, Held>,
    /// Names to look at: they changed, or were asked for.
    dirty: BTreeSet<Name>,
    /// Names to send even if the client has this version.
    forced: BTreeSet<Name>,
    /// Names whose removal waits.
    parked: BTreeSet<Name>,
    /// Parts of a refused response, to be sent one by one until the culprits are alone.
    suspects: VecDeque<BTreeSet<Name>>,
    /// The version that the client refused.
    rejected: BTreeMap<Name, String>,
    /// What it turned out to have accepted since that was last asked.
    taken: Vec<(Name, Arc<Resource>)>,
    /// The client waits for a response even if there is nothing in it.
    answer: bool,
    in_flight: Option<InFlight>,
}

impl Subscription {
    pub(crate) fn new(kind: ResourceType, protocol: Protocol) -> Self {
        Self {
            kind,
            protocol,
            wildcard: false,
            names: BTreeSet::new(),
            held: BTreeMap::new(),
            dirty: BTreeSet::new(),
            forced: BTreeSet::new(),
            parked: BTreeSet::new(),
            suspects: VecDeque::new(),
            rejected: BTreeMap::new(),
            taken: Vec::new(),
            answer: false,
            in_flight: None,
        }
    }

    /// Subscribes to a name, or to all by `*`; what is asked for is sent, even again.
    pub(crate) fn subscribe(&mut self, name: &str, view: &View<'_>) {
        if name == WILDCARD {
            self.wildcard = true;
            self.dirty.extend(view.names());
            return;
        }
        let name = view.name(name);
        self.forced.insert(name.clone());
        self.dirty.insert(name.clone());
        self.names.insert(name);
    }

    /// The first request of a type without names means all, in both protocols.
    pub(crate) fn subscribe_to_all(&mut self, view: &View<'_>) {
        self.subscribe(WILDCARD, view);
        self.answer = self.held.is_empty();
    }

    pub(crate) fn unsubscribe(&mut self, name: &str) {
        if name == WILDCARD {
            self.wildcard = false;
            let names = &self.names;
            self.held.retain(|name, _| names.contains(name));
            self.rejected.retain(|name, _| names.contains(name));
            return;
        }
        let Some(name) = self.names.take(name) else {
            return;
        };
        if self.wildcard {
            // The client forgets it and still wants all.
            self.forced.insert(name.clone());
            self.dirty.insert(name);
        } else {
            self.forget(&name);
        }
    }

    /// What a delta client says it has from an earlier stream: only differences are due.
    pub(crate) fn resume(
        &mut self,
        versions: impl Iterator<Item = (String, String)>,
        view: &View<'_>,
    ) {
        for (name, version) in versions {
            let name = view.name(&name);
            self.forced.remove(&name);
            self.dirty.insert(name.clone());
            self.held.insert(name, Held::Version(version));
        }
        self.answer &= self.held.is_empty();
    }

    /// What a state-of-the-world client says it has from an earlier stream: one version for all of it.
    pub(crate) fn resume_all(&mut self, version: &str, view: &View<'_>) {
        let wanted: Vec<_> = self
            .wanted(view)
            .filter_map(|name| Some((name.clone(), view.get(&name)?.clone())))
            .collect();
        let same = version
            == state_version(
                wanted
                    .iter()
                    .map(|(name, resource)| (&**name, &*resource.version)),
            );
        for (name, resource) in wanted {
            if same {
                self.forced.remove(&name);
                self.taken.push((name.clone(), resource.clone()));
                self.held.insert(name, Held::Resource(resource));
            } else if view.keeps_older(&name) {
                self.forced.remove(&name);
                self.held.insert(name, Held::Version(String::new()));
            }
        }
        self.answer &= !same;
    }

    /// The names of a state-of-the-world request replace the earlier ones.
    pub(crate) fn replace_names(&mut self, names: &[String], view: &View<'_>) {
        let wildcard = names.iter().any(|name| name == WILDCARD);
        // An empty list keeps "all" where it meant that, and ends a list of names.
        if names.is_empty() && self.wildcard && self.names.is_empty() {
            return;
        }
        let gone: Vec<_> = self
            .names
            .iter()
            .filter(|old| !names.iter().any(|new| **new == ***old))
            .cloned()
            .collect();
        let new: Vec<_> = names
            .iter()
            .filter(|name| *name != WILDCARD && !self.names.contains(name.as_str()))
            .collect();
        let differs = !gone.is_empty() || !new.is_empty() || wildcard != self.wildcard;
        if wildcard && !self.wildcard {
            self.subscribe(WILDCARD, view);
        } else if !wildcard && self.wildcard {
            self.unsubscribe(WILDCARD);
        }
        for name in gone {
            self.unsubscribe(&name);
        }
        for name in new {
            self.subscribe(name, view);
        }
        self.answer |= differs && kind::is_full_state(self.kind);
    }

    /// Looks at names again.
    pub(crate) fn changed(&mut self, names: impl IntoIterator<Item = Name>) {
        self.dirty.extend(names);
    }

    /// Sends a name again if the client asked for it.
    pub(crate) fn resend(&mut self, name: &str) {
        if let Some(name) = self.names.get(name) {
            self.forced.insert(name.clone());
            self.dirty.insert(name.clone());
        }
    }

    /// Sends all again that the client has, or is about to have.
    pub(crate) fn resend_all(&mut self) {
        let held = self.held.iter();
        let held = held.filter(|(_, held)| held.version().is_some());
        let coming = self.in_flight.iter().flat_map(|sent| &sent.entries);
        let coming = coming.filter(|(_, resource)| resource.is_some());
        let names = held
            .map(|(name, _)| name)
            .chain(coming.map(|(name, _)| name));
        let names: Vec<_> = names.cloned().collect();
        self.forced.extend(names.iter().cloned());
        self.dirty.extend(names);
    }

    /// Whether something is to be looked at, sent or answered; parked removals do not count.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.is_some()
            || self.answer
            || !self.dirty.is_empty()
            || !self.suspects.is_empty()
    }

    pub(crate) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    pub(crate) fn rejected(&self) -> usize {
        self.rejected.len()
    }

    /// Whether the client goes on with an older form of something that it refused.
    pub(crate) fn keeps_a_refused_one(&self) -> bool {
        let has = |name| {
            self.held
                .get(name)
                .is_some_and(|held| held.version().is_some())
        };
        self.rejected.keys().any(has)
    }

    /// What the client turned out to have accepted since this was last asked.
    pub(crate) fn take_accepted(&mut self) -> Vec<(Name, Arc<Resource>)> {
        mem::take(&mut self.taken)
    }

    /// What to send now, if anything.
    pub(crate) fn pick(&mut self, view: &View<'_>, removals: Removals) -> Option<Entries> {
        if self.in_flight.is_some() {
            return None;
        }
        if removals == Removals::Send {
            self.dirty.append(&mut self.parked);
        }
        loop {
            let suspects = self.suspects.pop_front();
            let last = suspects.is_none();
            let names = suspects.unwrap_or_else(|| mem::take(&mut self.dirty));
            let entries = self.entries(names, view, removals);
            if !entries.is_empty() || mem::take(&mut self.answer) {
                self.answer = false;
                return Some(entries);
            }
            if last {
                return None;
            }
        }
    }

    fn entries(&mut self, names: BTreeSet<Name>, view: &View<'_>, removals: Removals) -> Entries {
        let mut entries = Entries::new();
        for name in names {
            match self.step(&name, view, removals) {
                Step::Skip => {}
                Step::Park => {
                    self.parked.insert(name);
                }
                Step::Send(resource) => {
                    entries.insert(name, resource);
                }
            }
        }
        entries
    }

    fn step(&mut self, name: &Name, view: &View<'_>, removals: Removals) -> Step {
        let forced = self.forced.remove(name);
        let named = self.names.contains(name);
        if !named && !self.wildcard {
            self.forget(name);
            return Step::Skip;
        }
        let held = self.held.get(name);
        let held_version = held.and_then(Held::version);
        if let Some(resource) = view.get(name) {
            let known = match self.rejected.get(name) {
                Some(version) => *version == resource.version,
                None => held_version == Some(&*resource.version),
            };
            let good_enough = held_version.is_some() && view.keeps_older(name);
            return if (known || good_enough) && !forced {
                let is_as_here =
                    matches!(held, Some(Held::Resource(held)) if Arc::ptr_eq(held, resource));
                if held_version == Some(&*resource.version) && !is_as_here {
                    // As the cache has it, rather than as the client said it.
                    self.taken.push((name.clone(), resource.clone()));
                    self.held
                        .insert(name.clone(), Held::Resource(resource.clone()));
                }
                Step::Skip
            } else {
                Step::Send(Some(resource.clone()))
            };
        }
        let knows = matches!(held, Some(Held::Nothing));
        match held_version {
            Some(_) if removals == Removals::Park => Step::Park,
            Some(_) if self.tells_removals() => Step::Send(None),
            None if self.protocol == Protocol::Delta && named && (forced || !knows) => {
                Step::Send(None)
            }
            _ => {
                self.accept(name, None);
                Step::Skip
            }
        }
    }

    /// State of the world has no word for "gone" where absence does not delete.
    fn tells_removals(&self) -> bool {
        self.protocol == Protocol::Delta || kind::is_full_state(self.kind)
    }

    /// All that the client has once it accepts `entries`, with its version.
    pub(crate) fn state_with(&self, entries: &Entries) -> (Vec<Arc<Resource>>, String) {
        let mut state = entries.clone();
        for (name, held) in &self.held {
            if let Held::Resource(resource) = held {
                state
                    .entry(name.clone())
                    .or_insert_with(|| Some(resource.clone()));
            }
        }
        let present = || {
            state
                .iter()
                .filter_map(|(name, resource)| Some((name, resource.as_ref()?)))
        };
        let version =
            state_version(present().map(|(name, resource)| (&**name, &*resource.version)));
        let resources = present().map(|(_, resource)| resource.clone()).collect();
        (resources, version)
    }

    pub(crate) fn sent(&mut self, nonce: String, entries: Entries) {
        self.in_flight = Some(InFlight { nonce, entries });
    }

    pub(crate) fn awaits_answer(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether a nonce is that of the response that waits for its answer.
    pub(crate) fn is_in_flight(&self, nonce: &str) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|sent| sent.nonce == nonce)
    }

    pub(crate) fn ack(&mut self) -> Verdicts {
        let mut verdicts = Verdicts::default();
        let Some(InFlight { entries, .. }) = self.in_flight.take() else {
            return verdicts;
        };
        for (name, resource) in entries {
            self.accept(&name, resource);
            verdicts.accepted.push(name);
        }
        verdicts
    }

    /// Takes in a refusal. The culprit is known once it was alone in a response; until then the response is taken
    /// apart: those that the text does not name first, together, so that they wait for nobody.
    pub(crate) fn nack(&mut self, text: &str) -> Verdicts {
        let mut verdicts = Verdicts::default();
        let Some(InFlight { mut entries, .. }) = self.in_flight.take() else {
            return verdicts;
        };
        entries.retain(|name, resource| {
            let stays = resource.is_some();
            if !stays {
                self.accept(name, None);
            }
            stays
        });
        if entries.len() == 1 {
            for (name, form) in entries {
                let Some(form) = form else { continue };
                self.rejected.insert(name.clone(), form.version.clone());
                verdicts.refused.push((name, form));
            }
            return verdicts;
        }
        self.take_apart(text, entries);
        verdicts
    }

    fn take_apart(&mut self, text: &str, entries: Entries) {
        for (name, resource) in &entries {
            let held = self.held.get(name).and_then(Held::version);
            let refused = self.rejected.get(name).map(String::as_str);
            let version = resource.as_ref().map(|resource| &*resource.version);
            if held == version || refused == version {
                self.forced.insert(name.clone());
            }
        }
        let names: Vec<Name> = entries.into_keys().collect();
        let culprits: BTreeSet<Name> = nack::named(text, names.iter().map(|name| &**name))
            .into_iter()
            .map(Name::from)
            .collect();
        let parts: Vec<BTreeSet<Name>> = if culprits.is_empty() {
            let (left, right) = names.split_at(names.len() / 2);
            [left, right]
                .map(|half| half.iter().cloned().collect())
                .into()
        } else {
            let rest = names
                .into_iter()
                .filter(|name| !culprits.contains(name))
                .collect();
            let alone = culprits.into_iter().map(|name| BTreeSet::from([name]));
            std::iter::once(rest).chain(alone).collect()
        };
        for part in parts.into_iter().rev().filter(|part| !part.is_empty()) {
            self.suspects.push_front(part);
        }
    }

    fn accept(&mut self, name: &Name, resource: Option<Arc<Resource>>) {
        self.rejected.remove(name);
        match resource {
            Some(resource) => {
                self.taken.push((name.clone(), resource.clone()));
                self.held.insert(name.clone(), Held::Resource(resource));
            }
            None if self.names.contains(name) => {
                self.held.insert(name.clone(), Held::Nothing);
            }
            None => {
                self.held.remove(name);
            }
        }
        if !self.wildcard && !self.names.contains(name) {
            self.forget(name);
        }
    }

    fn forget(&mut self, name: &Name) {
        self.held.remove(name);
        self.rejected.remove(name);
        self.parked.remove(name);
    }

    fn wanted<'a>(&'a self, view: &View<'_>) -> Box<dyn Iterator<Item = Name> + 'a> {
        if self.wildcard {
            Box::new(view.names().collect::<Vec<_>>().into_iter())
        } else {
            Box::new(self.names.iter().cloned())
        }
    }
}

/// The version of a set of resources, sorted by name.
fn state_version<'a>(state: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    crate::secret::hash(state.flat_map(|(name, version)| [name.as_bytes(), version.as_bytes()]))
}
