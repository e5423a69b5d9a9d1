//! What is tried before it is served, while everything else goes on.
//!
//! A cluster, a listener or a virtual host of a shape that Envoy was never asked about ([`Part`]) is on trial: what was
//! served before stays in its place, or nothing if there was nothing, until it is known what Envoy makes of it. What else
//! changes is served at once, but for what depends on it:
//! - what names a cluster that is not there before its trial waits for it;
//! - what was served and is to go stays while something of before names it, or while its successor is on trial;
//! - a virtual host stays where it was while a listener is on trial that it comes to or leaves.
//!
//! Answers are about contents: one about a form that is wanted no more says what it says of its shapes, and nothing else.
//! Once nothing is on trial, what is served is what the translation told, byte for byte.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use tenon_model::ObjectKey;

use crate::engine::Translator;
use crate::output::{
    Change, GenericSecret, ProxyName, Resource, ResourceId, ResourceType, State, Status, Update,
};
use crate::rules::shape::Part;
use held::Held;

mod held;
mod splice;

/// How many contents are remembered, so that they need not be looked at again.
const MOST_CONTENTS: usize = 100_000;
/// So many may be refused in a row; what else is on trial then is served untried.
const MOST_REFUSED: usize = 64;

/// What is on trial, and what is served meanwhile.
pub struct Trials {
    /// The shapes that Envoy takes.
    known: HashSet<u64>,
    /// Contents that need no trial: their shapes are known, or nobody can tell.
    seen: HashSet<u64>,
    /// Contents that Envoy refuses, and its words.
    refused: HashMap<u64, String>,
    refused_in_a_row: usize,
    /// The shapes of contents of which nothing was heard yet.
    asked: BTreeMap<u64, BTreeSet<u64>>,
    told: BTreeMap<ResourceId, Arc<Resource>>,
    /// What is to be told of resources where it is not what is told.
    wanted: BTreeMap<ResourceId, Option<Arc<Resource>>>,
    told_credentials: BTreeMap<String, GenericSecret>,
    wanted_credentials: BTreeMap<String, Option<GenericSecret>>,
    /// The objects of which something is not served yet.
    pending: BTreeSet<ObjectKey>,
}

/// Something to be tried.
pub struct Trial {
    kind: ResourceType,
    bytes: Bytes,
    shapes: BTreeSet<u64>,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// Envoy takes it, and so all of its shapes.
    Taken,
    /// Envoy refuses it, in these words.
    Refused(String),
    /// It cannot be told: it is served.
    Unknown,
}

impl Trial {
    /// What is tried.
    pub fn part(&self) -> Part<'_> {
        Part::new(self.kind, &self.bytes)
    }

    /// The type of the resource that it is, or is in.
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// Its shapes.
    pub fn shapes(&self) -> &BTreeSet<u64> {
        &self.shapes
    }
}

/// What is told after a look at what is on trial.
#[derive(Default)]
struct Sifted {
    update: Update,
    trials: Vec<Trial>,
    /// What Envoy was found to say.
    verdicts: Vec<Change>,
}

impl Trials {
    /// Nothing is on trial, and these shapes are known.
    pub fn new(known: impl IntoIterator<Item = u64>) -> Self {
        Self {
            known: known.into_iter().collect(),
            seen: HashSet::new(),
            refused: HashMap::new(),
            refused_in_a_row: 0,
            asked: BTreeMap::new(),
            told: BTreeMap::new(),
            wanted: BTreeMap::new(),
            told_credentials: BTreeMap::new(),
            wanted_credentials: BTreeMap::new(),
            pending: BTreeSet::new(),
        }
    }

    /// Whether everything is served that is to be.
    pub fn is_over(&self) -> bool {
        self.wanted.is_empty() && self.wanted_credentials.is_empty()
    }

    /// Translates changes: what can be served of what they change, and what is to be tried before the rest is. With
    /// `anew` everything is derived.
    pub fn apply(
        &mut self,
        translator: &mut Translator,
        changes: Vec<Change>,
        anew: bool,
    ) -> (Update, Vec<Trial>) {
        let mut told = Update::default();
        let (mut trials, mut said) = (Vec::new(), HashSet::new());
        let mut changes = changes;
        loop {
            let update = match anew {
                true => translator.apply_anew(changes),
                false => translator.apply(changes),
            };
            let sifted = self.sift(update, translator, &mut said);
            told.resources.extend(sifted.update.resources);
            told.credentials.extend(sifted.update.credentials);
            told.lookups.extend(sifted.update.lookups);
            told.statuses.extend(sifted.update.statuses);
            trials.extend(sifted.trials);
            if sifted.verdicts.is_empty() {
                return (told, trials);
            }
            changes = sifted.verdicts;
        }
    }

    /// Takes in what came of the trial of a content; what that changes, the next [`Trials::apply`] tells.
    pub fn answer(&mut self, trial: &Trial, tried: Tried) {
        let content = trial.part().content();
        self.asked.remove(&content);
        match tried {
            Tried::Taken => {
                self.known.extend(&trial.shapes);
                self.seen.insert(content);
            }
            Tried::Refused(words) if self.refused_in_a_row < MOST_REFUSED => {
                self.refused_in_a_row += 1;
                self.refused.insert(content, words);
            }
            Tried::Refused(_) | Tried::Unknown => {
                self.seen.insert(content);
            }
        }
    }

    /// Finds out what can be served of an update and of what was not served so far. What was `said` of contents in this
    /// round and changed nothing is nobody's: they are served.
    fn sift(&mut self, update: Update, translator: &Translator, said: &mut HashSet<u64>) -> Sifted {
        self.forget();
        self.wanted.extend(update.resources);
        self.wanted_credentials.extend(update.credentials);
        let mut sifted = Sifted::default();
        sifted.update.lookups = update.lookups;
        let held = self.held(said, &mut sifted);
        self.tell_resources(&held, &mut sifted.update);
        self.tell_credentials(&held, &mut sifted.update);
        self.tell_statuses(update.statuses, &held, translator, &mut sifted.update);
        if self.wanted.is_empty() {
            self.refused_in_a_row = 0;
        }
        sifted
    }

    /// Forgets contents, if there are too many.
    fn forget(&mut self) {
        if self.seen.len() > MOST_CONTENTS {
            self.seen.clear();
        }
        if self.refused.len() > MOST_CONTENTS {
            self.refused.clear();
        }
    }

    /// What cannot be served yet.
    fn held(&mut self, said: &mut HashSet<u64>, sifted: &mut Sifted) -> Held {
        let mut held = Held::default();
        let wanted = mem::take(&mut self.wanted);
        let mut asked: BTreeSet<u64> = self.asked.values().flatten().copied().collect();
        let (said_before, mut nobodys) = (said.clone(), Vec::new());
        for (id, resource) in &wanted {
            let Some(resource) = resource else { continue };
            let told = self.told.get(id).cloned();
            if told
                .as_ref()
                .is_some_and(|it| it.version == resource.version)
            {
                continue;
            }
            for part in Part::of(id.kind, resource) {
                if !self.is_untried(&part) || splice::has(told.as_deref(), &part) {
                    continue;
                }
                let content = part.content();
                if let Some(words) = self.refused.get(&content) {
                    let words = match part.host() {
                        Some(host) => format!("{host}: {words}"),
                        None => words.clone(),
                    };
                    let is_nobodys = said_before.contains(&content);
                    let verdict = (!is_nobodys).then_some(words);
                    sifted.verdicts.push(Change::Verdict(id.clone(), verdict));
                    said.insert(content);
                    if is_nobodys {
                        nobodys.push(content);
                        continue;
                    }
                } else if let Some(trial) = self.ask(id.kind, &part, &mut asked) {
                    sifted.trials.push(trial);
                }
                held.add(id, resource, &part);
            }
        }
        self.wanted = wanted;
        for content in nobodys {
            self.refused.remove(&content);
            self.seen.insert(content);
        }
        if !held.is_empty() {
            held.complete(&self.told, &self.wanted);
        }
        held
    }

    /// Whether it has a shape that Envoy was never asked about.
    fn is_untried(&mut self, part: &Part<'_>) -> bool {
        let content = part.content();
        if self.seen.contains(&content) {
            return false;
        }
        if self.refused.contains_key(&content) {
            return true;
        }
        let is_known = part.shapes().iter().all(|it| self.known.contains(it));
        if is_known {
            self.seen.insert(content);
        }
        !is_known
    }

    /// One of each shape is tried; what has no shape of its own waits for what becomes of those.
    fn ask(
        &mut self,
        kind: ResourceType,
        part: &Part<'_>,
        asked: &mut BTreeSet<u64>,
    ) -> Option<Trial> {
        let shapes = part.shapes();
        let mut unknown = shapes.iter().filter(|it| !self.known.contains(it));
        if unknown.all(|it| asked.contains(it)) {
            return None;
        }
        asked.extend(&shapes);
        self.asked.insert(part.content(), shapes.clone());
        Some(Trial {
            kind,
            bytes: Bytes::copy_from_slice(part.bytes()),
            shapes,
        })
    }

    fn tell_resources(&mut self, held: &Held, update: &mut Update) {
        for (id, wanted) in mem::take(&mut self.wanted) {
            if held.has(&id) {
                self.wanted.insert(id, wanted);
                continue;
            }
            let new = match &wanted {
                Some(table) if id.kind == ResourceType::Route => {
                    Some(held.splice((&self.told, &id), table))
                }
                other => other.clone(),
            };
            let version = |it: &Option<Arc<Resource>>| it.as_ref().map(|it| it.version.clone());
            if version(&new) != version(&wanted) {
                self.wanted.insert(id.clone(), wanted);
            }
            if new.as_deref() == self.told.get(&id).map(|it| &**it) {
                continue;
            }
            match &new {
                Some(new) => self.told.insert(id.clone(), new.clone()),
                None => self.told.remove(&id),
            };
            update.resources.insert(id, new);
        }
    }

    /// Credentials stay where something of before names them.
    fn tell_credentials(&mut self, held: &Held, update: &mut Update) {
        for (name, wanted) in mem::take(&mut self.wanted_credentials) {
            let old = self.told_credentials.get(&name);
            let mut new = wanted.clone();
            if let Some(old) = old {
                let kept = old.proxies.iter().filter(|it| held.names(it, &name));
                let kept: BTreeSet<ProxyName> = kept.cloned().collect();
                match &mut new {
                    Some(new) => new.proxies.extend(kept),
                    None if kept.is_empty() => {}
                    None => {
                        new = Some(GenericSecret {
                            source: old.source.clone(),
                            proxies: kept,
                        });
                    }
                }
            }
            let is_told = new.as_ref() == old;
            match &new {
                Some(new) => self.told_credentials.insert(name.clone(), new.clone()),
                None => self.told_credentials.remove(&name),
            };
            if new != wanted {
                self.wanted_credentials.insert(name.clone(), wanted);
            }
            if !is_told {
                update.credentials.insert(name, new);
            }
        }
    }

    /// What is not served yet is pending, if nothing is wrong with it otherwise. What the Gateway API's objects tell is of
    /// a generation, and so stays what it was.
    fn tell_statuses(
        &mut self,
        told: BTreeMap<ObjectKey, Option<Arc<Status>>>,
        held: &Held,
        translator: &Translator,
        update: &mut Update,
    ) {
        let pending = translator.written_of(held.objects(&self.wanted));
        let before = mem::replace(&mut self.pending, pending);
        let changed = before.symmetric_difference(&self.pending).cloned();
        let keys: BTreeSet<ObjectKey> = changed.chain(told.into_keys()).collect();
        for key in keys {
            let mut status = translator.status_of(&key);
            if self.pending.contains(&key) {
                if key.kind.is_of_gateway_api() {
                    continue;
                }
                status = status.map(|status| pending_form(&status));
            }
            update.statuses.insert(key, status);
        }
    }
}

fn pending_form(status: &Arc<Status>) -> Arc<Status> {
    let state = |state: State| match state {
        State::Rejected => State::Rejected,
        State::Accepted | State::Warning | State::Pending => State::Pending,
    };
    let proxies = status.proxies.iter().map(|(proxy, (of_proxy, messages))| {
        let of_proxy = (state(*of_proxy), messages.clone());
        (proxy.clone(), of_proxy)
    });
    Arc::new(Status {
        state: state(status.state),
        messages: status.messages.clone(),
        proxies: Arc::new(proxies.collect()),
        conditions: status.conditions.clone(),
    })
}

#[cfg(test)]
mod tests;
